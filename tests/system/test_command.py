"""The command `leerpoort`: the real binary, a real Redis, another library as
the oracle of every signature."""

import base64
import hashlib
import json
import os
import re
import subprocess
import tempfile
import time
import uuid

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from lib import names
from lib.nginx import BUILD
from lib.process import REPOSITORY
from lib.redis import Redis, RedisError
from lib.scripted import LOADING, NOAUTH, WRONGTYPE, half_then_close

PROGRAM = BUILD / "leerpoort"
ALGS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256",
        "ES384", "ES512", "EdDSA", "HS256"]
ISS, AUD = "https://sso.example", "https://leerpoort.example"
SCHOOL, UUID = "104A158", "24e39454-5360-4ba4-819f-03e59b8dd679"
PACKED = "JOOUVFNgS6SBnwPlm43WeQ"  # the same, as a right record holds it
ECK = "https://ketenid.nl/000000/" + "5f" * 64


class Answer:
    def __init__(self, run):
        self.code = run.returncode
        self.bytes = run.stdout
        self.out = run.stdout.decode("utf-8", "replace")
        self.err = run.stderr.decode("utf-8", "replace")


def leerpoort(*args, given=b"", env=None, stdout=subprocess.PIPE):
    """One run; given: standard input, str or bytes."""
    run = subprocess.run(
        [PROGRAM, *map(str, args)], stdout=stdout, stderr=subprocess.PIPE,
        input=given.encode() if isinstance(given, str) else given, timeout=60,
        env={**os.environ, **(env or {})}, check=False)
    run.stdout = run.stdout or b""
    answer = Answer(run)
    assert answer.code in (0, 1, 2), answer.err
    return answer


def yes(*args, **kwargs):
    answer = leerpoort(*args, **kwargs)
    assert answer.code == 0, answer.err
    return answer


def no(*args, **kwargs):
    """Refused, and said why in one prefixed line at least."""
    answer = leerpoort(*args, **kwargs)
    assert answer.code == 1, answer.out + answer.err
    assert answer.err.startswith("leerpoort: ")
    return answer


def usage(*args, **kwargs):
    answer = leerpoort(*args, **kwargs)
    assert answer.code == 2, answer.out + answer.err
    assert answer.out == ""
    return answer


def private(path, text):
    path.touch(0o600)
    path.chmod(0o600)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """One key of each algorithm, made by the command: alg to (private file,
    JWKS file, the JWK)."""
    folder = tmp_path_factory.mktemp("keys")
    made = {}
    for alg in ALGS:
        jwk = yes("key", "new", "--alg", alg).out
        key = private(folder / f"{alg}.jwk", jwk)
        jwks = folder / f"{alg}.jwks"
        if alg == "HS256":
            jwks.write_text(json.dumps({"keys": [json.loads(jwk)]}))
        else:
            jwks.write_text(yes("token", "jwks", "--key", key).out)
        made[alg] = (key, jwks, json.loads(jwk))
    return made


def mint(store, alg="ES256", claims=None, options=("--expires-in", "600")):
    return yes("token", "mint", "--key", store[alg][0], "--iss", ISS, "--aud",
               AUD, *options, given=json.dumps(claims or {})).out.strip()


def verify(store, token, *options, alg="ES256", aud=AUD, run=yes):
    return run("token", "verify", "--jwks", store[alg][1], "--iss", ISS,
               "--aud", aud, *options, given=token)


def explain(store, token, *options, alg="ES256", run=yes):
    return run("token", "explain", "--jwks", store[alg][1], *options,
               given=token)


def oracle_key(jwk):
    """The key as the other library knows it, to sign with."""
    if jwk["kty"] == "oct":
        return base64.urlsafe_b64decode(jwk["k"] + "==")
    return jwt.PyJWK(jwk, algorithm=jwk["alg"]).key


# --- the command line --------------------------------------------------------

def commands():
    return re.findall(r"^  ([a-z-]+(?: [a-z]+)?)  ", yes("--help").out, re.M)


