"""Keys, JWKS files and tokens: the good ones and every bad one.

The signatures are made with the cryptography library, the texts by hand,
because no token library would agree to write most of what is needed here.
"""

import functools
import json
import os
import pathlib
import time

from cryptography.hazmat.primitives import hashes, hmac, serialization
from cryptography.hazmat.primitives.asymmetric import (ec, ed25519, padding,
                                                       rsa, utils)

from lib.names import base64url

SHA = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}
CURVES = {"ES256": ("P-256", ec.SECP256R1, 32),
          "ES384": ("P-384", ec.SECP384R1, 48)}


def _number(value, size=None):
    size = size or (value.bit_length() + 7) // 8
    return base64url(value.to_bytes(size, "big"))


class Key:
    """A key that signs with one algorithm.

    private: a key of the cryptography library, or bytes for HS*.
    """

    def __init__(self, alg, kid, private):
        self.alg = alg
        self.kid = kid
        self.private = private

    def sign(self, data, alg=None):
        alg = alg or self.alg
        digest = SHA.get(alg[2:], hashes.SHA256)()
        if alg.startswith("HS"):
            mac = hmac.HMAC(self.private, digest)
            mac.update(data)
            return mac.finalize()
        if alg.startswith("RS"):
            return self.private.sign(data, padding.PKCS1v15(), digest)
        if alg.startswith("PS"):
            return self.private.sign(data, padding.PSS(
                padding.MGF1(digest), digest.digest_size), digest)
        if alg.startswith("ES"):
            r, s = utils.decode_dss_signature(self.sign_der(data, alg))
            size = (self.private.key_size + 7) // 8
            return r.to_bytes(size, "big") + s.to_bytes(size, "big")
        return self.private.sign(data)

    def sign_der(self, data, alg=None):
        """An ES* signature as ASN.1, which no JWS may have."""
        digest = SHA[(alg or self.alg)[2:]]()
        return self.private.sign(data, ec.ECDSA(digest))

    def jwk(self, **changes):
        """The public JWK; a change to None leaves a member out."""
        jwk = {"kid": self.kid, "alg": self.alg, "use": "sig"}
        if self.alg.startswith("HS"):
            jwk.update(kty="oct", k=base64url(self.private))
        elif self.alg[:2] in ("RS", "PS"):
            numbers = self.private.public_key().public_numbers()
            jwk.update(kty="RSA", n=_number(numbers.n), e=_number(numbers.e))
        elif self.alg.startswith("ES"):
            crv, _, size = CURVES[self.alg]
            numbers = self.private.public_key().public_numbers()
            jwk.update(kty="EC", crv=crv, x=_number(numbers.x, size),
                       y=_number(numbers.y, size))
        else:
            raw = self.private.public_key().public_bytes(
                serialization.Encoding.Raw, serialization.PublicFormat.Raw)
            jwk.update(kty="OKP", crv="Ed25519", x=base64url(raw))
        jwk.update(changes)
        return {name: v for name, v in jwk.items() if v is not None}

    def public_texts(self):
        """The public key in the forms that algorithm confusion tries."""
        public = self.private.public_key()
        spki = serialization.PublicFormat.SubjectPublicKeyInfo
        pem = public.public_bytes(serialization.Encoding.PEM, spki)
        der = public.public_bytes(serialization.Encoding.DER, spki)
        jwk = json.dumps(self.jwk()).encode()
        return {"pem": pem, "pem without newline": pem.rstrip(b"\n"),
                "der": der, "jwk": jwk, "jwk with newline": jwk + b"\n"}


@functools.lru_cache(maxsize=None)
def rsa_private(bits=2048, index=0):
    """RSA keys are slow to make: one for each index in a session."""
    del index
    return rsa.generate_private_key(65537, bits)


def make_key(alg, kid=None, index=0):
    """A new key; RSA ones come from a store that index picks from."""
    kid = kid if kid is not None else f"{alg.lower()}-{index}"
    if alg.startswith("HS"):
        return Key(alg, kid, os.urandom(32))
    if alg[:2] in ("RS", "PS"):
        return Key(alg, kid, rsa_private(2048, index))
    if alg.startswith("ES"):
        return Key(alg, kid, ec.generate_private_key(CURVES[alg][1]()))
    return Key(alg, kid, ed25519.Ed25519PrivateKey.generate())


def write_jwks(path, keys):
    """Writes a JWKS file in one step. keys: Key objects or JWK dicts."""
    replace(path, json.dumps({"keys": [
        key.jwk() if isinstance(key, Key) else key for key in keys]}))


def replace(path, text):
    """Puts a new file in the place of an old one, never half a file."""
    path = pathlib.Path(path)
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    fresh.touch(0o600)          # it may hold a secret
    fresh.write_text(text)
    os.replace(fresh, path)


def _json(value):
    return value if isinstance(value, bytes) else json.dumps(
        value, separators=(",", ":")).encode()


def compact(header, payload, signer):
    """A token. header, payload: objects or bytes; signer: bytes to bytes."""
    text = base64url(_json(header)) + "." + base64url(_json(payload))
    return text + "." + base64url(signer(text.encode()))


class Issuer:
    """One issuer of the configuration, with its keys and its JWKS file."""

    def __init__(self, folder, name="school", iss="https://sso.example",
                 algs=("RS256", "ES256", "EdDSA"), audience="leerpoort",
                 users=(("eckid", "ECK"), ("sub", "NEPPI")),
                 schools=(("org", "MASTER"),), extra="leeway 60s;"):
        self.name = name
        self.iss = iss
        self.algs = list(algs)
        self.audience = audience
        self.users = users
        self.schools = schools
        self.extra = extra
        self.jwks = pathlib.Path(folder) / f"{name}.jwks.json"
        self.keys = {alg: make_key(alg, f"{name}-{alg.lower()}")
                     for alg in algs}
        self.write()

    def write(self, keys=None):
        write_jwks(self.jwks, self.keys.values() if keys is None else keys)

    def conf(self):
        """The leerpoort_issuer block."""
        claims = "".join(f" user {c} {t};" for c, t in self.users) + "".join(
            f" school {c} {t};" for c, t in self.schools)
        return (f"leerpoort_issuer {self.name} {{ issuer {self.iss};"
                f" jwks {self.jwks}; audience {self.audience} other;"
                f" algorithms {' '.join(self.algs)};{claims}"
                f" {self.extra} }}\n")

    def claims(self, now=None, **changes):
        """Good claims with changes; None leaves a claim out."""
        now = int(time.time() if now is None else now)
        claims = {"iss": self.iss, "aud": self.audience, "iat": now,
                  "exp": now + 3600}
        claims.update(changes)
        return {name: v for name, v in claims.items() if v is not None}

    def mint(self, claims=None, alg=None, key=None, header=None, now=None,
             **changes):
        """A signed token. claims: all of them (bytes for malformed ones), or
        the good ones with changes; header: members changed or left out."""
        alg = alg or self.algs[0]
        key = key or self.keys[alg]
        head = {"alg": alg, "kid": key.kid, "typ": "JWT"}
        head.update(header or {})
        head = {name: v for name, v in head.items() if v is not None}
        if claims is None:
            claims = self.claims(now=now, **changes)
        return compact(head, claims, lambda data: key.sign(data, alg))
