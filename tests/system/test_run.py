"""leerpoort-load run: a whole run against the real edge, and all that can end
it. Rates are small and thresholds of time wide: what is tested is the verdict,
not the machine."""

import concurrent.futures
import contextlib
import ctypes
import fcntl
import json
import os
import pathlib
import pty
import re
import resource
import signal
import socket
import subprocess
import tempfile
import termios
import threading
import time

import pytest

from lib.edge import Edge
from lib.nginx import BUILD, Nginx, environment, faketime_library
from lib.process import Process, alive, children, eventually, free_port

PROGRAM = BUILD / "leerpoort-load"

# Nothing here is about how fast a busy machine is.
CALM = {"errors": 0, "missed": 0, "wrong_redirects": 0}
LAZY = {"slip_p99_ms": 10000}

# A run that was ended by hand never passes.
BY_HAND = 3


def plan(folder, seconds=2, rate=60, name="plan", **more):
    file = folder / f"{name}.json"
    file.write_text(json.dumps({
        "name": name, "seed": 5, "thresholds": CALM, "honesty": LAZY,
        "connections": {"most": 500, "answer_s": 30},
        "stages": [{"shape": "constant", "seconds": seconds, "rate": rate}],
        **more}))
    return str(file)


def counts_of(result):
    """All counters, those of ends among them."""
    counts = result["counts"]
    return {**counts, **counts["ended"]}


class Answer:
    def __init__(self, run, out):
        self.code = run.returncode
        self.out = run.stdout
        self.err = run.stderr
        self.folder = out

    @property
    def result(self):
        return json.loads((self.folder / "run.json").read_text())

    @property
    def counts(self):
        return counts_of(self.result)

    @property
    def said(self):
        return f"exit {self.code}\n{self.out}\n{self.err}"


class Country:
    """A population, and who answers its clicks."""

    def __init__(self, folder):
        self.folder = folder
        self.people = folder / "people"
        subprocess.run([PROGRAM, "population", self.people, "--pupils", "120",
                        "--products", "20", "--seed", "7", "--jobs", "1",
                        "--mix", "set:0.1,entitled:0,open:0,none:0.03,"
                        "ended:0.02"],
                       check=True, capture_output=True, timeout=120)

    def conf(self):
        return (self.people / "issuer.conf").read_text()


@pytest.fixture(scope="module")
def country():
    with tempfile.TemporaryDirectory(prefix="leerpoort-test-") as folder:
        yield Country(pathlib.Path(folder))


@pytest.fixture(scope="module")
def edge(country):
    """The real edge; it knows the country."""
    with Edge(issuers=[country], login=False, timeout="5s",
              click={"content_hosts": "*.load.example",
                     "activate": None}) as edge:
        edge.await_armed()
        subprocess.run(
            [PROGRAM, "seed", country.people, "--redis", edge.redis.address,
             "--pepper", edge.folder / "pepper"],
            check=True, capture_output=True, timeout=120)
        yield edge


@pytest.fixture(scope="module")
def liar(country):
    """Sends everybody to the same book."""
    folder = country.folder / "liar"
    folder.mkdir()
    nginx = Nginx(folder, """
    server {
        listen 127.0.0.1:@PORT@;
        location / {
            add_header Leerpoort-Outcome redirect always;
            return 302 https://another.load.example/book;
        }
    }""")
    nginx.start()
    try:
        yield nginx
        nginx.stop()
    finally:
        nginx.destroy()


class Mute:
    """Takes connections, and says nothing."""

    def __init__(self):
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = self._socket.getsockname()[1]

    def close(self):
        self._socket.close()


@pytest.fixture
def mute():
    mute = Mute()
    yield mute
    mute.close()


def arguments(plan_, country, target, out, *options):
    return [str(PROGRAM), "run", str(plan_), str(country.people), "--target",
            f"http://127.0.0.1:{target.port}", "--out", str(out),
            *map(str, options)]


def rehearse(plan_, country, target, out, *options, **kwargs):
    run = subprocess.run(
        arguments(plan_, country, target, out, *options), timeout=120,
        capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL, **kwargs)
    return Answer(run, out)


