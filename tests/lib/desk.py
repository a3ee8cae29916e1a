"""Workers with two parties behind them, asked past nginx, and what they leave
in Redis: for tests of what is not about clicks."""

import base64
import contextlib
import datetime
import hashlib
import hmac
import itertools
import json
import pathlib
import tempfile

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lib import names, sealing
from lib.redis import Redis
from lib.tokens import make_key, write_jwks
from lib.workers import Workers, parties

OIN, RIVAL = "00000003000000010000", "00000003000000020000"
ENDPOINT = "https://leerpoort.example/oauth/token"
NOW = int(datetime.datetime(2026, 10, 1, 10,
                            tzinfo=datetime.timezone.utc).timestamp())
DAY, UNTIL = "20261001", "20270731"
PERSON = '{"userMasterIdentifier":"https://ketenid.nl/000000/canary"}'
TRIES = 10

_count = itertools.count(1)


def fresh(what):
    return f"{what}-{next(_count)}"


def pupil():
    """A user key that nobody else has."""
    return names.user_key(b"x" * 16, "ECK", fresh("pupil"))


@contextlib.contextmanager
def own_redis():
    """A folder, and a Redis in it that has started, for as long as they are
    needed."""
    with tempfile.TemporaryDirectory(prefix="leerpoort-test-") as folder:
        folder = pathlib.Path(folder)
        redis = Redis(folder)
        try:
            yield folder, redis.start()
        finally:
            redis.destroy()


class Desk:
    """Workers with two parties, and what they left in Redis. options: of the
    workers; key: what their clients sign assertions with."""

    def __init__(self, folder, redis, n=2, **options):
        self.redis = redis
        self.key = make_key("RS256", "c1", 0)
        write_jwks(folder / "client.json", [self.key])
        client = {"jwks": "client.json", "scopes": ["activationcode"]}
        self.workers = Workers(
            folder, redis.address, n=n, now=NOW, parties=parties(
                folder / "parties.json",
                [{"oin": OIN, "name": "A seller",
                  "clients": [{**client, "clientId": "seller"}]},
                 {"oin": RIVAL, "name": "A rival",
                  "clients": [{**client, "clientId": "rival"}]}],
                issuer="https://leerpoort.example",
                audience="https://leerpoort.example/v1",
                tokenEndpoint=ENDPOINT), **options)
        for product in ("book", "atlas"):
            redis("HSET", names.product_hash(product), "url",
                  f"https://publisher.example/{product}", "licence",
                  "schoolyear")
        for school in ("S1", "S2"):
            redis("HSET", f"school:{{{names.shard(school)}}}:{school}",
                  "name", school)

    def put(self, path, body, client="seller", scope="activationcode"):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.workers.ask(path, "PUT", body, LEERPOORT_CLIENT=client,
                                LEERPOORT_SCOPE=scope)

    def order(self, ref, quantity=1, product="book", client="seller", **more):
        return self.put("/v1/activationcodes", {
            "requestReferenceId": ref, "productId": product,
            "quantity": quantity, **more}, client)

    def revoke(self, code, ref=None, client="seller"):
        return self.put("/v1/activationcodes/revoke", {
            "requestReferenceId": ref or fresh("revoke"),
            "activationCode": code}, client)

    def code(self, ref, i=0, oin=OIN):
        """The i-th code of a request, as the relay makes it again."""
        return sealing.code(self.workers.seal.read_bytes(), f"{oin}|{ref}|{i}")

    def one(self, product="book", **more):
        ref = fresh("order")
        assert self.order(ref, product=product, **more).status == 202
        return self.code(ref)

    def redeem(self, code, user, school="S1", **changes):
        users = user if isinstance(user, str) else ",".join(user)
        return self.workers.ask("/activate/code", "POST", json.dumps(
            {"activationCode": code}).encode(), **{
                "LEERPOORT_USERS": users, "LEERPOORT_SCHOOL": school,
                "LEERPOORT_PERSON": PERSON, **changes})

    def hash(self, code):
        """The Redis hash of a code."""
        known = names.user_key(self.workers.pepper.read_bytes(), "CODE",
                               code.replace("-", ""))
        key = f"code:{{{names.shard(known)}}}:{known}"
        return pairs(self.redis("HGETALL", key))

    def journal(self, **wanted):
        """Entries of all journals that have these fields."""
        found = []
        for key in self.redis("KEYS", "journal:*"):
            for _, fields in self.redis("XRANGE", key, "-", "+"):
                entry = pairs(fields)
                if wanted.items() <= entry.items():
                    found.append(entry)
        return found

    def record(self, entitlement):
        [key] = self.redis("KEYS", f"e:*:{entitlement}")
        return pairs(self.redis("HGETALL", key))

    def right(self, user, product="book", school="S1"):
        return self.redis("HGET", names.user_hash(school, user), product)

    def open(self, what, sealed):
        """What is sealed, opened without our own code."""
        data = base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
        key = hmac.new(self.workers.seal.read_bytes(), b"leerpoort seal",
                       hashlib.sha256).digest()
        return AESGCM(key).decrypt(data[:12], data[12:],
                                   what.encode()).decode()

    def wrong(self, user, school="S1", n=1):
        return [self.redeem(f"WRONG-{next(_count):020d}", user, school).status
                for _ in range(n)]

    def tries(self, user=None, school=None):
        name = user or f"school:{school}"
        return f"tries:{{{names.shard(user or school)}}}:{name}"


def pairs(flat):
    return dict(zip(flat[::2], flat[1::2]))
