#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write the benchmark's cases: one folder each, read by all engines.

usage: make-cases.py VECTORS OUT

A folder holds case.json (modules, path of the rule, dialect, reference values), the modules,
input.json and data.json.
"""
import json
import os
import shutil
import sys

VECTORS, OUT = sys.argv[1], sys.argv[2]


def write(name, modules, path, inp, data=None, v0=False, reference=None):
    folder = os.path.join(OUT, name)
    os.makedirs(folder)
    for file, text in modules.items():
        with open(os.path.join(folder, file), "w", encoding="utf-8") as f:
            f.write(text)
    case = {"modules": list(modules), "path": path, "v0": v0}
    if reference is not None:
        case["reference"] = reference
    for file, value in (("case", case), ("input", inp), ("data", data or {})):
        with open(os.path.join(folder, file + ".json"), "w", encoding="utf-8") as f:
            json.dump(value, f)


def read(*path):
    with open(os.path.join(VECTORS, *path), encoding="utf-8") as f:
        return f.read()


def cases(*path):
    return [json.loads(line) for line in read(*path, "cases.jsonl").splitlines()]


def kata():
    """CreateContainerRequest: a small pod, and the one with the most containers and layers."""
    for policy, name in (("k8s-policy-pod", "kata-pod"), ("pod-many-layers", "kata-layers")):
        found = [c for c in cases("rego", "kata") if c["policy"] == policy + ".rego"
                 and c["request"] == "CreateContainerRequest" and c["want_value"]]
        # the last container is the one that the policy lists last
        write(name, {"policy.rego": read("rego", "kata", policy + ".rego")}, found[-1]["rule"],
              found[-1]["input"], v0=True)


def genpolicy():
    """Today's rules with the settings of genpolicy: a sandbox request, which needs no images."""
    kind = "CreateSandboxRequest"
    found = [c for c in cases("genpolicy", "kata-genpolicy")
             if c.get("policy") == "settings-only.rego" and c["kind"] == kind and c["allowed"]]
    # what the agent adds to a request
    request = {"sandbox_pidns": False, "guest_hook_path": "", "kernel_modules": [],
               "hostname": "", "dns": [], "storages": [], "sandbox_id": ""} | found[0]["request"]
    settings = json.loads(read("genpolicy", "kata-genpolicy", "genpolicy-settings.json"))
    keys = ("common", "sandbox", "request_defaults", "cluster_config", "devices")
    policy_data = {"containers": []} | {k: settings[k] for k in keys}
    write("kata-rules", {"policy.rego": read("genpolicy", "kata-genpolicy", "rules.rego") +
                         "\npolicy_data := " + json.dumps(policy_data, indent=2) + "\n"},
          "data.agent_policy." + kind, request)


def trustee():
    for note, name in (("ear/snp-config-else", "trustee-snp"), ("ear/tdx-good", "trustee-tdx"),
                       ("kbs/policy5-secret1-svn2", "trustee-resource")):
        c = next(c for c in cases("rego", "trustee") if c["note"] == note)
        write(name, {"policy.rego": read("rego", "trustee", "policies", c["policy"])}, c["rule"],
              c["input"], c.get("data"), reference=c.get("reference", {}))


def aci():
    c = next(c for c in cases("rego", "aci") if c["note"] == "aci/create_container")
    write("aci-create", {m: read("rego", "aci", m) for m in c["modules"]}, c["query"], c["input"],
          c["data"], v0=True)


def shapes():
    """What OPA's own benchmarks look at."""
    n = 10000
    write("array-iteration", {"p.rego": "package p\n\nfound if {\n\tsome x in data.items\n\t"
          "x.id == input.id\n}\n"}, "data.p.found", {"id": n - 1},
          {"items": [{"id": i, "name": f"item-{i}"} for i in range(n)]})
    write("array-join", {"p.rego": "package p\n\nnames := {x.name |\n\tsome x in data.items\n\t"
          "some y in input.ids\n\tx.id == y\n}\n"}, "data.p.names", {"ids": [3, 500, 999]},
          {"items": [{"id": i, "name": f"item-{i}"} for i in range(1000)]})
    write("object-lookup", {"p.rego": "package p\n\nowner := data.objects[input.key].owner\n"},
          "data.p.owner", {"key": "object-77777"},
          {"objects": {f"object-{i}": {"owner": f"user-{i % 100}"} for i in range(100000)}})
    for count in (10, 100, 1000, 10000):
        rules = "".join(f"allow if {{\n\tinput.method == \"GET\"\n\tinput.path == \"/api/{i}\"\n\t"
                        f"input.user == \"user-{i}\"\n}}\n\n" for i in range(count))
        write(f"rules-{count}", {"p.rego": "package p\n\ndefault allow := false\n\n" + rules},
              "data.p.allow", {"method": "GET", "path": f"/api/{count - 1}",
                                "user": f"user-{count - 1}"})
    deep = "".join(f"v{i} := x if {{\n\tx := data.p.v{i + 1} + 1\n\tx > 0\n}}\n\n"
                   for i in range(100))
    write("virtual-chain", {"p.rego": "package p\n\n" + deep + "v100 := input.n\n"}, "data.p.v0",
          {"n": 1})
    docs = "".join(f"package d.k{i}\n\nv[x] := y if {{\n\tsome x, z in data.numbers\n\ty := z * {i}"
                   f"\n}}\n@@" for i in range(20)).split("@@")[:-1]
    modules = {f"d{i}.rego": text for i, text in enumerate(docs)}
    modules["p.rego"] = ("package p\n\nhits contains [k, x] if {\n\tsome k, x\n\t"
                         "data.d[k].v[x] == input.want\n}\n")
    write("virtual-deep", modules, "data.p.hits", {"want": 30},
          {"numbers": {f"n{i}": i for i in range(50)}})
    write("comprehension", {"p.rego": "package p\n\nby_group[g] := n if {\n\tsome g in "
          "{x.group | some x in input.items}\n\tn := count([x | some x in input.items; "
          "x.group == g])\n}\n"}, "data.p.by_group",
          {"items": [{"id": i, "group": f"g{i % 20}"} for i in range(400)]})
    write("strings", {"p.rego": "package p\n\nbad contains x if {\n\tsome x in input.images\n\t"
          "not startswith(x, \"registry.example/\")\n}\n\ntags contains t if {\n\tsome x in "
          "input.images\n\tregex.match(`^[a-z.]+/[a-z0-9-]+:v[0-9]+\\.[0-9]+$`, x)\n\t"
          "t := split(x, \":\")[1]\n}\n\nok if {\n\tcount(bad) == 1\n\tcount(tags) > 0\n}\n"},
          "data.p.ok", {"images": [f"registry.example/app-{i}:v1.{i}" for i in range(50)] +
                        ["docker.io/evil:latest"]})


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    os.makedirs(OUT)
    kata()
    genpolicy()
    trustee()
    aci()
    shapes()


main()
