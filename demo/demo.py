#!/usr/bin/python3 -B
"""make demo: a school's portal, identity provider and LMS, an edge with its
workers, a Redis, a publisher and a seller to click through.

    demo.py [--port 8080] [--build build] [--check]

Everything listens on 127.0.0.1 (--port and the four above) and lives in a
temporary folder; Ctrl-C or SIGTERM stops and removes it. --check clicks every
link of every person instead of waiting, and exits 1 where one ends otherwise
than it should, or where the seller does not hear of it.
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
import idp
import lms
import pages
import seller
import ticket_desk
import walk

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
NGINX = os.environ.get("LEERPOORT_NGINX", "/usr/sbin/nginx")
REDIS = "/usr/bin/redis-server"
SPAWN = "/usr/bin/spawn-fcgi"
MULTIWATCH = "/usr/bin/multiwatch"
WORKERS = 4
TOKEN_LIFE = 7 * 86400
PATIENCE = 10   # seconds for a server to come up or go away
PR_SET_PDEATHSIG = 1

# What stands on the ports from --port on.
PLACES = ("Leerpoort", "the publisher", "the portal", "the identity provider",
          "the LMS")
Places = collections.namedtuple("Places", "leerpoort portal idp lms")

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
        # A signal that comes just before select() must end it all the same.
        self.came, tells = socket.socketpair()
        for end in (self.came, tells):
            end.setblocking(False)
        signal.set_wakeup_fd(tells.fileno(), warn_on_full_buffer=False)
        self._tells = tells
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
            say(f"{self.name} did not end within {PATIENCE} s: killed.")
            self.process.kill()
            self.process.wait()


class Servers(list):
    """Those that run; whatever was started is stopped by the stack."""

    def __init__(self, stack, signals, folder):
        super().__init__()
        self._stack, self._signals, self._folder = stack, signals, folder

    def start(self, name, command, family=None, address=None):
        """Returns once the server listens, where it has an address."""
        with self._signals.held():
            server = Server(name, command, self._folder / f"{name}.out")
            self._stack.callback(server.stop)
        self.append(server)
        if family is not None:
            server.await_address(family, address)
        return server


def make_folder(stack, signals, prefix):
    """A temporary folder that the stack removes."""
    with signals.held():
        folder = pathlib.Path(tempfile.mkdtemp(prefix=prefix))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
    return folder


def check_programs(build, target, *more):
    """That all is built and installed; target: of make, which sees to it."""
    for needed in (build / "leerpoort",
                   build / "ngx_http_leerpoort_module.so", *more, *(
            pathlib.Path(path) for path in (NGINX, REDIS, SPAWN, MULTIWATCH))):
        if not needed.exists():
            raise Failure(f"{needed} is missing: start with make {target}")


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
    for needed, what in enumerate(PLACES, port):
        if not free(needed):
            raise Failure(
                f"Port {needed} is taken, and {what} needs it. Is another "
                "demo running?\nChoose another: make demo PORT="
                f"{port + 10 if port < 65000 else port - 10}")


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


def secret_file(path, content):
    path.touch(0o600)
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content)
    return path


def make_keys(leerpoort, folder):
    """Keys of the school's login (and of a forger), of the seller, of Leerpoort
    at the seller, of Leerpoort's own tokens; the pepper and the seal."""
    for name, alg in (("key", "ES256"), ("forger", "ES256"),
                      ("seller", "PS256"), ("relay", "PS256")):
        key = secret_file(folder / f"{name}.jwk",
                          leerpoort("key", "new", "--alg", alg,
                                    "--kid", "demo"))
        (folder / f"{name}.jwks").write_text(
            leerpoort("token", "jwks", "--key", str(key)))
    (folder / "keys").mkdir(0o700)
    leerpoort("key", "rotate", "--keys", str(folder / "keys"))
    secret_file(folder / "pepper", os.urandom(32))
    secret_file(folder / "seal", os.urandom(32))


def write_parties(folder, port, seller_address, scheme="http"):
    here = f"{scheme}://127.0.0.1:{port}"
    parties = {
        "issuer": f"{here}/", "audience": f"{here}/v1",
        "tokenEndpoint": f"{here}/oauth/token",
        "parties": [{
            "oin": cast.SELLER_OIN, "name": "Boekhuis Demo",
            "role": "aanspraakmanager", "baseUrl": seller_address,
            "tokenUrl": f"{seller_address}/token", "clientId": "leerpoort",
            "keyFile": "relay.jwk", "scope": "entitlement usage",
            "clients": [{"clientId": cast.SELLER, "jwks": "seller.jwks",
                         "scopes": cast.SELLER_SCOPES.split()}]}]}
    (folder / "parties.json").write_text(json.dumps(parties, indent=2))


