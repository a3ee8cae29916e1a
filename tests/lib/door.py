"""The front door: an edge, leerpoort-sso, an identity provider; and browsers
that keep cookies and follow redirects."""

import contextlib
import json
import pathlib
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

from lib import fastcgi, http
from lib.edge import PUBLIC, Edge
from lib.nginx import BUILD
from lib.process import REPOSITORY, children
from lib.provider import Provider
from lib.redis import Redis
from lib.tokens import Issuer, replace
from lib.workers import PARAMS, Workers, secret

SSO = BUILD / "leerpoort-sso"
PAGE_PARAMS = REPOSITORY / "lua-free-conf" / "leerpoort_page_params"
ID_TYPES = ("ECK", "NEPPI")

# What leerpoort-sso says where sign-ins fail, as is announced to Sso's allow.
SAID = r"^leerpoort: (a sign-in at the provider|\d+ further sign-ins)"


class Sso(Workers):
    """leerpoort-sso as an operator starts it. options as for Workers."""

    def argv(self):
        return [str(SSO), *super().argv()[1:]]

    def pids(self):
        found = []
        for pid in children(self.pid):
            try:
                line = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
            except OSError:
                continue
            if line.startswith(str(SSO).encode()):
                found.append(pid)
        return found

    def location(self, uri, route="sso", more=""):
        return f"""
        location {uri} {{
            {more}
            fastcgi_pass unix:{self.path};
            fastcgi_buffer_size 16k;
            fastcgi_buffers 8 16k;
            fastcgi_param LEERPOORT_ROUTE {route};
            {PARAMS.read_text()}
            {PAGE_PARAMS.read_text()}
        }}"""


class Door:
    """session: members of sso.json's "session" beside keyFile. clock: the time
    may be set. public: publicUrl, which a class may have as another one."""

    public = PUBLIC

    def __init__(self, folder, n=2, clock=False, **session):
        self.folder = pathlib.Path(folder)
        self._stack = contextlib.ExitStack()
        self.pepper = secret(self.folder / "pepper")
        self.seal = secret(self.folder / "seal")
        self.keys = self.folder / "keys"
        self.keys.mkdir()
        self.conf = self.folder / "sso.json"
        self.now = self.folder / "now" if clock else None
        self._n, self._session = n, session

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self._open(stack)
            self._stack = stack.pop_all()
        return self

    def _open(self, stack):
        self.redis = Redis(stack.enter_context(
            tempfile.TemporaryDirectory(prefix="leerpoort-test-")))
        stack.callback(self.redis.destroy)
        self.redis.start()
        self.provider = Provider()
        self.provider.start()
        stack.callback(self.provider.stop)
        self.provider.publish(self.keys)
        self.issuer = Issuer(
            self.folder, "leerpoort", self.public, ("HS256",), self.public,
            tuple((kind, kind) for kind in ID_TYPES),
            (("MASTER", "MASTER"), ("OIE_CODE", "OIE_CODE")),
            "employee role employee; leeway 60s;")
        self.write(**self._session)
        if self.now:
            self.clock(int(time.time()))
        self.workers = Sso(self.folder, self.redis.address, self._n,
                           self.pepper, self.seal, self.now, sso=self.conf,
                           key_files=self.keys, **self.options())
        self.edge = stack.enter_context(Edge(
            redis=self.redis, pepper=self.pepper.read_bytes(),
            issuers=[self.issuer], login=False, public_url=False,
            server=f"""
        leerpoort_public_url {self.public};
        leerpoort_login {self.public}/sso/login?return=$leerpoort_return;"""
                   + self.workers.location("/sso/") + self.more()))
        self.workers.start()
        stack.push(self.workers.__exit__)

    def __exit__(self, kind, *exc):
        complaints = self.provider.complaints
        self._stack.__exit__(kind, *exc)
        if kind is None:
            assert not complaints, complaints

    def write(self, **session):
        """sso.json with this provider."""
        replace(self.conf, json.dumps({
            "publicUrl": self.public, "clickPrefix": "/go/",
            "session": {"keyFile": str(self.issuer.jwks), **session},
            "providers": self.entries()}))

    def entries(self):
        """The providers of sso.json; for those who have more of them."""
        return [self.provider.entry(self.folder)]

    def options(self):
        """Further ones of leerpoort-sso, and of Sso."""
        return {}

    def more(self):
        """Further lines of nginx's server."""
        return ""

    def person(self, person, sub=None):
        """Whoever signs in next is this person."""
        self.provider.sub = sub or f"sub-{person.key()}"
        self.provider.sid = None
        self.provider.claims = {
            "eckid": person.ids["eckid"][1], "org": person.school}
        return person

    def clock(self, now):
        """What leerpoort-sso takes for the time from now on."""
        replace(self.now, str(now))

    @contextlib.contextmanager
    def provider_is_published_in(self, seconds):
        """As if leerpoort-keys needed so long."""
        timer = threading.Timer(seconds, self.provider.publish, [self.keys])
        timer.start()
        try:
            yield
        finally:
            timer.join()

    def post(self, target, body, content_type="application/x-www-form-"
             "urlencoded", headers=()):
        data = body.encode()
        with http.Connection(self.edge.port) as connection:
            connection.send(http.request(target, method="POST", headers=[
                ("Content-Type", content_type),
                ("Content-Length", str(len(data))), *headers]) + data)
            return connection.read("POST")

    def ask_login(self, browser, target="/go/book"):
        """/sso/login past nginx, which has another clock."""
        sent = fastcgi.params(
            "/sso/login?return=" + urllib.parse.quote(target, ""),
            LEERPOORT_ROUTE="sso", HTTP_COOKIE=browser.cookies())
        out, ended = fastcgi.parse(fastcgi.raw(self.workers.path,
                                               fastcgi.message(sent)))
        assert ended, "leerpoort-sso left without an answer"
        return Login(out)


