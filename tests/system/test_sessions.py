"""Sessions: they begin with a sign-in, are renewed without anybody noticing,
and end for every edge at once."""

import base64
import hmac
import html
import json
import re
import secrets
import subprocess
import time
import urllib.parse

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lib import names, sealing
from lib.canary import Canaries, dump, files
from lib.door import Browser, Door
from lib.edge import Edge
from lib.http import at_once
from lib.nginx import BUILD
from lib.process import eventually
from lib.tokens import make_key, write_jwks

BOOK = "/go/book"


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    with Door(tmp_path_factory.mktemp("sessions")) as door:
        door.edge.product("book")
        yield door


@pytest.fixture
def pupil(door):
    """Somebody new with a right to the book, whom the provider knows."""
    person = door.edge.person().grant("book")
    door.person(person)
    return person


def sessions(door):
    return door.redis("KEYS", "session:*")


def session_of(door, person):
    [key] = [key for key in sessions(door)
             if door.redis("HGET", key, "user") == person.key()]
    return key


def claims(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def opened(seal, what, text):
    """What is sealed in Redis, by the words of workers/seal.h."""
    key = hmac.new(seal.read_bytes(), b"leerpoort seal", "sha256").digest()
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    return AESGCM(key).decrypt(raw[:12], raw[12:], what.encode())


def opens(browser):
    return browser.get(BOOK).location == "https://publisher.example/book"


def revoke(door, person, *options):
    run = subprocess.run(
        [BUILD / "leerpoort", "right", "revoke", "--redis",
         door.redis.address, "--pepper", door.pepper, "--type", "ECK",
         "--school", person.school, *options],
        input=person.ids["eckid"][1], capture_output=True, text=True,
        timeout=30, check=False)
    assert run.returncode == 0, run.stderr


# --- beginning ----------------------------------------------------------------

def test_who_signs_in_comes_to_the_book_they_clicked_on(door, pupil):
    browser = Browser(door)
    way = browser.follow(BOOK)
    assert way[-1] == "https://publisher.example/book"
    assert opens(browser)
    token = claims(browser.jar["__Host-leerpoort"])
    assert token["iss"] == token["aud"] == door.public
    assert token["ECK"] == pupil.ids["eckid"][1] and token["MASTER"] == "S1"
    assert token["role"] == "student"
    assert token["exp"] - token["iat"] == 900 and len(token["jti"]) >= 16
    for cookie in browser.set_cookies:
        name = cookie.partition("=")[0]
        if name == "leerpoort_lang":
            continue
        assert name.startswith("__Host-leerpoort"), cookie
        for mark in ("; Path=/", "; Secure", "; HttpOnly", "; SameSite=Lax"):
            assert mark in cookie, cookie
        assert "Domain" not in cookie
        if name in ("__Host-leerpoort", "__Host-leerpoort-session"):
            # gone with the browser: whoever opens it next is somebody else
            assert "Max-Age" not in cookie and "Expires" not in cookie


def test_redis_knows_the_session_and_neither_secret_nor_id(door, pupil):
    browser = Browser(door).sign_in()
    key = session_of(door, pupil)
    secret = browser.jar["__Host-leerpoort-session"]
    assert len(secret) == 43 and re.fullmatch(
        rf"session:\{{{names.shard(key[-22:])}\}}:{key[-22:]}", key)
    stored = dict(zip(*[iter(door.redis("HGETALL", key))] * 2))
    assert stored["school"] == "S1" and stored["provider"] == "school"
    assert {"user", "at", "until", "used", "sub", "who", "idt"} <= set(stored)
    assert 0 < door.redis("TTL", key) <= 28800
    who = json.loads(opened(door.seal, f"{key} who", stored["who"]))
    assert who == {"ECK": pupil.ids["eckid"][1], "MASTER": "S1",
                   "role": "student"}
    canaries = Canaries()
    canaries.add("secret", secret)
    canaries.add("id", pupil.ids["eckid"][1][-64:])
    canaries.add("subject", door.provider.sub)
    canaries.add_token("token", browser.jar["__Host-leerpoort"])
    canaries.add_token("id_token", door.provider.issued[-1])
    assert canaries.find(dump(door.redis)) == []
    for path, text in files(door.edge.nginx.folder, door.workers.folder):
        if path.suffix in (".log", "") and path.is_file():
            assert canaries.find(text) == [], path


def test_a_new_sign_in_takes_the_place_of_the_browsers_former_session(
        door, pupil):
    browser = Browser(door).sign_in()
    first = session_of(door, pupil)
    other = door.edge.person().grant("book")
    door.person(other)
    browser.jar.pop("__Host-leerpoort")
    browser.keep("__Host-leerpoort-browser", "__Host-leerpoort-session")
    door.redis("HSET", first, "provider", "gone")   # so that it asks again
    browser.sign_in()
    assert not door.redis("EXISTS", first)
    assert session_of(door, other)
    assert claims(browser.jar["__Host-leerpoort"])["ECK"] \
        == other.ids["eckid"][1]


def test_a_subject_has_so_many_sessions_and_no_more(door, pupil):
    browsers = [Browser(door).sign_in() for _ in range(52)]
    mine = [key for key in sessions(door)
            if door.redis("HGET", key, "user") == pupil.key()]
    assert len(mine) == 50
    alive = [door.ask_login(browser).cookie("__Host-leerpoort") is not None
             for browser in browsers]
    assert alive == [False] * 2 + [True] * 50
    index = f"subs:{{{names.shard(door.redis('HGET', mine[0], 'sub'))}}}:" \
        + door.redis("HGET", mine[0], "sub")
    assert door.redis("ZCARD", index) == 50
    assert 0 < door.redis("TTL", index) <= 28800 + 60


# --- renewal ------------------------------------------------------------------

def test_a_token_that_ran_out_is_renewed_by_one_redirect(door, pupil):
    browser = Browser(door).sign_in()
    old = browser.jar.pop("__Host-leerpoort")    # as browsers do in time
    asked = dict(door.provider.asked)
    way = browser.follow(BOOK)
    assert [urllib.parse.urlsplit(url).path for url in way] == [
        BOOK, "/sso/login", BOOK, "/book"]
    assert dict(door.provider.asked) == asked
    assert browser.jar["__Host-leerpoort"] != old


def test_a_form_is_renewed_by_one_redirect_and_not_lost(door, pupil):
    """307: the browser sends it once more."""
    del pupil
    browser = Browser(door).sign_in()
    old = browser.jar.pop("__Host-leerpoort")
    answer = browser.post("/sso/login?return=/code", "code=K7QM", door.public)
    assert (answer.status, answer.location) == (307, "/code")
    # with "no-referrer" browsers would send it on with the Origin "null"
    assert answer.header("Referrer-Policy") == "same-origin"
    assert "no-store" in answer.header("Cache-Control")
    assert browser.jar["__Host-leerpoort"] not in (old, "")


@pytest.mark.parametrize("end", ["nobody", "deleted", "cookies off"])
def test_a_form_without_a_session_is_told_so(door, pupil, end):
    """No redirect to a provider: it would be lost without a word."""
    browser = Browser(door).sign_in()
    if end == "deleted":
        door.redis("DEL", session_of(door, pupil))
        browser.keep("__Host-leerpoort-session", "__Host-leerpoort-browser")
    else:
        browser.keep(*(["__Host-leerpoort-browser"] if end == "nobody"
                       else []))
    asked = len(door.redis("KEYS", "signin:*"))
    answer = browser.post("/sso/login?return=/code", "code=K7QM", door.public)
    assert (answer.status, answer.outcome) == (401, "session-expired")
    page = html.unescape(answer.body.decode())
    assert 'href="/sso/login?return=%2Fcode"' in page
    assert "Opnieuw inloggen" in page and "K7QM" not in page
    assert len(door.redis("KEYS", "signin:*")) == asked, "none has begun"


def test_a_form_ends_its_circle_with_a_page(door, pupil):
    del pupil
    browser = Browser(door).sign_in()
    browser.jar.pop("__Host-leerpoort-returns", None)
    for status in [307] * 5 + [400]:
        answer = browser.post("/sso/login?return=/code", "code=x")
        assert answer.status == status
    assert answer.outcome == "no-cookies"


def test_a_form_of_a_program_is_refused_in_its_own_words(door):
    answer = door.post("/sso/login?return=/code", "code=x",
                       headers=[("Accept", "application/json")])
    assert answer.status == 401
    assert json.loads(answer.body)["status"] == 21


def test_a_head_is_answered_like_a_get(door, pupil):
    del pupil
    browser = Browser(door).sign_in()
    del browser.jar["__Host-leerpoort"]
    answer = door.edge.click("/sso/login?return=/go/book", method="HEAD",
                             headers=[("Cookie", browser.cookies())])
    assert (answer.status, answer.location) == (303, BOOK)
    assert any(line.startswith("__Host-leerpoort=")
               for line in answer.all("Set-Cookie"))


def test_a_token_that_ran_out_and_is_still_sent(tmp_path):
    """And an edge whose clock is far ahead: a page, and no circle."""
    with Door(tmp_path, 1, clock=True) as door:
        door.edge.product("book")
        door.person(door.edge.person().grant("book"))
        now = int(time.time())
        door.clock(now - 1000)
        door.provider.clock = lambda: now - 1000
        browser = Browser(door)
        last = browser.follow(BOOK, more=True)
        assert (last.status, last.outcome) == (400, "no-cookies")
        old = browser.jar["__Host-leerpoort"]
        assert claims(old)["exp"] < now - 60
        door.clock(now)
        way = browser.follow(BOOK)
        assert [urllib.parse.urlsplit(url).path for url in way] == [
            BOOK, "/sso/login", BOOK, "/book"]
        assert browser.jar["__Host-leerpoort"] != old


def test_two_tabs_at_once_are_both_renewed(door, pupil):
    browser = Browser(door).sign_in()
    del browser.jar["__Host-leerpoort"]
    tabs = [Browser(door, dict(browser.jar)) for _ in range(24)]
    ways = at_once(len(tabs), lambda i: tabs[i].follow(BOOK))
    assert {way[-1] for way in ways} == {"https://publisher.example/book"}
    assert all(len(way) == 4 for way in ways)


def test_a_session_slides_and_ends_all_the_same(tmp_path):
    """Past "idle" after its last token; never past "lifetime"."""
    with Door(tmp_path, 1, clock=True, idle=1800, lifetime=7200) as door:
        door.edge.product("book")
        person = door.person(door.edge.person().grant("book"))
        browser = Browser(door).sign_in()
        key = session_of(door, person)
        at = int(door.redis("HGET", key, "at"))

        def renewed(seconds):
            door.clock(at + seconds)
            token = door.ask_login(browser).cookie("__Host-leerpoort")
            return claims(token) if token else None

        assert 2640 <= door.redis("TTL", key) <= 2700
        token = renewed(2500)
        assert (token["iat"], token["exp"]) == (at + 2500, at + 3400)
        assert 2640 <= door.redis("TTL", key) <= 2700
        # near the end, the token ends with the session
        token = renewed(7000)
        assert token["exp"] == at + 7200
        assert 140 <= door.redis("TTL", key) <= 200
        assert renewed(7199)["exp"] == at + 7200
        assert renewed(7200) is None


def test_without_idle_a_session_lives_to_its_end(door, pupil):
    Browser(door).sign_in()
    assert 28740 <= door.redis("TTL", session_of(door, pupil)) <= 28800


@pytest.mark.parametrize("change", [
    lambda door, key: door.redis("HSET", key, "who", sealing.seal(
        door.seal.read_bytes(), "link", '{"ECK":"x"}')),
    lambda door, key: door.redis("HSET", key, "who", sealing.seal(
        secrets.token_bytes(32), f"{key} who", '{"ECK":"x"}')),
    lambda door, key: door.redis("HSET", key, "who", "rubbish"),
    lambda door, key: door.redis("HDEL", key, "who"),
    lambda door, key: door.redis("HSET", key, "until", "soon"),
    lambda door, key: door.redis("HSET", key, "user", "short"),
    lambda door, key: (door.redis("DEL", key), door.redis("SET", key, "x")),
    lambda door, key: door.redis("HSET", key, "provider", "gone"),
    lambda door, key: door.redis("DEL", key),
], ids=["another's seal", "another key", "no seal", "nobody", "no time",
        "no user key", "no session", "a provider that is gone", "nothing"])
def test_what_is_no_session_asks_for_a_sign_in(door, pupil, change):
    browser = Browser(door).sign_in()
    del browser.jar["__Host-leerpoort"]
    key = session_of(door, pupil)
    change(door, key)
    way = browser.follow(BOOK)
    assert any("/authorize" in url for url in way), way
    assert opens(browser)
    door.redis("DEL", key)  # what was changed is found by nobody else


@pytest.mark.parametrize("secret", ["", "x", "A" * 43, "A" * 44, "a b" * 15])
def test_an_invented_secret_is_no_session(door, secret):
    browser = Browser(door, {"__Host-leerpoort-session": secret})
    answer = door.ask_login(browser)
    assert answer.cookie("__Host-leerpoort") is None


# --- signing out --------------------------------------------------------------

def test_signing_out_makes_every_edge_refuse_the_token_at_once(door, pupil):
    with Edge(redis=door.redis, pepper=door.edge.pepper,
              issuers=[door.issuer]) as second:
        browser = Browser(door).sign_in()
        token = browser.jar["__Host-leerpoort"]
        for edge in (door.edge, second):
            edge.await_armed(2)
            eventually("it is mirrored", lambda: edge.click(
                BOOK, token=token).mirror == "HIT")
            assert edge.click(BOOK, token=token).outcome == "redirect"
        done = browser.sign_out()
        began = time.monotonic()
        for edge in (door.edge, second):
            eventually("it is refused", lambda: edge.click(
                BOOK, token=token).outcome == "login", 5, 0.0005)
        # the answer comes after the write: milliseconds, on any machine
        assert time.monotonic() - began < 1
    assert done.status == 200
    assert "__Host-leerpoort" not in browser.jar
    assert "__Host-leerpoort-session" not in browser.jar
    assert not [key for key in sessions(door)
                if door.redis("HGET", key, "user") == pupil.key()]
    for hash_ in (pupil.hash(), pupil.private_hash()):
        assert int(door.redis("HGET", hash_, "!")) > claims(token)["iat"]


def test_signing_out_leads_on_to_the_provider_and_back(door, pupil):
    browser = Browser(door).sign_in()
    done = browser.sign_out()
    refresh = done.header("Refresh")
    assert refresh.startswith("0;url=" + door.provider.issuer)
    url = refresh[len("0;url="):]
    assert url in html.unescape(done.body.decode())
    sent = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))
    back = door.public + "/sso/logout?done"
    assert sent == {"client_id": door.provider.client_id,
                    "id_token_hint": door.provider.issued[-1],
                    "post_logout_redirect_uri": back}
    assert browser.follow(url)[-1] == back
    page = browser.get("/sso/logout?done").body.decode()
    assert "uitgelogd" in page and "<form" not in page


