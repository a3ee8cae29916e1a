"""leerpoort-load as a load client; and itself, beside wrk.

A plan is an open model: it says when clicks are due, not how many at once. To
learn what a server does at most, more clicks are due than it can answer, over
so many connections: each answer then starts the click that waits longest, as in
a closed loop, and none is missed. All clicks end, some after the plan's time,
so that what was answered divided by the time until the last answer is the rate.
Every answer is judged: outcome, status, the exact Location.
"""

import json
import os
import pathlib
import re
import resource
import shutil
import statistics
import subprocess
import tempfile
import time

import legs
from lib.nginx import BUILD, Nginx
from lib.process import children, eventually
from lib.redis import Redis
from lib.workers import secret

PROGRAM = BUILD / "leerpoort-load"
VERDICTS = {0: "pass", 1: "fail", 3: "invalid"}
CONNECTIONS = legs.CONNECTIONS
BEYOND = 1.15       # clicks due, of what a server answers, to saturate it
PATIENCE = 60       # seconds that a click may wait at most in such a run
LICENSED = ("set:0,entitled:0,open:0,none:0,not-yet:0,ended:0,blocked:0")
OUTCOME = "Leerpoort-Outcome"


class Wide(Nginx):
    """An nginx that takes as many connections as it may open files."""

    def write(self, http=None):
        super().write(http)
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        self.conf.write_text(self.conf.read_text().replace(
            "worker_connections 1024",
            f"worker_connections {files - 300}"))


def check(result, share=0.0):
    """A run of which more than a share was not answered rightly says nothing
    about speed."""
    ended = result["counts"]["ended"]
    wrong = result["counts"]["scheduled"] - ended["right"]
    if ended["wrong-redirect"] or wrong > share * max(
            1, result["counts"]["scheduled"]):
        raise legs.Failed(f"leerpoort-load: {result['sentence']}\n{ended}")
    return result


class People:
    """A population in a folder, and the tool that makes it click."""

    def __init__(self, folder, pupils, products, alg, mix, seed=1):
        self.folder = pathlib.Path(folder)
        self.people = self.folder / "people"
        self.pupils, self.products = pupils, products
        self._runs = 0
        self.load("population", self.people, "--pupils", pupils,
                  "--products", products, "--alg", alg, "--mix", mix,
                  "--seed", seed)
        self.members = json.loads(
            (self.people / "population.json").read_text())["members"]

    def load(self, *words):
        run = subprocess.run([PROGRAM, *map(str, words)], text=True,
                             capture_output=True, stdin=subprocess.DEVNULL)
        if run.returncode != 0:
            raise legs.Failed(f"leerpoort-load {words[0]}: "
                              f"{run.stderr or run.stdout}")
        return run.stdout

    def seed(self, redis, pepper):
        """Seconds that it took."""
        began = time.monotonic()
        self.load("seed", self.people, "--redis", redis.address, "--pepper",
                  pepper)
        return time.monotonic() - began

    def plan(self, rate, seconds, clicks=None, connections=None,
             thresholds=None, slip_ms=10000, seed=1):
        """A constant rate; the file."""
        file = self.folder / "plan.json"
        file.write_text(json.dumps({
            "name": "bench", "seed": seed, "arrivals": "even",
            "stages": [{"shape": "constant", "rate": rate,
                        "seconds": seconds}],
            "clicks": clicks or {},
            "connections": {"most": CONNECTIONS, "hold": CONNECTIONS,
                            "answer_s": PATIENCE, **(connections or {})},
            "honesty": {"slip_p99_ms": slip_ms},
            "thresholds": {"errors": 1, "missed": 1, "wrong_redirects": 0,
                           **(thresholds or {})}}))
        return file

    def command(self, plan, port, out, *options, scheme="http"):
        return [str(word) for word in (
            PROGRAM, "run", plan, self.people, "--target",
            f"{scheme}://127.0.0.1:{port}", "--out", out, "--plain",
            "--max-rate", 1000000, *options)]

    def out(self):
        self._runs += 1
        return self.folder / f"run-{self._runs}"

    def run(self, plan, port, *options, scheme="http"):
        """What run.json says; "cpu": seconds of all its processes."""
        out = self.out()
        before = spent_by_children()
        run = subprocess.run(
            self.command(plan, port, out, *options, scheme=scheme),
            stdin=subprocess.DEVNULL, capture_output=True, text=True)
        cpu = spent_by_children() - before
        if run.returncode not in VERDICTS:
            raise legs.Failed("leerpoort-load run: "
                              f"{run.stderr or run.stdout}")
        return {**read(out), "cpu": cpu}

    def saturate(self, port, rate, seconds, clicks=None, **plan):
        """More than the server answers, unless rate was far too low: then
        the figure is that rate. As run(), with "rps" and "requests"."""
        result = check(self.run(self.plan(
            max(100, rate * BEYOND), seconds, clicks, **plan), port))
        count = result["counts"]["scheduled"]
        took = seconds + result["times"]["schedule"]["max_ms"] / 1000
        return {**result, "requests": count, "took": took,
                "rps": count / took}


