"""What the benchmarks run on: one Redis, one nginx worker, pupils, tokens.

One core is nginx's; on the other one are Redis, the load client and this
program. The servers of the one nginx differ in nothing but their location:

plain    return 302 with the Location that a click is answered with
hit      leerpoort_click, everything remembered
new      leerpoort_token_time 0: every token is verified
miss     leerpoort_mirror_time 0: every click asks Redis
watched  as hit, with $leerpoort_mirror in a header
"""

import contextlib
import hashlib
import os
import pathlib
import shutil
import subprocess
import tempfile

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lib import http, names
from lib.nginx import BUILD, Nginx
from lib.process import alive, eventually, free_port
from lib.redis import Redis
from lib.tokens import Issuer

SCHOOLS = 20
PRODUCTS = 100
RIGHTS = 20         # of a pupil
OPEN_RIGHTS = 5     # of a school
HOST = "https://publisher.example"
PATH = "hoofdstuk/3"
TOKEN_LIFE = 24 * 3600

SIDES = {"hit": "", "new": "leerpoort_token_time 0;",
         "miss": "leerpoort_mirror_time 0;",
         "watched": "add_header X-Mirror $leerpoort_mirror always;"}


def product(number):
    """An ISBN, as most learning materials have one."""
    return f"97890{number:08d}"


def pin(pid, core):
    """All threads of a process to one core."""
    for task in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(task), {core})


class Pupil:
    def __init__(self, bed, number):
        mark = hashlib.sha512(b"pupil %d" % number).hexdigest()
        self.school = f"{number % SCHOOLS + 100}A158"
        self.eck = f"https://ketenid.nl/201703/{mark}"
        self.product = product(number % PRODUCTS)
        self.products = [product((number + i * 7) % PRODUCTS)
                         for i in range(RIGHTS)]
        self.hash = names.user_hash(self.school, names.user_key(
            bed.pepper, "ECK", self.eck))
        self._bed = bed

    def token(self, alg="RS256"):
        """HS256: that of a session, by Leerpoort itself."""
        issuer = self._bed.session if alg == "HS256" else self._bed.issuer
        claims = issuer.claims(eckid=self.eck, org=self.school)
        claims["exp"] = claims["iat"] + TOKEN_LIFE
        return issuer.mint(claims, alg=alg)

    @property
    def target(self):
        return f"/go/{self.product}/{PATH}"

    def store(self):
        """The command that stores the pupil's rights."""
        return ["HSET", self.hash, *(
            part for p in self.products
            for part in (p, names.right("L", name=f"{self.hash} {p}")))]


