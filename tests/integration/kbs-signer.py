#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The token key in a device: a PKCS#11 token (SoftHSM2) and a TPM (swtpm), at a persistent handle and in a
file. Who signs, which key counts, how it rotates, and what guests get while the device is away.

usage: kbs-signer.py HUSK-KBS HUSK P11-SIM
"""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

try:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, utils
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    import kbs_broker
    from plugin_broker import ALLOW, set_policy
except ImportError:
    kbs_broker = None

import ending
import services
import token_files

PATH = "/kbs/v0/resource/a/b/c"
SECTION = "[attestation_service.attestation_token_broker.signer]\n"


def public_of(uri, environment=()):
    done = subprocess.run([sys.argv[1], "token-key", uri], capture_output=True, text=True,
                          env=dict(os.environ, **dict(e.split("=", 1) for e in environment)),
                          check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def signer(uri, public, **keys):
    usual = dict({"key": uri, "public_key_path": public}, **keys)
    return SECTION + "".join("%s = %s\n" % (k, json.dumps(v)) for k, v in usual.items())


def with_signer(text, section):
    return re.sub(re.escape(SECTION) + r"(?:[^\[\n].*\n)*", lambda m: section, text)


def start(section):
    broker = kbs_broker.Broker(sys.argv[1], sys.argv[2])
    broker.edit(lambda text: with_signer(text, section).replace(
        'type = "coco_as_builtin"\n',
        'type = "coco_as_builtin"\ninsecure_accept_sample = true\n'))
    broker.start()
    set_policy(broker, ALLOW)
    assert kbs_broker.Client(broker, admin=True).call("POST", PATH, b"secret")[0] == 200
    return broker


def attest(broker, tries=100):
    """A device may still be starting: guests try again, as they do after a 503."""
    for _ in range(tries):
        guest = kbs_broker.Client(broker)
        guest.token = guest.attest()
        if guest.token:
            return guest
        time.sleep(0.1)
    raise AssertionError("not attested: " + broker.log()[-1500:])


def keys_of(broker):
    return json.loads(kbs_broker.Client(broker).call("GET", "/.well-known/jwks.json")[2])["keys"]


def check(token, pem):
    """The token's signature under that key, by another implementation. Returns its header."""
    head, body, sig = token.split(".")
    raw = kbs_broker.unb64url(sig)
    key = load_pem_public_key(pem.encode())
    half = len(raw) // 2
    key.verify(utils.encode_dss_signature(int.from_bytes(raw[:half], "big"),
                                          int.from_bytes(raw[half:], "big")),
               (head + "." + body).encode(),
               ec.ECDSA(hashes.SHA256() if half == 32 else hashes.SHA384()))
    return json.loads(kbs_broker.unb64url(head))


def reads(broker, token):
    """Whether a resource is given for that token alone, to whoever has it."""
    guest = kbs_broker.Client(broker)
    guest.bearer = token
    return guest.call("GET", PATH)[0] == 200


class Hsm:
    """A SoftHSM2 token with EC keys; files for the PIN and for public halves."""

    def __init__(self):
        self.token = token_files.Token("my token")
        self.keys = {"module_files": [self.token.folder],
                     "module_environment": self.token.environment()}
        with open(self.token.path("pin"), "w") as f:
            f.write(token_files.PIN + "\n")

    def uri(self, label, module=token_files.MODULE):
        return "pkcs11:token=my%%20token;object=%s;type=private?pin-source=file:%s&module-path=%s" % (
            label, self.token.path("pin"), module)

    def add(self, label, curve="P-256", number="01"):
        self.token.import_key(label, curve, number)
        path = self.token.path(label + ".pub")
        pem = public_of(self.uri(label), self.token.environment())
        with open(path, "w") as f:
            f.write(pem)
        return path, pem


def test_pkcs11():
    """Tokens are the device's; they verify under the key set, which is there from the start."""
    hsm = Hsm()
    for label, curve, number, alg in (("one", "P-256", "01", "ES256"),
                                      ("two", "P-384", "02", "ES384")):
        path, pem = hsm.add(label, curve, number)
        broker = start(signer(hsm.uri(label), path, **hsm.keys))
        assert [k["alg"] for k in keys_of(broker)] == [alg]
        guest = attest(broker)
        header = check(guest.token, pem)
        assert (header["alg"], header["kid"]) == (alg, keys_of(broker)[0]["kid"]), header
        assert guest.decrypt(guest.call("GET", PATH)[2]) == b"secret"
        assert reads(broker, guest.token)
        broker.kill()
        broker.start()
        assert reads(broker, guest.token)
        assert token_files.PIN not in broker.log()
        broker.remove()
    hsm.token.remove()


