"""An edge that is ready to be clicked: Redis, nginx with the module, keys."""

import contextlib
import hashlib
import itertools
import os
import pathlib
import shutil
import tempfile

from lib import http, names
from lib.nginx import Nginx
from lib.process import eventually
from lib.redis import Redis
from lib.tokens import Issuer
from lib.worker import Worker

PUBLIC = "https://toegang.example"
LOGIN = "https://login.example/?return="
URL = "https://publisher.example/"

ACTIVATE = """
        location = /activate {
            internal;
            add_header X-Mirror $leerpoort_mirror always;
            return 200 "activate $leerpoort_product $leerpoort_school
                        $leerpoort_user $leerpoort_entitlement";
        }"""

_count = itertools.count(1)


class Person:
    """A pupil or teacher with ids that nobody else in the session has.

    school "": a private customer. eck False: only a portal id (a teacher).
    """

    def __init__(self, edge, school="S1", eck=True, sub=False):
        number = next(_count)
        self._edge = edge
        self.school = school
        self.ids = {}
        if eck:
            mark = hashlib.sha512(b"%d" % number).hexdigest()
            self.ids["eckid"] = ("ECK", f"https://ketenid.nl/000000/{mark}")
        if sub:
            self.ids["sub"] = ("NEPPI", f"portal-{number}@example")

    def claims(self):
        claims = {name: id_ for name, (_, id_) in self.ids.items()}
        if self.school:
            claims["org"] = self.school
        return claims

    def token(self, **kwargs):
        """A token that is good, but for the changes."""
        issuer = kwargs.pop("issuer", self._edge.issuer)
        return issuer.mint(**{**self.claims(), **kwargs})

    def key(self, claim=None):
        id_type, id_ = self.ids[claim or next(iter(self.ids))]
        return names.user_key(self._edge.pepper, id_type, id_)

    def hash(self, claim=None):
        """The Redis key of the rights at the school."""
        return names.user_hash(self.school, self.key(claim))

    def private_hash(self, claim=None):
        return names.user_hash("", self.key(claim))

    def grant(self, product, record="L", claim=None):
        """Stores a right: a whole record, or a state for one that is wide."""
        self._edge.redis("HSET", self.hash(claim), product,
                         names.right(record) if len(record) == 1 else record)
        return self

    def revoke(self, product, claim=None):
        self._edge.redis("HDEL", self.hash(claim), product)

    def click(self, target="/go/book", **kwargs):
        kwargs.setdefault("token", self.token())
        return self._edge.click(target, **kwargs)


