"""A country that clicks: everybody's token and rights are different.

One edge with one worker, pinned, its Redis, and leerpoort-load, which judges
every answer. First what a worker does at most with each kind of click, beside
return 302 under the same tool; then the knee: the highest rate at which 99 of
100 clicks are answered within 50 ms of the moment they were due.

hit      token and rights remembered: everybody has been there before
new      leerpoort_token_time 0: every token is verified
first    the edge has just been started: nobody has been there
miss     leerpoort_mirror_time 0: every click asks Redis
"""

import contextlib
import dataclasses
import pathlib
import resource
import shutil
import statistics
import subprocess
import tempfile

import legs
from bed import pin, signature
from lib import http
from lib.process import eventually, free_port
from lib.redis import Redis
from lib.tokens import Issuer
from lib.town import Town
from lib.workers import secret
from rehearsing import (People, Running, Wide, locations, open_sockets,
                        own_memory)

ALGORITHMS = {"ES256": 0.8, "RS256": 0.2}
# Nobody activates here: there are no workers behind this edge.
MIX = ("set:0.05,entitled:0,open:0,none:0.025,not-yet:0.005,ended:0.005,"
       "blocked:0.002")
ENTITLED = "set:0,entitled:0.7,open:0,none:0,not-yet:0,ended:0,blocked:0"
SIDES = {"hit": "", "new": "leerpoort_token_time 0;",
         "miss": "leerpoort_mirror_time 0;"}
GOOD = {"denied": 0}
KNEE_MS = 50
KNEE_STEP = 1.06        # between the last rate that held and the next
FAILS = 2               # of a rate: one disturbance is not the edge's
TRIES = 4               # where the tool was disturbed and could not say
WORKERS = 8
ADDRESSES = 64          # to come from: each has its own ports
CLICKS_METRIC = "leerpoort_clicks_total"
TRUST = {"http": (), "https": ("--insecure",)}
# name: (scheme, what it is, connections)
KNEES = {
    "kept": ("http", "kept connections", {}),
    "kept_tls": ("https", "kept connections, TLS", {}),
    "fresh": ("http", "80 % new connections", {"fresh": 0.8}),
    "fresh_full": ("https", "80 % new, TLS in full", {"fresh": 0.8}),
    "fresh_resumed": ("https", "80 % new, TLS resumed",
                      {"fresh": 0.8, "resumed": 1.0}),
}


def files():
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def zone(pupils):
    """MB in which everybody has room, and to spare."""
    return 64 + pupils * 3 // 1000


