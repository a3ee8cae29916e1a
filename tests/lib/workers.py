"""leerpoort-worker behind a socket, started as an operator would.

A run ends by reading what the workers said: a sanitizer's report or a sentence
that no test expected fails the test.
"""

import json
import os
import pathlib
import re
import secrets
import signal

from lib import fastcgi
from lib.nginx import ASAN, BUILD
from lib.process import (REPOSITORY, Process, alive, children,
                         eventually)
from lib.tokens import replace

PROGRAM = BUILD / "leerpoort-worker"

# What multiwatch says of a child that ended, whatever its exit status: the
# first where it had lived for less than 100 ms (-t), else the second.
RESPAWN = (r"^(Spawning child\[\d+\] failed, next try"
           r"|Child\[\d+\] died, respawn)$")

# What the edge tells a worker: the example's own list.
PARAMS = REPOSITORY / "lua-free-conf" / "leerpoort_params"


def secret(path):
    """A file with 32 random bytes, readable by its owner alone."""
    path = pathlib.Path(path)
    path.touch(0o600)
    path.write_bytes(secrets.token_bytes(32))
    return path


def parties(path, listed, **members):
    """Writes parties.json: listed, and the members of the whole."""
    replace(path, json.dumps({**members, "parties": listed}))
    return pathlib.Path(path)


def is_worker(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().startswith(
            str(PROGRAM).encode())
    except OSError:
        return False


def environment(folder, now=None):
    env = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "TZ": "UTC"}
    if ASAN:
        leaks = int(os.geteuid() == 0)  # else no debugger may look into it
        env["ASAN_OPTIONS"] = (f"detect_leaks={leaks}:abort_on_error=0:"
                               f"log_path={folder}/asan")
        env["UBSAN_OPTIONS"] = ("print_stacktrace=1:halt_on_error=1:"
                                f"log_path={folder}/ubsan")
    if now is not None:
        env["LEERPOORT_NOW"] = str(now)
    return env


class Workers:
    """n workers on a socket in folder, under spawn-fcgi and multiwatch.

    redis: an address as --redis takes it. pepper, seal: files; made where
    not given. options: further ones, {"parties": file, "unsafe-redis": ""}.
    now: LEERPOORT_NOW, a Unix time or a file that holds one. allow: regular
    expressions of sentences that the workers may say. retries: how often
    multiwatch starts one that ends at once.
    """

    def __init__(self, folder, redis, n=2, pepper=None, seal=None, now=None,
                 allow=(), retries=1000, **options):
        self.folder = pathlib.Path(folder)
        self.path = self.folder / "worker.sock"
        self.output = self.folder / "worker.log"
        self.n = n
        self.pepper = pathlib.Path(pepper or self.folder / "worker.pepper")
        self.seal = pathlib.Path(seal or self.folder / "worker.seal")
        for file in (self.pepper, self.seal):
            if not file.exists():
                secret(file)
        self.allow = list(allow)
        self._now = now
        self._retries = retries
        self._options = {"redis": redis, "pepper": self.pepper,
                         "seal": self.seal, **{
                             name.replace("_", "-"): value
                             for name, value in options.items()}}
        self._process = None

    def argv(self):
        """The worker's own words."""
        found = [str(PROGRAM)]
        for name, value in self._options.items():
            if value is not None:
                found.append(f"--{name}")
                if value != "":
                    found.append(str(value))
        return found

    def start(self, wait=True):
        """wait False: the workers may end at once."""
        assert PROGRAM.exists(), f"{PROGRAM} is missing: run make first"
        self.path.unlink(missing_ok=True)
        self._process = Process(
            ["spawn-fcgi", "-s", str(self.path), "-n", "--", "/usr/bin/multiwatch",
             "-f", str(self.n), "-r", str(self._retries), "-t", "100", "--",
             *self.argv()],
            self.output, environment(self.folder, self._now),
            last_words=signal.SIGTERM)
        if wait:
            try:
                eventually("the workers answer", self._answers, 20)
            except AssertionError as reason:
                said = self.said()
                self.destroy()
                raise AssertionError(f"{reason}\n{said}") from None
        return self

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *exc):
        if kind is None:
            self.stop()
        else:
            self.destroy()

    @property
    def pid(self):
        """multiwatch's."""
        return self._process.pid

    def pids(self):
        """The workers; not what multiwatch has forked but not begun yet,
        where a signal would be lost."""
        return [pid for pid in children(self.pid) if is_worker(pid)]

    def ended(self):
        return self._process.ended()

    def location(self, uri="/activate", route="activate", more=""):
        """A location that hands its requests to the workers: the internal one
        of leerpoort_activate, or with route="api" one of an API."""
        internal = "internal;" if route == "activate" else ""
        match = uri if uri.endswith("/") else f"= {uri}"
        return f"""
        location {match} {{
            {internal}
            {more}
            fastcgi_pass unix:{self.path};
            fastcgi_param LEERPOORT_ROUTE {route};
            {PARAMS.read_text()}
        }}"""

    def ask(self, target, method="GET", body=None, **changes):
        """One request straight to the socket, past nginx; see fastcgi.ask."""
        return fastcgi.ask(self.path, target, method, body, **changes)

    def kill(self, pid=None, number=signal.SIGKILL):
        """Kills one worker; returns once another is in its place."""
        pid = pid or self.pids()[0]
        self.allow.append(RESPAWN)
        os.kill(pid, number)
        eventually("a new worker", lambda: (
            not alive(pid) and len(self.pids()) == self.n), 20)

    def said(self):
        text = ""
        for path in [self.output, *sorted(self.folder.glob("*san.*"))]:
            if path.exists():
                text += path.read_text(errors="replace")
        return text

    def unexpected(self):
        """Lines that nobody announced."""
        return [line for line in self.said().splitlines() if line.strip()
                and not any(re.search(known, line) for known in self.allow)]

    def stop(self):
        """Lets the workers finish, then reads what they had to say."""
        if self._process is None:
            return
        crashed = self._process.ended()
        self._process.signal(signal.SIGTERM)
        # multiwatch's signal is lost on a child that it forks at that moment
        for _ in range(20):
            left = self._process.wait(1)
            if left:
                break
            for pid in self.pids():
                os.kill(pid, signal.SIGTERM)
        said = self.said()
        self.destroy()
        assert not crashed, "the workers were gone:\n" + said
        assert left, "the workers did not leave within 20 s:\n" + said
        unexpected = self.unexpected()
        assert not unexpected, "the workers said:\n" + "\n".join(unexpected)

    def destroy(self):
        if self._process is not None:
            self._process.destroy()
            self._process = None

    def _answers(self):
        if self._process.ended():
            raise AssertionError("the workers ended at once")
        try:
            return len(self.pids()) == self.n and self.ask("/none").status
        except (OSError, AssertionError):
            return False
