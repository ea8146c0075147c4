#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Run each engine on each case and print times, memory and ratios to husk.

usage: compare.py CASES MS NAME=COMMAND...

COMMAND may end with words that follow the folder and MS. Exits with 1 when engines disagree on the
value of a case.
"""
import json
import os
import subprocess
import sys

# The acceptance of the policy engine: husk against the peers, per evaluation.
GOALS = {"regorus": 3, "opa": 10}
GOAL_CASES = ("kata-", "trustee-")


def run(command, folder, ms):
    words = command.split()
    done = subprocess.run(words[:1] + [folder, ms] + words[1:], capture_output=True, text=True,
                          check=False, env=os.environ | {"RUST_BACKTRACE": "0"})
    if done.returncode != 0:
        return {"error": " ".join(done.stderr.split())[:110] or "failed"}
    return json.loads(done.stdout)


def ratio(peer, own):
    return f"{peer / own:.1f}x" if own else "-"


def show(name, engines, results):
    own = results["husk"]
    print(f"\n{name}")
    print(f"  {'':12} {'eval us':>11} {'':>8} {'with JSON':>11} {'':>8} {'compile us':>11} {'':>8} "
          f"{'peak KiB':>9}")
    for engine in engines:
        r = results[engine]
        if "error" in r:
            print(f"  {engine:12} {r['error']}")
            continue
        cells = [f"{r['eval_us']:11.2f} {ratio(r['eval_us'], own['eval_us']):>8}",
                 f"{r['json_us']:11.2f} {ratio(r['json_us'], own['json_us']):>8}",
                 f"{r['compile_us']:11.1f} {ratio(r['compile_us'], own['compile_us']):>8}",
                 f"{r['peak_kib']:9}"]
        print(f"  {engine:12} " + " ".join(cells))
    print(f"  husk: {own['steps']} steps, {own['arena_bytes']} arena bytes, {own['allocations']} "
          f"calls of the allocator, program of {own['program_bytes']} bytes")


def main():
    sys.stdout.reconfigure(line_buffering=True)
    cases, ms = sys.argv[1], sys.argv[2]
    engines = dict(a.split("=", 1) for a in sys.argv[3:])
    failed, missed, all_results = 0, [], {}
    for name in sorted(os.listdir(cases)):
        results = {e: run(c, os.path.join(cases, name), ms) for e, c in engines.items()}
        all_results[name] = results
        show(name, engines, results)
        want = results["husk"].get("value")
        for engine, r in results.items():
            if "error" not in r and r["value"] != want:
                print(f"  {engine} DISAGREES: {json.dumps(r['value'])[:200]}")
                failed += 1
            goal = GOALS.get(engine)
            if goal and "error" not in r and name.startswith(GOAL_CASES):
                for key in ("eval_us", "json_us"):
                    if r[key] < goal * results["husk"][key]:
                        missed.append(f"{name} {key}: {ratio(r[key], results['husk'][key])} of "
                                      f"{engine}, wanted {goal}x")
    few, many = (all_results.get(f"rules-{n}", {}).get("husk") for n in (10, 10000))
    if few and many:
        print(f"\n10,000 rules cost {many['eval_us'] / few['eval_us']:.2f} times 10 rules "
              "(wanted: below 3)")
    for line in missed:
        print("missed: " + line)
    sys.exit(1 if failed else 0)


main()
