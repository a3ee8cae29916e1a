"""The frame of leerpoort-worker: what it answers to anything that a FastCGI
peer can send, and how it starts, stops and is replaced."""

import contextlib
import fcntl
import json
import os
import re
import signal
import socket
import struct
import subprocess
import termios
import threading
import time

import pytest

from lib import fastcgi
from lib.http import Connection, request
from lib.nginx import Nginx
from lib.process import alive, eventually
from lib.redis import Redis
from lib.tokens import make_key, write_jwks
from lib.workers import PROGRAM, RESPAWN, Workers, environment
from lib.workers import parties as write_parties
from lib.workers import secret


def parties(path):
    """One party with the client c."""
    write_jwks(path.with_name("c.json"), [make_key("RS256")])
    return write_parties(path, [
        {"oin": "00000003123456780000", "name": "C", "clients": [
            {"clientId": "c", "jwks": "c.json", "scopes": ["activationcode"]}
        ]}], issuer="https://i.example", audience="a",
        tokenEndpoint="https://i.example/oauth/token")


@pytest.fixture(scope="module")
def workers(tmp_path_factory):
    import pathlib
    import tempfile
    with tempfile.TemporaryDirectory(prefix="leerpoort-test-") as folder:
        folder = pathlib.Path(folder)
        redis = Redis(folder).start()
        try:
            with Workers(folder, redis.address,
                         parties=parties(folder / "parties.json"),
                         allow=["the edge sent a LEERPOORT_"]) as workers:
                yield workers
        finally:
            redis.destroy()


def refused(answer, http, status=None):
    """Edu-V's form, and the headers of every answer."""
    assert answer.status == http, answer
    found = json.loads(answer.body)
    assert set(found) == {"status", "statusMessage"}, found
    assert isinstance(found["status"], int)
    if status is not None:
        assert found["status"] == status, found
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["api-version"] == "1.0.0"
    return found["statusMessage"]


CODES = "/v1/activationcodes"


def ask(workers, body, **changes):
    """A PUT by a client that may."""
    return workers.ask(CODES, "PUT", body, **{
        "LEERPOORT_CLIENT": "c", "LEERPOORT_SCOPE": "x activationcode",
        **changes})


def test_paths_and_methods(workers):
    for path in ("/", "/v1", "/none", CODES + "/", CODES + "/x", "/v1//",
                 "/oauth/token/", "/OAUTH/token", "/activate"):
        refused(workers.ask(path), 404)
    for path, allow in ((CODES, "PUT"), (CODES + "/revoke", "PUT"),
                        ("/oauth/token", "POST"), ("/activate/code", "POST")):
        for method in ("GET", "DELETE", "HEAD", "put", "OPTIONS", "PUTX"):
            answer = workers.ask(path, method)
            refused(answer, 405)
            assert answer.headers["allow"] == allow


def test_who_may_call_is_looked_at_again(workers):
    body = b"{}"
    refused(workers.ask(CODES, "PUT", body), 401, 21)
    for scope in ("", "activationcodes", "xactivationcode", "activation code",
                  "entitlement.licensor"):
        refused(ask(workers, body, LEERPOORT_SCOPE=scope), 403, 21)
    refused(workers.ask(CODES, "PUT", body, LEERPOORT_CLIENT="",
                        LEERPOORT_SCOPE="activationcode"), 401, 21)
    # what the client says itself is never believed
    refused(workers.ask(CODES, "PUT", body, HTTP_LEERPOORT_CLIENT="c",
                        HTTP_LEERPOORT_SCOPE="activationcode"), 401, 21)
    refused(workers.ask("/activate/code", "POST", body), 401, 21)


def test_bodies_that_are_no_message(workers):
    deep = b'{"a":' * 17 + b"1" + b"}" * 17
    for body in (b"", b"{", b"[]", b"null", b'"x"', b"{}{}", b'{"a":1,}',
                 b'{"a":1,"a":2}', b'{"b":{"a":1,"a":1}}', deep,
                 b'{"a":"\xff"}', b'{"a":"\\u0000"}', b"\xef\xbb\xbf{}",
                 b'{"a":1e999}', b"{'a':1}", b"\0", b"[" * 4000):
        message = refused(ask(workers, body), 400, 11)
        assert message.startswith("body: ")


