"""POST /oauth/token: real workers, a real Redis, another library as the
oracle of every signature; and everything that must not give a token."""

import concurrent.futures
import json
import os
import subprocess
import tempfile
import time
import urllib.parse
import uuid

import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from lib.names import base64url
from lib.nginx import BUILD
from lib.process import eventually
from lib.redis import Redis
from lib.tokens import compact, make_key, replace, write_jwks
from lib.workers import Workers, parties

ISSUER = "https://leerpoort.example"
AUDIENCE = "https://leerpoort.example/v1"
ENDPOINT = "https://leerpoort.example/oauth/token"
BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SCOPES = ["entitlement.licensor", "usage.seller"]
FORM = "application/x-www-form-urlencoded"


def leerpoort(*args, now=None, code=0):
    env = dict(os.environ)
    if now is not None:
        env["LEERPOORT_NOW"] = str(now)
    run = subprocess.run([BUILD / "leerpoort", *map(str, args)], timeout=60,
                         capture_output=True, text=True, env=env, check=False)
    assert run.returncode == code, run.stderr
    return run.stdout


class Endpoint:
    """Workers with a token endpoint, two clients and their keys."""

    def __init__(self, folder, redis, keys=None, now=None, n=2, allow=()):
        self.folder = folder
        self.now = now
        self.redis = redis
        self.keys = {
            "seller": make_key("RS256", "s1", 0),
            "seller-ps": make_key("PS256", "s2", 1),
            "other": make_key("RS256", "o1", 2)}
        self.ring = keys or folder / "ring"
        if keys is None:
            self.ring.mkdir()
            leerpoort("key", "rotate", "--keys", self.ring, "--alg", "ES256")
        write_jwks(folder / "seller.json",
                   [self.keys["seller"], self.keys["seller-ps"]])
        write_jwks(folder / "other.json", [self.keys["other"]])
        self.parties = parties(folder / "parties.json", [
            {"oin": "00000003123456780000", "name": "Seller",
             "role": "aanspraakmanager",
             "clients": [{"clientId": "seller", "jwks": "seller.json",
                          "scopes": SCOPES}]},
            {"oin": "00000003876543210000", "name": "Other",
             "clients": [{"clientId": "other", "jwks": "other.json",
                          "scopes": ["activationcode"]}]}],
            issuer=ISSUER, audience=AUDIENCE, tokenEndpoint=ENDPOINT,
            tokenLifetime=600)
        self.workers = Workers(folder, redis.address, n, parties=self.parties,
                               keys=self.ring, now=now, allow=allow)

    def claims(self, client="seller", **changes):
        now = int(time.time())
        claims = {"iss": client, "sub": client, "aud": ENDPOINT, "iat": now,
                  "exp": now + 300, "jti": str(uuid.uuid4()), **changes}
        return {name: v for name, v in claims.items() if v is not None}

    def assertion(self, client="seller", key=None, header=None, **changes):
        key = key or self.keys[client]
        head = {"alg": key.alg, "kid": key.kid, **(header or {})}
        head = {name: v for name, v in head.items() if v is not None}
        return compact(head, self.claims(client, **changes),
                       lambda data: key.sign(data))

    def form(self, assertion=None, **changes):
        fields = {"grant_type": "client_credentials",
                  "client_assertion_type": BEARER,
                  "client_assertion": assertion or self.assertion(), **changes}
        return urllib.parse.urlencode(
            {n: v for n, v in fields.items() if v is not None}).encode()

    def post(self, body, **changes):
        return self.workers.ask("/oauth/token", "POST", body, **{
            "CONTENT_TYPE": FORM, **changes})

    def ask(self, assertion=None, **changes):
        return self.post(self.form(assertion, **changes))

    def claims_of(self, answer):
        """Verified by another library, with the published keys."""
        assert answer.status == 200, answer
        token = json.loads(answer.body)["access_token"]
        keys = jwt.PyJWKSet.from_json((self.ring / "jwks.json").read_text())
        head = jwt.get_unverified_header(token)
        assert head["typ"] == "at+jwt"
        found = [k for k in keys.keys if k.key_id == head["kid"]]
        assert len(found) == 1, "signed by a key that is not published"
        return jwt.decode(token, found[0].key, algorithms=[head["alg"]],
                          audience=AUDIENCE, issuer=ISSUER,
                          options={"verify_exp": self.now is None,
                                   "verify_iat": self.now is None})


