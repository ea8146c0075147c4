/* SPDX-License-Identifier: Apache-2.0 */
/* Policies: list, versions, differences between them, and an editor. */

const RESOURCE_POLICY = "resource-policy";
const DIFF_CELLS_MAX = 4000000;
const DIFF_CONTEXT = 3;

/* Lines as [sign, text]: longest common subsequence between what both begin and end with. */
function diffLines(from, to) {
	const a = from.split("\n"), b = to.split("\n"), out = [], tail = [];
	let start = 0, i, j;
	while (start < a.length && start < b.length && a[start] === b[start])
		out.push([" ", a[start++]]);
	while (a.length > start && b.length > start && a[a.length - 1] === b[b.length - 1]) {
		tail.unshift([" ", a.pop()]);
		b.pop();
	}
	const x = a.slice(start), y = b.slice(start), width = y.length + 1;
	if (x.length * y.length > DIFF_CELLS_MAX)
		return out.concat(x.map(t => ["-", t]), y.map(t => ["+", t]), tail);
	const common = new Uint32Array((x.length + 1) * width);
	for (i = x.length - 1; i >= 0; i--) {
		for (j = y.length - 1; j >= 0; j--)
			common[i * width + j] = x[i] === y[j] ? common[(i + 1) * width + j + 1] + 1
				: Math.max(common[(i + 1) * width + j], common[i * width + j + 1]);
	}
	for (i = 0, j = 0; i < x.length || j < y.length;) {
		if (i < x.length && j < y.length && x[i] === y[j]) {
			out.push([" ", x[i++]]);
			j++;
		} else if (j >= y.length || (i < x.length && common[(i + 1) * width + j] >= common[i * width + j + 1])) {
			out.push(["-", x[i++]]);
		} else {
			out.push(["+", y[j++]]);
		}
	}
	return out.concat(tail);
}

function diffBlock(from, to) {
	const lines = diffLines(from, to);
	const near = new Set();
	lines.forEach((l, n) => {
		for (let k = n - DIFF_CONTEXT; l[0] !== " " && k <= n + DIFF_CONTEXT; k++)
			near.add(k);
	});
	if (!near.size)
		return el("p", { class: "soft", id: "diff" }, "The texts are equal.");
	const rows = [];
	let skipped = 0;
	const flush = () => {
		if (skipped)
			rows.push(el("div", { class: "gap" }, "… " + skipped + " equal lines"));
		skipped = 0;
	};
	lines.forEach((l, n) => {
		if (!near.has(n)) {
			skipped++;
			return;
		}
		flush();
		rows.push(el("div", { class: l[0] === "+" ? "good" : l[0] === "-" ? "bad" : null }, l[0] + " " + l[1]));
	});
	flush();
	const count = sign => lines.filter(l => l[0] === sign).length;
	return el("div", { id: "diff" }, el("p", { class: "soft" }, count("+") + " lines more, " + count("-") + " lines less"),
		el("pre", { class: "diff", tabindex: "0" }, rows));
}

async function policiesView() {
	const list = await api("GET", "admin/policies");
	const name = el("input", { name: "id", required: true, maxlength: 100, pattern: "[A-Za-z0-9_\\-][A-Za-z0-9_.\\-]*",
		autocomplete: "off", spellcheck: "false" });
	return [heading("Policies"),
		table(list.length + " policies", [
			["id", p => link(p.id, "policies", p.id)],
			["version", p => p.version, "number"],
			["size", p => size(p.size), "number"],
			["changed (UTC)", p => when(p.created), "time"],
			["by", p => p.actor],
			["SHA-256", p => el("code", { title: p.sha256 }, String(p.sha256).slice(0, 16) + "…")],
		], list, "There is no policy: everything is refused."),
		el("form", {
			class: "bar",
			submit: e => { e.preventDefault(); location.hash = "#/policies/" + part(name.value); },
		}, el("label", null, "New attestation policy", name), el("button", null, "Write"))];
}

function policyText(id, version) {
	return api("GET", "admin/policies/" + part(id) + (version ? "?version=" + part(version) : ""));
}

