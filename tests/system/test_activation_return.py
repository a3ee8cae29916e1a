"""A click that comes back from the worker: what it said, and that it died."""

import socket
import threading

import pytest

from lib import http, names
from lib.edge import LOGIN, URL, Edge
from lib.process import eventually
from lib.redis import Redis
from lib.workers import RESPAWN, Workers


def said(outcome, **headers):
    """A worker that activates nothing, and what it says about that."""
    return lambda got: {"X-Accel-Redirect": got["X-Uri"],
                        "Leerpoort-Outcome": outcome, **headers}


class Desk:
    """An edge with a worker that does as it is told each time."""

    def __init__(self):
        self.edge = Edge(worker=lambda headers: self.answer(headers),
                         login=False, server="location = /page/503 { internal;"
                         ' return 200 "own $leerpoort_outcome"; }'
                         "location /own/ { leerpoort_click;"
                         " leerpoort_activate /activate;"
                         " error_page 503 /page/503; }")
        self.edge.product()
        self.answer = None

    def click(self, answer, target="/go/book", person=None, **kwargs):
        self.answer = answer
        del self.edge.worker.seen[:]
        person = person or self.edge.person().grant("book", "E")
        return person.click(target, **kwargs)

    def license(self, headers):
        """Writes what a worker writes."""
        self.edge.redis("HSET", names.user_hash(
            headers["X-School"], headers["X-User"]), headers["X-Product"],
            f"L 20200101 20991231 {headers['X-Entitlement']}")

    def activates(self, headers):
        self.license(headers)
        return {"X-Accel-Redirect": headers["X-Uri"]}


@pytest.fixture(scope="module")
def desk():
    desk = Desk()
    yield desk
    desk.edge.close()


def assert_page(response, outcome, status):
    assert (response.outcome, response.status) == (outcome, status)
    assert response.header("Content-Type") == "text/html; charset=utf-8"
    assert b'lang="nl"' in response.body and b'lang="en"' in response.body
    for name, value in (("Cache-Control", "no-store"),
                        ("Referrer-Policy", "no-referrer")):
        assert response.header(name) == value, name
    assert (response.header("Retry-After") is not None) == (status == 503)
    assert response.location is None


@pytest.mark.parametrize("outcome, status", [
    ("no-right", 403), ("not-yet", 403), ("ended", 403), ("blocked", 403),
    ("unknown-product", 404), ("unknown-material", 404), ("bad-token", 401),
    ("login", 401), ("bad-request", 400), ("unavailable", 503)])
def test_the_worker_s_outcome_is_the_answer(desk, outcome, status):
    assert_page(desk.click(said(outcome)), outcome, status)
    assert len(desk.edge.worker.seen) == 1


@pytest.mark.parametrize("outcome", [
    "redirect", "activate", "", "No-Right", "no-right ", "no-right, ended",
    "no-rights", "x" * 3000])
def test_what_no_worker_may_say_is_unavailable(desk, outcome):
    if outcome == "no-right ":
        outcome += ";"      # a blank at the end is none in HTTP
    assert_page(desk.click(said(outcome)), "unavailable", 503)
    assert len(desk.edge.worker.seen) == 1


def test_nothing_said_is_unavailable(desk):
    assert_page(desk.click(lambda got: {"X-Accel-Redirect": got["X-Uri"]}),
                "unavailable", 503)


def test_a_client_can_not_say_it(desk):
    response = desk.click(
        lambda got: {"X-Accel-Redirect": got["X-Uri"]},
        headers=[("Leerpoort-Outcome", "ended"),
                 ("X-Accel-Redirect", "/static")])
    assert_page(response, "unavailable", 503)
    response = desk.click(said("ended"),
                          headers=[("Leerpoort-Outcome", "blocked")])
    assert_page(response, "ended", 403)


def test_rights_count_for_more_than_words(desk):
    def licensed_and_denied(headers):
        return {**desk.activates(headers), "Leerpoort-Outcome": "blocked"}

    response = desk.click(licensed_and_denied)
    assert (response.outcome, response.location) == ("redirect", URL + "book")

    def taken_away(headers):
        desk.edge.redis("HDEL", names.user_hash(
            headers["X-School"], headers["X-User"]), "book")
        return said("unavailable")(headers)

    assert_page(desk.click(taken_away), "no-right", 403)