def test_lengths_that_lie(workers):
    body = b'{"a":1}'
    for length in ("-1", "+7", "7 ", " 7", "0x7", "seven", "7.0",
                   "9" * 19, "9" * 4000):
        message = refused(ask(workers, body, CONTENT_LENGTH=length), 400, 11)
        assert message.startswith("Content-Length")
    for length in (6, 8, 0, 4000):
        refused(ask(workers, body, CONTENT_LENGTH=length), 400, 11)
    for length in (10**9, 10**17, 10**6):
        refused(ask(workers, body, CONTENT_LENGTH=length), 413, 11)
    big = b'{"a":"' + b"x" * 2000000 + b'"}'
    refused(ask(workers, big), 413, 11)
    refused(ask(workers, big, CONTENT_LENGTH=""), 413, 11)
    # absent is fine: the stream says where it ends
    for changes in (dict(CONTENT_LENGTH=""), dict(CONTENT_LENGTH=None)):
        assert "Content-Length" not in refused(
            ask(workers, body, **changes), 400)


def test_the_body_may_come_in_any_pieces(workers):
    """A message that only the schema refuses, in records of every size."""
    body = b'{"a":"' + b"x" * 1000 + b'"}'
    sent = fastcgi.params(CODES, "PUT", body, LEERPOORT_CLIENT="c",
                          LEERPOORT_SCOPE="activationcode")
    answers = set()
    for size in (1, 2, 7, 100, 1008, 65535):
        out, ended = fastcgi.parse(fastcgi.raw(
            workers.path, fastcgi.message(sent, body, size)))
        assert ended
        answers.add(out)
    assert len(answers) == 1


@pytest.mark.parametrize("name,value", [
    ("LEERPOORT_USERS", "short"), ("LEERPOORT_USERS", "a" * 23),
    ("LEERPOORT_USERS", "a" * 22 + ","), ("LEERPOORT_USERS", "," + "a" * 22),
    ("LEERPOORT_USERS", ",".join(["a" * 22] * 4)),
    ("LEERPOORT_USERS", "a" * 21 + "."), ("LEERPOORT_USERS", "a" * 21 + "\n"),
    ("LEERPOORT_SCHOOL", "a b"), ("LEERPOORT_SCHOOL", "a" * 65),
    ("LEERPOORT_SCHOOL_ALIAS", "OIE_CODE"), ("LEERPOORT_SCHOOL_ALIAS", ":x"),
    ("LEERPOORT_SCHOOL_ALIAS", "OIE_CODE:"), ("LEERPOORT_PRODUCT", "../x"),
    ("LEERPOORT_PRODUCT", "a" * 65), ("LEERPOORT_ROUTE", "other"),
    ("LEERPOORT_ROUTE", ""), ("LEERPOORT_ROUTE", None)])
def test_an_edge_that_does_not_fit(workers, name, value):
    message = refused(workers.ask("/none", **{name: value}), 500)
    assert "edge" in message


