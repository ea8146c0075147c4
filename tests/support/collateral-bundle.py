#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A document of [husk] collateral from collateral.json of DCAP test vectors.

usage: collateral-bundle.py tdx|sgx COLLATERAL.JSON >BUNDLE.JSON
"""
import base64
import json
import sys


def encode(data):
    return base64.b64encode(data.encode() if isinstance(data, str) else data).decode()


def signed(name, body, signature):
    # The signature is over exactly these bytes, so the body is not parsed and written again.
    return encode('{"%s":%s,"signature":"%s"}' % (name, body, signature))


def main():
    tee, path = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        c = json.load(file)
    fmspc = json.loads(c["tcb_info"])["fmspc"].lower()
    pck_crl = encode(bytes.fromhex(c["pck_crl"]))
    items = {
        f"intel/{tee}/tcb/{fmspc}": signed("tcbInfo", c["tcb_info"], c["tcb_info_signature"]),
        f"intel/{tee}/tcb/{fmspc}/chain": encode(c["tcb_info_issuer_chain"]),
        f"intel/{tee}/qe": signed("enclaveIdentity", c["qe_identity"], c["qe_identity_signature"]),
        f"intel/{tee}/qe/chain": encode(c["qe_identity_issuer_chain"]),
        "intel/crl/root": encode(bytes.fromhex(c["root_ca_crl"])),
        # The vectors do not say whose list it is; the other one is not looked at.
        "intel/crl/platform": pck_crl,
        "intel/crl/processor": pck_crl,
    }
    json.dump({"items": items}, sys.stdout)


main()
