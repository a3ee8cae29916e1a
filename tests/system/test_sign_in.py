"""A sign-in begins: where it leads, at which provider, and what it leaves for
the way back; and what leerpoort-sso does on bad days."""

import contextlib
import hashlib
import html
import json
import os
import pathlib
import re
import signal
import tempfile
import time
import urllib.parse

import pytest

from lib import fastcgi
from lib.desk import own_redis, pairs
from lib.door import SSO, Browser, Door, Sso
from lib.edge import PUBLIC
from lib.http import at_once
from lib.names import base64url, shard
from lib.process import Process, eventually
from lib.tokens import make_key, replace, write_jwks
from lib.workers import RESPAWN, environment

AUTHORIZE = "https://{}.example/authorize"
BROWSER = "__Host-leerpoort-browser"
MINUTE = 30_000_000 * 60    # a time within which all is in one minute

# What is said of a sign-in that a provider refuses.
NOTED = r"a sign-in at the provider \S+ failed: |further sign-ins failed"

SCHOOLS = [{"school": f"S{i}", "name": name} for i, name in enumerate([
    "De Regenboog, Zaandam", "Één Montessori, Utrecht", "Lyceum Zaandam",
    "<b>Vet</b> & \"Co\""])]


def provider(name, **members):
    return {"name": name, "title": {"nl": f"Bij {name}", "en": f"At {name}"},
            "issuer": f"https://{name}.example", "clientId": f"id {name}"
            .replace(" ", "-"), "authentication": "none",
            "users": [{"claim": "eckid", "idType": "ECK"}],
            "authorizationEndpoint": AUTHORIZE.format(name), **members}


class Hall:
    """leerpoort-sso by itself, asked past nginx."""

    def __init__(self, folder, redis, n=2, now=MINUTE, conf=None, **options):
        self.folder, self.redis = pathlib.Path(folder), redis
        self.keys = self.folder / "keys"
        self.keys.mkdir(exist_ok=True)
        write_jwks(self.folder / "session.jwks", [make_key("HS256", "s")])
        self.conf = self.folder / "sso.json"
        self.write(**(conf or {}))
        self.sso = Sso(self.folder, redis.address, n, now=now, sso=self.conf,
                       key_files=self.keys, allow=[NOTED], **options)

    def write(self, listed=(), **members):
        replace(self.conf, json.dumps({
            "publicUrl": PUBLIC, "session": {"keyFile": "session.jwks"},
            "providers": list(listed), **members}))

    def get(self, target, cookie=None, **headers):
        if cookie is not None:
            headers["HTTP_COOKIE"] = cookie
        headers.setdefault("LEERPOORT_ROUTE", "sso")
        return self.sso.ask(target, **headers)

    def login(self, back="/go/book", cookie=None, headers=None, **query):
        query = {"return": back, **query}
        return self.get("/sso/login?" + urllib.parse.urlencode(
            {k: v for k, v in query.items() if v is not None}), cookie,
            **(headers or {}))

    def callback(self, state, cookie=None):
        """Comes back with an error: taking the sign-in out comes first."""
        return self.get("/sso/callback?error=access_denied&state=" + state,
                        cookie)


@pytest.fixture(scope="module")
def redis():
    with own_redis() as (_, redis):
        yield redis


@pytest.fixture(scope="module")
def hall(redis):
    with tempfile.TemporaryDirectory(prefix="leerpoort-test-") as folder:
        hall = Hall(folder, redis, conf={"listed": [
            provider("entree", serves=SCHOOLS, portals=["magister"],
                     scope="openid profile",
                     parameters={"acr_values": "a b", "claims": '{"x":1}'}),
            provider("own", portals=["somtoday"], serves=[
                {"school": "T1", "name": "Technasium Oost"},
                {"school": "S2", "name": "Lyceum Zaandam"}],
                authorizationEndpoint="https://own.example/auth?p=1"),
            provider("plain")]})
        with hall.sso:
            yield hall


def place(answer):
    """Where an answer leads: (URL without its query, its parameters)."""
    assert answer.status == 303, answer
    url, _, query = answer.headers["location"].partition("?")
    found = urllib.parse.parse_qsl(query, strict_parsing=True)
    assert len(found) == len(dict(found)), found
    return url, dict(found)


def outcome(answer):
    return answer.headers.get("leerpoort-outcome")


