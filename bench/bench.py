#!/usr/bin/python3
"""make bench: a checked click beside a redirect that checks nothing; and what
stands behind it, beside Redis alone.

    make bench                                  BENCH="--quick" for options
    bench/bench.py [--quick] [--strict] [--only NAME,...] [--json FILE]

Prints a table and writes build/bench.json. docs/performance.md explains what is
measured and how. A target that is missed is said, and is an error only with
--strict.
"""

import argparse
import contextlib
import dataclasses
import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import time

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY / "tests"))

import activation                                       # noqa: E402
import legs                                             # noqa: E402
import provision                                        # noqa: E402
import rehearsing                                       # noqa: E402
import signins                                          # noqa: E402
import store                                            # noqa: E402
import varied                                           # noqa: E402
from bed import Bed, header                                     # noqa: E402
from lib.nginx import BINARY, BUILD, MODULE             # noqa: E402
from lib.redis import SERVER                            # noqa: E402

# Those that need the bed of clicks, and those that bring their own.
CLICKS = ["hit", "session", "new", "miss", "ticket", "usage", "revocation"]
PARTS = [*CLICKS, "memory", "activation", "import", "bulk", "tally",
         "records", "signins", "load", "country"]
ALGORITHMS = ["RS256", "ES256", "EdDSA"]
OUT = REPOSITORY / "build" / "bench"


@dataclasses.dataclass
class Plan:
    pairs: int
    seconds: float
    warm_up: float
    verify_seconds: float
    pupils: int
    revocations: int
    in_redis: int
    rounds: int
    activations: int    # in a round
    entitlements: int   # in a round
    clicks: int         # tallied in a round
    storm: int          # pupils who sign in
    storm_s: float      # within so long
    storm_delay: float  # that the provider takes
    storms: int
    country: int        # pupils of load and country
    legs: int           # of each side of country
    knee_seconds: float  # that a rate is tried
    knee_tries: int     # at most, for a knee
    load_seconds: int   # a third of the run whose memory is watched
    load_rate: int      # its clicks a second
    connections: int    # held open


FULL = Plan(7, 2, 1, 0.4, 4000, 1000, 200_000, 5, 2000, 100_000, 500_000,
            5000, 60, 2, 2, 200_000, 5, 3, 30, 20, 5000, 50_000)
QUICK = Plan(3, 1, 1, 0.2, 1000, 250, 50_000, 3, 500, 20_000, 100_000,
             1250, 15, 2, 2, 50_000, 3, 1.5, 20, 5, 5000, 10_000)
TINY = Plan(1, 0.2, 0.1, 0.1, 50, 20, 1000, 1, 20, 1000, 2000,
            60, 0.5, 0.2, 1, 300, 1, 0.4, 2, 1, 200, 200)


@dataclasses.dataclass
class Row:
    """target: None for a figure that nothing is promised of."""

    what: str
    figure: float
    unit: str = ""
    target: float = None
    at_least: bool = True
    note: str = ""

    @property
    def verdict(self):
        if self.target is None:
            return ""
        good = (self.figure >= self.target if self.at_least
                else self.figure <= self.target)
        return "ok" if good else "missed"

    def line(self):
        target = "" if self.target is None else (
            f"{'>=' if self.at_least else '<='} {self.target:g}{self.unit}")
        digits = 2 if abs(self.figure) < 100 else 0
        return (f"{self.what:46} {target:>10} "
                f"{self.figure:>8.{digits}f}{self.unit:3} "
                f"{self.verdict:6} {self.note}").rstrip()


