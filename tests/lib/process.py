"""Child processes that never outlive the tests."""

import ctypes
import os
import pathlib
import signal
import socket
import subprocess
import time

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent.parent
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)


def eventually(what, condition, seconds=5.0, pause=0.002):
    """Waits until condition() is true; returns what it gave.

    For states that nothing announces, such as a socket that accepts.
    """
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(pause)


def free_port():
    """A loopback port that nobody had a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def alive(pid):
    """Whether the process exists and has not ended (a zombie has)."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def children(pid):
    """The pids of a process's living children."""
    try:
        text = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(child) for child in text.split() if alive(int(child))]


class Process:
    """A child in a process group of its own.

    When the tests die, last_words is sent to it by the kernel: SIGTERM where
    it has children to end, SIGKILL otherwise.
    """

    def __init__(self, argv, output, env=None, last_words=signal.SIGKILL):
        def follow_parent():
            _libc.prctl(PR_SET_PDEATHSIG, int(last_words), 0, 0, 0)

        with open(output, "ab") as stream:
            self._child = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream,
                env=env, start_new_session=True, preexec_fn=follow_parent)
        self.pid = self._child.pid

    def ended(self):
        return self._child.poll() is not None

    def signal(self, number):
        if not self.ended():
            os.kill(self.pid, number)

    def wait(self, seconds):
        """True when it ended within so many seconds."""
        try:
            self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    @property
    def code(self):
        """The exit code; None while it runs."""
        return self._child.poll()

    def destroy(self):
        """Ends whatever is left of the group."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
        self._child.wait(10)


def processes_naming(what):
    """The command lines of all processes that contain this text."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if what in line:
            found.append(line)
    return found