def garbage():
    """Streams of bytes that are no request, by what is wrong with them."""
    begin, good = fastcgi.begin(), fastcgi.pairs(fastcgi.params("/none"))
    record, params = fastcgi.record, fastcgi.PARAMS
    yield "nothing", b""
    yield "text", b"GET / HTTP/1.0\r\n\r\n"
    yield "zeros", b"\0" * 64
    yield "ones", b"\xff" * 64
    yield "half a header", begin[:4]
    yield "half a begin", begin[:12]
    yield "begin alone", begin
    yield "version 2", record(1, b"\0\1\0\0\0\0\0\0", version=2)
    yield "version 0", record(1, b"\0\1\0\0\0\0\0\0", version=0)
    yield "begin of 4 bytes", record(1, b"\0\1\0\0")
    yield "begin of 64 kB", record(1, b"\0\1" + b"\0" * 65000)
    yield "role 0", fastcgi.begin(role=0)
    yield "role 99", fastcgi.begin(role=99)
    yield "request 0", fastcgi.begin(request=0)
    yield "two begins", begin + begin
    yield "two requests", begin + fastcgi.begin(request=2)
    yield "params first", record(params, good) + begin
    yield "stdin first", record(5, b"x") + begin
    yield "abort first", record(2) + begin
    yield "abort", begin + record(2)
    yield "unknown type", begin + record(200, b"x" * 100)
    yield "end request", begin + record(3, b"\0" * 8)
    yield "stdin in params", begin + record(5, b"x" * 20)
    yield "params of another", begin + record(params, good, request=7)
    yield "pair cut off", begin + record(params, good[:5]) + record(params)
    yield "name of 2 GB", begin + record(
        params, b"\xff\xff\xff\xff\x01x") + record(params)
    yield "value of 2 GB", begin + record(
        params, b"\x01\xff\xff\xff\xffx") + record(params)
    yield "both of 2 GB", begin + record(
        params, b"\xff\xff\xff\xff\xff\xff\xff\xffx") + record(params)
    yield "name of 256 MB", begin + record(
        params, b"\x90\x00\x00\x00\x01x") + record(params)
    yield "sum overflows", begin + record(
        params, b"\xff\xff\xff\xf0\x8f\xff\xff\xffx") + record(params)
    yield "no names", begin + record(params, b"\0\0" * 500) + record(params)
    yield "NULs", begin + record(params, b"\4\4A\0B\0C\0D\0") + record(params)
    yield "many params", begin + fastcgi.stream(params, fastcgi.pairs(
        {f"N{i}": "x" * 100 for i in range(20000)}))
    yield "a long value", begin + fastcgi.stream(params, fastcgi.pairs(
        {"QUERY_STRING": "x" * 3000000}))
    yield "padding lies", begin + b"\1\4\0\1\0\4\xff\0abcd"
    yield "length lies", begin + record(params, good, length=60000)
    yield "get values", record(9, fastcgi.pairs({"FCGI_MAX_CONNS": ""}),
                               request=0)
    yield "get values of a lie", record(9, b"\x7f\x7fx", request=0)


@pytest.mark.parametrize("data", [d for _, d in garbage()],
                         ids=[n for n, _ in garbage()])
def test_malformed_records_cost_nobody_else(workers, data):
    before = workers.pids()
    fastcgi.raw(workers.path, data, close=True)
    if len(data) < 70000:   # and cut off where it says that more will come
        fastcgi.raw(workers.path, data[:-1], close=True)
    refused(workers.ask("/none"), 404)
    assert workers.pids() == before, workers.said()


def test_a_request_cut_off_anywhere_costs_nobody_else(workers):
    body = b'{"a":1}'
    whole = fastcgi.message(fastcgi.params(
        CODES, "PUT", body, LEERPOORT_CLIENT="c",
        LEERPOORT_SCOPE="activationcode"), body)
    before = workers.pids()
    for cut in range(0, len(whole), 3):
        fastcgi.raw(workers.path, whole[:cut], close=True)
    # and peers that do not wait for the answer
    for cut in range(len(whole) - 60, len(whole) + 1, 5):
        with fastcgi.connect(workers.path) as connection:
            connection.sendall(whole[:cut])
    refused(workers.ask("/none"), 404)
    assert workers.pids() == before, workers.said()


def test_keep_conn_does_not_keep_a_worker(workers):
    sent = fastcgi.begin(keep=True) + fastcgi.stream(
        fastcgi.PARAMS, fastcgi.pairs(fastcgi.params("/none"))) \
        + fastcgi.record(fastcgi.STDIN)
    for _ in range(workers.n * 2):
        out, ended = fastcgi.parse(fastcgi.raw(workers.path, sent))
        assert ended and fastcgi.Answer(out).status == 404


def test_a_peer_that_stays_does_not_hold_a_worker(workers):
    """libfcgi would wait two seconds for each of them to leave."""
    data = fastcgi.message(fastcgi.params("/none"))
    began = time.monotonic()
    with contextlib.ExitStack() as stay:
        for _ in range(20 * workers.n):
            peer = stay.enter_context(fastcgi.connect(workers.path))
            peer.sendall(data)
            assert fastcgi.parse(fastcgi.read_all(peer))[1]
        assert time.monotonic() - began < 20


