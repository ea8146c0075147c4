/* SPDX-License-Identifier: Apache-2.0 */
/* What is listed: reference values, resources, collateral, the audit log, tenants. */

function valueCell(value) {
	const text = Array.isArray(value) ? value.map(shown).join("\n") : shown(value);
	return text.length > 300 ? el("details", null, el("summary", null, text.slice(0, 80) + "…"), el("pre", null, text))
		: text.split("\n").map(line => el("div", { class: "mono" }, line));
}

function source(record) {
	const p = record.provenance || {};
	return [p.type, p.signer ? "signed by " + shown(p.signer) : p.by ? "by " + shown(p.by) : ""].filter(Boolean).join(", ");
}

async function referencesView() {
	const list = await api("GET", "admin/reference-values");
	return [heading("Reference values"),
		el("p", { class: "soft" }, "What good evidence looks like. An expired value counts as absent."),
		table(list.length + " reference values", [
			["name", r => el("strong", null, r.name), "free"],
			["value", r => valueCell(r.value), "free"],
			["expires (UTC)", r => expiry(r.expiration)],
			["staged", r => r.staged ? [valueCell(r.staged.value), el("div", null, expiry(r.staged.expiration))] : ""],
			["registered (UTC)", r => when(r.registered), "time"],
			["source", source],
		], list, "There is none: what a policy compares with one is refused.")];
}

const resourceFilter = { prefix: "" };

async function resourcesView() {
	const prefix = el("input", { type: "search", value: resourceFilter.prefix, autocomplete: "off", placeholder: "default/" });
	const list = await api("GET", "admin/resources?prefix=" + part(resourceFilter.prefix));
	return [heading("Resources"),
		el("p", { class: "soft" }, "Names and versions. Content goes to attested guests only, never to this page."),
		el("form", { class: "bar", submit: e => { e.preventDefault(); resourceFilter.prefix = prefix.value; show(); } },
			el("label", null, "Path begins with", prefix), el("button", null, "Find")),
		table(list.length + " resources", [
			["path", r => link(r.path, "resources", r.path), "free"],
			["version", r => r.version, "number"],
			["size", r => size(r.size), "number"],
			["type", r => r.type, "free"],
			["created (UTC)", r => when(r.created), "time"],
			["modified (UTC)", r => when(r.modified), "time"],
		], list, "There is none here.")];
}

async function resourceView(path) {
	const list = await api("GET", "admin/resource-versions/" + path.split("/").map(part).join("/"));
	return [heading(path), table(list.length + " versions", [
		["version", v => v.version, "number"],
		["time (UTC)", v => when(v.time), "time"],
		["by", v => v.actor],
		["type", v => v.type, "free"],
		["size", v => size(v.size), "number"],
		["content", v => badge(v.kept ? "kept" : "overwritten", v.kept ? "good" : "")],
	], list, "There is no version."),
	el("p", null, link("All resources", "resources"))];
}

async function collateralView() {
	const list = await api("GET", "admin/collateral");
	const end = c => c.state === "malformed" ? -Infinity : c.until && dateOf(c.until) ? dateOf(c.until).getTime() : Infinity;
	list.sort((a, b) => end(a) < end(b) ? -1 : end(a) > end(b) ? 1 : 0);
	const kinds = { good: "good", expired: "bad", malformed: "bad" };
	return [heading("Collateral"),
		el("p", { class: "soft" }, "Certificates, revocation lists and TCB information of vendors. Evidence that needs an " +
			"expired piece is refused."),
		table(list.length + " pieces, what needs care first", [
			["key", c => el("code", null, c.key), "free"],
			["kind", c => c.kind],
			["state", c => badge(c.state, kinds[c.state] || "warn")],
			["valid from (UTC)", c => when(c.from), "time"],
			["until (UTC)", c => expiry(c.until)],
			["size", c => size(c.size), "number"],
		], list, "There is none: import a bundle, or let the broker fetch it (husk collateral --help).")];
}

