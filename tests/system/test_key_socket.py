"""A token whose key is unknown asks leerpoort-keys for it, and waits for
nothing."""

import contextlib
import socket
import time

import pytest

from lib import nginx, tokens
from lib.edge import URL, Edge
from lib.process import eventually
from lib.tokens import Issuer


class Listener:
    """leerpoort-keys' end of the socket."""

    def __init__(self, path):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(10)

    def heard(self):
        return self._socket.recv(65536).decode()

    def more(self):
        """All that has come until now."""
        found = []
        self._socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                found.append(self._socket.recv(65536).decode())
        self._socket.settimeout(10)
        return found

    def close(self):
        self._socket.close()


def issuers(folder):
    return [Issuer(folder), Issuer(folder, "other", "https://other.example"),
            Issuer(folder, "leerpoort", "https://own.example", ["HS256"])]


class Desk:
    def __init__(self, folder):
        self.path = folder / "keys.sock"
        self.listener = Listener(self.path)
        self.edge = Edge(
            issuers=issuers, http=f"leerpoort_key_socket unix:{self.path};",
            server="location /api { leerpoort_auth school; stub_status; }")
        self.edge.product()

    def counted(self, result="sent"):
        return self.edge.metrics()[
            f'leerpoort_key_requests_total{{result="{result}"}}']

    def another_second(self):
        """The edge may ask again."""
        start = int(time.time())
        eventually("another second", lambda: int(time.time()) > start, 5)


@pytest.fixture
def desk(tmp_path):
    desk = Desk(tmp_path)
    yield desk
    desk.edge.close()
    desk.listener.close()


def unknown(issuer, name="new"):
    return tokens.make_key(issuer.algs[0], name)


def test_an_unknown_key_asks_and_the_fetched_one_opens(desk):
    edge = desk.edge
    person = edge.person().grant("book")
    key = unknown(edge.issuer)
    token = person.token(key=key)
    response = person.click(token=token)
    assert (response.status, response.outcome) == (401, "bad-token")
    assert response.seconds < 5
    assert desk.listener.heard() == edge.issuer.iss
    assert desk.counted() == 1

    edge.issuer.write([*edge.issuer.keys.values(), key])
    eventually("the new key opens", lambda: person.click(
        token=token).location == URL + "book", 10)


def test_each_issuer_is_asked_for_once_a_second(desk):
    edge = desk.edge
    start = time.time()
    two = edge.issuers[:2]
    clicks = [edge.person().token(issuer=issuer, key=unknown(issuer))
              for issuer in two] * 20
    for token in clicks:
        assert edge.click("/go/book", token=token).outcome == "bad-token"
    seconds = int(time.time()) - int(start) + 1
    heard = desk.listener.more()
    for issuer in two:
        assert 1 <= heard.count(issuer.iss) <= seconds
    assert set(heard) == {issuer.iss for issuer in two}


def test_other_refusals_ask_for_nothing(desk):
    edge = desk.edge
    person = edge.person().grant("book")
    own = edge.issuers[2]
    head, claims, signature = person.token().split(".")
    changed = "A" if signature[0] != "A" else "B"
    for token in (
            f"{head}.{claims}.{changed}{signature[1:]}",
            person.token(exp=1), "not.a.token",
            person.token(iss="https://stranger.example",
                         key=unknown(edge.issuer)),
            person.token(issuer=own, key=tokens.make_key("HS256", "new"))):
        assert edge.click("/go/book", token=token).outcome in (
            "bad-token", "login")
    assert person.click().location == URL + "book"
    assert desk.listener.more() == []
    assert desk.counted() == desk.counted("failed") == 0


def test_an_api_s_token_asks_as_well(desk):
    edge = desk.edge
    token = edge.issuer.mint(key=unknown(edge.issuer))
    assert edge.click("/api", token=token).status == 401
    assert desk.listener.heard() == edge.issuer.iss


def test_nobody_listens_and_nothing_waits(desk):
    """Gone, and then there but too slow to read. The log says it once."""
    edge = desk.edge
    log = edge.nginx.log
    token = edge.person().token(key=unknown(edge.issuer))
    desk.listener.close()
    assert edge.click("/go/book", token=token).outcome == "bad-token"
    assert desk.counted("failed") == 1
    assert (f'can\'t be asked for keys at "unix:{desk.path}"' in log()
            and "Connection refused" in log())

    desk.path.unlink()
    desk.listener = Listener(desk.path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as full:
        full.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                full.sendto(b"x", str(desk.path))
    desk.another_second()
    response = edge.click("/go/book", token=token)
    assert response.outcome == "bad-token"
    assert response.seconds < 5
    assert desk.counted("failed") == 2
    desk.another_second()
    assert edge.click("/go/book", token=token).outcome == "bad-token"
    assert desk.counted("failed") == 3
    assert log().count("be asked for keys") <= 2 * edge.nginx.workers
    assert set(desk.listener.more()) == {"x"}

    desk.another_second()
    edge.click("/go/book", token=token)
    assert desk.listener.heard() == edge.issuer.iss


@pytest.mark.parametrize("value, complaint", [
    ("/run/keys.sock", "must be like"), ("unix:", "must be like"),
    ("unix:keys.sock", "must be like"), ("127.0.0.1:80", "must be like"),
    ("unix:/" + "x" * 108, "too long"),
    ("unix:/a; leerpoort_key_socket unix:/b", "is duplicate"),
])
def test_wrong_configurations_are_refused(tmp_path, value, complaint):
    text = nginx.frame(tmp_path, f"leerpoort_key_socket {value};")
    assert complaint in nginx.config_error(tmp_path, text)
