"""One nginx in a folder of its own, with the module loaded.

Environment: LEERPOORT_BUILD the folder with the module (default build/; one
whose name ends in "asan" is run under AddressSanitizer), LEERPOORT_MODULE the
module itself, LEERPOORT_NGINX the nginx binary.

A run ends by reading the error log: an alert, an emergency, a critical line or
a sanitizer's report fails the test, unless the test expected it.
"""

import os
import pathlib
import re
import signal
import socket
import subprocess

from lib.process import (REPOSITORY, Process, alive, children, eventually,
                         free_port)

BINARY = os.environ.get("LEERPOORT_NGINX", "/usr/sbin/nginx")
BUILD = pathlib.Path(os.environ.get("LEERPOORT_BUILD", REPOSITORY / "build"))
if not BUILD.is_absolute():
    BUILD = REPOSITORY / BUILD
MODULE = pathlib.Path(os.environ.get(
    "LEERPOORT_MODULE", BUILD / "ngx_http_leerpoort_module.so")).absolute()
ASAN = BUILD.name.endswith("asan")

SEVERE = re.compile(r"\[(alert|emerg|crit)\]|Sanitizer|runtime error:")

_FRAME = """\
daemon off;
master_process {master};
{user}worker_processes {workers};
pid {folder}/nginx.pid;
lock_file {folder}/nginx.lock;
error_log {folder}/error.log {level};
load_module {module};
{main}
events {{
    worker_connections 1024;
}}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    access_log {folder}/access.log;
{http}
}}
"""


def frame(folder, http, workers=1, main="", level="info", master="on"):
    """A whole nginx.conf around the content of its http block."""
    user = "user root;\n" if os.geteuid() == 0 else ""
    return _FRAME.format(folder=folder, http=http, workers=workers, main=main,
                         level=level, module=MODULE, user=user,
                         master=master)


def environment(folder, faketime=None):
    """What nginx is started with: sanitizer and faketime libraries first."""
    env = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "TZ": "UTC"}
    preload = []
    if ASAN:
        preload.append(_library("libasan.so"))
        preload.append(_library("libubsan.so"))
        env["ASAN_OPTIONS"] = ("detect_leaks=0:abort_on_error=0:"
                               f"log_path={folder}/asan")
        env["UBSAN_OPTIONS"] = ("print_stacktrace=1:halt_on_error=1:"
                                f"log_path={folder}/ubsan")
    if faketime is not None:
        preload.append(faketime_library())
        env["FAKETIME_TIMESTAMP_FILE"] = str(faketime)
        env["FAKETIME_NO_CACHE"] = "1"
        env["FAKETIME_DONT_FAKE_MONOTONIC"] = "1"
    if preload:
        env["LD_PRELOAD"] = " ".join(preload)
    return env


def faketime_library():
    """The path of libfaketime; None where it isn't installed."""
    found = sorted(pathlib.Path("/usr/lib").glob(
        "*/faketime/libfaketime.so.1"))
    return str(found[0]) if found else None


def _library(name):
    return subprocess.run(["gcc", f"-print-file-name={name}"], check=True,
                          capture_output=True, text=True).stdout.strip()


def configuration_test(folder, text):
    """Runs nginx -t on a whole configuration: (exit code, what it said)."""
    path = pathlib.Path(folder) / "nginx.conf"
    path.write_text(text)
    run = subprocess.run(
        [BINARY, "-t", "-p", str(folder), "-c", str(path)],
        capture_output=True, text=True, errors="replace", timeout=30,
        env=environment(folder))
    reports = [p.read_text(errors="replace")
               for p in pathlib.Path(folder).glob("*san.*")]
    assert not reports, "sanitizer report at nginx -t:\n" + "".join(reports)
    return run.returncode, run.stderr


def config_error(folder, text):
    """The one [emerg] line with which nginx -t refuses a configuration."""
    code, said = configuration_test(folder, text)
    assert code != 0, "nginx -t accepted a wrong configuration:\n" + said
    lines = [line for line in said.splitlines() if "[emerg]" in line]
    assert len(lines) == 1, f"{len(lines)} [emerg] lines, not one:\n{said}"
    return lines[0]


