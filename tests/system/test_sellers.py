"""Sellers' traffic beside the clicks of a run: by the plan's rate, each answer
judged, the token renewed."""

import http.server
import json
import threading
import time

import pytest

from lib.country import Country

WIDE = {"errors": 1, "missed": 1, "api_errors": 0}


@pytest.fixture(scope="module")
def country():
    with Country() as country:
        yield country


def api_of(run):
    return json.loads((run / "run.json").read_text())["api"]


def quiet(country, seconds=2, **more):
    """A plan that hardly clicks."""
    return country.plan(seconds=seconds, rate=1, **{
        "thresholds": {}, "clicks": {}, **more})


# --- against the workers ---

def test_both_kinds_are_accepted_and_reconciled(country):
    country.sell()
    run = country.run(country.plan(
        seconds=3, rate=30, api={"rate": 30, "bulk": 40}, thresholds=WIDE),
        *country.seller())
    api = api_of(run)
    assert api["errors"] == api["missed"] == 0, api
    assert 50 < api["requests"] < 150
    assert 40 <= api["lines"] <= 200 and api["lines"] % 40 == 0

    said = country.verify(run)
    bulks = api["lines"] // 40
    assert said["journal"] == said["activations"] + api["lines"] \
        + api["requests"] - bulks
    held = country.town.redis("KEYS", "u:*load-s-*")
    assert any(country.town.redis("HEXISTS", key, "load-api-0001")
               for key in held)


def test_a_long_run_meets_no_ninth_entitlement(country):
    """More messages than the people may have entitlements."""
    country.seed()
    run = country.run(quiet(country, api={"rate": 0, "bulk": 600}),
                      *country.seller(), out="many")
    api = api_of(run)
    assert api["errors"] == 0 and api["lines"] >= 600, api


def test_a_client_without_a_token_is_said(country):
    answer = country.load(
        "run", quiet(country, api={"rate": 5, "bulk": 0}), country.people,
        "--target", country.url, "--out", country.folder / "nobody",
        "--plain", "--client", "nobody", "--key", country.town.seller.key,
        code=None)
    assert "no access token" in answer.stderr and answer.returncode != 0


# --- against an API that is difficult ---

class Api(http.server.BaseHTTPRequestHandler):
    """.server.answers(number): (status, body, seconds to wait) of a PUT."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server = self.server
        if self.path == "/oauth/token":
            server.tokens += 1
            return self.answer(200, {"access_token": f"t{server.tokens}",
                                     "token_type": "Bearer",
                                     "expires_in": server.life})
        lines = body.splitlines()
        server.seen.append((time.monotonic(), self.headers["Authorization"],
                            lines))
        return self.text(200, "".join(json.dumps(
            {"line": i + 1, "status": 2 if i else server.first}) + "\n"
            for i in range(len(lines))))

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server = self.server
        with server.lock:
            number = len(server.seen)
            server.seen.append((time.monotonic(),
                                self.headers["Authorization"], [body]))
        status, document, wait = server.answers(number)
        server.gone.wait(wait)
        self.answer(status, document)

    def do_GET(self):
        self.answer(404, {})

    def answer(self, status, document):
        self.text(status, json.dumps(document))

    def text(self, status, text):
        body = text.encode()
        try:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            pass  # the client has left

    def log_message(self, *_):
        pass


GOOD = {"status": 2, "statusMessage": "Accepted",
        "newEntitlementStatus": "entitled"}


@pytest.fixture
def api():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
    server.daemon_threads = True
    server.lock, server.gone = threading.Lock(), threading.Event()
    server.answers = lambda number: (202, GOOD, 0)
    server.seen, server.tokens = [], 0
    server.life, server.first = 3600, 2
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.gone.set()
    server.shutdown()
    server.server_close()
    thread.join()


def sell(country, api, plan, out):
    folder = country.folder / out
    run = country.load(
        "run", plan, country.people, "--target",
        f"http://127.0.0.1:{api.server_port}", "--out", folder, "--plain",
        "--client", "seller-1", "--key", country.town.seller.key, code=None)
    assert run.returncode != 2, run.stderr
    return api_of(folder)


@pytest.mark.once
def test_gaps_are_even_where_the_plan_says_so(country, api):
    found = sell(country, api, quiet(country, seconds=3, arrivals="even", api={
        "rate": 20, "bulk": 0}), "even")
    assert 58 <= found["requests"] <= 60 and found["errors"] == 0
    assert found["missed"] == 0
    lines = [json.loads(body) for _, _, (body,) in api.seen]
    assert len({line["entitlementReferenceId"] for line in lines}) \
        == len(lines)
    for line in lines:
        sold = line["entitlement"]
        assert sold["entitlementId"][14] == "8"  # a uuid of no real one
        assert sold["productId"] == "load-api-0001"
        assert sold["school"]["organisationMasterIdentifier"].startswith(
            "load-s-")


@pytest.mark.parametrize("answer", [
    (503, {}), (400, {"status": 11}), (202, {"status": 99}), (200, GOOD),
    (401, {})])
def test_each_answer_is_judged(country, api, answer):
    """One in four is not what it should be."""
    api.answers = lambda number: (*answer, 0) if number % 4 == 0 else (
        202, GOOD, 0)
    found = sell(country, api, quiet(country, seconds=1, arrivals="even", api={
        "rate": 40, "bulk": 0}), f"judged-{answer[0]}-{len(answer[1])}")
    assert found["requests"] == len(api.seen)
    assert found["errors"] == (len(api.seen) + 3) // 4


def test_a_bulk_with_a_refused_line_is_an_error(country, api):
    api.first = 9
    found = sell(country, api, quiet(country, seconds=3, arrivals="even", api={
        "rate": 0, "bulk": 10}), "bulk")
    bulks = len(api.seen)
    assert bulks >= 2 and all(len(lines) == 10 for *_, lines in api.seen)
    assert (found["requests"], found["errors"], found["lines"]) == (
        bulks, bulks, 9 * bulks)


@pytest.mark.once
def test_the_token_is_renewed_and_nobody_waits_for_it(country, api):
    api.life = 1
    found = sell(country, api, quiet(country, seconds=6, arrivals="even", api={
        "rate": 20, "bulk": 0}), "renewed")
    assert api.tokens >= 3
    assert found["errors"] == found["missed"] == 0
    used = [bearer for _, bearer, _ in api.seen]
    assert len(set(used)) >= 3
    assert used == sorted(used)


@pytest.mark.once
def test_what_could_not_be_sent_in_time_is_missed(country, api):
    """All 32 wait for an answer: the rest is due, then too late, or still
    waits when the run is over."""
    api.answers = lambda number: (202, GOOD, 3)
    found = sell(country, api, quiet(country, seconds=4, arrivals="even", api={
        "rate": 40, "bulk": 0}, connections={"answer_s": 1}), "missed")
    assert 32 <= found["requests"] < 120
    assert found["missed"] > 20
    assert 140 <= found["requests"] + found["missed"] <= 160
    assert found["errors"] == 0


@pytest.mark.once
def test_what_is_in_flight_at_the_end_is_waited_for(country, api):
    api.answers = lambda number: (202, GOOD, 1.5)
    found = sell(country, api, quiet(country, seconds=1, arrivals="even", api={
        "rate": 10, "bulk": 0}), "flight")
    assert found["requests"] == len(api.seen) >= 9
    assert found["errors"] == found["missed"] == 0
