"""What somebody tries who wants in, or wants others out: each test is an attack
that worked once, or one that must never work."""

import contextlib
import pathlib
import re
import secrets
import urllib.parse

import pytest
import test_lti_pick

from lib import fastcgi, http
from lib.door import SAID, Browser, TwoDoors
from lib.edge import PUBLIC, URL
from lib.fault import Faults, lost, unanswered
from lib.lms import Frame, Gate, Lms
from lib.process import eventually
from lib.provider import Provider
from lib.tokens import make_key

BOOK = "/go/book"
LAUNCHES = r"^leerpoort: (a launch from|\d+ further launches)"


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


# --- launches -----------------------------------------------------------------

@pytest.fixture(scope="module")
def gate():
    lms, other, provider = Lms().start(), Lms("other").start(), Provider()
    provider.start()
    entries = [lms.entry(link=True), other.entry(link=True)]
    try:
        with Gate(lms, entries, allow=[SAID, LAUNCHES], n=1,
                  provider=provider) as gate:
            gate.other = other
            other.publish(gate.keys)
            yield gate
    finally:
        for server in (lms, other, provider):
            server.stop()


@pytest.fixture
def lms(gate):
    for lms in (gate.lms, gate.other):
        lms.reset()
        lms.person = {"sub": "lms-" + secrets.token_hex(4), "name": "Noor"}
    yield gate.lms
    assert not gate.lms.complaints + gate.other.complaints


def at_school(gate, person):
    """Whoever signs in next is this person."""
    gate.provider.sub = f"sub-{person.key()}"
    gate.provider.claims = {"eckid": person.ids["eckid"][1],
                            "org": person.school}
    return person


def window_of(gate):
    """A browser in which somebody has signed in."""
    window = Frame(gate)
    form = begin(window)
    answer = come_back(window, gate.provider.answer_to(form))
    assert answer.status == 303, answer.body
    return window


def link_in(response):
    [href] = re.findall(rb'href="(/lti/link/[A-Za-z0-9_-]{43})"',
                        response.body)
    return href.decode()


def press(gate, window, href, headers=()):
    """The button that links an account; returns the link's key."""
    before = set(gate.redis("KEYS", "link:*"))
    answer = window.post(href, {}, headers=headers)
    [key] = set(gate.redis("KEYS", "link:*")) - before
    assert answer.status < 400 and answer.outcome is None, answer
    return key


def test_no_page_beside_ours_links_an_account(gate, lms):
    """Another site below the same domain is no stranger to SameSite, and with
    a policy of no-referrer its forms come from "null"."""
    at_school(gate, gate.edge.person().grant("book"))
    window = window_of(gate)
    href = link_in(Frame(gate).launch(lms))
    before = gate.redis("KEYS", "link:*")
    answer = window.post(href, {}, headers=[("Origin", "null")])
    assert answer.outcome == "bad-form", answer
    assert gate.redis("KEYS", "link:*") == before
    # so our own page must not make browsers write that
    assert window.get(href).header("Referrer-Policy") == "same-origin"
    press(gate, window, href, [("Origin", PUBLIC)])


def test_ids_of_one_link_open_no_other(gate, lms):
    links = []
    for _ in range(2):
        at_school(gate, gate.edge.person().grant("book"))
        window = window_of(gate)
        lms.person = {"sub": "lms-" + secrets.token_hex(4)}
        href = link_in(Frame(gate).launch(lms))
        links.append(press(gate, window, href))
    victim, own = links
    assert Frame(gate).launch(lms).location == URL + "book"
    gate.redis("HSET", own, "who", gate.redis("HGET", victim, "who"))
    link_in(Frame(gate).launch(lms))


def test_a_subject_of_another_platform_is_somebody_else(gate, lms):
    at_school(gate, gate.edge.person().grant("book"))
    window = window_of(gate)
    press(gate, window, link_in(Frame(gate).launch(lms)))
    assert Frame(gate).launch(lms).location == URL + "book"
    gate.other.person = dict(lms.person)
    link_in(Frame(gate).launch(gate.other))