class Bench:
    def __init__(self, plan, cores):
        self.plan = plan
        self.cores = cores
        self.core, self.load_core = cores[-1], cores[0]
        self.rows = []
        self.raw = {}

    def add(self, *args, **kwargs):
        row = Row(*args, **kwargs)
        self.rows.append(row)
        print(row.line(), flush=True)

    def run(self, parts):
        if set(parts) & set(CLICKS):
            with Bed(self.core, self.load_core, self.plan.pupils) as bed:
                for part in CLICKS:
                    if part in parts:
                        getattr(self, part)(bed)
        for part in PARTS:
            if part in parts and part not in CLICKS:
                getattr(self, "bring_in" if part == "import" else part)()

    @contextlib.contextmanager
    def every_core(self):
        """For what is started by it, too."""
        os.sched_setaffinity(0, self.cores)
        try:
            yield
        finally:
            os.sched_setaffinity(0, {self.load_core})

    def wrk(self, bed, alg="RS256"):
        pupil = bed.pupils[0]
        return legs.Wrk(bed, pupil.target, header(pupil.token(alg), alg))

    def clicks(self, bed, *args, poll=False):
        return legs.Clicks(bed, OUT / "clicks", bed.requests(*args), poll)

    def compare(self, bed, name, what, side, load, target, both=True,
                verify=None):
        """One comparison: two rows, and everything that was measured."""
        result = legs.pairs(bed, side, load, self.plan, verify)
        self.raw[name] = result.as_dict()
        (plain_rps, plain_us), (rps, us) = result.medians()
        check = (f" + {statistics.median(result.verify_us):.2f}"
                 if verify else "")
        self.add(f"{what}: requests/s", result.throughput(),
                 target=target if both else None,
                 note=f"{rps:.0f} of {plain_rps:.0f}/s")
        self.add(f"{what}: nginx CPU per click", result.cpu(), target=target,
                 note=f"{plain_us:.2f}{check} of {us:.2f} us")
        return result

    def hit(self, bed):
        for name, what, load in (
                ("hit", "mirror hit", self.wrk(bed)),
                ("hit_varied", f"mirror hit, {self.plan.pupils} pupils",
                 self.clicks(bed, poll=True))):
            result = self.compare(bed, name, what, "hit", load, 0.95)
            legs.check_mix(result, 'leerpoort_mirror_total{result="hit"}')
            legs.check_mix(result,
                           'leerpoort_token_cache_total{result="hit"}')
            for q, target in ((0.5, 3), (0.99, 10)):
                figure = result.counted.own_time(q, "hit")
                self.raw[name][f"own_time_us_p{q * 100:.0f}"] = figure
                self.add(f"{what}: own time p{q * 100:.0f}", figure, " us",
                         target, at_least=False)

    def session(self, bed):
        """A session's token (HS256) in its cookie, as after a sign-in."""
        for name, what, load in (
                ("session", "session click", self.wrk(bed, "HS256")),
                ("session_varied",
                 f"session click, {self.plan.pupils} pupils",
                 self.clicks(bed, "HS256", poll=True))):
            result = self.compare(bed, name, what, "hit", load, 0.95)
            legs.check_mix(result, 'leerpoort_mirror_total{result="hit"}')
            legs.check_mix(result,
                           'leerpoort_token_cache_total{result="hit"}')

    def took(self, bed, program, *args):
        """A call that gives the microseconds that a program measures."""
        argv = ["taskset", "-c", str(bed.core), OUT / program, *args,
                str(self.plan.verify_seconds)]

        def measure():
            run = subprocess.run(argv, capture_output=True, text=True,
                                 timeout=60)
            if run.returncode != 0:
                raise legs.Failed(run.stderr)
            return float(run.stdout) / 1000
        return measure

    def new(self, bed):
        for alg in ALGORITHMS:
            verify = self.took(bed, "verify", *bed.signature(alg))
            result = self.compare(bed, f"new_{alg}", f"new token, {alg}",
                                  "new", self.clicks(bed, alg, 1, poll=True),
                                  0.85,
                                  verify=verify)
            legs.check_mix(result,
                           'leerpoort_token_cache_total{result="miss"}')

    def miss(self, bed):
        for name, what, load in (
                ("miss", "miss, one pupil", self.wrk(bed)),
                ("miss_varied", f"miss, {self.plan.pupils} pupils",
                 self.clicks(bed))):
            result = self.compare(bed, name, what, "miss", load, 0.60,
                                  both=False)
            legs.check_mix(result, 'leerpoort_mirror_total{result="miss"}')
            legs.check_mix(result,
                           'leerpoort_token_cache_total{result="hit"}', 0.99)
            clicks = sum(leg.requests for leg in result.side)
            asked = result.counted.sum("leerpoort_redis_questions_total")
            self.raw[name]["keys_asked_per_click"] = asked / clicks
            self.add(f"{what}: keys asked per click", asked / clicks)

    def ticket(self, bed):
        """What a launch ticket adds to a mirror hit."""
        with Bed(self.core, self.load_core, self.plan.pupils,
                 tickets=True) as other:
            limit, price = legs.ticketed(
                bed, self.clicks(bed, "RS256", 1, poll=True), other,
                self.clicks(other, "RS256", 1, poll=True), self.plan,
                self.took(other, "sign", *other.signing()))
        for name in ('leerpoort_mirror_total{result="hit"}',
                     'leerpoort_tickets_total{result="signed"}'):
            legs.check_mix(limit, name)
        sign = statistics.median(limit.verify_us)
        (plain_rps, plain_us), (rps, us) = limit.medians()
        (hit_rps, hit_us), _ = price.medians()
        self.raw["ticket"] = {**limit.as_dict(), "without": {
            "rps": hit_rps, "cpu_us": hit_us,
            "legs": [leg.as_dict() for leg in price.plain]}}
        self.add("mirror hit with a ticket: requests/s", limit.throughput(),
                 target=0.85, note=f"{rps:.0f} of {plain_rps:.0f}/s; "
                                   f"{hit_rps:.0f} without")
        self.add("mirror hit with a ticket: nginx CPU per click", limit.cpu(),
                 target=0.85,
                 note=f"{plain_us:.2f} + {sign:.2f} of {us:.2f} us")
        self.add("ticket of a mirror hit: nginx CPU added", us - hit_us,
                 " us", note=f"{hit_us:.2f} to {us:.2f} us; a P-256 "
                             f"signature alone {sign:.2f}")

    def usage(self, bed):
        """What leerpoort_usage adds to a mirror hit."""
        with Bed(self.core, self.load_core, self.plan.pupils) as other:
            result = legs.priced(bed, self.clicks(bed, poll=True), other,
                                 self.clicks(other, poll=True), self.plan)
        legs.check_mix(result, 'leerpoort_mirror_total{result="hit"}')
        events = {state: result.counted.sum(
            f'leerpoort_usage_events_total{{state="{state}"}}')
            for state in ("produced", "stored", "dropped", "spooled")}
        if events["dropped"] or events["spooled"] or not events["stored"]:
            raise legs.Failed(f"usage did not reach Redis: {events}")
        (_, without_us), (_, us) = result.medians()
        self.raw["usage"] = {**result.as_dict(), "events": events}
        self.add("usage of a mirror hit: nginx CPU added",
                 100 * (1 / result.cpu() - 1), " %", 3, at_least=False,
                 note=f"{without_us:.2f} to {us:.2f} us")

    def revocation(self, bed):
        delays = store.revocation(bed, self.plan.revocations)
        raw = {"p50": store.percentile(delays, 0.5),
               "p99": store.percentile(delays, 0.99), "max": max(delays)}
        self.raw["revocation_ms"] = {**raw, "all": delays}
        self.add("revocation p99", raw["p99"], " ms", 10, at_least=False,
                 note=f"p50 {raw['p50']:.2f} ms, max {raw['max']:.2f} ms, "
                      f"{len(delays)} times")

    def memory(self):
        raw = store.memory(self.core, self.plan.in_redis)
        self.raw["memory"] = raw
        self.add("Redis, 2.4 M pupils x 20 rights", raw["country_gb"], " GB",
                 4, at_least=False,
                 note=f"{raw['bytes_per_pupil']:.0f} bytes a pupil, from "
                      f"{raw['pupils']}; {raw['encoding']}")

    def activation(self):
        with self.every_core():
            raw = activation.summary(activation.measure(self.plan, OUT))
        self.raw["activation"] = raw
        rate = raw["activations_per_s"]
        cpu = raw["straight_cpu_us"]
        self.add("workers' activations, of redis-benchmark's",
                 raw["ratio_workers"], target=0.5,
                 note=f"{raw['workers_per_s']:.0f} of "
                      f"{raw['benchmark_per_s']:.0f}/s; CPU: workers "
                      f"{cpu['workers']:.0f}, Redis {cpu['redis']:.0f} us")
        self.add("through the edge, of redis-benchmark's",
                 raw["ratio_benchmark"],
                 note=f"{rate:.0f} of {raw['benchmark_per_s']:.0f}/s")
        self.add("through the edge, of the transactions alone",
                 raw["ratio_sent"],
                 note=f"{rate:.0f} of {raw['sent_per_s']:.0f}/s")
        cpu = raw["cpu_us"]
        self.add("activation, Redis CPU of the transaction alone",
                 raw["ratio_redis_cpu"],
                 note=f"{raw['sent_cpu_us']:.0f} of {cpu['redis']:.0f} us; "
                      f"workers {cpu['workers']:.0f}, "
                      f"nginx {cpu['nginx']:.0f}")
        self.add("activating click, no other: p50", raw["alone_p50_ms"], " ms",
                 note=f"p99 {raw['alone_p99_ms']:.2f} ms")
        self.add(f"activating click, {activation.LOAD} at once: p50",
                 raw["p50_ms"], " ms", note=f"p99 {raw['p99_ms']:.2f} ms")

    def bring_in(self):
        with self.every_core():
            raw = provision.imports(self.plan)
        self.raw["import"] = raw
        self.add("import, of redis-cli --pipe's rate", raw["ratio"],
                 target=0.5, note=f"{raw['import_per_s']:.0f} of "
                                  f"{raw['pipe_per_s']:.0f} entitlements/s")

    def bulk(self):
        with self.every_core():
            raw = provision.bulk(self.plan)
        self.raw["bulk"] = raw
        self.add("bulk through the edge: entitlements/s", raw["per_s"],
                 note=f"one sender, {raw['entitlements']} in a request")

    def tally(self):
        with self.every_core():
            raw = provision.tally(self.plan)
        self.raw["tally"] = raw
        self.add("tally: events/s", raw["per_s"],
                 note=f"{raw['cpu_us']:.1f} us of CPU for an event, "
                      f"{raw['redis_cpu_us']:.1f} of Redis")

    def records(self):
        with self.every_core():
            raw = provision.records(self.plan)
        self.raw["records"] = raw
        self.add("Redis, an entitlement in all keys", raw["used"]["bytes"],
                 " B", note=f"{raw['sold']['bytes']:.0f} before its first "
                            f"use; {raw['country_gb']:.1f} GB for 48 million; "
                            + ", ".join(f"{k} {v}" for k, v in
                                        raw["encodings"].items()))

    def signins(self):
        with self.every_core():
            raw = signins.measure(self.plan)
        self.raw["signins"] = raw
        for n, found in raw["rate"].items():
            cpu = found["cpu_us"]
            self.add(f"sign-ins by {n} leerpoort-sso", found["per_s"], "/s",
                     note=f"p50 {found['p50_ms']:.1f}, p99 "
                          f"{found['p99_ms']:.1f} ms, {signins.AT_ONCE} at "
                          "once; CPU: " + ", ".join(
                              f"{name} {us:.0f}" for name, us in cpu.items())
                          + " us")
            self.add("  of a core: nginx, leerpoort-sso, Redis alone",
                     found["per_s_and_core"], "/s")
        for n, found in raw["storm"].items():
            self.storm(n, found)

    def storm(self, n, found):
        plan, storms = self.plan, found["storms"]
        pages = sum(sum(one["pages"].values()) for one in storms)
        self.add(f"storm, {n} leerpoort-sso: pupils who got in",
                 min(one["arrived"] for one in storms), target=plan.storm,
                 note=f"of {plan.storm} in {plan.storm_s:g} s, "
                      f"{len(storms)} times; p99 "
                      f"{max(one['p99_ms'] for one in storms) / 1000:.1f} s; "
                      f"{pages} pages with which they waited")
        self.add("  at the provider at once", found["at_once"],
                 target=signins.PLACES * n, at_least=False)
        quiet, meanwhile = found["quiet"], found["meanwhile"]
        for q in ("p50", "p99"):
            self.add(f"  clicks with a session meanwhile: {q}",
                     meanwhile[f"{q}_ms"], " ms",
                     note=f"{quiet[f'{q}_ms']:.2f} without a storm")
        self.add("  leerpoort-sso's memory at most", found["memory"] / 1e6,
                 " MB", note=f"{found['memory_before'] / 1e6:.1f} before, "
                             f"{n} processes")

    def load(self):
        raw = rehearsing.measure(self.core, self.load_core, self.plan,
                                 self.every_core)
        self.raw["load"] = raw
        for name, what, target in (
                ("same", "leerpoort-load, of wrk's", 0.9),
                ("varied", f"leerpoort-load, {self.plan.country} pupils, of "
                           "wrk's", None)):
            ours, wrk = raw[name]["ours"], raw[name]["wrk"]
            self.add(f"{what} requests/s", raw[name]["ratio"], target=target,
                     note=f"{ours['rps']['median']:.0f} of "
                          f"{wrk['rps']['median']:.0f}/s; CPU "
                          f"{ours['client_cpu_us']['median']:.1f} and "
                          f"{wrk['client_cpu_us']['median']:.1f} us")
        grown, held = raw["memory"], raw["held"]
        first, last = grown["at"][0], grown["at"][-1]
        self.add("leerpoort-load's memory, of that before", grown["ratio"],
                 target=1.05, at_least=False,
                 note=f"{first['bytes'] / 1e6:.1f} MB after "
                      f"{first['seconds']:.0f} s, {last['bytes'] / 1e6:.1f} "
                      f"after {last['seconds']:.0f}")
        self.add("connections held open", held["connections"],
                 target=self.plan.connections,
                 note=f"by {held['engines']} processes in "
                      f"{held['bytes'] / 1e6:.1f} MB; nginx "
                      f"{held['nginx_bytes'] / 1e6:.0f} MB")

    def country(self):
        raw = varied.edge(self.core, self.load_core, self.plan,
                          OUT / "verify", self.every_core)
        self.raw["country"] = raw
        self.at_most(raw)
        self.knees(raw)
        with self.every_core():
            found = varied.activations(self.plan)
        raw["activations"] = found
        best = found["best"] or {"p50_ms": 0, "p99_ms": 0}
        self.add("country, first uses through all: knee", found["rate"], "/s",
                 note=f"p50 {best['p50_ms']:.1f}, p99 {best['p99_ms']:.1f} "
                      f"ms; {found['share']:.0%} of them were the first")

    def at_most(self, raw):
        """What a worker does of each kind of click."""
        plain = raw["ratios"]["plain"]
        for side, what, target in (
                ("hit", "mirrored", 0.95), ("new", "new token", 0.85),
                ("first", "first click of each", None),
                ("miss", "miss", 0.60)):
            found = raw["ratios"][side]
            rate = ("rps_ratio_checked" if side == "new" else "rps_ratio")
            self.add(f"country, {what}: requests/s", found[rate],
                     target=target if side in ("hit", "new") else None,
                     note=f"{found['rps']:.0f} of {plain['rps']:.0f}/s; "
                          f"{found['new_tokens']:.1%} new tokens, "
                          f"{found['misses']:.1%} misses")
            check = (f" + {statistics.median(raw['verify_us']):.1f}"
                     if side in ("new", "first") else "")
            self.add(f"country, {what}: nginx CPU per click",
                     found["cpu_ratio"], target=target,
                     note=f"{plain['cpu_us']:.1f}{check} of "
                          f"{found['cpu_us']:.1f} us")
        self.add("country, mirror and token of a pupil",
                 raw["zone_bytes_per_pupil"], " B",
                 note=f"{raw['pupils']} pupils; {raw['evictions']:.0f} "
                      "evictions")
        self.add("country, Redis for a pupil", raw["redis_bytes_per_pupil"],
                 " B", note=f"seeded in {raw['seeded_s']:.0f} s")

        idle = raw["idle_tls"]
        self.add("country, an idle TLS connection of nginx", idle["bytes"],
                 " B", note=f"{idle['connections']} of them")

    def knees(self, raw):
        for name, (_, what, _) in varied.KNEES.items():
            found = raw["knees"][name]
            best = found["best"]
            self.add(f"country, {what}: knee", found["rate"], "/s",
                     note="none" if best is None else
                     f"p99 {best['p99_ms']:.1f} ms; nginx "
                     f"{found['cpu_us']:.1f} us a click, busy "
                     f"{found['busy']:.0%}, the tool {best['tool_cpu']:.0%}"
                     + (": the tool's" if found["by_tool"] else ""))


