"""leerpoort-load run goes to this machine, or to who agreed. The foreign
machine of these tests is an address in a network namespace of their own, from
which nothing leads anywhere."""

import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import pytest

from lib.nginx import BUILD
from lib.process import Process, eventually

PROGRAM = BUILD / "leerpoort-load"
THERE = "192.0.2.1"  # RFC 5737: of documentation, nobody's
TOKEN = "0123456789abcdef0123456789abcdef"
HASH = hashlib.sha256(TOKEN.encode()).hexdigest()
PATH = "/.well-known/leerpoort-load"
AHEAD = time.strftime("%Y%m%d", time.gmtime(time.time() + 5 * 86400))
PAST = time.strftime("%Y%m%d", time.gmtime(time.time() - 5 * 86400))
GOOD = f"leerpoort-load sha256:{HASH} until:{AHEAD}\n"

# Run in the namespace: answers clicks as everybody likes, the path as the file
# "consent" says ("200 text", or "302 where"), and counts who came.
SERVER = """
import http.server, pathlib, sys
folder = pathlib.Path(sys.argv[1])
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        with open(folder / "asked", "a") as asked:
            asked.write(self.path + "\\n")
        status, _, text = (folder / "consent").read_text().partition(" ")
        if self.path != "/.well-known/leerpoort-load":
            status, text = ("200", (folder / "other").read_text()) \\
                if self.path == "/elsewhere" else ("404", "")
        body = text.encode()
        self.send_response(int(status))
        if status == "302":
            self.send_header("Location", text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass
server = http.server.ThreadingHTTPServer((sys.argv[2], 8080), Handler)
(folder / "ready").touch()
server.serve_forever()
"""

ENTER = ("ip link set lo up && ip address add {there}/32 dev lo && "
         'exec "$@"').format(there=THERE)


class There:
    """A machine elsewhere."""

    def __init__(self, folder):
        self.folder = folder
        self.script = folder / "server.py"
        self.script.write_text(SERVER)
        self.answer(404)
        self._process = Process(
            ["unshare", "-n", "sh", "-c", ENTER, "sh", sys.executable, "-B",
             str(self.script), str(folder), THERE], folder / "output")
        eventually("the machine elsewhere", lambda: (
            (folder / "ready").exists() or self._process.ended()), 30)
        assert not self._process.ended(), (folder / "output").read_text()

    def answer(self, status, text=""):
        (self.folder / "consent").write_text(f"{status} {text}")
        (self.folder / "asked").write_text("")

    @property
    def asked(self):
        return (self.folder / "asked").read_text().splitlines()

    def inside(self, *argv):
        """Runs a command beside it."""
        return subprocess.run(
            ["nsenter", "-t", str(self._process.pid), "-n", *map(str, argv)],
            capture_output=True, text=True, timeout=60, check=False)

    def close(self):
        self._process.destroy()


@pytest.fixture(scope="module")
def there():
    try:
        made = subprocess.run(
            ["unshare", "-n", "sh", "-c", ENTER, "sh", "true"],
            capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        made = False
    if not made:
        pytest.skip("no network namespace may be made here")
    with tempfile.TemporaryDirectory(prefix="leerpoort-test-") as folder:
        there = There(pathlib.Path(folder))
        yield there
        there.close()


@pytest.fixture(scope="module")
def people():
    with tempfile.TemporaryDirectory(prefix="leerpoort-test-") as folder:
        people = pathlib.Path(folder) / "people"
        subprocess.run([PROGRAM, "population", people, "--pupils", "30",
                        "--products", "20", "--jobs", "1"], check=True,
                       capture_output=True, timeout=60)
        yield people


@pytest.fixture
def go(tmp_path, there, people):
    """Runs there, or tries to: the exit code, what it said; clicks."""
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({
        "name": "short", "honesty": {"slip_p99_ms": 10000},
        "connections": {"most": 50},
        "stages": [{"shape": "constant", "seconds": 1, "rate": 20}]}))
    (there.folder / "other").write_text("")

    def go(*options, token=TOKEN + "\n", url=f"http://{THERE}:8080"):
        if token is not None:
            file = tmp_path / "token"
            file.touch(0o600)
            file.write_text(token)
            options = ("--opt-in", file, *options)
        out = tmp_path / "out"
        run = there.inside(PROGRAM, "run", plan, people, "--target", url,
                           "--out", out, *options)
        clicks = [path for path in there.asked if path.startswith("/go/")]
        if run.returncode == 2:
            assert clicks == [] and not out.exists()
        return run.returncode, run.stdout + run.stderr, clicks
    return go


def test_another_machine_is_refused(there, go):
    there.answer(200, GOOD)
    code, said, _ = go(token=None)
    assert code == 2 and "is not this machine" in said
    assert "--opt-in FILE" in said
    assert there.asked == []  # nobody was bothered


def test_who_agreed_is_clicked(there, go):
    there.answer(200, GOOD)
    code, said, clicks = go()
    assert code == 1, said  # it has no books
    assert len(clicks) > 3
    assert there.asked[0] == PATH
    assert TOKEN not in said and THERE in said


@pytest.mark.parametrize("status, text, word", [
    (404, "", "answered 404"),
    (403, GOOD, "answered 403"),
    (500, GOOD, "answered 500"),
    (302, "/elsewhere", "answered 302"),
    (302, f"http://127.0.0.1:8080{PATH}", "answered 302"),
    (200, "", "no consent"),
    (200, "OK", "no consent"),
    (200, f"<p>{GOOD}</p>", "no consent"),
    (200, GOOD * 2, "no consent"),
    (200, GOOD + " " * 2000, "more than 1 KB"),
    (200, GOOD.replace(AHEAD, PAST), "a day that is over"),
    (200, GOOD.replace(HASH, HASH[::-1]), "another token"),
    (200, GOOD.replace(HASH, TOKEN), "no consent"),
])
def test_anything_but_consent_is_refused(there, go, status, text, word):
    (there.folder / "other").write_text(GOOD)
    there.answer(status, text)
    code, said, _ = go()
    assert code == 2, said
    assert word in said
    assert there.asked == [PATH]  # no redirect was followed
    # what its operator would have to configure, letter by letter
    assert f'return 200 "leerpoort-load sha256:{HASH} until:YYYYMMDD";' in said
    assert TOKEN not in said


def test_another_token_is_refused(there, go):
    there.answer(200, GOOD)
    code, said, _ = go(token="f" * 32)
    assert code == 2 and "another token" in said


@pytest.mark.parametrize("token", ["", "short\n", "x" * 15 + "\n"])
def test_a_token_that_can_be_guessed_is_refused(there, go, token):
    there.answer(200, GOOD)
    code, said, _ = go(token=token)
    assert code == 2 and "openssl rand" in said
    assert there.asked == []


def test_insecure_is_for_this_machine_alone(there, go):
    there.answer(200, GOOD)
    code, said, _ = go("--insecure")
    assert code == 2 and "--insecure" in said
    assert there.asked == []


def test_a_target_that_can_not_be_trusted_is_refused(there, go):
    """TLS is asked for, and no TLS comes."""
    there.answer(200, GOOD)
    code, said, _ = go(url=f"https://{THERE}:8080")
    assert code == 2 and "not in TLS" in said
    assert there.asked == []


def test_caps_hold_with_consent_too(there, go):
    there.answer(200, GOOD)
    code, said, _ = go("--max-rate", "19")
    assert code == 2 and "--max-rate" in said
    assert there.asked == []


def test_no_environment_leads_elsewhere(there, go, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    there.answer(200, GOOD)
    code, said, clicks = go()
    assert code == 1 and clicks, said
