"""APIs and activations on streams of one HTTP/2 connection."""

import threading

import pytest

from lib.edge import Edge
from lib.http2 import Streams
from lib.process import eventually, free_port
from lib.tokens import Issuer
from lib.worker import Worker


@pytest.fixture(scope="module")
def edge():
    """edge.answer(headers) is what the worker of activations answers, and
    edge.port2 speaks HTTP/2."""
    port2 = free_port()
    api = Worker(lambda headers: None)
    found = Edge(
        issuers=lambda folder: [Issuer(folder), Issuer(
            folder, "api", "https://api.example", users=(), schools=())],
        worker=lambda headers: found.answer(headers), login=False, server=f"""
            listen 127.0.0.1:{port2} http2;
            location /v1/ {{
                leerpoort_auth api scope=a,b;
                proxy_pass http://127.0.0.1:{api.port};
                proxy_set_header X-Client $leerpoort_client;
                proxy_set_header X-Scope $leerpoort_scope;
            }}""")
    found.api, found.port2 = api, port2
    found.product()
    yield found
    api.stop()
    found.close()


def test_each_stream_has_its_own_caller(edge):
    tokens = {f"client-{i}": edge.issuers[1].mint(
        sub=f"client-{i}", scope="abc"[i % 3]) for i in range(12)}
    del edge.api.seen[:]
    with Streams(edge.port2) as client:
        for i, token in enumerate(tokens.values()):
            client.ask(2 * i + 1, f"/v1/x?{i}", token)
        for i in range(12):
            assert client.status(2 * i + 1) == (403 if i % 3 == 2 else 200)
    assert sorted((seen["X-Client"], seen["X-Scope"])
                  for seen in edge.api.seen) == sorted(
        (f"client-{i}", "abc"[i % 3]) for i in range(12) if i % 3 != 2)


@pytest.mark.parametrize("path", [
    "/v1/x", "//v1/x", "/v1/../v1/x", "/%76%31/x", "/v1%2fx", "/./v1//x",
    "/go/../v1/x"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "MADE-UP"])
def test_no_other_way_to_write_it_leads_past_the_check(edge, path, method):
    del edge.api.seen[:]
    with Streams(edge.port2) as client:
        client.ask(1, path, "x.y.z", method=method)
        assert client.status(1) in (400, 401, 405)
    assert not edge.api.seen


def test_bodies_are_refused_and_the_others_go_on(edge):
    good = edge.issuers[1].mint(sub="c", scope="a")
    bad = edge.issuers[1].mint(sub="c", scope="c")
    with Streams(edge.port2) as client:
        client.ask(1, "/v1/x", bad, method="PUT", body=b"x" * 16000)
        client.ask(3, "/v1/x", good, method="PUT", body=b"x" * 16000)
        client.ask(5, "/v1/x", "", method="PUT", body=b"x" * 16000)
        client.ask(7, "/v1/x", bad, method="PUT", body=b"x", ends=False)
        client.ask(9, "/v1/x", bad, method="PUT", body=b"x", ends=False)
        client.cancel(9)
        assert client.status(1) == 403
        assert client.status(5) == 401
        assert client.status(3) == 200
        assert client.status(7) == 403


def test_activations_on_one_connection(edge):
    """Some are activated, some are not, and one is cancelled meanwhile."""
    go = threading.Event()
    met = []

    def answer(headers):
        met.append(headers["X-Uri"])
        if headers["X-Uri"].endswith("wait"):
            assert go.wait(20)
        if headers["X-Uri"].endswith("fail"):
            return {"Status": 503}
        return {"X-Accel-Redirect": headers["X-Uri"],
                "Leerpoort-Outcome": "ended"}

    edge.answer = answer
    tokens = [edge.person().grant("book", "E").token() for _ in range(6)]
    with Streams(edge.port2) as client:
        for i, token in enumerate(tokens):
            client.ask(2 * i + 1, "/go/book/" + ("wait", "fail", "say")[i % 3],
                       token)
        assert [client.status(n) for n in (3, 5, 9, 11)] == [
            503, 403, 503, 403]
        eventually("all are there", lambda: len(met) == 6)
        client.cancel(1)
        go.set()
        assert client.status(7) == 403
        client.ask(13, "/go/book/say", tokens[0])
        assert client.status(13) == 403
        assert 1 not in client.statuses
