# SPDX-License-Identifier: Apache-2.0
"""Keys that guests make for themselves, and how they open what is encrypted to them. All of it is
python3-cryptography's, so nothing of husk judges itself."""
import json

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap

from services import b64url, unb64url


def number(n, size=None):
    return b64url(n.to_bytes(size or (n.bit_length() + 7) // 8, "big"))


class Rsa:
    def __init__(self, alg):
        self.alg = alg
        self.key = rsa.generate_private_key(65537, 2048)

    def public(self):
        n = self.key.public_key().public_numbers()
        return {"kty": "RSA", "alg": self.alg, "n": number(n.n), "e": number(n.e)}

    def unwrap(self, header, wrapped):
        assert header["alg"] == self.alg, header
        pad = (padding.PKCS1v15() if self.alg == "RSA1_5" else
               padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None))
        return self.key.decrypt(wrapped, pad)


class Ec:
    def __init__(self, curve=ec.SECP256R1(), name="P-256"):
        self.key = ec.generate_private_key(curve)
        self.name = name

    def public(self):
        n = self.key.public_key().public_numbers()
        size = (self.key.curve.key_size + 7) // 8
        return {"kty": "EC", "crv": self.name, "alg": "ECDH-ES+A256KW",
                "x": number(n.x, size), "y": number(n.y, size)}

    def unwrap(self, header, wrapped):
        assert header["alg"] == "ECDH-ES+A256KW", header
        assert header["epk"]["crv"] == self.name, header
        x, y = (int.from_bytes(unb64url(header["epk"][c]), "big") for c in "xy")
        peer = ec.EllipticCurvePublicNumbers(x, y, self.key.curve).public_key()
        alg = b"ECDH-ES+A256KW"
        info = len(alg).to_bytes(4, "big") + alg + bytes(8) + (256).to_bytes(4, "big")
        kek = ConcatKDFHash(hashes.SHA256(), 32, info).derive(self.key.exchange(ec.ECDH(), peer))
        return aes_key_unwrap(kek, wrapped)


def open_old(key, answer):
    """0.1: the header is JSON text, the tag is behind the ciphertext, nothing is authenticated."""
    assert set(answer) == {"protected", "encrypted_key", "iv", "ciphertext", "tag"}, answer
    assert answer["tag"] == ""
    header = json.loads(answer["protected"])
    assert header["enc"] == "A256GCM"
    cek = key.unwrap(header, unb64url(answer["encrypted_key"]))
    return AESGCM(cek).decrypt(unb64url(answer["iv"]), unb64url(answer["ciphertext"]), None)


def open_jwe(key, answer):
    """RFC 7516, flattened; as those clients do, the header is written anew for the AAD."""
    header = json.loads(unb64url(answer["protected"]))
    again = b64url(json.dumps(header, separators=(",", ":")).encode())
    assert again == answer["protected"], "the client would compute another AAD"
    cek = key.unwrap(header, unb64url(answer["encrypted_key"]))
    sealed = unb64url(answer["ciphertext"]) + unb64url(answer["tag"])
    return AESGCM(cek).decrypt(unb64url(answer["iv"]), sealed, again.encode())
