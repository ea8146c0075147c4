/* SPDX-License-Identifier: Apache-2.0 */
/* Verdicts: the list, and one with everything that led to it (docs/kbs-api.md). */

function statusBadge(status) {
	const kind = { affirming: "good", accepted: "good", allowed: "good", warning: "warn", refused: "bad",
		denied: "bad", contraindicated: "bad" }[status];
	return badge(status || "unknown", kind);
}

/* AR4SI trustworthiness claims: the tier that a value lies in. */
function tier(value) {
	if (typeof value !== "number" || (value >= -1 && value <= 1))
		return ["none", ""];
	if (value >= -32 && value <= 31)
		return ["affirming", "good"];
	if (value >= -96 && value <= 95)
		return ["warning", "warn"];
	return ["contraindicated", "bad"];
}

const CLAIM_SHORT = { "hardware": "hardware", "configuration": "config", "executables": "exec", "file-system": "files",
	"instance-identity": "identity", "runtime-opaque": "memory", "storage-opaque": "storage", "sourced-data": "sources" };
const TIER_SIGN = { affirming: "✓", warning: "!", contraindicated: "✕", none: "·" };

/* What a vector claims, in one line; what it says nothing about is left out. */
function vectorLine(vector) {
	const place = name => (Object.keys(CLAIM_SHORT).indexOf(name) + 9) % 9; /* unknown ones last */
	const claims = Object.entries(isTree(vector) ? vector : {}).filter(([, value]) => tier(value)[0] !== "none")
		.sort((a, b) => place(a[0]) - place(b[0]));
	if (!claims.length)
		return isTree(vector) ? el("span", { class: "soft" }, "nothing is claimed") : "";
	return el("ul", { class: "chips" }, claims.map(([name, value]) => {
		const [word, kind] = tier(value);
		return el("li", { class: "tier " + kind, title: name + " " + value + ": " + word },
			el("span", { "aria-label": word }, TIER_SIGN[word]), " " + (CLAIM_SHORT[name] || name) + " ", el("strong", null, shown(value)));
	}));
}

const verdictFilter = { status: "", text: "", limit: "100" };

function verdictTable(list) {
	const text = verdictFilter.text.toLowerCase();
	const rows = list.filter(v => (!verdictFilter.status || v.status === verdictFilter.status) &&
		[v.id, v.tee, v.kind, v.status].join(" ").toLowerCase().includes(text));
	return table(rows.length + " of the newest " + list.length + " verdicts", [
		["time (UTC)", v => when(v.time), "time"],
		["status", v => statusBadge(v.status)],
		["trust vector", v => vectorLine(v.vector), "free"],
		["kind", v => v.kind],
		["TEE", v => v.tee],
		["id", v => el("code", null, link(v.id, "verdicts", v.id))],
		["claims", v => v.claims ? size(v.claims) : "", "number"],
	], rows, list.length ? "No verdict fits the filter." : "No verdict yet: no guest has asked for anything.");
}

async function verdictsView() {
	const list = await api("GET", "admin/verdicts?limit=" + verdictFilter.limit);
	const where = el("div", null, verdictTable(list));
	const redraw = () => where.replaceChildren(verdictTable(list));
	const statuses = [...new Set(list.map(v => v.status))].sort();
	return [heading("Verdicts"), el("div", { class: "bar" },
		el("label", null, "Status", el("select", {
			change: e => { verdictFilter.status = e.target.value; redraw(); },
		}, el("option", { value: "" }, "all"),
		statuses.map(s => el("option", { value: s, selected: s === verdictFilter.status }, s)))),
		el("label", null, "Find", el("input", {
			type: "search", value: verdictFilter.text, placeholder: "id, TEE, kind",
			input: e => { verdictFilter.text = e.target.value; redraw(); },
		})),
		el("label", null, "Newest", el("select", {
			change: e => { verdictFilter.limit = e.target.value; show(); },
		}, ["100", "500", "1000"].map(n => el("option", { value: n, selected: n === verdictFilter.limit }, n))))),
	where];
}

function vectorTiles(vector) {
	return el("ul", { class: "tiles", id: "vector" }, Object.entries(vector).map(([name, value]) => {
		const [word, kind] = tier(value);
		return el("li", null, el("span", { class: "soft" }, name), el("strong", null, shown(value)), badge(word, kind));
	}));
}