class Bed:
    """The edge, its Redis, and the country. verify: the program of bench's
    that does so; every_core: a context in which more than one core may be
    used."""

    def __init__(self, core, load_core, plan, verify, every_core):
        self.core, self.load_core, self.plan = core, load_core, plan
        self.verify = verify
        self.folder = pathlib.Path(tempfile.mkdtemp(
            prefix="leerpoort-bench-"))
        self._stack = contextlib.ExitStack()
        self._stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        try:
            with every_core():
                self._fill()
            self._raise()
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, kind, *exc):
        try:
            if kind is None:
                self.nginx.stop()
        finally:
            self._stack.close()

    def _fill(self):
        self.pepper = secret(self.folder / "pepper")
        self.redis = Redis(self.folder)
        self._stack.callback(self.redis.destroy)
        self.redis.start()
        empty = self.used()
        algs = ",".join(f"{alg}:{share * 100:.0f}"
                        for alg, share in ALGORITHMS.items())
        self.people = People(self.folder, self.plan.country, 500,
                             algs, MIX)
        self.seeded_s = self.people.seed(self.redis, self.pepper)
        self.redis_bytes = self.used() - empty
        self.keys = self.redis("DBSIZE")
        self._plain = locations(self.people, self.redis)
        self.issuer = Issuer(self.folder)    # of signatures that are timed
        self._make_certificate()

    def _raise(self):
        pin(self.redis.pid, self.load_core)
        self.ports = {side: free_port() for side in (*SIDES, "tls")}
        self.ports["first"] = self.ports["hit"]
        folder = self.folder / "nginx"
        folder.mkdir()
        self.nginx = Wide(folder, self._http(usage=False), level="error",
                          main=f"worker_cpu_affinity {1 << self.core:b};"
                               f"worker_rlimit_nofile {files()};")
        self._stack.callback(self.nginx.destroy)
        self.start()

    def _make_certificate(self):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
             "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
             "-keyout", self.folder / "key.pem", "-out",
             self.folder / "cert.pem"], check=True, capture_output=True)

    def _http(self, usage):
        servers = "".join(f"""
    server {{
        listen 127.0.0.1:{self.ports[side]}{' ssl' * (side == 'tls')}
            backlog=4096;
        access_log off;
        location /go/ {{ leerpoort_click; {SIDES.get(side, "")} }}
    }}""" for side in (*SIDES, "tls"))
        return f"""
    leerpoort_zone leerpoort:{zone(self.plan.country)}m;
    leerpoort_redis {self.redis.address} timeout=500ms;
    leerpoort_pepper {self.pepper};
    leerpoort_usage {"on" if usage else "off"};
    include {self.people.people}/issuer.conf;
    leerpoort_content_hosts *.load.example;
    leerpoort_token_time 1h;
    leerpoort_mirror_time 1h;
    large_client_header_buffers 4 16k;
    keepalive_requests 1000000000;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_cache shared:tls:16m;
    ssl_session_timeout 4h;
    ssl_certificate {self.folder}/cert.pem;
    ssl_certificate_key {self.folder}/key.pem;
    server {{
        listen 127.0.0.1:@PORT@ backlog=4096;
        access_log off;
        {self._plain}
        location = /metrics {{ leerpoort_metrics; }}
    }}{servers}"""

    def start(self):
        self.nginx.start()
        self.ports["plain"] = self.ports["again"] = self.nginx.port
        eventually("the invalidation link is armed",
                   lambda: self.redis.links() == 1, 20)

    def restart(self, usage=False):
        """An edge that remembers nobody."""
        self.nginx.stop()
        self.nginx.write(self._http(usage))
        self.start()

    @property
    def worker(self):
        return self.nginx.worker_pids()[0]

    def used(self):
        info = self.redis("INFO", "memory")
        return int(info.split("used_memory:")[1].split()[0])

    def metrics(self):
        """The metrics page as {name{labels}: number}."""
        page = http.click(self.nginx.port, "/metrics")
        assert page.status == 200, page
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
                for line in page.body.decode().splitlines()
                if line and not line.startswith("#")}

    def warm(self):
        """Until nearly everybody has clicked. Returns the metrics' change:
        what the zone took for how many."""
        before = self.metrics()
        rate = 10000
        for round_ in range(100):
            known = self.metrics()
            result = self.people.saturate(
                self.ports["hit"], rate, max(1, self.plan.seconds), GOOD,
                seed=1000 + round_)
            rate = 1.5 * result["rps"]
            now = self.metrics()
            new = now[MISSED_TOKEN] - known[MISSED_TOKEN]
            if new < 0.005 * result["requests"]:
                return {name: now[name] - before[name] for name in now}
        raise legs.Failed("the edge does not come to know everybody")


MISSED_TOKEN = 'leerpoort_token_cache_total{result="miss"}'
MISSED = 'leerpoort_mirror_total{result="miss"}'


@dataclasses.dataclass
class Leg:
    rps: float
    cpu_us: float       # of nginx for a click
    new_tokens: float   # share of clicks
    misses: float


class Legs:
    """Saturating legs on the sides of a bed, by turns."""

    def __init__(self, bed):
        self._bed = bed
        self.found = {}
        self._rate = {}
        self._seed = 0

    def leg(self, side, seconds):
        bed = self._bed
        self._seed += 1
        rate = self._rate.get(side, 20000)
        counted, before = bed.metrics(), legs.schedstat(bed.worker)
        result = bed.people.saturate(bed.ports[side], rate, seconds, GOOD,
                                     seed=self._seed)
        after, now = legs.schedstat(bed.worker), bed.metrics()
        count = result["requests"]
        if result["rps"] > rate:
            self._rate[side] = result["rps"]
        return Leg(result["rps"], (after[0] - before[0]) / count / 1000,
                   (now[MISSED_TOKEN] - counted[MISSED_TOKEN]) / count,
                   (now[MISSED] - counted[MISSED]) / count)

    def find_rate(self, side, seconds):
        """Until more is due than it answers."""
        for _ in range(6):
            due = self._rate.setdefault(side, 20000)
            rps = self.leg(side, seconds).rps
            if rps < due:
                self._rate[side] = rps
                return
            self._rate[side] = 2.5 * due

    def expect(self, side, other):
        """It will answer about as many as the other one."""
        self._rate[side] = self._rate[other]

    def keep(self, side, seconds):
        self.found.setdefault(side, []).append(self.leg(side, seconds))

    def median(self, side, name):
        return statistics.median(getattr(leg, name)
                                 for leg in self.found[side])

    def ratios(self, side, what):
        """what: of the plain leg beside it and the side's own."""
        plain = self.found["again" if side == "first" else "plain"]
        return statistics.median(map(what, plain, self.found[side]))


