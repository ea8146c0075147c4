/* SPDX-License-Identifier: Apache-2.0 */
/* What all views use: elements, the admin API, formats. Everything that comes from the broker is
 * text of a stranger: it becomes text nodes only, and the browser refuses all else (Trusted Types). */

/* The bearer token lives here and nowhere else; a reload forgets it. */
const state = { token: "", tenant: "", inside: false, drafts: new Map(), used: 0 };

const SOON_DAYS = 30;
const ATTRIBUTES = ["class", "id", "type", "name", "value", "for", "role", "scope", "hidden", "disabled", "open",
	"selected", "rows", "placeholder", "autocomplete", "spellcheck", "title", "tabindex", "datetime", "maxlength",
	"pattern", "data-label", "aria-label", "aria-current", "aria-live", "required"];

/* el("td", {class: "x", click: f}, "text", node, null): no other way makes an element. */
function el(tag, attributes, ...children) {
	const node = document.createElement(tag);
	for (const [name, value] of Object.entries(attributes || {})) {
		if (value === null || value === undefined || value === false)
			continue;
		if (typeof value === "function")
			node.addEventListener(name, value);
		else if (name === "href" && String(value).startsWith("#"))
			node.setAttribute("href", value); /* nothing leads out of the page */
		else if (ATTRIBUTES.includes(name))
			node.setAttribute(name, value === true ? "" : String(value));
		else
			throw new Error("attribute " + name);
	}
	for (const child of children.flat(Infinity)) {
		if (child !== null && child !== undefined && child !== false)
			node.append(child instanceof Node ? child : document.createTextNode(String(child)));
	}
	return node;
}

function say(text) {
	document.getElementById("live").textContent = text;
}

function link(text, ...parts) {
	return el("a", { href: "#/" + parts.map(encodeURIComponent).join("/") }, text);
}

class ApiError extends Error {
	constructor(status, variant, detail) {
		super(detail);
		this.status = status;
		this.variant = variant;
	}
}

async function failure(answer) {
	let body = null;
	try {
		body = await answer.json();
	} catch (e) { /* a proxy may answer with anything */ }
	const type = body && typeof body.type === "string" ? body.type : "";
	const detail = body && typeof body.detail === "string" ? body.detail : "the broker answered " + answer.status;
	return new ApiError(answer.status, type.slice(type.lastIndexOf("/") + 1), detail);
}

/* The answer's JSON, null for an empty one. `path` is below /kbs/v0/. */
async function api(method, path, body) {
	const headers = { Accept: "application/json" };
	if (state.token)
		headers.Authorization = "Bearer " + state.token;
	if (body !== undefined)
		headers["Content-Type"] = "application/json";
	let answer;
	try {
		answer = await fetch((state.tenant ? "/tenants/" + state.tenant : "") + "/kbs/v0/" + path, {
			method, headers, body: body === undefined ? undefined : JSON.stringify(body),
			credentials: "omit", cache: "no-store", redirect: "error", signal: AbortSignal.timeout(40000),
		});
	} catch (e) {
		throw new ApiError(0, "", "the broker cannot be reached");
	}
	if (!answer.ok)
		throw await failure(answer);
	const text = await answer.text();
	return text ? JSON.parse(text) : null;
}

function part(text) {
	return encodeURIComponent(text);
}

function errorNotice(error) {
	const refused = error.variant === "AdminAuthAccess";
	return el("div", { class: "notice bad", role: "alert" },
		refused ? "The broker refuses this token here: " : "This did not work: ", error.message);
}

/* Seconds since 1970 or RFC 3339. */
function dateOf(value) {
	const date = typeof value === "number" ? new Date(value * 1000) : new Date(String(value));
	return Number.isNaN(date.getTime()) ? null : date;
}

function when(value) {
	const date = value === null || value === undefined || value === "" ? null : dateOf(value);
	if (!date)
		return value ? String(value) : "";
	const text = date.toISOString();
	return el("time", { datetime: text, title: text }, text.slice(0, 19).replace("T", " "));
}

function badge(text, kind) {
	return el("span", { class: "badge " + (kind || "") }, text);
}

/* When something ends: past, soon, later. */
function expiry(value) {
	const date = value ? dateOf(value) : null;
	if (!date)
		return value ? String(value) : "";
	const days = (date.getTime() - Date.now()) / 86400000;
	const note = days < 0 ? badge("expired", "bad")
		: days < SOON_DAYS ? badge(days < 1 ? "ends today" : "ends in " + Math.floor(days) + " days", "warn") : null;
	return [when(value), note ? " " : null, note];
}

function shown(value) {
	return typeof value === "string" ? value : value === undefined ? "" : JSON.stringify(value);
}

function size(bytes) {
	return bytes < 1024 ? bytes + " B" : bytes < 1048576 ? (bytes / 1024).toFixed(1) + " KiB"
		: (bytes / 1048576).toFixed(1) + " MiB";
}

/* columns: [name, row => content, class]. Narrow screens show each row as a card (style.css). */
function table(caption, columns, rows, empty) {
	if (!rows.length)
		return el("p", { class: "soft" }, empty);
	return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
		el("table", null, el("caption", null, caption),
			el("thead", null, el("tr", null, columns.map(c => el("th", { scope: "col", class: c[2] }, c[0])))),
			el("tbody", null, rows.map(row => el("tr", null,
				columns.map(c => el("td", { class: c[2], "data-label": c[0] }, c[1](row))))))));
}

function pairs(rows) {
	return el("dl", null, rows.filter(r => r[1] !== undefined && r[1] !== null && r[1] !== "")
		.map(r => [el("dt", null, r[0]), el("dd", null, r[1])]));
}

/* The heading takes the focus after a change of view, so that a screen reader says where one is. */
function heading(text, ...side) {
	return el("div", { class: "head" }, el("h1", { tabindex: "-1" }, text), el("div", { class: "bar" }, side));
}

function button(text, action, main) {
	return el("button", { type: "button", class: main ? "main" : null, click: action }, text);
}