def test_other_headers_of_the_worker_are_dropped(desk):
    headers = {"Cache-Control": "max-age=60", "Set-Cookie": "a=b",
               "Content-Type": "application/json; charset=latin1",
               "Expires": "Thu, 01 Jan 2099 00:00:00 GMT",
               "Location": "https://elsewhere.example/", "Refresh": "0"}
    assert_page(desk.click(said("ended", **headers)), "ended", 403)
    response = desk.click(lambda got: {**desk.activates(got), **headers})
    assert response.status == 302 and response.location == URL + "book"
    assert response.header("Cache-Control") == "no-store"
    for name in ("Set-Cookie", "Expires", "Content-Type", "Refresh"):
        assert response.header(name) is None, name


def test_the_click_s_own_error_page_is_used(desk):
    for answer in (said("unavailable"), lambda got: {"Status": None}):
        response = desk.click(answer, "/own/book")
        assert (response.status, response.outcome) == (503, "unavailable")
        assert response.body == b"own unavailable"
        assert len(desk.edge.worker.seen) == 1


def test_a_licence_is_used_at_once(desk):
    """The next clicks go straight on, whoever answers them."""
    person = desk.edge.person().grant("book", "E")
    for target, location in (("/go/book", "book"), ("/go/book/a%2Fb", None),
                             ("/go/?product=book", "book")):
        response = desk.click(desk.activates, target, person)
        assert response.outcome == "redirect", target
        assert location is None or response.location == URL + location
        assert len(desk.edge.worker.seen) == (target == "/go/book")


def test_a_query_and_a_path_come_back(desk):
    for target, location in (("/go/?product=book", "book"),
                             ("/go/book/a%20b?x=1", "book/a%20b")):
        response = desk.click(desk.activates, target)
        assert (response.outcome, response.location) == (
            "redirect", URL + location)


# ---- a worker that fails

def test_a_worker_that_dies_after_it_wrote_the_licence(desk):
    """It can't answer any more, and the pupil gets the book all the same."""
    def dies(headers):
        desk.license(headers)
        return {"Status": None}

    for target, method in (("/go/book/a%20b?x=%41", "GET"),
                           ("/go/book", "HEAD")):
        response = desk.click(dies, target, method=method)
        assert (response.outcome, response.status) == ("redirect", 302)
        assert len(desk.edge.worker.seen) == 1


def test_a_worker_that_dies_before_it(desk):
    with http.Connection(desk.edge.port) as connection:
        for _ in range(3):      # the connection goes on
            desk.answer = lambda got: {"Status": None}
            person = desk.edge.person().grant("book", "E")
            assert_page(connection.click("/go/book", token=person.token()),
                        "unavailable", 503)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 502, 503])
def test_a_worker_s_refusal_leads_back_to_the_click(desk, status):
    """Nothing has to be configured for that (proxy_intercept_errors)."""
    assert_page(desk.click(lambda got: {"Status": status}), "unavailable",
                503)
    assert len(desk.edge.worker.seen) == 1

    def licensed(headers):
        desk.license(headers)
        return {"Status": status}

    response = desk.click(licensed)
    assert (response.outcome, response.location) == ("redirect", URL + "book")
    response = desk.click(lambda got: {**said("ended")(got),
                                       "Status": status})
    assert_page(response, "ended", 403)


def test_the_metrics_count_both_halves(desk):
    def clicks(outcome):
        return desk.edge.metrics()[
            f'leerpoort_clicks_total{{outcome="{outcome}"}}']

    before = clicks("activate"), clicks("unavailable")
    desk.click(lambda got: {"Status": None})
    assert (clicks("activate"), clicks("unavailable")) == (
        before[0] + 1, before[1] + 1)


class Socket:
    """Listens where a FastCGI worker would, and does(connection)."""

    def __init__(self, path, does):
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen(64)
        self._does = does
        self.met = 0
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.met += 1
            threading.Thread(target=self._does, args=(connection,),
                             daemon=True).start()

    def close(self):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._path.unlink()


