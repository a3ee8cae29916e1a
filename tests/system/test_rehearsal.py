"""make rehearsal: all of it runs, ends with a verdict, and leaves nothing but
the result; and docs/rehearsal.md leads where it says."""

import argparse
import contextlib
import json
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import time

import pytest

from lib.edge import LOGIN
from lib.nginx import BUILD
from lib.process import (REPOSITORY, Process, children, eventually,
                         processes_naming)
from lib.tokens import Issuer
from lib.town import Town

pytestmark = pytest.mark.once

REHEARSAL = [sys.executable, "-B", str(REPOSITORY / "loadtest/rehearsal.py")]
HOOKS = REPOSITORY / "loadtest/hooks"
SMALL = ["--pupils", "300", "--products", "40"]


def environment(folder, **more):
    return {**os.environ, "TMPDIR": str(folder), **more}


def rehearse(folder, *options, **more):
    """(run, folder of the result); TMPDIR is folder/tmp."""
    (folder / "tmp").mkdir()
    out = folder / "result"
    run = subprocess.run(
        [*REHEARSAL, *SMALL, "--out", str(out), *options],
        capture_output=True, text=True, timeout=170,
        env=environment(folder / "tmp", **more))
    return run, out


def processes_of(folder):
    return processes_naming(f"{folder}/tmp/leerpoort-rehearsal-")


def assert_nothing_left(folder):
    assert list((folder / "tmp").iterdir()) == []
    assert processes_of(folder) == []


# No opinion on how fast: a disk that others keep busy makes Redis late, and an
# edge that waits no longer than 50 ms says so. What is wrong is wrong.
CALM = {"p50_ms": 5000, "p99_ms": 20000, "errors": 0.3, "missed": 0.1,
        "api_errors": 0.3, "wrong_redirects": 0}


def calm_plan(folder, **changes):
    """september, but for how late it may be."""
    shown = subprocess.run([BUILD / "leerpoort-load", "plan", "show",
                            changes.pop("plan", "september"), "--json"],
                           capture_output=True, text=True, check=True)
    plan = json.loads(shown.stdout)
    plan = plan.get("plan", plan)
    plan.update(thresholds=CALM, honesty={"slip_p99_ms": 10000}, **changes)
    file = folder / "plan.json"
    file.write_text(json.dumps(plan))
    return file


def test_a_small_rehearsal_passes_and_leaves_the_report(tmp_path):
    run, out = rehearse(tmp_path, "--plan", str(calm_plan(tmp_path)),
                        "--scale", "0.05", "--seconds", "6")
    assert run.returncode == 0, run.stdout + run.stderr
    assert f"Report: {out}/report.html" in run.stdout
    result = json.loads((out / "run.json").read_text())
    assert result["sentence"] in run.stdout
    assert result["verdict"] == "pass"
    assert result["counts"]["tls_full"] > 0
    assert result["counts"]["activated"] > 0
    assert result["counts"]["ended"]["wrong-outcome"] == 0
    assert result["api"]["requests"] > 0
    page = (out / "report.html").read_text()
    assert result["sentence"].partition(": ")[2] in page
    assert_nothing_left(tmp_path)


def test_bad_days_are_rehearsed_on_its_own_processes(tmp_path):
    """Redis is killed and started again, and nobody is sent astray."""
    faults = [{"at": 1, "name": "Redis is killed", "hook": "redis-kill"},
              {"at": 2, "name": "Redis is frozen", "hook": "redis-freeze"},
              {"at": 4, "name": "workers are killed", "hook": "workers-kill"},
              {"at": 5, "name": "the edge reloads", "hook": "nginx-reload"}]
    plan = calm_plan(tmp_path, faults=faults, spikes=[], stages=[
        {"shape": "constant", "rate": 100, "seconds": 8}])
    text = json.loads(plan.read_text())
    text["thresholds"].update(errors=1.0, api_errors=1.0)
    plan.write_text(json.dumps(text))
    run, out = rehearse(tmp_path, "--plan", str(plan), "--scale", "1",
                        "--seconds", "8", FREEZE_SECONDS="0.5")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "redis ended meanwhile, and was started again" in run.stdout
    result = json.loads((out / "run.json").read_text())
    assert [(mark["name"], mark["status"]) for mark in result["marks"]] == [
        (fault["name"], 0) for fault in faults]
    assert result["counts"]["ended"]["wrong-redirect"] == 0
    assert_nothing_left(tmp_path)