class Bed:
    """Use as a context; pupils: how many there are; tickets: the links of all
    products carry one."""

    def __init__(self, core, load_core, pupils, tickets=False):
        self.core = core
        self.load_core = load_core
        self.tickets = tickets
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="leerpoort-bench-"))
        self._stack = contextlib.ExitStack()
        self._stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        try:
            self._set_up(pupils)
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

    def _set_up(self, pupils):
        self.pepper = os.urandom(32)
        pepper = self.folder / "pepper"
        pepper.touch(0o600)
        pepper.write_bytes(self.pepper)
        self.issuer = Issuer(self.folder)
        self.session = Issuer(self.folder, "leerpoort", "https://toegang"
                              ".example", ["HS256"], users=(("eckid", "ECK"),))
        if self.tickets:
            self.keys = self.folder / "keys"
            self.keys.mkdir(mode=0o700)
            subprocess.run([BUILD / "leerpoort", "key", "rotate", "--keys",
                            self.keys, "--alg", "ES256"], check=True,
                           stdout=subprocess.DEVNULL)

        self.redis = Redis(self.folder)
        self._stack.callback(self.redis.destroy)
        self.redis.start()
        pin(self.redis.pid, self.load_core)

        self.pupils = [Pupil(self, number) for number in range(pupils)]
        self._fill()

        self.ports = {side: free_port() for side in SIDES}
        folder = self.folder / "nginx"
        folder.mkdir()
        self._usage = False
        self.nginx = Nginx(
            folder, self._http(), level="error",
            main=f"worker_cpu_affinity {1 << self.core:b};")
        self._stack.callback(self.nginx.destroy)
        self.nginx.start()
        self.ports["plain"] = self.nginx.port
        eventually("the invalidation link is armed",
                   lambda: self.redis.links() == 1, 10)
        self.check()

    def _fill(self):
        commands = [["HSET", names.product_hash(product(n)),
                     "url", f"{HOST}/boek/{product(n)}",
                     "deep", f"{HOST}/boek/{product(n)}/{{path}}",
                     "name", f"Boek {n}", "licence", "schoolyear",
                     *(["ticket", HOST] if self.tickets else [])]
                    for n in range(PRODUCTS)]
        for school in sorted({pupil.school for pupil in self.pupils}):
            commands.append(["HSET", names.school_hash(school), *(
                part for n in range(OPEN_RIGHTS)
                for part in (f"open-{n}", names.right("O", name=school)))])
        commands += [pupil.store() for pupil in self.pupils]
        for first in range(0, len(commands), 200):
            for reply in self.redis.pipeline(commands[first:first + 200]):
                assert isinstance(reply, int), reply

    def _http(self):
        pupil = self.pupils[0]
        location = f"{HOST}/boek/{pupil.product}/{PATH}"
        servers = "".join(f"""
    server {{
        listen 127.0.0.1:{self.ports[side]};
        access_log off;
        location /go/ {{
            leerpoort_click;
            leerpoort_content_hosts publisher.example *.uitgever.example;
            {extra}
        }}
    }}""" for side, extra in SIDES.items())
        ticket = (f"leerpoort_ticket keys={self.keys}"
                  " issuer=https://toegang.example;" if self.tickets else "")
        return f"""
    leerpoort_zone leerpoort:64m;
    leerpoort_redis {self.redis.address} timeout=500ms;
    leerpoort_pepper {self.folder}/pepper;
    leerpoort_usage {"on" if self._usage else "off"};
    {self.issuer.conf()}
    {self.session.conf()}
    {ticket}
    keepalive_requests 1000000000;
    server {{
        listen 127.0.0.1:@PORT@;
        access_log off;
        location /go/ {{ return 302 {location}; }}
        location = /metrics {{ leerpoort_metrics; }}
    }}{servers}"""

    def check(self):
        """Every side answers the first pupil with the same redirect."""
        pupil = self.pupils[0]
        token = pupil.token()
        for side, port in self.ports.items():
            answer = http.click(port, pupil.target, token=token)
            assert answer.status == 302, f"{side}: {answer}"
            location, _, ticket = answer.location.partition("?ticket=")
            assert location == f"{HOST}/boek/{pupil.product}/{PATH}", \
                f"{side}: {answer}"
            assert bool(ticket) == (self.tickets and side != "plain"), answer

    def usage(self, on):
        """A new worker that counts usage, or does not; what was counted so
        far goes, so that Redis does not grow."""
        old = self.nginx.worker_pids()
        self._usage = on
        self.nginx.write(self._http())
        self.nginx.reload()
        eventually("the old worker is gone",
                   lambda: not any(map(alive, old)), 20)
        eventually("the invalidation link is armed",
                   lambda: self.redis.links() == 1, 10)
        self.redis("DEL", *(f"usage:{{{shard:02d}}}"
                            for shard in range(names.SHARDS)))

    @property
    def worker(self):
        return self.nginx.worker_pids()[0]

    def metrics(self):
        """The metrics page as {name{labels}: number}."""
        page = http.click(self.nginx.port, "/metrics")
        assert page.status == 200, page
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
                for line in page.body.decode().splitlines()
                if line and not line.startswith("#")}

    def requests(self, alg="RS256", pupils=None):
        """A file with one click of each pupil, for the client clicks. A
        session's token is in its cookie."""
        pupils = self.pupils[:pupils]
        path = self.folder / f"requests-{alg}-{len(pupils)}"
        path.write_bytes(b"".join(
            http.request(pupil.target, headers=[header(pupil.token(alg), alg)],
                         close=False)
            for pupil in pupils))
        return path

    def signing(self):
        """The files that sign wants: a key, and what a ticket is a signature
        of."""
        pupil = self.pupils[0]
        ticket = http.click(self.ports["hit"], pupil.target,
                            token=pupil.token()).location.partition("=")[2]
        key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption())
        paths = [self.folder / "ticket.pem", self.folder / "ticket.text"]
        for path, data in zip(paths, (key,
                                      ticket.rpartition(".")[0].encode())):
            path.write_bytes(data)
        return paths

    def signature(self, alg):
        """The files that verify wants."""
        return signature(self.folder, self.issuer, alg,
                         self.pupils[0].token(alg))


def header(token, alg):
    """Where a token of this kind stands in a request."""
    return (f"Cookie: __Host-leerpoort={token}" if alg == "HS256"
            else f"Authorization: Bearer {token}")


def signature(folder, issuer, alg, token):
    """The files that verify wants: scheme, key, text and signature."""
    key = issuer.keys[alg]
    text = token.rpartition(".")[0].encode()
    scheme = {"RS": "pkcs1", "ES": "ecdsa", "Ed": "raw"}[alg[:2]]
    sign = key.sign_der if scheme == "ecdsa" else key.sign
    pem = key.private.public_key().public_bytes(
        serialization.Encoding.PEM,
        serialization.PublicFormat.SubjectPublicKeyInfo)
    paths = [folder / f"{alg}.{end}" for end in (
        "pem", "text", "signature")]
    for path, data in zip(paths, (pem, text, sign(text, alg))):
        path.write_bytes(data)
    return [scheme, *map(str, paths)]