def _closes(connection):
    connection.recv(100)
    connection.close()


def _resets(connection):
    connection.close()


def _babbles(connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    connection.close()


def _half(connection):
    connection.recv(100)
    connection.sendall(bytes([1, 6, 0, 1, 0, 20, 0, 0]) + b"Status: 200\r\n")
    connection.close()


def _sleeps(connection):
    while connection.recv(4096):
        pass


def _nothing(connection):
    """An empty answer: a worker that ends before it says anything."""
    connection.recv(65536)
    connection.sendall(bytes([1, 3, 0, 1, 0, 8, 0, 0]) + bytes(8))
    connection.close()


FASTCGI = """
        location {name} {{
            {internal}
            fastcgi_pass unix:{path};
            fastcgi_read_timeout 300ms;
            fastcgi_intercept_errors on;
            fastcgi_param LEERPOORT_USERS $leerpoort_users;
            fastcgi_param LEERPOORT_PERSON $leerpoort_person;
            error_page 502 /elsewhere;
        }}"""


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    """An edge whose worker listens on edge.path, or nobody does."""
    path = tmp_path_factory.mktemp("broken") / "s"
    activate, named = (
        FASTCGI.format(path=path, name=name, internal=internal)
        for name, internal in (("/activate", "internal;"), ("@activate", "")))
    with Edge(activate=activate, login=False, server=named + """
            location /named/ {
                leerpoort_click;
                leerpoort_activate @activate;
            }""", allow=[r"\[crit\].*connect\(\) to unix:.* failed"]) as edge:
        edge.path = path
        edge.product()
        yield edge


@pytest.mark.parametrize("does", [
    _closes, _resets, _babbles, _half, _sleeps, _nothing, None],
    ids=lambda does: does.__name__ if does else "no socket")
@pytest.mark.parametrize("prefix", ["/go/", "/named/"])
def test_a_broken_worker_leads_to_a_page_people_can_read(broken, does,
                                                         prefix):
    people = [broken.person().grant("book", "E") for _ in range(4)]
    listener = Socket(broken.path, does) if does else None
    try:
        for response in http.at_once(4, lambda i: people[i].click(
                f"{prefix}book/a%20b")):
            assert_page(response, "unavailable", 503)
        assert listener is None or listener.met == 4
    finally:
        if listener:
            listener.close()


def test_whatever_answers_there_with_an_error():
    for answer in ("return 404;", "return 500;", "deny all;",
                   "root /nonexistent;", "limit_except POST { deny all; }"):
        with Edge(activate=f"location = /activate {{ internal; {answer} }}",
                  login=False) as edge:
            edge.product()
            assert_page(edge.person().grant("book", "E").click(),
                        "unavailable", 503)
    with Edge(activate="location / { return 404; }") as edge:  # not there
        edge.product()
        assert_page(edge.person().grant("book", "E").click(), "unavailable",
                    503)


def test_an_answer_that_is_no_error_stays():
    with Edge(activate='location = /activate { internal; return 200 "x"; }'
              ) as edge:
        edge.product()
        response = edge.person().grant("book", "E").click()
        assert (response.status, response.body) == (200, b"x")


def test_other_requests_keep_their_error_pages(desk):
    """The pages of one request are not the location's."""
    desk.click(lambda got: {"Status": None})
    response = desk.edge.click("/activate")
    assert response.status == 404 and response.outcome is None


def test_a_client_that_leaves_meanwhile(desk):
    gone, back = threading.Event(), threading.Event()

    def waits(headers):
        gone.wait(10)
        back.set()
        return said("ended")(headers)

    desk.answer = waits
    del desk.edge.worker.seen[:]
    person = desk.edge.person().grant("book", "E")
    connection = http.Connection(desk.edge.port)
    connection.send(http.request("/go/book", token=person.token()))
    eventually("the worker has it", lambda: desk.edge.worker.seen, 10)
    connection.close()
    eventually("nginx let go", lambda: desk.edge.waiting() == 0, 10)
    gone.set()
    assert back.wait(10)
    assert desk.click(desk.activates, person=person).outcome == "redirect"


def test_a_reload_while_the_worker_works(desk):
    """nginx' old worker waits for the answers, and asks Redis once more."""
    go = threading.Event()
    turn = threading.Lock()

    def waits(headers):
        assert go.wait(20)
        with turn:
            return desk.activates(headers)

    desk.answer = waits
    del desk.edge.worker.seen[:]
    people = [desk.edge.person().grant("book", "E") for _ in range(4)]
    found = [None] * 4
    clicks = [threading.Thread(target=lambda i=i: found.__setitem__(
        i, people[i].click())) for i in range(4)]
    for click in clicks:
        click.start()
    try:
        eventually("all are there", lambda: len(desk.edge.worker.seen) == 4)
        before = set(desk.edge.nginx.worker_pids())
        desk.edge.nginx.reload()
        eventually("there is a new worker",
                   lambda: set(desk.edge.nginx.worker_pids()) - before)
    finally:
        go.set()
        for click in clicks:
            click.join(20)
    assert [answer.outcome for answer in found] == ["redirect"] * 4
    eventually("the old worker has gone", lambda: not before & set(
        desk.edge.nginx.worker_pids()), 20)


def test_redis_that_dies_while_the_worker_works():
    def answer(headers):
        edge.redis.stop()
        return {"X-Accel-Redirect": headers["X-Uri"],
                "Leerpoort-Outcome": "ended"}

    with Edge(worker=answer) as edge:
        edge.product()
        assert_page(edge.person().grant("book", "E").click(), "unavailable",
                    503)


def test_login_said_by_the_worker_leads_to_the_login():
    with Edge(worker=said("login")) as edge:
        edge.product()
        response = edge.person().grant("book", "E").click("/go/book/a?b")
        assert (response.status, response.outcome) == (302, "login")
        assert response.location.startswith(LOGIN)


# ---- the real worker, by FastCGI

@pytest.fixture(scope="module")
def town(tmp_path_factory):
    """Edge, Redis and leerpoort-worker; one school that is known."""
    folder = tmp_path_factory.mktemp("town")
    redis = Redis(folder)
    redis.start()
    workers = Workers(folder, redis.address, allow=[RESPAWN])
    try:
        with workers, Edge(redis=redis, activate=workers.location(),
                           timeout="1s") as edge:
            edge.product(url=URL + "book", deep=URL + "book/{path}",
                         licence="schoolyear")
            edge.redis("HSET", f"school:{{{names.shard('S1')}}}:S1", "name",
                       "One")
            edge.workers = workers
            yield edge
    finally:
        redis.destroy()


def test_an_entitlement_becomes_a_licence_and_the_book_opens(town):
    def activated():
        return town.metrics()['leerpoort_clicks_total{outcome="activate"}']

    before = activated()
    person = town.person(sub=True).grant("book", "E")
    for _ in range(3):
        response = person.click("/go/book/a%20b?x=1")
        assert (response.outcome, response.location) == (
            "redirect", URL + "book/a%20b")
    assert activated() == before + 1
    assert town.redis("HGET", person.hash(), "book").startswith("L ")


def test_ten_clicks_of_one_pupil_at_once(town):
    token = town.person().grant("book", "E").token()
    for response in http.at_once(10, lambda i: town.click(token=token)):
        assert response.outcome == "redirect"


def test_the_real_worker_s_refusal_is_the_page(town):
    """The right is blocked while the click is on its way; the edge has not
    heard of that."""
    person = town.person().grant("book", "E")
    town.settled(person, "/go/none")
    town.redis("HSET", person.hash(), "book", names.right("B"))
    assert_page(person.click(), "blocked", 403)


def test_a_worker_that_is_killed_leaves_a_page_or_a_book(town):
    """Whichever it was doing: never nginx's own page."""
    people = [town.person().grant("book", "E") for _ in range(8)]
    killer = threading.Thread(target=town.workers.kill)
    killer.start()
    responses = http.at_once(8, lambda i: people[i].click())
    killer.join(30)
    for response in responses:
        assert response.outcome in ("redirect", "unavailable"), response
    for person in people:
        assert person.click().outcome == "redirect"