def jar(answer, jar=""):
    """The cookies of an answer, as a browser sends them back."""
    kept = dict(pair.split("=", 1) for pair in jar.split("; ") if pair)
    for line in answer.cookies:
        name, _, value = line.partition(";")[0].partition("=")
        kept[name] = value
        if "max-age=0" in line.lower():
            del kept[name]
    return "; ".join(f"{name}={value}" for name, value in kept.items())


def text(answer):
    return answer.body.decode()


def links(answer):
    """The links of a page, to whom they lead."""
    return {html.unescape(name): html.unescape(href) for href, name in
            re.findall(r'<a href="(/sso[^"]*)"[^>]*>([^<]*)</a>',
                       text(answer))}


# -- the request --------------------------------------------------------------

def test_the_request_is_a_code_flow_with_pkce_state_and_nonce(hall):
    hall.redis("FLUSHALL")
    answer = hall.login(provider="entree", back="/go/book/h1?product=book")
    url, sent = place(answer)
    assert url == AUTHORIZE.format("entree")
    [key] = hall.redis("KEYS", "signin:*")
    kept = pairs(hall.redis("HGETALL", key))
    challenge = base64url(hashlib.sha256(kept["verifier"].encode()).digest())
    state = sent.pop("state")
    assert sent == {
        "response_type": "code", "client_id": "id-entree",
        "redirect_uri": PUBLIC + "/sso/callback", "scope": "openid profile",
        "nonce": kept["nonce"], "code_challenge": challenge,
        "code_challenge_method": "S256", "acr_values": "a b",
        "claims": '{"x":1}'}
    assert len({state, kept["nonce"], kept["verifier"]}) == 3
    for secret in (state, kept["nonce"], kept["verifier"]):
        assert re.fullmatch(r"[A-Za-z0-9_-]{43}", secret)
    assert kept["back"] == "/go/book/h1?product=book"
    assert kept["provider"] == "entree"
    assert re.fullmatch(r"signin:\{\d\d\}:[A-Za-z0-9_-]{22}", key)
    assert key[8:10] == shard(key[12:])
    assert 0 < hall.redis("TTL", key) <= 600
    cookies = dict(line.split("=", 1) for line in answer.cookies)
    for value in cookies.values():
        assert value.partition(";")[0] not in str(kept)
        for mark in ("HttpOnly", "Secure", "SameSite=Lax", "Path=/"):
            assert mark in value
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"


def test_an_endpoint_with_a_query_keeps_it(hall):
    url, sent = place(hall.login(provider="own"))
    assert (url, sent["p"]) == ("https://own.example/auth", "1")


def test_nothing_is_the_same_twice(hall):
    seen = [place(hall.login(provider="plain"))[1] for _ in range(20)]
    for name in ("state", "nonce", "code_challenge"):
        assert len({sent[name] for sent in seen}) == 20


@pytest.mark.parametrize("back", [
    "//evil.example/go/book", "https://evil.example/go/book",
    PUBLIC + ".evil/go/book", PUBLIC + "@evil/go/book",
    PUBLIC + ":8443/go/book", "/\\evil.example", "/go/../sso/logout",
    "/go/book%0d%0aSet-Cookie:x", "/go/book\r\nSet-Cookie: x", "/sso/logout",
    "javascript:alert(1)", "/go/" + "x" * 2000, "/go/book\x00", "\xff"])
def test_no_open_redirect(hall, back):
    answer = hall.login(back, provider="plain")
    assert (answer.status, outcome(answer)) == (400, "bad-return")
    assert "location" not in answer.headers
    assert "evil" not in text(answer)


def test_a_return_twice_is_no_return(hall):
    answer = hall.get("/sso/login?return=/go/a&return=/go/b&provider=plain")
    assert outcome(answer) == "bad-return"


# -- the provider -------------------------------------------------------------

@pytest.mark.parametrize("query, name", [
    ({"provider": "plain"}, "plain"),
    ({"school": "S0"}, "entree"), ({"school": "T1"}, "own"),
    ({"portal": "magister"}, "entree"), ({"portal": "somtoday"}, "own"),
    ({"provider": "own", "school": "S0", "portal": "magister"}, "own"),
    ({"school": "T1", "portal": "magister"}, "own"),
    ({"school": "unknown", "portal": "magister"}, "entree")])
def test_who_names_a_provider_is_sent_there(hall, query, name):
    _, sent = place(hall.login(**query))
    assert sent["client_id"] == f"id-{name}"


