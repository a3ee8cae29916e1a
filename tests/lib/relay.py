"""leerpoort-relay with its files, and what the workers would have journaled."""

import json
import os
import pathlib
import signal
import subprocess
import time
import uuid

import jwt

from lib import names
from lib.nginx import BUILD
from lib.process import Process
from lib.sealing import seal

SECRET = b"the seal of the tests, 32 bytes at least"
SCHOOL = "104A158"
ECK = "https://ketenid.nl/201703/" + "c0ffee" * 20


def leerpoort(*args):
    """The command; returns the finished run."""
    return subprocess.run([BUILD / "leerpoort", *map(str, args)],
                          capture_output=True, text=True, timeout=60,
                          check=False)


def packed(uuid_):
    """An entitlement as Redis has it."""
    return names.base64url(uuid.UUID(uuid_).bytes)


def made_uuid(name):
    return str(uuid.uuid5(uuid.NAMESPACE_URL, str(name)))


class Keys:
    """Leerpoort's own key at a party: the file, and what verifies with it."""

    def __init__(self, folder, alg="PS256"):
        self.file = pathlib.Path(folder) / f"client-{alg}.jwk"
        self.file.touch(0o600)
        self.file.write_text(leerpoort("key", "new", "--alg", alg).stdout)
        jwks = json.loads(leerpoort("token", "jwks", "--key",
                                    self.file).stdout)
        self.public = jwt.PyJWK(jwks["keys"][0], algorithm=alg).key, alg


class Relay:
    """One relay process at most; start() again after it ended."""

    def __init__(self, folder, redis, parties=(), keys=None, options=()):
        self.folder = pathlib.Path(folder)
        self.redis = redis
        self.log = self.folder / "relay.log"
        self.options = list(options)
        self.seal = self.folder / "seal"
        self.seal.touch(0o600)
        self.seal.write_bytes(SECRET)
        self.parties = self.folder / "parties.json"
        self.keys = keys
        self.set_parties(parties)
        self._process = None

    def set_parties(self, parties):
        entries = [party if isinstance(party, dict) else party.entry(
            self.keys and self.keys.file) for party in parties]
        new = self.parties.with_suffix(".new")
        new.write_text(json.dumps({"parties": entries}))
        new.rename(self.parties)

    def argv(self, *options):
        return [str(BUILD / "leerpoort-relay"), "--redis", self.redis.address,
                "--seal", str(self.seal), "--parties", str(self.parties),
                *self.options, *options]

    @staticmethod
    def env():
        """With proxies that nobody may use."""
        return {**os.environ, "http_proxy": "http://127.0.0.1:9",
                "https_proxy": "http://127.0.0.1:9",
                "ALL_PROXY": "http://127.0.0.1:9"}

    def start(self, *options):
        self._process = Process(self.argv(*options), self.log, env=self.env())
        return self

    def once(self, *options, code=0):
        """--once; its standard error."""
        run = subprocess.run(self.argv("--once", *options), text=True,
                             stdin=subprocess.DEVNULL, capture_output=True,
                             timeout=60, env=self.env(), check=False)
        with open(self.log, "a") as log:
            log.write(run.stderr)
        assert run.returncode == code, run.stderr
        return run.stderr

    @property
    def pid(self):
        return self._process.pid

    def kill(self):
        self._process.signal(signal.SIGKILL)
        assert self._process.wait(10)

    def terminate(self, seconds=20):
        """SIGTERM; it must end with 0."""
        self._process.signal(signal.SIGTERM)
        assert self._process.wait(seconds), "did not end"
        assert self._process._child.returncode == 0, self.said()

    def ended(self):
        return self._process.ended()

    def destroy(self):
        if self._process is not None:
            self._process.destroy()

    def said(self):
        return self.log.read_text(errors="replace")

    # -- the journal ----------------------------------------------------------

    def journal(self, shard, **fields):
        words = [word for name, value in fields.items() if value is not None
                 for word in (name, value)]
        return self.redis("XADD", f"journal:{{{shard:02d}}}", "*", *words)

    def confirm(self, party, entitlement, ref, status="entitled", shard=7,
                at=None):
        return self.journal(
            shard, kind="confirmation", party=party.oin,
            entitlement=packed(entitlement), product="8717927130834", ref=ref,
            at=at or int(time.time()), status=status)

    def activate(self, party, entitlement, person, type_="school-student",
                 school=SCHOOL, shard=9, code=None, secret=SECRET):
        return self.journal(
            shard, kind="activation", party=party.oin,
            entitlement=packed(entitlement), product="8717927130834",
            type=type_, school=school, day="20260901", until="20270731",
            person=seal(secret, "person", json.dumps(person)),
            code=code and seal(secret, "code", code))

    # -- what is where --------------------------------------------------------

    def waiting(self, oin):
        return self.redis("XLEN", f"outbox:{oin}")

    def dead(self, oin):
        """Dead letters: their fields."""
        return [dict(zip(fields[::2], fields[1::2])) for _, fields
                in self.redis("XRANGE", f"dead:{oin}", "-", "+")]

    def journaled(self):
        return sum(self.redis("XLEN", f"journal:{{{shard:02d}}}")
                   for shard in range(64))

    def pause(self, oin):
        fields = self.redis("HGETALL", f"relay:{oin}")
        return dict(zip(fields[::2], fields[1::2]))

    def status(self):
        """leerpoort relay status --json: exit code, answer."""
        run = leerpoort("relay", "status", "--json", "--redis",
                        self.redis.address)
        return run.returncode, json.loads(run.stdout)

    def retry(self, oin, *options):
        run = leerpoort("relay", "retry", oin, *options, "--redis",
                        self.redis.address)
        assert run.returncode == 0, run.stderr
        return run.stdout
