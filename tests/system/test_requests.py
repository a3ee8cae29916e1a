"""Ways to a click other than a plain request: post_action, subrequests,
HTTP/2, and locations that are set differently side by side."""

import datetime
import shutil
import socket
import subprocess
import tempfile
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lib import http
from lib.edge import URL, Edge
from lib.http2 import Streams
from lib.process import eventually, free_port
from lib.worker import Worker

# ---- post_action

AFTER = {
    "somewhere else": "/after",
    "itself": "/held/book",
    "another click": "/go/book",
}


@pytest.mark.parametrize("name", AFTER)
def test_client_leaves_and_post_action_leads_the_request_on(redis, proxy,
                                                            name):
    """The reply comes when the request is busy with something else: it is not
    ended by it, and certainly not twice."""
    gate = threading.Event()
    after = Worker(lambda headers: gate.wait(20) and None)
    server = f"""
        location /held/ {{ leerpoort_click; post_action {AFTER[name]}; }}
        location = /after {{
            internal;
            proxy_pass http://127.0.0.1:{after.port}/;
        }}"""
    try:
        with Edge(redis=redis, address=proxy.address, timeout="2s",
                  server=server) as edge:
            proxy.await_links(1)
            edge.product("book")
            edge.settled(edge.person().grant("book"))
            person = edge.person().grant("book")
            other = edge.person().grant("book")
            proxy.hold("data")
            for round_ in range(3):
                connection = socket.create_connection(
                    ("127.0.0.1", edge.port), 5)
                connection.sendall(http.request(
                    "/held/book", token=person.token(), close=False))
                proxy.await_held("data", b"book")
                connection.close()
                if name == "somewhere else":
                    eventually("it is led on",
                               lambda: len(after.seen) == round_ + 1)
            # All replies come in order: the other's is the last.
            click = threading.Thread(target=lambda: result.append(
                other.click()), daemon=True)
            result = []
            click.start()
            eventually("the other waits too", lambda: edge.waiting() >= 1)
            proxy.release("data")
            click.join(10)
            assert [r.outcome for r in result] == ["redirect"]
            if name == "somewhere else":
                assert edge.waiting() == 3
            gate.set()
            eventually("nobody waits", lambda: edge.waiting() == 0)
            assert person.click().outcome == "redirect"
            assert len(edge.nginx.worker_pids()) == 1
    finally:
        gate.set()
        after.stop()


# ---- subrequests

def test_click_as_a_part_of_another_request_is_forbidden():
    """A file where the click's path would lie is neither served nor the yes
    to an auth_request."""
    server = """
        location = /page { auth_request /go/book; }
        location = /page-2 { auth_request /go/no-file; }
        location /ssi/ { ssi on; ssi_types *; }"""
    with Edge(server=server) as edge:
        html = edge.folder / "nginx" / "html"
        for name, text in (
                ("go/book", "a file"), ("page", "a page"),
                ("page-2", "a page"),
                ("ssi/one", '<!--# include virtual="/go/book" -->'),
                ("ssi/two", '<!--# include virtual="/go/no-file" -->')):
            (html / name).parent.mkdir(parents=True, exist_ok=True)
            (html / name).write_text(text)
        edge.await_armed()
        edge.product("book")
        token = edge.person().grant("book").token()
        for target in ("/page", "/page-2"):
            response = edge.click(target, token=token)
            assert (response.status, response.outcome) == (403, None)
            assert b"a page" not in response.body
        for target in ("/ssi/one", "/ssi/two"):
            response = edge.click(target, token=token)
            assert response.status == 200
            assert b"a file" not in response.body
            assert b"403 Forbidden" in response.body
        assert "open()" not in edge.nginx.log()
        assert edge.click("/go/book", token=token).outcome == "redirect"


# ---- HTTP/2

@pytest.fixture
def streams(redis, proxy):
    """An edge that speaks HTTP/2 as well, at edge.port2, with TLS at
    edge.port_tls, and whose questions to Redis can be held back."""
    plain, tls = free_port(), free_port()
    with tempfile.TemporaryDirectory(prefix="leerpoort-test-") as folder:
        certificate(f"{folder}/tls.pem")
        with Edge(redis=redis, address=proxy.address, timeout="2s", server=f"""
            listen 127.0.0.1:{plain} http2;
            listen 127.0.0.1:{tls} ssl http2;
            ssl_certificate {folder}/tls.pem;
            ssl_certificate_key {folder}/tls.pem;""") as edge:
            proxy.await_links(1)
            edge.product("book")
            edge.settled(edge.person().grant("book"))
            edge.port2, edge.port_tls = plain, tls
            edge.proxy = proxy
            yield edge


