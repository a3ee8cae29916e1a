#!/usr/bin/python3 -B
"""make rehearsal: raises all of Leerpoort on this machine, sends it a country
of pupils as in the first school week, and says whether it held.

    rehearsal.py [--seconds 180] [--pupils 20000] [--products 500]
                 [--plan september] [--scale X] [--faults] [--api]
                 [--out FOLDER]

Everything listens on 127.0.0.1 and lives in a temporary folder; only the
report stays, in build/rehearsal/. Without --scale it first measures which rate
this machine carries, and rehearses with a peak of half of that. --faults
rehearses the plan bad-day instead: Redis is killed and frozen, workers too.
Outages last as long as ever, however short the rest is made: that wants the
180 s, or more.

Ctrl-C ends the run with a report; before it and after it everything is taken
away at once. Exit: 0 pass, 1 fail, 3 invalid, as leerpoort-load has it; 2 it
did not come to a run.
"""

import argparse
import contextlib
import itertools
import json
import os
import pathlib
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT / "demo"))

import cast     # noqa: E402
import demo     # noqa: E402
import seller   # noqa: E402
from demo import Failure, Stopped, say  # noqa: E402

ALGORITHMS = "ES256:80,RS256:20"
LOGIN = "https://sso.load.example/start?return="
FILES_NEEDED = 4096     # open files of a process, nginx' and ours
FILES_WANTED = 32768
FILES_BESIDE = 256      # of them that are no connection
STEP_SECONDS = 3        # of a rate that is tried
STEPS = (500, 1000, 2000, 4000, 8000, 16000, 32000)
KNEE_MS = 50            # a rate is too much where p99 passes this
SPARE = 0.5             # the peak, of the rate that was carried
# Sellers beside the clicks, where the plan has none: requests and lines of
# bulks a second, at --scale 1.
API = {"rate": 50, "bulk": 500}
API_ERRORS_OF_BAD_DAYS = 0.1
# How long pupils who are not mirrored may get 503 on a bad day: Redis is away
# for one second and for three, and all is well two after each. --fit does not
# shorten that, so the shorter the run, the larger its share.
AWAY_SECONDS = 8
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
VERDICTS = {0: "PASS", 1: "FAIL", 3: "INVALID"}


# --- what this machine has to give -------------------------------------------

def free_port():
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", 0))
        except OSError as error:
            raise Failure(
                f"No free port on 127.0.0.1 ({error.strerror}). Which ones "
                "are given out:\nsysctl net.ipv4.ip_local_port_range"
            ) from error
        return probe.getsockname()[1]


def raise_file_limit():
    """Takes as many open files as are needed and allowed; returns how many."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most == resource.RLIM_INFINITY or most > FILES_WANTED:
        most = FILES_WANTED
    if most < FILES_WANTED:
        with contextlib.suppress(ValueError, OSError):  # but as root
            resource.setrlimit(resource.RLIMIT_NOFILE,
                               (FILES_WANTED, FILES_WANTED))
            most = FILES_WANTED
    if most < FILES_NEEDED:
        raise Failure(
            f"A process may open {most} files here (RLIMIT_NOFILE), a "
            f"rehearsal needs {FILES_NEEDED}.\nAs root: ulimit -n "
            f"{FILES_WANTED}; for good \"nofile\" in "
            "/etc/security/limits.conf, or\nLimitNOFILE= of the unit.")
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def check_room(folder, pupils):
    """Tokens, Redis' file and its rewriting: about 8 kB for each pupil."""
    needed = 200 + pupils * 8 // 1000
    free = shutil.disk_usage(folder).free >> 20
    if free < needed:
        raise Failure(f"{folder} has room for {free} MB, {pupils} pupils need "
                      f"{needed}. Another folder: TMPDIR=")


# --- leerpoort-load ----------------------------------------------------------

class Load:
    """The command, for one population."""

    def __init__(self, program, population):
        self.program = str(program)
        self.population = population

    def __call__(self, *args, quiet=False):
        """Returns what it said, where quiet; else that is shown."""
        run = subprocess.run(
            [self.program, *map(str, args)], stdin=subprocess.DEVNULL,
            text=True, stdout=subprocess.PIPE if quiet else None,
            stderr=subprocess.PIPE if quiet else None)
        if run.returncode != 0:
            raise Failure(f"leerpoort-load {args[0]} ended with "
                          f"{run.returncode}"
                          + (f":\n{run.stderr.strip()}" if quiet else "."))
        return run.stdout