def test_rotation():
    """As with keys in files: publish the next one, sign with it, publish the last one; each a SIGHUP."""
    hsm = Hsm()
    (one, pem_one), (two, pem_two) = hsm.add("one"), hsm.add("two", number="02")
    broker = start(signer(hsm.uri("one"), one, published_key_paths=[two], **hsm.keys))
    old = attest(broker).token
    check(old, pem_one)
    assert len(keys_of(broker)) == 2
    begin = len(broker.log())
    broker.edit(lambda text: with_signer(text, signer(
        hsm.uri("two"), two, published_key_paths=[one], **hsm.keys)))
    broker.process.send_signal(signal.SIGHUP)
    broker.wait_log("kbs.reload ", begin)
    new = attest(broker).token
    check(new, pem_two)
    assert reads(broker, old) and reads(broker, new)
    # From a device to a file is another process or none: that takes a restart.
    begin = len(broker.log())
    broker.edit(lambda text: with_signer(text, SECTION + 'key_path = "%s"\n' %
                                         hsm.token.path("one.pem")))
    broker.process.send_signal(signal.SIGHUP)
    broker.wait_log("takes a restart", begin)
    check(attest(broker).token, pem_two)
    broker.remove()
    hsm.token.remove()


def unavailable(broker):
    guest = kbs_broker.Client(broker)
    nonce = guest.auth()
    status, headers, answer = guest.call("POST", "/kbs/v0/attest", guest.message(nonce))
    return status == 503 and b"no token can be signed" in answer and headers["Retry-After"]


def test_device_fails():
    """Without its device a broker gives no tokens, says so, and goes on when it is back."""
    hsm = Hsm()
    path, pem = hsm.add("one")
    control = hsm.token.path("control")
    sim = os.path.abspath(sys.argv[3])
    environment = ["P11_SIM_MODULE=" + token_files.MODULE, "P11_SIM_CONTROL=" + control]
    broker = start(signer(hsm.uri("one", sim), path, module_timeout=1, **dict(
        hsm.keys, module_environment=environment + hsm.token.environment())))
    old = attest(broker).token
    check(old, pem)
    for word in ("gone", "hang", "crash"):
        with open(control, "w") as f:
            f.write(word)
        assert unavailable(broker), word
        # What needs no signature goes on meanwhile.
        assert reads(broker, old)
        os.remove(control)
        check(attest(broker).token, pem)
    with open(control, "w") as f:
        f.write("lose")
    check(attest(broker, 1).token, pem)
    broker.remove()
    # A key that is not the pinned one signs nothing, whoever swapped it.
    other, _ = hsm.add("two", number="02")
    broker = start(signer(hsm.uri("one"), other, **hsm.keys))
    broker.wait_log("another one than signer.public_key_path")
    assert unavailable(broker)
    broker.remove()
    hsm.token.remove()


class Tpm:
    """A software TPM that two can use in turn: tpm2-tools, then the broker."""

    def __init__(self):
        self.folder = ending.folder("husk-tpm-")
        sock = self.path("sock")
        self.process = ending.start([
            "swtpm", "socket", "--tpm2", "--tpmstate", "dir=" + self.folder, "--server",
            "type=unixio,path=" + sock, "--ctrl", "type=unixio,path=" + sock + ".ctrl", "--flags",
            "not-need-init,startup-clear"], stderr=subprocess.DEVNULL)
        for _ in range(100):
            if os.path.exists(sock) and os.path.exists(sock + ".ctrl"):
                break
            time.sleep(0.05)

    def path(self, name):
        return os.path.join(self.folder, name)

    def tool(self, name, *args):
        done = subprocess.run(["tpm2_" + name, *args], cwd=self.folder, capture_output=True,
                              text=True, check=False, env=dict(
                                  os.environ, TPM2TOOLS_TCTI="swtpm:path=" + self.path("sock")))
        assert done.returncode == 0, (name, done.stderr)

    def make_key(self, curve="ecc256", auth=None):
        """key.pub and key.priv, under the storage key that is the default of key files."""
        common = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth"
        self.tool("createprimary", "-C", "o", "-G", "ecc256:aes128cfb", "-c", "primary.ctx", "-a",
                  common + "|noda|restricted|decrypt")
        self.tool("create", "-C", "primary.ctx", "-G", curve, "-u", "key.pub", "-r", "key.priv",
                  "-a", common + "|sign", *(["-p", auth] if auth else []))
        self.tool("flushcontext", "-t")

    def persist(self, handle):
        self.tool("load", "-C", "primary.ctx", "-u", "key.pub", "-r", "key.priv", "-c", "key.ctx")
        self.tool("evictcontrol", "-C", "o", "-c", "key.ctx", handle)
        self.tool("flushcontext", "-t")

    def remove(self):
        self.process.kill()
        self.process.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)