def make_front_door_keys(leerpoort, folder):
    """Keys of the identity provider and of the LMS, and the secret of
    Leerpoort's own sessions."""
    for name, alg in (("idp", "ES256"), ("lms", "RS256")):
        key = secret_file(folder / f"{name}.jwk",
                          leerpoort("key", "new", "--alg", alg))
        (folder / f"{name}.jwks").write_text(
            leerpoort("token", "jwks", "--key", str(key)))
    session = json.loads(leerpoort("key", "new", "--alg", "HS256"))
    secret_file(folder / "session.jwks", json.dumps({"keys": [session]}))
    (folder / "key-files").mkdir(0o700)
    (folder / "tickets").mkdir(0o700)
    leerpoort("key", "rotate", "--keys", str(folder / "tickets"),
              "--alg", "ES256")


def write_front_door(folder, port, provider, platform):
    """sso.json, lti.json, pages.json."""
    here = f"http://127.0.0.1:{port}"
    secret_file(folder / "idp.secret", provider.secret)
    for name, document in (
            ("sso", {"publicUrl": here,
                     "session": {"keyFile": "session.jwks"},
                     "providers": [idp.provider_of(provider)]}),
            ("lti", {"platforms": [lms.platform_of(platform)]}),
            ("pages", {"default": {"name": "Leerpoort (demo)"},
                       "schools": {
                           school.master: {"name": school.name}
                           for school in cast.SCHOOLS},
                       "codes": "/code"})):
        (folder / f"{name}.json").write_text(json.dumps(document, indent=2))


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
        if about.ticket:
            options += ["--ticket", ticket_desk.AUDIENCE]
        if about.licence:
            options += ["--licence", about.licence]
        leerpoort("product", "set", product, *options, *leerpoort.redis)
        if about.chapters:
            leerpoort("product", "chapters", product, *leerpoort.redis,
                      given="".join(f"{path} {title}\n"
                                    for path, title in about.chapters))


def seed_rights(leerpoort):
    """Schools, their open rights, and the licences that people have from
    before; what is yet to be activated comes from the seller."""
    def right(product, record, holder, given=""):
        state, first, last = record
        leerpoort("right", "set", "--product", product, "--state", state,
                  "--from", first, "--until", last,
                  "--entitlement", str(uuid.uuid4()), *holder,
                  *leerpoort.redis, given=given)

    for school in cast.SCHOOLS:
        leerpoort("school", "set", "--school", school.master,
                  "--name", school.name, *leerpoort.redis)
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
            if record[0] == "L":
                right(product, record, holder, given=person.claim[1])


def sell(shop):
    """Everything that is yet to be activated, over the API."""
    for person in cast.PEOPLE:
        for product, record in person.rights.items():
            if record[0] != "L":
                shop.sell(person, product, record)
    who, product, code, record = cast.CODE
    shop.sell(cast.BY_NAME[who], product, record, code)


def write_conf(name, folder, source=HERE, **values):
    text = (source / name).read_text()
    for key, value in {**values, "FOLDER": folder}.items():
        text = text.replace(f"@{key}@", str(value))
    path = folder / name
    path.touch(0o600)
    path.write_text(text)
    return path


def write_maps(folder):
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


def worker_command(build, folder, name="worker", workers=WORKERS, more=()):
    """Workers on one socket; multiwatch starts a new one for each that ends."""
    return [SPAWN, "-n", "-s", f"{folder}/{name}.sock", "-M", "0600", "--",
            MULTIWATCH, "-f", str(workers), "-r", "100", "-t", "1000", "--",
            str(build / "leerpoort-worker"),
            "--redis", f"unix:{folder}/redis.sock",
            "--pepper", f"{folder}/pepper", "--seal", f"{folder}/seal",
            "--parties", f"{folder}/parties.json", "--keys", f"{folder}/keys",
            *more]


def sso_command(build, folder, workers=2):
    return [SPAWN, "-n", "-s", f"{folder}/sso.sock", "-M", "0600", "--",
            MULTIWATCH, "-f", str(workers), "-r", "100", "-t", "1000", "--",
            str(build / "leerpoort-sso"),
            "--redis", f"unix:{folder}/redis.sock",
            "--pepper", f"{folder}/pepper", "--seal", f"{folder}/seal",
            "--sso", f"{folder}/sso.json", "--lti", f"{folder}/lti.json",
            "--pages", f"{folder}/pages.json", "--keys", f"{folder}/keys",
            "--key-files", f"{folder}/key-files",
            "--key-socket", f"{folder}/keys.sock"]


def keys_command(build, folder):
    return [str(build / "leerpoort-keys"), "--sso", f"{folder}/sso.json",
            "--lti", f"{folder}/lti.json", "--key-files",
            f"{folder}/key-files", "--key-socket", f"{folder}/keys.sock"]


