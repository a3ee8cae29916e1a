#!/usr/bin/python3 -B
"""make demo: a portal, an edge, a publisher and a Redis to click through.

    demo.py [--port 8080] [--build build] [--check]

Everything listens on 127.0.0.1 (--port and the one above) and lives in a
temporary folder; Ctrl-C or SIGTERM stops and removes it. --check clicks every
link of every person instead of waiting, and exits 1 where one ends otherwise
than it should.
"""

import argparse
import collections
import contextlib
import ctypes
import http.client
import json
import os
import pathlib
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid

import cast
import pages

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
NGINX = os.environ.get("LEERPOORT_NGINX", "/usr/sbin/nginx")
REDIS = "/usr/bin/redis-server"
TOKEN_LIFE = 7 * 86400
PATIENCE = 10   # seconds for a server to come up or go away
PR_SET_PDEATHSIG = 1

LIBC = ctypes.CDLL(None, use_errno=True)


class Failure(Exception):
    """A step that did not work; the text is for whoever started the demo."""


def say(text=""):
    print(text, flush=True)


class Stopped(BaseException):
    """A signal asked the demo to end."""


class Signals:
    """Turns SIGINT, SIGTERM and SIGHUP into Stopped; inside held() only after
    it, so that nothing is started without being in the list of what to stop."""

    NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self):
        self._held = self._came = False
        for number in self.NUMBERS:
            signal.signal(number, self._on_signal)

    def _on_signal(self, number, frame):
        self._came = True
        if not self._held:
            raise Stopped

    @contextlib.contextmanager
    def held(self):
        self._held = True
        try:
            yield
        finally:
            self._held = False
        if self._came:
            raise Stopped

    def ignore(self):
        for number in self.NUMBERS:
            signal.signal(number, signal.SIG_IGN)


# --- processes ---------------------------------------------------------------

def die_with_parent():
    """In the child: also a demo that is killed leaves no server behind."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Server:
    """A process of its own session, so that Ctrl-C reaches only the demo."""

    def __init__(self, name, command, log):
        self.name, self.log = name, log
        with open(log, "ab") as output:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output,
                stderr=output, start_new_session=True,
                preexec_fn=die_with_parent)

    def await_address(self, family, address):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            with contextlib.suppress(OSError), \
                    socket.socket(family) as connection:
                connection.connect(address)
                return self
            time.sleep(0.02)
        raise Failure(f"{self.name} did not start:\n{self.said()}")

    def said(self):
        """Its error log, or what it wrote where it has none."""
        said = ""
        for path in (self.log, self.log.with_suffix(".log")):
            if path.exists():
                said = path.read_text(errors="replace")[-3000:] or said
        return said

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def free(port):
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
            listener.listen()
        except OSError:
            return False
    return True


def check_ports(port):
    for needed, what in ((port, "the portal"), (port + 1, "the publisher")):
        if not free(needed):
            raise Failure(
                f"Port {needed} is taken, and {what} needs it. Is another "
                f"demo running?\nChoose another: make demo PORT={port + 10}")


# --- what the servers need ---------------------------------------------------

class Leerpoort:
    """The command, with this demo's Redis and pepper."""

    def __init__(self, program, folder):
        self.program, self.folder = program, folder

    def __call__(self, *args, given=""):
        run = subprocess.run(
            [self.program, *args], input=given, capture_output=True,
            text=True, timeout=PATIENCE)
        if run.returncode != 0:
            raise Failure(f"leerpoort {' '.join(args)}: {run.stderr.strip()}")
        return run.stdout

    @property
    def redis(self):
        return ("--redis", f"unix:{self.folder}/redis.sock")


def make_keys(leerpoort, folder):
    for name in ("key", "forger"):
        path = folder / f"{name}.jwk"
        path.touch(0o600)
        path.write_text(leerpoort("key", "new", "--alg", "ES256",
                                  "--kid", "demo"))
    (folder / "jwks.json").write_text(
        leerpoort("token", "jwks", "--key", str(folder / "key.jwk")))
    pepper = folder / "pepper"
    pepper.touch(0o600)
    pepper.write_bytes(os.urandom(32))