def test_launches_with_invented_keys_leave_room_for_who_signs_in(gate, lms):
    """Anybody gets a state, and can send a token with a key that nobody knows:
    it is waited for."""
    person = at_school(gate, gate.edge.person().grant("book"))
    browser = Frame(gate)
    coming = gate.provider.answer_to(begin(browser))
    waiting = []
    for lms in (gate.lms, gate.other):
        lms.key = make_key("RS256", "nobody-has-it", 1)
        token = lms.token("x")
        for _ in range(160):
            state = urllib.parse.parse_qs(urllib.parse.urlsplit(
                login_past_nginx(gate, lms)).query)["state"][0]
            waiting.append(urllib.parse.urlencode(
                {"state": state, "id_token": token}).encode())
    with contextlib.ExitStack() as stack:
        for body in waiting:
            connection = stack.enter_context(fastcgi.connect(gate.sso.path))
            connection.sendall(fastcgi.message(fastcgi.params(
                "/lti/launch", "POST", body, LEERPOORT_ROUTE="sso",
                CONTENT_TYPE="application/x-www-form-urlencoded"), body))
        answer = come_back(browser, coming)
        assert answer.status == 303, answer.body
    assert browser.get("/go/book").location == URL + "book"
    assert person


def login_past_nginx(gate, lms):
    target = "/lti/login?" + urllib.parse.urlencode(lms.begin(PUBLIC + BOOK))
    return fastcgi.ask(gate.sso.path, target,
                       LEERPOORT_ROUTE="sso").headers["location"]


def test_who_sends_rubbish_fills_no_log(gate, lms):
    lms.claims = {"aud": "somebody else"}
    before = gate.sso.said().count("a launch from")
    for _ in range(40):
        assert Frame(gate, keeps=False).launch(lms).outcome == "launch-wrong"
    said = gate.sso.said().count("a launch from") - before
    assert 1 <= said < 20


# --- Redis goes away in the middle ----------------------------------------------

class FaultyDoor(TwoDoors):
    """Redis, as leerpoort-sso sees it, has a moment at which it fails."""

    def options(self):
        return {"allow": [SAID, LAUNCHES, "Redis"]}

    def more(self):
        self.faults = Faults(self.folder, self.redis.path)
        self.workers.n = 1
        self.workers._options["redis"] = self.faults.address
        return ""

    def each_moment(self, prepare, act):
        """Yields what act(prepare()) gives with each command failing in turn,
        lost before Redis sees it or done and not told, and what was prepared.
        """
        fine = prepare()
        self.faults.arm()
        act(fine)
        n = len(self.faults.asked)
        assert n > 2, self.faults.asked
        for fault in (lost, unanswered):
            for k in range(n):
                prepared = prepare()
                self.faults.arm(fault, k)
                answer = act(prepared)
                self.faults.arm()
                self.settle()
                yield prepared, answer, f"{fault.__name__} {k}"

    def settle(self):
        """leerpoort-sso has a connection again, and nothing stays for ever."""
        eventually("it goes on", lambda: Browser(self).get(
            "/sso/login?provider=school").status == 303)
        for kind in ("signin", "session", "subs", "sids", "launch", "nonce",
                     "once", "signout", "jti"):
            for key in self.redis("KEYS", f"{kind}:*"):
                assert self.redis("TTL", key) > 0, key
        for key in sessions(self):
            stored = set(self.redis("HKEYS", key))
            assert {"who", "user", "provider", "at", "until", "used",
                    "sub"} <= stored, (key, stored)


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    with FaultyDoor(tmp_path_factory.mktemp("faulty")) as door:
        door.edge.product("book")
        yield door
        door.faults.stop()


def is_friendly(answer):
    """A page with a code, or nothing that anybody would see."""
    return answer.status == 503 and answer.header("Leerpoort-Code") \
        and b"<html" in answer.body


def test_redis_fails_in_the_middle_of_a_callback(faulty):
    door = faulty

    def prepare():
        door.person(door.edge.person().grant("book"))
        browser = Browser(door)
        return browser, door.provider.answer_to(begin(browser))

    for (browser, form), answer, when in door.each_moment(
            prepare, lambda prepared: come_back(*prepared)):
        came_in = "__Host-leerpoort" in browser.jar
        assert came_in == ("__Host-leerpoort-session" in browser.jar), when
        assert came_in == (answer.status == 303), (when, answer)
        if came_in:
            assert opens(browser), when
            browser.keep("__Host-leerpoort-session")
            assert browser.get("/sso/login?return=%2Fgo%2Fbook"
                               ).location == BOOK, when
        else:
            assert is_friendly(answer), (when, answer)