def certificate(path):
    """A key and a certificate that it signed itself, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "edge")])
    now = datetime.datetime(2020, 1, 1)
    text = x509.CertificateBuilder(
        name, name, key.public_key(), 1, now,
        now.replace(year=2099)).sign(key, hashes.SHA256())
    with open(path, "wb") as file:
        file.write(text.public_bytes(serialization.Encoding.PEM))
        file.write(key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption()))


@pytest.fixture
def curl(streams):
    """A function of (clicks, options) that sends all clicks, (target, token)
    pairs, and returns for each a tuple of what curl wrote. All of them came
    by HTTP/2 over one connection. (With TLS: Debian's curl can't use a
    connection without it twice, whatever the server.)"""
    program = shutil.which("curl")
    if program is None or "HTTP2" not in subprocess.run(
            [program, "-V"], check=True, capture_output=True,
            text=True).stdout:
        pytest.skip("no curl that speaks HTTP/2")

    def run(clicks, *options):
        config = "next\n".join(
            f"""http2
            insecure
            noproxy = "*"
            silent
            show-error
            path-as-is
            output = "/dev/null"
            url = "https://127.0.0.1:{streams.port_tls}{target}"
            {f'header = "Authorization: Bearer {token}"' if token else ""}
            write-out = "{number} %{{http_version}} %{{num_connects}} \
%{{http_code}} %header{{leerpoort-outcome}} %{{redirect_url}}\\n"
            """ for number, (target, token) in enumerate(clicks))
        out = subprocess.run(
            [program, "-q", *options, "-K", "-"], input=config, check=True,
            capture_output=True, text=True, timeout=30).stdout
        lines = sorted((line.split() for line in out.splitlines()),
                       key=lambda line: int(line[0]))
        assert {line[1] for line in lines} == {"2"}
        assert sum(int(line[2]) for line in lines) == 1
        return [(int(line[3]), *line[4:]) for line in lines]

    return run


def test_http2_clicks_of_every_kind_on_one_connection(streams, curl):
    person = streams.person().grant("book")
    token = person.token()
    book = (302, "redirect", f"{URL}book")
    before = streams.metrics()
    assert curl([
        ("/go/book", token), ("/go/book", token),
        ("/go/book/a%20b?product=x", token),
        ("/go/book", streams.person().token()), ("/go/none", token),
        ("/go/book", "x.y.z"), ("/go/book/%2e%2e/x", token),
        ("/go/book", None), ("/go/book", token)]) == [
        book, book, (302, "redirect", f"{URL}book/a%20b"), (403, "no-right"),
        (404, "unknown-product"), (401, "bad-token"), (400, "bad-request"),
        (302, "login", "https://login.example/?return="
         "https%3A%2F%2Ftoegang.example%2Fgo%2Fbook"), book]
    after = streams.metrics()
    name = 'leerpoort_clicks_total{outcome="redirect"}'
    assert after[name] - before[name] == 4


def test_http2_clicks_at_once_on_one_connection(streams, curl):
    """Twenty misses and hits on twenty streams, each with its own answer."""
    clicks, expected = [], []
    for i in range(20):
        person = streams.person()
        streams.product(f"book-{i}")
        if i % 2:
            person.grant(f"book-{i}")
        clicks.append((f"/go/book-{i}", person.token()))
        expected.append((302, "redirect", f"{URL}book-{i}") if i % 2
                        else (403, "no-right"))
    for _ in range(2):
        assert curl(clicks, "--parallel", "--parallel-max", "20") == expected


def test_http2_stream_is_cancelled_while_redis_is_asked(streams):
    """The others on the connection get their answers, each its own."""
    right, none = streams.person().grant("book"), streams.person()
    streams.proxy.hold("data")
    with Streams(streams.port2) as client:
        client.ask(1, "/go/book", right.token())
        client.ask(3, "/go/book", none.token())
        client.ask(5, "/go/book", right.token())
        client.ask(7, "/go/book", streams.person().grant("book").token())
        eventually("all wait", lambda: streams.waiting() == 4)
        client.cancel(1)
        client.cancel(7)
        eventually("two are gone", lambda: streams.waiting() == 2)
        streams.proxy.release("data")
        assert client.status(3) == 403
        assert client.status(5) == 302
        client.ask(9, "/go/book", right.token())
        assert client.status(9) == 302
        assert sorted(client.statuses) == [3, 5, 9]


def test_http2_connection_is_closed_while_redis_is_asked(streams):
    people = [streams.person().grant("book") for _ in range(5)]
    streams.proxy.hold("data")
    with Streams(streams.port2) as client:
        for i, person in enumerate(people):
            client.ask(2 * i + 1, "/go/book", person.token())
        eventually("all wait", lambda: streams.waiting() == 5)
    eventually("all are gone", lambda: streams.waiting() == 0)
    streams.proxy.release("data")
    for person in people:
        assert person.click().outcome == "redirect"


# ---- settings side by side

def test_two_servers_do_not_share_their_settings(redis):
    """One keeps rights for a minute, the other asks each time and goes to
    other hosts: neither lives by the other's settings."""
    port = free_port()
    second = f"""
    server {{
        listen 127.0.0.1:{port};
        location /go/ {{
            leerpoort_click;
            leerpoort_mirror_time 0;
            leerpoort_token_time 0;
            leerpoort_stale 0;
            leerpoort_content_hosts films.example;
            add_header X-Mirror $leerpoort_mirror always;
        }}
    }}"""
    with Edge(redis=redis, http=second) as edge:
        edge.await_armed()
        edge.product("book")
        edge.product("film", url="https://films.example/1")
        person = edge.person().grant("book").grant("film")
        token = person.token()

        def here(product):
            return edge.click(f"/go/{product}", token=token)

        def there(product):
            return http.click(port, f"/go/{product}", token=token)

        # What is asked for there alone is kept nowhere.
        assert there("film").location == "https://films.example/1"
        assert here("film").mirror == "MISS"
        edge.settled(person)
        eventually("mirrored", lambda: here("film").mirror == "HIT")
        for _ in range(3):
            edge.redis("CONFIG", "RESETSTAT")
            assert [(r.outcome, r.mirror) for r in (
                here("book"), here("film"))] \
                == [("redirect", "HIT"), ("unknown-material", "HIT")]
            assert edge.redis.calls("hgetall") == 0
            assert [(r.outcome, r.mirror) for r in (
                there("book"), there("film"))] \
                == [("unknown-material", "MISS"), ("redirect", "MISS")]
            assert edge.redis.calls("hgetall") == 8
        redis.kill()
        eventually("stale use here", lambda: here("book").mirror == "STALE",
                   1)
        assert here("book").outcome == "redirect"
        assert there("film").outcome == "unavailable"
        assert there("film").mirror != "STALE"