class Login:
    """What /sso/login answered."""

    def __init__(self, data):
        head = data.partition(b"\r\n\r\n")[0].decode().split("\r\n")
        self.headers = [tuple(line.split(": ", 1)) for line in head]
        self.status = int(dict(self.headers)["Status"])

    def cookie(self, wanted):
        """The value that a cookie gets; None: none."""
        for name, line in self.headers:
            given, _, value = line.partition(";")[0].partition("=")
            if (name, given) == ("Set-Cookie", wanted):
                return value or None
        return None


class TwoDoors(Door):
    """Two providers, "school" and "other". changes: members of an entry in
    sso.json, by the provider's name; they count from the next write() on."""

    def __init__(self, folder, n=2):
        super().__init__(folder, n)
        self.other = Provider("other")
        self.changes = {}

    def _open(self, stack):
        self.other.start()
        stack.callback(self.other.stop)
        self.other.publish(self.keys)
        super()._open(stack)

    def entries(self):
        return [provider.entry(self.folder, **self.changes.get(
            provider.name, {})) for provider in (self.provider, self.other)]

    def options(self):
        return {"allow": [SAID]}


class Browser:
    """Keeps cookies as a browser does that is never closed."""

    def __init__(self, door, jar=None):
        self.door = door
        self.jar = {} if jar is None else jar
        self.set_cookies = []

    def cookies(self):
        return "; ".join(f"{name}={value}" for name, value in self.jar.items())

    def _headers(self):
        return [("Cookie", self.cookies())] if self.jar else []

    def _keep(self, response):
        for line in response.all("Set-Cookie"):
            self.set_cookies.append(line)
            pair, *marks = line.split(";")
            name, _, value = pair.partition("=")
            if any(mark.strip().lower() == "max-age=0" for mark in marks):
                self.jar.pop(name, None)
            else:
                self.jar[name] = value
        return response

    def get(self, target):
        return self._keep(self.door.edge.click(target,
                                               headers=self._headers()))

    def post(self, target, body, origin=None):
        headers = self._headers()
        if origin is not None:
            headers.append(("Origin", origin))
        return self._keep(self.door.post(target, body, headers=headers))

    def follow(self, target, more=False):
        """All places that a click leads to; more: the last answer of ours."""
        way, answer = [target], None
        while len(way) < 20:
            url = urllib.parse.urljoin(PUBLIC, way[-1])
            if url.startswith(PUBLIC):
                answer = self.get(url[len(PUBLIC):])
                location = answer.location
            elif url.startswith(self.door.provider.issuer):
                location = _location(url)
            else:
                break
            if location is None:
                break
            way.append(location)
        assert len(way) < 20, way
        return answer if more else way

    def sign_in(self, target="/go/book"):
        way = self.follow(target)
        assert way[-1].startswith("https://publisher.example/"), way
        return self

    def keep(self, *names):
        """Forgets all cookies but these."""
        for name in set(self.jar) - set(names):
            del self.jar[name]

    def sign_out_form(self):
        """What the page's button sends."""
        page = self.get("/sso/logout").body.decode()
        return "key=" + page.partition('name="key" value="')[2] \
            .partition('"')[0]

    def sign_out(self):
        return self.post("/sso/logout", self.sign_out_form())


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args):
        return None


def _location(url):
    """Where a provider sends the browser; None: it shows a page."""
    try:
        urllib.request.build_opener(_Stay).open(url, timeout=20).close()
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.headers["Location"]
    return None
