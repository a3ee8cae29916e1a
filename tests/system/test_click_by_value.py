"""leerpoort_click with a value: what a program behind nginx found good (an LTI
launch) becomes a click, which the client can neither make nor change."""

import contextlib
import json
import pathlib
import tempfile

import pytest

from lib import fastcgi, http, names
from lib.edge import URL, Edge
from lib.nginx import config_error, frame
from lib.redis import Redis
from lib.workers import Workers

LAUNCH = "/lti/launch?a=b"
BODY = b"id_token=a.b.c&state=secret"

CLICK = """
        location = /lti/click {
            internal;
            leerpoort_click $upstream_http_leerpoort_click;
            leerpoort_token $upstream_http_leerpoort_session;
            leerpoort_activate /activate;
            add_header X-Request-Uri $request_uri always;
        }
        location /deep/click/ {
            internal;
            leerpoort_click "$upstream_http_leerpoort_click";
            leerpoort_token $upstream_http_leerpoort_session;
            leerpoort_activate /activate;
        }"""


class Launches:
    """An edge, a program that answers launches, and what activates."""

    def __init__(self, workers=False, activate=None):
        self._stack = contextlib.ExitStack()
        try:
            self.folder = pathlib.Path(self._stack.enter_context(
                tempfile.TemporaryDirectory(prefix="leerpoort-test-")))
            self.program = fastcgi.Application(
                self.folder / "sso.sock", lambda *sent: self.headers)
            self._stack.callback(self.program.stop)
            redis = Redis(self.folder)
            self._stack.callback(redis.destroy)
            redis.start()
            server = self.program.location(
                "/lti/launch", "error_page 502 =200 /wrong;") + CLICK
            self.activator = None
            if activate:
                self.activator = fastcgi.Application(
                    self.folder / "activate.sock", activate)
                self._stack.callback(self.activator.stop)
                activate = self.activator.location(
                    "= /activate", "internal;"
                    "fastcgi_param LEERPOORT_PERSON $leerpoort_person;"
                    "fastcgi_param LEERPOORT_USERS $leerpoort_users;")
            self.workers = None
            if workers:
                self.workers = self._stack.enter_context(
                    Workers(self.folder, redis.address))
                activate = self.workers.location()
            self.edge = self._stack.enter_context(Edge(
                redis=redis, activate=activate or "", login=False,
                server=server))
            self.edge.product()
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, kind, *exc):
        self._stack.__exit__(kind, *exc)

    def launch(self, token=None, value=None, to="/lti/click", headers=(),
               uri=LAUNCH, method="POST", **more):
        """One launch, answered with these."""
        self.headers = {"X-Accel-Redirect": to, **more}
        if token is not None:
            self.headers["Leerpoort-Session"] = token
        if value is not None:
            self.headers["Leerpoort-Click"] = value
        del self.program.seen[:]
        with http.Connection(self.edge.port) as connection:
            connection.send(http.request(
                uri, method=method, headers=[
                    *headers, f"Content-Length: {len(BODY)}",
                    "Content-Type: application/x-www-form-urlencoded"])
                + BODY)
            response = connection.read()
            assert connection.at_end()
        assert len(self.program.seen) == 1
        assert self.program.seen[0][1] == BODY
        return response


@pytest.fixture(scope="module")
def launches():
    with Launches() as launches:
        yield launches


@pytest.fixture
def person(launches):
    return launches.edge.person().grant("book")


@pytest.mark.parametrize("to", ["/lti/click", "/deep/click/x%20y?z=1"])
@pytest.mark.parametrize("value, location", [
    ("book", "book"), ("book/chapter/2", "book/chapter/2"),
    ("book/", "book"), ("book/a%20b", "book/a%20b")])
def test_an_answered_launch_is_a_click(launches, person, to, value, location):
    before = launches.edge.metrics()
    response = launches.launch(person.token(), value, to)
    assert (response.status, response.outcome) == (302, "redirect")
    assert response.location == URL + location
    after = launches.edge.metrics()
    name = 'leerpoort_clicks_total{outcome="redirect"}'
    assert after[name] == before[name] + 1


@pytest.mark.parametrize("value", [
    None, "", "/book", "../book", "book/../x", "book/%2e%2e/x", "a b",
    "book/" + "x" * 513, "?product=", "https://elsewhere.example/"])
def test_a_value_that_is_no_click_is_a_bad_request(launches, person, value):
    response = launches.launch(person.token(), value)
    assert (response.status, response.outcome) == (400, "bad-request")
    assert response.location is None


def test_the_right_and_the_token_count_as_for_any_click(launches, person):
    edge = launches.edge
    for token, value, expected in (
            (person.token(), "other", "unknown-product"),
            (edge.person().token(), "book", "no-right"),
            (person.token(exp=1), "book", "login"),
            ("not.a.token", "book", "bad-token"),
            (None, "book", "login")):
        assert launches.launch(token, value).outcome == expected, expected


def test_the_client_can_bring_neither_value_nor_token(launches, person):
    """Not in headers, nor in cookies, nor by asking for the click itself."""
    token = person.token()
    mine = [("Leerpoort-Click", "book"), ("Leerpoort-Session", token),
            ("Authorization", f"Bearer {token}"),
            ("Cookie", f"__Host-leerpoort={token}; leerpoort={token}")]
    assert launches.launch(None, "book", headers=mine).outcome == "login"
    assert launches.launch(token, None, headers=mine).outcome \
        == "bad-request"
    other = launches.edge.person().grant("other")
    launches.edge.product("other")
    assert launches.launch(other.token(), "other",
                           headers=mine).location == URL + "other"
    for path in ("/lti/click", "/lti/click?product=book", "/lti/click/book",
                 "/deep/click/book"):
        response = launches.edge.click(path, headers=mine)
        assert response.status == 404, path
        assert response.outcome is None