@pytest.mark.parametrize("query", [
    {}, {"school": "unknown"}, {"portal": "unknown"}, {"school": ""},
    {"school": "<script>"}, {"provider": ""}, {"school": "S" * 65},
    {"portal": "https://portal.example/" + "x" * 64}, {"portal": "a\nb"},
    {"portal": "\0"}])
def test_who_names_none_is_asked(hall, query):
    answer = hall.login(**query)
    assert answer.status == 200
    assert {"Bij entree", "Bij own", "Bij plain"} <= set(links(answer))
    assert "<script" not in text(answer)


def test_an_unknown_provider_is_said(hall):
    answer = hall.login(provider="nobody")
    assert (answer.status, outcome(answer)) == (404, "unknown-provider")
    assert "choose=1" in text(answer)


def test_a_school_of_two_providers_is_asked_for_one_of_them(hall):
    assert set(links(hall.login(school="S2"))) == {
        "Bij entree", "Bij own", "Mijn school staat er niet bij"}


def test_what_was_chosen_last_is_the_one_and_can_be_changed(hall):
    """How it gets there: test_way_back."""
    page = hall.login(back="/go/book?product=book")
    answer = hall.get(links(page)["Bij plain"])
    assert place(answer)[1]["client_id"] == "id-plain"
    assert "leerpoort-provider" not in jar(answer), "nobody has arrived yet"
    kept = "__Host-leerpoort-provider=plain"
    assert place(hall.login(cookie=kept))[1]["client_id"] == "id-plain"
    assert hall.login(cookie=kept, choose="1").status == 200
    assert place(hall.login(cookie=kept, school="T1"))[1][
        "client_id"] == "id-own"
    gone = hall.login(cookie="__Host-leerpoort-provider=gone")
    assert gone.status == 200


def test_the_only_provider_is_the_one(redis, tmp_path):
    with Hall(tmp_path, redis, 1,
              conf={"listed": [provider("one")]}).sso as sso:
        answer = sso.ask("/sso/login", LEERPOORT_ROUTE="sso")
        assert place(answer)[1]["client_id"] == "id-one"
        answer = sso.ask("/sso/login?choose=1", LEERPOORT_ROUTE="sso")
        assert "Bij one" in links(answer)


def test_without_providers_signing_in_is_off(redis, tmp_path):
    with Hall(tmp_path, redis, 1).sso as sso:
        answer = sso.ask("/sso/login", LEERPOORT_ROUTE="sso")
        assert (answer.status, outcome(answer)) == (404, "off")


# -- the choice ---------------------------------------------------------------

@pytest.mark.parametrize("sought, found", [
    ("zaandam", {"De Regenboog, Zaandam", "Lyceum Zaandam"}),
    ("ZAAN regen", {"De Regenboog, Zaandam"}),
    ("een mont", {"Één Montessori, Utrecht"}),
    ("  oost  ", {"Technasium Oost"}), ("xyzzy", set()),
    ("e\u0301e\u0301n", {"Één Montessori, Utrecht"}),
    # as much as the page's field takes
    ("é" * 60, set()), ("\U0001f600" * 30 + "e" * 30, set()),
    ("<b>", {"<b>Vet</b> & \"Co\""})])
def test_schools_are_found_by_parts_of_their_names(hall, sought, found):
    answer = hall.login(q=sought, choose="1")
    names = set(links(answer)) - {"Bij entree", "Bij own", "Bij plain",
                                  "Mijn school staat er niet bij"}
    assert names == found
    assert "<b>" not in text(answer)


def test_a_found_school_leads_to_its_provider_and_back_to_the_click(hall):
    page = hall.login(back="/go/book/h1", q="technasium", choose="1")
    hall.redis("FLUSHALL")
    _, sent = place(hall.get(links(page)["Technasium Oost"]))
    assert sent["client_id"] == "id-own"
    [key] = hall.redis("KEYS", "signin:*")
    assert hall.redis("HGET", key, "back") == "/go/book/h1"