def documented():
    """Command to its section of the documentation."""
    text = (REPOSITORY / "docs" / "commands.md").read_text()
    parts = re.split(r"^## `([^`]+)`$", text, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


def test_every_command_and_option_is_documented_and_none_else():
    sections = documented()
    assert sorted(sections) == sorted(commands())
    for command, section in sections.items():
        text = yes(*command.split(), "--help").out
        has = dict(re.findall(r"^  --([a-z-]+) ?([^ ]\S*)?  ", text, re.M))
        del has["help"]
        said = re.findall(r"^- (.*)$", section, re.M)
        said = re.findall(r"`--([a-z-]+) ?([^`]*)`",
                          "\n".join(s.partition(":")[0] for s in said)
                          + "\n".join(s for s in said if s.startswith("Redis")
                                      ))
        assert dict(said) == has, command
        usage_line = text.partition("\n\n")[0]
        assert set(re.findall(r"--([a-z-]+)", usage_line)) == set(has), command
        mentioned = set(re.findall(r"`--([a-z-]+)", section))
        assert mentioned <= set(has), command


def test_help_fits_a_terminal():
    for command in commands():
        for line in yes(*command.split(), "--help").out.splitlines():
            assert len(line) <= 80, line


@pytest.mark.parametrize("args", [
    [], ["nothing"], ["token"], ["token", "nothing"], ["jws", "verify"],
    ["jws", "verify", "--jwks"], ["jws", "verify", "--nothing", "x"],
    ["jws", "verify", "--jwks", "a", "--jwks", "b"],
    ["jws", "verify", "--jwks", "a", "more"],
    ["jws", "verify", "--jwks", "a", "--alg", "none"],
    ["jws", "verify", "--jwks", "a", "--alg", "RS256,RS256"],
    ["jws", "verify", "--jwks", "a", "--alg", "RS256,"],
    ["jws", "verify", "--jwks", "a", "--alg", ""],
    ["token", "verify", "--jwks", "a", "--iss", "i"],
    ["token", "verify", "--jwks", "a", "--iss", "i", "--aud", "a", "--now",
     "-1"],
    ["token", "verify", "--jwks", "a", "--iss", "i", "--aud", "a", "--now",
     "99999999999999999999999"],
    ["token", "verify", "--jwks", "a", "--iss", "i", "--aud", "a", "--alg",
     "ES512"],
    ["token", "explain", "--jwks", "a", "--json=yes"],
    ["token", "mint", "--key", "a", "--alg", "none"],
    ["token", "jwks", "--key", "a", "--key", "b", "--kid", "k"],
    ["key", "new", "--alg", "RS1"],
    ["user-key", "--pepper", "p", "--type", "E|K"],
    ["user-key", "--pepper", "p", "--type", "A234567890123456X"],
    ["right", "show"], ["right", "show", "--open"],
    ["right", "show", "--type", "ECK"],
    ["right", "show", "--type", "KEY", "--pepper", "p"],
    ["right", "show", "--open", "--school", "a/b"],
    ["right", "show", "--open", "--school", "S", "--type", "KEY"],
    ["right", "drop", "--open", "--school", "S"],
    ["right", "drop", "--open", "--school", "S", "--all", "--tokens"],
    ["product", "show"], ["product", "show", "-x"], ["product", "set", "x"],
    ["product", "set", "x", "--free", "2"],
    ["school", "show", "--type", "MASTER", "--id", "x"],
    ["check", "--user", "me"], ["check", "--redis", "nowhere"],
    ["check", "--redis", "h:0"], ["check", "--redis", "unix:relative"],
    ["check", "--nginx", "x"],
])
def test_a_command_line_that_cannot_be_followed_is_usage(args):
    assert usage(*args).err


def test_an_answer_that_cannot_be_written_is_no_yes():
    with open("/dev/full", "wb") as full:
        answer = leerpoort("key", "new", "--alg", "ES256", stdout=full)
    assert answer.code == 1


# --- signatures --------------------------------------------------------------

@pytest.mark.parametrize("alg", ALGS)
def test_another_library_verifies_what_the_command_signs(store, alg):
    token = mint(store, alg, {"sub": "x", "é": [1, None, {"a": 2.5}]})
    key, _, jwk = store[alg]
    public = oracle_key(jwk)
    if hasattr(public, "public_key"):
        public = public.public_key()
    claims = jwt.decode(token, public, [alg], audience=AUD, issuer=ISS)
    assert claims["é"] == [1, None, {"a": 2.5}]
    assert jwt.get_unverified_header(token) == {
        "alg": alg, "typ": "JWT", "kid": jwk["kid"]}
    assert key.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("alg", ALGS)
def test_the_command_verifies_what_another_library_signs(store, alg):
    now = int(time.time())
    claims = {"iss": ISS, "aud": AUD, "exp": now + 60, "n": 7}
    token = jwt.encode(claims, oracle_key(store[alg][2]), alg,
                       headers={"kid": store[alg][2]["kid"]})
    options = ["--alg", "HS256"] if alg == "HS256" else []
    answer = yes("jws", "verify", "--jwks", store[alg][1], *options,
                 given=token)
    assert json.loads(answer.bytes) == claims
    if alg == "ES512":
        assert "alg-refused" in verify(store, token, alg=alg, run=no).err
    else:
        answer = verify(store, token, *options, alg=alg)
        assert json.loads(answer.out) == claims
    head, payload, signature = token.split(".")
    turned = ("A" if signature[0] != "A" else "B") + signature[1:]
    answer = no("jws", "verify", "--jwks", store[alg][1], *options,
                given=f"{head}.{payload}.{turned}")
    assert answer.err.startswith("leerpoort: token refused: signature: ")
    assert answer.out == ""


def test_a_shared_secret_counts_only_when_asked_for(store):
    token = mint(store, "HS256")
    jwks = store["HS256"][1]
    assert "alg-refused" in no("jws", "verify", "--jwks", jwks,
                               given=token).err
    assert "alg-refused" in verify(store, token, alg="HS256", run=no).err
    verify(store, token, "--alg", "HS256", alg="HS256")


@pytest.mark.parametrize("payload", [
    b"", b"\n", b"a\n\n", bytes(range(256)), b"It\xe2\x80\x99s"],
    ids=range(5))
def test_the_payloads_bytes_are_printed_as_they_are(store, payload):
    token = jwt.api_jws.encode(payload, oracle_key(store["ES256"][2]), "ES256",
                               headers={"kid": store["ES256"][2]["kid"]})
    for end in ("", "\n"):
        assert yes("jws", "verify", "--jwks", store["ES256"][1],
                   given=token + end).bytes == payload


@pytest.mark.parametrize("alg", ["RS384", "PS256", "ES384", "EdDSA"])
def test_a_key_without_alg_serves_the_tokens(store, tmp_path, alg):
    jwks = json.loads(store[alg][1].read_text())
    del jwks["keys"][0]["alg"]
    bare = tmp_path / "bare.jwks"
    bare.write_text(json.dumps(jwks))
    token = mint(store, alg)
    yes("jws", "verify", "--jwks", bare, given=token)
    yes("token", "verify", "--jwks", bare, "--iss", ISS, "--aud", AUD,
        given=token)
    other = "RS256,ES256" if alg != "ES256" else "RS256"
    assert "alg-refused" in no("jws", "verify", "--jwks", bare, "--alg", other,
                               given=token).err


@pytest.mark.parametrize("token,name", [
    (b"", "empty"), (b"\n", "empty"), (b"a" * 8192, "not-compact"),
    (b"a" * 8193, "too-long"), (b"a" * 8192 + b"\n", "not-compact"),
    (b"a" * 100000, "too-long"), (b"a.b", "not-compact"),
    (b"a.b.c.d.e", "not-compact"), (b"{}", "not-compact"),
    (b"eyJhbGciOiJub25lIn0.e30.", "alg-unknown"),
    (b"\x00.\x1b[2J.\xff", "base64"),
], ids=range(11))
def test_bad_tokens_have_their_own_reason(store, token, name):
    for command in (["jws", "verify"],
                    ["token", "verify", "--iss", ISS, "--aud", AUD]):
        answer = no(*command, "--jwks", store["ES256"][1], given=token)
        assert answer.err.startswith(f"leerpoort: token refused: {name}: ")
        assert answer.out == ""
    assert name in explain(store, token, run=no).err


def test_white_space_around_a_token_is_refused(store):
    token = mint(store)
    for text in (token + "\r\n", token + "\n\n", " " + token, token + " "):
        assert "base64" in verify(store, text, run=no).err


@pytest.mark.parametrize("content", [
    None, b"", b"[]", b"{}", b'{"keys":[]}', b'{"keys":[{"kty":"RSA"}]}',
    b"\xff" * 10, b" " * 300000], ids=range(8))
def test_a_key_set_of_no_use_is_a_no(store, tmp_path, content):
    path = tmp_path / "x.jwks"
    if content is not None:
        path.write_bytes(content)
    token = mint(store)
    no("jws", "verify", "--jwks", path, given=token)
    no("token", "verify", "--jwks", path, "--iss", ISS, "--aud", AUD,
       given=token)
    no("token", "explain", "--jwks", path, given=token)


def cookbook(vectors, *names_):
    for name in names_:
        yield json.loads((vectors / "jose-cookbook" / name).read_text())


def cookbook_verify(example, tmp_path, *options, run=yes, key=None):
    jwks = tmp_path / "cookbook.jwks"
    jwks.write_text(json.dumps({"keys": [key or example["input"]["key"]]}))
    return run("jws", "verify", "--jwks", jwks, *options,
               given=example["output"]["compact"])


def test_the_cookbooks_signatures_verify(vectors, tmp_path):
    for example in cookbook(vectors, "jws/4_1.rsa_v15_signature.json",
                            "jws/4_2.rsa-pss_signature.json",
                            "jws/4_3.ecdsa_signature.json",
                            "curve25519/jws.json"):
        answer = cookbook_verify(example, tmp_path)
        assert answer.bytes.decode() == example["input"]["payload"]
    for example in cookbook(
            vectors, "jws/4_4.hmac-sha2_integrity_protection.json"):
        cookbook_verify(example, tmp_path, run=no)
        answer = cookbook_verify(example, tmp_path, "--alg", "HS256")
        assert answer.bytes.decode() == example["input"]["payload"]


def test_the_cookbooks_other_forms_are_refused(vectors, tmp_path):
    key = next(cookbook(vectors, "jws/4_1.rsa_v15_signature.json"))[
        "input"]["key"]
    jwks = tmp_path / "cookbook.jwks"
    jwks.write_text(json.dumps({"keys": [key]}))
    files = sorted((vectors / "jose-cookbook").glob("jwe/*.json"))
    assert files
    refused = 0
    for path in files + sorted((vectors / "jose-cookbook").glob("jws/*.json")):
        for form, text in json.loads(path.read_text())["output"].items():
            if form == "compact" and path.parent.name == "jws" \
                    and not path.name.startswith("4_5"):
                continue
            text = text if isinstance(text, str) else json.dumps(text)
            no("jws", "verify", "--jwks", jwks, "--alg", "RS256,HS256,ES512",
               given=text)
            refused += 1
    assert refused > 30
    for example in cookbook(vectors, "rfc7797/hmac-sha2_b64_false.json"):
        answer = cookbook_verify(example, tmp_path, "--alg", "HS256", run=no)
        assert re.search("crit|base64", answer.err)


# --- claims ------------------------------------------------------------------

NOW = 1_800_000_000


@pytest.mark.parametrize("claims,options,name", [
    ({}, [], None),
    ({"exp": NOW}, [], "expired"),
    ({"exp": NOW}, ["--leeway", "1"], None),
    ({"exp": None}, [], "exp-missing"),
    ({"exp": str(NOW)}, [], "exp-type"),
    ({"exp": 1e300}, [], "exp-"),
    ({"exp": 10 ** 15}, [], "exp-absurd"),
    ({"nbf": NOW + 1}, [], "not-before"),
    ({"iat": NOW + 1}, [], "iat-ahead"),
    ({"iat": NOW - 60}, ["--max-age", "59"], "too-old"),
    ({"iat": NOW - 60}, ["--max-age", "61"], None),
    ({"iat": None}, ["--max-age", "61"], "iat-missing"),
    ({"iss": "https://sso.example/"}, [], "iss-wrong"),
    ({"iss": None}, [], "iss-missing"),
    ({"iss": [ISS]}, [], "iss-type"),
    ({"aud": "x"}, [], "aud-wrong"),
    ({"aud": ["x", AUD]}, [], None),
    ({"aud": "x"}, ["--aud", "x"], None),
    ({"aud": None}, [], "aud-missing"),
    ({"aud": {}}, [], "aud-type"),
])
def test_claims_are_checked_and_each_error_has_a_name(store, claims, options,
                                                      name):
    good = {"iss": ISS, "aud": AUD, "iat": NOW, "exp": NOW + 60}
    claims = {k: v for k, v in {**good, **claims}.items() if v is not None}
    key, _, jwk = store["ES256"]
    token = yes("token", "mint", "--key", key,
                given=json.dumps(claims)).out
    if name is None:
        answer = verify(store, token, "--now", NOW, *options)
        assert json.loads(answer.out) == claims
        explain(store, token, "--iss", ISS, "--aud", AUD, "--now", NOW,
                *options)
    else:
        answer = verify(store, token, "--now", NOW, *options, run=no)
        assert answer.err.startswith(f"leerpoort: token refused: {name}")
        assert answer.out == ""
        answer = explain(store, token, "--iss", ISS, "--aud", AUD, "--now",
                         NOW, *options, run=no)
        assert f"verdict     refused: {name}" in answer.out
    assert jwt.get_unverified_header(token.strip())["kid"] == jwk["kid"]


def test_claims_are_printed_safely_for_a_terminal(store):
    token = mint(store, claims={"x": "\u009b2J\u202eé", "n": 2 ** 53 + 1})
    answer = verify(store, token)
    assert answer.bytes.isascii() and answer.bytes.count(b"\n") == 1
    assert json.loads(answer.out)["x"] == "\u009b2J\u202eé"
    assert json.loads(answer.out)["n"] == 2 ** 53 + 1


# --- explain -----------------------------------------------------------------

def test_explain_tells_what_the_operator_needs(store):
    issued = int(time.time())
    token = mint(store, claims={"eckid": ECK}, options=[
        "--now", issued, "--expires-in", "60"])
    kid = store["ES256"][2]["kid"]
    out = explain(store, token, "--iss", ISS, "--aud", AUD, "--now",
                  issued + 240, run=no).out
    for line in (f"alg ES256, kid {kid}, typ JWT", "bound to ES256",
                 "signature   valid", f"{ISS} (as asked for)", AUD,
                 "UTC (3 minutes ago)", "UTC (4 minutes ago)",
                 "claims      eckid, iss, aud, iat, exp",
                 "verdict     refused: expired: "):
        assert line in out
    stamp = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(issued + 60))
    assert f"expires     {stamp}" in out
    out = explain(store, token, "--now", issued + 1).out
    assert "verdict     accepted" in out and "in 59 seconds" in out
    assert "not compared: no --iss" in out and "not compared: no --aud" in out