class Going:
    """A run that goes on, to be disturbed."""

    def __init__(self, folder, *args, env=None):
        self.file = folder / "said"
        self.out = args[3]
        self._process = Process(arguments(*args), self.file, env=env)
        self.pid = self._process.pid

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self._process.destroy()

    @property
    def said(self):
        return self.file.read_text()

    def at(self, second):
        """Returns when the line of a second was shown."""
        eventually(f"second {second}", lambda: (
            re.search(rf"^0:0{second}/", self.said, re.M)
            or self._process.ended()), 60)
        assert not self._process.ended(), self.said

    @property
    def ended(self):
        return self._process.ended()

    def signal(self, number=signal.SIGINT):
        self._process.signal(number)

    def code(self, seconds=60):
        assert self._process.wait(seconds), self.said
        return self._process.code

    @property
    def result(self):
        return json.loads((self.out / "run.json").read_text())

    @property
    def counts(self):
        return counts_of(self.result)


# --- how it ends -------------------------------------------------------------

def test_an_edge_that_is_right_passes(tmp_path, country, edge):
    out = tmp_path / "out"
    answer = rehearse(plan(tmp_path), country, edge, out)
    assert answer.code == 0, answer.said
    counts = answer.counts
    assert 60 < counts["scheduled"] < 200
    assert counts["scheduled"] == counts["sent"] == counts["right"]
    assert "PASS" in answer.out
    assert answer.out.rstrip().endswith(f"{out}/report.html")
    assert {p.name for p in out.iterdir()} == {
        "run.json", "seconds.csv", "seconds.ndjson", "latency.hgrm",
        "report.html", "told.bin"}
    assert len((out / "seconds.csv").read_text().splitlines()) == 3


def test_sellers_that_get_no_token_end_the_run(tmp_path, country, edge):
    """This edge has no token endpoint: nobody should wait for the evening's
    end to hear of it."""
    key = tmp_path / "key"
    key.touch(0o600)
    key.write_bytes(subprocess.run(
        [BUILD / "leerpoort", "key", "new", "--alg", "ES256"], check=True,
        capture_output=True).stdout)
    own = plan(tmp_path, seconds=100, api={"rate": 20})
    answer = rehearse(own, country, edge, tmp_path / "out", "--client",
                      "seller", "--key", key)
    assert answer.code == 3, answer.said
    assert answer.result["run"]["seconds"] < 90
    assert "token endpoint answered 404" in answer.err
    assert "the sellers' traffic did not come to its end" in answer.out
    assert answer.counts["right"] == answer.counts["scheduled"]


def test_a_result_holds_no_token_and_no_person(tmp_path, country, edge):
    out = tmp_path / "out"
    answer = rehearse(plan(tmp_path), country, edge, out)
    written = b"".join(p.read_bytes() for p in out.iterdir())
    written += answer.out.encode() + answer.err.encode()
    assert b"eyJ" not in written
    assert b"ketenid" not in written and b"load-t-" not in written


def test_one_wrong_place_is_a_fail(tmp_path, country, liar):
    answer = rehearse(plan(tmp_path), country, liar, tmp_path / "out")
    assert answer.code == 1, answer.said
    assert answer.counts["wrong-redirect"] > 0
    assert "FAIL" in answer.out


@pytest.mark.once
def test_an_engine_that_stood_still_makes_it_invalid(tmp_path, country, edge):
    own = plan(tmp_path, seconds=8, honesty={"slip_p99_ms": 400})
    with Going(tmp_path, own, country, edge, tmp_path / "out") as run:
        run.at(1)
        engine, = children(run.pid)
        os.kill(engine, signal.SIGSTOP)
        time.sleep(1.2)  # the point: a second in which nothing is sent
        os.kill(engine, signal.SIGCONT)
        assert run.code() == 3, run.said
        assert "INVALID" in run.said
        assert run.counts["scheduled"] > 100


def test_an_engine_that_died_makes_it_invalid(tmp_path, country, edge):
    own = plan(tmp_path, seconds=30)
    with Going(tmp_path, own, country, edge, tmp_path / "out", "--cores",
               2) as run:
        run.at(1)
        first, second = children(run.pid)
        os.kill(first, signal.SIGKILL)
        assert run.code() == 3, run.said
        assert not alive(second)
        assert re.search(r"engine 1 of 2: ended by signal 9", run.said)
        assert "INVALID" in run.said
        assert run.counts["sent"] > 0