function finding(f) {
	const state_ = f.reference_state;
	return el("div", { class: "card finding" },
		el("h3", null, f.rule || "rule"),
		pairs([
			["expression", f.expression === undefined ? "" : el("code", null, shown(f.expression))],
			["where", f.file ? shown(f.file) + (f.line ? ":" + f.line : "") : ""],
			["reason", shown(f.reason)],
			["actual", f.actual === undefined ? "" : el("code", null, shown(f.actual))],
			["expected", f.expected === undefined ? "" : el("code", null, shown(f.expected))],
			["reference value", f.reference_value ? [el("code", null, shown(f.reference_value)), " ",
				state_ ? badge(state_, state_ === "present" ? "" : "bad") : null] : ""],
			["nearest", f.nearest === undefined ? "" : [el("code", null, shown(f.nearest)),
				f.distance === undefined ? "" : " (edit distance " + f.distance + ")"]],
		]),
		f.fix ? el("p", { class: "fix" }, el("strong", null, "Fix: "), shown(f.fix)) : null);
}

/* Most rules of a policy are about other evidence than what came: their claim is undefined. What can
 * be mended comes first. */
function findingList(findings) {
	const other = findings.filter(f => f.fix === undefined && f.actual === undefined && f.reference_value === undefined);
	const own = findings.filter(f => !other.includes(f));
	if (!findings.length)
		return el("p", { class: "soft" }, "The policies name none.");
	return [own.map(finding), other.length ? el("details", { open: !own.length },
		el("summary", null, other.length + (own.length ? " other" : "") +
			(other.length === 1 ? " rule whose claims are" : " rules whose claims are") + " not in this evidence"),
		other.map(finding)) : null];
}

function checkTable(checks) {
	return table("What the verifier compared", [
		["check", c => c.name, "free"],
		["outcome", c => badge(c.ok ? "ok" : "failed", c.ok ? "good" : "bad")],
		["expected", c => shown(c.expected) && el("code", null, shown(c.expected))],
		["actual", c => shown(c.actual) && el("code", null, shown(c.actual))],
		["to do", c => c.ok ? "" : [shown(c.detail), c.fix ? el("p", { class: "fix" }, shown(c.fix)) : null], "free"],
	], checks, "No evidence was compared for this verdict.");
}

/* Whose access list has no claims sees the explanation alone. */
async function readVerdict(id) {
	try {
		return await api("GET", "admin/verdicts/" + part(id));
	} catch (error) {
		if (error.variant !== "AdminAuthAccess")
			throw error;
		return api("GET", "admin/why/" + part(id));
	}
}

/* Policies that can be tried on this verdict. */
function tryLinks(v) {
	if (!isTree(v.claims))
		return null;
	const ids = [...new Set((v.claims.pieces || []).map(p => shown(p.policy)))].concat(RESOURCE_POLICY);
	return el("p", { class: "bar" }, ids.map(id => button("Try a change of " + id, () => {
		trial.verdict = shown(v.id);
		trial.only = true;
		trial.resource = shown(v.resource) || trial.resource;
		location.hash = "#/policies/" + part(id);
	})));
}

async function verdictView(id) {
	const v = await readVerdict(id);
	const checks = Array.isArray(v.checks) ? v.checks : [];
	const findings = Array.isArray(v.findings) ? v.findings : [];
	const failed = checks.filter(c => !c.ok), passed = checks.filter(c => c.ok);
	return [heading("Verdict", statusBadge(v.status)),
		v.reason ? el("div", { class: "notice " + (v.status === "refused" ? "bad" : "warn"), id: "reason" },
			shown(v.reason)) : null,
		el("div", { class: "card" }, pairs([
			["id", el("code", null, shown(v.id))],
			["time (UTC)", when(v.time)],
			["kind", shown(v.kind)],
			["decided at", shown(v.stage)],
			["TEE", shown(v.tee)],
			["resource", shown(v.resource)],
			["EAR status", shown(v["ear.status"])],
			["peer", shown(v.peer)],
			["request", shown(v.request)],
			["attestation", v.attestation ? el("code", null, link(shown(v.attestation), "verdicts", shown(v.attestation)))
				: ""],
		])),
		Array.isArray(v.cut) ? el("div", { class: "notice warn" }, "The record was too large: it has lost its " +
			v.cut.map(shown).join(" and ") + ".") : null,
		el("h2", null, "Trust vector"),
		v.vector && typeof v.vector === "object" ? vectorTiles(v.vector)
			: el("p", { class: "soft" }, "No appraisal was made."),
		el("h2", null, "Findings of the policies"),
		findingList(findings),
		el("h2", null, "Checks of the evidence"),
		checkTable(failed.concat(passed)),
		evidenceView(v),
		tryLinks(v),
		el("details", null, el("summary", null, "The whole record"), el("pre", null, JSON.stringify(Object.assign({}, v,
			{ claims: undefined, evidence: undefined }), null, 2)))];
}