def test_explain_names_the_key_that_should_have_matched(store, tmp_path):
    jwks = json.loads(store["RS256"][1].read_text())
    jwks["keys"][0]["kid"] = "other"
    jwks["keys"].append({**jwks["keys"][0], "kid": "weak", "e": "Aw"})
    path = tmp_path / "set.jwks"
    path.write_text(json.dumps(jwks))
    token = mint(store, "RS256")
    answer = no("token", "explain", "--jwks", path, given=token)
    assert "verdict     refused: key-unknown" in answer.out
    assert "set kids    other, weak" in answer.out
    assert "set key 2   left out: " in answer.out
    jwks["keys"][0].update(kid=store["RS256"][2]["kid"], alg="PS256")
    path.write_text(json.dumps(jwks))
    answer = no("token", "explain", "--jwks", path, given=token)
    assert "but bound to PS256" in answer.out
    assert "verdict     refused: key-alg" in answer.out


def test_explain_shows_no_person_and_no_signature(store):
    claims = {"sub": "canary-sub", "eckid": ECK, "name": "canary-name",
              "org": {"deep": "canary-deep"}}
    token = mint(store, claims=claims)
    signature = token.rpartition(".")[2]
    for text in (token, token[:-2], token + "=", token[:-1] + "A",
                 token.replace(".", ".x", 1)):
        for options in ([], ["--json"], ["--iss", "x"], ["--now", "1"]):
            answer = leerpoort("token", "explain", "--jwks",
                               store["ES256"][1], *options, given=text)
            said = answer.out + answer.err
            assert "canary" not in said and "5f5f" not in said
            assert signature[:20] not in said
            assert token.split(".")[1][:20] not in said


def test_explain_escapes_what_a_stranger_wrote(store):
    evil = "\x1b]0;pwned\x07\r\n" + "k" * 300
    head = names.base64url(json.dumps(
        {"alg": "ES256", "kid": evil, "typ": evil}).encode())
    token = head + "." + names.base64url(json.dumps(
        {"iss": evil, "aud": [evil] * 20, evil: 1}).encode()) + ".AAAA"
    for text in (token, mint(store, claims={evil: evil})):
        answer = explain(store, text, run=leerpoort)
        assert re.fullmatch(r"[ -~\n]*", answer.out + answer.err)
        assert "k" * 65 not in answer.out


def test_explain_answers_machines_too(store):
    answer = explain(store, mint(store), "--json")
    said = json.loads(answer.out)
    assert said["accepted"] is True and said["reason"] is None
    said = json.loads(explain(store, "x", "--json", run=no).out)
    assert said["accepted"] is False and said["reason"] == "not-compact"
    assert said["sentence"] and said["facts"]["token"] == "1 bytes"


# --- mint, keys --------------------------------------------------------------

def pem(key, form=serialization.PrivateFormat.PKCS8, secret=None):
    return key.private_bytes(
        serialization.Encoding.PEM, form,
        serialization.BestAvailableEncryption(secret) if secret
        else serialization.NoEncryption())


@pytest.mark.parametrize("alg,make", [
    ("RS256", lambda: rsa.generate_private_key(65537, 2048)),
    ("ES256", lambda: ec.generate_private_key(ec.SECP256R1())),
    ("ES384", lambda: ec.generate_private_key(ec.SECP384R1())),
    ("ES512", lambda: ec.generate_private_key(ec.SECP521R1())),
    ("EdDSA", ed25519.Ed25519PrivateKey.generate)])
def test_pem_keys_sign_and_give_their_public_set(tmp_path, alg, make):
    key = make()
    path = private(tmp_path / "key.pem", pem(key))
    public = tmp_path / "public.pem"
    public.write_bytes(key.public_key().public_bytes(
        serialization.Encoding.PEM,
        serialization.PublicFormat.SubjectPublicKeyInfo))
    token = yes("token", "mint", "--key", path, given='{"a":1}').out.strip()
    assert jwt.decode(token, key.public_key(), [alg]) == {"a": 1}
    jwks = yes("token", "jwks", "--key", path, "--kid", "k").out
    assert yes("token", "jwks", "--key", public, "--kid", "k").out == jwks
    jwk = json.loads(jwks)["keys"][0]
    assert jwk["kid"] == "k" and jwk["alg"] == alg and jwk["use"] == "sig"
    assert not set(jwk) & {"d", "p", "q", "dp", "dq", "qi", "k"}
    set_ = jwt.PyJWKSet.from_dict(json.loads(jwks))
    assert jwt.decode(token, set_.keys[0].key, [alg]) == {"a": 1}
    no("token", "mint", "--key", public, given="{}")


def test_rsa_and_ec_keys_in_their_old_pem_form(tmp_path):
    old = serialization.PrivateFormat.TraditionalOpenSSL
    for key, alg in ((rsa.generate_private_key(65537, 2048), "PS384"),
                     (ec.generate_private_key(ec.SECP256R1()), "ES256")):
        path = private(tmp_path / "key.pem", pem(key, old))
        token = yes("token", "mint", "--key", path, "--alg", alg,
                    given="{}").out.strip()
        jwt.decode(token, key.public_key(), [alg])


