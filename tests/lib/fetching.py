"""leerpoort-keys with its files, as an operator starts it."""

import contextlib
import datetime
import ipaddress
import json
import pathlib
import re
import signal
import socket
import subprocess

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lib.nginx import BUILD
from lib.process import Process, eventually
from lib.tokens import replace
from lib.workers import environment

PROGRAM = BUILD / "leerpoort-keys"


def make_certificate(folder):
    """A certificate for 127.0.0.1 that vouches for itself: (cert, key)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.timezone.utc)
    cert = (x509.CertificateBuilder().subject_name(name).issuer_name(name)
            .public_key(key.public_key()).serial_number(7)
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=2))
            .add_extension(x509.SubjectAlternativeName([
                x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None),
                           True)
            .sign(key, hashes.SHA256()))
    paths = (pathlib.Path(folder) / "cert.pem", pathlib.Path(folder) / "key.pem")
    paths[0].write_bytes(cert.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption()))
    return tuple(map(str, paths))


def source(provider, **changes):
    """A provider's row in sources.json."""
    row = {"name": provider.name, "issuer": provider.issuer, **changes}
    return {name: value for name, value in row.items() if value is not None}


class Keys:
    """One leerpoort-keys at most, and the folder that it writes into.

    sources: providers, or rows of sources.json. options: {"again": "1s"}.
    """

    def __init__(self, folder, sources=(), **options):
        self.folder = pathlib.Path(folder)
        self.files = self.folder / "keys"
        self.files.mkdir()
        self.conf = self.folder / "sources.json"
        self.socket = self.folder / "keys.sock"
        self.log = self.folder / "keys.log"
        self.options = {"sources": self.conf, "key-files": self.files,
                        **{name.replace("_", "-"): value
                           for name, value in options.items()}}
        self._process = None
        self.list(*sources)

    def list(self, *sources):
        replace(self.conf, json.dumps({"sources": [
            row if isinstance(row, dict) else source(row)
            for row in sources]}))

    def argv(self, **more):
        found = [str(PROGRAM)]
        for name, value in {**self.options, **more}.items():
            if value is not None:
                found.append(f"--{name}")
                if value != "":
                    found.append(str(value))
        return found

    # -- runs to the end --------------------------------------------------------

    def run(self, **more):
        """The finished run."""
        return subprocess.run(self.argv(**more), capture_output=True, text=True,
                              env=environment(self.folder), timeout=120,
                              check=False)

    def once(self, **more):
        """Fetches all once; its exit code and what it said."""
        run = self.run(once="", **more)
        assert run.stdout == ""
        return run.returncode, run.stderr

    def status(self):
        """--status: its exit code and what it said."""
        run = subprocess.run([PROGRAM, "--status", "--key-files", self.files],
                             capture_output=True, text=True, timeout=60,
                             env=environment(self.folder), check=False)
        return run.returncode, run.stdout + run.stderr

    def row(self, name):
        """A source's row in status.json; None while there is none."""
        try:
            status = json.loads((self.files / "status.json").read_text())
        except FileNotFoundError:
            return None
        return next((row for row in status["sources"]
                     if row["name"] == name), None)

    # -- a process --------------------------------------------------------------

    def start(self, **more):
        self._process = Process(self.argv(**{"key-socket": self.socket,
                                             **more}),
                                self.log, environment(self.folder))
        return self

    def __enter__(self):
        self.start()
        eventually("it listens", lambda: self.socket.exists()
                   or self._process.ended(), 20)
        return self

    def __exit__(self, kind, *exc):
        if kind is None:
            self.stop()
        else:
            self._process.destroy()

    @property
    def pid(self):
        return self._process.pid

    def ended(self):
        return self._process.ended()

    def signal(self, number):
        self._process.signal(number)

    def stop(self, seconds=10):
        """SIGTERM; fails where it takes too long or is unhappy."""
        self._process.signal(signal.SIGTERM)
        left = self._process.wait(seconds)
        code = self._process.code
        self._process.destroy()
        assert left and code == 0, (left, code, self.said())
        assert not re.search(r"Sanitizer|runtime error", self.said()), (
            self.said())

    def ask(self, issuer):
        """What the edge sends when it meets an unknown key."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as way:
            way.sendto(issuer if isinstance(issuer, bytes)
                       else issuer.encode(), str(self.socket))

    def fill(self):
        """Sends until the queue of one that does not read is full."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as way, \
                contextlib.suppress(BlockingIOError):
            way.setblocking(False)
            while True:
                way.sendto(b"x", str(self.socket))

    def said(self):
        text = self.log.read_text() if self.log.exists() else ""
        for path in sorted(self.folder.glob("*san.*")):
            text += path.read_text(errors="replace")
        return text

    # -- files -------------------------------------------------------------------

    def jwks(self, name):
        return self.files / f"{name}.jwks.json"

    def discovery(self, name):
        return self.files / f"{name}.discovery.json"

    def kids(self, name):
        """The key ids in a file; none where it is not there."""
        try:
            keys = json.loads(self.jwks(name).read_text())["keys"]
        except FileNotFoundError:
            return set()
        return {key["kid"] for key in keys}
