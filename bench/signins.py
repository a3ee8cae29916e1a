"""Sign-ins: how many a second, and what a storm of them does.

Through nginx, leerpoort-sso and Redis with AOF always, at a provider that does
nothing but sign (provider.py), by pupils who do nothing but ask (pupils.py);
all of them share the machine's cores. So requests/s say what a machine does
that plays all parts; the CPU time of Leerpoort's own ones says what they would
do alone.
"""

import asyncio
import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import legs
import pupils
from activation import spent
from cryptography.hazmat.primitives import serialization
from lib import names
from lib.door import Door
from lib.http import click
from lib.process import eventually, free_port
from lib.tokens import make_key, replace, write_jwks
from rehearsing import own_memory

HERE = pathlib.Path(__file__).resolve().parent
AT_ONCE = 32        # sign-ins under way, of those as quick as they can be
CLICK_RATE = 200    # clicks a second with a session, beside the storm
PLACES = 128        # of a process, for those who wait for one provider
PARTS = ("nginx", "leerpoort-sso", "redis")


class Provider:
    """The process, and its files for leerpoort-sso."""

    def __init__(self, folder, keys, delay):
        self._port = free_port()
        self.issuer = f"http://127.0.0.1:{self._port}"
        key = make_key("ES256", "bench")
        pem = folder / "provider.pem"
        pem.write_bytes(key.private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption()))
        write_jwks(keys / "bench.jwks.json", [key])
        replace(keys / "bench.discovery.json", json.dumps({
            "issuer": self.issuer,
            "authorization_endpoint": self.issuer + "/authorize",
            "token_endpoint": self.issuer + "/token"}))
        secret = folder / "secret"
        secret.touch(0o600)
        secret.write_text("a secret of many characters\n")
        self.entry = {
            "name": "bench", "title": "Bench", "issuer": self.issuer,
            "clientId": "leerpoort", "clientSecretFile": str(secret),
            "algorithms": ["ES256"],
            "users": [{"claim": "eckid", "idType": "ECK"}],
            "schools": [{"claim": "org", "idType": "MASTER"}]}
        self._process = subprocess.Popen(
            [sys.executable, "-B", HERE / "provider.py", pem,
             str(self._port), str(delay)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)
        self.take()

    @property
    def pid(self):
        return self._process.pid

    def take(self):
        """How many asked since, and how many at once."""
        print(file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())

    def stop(self):
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


class Hall(Door):
    """A door whose one provider is the process. per_minute: of sso.json."""

    def __init__(self, folder, n, delay, per_minute=None):
        self._delay, self._per_minute = delay, per_minute
        super().__init__(folder, n)

    def _open(self, stack):
        self.idp = Provider(self.folder, self.keys, self._delay)
        stack.callback(self.idp.stop)
        super()._open(stack)
        self.edge.product("book", url="https://publisher.example/book",
                          free="1")
        self.redis("HSET", f"school:{{{names.shard('S1')}}}:S1", "name", "S1")

    def write(self, **session):
        super().write(**session)
        if self._per_minute is not None:
            replace(self.conf, json.dumps({
                **json.loads(self.conf.read_text()),
                "signInsPerMinute": self._per_minute}))

    def entries(self):
        return [self.idp.entry]

    def more(self):
        return f"""
        access_log off;
        error_log {self.folder}/nginx.log error;"""

    def pids(self):
        return {"nginx": self.edge.nginx.worker_pids(),
                "leerpoort-sso": self.workers.pids(),
                "redis": [self.redis.pid], "provider": [self.idp.pid]}

    def pupils(self, what, seconds, count, **kwargs):
        return subprocess.Popen(
            [sys.executable, "-B", HERE / "pupils.py", what,
             str(self.edge.port), str(seconds), str(count)],
            stdout=subprocess.PIPE, text=True, **kwargs)


@contextlib.contextmanager
def hall(*args, **kwargs):
    with tempfile.TemporaryDirectory(prefix="leerpoort-bench-") as folder, \
            Hall(folder, *args, **kwargs) as found:
        yield found


def said(process):
    """What it printed in the end."""
    out, _ = process.communicate(timeout=600)
    if process.returncode != 0:
        raise legs.Failed("pupils.py failed")
    return json.loads(out)


# --- as quick as they can -----------------------------------------------------

def leg(door, seconds):
    before = {name: spent(*pids) for name, pids in door.pids().items()}
    used = os.times()
    found = said(door.pupils("loop", seconds, AT_ONCE))
    cpu = {name: (spent(*pids) - before[name]) / found["sign_ins"]
           for name, pids in door.pids().items()}
    now = os.times()
    cpu["pupils"] = 1e6 * (
        now.children_user + now.children_system - used.children_user
        - used.children_system) / found["sign_ins"]
    return {**found, "per_s": found["sign_ins"] / found["seconds"],
            "cpu_us": cpu}


def rate(n, plan):
    """With n processes; a leg to warm up, then as many as there are rounds."""
    with hall(n, 0, per_minute=1_000_000) as door:
        leg(door, plan.warm_up)
        found = [leg(door, plan.seconds) for _ in range(plan.rounds)]
    cpu = {name: statistics.median(one["cpu_us"][name] for one in found)
           for name in found[0]["cpu_us"]}
    return {"per_s": statistics.median(one["per_s"] for one in found),
            "p50_ms": statistics.median(one["p50_ms"] for one in found),
            "p99_ms": statistics.median(one["p99_ms"] for one in found),
            "cpu_us": cpu,
            "per_s_and_core": 1e6 / sum(cpu[name] for name in PARTS),
            "legs": found}


# --- a storm ------------------------------------------------------------------

def signed_in(door):
    """The Cookie header of somebody who signed in before the storm."""
    pupil = pupils.Pupil(door.edge.port, 1 << 40)
    answer = asyncio.run(pupil.sign_in())
    if answer.status != 303:
        raise legs.Failed(f"nobody can sign in: {answer.headers}")
    return "; ".join(f"{name}={v}" for name, v in pupil.cookies.items())


def clicking(door, seconds, cookie):
    """Somebody who clicks for so long, with a session."""
    process = door.pupils("clicks", seconds, CLICK_RATE,
                          stdin=subprocess.PIPE)
    process.stdin.write(cookie + "\n")
    process.stdin.flush()
    return process


def storm(n, plan, rounds):
    """Quiet, then a storm, and again. With n processes."""
    quiet_s = plan.storm_s / 2
    with hall(n, plan.storm_delay) as door:
        cookie = signed_in(door)
        eventually("the click goes through", lambda: click(
            door.edge.port, "/go/book",
            headers=[("Cookie", cookie)]).status == 302)
        before = memory(door)
        quiet, storms, meanwhile = [], [], []
        for _ in range(rounds):
            quiet += said(clicking(door, quiet_s, cookie))["took_ms"]
            door.idp.take()
            clicks = clicking(door, plan.storm_s, cookie)
            process = door.pupils("storm", plan.storm_s, plan.storm)
            most = watch(door, process)
            one = {**said(process), **door.idp.take(), "memory": most}
            meanwhile += said(clicks)["took_ms"]
            storms.append(one)
            if one["lost"] or one["arrived"] != plan.storm:
                raise legs.Failed(f"a storm lost pupils: {one}")
        left = door.redis("DBSIZE")
    return {"storms": storms, "memory_before": before,
            "memory": max(one["memory"] for one in storms),
            "at_once": max(one["at_once"] for one in storms),
            "keys_left": left, "quiet": ends(quiet),
            "meanwhile": ends(meanwhile)}


def memory(door):
    """Bytes of all leerpoort-sso, as they are now."""
    return own_memory(door.workers.pids())


def watch(door, process):
    """The most that they have until a process ends."""
    most = memory(door)
    while process.poll() is None:
        time.sleep(0.2)
        most = max(most, memory(door))
    return most


def ends(took):
    found = sorted(took)
    return {"clicks": len(found), "p50_ms": statistics.median(found),
            "p99_ms": found[len(found) * 99 // 100], "max_ms": found[-1]}


def measure(plan):
    return {"rate": {n: rate(n, plan) for n in (1, 2)},
            "storm": {n: storm(n, plan, plan.storms if n == 2 else 1)
                      for n in (1, 2)}}