@pytest.fixture(scope="module")
def endpoint():
    with tempfile.TemporaryDirectory(prefix="leerpoort-test-") as folder:
        import pathlib
        folder = pathlib.Path(folder)
        redis = Redis(folder).start()
        try:
            endpoint = Endpoint(folder, redis)
            with endpoint.workers:
                yield endpoint
        finally:
            redis.destroy()


def refused(answer, status, error, word=""):
    """RFC 6749's form, and nothing of what was sent."""
    assert answer.status == status, answer
    found = json.loads(answer.body)
    assert set(found) == {"error", "error_description"}
    assert found["error"] == error, found
    assert word in found["error_description"], found
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    return found


def test_a_token_for_a_good_assertion(endpoint):
    before = int(time.time())
    answer = endpoint.ask(scope="usage.seller")
    assert answer.headers["cache-control"] == "no-store"
    body = json.loads(answer.body)
    assert body["token_type"] == "Bearer" and body["expires_in"] == 600
    assert body["scope"] == "usage.seller"
    claims = endpoint.claims_of(answer)
    assert set(claims) == {"iss", "sub", "azp", "client_id", "aud", "iat",
                           "exp", "jti", "scope"}
    assert claims["sub"] == claims["azp"] == claims["client_id"] == "seller"
    assert claims["scope"] == "usage.seller"
    assert claims["exp"] == claims["iat"] + 600
    assert before <= claims["iat"] <= int(time.time())
    assert claims["jti"] != endpoint.claims_of(endpoint.ask())["jti"]


def test_no_scope_asked_gives_all_that_the_client_may_have(endpoint):
    for asked in ({}, {"scope": ""}, {"scope": " "}):
        claims = endpoint.claims_of(endpoint.ask(**asked))
        assert claims["scope"] == " ".join(SCOPES)
    twice = endpoint.ask(scope="usage.seller usage.seller")
    assert endpoint.claims_of(twice)["scope"] == "usage.seller"


def test_what_else_a_client_may_send(endpoint):
    answer = endpoint.ask(endpoint.assertion(key=endpoint.keys["seller-ps"]))
    assert answer.status == 200
    for good in (dict(client_id="seller"), dict(unknown="x")):
        assert endpoint.ask(**good).status == 200
    for header in ({"typ": "JWT"}, {"typ": "jwt"}):
        assert endpoint.ask(endpoint.assertion(header=header)).status == 200
    assert endpoint.ask(endpoint.assertion(aud=[ENDPOINT])).status == 200
    assert endpoint.ask(endpoint.assertion(iat=None)).status == 200
    assert endpoint.post(endpoint.form(), CONTENT_TYPE=(
        FORM + "; charset=UTF-8")).status == 200
    plus = endpoint.form().replace(b"client_credentials",
                                   b"%63lient%5Fcredentials")
    assert endpoint.post(plus).status == 200


SHAPES = {
    "sub": dict(sub="other"), "no sub": dict(sub=None),
    "iss": dict(iss="other"), "no iss": dict(iss=None),
    "unknown client": dict(iss="nobody", sub="nobody"),
    "aud of the issuer": dict(aud=ISSUER),
    "aud with a slash more": dict(aud=ENDPOINT + "/"),
    "two audiences": dict(aud=[ENDPOINT, "https://evil.example"]),
    "no aud": dict(aud=None), "empty aud": dict(aud=[]),
    "no exp": dict(exp=None), "no jti": dict(jti=None),
    "short jti": dict(jti="a" * 15), "long jti": dict(jti="a" * 257),
    "number jti": dict(jti=1234567890123456789),
}


@pytest.mark.parametrize("name", SHAPES)
def test_claims_that_give_no_token(endpoint, name):
    refused(endpoint.ask(endpoint.assertion(**SHAPES[name])), 401,
            "invalid_client")