def mint(leerpoort, person, key="key", issued=None, life=TOKEN_LIFE):
    claims = dict([person.claim, person.school.claim])
    issued = int(time.time()) if issued is None else issued
    return leerpoort(
        "token", "mint", "--key", str(leerpoort.folder / f"{key}.jwk"),
        "--iss", cast.ISSUER, "--aud", cast.AUDIENCE, "--now", str(issued),
        "--expires-in", str(life), given=json.dumps(claims)).strip()


def seed_products(leerpoort, publisher):
    for product, about in cast.PRODUCTS.items():
        url = f"http://127.0.0.1:{publisher}/boek/{product}"
        options = ["--url", url, "--name", about.name]
        if about.deep:
            options += ["--deep", url + "/{path}"]
        if about.free:
            options += ["--free", "1"]
        if about.sets:
            options += ["--in", about.sets]
        leerpoort("product", "set", product, *options, *leerpoort.redis)


def seed_rights(leerpoort):
    def right(product, record, holder, given=""):
        state, first, last = record
        leerpoort("right", "set", "--product", product, "--state", state,
                  "--from", first, "--until", last,
                  "--entitlement", str(uuid.uuid4()), *holder,
                  *leerpoort.redis, given=given)

    for school in cast.SCHOOLS:
        if school.alias:
            id_type, id_ = school.alias
            leerpoort("school", "set", "--type", id_type, "--id", id_,
                      "--school", school.master, *leerpoort.redis)
        for product, record in school.rights.items():
            right(product, record, ("--open", "--school", school.master))

    for person in cast.PEOPLE:
        holder = ("--type", person.id_type, "--school", person.school.master,
                  "--pepper", str(leerpoort.folder / "pepper"))
        for product, record in person.rights.items():
            right(product, record, holder, given=person.claim[1])


def write_conf(name, folder, **values):
    text = (HERE / name).read_text()
    for key, value in {**values, "FOLDER": folder}.items():
        text = text.replace(f"@{key}@", str(value))
    path = folder / name
    path.touch(0o600)
    path.write_text(text)
    return path


def write_maps(folder, tokens):
    path = folder / "tokens.map"
    path.touch(0o600)
    path.write_text("".join(f"{who} {token};\n"
                            for who, token in tokens.items()))
    (folder / "pages.map").write_text(
        "".join(f"{person.who} {person.who};\n" for person in cast.PEOPLE))
    (folder / "titles.map").write_text(
        "".join(f'{product} "{about.name}";\n'
                for product, about in cast.PRODUCTS.items()))


# --- the demo ----------------------------------------------------------------

def redis_command(folder):
    return [REDIS, "--port", "0", "--unixsocket", f"{folder}/redis.sock",
            "--unixsocketperm", "600", "--dir", str(folder),
            "--appendonly", "yes", "--appendfsync", "always", "--save", "",
            "--maxmemory-policy", "noeviction", "--daemonize", "no"]


