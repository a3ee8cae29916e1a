"""Tokens: which are believed, which are not, and for how long.

The attack list comes from RFC 8725 and from the faults of other libraries:
each entry is a token that somebody, somewhere, once believed.
"""

import json
import time

import pytest

from lib.edge import Edge
from lib.http import Connection
from lib.names import base64url, right
from lib.process import eventually
from lib.tokens import Issuer, Key, compact, make_key, replace, rsa_private

LONG = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256",
        "ES384", "EdDSA"]


@pytest.fixture(scope="module")
def edge():
    """Issuers: school (usual), every (all algorithms), leerpoort (HS256),
    strict (no leeway, a max_age)."""
    def issuers(folder):
        return [
            Issuer(folder),
            Issuer(folder, "every", "https://every.example", algs=LONG),
            Issuer(folder, "leerpoort", "https://toegang.example",
                   algs=["HS256"]),
            Issuer(folder, "strict", "https://strict.example",
                   algs=["EdDSA"], extra="leeway 0s; max_age 10m;"),
            Issuer(folder, "single", "https://single.example",
                   algs=["RS256"]),
        ]

    with Edge(issuers=issuers) as edge:
        edge.await_armed()
        edge.product("book")
        edge.pupil = edge.person().grant("book")
        yield edge


def outcome(edge, token, **kwargs):
    response = edge.click("/go/book", token=token, **kwargs)
    assert response.status == {"redirect": 302, "login": 302,
                               "bad-token": 401}[response.outcome]
    return response.outcome


# ---- good ones

@pytest.mark.parametrize("alg", LONG)
def test_every_algorithm_of_the_design_is_believed(edge, alg):
    issuer = edge.issuers[1]
    assert outcome(edge, edge.pupil.token(issuer=issuer, alg=alg)) \
        == "redirect"


def test_own_session_token_may_be_hs256(edge):
    assert outcome(edge, edge.pupil.token(issuer=edge.issuers[2])) \
        == "redirect"


@pytest.mark.parametrize("changes", [
    {"aud": ["leerpoort"]}, {"aud": ["someone", "leerpoort"]},
    {"aud": "other"}, {"iat": None}, {"nbf": 0}, {"extra": {"a": [1, 2]}},
    {"sub": ""}, {"sub": None}, {"name": "Zoë €"}])
def test_good_claims(edge, changes):
    assert outcome(edge, edge.pupil.token(**changes)) == "redirect"


@pytest.mark.parametrize("header", [
    {"typ": None}, {"typ": "JWT"}, {"typ": "at+jwt"}, {"foo": "bar"}])
def test_good_headers(edge, header):
    assert outcome(edge, edge.pupil.token(header=header)) == "redirect"


def test_kid_may_be_absent_where_one_key_fits(edge):
    token = edge.pupil.token(issuer=edge.issuers[4], header={"kid": None})
    assert outcome(edge, token) == "redirect"


# ---- the attack list: (name, function of edge to token)

def unsigned(alg):
    return lambda e: compact({"alg": alg, "typ": "JWT"}, good(e),
                             lambda _: b"")


def good(edge, **changes):
    return edge.issuer.claims(**{**edge.pupil.claims(), **changes})


def with_header(**header):
    return lambda e: e.pupil.token(header=header)


def with_claims(**changes):
    return lambda e: e.pupil.token(**changes)


def with_payload(change):
    """A token over a payload text that change makes of the good one."""
    def make(edge):
        payload = json.dumps(good(edge)).encode()
        return edge.issuer.mint(claims=change(payload))
    return make


def confused(form):
    """HS256 with the issuer's public key as the secret."""
    def make(edge):
        key = edge.issuer.keys["RS256"]
        secret = key.public_texts()[form]
        return compact({"alg": "HS256", "kid": key.kid}, good(edge), Key(
            "HS256", key.kid, secret).sign)
    return make


def parts(edit):
    """A good token, its three parts edited."""
    return lambda e: ".".join(edit(*e.pupil.token().split(".")))


def es256(signature):
    """An ES256 token with a signature made by hand."""
    def make(edge):
        key = edge.issuer.keys["ES256"]
        return compact({"alg": "ES256", "kid": key.kid}, good(edge),
                       lambda data: signature(key, data))
    return make


N256 = int("FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84"
           "F3B9CAC2FC632551", 16)