@pytest.fixture
def running(tmp_path):
    """A rehearsal whose clicks have begun: (process, output, result)."""
    (tmp_path / "tmp").mkdir()
    output, out = tmp_path / "output", tmp_path / "result"
    process = Process(
        [*REHEARSAL, *SMALL, "--plan", str(calm_plan(tmp_path)), "--scale",
         "0.05", "--seconds", "120", "--out", str(out)], output,
        environment(tmp_path / "tmp"), last_words=signal.SIGTERM)
    try:
        eventually("clicks are counted", lambda: process.ended() or (
            out / "seconds.csv").exists() and len(
                (out / "seconds.csv").read_text().splitlines()) > 1, 60)
        assert not process.ended(), output.read_text()
        yield process, output, out
    finally:
        process.signal(signal.SIGTERM)
        process.wait(30)
        process.destroy()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_with_a_report(running, tmp_path, number):
    process, output, out = running
    process.signal(number)
    assert process.wait(60)
    result = json.loads((out / "run.json").read_text())
    assert result["run"]["interrupted"]
    assert result["sentence"] in output.read_text()
    assert (out / "report.html").exists()
    assert_nothing_left(tmp_path)


def test_a_signal_before_the_run_removes_everything(tmp_path):
    (tmp_path / "tmp").mkdir()
    output = tmp_path / "output"
    process = Process([*REHEARSAL, "--pupils", "5000"], output,
                      environment(tmp_path / "tmp"),
                      last_words=signal.SIGTERM)
    try:
        eventually("the pupils are being made", lambda: process.ended()
                   or "A country" in output.read_text(), 30)
        process.signal(signal.SIGINT)
        assert process.wait(60)
    finally:
        process.destroy()
    assert "Stopping" in output.read_text()
    assert_nothing_left(tmp_path)


def test_a_failed_start_leaves_nothing(tmp_path):
    run, out = rehearse(tmp_path, LEERPOORT_NGINX="/bin/false")
    assert run.returncode == 2
    assert "edge did not start" in run.stderr
    assert not out.exists()
    assert_nothing_left(tmp_path)


def test_two_in_one_second_have_a_folder_each(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(REPOSITORY / "loadtest"))
    import rehearsal
    monkeypatch.setattr(rehearsal, "ROOT", tmp_path)
    monkeypatch.setattr(rehearsal.time, "strftime", lambda _: "now")
    args = argparse.Namespace(out=None)
    with contextlib.ExitStack() as stack:
        folders = [rehearsal.result_folder(stack, args) for _ in range(3)]
        assert [f.name for f in folders] == ["now", "now-2", "now-3"]
        (folders[1] / "run.json").touch()
    assert [f.exists() for f in folders] == [False, True, False]


def test_a_short_bad_day_may_fail_more(monkeypatch):
    """Outages are not shortened; never less than the plan allows."""
    monkeypatch.syspath_prepend(str(REPOSITORY / "loadtest"))
    import rehearsal
    assert [rehearsal.errors_of_bad_days(seconds, 0.02)
            for seconds in (1800, 180, 30, 1)] == [0.02, 0.044, 0.267, 1]


@pytest.mark.parametrize("options, environ, said", [
    (["--build", "/nowhere"], {}, "start with make rehearsal"),
    (["--plan", "no-such-plan"], {}, "no-such-plan"),
    ([], {"LEERPOORT_NGINX": "/nowhere/nginx"}, "/nowhere/nginx is missing"),
])
def test_what_is_missing_is_named(tmp_path, options, environ, said):
    run, _ = rehearse(tmp_path, *options, **environ)
    assert run.returncode == 2
    assert said in run.stderr
    assert_nothing_left(tmp_path)