def at_most(bed):
    """Interleaved legs of all sides."""
    plan, by_turns = bed.plan, Legs(bed)
    for side in ("plain", *SIDES):
        by_turns.find_rate(side, plan.warm_up)
    by_turns.expect("again", "plain")
    by_turns.expect("first", "new")
    verify = []
    for _ in range(plan.legs):
        for side in ("plain", *SIDES):
            by_turns.keep(side, plan.seconds)
        verify.append(verify_us(bed))
    for _ in range(plan.legs):
        by_turns.keep("again", plan.seconds)
        bed.restart()
        by_turns.keep("first", plan.seconds)
    return by_turns, verify


def verify_us(bed):
    """What the signature of one click takes, by the mix of algorithms."""
    total = 0
    for alg, share in ALGORITHMS.items():
        token = bed.issuer.mint(bed.issuer.claims(
            eckid="https://ketenid.nl/000000/" + 128 * "0",
            org="load-s-00001"), alg=alg)
        run = subprocess.run(
            ["taskset", "-c", str(bed.core), bed.verify,
             *signature(bed.folder, bed.issuer, alg, token),
             str(bed.plan.verify_seconds)], capture_output=True, text=True,
            timeout=60)
        if run.returncode != 0:
            raise legs.Failed(run.stderr)
        total += share * float(run.stdout) / 1000
    return total


# --- the knee -----------------------------------------------------------------

def knee(people, port, low, high, plan, clicks=None, scheme="http",
         options=(), look=None, **connections):
    """Between low and high: the highest rate that held, and the tries.
    look: called around each one, what it gives is kept."""
    tried = []
    while high > low * KNEE_STEP and len(tried) < plan.knee_tries:
        rate = (low * high) ** 0.5
        said = []
        while "pass" not in said and len(said) < TRIES \
                and said.count("fail") < FAILS:
            tried.append(trial(people, port, rate, plan, len(tried), clicks,
                               scheme, options, look, connections))
            said.append(tried[-1]["verdict"])
        if said[-1] == "pass":
            low = rate
        else:
            high = rate
    held = [one for one in tried if one["verdict"] == "pass"]
    best = max(held, key=lambda one: one["rate"], default=None)
    above = [one["verdict"] for one in tried
             if best is None or one["rate"] > best["rate"]]
    return {"rate": best["rate"] if best else 0.0, "best": best,
            # that it was the tool, and not the edge, which could no more
            "by_tool": bool(above) and all(v == "invalid" for v in above),
            "tried": tried}


def trial(people, port, rate, plan, seed, clicks, scheme, options, look,
          connections):
    file = people.plan(
        rate, plan.knee_seconds, clicks, seed=seed + 1, slip_ms=10,
        connections={"hold": 256, "most": 10000, "addresses": ADDRESSES,
                     "answer_s": 2, "connect_s": 2, **connections},
        thresholds={"p99_ms": KNEE_MS, "errors": 0.001, "missed": 0.001})
    before = look() if look else None
    result = people.run(file, port, "--stop-early", *options, scheme=scheme)
    schedule = result["times"]["schedule"]
    if result["counts"]["ended"]["wrong-redirect"]:
        raise legs.Failed(f"leerpoort-load: {result['sentence']}")
    return {"rate": rate, "verdict": result["verdict"],
            "sentence": result["sentence"], "p50_ms": schedule["p50_ms"],
            "p99_ms": schedule["p99_ms"], "activated":
            result["counts"]["activated"], "tool_cpu": result["run"]["cpu"],
            "tls_full": result["counts"]["tls_full"],
            "connected": result["counts"]["connected"],
            "tls_resumed": result["counts"]["tls_resumed"],
            "clicks": result["counts"]["scheduled"],
            "took": result["run"]["seconds"],
            "seen": [before, look()] if look else None}