def test_the_search_keeps_the_way_back_and_needs_no_scripts(hall):
    answer = hall.login(back="/go/book?x=%22%3E")
    page = text(answer)
    assert '<form method="get" action="/sso/login" role="search">' in page
    assert '<label for="q">' in page and 'id="q"' in page
    assert 'name="return" value="/go/book?x=%22%3E"' in page
    assert "<script" not in page and " on" not in re.sub(
        r">[^<]*<", "><", page)
    assert "script-src" not in answer.headers["content-security-policy"]
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_the_page_speaks_both_languages(hall):
    dutch = hall.login(headers={"HTTP_ACCEPT_LANGUAGE": "nl"})
    english = hall.login(headers={"HTTP_ACCEPT_LANGUAGE": "en-GB,en;q=0.9"})
    assert "Waar log je in?" in text(dutch)
    assert "Where do you sign in?" in text(english)
    assert "At entree" in links(english)
    switched = hall.login(lang="en")
    assert "Where do you sign in?" in text(switched)


def test_whose_school_is_absent_is_told_what_to_do(hall):
    page = hall.login()
    answer = hall.get(links(page)["Mijn school staat er niet bij"])
    assert (answer.status, outcome(answer)) == (403, "unknown-school")
    assert "choose=1" in text(answer)


def test_thousands_of_schools_are_a_short_page(redis, tmp_path):
    listed = [provider(f"p{i}", serves=[
        {"school": f"S{i}-{j}", "name": f"School {i} nummer {j} Één"}
        for j in range(200)]) for i in range(50)]
    hall = Hall(tmp_path, redis, 1, conf={"listed": listed})
    with hall.sso:
        for query in ({}, {"q": "school"}, {"q": "49 nummer 199 een"}):
            answer = hall.login(choose="1", **query)
            assert answer.status == 200
            assert len(answer.body) < 20 * 1024
        assert "School 49 nummer 199 Één" in links(answer)
        answer = hall.login(choose="1", q="school")
        assert "10000 scholen gevonden" in text(answer)


# -- back again ---------------------------------------------------------------

def test_a_sign_in_is_taken_once(hall):
    answer = hall.login(provider="plain")
    state, kept = place(answer)[1]["state"], jar(answer)
    assert outcome(hall.callback(state, kept)) == "sign-in-refused"
    assert outcome(hall.callback(state, kept)) == "sign-in-old"


def test_only_one_of_many_at_once_takes_it(hall):
    answer = hall.login(provider="plain")
    state, kept = place(answer)[1]["state"], jar(answer)
    found = at_once(8, lambda _: outcome(hall.callback(state, kept)))
    assert sorted(found) == ["sign-in-old"] * 7 + ["sign-in-refused"]


@pytest.mark.parametrize("state", ["x", "A" * 43, "A" * 44, "%41", ""])
def test_an_invented_state_is_none(hall, state):
    assert outcome(hall.callback(state)) == "sign-in-old"


def test_a_sign_in_of_another_browser_stays_for_its_own(hall):
    mine, other = hall.login(provider="plain"), hall.login(provider="plain")
    state = place(mine)[1]["state"]
    assert outcome(hall.callback(state, jar(other))) == "sign-in-other"
    assert outcome(hall.callback(state)) == "no-cookies"
    assert outcome(hall.callback(state, BROWSER + "=short")) == "no-cookies"
    assert outcome(hall.callback(state, jar(mine))) == "sign-in-refused"


def test_all_tabs_share_a_cookie(hall):
    kept = jar(hall.login(provider="plain"))
    again = hall.login(provider="own", cookie=kept)
    assert not again.cookies
    state = place(again)[1]["state"]
    assert outcome(hall.callback(state, kept)) == "sign-in-refused"


def test_two_tabs_that_begin_at_once_both_come_back(hall):
    first, second = hall.login(provider="plain"), hall.login(provider="own")
    kept = jar(second, jar(first))
    for answer in (first, second):
        back = hall.callback(place(answer)[1]["state"], kept)
        assert outcome(back) == "sign-in-refused"
        kept = jar(back, kept)
    assert [name.partition("=")[0] for name in kept.split("; ")] == [BROWSER]


# -- bounds -------------------------------------------------------------------

def test_a_flood_is_bounded_over_all_processes(redis, tmp_path):
    redis("FLUSHALL")
    hall = Hall(tmp_path, redis, 2, conf={
        "listed": [provider("one")], "signInsPerMinute": 5})
    with hall.sso:
        found = [hall.login() for _ in range(12)]
    assert [a.status for a in found] == [303] * 5 + [503] * 7
    assert outcome(found[-1]) == "busy"
    assert int(found[-1].headers["retry-after"].partition(";")[0]) >= 5
    assert "/sso/login?return=%2Fgo%2Fbook&provider=one" \
        in found[-1].headers["refresh"]
    assert len(redis("KEYS", "signin:*")) == 5
    [counter] = redis("KEYS", "signins:*")
    assert counter == f"signins:{MINUTE // 60}"
    assert 0 < redis("TTL", counter) <= 120