def test_the_provider_s_end_of_sessions_may_have_a_query(door, pupil):
    """As Azure AD B2C has, in discovery."""
    browser = Browser(door).sign_in()
    door.provider.metadata = {
        "end_session_endpoint": door.provider.issuer + "/end_session?p=b2c"}
    door.provider.publish(door.keys)
    try:
        eventually("discovery is read", lambda: "/end_session?p=b2c&client_id="
                   in (browser.sign_in().sign_out().header("Refresh") or ""),
                   20)
    finally:
        door.provider.metadata = {}
        door.provider.publish(door.keys)


def test_other_devices_go_on_with_new_tokens(door, pupil):
    leaving, staying = (Browser(door).sign_in() for _ in range(2))
    leaving.sign_out()
    asked = door.provider.asked["/authorize"]
    assert opens(staying) or len(staying.follow(BOOK)) == 4
    del staying.jar["__Host-leerpoort"]
    assert len(staying.follow(BOOK)) == 4 and opens(staying)
    assert door.provider.asked["/authorize"] == asked
    # and whoever left has to sign in
    leaving.follow(BOOK)
    assert door.provider.asked["/authorize"] == asked + 1
    assert opens(leaving)


def test_signing_out_in_a_second_language(door, pupil):
    browser = Browser(door).sign_in()
    browser.jar["leerpoort_lang"] = "en"
    page = browser.get("/sso/logout").body.decode()
    assert 'lang="en"' in page and "Sign out" in page
    assert browser.sign_out().status == 200