def test_headers_of_the_answer_are_not_the_click_s(launches, person):
    response = launches.launch(
        person.token(), "book", **{
            "Set-Cookie": "leerpoort=x", "Cache-Control": "max-age=60",
            "Content-Type": "text/plain", "Expires": "Thu, 01 Dec 2033 "
            "16:00:00 GMT", "X-Other": "1"})
    assert response.outcome == "redirect"
    assert response.all("Cache-Control") == ["no-store"]
    for name in ("Set-Cookie", "Content-Type", "Expires", "X-Other",
                 "Leerpoort-Click", "Leerpoort-Session"):
        assert response.header(name) is None, name


def test_head_stays_head(launches, person):
    launches.headers = {"X-Accel-Redirect": "/lti/click",
                        "Leerpoort-Session": person.token(),
                        "Leerpoort-Click": "book"}
    response = launches.edge.click("/lti/launch", method="HEAD")
    assert (response.status, response.location) == (302, URL + "book")


def test_a_click_by_value_has_no_way_back():
    """What it was made of must not be done again."""
    server = CLICK.replace("leerpoort_token", "leerpoort_login "
                           "https://x.example/?r=$leerpoort_return;"
                           "leerpoort_token", 1)
    with Edge(server=server + '''
              location = /launch {
                  proxy_pass http://127.0.0.1:@PORT@/answer;
              }
              location = /answer {
                  add_header X-Accel-Redirect /lti/click;
                  add_header Leerpoort-Click book;
                  return 200;
              }''') as edge:
        edge.product()
        response = edge.click("/launch")
        assert response.outcome == "login"
        assert response.location == "https://x.example/?r="


# ---- and activation ----

def test_a_launch_activates_and_comes_back():
    """The real worker: the launch is made once, the token is the launch's."""
    with Launches(workers=True) as launches:
        edge = launches.edge
        edge.redis("HSET", names.product_hash("book"), "licence",
                   "schoolyear")
        person = edge.person()
        entitle(edge, person)
        for _ in range(2):
            response = launches.launch(person.token(), "book/chapter/1")
            assert (response.status, response.outcome) == (302, "redirect")
            assert response.location == URL + "book/chapter/1"
            assert response.header("X-Request-Uri") == LAUNCH
            assert len(launches.program.seen) == 1
        assert edge.redis("HGET", person.hash(), "book")[0] == "L"
        [(_, fields)] = edge.redis("XRANGE", journal(person), "-", "+")
        entry = dict(zip(fields[::2], fields[1::2]))
        assert entry["person"], "the ids go along, sealed"


def entitle(edge, person, product="book"):
    """As the intake stores it."""
    name = f"launch {person.key()}"
    entitlement = names.entitlement(name)
    shard = names.shard(person.school)
    edge.redis("HSET", f"x:{{{names.shard(entitlement[:3])}}}:"
               f"{entitlement[:3]}", entitlement[3:], shard)
    edge.redis("HSET", f"e:{{{shard}}}:{entitlement}", "party", "1" * 20,
               "type", "school-student", "status", "entitled", "product",
               product, "school", person.school, "from", "20200101", "until",
               "20991231", "user", person.key())
    edge.redis("HSET", person.hash(), product, names.right("E", name=name))


def journal(person):
    return f"journal:{{{names.shard(person.school)}}}"


@pytest.mark.parametrize("to, back", [
    ("/lti/click", "/lti/click"),
    ("/deep/click/x%20y?z=1", "/deep/click/x%20y?z=1")])
def test_the_worker_hears_of_the_click_and_not_of_the_launch(to, back):
    told = []

    def activate(params, body):
        told.append((params, body))
        return {"X-Accel-Redirect": params["REQUEST_URI"],
                "Leerpoort-Outcome": "ended",
                # of a worker that would have another say
                "Leerpoort-Click": "other", "Leerpoort-Session": "x.y.z"}

    with Launches(activate=activate) as launches:
        person = launches.edge.person().grant("book", "E")
        response = launches.launch(person.token(), "book", to)
        assert (response.status, response.outcome) == (403, "ended")
        [(params, body)] = told
        assert params["REQUEST_URI"] == back
        assert params["REQUEST_METHOD"] == "GET"
        assert (params["CONTENT_LENGTH"], body) == ("", b"")
        assert json.loads(params["LEERPOORT_PERSON"]) == {
            "userMasterIdentifier": person.ids["eckid"][1]}
        assert params["LEERPOORT_USERS"] == person.key()


def test_a_worker_that_is_gone_leaves_the_click_whole():
    with Launches(activate=lambda *sent: {"Status": "500"}) as launches:
        person = launches.edge.person().grant("book", "E")
        response = launches.launch(person.token(), "book")
        assert (response.status, response.outcome) == (503, "unavailable")
        assert response.header("X-Request-Uri") == LAUNCH
        person.grant("book", "L")
        assert launches.launch(person.token(), "book").outcome == "redirect"


# ---- configuration ----

@pytest.mark.parametrize("location, complaint", [
    ("location @named { leerpoort_click $arg_a; }", "with a path"),
    ("location /a/ { if ($arg_a) { leerpoort_click $arg_a; } }",
     "not allowed here"),
    ("location = /a { leerpoort_click; }", "plain prefix"),
    ("location = /a { leerpoort_click $arg_a $arg_b; }",
     "number of arguments"),
    ("location = /a { leerpoort_click $arg_a; leerpoort_click $arg_a; }",
     "duplicate"),
])
def test_wrong_configurations_are_refused(tmp_path, location, complaint):
    text = frame(tmp_path, "server { listen 127.0.0.1:1; %s }"
                       % location)
    assert complaint in config_error(tmp_path, text)
