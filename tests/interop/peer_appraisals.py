# SPDX-License-Identifier: Apache-2.0
"""What the brokers' own policies and others make of the same evidence, and the tokens that come of it."""
import base64
import copy
import json

from peer_brokers import PATH, SECRET, Guest, policy, ready, reference
from peer_guests import INIT_DATA
from tee_keys import Ec


def claims_of(token):
    return json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))


def tokens(side, note, name, additional=None, init_data=None):
    """The claims of a token, member by member; times and the guest's own key are left out."""
    guest = Guest(side, Ec())
    guest.auth()
    answer = guest.attest(guest.message(additional=guest.device() if additional else "",
                                        init_data=init_data))
    note(name, answer)
    if answer.status != 200:
        return
    header = json.loads(base64.urlsafe_b64decode(guest.token.split(".")[0] + "=="))
    claims = copy.deepcopy(claims_of(guest.token))
    if name == "token":
        note("token: header", ",".join(sorted(header)))
        note("token: jwk", ",".join(sorted(header["jwk"])))
        note("token: life", claims["exp"] - claims["iat"])
        note("token: jti", "jti" in claims)
    claims.pop("jti", None)

    def walk(value, path):
        if isinstance(value, dict) and value:
            for member in sorted(value):
                walk(value[member], path + "/" + member)
        elif path.rsplit("/", 1)[-1] in ("iat", "exp", "nonce", "x", "y", "report_data", "nbf",
                                         "additional-evidence"):
            note("%s: %s" % (name, path), type(value).__name__)
        else:
            note("%s: %s" % (name, path), json.dumps(value, sort_keys=True))

    walk(claims, "")


def appraisals(side, note):
    """Run first, with the policies that each installs itself."""
    note("default resource policy, list", json.dumps(
        side.admin("GET", "/kbs/v0/resource-policy").json))
    side.admin("POST", PATH, SECRET)
    note("default resource policy, sample guest", ready(side, Ec()).call("GET", PATH))
    tokens(side, note, "token")
    reference(side, {"svn": ["1"], "launch_digest": ["abcde"], "major_version": 1,
                     "minimum_minor_version": 1, "device_svn": ["2"]})
    tokens(side, note, "token, reference values")
    tokens(side, note, "token, init-data", init_data={"format": "toml", "body": INIT_DATA})
    tokens(side, note, "token, device", additional=True)
    rego = ("package policy\nimport rego.v1\ntrust_claims := {\"executables\": %d, \"hardware\": %d, "
            "\"file-system\": %d}\nextensions := [{\"name\": \"x.y\", \"key\": -70001, \"value\": "
            "{\"a\": [1, \"b\"]}}]\n")
    for vector in ((3, 2, 0), (3, 32, 2), (97, 2, 2), (-1, 2, 2), (3, 2, 99)):
        policy(side, rego % vector, "attestation-policy", policy_id="default_cpu")
        tokens(side, note, "token, vector %s" % (vector,))
    for name, text in (("300", 'trust_claims := {"hardware": 300}'),
                       ("nothing", "trust_claims := {}"), ("no number", 'trust_claims := {"hardware": "2"}'),
                       ("list", "trust_claims := [2]"), ("no rule", "x := 1"),
                       ("undefined", "import rego.v1\ntrust_claims := {\"hardware\": 2} if input.none"),
                       ("extension without a key",
                        'trust_claims := {"hardware": 2}\nextensions := [{"name": "x"}]')):
        policy(side, 'package policy\ntrust_claims := {"hardware": 2}\n', "attestation-policy",
               policy_id="default_cpu")
        note("set trust vector: " + name, policy(side, "package policy\n" + text + "\n",
                                                 "attestation-policy", policy_id="default_cpu"))
        guest = Guest(side, Ec())
        guest.auth()
        note("attest, trust vector: " + name, guest.attest())
    policy(side, 'package policy\ntrust_claims := {"executables": 3, "hardware": 2, '
           '"configuration": 2}\n', "attestation-policy", policy_id="default_cpu")