def test_a_get_signs_nobody_out(door, pupil):
    browser = Browser(door).sign_in()
    for target in ("/sso/logout", "/sso/logout?done", "/sso/logout?key=x"):
        answer = browser.get(target)
        assert answer.status == 200
        # nor does it say so: somebody may walk away from the computer
        assert b"<form" in answer.body and b"Je bent ingelogd" in answer.body
    assert opens(browser)


@pytest.mark.parametrize("origin, key, status", [
    ("https://evil.example", True, 400),
    ("https://toegang.example.evil.example", True, 400),
    (None, False, 200), ("null", False, 200), ("https://toegang.example",
                                               False, 200)])
def test_a_form_from_elsewhere_signs_nobody_out(door, pupil, origin, key,
                                                status):
    browser = Browser(door).sign_in()
    form = browser.sign_out_form() if key else "key=" + "A" * 22
    answer = browser.post("/sso/logout", form, origin)
    assert answer.status == status
    assert "__Host-leerpoort-session" in browser.jar and opens(browser)


@pytest.mark.parametrize("origin", [None, "null", "https://toegang.example"])
def test_whatever_browsers_write_as_origin_of_our_own_page(door, pupil,
                                                            origin):
    browser = Browser(door).sign_in()
    answer = browser.post("/sso/logout", browser.sign_out_form(), origin)
    assert answer.status == 200 and "__Host-leerpoort" not in browser.jar


