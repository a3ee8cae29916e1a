"""Who signs in comes back to what they clicked on, with all that belongs to
it; and whoever took the wrong door can take another."""

import html
import re
import time
import urllib.parse

import pytest

from lib.door import Browser, TwoDoors
from lib.process import eventually

LAST = "__Host-leerpoort-provider"
HOUR = 3600


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    with TwoDoors(tmp_path_factory.mktemp("back"), n=1) as door:
        door.edge.product("book", url="https://publisher.example/book",
                          deep="https://publisher.example/book/{path}")
        yield door
    assert not door.other.complaints, door.other.complaints


@pytest.fixture
def pupil(door):
    person = door.person(door.edge.person().grant("book"))
    door.other.sub = door.provider.sub
    door.other.claims = dict(door.provider.claims)
    yield person
    for provider in (door.provider, door.other):
        provider.authorize, provider.id_token = None, {}


def begin(browser, name, back="/go/book", **more):
    """The provider's request."""
    answer = browser.get("/sso/login?" + urllib.parse.urlencode(
        {"return": back, "provider": name, **more}))
    assert answer.status == 303, (answer.status, answer.body)
    return dict(urllib.parse.parse_qsl(
        urllib.parse.urlsplit(answer.location).query))


def come_back(browser, provider, form, **changes):
    return browser.get("/sso/callback?" + urllib.parse.urlencode(
        {**provider.answer_to(form), **changes}))


def is_asked(browser, back="/go/book"):
    """Whether there is a choice; else who is chosen."""
    answer = browser.get("/sso/login?return=" + urllib.parse.quote(back, ""))
    if answer.status == 303:
        return urllib.parse.urlsplit(answer.location).port
    assert answer.status == 200 and b"Waar log je in?" in answer.body
    return True


def links(answer):
    return [html.unescape(href) for href in re.findall(
        r'href="(/sso/login[^"]*)"', answer.body.decode())]


# --- what is clicked on ---------------------------------------------------------

@pytest.mark.parametrize("target, where", [
    ("/go/book?x=1&y=%C3%A9", "/book"),
    ("/go/book?return=//evil.example", "/book"),
    ("/go/book?x={a}|b^`\\", "/book"),
    ("/go/book?x=%0D%0ASet-Cookie:%20a=b", "/book"),
    ("/go/book?x=%&y=\"<b>", "/book"),
    ("/go/book?x=" + "a" * 3000, "/book"),
    ("/go/book/h1?x={a}", "/book/h1"),
    ("/go/?x={a}&product=book", "/book"),
    ("/go/?product=book&x=" + "a" * 3000, "/book"),
    ("/go/book/" + "a" * 500 + "?x=" + "b" * 500, "/book/" + "a" * 500),
], ids=lambda text: text[:40])
def test_a_click_arrives_whatever_its_query(door, pupil, target, where):
    browser = Browser(door, {LAST: "school"})
    way = browser.follow(target)
    assert way[-1] == "https://publisher.example" + where
    assert any(urllib.parse.urlsplit(url).path == "/sso/callback"
               for url in way)


@pytest.mark.parametrize("back, kept", [
    ("/code?product=book", "/code?product=book"),
    ("/code?lang=en&product=book&x={", "/code?product=book"),
    ("/code?product=", "/code"), ("/code?product=//evil", "/code"),
    ("/code?product=a&product=b", "/code"), ("/?product=book", "/")])
def test_the_page_for_codes_keeps_its_book(door, pupil, back, kept):
    browser = Browser(door)
    answer = come_back(browser, door.provider,
                       begin(browser, "school", back))
    assert (answer.status, answer.location) == (303, kept)
    # and straight back, once there is a session
    answer = browser.get("/sso/login?return=" + urllib.parse.quote(back, ""))
    assert (answer.status, answer.location) == (303, kept)


# --- another door ---------------------------------------------------------------

def test_a_choice_counts_when_it_led_somewhere(door, pupil):
    """The back button at the wrong school's door leads to the choice."""
    browser = Browser(door)
    page = browser.get("/sso/login?return=%2Fgo%2Fbook")
    wrong, right = (next(href for href in links(page) if f"={name}&" in href)
                    for name in ("other", "school"))
    assert browser.get(wrong).status == 303
    assert is_asked(browser) is True
    form = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(
        browser.get(right).location).query))
    assert come_back(browser, door.provider, form).location == "/go/book"
    assert browser.jar[LAST] == "school"
    [line] = [line for line in browser.set_cookies if line.startswith(LAST)]
    assert f"Max-Age={180 * 86400}" in line and "HttpOnly" in line
    browser.keep(LAST)
    assert is_asked(browser) == door.provider.port
    answer = browser.get("/sso/login?choose=1&return=%2Fgo%2Fbook")
    assert answer.status == 200


def test_a_link_is_no_choice(door, pupil):
    browser = Browser(door)
    come_back(browser, door.provider, begin(browser, "school"))
    assert "__Host-leerpoort" in browser.jar and LAST not in browser.jar


@pytest.mark.parametrize("claims, changes, outcome, again", [
    (None, {"error": "access_denied"}, "sign-in-refused", "provider=school"),
    ({}, {}, "nobody", "choose=1")], ids=str)
def test_who_can_not_get_in_there_is_asked_anew(door, pupil, claims, changes,
                                                outcome, again):
    """Somebody else at the same computer, with another school."""
    browser = Browser(door, {LAST: "school"})
    form = begin(browser, "school")
    if claims is not None:
        door.provider.claims = claims
    answer = come_back(browser, door.provider, form, **changes)
    assert answer.outcome == outcome
    assert links(answer)[0] == f"/sso/login?return=%2Fgo%2Fbook&{again}"
    assert LAST not in browser.jar
    assert is_asked(browser) is True


def test_who_can_not_get_in_by_a_link_keeps_their_choice(door, pupil):
    browser = Browser(door, {LAST: "other"})
    answer = come_back(browser, door.provider, begin(browser, "school"),
                       error="access_denied")
    assert answer.outcome == "sign-in-refused"
    assert browser.jar[LAST] == "other"


def test_a_bad_day_of_the_provider_changes_no_choice(door, pupil):
    browser = Browser(door, {LAST: "school"})
    answer = come_back(browser, door.provider, begin(browser, "school"),
                       error="temporarily_unavailable")
    assert answer.outcome == "provider-down"
    assert is_asked(browser) == door.provider.port


# --- how long ago ---------------------------------------------------------------

@pytest.fixture
def hourly(door):
    """Both ask for somebody who signed in within the hour."""
    def asked():
        return begin(Browser(door), "school").get("max_age")

    door.changes = dict.fromkeys(
        ("school", "other"), {"parameters": {"max_age": str(HOUR)}})
    door.write()
    eventually("sso.json is read", lambda: asked() == str(HOUR))
    yield door
    door.changes = {}
    door.write()
    eventually("sso.json is read", lambda: asked() is None)


@pytest.mark.parametrize("ago, comes_in", [
    (60, True), (HOUR - 60, True), (HOUR + 120, False), (-120, False),
    (None, False)])
def test_who_signed_in_too_long_ago_is_not_let_in(hourly, pupil, ago,
                                                  comes_in):
    browser = Browser(hourly)
    form = begin(browser, "school")
    hourly.provider.id_token = {
        "auth_time": None if ago is None else int(time.time()) - ago}
    answer = come_back(browser, hourly.provider, form)
    assert (answer.location == "/go/book") is comes_in
    if not comes_in:
        assert answer.outcome == "sign-in-wrong"
        assert "__Host-leerpoort" not in browser.jar
