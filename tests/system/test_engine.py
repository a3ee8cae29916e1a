"""The engine: what it makes of targets that are well, slow and sick. Each
scheduled click ends once, whatever happens to it, and waiting is never left
out of its latency. Rates are small: what is tested is what is counted."""

import http.client
import itertools
import json
import os
import pathlib
import re
import resource
import signal
import subprocess
import tempfile
import threading
import time

import pytest

from lib.bad_target import RIGHT, BadTarget, Visit
from lib.nginx import BINARY, BUILD, Nginx
from lib.process import Process, children, eventually, free_port

PROGRAM = BUILD / "leerpoort-load"

UNKNOWN = """
            add_header Leerpoort-Outcome unknown-product always;
            return 404;"""


@pytest.fixture(scope="module")
def people():
    """A population; nobody in it has to be known to a target here."""
    with tempfile.TemporaryDirectory(prefix="leerpoort-test-") as folder:
        people = pathlib.Path(folder) / "people"
        subprocess.run([PROGRAM, "population", people, "--pupils", "60",
                        "--products", "20", "--seed", "3", "--jobs", "1"],
                       check=True, capture_output=True, timeout=120)
        yield people


@pytest.fixture
def nginx(tmp_path):
    started = []

    def start(more="", location=UNKNOWN, **kwargs):
        folder = tmp_path / "nginx"
        folder.mkdir()
        nginx = Nginx(folder, f"""
    keepalive_requests 1000000;
    server {{
        listen 127.0.0.1:@PORT@;
        {more}
        location / {{{location}
        }}
    }}""", **kwargs)
        started.append(nginx)
        nginx.start()
        return nginx

    try:
        yield start
        for nginx in started:
            nginx.stop()
    finally:
        for nginx in started:
            nginx.destroy()


class Result:
    def __init__(self, folder, said):
        self.said = said
        result = json.loads((folder / "run.json").read_text())
        self.counts = result["counts"]
        self.ended = self.counts["ended"]
        self.times = result["times"]
        self.most_open = result["run"]["most_open"]
        self.first_uses = result["run"]["first_uses"]
        self.by_tool = result["run"]["missed_by_tool"]
        # the promise of every run
        assert sum(self.ended.values()) == self.counts["scheduled"], said

    def all_ended(self, how):
        """All of them, and there were some."""
        assert self.counts["scheduled"] > 10, self.said
        assert self.ended[how] == self.counts["scheduled"], self.said


def plan(folder, rate=100, seconds=0.25, stages=None, clicks=None, **connections):
    """Even gaps, and clicks on products that nobody knows."""
    file = folder / "plan.json"
    file.write_text(json.dumps({
        "name": "engine", "seed": 5, "arrivals": "even",
        "honesty": {"slip_p99_ms": 10000},
        "clicks": {"unknown_product": 1} if clicks is None else clicks,
        "connections": {"most": 200, "answer_s": 30, "connect_s": 20,
                        **connections},
        "stages": stages or [{"shape": "constant", "seconds": seconds,
                              "rate": rate}]}))
    return file


def command(people, port, plan_, out, *options, scheme="http"):
    return [PROGRAM, "run", plan_, people, "--target",
            f"{scheme}://127.0.0.1:{port}", "--out", out, "--plain", *options]


def run(tmp_path, people, port, *options, scheme="http", **kwargs):
    out = pathlib.Path(tempfile.mkdtemp(prefix="out-", dir=tmp_path))
    made = subprocess.run(
        command(people, port, plan(tmp_path, **kwargs), out, *options,
                scheme=scheme),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        timeout=180)
    said = f"exit {made.returncode}\n{made.stdout}\n{made.stderr}"
    assert made.returncode in (0, 1, 3), said
    return Result(out, said)


def serve(answer):
    """A script that gives this answer to each request."""
    def script(visit):
        while visit.request():
            visit.send(answer)
    return script


# --- targets that are well ---------------------------------------------------