# --- the system --------------------------------------------------------------

def make_certificate(folder):
    """ECDSA: most clicks of a school's morning are new connections, and RSA
    signs fifteen times slower."""
    run = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
         "/CN=toegang.load.example", "-addext",
         "subjectAltName=IP:127.0.0.1,DNS:toegang.load.example", "-keyout",
         str(folder / "edge.key"), "-out", str(folder / "edge.crt")],
        capture_output=True, text=True)
    if run.returncode != 0:
        raise Failure(f"openssl req: {run.stderr.strip()}")


def zone_size(pupils):
    """Of the edge's memory: tokens, and the mirror of everybody's rights."""
    return f"{32 + pupils // 500}m"


class System:
    """Redis, workers, relay, tally, a seller and the edge, with a population
    in it. The stack stops what was started."""

    def __init__(self, stack, signals, args, files, load):
        self.stack, self.signals, self.args = stack, signals, args
        self.files, self.load = files, load
        self.build = pathlib.Path(args.build).resolve()
        self.folder = demo.make_folder(stack, signals,
                                       "leerpoort-rehearsal-")
        self.servers = demo.Servers(stack, signals, self.folder)
        self.port = free_port()
        self.restarted = []     # names of servers that ended meanwhile
        self._start()
        load("seed", load.population, *self.store,
             *(("--api", self.target, *self.client) if args.api
               else ("--party", cast.SELLER_OIN)))

    @property
    def target(self):
        return f"https://127.0.0.1:{self.port}"

    @property
    def store(self):
        """What seed and verify need."""
        return ("--redis", f"unix:{self.folder}/redis.sock",
                "--pepper", self.folder / "pepper")

    @property
    def client(self):
        """The seller."""
        return ("--client", cast.SELLER, "--key", self.folder / "seller.jwk",
                "--ca", self.folder / "edge.crt")

    def run_command(self, plan, out, *options):
        return [str(word) for word in (
            self.load.program, "run", plan, self.load.population, "--target",
            self.target, "--login", LOGIN, "--out", out, *self.client,
            *options)]

    def _start(self):
        folder, start = self.folder, self.servers.start
        program = str(self.build / "leerpoort")
        self._start_redis()
        demo.make_keys(demo.Leerpoort(program, folder), folder)
        make_certificate(folder)
        with self.signals.held():
            shop = seller.Seller(program, str(folder / "seller.jwk"),
                                 str(folder / "relay.jwks"))
            shop.start()
            self.stack.callback(shop.stop)
        demo.write_parties(folder, self.port, shop.address, scheme="https")
        for name in ("worker", "apis"):
            server = start(name, demo.worker_command(
                self.build, folder, name), socket.AF_UNIX,
                f"{folder}/{name}.sock")
            if name == "worker":
                self.worker_pid = server.process.pid
        (folder / "spool").mkdir(0o700)
        conf = demo.write_conf(
            "edge.conf", folder, source=HERE, BUILD=self.build,
            PORT=self.port, POPULATION=self.load.population, LOGIN=LOGIN,
            PARAMS=ROOT / "lua-free-conf/leerpoort_params",
            PROCESSES=os.cpu_count(), FILES=self.files,
            CONNECTIONS=self.files - FILES_BESIDE,
            ZONE=zone_size(self.args.pupils),
            USER="user root root;" if os.geteuid() == 0 else "")
        start("edge", [demo.NGINX, "-p", str(folder), "-e",
                       f"{folder}/edge.log", "-c", str(conf)],
              socket.AF_INET, ("127.0.0.1", self.port))
        start("relay", demo.relay_command(self.build, folder))
        start("tally", demo.tally_command(self.build, folder))

    def _start_redis(self):
        self.servers.start(
            "redis", [*demo.redis_command(self.folder), "--pidfile",
                      f"{self.folder}/redis.pid"],
            socket.AF_UNIX, f"{self.folder}/redis.sock")

    def hooks_environment(self):
        """What loadtest/hooks/ are told: these processes, and no unit's."""
        return {**os.environ, "REDIS_PIDFILE": f"{self.folder}/redis.pid",
                "NGINX_PIDFILE": f"{self.folder}/edge.pid",
                "WORKERS_PID": str(self.worker_pid)}

    def look_after(self):
        """Starts Redis again where it has ended, as systemd would."""
        for server in list(self.servers):
            if server.process.poll() is None:
                continue
            self.servers.remove(server)
            self.restarted.append(server.name)
            if server.name == "redis":
                self._start_redis()