def test_times_that_give_no_token(endpoint):
    now = int(time.time())
    for changes in (dict(exp=now - 60, iat=now - 300), dict(exp=now + 700),
                    dict(iat=now + 120, exp=now + 300),
                    dict(nbf=now + 120), dict(exp=str(now + 300)),
                    dict(exp=now + 300.5)):
        refused(endpoint.ask(endpoint.assertion(**changes)), 401,
                "invalid_client")


def public_secrets(key):
    """The public key as bytes that an attacker would take as a secret."""
    pem = key.private.public_key().public_bytes(
        serialization.Encoding.PEM,
        serialization.PublicFormat.SubjectPublicKeyInfo)
    return [pem, pem.strip(), json.dumps(key.jwk()).encode()]


def test_signatures_that_give_no_token(endpoint):
    good = endpoint.assertion()
    head, payload, signature = good.split(".")
    none = base64url(json.dumps({"alg": "none"}).encode())
    forged = [f"{none}.{payload}.", f"{none}.{payload}.{signature}",
              f"{head}.{payload}.", f"{head}.{payload}.{signature[:-8]}",
              f"{head}.{payload}", "", "a.b.c", "x" * 9000]
    # another client's key, with its kid and with the seller's
    other = endpoint.keys["other"]
    for kid in ("o1", "s1", None):
        forged.append(endpoint.assertion(key=other, header={"kid": kid}))
    # the seller's RS256 key used as PS256, and other algorithms of that key
    key = endpoint.keys["seller"]
    for alg in ("PS256", "RS384", "RS512"):
        forged.append(compact({"alg": alg, "kid": "s1"}, endpoint.claims(),
                              lambda data, a=alg: key.sign(data, a)))
    # HS256 with the public key as the secret
    import hashlib
    import hmac
    for secret in public_secrets(key):
        forged.append(compact(
            {"alg": "HS256", "kid": "s1"}, endpoint.claims(),
            lambda data, s=secret: hmac.new(s, data, hashlib.sha256).digest()))
    own = make_key("RS256", "s1", 3)
    forged.append(endpoint.assertion(key=own))
    forged.append(endpoint.assertion(key=own, header={"jwk": own.jwk()}))
    forged.append(endpoint.assertion(header={"crit": ["exp"]}))
    for assertion in forged:
        body = endpoint.form(assertion or None)
        if assertion == "":
            body = body.replace(b"client_assertion=", b"x=")
            refused(endpoint.post(body), 400, "invalid_request")
        else:
            refused(endpoint.post(body), 401, "invalid_client")


def test_scopes_can_not_be_raised(endpoint):
    for scope in ("activationcode", "usage.seller activationcode", "usage",
                  "usage.seller.more", "USAGE.SELLER", "*",
                  "usage.seller\tactivationcode", "x" * 4000):
        refused(endpoint.ask(scope=scope), 400, "invalid_scope")


def test_an_assertion_serves_once(endpoint):
    assertion = endpoint.assertion()
    assert endpoint.ask(assertion).status == 200
    for _ in range(3):
        refused(endpoint.ask(assertion), 401, "invalid_client", "before")
    # the same jti in another assertion, and another client's same jti
    jti = str(uuid.uuid4())
    assert endpoint.ask(endpoint.assertion(jti=jti)).status == 200
    refused(endpoint.ask(endpoint.assertion(jti=jti, exp=int(
        time.time()) + 200)), 401, "invalid_client", "before")
    assert endpoint.ask(endpoint.assertion("other", jti=jti)).status == 200


def test_of_many_at_once_one_wins(endpoint):
    for _ in range(3):
        body = endpoint.form()
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(lambda _, b=body: endpoint.post(b),
                                    range(12)))
        assert sorted(a.status for a in answers) == [200] + [401] * 11