def der(tag, *parts):
    body = b"".join(parts)
    size = (bytes([len(body)]) if len(body) < 128 else bytes([0x81, len(body)]) if len(body) < 256
            else b"\x82" + len(body).to_bytes(2, "big"))
    return bytes([tag]) + size + body


def key_file(public, private, parent):
    """TPMKey, as its specification has it."""
    import base64
    text = base64.encodebytes(der(0x30, der(6, bytes.fromhex("6781050a0103")),
                                  der(0xA0, der(1, b"\xff")),
                                  der(2, parent.to_bytes(5, "big").lstrip(b"\0") if parent >> 31 == 0
                                      else b"\0" + parent.to_bytes(4, "big")),
                                  der(4, public), der(4, private))).decode()
    return "-----BEGIN TSS2 PRIVATE KEY-----\n" + text + "-----END TSS2 PRIVATE KEY-----\n"


def with_tpm(tpm, uri, curve_alg="ES256"):
    pem = public_of(uri)
    with open(tpm.path("pub.pem"), "w") as f:
        f.write(pem)
    broker = start(signer(uri, tpm.path("pub.pem")))
    guest = attest(broker)
    assert check(guest.token, pem)["alg"] == curve_alg
    assert guest.decrypt(guest.call("GET", PATH)[2]) == b"secret"
    return broker, pem


def test_tpm_handle():
    """A persistent key, P-384 and with a password."""
    tpm = Tpm()
    tpm.make_key("ecc384", "s3cret-of-the-key")
    tpm.persist("0x81000010")
    with open(tpm.path("pin"), "w") as f:
        f.write("s3cret-of-the-key\n")
    broker, pem = with_tpm(tpm, "tpm:handle=0x81000010;device=unix:%s;pin-source=%s" % (
        tpm.path("sock"), tpm.path("pin")), "ES384")
    # A TPM that goes away takes the tokens with it.
    tpm.process.kill()
    tpm.process.wait(10)
    assert unavailable(broker)
    assert "s3cret-of-the-key" not in broker.log()
    broker.remove()
    tpm.remove()


def test_tpm_file():
    """A key in a file, of tpm2-tools and as its specification has it."""
    tpm = Tpm()
    tpm.make_key()
    uri = "tpm:file=%s;device=unix:%s" % (tpm.path("key.tss"), tpm.path("sock"))
    with open(tpm.path("key.pub"), "rb") as p, open(tpm.path("key.priv"), "rb") as r:
        text = key_file(p.read(), r.read(), 0x40000001)
    with open(tpm.path("key.tss"), "w") as f:
        f.write(text)
    broker, pem = with_tpm(tpm, uri)
    # Whatever a killed process had loaded does not use the TPM up.
    for _ in range(4):
        broker.kill()
        broker.start()
        check(attest(broker).token, pem)
    broker.remove()
    # By the tools themselves, under a parent that stays in the TPM.
    tpm.tool("evictcontrol", "-C", "o", "-c", "primary.ctx", "0x81000001")
    tpm.tool("encodeobject", "-C", "0x81000001", "-u", "key.pub", "-r", "key.priv", "-o",
             "key.tss")
    broker, again = with_tpm(tpm, uri)
    assert again == pem
    broker.remove()
    tpm.remove()


def main():
    if kbs_broker is None:
        services.skip("python3-cryptography is not installed")
    if not token_files.available() or not shutil.which("swtpm") or not shutil.which("tpm2_load"):
        services.skip("softhsm2, swtpm or tpm2-tools is not installed")
    return services.run([v for k, v in globals().items() if k.startswith("test_")])


if __name__ == "__main__":
    sys.exit(main())