def relay_command(build, folder):
    return [str(build / "leerpoort-relay"),
            "--redis", f"unix:{folder}/redis.sock",
            "--seal", f"{folder}/seal", "--parties", f"{folder}/parties.json"]


def tally_command(build, folder):
    return [str(build / "leerpoort-tally"),
            "--redis", f"unix:{folder}/redis.sock"]


def raise_school(stack, signals, port, program, folder):
    """The school's own servers, and Leerpoort's files that know them; where
    everything is."""
    here, portal = (f"http://127.0.0.1:{one}" for one in (port, port + 2))
    with signals.held():
        provider = idp.IdentityProvider(port + 3, program, folder, here,
                                        f"{portal}/")
        provider.start()
        stack.callback(provider.stop)
        platform = lms.Lms(port + 4, program, folder, here)
        platform.start()
        stack.callback(platform.stop)
    write_front_door(folder, port, provider, platform)
    return Places(here, f"{portal}/", provider.address, platform.address)


def raise_demo(stack, signals, args):
    """Starts everything; returns (servers, tokens, seller, places). What was
    started by then is stopped by the stack."""
    build = pathlib.Path(args.build).resolve()
    program = build / "leerpoort"
    check_programs(build, "demo", build / "leerpoort-sso",
                   build / "leerpoort-keys")
    check_ports(args.port)

    folder = make_folder(stack, signals, "leerpoort-demo-")
    leerpoort = Leerpoort(str(program), folder)
    servers = Servers(stack, signals, folder)
    start = servers.start

    start("redis", redis_command(folder), socket.AF_UNIX,
          f"{folder}/redis.sock")
    make_keys(leerpoort, folder)
    make_front_door_keys(leerpoort, folder)
    seed_products(leerpoort, args.port + 1)
    seed_rights(leerpoort)

    with signals.held():
        shop = seller.Seller(str(program), str(folder / "seller.jwk"),
                             str(folder / "relay.jwks"))
        shop.start()
        stack.callback(shop.stop)
    write_parties(folder, args.port, shop.address)
    places = raise_school(stack, signals, args.port, str(program), folder)
    start("keys", keys_command(build, folder))
    with signals.held():
        desk = ticket_desk.TicketDesk(str(program), folder, places.leerpoort)
        desk.start()
        stack.callback(desk.stop)
    start("worker", worker_command(
        build, folder, more=("--pages", f"{folder}/pages.json",
                             "--site", places.leerpoort)),
          socket.AF_UNIX, f"{folder}/worker.sock")
    start("sso", sso_command(build, folder), socket.AF_UNIX,
          f"{folder}/sso.sock")

    emma = cast.PEOPLE[0]
    tokens = {person.who: mint(leerpoort, person) for person in cast.PEOPLE}
    tokens["verlopen"] = mint(leerpoort, emma, life=600,
                              issued=int(time.time()) - 3600)
    tokens["vervalst"] = mint(leerpoort, emma, key="forger")
    write_maps(folder)
    (folder / "pages").mkdir()
    pages.write(folder / "pages", places)

    values = {"BUILD": build, "ISSUER": cast.ISSUER,
              "AUDIENCE": cast.AUDIENCE, "PORT": args.port,
              "PUBLISHER_PORT": args.port + 1, "SELLER": shop.address,
              "PORTAL_PORT": args.port + 2, "IDP_PORT": args.port + 3,
              "DESK": desk.address,
              "PARAMS": ROOT / "lua-free-conf/leerpoort_params",
              "PAGE_PARAMS": ROOT / "lua-free-conf/leerpoort_page_params",
              "USER": "user root root;" if os.geteuid() == 0 else "",
              "EXPIRED": tokens["verlopen"], "FORGED": tokens["vervalst"]}
    for name, port in (("publisher", args.port + 1), ("edge", args.port),
                       ("portal", args.port + 2)):
        conf = write_conf(f"{name}.conf", folder, **values)
        start(name, [NGINX, "-p", str(folder), "-e", f"{folder}/{name}.log",
                     "-c", str(conf)], socket.AF_INET, ("127.0.0.1", port))
    start("relay", relay_command(build, folder))
    start("tally", tally_command(build, folder))
    shop.leerpoort = seller.Leerpoort(args.port, str(program),
                                      str(folder / "seller.jwk"))
    try:
        sell(shop)
    except (seller.Refused, OSError) as error:
        raise Failure(f"The seller's entitlements: {error}") from error
    return servers, tokens, shop, places


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