class Nginx:
    """http is the content of the http block; @PORT@ in it is the port.

    allow: regular expressions of severe log lines that the test expects.
    faketime: a file that holds the time (libfaketime's syntax), or None.
    master False: one process that is its own worker.
    """

    def __init__(self, folder, http, workers=1, allow=(), faketime=None,
                 main="", level="info", master=True):
        self.folder = pathlib.Path(folder)
        self.workers = workers
        self.allow = list(allow)
        self.faketime = faketime
        self.error_log = self.folder / "error.log"
        self.access_log = self.folder / "access.log"
        self._http = http
        self._main = main
        self._level = level
        self._master = master
        self._process = None
        self.port = None

    def start(self):
        assert MODULE.exists(), f"{MODULE} is missing: run make first"
        self.port = free_port()
        self.write()
        self._process = Process(
            [BINARY, "-p", str(self.folder), "-c", str(self.conf)],
            self.folder / "output", environment(self.folder, self.faketime),
            last_words=signal.SIGTERM)
        try:
            eventually("nginx listens", self._listening, 20)
            eventually("nginx has its workers", self._all_workers, 20)
        except AssertionError as reason:
            self.destroy()
            raise AssertionError(f"{reason}\n{self.said()}") from None
        return self

    @property
    def conf(self):
        return self.folder / "nginx.conf"

    @property
    def pid(self):
        return self._process.pid

    def write(self, http=None):
        """Writes nginx.conf; a new http block counts at the next reload."""
        if http is not None:
            self._http = http
        main = self._main
        if self.faketime is not None:
            main += ("\nenv FAKETIME_TIMESTAMP_FILE;\nenv FAKETIME_NO_CACHE;\n"
                     "env FAKETIME_DONT_FAKE_MONOTONIC;\n")
        self.conf.write_text(frame(
            self.folder, self._http.replace("@PORT@", str(self.port)),
            self.workers, main, self._level, "on" if self._master else "off"))

    def worker_pids(self):
        """The workers that take connections, not those that are leaving."""
        if not self._master:
            return [self.pid]
        pids = []
        for pid in children(self.pid):
            try:
                title = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
            except OSError:
                continue
            if title.startswith(b"nginx: worker process") \
                    and b"shutting down" not in title:
                pids.append(pid)
        return pids

    def reload(self):
        """Sends SIGHUP; returns once only new workers take connections."""
        old = set(self.worker_pids())
        self._process.signal(signal.SIGHUP)
        eventually("new workers after a reload", lambda: (
            len(self.worker_pids()) == self.workers
            and not old & set(self.worker_pids())), 20)

    def strike(self, pid, number=signal.SIGKILL):
        """Kills one worker; what nginx says about that is expected."""
        self.allow.append(rf"worker process {pid} exited on signal {number:d}")
        self.allow.append(rf"shared memory zone \S+ was locked by {pid}")
        os.kill(pid, number)

    def kill_worker(self, pid, number=signal.SIGKILL):
        """As strike(); returns once another worker has taken its place."""
        self.strike(pid, number)
        eventually("a new worker", lambda: (
            not alive(pid) and len(self.worker_pids()) == self.workers), 20)

    def log(self):
        try:
            return self.error_log.read_text(errors="replace")
        except OSError:
            return ""

    def said(self):
        """Everything nginx and the sanitizers wrote, for a failed test."""
        text = self.log()[-8000:]
        for path in sorted(self.folder.glob("*san.*")) + [
                self.folder / "output"]:
            if path.exists():
                text += f"\n--- {path.name}\n"
                text += path.read_text(errors="replace")
        return text

    def stop(self):
        """Lets nginx leave in peace, then reads what it had to say."""
        if self._process is None:
            return
        crashed = self._process.ended()
        self._process.signal(signal.SIGQUIT)
        left = self._process.wait(20)
        severe = self._severe()
        said = "" if left and not severe and not crashed else self.said()
        self.destroy()
        assert not crashed, "nginx was gone before it was stopped:\n" + said
        assert left, "nginx did not leave within 20 s of SIGQUIT:\n" + said
        assert not severe, "severe lines:\n" + "\n".join(severe)

    def destroy(self):
        if self._process is not None:
            self._process.destroy()
            self._process = None

    def _severe(self):
        text = self.log()
        for path in [self.folder / "output", *self.folder.glob("*san.*")]:
            if path.exists():
                text += path.read_text(errors="replace")
        return [line for line in text.splitlines() if SEVERE.search(line)
                and not any(re.search(known, line) for known in self.allow)]

    def _listening(self):
        if self._process.ended():
            raise AssertionError("nginx ended at once")
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def _all_workers(self):
        return len(self.worker_pids()) == self.workers