def test_used_jtis_are_forgotten_when_they_have_expired(endpoint):
    endpoint.redis("FLUSHALL")
    jti = "canary-" + str(uuid.uuid4())
    assert endpoint.ask(endpoint.assertion(jti=jti)).status == 200
    keys = endpoint.redis("KEYS", "*")
    assert len(keys) == 1 and keys[0].startswith("jti:{"), keys
    assert jti not in keys[0]
    assert 300 < endpoint.redis("TTL", keys[0]) <= 335


def test_forms_that_are_none(endpoint):
    good = endpoint.form()
    for body in (b"", b"grant_type=client_credentials", b"{}",
                 good + b"&grant_type=client_credentials",
                 good + b"&scope=usage.seller&scope=usage.seller",
                 good + b"&scope=%zz", good + b"&scope=%0", good + b"&scope",
                 good + b"&scope=%00", good + b"&client_secret=x",
                 good.replace(b"&client_assertion=", b"&assertion=")):
        refused(endpoint.post(body), 400, "invalid_request")
    refused(endpoint.post(good, CONTENT_TYPE="application/json"), 400,
            "invalid_request")
    refused(endpoint.post(good, CONTENT_TYPE=FORM + "ed"), 400,
            "invalid_request")
    refused(endpoint.post(b"a=" + b"x" * 40000), 413, "invalid_request")
    refused(endpoint.ask(grant_type="password"), 400,
            "unsupported_grant_type")
    refused(endpoint.ask(client_assertion_type="x"), 401, "invalid_client")
    refused(endpoint.ask(client_id="other"), 401, "invalid_client",
            "client_id")


def test_without_redis_there_is_no_token(tmp_path):
    redis = Redis(tmp_path).start()
    try:
        endpoint = Endpoint(tmp_path, redis, n=1)
        with endpoint.workers:
            assertion = endpoint.assertion()
            redis.kill()
            answer = endpoint.ask(assertion)
            refused(answer, 503, "temporarily_unavailable")
            assert int(answer.headers["retry-after"]) > 0
            redis.start()
            answer = eventually("a token again", lambda: (
                lambda a: a.status == 200 and a)(
                    endpoint.ask(endpoint.assertion())))
            assert endpoint.claims_of(answer)["sub"] == "seller"
    finally:
        redis.destroy()


def test_parties_that_change_count_without_a_restart(tmp_path, redis):
    endpoint = Endpoint(tmp_path, redis, n=1, allow=[
        "parties.json: parties\\[0\\].oin: 20 digits"])
    with endpoint.workers:
        assert endpoint.ask().status == 200
        good = json.loads(endpoint.parties.read_text())

        # a client gets a scope more
        good["parties"][0]["clients"][0]["scopes"].append("usage.dashboard")
        replace(endpoint.parties, json.dumps(good))
        eventually("the new scope", lambda: endpoint.ask(
            scope="usage.dashboard").status == 200)

        # a broken file leaves all in force, and is complained of once
        bad = json.loads(json.dumps(good))
        bad["parties"][0]["oin"] = "123"
        replace(endpoint.parties, json.dumps(bad))
        eventually("the complaint", lambda: (
            endpoint.ask(scope="usage.dashboard").status == 200
            and "20 digits" in endpoint.workers.said()))
        assert endpoint.workers.said().count("20 digits") == 1

        # the client rolls its key over
        replace(endpoint.parties, json.dumps(good))
        key = make_key("RS256", "s9", 3)
        write_jwks(tmp_path / "seller.json", [key])
        eventually("the new key", lambda: endpoint.ask(
            endpoint.assertion(key=key)).status == 200)
        refused(endpoint.ask(), 401, "invalid_client")