def read(out):
    """run.json without histograms; the folder goes."""
    result = json.loads((out / "run.json").read_text())
    shutil.rmtree(out)
    for times in result["times"].values():
        times.pop("histogram", None)
    return result


def spent_by_children():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def locations(people, redis):
    """return 302 for each product, as the edge would answer it: location
    blocks that nginx finds without a regular expression or a variable."""
    blocks = []
    for key in redis("KEYS", "p:*"):
        product = key.partition("}:")[2]
        url = redis("HGET", key, "url")
        if url:     # a set has none
            blocks.append(f"location = /go/{product} {{ return 302 {url}; }}")
    if len(blocks) < people.products:
        raise legs.Failed(f"{len(blocks)} products of {people.products}")
    return f"add_header {OUTCOME} redirect always;\n" + "\n".join(blocks)


# --- beside wrk ---------------------------------------------------------------

class Yard:
    """One nginx that answers return 302, and two who may click there. people:
    one class of two, whose requests are as like as can be; many: a country of
    different ones."""

    def __init__(self, core, load_core, pupils, every_core):
        self.core, self.load_core = core, load_core
        self.folder = pathlib.Path(tempfile.mkdtemp(
            prefix="leerpoort-bench-"))
        self.nginx = None
        try:
            with every_core():
                self._set_up(pupils)
            self.raise_nginx(self.one_conf)
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, kind, *exc):
        self.close()

    def close(self):
        if self.nginx is not None:
            self.nginx.destroy()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _set_up(self, pupils):
        pepper = secret(self.folder / "pepper")
        redis = Redis(self.folder, durable=False)
        try:
            redis.start()
            self.one, self.many = (
                People(self._own(name), count, products, "ES256", LICENSED)
                for name, count, products in (("one", 1, 20),
                                              ("many", pupils, 500)))
            self.one.seed(redis, pepper)
            self.one_conf = locations(self.one, redis)
            redis("FLUSHALL")
            self.many.seed(redis, pepper)
            self.many_conf = locations(self.many, redis)
        finally:
            redis.destroy()

    def _own(self, name):
        folder = self.folder / name
        folder.mkdir()
        return folder

    def raise_nginx(self, conf, workers=1):
        """Another one in the place of the last."""
        if self.nginx is not None:
            self.nginx.stop()
        folder = self.folder / "nginx"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        self.nginx = Wide(folder, f"""
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    client_header_timeout 1h;
    server {{
        listen 127.0.0.1:@PORT@ backlog=4096{' reuseport' * (workers > 1)};
        access_log off;
        {conf}
    }}""", workers=workers, level="error", main=(
            f"worker_cpu_affinity {1 << self.core:b};" * (workers == 1)
            + "worker_rlimit_nofile "
            f"{resource.getrlimit(resource.RLIMIT_NOFILE)[1]};"))
        self.nginx.start()
        self.targets = re.findall(r"location = (\S+)", conf)

    @property
    def worker(self):
        return self.nginx.worker_pids()[0]

    def wrk(self, seconds):
        """(requests, seconds, CPU seconds of wrk)"""
        token = next(iter(tokens(self.one.people / "tokens.bin")))
        before = spent_by_children()
        text = legs._run(self.load_core, [
            "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s",
            "-H", "User-Agent: leerpoort-load", "-H", "Accept: */*",
            "-H", f"Authorization: Bearer {token}",
            f"http://127.0.0.1:{self.nginx.port}{self.targets[0]}"])
        cpu = spent_by_children() - before
        if "Socket errors" in text or "Non-2xx or 3xx" in text:
            raise legs.Failed("wrk: " + text)
        requests = int(re.search(r"(\d+) requests in", text)[1])
        rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])
        return requests, requests / rate, cpu


def tokens(file):
    """The tokens of a file of them, as they stand there."""
    for found in re.finditer(rb"eyJ[\w-]+\.[\w-]+\.[\w-]+",
                             pathlib.Path(file).read_bytes()[:65536]):
        yield found[0].decode()


class Side:
    """Legs of one client."""

    def __init__(self, yard, click):
        self._yard, self._click = yard, click
        self.rps, self.cpu_us, self.nginx_us = [], [], []

    def leg(self, seconds):
        before = legs.schedstat(self._yard.worker)
        requests, took, cpu = self._click(seconds)
        after = legs.schedstat(self._yard.worker)
        self.rps.append(requests / took)
        self.cpu_us.append(cpu / requests * 1e6)
        self.nginx_us.append((after[0] - before[0]) / requests / 1000)

    def as_dict(self):
        return {name: {"median": statistics.median(values), "all": values}
                for name, values in (
                    ("rps", self.rps), ("client_cpu_us", self.cpu_us),
                    ("nginx_cpu_us", self.nginx_us))}