def test_parameters_may_come_in_any_pieces(workers):
    """Small ones (the socket's buffer holds some seventy, however small), then
    all lengths of the first piece."""
    sent = fastcgi.message(fastcgi.params("/none", QUERY_STRING="x" * 300))
    with fastcgi.connect(workers.path) as connection:
        for i in range(0, len(sent), 30):
            connection.sendall(sent[i:i + 30])
            time.sleep(0.0005)
        out, ended = fastcgi.parse(fastcgi.read_all(connection))
    assert ended and fastcgi.Answer(out).status == 404
    for cut in range(1, 40):
        with fastcgi.connect(workers.path) as connection:
            connection.sendall(sent[:cut])
            time.sleep(0.001)
            connection.sendall(sent[cut:])
            out, ended = fastcgi.parse(fastcgi.read_all(connection))
        assert ended and fastcgi.Answer(out).status == 404, cut


def test_parameters_of_60_kb_and_no_more(workers):
    answer = workers.ask("/none", QUERY_STRING="x" * 60000)
    refused(answer, 404)
    sent = fastcgi.message(fastcgi.params("/none", QUERY_STRING="x" * 70000))
    assert fastcgi.raw(workers.path, sent) == b""


@pytest.mark.once
def test_a_silent_peer_is_left_after_a_while(tmp_path, redis):
    """It holds one worker for the time limit, and no longer."""
    with Workers(tmp_path, redis.address, n=1) as workers:
        silent = fastcgi.connect(workers.path)
        silent.sendall(fastcgi.begin())
        since = time.monotonic()
        refused(workers.ask("/none"), 404)
        assert 5 < time.monotonic() - since < 25
        silent.close()


# --- starting, stopping ------------------------------------------------------

def run(*args, **kwargs):
    found = subprocess.run([PROGRAM, *map(str, args)], capture_output=True,
                           text=True, timeout=60, check=False, **kwargs)
    assert found.returncode in (0, 1, 2), found.stderr
    return found


def test_it_says_how_to_start_it(tmp_path):
    key = secret(tmp_path / "key")
    for stdin in (subprocess.DEVNULL, subprocess.PIPE):
        found = run("--pepper", key, "--seal", key, stdin=stdin)
        assert found.returncode == 1
        assert "spawn-fcgi" in found.stderr and "systemd" in found.stderr
    found = run("--help")
    assert found.returncode == 0 and "spawn-fcgi" in found.stdout


def test_usage(tmp_path):
    key = secret(tmp_path / "key")
    both = ("--pepper", key, "--seal", key)
    for args in ((), ("--pepper", key), (*both, "--until", "x"),
                 (*both, "--over-quantity", "x"), (*both, "--requests", "0"),
                 (*both, "--requests", "-1"), (*both, "--timeout", "0"),
                 (*both, "--replicas", "x"), (*both, "--none"),
                 (*both, "operand")):
        found = run(*args, stdin=subprocess.DEVNULL)
        assert found.returncode == 2, (args, found.stderr)
        assert "leerpoort-worker --help" in found.stderr


def listening(tmp_path, *args):
    """One run with a listening socket on standard input, as systemd starts
    it."""
    with socket.socket(socket.AF_UNIX) as server:
        path = tmp_path / "s.sock"
        path.unlink(missing_ok=True)
        server.bind(str(path))
        server.listen()
        return run(*args, stdin=server.fileno(),
                   env=environment(tmp_path))


def test_files_that_it_can_not_use(tmp_path, redis):
    key, short = secret(tmp_path / "key"), tmp_path / "short"
    short.touch(0o600)
    good = {"redis": redis.address, "pepper": key, "seal": key}
    broken = tmp_path / "parties.json"
    broken.write_text('{"parties":[{"oin":"1"}]}')
    for changes, words in (
            ({"pepper": tmp_path / "none"}, "none cannot be opened"),
            ({"pepper": short}, "secret"), ({"seal": short}, "secret"),
            ({"password-file": tmp_path / "none"}, "none cannot be opened"),
            ({"password-file": short}, "holds no password"),
            ({"parties": broken}, "parties[0].oin: 20 digits"),
            ({"keys": tmp_path}, "leerpoort key rotate")):
        args = [word for name, value in {**good, **changes}.items()
                for word in (f"--{name}", value)]
        found = listening(tmp_path, *args)
        assert found.returncode == 1 and words in found.stderr, found.stderr