def test_no_moment_without_a_key_across_rotations(tmp_path, redis):
    """Tokens are asked for all the time while the clock runs through two
    rotations; each is verified with what is published then."""
    start = int(time.time())
    clock = tmp_path / "clock"
    replace(clock, str(start))
    ring = tmp_path / "ring"
    ring.mkdir()

    def rotate():
        return leerpoort("key", "rotate", "--keys", ring, "--alg", "ES256",
                         "--overlap", "600", now=clock).strip()

    kids = [rotate()]
    endpoint = Endpoint(tmp_path, redis, keys=ring, now=clock, n=1)
    seen = []

    def use(at):
        replace(clock, str(at))
        answer = endpoint.ask(endpoint.assertion(
            iat=at, exp=at + 300, jti=str(uuid.uuid4())))
        endpoint.claims_of(answer)
        token = json.loads(answer.body)["access_token"]
        seen.append(jwt.get_unverified_header(token)["kid"])
        tokens.append((at, token))

    tokens = []
    with endpoint.workers:
        use(start)
        for turn in (1, 2):
            at = start + turn * 1000
            use(at)
            kids.append(rotate())
            for step in (0, 1, 300, 598):
                use(at + step)
                assert seen[-1] == kids[-2]
            # the new file is looked at within seconds, the clock's own apart
            eventually("the next key signs", lambda a=at: (
                use(a + 600) or seen[-1] == kids[-1]), 10, 0.1)
        for at, token in tokens:
            keys = jwt.PyJWKSet.from_json((ring / "jwks.json").read_text())
            assert jwt.get_unverified_header(token)["kid"] in {
                k.key_id for k in keys.keys}
    assert set(seen) == set(kids) and len(kids) == 3


def test_rotations_at_once_and_killed_ones(tmp_path):
    ring = tmp_path / "ring"
    ring.mkdir()
    first = leerpoort("key", "rotate", "--keys", ring, "--alg",
                      "ES256").strip()
    argv = [BUILD / "leerpoort", "key", "rotate", "--keys", ring, "--alg",
            "ES256"]
    running = [subprocess.Popen(argv, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)
               for _ in range(5)]
    made = [run.communicate(timeout=60)[0].strip() for run in running]
    made = [kid for kid in made if kid]
    assert len(made) == 1, made
    assert published(ring) == {first, made[0]}

    # killed anywhere: what has a file is published
    for i in range(12):
        run = subprocess.Popen([*argv, "--overlap", "0"],
                               stdout=subprocess.DEVNULL)
        try:
            run.wait(0.001 * i)
        except subprocess.TimeoutExpired:
            run.kill()
            run.wait(10)
        private = {path.stem for path in ring.glob("*.jwk")
                   if not path.name.startswith(".")}
        assert private <= published(ring)
    leerpoort("key", "rotate", "--keys", ring, "--alg", "ES256",
              "--overlap", "0")
    assert {path.stem for path in ring.glob("[!.]*.jwk")} == published(ring)
    assert not list(ring.glob(".new-*"))


def test_old_keys_go_when_no_token_can_need_them(tmp_path):
    ring = tmp_path / "ring"
    ring.mkdir()
    now = 1800000000

    def rotate(at):
        return leerpoort("key", "rotate", "--keys", ring, "--alg", "ES256",
                         now=at).strip()

    first, second = rotate(now), rotate(now + 1000)
    begins = now + 1000 + 600
    third = rotate(begins + 22199)
    assert published(ring) == {first, second, third}
    states = {key["kid"]: key["state"] for key in json.loads(leerpoort(
        "key", "list", "--keys", ring, "--json", now=begins + 22199))}
    assert states == {first: "published", second: "signs", third: "waits"}
    fourth = rotate(begins + 22199 + 600)
    assert published(ring) == {second, third, fourth}
    assert not (ring / f"{first}.jwk").exists()
    assert (ring / f"{fourth}.jwk").stat().st_mode & 0o777 == 0o600


def test_a_key_that_can_not_be_read_stops_a_rotation(tmp_path):
    ring = tmp_path / "ring"
    ring.mkdir()
    first = leerpoort("key", "rotate", "--keys", ring, "--alg",
                      "ES256").strip()
    (ring / f"{first}.jwk").write_text("{}")
    leerpoort("key", "rotate", "--keys", ring, code=1)
    assert published(ring) == {first}
    leerpoort("key", "rotate", "--keys", ring / "none", code=1)
    leerpoort("key", "rotate", "--keys", ring, "--alg", "HS256", code=2)


def published(ring):
    keys = json.loads((ring / "jwks.json").read_text())["keys"]
    for key in keys:
        assert "d" not in key and "k" not in key
    return {key["kid"] for key in keys}