def test_clicks_share_connections_unless_they_are_fresh(tmp_path, people,
                                                        nginx):
    port = nginx().port
    result = run(tmp_path, people, port, most=3)
    result.all_ended("right")
    assert 1 <= result.counts["connected"] <= 3
    assert (result.counts["outcomes"]["unknown-product"]
            == result.counts["scheduled"])

    result = run(tmp_path, people, port, most=3, fresh=1)
    result.all_ended("right")
    assert result.counts["connected"] == result.counts["scheduled"]
    assert result.most_open <= 3


def test_schools_come_from_addresses_of_their_own(tmp_path, people):
    seen = set()

    def script(visit):
        seen.add(visit.peer)
        serve(RIGHT)(visit)

    with BadTarget(script) as target:
        run(tmp_path, people, target.port, fresh=1,
            addresses=50).all_ended("right")
    assert len(seen) > 1
    assert all(re.fullmatch(r"127\.0\.0\.\d+", peer) for peer in seen)


def test_connections_are_held_open_ahead(tmp_path, people):
    with BadTarget(serve(RIGHT)) as target:
        result = run(tmp_path, people, target.port, hold=100, idle_s=0.1)
    result.all_ended("right")
    # ahead, not one by one as they were needed; and not closed as idle
    assert result.counts["connected"] == target.most == 100


def test_an_unused_connection_is_closed(tmp_path, people):
    with BadTarget(serve(RIGHT)) as target:
        result = run(tmp_path, people, target.port, rate=15, seconds=1,
                     idle_s=0.001)
    result.all_ended("right")
    assert result.counts["connected"] == target.visits \
        == result.counts["scheduled"]


@pytest.fixture(scope="module")
def certificate():
    """A folder with cert.pem and key.pem, for this very address."""
    with tempfile.TemporaryDirectory(prefix="leerpoort-test-") as folder:
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=target",
             "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2",
             "-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem"],
            check=True, capture_output=True, timeout=60)
        yield folder


@pytest.fixture
def tls_port(nginx, certificate):
    port = free_port()
    nginx(more=f"""
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {certificate}/cert.pem;
        ssl_certificate_key {certificate}/key.pem;""")
    return port


@pytest.mark.parametrize("protocols", ["TLSv1.2", "TLSv1.3"])
def test_tls_handshakes_are_full_or_resumed_as_planned(
        tmp_path, people, nginx, certificate, protocols):
    port = free_port()
    nginx(more=f"""
        listen 127.0.0.1:{port} ssl;
        ssl_protocols {protocols};
        ssl_certificate {certificate}/cert.pem;
        ssl_certificate_key {certificate}/key.pem;""")
    for resumed in (0, 1):
        result = run(tmp_path, people, port, "--ca",
                     f"{certificate}/cert.pem", scheme="https", fresh=1,
                     resumed=resumed)
        result.all_ended("right")
        counts = result.counts
        assert counts["connected"] == counts["scheduled"]
        assert counts["tls_full"] + counts["tls_resumed"] \
            == counts["connected"]
        if resumed:
            # those before the first ticket can't
            assert counts["tls_resumed"] > counts["tls_full"]
        else:
            assert counts["tls_resumed"] == 0


def test_tls_connections_are_kept_alive(tmp_path, people, tls_port,
                                        certificate):
    result = run(tmp_path, people, tls_port, "--ca",
                 f"{certificate}/cert.pem", scheme="https", most=2)
    result.all_ended("right")
    assert result.counts["connected"] <= 2


def test_any_certificate_where_it_is_asked_for(tmp_path, people, tls_port):
    run(tmp_path, people, tls_port, "--insecure",
        scheme="https").all_ended("right")


# --- targets that are slow ---------------------------------------------------

def test_waiting_for_a_connection_is_part_of_the_latency(tmp_path, people):
    def script(visit):
        while visit.request():
            time.sleep(0.02)  # the point: a target that takes 20 ms
            visit.send(RIGHT)

    with BadTarget(script) as target:
        result = run(tmp_path, people, target.port, rate=200, seconds=1,
                     most=2)
    result.all_ended("right")
    # 200 clicks at 100 a second at best: the last waits for a second
    assert target.most == result.most_open == 2
    assert result.times["schedule"]["max_ms"] > 500
    assert result.times["service"]["p50_ms"] >= 20
    assert (result.times["schedule"]["p50_ms"]
            > 3 * result.times["service"]["p50_ms"])