def test_engines_die_with_the_one_that_watches(tmp_path, country, edge):
    own = plan(tmp_path, seconds=60)
    with Going(tmp_path, own, country, edge, tmp_path / "out", "--cores",
               2) as run:
        run.at(1)
        engines = children(run.pid)
        assert len(engines) == 2
        run.signal(signal.SIGKILL)
        eventually("they are gone",
                   lambda: not any(alive(pid) for pid in engines))


# --- whoever ends it ---------------------------------------------------------

@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_end_it_ends_with_a_report(tmp_path, country, edge, number):
    out = tmp_path / "out"
    own = plan(tmp_path, seconds=60)
    with Going(tmp_path, own, country, edge, out) as run:
        run.at(2)
        run.signal(number)
        assert run.code(30) == BY_HAND, run.said
        assert "Interrupted after" in run.said
        assert (out / "report.html").exists()
        counts = run.counts
        assert counts["right"] == counts["scheduled"] > 0


def test_asked_twice_it_waits_for_no_answer(tmp_path, country, mute):
    out = tmp_path / "out"
    own = plan(tmp_path, seconds=60, connections={"answer_s": 60,
                                                  "most": 2000})
    with Going(tmp_path, own, country, mute, out) as run:
        run.at(1)
        run.signal()
        eventually("it schedules no more", lambda: " ending " in run.said, 20)
        asked = time.monotonic()
        run.signal()
        assert run.code(40) in (1, 3), run.said
        assert time.monotonic() - asked < 30  # not the 60 of answer_s
        assert run.counts["sent"] > 0
        assert (out / "report.html").exists()


def test_asked_three_times_it_is_gone(tmp_path, country, mute):
    with Going(tmp_path, plan(tmp_path, seconds=60), country, mute,
               tmp_path / "out") as run:
        run.at(1)
        engine, = children(run.pid)
        os.kill(engine, signal.SIGSTOP)  # it will not end when it is asked
        run.signal()
        eventually("it was heard", lambda: " ending " in run.said, 30)
        assert not run.ended
        # signals that wait together are one: until it had the third
        eventually("it is gone", lambda: run.ended or run.signal(), 30, 0.05)
        assert run.code(10) == 3
        eventually("the engine is gone", lambda: not alive(engine))


def test_the_stop_file_ends_it(tmp_path, country, edge):
    file = tmp_path / "stop"
    with Going(tmp_path, plan(tmp_path, seconds=60), country, edge,
               tmp_path / "out", "--stop-file", file) as run:
        run.at(1)
        file.touch()
        assert run.code(30) == BY_HAND, run.said
        assert run.counts["right"] > 0


def test_hopeless_it_ends_early(tmp_path, country, liar):
    started = time.monotonic()
    answer = rehearse(plan(tmp_path, seconds=100), country, liar,
                      tmp_path / "out", "--stop-early")
    assert answer.code == 1, answer.said
    assert time.monotonic() - started < 60
    assert "ending early" in answer.err


# --- the terminal ------------------------------------------------------------

class Terminal:
    """A run in a terminal of its own."""

    def __init__(self, *args, env=None):
        self.ours, theirs = pty.openpty()
        self._text = b""
        self.before = termios.tcgetattr(theirs)
        self._theirs = theirs

        def lead():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.child = subprocess.Popen(
            arguments(*args), stdin=theirs, stdout=theirs, stderr=theirs,
            env={**os.environ, "TERM": "xterm", **(env or {})},
            preexec_fn=lead)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        while True:
            try:
                chunk = os.read(self.ours, 4096)
            except OSError:
                return
            if not chunk:
                return
            self._text += chunk

    @property
    def text(self):
        return self._text.decode(errors="replace")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        with contextlib.suppress(ProcessLookupError):
            self.child.kill()
        self.child.wait(20)
        os.close(self._theirs)
        os.close(self.ours)

    def type(self, keys):
        os.write(self.ours, keys)

    def await_(self, text, seconds=30):
        try:
            eventually(repr(text), lambda: re.search(text, self.text), seconds)
        except AssertionError as late:
            raise AssertionError(f"{late}\n{self.text}") from None

    def settings(self):
        return termios.tcgetattr(self._theirs)


