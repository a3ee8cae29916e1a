"""The way back from a provider: who may come in, and that nobody else does,
whatever the browser, the provider or somebody in between sends."""

import base64
import contextlib
import html
import json
import re
import secrets
import socket
import subprocess
import threading
import time
import urllib.parse

import pytest

from lib import names
from lib.canary import Canaries, dump, files
from lib.door import SAID, Browser, Door
from lib.edge import Edge
from lib.http import at_once
from lib.process import eventually
from lib.provider import LOGOUT, Provider
from lib.relay import Keys
from lib.stand_in import GARBAGE, HALF, HANG_UP
from lib.tokens import Issuer, compact, make_key

BOOK = "https://publisher.example/book"
BACK = "/sso/callback?"
SECRET_TEXT = "the-description-of-an-error-that-nobody-shows"


def make_certificate(folder, name):
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
         "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2",
         "-keyout", str(key), "-out", str(cert)],
        check=True, capture_output=True, timeout=60)
    return cert, key


class KeySocket:
    """leerpoort-keys as far as it hears who asks for keys."""

    def __init__(self, path, publish):
        self.asked = []
        self.publish = publish      # issuer -> None
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(0.1)
        self._ends = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while not self._ends:
            try:
                issuer = self._socket.recv(4096).decode()
            except TimeoutError:
                continue
            self.asked.append(issuer)
            self.publish(issuer)

    def close(self):
        self._ends = True
        self._thread.join(10)
        self._socket.close()


class Doors(Door):
    """A door with every kind of provider beside the usual one."""

    def __init__(self, folder):
        super().__init__(folder)
        keys = Keys(folder, "PS256")
        self.trusted = make_certificate(self.folder, "trusted")
        self.own = {
            "post": Provider("post", auth="client_secret_post",
                             algs=("RS256",)),
            "key": Provider("key", client_id="https://toegang.example/client",
                            auth="private_key_jwt", algs=("PS256",)),
            "public": Provider("public", auth="none", algs=("EdDSA",)),
            "tls": Provider("tls", certificate=self.trusted),
            "stranger": Provider("stranger", certificate=make_certificate(
                self.folder, "stranger")),
            "away": Provider("away"),
            "moved": Provider("moved"),
        }
        self.own["key"].assertion_key = keys.public
        self.own["moved"].metadata = {"token_endpoint":
                                      "http://192.0.2.1/token"}
        self.changes = {
            "post": {"userinfo": True, "schoolRequired": True},
            "key": {"keyFile": str(keys.file)}}
        self.keys_asked = None
        self._rotating = threading.Event()

    def _open(self, stack):
        for provider in self.own.values():
            provider.publish(self.keys)
            if provider.name != "away":
                provider.start()
                stack.callback(provider.stop)
        self.keys_asked = KeySocket(self.folder / "keys.sock", self._publish)
        stack.callback(self.keys_asked.close)
        super()._open(stack)

    def _publish(self, issuer):
        if self._rotating.is_set():
            for provider in (self.provider, *self.own.values()):
                if provider.issuer == issuer:
                    provider.publish(self.keys)

    @contextlib.contextmanager
    def rotating(self):
        """New keys are fetched when they are asked for."""
        self._rotating.set()
        try:
            yield
        finally:
            self._rotating.clear()

    def entries(self):
        return super().entries() + [
            provider.entry(self.folder, **self.changes.get(name, {}))
            for name, provider in self.own.items()]

    def options(self):
        return {"ca": self.trusted[0], "allow": [SAID],
                "key_socket": self.folder / "keys.sock"}

    def named(self, name):
        return self.provider if name == "school" else self.own[name]


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    with Doors(tmp_path_factory.mktemp("callback")) as door:
        door.edge.product("book")
        yield door
    for provider in door.own.values():
        assert not provider.complaints, provider.complaints