def look_for_tools():
    """What is missing is said at once, and by its name."""
    tools = [os.environ.get("CC", "gcc"), BINARY, SERVER, "redis-benchmark",
             "redis-cli", "openssl", "taskset", "wrk", "spawn-fcgi",
             "multiwatch"]
    found = [tool for tool in tools if shutil.which(tool) is None]
    found += [str(path) for path in (
        MODULE, BUILD / "leerpoort", BUILD / "leerpoort-worker",
        BUILD / "leerpoort-sso") if not path.exists()]
    if found:
        raise legs.Failed(f"{', '.join(found)} missing: \"make bench\" installs "
                          "and builds what is needed")


def build():
    """The C programs, with the strictness of the rest."""
    OUT.mkdir(parents=True, exist_ok=True)
    timing = (REPOSITORY / "bench/timing.h").stat().st_mtime
    for name in ("activations", "clicks", "sign", "transactions", "verify"):
        source = REPOSITORY / "bench" / f"{name}.c"
        program = OUT / name
        if program.exists() and program.stat().st_mtime > max(
                timing, source.stat().st_mtime):
            continue
        subprocess.run([
            os.environ.get("CC", "gcc"), "-std=c11", "-O2", "-g",
            "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-o", program,
            source, "-lcrypto"], check=True)