def test_keys_change_the_rate_and_q_ends(tmp_path, country, edge):
    own = plan(tmp_path, seconds=60)
    with Terminal(own, country, edge, tmp_path / "out") as terminal:
        terminal.await_("0:01/1:00")
        assert terminal.settings() != terminal.before
        terminal.type(b"+")
        terminal.await_(r"x1\.10")
        terminal.type(b"+")
        terminal.await_(r"x1\.21")
        terminal.type(b"---")
        terminal.await_(r"x0\.91")
        terminal.type(b"q")
        assert terminal.child.wait(30) == BY_HAND
        terminal.await_("report.html")
        assert terminal.settings() == terminal.before
        result = json.loads((tmp_path / "out" / "run.json").read_text())
        names = [mark["name"] for mark in result["marks"]]
        assert names[:2] == ["rate x1.10", "rate x1.21"]
        assert result["run"]["lowest_factor"] == 0.909
        assert "\x1b[K" in terminal.text  # a line that is drawn anew


@pytest.mark.once
def test_plus_stops_at_the_greatest_rate(tmp_path, country, edge):
    own = plan(tmp_path, seconds=60)
    with Terminal(own, country, edge, tmp_path / "out", "--max-rate",
                  "63") as terminal:
        terminal.await_("0:01/1:00")
        terminal.type(b"+")
        terminal.await_(r"x1\.05")
        terminal.type(b"++q")
        assert terminal.child.wait(30) == BY_HAND
        assert "x1.06" not in terminal.text and "x1.1" not in terminal.text


@pytest.mark.parametrize("number", [
    signal.SIGTERM, signal.SIGHUP, signal.SIGSEGV, signal.SIGABRT])
def test_the_terminal_is_given_back(tmp_path, country, edge, number):
    own = plan(tmp_path, seconds=60)
    with Terminal(own, country, edge, tmp_path / "out",
                  env={"ASAN_OPTIONS": "handle_segv=0"}) as terminal:
        terminal.await_("0:01/1:00")
        assert terminal.settings() != terminal.before
        os.kill(terminal.child.pid, number)
        code = terminal.child.wait(30)
        assert code == (BY_HAND if number in (signal.SIGTERM, signal.SIGHUP)
                        else -number), terminal.text
        assert terminal.settings() == terminal.before


@pytest.mark.once
@pytest.mark.parametrize("options, env", [
    (["--plain"], {}), ([], {"TERM": "dumb"})])
def test_plain_is_a_line_a_second(tmp_path, country, edge, options, env):
    with Terminal(plan(tmp_path), country, edge, tmp_path / "out", *options,
                  env=env) as terminal:
        assert terminal.child.wait(60) == 0, terminal.text
        terminal.await_("report.html")
        assert "\x1b" not in terminal.text
        assert "\n0:01/0:02  " in terminal.text


@pytest.mark.once
def test_no_color_is_obeyed(tmp_path, country, liar):
    for env, red in (({}, True), ({"NO_COLOR": "1"}, False)):
        out = tmp_path / f"out{red}"
        with Terminal(plan(tmp_path), country, liar, out,
                      env=env) as terminal:
            assert terminal.child.wait(60) == 1, terminal.text
            terminal.await_("report.html")
            assert ("\x1b[31m" in terminal.text) == red


# --- faults ------------------------------------------------------------------

def hook(folder, name, text, mode=0o755):
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text(text)
    file.chmod(mode)
    return file


def fault(name, at, says=None):
    return {"at": at, "name": says or name, "hook": name}


def test_hooks_are_run_and_marked(tmp_path, country, edge):
    hooks, out = tmp_path / "hooks", tmp_path / "out"
    hook(hooks, "fine", "#!/bin/sh\necho at $LEERPOORT_LOAD_SECOND\n"
         "echo out $LEERPOORT_LOAD_OUT >&2\ncat\n")
    hook(hooks, "fails", "#!/bin/sh\nexit 7\n")
    hook(hooks, "lasts", "#!/bin/sh\necho $$\nexec sleep 300\n")
    hook(hooks, "stubborn", "#!/bin/sh\ntrap '' TERM\n"
         "while :; do sleep 1; done\n")
    hook(hooks, "no-program", "#!/nowhere/at/all\n")
    hook(hooks, "chatty", "#!/bin/sh\nhead -c 3000000 /dev/zero | tr '\\0' "
         "x\necho\n")
    own = plan(tmp_path, seconds=3, faults=[
        fault("fine", 0.5, "All is fine"), fault("fails", 0.6),
        fault("lasts", 0.7), fault("stubborn", 0.8), fault("no-program", 0.9),
        fault("chatty", 1)])
    answer = rehearse(own, country, edge, out, "--hooks", hooks)
    assert answer.code == 0, answer.said
    marks = {m["name"]: m for m in answer.result["marks"]}
    assert {n: m["status"] for n, m in marks.items()} == {
        "All is fine": 0, "fails": 7, "lasts": -2, "stubborn": -2,
        "no-program": -1, "chatty": 0}
    for name, at in (("All is fine", 0.5), ("chatty", 1)):
        assert at <= marks[name]["at"] < at + 2
    log = (out / "hooks.log").read_text()
    assert re.search(r"^at 0\.[5-9]|^at [12]\.", log, re.M)
    assert f"out {out}" in log
    assert "fails: ended with 7" in log
    assert 1000000 < len(log) <= 1024 * 1024
    lasted = int(re.search(r"^(\d+)$", log, re.M)[1])
    assert not alive(lasted)