def beside_wrk(yard, people, plan):
    """Legs in turn; (ours, wrk's)."""
    # what the tool spends before the first click and after the last one
    idle = people.run(people.plan(20, 1), yard.nginx.port)["cpu"]
    rate = [0.0]

    def click(seconds):
        result = people.saturate(yard.nginx.port, rate[0], seconds)
        return (result["requests"], result["took"],
                max(0.0, result["cpu"] - idle))

    wrk, ours = Side(yard, yard.wrk), Side(yard, click)
    requests, took, _ = yard.wrk(plan.warm_up)
    rate[0] = requests / took
    click(plan.warm_up)
    for _ in range(plan.pairs):
        wrk.leg(plan.seconds)
        rate[0] = wrk.rps[-1]
        ours.leg(plan.seconds)
    return ours, wrk


def compared(ours, wrk):
    return {"ratio": statistics.median(
                a / b for a, b in zip(ours.rps, wrk.rps)),
            "ours": ours.as_dict(), "wrk": wrk.as_dict()}


# --- memory -------------------------------------------------------------------

def own_memory(pids):
    """Bytes of processes together that are theirs: no page of a mapped file,
    and what they share is counted once."""
    total = 0
    for pid in pids:
        try:
            text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:     # it has ended
            continue
        total += 1024 * sum(int(number) for number in re.findall(
            r"Pss_(?:Anon|Shmem):\s+(\d+)", text))
    return total


def open_sockets(pids):
    count = 0
    for pid in pids:
        for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
            try:
                count += os.readlink(fd).startswith("socket:")
            except OSError:
                continue
    return count


class Running:
    """A run that goes on while its processes are looked at."""

    def __init__(self, people, plan, port, *options, scheme="http"):
        self.out = people.out()
        self._run = subprocess.Popen(
            people.command(plan, port, self.out, *options, scheme=scheme),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True)
        self.began = time.monotonic()

    def pids(self):
        return [self._run.pid, *children(self._run.pid)]

    def at(self, seconds):
        """Returns so many seconds after the beginning."""
        time.sleep(max(0.0, self.began + seconds - time.monotonic()))

    def end(self):
        error = self._run.communicate(timeout=300)[1]
        if self._run.returncode not in VERDICTS:
            raise legs.Failed(f"leerpoort-load run: {error}")
        return check(read(self.out))


def growth(yard, plan):
    """Bytes a third of the way and at the end of a run of many different
    clicks; it lasts three times the first."""
    third = plan.load_seconds
    run = Running(yard.many, yard.many.plan(plan.load_rate, 3 * third),
                  yard.nginx.port)
    found = []
    for seconds in (third, 2 * third, 3 * third - third / 20):
        run.at(seconds)
        found.append({"seconds": seconds, "bytes": own_memory(run.pids())})
    result = run.end()
    return {"at": found, "clicks": result["counts"]["scheduled"],
            "ratio": found[-1]["bytes"] / found[0]["bytes"]}


def held(yard, plan):
    """Connections held open at once, and what they take of the tool."""
    most = plan.connections
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    engines = -(-most // (files - 1000))
    yard.raise_nginx(yard.many_conf, workers=engines + 1)
    with open("/proc/sys/net/ipv4/ip_local_port_range") as text:
        low, high = map(int, text.read().split())
    seconds = most / 1500 + 4     # opened 2,000 a second
    people = yard.many
    run = Running(people, people.plan(500, seconds, connections={
        "most": most + 1000, "hold": most, "idle_s": 3600,
        "addresses": 2 + most // ((high - low) // 2)}),
        yard.nginx.port, "--cores", engines)
    time.sleep(0.5)
    before = own_memory(run.pids())
    eventually(f"{most} connections are open", lambda: open_sockets(
        yard.nginx.worker_pids()) >= most, seconds * 3, 0.2)
    own = own_memory(run.pids())
    nginx = own_memory(yard.nginx.worker_pids())
    result = run.end()
    return {"connections": result["run"]["most_open"], "engines": engines,
            "bytes": own, "bytes_before": before, "nginx_bytes": nginx,
            "right": result["counts"]["ended"]["right"]}


def measure(core, load_core, plan, every_core):
    """every_core: a context in which more than one core may be used."""
    raw = {}
    with Yard(core, load_core, plan.country, every_core) as yard:
        raw["same"] = compared(*beside_wrk(yard, yard.one, plan))
        yard.raise_nginx(yard.many_conf)
        raw["varied"] = compared(*beside_wrk(yard, yard.many, plan))
        raw["memory"] = growth(yard, plan)
        with every_core():
            raw["held"] = held(yard, plan)
        yard.nginx.stop()
    return raw
