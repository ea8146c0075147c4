/* SPDX-License-Identifier: Apache-2.0 */
/* Dry runs: what a policy would change for guests that came before. Nothing is installed by them. */

const trial = { last: "20", resource: "", verdict: "" };

function trialControls(id) {
	const options = [["20", "the newest 20 verdicts"], ["50", "the newest 50 verdicts"], ["100", "the newest 100 verdicts"]];
	if (trial.verdict)
		options.unshift(["", "the verdict " + trial.verdict.slice(0, 8) + "…"]);
	return [el("label", null, "Try it on", el("select", { id: "trial", change: e => {
		trial.last = e.target.value || trial.last;
		trial.only = e.target.value === "";
	} }, options.map(([value, text]) => el("option", { value, selected: trial.only ? value === "" : value === trial.last }, text)))),
	id === RESOURCE_POLICY ? el("label", null, "if guests ask for", el("input", { id: "trial-path", value: trial.resource,
		autocomplete: "off", spellcheck: "false", placeholder: "default/key/one", maxlength: 500,
		input: e => { trial.resource = e.target.value.trim(); } })) : null];
}

function dryRun(id, text) {
	const question = { policy_id: id, policy: base64url(text) };
	if (trial.only && trial.verdict)
		question.verdict = trial.verdict;
	else
		question.limit = Number(trial.last);
	if (id === RESOURCE_POLICY && trial.resource)
		question.resource = trial.resource;
	return api("POST", "admin/dry-run", question);
}

function arrow(from, to) {
	return el("span", { class: "arrow" }, from, el("span", { class: "soft", "aria-label": "becomes" }, " → "), to);
}

function sideBadge(side) {
	return !side ? badge("refused: no policy", "bad") : side.error ? badge("fails", "bad") : statusBadge(side.status);
}

function differenceList(list) {
	/* A claim that says nothing is as good as none. */
	const shown_ = (list || []).filter(d => tier(d.current)[0] !== "none" || tier(d.candidate)[0] !== "none");
	return el("ul", { class: "chips" }, shown_.map(d => el("li", null, el("span", { class: "soft" }, d.claim), " ",
		arrow(vectorValue(d.current), vectorValue(d.candidate)))));
}

function vectorValue(value) {
	return value === undefined ? el("span", { class: "soft" }, "none") : el("strong", { class: "tier " + tier(value)[1],
		title: tier(value)[0] }, String(value));
}

function sideFindings(title, side) {
	if (!side)
		return null;
	const found = Array.isArray(side.findings) ? side.findings : [];
	if (side.error)
		return el("div", { class: "notice bad" }, title + " this policy gives no verdict: " + side.error);
	return found.length ? [el("h4", null, title), findingList(found)] : null;
}

/* One row for each part of a guest that the policy is about. */
function trialRows(answer) {
	const rows = [];
	for (const r of answer.results) {
		const pairs_ = Array.isArray(r.pieces) ? r.pieces : [r];
		for (const p of pairs_)
			rows.push({ verdict: r, pair: p, changed: Boolean(p.changed), failed: r.error });
	}
	return rows.map((r, n) => [r, n]).sort((a, b) => b[0].changed - a[0].changed || a[1] - b[1]).map(r => r[0]);
}

/* Why it would be otherwise, or why a policy says what it says when there is one verdict only. */
function trialWhy(row) {
	const p = row.pair, parts = [sideFindings("With the new text", p.candidate), sideFindings("With the policy in force", p.current)];
	if (!parts.some(Boolean))
		return null;
	return el("details", { class: "card why" }, el("summary", null, el("code", null, shown(row.verdict.id).slice(0, 8)), " ",
		shown(p.name || (row.verdict["resource-path"] || []).join("/")), " ", arrow(sideBadge(p.current), sideBadge(p.candidate))), parts);
}

function trialTable(answer, rows) {
	const resource = answer.kind === "resource";
	return table(answer.tried + " tried with the claims that were kept, and the reference values of now", [
		["outcome", r => r.changed ? badge("changes", "warn") : r.failed ? badge("failed", "bad") : badge("same")],
		["time (UTC)", r => when(r.verdict.time), "time"],
		["verdict", r => [el("code", null, link(shown(r.verdict.id).slice(0, 8), "verdicts", shown(r.verdict.id))),
			r.verdict.cut ? [" ", badge("cut", "warn")] : null]],
		["TEE", r => shown(r.pair.tee || r.verdict.tee)],
		resource ? ["asks for", r => shown((r.verdict["resource-path"] || []).join("/")), "free"]
			: ["part", r => shown(r.pair.name)],
		["in force → new", r => r.failed ? shown(r.failed) : r.changed ? arrow(sideBadge(r.pair.current), sideBadge(r.pair.candidate))
			: sideBadge(r.pair.candidate)],
		resource ? null : ["trust claims", r => differenceList(r.pair.differences), "free"],
	].filter(Boolean), rows, "No verdict with claims is about what this policy is about." +
		(resource && !trial.resource ? " Name a resource that guests ask for." : ""));
}

function trialResult(answer) {
	const n = answer.changed, rows = trialRows(answer);
	const whys = rows.map(trialWhy).filter(Boolean);
	return [el("div", { class: "notice " + (n ? "warn" : "plain"), id: "trial-sum" },
		!answer.tried ? "Nothing was tried." : n ? n + " of " + answer.tried + " verdicts would change." :
			"None of " + answer.tried + " verdicts would change.",
		answer.skipped ? " " + answer.skipped + " have nothing that this policy is about." : "",
		answer.stopped ? " The time was used up before all were tried." : ""),
	trialTable(answer, rows), whys.length ? [el("h3", null, "Why"), whys] : null];
}

/* Fills @where; a later run of the same place wins. */
async function showTrial(where, id, text) {
	const mine = {};
	where.run = mine;
	where.replaceChildren(el("p", { class: "soft" }, "Trying it on what guests brought before…"));
	let nodes;
	try {
		nodes = trialResult(await dryRun(id, text));
	} catch (error) {
		nodes = [errorNotice(error)];
	}
	if (where.run === mine)
		where.replaceChildren(...nodes.flat(Infinity).filter(Boolean));
}