def raise_demo(stack, signals, args):
    """Starts everything; returns (servers, tokens). What was started by then
    is stopped by the stack."""
    build = pathlib.Path(args.build).resolve()
    program = build / "leerpoort"
    module = build / "ngx_http_leerpoort_module.so"
    for needed in (program, module, pathlib.Path(NGINX), pathlib.Path(REDIS)):
        if not needed.exists():
            raise Failure(f"{needed} is missing: start with make demo")
    check_ports(args.port)

    with signals.held():
        folder = pathlib.Path(tempfile.mkdtemp(prefix="leerpoort-demo-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
    leerpoort = Leerpoort(str(program), folder)
    servers = []

    def start(name, command, family, address):
        with signals.held():
            server = Server(name, command, folder / f"{name}.out")
            stack.callback(server.stop)
        servers.append(server)
        server.await_address(family, address)

    start("redis", redis_command(folder), socket.AF_UNIX,
          f"{folder}/redis.sock")
    make_keys(leerpoort, folder)
    seed_products(leerpoort, args.port + 1)
    seed_rights(leerpoort)

    emma = cast.PEOPLE[0]
    tokens = {person.who: mint(leerpoort, person) for person in cast.PEOPLE}
    tokens["verlopen"] = mint(leerpoort, emma, life=600,
                              issued=int(time.time()) - 3600)
    tokens["vervalst"] = mint(leerpoort, emma, key="forger")
    write_maps(folder, tokens)
    (folder / "pages").mkdir()
    pages.write(folder / "pages", f"http://127.0.0.1:{args.port}/")

    values = {"BUILD": build, "ISSUER": cast.ISSUER,
              "AUDIENCE": cast.AUDIENCE, "PORT": args.port,
              "PUBLISHER_PORT": args.port + 1,
              "USER": "user root root;" if os.geteuid() == 0 else "",
              "EXPIRED": tokens["verlopen"], "FORGED": tokens["vervalst"]}
    for name, port in (("publisher", args.port + 1), ("edge", args.port)):
        conf = write_conf(f"{name}.conf", folder, **values)
        start(name, [NGINX, "-p", str(folder), "-e", f"{folder}/{name}.log",
                     "-c", str(conf)], socket.AF_INET, ("127.0.0.1", port))
    return servers, tokens


def click(port, target, token=None):
    """(status, outcome, Location) of one click."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    connection.request("GET", target, headers=headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return (answer.status, answer.headers.get("Leerpoort-Outcome"),
            answer.headers.get("Location"))


def check(port, tokens):
    """Clicks everything; returns the number of clicks that ended wrongly."""
    wrong = 0
    seen = collections.Counter()
    for person in cast.PEOPLE:
        for link in cast.LINKS:
            outcome = cast.expected(person, link)
            # The other locations know their own token.
            token = tokens[person.who] if link.location in ("go", "donker") \
                else None
            status, got, to = click(port, f"/{link.location}/{link.path}",
                                    token)
            product, _, path = link.path.partition("/")
            target = {"redirect": f"http://127.0.0.1:{port + 1}/boek/{product}"
                                  + (f"/{path}" if path else ""),
                      "login": f"/login?return="}.get(outcome)
            good = (status == cast.OUTCOMES[outcome][0] and got == outcome
                    and (to is None if target is None else to is not None
                         and to.startswith(target)))
            if outcome == "redirect":
                good = good and to == target and \
                    click(port + 1, to[to.index("/boek"):])[0] == 200
            seen[outcome] += 1
            wrong += not good
            say(f"{'ok   ' if good else 'WRONG'} {person.who:<8} "
                f"/{link.location}/{link.path}: {status} {got}"
                + (f" {to}" if to else "")
                + ("" if good else f"   (should be {outcome})"))
    missing = set(cast.OUTCOMES) - set(seen)
    for outcome in sorted(missing):
        say(f"WRONG no link ends as {outcome}")
    return wrong + len(missing)


def show(port):
    """The address, and a line for the shell for each outcome."""
    here = f"127.0.0.1:{port}"
    say(f"\nThe demo portal: http://{here}/\n")
    say("A click for each outcome, for another terminal:\n")
    emma = cast.PEOPLE[0]
    for outcome in cast.OUTCOMES:
        link = next(link for link in cast.LINKS
                    if cast.expected(emma, link) == outcome)
        token = (f'-H "Authorization: Bearer $(curl -s {here}/token/emma)" '
                 if link.location in ("go", "donker") else "")
        say(f"# {outcome}\ncurl -si {token}"
            f"'{here}/{link.location}/{link.path}'")
    say("\nCtrl-C stops and removes everything.")


def wait(servers):
    """Until a signal comes, or a server is gone that should not be."""
    ends = {os.pidfd_open(server.process.pid): server for server in servers}
    gone, _, _ = select.select(list(ends), [], [])
    server = ends[gone[0]]
    raise Failure(f"{server.name} is gone:\n{server.said()}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--build", default=str(ROOT / "build"))
    parser.add_argument("--check", action="store_true",
                        help="click everything, then stop")
    args = parser.parse_args()
    if not 1 <= args.port <= 65534:
        parser.error("--port takes a number from 1 to 65534")

    signals = Signals()
    code = 0
    with contextlib.ExitStack() as stack:
        try:
            servers, tokens = raise_demo(stack, signals, args)
            if args.check:
                code = 1 if check(args.port, tokens) else 0
            else:
                show(args.port)
                wait(servers)
        except Failure as failure:
            print(f"demo: {failure}", file=sys.stderr, flush=True)
            code = 1
        except Stopped:
            say("\nStopping.")
        finally:
            # Nothing interrupts the clearing up.
            signals.ignore()
    return code


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    sys.exit(main())