class Edge:
    """Everything together, in a temporary folder.

    redis: an object that takes commands and is started already (default: a
    Redis of its own). address: what leerpoort_redis gets (default: redis').
    click: directives of the click's location that differ from the usual ones,
    {"mirror_time": "0"} for leerpoort_mirror_time; None leaves one out.
    server, main, http: further lines of those blocks. worker: what answers
    behind leerpoort_activate (see Worker); then .worker is there. master
    False: nginx is one process. pepper: its bytes, where others need the same.
    """

    def __init__(self, redis=None, address=None, workers=1, zone="8m",
                 timeout="50ms", redis_options="", issuers=None, click=None,
                 server="", http="", main="", activate=ACTIVATE, login=True,
                 public_url=True, worker=None, allow=(), faketime=None,
                 level="info", master=True, pepper=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="leerpoort-test-"))
        self._stack = contextlib.ExitStack()
        self._stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        try:
            if redis is None:
                redis = Redis(self.folder)
                self._stack.callback(redis.destroy)
                redis.start()
            self.redis = redis
            self.pepper = pepper or os.urandom(32)
            file = self.folder / "pepper"
            file.touch(0o600)
            file.write_bytes(self.pepper)
            if issuers is None:
                issuers = [Issuer(self.folder)]
            elif callable(issuers):
                issuers = issuers(self.folder)
            self.issuer = issuers[0]
            self.issuers = issuers
            if worker is not None:
                self.worker = Worker(worker)
                self._stack.callback(self.worker.stop)
                activate = self.worker.location()
            nginx_folder = self.folder / "nginx"
            nginx_folder.mkdir()
            self._parts = dict(
                redis=f"{address or redis.address} timeout={timeout} "
                      f"{redis_options}".rstrip(),
                zone=zone, http=http, server=server, activate=activate,
                login=login, public_url=public_url, reuse=workers > 1)
            self._click = click or {}
            self.nginx = Nginx(nginx_folder, self.http_block(), workers,
                               allow, faketime, main, level, master)
            self._stack.callback(self.nginx.destroy)
            self.nginx.start()
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

    def close(self):
        """Stops nginx and fails for what its log says; removes all."""
        self.__exit__(None)

    def discard(self):
        """Removes all, whatever the log says."""
        self._stack.close()

    def http_block(self, **click):
        """The http block; click as for the class, on top of what it got."""
        p = self._parts
        settings = {
            "content_hosts": "publisher.example *.uitgever.example 127.0.0.1",
            "activate": "/activate", "token_time": "5m", "mirror_time": "60s",
            "stale": "1h", **self._click, **click}
        lines = "".join(f"            leerpoort_{name} {value};\n"
                        for name, value in settings.items()
                        if value is not None)
        public = f"leerpoort_public_url {PUBLIC};" if p["public_url"] else ""
        login = (f"leerpoort_login {LOGIN}$leerpoort_return;"
                 if p["login"] else "")
        return f"""
    leerpoort_zone leerpoort:{p['zone']};
    leerpoort_redis {p['redis']};
    leerpoort_pepper {self.folder}/pepper;
    {"    ".join(issuer.conf() for issuer in self.issuers)}
    large_client_header_buffers 4 64k;
    keepalive_requests 100000;
    {p['http']}
    server {{
        listen 127.0.0.1:@PORT@{' reuseport' if p['reuse'] else ''};
        server_name _;
        {public}
        {login}
        location /go/ {{
            leerpoort_click;
{lines}            add_header X-Mirror $leerpoort_mirror always;
            add_header X-Worker $pid always;
        }}{p['activate']}
        location = /metrics {{ leerpoort_metrics; }}
        location = /status {{ stub_status; }}
        location = /static {{
            add_header X-Worker $pid always;
            return 200 "static";
        }}
        {p['server']}
    }}"""

    @property
    def port(self):
        return self.nginx.port

    def person(self, **kwargs):
        return Person(self, **kwargs)

    def product(self, product="book", **fields):
        """Stores a product; in_ for the field "in". Without fields: one with
        url and deep at the publisher."""
        if not fields:
            fields = {"url": f"{URL}{product}",
                      "deep": f"{URL}{product}/{{path}}"}
        for name, value in fields.items():
            self.redis("HSET", names.product_hash(product), name.rstrip("_"),
                       value)
        return product

    def click(self, target="/go/book", **kwargs):
        return http.click(self.port, target, **kwargs)

    def await_armed(self, links=None):
        """Returns once the invalidation links of all workers are up."""
        eventually("the invalidation links are armed",
                   lambda: self.redis.links() == (links or self.nginx.workers),
                   10)

    def settled(self, person, target="/go/book", seconds=10):
        """Clicks until the mirror answers: from then on it is warm."""
        token = person.token()
        return eventually("the mirror answers", lambda: (
            lambda r: r.mirror == "HIT" and r)(
                self.click(target, token=token)), seconds)

    def metrics(self):
        """The metrics page as {name{labels}: number}."""
        page = self.click("/metrics")
        assert page.status == 200, page
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
                for line in page.body.decode().splitlines()
                if line and not line.startswith("#")}

    def waiting(self):
        """Requests that nginx is answering now, this one not counted."""
        text = self.click("/status").body.decode()
        return int(text.split("Writing: ")[1].split()[0]) - 1

    def to_each_worker(self):
        """{pid: Connection} with one kept open connection to each worker."""
        found = {}
        while len(found) < self.nginx.workers:
            connection = http.Connection(self.port)
            pid = connection.click("/static").worker
            if pid in found:
                connection.close()
            else:
                found[pid] = connection
        return found
