/* SPDX-License-Identifier: Apache-2.0 */
/* Login, logout, and which view is shown: the fragment of the address says so. */

const IDLE_MS = 30 * 60 * 1000;
const VIEWS = [
	["verdicts", "Verdicts", (id) => id ? verdictView(id) : verdictsView()],
	["policies", "Policies", (id, version) => id ? policyView(id, version) : policiesView()],
	["references", "Reference values", referencesView],
	["resources", "Resources", (path) => path ? resourceView(path) : resourcesView()],
	["collateral", "Collateral", collateralView],
	["audit", "Audit log", auditView],
	["tenants", "Tenants", tenantsView],
];

let generation = 0;
let lastShown = "";

function frame() {
	const nav = document.getElementById("nav");
	nav.hidden = !state.inside;
	document.getElementById("logout").hidden = !state.inside;
	document.getElementById("who").textContent = state.inside && state.tenant ? "tenant " + state.tenant : "";
	nav.replaceChildren(...VIEWS.map(([name, title]) => el("a", {
		href: "#/" + name, "aria-current": location.hash.split("/")[1] === name ? "page" : null,
	}, title)));
}

function place(nodes) {
	const main = document.getElementById("main");
	main.replaceChildren(...nodes.flat(Infinity).filter(n => n !== null && n !== undefined));
	const title = main.querySelector("h1");
	document.title = title ? title.textContent + " – husk console" : "husk console";
	if (title && lastShown !== location.hash)
		title.focus({ preventScroll: lastShown === "" });
	lastShown = location.hash;
	main.dataset.ready = location.hash;
}

/* A view that comes late does not replace a newer one. */
async function show() {
	const mine = ++generation;
	if (!state.inside) {
		frame();
		place(loginView(""));
		return;
	}
	let parts = [];
	try {
		parts = location.hash.slice(2).split("/").map(decodeURIComponent);
	} catch (e) { /* not ours; the first view then */ }
	const view = VIEWS.find(v => v[0] === parts[0]);
	if (!view) {
		location.replace("#/verdicts");
		return;
	}
	frame();
	delete document.getElementById("main").dataset.ready;
	say("Loading…");
	let nodes;
	try {
		nodes = await view[2](...parts.slice(1));
		nodes[0].lastChild.append(button("Reload", show));
	} catch (error) {
		nodes = [heading(view[1], button("Try again", show)), errorNotice(error)];
	}
	if (mine !== generation)
		return;
	say("");
	place(nodes);
}

function enter(token, tenant) {
	state.token = token;
	state.tenant = tenant;
	state.inside = true;
	state.used = Date.now();
	lastShown = "";
	show();
}

function enterTenant(name) {
	if (/^[a-z0-9][a-z0-9-]*$/.test(name))
		enter(state.token, name);
}

function logout(why) {
	state.token = state.tenant = "";
	state.inside = false;
	state.drafts.clear();
	Object.assign(trial, { verdict: "", only: false, resource: "" });
	generation++;
	history.replaceState(null, "", location.pathname);
	lastShown = "";
	frame();
	place(loginView(why));
	say("");
}

function loginView(why) {
	const given = /^\/tenants\/([a-z0-9-]+)\/console$/.exec(location.pathname);
	const token = el("input", { type: "password", id: "token", autocomplete: "off", spellcheck: "false" });
	const tenant = el("input", { id: "tenant", value: given ? given[1] : "", autocomplete: "off", spellcheck: "false",
		pattern: "[a-z0-9][a-z0-9\\-]*", maxlength: 48, placeholder: "none" });
	return [el("form", {
		class: "card login", id: "login",
		submit: e => { e.preventDefault(); enter(token.value.trim(), tenant.value.trim()); token.value = ""; },
	}, el("h1", { tabindex: "-1" }, "Log in"),
	why ? el("div", { class: "notice warn", role: "alert" }, why) : null,
	el("label", null, "Admin token", token),
	el("label", null, "Tenant", tenant),
	el("p", { class: "soft" }, "The token stays in the memory of this page: a reload, logging out, or half an hour without use forgets it."),
	el("button", { class: "main" }, "Log in"))];
}

document.getElementById("logout").addEventListener("click", () => logout("You are logged out."));
document.getElementById("skip").addEventListener("click", e => { e.preventDefault(); document.getElementById("main").focus(); });
for (const event of ["keydown", "pointerdown"])
	document.addEventListener(event, () => { state.used = Date.now(); });
setInterval(() => {
	if (state.inside && Date.now() - state.used > IDLE_MS)
		logout("You are logged out: nothing happened for half an hour.");
}, 10000);
window.addEventListener("beforeunload", e => {
	if (state.drafts.size)
		e.preventDefault();
});
window.addEventListener("hashchange", show);
show();
