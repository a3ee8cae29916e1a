"""What somebody tries who wants in, or wants others out: each test is an attack
that worked once, or one that must never work."""

import contextlib
import json
import re
import secrets
import time
import urllib.parse

import pytest

from lib import names
from lib.door import Browser, Door
from lib.edge import PUBLIC, URL
from lib.http import at_once
from lib.lms import Frame, Gate, Lms
from lib.process import eventually
from lib.provider import Provider
from lib.tokens import make_key

BOOK = "/go/book"
SAID = (r"^leerpoort: (a sign-in at the provider|\d+ further sign-ins"
        r"|a launch from|\d+ further launches)")


class TwoDoors(Door):
    """Two providers; what one of them does, the other must not suffer from."""

    def __init__(self, folder):
        super().__init__(folder)
        self.other = Provider("other")
        self.changes = {}

    def _open(self, stack):
        self.other.start()
        stack.callback(self.other.stop)
        self.other.publish(self.keys)
        super()._open(stack)

    def entries(self):
        return [provider.entry(self.folder, **self.changes.get(
            provider.name, {})) for provider in (self.provider, self.other)]

    def options(self):
        return {"allow": [SAID]}


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    with TwoDoors(tmp_path_factory.mktemp("attacks")) as door:
        door.edge.product("book")
        yield door


@pytest.fixture
def pupil(door):
    return door.person(door.edge.person().grant("book"))


def begin(browser, provider="school", back=BOOK):
    """The URL at the provider, and its parameters."""
    answer = browser.get(f"/sso/login?provider={provider}&return="
                         + urllib.parse.quote(back, ""))
    assert answer.status == 303, answer.body
    url = urllib.parse.urlsplit(answer.location)
    return dict(urllib.parse.parse_qsl(url.query, strict_parsing=True))


def come_back(browser, form, path="/sso/callback"):
    return browser.get(f"{path}?" + urllib.parse.urlencode(form))


def sessions(door):
    return set(door.redis("KEYS", "session:*"))


def opens(browser):
    return browser.get(BOOK).location == URL + "book"


def sign_in(door, browser=None):
    browser = browser or Browser(door)
    come_back(browser, door.provider.answer_to(begin(browser)))
    assert opens(browser)
    return browser


# --- what lies in Redis -------------------------------------------------------

def test_ids_of_one_session_open_no_other(door):
    """Who can write to Redis can't make somebody of somebody else."""
    browsers, keys = [], []
    for _ in range(2):
        door.person(door.edge.person().grant("book"))
        before = sessions(door)
        browsers.append(sign_in(door))
        [key] = sessions(door) - before
        keys.append(key)
    victim, own = keys
    door.redis("HSET", own, "who", door.redis("HGET", victim, "who"))
    browser = browsers[1]
    browser.keep("__Host-leerpoort-session")
    begin(browser)  # it is asked to sign in
    assert "__Host-leerpoort" not in browser.jar


def test_a_way_back_that_somebody_wrote_into_redis_leads_nowhere(door, pupil):
    browser = Browser(door)
    before = set(door.redis("KEYS", "signin:*"))
    form = begin(browser)
    [key] = set(door.redis("KEYS", "signin:*")) - before
    door.redis("HSET", key, "back", "https://evil.example/")
    answer = come_back(browser, door.provider.answer_to(form))
    assert answer.status != 303 and answer.location is None
    assert b"evil.example" not in answer.body
    assert "__Host-leerpoort" not in browser.jar