def test_signing_out_without_a_session_says_the_same(door):
    browser = Browser(door)
    page = browser.get("/sso/logout")
    assert page.status == 200 and b"uitgelogd" in page.body
    answer = browser.post("/sso/logout", "key=" + "A" * 22)
    assert (answer.status, answer.location) == (303, "/sso/logout?done")
    # as after the end of it
    browser = Browser(door, {"__Host-leerpoort-session": "A" * 43,
                             "__Host-leerpoort": "x"})
    answer = browser.post("/sso/logout", browser.sign_out_form())
    assert (answer.status, answer.location) == (303, "/sso/logout?done")
    assert browser.jar == {}


def test_a_token_that_outlives_its_session_is_not_called_signed_out(door,
                                                                    pupil):
    del pupil
    browser = Browser(door).sign_in()
    browser.keep("__Host-leerpoort")
    page = browser.get("/sso/logout").body
    assert b"<form" in page and b"Je bent ingelogd" in page
    answer = browser.sign_out()
    assert (answer.status, answer.location) == (303, "/sso/logout?done")
    assert browser.jar == {} and not opens(browser)


# --- an operator ---------------------------------------------------------------

def test_an_operators_revocation_ends_the_sessions_before_it(door, pupil):
    browsers = [Browser(door).sign_in() for _ in range(2)]
    at = int(door.redis("HGET", next(
        key for key in sessions(door)
        if door.redis("HGET", key, "user") == pupil.key()), "at"))
    revoke(door, pupil, "--at", str(at + 2))
    asked = door.provider.asked["/authorize"]
    browsers[0].follow(BOOK)
    assert door.provider.asked["/authorize"] == asked + 1
    # a sign-out that follows does not take it back
    eventually("time passes it", lambda: time.time() > at + 3)
    browsers[0].follow(BOOK)
    browsers[0].sign_out()
    asked = door.provider.asked["/authorize"]
    browsers[1].follow(BOOK)
    assert door.provider.asked["/authorize"] == asked + 1
    assert opens(browsers[1])