def test_too_few_open_files_are_said_with_the_remedy(tmp_path):
    """Root would raise the limit: it gives that up first."""
    script = "ulimit -Sn 256; ulimit -Hn 256; exec \"$@\""
    (tmp_path / "tmp").mkdir()
    command = ["bash", "-c", script, "bash", *REHEARSAL]
    if os.geteuid() == 0:
        command = ["setpriv", "--bounding-set", "-sys_resource",
                   "--inh-caps", "-sys_resource", *command]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60,
                         env=environment(tmp_path / "tmp"))
    assert run.returncode == 2
    assert "RLIMIT_NOFILE" in run.stderr and "ulimit -n" in run.stderr
    assert_nothing_left(tmp_path)


# --- the hooks ---------------------------------------------------------------

def hook(name, **environ):
    return subprocess.run([HOOKS / name], capture_output=True, text=True,
                          timeout=30, env={**os.environ, **environ})


def state(pid):
    stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    return stat.rpartition(")")[2].split()[0]


def sleeper(folder, command=("sleep", "100")):
    return Process(list(command), folder / "output")


def test_hooks_strike_the_process_that_they_are_told(tmp_path):
    process = sleeper(tmp_path)
    try:
        frozen = subprocess.Popen([HOOKS / "redis-freeze"], env={
            **os.environ, "REDIS_PID": str(process.pid),
            "FREEZE_SECONDS": "1"})
        eventually("it is frozen", lambda: state(process.pid) == "T", 20)
        assert frozen.wait(30) == 0
        eventually("it goes on", lambda: state(process.pid) == "S", 20)
        file = tmp_path / "pid"
        file.write_text(f"{process.pid}\n")
        assert hook("redis-kill", REDIS_PIDFILE=str(file)).returncode == 0
        assert process.wait(10)
    finally:
        process.destroy()


def test_workers_are_killed_and_their_parent_is_not(tmp_path):
    parent = sleeper(tmp_path, ["sh", "-c", "sleep 100 & sleep 100 & wait; "
                                            "wait; exec sleep 100"])
    try:
        old = eventually("it has workers", lambda: (
            lambda found: found if len(found) == 2 else None)(
                children(parent.pid)), 20)
        assert hook("workers-kill",
                    WORKERS_PID=str(parent.pid)).returncode == 0
        eventually("they are gone",
                   lambda: not set(old) & set(children(parent.pid)), 20)
        assert not parent.ended()
    finally:
        parent.destroy()


def test_a_hook_whose_process_is_not_there_fails(tmp_path):
    for name, variable in (("redis-kill", "REDIS"), ("redis-freeze", "REDIS"),
                           ("nginx-reload", "NGINX"),
                           ("workers-kill", "WORKERS")):
        run = hook(name, **{f"{variable}_PIDFILE": str(tmp_path / "no")})
        assert run.returncode != 0 and run.stderr, name
        run = hook(name, **{f"{variable}_PID": "0"})
        assert run.returncode != 0 and "no process of" in run.stderr, name


# --- docs/rehearsal.md -------------------------------------------------------

def commands_of(page):
    """What the page lets an operator type, line by line."""
    return [line for line in re.findall(r"^ {4}(leerpoort-load .*)$",
                                        page.read_text(), re.M)]


class Country:
    """What an Edge takes for an issuer: that of a population."""

    def __init__(self, folder):
        self.folder = folder

    def conf(self):
        return f"include {self.folder}/issuer.conf;"