def test_redis_fails_in_the_middle_of_a_sign_out(faulty):
    door = faulty

    def prepare():
        person = door.person(door.edge.person().grant("book"))
        before = sessions(door)
        browser = sign_in(door)
        [key] = sessions(door) - before
        return browser, key, person, browser.sign_out_form()

    for (browser, key, person, form), answer, when in door.each_moment(
            prepare, lambda p: p[0].post("/sso/logout", p[3])):
        assert answer.status in (200, 303), (when, answer)
        assert not {"__Host-leerpoort", "__Host-leerpoort-session"} & set(
            browser.jar), when
        # all of it, or nothing
        ended = not door.redis("EXISTS", key)
        refused = door.redis("HGET", person.hash(), "!") is not None
        assert ended == refused, when


def test_redis_fails_in_the_middle_of_a_logout_elsewhere(faulty):
    door = faulty

    def prepare():
        person = door.person(door.edge.person().grant("book"))
        before = sessions(door)
        sign_in(door)
        [key] = sessions(door) - before
        return door.provider.logout_token(), key, person

    def send(prepared):
        return door.post("/sso/backchannel",
                         urllib.parse.urlencode({"logout_token": prepared[0]}))

    for prepared, answer, when in door.each_moment(prepare, send):
        _, key, person = prepared
        assert answer.status in (200, 503), (when, answer)
        if answer.status == 503:
            assert answer.header("Retry-After"), when
            assert send(prepared).status in (200, 400), when
        assert not door.redis("EXISTS", key), when
        assert door.redis("HGET", person.hash(), "!"), when


def test_redis_fails_in_the_middle_of_a_renewal(faulty):
    door = faulty

    def prepare():
        door.person(door.edge.person().grant("book"))
        browser = sign_in(door)
        browser.keep("__Host-leerpoort-session")
        return browser

    for browser, answer, when in door.each_moment(
            prepare,
            lambda browser: browser.get("/sso/login?return=%2Fgo%2Fbook")):
        if "__Host-leerpoort" in browser.jar:
            assert answer.location == BOOK and opens(browser), when
        else:
            assert is_friendly(answer), (when, answer)
        assert "__Host-leerpoort-session" in browser.jar, when


class FaultyGate(Gate):
    def _locations(self):
        self.faults = Faults(self.folder, self.redis.path)
        self.sso._options["redis"] = self.faults.address
        return super()._locations()

    each_moment = FaultyDoor.each_moment

    def settle(self):
        eventually("it goes on", lambda: Frame(self, keeps=False).begin(
            self.lms).status == 302)
        for kind in ("launch", "nonce", "once"):
            for key in self.redis("KEYS", f"{kind}:*"):
                assert self.redis("TTL", key) > 0, key
        assert not sessions(self)


def test_redis_fails_in_the_middle_of_a_launch():
    lms = Lms().start()
    try:
        with FaultyGate(lms, [lms.entry()], allow=[SAID, LAUNCHES, "Redis"],
                        n=1) as gate:
            gate.pupil().grant("book")

            def prepare():
                frame = Frame(gate)
                return frame, frame.form(lms)

            for (frame, form), answer, when in gate.each_moment(
                    prepare, lambda p: p[0].post("/lti/launch", p[1])):
                assert (answer.location == URL + "book"
                        or is_friendly(answer)), (when, answer)
                assert all("leerpoort-lti" in name for name in frame.jar)
                # whatever became of it, it is not for a second time
                again = frame.post("/lti/launch", form)
                if answer.location:
                    assert again.outcome == "launch-old", when
            gate.faults.stop()
    finally:
        lms.stop()


class FaultyRoom(test_lti_pick.Classroom, FaultyGate):
    """Where teachers pick."""


def test_redis_fails_in_the_middle_of_a_choice(tmp_path):
    """An answer is given once, and what was picked is never lost before."""
    lms = Lms().start()
    try:
        room = FaultyRoom(lms, allow=[SAID, "Redis"], n=1)
        room.ring_folder = tmp_path
        with room:
            for page, last, when in room.each_moment(
                    lambda: test_lti_pick.begin(room, lms),
                    lambda page: page.send("put", ["book"])):
                given = 'name="JWT"' in last.html
                assert given or is_friendly(last.response), when
                # a link to the other language leads somewhere
                for href in re.findall('href="(/lti/pick/[^"]*)"', last.html):
                    assert page.frame.get(href.replace("&amp;", "&")
                                          ).status == 200, when
                if given:
                    assert page.send("put", ["book"]).response.outcome \
                        == "launch-old", when
            room.faults.stop()
    finally:
        lms.stop()


# --- one provider and another ---------------------------------------------------