@pytest.fixture
def pupil(door):
    """Somebody new with a right to the book, whom all providers know."""
    person = door.edge.person().grant("book")
    for provider in (door.provider, *door.own.values()):
        provider.sub = f"sub-{person.key()}"
        provider.claims = {"eckid": person.ids["eckid"][1],
                           "org": person.school}
        provider.userinfo = None
    door.own["post"].userinfo = door.own["post"].claims
    door.own["post"].claims = {}
    door.redis("HSET", f"school:{{{names.shard('S1')}}}:S1", "name", "")
    yield person
    for provider in (door.provider, *door.own.values()):
        provider.faults, provider.id_token, provider.header = {}, {}, {}
        provider.signer, provider.authorize = None, None


class Visit:
    """A sign-in of a browser at a provider, step by step."""

    def __init__(self, door, name="school", browser=None, back="/go/book"):
        self.door, self.provider = door, door.named(name)
        self.browser = browser or Browser(door)
        answer = self.browser.get(
            f"/sso/login?return={urllib.parse.quote(back, '')}"
            f"&provider={name}")
        assert answer.status in (302, 303), (answer.status, answer.body)
        url = urllib.parse.urlsplit(answer.location)
        assert answer.location.startswith(self.provider.issuer + "/authorize")
        self.form = dict(urllib.parse.parse_qsl(url.query,
                                                strict_parsing=True))
        self.provider._check_request(self.form)

    def sent_back(self, **changes):
        """The parameters of the way back; None leaves one out."""
        sent = {**self.provider.answer_to(self.form), **changes}
        return {name: v for name, v in sent.items() if v is not None}

    def come_back(self, browser=None, more="", **changes):
        return (browser or self.browser).get(
            BACK + urllib.parse.urlencode(self.sent_back(**changes)) + more)

    def refused(self, outcome, answer=None, **changes):
        """Comes back and is turned away with a page of this kind."""
        answer = answer or self.come_back(**changes)
        assert answer.outcome == outcome, (answer.outcome, answer.body)
        assert answer.header("Leerpoort-Code")
        assert answer.header("Cache-Control") == "no-store"
        self.is_nobody()
        return answer

    def is_nobody(self):
        for name in ("__Host-leerpoort", "__Host-leerpoort-session"):
            assert name not in self.browser.jar

    def arrived(self, answer=None, **changes):
        answer = answer or self.come_back(**changes)
        assert answer.status == 303, (answer.outcome, answer.body)
        assert answer.location == "/go/book"
        assert self.browser.get("/go/book").location == BOOK
        return self


def again_link(answer):
    """Where the page's link begins anew."""
    found = re.search(r'href="(/sso/login[^"]*)"', answer.body.decode())
    assert found, answer.body
    return html.unescape(found[1])