@pytest.mark.parametrize("break_", ["none", "absent", "no program", "folder"])
def test_a_hook_that_can_not_run_is_seen_before(tmp_path, country, liar,
                                                break_):
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    if break_ == "no program":
        hook(hooks, "kill-it", "#!/bin/sh\n", 0o644)
    elif break_ == "folder":
        (hooks / "kill-it").mkdir()
    options = [] if break_ == "none" else ["--hooks", hooks]
    answer = rehearse(plan(tmp_path, faults=[fault("kill-it", 1)]), country,
                      liar, tmp_path / "out", *options)
    assert answer.code == 2, answer.said
    assert "kill-it" in answer.err
    assert not (tmp_path / "out").exists()


def test_an_interrupted_run_starts_no_more_hooks(tmp_path, country, edge):
    hooks, out = tmp_path / "hooks", tmp_path / "out"
    hook(hooks, "late", "#!/bin/sh\n")
    own = plan(tmp_path, seconds=60, faults=[fault("late", 50)])
    with Going(tmp_path, own, country, edge, out, "--hooks", hooks) as run:
        run.at(1)
        run.signal()
        assert run.code(30) == BY_HAND
        assert run.result["marks"] == []


@pytest.mark.once
# --- many ---------------------------------------------------------------------

def test_shards_and_cores_are_the_whole_click_for_click(tmp_path, country,
                                                        edge):
    own = plan(tmp_path, seconds=2, rate=150)
    whole = rehearse(own, country, edge, tmp_path / "whole")
    cores = rehearse(own, country, edge, tmp_path / "cores", "--cores", 3)
    # The machines need not have the same number of cores.
    at = int(time.time()) + 4
    with concurrent.futures.ThreadPoolExecutor() as pool:
        parts = list(pool.map(lambda i: rehearse(
            own, country, edge, tmp_path / f"part{i}", "--shard", f"{i}/2",
            "--start-at", at, "--cores", i), (1, 2)))
    for answer in (whole, cores, *parts):
        assert answer.code == 0, answer.said
    n = whole.counts["scheduled"]
    assert n == cores.counts["scheduled"]
    assert n == sum(p.counts["scheduled"] for p in parts)
    assert all(p.counts["scheduled"] for p in parts)

    merged = subprocess.run(
        [PROGRAM, "merge", tmp_path / "sum", *(p.folder for p in parts)],
        capture_output=True, text=True, timeout=60, check=False)
    assert merged.returncode == 0, merged.stdout + merged.stderr
    sum_ = json.loads((tmp_path / "sum" / "run.json").read_text())
    assert counts_of(sum_)["right"] == whole.counts["right"] == n
    for answer in (cores.result, sum_):
        assert answer["counts"]["outcomes"] \
            == whole.result["counts"]["outcomes"]


@pytest.mark.once
def test_it_starts_when_it_is_told(tmp_path, country, edge):
    at = int(time.time()) + 3
    utc = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
    answer = rehearse(plan(tmp_path, seconds=1), country, edge,
                      tmp_path / "out", "--start-at", utc)
    assert answer.code == 0, answer.said
    assert "starts in 0:0" in answer.out
    assert answer.result["run"]["started"] == utc
    assert time.time() >= at + 1


@pytest.mark.once
# --- bad days ----------------------------------------------------------------