def test_a_revocation_that_lies_ahead_lets_nobody_in(door, pupil):
    """And sends nobody round in circles."""
    browser = Browser(door).sign_in()
    revoke(door, pupil, "--at", str(int(time.time()) + 3600))
    del browser.jar["__Host-leerpoort"]
    last = browser.follow(BOOK, more=True)
    assert last.status == 503
    assert "__Host-leerpoort" not in browser.jar
    door.redis("HSET", pupil.hash(), "!", "rubbish")
    assert browser.follow(BOOK, more=True).status == 503
    door.redis("HDEL", pupil.hash(), "!")
    browser.follow(BOOK)
    assert opens(browser)


# --- back-channel logout -------------------------------------------------------

def logout(door, token, **changes):
    return door.post("/sso/backchannel",
                     urllib.parse.urlencode({"logout_token": token}),
                     **changes)


def test_a_provider_ends_one_session_by_its_sid(door, pupil):
    browsers = []
    for sid in ("sid-1", "sid-2"):
        door.provider.sid = sid + pupil.key()
        browsers.append(Browser(door).sign_in())
    door.provider.sid = "sid-1" + pupil.key()
    token = browsers[0].jar["__Host-leerpoort"]
    eventually("it is mirrored", lambda: door.edge.click(
        BOOK, token=token).mirror == "HIT")
    answer = logout(door, door.provider.logout_token())
    began = time.monotonic()
    assert answer.status == 200, answer.body
    assert "no-store" in answer.header("Cache-Control")
    eventually("it is refused", lambda: door.edge.click(
        BOOK, token=token).outcome == "login", 5, 0.0005)
    assert time.monotonic() - began < 1
    asked = door.provider.asked["/authorize"]
    browsers[1].follow(BOOK)
    assert door.provider.asked["/authorize"] == asked and opens(browsers[1])
    browsers[0].follow(BOOK)
    assert door.provider.asked["/authorize"] == asked + 1