def knees(bed, at_least):
    """at_least: what a worker answers of kept connections, to search about
    it."""
    found = {}
    for name, (scheme, _, connections) in KNEES.items():
        port = bed.ports["tls" if scheme == "https" else "hit"]
        low = at_least * (0.1 if name.startswith("kept") else 0.01)
        one = knee(bed.people, port, low, at_least * 1.1, bed.plan,
                   scheme=scheme, look=lambda: legs.schedstat(bed.worker),
                   options=TRUST[scheme],
                   **connections)
        if one["best"]:
            (before, _), (after, _) = one["best"]["seen"]
            one["cpu_us"] = (after - before) / one["best"]["clicks"] / 1000
            one["busy"] = (after - before) / one["best"]["took"] / 1e9
        found[name] = one
    return found


def idle_tls(bed):
    """Bytes of nginx for a connection that is open and waits."""
    before = own_memory([bed.worker])
    count = min(bed.plan.connections, files() // 2)
    run = Running(bed.people, bed.people.plan(
        100, count / 1000 + 3, GOOD, connections={
            "most": count + 100, "hold": count, "idle_s": 3600,
            "addresses": ADDRESSES}), bed.ports["tls"], *TRUST["https"],
        scheme="https")
    eventually(f"{count} connections are open", lambda: open_sockets(
        [bed.worker]) >= count, count / 100 + 30, 0.2)
    took = own_memory([bed.worker]) - before
    run.end()
    return {"connections": count, "bytes": took / count}


def edge(core, load_core, plan, verify, every_core):
    """Everything about the click."""
    with Bed(core, load_core, plan, verify, every_core) as bed:
        warm = bed.warm()
        by_turns, verify = at_most(bed)
        bed.restart(usage=True)
        bed.warm()
        found = knees(bed, by_turns.median("hit", "rps"))
        bed.restart(usage=True)
        idle = idle_tls(bed)
        people = bed.people
    return {
        "pupils": people.pupils, "members": people.members,
        "seeded_s": bed.seeded_s,
        "redis_bytes_per_pupil": bed.redis_bytes / people.pupils,
        "redis_keys": bed.keys,
        "zone_bytes_per_pupil": warm["leerpoort_zone_used_bytes"]
        / warm[MISSED_TOKEN] * people.members / people.pupils,
        "evictions": warm["leerpoort_evictions_total"],
        "verify_us": verify, "knees": found, "idle_tls": idle,
        "sides": {side: [dataclasses.asdict(leg) for leg in leg_list]
                  for side, leg_list in by_turns.found.items()},
        "ratios": ratios(by_turns, statistics.median(verify))}


def ratios(by_turns, verify):
    """{side: (of the requests/s, of the CPU time, medians)}: for new tokens
    of what return 302 and the check of a signature would take."""
    found = {}
    for side in (*SIDES, "first"):
        extra = verify if side in ("new", "first") else 0
        found[side] = {
            "rps_ratio": by_turns.ratios(
                side, lambda plain, leg: leg.rps / plain.rps),
            "rps_ratio_checked": by_turns.ratios(
                side, lambda plain, leg, extra=extra:
                leg.rps * (1 / plain.rps + extra / 1e6)),
            "cpu_ratio": by_turns.ratios(
                side, lambda plain, leg, extra=extra:
                (plain.cpu_us + extra) / leg.cpu_us),
            **{name: by_turns.median(side, name) for name in (
                "rps", "cpu_us", "new_tokens", "misses")}}
    found["plain"] = {name: by_turns.median("plain", name)
                      for name in ("rps", "cpu_us")}
    return found


# --- first uses ---------------------------------------------------------------

def activations(plan):
    """The knee of clicks that each use a right for the first time, by way of
    workers and a Redis that writes each to the disk."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="leerpoort-bench-"))
    try:
        people = People(folder, max(100, plan.country // 4), 500,
                        "ES256", ENTITLED, seed=2)
        # beyond the knee it has no connections left for its workers
        with Town(workers=WORKERS, daemons=(), server="access_log off;",
                  allow_nginx=["worker_connections are not enough"],
                  http=f"include {people.people}/issuer.conf;",
                  edge={"level": "error", "timeout": "500ms", "login": False,
                        "zone": f"{zone(plan.country)}m",
                        "click": {"content_hosts": None}}) as town:
            people.seed(town.redis, town.pepper)
            found = knee(people, town.edge.port, 50, 5000, plan,
                         clicks={"activations": 1}, most=300, hold=64,
                         addresses=4, look=lambda: town.edge.metrics()[
                             CLICKS_METRIC + '{outcome="activate"}'])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    found["share"] = 0.0
    if found["best"]:
        before, after = found["best"]["seen"]
        found["share"] = (after - before) / found["best"]["clicks"]
    return found