@pytest.mark.parametrize("free", [8192, 24000])
def test_a_full_disk_is_said_and_invalid(tmp_path, country, edge, free):
    """Of seconds that can't be kept the run goes on; so it does where only its
    result can't be written."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k",
                              "tmpfs", disk], capture_output=True,
                             check=False)
    if mounted.returncode != 0:
        pytest.skip("no tmpfs may be mounted here")
    try:
        (disk / "full").write_bytes(b"x" * (65536 - free))
        answer = rehearse(plan(tmp_path, seconds=3), country, edge,
                          disk / "out")
        assert answer.code == 3, answer.said
        assert re.search("No space left|disk is full", answer.err)
        assert "\nINVALID" in answer.out
        assert "0:03/0:03" in answer.out
    finally:
        subprocess.run(["umount", disk], check=True)


def without_more_files(n):
    """A process that may open n files, and may not change that."""
    def limit():
        ctypes.CDLL(None).prctl(24, 24, 0, 0, 0)  # no CAP_SYS_RESOURCE
        resource.setrlimit(resource.RLIMIT_NOFILE, (n, n))
    return limit


def test_too_few_open_files_names_the_limit(tmp_path, country, edge):
    own = plan(tmp_path, connections={"most": 600, "hold": 500})
    answer = rehearse(own, country, edge, tmp_path / "out",
                      preexec_fn=without_more_files(256))
    assert answer.code == 2, answer.said
    for word in ("RLIMIT_NOFILE", "256", "ulimit -n 680", "LimitNOFILE=680"):
        assert word in answer.err
    assert not (tmp_path / "out").exists()


def test_fewer_open_files_than_the_most_will_do(tmp_path, country, edge):
    own = plan(tmp_path, connections={"most": 600})
    answer = rehearse(own, country, edge, tmp_path / "out",
                      preexec_fn=without_more_files(256))
    assert answer.code == 0, answer.said
    assert "ulimit -n 680" in answer.err


def test_more_connections_than_ports_names_the_range(tmp_path, country):
    own = plan(tmp_path, connections={"most": 150})
    ports = "/proc/sys/net/ipv4/ip_local_port_range"
    ready = subprocess.run(
        ["unshare", "-n", "sh", "-c", f"echo 40000 40099 > {ports}"],
        capture_output=True, check=False)
    if ready.returncode != 0:
        pytest.skip("no network namespace may be made here")
    mute = Mute()
    run = subprocess.run(
        ["unshare", "-n", "sh", "-c",
         f'echo 40000 40099 > {ports}; exec "$@"', "sh",
         *arguments(own, country, mute, tmp_path / "out")],
        capture_output=True, text=True, timeout=60, check=False)
    mute.close()
    assert run.returncode == 2, run.stdout + run.stderr
    assert "ip_local_port_range" in run.stderr
    assert "100 ports" in run.stderr
    assert "connections.addresses 2" in run.stderr


@pytest.mark.once
def test_a_clock_that_steps_is_told(tmp_path, country, edge):
    if faketime_library() is None:
        pytest.skip("no libfaketime")
    fake = tmp_path / "time"
    fake.write_text("+0")
    env = {**os.environ, **environment(tmp_path, faketime=fake)}
    env["ASAN_OPTIONS"] = "detect_leaks=0"
    with Going(tmp_path, plan(tmp_path, seconds=4), country, edge,
               tmp_path / "out", env=env) as run:
        run.at(1)
        fake.write_text("+3600")
        run.code()
        assert 3590 < run.result["run"]["clock_step"] < 3610
        counts = run.counts
        assert counts["sent"] == counts["right"] > 0


@pytest.mark.once
# --- what is refused before anything begins -----------------------------------

@pytest.mark.parametrize("options, word", [
    (["--max-rate", 59], "--max-rate"),
    (["--max-seconds", 1], "--max-seconds"),
    (["--scale", 1000], "--max-rate"),
    (["--fit", 20, "--max-seconds", 10], "--max-seconds"),
    (["--scale", "0"], "--scale"), (["--scale", "-1"], "--scale"),
    (["--scale", "nan"], "--scale"), (["--scale", "1e3"], "--scale"),
    (["--scale", ""], "--scale"), (["--fit", "soon"], "--fit"),
    (["--cores", 0], "--cores"), (["--cores", 65], "--cores"),
    (["--shard", "0/2"], "--shard"), (["--shard", "3/2"], "--shard"),
    (["--shard", "1"], "--shard"), (["--shard", "1/2/3"], "--shard"),
    (["--shard", "1/0"], "--shard"), (["--shard", "/"], "--shard"),
    (["--shard", "-1/2"], "--shard"),
    (["--start-at", "tomorrow"], "--start-at"),
    (["--start-at", "2020-01-01T00:00:00Z"], "--start-at"),
    (["--start-at", "2020-01-01T00:00:00+02:00"], "--start-at"),
    (["--start-at", "1577836800"], "--start-at"),
    (["--start-at", ""], "--start-at"),
    (["--start-at", "99999999999999999999"], "--start-at"),
    (["--prefix", "go"], "--prefix"), (["--login", "x"], "--login"),
    (["--client", "X"], "--key"), (["--key", "/dev/null"], "--client"),
    (["--client", "X", "--key", "/nowhere/key"], "--key"),
    (["--insecure"], "--insecure"), (["--ca", "/dev/null"], "--ca"),
    (["--opt-in", "/nowhere/token"], "--opt-in"),
    (["--hooks", "/nowhere/hooks"], "--hooks"),
    (["--hooks", "/dev/null"], "--hooks"),
])
def test_options_that_make_no_sense(tmp_path, country, liar, options, word):
    # more connections than files, of which is not spoken before options are
    own = plan(tmp_path, connections={"most": 600})
    answer = rehearse(own, country, liar, tmp_path / "out", *options,
                      preexec_fn=without_more_files(256))
    assert answer.code == 2, answer.said
    assert word in answer.err and "RLIMIT_NOFILE" not in answer.err
    assert answer.out == "" and not (tmp_path / "out").exists()


def test_options_that_a_script_always_gives(tmp_path, country, edge):
    """Of use for other plans, or elsewhere."""
    key = tmp_path / "key"
    key.touch(0o600)
    answer = rehearse(plan(tmp_path, seconds=1), country, edge,
                      tmp_path / "out", "--hooks", tmp_path, "--opt-in", key,
                      "--client", "X", "--key", key)
    assert answer.code == 0, answer.said


# --- whom it would not believe -----------------------------------------------

def make_certificate(folder, name, names="IP:127.0.0.1"):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
         "-addext", f"subjectAltName={names}", "-days", "2", "-keyout",
         folder / f"{name}.key", "-out", folder / f"{name}.pem"],
        check=True, capture_output=True, timeout=60)
    return folder / f"{name}.pem"


class Trusted:
    """TLS before an edge that answers nothing right, and other CAs."""

    def __init__(self, folder):
        self.own = make_certificate(folder, "own")
        self.other = make_certificate(folder, "other")
        self.elsewhere = make_certificate(folder, "elsewhere",
                                          "DNS:toegang.example")
        self.broken = folder / "broken.pem"
        self.broken.write_text("no certificate")
        self.port, self.elsewhere_port = free_port(), free_port()
        self._nginx = Nginx(folder, "".join(f"""
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {name}.pem;
        ssl_certificate_key {name}.key;
        location / {{ return 404; }}
    }}""" for port, name in ((self.port, folder / "own"), (
            self.elsewhere_port, folder / "elsewhere"))) + """
    server { listen 127.0.0.1:@PORT@; }""")
        self._nginx.start()

    @property
    def plain_port(self):
        return self._nginx.port

    def close(self):
        self._nginx.destroy()


@pytest.fixture(scope="module")
def trusted(country):
    folder = country.folder / "trusted"
    folder.mkdir()
    trusted = Trusted(folder)
    yield trusted
    trusted.close()


@pytest.mark.parametrize("port, ca, words", [
    ("port", None, ["self-signed", "--ca FILE", "--insecure"]),
    ("port", "other", ["does not verify", "--ca FILE", "--insecure"]),
    ("port", "broken", ["--ca", "broken.pem"]),
    ("elsewhere_port", "elsewhere", ["mismatch", "--target"]),
    ("plain_port", None, ["answers, but not in TLS", "http://127.0.0.1:"]),
])
def test_who_can_not_be_believed_is_refused(tmp_path, country, trusted, port,
                                            ca, words):
    """Before it begins: nothing that a click could get would tell more."""
    options = [] if ca is None else ["--ca", getattr(trusted, ca)]
    answer = rehearse_tls(tmp_path, country, getattr(trusted, port), *options)
    assert answer.code == 2, answer.said
    assert len(answer.err.splitlines()) == 1
    for word in words:
        assert word in answer.err
    assert answer.out == "" and not answer.folder.exists()


@pytest.mark.parametrize("option", ["--ca", "--insecure"])
def test_who_is_believed_is_clicked(tmp_path, country, trusted, option):
    options = [option, trusted.own] if option == "--ca" else [option]
    answer = rehearse_tls(tmp_path, country, trusted.port, *options)
    assert answer.code == 1, answer.said  # its answers are wrong
    assert answer.counts["tls_full"] > 0
    assert answer.counts["sent"] == answer.counts["scheduled"]


def rehearse_tls(tmp_path, country, port, *options):
    out = tmp_path / "out"
    run = subprocess.run(
        [PROGRAM, "run", plan(tmp_path, seconds=1), country.people,
         "--target", f"https://127.0.0.1:{port}", "--out", out, *options],
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=False, timeout=120)
    return Answer(run, out)


def test_a_start_beyond_a_day_is_refused(tmp_path, country, liar):
    answer = rehearse(plan(tmp_path), country, liar, tmp_path / "out",
                      "--start-at", int(time.time()) + 90000)
    assert answer.code == 2 and "24 hours" in answer.err


def test_a_plan_with_sellers_needs_one(tmp_path, country, liar):
    own = plan(tmp_path, api={"rate": 5})
    for options in ([], ["--client", "X"], ["--key", own],
                    ["--client", "X", "--key", tmp_path / "nowhere"]):
        answer = rehearse(own, country, liar, tmp_path / "out", *options)
        assert answer.code == 2, answer.said
        assert "--key" in answer.err


@pytest.mark.once
def test_a_result_is_never_written_over_another(tmp_path, country, edge):
    out = tmp_path / "out"
    out.mkdir()
    own = plan(tmp_path, seconds=1)
    assert rehearse(own, country, edge, out).code == 0  # an empty one will do
    before = (out / "run.json").read_bytes()
    answer = rehearse(own, country, edge, out)
    assert answer.code == 2 and "not empty" in answer.err
    assert (out / "run.json").read_bytes() == before
    answer = rehearse(own, country, edge, tmp_path / "no" / "where")
    assert answer.code == 2 and "can't be made" in answer.err


def test_a_stop_file_that_is_there_already(tmp_path, country, liar):
    (tmp_path / "stop").touch()
    answer = rehearse(plan(tmp_path), country, liar, tmp_path / "out",
                      "--stop-file", tmp_path / "stop")
    assert answer.code == 2 and "stop" in answer.err


def test_nobody_listens(tmp_path, country):
    mute = Mute()
    mute.close()
    answer = rehearse(plan(tmp_path), country, mute, tmp_path / "out")
    assert answer.code == 2, answer.said
    assert "start the edge first" in answer.err


@pytest.mark.once
def test_people_without_tokens_that_live_are_refused(tmp_path, country, liar):
    people = tmp_path / "old"
    subprocess.run([PROGRAM, "population", people, "--pupils", "30",
                    "--products", "20", "--jobs", "1", "--expires-in", "30"],
                   check=True, capture_output=True, timeout=60)
    old = type("Old", (), {"people": people})
    answer = rehearse(plan(tmp_path), old, liar, tmp_path / "out")
    assert answer.code == 2, answer.said
    assert f"leerpoort-load mint {people}" in answer.err
    (people / "tokens.bin").unlink()
    answer = rehearse(plan(tmp_path), old, liar, tmp_path / "out")
    assert answer.code == 2, answer.said
    answer = rehearse(plan(tmp_path), type("No", (), {"people": tmp_path}),
                      liar, tmp_path / "out")
    assert answer.code == 2, answer.said


def test_a_broken_plan_is_named(tmp_path, country, liar):
    file = tmp_path / "broken.json"
    file.write_text('{"name": "x", "stages": [{"shape": "round"}]}')
    answer = rehearse(file, country, liar, tmp_path / "out")
    assert answer.code == 2 and "shape" in answer.err
    answer = rehearse(tmp_path / "none.json", country, liar, tmp_path / "out")
    assert answer.code == 2 and answer.err


@pytest.mark.once
def test_without_a_name_the_result_is_named_by_the_time(tmp_path, country,
                                                        edge):
    run = subprocess.run(
        [PROGRAM, "run", plan(tmp_path, seconds=1), country.people,
         "--target", f"http://127.0.0.1:{edge.port}"], cwd=tmp_path,
        capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    name = re.search(r"^(run-\d{8}T\d{6}Z)/report.html$", run.stdout, re.M)[1]
    assert (tmp_path / name / "run.json").exists()