def test_keys_that_no_verifier_would_take_do_not_sign(tmp_path, store):
    path = tmp_path / "key"

    def refused(text, *options):
        private(path, text)
        return no("token", "mint", "--key", path, *options, given="{}").err

    assert "2048" in refused(pem(rsa.generate_private_key(65537, 1024)))
    assert "not sign with" in refused(
        pem(ec.generate_private_key(ec.SECP256K1())))
    good = pem(ec.generate_private_key(ec.SECP256R1()))
    assert "key for ES256" in refused(good, "--alg", "ES384")
    assert "key for ES256" in refused(good, "--alg", "HS256")
    assert "password" in refused(
        pem(ec.generate_private_key(ec.SECP256R1()), secret=b"secret"))
    assert "32 bytes" in refused('{"kty":"oct","k":"c2VjcmV0"}')
    for text in ("", "x", "{", "[]", '{"kty":"RSA"}', '{"kty":"EC"}',
                 '{"kty":"OKP","crv":"X25519","d":"AA"}', "\x00" * 70000,
                 '{"kty":"oct","k":"%s"}' % ("A" * 2000)):
        refused(text)
    mixed = {**store["ES256"][2], "x": store["ES256"][2]["y"]}
    refused(json.dumps(mixed))
    assert "shared secret" in no("token", "jwks", "--key",
                                 store["HS256"][0]).err
    assert "cannot be opened" in no("token", "mint", "--key",
                                    tmp_path / "none", given="{}").err


def test_a_new_keys_name_is_its_thumbprint(store):
    members = {"RSA": ["e", "kty", "n"], "EC": ["crv", "kty", "x", "y"],
               "OKP": ["crv", "kty", "x"], "oct": ["k", "kty"]}
    for alg in ALGS:
        jwk = store[alg][2]
        text = json.dumps({m: jwk[m] for m in members[jwk["kty"]]},
                          separators=(",", ":"), sort_keys=True)
        assert jwk["kid"] == names.base64url(
            hashlib.sha256(text.encode()).digest())
    jwk = json.loads(yes("key", "new", "--alg", "EdDSA", "--kid", "mine").out)
    assert jwk["kid"] == "mine"
    jwk = json.loads(yes("key", "new", "--alg", "EdDSA", "--kid", "").out)
    assert "kid" not in jwk


def test_mint_sets_what_is_asked_for(store):
    key = store["ES256"][0]
    token = yes("token", "mint", "--key", key, "--kid", "", "--typ", "at+jwt",
                "--iss", "i", "--aud", "a", "--aud", "b", "--now", "1000",
                "--expires-in", "5", given='{"iss":"x","n":null}').out.strip()
    assert jwt.get_unverified_header(token) == {"alg": "ES256",
                                                "typ": "at+jwt"}
    assert jwt.decode(token, options={"verify_signature": False}) == {
        "iss": "i", "n": None, "aud": ["a", "b"], "iat": 1000, "exp": 1005}
    token = yes("token", "mint", "--key", key, "--typ", "", given="{}").out
    assert "typ" not in jwt.get_unverified_header(token.strip())
    for text in ("", "[]", "{", '{"a":1,"a":2}', '{"a":"' + "x" * 70000
                 + '"}'):
        no("token", "mint", "--key", key, given=text)


def test_a_batch_is_a_token_a_line(store):
    key, jwks, jwk = store["ES256"]
    lines = "".join(json.dumps({"n": n}) + "\n" for n in range(200))
    out = yes("token", "mint", "--batch", "--key", key, "--iss", ISS, "--aud",
              AUD, "--expires-in", "60", given=lines).out.splitlines()
    public = oracle_key(jwk).public_key()
    assert [jwt.decode(t, public, ["ES256"], audience=AUD)["n"]
            for t in out] == list(range(200))
    assert len(set(out)) == 200
    answer = no("token", "mint", "--batch", "--key", key, given="{}\n{}\nx\n")
    assert "line 3" in answer.err and len(answer.out.splitlines()) == 2
    assert "line 1" in no("token", "mint", "--batch", "--key", key,
                          given='{"a":"' + "x" * 70000 + '"}').err
    assert yes("token", "mint", "--batch", "--key", key).out == ""
    verify(store, out[7])
    assert jwks.exists()


# --- user keys ---------------------------------------------------------------

@pytest.fixture
def pepper(tmp_path):
    return private(tmp_path / "pepper", b"\x00pepper\nof 32 bytes, as is....\n")


def test_user_key_is_the_designs(pepper):
    for id_type, id_ in (("ECK", ECK), ("NEPPI", "95312@1.kennisnet.nl"),
                         ("eduID", "é|ü"), ("ECK", "x" * 512)):
        answer = yes("user-key", "--pepper", pepper, "--type", id_type,
                     given=id_)
        assert answer.out == names.user_key(pepper.read_bytes(), id_type,
                                            id_) + "\n"
        assert answer.err == ""
        assert yes("user-key", "--pepper", pepper, "--type", id_type,
                   given=id_ + "\n").out == answer.out


def test_naughty_ids_are_hashed_as_they_are(pepper, vectors):
    strings = json.loads((vectors / "blns" / "blns.json").read_text()) if (
        vectors / "blns" / "blns.json").exists() else [
            line for line in (vectors / "blns" / "blns.txt").read_text(
            ).split("\n") if line and not line.startswith("#")]
    for text in [s for s in strings if s and not s.endswith("\n")][::9]:
        answer = leerpoort("user-key", "--pepper", pepper, "--type", "ECK",
                           given=text)
        if len(text.encode()) > 512:
            assert answer.code == 1
        else:
            assert answer.out.strip() == names.user_key(
                pepper.read_bytes(), "ECK", text)


def test_ids_that_name_nobody_are_refused(pepper, tmp_path):
    command = ["user-key", "--pepper", pepper, "--type", "ECK"]
    assert "no id" in no(*command).err
    assert "no id" in no(*command, given="\n").err
    assert "512" in no(*command, given="x" * 513).err
    assert "512" in no(*command, given="x" * 100000).err
    assert "carriage return" in yes(*command, given="x\r\n").err
    assert "empty" in no("user-key", "--pepper", private(
        tmp_path / "empty", b""), "--type", "ECK", given="x").err
    assert "4096" in no("user-key", "--pepper", private(
        tmp_path / "long", b"x" * 4097), "--type", "ECK", given="x").err


def test_a_poor_pepper_is_warned_of_and_used(tmp_path):
    path = private(tmp_path / "pepper", b"short")
    path.chmod(0o644)
    answer = yes("user-key", "--pepper", path, "--type", "ECK", given="x")
    assert answer.out.strip() == names.user_key(b"short", "ECK", "x")
    assert "chmod 600" in answer.err and "16 bytes" in answer.err


# --- rights ------------------------------------------------------------------

@pytest.fixture(scope="module")
def shared_redis():
    with tempfile.TemporaryDirectory(prefix="leerpoort-test-") as folder:
        server = Redis(folder, tcp=True)
        try:
            yield server.start()
        finally:
            server.destroy()


@pytest.fixture
def db(shared_redis):
    shared_redis("FLUSHALL")
    return shared_redis


@pytest.fixture
def pupil(db, pepper):
    """Options for one pupil at a school; the id goes to standard input."""
    return ["--type", "ECK", "--pepper", pepper, "--school", SCHOOL, "--redis",
            db.address]


@pytest.fixture
def pupil_hash(pepper):
    return names.user_hash(SCHOOL, names.user_key(pepper.read_bytes(), "ECK",
                                                  ECK))


def test_a_right_is_stored_as_the_design_writes_it(db, pupil, pupil_hash):
    yes("right", "set", *pupil, "--product", "book", "--state", "L", "--from",
        "2026-09-01", "--until", "20270731", "--entitlement", UUID, given=ECK)
    assert db("HGETALL", pupil_hash) == [
        "book", f"L 20260901 20270731 {PACKED}"]
    assert db("KEYS", "*") == [pupil_hash]
    out = yes("right", "show", *pupil, given=ECK + "\n").out.splitlines()
    assert out[1].split() == ["book", "L", "2026-09-01", "2027-07-31", UUID]
    assert ECK not in "".join(out)