def claims_of(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


# --- coming in ----------------------------------------------------------------

@pytest.mark.parametrize("name", ["school", "post", "key", "public", "tls"])
def test_each_way_of_showing_who_we_are(door, pupil, name):
    visit = Visit(door, name).arrived()
    assert claims_of(visit.browser.jar["__Host-leerpoort"])["ECK"] \
        == pupil.ids["eckid"][1]


def test_two_tabs_of_a_browser_both_arrive_in_any_order(door, pupil):
    browser = Browser(door)
    first = Visit(door, browser=browser)
    second = Visit(door, browser=browser)
    third = Visit(door, "public", browser=browser)
    for visit in (second, third, first):
        visit.arrived()


def test_the_way_back_of_an_account_link(door, pupil):
    way = "/lti/link/" + "a" * 43
    answer = Visit(door, back=way).come_back()
    assert answer.status == 303 and answer.location == way


def test_nobody_learns_what_a_sign_in_was_made_of(door, pupil):
    """No code, state, nonce, token, secret or id in logs, pages or Redis."""
    secret = "said-by-provider-" + secrets.token_urlsafe(16)
    visits = [Visit(door, "post"), Visit(door, "post"), Visit(door, "post")]
    provider = visits[0].provider
    canaries = Canaries()
    sent = [visit.sent_back() for visit in visits]
    for visit, parameters in zip(visits, sent):
        canaries.add("code", parameters["code"])
        canaries.add("state", parameters["state"])
        canaries.add("nonce", visit.form["nonce"])
    target = [BACK + urllib.parse.urlencode(p) for p in sent]
    pages = [visits[0].browser.get(target[0]).body]
    provider.id_token = {"nonce": "another-nonce-" + secret}
    pages.append(visits[1].browser.get(target[1]).body)
    provider.faults = {"token": (400, {}, json.dumps(
        {"error": "invalid_grant", "error_description": secret}).encode())}
    pages.append(visits[2].browser.get(target[2]).body)
    canaries.add("secret", secret)
    canaries.add("client secret", provider.secret)
    canaries.add("id", pupil.ids["eckid"][1][-64:])
    canaries.add("subject", provider.sub)
    for token in provider.issued[-2:]:
        canaries.add_token("id_token", token)
    for token in list(provider.tokens)[-2:]:
        canaries.add("access token", token)
    assert canaries.find(b"\n".join(pages)) == []
    assert canaries.find(dump(door.redis)) == []
    for path, text in files(door.edge.nginx.folder, door.folder):
        # the access log of these tests has whole request lines; operators'
        # have not (lua-free-conf/nginx.conf)
        if path.suffix in (".log", "") and path.name not in (
                "access.log", "pepper", "seal"):
            assert canaries.find(text) == [], path


# --- what the browser brings --------------------------------------------------

@pytest.mark.parametrize("changes, more, outcome", [
    ({"state": None}, "", "sign-in-old"),
    ({"state": ""}, "", "sign-in-old"),
    ({"state": "A" * 43}, "", "sign-in-old"),
    ({"state": "A" * 42}, "", "sign-in-old"),
    ({"state": "A" * 300}, "", "sign-in-old"),
    ({"state": "../*?[a]" * 5}, "", "sign-in-old"),
    ({"state": "a\r\nb"}, "", "sign-in-wrong"),
    ({}, "&state=x", "sign-in-wrong"),
    ({}, "&code=x", "sign-in-wrong"),
    ({}, "&iss=x", "sign-in-wrong"),
    ({}, "&code=%", "sign-in-wrong"),
    ({"code": None}, "", "sign-in-wrong"),
    ({"code": ""}, "", "sign-in-wrong"),
    ({"code": "a" * 4097}, "", "sign-in-wrong"),
    ({"iss": None}, "", "sign-in-wrong"),
    ({"iss": ""}, "", "sign-in-wrong"),
    ({"iss": "https://other.example"}, "", "sign-in-wrong"),
    ({"error": "access_denied", "iss": None}, "", "sign-in-wrong"),
    ({"error": "access_denied"}, "", "sign-in-refused"),
    ({"error": "login_required", "code": None}, "", "sign-in-refused"),
    ({"error": "x" * 64}, "", "sign-in-refused"),
    ({"error": "x" * 65}, "", "sign-in-wrong"),
    ({"error": "server_error"}, "", "provider-down"),
    ({"error": "temporarily_unavailable"}, "", "provider-down"),
], ids=str)
def test_what_comes_back_is_judged_before_anybody_is_asked(
        door, pupil, changes, more, outcome):
    visit = Visit(door)
    asked = visit.provider.asked.get("/token", 0)
    answer = visit.refused(outcome, visit.come_back(more=more, **changes))
    assert visit.provider.asked.get("/token", 0) == asked
    assert again_link(answer).startswith("/sso/login")


def test_a_very_long_query_is_turned_away(door):
    answer = Browser(door).get(BACK + "x=" + "a" * 20000 + "&state=b")
    assert answer.outcome == "sign-in-wrong"


def test_an_error_is_told_in_our_own_words(door, pupil):
    for error in ("access_denied", "<script>alert(1)</script>"):
        answer = Visit(door).refused(
            "sign-in-refused", error=error, error_description=SECRET_TEXT
            + "<b>", error_uri="https://evil.example/")
        page = answer.body.decode()
        assert SECRET_TEXT not in page and "<script" not in page
        assert "evil.example" not in page
        assert again_link(answer) \
            == "/sso/login?return=%2Fgo%2Fbook&provider=school"
    assert SECRET_TEXT not in door.workers.said()
    assert "<script" not in door.workers.said()


def test_another_browser_can_not_use_a_sign_in_and_does_not_spoil_it(
        door, pupil):
    visit = Visit(door)
    stranger = Visit(door)      # has begun one of its own
    sent = visit.sent_back()
    target = BACK + urllib.parse.urlencode(sent)
    stranger.refused("sign-in-other", stranger.browser.get(target))
    nobody = Browser(door)
    assert nobody.get(target).outcome == "no-cookies"
    assert not nobody.jar.get("__Host-leerpoort")
    visit.arrived(visit.browser.get(target))


def test_the_back_button_leads_to_a_page_and_to_the_same_session(
        door, pupil):
    visit = Visit(door)
    target = BACK + urllib.parse.urlencode(visit.sent_back())
    visit.arrived(visit.browser.get(target))
    session = visit.browser.jar["__Host-leerpoort-session"]
    asked = visit.provider.asked["/token"]
    for _ in range(2):
        answer = visit.browser.get(target)
        assert answer.outcome == "sign-in-old" and again_link(answer)
    assert visit.provider.asked["/token"] == asked
    assert visit.browser.jar["__Host-leerpoort-session"] == session
    assert visit.browser.get("/go/book").location == BOOK


def test_of_many_at_once_with_one_state_one_arrives(door, pupil):
    visit = Visit(door)
    target = BACK + urllib.parse.urlencode(visit.sent_back())
    copies = [Browser(door, dict(visit.browser.jar)) for _ in range(16)]
    answers = at_once(16, lambda i: copies[i].get(target))
    assert sorted(answer.status for answer in answers) == [303] + [400] * 15


def test_a_sign_in_that_is_too_old_is_over(door, pupil):
    visit = Visit(door)
    keys = door.redis("KEYS", "signin:*")
    assert keys and all(0 < door.redis("TTL", key) <= 600 for key in keys)
    door.redis("DEL", *keys)     # as Redis does after ten minutes
    answer = visit.refused("sign-in-old")
    assert visit.browser.get(again_link(answer)).status in (200, 303)


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE"])
def test_only_a_get_comes_back(door, pupil, method):
    visit = Visit(door)
    target = BACK + urllib.parse.urlencode(visit.sent_back())
    answer = door.edge.click(target, method=method, headers=[
        ("Cookie", visit.browser.cookies()), ("Content-Length", "0")])
    assert answer.status in (400, 404, 405), answer.status
    assert not answer.all("Set-Cookie")
    visit.arrived(visit.browser.get(target))


# --- mix-ups ------------------------------------------------------------------

def test_an_answer_of_another_provider_is_no_answer(door, pupil):
    """RFC 9207: the code of one never goes to the token endpoint of another."""
    visit, other = Visit(door), Visit(door, "public")
    asked = [p.asked.get("/token", 0) for p in (visit.provider,
                                                other.provider)]
    sent = {**other.sent_back(), "state": visit.form["state"]}
    visit.refused("sign-in-wrong", visit.browser.get(
        BACK + urllib.parse.urlencode(sent)))
    assert asked == [p.asked.get("/token", 0) for p in (visit.provider,
                                                        other.provider)]


def test_a_code_of_somebody_else_is_of_no_use(door, pupil):
    """A code put into another's sign-in: PKCE and nonce both speak against."""
    victim, thief = Visit(door), Visit(door)
    code = victim.sent_back()["code"]
    thief.refused("sign-in-wrong", code=code)
    assert len(thief.provider.complaints) == 1
    assert "code_verifier" in thief.provider.complaints.pop()


def test_a_code_is_used_once(door, pupil):
    visit = Visit(door)
    sent = visit.sent_back()
    visit.arrived(visit.browser.get(BACK + urllib.parse.urlencode(sent)))
    later = Visit(door)
    later.refused("sign-in-wrong", code=sent["code"])


def test_an_id_token_of_another_provider_is_refused(door, pupil):
    visit, other = Visit(door), door.own["public"]
    visit.provider.id_token = lambda claims: other.make_id_token(
        claims["nonce"])
    visit.refused("sign-in-wrong")


def test_a_provider_that_was_taken_out_meanwhile(door, pupil):
    before = set(door.redis("KEYS", "signin:*"))
    visit = Visit(door, "public")
    key, = set(door.redis("KEYS", "signin:*")) - before
    door.redis("HSET", key, "provider", "gone")
    answer = visit.refused("unknown-provider")
    assert again_link(answer) == "/sso/login?return=%2Fgo%2Fbook"


# --- the id_token -------------------------------------------------------------

def other_times(**offsets):
    return lambda now: {name: now + n for name, n in offsets.items()}


@pytest.mark.parametrize("changes", [
    {"iss": "https://other.example"}, {"iss": None},
    {"aud": "another-client"}, {"aud": None}, {"aud": []},
    {"aud": ["leerpoort", "another"]},
    {"aud": ["leerpoort", "another"], "azp": "another"},
    {"azp": "another"},
    {"nonce": None}, {"nonce": ""}, {"nonce": "A" * 43},
    {"sub": None}, {"sub": ""}, {"sub": 7}, {"sub": "s" * 256},
    {"at_hash": "A" * 22}, {"at_hash": 7},
    {"exp": None}, {"exp": "soon"}, {"iat": None},
    other_times(exp=-40), other_times(exp=-40, iat=-400),
    other_times(iat=60), other_times(nbf=60),
    {"events": {LOGOUT: {}}},
], ids=lambda value: "times" if callable(value) else str(value)[:40])
def test_a_claim_that_is_wrong_lets_nobody_in(door, pupil, changes):
    visit = Visit(door)
    if callable(changes):
        changes = changes(int(time.time()))
    visit.provider.id_token = changes
    visit.refused("sign-in-wrong")
    visit.provider.id_token = {}
    Visit(door, browser=visit.browser).arrived()


@pytest.mark.parametrize("changes", [
    {"aud": ["leerpoort"]},
    {"aud": ["another", "leerpoort"], "azp": "leerpoort"},
    {"at_hash": None}, {"sub": "s" * 255}, {"nonsense": {"a": [1, {}]}},
    other_times(exp=200.5, iat=-2.25, nbf=-2.25),
    other_times(exp=-5, iat=-300), other_times(iat=20, exp=300), other_times(nbf=20),
], ids=lambda value: "times" if callable(value) else str(value)[:40])
def test_what_is_right_or_almost_on_time_lets_in(door, pupil, changes):
    """30 seconds by which clocks may differ, less some for slow machines."""
    visit = Visit(door)
    if callable(changes):
        changes = changes(int(time.time()))
    visit.provider.id_token = changes
    visit.arrived()


def unsigned(claims):
    return compact({"alg": "none"}, claims, lambda data: b"")


def by_secret(door):
    """HS256 with what the provider and everybody know: its public key."""
    key = make_key("HS256", door.provider.key().kid)
    key.private = door.provider.key().public_texts()["pem"]
    return lambda claims: door.provider.mint(claims, key=key)


@pytest.mark.parametrize("made", [
    lambda door: unsigned,
    by_secret,
    lambda door: lambda claims: door.provider.mint(claims, key=make_key(
        "ES256", door.provider.key().kid)),
    lambda door: lambda claims: door.provider.mint(
        claims, {"alg": "RS256"}),
    lambda door: lambda claims: door.provider.mint(claims, {"typ": "at+jwt"}),
    lambda door: lambda claims: door.provider.mint(
        claims, {"typ": "logout+jwt"}),
    lambda door: lambda claims: door.provider.mint(
        claims, {"jwk": door.provider.key().jwk()}),
    lambda door: lambda claims: door.provider.mint(claims, {"crit": ["exp"]}),
    lambda door: lambda claims: door.provider.mint(claims)[:-8] + "AAAAAAAA",
    lambda door: lambda claims: door.provider.mint(
        {**claims, "more": "a" * 9000}),
    lambda door: lambda claims: "a.b.c",
    lambda door: lambda claims: "",
], ids=["none", "HS256", "another key", "another alg", "access token",
        "logout token", "its own key", "crit", "signature", "long", "garbage",
        "empty"])
def test_a_token_that_is_not_signed_as_it_should_be(door, pupil, made):
    visit = Visit(door)
    visit.provider.id_token = made(door)
    visit.refused("sign-in-wrong")


def test_an_id_token_opens_neither_a_book_nor_the_api(door, pupil):
    Visit(door).arrived()
    token = door.provider.issued[-1]
    assert door.edge.click(token=token).outcome == "bad-token"
    assert door.edge.click(cookie=token).outcome == "bad-token"
    jar = [("Cookie", f"__Host-leerpoort={token}")]
    assert door.edge.click(headers=jar).outcome == "bad-token"

    def trusted(folder):
        """An edge that knows the provider, for access tokens of its own."""
        issuer = Issuer(folder, "school", door.provider.issuer, ("ES256",),
                        "https://toegang.example/v1")
        issuer.write(door.provider.keys)
        return [issuer]

    api = """
        location /v1/ { leerpoort_auth school; empty_gif; }"""
    with Edge(issuers=trusted, server=api) as edge:
        edge.product("book")
        assert edge.click(token=token).outcome == "bad-token"
        headers = [("Authorization", f"Bearer {token}")]
        assert edge.click("/v1/usage", headers=headers).status == 401


# --- keys that change ---------------------------------------------------------

def test_nobody_fails_when_a_provider_changes_its_keys(door, pupil):
    with door.rotating():
        door.provider.rotate(keep=False)
        visits = [Visit(door) for _ in range(24)]
        asked = len(door.keys_asked.asked)
        answers = at_once(24, lambda i: visits[i].come_back())
        for visit, answer in zip(visits, answers):
            visit.arrived(answer)
    # at most once a second from each process, however many wait
    assert 1 <= len(door.keys_asked.asked) - asked <= 20
    assert set(door.keys_asked.asked[asked:]) == {door.provider.issuer}


@pytest.mark.once
def test_a_key_that_never_comes_is_waited_for_and_not_for_long(door, pupil):
    visit = Visit(door, "public")
    visit.provider.signer = make_key("EdDSA", "unheard-of")
    began = time.monotonic()
    visit.refused("sign-in-wrong")
    assert 4.5 < time.monotonic() - began < 12
    visit.provider.signer = None
    Visit(door, "public").arrived()


# --- bad days of the token endpoint -------------------------------------------

def answer(status, body=b"", **headers):
    return status, {name.replace("_", "-"): v for name, v in headers.items()
                    }, body


@pytest.mark.parametrize("fault, outcome", [
    (answer(400, b'{"error": "invalid_grant"}'), "sign-in-wrong"),
    (answer(401, b'{"error": "invalid_client"}'), "sign-in-wrong"),
    (answer(403, b"<html>no</html>"), "sign-in-wrong"),
    (answer(404), "sign-in-wrong"),
    (answer(302, Location="/token2"), "sign-in-wrong"),
    (answer(307, Location="https://evil.example/token"), "sign-in-wrong"),
    (answer(200), "sign-in-wrong"),
    (answer(200, b"<html>sign in</html>"), "sign-in-wrong"),
    (answer(200, b'{"id_token": 7}'), "sign-in-wrong"),
    (answer(200, b'{"access_token": "a", "token_type": "Bearer"}'),
     "sign-in-wrong"),
    (answer(200, b'{"id_token": "' + b"a" * 9000 + b'"}'), "sign-in-wrong"),
    (answer(200, b'{"id_token": "\xff"}'), "sign-in-wrong"),
    (answer(200, b"[" * 1000), "sign-in-wrong"),
    (answer(429, Retry_After="3600"), "provider-down"),
    (answer(500, b'{"id_token": "a.b.c"}'), "provider-down"),
    (answer(503), "provider-down"),
    (answer(200, b'{"a": "' + b"a" * 70000 + b'"}'), "provider-down"),
    (HANG_UP, "provider-down"),
    (GARBAGE, "provider-down"),
    (HALF, "provider-down"),
], ids=lambda value: str(value)[:40])
def test_a_bad_answer_ends_in_a_page_from_which_to_begin_anew(
        door, pupil, fault, outcome):
    visit = Visit(door)
    visit.provider.faults = {"token": fault}
    page = visit.refused(outcome)
    assert again_link(page) \
        == "/sso/login?return=%2Fgo%2Fbook&provider=school"
    visit.provider.faults = {}
    Visit(door, browser=visit.browser).arrived()


@pytest.mark.parametrize("name, outcome", [
    ("away", "provider-down"),          # nobody listens there
    ("stranger", "provider-down"),      # a certificate of nobody we trust
    ("moved", "sign-in-wrong"),         # an endpoint without TLS
])
def test_a_token_endpoint_that_can_not_be_spoken_to(door, pupil, name,
                                                    outcome):
    Visit(door, name).refused(outcome)


# --- userinfo -----------------------------------------------------------------

@pytest.mark.parametrize("fault, outcome", [
    (answer(200, b'{"sub": "somebody-else", "eckid": "x"}'),
     "sign-in-wrong"),
    (answer(200, b'{"eckid": "x"}'), "sign-in-wrong"),
    (answer(200, b"eyJ.a.b", Content_Type="application/jwt"),
     "sign-in-wrong"),
    (answer(200, b""), "sign-in-wrong"),
    (answer(401), "sign-in-wrong"),
    (answer(302, Location="/userinfo2"), "sign-in-wrong"),
    (answer(502), "provider-down"),
    (HANG_UP, "provider-down"),
    (HALF, "provider-down"),
], ids=lambda value: str(value)[:40])
def test_userinfo_that_is_of_no_use(door, pupil, fault, outcome):
    visit = Visit(door, "post")
    visit.provider.faults = {"userinfo": fault}
    visit.refused(outcome)


def test_userinfo_needs_an_access_token(door, pupil):
    visit = Visit(door, "post")
    visit.provider.faults = {"token": lambda form: answer(200, json.dumps(
        {"id_token": visit.provider.make_id_token(
            visit.form["nonce"])}).encode())}
    visit.refused("sign-in-wrong")


# --- who it is ----------------------------------------------------------------

@pytest.mark.parametrize("claims, outcome", [
    ({"org": "S1"}, "nobody"),
    ({"eckid": None, "org": "S1"}, "nobody"),
    ({"eckid": "https://ketenid.nl/201703/beef", "org": "S1"}, "nobody"),
    ({"eckid": 7, "org": "S1"}, "nobody"),
    ({"eckid": "a\nb", "org": "S1"}, "nobody"),
    ({"org": "a school"}, "nobody"),
    ({}, "unknown-school"),
    ({"org": "unheard-of"}, "unknown-school"),
    ({"brin": "99XX"}, "unknown-school"),
], ids=str)
def test_who_is_nobody_or_of_no_school(door, pupil, claims, outcome):
    """The provider "post" has schoolRequired."""
    visit = Visit(door, "post")
    if outcome == "unknown-school":
        claims = {"eckid": pupil.ids["eckid"][1], **claims}
    visit.provider.userinfo = claims
    visit.refused(outcome)


def test_a_school_is_known_by_its_alias_or_its_open_rights(door, pupil):
    door.redis("SET", names.alias_key("OIE_CODE", "11ZZ"), "S1")
    door.redis("HSET", names.school_hash("S2"), "book", names.right("O"))
    eckid = {"eckid": pupil.ids["eckid"][1]}
    for school in ({"brin": "11ZZ"}, {"brin": ["11ZZ", "22YY"]},
                   {"org": "S2"}):
        door.own["post"].userinfo = {**eckid, **school}
        visit = Visit(door, "post")
        assert visit.come_back().status == 303, school


def test_an_alias_of_another_type_of_key_is_none(door, pupil):
    key = names.alias_key("OIE_CODE", "33QQ")
    door.redis("HSET", key, "a", "b")
    visit = Visit(door, "post")
    visit.provider.userinfo = {"eckid": pupil.ids["eckid"][1],
                               "brin": "33QQ"}
    visit.refused("unknown-school")
    door.redis("DEL", key)


def test_whose_tokens_are_all_refused_is_not_sent_in_circles(door, pupil):
    door.redis("HSET", pupil.hash(), "!", int(time.time()) + 86400)
    Visit(door).refused("unavailable")
    door.redis("HDEL", pupil.hash(), "!")


def test_a_teacher_is_known_by_a_mark(door, pupil):
    door.provider.claims = {"nlEduPersonRealId": "t@school", "org": "S1",
                            "affiliation": ["staff", "employee"]}
    visit = Visit(door)
    assert visit.come_back().status == 303
    token = claims_of(visit.browser.jar["__Host-leerpoort"])
    assert token["role"] == "employee" and token["NEPPI"] == "t@school"
    assert "ECK" not in token


# --- many at once -------------------------------------------------------------

@pytest.mark.once
def test_a_provider_that_is_slow_holds_up_its_own_people_alone(door, pupil):
    """300 sign-ins at once at one that does not answer: half of the places of
    each process wait, the others are asked to try again at once. Who comes by
    another provider is let in meanwhile, and clicks with a session are as
    quick as ever."""
    known = Visit(door).arrived().browser
    slow = [Visit(door, "public") for _ in range(300)]
    provider = slow[0].provider
    gate = provider.gate["token"]
    gate.clear()
    answers = [None] * len(slow)

    def come(i):
        answers[i] = slow[i].come_back()

    threads = [threading.Thread(target=come, args=(i,), daemon=True)
               for i in range(len(slow))]
    began = time.monotonic()
    try:
        for thread in threads:
            thread.start()
        eventually("the provider is asked by many", lambda: (
            provider.waiting + sum(a is not None for a in answers) == 300),
            20)
        turned_away = [a for a in answers if a is not None]
        assert provider.waiting <= 256
        assert {a.outcome for a in turned_away} <= {"busy"}
        assert all(again_link(a) for a in turned_away)
        Visit(door).arrived()
        clicks = sorted(known.get("/go/book").seconds for _ in range(200))
        assert clicks[100] < 0.1
        assert time.monotonic() - began < 7, "the provider's time is over"
    finally:
        gate.set()
        for thread in threads:
            thread.join(30)
    came_in = [a for a in answers if a.status == 303]
    assert len(came_in) + len(turned_away) == 300
    assert len(came_in) >= 128
    eventually("all places are free", lambda: provider.waiting == 0)
    Visit(door, "public").arrived()


@pytest.mark.once
def test_a_provider_that_never_answers_is_waited_for_8_seconds(door, pupil):
    visit = Visit(door, "public")
    gate = visit.provider.gate["token"]
    gate.clear()
    began = time.monotonic()
    try:
        page = visit.refused("provider-down")
    finally:
        gate.set()
    assert 7 < time.monotonic() - began < 14
    assert again_link(page)
