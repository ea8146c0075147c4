/* SPDX-License-Identifier: Apache-2.0 */
/* The evidence viewer: what policies were given, as a tree with search, and event logs as tables. */

const FOUND_MAX = 500;
const OPEN_DEPTH = 2;
const EVENTS_SHOWN = 100;
const LONG_TEXT = 200;

function isTree(value) {
	return value !== null && typeof value === "object";
}

function entriesOf(value) {
	return Array.isArray(value) ? value.map((v, n) => [String(n), v]) : Object.entries(value);
}

/* What the search found is marked in the text around it. */
function marked(text, word) {
	const at = word ? text.toLowerCase().indexOf(word) : -1;
	return at < 0 ? text : [text.slice(0, at), el("mark", null, text.slice(at, at + word.length)), text.slice(at + word.length)];
}

function leafValue(value, word) {
	if (typeof value !== "string")
		return el("span", { class: "v-" + (value === null ? "null" : typeof value) }, marked(String(value), word));
	if (value.length <= LONG_TEXT || word)
		return el("span", { class: "v-string" }, marked(value, word));
	return el("details", { class: "long" }, el("summary", null, value.slice(0, 72) + "… (" + value.length + " characters)"),
		el("span", { class: "v-string" }, value));
}

function leaf(name, value, word) {
	const empty = isTree(value) ? (Array.isArray(value) ? "[ ]" : "{ }") : null;
	return el("li", { class: "leaf" }, el("span", { class: "key" }, marked(name, word)), " ",
		empty ? el("span", { class: "soft" }, empty) : leafValue(value, word));
}

function sizeNote(value) {
	const n = entriesOf(value).length;
	return el("span", { class: "soft" }, Array.isArray(value) ? n + (n === 1 ? " item" : " items")
		: n + (n === 1 ? " member" : " members"));
}

/* Children are made when a branch is opened: logs have thousands of leaves. */
function branch(name, value, depth) {
	const list = el("ul", null);
	const fill = () => {
		if (!list.childNodes.length)
			list.append(...treeItems(value, depth + 1));
	};
	const node = el("details", {
		class: "branch", open: depth < OPEN_DEPTH && !looksLikeLog(value),
		toggle: () => node.open && fill(),
	}, el("summary", null, el("span", { class: "key" }, name), " ", sizeNote(value)), list);
	node.fill = fill;
	if (node.open)
		fill();
	return el("li", null, node);
}

function treeItems(value, depth) {
	return entriesOf(value).map(([name, v]) => isTree(v) && entriesOf(v).length ? branch(name, v, depth) : leaf(name, v, ""));
}

/* [path, value] of leaves whose path or value has the word, without recursion deeper than the claims'. */
function findLeaves(value, word) {
	const found = [], rest = [["", value]];
	while (rest.length && found.length < FOUND_MAX) {
		const [path, v] = rest.pop();
		if (isTree(v) && entriesOf(v).length)
			rest.push(...entriesOf(v).map(([k, w]) => [path ? path + "." + k : k, w]).reverse());
		else if ((path + " " + (isTree(v) ? "" : String(v))).toLowerCase().includes(word))
			found.push([path, v]);
	}
	return found;
}

function setAll(tree, open) {
	/* What opens makes more: until nothing is closed any more, but not without end. */
	for (let round = 0; round < 12; round++) {
		const closed = [...tree.querySelectorAll("details.branch")].filter(d => d.open !== open);
		if (!closed.length)
			break;
		for (const d of closed) {
			if (open)
				d.fill();
			d.open = open;
		}
	}
}

function claimsTree(label, value) {
	const where = el("div", { class: "tree" });
	const count = el("span", { class: "soft", "aria-live": "polite" });
	const draw = word => {
		if (!word) {
			count.textContent = "";
			where.replaceChildren(el("ul", null, treeItems(value, 0)));
			return;
		}
		const found = findLeaves(value, word);
		count.textContent = found.length >= FOUND_MAX ? "the first " + FOUND_MAX : found.length + " found";
		where.replaceChildren(found.length ? el("ul", null, found.map(([path, v]) => leaf(path, v, word)))
			: el("p", { class: "soft" }, "Nothing has this in its path or value."));
	};
	draw("");
	return [el("div", { class: "bar" },
		el("label", null, "Find in claims", el("input", { type: "search", autocomplete: "off", spellcheck: "false",
			placeholder: "path or value", "aria-label": "Find in the claims of " + label,
			input: e => draw(e.target.value.trim().toLowerCase()) })),
		button("Open all", () => setAll(where, true)), button("Close all", () => setAll(where, false)), count), where];
}

/* --- event logs --- */

/* The form that verifiers give to TCG logs: {"index", "type_name", "digests", "details", ..}. */
function looksLikeLog(value) {
	return Array.isArray(value) && value.length > 0 && value.every(e => isTree(e) && !Array.isArray(e) &&
		"index" in e && Array.isArray(e.digests));
}

