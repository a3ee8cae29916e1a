"""Activations beside the same transactions sent to Redis.

A round: so many pupils each open a book for the first time by way of the edge,
and as many others by what the edge would send to the workers, sent straight to
their socket. What Redis wrote for the first ones is then sent to another Redis
with the same content, as it was written, by a client that does nothing else;
and redis-benchmark sends as many commands of the same size. Everything may use
every core, on all sides.

CPU time is counted too: what Redis spends on an activation, against what it
spends on the transaction alone, says how far more cores would go.
"""

import csv
import dataclasses
import io
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time

import legs
import sales
import writes
from lib import fastcgi, http, names
from lib.redis import Redis
from lib.town import Town

WORKERS = 8
LOAD = 16          # connections that click: there is always one more
ALONE = 1          # and one, for what a click takes that does not queue
PER_ACTIVATION = 5  # commands: MULTI, rights, record, journal, EXEC


@dataclasses.dataclass
class Round:
    clicks: dict
    alone: dict
    straight: dict       # to the workers
    transactions: dict
    benchmark: float     # transactions/s, by redis-benchmark's commands/s
    cpu_us: dict         # of an activation by way of the edge, by process
    straight_cpu_us: dict
    sent_cpu_us: float   # of Redis, for a transaction alone

    @property
    def rate(self):
        return self.clicks["requests"] / self.clicks["seconds"]

    @property
    def workers(self):
        return self.straight["requests"] / self.straight["seconds"]

    @property
    def sent(self):
        return self.transactions["transactions"] / self.transactions["seconds"]


class Bed:
    """A town whose pupils have bought their books; a second Redis like it."""

    def __init__(self, plan, programs):
        self._programs = programs
        self.count = plan.activations
        self._alone = max(10, plan.activations // 10)
        rounds = plan.rounds + 1
        self.sales = sales.Sales(rounds * (2 * self.count + self._alone)
                                 * sales.EACH)
        self._next = 0
        self.town = Town(
            workers=WORKERS, daemons=(), server="access_log off;",
            edge={"level": "error", "zone": "64m", "timeout": "500ms"})
        try:
            self._fill()
        except BaseException:
            self.town._stack.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, kind, *exc):
        try:
            self.other.destroy()
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)
            self.town.__exit__(kind, *exc)

    def _fill(self):
        redis = self.town.redis
        for option in sales.REDIS:
            redis("CONFIG", "SET", *option.split())
        self.sales.found(redis)
        path = self.sales.write(self.town.folder / "sold")
        sales.bring_in(redis, path, self.town.pepper)
        self._folder = pathlib.Path(tempfile.mkdtemp(
            prefix="leerpoort-bench-"))
        shutil.copytree(redis.folder / "appendonlydir",
                        self._folder / "appendonlydir")
        self.other = Redis(self._folder, options=sales.REDIS).start()
        assert self.other("DBSIZE") == redis("DBSIZE")
        self._writes = writes.Writes(redis)

    def _requests(self, count):
        """A file with a click of each of the next pupils."""
        issuer = self.town.edge.issuer
        path = self.town.folder / "requests"
        with open(path, "wb") as file:
            for pupil in range(self._next, self._next + count):
                token = issuer.mint(issuer.claims(
                    eckid=self.sales.eck(pupil),
                    org=self.sales.school(pupil)))
                file.write(http.request(
                    f"/go/{sales.product(pupil % sales.EACH)}", token=token,
                    close=False))
        self._next += count
        return path

    def _handed_on(self, count):
        """The same of further pupils, as the edge hands them to a worker."""
        pepper = self.town.pepper.read_bytes()
        path = self.town.folder / "handed_on"
        with open(path, "wb") as file:
            for pupil in range(self._next, self._next + count):
                number = pupil % sales.EACH
                product, eck = sales.product(number), self.sales.eck(pupil)
                sent = fastcgi.begin() + fastcgi.stream(
                    fastcgi.PARAMS, fastcgi.pairs(fastcgi.params(
                        f"/go/{product}", CONTENT_TYPE="",
                        LEERPOORT_ROUTE="activate",
                        LEERPOORT_USERS=names.user_key(pepper, "ECK", eck),
                        LEERPOORT_PERSON=json.dumps(
                            {"userMasterIdentifier": eck}),
                        LEERPOORT_SCHOOL=self.sales.school(pupil),
                        LEERPOORT_PRODUCT=product,
                        LEERPOORT_RIGHT="own",
                        LEERPOORT_ENTITLEMENT=self.sales.packed(
                            pupil, number),
                        LEERPOORT_TOKEN_IAT=int(time.time())))
                ) + fastcgi.stream(fastcgi.STDIN, b"")
                file.write(b"%d\n" % len(sent) + sent)
        self._next += count
        return path

    def _straight(self, file):
        said = self._run("activations", self.town.workers.path, LOAD, file)
        if said["wrong"]:
            raise legs.Failed(f"activations: {said}")
        return said

    def _clicks(self, connections, file):
        said = self._run("clicks", "sleep", self.town.edge.port, connections,
                         0, 302, file)
        if said["wrong"]:
            raise legs.Failed(f"activation: {said}\n"
                              + self.town.edge.nginx.log()[-2000:])
        return said

    def _run(self, program, *words):
        run = subprocess.run([self._programs / program, *map(str, words)],
                             capture_output=True, text=True, timeout=120,
                             check=False)
        if run.returncode != 0:
            raise legs.Failed(f"{program}: {run.stderr}")
        return json.loads(run.stdout)

    def _cpu(self, load):
        """Microseconds of each, for an activation; while load() runs."""
        town = self.town
        pids = {"nginx": town.edge.nginx.worker_pids(),
                "workers": town.workers.pids(), "redis": [town.redis.pid]}
        before = {name: spent(*found) for name, found in pids.items()}
        result = load()
        return result, {name: (spent(*found) - before[name]) / self.count
                        for name, found in pids.items()}

    def round(self):
        alone = self._clicks(ALONE, self._requests(self._alone))
        self._writes.take()
        file = self._requests(self.count)
        clicks, cpu = self._cpu(lambda: self._clicks(LOAD, file))
        made = self._made()
        file = self._handed_on(self.count)
        straight, straight_cpu = self._cpu(lambda: self._straight(file))
        self._made()
        file = writes.write_file(self._folder / "transactions", made)
        before = spent(self.other.pid)
        sent = self._run("transactions", self.other.path, WORKERS, file)
        sent_us = (spent(self.other.pid) - before) / self.count
        return Round(clicks, alone, straight, sent,
                     self._benchmark(file.stat().st_size / self.count),
                     cpu, straight_cpu, sent_us)

    def _made(self):
        """The transactions of as many activations as there must be."""
        made = [t for t in writes.transactions(self._writes.take())
                if b"activation" in t[-2]]
        if len(made) != self.count or \
                any(len(t) != PER_ACTIVATION for t in made):
            raise legs.Failed(f"{len(made)} activations of {self.count}")
        return made

    def _benchmark(self, size):
        """redis-benchmark's HSETs/s, as many as make a transaction."""
        value = "x" * max(1, round(size / PER_ACTIVATION) - 60)
        run = subprocess.run(
            ["redis-benchmark", "-s", self.other.path, "-c", str(WORKERS),
             "-P", str(PER_ACTIVATION), "-n",
             str(PER_ACTIVATION * self.count), "-r", "100000", "--csv",
             "HSET", "bench:__rand_int__", "field", value],
            capture_output=True, text=True, timeout=120, check=True)
        [row] = csv.DictReader(io.StringIO(run.stdout))
        return float(row["rps"]) / PER_ACTIVATION