def test_a_change_keeps_what_is_not_given(db, pupil, pupil_hash):
    def change(*options, run=yes):
        run("right", "set", *pupil, "--product", "b", *options, given=ECK)
        return db("HGET", pupil_hash, "b")

    assert change("--state", "E", "--entitlement", PACKED) == \
        f"E - - {PACKED}"
    assert change("--until", "2027-07-31") == f"E - 20270731 {PACKED}"
    assert change("--state", "B") == f"B - 20270731 {PACKED}"
    assert change("--from", "20260101", "--until", "-") == \
        f"B 20260101 - {PACKED}"
    before = db("HGET", pupil_hash, "b")
    for bad in (["--until", "20251231"], ["--from", "2026-02-30"],
                ["--from", "tomorrow"], ["--state", "O"], ["--state", "X"],
                ["--entitlement", "x"], ["--entitlement", UUID + "0"]):
        assert change(*bad, run=usage) == before, bad
    usage("right", "set", *pupil, "--product", "new", "--state", "E",
          given=ECK)
    usage("right", "set", *pupil, "--product", "new", "--entitlement", UUID,
          given=ECK)
    usage("right", "set", *pupil, "--product", "!", "--state", "E",
          "--entitlement", UUID, given=ECK)
    assert db("HLEN", pupil_hash) == 1
    db("HSET", pupil_hash, "b", "unreadable")
    usage("right", "set", *pupil, "--product", "b", "--state", "L", given=ECK)
    assert change("--state", "L", "--entitlement", UUID) == f"L - - {PACKED}"


def test_private_customers_schools_and_user_keys_are_holders(db, pepper,
                                                             pupil):
    new = ["--product", "b", "--state", "E", "--entitlement", UUID,
           "--redis", db.address]
    user = names.user_key(pepper.read_bytes(), "ECK", ECK)
    yes("right", "set", *new, "--type", "ECK", "--pepper", pepper, given=ECK)
    assert db("HEXISTS", names.user_hash("", user), "b") == 1
    yes("right", "set", *new, "--type", "KEY", "--school", SCHOOL, given=user)
    assert "book" not in yes("right", "show", *pupil, given=ECK).out
    assert db("HEXISTS", names.user_hash(SCHOOL, user), "b") == 1
    yes("right", "set", "--open", "--school", SCHOOL, "--product", "b",
        "--entitlement", UUID, "--redis", db.address)
    assert db("HGET", names.school_hash(SCHOOL), "b") == f"O - - {PACKED}"
    usage("right", "set", "--open", *new, "--school", SCHOOL)
    for bad in ("", "short", user + "A", user[:-1] + "*", user[:-1] + "B"):
        if bad != user:
            no("right", "show", "--type", "KEY", "--redis", db.address,
               given=bad)


def test_an_open_rights_quantity_is_set_and_shown(db):
    school = ["--open", "--school", SCHOOL, "--redis", db.address]
    record = f"e:{{{names.shard(SCHOOL)}}}:{PACKED}"
    new = ["right", "set", *school, "--product", "b", "--entitlement", UUID]
    for bad in ("-1", "x", "", "9999999999"):
        usage(*new, "--quantity", bad)
    assert db("KEYS", "*") == []
    yes(*new, "--quantity", "120", "--until", "20270731")
    assert db("HGET", names.school_hash(SCHOOL), "b") == (
        f"O - 20270731 {PACKED}")
    assert db("HMGET", record, "type", "status", "school", "product",
              "quantity") == ["school-open", "entitled", SCHOOL, "b", "120"]
    assert db("LRANGE", f"i:{{{names.shard(SCHOOL)}}}:{SCHOOL}", 0, -1) == [
        PACKED]
    assert db("HGET", f"x:{{{names.shard(PACKED[:3])}}}:{PACKED[:3]}",
              PACKED[3:]) == names.shard(SCHOOL)

    db("HINCRBY", record, "used", 17)
    out = yes("right", "show", *school).out.splitlines()
    assert out[0].split()[-1] == "used"
    assert out[1].split()[-2:] == [UUID, "17/120"]
    said = json.loads(yes("right", "show", *school, "--json").out)
    assert said["rights"][0]["used"] == 17
    assert said["rights"][0]["quantity"] == 120

    yes("right", "set", *school, "--product", "b", "--quantity", "0")
    assert db("HMGET", record, "quantity", "used") == [None, "17"]
    assert yes("right", "show", *school).out.split()[-1] == "17"
    said = json.loads(yes("right", "show", *school, "--json").out)
    assert said["rights"][0]["quantity"] is None


def test_a_quantity_is_for_open_rights_alone(db, pupil):
    usage("right", "set", *pupil, "--product", "b", "--state", "E",
          "--entitlement", UUID, "--quantity", "3", given=ECK)
    record = f"e:{{{names.shard(SCHOOL)}}}:{PACKED}"
    db("HSET", record, "type", "school-student", "status", "entitled",
       "product", "b")
    said = no("right", "set", "--open", "--school", SCHOOL, "--product", "b",
              "--entitlement", UUID, "--quantity", "3",
              "--redis", db.address).err
    assert "a person's" in said
    assert db("EXISTS", names.school_hash(SCHOOL)) == 0


def test_show_is_for_machines_too_and_survives_foreign_records(
        db, pupil, pupil_hash):
    assert "no such rights" in no("right", "show", *pupil, given=ECK).err
    db("HSET", pupil_hash, "b2", f"E - 20270731 {PACKED}", "b1", "nonsense",
       "\x1b[2J", "x", "!", "1700000000")
    said = json.loads(yes("right", "show", *pupil, "--json", given=ECK).out)
    assert said == {"tokens_before": 1700000000, "rights": [
        {"product": "\\x1b[2J", "unreadable": True},
        {"product": "b1", "unreadable": True},
        {"product": "b2", "state": "E", "from": None, "until": "2027-07-31",
         "entitlement": UUID}]}
    answer = yes("right", "show", *pupil, given=ECK)
    assert "\x1b" not in answer.out
    assert "tokens issued before 1700000000 are refused" in answer.out
    answer = yes("right", "show", *pupil, "--product", "b2", given=ECK)
    assert "b1" not in answer.out
    no("right", "show", *pupil, "--product", "b3", given=ECK)


@pytest.mark.parametrize("text", [
    "", "soon", "-5", "+5", " 5", "1.7e9", "1700000000x", "9" * 19, "9" * 40,
    "\x1b[2J"])
def test_an_unreadable_revocation_is_said_to_refuse_all(db, pupil, pupil_hash,
                                                        text):
    db("HSET", pupil_hash, "!", text, "b", f"E - - {PACKED}")
    said = json.loads(yes("right", "show", *pupil, "--json", given=ECK).out)
    assert said["tokens_before"] is None
    assert said["tokens_unreadable"] is True
    out = yes("right", "show", *pupil, given=ECK).out
    assert "ALL tokens of this person are refused" in out
    assert "right revoke" in out and "right drop --tokens" in out
    assert "\x1b" not in out
    yes("right", "revoke", *pupil, "--at", "77", given=ECK)
    said = json.loads(yes("right", "show", *pupil, "--json", given=ECK).out)
    assert said["tokens_before"] == 77 and "tokens_unreadable" not in said
    db("HSET", pupil_hash, "!", text)
    yes("right", "drop", *pupil, "--tokens", given=ECK)
    said = json.loads(yes("right", "show", *pupil, "--json", given=ECK).out)
    assert said["tokens_before"] is None and "tokens_unreadable" not in said


def test_a_schools_hash_revokes_nobodys_tokens(db):
    db("HSET", names.school_hash(SCHOOL), "!", "soon")
    show = ["right", "show", "--open", "--school", SCHOOL, "--redis",
            db.address]
    assert "tokens" not in yes(*show).out
    assert json.loads(yes(*show, "--json").out) == {
        "tokens_before": None,
        "rights": [{"product": "!", "unreadable": True}]}