def said(*argv):
    if shutil.which(argv[0]) is None:
        return ""
    run = subprocess.run(argv, capture_output=True, text=True)
    lines = (run.stdout + run.stderr).strip().splitlines()
    return lines[0] if lines else ""


def machine(core, load_core):
    model = next((line.partition(":")[2].strip() for line in open(
        "/proc/cpuinfo") if line.startswith("model name")), "unknown")
    return {"cpu": model, "cores": os.cpu_count(), "nginx_core": core,
            "load_core": load_core, "kernel": platform.release(),
            "nginx": said(BINARY, "-v"), "redis": said(SERVER, "--version"),
            "openssl": said("openssl", "version"), "wrk": said("wrk", "-v"),
            "compiler": said("gcc", "--version"),
            "loadavg": open("/proc/loadavg").read().split()[:3],
            "commit": said("git", "-C", str(REPOSITORY), "rev-parse", "HEAD"),
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}


def disturbed(raw):
    """The share of time for which nginx waited for its own core: median."""
    waited = [leg["waited"] for part in raw.values() if "legs" in part
              for side in ("plain", "side") for leg in part["legs"][side]]
    return statistics.median(waited) if waited else 0.0


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true",
                        help="a quarter of the length")
    parser.add_argument("--tiny", action="store_true",
                        help="only to see that everything runs")
    parser.add_argument("--strict", action="store_true",
                        help="exit 1 when a target is missed")
    parser.add_argument("--only", default=",".join(PARTS),
                        help="some of " + ", ".join(PARTS))
    parser.add_argument("--pupils", type=int,
                        help="of the parts load and country")
    parser.add_argument("--json", type=pathlib.Path,
                        default=REPOSITORY / "build" / "bench.json")
    args = parser.parse_args()
    args.parts = args.only.split(",")
    if unknown := set(args.parts) - set(PARTS):
        parser.error("no part " + ", ".join(sorted(unknown)))
    return args


