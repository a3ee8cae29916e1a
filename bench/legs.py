"""Pairs of runs, side by side: return 302, then the module, and again.

A leg is one load client on one server for a second or two. Legs of the two
sides alternate, so that whatever slows the machine down for a while slows both
down; what counts is the median of the ratios of the pairs.

CPU time is the nginx worker's own, from the kernel's scheduler: nanoseconds,
unlike utime and stime, which are ticks of 10 ms. It includes what the kernel
does for the worker (reading, writing, waking the client up).
"""

import dataclasses
import json
import pathlib
import re
import statistics
import subprocess

CONNECTIONS = 64


class Failed(Exception):
    """A leg that does not show what it should."""


@dataclasses.dataclass
class Leg:
    requests: int
    wrong: int
    seconds: float
    cpu_ns: int       # of the nginx worker
    waited_ns: int    # the worker was ready, and somebody else had its core

    @property
    def rps(self):
        return self.requests / self.seconds

    @property
    def cpu_us(self):
        return self.cpu_ns / self.requests / 1000

    def as_dict(self):
        return {**dataclasses.asdict(self), "rps": round(self.rps, 1),
                "cpu_us": round(self.cpu_us, 4),
                "busy": round(self.cpu_ns / self.seconds / 1e9, 4),
                "waited": round(self.waited_ns / self.seconds / 1e9, 4)}


def schedstat(pid):
    """Nanoseconds on a core, and ready but waiting for one."""
    text = pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()
    return int(text[0]), int(text[1])


def _run(core, argv):
    run = subprocess.run(["taskset", "-c", str(core), *map(str, argv)],
                         capture_output=True, text=True, timeout=60)
    if run.returncode != 0:
        raise Failed(f"{argv[0]}: {run.stderr or run.stdout}")
    return run.stdout


class Wrk:
    """The same request again and again."""

    def __init__(self, bed, target, header):
        self._bed = bed
        self._target = target
        self._header = header

    def __call__(self, port, seconds):
        text = _run(self._bed.load_core, [
            "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{round(seconds) or 1}s",
            "-H", self._header, f"http://127.0.0.1:{port}{self._target}"])
        if "Socket errors" in text:
            raise Failed("wrk: " + text)
        wrong = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
        requests = int(re.search(r"(\d+) requests in", text)[1])
        rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])
        return requests, int(wrong[1]) if wrong else 0, requests / rate


class Clicks:
    """The requests of a file in turn. poll: the client never sleeps."""

    def __init__(self, bed, program, file, poll=False):
        self._bed = bed
        self._program = program
        self._file = file
        self._mode = "poll" if poll else "sleep"

    def __call__(self, port, seconds):
        said = json.loads(_run(self._bed.load_core, [
            self._program, self._mode, port, CONNECTIONS, seconds, 302,
            self._file]))
        return said["requests"], said["wrong"], said["seconds"]


def leg(bed, side, load, seconds):
    before = schedstat(bed.worker)
    requests, wrong, took = load(bed.ports[side], seconds)
    after = schedstat(bed.worker)
    if requests == 0 or wrong:
        raise Failed(f"{side}: {wrong} of {requests} answers are wrong\n"
                     + bed.nginx.log()[-2000:])
    return Leg(requests, wrong, took, after[0] - before[0],
               after[1] - before[1])


class Counted:
    """What the module's own metrics say of the legs of one side."""

    def __init__(self, bed):
        self._bed = bed
        self.deltas = []

    def leg(self, *args):
        before = self._bed.metrics()
        result = leg(self._bed, *args)
        after = self._bed.metrics()
        self.deltas.append({name: after[name] - before[name]
                            for name in after})
        return result

    def sum(self, name):
        return sum(delta[name] for delta in self.deltas)

    def own_time(self, q, mirror):
        """A quantile in microseconds: the median over the legs."""
        return statistics.median(
            quantile(buckets(delta, "leerpoort_own_time_us",
                             f'mirror="{mirror}",'), q)
            for delta in self.deltas)


def buckets(metrics, name, label):
    """[(upper bound, how many up to it)] of a histogram, ascending."""
    start = f'{name}_bucket{{{label}le="'
    found = [(float(key[len(start):-2]), count)
             for key, count in metrics.items() if key.startswith(start)]
    return sorted(found)


