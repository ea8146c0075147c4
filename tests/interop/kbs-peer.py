#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The same requests at husk's key broker and at Trustee's: status, kind of error, shape of the body,
headers that clients use, claims of tokens. What differs must be what peer-differences.json says, no
more and no less; docs/compatibility.md has the reasons.

usage: KBS_PEER=PATH kbs-peer.py HUSK-KBS [--print] [CHAPTER...]

KBS_PEER is Trustee's `kbs` with its built-in attestation service. --print prints all answers.
"""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../integration"))
import services  # noqa: E402

try:
    import peer_admins
    import peer_appraisals
    import peer_brokers
    import peer_guests
except ImportError:
    services.skip("python3-cryptography is not installed")

# The first one meets the policies that each broker has by itself.
CHAPTERS = (peer_appraisals.appraisals, peer_guests.auth, peer_guests.attest, peer_guests.keys,
            peer_guests.resources, peer_admins.policies, peer_admins.references, peer_admins.admins,
            peer_admins.plugins)
TABLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peer-differences.json")


def taker(answers):
    """Where a chapter's answers go."""
    def note(name, answer):
        assert name not in answers, "asked twice: " + name
        brief = answer.brief() if isinstance(answer, peer_brokers.Answer) else str(answer)
        answers[name] = brief

    return note


def ask(sides, chapters):
    answers = {side.name: {} for side in sides}
    for side in sides:
        for chapter in chapters:
            chapter(side, taker(answers[side.name]))
    if len(chapters) == len(CHAPTERS):
        for side, other in (sides, sides[::-1]):
            peer_guests.passport(side, taker(answers[side.name]), other)
    return answers


def main():
    arguments = [a for a in sys.argv[1:] if a != "--print"]
    if not arguments:
        print(__doc__)
        return 2
    if not os.environ.get("KBS_PEER"):
        print("skipped: KBS_PEER does not name Trustee's kbs")
        return 77
    programs = {"husk": os.path.abspath(arguments[0]),
                "peer": os.path.abspath(os.environ["KBS_PEER"])}
    chapters = [c for c in CHAPTERS
                if len(arguments) == 1 or c.__name__ in arguments[1:]]
    material = peer_brokers.Material(programs["husk"])
    sides = []
    try:
        for name, program in programs.items():
            sides.append(peer_brokers.Side(name, program, material))
        answers = ask(sides, chapters)
    except Exception:
        for side in sides:
            print("%s: its log ends with\n%s" % (side.name, side.text()[-3000:]))
        raise
    finally:
        for side in sides:
            side.stop()
        material.remove()
    return compare(answers["husk"], answers["peer"], len(arguments) > 1)


def compare(husk, peer, partly):
    with open(TABLE, encoding="utf-8") as f:
        known = {name: pair for group in json.load(f).values() for name, pair in group.items()}
    bad = same = 0
    for name in list(husk) + [n for n in peer if n not in husk]:
        pair = [peer.get(name, "(not asked)"), husk.get(name, "(not asked)")]
        if "--print" in sys.argv:
            print("%s %s: %s" % (" " if pair[0] == pair[1] else "*", name, " | ".join(pair)))
        if pair[0] == pair[1] and name not in known:
            same += 1
        elif known.get(name) != pair:
            bad += 1
            print("FAIL %s\n     peer: %s\n     husk: %s\n     known: %s" % (
                name, pair[0], pair[1], known.get(name, "(no difference)")))
    if not partly:
        for name in known:
            if name not in husk and name not in peer:
                bad += 1
                print("FAIL %s: in the table, but nobody asks" % name)
    print("%d the same, %d other as known, %d failed" % (same, len(set(husk) | set(peer)) - same - bad,
                                                        bad))
    return 1 if bad else 0


sys.exit(main())