async function tenantsView() {
	if (state.tenant)
		return [heading("Tenants"), el("p", { class: "soft" }, "Tenants are managed outside tenants: log in without one.")];
	const list = await api("GET", "admin/tenants");
	const of = (used, quota) => used + " of " + (quota ? quota : "no limit");
	return [heading("Tenants"), table(list.length + " tenants", [
		["name", t => el("strong", null, t.name)],
		["created (UTC)", t => when(t.created), "time"],
		["resources", t => of(t.used.resources, t.quota.resources), "number"],
		["bytes", t => of(t.used.bytes, t.quota.bytes), "number"],
		["policies of its own", t => of(t.used.policies, t.quota.policies), "number"],
		["reference values", t => of(t.used.reference_values, t.quota.reference_values), "number"],
		["", t => button("Enter", () => enterTenant(t.name))],
	], list, "There is none.")];
}

/* RFC 8785 for what entries hold: strings and whole numbers. */
function canonical(object) {
	return "{" + Object.keys(object).sort().map(k => JSON.stringify(k) + ":" + JSON.stringify(object[k])).join(",") + "}";
}

async function sha256(...pieces) {
	const all = [];
	for (const piece of pieces)
		all.push(...piece);
	return new Uint8Array(await crypto.subtle.digest("SHA-256", new Uint8Array(all)));
}

function hex(bytes) {
	return Array.from(bytes, b => b.toString(16).padStart(2, "0")).join("");
}

function unhex(text) {
	return Uint8Array.from(text.match(/../g) || [], pair => parseInt(pair, 16));
}

/* The root that an entry and its path lead to (RFC 9162, section 2.1.3.2), null for a path that does not fit. */
async function rootOf(entry, path, treeSize) {
	const covered = Object.assign({}, entry);
	delete covered.leaf;
	let hash = await sha256([0], new TextEncoder().encode(canonical(covered)));
	let at = entry.seq - 1, last = treeSize - 1;
	for (const step of path.map(unhex)) {
		if (last === 0)
			return null;
		if (at % 2 === 1 || at === last) {
			hash = await sha256([1], step, hash);
			while (at % 2 === 0 && at !== 0) {
				at /= 2;
				last = Math.floor(last / 2);
			}
		} else {
			hash = await sha256([1], hash, step);
		}
		at = Math.floor(at / 2);
		last = Math.floor(last / 2);
	}
	return last === 0 ? hex(hash) : null;
}

/* What is shown is hashed here, so that a broker cannot show one entry and prove another. */
async function prove(entry, head, where) {
	try {
		const proof = await api("GET", "admin/audit/proof/" + entry.seq + "?size=" + head.tree_size);
		const root = await rootOf(entry, proof.path, head.tree_size);
		where.replaceChildren(root === head.root ? badge("in the tree", "good") : badge("not in the tree", "bad"));
	} catch (error) {
		where.replaceChildren(errorNotice(error));
	}
}

async function auditView(before) {
	const [head, list] = await Promise.all([api("GET", "admin/audit/head"),
		api("GET", "admin/audit?limit=100" + (before ? "&before=" + part(before) : ""))]);
	const last = list.length ? list[list.length - 1].seq : 0;
	return [heading("Audit log"),
		el("div", { class: "card", id: "merkle" }, pairs([
			["entries", head.tree_size],
			["Merkle root", el("code", null, head.root)],
			["as of (UTC)", when(head.timestamp)],
			["signed head", el("details", null, el("summary", null, "JWS by the token key; keep it to show later that the log only grew"),
				el("pre", null, head.signed))],
		])),
		table("Entries, newest first", [
			["no.", e => e.seq, "number"],
			["time (UTC)", e => when(e.time), "time"],
			["action", e => el("strong", null, e.action)],
			["object", e => e.object, "free"],
			["by", e => e.actor],
			["peer", e => e.peer],
			["tenant", e => e.tenant],
			["detail", e => el("span", { class: "mono" }, e.detail), "free"],
			["proof", e => {
				const where = el("span", null, button("Check", () => prove(e, head, where)));
				return where;
			}],
		], list, "There is no entry."),
		last > 1 ? el("p", null, link("Older entries", "audit", last)) : null,
		before ? el("p", null, link("The newest", "audit")) : null];
}
