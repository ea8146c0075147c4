#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The console of a live key broker, in headless Chromium. usage: kbs-console.py HUSK-KBS HUSK FOLDER

Screenshots of each view go to FOLDER.
"""
import base64
import datetime
import hashlib
import json
import os
import re
import shutil
import signal
import sqlite3
import sys
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import services  # noqa: E402
from chromium import Browser  # noqa: E402
from kbs_broker import Broker, Client, b64url, canonical  # noqa: E402

HOSTILE = "<img src=x onerror=\"window.owned=1\"></textarea><script>window.owned=1</script>"
VIEWS = ["verdicts", "policies", "references", "resources", "collateral", "audit", "tenants"]


def expect(what, have, want):
    if have != want:
        raise AssertionError("%s: %r, not %r" % (what, have, want))


def holds(what, text, *parts):
    for part in parts:
        if part not in text:
            raise AssertionError("%s: %r is not in %r" % (what, part, text))


def hostile_message(client, nonce):
    """Evidence as it should be but for a value of its own choice, which then is in the findings."""
    message = json.loads(client.message(nonce))
    runtime = message["runtime-data"]
    digest = hashlib.sha384(canonical(dict(runtime, **{"additional-evidence": ""}))).digest()
    message["tee-evidence"]["primary_evidence"] = {
        "svn": HOSTILE, "report_data": base64.b64encode(digest).decode()}
    return json.dumps(message)


def revocations(first, last):
    """A revocation list that lives from and to so many days from now, DER in base64."""
    now = datetime.datetime.utcnow()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a vendor")])
    crl = (x509.CertificateRevocationListBuilder().issuer_name(name)
           .last_update(now + datetime.timedelta(days=first))
           .next_update(now + datetime.timedelta(days=last, hours=1))
           .sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()))
    return base64.b64encode(crl.public_bytes(serialization.Encoding.DER)).decode()


def add_collateral(broker):
    items = {"intel/crl/root": revocations(-1, 300), "intel/crl/platform": revocations(-1, 5),
             "intel/crl/processor": revocations(-60, -30),
             "intel/pck/key": base64.b64encode(HOSTILE.encode()).decode()}
    with open(broker.path("bundle.json"), "w", encoding="ascii") as f:
        json.dump({"items": items}, f)
    broker.edit(lambda t: t.replace("[husk]\n", "[husk]\ncollateral = \"%s\"\n"
                                    % broker.path("bundle.json"), 1))


def fill(broker):
    """Something of everything that is listed."""
    admin, guest, stranger = Client(broker, admin=True), Client(broker), Client(broker)
    for name, value in (("svn", ["1", "2"]), (HOSTILE, ["x"])):
        broker_call(admin, "POST", "/kbs/v0/reference-value", {
            "version": "0.1.0", "type": "sample",
            "payload": base64.b64encode(json.dumps({name: value}).encode()).decode()})
    for name, seconds in (("old", 2), ("ending", 10 * 86400 + 3600)):
        ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))
        broker_call(admin, "POST", "/kbs/v0/reference-value", {
            "version": "0.1.0", "type": "sample", "expiration": ends,
            "payload": base64.b64encode(json.dumps({name: ["1"]}).encode()).decode()})
    broker_call(admin, "POST", "/kbs/v0/reference-value", {
        "version": "0.1.0", "type": "sample", "stage": True,
        "payload": base64.b64encode(b'{"svn": ["staged one"]}').decode()})
    for content in (b"the secret content", b"the second content"):
        expect("resource", admin.call("POST", "/kbs/v0/resource/default/key/one", content,
                                      Content_Type="text/x-" + HOSTILE)[0], 200)
    policy = "package policy\nimport rego.v1\n# %s\ndefault allow := false\n"
    for text in (policy % "first", policy % HOSTILE):
        broker_call(admin, "POST", "/kbs/v0/resource-policy", {"policy": b64url(text.encode())})
    broker.cli("tenant", "set", "acme", "--resources", "5")
    guest.attest()
    expect("denied", guest.call("GET", "/kbs/v0/resource/default/key/one")[0], 401)
    nonce = stranger.auth()
    stranger.call("POST", "/kbs/v0/attest", hostile_message(stranger, nonce))
    nonce = stranger.auth()
    other = json.loads(stranger.message(nonce))
    other["tee-evidence"]["primary_evidence"]["report_data"] = base64.b64encode(bytes(48)).decode()
    expect("not bound", stranger.call("POST", "/kbs/v0/attest", json.dumps(other))[0], 401)
    for _ in range(2):
        guest.attest()
    return json.loads(admin.call("GET", "/kbs/v0/admin/verdicts")[2])


def event(number, kind, details, matches=True):
    digest = hashlib.sha384(b"%d" % number).hexdigest()
    return {"index": number % 8, "type_name": kind, "digests": [{"alg": "SHA-384", "digest": digest}],
            "digest_matches_event": matches, "event": base64.b64encode(b"%d" % number).decode(), "details": details}


def add_log(broker, verdicts):
    """Claims with an event log, which no attester of this test has: into the store of a broker that is down."""
    log = [event(0, "EV_S_CRTM_VERSION", {"string": "husk-fw"}), event(1, "EV_SEPARATOR", {}, False),
           event(2, "EV_EFI_VARIABLE_DRIVER_CONFIG", {"unicode_name": "SecureBoot", "variable_data": "AQ=="}),
           event(3, "EV_IPL", {"string": HOSTILE})]
    log += [event(n, "EV_EVENT_TAG", {"domain": "github.com/confidential-containers", "operation": "PullImage",
                                      "content": "registry.example/app@sha256:%064d" % n}) for n in range(4, 250)]
    claims = {"pieces": [
        {"name": "cpu0", "class": "cpu", "tee": "tdx", "policy": "default_cpu", "status": "warning",
         "vector": {"hardware": 2, "configuration": 36, "executables": 3}, "input": {
             "tdx": {"quote": {"header": {"version": "0400", "tee_type": "81000000"},
                               "body": {"mr_td": "9" * 96, "rtmr_0": "a" * 96, "rtmr_1": "b" * 96, "xfam": "e742060000000000"}},
                     "tcb_status": "UpToDate", "advisory_ids": [], "collateral_expiration_status": "0",
                     "td_attributes": {"debug": False, "key_locker": False, "perfmon": False, "sept_ve_disable": True},
                     "uefi_event_logs": log, HOSTILE: HOSTILE, "long": "x" * 4000},
             "init_data_claims": {"agent_policy_claims": None, "empty": {}, "count": 7},
             "report_data": "00" * 48}},
        {"name": "gpu0", "class": "gpu", "tee": "nvidia", "policy": "default_gpu"}],
        "cut": [{"path": "/cpu0/runtime_data_claims/additional-evidence", "bytes": 23456}]}
    one = [v for v in verdicts if v["kind"] == "attestation" and v["claims"]][0]
    broker.kill(signal.SIGTERM)
    db = sqlite3.connect(broker.path("store/husk.db"))
    expect("row", db.execute("UPDATE verdict_claims SET claims = ? WHERE id = ?", (json.dumps(claims), one["id"])).rowcount, 1)
    db.execute("UPDATE verdict SET vector = ? WHERE id = ?", (json.dumps(claims["pieces"][0]["vector"]), one["id"]))
    db.commit()
    db.close()
    broker.start()
    broker.with_log = one["id"]


def broker_call(admin, method, path, body):
    status, _, answer = admin.call(method, path, json.dumps(body))
    expect("%s %s: %s" % (method, path, answer), status, 200)


def text_of(page, selector="#main", hidden=False):
    return page.run("document.querySelector(%s).%s" % (json.dumps(selector),
                                                       "textContent" if hidden else "innerText"))


def go(page, where):
    page.run("location.hash = %s" % json.dumps("#/" + where))
    page.wait("document.querySelector('#main').dataset.ready === %s" % json.dumps("#/" + where))


def click(page, label, within="#main"):
    found = page.run("""(() => { const b = [...document.querySelectorAll(%s + " button")]
        .find(b => b.textContent === %s); if (b) b.click(); return Boolean(b); })()"""
                     % (json.dumps(within), json.dumps(label)))
    expect("button " + label, found, True)


def log_in(page, token):
    """By keyboard alone."""
    page.run("document.querySelector('#token').focus()")
    page.type(token)
    page.key("Enter", 13, "\r")


def test_headers(broker, page):
    status, headers, body = Client(broker).call("GET", "/console")
    expect("page", (status, headers["Content-Type"]), (200, "text/html; charset=utf-8"))
    policy = dict(p.strip().split(" ", 1) for p in headers["Content-Security-Policy"].split(";"))
    text = body.decode()
    for tag, name in (("script", "script-src"), ("style", "style-src")):
        parts = re.findall("<%s>(.*?)</%s>" % (tag, tag), text, re.S)
        expect("one " + tag, len(parts), 1)
        digest = base64.b64encode(hashlib.sha256(parts[0].encode()).digest()).decode()
        expect(name, policy[name], "'sha256-%s'" % digest)
    for name, value in (("default-src", "'none'"), ("connect-src", "'self'"), ("base-uri", "'none'"),
                        ("frame-ancestors", "'none'"), ("form-action", "'none'"),
                        ("require-trusted-types-for", "'script'")):
        expect(name, policy[name], value)
    for name, value in (("X-Content-Type-Options", "nosniff"), ("X-Frame-Options", "DENY"),
                        ("Referrer-Policy", "no-referrer"), ("Cache-Control", "no-store")):
        expect(name, headers[name], value)
    if re.search(r"https?://|innerHTML|\bon[a-z]+=|\bstyle=", text):
        raise AssertionError("the page names another origin, or makes markup of text")


def test_login(broker, page):
    page.open("https://127.0.0.1:%d/console" % broker.port)
    expect("no view before", page.run("document.querySelector('#nav').hidden"), True)
    log_in(page, broker.token())
    page.wait("document.querySelector('#main table') !== null")
    expect("view", page.run("location.hash"), "#/verdicts")
    expect("kept nowhere", page.run("[localStorage.length, sessionStorage.length, document.cookie, "
                                    "location.href.includes('eyJ'), document.documentElement.outerHTML"
                                    ".includes(state.token)]"), [0, 0, "", False, False])


def test_verdicts(broker, page):
    verdicts, seen = broker.verdicts, []
    go(page, "verdicts")
    expect("rows", page.run("document.querySelectorAll('#main tbody tr').length"), len(verdicts))
    for v in verdicts:
        go(page, "verdicts/" + v["id"])
        record = json.loads(Client(broker, admin=True).call("GET", "/kbs/v0/admin/why/" + v["id"])[2])
        text = text_of(page)
        holds("verdict", text, v["id"], record["stage"], record["status"], record["reason"])
        claims = json.loads(Client(broker, admin=True).call("GET", "/kbs/v0/admin/verdicts/" + v["id"])[2]).get("claims")
        expect("evidence", page.run("document.querySelectorAll('.tree').length > 0"), claims is not None)
        for c in record.get("checks") or []:
            holds("check", text, c["name"])
        expect("findings", page.run("document.querySelectorAll('.finding').length"),
               len(record.get("findings") or []))
        whole = text_of(page, hidden=True)
        for f in record.get("findings") or []:
            holds("finding", whole, f["rule"], f["expression"])
            holds("finding", text, *[f[k] for k in ("fix", "reference_value", "nearest") if f.get(k)])
        expect("vector", page.run("document.querySelectorAll('#vector li').length"),
               len(record.get("vector") or {}))
        seen.append(text)
    holds("all of them", "".join(seen), HOSTILE, "failed", "Fix: ", "contraindicated")
    go(page, "verdicts")
    page.run("""(() => { const s = document.querySelector("#main select"); s.value = "refused";
        s.dispatchEvent(new Event("change")); })()""")
    expect("filter", page.run("document.querySelectorAll('#main tbody tr').length"),
           len([v for v in verdicts if v["status"] == "refused"]))
    page.run("verdictFilter.status = ''")
    expect("all kinds seen", {v["kind"] for v in verdicts}, {"attestation", "resource"})


def fill_in(page, selector, value, event="input"):
    page.run("""(() => { const e = document.querySelector(%s); e.value = %s; e.dispatchEvent(new Event(%s)); })()"""
             % (json.dumps(selector), json.dumps(value), json.dumps(event)))


def test_evidence(broker, page):
    go(page, "policies")
    go(page, "verdicts")
    holds("vectors", text_of(page), "✓ hardware 2", "! config 36")
    go(page, "verdicts/" + broker.with_log)
    holds("piece", text_of(page), "cpu0", "tdx", "UpToDate", HOSTILE, "Not all of it is kept", "22.9 KiB",
          "gpu0", "the policy failed", "250 of 250 events", "SecureBoot")
    # A log of many events is a table, not an open branch; the rest comes when it is asked for.
    expect("rows", page.run("document.querySelectorAll('.log tbody tr').length"), 100)
    click(page, "Show all 250")
    expect("all rows", page.run("document.querySelectorAll('.log tbody tr').length"), 250)
    fill_in(page, ".log select", "3", "change")
    expect("register", page.run("document.querySelectorAll('.log tbody tr').length"), 31)
    fill_in(page, ".log input", "onerror")
    holds("found event", text_of(page, ".log table"), "EV_IPL", HOSTILE)
    expect("one event", page.run("document.querySelectorAll('.log tbody tr').length"), 1)
    fill_in(page, ".piece > .bar input", "RTMR_1")
    expect("found", page.run("[...document.querySelectorAll('.tree')[0].querySelectorAll('.leaf')].map(l => l.innerText)"),
           ["tdx.quote.body.rtmr_1 " + "b" * 96])
    expect("mark", text_of(page, ".tree mark"), "rtmr_1")
    fill_in(page, ".piece > .bar input", "no such thing")
    holds("nothing", text_of(page, ".tree"), "Nothing has this")
    fill_in(page, ".piece > .bar input", "")
    click(page, "Open all")
    expect("all open", page.run("document.querySelectorAll('.tree details.branch:not([open])').length"), 0)
    holds("opened", text_of(page, ".tree"), "mr_td " + "9" * 96, "td_attributes", "sept_ve_disable true", "uefi_event_logs 250 items", "empty { }", "agent_policy_claims null")
    click(page, "Close all")
    expect("all closed", page.run("document.querySelectorAll('.tree details.branch[open]').length"), 0)
    # Every branch is reached and opened by keyboard.
    page.run("document.querySelector('.tree summary').focus()")
    page.key("Enter", 13, "\r")
    page.wait("document.querySelector('.tree details.branch').open")


def test_dry_run(broker, page):
    before = Client(broker, admin=True).call("GET", "/kbs/v0/admin/policies")[2]
    go(page, "policies/default_cpu")
    text = page.run("document.querySelector('#editor').value")
    edit(page, "package policy\nimport rego.v1\ndefault trust_claims := {\"hardware\": 97, \"executables\": 3}\n"
               "trust_claims := {\"hardware\": 2, \"executables\": 3} if input.sample.svn == \"7\"\n")
    page.wait("document.querySelector('#trial-sum') !== null")
    count = len([v for v in broker.verdicts if v["kind"] == "attestation" and v["claims"]])
    holds("sum", text_of(page, "#tried"), "%d of %d verdicts would change" % (count, count), "changes", "33", "→")
    page.run("document.querySelector('#tried details.why').open = true")
    holds("why", text_of(page, "#tried"), "With the new text", "trust_claims")
    for width, dark in ((400, True), (400, False), (1280, True), (1280, False)):
        page.look(width, dark)
        page.shot("%s/%d-%s-dry-run.png" % (broker.shots, width, "dark" if dark else "light"))
        expect("width", page.run("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), True)
    edit(page, text + "\n# a remark\n")
    page.wait("document.querySelector('#trial-sum') !== null")
    holds("same", text_of(page, "#tried"), "None of %d verdicts would change" % count)
    # From a verdict to a policy that is tried on it alone, and the resource policy with a path.
    one = [v for v in broker.verdicts if v["kind"] == "attestation" and v["claims"] and v["id"] != broker.with_log][0]
    go(page, "verdicts/" + one["id"])
    click(page, "Try a change of resource-policy")
    page.wait("document.querySelector('#trial') !== null")
    holds("on it", text_of(page, "#trial"), "the verdict " + one["id"][:8])
    fill_in(page, "#trial-path", "default/key/one")
    edit(page, "package policy\ndefault allow := true\n")
    page.wait("document.querySelector('#trial-sum') !== null")
    holds("released", text_of(page, "#tried"), "1 of 1 verdicts would change", "default/key/one", one["id"][:8], "allowed")
    page.run("trial.only = false; trial.resource = ''")
    for policy in ("default_cpu", "resource-policy"):
        go(page, "policies")
        go(page, "policies/" + policy)
        click(page, "Discard")
        page.wait("!document.querySelector('#main').innerText.includes('not saved')")
    expect("nothing is saved", Client(broker, admin=True).call("GET", "/kbs/v0/admin/policies")[2], before)


def test_policies(broker, page):
    go(page, "policies")
    holds("list", text_of(page), "resource-policy", "default_cpu")
    go(page, "policies/resource-policy")
    holds("editor", page.run("document.querySelector('#editor').value"), HOSTILE)
    page.run("document.querySelector('#main form').requestSubmit()")
    page.wait("document.querySelector('#diff') !== null")
    holds("diff", text_of(page, "#diff"), "- # first", "+ # " + HOSTILE)


def test_diff(_, page):
    """Without what is new a difference is the old text, without what is gone the new one."""
    expect("differences", page.run("""(() => { let n = 7, bad = 0;
        const dice = () => (n = n * 48271 % 2147483647) % 4;
        const text = () => Array.from({length: dice() * dice() + 1}, dice).join("\\n");
        for (let i = 0; i < 500; i++) {
            const a = text(), b = text(), lines = diffLines(a, b);
            const without = sign => lines.filter(l => l[0] !== sign).map(l => l[1]).join("\\n");
            bad += without("+") !== a || without("-") !== b;
        }
        return [bad, diffLines("a\\nb\\nc", "a\\nc").map(l => l[0]).join(""), diffLines("x", "x").length];
    })()"""), [0, " - ", 1])


def edit(page, text):
    page.run("""(() => { const e = document.querySelector('#editor'); e.value = %s;
        e.dispatchEvent(new Event("input")); })()""" % json.dumps(text))
    click(page, "Review the change")


def test_edit(broker, page):
    go(page, "policies/resource-policy")
    before = page.run("document.querySelector('#editor').value")
    edit(page, before + "# ü: saved by the console\n")
    holds("review", text_of(page, "#review"), "+ # ü: saved by the console")
    go(page, "policies")
    go(page, "policies/resource-policy")
    holds("draft", text_of(page), "not saved")
    click(page, "Review the change")
    click(page, "Save as a new version", "#review")
    page.wait("document.querySelector('#live').textContent.includes('in force')")
    stored = json.loads(Client(broker, admin=True).call("GET", "/kbs/v0/admin/policies/resource-policy")[2])
    expect("stored", stored["policy"], before + "# ü: saved by the console\n")


def test_lists(broker, page):
    go(page, "references")
    holds("references", text_of(page), "svn", HOSTILE, "old", "expired", "ends in 10 days", "staged one")
    go(page, "resources")
    text = text_of(page)
    holds("resources", text, "default/key/one", "18 B")
    if "content" in text.replace("Content goes", ""):
        raise AssertionError("the content of a resource is shown: " + text)
    page.run("document.querySelector('#main tbody a').click()")
    page.wait("document.querySelector('h1').textContent === 'default/key/one'")
    holds("versions", text_of(page), "overwritten", "kept")
    go(page, "collateral")
    rows = page.run("""[...document.querySelectorAll("#main tbody tr")].map(r => [0, 2, 4].map(
        n => r.cells[n].innerText.replace(/^[0-9 :-]+/, "").trim()))""")
    expect("collateral", rows, [["intel/crl/processor", "expired", "expired"],
                                ["intel/crl/platform", "good", "ends in 5 days"],
                                ["intel/crl/root", "good", ""], ["intel/pck/key", "good", ""]])
    go(page, "tenants")
    holds("tenants", text_of(page), "acme", "0 of 5")


def test_audit(broker, page):
    go(page, "audit")
    head = json.loads(Client(broker, admin=True).call("GET", "/kbs/v0/admin/audit/head")[2])
    holds("audit", text_of(page), head["root"], "policy", "tenant")
    page.run("[...document.querySelectorAll('#main tbody button')].forEach(b => b.click())")
    page.wait("document.querySelectorAll('#main tbody button').length === 0")
    expect("proofs", page.run("document.querySelectorAll('#main tbody .good').length"), head["tree_size"])
    # An entry that was changed on the way does not fit the head.
    expect("changed entry", page.run("""(async () => {
        const head = await api("GET", "admin/audit/head");
        const proof = await api("GET", "admin/audit/proof/2?size=" + head.tree_size);
        const good = await rootOf(proof.entry, proof.path, head.tree_size);
        const other = await rootOf(Object.assign({}, proof.entry, {actor: "x"}), proof.path, head.tree_size);
        return [good === head.root, other === head.root]; })()"""), [True, False])
    go(page, "audit/10")
    expect("older", page.run("document.querySelector('#main tbody td').textContent"), "9")


def test_looks(broker, page):
    folder = broker.shots
    refused = [v for v in broker.verdicts if v["status"] == "refused"]
    views = VIEWS + ["policies/resource-policy"] + ["verdicts/" + v["id"] for v in broker.verdicts]
    for width, dark in ((1280, False), (1280, True), (400, False), (400, True)):
        page.look(width, dark)
        for n, view in enumerate(views):
            go(page, view)
            page.shot("%s/%d-%s-%02d-%s.png" % (folder, width, "dark" if dark else "light", n,
                                               view.split("/")[0]))
            wide = page.run("document.documentElement.scrollWidth")
            if wide > page.run("document.documentElement.clientWidth"):
                raise AssertionError("%s is %d wide at %d" % (view, wide, width))
    expect("refusals", bool(refused), True)
    page.look(1280, False)
    go(page, "policies/resource-policy")
    edit(page, "package policy\n\ndefault allow := false\n\n# another text\n")
    page.shot(folder + "/1280-light-review.png")
    go(page, "policies")
    go(page, "policies/resource-policy")
    click(page, "Discard")
    page.wait("state.drafts.size === 0")


def test_keyboard(broker, page):
    go(page, "verdicts")
    page.run("document.querySelector('#skip').focus()")
    seen = []
    for _ in range(12):
        page.key("Tab", 9)
        seen.append(page.run("document.activeElement.textContent"))
        if seen[-1] == "Audit log":
            break
    expect("reached", seen[-1], "Audit log")
    page.key("Enter", 13, "\r")
    page.wait("document.querySelector('#main').dataset.ready === '#/audit'")
    expect("focus", page.run("document.activeElement.textContent"), "Audit log")


def test_quiet(broker, page):
    """Of all the above: nothing ran that came as text, nothing was logged, nobody else was asked."""
    expect("owned", page.run("window.owned === undefined"), True)
    expect("elements made of text", page.run("document.querySelectorAll('img,#main script').length"), 0)
    expect("problems", page.problems, [])
    origin = "https://127.0.0.1:%d/" % broker.port
    expect("other origins", [u for u in page.requests if not u.startswith(origin) and u != "about:blank"], [])
    # The policy of the page does hold: text cannot become markup, nor can another origin be asked.
    expect("trusted types", page.run("""(() => { try { document.body.insertAdjacentHTML("beforeend", "<p>");
        return "made"; } catch (e) { return e.name; } })()"""), "TypeError")
    expect("other origin", page.run("fetch('https://127.0.0.1:1/').then(() => 'sent', e => e.name)"),
           "TypeError")


def test_refusals(broker, page):
    go(page, "policies/new_policy")
    edit(page, "package policy\n nonsense")
    page.wait("document.querySelector('#tried [role=alert]') !== null")
    holds("dry run", text_of(page, "#tried"), "dry run: ", "trust_claims")
    click(page, "Save as a new version", "#review")
    page.wait("document.querySelector('#review > .bad[role=alert]') !== null")
    holds("refused policy", text_of(page, "#review"), "Set Attestation Policy failed")
    go(page, "verdicts/none")
    page.wait("document.querySelector('#main .bad') !== null")
    click(page, "Log out", "header")
    expect("forgotten", page.run("[state.token, state.drafts.size, document.querySelector('#login') !== null,"
                                 " document.querySelector('#nav').hidden]"), ["", 0, True, True])
    log_in(page, "nonsense")
    page.wait("document.querySelector('#main .bad') !== null")
    holds("bad token", text_of(page), "refuses this token")
    click(page, "Log out", "header")
    log_in(page, broker.token())
    page.wait("document.querySelector('#main table') !== null")
    go(page, "tenants")
    click(page, "Enter")
    page.wait("document.querySelector('#who').textContent === 'tenant acme'")
    go(page, "verdicts")
    holds("inside", text_of(page), "No verdict yet")
    page.send("Page.reload")
    page.wait("document.readyState === 'complete' && document.querySelector('#login') !== null && "
              "state.token === ''")


def main():
    program, husk, shots = sys.argv[1:4]
    chromium = shutil.which("chromium")
    if not chromium:
        services.skip("chromium is not installed")
    os.makedirs(shots, exist_ok=True)
    broker = Broker(program, husk)
    page = None
    bad = 0
    try:
        broker.edit(lambda t: t.replace("[attestation_service]\n",
                                        "[attestation_service]\ninsecure_accept_sample = true\n", 1))
        add_collateral(broker)
        broker.start()
        broker.verdicts, broker.shots = fill(broker), shots
        add_log(broker, broker.verdicts)
        page = Browser(chromium)
        for test in (test_headers, test_login, test_verdicts, test_evidence, test_policies, test_diff, test_edit, test_dry_run,
                     test_lists, test_audit, test_keyboard, test_looks, test_quiet, test_refusals):
            try:
                test(broker, page)
                print("ok", test.__name__)
            except Exception as error:  # each failure is one line, the others still run
                bad += 1
                print("FAIL", test.__name__, "%s: %s" % (type(error).__name__, error))
    finally:
        if page:
            page.close()
        broker.remove()
    return 1 if bad else 0


sys.exit(main())