# -- what else is asked for ---------------------------------------------------

def test_what_is_not_there_is_said_as_it_was_asked(hall):
    page = hall.get("/nothing", HTTP_ACCEPT="text/html")
    assert (page.status, outcome(page)) == (404, "not-found")
    assert page.headers["content-type"].startswith("text/html")
    machine = hall.get("/nothing", HTTP_ACCEPT="application/json")
    assert machine.status == 404
    assert set(json.loads(machine.body)) == {"status", "statusMessage"}


@pytest.mark.parametrize("path, method, allow", [
    ("/sso/login", "PUT", "GET, HEAD, POST"), ("/sso/callback", "HEAD", "GET"),
    ("/sso/callback", "POST", "GET"), ("/sso/backchannel", "GET", "POST"),
    ("/lti/open/x", "HEAD", "GET"), ("/lti/pick", "GET", "POST"),
    ("/problem", "DELETE", "GET, HEAD")])
def test_another_method_is_refused(hall, path, method, allow):
    for accept in ("text/html", "application/json"):
        answer = hall.sso.ask(path, method, LEERPOORT_ROUTE="sso",
                              HTTP_ACCEPT=accept)
        assert (answer.status, answer.headers["allow"]) == (405, allow)
        if accept == "text/html" and method != "HEAD":
            assert outcome(answer) == "bad-request"


def test_a_support_code_shows_its_page_again_in_either_language(hall):
    refused = hall.login("//evil")
    code = refused.headers["leerpoort-code"]
    pages = [hall.get(f"/problem?code={code}&lang={lang}")
             for lang in ("nl", "en")]
    titles = [re.search("<h1[^>]*>(.*?)</h1>", text(page))[1]
              for page in pages]
    assert titles[0] in text(refused) and titles[0] != titles[1]
    for page in pages:
        assert code in text(page) and page.status == 400
        assert "leerpoort-code" not in page.headers
        assert "refresh" not in page.headers
    spoken = urllib.parse.quote(code.lower().replace("-", " "))
    assert code in text(hall.get(f"/problem?code={spoken}&lang=nl"))
    for wrong in ("", "code=", "code=AAAAA-AAAAB", "code=" + "A" * 80,
                  "code=%00"):
        assert outcome(hall.get("/problem?" + wrong)) == "not-found"


def unreachable(folder, redis):
    """A hall whose provider's metadata could not be fetched."""
    listed = provider("one")
    del listed["authorizationEndpoint"]
    return Hall(folder, redis, 1, conf={"listed": [listed]})


def test_the_other_language_tries_again_as_well(redis, tmp_path):
    """Who reads on in English is still let in by waiting, or by the button."""
    hall = unreachable(tmp_path, redis)
    with hall.sso:
        down = hall.login("/go/book/1", headers={"HTTP_ACCEPT": "text/html"})
        assert outcome(down) == "provider-down"
        again = down.headers["refresh"].partition("url=")[2]
        assert again.startswith("/sso/login?return=%2Fgo%2Fbook%2F1")
        switch = html.unescape(re.search(
            '<a href="(/problem[^"]*lang=en)"', text(down))[1])
        other = hall.get(switch, HTTP_ACCEPT="text/html")
        assert other.headers["refresh"].partition("url=")[2] == again
        assert f'href="{html.escape(again)}"' in text(other)
        assert "Try again" in text(other)
        code = down.headers["leerpoort-code"]
        for worker_s in ("/", "/code?product=book"):
            page = hall.get(f"/problem?code={code}&again="
                            + urllib.parse.quote(worker_s, safe=""),
                            HTTP_ACCEPT="text/html")
            assert page.headers["refresh"].endswith(f"; url={worker_s}")
        for elsewhere in ("//evil.example", "https://evil.example",
                          "/sso/loginx", "/sso/login\r\nX: y",
                          "/codes", "/sso/login/../x", "javascript:x", "/sso/login?" +
                          "a" * 5000):
            page = hall.get(f"/problem?code={code}&again="
                            + urllib.parse.quote(elsewhere, safe=""),
                            HTTP_ACCEPT="text/html")
            assert page.status == 503 and "refresh" not in page.headers
            assert "Probeer het opnieuw" not in text(page)