def plus_n(key, data):
    raw = key.sign(data)
    s = int.from_bytes(raw[32:], "big") + N256
    return raw[:32] + s.to_bytes(33, "big")


def foreign(alg):
    """Signed by a stranger's key with the issuer's kid."""
    def make(edge):
        key = make_key(alg, edge.issuer.keys[alg].kid, index=1)
        return edge.pupil.token(alg=alg, key=key)
    return make


def foreign_embedded(edge):
    key = make_key("ES256", "mine")
    return edge.pupil.token(alg="ES256", key=key, header={"jwk": key.jwk()})


def other_issuers_key(edge):
    key = edge.issuers[1].keys["ES256"]
    return edge.pupil.token(alg="ES256", key=key)


def cross_alg(edge):
    """The key is bound to RS256; the signature is a good PS256 one."""
    key = edge.issuers[1].keys["RS256"]
    return edge.issuers[1].mint(alg="PS256", key=key, **edge.pupil.claims())


def last_bits(header, payload, signature):
    """Another text for the same bytes, where a decoder is lenient."""
    alphabet = ("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                "0123456789-_")
    last = alphabet.index(signature[-1])
    return header, payload, signature[:-1] + alphabet[last ^ 1]


def jwe(_edge):
    return ".".join([base64url(b'{"alg":"RSA-OAEP","enc":"A256GCM"}')]
                    + [base64url(b"x" * 16)] * 4)


def json_serialised(edge):
    header, payload, signature = edge.pupil.token().split(".")
    return json.dumps({"payload": payload, "protected": header,
                       "signature": signature}, separators=(",", ":"))


ATTACKS = {
    **{f"alg {a!r}": unsigned(a) for a in (
        "none", "None", "nOnE", "NONE", "", "null")},
    "alg none, header of a signed one": lambda e: e.pupil.token(
        header={"alg": "none"}),
    "alg missing": with_header(alg=None),
    "alg an array": with_header(alg=["RS256"]),
    "alg a number": with_header(alg=256),
    "alg null as text": lambda e: compact(
        b'{"alg":null}', good(e), e.issuer.keys["RS256"].sign),
    "alg in lower case": with_header(alg="rs256"),
    "alg not allowed": lambda e: e.pupil.token(
        alg="RS512", key=Key("RS512", e.issuer.keys["RS256"].kid,
                             e.issuer.keys["RS256"].private)),
    "alg not the key's": cross_alg,
    "alg of another type of key": with_header(alg="ES256"),
    **{f"HS256 with the public key: {form}": confused(form) for form in (
        "pem", "pem without newline", "der", "jwk", "jwk with newline")},
    "HS256 with an empty secret": lambda e: compact(
        {"alg": "HS256"}, good(e), Key("HS256", "", b"\0").sign),
    "HS256 of our own issuer for another": lambda e: e.issuer.mint(
        alg="HS256", key=e.issuers[2].keys["HS256"], **e.pupil.claims()),
    "stranger's RSA key": foreign("RS256"),
    "stranger's EC key": foreign("ES256"),
    "stranger's Ed25519 key": foreign("EdDSA"),
    "stranger's key embedded": foreign_embedded,
    "another issuer's key": other_issuers_key,
    **{f"kid {k!r}": with_header(kid=k) for k in (
        "", "../../../../dev/null", "/dev/null", "x\0y", "' OR 1=1 --",
        "school-rs256\n", "*1\r\n$7\r\nFLUSHALL\r\n", "SCHOOL-RS256",
        "k" * 4096, 7, ["school-rs256"], {"a": 1})},
    **{f"{n} in the header": with_header(**{n: v}) for n, v in {
        "jku": "http://127.0.0.1:1/jwks.json", "x5u": "http://127.0.0.1:1/x",
        "x5c": ["MIIB"], "jwk": {"kty": "oct", "k": "AAAA"},
        "crit": ["exp"], "b64": False, "zip": "DEF",
        "enc": "A256GCM"}.items()},
    "crit empty": with_header(crit=[]),
    "b64 true": with_header(b64=True),
    "typ of a logout token": with_header(typ="logout+jwt"),
    "typ of a DPoP proof": with_header(typ="dpop+jwt"),
    "typ a number": with_header(typ=1),
    "cty JWT": with_header(cty="JWT"),
    "nested": lambda e: e.issuer.mint(claims=e.pupil.token().encode(),
                                      header={"cty": "JWT"}),
    "nested, no cty": lambda e: e.issuer.mint(
        claims=e.pupil.token().encode()),
    "header twice alg": lambda e: compact(
        b'{"alg":"RS256","alg":"RS256","kid":"school-rs256"}', good(e),
        e.issuer.keys["RS256"].sign),
    "header no object": lambda e: compact(
        b'["RS256"]', good(e), e.issuer.keys["RS256"].sign),
    "header with a BOM": lambda e: compact(
        b'\xef\xbb\xbf{"alg":"RS256","kid":"school-rs256"}', good(e),
        e.issuer.keys["RS256"].sign),
    "JWE": jwe,
    "JSON serialisation": json_serialised,
    "ES256 psychic": es256(lambda k, d: bytes(64)),
    "ES256 r = 0": es256(lambda k, d: bytes(32) + k.sign(d)[32:]),
    "ES256 s = 0": es256(lambda k, d: k.sign(d)[:32] + bytes(32)),
    "ES256 r = n": es256(lambda k, d: N256.to_bytes(32, "big")
                         + k.sign(d)[32:]),
    "ES256 r = s = n": es256(lambda k, d: N256.to_bytes(32, "big") * 2),
    "ES256 all ones": es256(lambda k, d: b"\xff" * 64),
    "ES256 s + n": es256(plus_n),
    "ES256 in DER": es256(lambda k, d: k.sign_der(d)),
    "ES256 too short": es256(lambda k, d: k.sign(d)[:63]),
    "ES256 too long": es256(lambda k, d: k.sign(d) + b"\0"),
    "ES256 empty": es256(lambda k, d: b""),
    "RS256 empty signature": parts(lambda h, p, s: (h, p, "")),
    "RS256 zeros": parts(lambda h, p, s: (h, p, base64url(bytes(256)))),
    "RS256 ones": parts(lambda h, p, s: (h, p, base64url(b"\xff" * 256))),
    "RS256 with a byte more": parts(
        lambda h, p, s: (h, p, s + "AAAA")),
    "RS256 with a byte less": parts(lambda h, p, s: (h, p, s[:-4])),
    "payload exchanged": lambda e: ".".join(
        [e.pupil.token().split(".")[0],
         base64url(json.dumps(good(e, eckid="somebody")).encode()),
         e.pupil.token().split(".")[2]]),
    "header re-ordered": lambda e: ".".join(
        [base64url(b'{"kid":"school-rs256","alg":"RS256"}'),
         *e.pupil.token().split(".")[1:]]),
    "padding": parts(lambda h, p, s: (h, p, s + "==")),
    "padding in the payload": parts(lambda h, p, s: (h, p + "=", s)),
    "unused bits not zero": parts(last_bits),
    "plus and slash": parts(
        lambda h, p, s: (h, p, "+/" + s[2:])),
    "white space inside": parts(lambda h, p, s: (h, p + " ", s)),
    "newline as escape": parts(lambda h, p, s: (h, p, s + "%0A")),
    "two parts": parts(lambda h, p, s: (h, p)),
    "four parts": parts(lambda h, p, s: (h, p, s, s)),
    "five parts": parts(lambda h, p, s: (h, p, s, s, s)),
    "empty parts": lambda e: "..",
    "one dot": lambda e: ".",
    "empty header": parts(lambda h, p, s: ("", p, s)),
    "empty payload": parts(lambda h, p, s: (h, "", s)),
    "no dot": lambda e: "abc",
    "not ASCII": parts(lambda h, p, s: (h, p, "é" + s[1:])),
    "payload twice exp": with_payload(
        lambda p: p[:-1] + b',"exp":9999999999}'),
    "payload twice eckid": with_payload(
        lambda p: p[:-1] + b',"eckid":"x"}'),
    "payload twice inside": with_payload(
        lambda p: p[:-1] + b',"x":{"a":1,"a":2}}'),
    "payload no object": with_payload(lambda p: b"[" + p + b"]"),
    "payload text after": with_payload(lambda p: p + b"{}"),
    "payload cut": with_payload(lambda p: p[:-1]),
    "payload invalid UTF-8": with_payload(
        lambda p: p[:-1] + b',"n":"\xff\xfe"}'),
    "payload lone surrogate": with_payload(
        lambda p: p[:-1] + b',"n":"\\ud800"}'),
    "payload NUL": with_payload(lambda p: p[:-1] + b',"n":"a\\u0000b"}'),
    "payload with a BOM": with_payload(lambda p: b"\xef\xbb\xbf" + p),
    "payload very deep": with_payload(
        lambda p: p[:-1] + b',"d":' + b"[" * 2500 + b"]" * 2500 + b"}"),
    "payload huge number": with_payload(
        lambda p: p[:-1] + b',"n":1e400}'),
    "payload NaN": with_payload(lambda p: p[:-1] + b',"n":NaN}'),
    "exp missing": with_claims(exp=None),
    "exp text": with_claims(exp="9999999999"),
    "exp a fraction": with_claims(exp=99999999999.5),
    "exp a float": with_payload(lambda p: p.replace(
        b'"exp": ', b'"exp": 1e10, "exp2": ')),
    "exp null": with_payload(lambda p: p.replace(
        b'"exp": ', b'"exp": null, "exp2": ')),
    "exp negative": with_claims(exp=-1),
    "exp huge": with_claims(exp=2 ** 62),
    "exp beyond 64 bits": with_claims(exp=2 ** 64 + 5),
    "exp before iat": lambda e: e.pupil.token(
        exp=int(time.time()) + 30, iat=int(time.time()) + 40),
    "exp true": with_claims(exp=True),
    "nbf ahead": lambda e: e.pupil.token(nbf=int(time.time()) + 1000),
    "nbf text": with_claims(nbf="0"),
    "nbf negative": with_claims(nbf=-5),
    "iat ahead": lambda e: e.pupil.token(iat=int(time.time()) + 1000),
    "iat text": with_claims(iat="0"),
    "iat negative": with_claims(iat=-1),
    "iss missing": with_claims(iss=None),
    "iss a number": with_claims(iss=7),
    "iss an array": with_claims(iss=["https://sso.example"]),
    "iss longer": with_claims(iss="https://sso.example.evil"),
    "iss with a slash": with_claims(iss="https://sso.example/"),
    "iss shorter": with_claims(iss="https://sso.exampl"),
    "iss in capitals": with_claims(iss="https://SSO.example"),
    "iss empty": with_claims(iss=""),
    "iss of another issuer": with_claims(iss="https://every.example"),
    "aud missing": with_claims(aud=None),
    "aud another": with_claims(aud="leerpoort2"),
    "aud prefix": with_claims(aud="leer"),
    "aud a number": with_claims(aud=1),
    "aud an empty array": with_claims(aud=[]),
    "aud array of others": with_claims(aud=["a", "b"]),
    "aud array with a number": with_claims(aud=["leerpoort", 1]),
    "aud an object": with_claims(aud={"leerpoort": 1}),
    "user missing": with_claims(eckid=None),
    "user empty": with_claims(eckid=""),
    "user a number": with_claims(eckid=12),
    "user an array": with_claims(eckid=["x"]),
    "user too long": with_claims(eckid="x" * 513),
    "user with a newline": with_claims(eckid="x\ny"),
    "user with a NUL": with_claims(eckid="x\0y"),
    "user with DEL": with_claims(eckid="x\x7fy"),
    "school a number": with_claims(org=7),
    "school with a slash": with_claims(org="S1/x"),
    "school with a brace": with_claims(org="S{1}"),
    "school too long": with_claims(org="x" * 65),
    "school with a newline": with_claims(org="S1\n"),
    "school not ASCII": with_claims(org="Schoöl"),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_attack_is_refused(edge, name):
    assert outcome(edge, ATTACKS[name](edge)) == "bad-token"


def test_attacks_stand_beside_a_token_that_is_good(edge):
    """The tokens above are refused for what was changed, not for the rest."""
    assert outcome(edge, edge.pupil.token()) == "redirect"
    assert outcome(edge, edge.pupil.token(alg="ES256")) == "redirect"
    assert outcome(edge, edge.issuer.mint(claims=json.dumps(
        good(edge)).encode())) == "redirect"


def test_kid_absent_with_several_keys_of_the_algorithm():
    def issuers(folder):
        issuer = Issuer(folder, algs=["ES256"])
        issuer.write([issuer.keys["ES256"], make_key("ES256", "second")])
        return [issuer]

    with Edge(issuers=issuers) as edge:
        edge.product("book")
        person = edge.person().grant("book")
        assert person.click(token=person.token(
            header={"kid": None})).outcome == "bad-token"
        assert person.click().outcome == "redirect"


def test_weak_keys_of_a_set_do_not_count():
    def issuers(folder):
        issuer = Issuer(folder, algs=["RS256", "ES256"])
        issuer.more = {
            "rsa-1024": Key("RS256", "rsa-1024", rsa_private(1024)),
            "use-enc": make_key("ES256", "use-enc"),
            "ops": make_key("ES256", "ops"),
            "twin": make_key("ES256", "twin"),
            "other-alg": make_key("ES256", "other-alg"),
            "secret": make_key("HS256", "secret"),
        }
        jwks = [issuer.keys["RS256"], issuer.more["rsa-1024"],
                issuer.more["use-enc"].jwk(use="enc"),
                issuer.more["ops"].jwk(use=None, key_ops=["sign"]),
                issuer.more["twin"], make_key("ES256", "twin"),
                issuer.more["other-alg"].jwk(alg="ES384"),
                issuer.more["secret"]]
        issuer.write(jwks)
        return [issuer]

    with Edge(issuers=issuers) as edge:
        edge.product("book")
        person = edge.person().grant("book")
        assert person.click().outcome == "redirect"
        for name, key in edge.issuer.more.items():
            token = person.token(alg=key.alg, key=key)
            assert person.click(token=token).outcome == "bad-token", name


# ---- size and place

def of_length(edge, length):
    """A good token of exactly so many bytes: base64url knows no length of
    4n + 1, so the header takes what the payload can't."""
    pad = (length - len(edge.pupil.token(alg="EdDSA"))) * 3 // 4
    for header in range(4):
        for payload in range(pad - 24, pad + 4):
            token = edge.pupil.token(alg="EdDSA", pad="x" * payload,
                                     header={"pad": "y" * header})
            if len(token) == length:
                return token
    raise AssertionError(f"no token of {length} bytes")


@pytest.mark.parametrize("length, expected", [
    (8190, "redirect"), (8191, "redirect"), (8192, "redirect"),
    (8193, "bad-token"), (16384, "bad-token")])
def test_length(edge, length, expected):
    assert outcome(edge, of_length(edge, length)) == expected


@pytest.mark.parametrize("value", ["Bearer", "Bearer ", "Bearer   "])
def test_empty_bearer_is_a_bad_token(edge, value):
    response = edge.click("/go/book", headers=[("Authorization", value)])
    assert (response.status, response.outcome) == (401, "bad-token")


@pytest.mark.parametrize("headers, expected", [
    (["Authorization: Basic dXNlcjpwYXNz"], "login"),
    (["Authorization: Bearers x"], "login"),
    (["Cookie: leerpoort="], "login"),
    (["Cookie: other=1"], "login"),
    (["Cookie: leerpoort=not.a.token"], "bad-token"),
    (["Cookie: __Host-leerpoort=not.a.token"], "bad-token"),
    (["Cookie: __Host-leerpoort="], "login"),
    (["Cookie: x__Host-leerpoort=a; __Host-leerpoort-session=b"], "login"),
    (["Cookie: __Secure-leerpoort=not.a.token"], "login"),
])
def test_where_a_token_is_looked_for(edge, headers, expected):
    assert edge.click("/go/book", headers=headers).outcome == expected


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_scheme_in_any_case(edge, scheme):
    response = edge.click("/go/book", headers=[
        ("Authorization", f"{scheme} {edge.pupil.token()}")])
    assert response.outcome == "redirect"


def test_cookie_carries_a_token(edge):
    assert outcome(edge, None, cookie=edge.pupil.token()) == "redirect"


@pytest.mark.parametrize("name, secure", [
    ("__Host-leerpoort", "; Secure"), ("leerpoort", "")])
def test_a_cookie_that_is_not_believed_goes(edge, name, secure):
    """Else whoever has one, of a key that is gone say, would be refused until
    it ends, while a new one is a redirect away."""
    good = edge.pupil.token()
    for bad in ("not.a.token", good[:-6] + "AAAAAA"):
        answer = edge.click("/go/book", headers=[
            ("Cookie", f"a=b; {name}={bad}"), ("Accept", "text/html")])
        assert (answer.status, answer.outcome) == (401, "bad-token")
        assert answer.header("Set-Cookie") == (
            f"{name}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax{secure}")
        # by a button: one that stays must not make a circle
        assert b'href="/go/book">Probeer' in answer.body
        assert answer.header("Refresh") is None
    for headers in ([("Authorization", "Bearer x")],
                    [("Authorization", "Bearer x"),
                     ("Cookie", f"{name}={good}")],
                    [("Cookie", f"{name}={good}")]):
        answer = edge.click("/go/book", headers=headers)
        assert answer.header("Set-Cookie") is None


def test_bearer_wins_over_the_cookie(edge):
    good_token = edge.pupil.token()
    assert outcome(edge, good_token, cookie="not.a.token") == "redirect"
    assert outcome(edge, "not.a.token", cookie=good_token) == "bad-token"


def test_the_host_s_own_cookie_wins_over_the_plain_one(edge):
    """Nobody but this host can have set the first."""
    good = edge.pupil.token()
    for cookies, expected in (
            (f"__Host-leerpoort={good}", "redirect"),
            (f"leerpoort=not.a.token; __Host-leerpoort={good}", "redirect"),
            (f"leerpoort={good}; __Host-leerpoort=not.a.token", "bad-token"),
            (f"leerpoort={good}; __Host-leerpoort=", "redirect"),
            (f"leerpoort={good};__Host-leerpoort=;__host-leerpoort=a",
             "redirect"),
            (f"__Host-leerpoort=; __Host-leerpoort={good};", "redirect"),
            (f"=; ;;  leerpoort={good}", "redirect")):
        assert edge.click("/go/book", headers=[
            f"Cookie: {cookies}"]).outcome == expected, cookies


def test_session_is_a_variable_of_any_request():
    server = """location = /session { return 200 "<$leerpoort_session>"; }
                location /other/ { leerpoort_click;
                                   leerpoort_token $leerpoort_session; }"""
    with Edge(server=server) as edge:
        edge.product("book")
        token = edge.person().grant("book").token()
        for cookies, expected in (
                ("a=b", ""), ("leerpoort=x", "x"),
                ("leerpoort=x; __Host-leerpoort=y", "y")):
            assert edge.click("/session", headers=[
                f"Cookie: {cookies}"]).body == f"<{expected}>".encode()
        assert edge.click("/other/book", headers=[
            f"Cookie: __Host-leerpoort={token}"]).outcome == "redirect"
        assert edge.click("/other/book", token=token).outcome == "login"


def test_another_scheme_leaves_the_cookie(edge):
    assert outcome(edge, None, cookie=edge.pupil.token(), headers=[
        "Authorization: Basic dXNlcjpwYXNz"]) == "redirect"


@pytest.mark.parametrize("order", [0, 1])
def test_several_authorization_headers(edge, order):
    """Never the one that somebody else did not look at: two are refused, by
    nginx (400) or by the module."""
    values = [f"Bearer {edge.pupil.token()}", "Bearer not.a.token"]
    response = edge.click("/go/book", headers=[
        ("Authorization", v) for v in (values[order], values[1 - order])])
    assert response.status in (400, 401)
    assert response.location is None


def test_token_in_the_query_is_not_looked_at(edge):
    token = edge.pupil.token()
    for name in ("access_token", "token", "leerpoort"):
        assert edge.click(f"/go/book?{name}={token}").outcome == "login"


def test_leerpoort_token_names_other_places():
    server = "leerpoort_token $http_x_token $arg_t;"
    with Edge(server=server) as edge:
        edge.product("book")
        person = edge.person().grant("book")
        token = person.token()
        assert edge.click("/go/book", headers=[("X-Token", token)]).outcome \
            == "redirect"
        assert edge.click(f"/go/book?t={token}").outcome == "redirect"
        assert edge.click("/go/book", cookie=token).outcome == "login"
        assert edge.click("/go/book", token=token).outcome == "login"


# ---- time

def test_leeway_is_counted(edge):
    now = int(time.time())
    for exp, expected in ((now - 30, "redirect"), (now - 120, "login")):
        assert outcome(edge, edge.pupil.token(iat=now - 600, exp=exp)) \
            == expected
    assert outcome(edge, edge.pupil.token(nbf=now + 30)) == "redirect"
    assert outcome(edge, edge.pupil.token(iat=now + 30)) == "redirect"


def test_exp_counts_to_the_second_without_leeway(edge):
    """now < exp: at exp itself the token has expired, cached or not."""
    strict = edge.issuers[3]
    exp = int(time.time()) + 2
    token = edge.pupil.token(issuer=strict, exp=exp)
    assert outcome(edge, token) == "redirect"
    while True:
        before = time.time()
        answer = outcome(edge, token)
        after = time.time()
        # nginx's own clock may lag by a few milliseconds
        if after < exp:
            assert answer == "redirect"
        elif before > exp + 0.05:
            assert answer == "login"
            break
        time.sleep(0.01)


def test_max_age_counts_from_iat(edge):
    strict = edge.issuers[3]
    now = int(time.time())
    for iat, expected in ((now - 590, "redirect"), (now - 610, "login"),
                          (None, "bad-token")):
        assert outcome(edge, edge.pupil.token(
            issuer=strict, iat=iat, exp=now + 7200)) == expected


def test_max_age_ends_a_cached_token(edge):
    strict = edge.issuers[3]
    now = int(time.time())
    token = edge.pupil.token(issuer=strict, iat=now - 598, exp=now + 7200)
    assert outcome(edge, token) == "redirect"
    eventually("the token is too old",
               lambda: outcome(edge, token) == "login", 5, 0.05)


def test_cached_token_is_its_holders_alone(edge):
    """Another token of the same length, one character different."""
    token = edge.pupil.token()
    assert outcome(edge, token) == "redirect"
    header, payload, signature = token.split(".")
    flipped = ("A" if signature[10] != "A" else "B")
    forged = f"{header}.{payload}.{signature[:10]}{flipped}{signature[11:]}"
    assert outcome(edge, forged) == "bad-token"
    assert outcome(edge, token) == "redirect"


# ---- keys that change without a reload

@pytest.fixture
def rotating():
    """Two issuers: "school", whose file the test changes, and "clock", whose
    file shows by a change of its own that files were looked at again."""
    def issuers(folder):
        return [Issuer(folder, algs=["ES256"]),
                Issuer(folder, "clock", "https://clock.example",
                       algs=["ES256"])]

    with Edge(issuers=issuers) as edge:
        edge.await_armed()
        edge.product("book")
        edge.pupil = edge.person().grant("book")
        yield edge


WITHIN = 1.5        # the promise is one second; the rest is the machine's


def looked_again(edge, times=2):
    """Returns once every JWKS file was looked at so many times more."""
    clock = edge.issuers[1]
    for _ in range(times):
        old = edge.pupil.token(issuer=clock)
        clock.keys["ES256"] = make_key("ES256", f"clock-{time.time_ns()}")
        clock.write()
        eventually("the other file was read again", lambda: outcome(
            edge, old) == "bad-token", 5, 0.02)


def test_new_key_counts(rotating):
    issuer = rotating.issuer
    new = make_key("ES256", "new")
    token = rotating.pupil.token(key=new)
    assert outcome(rotating, token) == "bad-token"
    issuer.write([issuer.keys["ES256"], new])
    # the same token: a refusal must not be remembered for long
    eventually("the new key counts", lambda: outcome(
        rotating, token) == "redirect", WITHIN, 0.02)
    assert outcome(rotating, rotating.pupil.token()) == "redirect"


def test_gone_key_stops_counting_cached_tokens_included(rotating):
    issuer = rotating.issuer
    cached, fresh = rotating.pupil.token(), rotating.pupil.token(jti="2")
    assert outcome(rotating, cached) == "redirect"
    new = make_key("ES256", "new")
    issuer.write([new])
    eventually("the gone key stops counting", lambda: outcome(
        rotating, cached) == "bad-token", WITHIN, 0.02)
    assert outcome(rotating, fresh) == "bad-token"
    assert outcome(rotating, rotating.pupil.token(key=new)) == "redirect"


def test_key_replaced_under_the_same_kid(rotating):
    cached = rotating.pupil.token()
    assert outcome(rotating, cached) == "redirect"
    new = make_key("ES256", rotating.issuer.keys["ES256"].kid)
    rotating.issuer.write([new])
    eventually("the old key stops counting", lambda: outcome(
        rotating, cached) == "bad-token", WITHIN, 0.02)
    assert outcome(rotating, rotating.pupil.token(key=new)) == "redirect"


def test_file_written_in_place_is_read_again(rotating):
    issuer = rotating.issuer
    new = make_key("ES256", "new")
    issuer.jwks.write_text(json.dumps({"keys": [new.jwk()]}))
    eventually("the new key counts", lambda: outcome(
        rotating, rotating.pupil.token(key=new)) == "redirect", WITHIN, 0.02)


BROKEN = {
    "empty": "", "cut": "{", "an array": "[]", "no keys": '{"keys":[]}',
    "keys no array": '{"keys":{}}', "a NUL": "\0", "HTML": "<html>404</html>",
    "a secret": '{"keys":[{"kty":"oct","k":"AAAA"}]}',
    "deep": '{"keys":' + "[" * 5000, "a megabyte": " " * 1_000_000}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_file_keeps_the_old_keys_and_says_so_once(rotating, name):
    issuer = rotating.issuer
    replace(issuer.jwks, BROKEN[name])
    eventually("the log names the file", lambda: issuer.jwks.name
               in rotating.nginx.log(), 5)
    looked_again(rotating)
    assert outcome(rotating, rotating.pupil.token(jti="3")) == "redirect"
    lines = [line for line in rotating.nginx.log().splitlines()
             if issuer.jwks.name in line]
    assert len(lines) == 1, lines
    new = make_key("ES256", "after")
    issuer.write([new])
    eventually("the mended file counts", lambda: outcome(
        rotating, rotating.pupil.token(key=new)) == "redirect", WITHIN, 0.02)


def test_deleted_file_keeps_the_old_keys_until_it_is_restored(rotating):
    issuer = rotating.issuer
    issuer.jwks.unlink()
    looked_again(rotating)
    assert outcome(rotating, rotating.pupil.token(jti="4")) == "redirect"
    lines = [line for line in rotating.nginx.log().splitlines()
             if issuer.jwks.name in line]
    assert len(lines) == 1, lines
    new = make_key("ES256", "restored")
    issuer.write([new])
    eventually("the restored file counts", lambda: outcome(
        rotating, rotating.pupil.token(key=new)) == "redirect", WITHIN, 0.02)


def test_rotation_reaches_every_worker():
    def issuers(folder):
        return [Issuer(folder, algs=["ES256"])]

    with Edge(issuers=issuers, workers=2) as edge:
        edge.await_armed()
        edge.product("book")
        person = edge.person().grant("book")
        old = person.token()
        workers = edge.to_each_worker()
        for connection in workers.values():
            assert connection.click("/go/book", token=old).outcome \
                == "redirect"
        new = make_key("ES256", "new")
        edge.issuer.write([new])
        started = time.monotonic()
        for connection in workers.values():
            eventually("the old key stops counting", lambda c=connection:
                       c.click("/go/book", token=old).outcome == "bad-token",
                       WITHIN, 0.02)
        assert time.monotonic() - started < WITHIN + 0.5
        # From here on the old token stays refused on each of them.
        for _ in range(20):
            for connection in workers.values():
                assert connection.click("/go/book", token=old).outcome \
                    == "bad-token"
        for connection in workers.values():
            assert connection.click("/go/book", token=person.token(
                key=new)).outcome == "redirect"
            connection.close()


def test_nobody_is_taken_for_another_where_more_come_than_are_at_hand():
    """A zone of 1 MB has 455 tokens at hand: each of 1,200 takes the place of
    another one, and every other pupil has no right."""
    def issuers(folder):
        return [Issuer(folder, "leerpoort", "https://toegang.example",
                       algs=["HS256"])]

    with Edge(issuers=issuers, zone="1m") as edge:
        edge.await_armed()
        edge.product("book")
        people = [edge.person() for _ in range(1200)]
        edge.redis.pipeline([("HSET", person.hash(), "book", right())
                             for person in people[::2]])
        tokens = [person.token() for person in people]
        with Connection(edge.port) as connection:
            for _ in range(2):
                assert [connection.click("/go/book", token=token).outcome
                        for token in tokens] == ["redirect", "no-right"] * 600
            # another's claims before the signature by which it is looked for
            head, claims, signature = tokens[-2].split(".")
            other = tokens[0].split(".")[1]
            assert connection.click(
                "/go/book", token=tokens[-2]).outcome == "redirect"
            assert connection.click("/go/book", token=".".join(
                (head, other, signature))).outcome == "bad-token"


# ---- published vectors

def test_jose_cookbook_tokens_are_refused(edge, vectors):
    """They verify at the signature layer; here they have no claims."""
    refused = 0
    for file in sorted(vectors.glob("jose-cookbook/*/*.json")):
        if file.parent.name == "jwk":
            continue
        document = json.loads(file.read_text())
        output = document.get("output", document)
        for form in ("compact", "json", "json_flat"):
            text = output.get(form)
            if text is None:
                continue
            if not isinstance(text, str):
                text = json.dumps(text, separators=(",", ":"))
            assert outcome(edge, text) == "bad-token", file
            refused += 1
    assert refused > 20