def spent(*pids):
    """Microseconds of CPU time, of all their threads."""
    return sum(legs.schedstat(f"{pid}/task/{task}")[0] for pid in pids
               for task in os.listdir(f"/proc/{pid}/task")) / 1000


def measure(plan, programs):
    """What the rounds gave; the first one only warms up."""
    with Bed(plan, programs) as bed:
        bed.round()
        return [bed.round() for _ in range(plan.rounds)]


def summary(rounds):
    median = statistics.median
    return {
        "ratio_workers": median(r.workers / r.benchmark for r in rounds),
        "ratio_benchmark": median(r.rate / r.benchmark for r in rounds),
        "ratio_sent": median(r.rate / r.sent for r in rounds),
        "ratio_redis_cpu": median(r.sent_cpu_us / r.cpu_us["redis"]
                                  for r in rounds),
        "cpu_us": {name: median(r.cpu_us[name] for r in rounds)
                   for name in rounds[0].cpu_us},
        "straight_cpu_us": {name: median(r.straight_cpu_us[name]
                                         for r in rounds)
                            for name in ("workers", "redis")},
        "workers_per_s": median(r.workers for r in rounds),
        "sent_cpu_us": median(r.sent_cpu_us for r in rounds),
        "activations_per_s": median(r.rate for r in rounds),
        "benchmark_per_s": median(r.benchmark for r in rounds),
        "sent_per_s": median(r.sent for r in rounds),
        "sent_p50_ms": median(r.transactions["p50_ms"] for r in rounds),
        "p50_ms": median(r.clicks["p50_ms"] for r in rounds),
        "p99_ms": median(r.clicks["p99_ms"] for r in rounds),
        "alone_p50_ms": median(r.alone["p50_ms"] for r in rounds),
        "alone_p99_ms": median(r.alone["p99_ms"] for r in rounds),
        "rounds": [dataclasses.asdict(r) for r in rounds]}