def test_programs_are_told_to_wait_but_sent_nowhere(redis, tmp_path):
    hall = unreachable(tmp_path, redis)
    with hall.sso:
        down = hall.login(headers={"HTTP_ACCEPT": "application/json"})
        assert (down.status, outcome(down)) == (503, "provider-down")
        assert int(down.headers["retry-after"]) >= 5
        assert "refresh" not in down.headers


def test_programs_are_told_to_sign_in_and_begin_nothing(hall):
    """Neither the choice nor a provider's page is for them."""
    hall.redis("FLUSHALL")
    for query in ({}, {"provider": "plain"}):
        answer = hall.login(headers={"HTTP_ACCEPT": "application/json"},
                            **query)
        assert (answer.status, outcome(answer)) == (401, "login")
        assert set(json.loads(answer.body)) == {"status", "statusMessage"}
        assert "location" not in answer.headers and not answer.cookies
    assert not hall.redis("KEYS", "sign*")


def test_an_edge_that_does_not_fit_is_told(hall):
    hall.sso.allow += ["the edge sent a LEERPOORT_USERS"]
    assert hall.get("/sso/login", LEERPOORT_ROUTE="api").status == 500
    assert hall.get("/sso/login", LEERPOORT_USERS="x").status == 500
    assert outcome(hall.get("/sso/login", CONTENT_LENGTH="x")) == "bad-form"


def test_bytes_that_are_no_request_cost_nobody_else_anything(hall):
    for data in (b"", b"GET / HTTP/1.0\r\n\r\n", b"\x01\x01" + b"\xff" * 64):
        assert fastcgi.raw(hall.sso.path, data, close=True) == b""
    assert hall.login(provider="plain").status == 303


# -- configuration ------------------------------------------------------------

def test_a_new_file_counts_without_a_restart_and_a_broken_one_never(
        redis, tmp_path):
    hall = Hall(tmp_path, redis, 1, conf={"listed": [provider("one")]})
    with hall.sso:
        assert hall.login(provider="two").status == 404
        hall.write([provider("two")])
        eventually("the new file counts", lambda: hall.login(
            provider="two").status == 303, 20, 0.02)
        assert hall.login(provider="one").status == 404
        hall.sso.allow += [r"publicUrl: it is missing; the providers stay"]
        replace(hall.conf, "{}")
        eventually("it complains", lambda: hall.login(
            provider="two").status != 303 or "stay" in hall.sso.said(), 20,
            0.02)
        assert hall.login(provider="two").status == 303
        assert hall.sso.said().count("stay") == 1


@pytest.mark.parametrize("file, said", [
    ("{", "it is not one JSON object"),
    ('{"publicUrl": "http://toegang.example"}', "publicUrl: an https"),
    (json.dumps({"publicUrl": PUBLIC}), "session: it is missing")])
def test_a_wrong_file_is_said_at_the_start(redis, tmp_path, file, said):
    hall = Hall(tmp_path, redis, 1)
    hall.conf.write_text(file)
    assert said in refused(hall, tmp_path)


def refused(hall, folder):
    """What leerpoort-sso says where it can't be started."""
    process = Process(["spawn-fcgi", "-s", str(hall.sso.path), "-n", "--",
                       *hall.sso.argv()], hall.sso.output,
                      environment(folder))
    try:
        assert process.wait(20)
        assert process.code == 1
        return hall.sso.said()
    finally:
        process.destroy()


@pytest.mark.parametrize("spoil, said", [
    (lambda path: path.unlink(), "session.jwks: No such file"),
    (lambda path: path.chmod(0o640), "session.jwks: others than its owner"),
    (lambda path: path.write_text("{}"), 'it has no array "keys"')])
def test_a_session_key_that_is_missing_is_said_at_the_start(redis, tmp_path,
                                                            spoil, said):
    hall = Hall(tmp_path, redis, 1)
    spoil(tmp_path / "session.jwks")
    assert said in refused(hall, tmp_path)


@pytest.mark.parametrize("changes, said", [
    ({"authentication": "client_secret_basic",
      "clientSecretFile": "none.secret"}, r"clientSecretFile \S+/none\.s"),
    ({"authentication": "client_secret_post",
      "clientSecretFile": "empty.secret"}, r"clientSecretFile \S+/empty\.s"),
    ({"authentication": "private_key_jwt"}, "needs keyFile, or --keys"),
    ({"authentication": "private_key_jwt", "keyFile": "none.jwk"},
     "keyFile holds no private key")])