def test_a_session_without_sid_ends_with_its_subject(door, pupil):
    """The id_token named no sid, the logout_token names both."""
    del pupil
    without, other = Browser(door).sign_in(), Browser(door)
    door.provider.sid = "one-" + secrets.token_hex(8)
    other.sign_in()
    assert logout(door, door.provider.logout_token(
        sid="two-" + secrets.token_hex(8))).status == 200
    eventually("it is refused",
               lambda: without.get(BOOK).outcome == "login")
    assert door.ask_login(without).cookie("__Host-leerpoort") is None
    assert door.ask_login(other).cookie("__Host-leerpoort")


def test_a_provider_ends_all_sessions_of_a_subject(door, pupil):
    browsers = [Browser(door).sign_in() for _ in range(12)]
    assert logout(door, door.provider.logout_token(
        sid=None)).status == 200
    assert not [key for key in sessions(door)
                if door.redis("HGET", key, "user") == pupil.key()]
    eventually("they are refused", lambda: not any(
        browser.get(BOOK).outcome == "redirect" for browser in browsers))


def test_a_logout_of_somebody_unknown_is_no_error(door):
    door.provider.sub = "nobody-" + secrets.token_hex(8)
    for changes in ({"sid": None}, {"sid": "unknown"}):
        assert logout(door, door.provider.logout_token(
            **changes)).status == 200


def test_a_logout_token_serves_once(door, pupil):
    token = door.provider.logout_token(sid=None)
    assert logout(door, token).status == 200
    browser = Browser(door).sign_in()
    answer = logout(door, token)
    assert answer.status == 400
    assert json.loads(answer.body)["error"] == "invalid_request"
    assert opens(browser)


LOGOUT = "http://schemas.openid.net/event/backchannel-logout"


@pytest.mark.parametrize("changes", [
    {"nonce": "x"}, {"events": None}, {"events": {}}, {"events": [LOGOUT]},
    {"events": {LOGOUT: "x"}}, {"sub": None, "sid": None}, {"sub": 7},
    {"sid": ["x"]}, {"jti": None}, {"jti": ""}, {"jti": "x" * 600},
    {"aud": "other"}, {"aud": ["x", "y"]}, {"exp": None}, {"iss": "https://evil.example"}, {"iss": None},
    {"iat": None}, {"iat": 1}, {"iat": 4102444800, "exp": 4102444801},
    {"exp": 1600000000, "iat": 1599999999}, {"header": {"typ": "at+jwt"}},
    {"header": {"alg": "none"}}, {"header": {"alg": "HS256"}},
    {"header": {"crit": ["x"]}}], ids=lambda changes: str(changes)[:40])
def test_a_logout_token_that_is_wrong_ends_nothing(door, pupil, changes):
    browser = Browser(door).sign_in()
    answer = logout(door, door.provider.logout_token(**changes))
    assert answer.status == 400, answer.body
    assert json.loads(answer.body)["error"] == "invalid_request"
    assert "no-store" in answer.header("Cache-Control")
    assert opens(browser)


def test_a_logout_token_of_another_key_or_of_another_kind(door, pupil):
    browser = Browser(door).sign_in()
    stranger = make_key("ES256", door.provider.key().kid)
    assert logout(door, door.provider.logout_token(
        key=stranger)).status == 400
    # an id_token is none
    assert logout(door, door.provider.issued[-1]).status == 400
    assert opens(browser)


@pytest.mark.parametrize("body, kind", [
    ("", None), ("logout_token=", None), ("logout_token=x", None),
    ("logout_token=a.b.c", None), ("other=1", None),
    ("logout_token=%zz", None), ("logout_token=x&logout_token=y", None),
    ("logout_token=" + "x" * 20000, None),
    ("logout_token=x", "application/json")], ids=lambda value: str(value)[:40])