function base64url(text) {
	let bytes = "";
	for (const byte of new TextEncoder().encode(text))
		bytes += String.fromCharCode(byte);
	return btoa(bytes).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

async function savePolicy(id, text, seen) {
	const list = await api("GET", "admin/policies");
	const now = list.find(p => p.id === id);
	if ((now ? now.version : 0) !== seen)
		throw new ApiError(412, "", "somebody else saved version " + (now ? now.version : "none") +
			" meanwhile: reload, compare, then save again");
	if (id === RESOURCE_POLICY)
		await api("POST", "resource-policy", { policy: base64url(text) });
	else
		await api("POST", "attestation-policy", { policy_id: id, policy: base64url(text) });
}

/* The change is looked at before it is saved: saving is offered below the difference only. */
function editor(id, current, shownText) {
	const key = state.tenant + "/" + id;
	const draft = state.drafts.get(key);
	const area = el("textarea", { id: "editor", spellcheck: "false", autocomplete: "off", "aria-label": "Text of the policy " + id,
		input: () => { state.drafts.set(key, area.value); review.replaceChildren(); } });
	const review = el("div", { id: "review", "aria-live": "polite" });
	area.value = draft === undefined ? shownText : draft;
	const save = async (event) => {
		event.target.disabled = true;
		try {
			await savePolicy(id, area.value, current.version);
			state.drafts.delete(key);
			location.hash = "#/policies/" + part(id);
			await show();
			say("The policy " + id + " is saved and in force.");
		} catch (error) {
			event.target.disabled = false;
			review.prepend(errorNotice(error));
		}
	};
	const tried = el("div", { id: "tried", "aria-live": "polite" });
	const look = () => {
		if (area.value === current.policy) {
			review.replaceChildren(diffBlock(current.policy, area.value));
			return;
		}
		review.replaceChildren(el("h2", null, "The change"), diffBlock(current.policy, area.value),
			el("h2", null, "What it would change"), tried,
			el("div", { class: "bar save" }, button("Save as a new version", save, true),
				el("span", { class: "soft" }, "It is in force at once.")));
		showTrial(tried, id, area.value);
	};
	const drop = () => { state.drafts.delete(key); show(); };
	return [
		draft === undefined ? null : el("div", { class: "notice warn" }, "This is a draft that is not saved. ",
			button("Discard", drop)),
		area, el("div", { class: "bar" }, trialControls(id), button("Review the change", look)),
		review];
}

function compare(id, versions) {
	const pick = (name, chosen) => el("select", { name }, versions.map((v, n) =>
		el("option", { value: v.version, selected: n === chosen }, "version " + v.version)));
	const from = pick("from", 1), to = pick("to", 0), out = el("div", { "aria-live": "polite" });
	return [el("form", {
		class: "bar",
		submit: async e => {
			e.preventDefault();
			try {
				const [a, b] = await Promise.all([policyText(id, from.value), policyText(id, to.value)]);
				out.replaceChildren(diffBlock(a.policy, b.policy));
			} catch (error) {
				out.replaceChildren(errorNotice(error));
			}
		},
	}, el("label", null, "From", from), el("label", null, "to", to), el("button", null, "Compare")), out];
}

async function policyView(id, version) {
	let current = { version: 0, policy: "" }, versions = [];
	try {
		[current, versions] = await Promise.all([policyText(id), api("GET", "admin/policy-versions/" + part(id))]);
	} catch (error) {
		if (error.status !== 404)
			throw error;
	}
	const old = version ? await policyText(id, version) : current;
	return [heading("Policy " + id, version ? badge("version " + old.version + ", not the newest", "warn")
		: current.version ? badge("version " + current.version) : badge("new")),
	version && old.version !== current.version
		? el("p", { class: "soft" }, "Below is an old text; saving it makes it the newest version. ", link("Back to the newest", "policies", id))
		: null,
	editor(id, current, old.policy),
	el("h2", null, "Versions"),
	table(versions.length + " versions", [
		["version", v => link(v.version, "policies", id, v.version), "number"],
		["time (UTC)", v => when(v.created), "time"],
		["by", v => v.actor],
		["size", v => size(v.size), "number"],
		["SHA-256", v => el("code", null, v.sha256)],
	], versions, "No version is saved yet."),
	versions.length > 1 ? [el("h2", null, "Compare"), compare(id, versions)] : null];
}