def test_a_target_that_never_answers(tmp_path, people):
    with BadTarget(lambda visit: [visit.request() for _ in "ab"]) as target:
        result = run(tmp_path, people, target.port, answer_s=0.5)
    result.all_ended("late")
    assert result.counts["sent"] == result.counts["scheduled"]
    # those that ran into the limit are not left out of the latency
    assert result.times["schedule"]["answers"] == result.counts["scheduled"]
    assert result.times["schedule"]["p50_ms"] >= 499


def test_what_could_not_be_sent_is_missed(tmp_path, people):
    with BadTarget(None, backlog=0, accepts=0) as target:
        result = run(tmp_path, people, target.port, answer_s=0.3,
                     connect_s=0.1, most=1)
    ended = result.ended
    assert ended["late"] + ended["missed"] == result.counts["scheduled"]
    # late: those whose connection ran into its own limit
    assert ended["late"] > 0 and ended["missed"] > 0, result.said
    assert result.counts["sent"] == result.by_tool == 0
    assert result.times["schedule"]["answers"] == result.counts["scheduled"]


def test_half_of_all_connections_are_never_taken(tmp_path, people):
    with BadTarget(serve(RIGHT), shared=True) as well, \
            BadTarget(None, backlog=0, accepts=0, port=well.port,
                      shared=True):
        result = run(tmp_path, people, well.port, fresh=1, connect_s=0.5,
                     answer_s=2, rate=200)
    ended = result.ended
    assert ended["right"] > 5 and ended["late"] > 5, result.said
    assert ended["right"] + ended["late"] == result.counts["scheduled"]
    assert result.counts["connected"] < result.counts["scheduled"]


# --- targets that are sick ---------------------------------------------------

def test_nobody_is_there(tmp_path, people):
    # but for the question whether somebody is
    with BadTarget(Visit.request, accepts=1) as target:
        result = run(tmp_path, people, target.port)
    result.all_ended("no-connection")
    assert result.counts["sent"] == 0


def test_an_answer_may_come_byte_by_byte(tmp_path, people):
    def script(visit):
        while visit.request():
            for i in range(len(RIGHT)):
                visit.send(RIGHT[i:i + 1])

    with BadTarget(script) as target:
        result = run(tmp_path, people, target.port, most=4)
    result.all_ended("right")
    assert target.visits <= 4


@pytest.mark.parametrize("answer", [
    b"HTTP/1.1 404 x\r\nLeerpoort-Outcome: unknown-product\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\nLocation: https://x/\r\n\r\n" + RIGHT,
], ids=["chunked", "interim"])
def test_other_forms_of_a_right_answer(tmp_path, people, answer):
    with BadTarget(serve(answer)) as target:
        result = run(tmp_path, people, target.port, most=4)
    result.all_ended("right")
    assert target.visits <= 4


def test_an_answer_may_end_with_its_connection(tmp_path, people):
    def script(visit):
        visit.request()
        visit.send(RIGHT.replace(b"Content-Length: 0\r\n", b"") + b"gone")

    with BadTarget(script) as target:
        result = run(tmp_path, people, target.port)
    result.all_ended("right")
    assert result.counts["connected"] == result.counts["scheduled"]
    assert result.counts["retried"] == 0


def test_an_idle_connection_that_was_closed_costs_one_retry(tmp_path, people):
    """Answers once on each connection, and hangs up at the next request."""
    def script(visit):
        visit.request()
        visit.send(RIGHT)
        visit.request()

    with BadTarget(script) as target:
        result = run(tmp_path, people, target.port, most=1)
    result.all_ended("right")
    counts = result.counts
    assert counts["retried"] > 10
    assert counts["sent"] == counts["scheduled"]
    assert counts["retried"] + 1 == counts["connected"] == target.visits


