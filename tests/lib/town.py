"""All of Leerpoort, running: the edge, workers, relay, tally and their Redis,
and a seller that talks to it over HTTP alone.

A test that wants to see inside may; one that plays a conversation needs not.
"""

import contextlib
import http.client
import json
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.parse
import uuid

import jwt

from lib import names
from lib.edge import Edge
from lib.nginx import BUILD
from lib.party import Party
from lib.process import Process, eventually
from lib.redis import Redis
from lib.relay import Keys, leerpoort
from lib.workers import Workers, environment, secret

ISSUER = "https://toegang.example/"
AUDIENCE = "https://toegang.example/v1"
ENDPOINT = "https://toegang.example/oauth/token"
BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SCOPES = ("entitlement.licensor", "activationcode", "usage.entitlor",
          "usage.seller", "usage.dashboard")


class Client:
    """Somebody who calls the API: gets tokens, sends JSON."""

    def __init__(self, town, client_id, folder, scopes=SCOPES):
        self.town, self.client_id, self.scopes = town, client_id, scopes
        self.key = pathlib.Path(folder) / f"{client_id}.jwk"
        self.key.touch(0o600)
        self.key.write_text(leerpoort("key", "new", "--alg", "RS256").stdout)
        self.jwks = self.key.with_suffix(".jwks")
        self.jwks.write_text(leerpoort("token", "jwks", "--key",
                                       self.key).stdout)
        self._private = jwt.PyJWK(json.loads(self.key.read_text()),
                                  algorithm="RS256")
        self._token, self._until = None, 0

    def entry(self):
        """Its place under "clients" in parties.json."""
        return {"clientId": self.client_id, "jwks": self.jwks.name,
                "scopes": list(self.scopes)}

    def assertion(self, **changes):
        now = int(time.time())
        claims = {"iss": self.client_id, "sub": self.client_id,
                  "aud": ENDPOINT, "iat": now, "exp": now + 60,
                  "jti": uuid.uuid4().hex, **changes}
        return jwt.encode(claims, self._private.key, algorithm="RS256",
                          headers={"kid": json.loads(
                              self.key.read_text())["kid"]})

    def token(self, scope=None):
        """A fresh access token from /oauth/token."""
        status, answer, _ = self.town.send(
            "POST", "/oauth/token", urllib.parse.urlencode({
                "grant_type": "client_credentials",
                "client_assertion_type": BEARER,
                "client_assertion": self.assertion(),
                "scope": scope or " ".join(self.scopes)}),
            {"Content-Type": "application/x-www-form-urlencoded"})
        assert status == 200, (status, answer)
        return answer["access_token"]

    def __call__(self, method, path, body=None, token=None):
        """(status, document) of one API request."""
        if token is None and time.time() > self._until:
            self._token, self._until = self.token(), time.time() + 600
        status, answer, _ = self.town.send(method, path, body, {
            "Content-Type": "application/json",
            "Authorization": f"Bearer {token or self._token}"})
        return status, answer