def await_news(shop):
    """Until the seller heard all that it should; returns what is missing."""
    deadline = time.monotonic() + PATIENCE
    while True:
        missing = []
        for sold in shop.entitlements.values():
            link = next(link for link in cast.LINKS
                        if link.product == sold.product)
            name = f"{sold.person.who} {sold.product}"
            if sold.confirmed is None:
                missing.append(f"{name}: no confirmation")
            if cast.activates(sold.person, link):
                used = shop.usage(sold)
                if sold.activated is None:
                    missing.append(f"{name}: no InitialActivation")
                if used.get("entitlementStatus") != "licensed":
                    missing.append(f"{name}: no licence")
                if not used.get("usage", {}).get("frequencyOfUsage"):
                    missing.append(f"{name}: no usage")
        if not missing or time.monotonic() > deadline:
            return missing
        time.sleep(0.1)


def check(port, tokens, shop, places):
    """Clicks everything; returns the number of things that went wrong."""
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
            if to is not None:
                to, _, ticket = to.partition("?ticket=")
            product, _, path = link.path.partition("/")
            target = {"redirect": f"http://127.0.0.1:{port + 1}/boek/{product}"
                                  + (f"/{path}" if path else ""),
                      "login": "/sso/login?return="}.get(outcome)
            ticketed = outcome == "redirect" and cast.PRODUCTS[product].ticket
            good = (status == cast.OUTCOMES[outcome][0] and got == outcome
                    and (to is None if target is None else to is not None
                         and to.startswith(target)))
            if outcome == "redirect":
                good = good and bool(ticket) == ticketed and to == target and \
                    click(port + 1, to[to.index("/boek"):])[0] == 200
            seen[outcome] += 1
            wrong += not good
            say(f"{'ok   ' if good else 'WRONG'} {person.who:<8} "
                f"/{link.location}/{link.path}: {status} {got}"
                + (f" {to}" if to else "")
                + ("" if good else f"   (should be {outcome})"))
    for what, good in walk.front_door(places,
                                      f"http://127.0.0.1:{port + 1}"):
        wrong += not good
        say(f"{'ok   ' if good else 'WRONG'} {what}")
    missing = [f"no link ends as {outcome}"
               for outcome in sorted(set(cast.OUTCOMES) - set(seen))]
    missing += await_news(shop)
    for what in missing:
        say(f"WRONG {what}")
    if not missing:
        say("ok    the seller heard of every confirmation and activation")
    return wrong + len(missing)


def show(port):
    """The address, and a line for the shell for each outcome."""
    here = f"127.0.0.1:{port}"
    say(f"\nThe demo portal: http://127.0.0.1:{port + 2}/\n")
    say("Choose Emma: her page shows what she bought. Click Taalhaven 7 "
        "(Leerpoort asks\nthe school who she is), go back, and see the "
        "licence, the seller's messages and\nthe usage change.\n")
    who, _, code, _ = cast.CODE
    say(f"My books, at Leerpoort:  http://{here}/\n"
        f"A code, for {cast.BY_NAME[who].name}:        {code}, at "
        f"http://{here}/code\n"
        f"The course in the LMS:   http://localhost:{port + 4}/\n"
        "The portal, the identity provider, the LMS, the publisher and the "
        "seller are the\ndemo's own; only what stands at "
        f"{here} is Leerpoort.\n")
    say("A click for each outcome, for another terminal:\n")
    emma = cast.PEOPLE[0]
    shown = [(outcome, next(link for link in cast.LINKS
                            if cast.expected(emma, link) == outcome))
             for outcome in cast.OUTCOMES]
    shown.insert(1, ("activate, which ends as redirect", next(
        link for link in cast.LINKS if cast.activates(emma, link))))
    for outcome, link in shown:
        token = (f'-H "Authorization: Bearer $(curl -s {here}/token/emma)" '
                 if link.location in ("go", "donker") else "")
        say(f"# {outcome}\ncurl -si {token}"
            f"'{here}/{link.location}/{link.path}'")
    say("\nCtrl-C stops and removes everything.")


def wait(servers, signals):
    """Until a signal comes, or a server is gone that should not be."""
    ends = {os.pidfd_open(server.process.pid): server for server in servers}
    gone = []
    while not gone:
        gone, _, _ = select.select([*ends, signals.came], [], [])
        if signals.came in gone:    # one that is for somebody else
            signals.came.recv(64)
            gone.remove(signals.came)
    server = ends[gone[0]]
    raise Failure(f"{server.name} is gone:\n{server.said()}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--build", default=str(ROOT / "build"))
    parser.add_argument("--check", action="store_true",
                        help="click everything, then stop")
    args = parser.parse_args()
    if not 1 <= args.port <= 65531:
        parser.error("--port takes a number from 1 to 65531")

    signals = Signals()
    code = 0
    with contextlib.ExitStack() as stack:
        try:
            servers, tokens, shop, places = raise_demo(stack, signals,
                                                       args)
            if args.check:
                code = 1 if check(args.port, tokens, shop,
                                  places) else 0
            else:
                show(args.port)
                wait(servers, signals)
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