def test_only_one_retry(tmp_path, people):
    def script(visit):
        visit.request()
        if visit.number == 1:
            visit.send(RIGHT)
            visit.request()

    with BadTarget(script) as target:
        result = run(tmp_path, people, target.port, most=1)
    counts = result.counts
    assert counts["ended"]["right"] == 1, result.said
    assert counts["ended"]["reset"] == counts["scheduled"] - 1
    # a new connection that dies is no reason for another
    assert counts["retried"] == 1
    assert target.visits == counts["scheduled"]


@pytest.mark.parametrize("part", [b"", RIGHT[:40]], ids=["before", "within"])
def test_resets(tmp_path, people, part):
    def script(visit):
        visit.request()
        visit.send(part)
        visit.reset()

    with BadTarget(script) as target:
        result = run(tmp_path, people, target.port)
    result.all_ended("reset")
    assert result.counts["retried"] == 0


def test_malformed_answers(tmp_path, people):
    answers = [
        b"SSH-2.0-OpenSSH_9.2\r\n", b"\0" * 100 + b"\n",
        RIGHT.replace(b": 0\r\n", b": 0\r\nContent-Length: 5\r\n"),
        RIGHT.replace(b"\r\nLeer", b"\r\n Leer"),
        RIGHT.replace(b"HTTP/1.1", b"HTTP/3.0"),
        RIGHT.replace(b"Leer", b"Location: a\r\nLocation: b\r\nLeer"),
    ]

    def script(visit):
        visit.request()
        visit.send(answers[visit.number % len(answers)])

    with BadTarget(script) as target:
        run(tmp_path, people, target.port).all_ended("malformed")


def test_a_head_of_ten_megabytes_is_not_read_to_its_end(tmp_path, people):
    """The target sends it as long as anybody listens."""
    sent = []

    def script(visit):
        visit.request()
        visit.send(b"HTTP/1.1 200 OK\r\n")
        for i in range(640):
            sent.append(i)
            visit.send(b"X-Filler: " + b"x" * 16384 + b"\r\n")

    with BadTarget(script) as target:
        result = run(tmp_path, people, target.port, rate=50)
    result.all_ended("malformed")
    assert len(sent) < target.visits * 640


@pytest.mark.parametrize("more", [
    b"", b"Leerpoort-Outcome: unknown-product\r\n",
    b"Leerpoort-Outcome: redirect\r\n"], ids=["none", "as-expected", "says-so"])
def test_a_redirect_elsewhere_is_always_the_worst(tmp_path, people, more):
    answer = (b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n" + more +
              b"Location: https://u01.load.example/boek/000001\r\n\r\n")
    with BadTarget(serve(answer)) as target:
        run(tmp_path, people, target.port).all_ended("wrong-redirect")


@pytest.mark.parametrize("status, outcome, end", [
    (503, b"unavailable", "unavailable"), (502, b"", "unavailable"),
    (429, b"", "limited"), (404, b"", "wrong-outcome"),
    (404, b"no-right", "wrong-outcome"),
    (403, b"unknown-product", "wrong-outcome"),
    (404, b"unknown-product\r\nLeerpoort-Outcome: unknown-product",
     "wrong-outcome")])
def test_what_else_can_be_wrong(tmp_path, people, status, outcome, end):
    header = b"Leerpoort-Outcome: " + outcome + b"\r\n" if outcome else b""
    answer = (b"HTTP/1.1 %d x\r\nContent-Length: 0\r\n%s\r\n"
              % (status, header))
    with BadTarget(serve(answer)) as target:
        run(tmp_path, people, target.port).all_ended(end)


@pytest.mark.parametrize("garbage", [b"HTTP/1.1 400 Bad Request\r\n\r\n",
                                     b"\x16\x03\x03\x40\x00" + b"\xff" * 50,
                                     b""], ids=["http", "record", "end"])
def test_what_is_no_tls_any_more(tmp_path, people, garbage):
    before = itertools.count()

    def script(visit):
        # two connections look whether it is well; later it is not
        if next(before) >= 2:
            visit.send(garbage)

    with BadTarget(script) as target:
        result = run(tmp_path, people, target.port, "--insecure",
                     scheme="https")
    result.all_ended("tls")
    assert result.counts["sent"] == 0