@pytest.fixture
def mixed(door):
    """The school's provider does not say who answers (RFC 9207), and has a
    redirect URI of its own instead."""
    for provider in (door.provider, door.other):
        provider.iss_parameter = False
        provider.publish(door.keys)
    door.changes = {"school": {"ownCallback": True}}
    door.write()
    eventually("sso.json is read", lambda: {
        begin(Browser(door))["redirect_uri"] for _ in range(20)} == {
            f"{PUBLIC}/sso/callback/school"})
    yield door
    for provider in (door.provider, door.other):
        provider.iss_parameter = True
        provider.publish(door.keys)
    door.changes = {}
    door.write()
    eventually("sso.json is read", lambda: {
        begin(Browser(door))["redirect_uri"] for _ in range(20)} == {
            f"{PUBLIC}/sso/callback"})


def test_a_provider_gets_no_code_of_another(mixed, pupil):
    """Mix-up (RFC 9700, section 4.4): a provider that was broken into sends
    its people on to another, with the state that it was given, to be handed
    the code that comes back."""
    door, browser = mixed, Browser(mixed)
    form = begin(browser, "other")
    assert form["redirect_uri"] == f"{PUBLIC}/sso/callback"
    asked = door.other.asked.get("/token", 0)
    sent_on = {**form, "client_id": door.provider.client_id,
               "redirect_uri": f"{PUBLIC}/sso/callback/school"}
    back = door.provider.answer_to(sent_on)
    assert "iss" not in back and back["state"] == form["state"]
    answer = come_back(browser, back, "/sso/callback/school")
    assert answer.outcome == "sign-in-wrong"
    assert door.other.asked.get("/token", 0) == asked
    assert "__Host-leerpoort" not in browser.jar


def test_a_redirect_uri_of_its_own(mixed, pupil):
    browser = Browser(mixed)
    form = begin(browser)
    answer = come_back(browser, mixed.provider.answer_to(form),
                       "/sso/callback/school")
    assert answer.location == BOOK and opens(browser)
    for path in ("/sso/callback", "/sso/callback/other", "/sso/callback/"):
        browser = Browser(mixed)
        answer = come_back(browser,
                           mixed.provider.answer_to(begin(browser)), path)
        assert answer.location is None, path
        assert "__Host-leerpoort" not in browser.jar


# --- who leaves ------------------------------------------------------------------

def test_who_leaves_in_the_middle_leaves_nothing_behind(gate, lms):
    """Browsers that are closed while a launch waits for a key, while a
    provider is asked, and while a form is on its way."""
    at_school(gate, gate.edge.person().grant("book"))
    [pid] = gate.sso.pids()
    window_of(gate)
    before = local_sockets(pid)
    lms.key = make_key("RS256", "nobody-has-it", 1)
    token = lms.token("x")
    asked = gate.provider.gate["token"]
    asked.clear()
    try:
        for i in range(30):
            state = urllib.parse.parse_qs(urllib.parse.urlsplit(
                login_past_nginx(gate, lms)).query)["state"][0]
            leave(gate, "/lti/launch", urllib.parse.urlencode(
                {"state": state, "id_token": token}).encode())
            frame = Frame(gate)
            form = gate.provider.answer_to(begin(frame))
            leave(gate, "/sso/callback?" + urllib.parse.urlencode(form),
                  cookies=frame.jar)
            if i % 10 == 0:
                leave(gate, "/lti/pick", b"pick=", declared=50)
        eventually("the provider is asked", lambda: gate.provider.waiting > 20)
    finally:
        asked.set()
    eventually("all is given back",
               lambda: local_sockets(pid) <= before, 20)
    assert gate.sso.pids() == [pid]
    assert window_of(gate).get("/go/book").location == URL + "book"


def local_sockets(pid):
    """How many a process has; those of libcurl, which it keeps, are TCP."""
    inodes = {line.split()[6] for line in pathlib.Path(
        f"/proc/{pid}/net/unix").read_text().splitlines()[1:]}
    found = 0
    for file in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            found += str(file.readlink())[8:-1] in inodes
    return found


def leave(gate, target, body=None, cookies=(), declared=None):
    """A browser behind nginx that sends all that, or less, and is gone."""
    line = "; ".join(f"{name}={cookies[name]}" for name in cookies)
    headers = [("Cookie", line)] if line else []
    if body is not None:
        headers += [("Content-Type", "application/x-www-form-urlencoded"),
                    ("Content-Length", str(declared or len(body)))]
    with http.Connection(gate.edge.port) as connection:
        connection.send(http.request(
            target, method="GET" if body is None else "POST",
            headers=headers) + (body or b""))
        assert gate.edge.waiting() >= 0  # by now nginx has read it