# --- the run -----------------------------------------------------------------

def watch(command, system):
    """Runs it to its own end, whatever signals come: they are passed on, and
    it ends with a report. Returns its exit code."""
    awaited = {*SIGNALS, signal.SIGCHLD}
    old = signal.pthread_sigmask(signal.SIG_BLOCK, awaited)

    def prepare():
        demo.die_with_parent()
        signal.pthread_sigmask(signal.SIG_SETMASK, old)

    try:
        run = subprocess.Popen(command, env=system.hooks_environment(),
                               preexec_fn=prepare)
        while run.poll() is None:
            came = signal.sigtimedwait(awaited, 1)
            # What the terminal sends (no si_pid) it has got itself.
            if came and came.si_signo in SIGNALS and came.si_pid:
                run.send_signal(signal.SIGINT)
            system.look_after()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)
    return run.returncode


def errors_of_bad_days(seconds, planned):
    """The share that may fail: the plan's, or more where it is shortened."""
    return max(planned, min(1, round(AWAY_SECONDS / max(seconds, 1), 3)))


def read_plan(load, args, files):
    """The plan, complete; with sellers beside the clicks, and no more
    connections than files may be opened."""
    plan = json.loads(load("plan", "show", args.plan, "--json",
                           quiet=True))
    if args.faults:
        limits = plan["thresholds"]
        limits["errors"] = errors_of_bad_days(args.seconds, limits["errors"])
    if not any(plan["api"].values()):
        plan["api"].update(API)
        if plan["faults"]:  # they write, and Redis is away meanwhile
            plan["thresholds"]["api_errors"] = API_ERRORS_OF_BAD_DAYS
    connections = plan["connections"]
    most = files - FILES_BESIDE
    connections["most"] = min(connections["most"], most)
    connections["hold"] = min(connections["hold"], most)
    return plan


def write_plan(system, plan):
    file = system.folder / f"{plan['name']}.json"
    file.write_text(json.dumps(plan, indent=1))
    return file


def peak_of(plan):
    """Clicks a second at most: as if the highest spike met the highest rate
    of the stages."""
    return (max(stage.get(name, 0) for stage in plan["stages"]
                for name in ("rate", "from", "to", "peak"))
            + max((spike["rate"] for spike in plan["spikes"]), default=0))


def sentence(out):
    """A result's verdict in words."""
    return json.loads((out / "run.json").read_text())["sentence"]