def test_revoke_and_drop(db, pupil, pupil_hash):
    before = int(time.time())
    yes("right", "revoke", *pupil, given=ECK)
    assert before <= int(db("HGET", pupil_hash, "!")) <= time.time()
    yes("right", "revoke", *pupil, "--at", "77", given=ECK)
    assert db("HGET", pupil_hash, "!") == "77"
    db("HSET", pupil_hash, "a", "x", "b", "x", "c", "x")
    yes("right", "drop", *pupil, "--tokens", given=ECK)
    assert db("HEXISTS", pupil_hash, "!") == 0
    yes("right", "drop", *pupil, "--product", "a", given=ECK)
    assert "nothing" in no("right", "drop", *pupil, "--product", "a",
                           given=ECK).err
    assert sorted(db("HKEYS", pupil_hash)) == ["b", "c"]
    yes("right", "drop", *pupil, "--all", given=ECK)
    assert db("EXISTS", pupil_hash) == 0


def test_what_follows_a_right_is_shown_and_goes_with_it(db, pupil, pupil_hash):
    other = "11111111-2222-4333-8444-555555555555"
    db("HSET", pupil_hash, "b", f"L - 20260731 {PACKED}", "b+",
       f"E 20260801 20270731 {names.base64url(uuid.UUID(other).bytes)}", "b0",
       "x", "b0+", "x")
    answer = yes("right", "show", *pupil, given=ECK)
    rows = [row.split() for row in answer.out.splitlines()[1:]]
    assert rows[:2] == [
        ["b", "L", "-", "2026-07-31", UUID],
        ["b", "E", "2026-08-01", "2027-07-31", other, "follows"]]
    assert [row[0] for row in rows[2:]] == ["b0", "b0"]
    said = json.loads(yes("right", "show", *pupil, "--product", "b", "--json",
                          given=ECK).out)["rights"]
    assert [row.get("follows") for row in said] == [None, True]
    assert {row["product"] for row in said} == {"b"}

    change = ["right", "set", *pupil, "--product", "b"]
    yes(*change, "--until", "2026-08-31", given=ECK)
    assert db("HEXISTS", pupil_hash, "b+") == 1
    # it is set to what follows: then nothing follows any more
    yes(*change, "--entitlement", other, given=ECK)
    assert db("HEXISTS", pupil_hash, "b+") == 0
    db("HSET", pupil_hash, "b+", f"E - - {PACKED}")
    yes("right", "drop", *pupil, "--product", "b", given=ECK)
    assert sorted(db("HKEYS", pupil_hash)) == ["b0", "b0+"]
    yes("right", "drop", *pupil, "--all", given=ECK)
    assert db("EXISTS", pupil_hash) == 0


def test_a_change_does_not_undo_an_activation(scripted, pepper):
    """Between reading and writing, another writer licenses the right."""
    records = [f"E - - {PACKED}", f"L - - {PACKED}"]
    execs = [b"*-1\r\n", b"*1\r\n:0\r\n"]
    scripted.answers["HMGET"] = lambda _l, _a: (
        b"*2\r\n$%d\r\n%s\r\n$-1\r\n" % (
            len(records[0]), records.pop(0).encode()))
    scripted.answers["EXEC"] = lambda _l, _a: execs.pop(0)
    yes("right", "set", "--product", "b", "--until", "20270731", "--type",
        "ECK", "--pepper", pepper, "--redis", scripted.address, given=ECK)
    sets = [asked[3] for asked in scripted.asked if asked[0] == "HSET"]
    assert sets == [f"E - 20270731 {PACKED}", f"L - 20270731 {PACKED}"]
    assert [a[0] for a in scripted.asked].count("WATCH") == 2


# --- products and schools ----------------------------------------------------

def product_key(product):
    return f"p:{{{names.shard(product)}}}:{product}"


def test_products_are_checked_before_they_are_stored(db):
    where = ["--redis", db.address]
    yes("product", "set", "book", "--url", "https://a.example/", "--deep",
        "https://a.example/{path}", "--in", "set1,set2", "--name", "Boek é",
        "--licence", "schoolyear", "--free", "0", "--ticket",
        "https://uitgever.example/", *where)
    key = product_key("book")
    stored = db("HGETALL", key)
    assert dict(zip(stored[::2], stored[1::2])) == {
        "url": "https://a.example/", "deep": "https://a.example/{path}",
        "in": "set1,set2", "name": "Boek é", "licence": "schoolyear",
        "free": "0", "ticket": "https://uitgever.example/"}
    for bad in (["--url", "http://a.example/"], ["--url", "javascript:x"],
                ["--url", "https://a@b/"], ["--url", "https://a/{path}"],
                ["--deep", "https://a/"], ["--deep", "https://{path}/"],
                ["--licence", "fortnight"], ["--licence", "date:20270230"],
                ["--in", "a,,b"], ["--in", "a,"], ["--in", "a b"],
                ["--in", ",".join("abcdefghijklmnopq")], ["--free", "yes"],
                ["--ticket", "a b"], ["--ticket", 'a"'],
                ["--ticket", "x" * 257], ["--ticket", "é"],
                ["--name", "a\nb"], ["--name", "x" * 201],
                ["--name", b"\xff".decode("latin-1") * 101]):
        usage("product", "set", "book", *bad, *where)
    assert db("HGETALL", key) == stored
    yes("product", "set", "book", "--deep=", "--licence", "date:20270731",
        *where)
    assert db("HEXISTS", key, "deep") == 0
    assert db("HGET", key, "licence") == "date:20270731"
    for licence in ("month", "quarter", "year"):
        yes("product", "set", "book", "--licence", licence, *where)
    said = json.loads(yes("product", "show", "book", "--json", *where).out)
    assert said["name"] == "Boek é" and said["licence"] == "year"
    shown = yes("product", "show", "book", *where).out
    assert "url      \"https://a.example/\"" in shown
    assert "ticket   \"https://uitgever.example/\"" in shown
    yes("product", "set", "book", "--ticket=", *where)
    assert db("HEXISTS", key, "ticket") == 0
    yes("product", "drop", "book", *where)
    assert "no product" in no("product", "show", "book", *where).err
    no("product", "drop", "book", *where)
    for bad in (".x", "a/b", "x" * 65, ""):
        usage("product", "show", bad, *where)


def test_text_of_products_is_shown_as_it_is(db):
    where = ["--redis", db.address]
    yes("product", "set", "book", "--name", "Café «Ĳs» 数学 \x7e", *where)
    assert "name     \"Café «Ĳs» 数学 ~\"\n" in yes(
        "product", "show", "book", *where).out
    assert '"name": "Café «Ĳs» 数学 ~"' in yes(
        "product", "show", "book", "--json", *where).out
    strange = "a\x1b[2J\x7f\x80\x9b\xa0\"\\"
    db("HSET", product_key("book"), "name", strange)
    for options in ([], ["--json"]):
        out = yes("product", "show", "book", *options, *where).out
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", out)
        assert r"a\u001B[2J\u007F\u0080\u009B" in out
    assert json.loads(out)["name"] == strange


def test_schools_have_aliases(db):
    where = ["--type", "OIE_CODE", "--id", "11ZZ", "--redis", db.address]
    assert "no school" in no("school", "show", *where).err
    yes("school", "set", *where, "--school", SCHOOL)
    assert db("GET", names.alias_key("OIE_CODE", "11ZZ")) == SCHOOL
    assert yes("school", "show", *where).out == SCHOOL + "\n"
    assert json.loads(yes("school", "show", *where, "--json").out) == {
        "school": SCHOOL}
    usage("school", "set", *where, "--school", "a b")
    yes("school", "drop", *where)
    no("school", "drop", *where)
    for bad in ("", "x" * 65, "a\x01"):
        usage("school", "show", "--type", "BP_ID", "--id", bad, "--redis",
              db.address)


# --- Redis on bad days -------------------------------------------------------