class Town:
    """workers: how many; nginx_workers likewise. retry: the relay's pauses.
    redis_folder: where Redis keeps its data. options: of the workers,
    {"over_quantity": "refuse"}. allow: what the workers may say; allow_nginx:
    what its error log may. server, http: further lines of those blocks.
    daemons: which of the two run."""

    def __init__(self, workers=2, nginx_workers=1, retry="1,1,1,1", allow=(),
                 allow_nginx=(), usage="on", edge=None, server="", http="",
                 daemons=("relay", "tally"), redis_folder=None, **options):
        self._stack = contextlib.ExitStack()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="leerpoort-town-"))
        self._stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self.retry = retry
        self.redis = Redis(redis_folder or self.folder)
        self.relay = self.tally = None
        self.daemons = daemons
        try:
            self._make_files()
            self._raise(workers, nginx_workers, allow, allow_nginx, usage,
                        edge or {}, server, http, options)
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, kind, *exc):
        try:
            if kind is None:
                self.edge.nginx.stop()
                self.workers.stop()
                for name in self.daemons:
                    self.stop_daemon(name)
                assert not self.party.faults, self.party.faults
        finally:
            self._stack.close()

    # --- raising it ---

    def _make_files(self):
        self.keys = self.folder / "keys"
        self.keys.mkdir(0o700)
        run = leerpoort("key", "rotate", "--keys", self.keys)
        assert run.returncode == 0, run.stderr
        self.pepper = secret(self.folder / "pepper")
        self.seal = secret(self.folder / "seal")
        own = Keys(self.folder)
        self.party = Party(public=own.public).start()
        self._stack.callback(self.party.stop)
        self.seller = Client(self, "seller-1", self.folder)
        self.rival = Client(self, "rival-1", self.folder)
        self.parties = self.folder / "parties.json"
        self.parties.write_text(json.dumps({
            "issuer": ISSUER, "audience": AUDIENCE,
            "tokenEndpoint": ENDPOINT, "tokenLifetime": 3600,
            "parties": [
                {**self.party.entry(own.file),
                 "clients": [self.seller.entry()]},
                {"oin": "00000003876543210000", "name": "A rival",
                 "role": "aanspraakmanager",
                 "clients": [self.rival.entry()]}]}))

    def _raise(self, n, nginx_workers, allow, allow_nginx, usage, edge,
               more, more_http, options):
        self.workers = Workers(
            self.folder, self.redis.address, n,
            self.pepper, self.seal, allow=allow, parties=self.parties,
            keys=self.keys, **options)
        place = self.workers.location
        auth = "leerpoort_auth api scope="
        server = "".join([
            more,
            place("/oauth/token", "api"),
            place("/v1/entitlements", "api",
                  f"{auth}entitlement.licensor;"),
            place("/v1/entitlements/bulk", "api",
                  f"{auth}entitlement.licensor; client_max_body_size 0; "
                  "fastcgi_request_buffering off;"),
            place("/v1/activationcodes/", "api", f"{auth}activationcode;"),
            place("/v1/activationcodes", "api", f"{auth}activationcode;"),
            place("/v1/usage/", "api", f"{auth}usage.entitlor,usage.seller,"
                                       "usage.dashboard;"),
            place("/activate/code", "api", "leerpoort_auth school;"),
            f"location = /.well-known/jwks.json {{ "
            f"alias {self.keys}/jwks.json; }}"])
        http_block = f"""
    leerpoort_usage {usage};
    leerpoort_issuer api {{
        issuer {ISSUER}; jwks {self.keys}/jwks.json; audience {AUDIENCE};
        algorithms PS256 RS256 ES256;
    }}
    {more_http}"""
        self._stack.callback(self.redis.destroy)
        self.redis.start()
        self.edge = Edge(
            redis=self.redis, activate=place(), server=server, http=http_block,
            workers=nginx_workers, allow=list(allow_nginx),
            pepper=self.pepper.read_bytes(), **edge)
        self._stack.callback(self.edge.discard)
        self._stack.callback(self.workers.destroy)
        self.workers.start()
        for name in self.daemons:
            self._stack.callback(self._destroy_daemon, name)
            self.start_daemon(name)
        self.edge.await_armed()

    # --- the relay and the tally ---

    def argv(self, name):
        words = [str(BUILD / f"leerpoort-{name}"), "--redis",
                 self.redis.address]
        if name == "relay":
            words += ["--seal", str(self.seal), "--parties",
                      str(self.parties), "--retry", self.retry]
        return words

    def start_daemon(self, name):
        setattr(self, name, Process(self.argv(name),
                                    self.folder / f"{name}.log",
                                    environment(self.folder)))

    def kill_daemon(self, name):
        """kill -9, and another in its place."""
        daemon = getattr(self, name)
        daemon.signal(signal.SIGKILL)
        assert daemon.wait(10)
        self.start_daemon(name)

    def stop_daemon(self, name):
        """SIGTERM; it must end by itself."""
        daemon = getattr(self, name)
        assert not daemon.ended(), self.said(name)
        daemon.signal(signal.SIGTERM)
        assert daemon.wait(20), f"{name} did not end: {self.said(name)}"
        for path in self.folder.glob("*san.*"):
            raise AssertionError(path.read_text(errors="replace"))

    def said(self, name):
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def _destroy_daemon(self, name):
        daemon = getattr(self, name)
        if daemon is not None:
            daemon.destroy()

    # --- the seller's side ---

    def send(self, method, path, body=None, headers=None):
        """(status, document, headers) of one request to the edge."""
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        connection = http.client.HTTPConnection("127.0.0.1", self.edge.port,
                                                timeout=30)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        try:
            document = json.loads(text)
        except ValueError:
            document = text
        return answer.status, document, answer.headers

    def school(self, school="S1", name="Basisschool De Test", consent=()):
        """A school that Leerpoort knows."""
        line = {"organisationMasterIdentifier": school, "name": name,
                "consent": list(consent)}
        self.command("import", "schools", "-", given=json.dumps(line) + "\n")
        return school

    def product(self, product="8717927130834", **fields):
        line = {"productId": product, "name": f"Boek {product}",
                "url": f"https://publisher.example/{product}",
                "licence": "schoolyear", **fields}
        self.command("import", "products", "-", given=json.dumps(line) + "\n")
        return product

    def command(self, *words, given="", code=0):
        """The leerpoort command against this Redis; its standard output."""
        run = subprocess.run(
            [BUILD / "leerpoort", *map(str, words), "--redis",
             self.redis.address], input=given, capture_output=True, text=True,
            timeout=120, env=environment(self.folder))
        assert run.returncode == code, (words, run.stdout, run.stderr)
        return run.stdout

    def entitlement(self, person, product="8717927130834", **changes):
        """What a seller knows of it: Edu-V's Entitlement."""
        claim, (id_type, id_) = next(iter(person.ids.items()))
        user = ({"userMasterIdentifier": id_} if id_type == "ECK" else
                {"userIds": [{"userId": id_, "userIdType": id_type}]})
        found = {
            "entitlementId": str(uuid.uuid4()), "productId": product,
            "deliveryOrderId": "order-1", "startDate": "2020-08-01",
            "activationUntilDate": "2099-07-31",
            "entitlementType": "school-student" if id_type == "ECK"
            else "school-employee", "entitlementStatus": "created",
            "school": {"organisationMasterIdentifier": person.school},
            "user": user, **changes}
        return {name: v for name, v in found.items() if v is not None}

    def provision(self, entitlement, reference=None, client=None):
        """PUT /v1/entitlements: (status, document)."""
        return (client or self.seller)("PUT", "/v1/entitlements", {
            "entitlementReferenceId": reference or str(uuid.uuid4()),
            "entitlement": entitlement})

    def heard(self, path, entitlement, seconds=20, **members):
        """Waits until the seller was told, with these members; the message's
        document."""
        def found():
            for message in self.party.of(path):
                if message.entitlement == entitlement and all(
                        message.json.get(k) == v for k, v in members.items()):
                    return message.json
            return None
        return eventually(f"{path} of the entitlement", found, seconds, 0.02)

    # --- what is inside ---

    def record(self, entitlement):
        """The hash e: of an entitlement, wherever its home is."""
        packed = names.base64url(uuid.UUID(entitlement).bytes)
        for shard in range(64):
            flat = self.redis("HGETALL", f"e:{{{shard:02d}}}:{packed}")
            if flat:
                return dict(zip(flat[::2], flat[1::2]))
        return {}