def try_rate(system, plan, rate):
    """Whether clicks at this rate are all answered, in time and rightly."""
    step = {**plan, "name": f"step-{rate}", "spikes": [], "faults": [],
            "stages": [{"shape": "constant", "rate": rate,
                        "seconds": STEP_SECONDS}],
            "clicks": {**plan["clicks"], "activations": 0},
            "api": {"rate": 0, "bulk": 0},
            "thresholds": {"p99_ms": KNEE_MS, "errors": 0.001,
                           "missed": 0.001, "wrong_redirects": 0}}
    file = write_plan(system, step)
    out = system.folder / f"step-{rate}"
    run = subprocess.run(
        system.run_command(file, out, "--plain"),
        stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if run.returncode not in VERDICTS:
        raise Failure(f"leerpoort-load run: {run.stderr.strip()}")
    say(f"  {rate:>6} clicks/s: {sentence(out)}")
    return run.returncode == 0


def carried(system, plan):
    """The highest of some rates that this machine carries."""
    best = 0
    for rate in STEPS:
        if not try_rate(system, plan, rate):
            break
        best = rate
    if best == 0:
        raise Failure(
            f"This machine does not even carry {STEPS[0]} clicks a second: "
            "is something else running?\nTo try nevertheless: "
            "REHEARSAL=\"--scale 0.05\"")
    return best


def choose_scale(signals, args, files, load, plan):
    """By a system of its own: what is tried would have used up rights."""
    say("\nWhat this machine carries, with all of Leerpoort on it:")
    peak = peak_of(plan)
    with contextlib.ExitStack() as stack:
        best = carried(System(stack, signals, args, files, load), plan)
    scale = min(1.0, SPARE * best / peak)
    say(f"  so the plan's {peak:,.0f} clicks/s are rehearsed as "
        f"{scale * peak:,.0f}")
    return float(f"{scale:.2g}")


def remove_if_empty(folder):
    with contextlib.suppress(OSError):
        folder.rmdir()


def result_folder(stack, args):
    """Nobody else's: of two rehearsals in one second the later one gets
    another name. It goes with the stack where nothing was put into it."""
    if args.out:
        return pathlib.Path(args.out).resolve()
    first = ROOT / "build" / "rehearsal" / time.strftime("%Y%m%d-%H%M%S")
    first.parent.mkdir(parents=True, exist_ok=True)
    for name in itertools.chain([first.name], (
            f"{first.name}-{n}" for n in itertools.count(2))):
        folder = first.with_name(name)
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        stack.callback(remove_if_empty, folder)
        return folder


def populate(stack, signals, args):
    """The people, in a folder of their own: for more than one system."""
    folder = demo.make_folder(stack, signals, "leerpoort-rehearsal-")
    check_room(folder, args.pupils)
    load = Load(pathlib.Path(args.build).resolve() / "leerpoort-load",
                folder / "population")
    say(f"A country of {args.pupils:,} pupils:")
    load("population", load.population, "--pupils", args.pupils,
         "--products", args.products, "--seed", args.seed, "--alg",
         ALGORITHMS)
    return load


def rehearse(stack, signals, args):
    """All of it; returns the exit code."""
    build = pathlib.Path(args.build).resolve()
    demo.check_programs(build, "rehearsal", build / "leerpoort-load")
    files = raise_file_limit()
    plan = read_plan(Load(build / "leerpoort-load", None), args, files)
    load = populate(stack, signals, args)
    scale = args.scale
    if scale is None:
        scale = choose_scale(signals, args, files, load, plan)

    say("\nThe rehearsal:")
    system = System(stack, signals, args, files, load)
    shape = (write_plan(system, plan), "--scale", scale, "--fit",
             args.seconds)
    load("plan", "show", *shape)
    out = result_folder(stack, args)
    say()
    code = watch(system.run_command(
        shape[0], out, *shape[1:], "--cores", args.cores, "--hooks",
        HERE / "hooks",
        *(() if sys.stdout.isatty() else ("--plain",))), system)
    if code not in VERDICTS:
        raise Failure(f"leerpoort-load run ended with {code}.")
    return conclude(system, out, code)


def conclude(system, out, code):
    """Reconciles, and says how it went."""
    agrees = True
    say("\nWhat clients were told, and what Redis holds:")
    try:
        system.load("verify", system.load.population, "--run", out,
                    *system.store)
    except Failure as failure:
        say(str(failure))
        agrees = False
    for name in system.restarted:
        say(f"{name} ended meanwhile"
            + (", and was started again." if name == "redis" else "."))
    if code != 0 or not agrees:
        log = (system.folder / "edge.log").read_text(errors="replace")
        for line in log.splitlines()[-5:]:
            say(f"edge: {line}")
    report = out / "report.html"
    with contextlib.suppress(ValueError):
        report = report.relative_to(pathlib.Path.cwd())
    say(f"\n{sentence(out)}")
    if not agrees:
        say("FAIL: Redis does not hold what clients were told.")
    say(f"Report: {report}")
    return code if agrees else code or 1


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--plan", default="september",
                        help="a shipped one, or a file")
    parser.add_argument("--seconds", type=int, default=180,
                        help="that the plan is fitted into")
    parser.add_argument("--scale", type=float,
                        help="times the plan's rates; absent: measured")
    parser.add_argument("--pupils", type=int, default=20000)
    parser.add_argument("--products", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cores", type=int,
                        default=max(1, (os.cpu_count() or 1) // 4),
                        help="that send clicks")
    parser.add_argument("--faults", action="store_true",
                        help="the plan bad-day: things are killed and frozen; "
                             "wants its 180 s, for --seconds shortens no "
                             "outage")
    parser.add_argument("--api", action="store_true",
                        help="load the rights as a seller sends them")
    parser.add_argument("--out", help="for the result; default: "
                                      "build/rehearsal/<time>")
    parser.add_argument("--build", default=str(ROOT / "build"))
    args = parser.parse_args()
    if args.faults:
        args.plan = "bad-day"
    return args


def main():
    args = arguments()
    signals = demo.Signals()
    with contextlib.ExitStack() as stack:
        try:
            code = rehearse(stack, signals, args)
        except (Failure, OSError) as failure:
            print(f"rehearsal: {failure}", file=sys.stderr, flush=True)
            code = 2
        except Stopped:
            say("\nStopping.")
            code = 130
        finally:
            # Nothing interrupts the clearing up.
            signals.ignore()
    return code


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    sys.exit(main())
