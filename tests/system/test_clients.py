"""Clients that leave, hurry, dawdle; nginx that changes under them."""

import contextlib
import os
import random
import signal
import socket
import threading
import time

import pytest

from lib import http
from lib.edge import URL, Edge
from lib.process import alive, eventually


@pytest.fixture
def held(redis, proxy):
    """An edge whose questions to Redis the test can hold back."""
    with Edge(redis=redis, address=proxy.address, timeout="2s") as edge:
        proxy.await_links(1)
        edge.product("book")
        edge.settled(edge.person().grant("book"))
        edge.proxy = proxy
        yield edge


def leave(connection):
    """Closes with a reset, as a browser tab that is shut does."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                          b"\1\0\0\0\0\0\0\0")
    connection.close()


@pytest.mark.parametrize("politely", [True, False])
def test_client_leaves_while_redis_is_asked(held, politely):
    person = held.person().grant("book")
    data = http.request("/go/book", token=person.token(), close=False)
    held.proxy.hold("data")
    for _ in range(10):
        connection = socket.create_connection(("127.0.0.1", held.port), 5)
        connection.sendall(data)
        held.proxy.await_held("data", b"book")
        if politely:
            connection.close()
        else:
            leave(connection)
    eventually("nginx has noticed", lambda: held.waiting() == 0, 5)
    held.proxy.release("data")
    assert person.click().outcome == "redirect"
    assert held.settled(person).outcome == "redirect"


def test_one_of_many_leaves(held):
    """The first one asked; the others wait for its answer and get it."""
    person = held.person().grant("book")
    token = person.token()
    held.proxy.hold("data")
    first = socket.create_connection(("127.0.0.1", held.port), 5)
    first.sendall(http.request("/go/book", token=token))
    held.proxy.await_held("data", b"book")
    results = []
    others = threading.Thread(target=lambda: results.extend(http.at_once(
        5, lambda _: held.click("/go/book", token=token))), daemon=True)
    others.start()
    eventually("all wait", lambda: held.waiting() == 6, 5)
    leave(first)
    eventually("the first is gone", lambda: held.waiting() == 5, 5)
    held.proxy.release("data")
    others.join(10)
    assert [r.outcome for r in results] == ["redirect"] * 5


def test_all_leave_and_redis_dies(held):
    tokens = [held.person().grant("book").token() for _ in range(10)]
    held.proxy.hold("data")
    connections = []
    for token in tokens:
        connection = socket.create_connection(("127.0.0.1", held.port), 5)
        connection.sendall(http.request("/go/book", token=token))
        connections.append(connection)
    eventually("all wait", lambda: held.waiting() == 10, 5)
    for connection in connections[::2]:
        leave(connection)
    held.proxy.cut("data")
    held.proxy.release("data")
    for connection in connections[1::2]:
        assert connection.recv(1000).startswith(b"HTTP/1.1 ")
        connection.close()
    eventually("nobody waits", lambda: held.waiting() == 0, 5)
    eventually("Redis is asked again", lambda: held.click(
        "/go/book", token=tokens[0]).outcome == "redirect", 3)


def test_pipelined_clicks_are_answered_in_order(edge):
    edge.product("second")
    person = edge.person().grant("book").grant("second")
    token = person.token()
    with http.Connection(edge.port) as connection:
        order = ["/go/book", "/go/second", "/go/none", "/go/book/x",
                 "/go/second", "/go/-", "/static"] * 3
        connection.send(b"".join(http.request(
            target, token=token, close=False) for target in order))
        answers = [connection.read() for _ in order]
    assert [r.location or r.outcome or r.body for r in answers] == [
        f"{URL}book", f"{URL}second", "unknown-product", f"{URL}book/x",
        f"{URL}second", "bad-request", b"static"] * 3


def test_pipelined_clicks_wait_for_the_first(held):
    held.product("second")
    person = held.person().grant("book").grant("second")
    token = person.token()
    held.proxy.hold("data")
    with http.Connection(held.port) as connection:
        connection.send(http.request("/go/book", token=token, close=False)
                        + http.request("/go/second", token=token, close=False)
                        + http.request("/static", close=False))
        held.proxy.await_held("data", b"book")
        held.proxy.release("data")
        assert connection.read().location == f"{URL}book"
        assert connection.read().location == f"{URL}second"
        assert connection.read().body == b"static"


@pytest.mark.parametrize("extra", ["Content-Length: 5", "Expect: 100-continue",
                                   "Transfer-Encoding: chunked"])
def test_body_of_a_get_is_thrown_away(edge, extra):
    """Whatever a body holds, it is never read as a second click."""
    person = edge.person().grant("book")
    smuggled = http.request("/go/none", token=person.token())
    body = (b"%x\r\n%s\r\n0\r\n\r\n" % (len(smuggled), smuggled)
            if "chunked" in extra else smuggled)
    if extra.startswith("Content-Length"):
        extra = f"Content-Length: {len(body)}"
    elif extra.startswith("Expect"):
        extra = f"Expect: 100-continue\r\nContent-Length: {len(body)}"
    out = http.raw(edge.port, http.request(
        "/go/book", token=person.token(), headers=[extra], close=False)
        + body + http.request("/static"))
    assert out.count(b"Leerpoort-Outcome: redirect") == 1
    assert b"unknown-product" not in out
    assert out.endswith(b"static")


def test_slow_client_is_waited_for(edge):
    """One byte at a time, while others click."""
    person = edge.person().grant("book")
    other = edge.person().grant("book")
    data = http.request("/go/book", token=person.token())
    with http.Connection(edge.port) as connection:
        for i in range(0, len(data), 7):
            connection.send(data[i:i + 7])
            if i % 70 == 0:
                assert other.click().outcome == "redirect"
        assert connection.read().outcome == "redirect"


def test_client_that_does_not_read(edge):
    """A thousand pipelined answers, none of them read for a while."""
    person = edge.person().grant("book")
    token = person.token()
    one = http.request("/go/none", token=token, close=False)
    with http.Connection(edge.port) as connection:
        sender = threading.Thread(
            target=lambda: connection.send(one * 1000), daemon=True)
        sender.start()
        for _ in range(20):
            assert person.click().outcome == "redirect"
        for _ in range(1000):
            assert connection.read().outcome == "unknown-product"
        sender.join(5)


# ---- nginx changes under load

class Load:
    """A few clients that click without a pause on kept connections. A click
    on a connection that was used before may be tried once more."""

    def __init__(self, edge, clients=4):
        self.edge = edge
        self.right = edge.person().grant("book")
        self.none = edge.person()
        self.wrong = []
        self.clicks = 0
        self.retries = 0
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(i,),
                                          daemon=True)
                         for i in range(clients)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc):
        self._stop.set()
        for thread in self._threads:
            thread.join(20)

    def _run(self, seed):
        pick = random.Random(seed)
        tokens = [(self.right.token(), "redirect", f"{URL}book"),
                  (self.none.token(), "no-right", None)]
        connection, fresh = None, True
        while not self._stop.is_set():
            token, outcome, location = pick.choice(tokens)
            try:
                if connection is None:
                    connection, fresh = http.Connection(self.edge.port), True
                response = connection.click("/go/book", token=token)
            except OSError as error:
                if connection is not None:
                    connection.close()
                if fresh:
                    self.wrong.append(f"on a fresh connection: {error!r}")
                    return
                self.retries += 1
                connection = None
                continue
            self.clicks += 1
            if (response.outcome, response.location) != (outcome, location):
                self.wrong.append(response)
            fresh = False
            if response.header("Connection") == "close":
                connection.close()
                connection = None
        if connection is not None:
            connection.close()


def test_reload_under_load():
    with Edge(workers=2) as edge:
        edge.await_armed()
        edge.product("book")
        with Load(edge) as load:
            for _ in range(4):
                before = load.clicks
                edge.nginx.reload()
                eventually("clicks go on", lambda: load.clicks > before + 50)
        assert not load.wrong, load.wrong[:3]
        assert load.clicks > 200
        # Keep-alive connections that nginx closes are the clients' to retry; a
        # slow one can meet a closing worker twice in one reload.
        assert load.retries <= 2 * 4 * 4


def test_worker_killed_under_load():
    with Edge(workers=2) as edge:
        edge.await_armed()
        edge.product("book")
        with Load(edge) as load:
            for _ in range(4):
                before = load.clicks
                pid = random.choice(edge.nginx.worker_pids())
                edge.nginx.strike(pid)
                eventually("a new worker", lambda p=pid: not alive(p) and len(
                    edge.nginx.worker_pids()) == 2)
                eventually("clicks go on", lambda: load.clicks > before + 50)
        # A killed worker takes the connections in its hands with it.
        assert all(isinstance(w, str) for w in load.wrong), load.wrong[:3]
        assert len(load.wrong) <= 4
        assert load.clicks > 200


def strike_all(nginx):
    for pid in nginx.worker_pids():
        with contextlib.suppress(ProcessLookupError):
            nginx.strike(pid)


def test_workers_killed_as_fast_as_they_come():
    """Whatever was half written in shared memory, the next worker can read."""
    with Edge(workers=2, zone="1m") as edge:
        edge.await_armed()
        edge.product("book")
        people = [edge.person().grant("book") for _ in range(50)]
        tokens = [person.token() for person in people]
        stop = time.monotonic() + 2
        while time.monotonic() < stop:
            killer = threading.Timer(0.02, strike_all, [edge.nginx])
            killer.start()
            for token in tokens:
                try:
                    response = edge.click("/go/book", token=token)
                except (OSError, ValueError):
                    continue
                assert response.outcome in ("redirect", "unavailable")
                assert response.location in (f"{URL}book", None)
            killer.join()
        eventually("two workers", lambda: len(edge.nginx.worker_pids()) == 2)
        edge.await_armed()
        people[0].revoke("book")
        eventually("obeyed", lambda: people[0].click().outcome == "no-right",
                   1, 0)


def test_nginx_leaves_while_clicks_wait(redis, proxy):
    """SIGQUIT lets what was begun end: the click is answered, then nginx is
    gone, with nothing left open."""
    with Edge(redis=redis, address=proxy.address, timeout="2s") as edge:
        proxy.await_links(1)
        edge.product("book")
        edge.settled(edge.person().grant("book"))
        person = edge.person().grant("book")
        proxy.hold("data")
        result = []
        click = threading.Thread(
            target=lambda: result.append(person.click()), daemon=True)
        click.start()
        proxy.await_held("data", b"book")
        worker = edge.nginx.worker_pids()[0]
        os.kill(worker, signal.SIGQUIT)
        eventually("the worker takes no more", lambda: worker not in
                   edge.nginx.worker_pids(), 5)
        proxy.release("data")
        click.join(10)
        assert result and result[0].outcome == "redirect"
        eventually("the worker has left", lambda: not alive(worker), 5)