def test_a_redis_that_would_leave_transactions_out_is_no_store(tmp_path):
    redis = Redis(tmp_path, users=[
        "default on nopass ~* &* +@all -xadd"]).start()
    try:
        key = secret(tmp_path / "key")
        found = listening(tmp_path, "--redis", redis.address, "--pepper", key,
                          "--seal", key)
        assert found.returncode == 1
        assert '"default" may not do them' in found.stderr
    finally:
        redis.destroy()


def test_a_redis_that_forgets_is_no_store(tmp_path):
    redis = Redis(tmp_path, durable=False).start()
    try:
        key = secret(tmp_path / "key")
        args = ("--redis", redis.address, "--pepper", key, "--seal", key)
        found = listening(tmp_path, *args)
        assert found.returncode == 1 and "appendonly" in found.stderr
        with Workers(tmp_path, redis.address, n=1,
                     unsafe_redis="") as workers:
            refused(workers.ask("/none"), 404)
    finally:
        redis.destroy()


@pytest.mark.parametrize("missing", ["multi", "config|get", "acl|dryrun"])
def test_a_redis_user_without_transactions_is_refused(tmp_path, missing):
    """Without MULTI what follows it would be done piece by piece."""
    password = secret(tmp_path / "password")
    password.write_text("first")
    redis = Redis(tmp_path, users=[f"worker on >first ~* +@all -{missing}"])
    try:
        redis.start()
        key = secret(tmp_path / "key")
        found = listening(
            tmp_path, "--redis", redis.address, "--pepper", key, "--seal", key,
            "--user", "worker", "--password-file", password)
        assert found.returncode == 1
        assert "+config|get, +acl|dryrun, +multi" in found.stderr
    finally:
        redis.destroy()


def test_workers_wait_for_a_redis_that_is_away(tmp_path):
    """Started anew while Redis is down they must be there when it is back."""
    redis = Redis(tmp_path)
    with Workers(tmp_path, redis.address, n=1, allow=[
            "Redis cannot be reached yet"]) as workers:
        answer = workers.ask("/none")
        refused(answer, 503)
        assert int(answer.headers["retry-after"]) > 0
        redis.start()
        try:
            answer = eventually("Redis is found", lambda: (
                lambda a: a.status != 503 and a)(workers.ask("/none")))
            refused(answer, 404)
        finally:
            redis.destroy()


def test_one_that_turns_out_to_forget_ends_the_worker(tmp_path):
    redis = Redis(tmp_path, durable=False)
    workers = Workers(tmp_path, redis.address, n=1, retries=1).start()
    try:
        refused(workers.ask("/none"), 503)
        redis.start()
        until = time.monotonic() + 10
        while "appendonly" not in workers.said():
            assert time.monotonic() < until, workers.said()
            try:
                refused(workers.ask("/none"), 503)
            except (OSError, AssertionError):
                pass    # it has ended
            time.sleep(0.01)
    finally:
        workers.destroy()
        redis.destroy()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT,
                                    signal.SIGUSR1])
def test_a_stop_lets_the_request_in_hand_end(tmp_path, redis, number):
    """The signal comes while half a body has come."""
    key = secret(tmp_path / "key")
    body = b'{"a":1}'
    sent = fastcgi.message(fastcgi.params(
        CODES, "PUT", body, LEERPOORT_CLIENT="c",
        LEERPOORT_SCOPE="activationcode"), body)
    with socket.socket(socket.AF_UNIX) as server:
        path = tmp_path / "s.sock"
        server.bind(str(path))
        server.listen()
        worker = subprocess.Popen(
            [PROGRAM, "--redis", redis.address, "--pepper", key, "--seal",
             key], stdin=server.fileno(), stderr=subprocess.PIPE,
            env=environment(tmp_path))
        try:
            refused(fastcgi.ask(path, "/none"), 404)
            with fastcgi.connect(path) as connection:
                connection.sendall(sent[:-12])
                eventually("the worker has the request",
                           lambda: unread(connection) == 0)
                worker.send_signal(number)
                worker.send_signal(number)
                connection.sendall(sent[-12:])
                out, ended = fastcgi.parse(fastcgi.read_all(connection))
            assert ended and b"Status: 4" in out
            assert worker.wait(20) == 0
            assert worker.stderr.read() == b""
        finally:
            worker.kill()
            worker.wait(10)
            worker.stderr.close()