def test_redis_is_found_by_socket_port_and_environment(db):
    yes("check", "--redis", db.address)
    yes("check", "--redis", db.tcp_address)
    yes("check", env={"LEERPOORT_REDIS": db.address})
    assert "localhost" in yes("check", "--redis",
                              f"localhost:{db.port}").out


@pytest.mark.parametrize("reply,says", [
    (LOADING, "LOADING"), (NOAUTH, "--password-file"),
    (WRONGTYPE, "another type"),
    (b"-MOVED 1 127.0.0.1:1\r\n", "cluster"),
    (b"-canary \x1b[2J your token was\r\n", "ERR"),
    (b"-CANARYCANARYCANARYCANARYCANARY x\r\n", "ERR"),
    (b"-\r\n", "ERR"),
    (b"HTTP/1.1 400 Bad Request\r\n\r\n", "protocol"),
    (half_then_close(b"*2\r\n$3\r\nurl\r\n$2\r\nxy\r\n"), "closed"),
    (b":1\r\n", "type"), (b"$-1\r\n", "type"), (b"$1\r\nx\r\n", "type"),
    (b"*-1\r\n", "type"),
])
def test_whatever_redis_answers_ends_in_a_sentence(scripted, reply, says):
    scripted.answers["*"] = reply
    answer = no("product", "show", "x", "--redis", scripted.address)
    assert says in answer.err
    assert "canary" not in answer.err.lower() and "\x1b" not in answer.err
    no("check", "--redis", scripted.address)


@pytest.mark.parametrize("reply", [
    b"*1\r\n$1\r\nx\r\n", b"*2\r\n:1\r\n:2\r\n", b"*2\r\n$-1\r\n$-1\r\n",
    b"*2\r\n*0\r\n$1\r\nx\r\n", b"*4\r\n$3\r\nurl\r\n$-1\r\n$1\r\n!\r\n:1\r\n"])
def test_strange_hashes_are_no_crash(scripted, reply):
    scripted.answers["HGETALL"] = reply
    leerpoort("product", "show", "x", "--redis", scripted.address)
    leerpoort("right", "show", "--open", "--school", "S", "--redis",
              scripted.address)


def test_a_frozen_redis_is_given_up_within_seconds(redis):
    redis.freeze()
    start = time.monotonic()
    assert "frozen" in no("product", "show", "x", "--redis",
                          redis.address).err
    assert time.monotonic() - start < 4
    redis.thaw()


def test_a_key_of_another_type_is_not_overwritten(db):
    db("SET", product_key("x"), "taken")
    db("SET", names.school_hash("S"), "taken")
    where = ["--redis", db.address]
    assert "another type" in no("product", "set", "x", "--free", "1",
                                *where).err
    assert "another type" in no(
        "right", "set", "--open", "--school", "S", "--product", "x",
        "--entitlement", UUID, *where).err
    assert db("GET", product_key("x")) == "taken"


def test_passwords_come_in_files(tmp_path):
    server = Redis(tmp_path, users=[
        "default off ~* &* +@all", "admin on >s3cret ~* &* +@all",
        "reader on >other ~* &* +ping +hgetall +lrange"])
    try:
        server.start()
        where = ["--redis", server.address]
        assert "NOAUTH" in no("product", "show", "x", *where).err
        good = private(tmp_path / "good", "s3cret\n")
        poor = private(tmp_path / "poor", "other")
        wrong = private(tmp_path / "wrong", "s3cret\n\n")
        user = ["--user", "admin", "--password-file"]
        yes("product", "set", "x", "--free", "1", *where, *user, good)
        yes("check", *where, *user, good)
        answer = no("check", *where, *user, wrong)
        assert "WRONGPASS" in answer.err and "s3cret" not in answer.err
        reader = ["--user", "reader", "--password-file", poor]
        yes("product", "show", "x", *where, *reader)
        assert "NOPERM" in no("product", "drop", "x", *where, *reader).err
        answer = no("check", *where, *reader)
        assert "warn  appendonly: Redis says NOPERM" in answer.out
        good.chmod(0o644)
        assert "chmod 600" in yes("product", "show", "x", *where, *user,
                                  good).err
    finally:
        server.destroy()


# --- check -------------------------------------------------------------------

def test_check_looks_at_what_a_restart_would_leave_out(db):
    where = ["--redis", db.address]
    db("ACL", "SETUSER", "tester", "on", "nopass", "~*", "&*", "+@all")
    client = db.client()
    client("AUTH", "tester", "")
    try:
        client("ACL", "SETUSER", "default", "-xadd")
        assert "a restart would forget" in no("check", *where).out
    finally:
        client("ACL", "SETUSER", "default", "+@all")
        client("ACL", "DELUSER", "tester")
        client.close()
    assert "ok    a restart does" in yes("check", *where).out


def test_check_is_content_with_a_durable_redis(db):
    answer = yes("check", "--redis", db.address)
    assert {line.split()[0] for line in answer.out.splitlines()} == {"ok"}
    for what in ("answers in", "version 7", "appendonly yes",
                 "appendfsync always", "noeviction", "CLIENT TRACKING",
                 "without replicas", "memory: "):
        assert what in answer.out
    said = json.loads(yes("check", "--redis", db.address, "--json").out)
    assert said["ok"] is True and len(said["lines"]) == 13
    assert db.links() == 0


def test_check_sees_streams_that_nobody_reads(db):
    long_ago = int(time.time() * 1000) - 300_000
    db("XADD", "journal:{07}", f"{long_ago}-0", "kind", "confirmation")
    db("XADD", "journal:{09}", "*", "kind", "confirmation")
    db("XADD", "usage:{63}", "*", "p", "0")
    answer = yes("check", "--redis", db.address)
    waits = re.search(r"^warn  journal: 2 entries wait, the oldest for "
                      r"(\d+) s: is leerpoort-relay running\?$", answer.out,
                      re.M)
    assert 300 <= int(waits[1]) < 400
    assert re.search(r"^ok    usage: 1 entries wait$", answer.out, re.M)


def test_check_names_what_would_lose_licences(tmp_path):
    server = Redis(tmp_path, durable=False, options=[
        "maxmemory-policy allkeys-lru", "appendfsync everysec",
        "min-replicas-to-write 1"])
    try:
        server.start()
        answer = no("check", "--redis", server.address)
        for line in ("FAIL  appendonly is no", "FAIL  appendfsync is everysec",
                     "FAIL  maxmemory-policy is allkeys-lru",
                     "FAIL  primary with 0 replicas"):
            assert line in answer.out
        said = json.loads(no("check", "--redis", server.address,
                             "--json").out)
        assert said["ok"] is False
        server("REPLICAOF", "127.0.0.1", "1")
        assert "not a primary" in no("check", "--redis", server.address).out
        with pytest.raises(RedisError):
            server("SET", "x", "y")
    finally:
        server.destroy()