def test_a_form_that_is_none(door, body, kind):
    headers = {"content_type": kind} if kind else {}
    answer = door.post("/sso/backchannel", body, **headers)
    assert answer.status == 400
    assert json.loads(answer.body)["error"] == "invalid_request"


def test_a_new_key_is_waited_for_a_little(door, pupil):
    """The provider's logout comes before leerpoort-keys has its new key."""
    browser = Browser(door).sign_in()
    door.provider.rotate()
    token = door.provider.logout_token(sid=None)
    with door.provider_is_published_in(0.5):
        answer = logout(door, token)
    assert answer.status == 200
    eventually("it is refused",
               lambda: browser.get(BOOK).outcome == "login")


@pytest.mark.once
def test_a_key_that_never_comes_is_our_fault(door, pupil):
    browser = Browser(door).sign_in()
    stranger = make_key("ES256", "never-published")
    token = door.provider.logout_token(key=stranger)
    answers = at_once(20, lambda i: logout(door, token))
    assert {answer.status for answer in answers} == {503}
    assert all(answer.header("Retry-After") for answer in answers)
    assert opens(browser)


def test_only_post(door):
    assert door.edge.click("/sso/backchannel").status == 405


# --- bad days -------------------------------------------------------------------

def test_redis_away(tmp_path):
    with Door(tmp_path) as door:
        # the second where a process has only just begun
        door.workers.allow += ["Redis could not be told",
                               "Redis cannot be reached yet"]
        door.edge.product("book")
        person = door.edge.person().grant("book")
        door.person(person)
        browser, other = (Browser(door).sign_in() for _ in range(2))
        token = door.provider.logout_token(sid=None)
        del browser.jar["__Host-leerpoort"]
        door.redis.kill()
        answer = door.ask_login(browser)
        assert answer.status == 503
        assert answer.cookie("__Host-leerpoort") is None
        answer = logout(door, token)
        assert answer.status == 503 and answer.header("Retry-After")
        # nobody leaves a computer behind signed in
        assert other.sign_out().status == 303
        assert "__Host-leerpoort-session" not in other.jar
        door.redis.restart()
        eventually("it goes on", lambda: door.ask_login(browser).cookie(
            "__Host-leerpoort"), 20)
        assert logout(door, token).status == 200


def test_a_session_key_that_leaked_signs_nobody_out(tmp_path):
    """docs/operations.md: one new key, and the page's button at most."""
    with Door(tmp_path) as door:
        door.edge.product("book")
        door.person(door.edge.person().grant("book"))
        browser = Browser(door).sign_in()
        asked = door.provider.asked["/authorize"]
        write_jwks(door.issuer.jwks, [make_key("HS256", "next")])
        eventually("the edge has it", lambda: door.edge.click(
            BOOK, cookie=browser.jar["__Host-leerpoort"]).outcome
            == "bad-token", 10, 0.1)
        assert browser.get(BOOK).outcome == "bad-token"
        assert "__Host-leerpoort" not in browser.jar
        eventually("leerpoort-sso has it", lambda: "publisher"
                   in browser.follow(BOOK)[-1], 10, 0.3)
        assert door.provider.asked["/authorize"] == asked


def test_a_token_of_a_key_that_is_gone(door):
    """Browsers keep a token for as long as they are open; keys are taken out
    of the file after tokenLifetime (docs/operations.md)."""
    gone = make_key("HS256", "gone")
    for age, outcome in ((60, "bad-token"), (86400, "login")):
        token = door.issuer.mint(key=gone, now=time.time() - age, ECK="a")
        answer = door.edge.click(BOOK, cookie=token)
        assert (answer.outcome, answer.status) == (
            outcome, 401 if outcome == "bad-token" else 302)


def test_an_erased_person_has_to_sign_in(door, pupil):
    browser = Browser(door).sign_in()
    run = subprocess.run(
        [BUILD / "leerpoort", "privacy", "erase", "--yes", "--redis",
         door.redis.address, "--pepper", door.pepper, "--seal", door.seal],
        input=pupil.ids["eckid"][1], capture_output=True, text=True,
        timeout=30, check=False)
    assert run.returncode == 0, run.stderr
    del browser.jar["__Host-leerpoort"]
    asked = door.provider.asked["/authorize"]
    browser.follow(BOOK, more=True)
    assert door.provider.asked["/authorize"] == asked + 1