def unread(connection):
    """Memory of bytes that the peer has not taken yet."""
    return struct.unpack("i", fcntl.ioctl(connection, termios.TIOCOUTQ,
                                          b"\0" * 4))[0]


def test_an_idle_worker_stops_at_once_every_time(tmp_path, redis):
    """No signal is lost, however it falls: also while requests rain."""
    with Workers(tmp_path, redis.address, n=2) as workers:
        stopped = threading.Event()

        def rain():
            while not stopped.is_set():
                try:
                    workers.ask("/none")
                except (OSError, AssertionError):
                    pass    # between two workers

        threads = [threading.Thread(target=rain) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            for i in range(20):
                pid = eventually("workers", workers.pids)[0]
                os.kill(pid, signal.SIGTERM)
                eventually(f"stop {i}", lambda p=pid: not alive(p), 10)
        finally:
            stopped.set()
            for thread in threads:
                thread.join()
        workers.allow.append(RESPAWN)
        eventually("two again", lambda: len(workers.pids()) == 2, 10)


def test_workers_are_replaced_without_losing_a_request(tmp_path, redis):
    with Workers(tmp_path, redis.address, n=2, requests=5,
                 allow=[RESPAWN]) as workers:
        seen = set()
        for _ in range(60):
            refused(workers.ask("/none"), 404)
            seen.update(workers.pids())
        assert len(seen) > 5
        workers.kill()
        refused(workers.ask("/none"), 404)


def test_no_core_file_and_no_look_into_its_memory(workers):
    pid = workers.pids()[0]
    limits = open(f"/proc/{pid}/limits", encoding="ascii").read()
    line = [x for x in limits.splitlines() if x.startswith("Max core")][0]
    assert line.split()[4:6] == ["0", "0"]
    if os.geteuid() == 0:
        return      # root's own files show nothing
    with pytest.raises(PermissionError):
        open(f"/proc/{pid}/environ", "rb").read()


def test_no_secret_in_the_arguments(workers):
    for pid in workers.pids():
        argv = open(f"/proc/{pid}/cmdline", "rb").read()
        for file in (workers.pepper, workers.seal):
            assert file.read_bytes() not in argv


def test_nginx_in_front(tmp_path, redis):
    """The parameters as nginx sends them, and a body through its buffers."""
    with Workers(tmp_path, redis.address,
                 parties=parties(tmp_path / "parties.json")) as workers:
        nginx_folder = tmp_path / "nginx"
        nginx_folder.mkdir()
        location = workers.location("/v1/", route="api")
        # no location of these tests sets the module's variables
        for name, value in (("CLIENT", "c"), ("SCOPE", "activationcode"),
                            (r"\w+", '""')):
            location = re.sub(rf"(LEERPOORT_{name} +)\$leerpoort_\w+;",
                              rf"\1{value};", location)
        nginx = Nginx(nginx_folder, "server { listen 127.0.0.1:@PORT@;"
                      f"{location} }}")
        try:
            nginx.start()
            connection = Connection(nginx.port)
            for body, status in ((b'{"a":1}', 400), (b"[]", 400),
                                 (b'{"a":"' + b"x" * 3000 + b'"}', 400),
                                 (b"x" * 1000000, 413)):
                connection.send(request(
                    CODES, method="PUT", close=False, headers=[
                        ("Content-Length", str(len(body)))]) + body)
                answer = connection.read("PUT")
                assert answer.status == status, answer
                json.loads(answer.body)
            connection.close()
            nginx.stop()
        finally:
            nginx.destroy()