def test_check_sees_that_memory_is_full(db):
    used = int(re.search(r"^used_memory:(\d+)", db("INFO", "memory"),
                         re.M)[1])
    try:
        db("CONFIG", "SET", "maxmemory", used // 2)
        with pytest.raises(RedisError, match="OOM"):
            db("SET", "x", "y")
        answer = no("check", "--redis", db.address)
        assert re.search("^FAIL  memory: .*writes are refused", answer.out,
                         re.M)
        db("CONFIG", "SET", "maxmemory", used * 4)
        answer = yes("check", "--redis", db.address)
        assert re.search(r"^ok    memory: .* of .* \(maxmemory\)$", answer.out,
                         re.M)
    finally:
        db("CONFIG", "SET", "maxmemory", 0)
    assert "no maxmemory" in yes("check", "--redis", db.address).out


@pytest.mark.parametrize("used,most,level", [
    (900, 1000, "ok"), (901, 1000, "warn"), (999, 1000, "warn"),
    (1000, 1000, "FAIL"), (1001, 1000, "FAIL"), (1001, 0, "ok"),
    ("", 0, "warn"), (5, "", "warn")])
def test_memory_is_judged_by_its_use(scripted, used, most, level):
    text = f"# Memory\r\nused_memory:{used}\r\nmaxmemory_human:7M\r\n" \
           f"maxmemory:{most}\r\n".encode()
    scripted.answers["INFO"] = b"$%d\r\n%s\r\n" % (len(text), text)
    out = leerpoort("check", "--redis", scripted.address).out
    assert re.findall(r"^(\w+) +memory:", out, re.M) == [level]


def test_the_reason_of_an_unreachable_redis_is_in_the_answer(
        scripted, tmp_path):
    def texts(*options):
        answer = no("check", "--json", *options)
        said = json.loads(answer.out)
        assert said["ok"] is False
        assert {line["level"] for line in said["lines"]} == {"FAIL"}
        return " ".join(line["text"] for line in said["lines"])

    where = ["--redis", f"unix:{tmp_path}/none"]
    assert "No such file" in texts(*where)
    assert "No such file" in no("check", *where).out
    assert "\ufffd" not in texts("--redis", b"unix:/\xff".decode(
        "utf-8", "surrogateescape"))
    scripted.answers["PING"] = half_then_close(b"+PONG\r\n")
    assert "closed the connection" in texts("--redis", scripted.address)
    scripted.answers["AUTH"] = b"-WRONGPASS canary\r\n"
    with_password = ["--redis", scripted.address, "--password-file"]
    said = texts(*with_password, private(tmp_path / "password", "x"))
    assert "WRONGPASS" in said and "canary" not in said
    assert "password file" in texts(*with_password, tmp_path / "none")


def test_check_refuses_an_old_redis(scripted):
    scripted.answers["INFO"] = b"$23\r\nredis_version:6.2.14\r\n\r\r\n"
    answer = no("check", "--redis", scripted.address)
    assert "FAIL  version 6.2.14" in answer.out


def lint(db, conf, *options, program="/bin/true", run=yes):
    return run("check", "--redis", db.address, "--nginx-conf", conf,
               "--nginx", program, *options)


def test_check_finds_secrets_in_logs_and_strangers_in_locations(db, tmp_path):
    included = tmp_path / "conf.d"
    included.mkdir()
    (included / "a.conf").write_text(
        "return 301 https://$http_host/; # line 1\n")
    conf = tmp_path / "nginx.conf"
    conf.write_text("""
http {
    log_format safe '$status $uri $leerpoort_outcome $request_time';
    log_format bad1 escape=json "${request_uri}" '$status';
    log_format bad2 '"$http_authorization"';
    log_format bad3 '$cookie_session $ARG_u $cookie_session' $status$args;
    access_log off; access_log logs/a safe;
    access_log logs/b; # $request
    access_log logs/c combined;
    include conf.d/*.conf;
    server {
        location = /a { return 302 https://x.example$uri; }
        location = /b { return 302 https://x.example$request_uri; }
        location = /c { return 200 "$args"; }
        location ~ /d$ { rewrite ^(.*)$ https://x/${arg_to} permanent; }
        location = /e { add_header Location $document_uri always; }
    }
}
""")
    out = lint(db, conf, run=no).out
    found = dict(re.findall(r"^(?:warn|FAIL)  \S*/(\S+:\d+): (.*)$", out,
                            re.M))
    assert sorted(found) == sorted(
        [f"nginx.conf:{n}" for n in (4, 5, 6, 8, 9, 12, 15, 16)]
        + ["a.conf:1"])
    assert "$request_uri" in found["nginx.conf:4"]
    assert "$http_host," in found["a.conf:1"]
    assert "$cookie_session, $ARG_u, $args:" in found["nginx.conf:6"]
    assert "leave them out of the format" in found["nginx.conf:6"]
    assert "${arg_to}" not in out and "$arg_to," in found["nginx.conf:15"]
    assert re.findall("^FAIL .*", out, re.M) == [
        f"FAIL  {conf}:5: " + found["nginx.conf:5"]]
    conf.write_text("events {}\n")
    assert "there is no access_log" in lint(db, conf).out
    for odd in ("access_log", "return 302 'unclosed", "include x;include", "}",
                "log_format;return;rewrite;add_header;", "$ ${ ;", "\\",
                "include nginx.conf;"):
        conf.write_text(odd)
        lint(db, conf)


@pytest.mark.parametrize("name", [
    "http_authorization", "http_cookie", "cookie_leerpoort", "leerpoort_user",
    "leerpoort_users", "leerpoort_person", "leerpoort_session",
    "upstream_http_leerpoort_session", "{http_cookie}", "HTTP_Cookie"])
def test_a_log_of_tokens_or_user_keys_is_a_no(db, tmp_path, name):
    conf = tmp_path / "nginx.conf"
    conf.write_text(f"access_log off;\n"
                    f"log_format a '$status ${name} $cookie_x';")
    out = lint(db, conf, run=no).out
    shown = name.strip("{}")
    assert f"FAIL  {conf}:2: log_format writes ${shown}, $cookie_x:" in out
    assert "out of the format" in out
    said = json.loads(lint(db, conf, "--json", run=no).out)
    assert said["ok"] is False
    for other in ("cookie_leerpoort2", "sent_http_location"):
        conf.write_text(f"access_log off; log_format a '${other}';")
        assert "warn  " in lint(db, conf).out


@pytest.mark.parametrize("line", [
    "add_header X-User '$leerpoort_user' always;",
    "add_header $leerpoort_users x;", "return 200 '${leerpoort_person}';",
    "add_trailer X-User a$leerpoort_users;",
    "add_header X-Session $leerpoort_session;"])
def test_an_answer_with_persons_is_a_no(db, tmp_path, line):
    conf = tmp_path / "nginx.conf"
    conf.write_text(f"access_log off;\n{line}\n")
    out = lint(db, conf, run=no).out
    name = re.search(r"leerpoort_\w+", line)[0]
    assert f"FAIL  {conf}:2: {line.split()[0]} sends ${name}: " in out
    conf.write_text("access_log off; add_header X $leerpoort_school;"
                    "fastcgi_param LEERPOORT_USERS $leerpoort_users;")
    lint(db, conf)


def test_check_wants_room_for_long_tokens(db, tmp_path):
    conf = tmp_path / "nginx.conf"
    (tmp_path / "click").write_text("location /go/ { leerpoort_click; }")

    def said(http, *servers):
        conf.write_text(f"http {{\naccess_log off;\n" + "\n".join(
            f"server {{ {server} }}" for server in servers)
            + f"\n{http}\n}}")
        return re.findall(r"^warn  \S*/nginx.conf(:\d+)?: .*large_client.*$",
                          lint(db, conf).out, re.M)

    click, other = "include click;", "location / { return 204; }"
    buffers = "large_client_header_buffers 4 {};".format
    assert said("", other) == []
    assert said(buffers("8k"), other) == []
    assert said("", click) == [""]
    for enough in ("16k", "16K", "16384", "1m", "'64k'"):
        assert said(buffers(enough), other, click) == [], enough
    for small in ("15k", "8k", "16383", "0", "k"):
        assert said(buffers(small), other, click) == [":5"], small
    assert said("", other, buffers("16k") + click) == []
    assert said("", buffers("16k") + other, click) == [""]
    assert said(buffers("16k"), click, click + buffers("8k"), other) == [":4"]
    assert said(buffers("16k"), buffers("8k") + other, click) == []
    assert said(buffers("8k"), buffers("16k") + click, other) == []


def test_check_asks_nginx_itself(db, tmp_path):
    conf = tmp_path / "nginx.conf"
    conf.write_text(f"pid {tmp_path}/pid; error_log {tmp_path}/log;"
                    f"events {{}} http {{ access_log off; }}")
    where = ["check", "--redis", db.address, "--nginx-conf"]
    answer = yes(*where, conf)
    assert f"ok    nginx takes {conf}" in answer.out
    conf.write_text("events {}\nnonsense on;\n")
    answer = no(*where, conf)
    assert "nginx.conf:2" in answer.out and "unknown directive" in answer.out
    assert "can't be opened" in no(*where, tmp_path / "none").out
    assert "can't be started" in lint(db, conf, program="/nonexistent",
                                      run=no).out