function findLogs(value) {
	const found = [], rest = [["", value, 0]];
	while (rest.length) {
		const [path, v, depth] = rest.pop();
		if (looksLikeLog(v))
			found.push([path, v]);
		else if (isTree(v) && depth < 6)
			rest.push(...entriesOf(v).map(([k, w]) => [path ? path + "." + k : k, w, depth + 1]).reverse());
	}
	return found;
}

function eventDetails(event) {
	const d = isTree(event.details) ? event.details : {};
	const names = Object.keys(d);
	if (!names.length)
		return "";
	if (names.length === 1 && !isTree(d[names[0]]))
		return el("span", { class: "mono" }, leafValue(d[names[0]], ""));
	const line = names.map(n => n + (isTree(d[n]) ? "" : ": " + shown(d[n]))).join(", ");
	return el("details", null, el("summary", null, line.length > 64 ? line.slice(0, 63) + "…" : line),
		el("pre", null, JSON.stringify(d, null, 2)));
}

function eventTable(label, events) {
	const where = el("div", null), rows = events.map((e, n) => Object.assign({ no: n }, e));
	const registers = [...new Set(rows.map(e => e.index))].sort((a, b) => a - b);
	const chosen = { index: "", text: "", all: false };
	const draw = () => {
		const fit = rows.filter(e => (chosen.index === "" || String(e.index) === chosen.index) &&
			(!chosen.text || JSON.stringify(e).toLowerCase().includes(chosen.text)));
		const part = chosen.all ? fit : fit.slice(0, EVENTS_SHOWN);
		where.replaceChildren(...[table(fit.length + " of " + rows.length + " events", [
			["no.", e => e.no, "number"],
			["register", e => e.index, "number"],
			["type", e => el("span", { class: "mono" }, shown(e.type_name)), "free"],
			["digest", e => e.digests.map(d => el("div", null, el("span", { class: "soft" }, shown(d.alg)), " ",
				el("code", { title: shown(d.digest) }, shown(d.digest).slice(0, 16) + "…"))), "free"],
			["digest of its data", e => e.digest_matches_event === undefined ? ""
				: e.digest_matches_event ? badge("yes", "good") : badge("of other data")],
			["details", eventDetails, "free"],
		], part, "No event fits."),
		part.length < fit.length ? button("Show all " + fit.length, () => { chosen.all = true; draw(); }) : null].filter(Boolean));
	};
	draw();
	return el("section", { class: "log" }, el("h3", null, "Event log ", el("code", null, label)),
		el("div", { class: "bar" },
			el("label", null, "Register", el("select", { change: e => { chosen.index = e.target.value; draw(); } },
				el("option", { value: "" }, "all"), registers.map(r => el("option", { value: String(r) }, String(r))))),
			el("label", null, "Find", el("input", { type: "search", autocomplete: "off", placeholder: "type, digest, detail",
				"aria-label": "Find in the event log " + label,
				input: e => { chosen.text = e.target.value.trim().toLowerCase(); draw(); } }))), where);
}

/* --- all of it --- */

function cutNotice(cut) {
	return Array.isArray(cut) && cut.length ? el("div", { class: "notice warn" }, "Not all of it is kept: ",
		cut.map((c, n) => [n ? ", " : "", el("code", null, shown(c.path)), " (" + size(Number(c.bytes) || 0) + ")"]), ".") : null;
}

function pieceCard(piece) {
	const logs = findLogs(piece.input);
	return el("section", { class: "card piece" },
		el("div", { class: "head" }, el("h3", null, shown(piece.name), " ", el("span", { class: "soft" }, shown(piece.tee) +
			", policy "), link(shown(piece.policy), "policies", shown(piece.policy))),
		piece.status ? statusBadge(piece.status) : badge("the policy failed", "bad")),
		isTree(piece.input) ? [claimsTree(shown(piece.name), piece.input), logs.map(([path, log]) => eventTable(path, log))]
			: el("p", { class: "soft" }, "Its claims were too large to be kept."));
}

/* The guest's bytes as text; what is no text is said to be none. */
function evidenceText(base64) {
	try {
		return new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(atob(base64), c => c.charCodeAt(0)));
	} catch (e) {
		return base64;
	}
}

function evidenceView(verdict) {
	const claims = verdict.claims;
	const parts = [el("h2", null, "Evidence")];
	if (!isTree(claims))
		return parts.concat(el("p", { class: "soft" }, "No claims are kept: the evidence was refused before it had any, or they " +
			"were older than what is kept."));
	parts.push(cutNotice(claims.cut));
	if (Array.isArray(claims.pieces))
		parts.push(claims.pieces.map(pieceCard));
	if (isTree(claims.token))
		parts.push(el("section", { class: "card piece" }, el("h3", null, "Token ", el("span", { class: "soft" }, "and what was asked for")),
			claimsTree("the token", { data: claims.data, token: claims.token })));
	if (typeof verdict.evidence === "string")
		parts.push(el("details", null, el("summary", null, "The guest's message, " + size(verdict.evidence.length * 3 / 4)),
			el("pre", null, evidenceText(verdict.evidence))));
	return parts;
}