def main():
    args = arguments()
    cores = sorted(os.sched_getaffinity(0))
    core, load_core = cores[-1], cores[0]
    os.sched_setaffinity(0, {load_core})
    look_for_tools()
    build()
    about = machine(core, load_core)
    print(f"{about['cpu']}, {about['cores']} cores, Linux {about['kernel']}\n"
          f"nginx's worker on core {core}; Redis and the load on core "
          f"{load_core}; {legs.CONNECTIONS} connections\n")
    if core == load_core:
        print("One core for everything: requests/s say little here.\n")
    began = time.monotonic()
    plan = TINY if args.tiny else QUICK if args.quick else FULL
    if args.pupils:
        plan = dataclasses.replace(plan, country=args.pupils)
    bench = Bench(plan, cores)
    bench.run(args.parts)
    waited = disturbed(bench.raw)
    missed = [row.what for row in bench.rows if row.verdict == "missed"]
    args.json.parent.mkdir(parents=True, exist_ok=True)
    args.json.write_text(json.dumps({
        "machine": about, "plan": dataclasses.asdict(bench.plan),
        "module": str(BUILD), "took_seconds": time.monotonic() - began,
        "waited": waited,
        "rows": [{**dataclasses.asdict(row), "verdict": row.verdict}
                 for row in bench.rows],
        "raw": bench.raw}, indent=1) + "\n")
    print(f"\n{len(missed)} missed; {time.monotonic() - began:.0f} s; "
          f"raw figures: {args.json}")
    if waited > 0.02:
        print(f"Other processes held nginx's core for {waited:.0%} of the "
              "time: look at CPU time rather than at requests/s.")
    return 1 if missed and args.strict else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except legs.Failed as reason:
        sys.exit(f"bench: {reason}")
    except KeyboardInterrupt:
        sys.exit(130)