class Reader:
    """An operator who does what the page says, on 127.0.0.1, with fewer
    pupils and in less time."""

    def __init__(self, folder):
        self.folder = folder
        self.country = folder / "country"

    def meet(self, town):
        self.town = town
        password = self.folder / "password"
        password.touch(0o600)
        password.write_text("of the rehearsal")
        town.redis("ACL", "SETUSER", "rehearsal", "on", ">of the rehearsal",
                   "~*", "&*", "+@all")

    def words(self, line):
        changes = [
            ("/var/tmp/", f"{self.folder}/"),
            ("--pupils 200000", "--pupils 300"),
            ("--products 500", "--products 40"),
            ("2026-08-20T06:15:00Z", str(int(time.time()) + 3)),
            ("--scale 0.083", "--scale 0.02"),
            (" run september ", " run september --fit 3 "),
            (" run bad-day ", " run bad-day --fit 3 --scale 0.02 ")]
        if hasattr(self, "town"):
            changes += [
                ("https://toegang.example.nl",
                 f"http://127.0.0.1:{self.town.edge.port}"),
                ("https://login.example.nl/start?return=", LOGIN),
                ("unix:/run/redis/redis-server.sock",
                 self.town.redis.address),
                ("/etc/leerpoort/redis-rehearsal.password",
                 f"{self.folder}/password"),
                ("/etc/leerpoort/pepper", str(self.town.pepper)),
                ("00000003999999990000", self.town.party.oin),
                ("/usr/local/share/leerpoort/hooks",
                 f"{self.folder}/hooks")]
        for written, here in changes:
            line = line.replace(written, here)
        words = shlex.split(line)
        return [str(BUILD / words[0]), *words[1:]]

    def start(self, line):
        return subprocess.Popen(self.words(line), cwd=self.folder,
                                stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def type(self, line, codes=(0,)):
        process = self.start(line)
        out, said = process.communicate(timeout=120)
        assert process.returncode in codes, f"{line}\n{out}\n{said}"
        return out


def test_the_page_leads_from_nothing_to_a_verdict(tmp_path):
    """Each of its commands, in its order, on 127.0.0.1. How fast this machine
    is can't matter here: 1 and 3 are verdicts too."""
    page = REPOSITORY / "docs/rehearsal.md"
    lines = commands_of(page)
    reader = Reader(tmp_path)
    verdicts = (0, 1, 3)

    def next_line(*said):
        line = lines.pop(0)
        assert all(part in line for part in said), (line, said)
        return line

    reader.type(next_line("population"))
    reader.type(next_line("mint"))
    with Town(edge={"issuers": lambda folder: [Issuer(folder),
                                                    Country(reader.country)],
                    "click": {"content_hosts": "*.load.example"},
                    "timeout": "5s"}) as town:
        reader.meet(town)
        reader.type(next_line("seed", "--party"))
        reader.type(next_line("verify", "--before"))
        assert "september" in reader.type(next_line("plan list"))
        assert "clicks" in reader.type(next_line("plan show"))
        first = next_line("run september", "--login", "/first")
        said = reader.type(first, verdicts)
        assert re.search("^(PASS|FAIL|INVALID): ", said, re.M), said
        ended = json.loads((tmp_path / "first/run.json").read_text())[
            "counts"]["ended"]
        assert ended["right"] > 0
        assert ended["wrong-redirect"] == ended["wrong-outcome"] == 0
        assert "THE SAME" in reader.type(next_line("verify", "--run"))
        reader.type(next_line("report"), verdicts)
        reader.type(first.replace("/first", "/second"), verdicts)
        reader.type(next_line("compare"), (0, 1))
        assert (tmp_path / "compare.html").exists()
        parts = [reader.start(next_line("run september", "--shard"))
                 for _ in range(2)]
        for part in parts:
            out, said = part.communicate(timeout=120)
            assert part.returncode in verdicts, out + said
        reader.type(next_line("merge"), verdicts)
        # Hooks of the same names that do no harm: the others have a test.
        (tmp_path / "hooks").mkdir()
        for path in HOOKS.glob("*-*"):
            (tmp_path / "hooks" / path.name).symlink_to("/bin/true")
        reader.type(next_line("run bad-day", "--hooks"), verdicts)
    assert not lines, "not tried"