def test_a_secret_that_is_missing_is_said_at_the_start(redis, tmp_path,
                                                       changes, said):
    """And the other providers serve."""
    (tmp_path / "empty.secret").write_text("\n")
    hall = Hall(tmp_path, redis, 1, conf={
        "listed": [provider("one", **changes), provider("two")]})
    hall.sso.allow += [f"provider one yet: .*{said}", "none.jwk cannot be op"]
    with hall.sso:
        assert hall.login(provider="two").status == 303
        assert hall.sso.said().count("nobody can sign in at the provider") == 1


# -- bad days -----------------------------------------------------------------

def test_without_redis_there_is_a_page_and_afterwards_a_sign_in(
        redis, tmp_path):
    del redis
    with own_redis() as (_, redis):
        hall = Hall(tmp_path, redis, 1, now=None, conf={
            "listed": [provider("one")]}, timeout=500)
        with hall.sso:
            assert hall.login().status == 303
            redis.kill()
            answer = hall.login(headers={"HTTP_ACCEPT": "text/html"})
            assert (answer.status, outcome(answer)) == (503, "unavailable")
            assert "return=%2Fgo%2Fbook" in answer.headers["refresh"]
            assert outcome(hall.callback("A" * 43)) == "unavailable"
            machine = hall.login(headers={"HTTP_ACCEPT": "application/json"})
            assert json.loads(machine.body)["status"]
            redis.start()
            eventually("Redis is back",
                       lambda: hall.login().status == 303, 20)


def test_started_without_redis_it_is_there_when_redis_is(redis, tmp_path):
    del redis
    with own_redis() as (_, redis):
        redis.kill()
        hall = Hall(tmp_path, redis, 1, conf={"listed": [provider("one")]})
        hall.sso.allow += ["Redis cannot be reached yet"]
        with hall.sso:
            assert outcome(hall.login()) == "unavailable"
            redis.start()
            eventually("Redis is there",
                       lambda: hall.login().status == 303, 20)


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    with Door(tmp_path_factory.mktemp("sign-in"), n=1) as door:
        door.edge.product("book")
        door.edge.product("atlas")
        yield door


@pytest.fixture
def pupil(door):
    person = door.edge.person().grant("book").grant("atlas")
    return door.person(person)


def test_the_whole_way_from_a_click_to_the_book(door, pupil):
    del pupil
    way = Browser(door).follow("/go/book/h1?product=book")
    hosts = [urllib.parse.urlsplit(url).netloc for url in way]
    assert way[-1] == "https://publisher.example/book/h1"
    assert way[1].startswith(PUBLIC + "/sso/login?return=")
    assert door.provider.issuer.endswith(hosts[2])


def test_a_circle_ends_with_a_page_and_begins_anew(door, pupil):
    del pupil
    browser = Browser(door).sign_in()
    browser.jar.pop("__Host-leerpoort-returns", None)

    def again(back="/go/book"):
        return browser.get("/sso/login?return=" + back)
    for _ in range(2):
        assert [again().status for _ in range(5)] == [303] * 5
        assert [again("/go/atlas").status for _ in range(5)] == [303] * 5
    assert [again().status for _ in range(5)] == [303] * 5
    page = again()
    assert (page.status, page.outcome) == (400, "no-cookies")
    assert again().status == 303


@pytest.mark.parametrize("url", [None, "http://evil.example/", 4])
def test_a_provider_that_is_not_known_yet_is_down_for_a_moment(
        door, pupil, url):
    del pupil
    name = door.provider.name
    file = door.keys / f"{name}.discovery.json"
    kept = file.read_text()
    if url is None:
        file.unlink()
    else:
        replace(file, json.dumps({**json.loads(kept),
                                  "authorization_endpoint": url}))
    try:
        answer = eventually("it is noticed", lambda: (
            lambda a: a.status == 503 and a)(Browser(door).get(
                "/sso/login?return=/go/book")), 20, 0.05)
        assert answer.outcome == "provider-down"
        assert f"provider={name}" in answer.header("Refresh")
    finally:
        replace(file, kept)
    eventually("it is known", lambda: Browser(door).get(
        "/sso/login?return=/go/book").status == 303, 20, 0.05)


@contextlib.contextmanager
def held(door):
    """The token endpoint holds its answers back."""
    door.provider.gate["token"].clear()
    try:
        yield
    finally:
        door.provider.gate["token"].set()