def test_bytes_behind_an_answer_end_its_connection(tmp_path, people):
    with BadTarget(serve(RIGHT + b"HTTP/1.1 302 Found\r\n")) as target:
        result = run(tmp_path, people, target.port)
    result.all_ended("right")
    assert target.visits == result.counts["scheduled"]


# --- proofs ------------------------------------------------------------------

class ClosedLoop(threading.Thread):
    """One client that asks again when it has its answer, as most tools do."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self._port = port
        self.stop = threading.Event()
        self.times = []

    def run(self):
        link = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        while not self.stop.is_set():
            began = time.monotonic()
            link.request("GET", "/go/x")
            link.getresponse().read()
            self.times.append(time.monotonic() - began)
        link.close()

    def p99_ms(self):
        return sorted(self.times)[int(len(self.times) * 0.99)] * 1000


@pytest.mark.once
def test_a_frozen_server_is_seen(tmp_path, people, nginx):
    """Frozen for a second in every ten, p99 is about 0.9 s for those who come
    when they come; a closed loop hardly notices."""
    server = nginx()
    worker, = server.worker_pids()
    out = tmp_path / "out"
    loop = ClosedLoop(server.port)
    process = Process(
        command(people, server.port, plan(tmp_path, rate=200, seconds=20),
                out), tmp_path / "said")
    try:
        said = tmp_path / "said"
        loop.start()
        for second in (4, 14):
            eventually("it is time", lambda at=f"0:{second:02}/": (
                at in said.read_text()), 60, 0.01)
            os.kill(worker, signal.SIGSTOP)
            try:
                time.sleep(1)  # the point
            finally:
                os.kill(worker, signal.SIGCONT)
        assert process.wait(60)
    finally:
        process.destroy()
        loop.stop.set()
        loop.join(60)
    result = Result(out, said.read_text())
    result.all_ended("right")
    assert 800 < result.times["schedule"]["p99_ms"] < 1500
    assert result.times["schedule"]["p50_ms"] < 100
    assert loop.p99_ms() < 100


MANY = 50_000
FRAME = """
daemon off; worker_processes 4; pid {folder}/nginx.pid;
error_log {folder}/error.log error;
events {{ worker_connections 19000; }}
http {{
    access_log off; keepalive_timeout 600s;
    server {{
        listen 127.0.0.1:{port} backlog=4096 reuseport;
        location / {{
            add_header Leerpoort-Outcome unknown-product always;
            return 404;
        }}
    }}
}}
"""


@pytest.mark.once
def test_fifty_thousand_connections(tmp_path, people):
    """Three engines and four workers of nginx, as no process may have more
    than 20,000 descriptors on many machines."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 19_500:
        pytest.skip(f"only {hard} open files are allowed (ulimit -Hn)")
    port = free_port()
    (tmp_path / "nginx.conf").write_text(
        ("user root;" if os.geteuid() == 0 else "")
        + FRAME.format(folder=tmp_path, port=port))
    out, said = tmp_path / "out", tmp_path / "said"
    server = Process([BINARY, "-p", tmp_path, "-c", tmp_path / "nginx.conf"],
                     tmp_path / "nginx.output", last_words=signal.SIGTERM)
    run_ = Process(
        [*command(people, port,
                  plan(tmp_path, rate=1000, seconds=4, hold=MANY,
                       most=MANY + 100, addresses=20), out), "--cores", "3"],
        said)
    try:
        def size():
            sizes.update({pid: peak_kb(pid) for pid in children(run_.pid)})
            return run_.ended()

        sizes = {}
        eventually("it ends", size, 120, 0.2)
    finally:
        run_.destroy()
        server.destroy()
    result = Result(out, said.read_text())
    result.all_ended("right")
    assert MANY <= result.most_open <= MANY + 103, result.said
    # an engine's connections take some hundred bytes each
    assert len(sizes) >= 3 and max(sizes.values()) < 40_000, sizes


def peak_kb(pid):
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"VmHWM:\s+(\d+)", status)
    return int(found[1]) if found else 0