def quantile(cumulative, q):
    """Interpolated within its bucket, as Prometheus does."""
    total = cumulative[-1][1]
    lower, below = 0.0, 0.0
    for upper, count in cumulative:
        if count >= q * total and count > below:
            if upper == float("inf"):
                return lower
            return lower + (upper - lower) * (q * total - below) / (
                count - below)
        lower, below = upper, count
    raise Failed("a histogram without values")


@dataclasses.dataclass
class Pairs:
    plain: list
    side: list
    verify_us: list     # one per pair, or empty
    counted: Counted

    def throughput(self):
        """The ratio to return 302; for new tokens to what it would be if
        only the check of the signature came on top."""
        return statistics.median(
            s.rps * (1 / p.rps + v / 1e6)
            for p, s, v in zip(self.plain, self.side, self._verify()))

    def cpu(self):
        return statistics.median(
            (p.cpu_us + v) / s.cpu_us
            for p, s, v in zip(self.plain, self.side, self._verify()))

    def _verify(self):
        return self.verify_us or [0.0] * len(self.plain)

    def medians(self):
        """(requests/s, CPU us per click) of return 302 and of the side."""
        return [(statistics.median(leg.rps for leg in legs),
                 statistics.median(leg.cpu_us for leg in legs))
                for legs in (self.plain, self.side)]

    def as_dict(self):
        (plain_rps, plain_us), (rps, us) = self.medians()
        seen = {name: self.counted.sum(name)
                for name in self.counted.deltas[0]
                if "_bucket" not in name and self.counted.sum(name)}
        return {
            "throughput_ratio": self.throughput(), "cpu_ratio": self.cpu(),
            "medians": {"plain": {"rps": plain_rps, "cpu_us": plain_us},
                        "side": {"rps": rps, "cpu_us": us},
                        **({"verify_us": statistics.median(self.verify_us)}
                           if self.verify_us else {})},
            "legs": {"plain": [leg.as_dict() for leg in self.plain],
                     "side": [leg.as_dict() for leg in self.side],
                     "verify_us": self.verify_us},
            "metrics_of_side": seen}


def pairs(bed, side, load, plan, verify=None):
    """Runs the pairs. verify: None, or a call that gives microseconds."""
    counted = Counted(bed)
    result = Pairs([], [], [], counted)
    for warm in ("plain", side):
        leg(bed, warm, load, plan.warm_up)
    for _ in range(plan.pairs):
        result.plain.append(leg(bed, "plain", load, plan.seconds))
        result.side.append(counted.leg(side, load, plan.seconds))
        if verify:
            result.verify_us.append(verify())
    return result


def ticketed(bed, load, other, other_load, plan, sign):
    """(pairs with return 302 and a signature, pairs with a click without one)
    of mirrored clicks whose links carry a ticket, on the other bed. sign: a
    call that gives microseconds."""
    counted = Counted(other)
    limit = Pairs([], [], [], counted)
    price = Pairs([], limit.side, [], counted)
    for warm, side, by in ((bed, "plain", load), (bed, "hit", load),
                           (other, "hit", other_load)):
        leg(warm, side, by, plan.warm_up)
    for _ in range(plan.pairs):
        limit.plain.append(leg(bed, "plain", load, plan.seconds))
        price.plain.append(leg(bed, "hit", load, plan.seconds))
        limit.side.append(counted.leg("hit", other_load, plan.seconds))
        limit.verify_us.append(sign())
    return limit, price


STARTS = 4


def priced(bed, load, other, other_load, plan):
    """Pairs of mirror hits: a bed without usage, another one with it. Short
    legs, because what disturbs both lasts longer than they do; new workers now
    and then, because where a process' memory happens to lie counts too."""
    counted = Counted(other)
    result = Pairs([], [], [], counted)
    for _ in range(STARTS):
        bed.usage(False)
        other.usage(True)
        leg(bed, "hit", load, plan.warm_up)
        leg(other, "hit", other_load, plan.warm_up)
        for _ in range(plan.pairs):
            result.plain.append(leg(bed, "hit", load, plan.seconds / 4))
            result.side.append(counted.leg("hit", other_load,
                                           plan.seconds / 4))
    return result


def check_mix(result, name, least=0.999):
    """The legs must have been what they are called."""
    clicks = result.counted.sum('leerpoort_clicks_total{outcome="redirect"}')
    share = result.counted.sum(name) / clicks
    if share < least:
        raise Failed(f"only {share:.4f} of the clicks count for {name}")