def arrive(door):
    """A browser on its way back: (browser, the callback's target)."""
    browser = Browser(door)
    way = [browser.get("/go/book").location]
    way.append(browser.get(way[0][len(PUBLIC):]).location)
    query = urllib.parse.urlsplit(way[1]).query
    back = door.provider.answer_to(dict(urllib.parse.parse_qsl(query)))
    return browser, "/sso/callback?" + urllib.parse.urlencode(back)


def send(door, browser, target):
    """A request of which the answer is read later."""
    connection = fastcgi.connect(door.workers.path)
    connection.sendall(fastcgi.message(fastcgi.params(
        target, LEERPOORT_ROUTE="sso", HTTP_COOKIE=browser.cookies())))
    return connection


def receive(connection):
    with connection:
        out, ended = fastcgi.parse(fastcgi.read_all(connection))
    assert ended
    return fastcgi.Answer(out)


def test_others_are_answered_while_one_waits(door, pupil):
    del pupil
    with held(door):
        waiting = send(door, *arrive(door))
        eventually("the provider was asked",
                   lambda: door.provider.asked.get("/token"))
        began = time.monotonic()
        assert Browser(door).get("/sso/login?return=/go/book").status == 303
        assert time.monotonic() - began < 3
    assert receive(waiting).headers["location"] == "/go/book"


def test_who_leaves_while_waiting_leaves_no_trace(door, pupil):
    del pupil
    before = door.provider.asked.get("/token", 0)
    with held(door):
        send(door, *arrive(door)).close()
        eventually("the provider was asked",
                   lambda: door.provider.asked.get("/token", 0) > before)
    assert Browser(door).sign_in()


def listens(pid):
    """Whether standard input is among what the process waits for. Only root
    may look into one that holds secrets."""
    found = ""
    with contextlib.suppress(PermissionError):
        for path in pathlib.Path(f"/proc/{pid}/fdinfo").iterdir():
            with contextlib.suppress(FileNotFoundError):
                found += path.read_text()
    return re.search(r"^tfd: +0 ", found, re.M)


def test_told_to_stop_it_finishes_who_waits(door, pupil):
    del pupil
    [pid] = door.workers.pids()
    assert listens(pid) or os.geteuid() != 0
    before = door.provider.asked.get("/token", 0)
    with held(door):
        waiting = send(door, *arrive(door))
        eventually("the provider was asked",
                   lambda: door.provider.asked.get("/token", 0) > before)
        door.workers.allow.append(RESPAWN)
        os.kill(pid, signal.SIGTERM)
        eventually("it listens no more", lambda: not listens(pid))
        assert pid in door.workers.pids()
    assert receive(waiting).headers["location"] == "/go/book"
    eventually("another has taken its place",
               lambda: door.workers.pids() not in ([], [pid]), 20)
    assert Browser(door).sign_in()


def test_a_provider_that_is_taken_out_leaves_nobody_waiting(door, pupil):
    del pupil
    before = door.provider.asked.get("/token", 0)
    kept = door.conf.read_text()
    with held(door):
        waiting = send(door, *arrive(door))
        eventually("the provider was asked",
                   lambda: door.provider.asked.get("/token", 0) > before)
        replace(door.conf, json.dumps({**json.loads(kept), "providers": []}))
        eventually("nobody can sign in", lambda: Browser(door).get(
            "/sso/login").outcome == "off", 20, 0.05)
    assert outcome(receive(waiting)) == "unknown-provider"
    replace(door.conf, kept)
    eventually("they can", lambda: Browser(door).get(
        "/sso/login").status == 303, 20, 0.05)


@pytest.mark.once
def test_one_provider_that_hangs_leaves_places_for_others(door, pupil):
    del pupil
    with held(door):
        waiting = [send(door, *arrive(door)) for _ in range(140)]
        answers = []
        for connection in waiting[128:]:
            answers.append(receive(connection))
    assert {outcome(answer) for answer in answers} == {"busy"}
    found = [receive(connection) for connection in waiting[:128]]
    assert {answer.headers.get("location") for answer in found} == {
        "/go/book"}


def test_options_are_checked(tmp_path):
    process = Process([str(SSO), "--sso", "x"], tmp_path / "said",
                      environment(tmp_path))
    assert process.wait(20) and process.code == 2
    assert "is missing" in (tmp_path / "said").read_text()
    process.destroy()
