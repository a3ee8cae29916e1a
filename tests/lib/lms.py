"""A learning environment (LTI 1.3 platform) that does as it is told.

Lms: an HTTP server with a JWKS and an authorisation endpoint, which answers at
once with the form that a browser posts (response_mode=form_post); what a test
wants to be wrong is changed by its attributes. Gate: an edge, leerpoort-sso
and workers that activate, before it.
"""

import contextlib
import html
import http.server
import json
import pathlib
import re
import tempfile
import threading
import time
import urllib.parse
import urllib.request

from lib import http as clicks
from lib import names
from lib.door import Sso
from lib.edge import PUBLIC, Edge
from lib.process import eventually, free_port
from lib.redis import Redis
from lib.tokens import Issuer, compact, make_key, replace, write_jwks
from lib.workers import Workers, secret

LTI = "https://purl.imsglobal.org/spec/lti/claim/"
DL = "https://purl.imsglobal.org/spec/lti-dl/claim/"
SETTINGS = DL + "deep_linking_settings"
MEMBERSHIP = "http://purl.imsglobal.org/vocab/lis/v2/membership#"
FORM = "application/x-www-form-urlencoded"

# What leerpoort-sso says of a launch from nobody it knows, as each is that asks
# whether lti.json was read.
UNKNOWN = r"^leerpoort: a launch from an unknown platform was refused: "

# What the tool must send to the authorisation endpoint, besides what the test
# can't know beforehand (LTI security framework 5.1.1.2).
ASKED = {"scope": "openid", "response_type": "id_token",
         "response_mode": "form_post", "prompt": "none"}


class Lms:
    """name: in lti.json, and of its key file. complaints: what the tool sent
    that no platform would take; the test's end looks at them."""

    def __init__(self, name="elo", public=PUBLIC):
        self.name, self.public = name, public
        self.client = f"leerpoort-at-{name}"
        self.deployment = "1:klas"
        self.keys = [make_key("RS256", f"{name}-1", 0)]
        self.complaints = []
        self.asked = []      # the parameters of each authorisation request
        self.reset()
        self.port = free_port()
        self.issuer = f"http://127.0.0.1:{self.port}"
        lms = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                lms.answer(self)

            do_POST = do_GET

            def log_message(self, *args):
                pass

        self._server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True

    def reset(self):
        """Everything is as it should be again."""
        self.claims = {}     # changes of the id_token's; None leaves one out
        self.header = {}     # of its JOSE header
        self.key = None      # signs instead of the newest one
        self.alg = None
        self.form = {}       # of the form that is posted
        self.person = {"sub": "lms-1"}
        self.roles = [MEMBERSHIP + "Learner"]
        self.custom = {}

    def start(self):
        threading.Thread(target=self._server.serve_forever, args=(0.05,),
                         daemon=True).start()
        return self

    def stop(self):
        self._server.shutdown()
        self._server.server_close()

    def entry(self, **changes):
        """The platform as lti.json has it."""
        return {"name": self.name, "title": f"ELO {self.name}",
                "issuer": self.issuer, "clientId": self.client,
                "authorizationEndpoint": f"{self.issuer}/auth",
                "jwksUri": f"{self.issuer}/jwks",
                "deployments": [{"id": self.deployment, "school": "S1"}],
                "users": [{"claim": "custom.eckid", "idType": "ECK"}],
                "frames": [self.issuer], **changes}

    def publish(self, folder):
        """What leerpoort-keys would have fetched."""
        write_jwks(pathlib.Path(folder) / f"{self.name}.jwks.json", self.keys)

    def rotate(self, index=1):
        """A new key signs; nobody has fetched it yet."""
        self.keys = [make_key("RS256", f"{self.name}-{index + 1}", index),
                     *self.keys]

    def answer(self, visit):
        where = urllib.parse.urlsplit(visit.path)
        if where.path == "/jwks":
            body, kind = json.dumps({"keys": [
                key.jwk() for key in self.keys]}), "application/json"
        else:
            body, kind = self.authorize(dict(urllib.parse.parse_qsl(
                where.query, keep_blank_values=True))), "text/html"
        data = body.encode()
        visit.send_response(200)
        visit.send_header("Content-Type", kind)
        visit.send_header("Content-Length", str(len(data)))
        visit.end_headers()
        visit.wfile.write(data)

    def authorize(self, asked):
        """The page that posts itself."""
        self.asked.append(asked)
        wrong = [name for name, value in {
            **ASKED, "client_id": self.client,
            "redirect_uri": f"{self.public}/lti/launch"}.items()
            if asked.get(name) != value]
        wrong += [name for name in ("state", "nonce", "login_hint")
                  if len(asked.get(name, "")) < 3]
        if wrong:
            self.complaints.append(f"{wrong} in {asked}")
        hint = json.loads(asked.get("lti_message_hint") or "{}")
        form = {"state": asked.get("state"),
                "id_token": self.token(asked.get("nonce"), **hint),
                **self.form}
        return ('<form method="post" action="'
                + html.escape(asked.get("redirect_uri", "")) + '">' + "".join(
                    f'<input type="hidden" name="{name}" '
                    f'value="{html.escape(value)}">'
                    for name, value in form.items() if value is not None)
                + "</form>")

    def message(self, nonce, target="", deep=False):
        """Good claims of a message."""
        now = int(time.time())
        claims = {
            "iss": self.issuer, "aud": self.client, "iat": now,
            "exp": now + 300, "nonce": nonce, **self.person,
            LTI + "version": "1.3.0", LTI + "deployment_id": self.deployment,
            LTI + "target_link_uri": target, LTI + "roles": self.roles,
            LTI + "context": {"id": "c1", "title": "Klas 2"},
            LTI + "launch_presentation": {"document_target": "iframe"},
            LTI + "custom": self.custom}
        if deep:
            return {**claims, LTI + "message_type": "LtiDeepLinkingRequest",
                    SETTINGS: {
                        "deep_link_return_url": f"{self.issuer}/back",
                        "accept_types": ["ltiResourceLink"],
                        "accept_multiple": True, "data": "opaque"}}
        return {**claims, LTI + "message_type": "LtiResourceLinkRequest",
                LTI + "resource_link": {"id": "r1", "title": "Boek"}}

    def token(self, nonce, **hint):
        claims = {**self.message(nonce, **hint), **self.claims}
        claims = {name: v for name, v in claims.items() if v is not None}
        key = self.key or self.keys[0]
        alg = self.alg or key.alg
        header = {"alg": alg, "kid": key.kid, "typ": "JWT", **self.header}
        header = {name: v for name, v in header.items() if v is not None}
        return compact(header, claims, lambda data: key.sign(data, alg))

    def begin(self, target, deep=False, **changes):
        """What the platform sends to /lti/login."""
        hint = json.dumps({"target": target, "deep": deep})
        sent = {"iss": self.issuer, "login_hint": "hint-1",
                "target_link_uri": target, "lti_message_hint": hint,
                "client_id": self.client,
                "lti_deployment_id": self.deployment, **changes}
        return {name: v for name, v in sent.items() if v is not None}

    def form_of(self, location):
        """The form that the browser gets at the authorisation endpoint."""
        with urllib.request.urlopen(location, timeout=20) as response:
            page = response.read().decode()
        return {name: html.unescape(value) for name, value in re.findall(
            r'name="([^"]*)" value="([^"]*)"', page)}


class Frame:
    """A browser, or a frame in it, that keeps cookies or keeps none."""

    def __init__(self, gate, keeps=True):
        self.gate, self.keeps, self.jar = gate, keeps, {}

    def _headers(self):
        line = "; ".join(f"{name}={v}" for name, v in self.jar.items())
        return [("Cookie", line)] if line else []

    def _keep(self, response):
        for line in response.all("Set-Cookie") if self.keeps else []:
            name, _, value = line.partition(";")[0].partition("=")
            if "max-age=0" in line.lower():
                self.jar.pop(name, None)
            else:
                self.jar[name] = value
        return response

    def get(self, target, **kwargs):
        headers = [*self._headers(), *kwargs.pop("headers", [])]
        return self._keep(self.gate.edge.click(target, headers=headers,
                                               **kwargs))

    def post(self, target, fields, headers=(), content_type=FORM):
        body = fields if isinstance(fields, bytes) else urllib.parse.urlencode(
            fields).encode()
        with clicks.Connection(self.gate.edge.port) as connection:
            connection.send(clicks.request(target, method="POST", headers=[
                ("Content-Type", content_type),
                ("Content-Length", str(len(body))), *self._headers(),
                *headers]) + body)
            return self._keep(connection.read("POST"))

    def begin(self, lms, target="/go/book", post=False, **changes):
        """What /lti/login answers."""
        target = target if "://" in target else PUBLIC + target
        sent = lms.begin(target, **changes)
        if post:
            return self.post("/lti/login", sent)
        return self.get("/lti/login?" + urllib.parse.urlencode(sent))

    def form(self, lms, target="/go/book", **changes):
        """What the platform gives the browser to post."""
        response = self.begin(lms, target, **changes)
        assert response.status == 302, (response, response.body[-900:])
        return lms.form_of(response.location)

    def launch(self, lms, target="/go/book", **changes):
        """The whole way."""
        return self.post("/lti/launch", self.form(lms, target, **changes))


class Gate:
    """Everything that a launch meets. entries: the platforms of lti.json;
    provider: where people sign in (lib.provider)."""

    def __init__(self, lms, entries=None, more="", allow=(), n=2,
                 provider=None):
        self.lms, self.provider = lms, provider
        self.entries = entries or [lms.entry()]
        self._more, self._allow, self._n = more, allow, n
        self.in_force, self._marks = (self.entries, {}), 0

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self._open(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind, *exc):
        self._stack.__exit__(kind, *exc)

    def _open(self, stack):
        self.folder = pathlib.Path(stack.enter_context(
            tempfile.TemporaryDirectory(prefix="leerpoort-test-")))
        self.redis = Redis(self.folder)
        stack.callback(self.redis.destroy)
        self.redis.start()
        self.pepper, self.seal = (secret(self.folder / name)
                                  for name in ("pepper", "seal"))
        self.keys = self.folder / "keys"
        self.keys.mkdir()
        self.lti, self.sso_json = (self.folder / name
                                   for name in ("lti.json", "sso.json"))
        self.issuer = Issuer(
            self.folder, "leerpoort", PUBLIC, ("HS256",), PUBLIC,
            tuple((kind, kind) for kind in ("ECK", "NEPPI")),
            (("MASTER", "MASTER"), ("OIE_CODE", "OIE_CODE")),
            "employee role employee; leeway 60s;")
        self.configure()
        self.lms.publish(self.keys)
        if self.provider:
            self.provider.publish(self.keys)
        folders = [self.folder / name for name in ("sso", "worker")]
        for folder in folders:
            folder.mkdir()
        self.sso = Sso(folders[0], self.redis.address, self._n, self.pepper,
                       self.seal, sso=self.sso_json, lti=self.lti,
                       key_files=self.keys, allow=[UNKNOWN, *self._allow],
                       **self.options())
        self.workers = Workers(folders[1], self.redis.address, 1, self.pepper,
                               self.seal)
        self.edge = stack.enter_context(Edge(
            redis=self.redis, pepper=self.pepper.read_bytes(),
            issuers=[self.issuer], login=False,
            activate=self.workers.location(), server=self._locations()))
        for workers in (self.workers, self.sso):
            workers.start()
            stack.push(workers.__exit__)
        for school in ("S1", "S2"):
            self.redis("HSET", f"school:{{{names.shard(school)}}}:{school}",
                       "name", school)
        self.edge.product()

    def options(self):
        """Further ones of leerpoort-sso."""
        return {}

    def _locations(self):
        return self.sso.location("/lti/") + self.sso.location("/sso/") + f"""
        location = /lti/click {{
            internal;
            leerpoort_click $upstream_http_leerpoort_click;
            leerpoort_token $upstream_http_leerpoort_session;
            leerpoort_activate /activate;
            leerpoort_content_hosts publisher.example;
            {self._more}
        }}"""

    def configure(self, entries=None, **site):
        """Writes lti.json and sso.json."""
        replace(self.lti, json.dumps({"platforms": entries or self.entries}))
        replace(self.sso_json, json.dumps({
            "publicUrl": PUBLIC, "clickPrefix": "/go/",
            "session": {"keyFile": str(self.issuer.jwks)},
            "providers": [self.provider.entry(self.folder)]
            if self.provider else [], **site}))

    def change(self, entries=None, **site):
        """Writes them; returns once every process has read them."""
        entries = entries or self.entries
        if self.in_force == (entries, site):
            return
        self._marks += 1
        mark = f"mark-{self._marks}"
        self.configure([*entries, {**self.lms.entry(), "name": mark,
                                   "issuer": mark}], **site)
        frame = Frame(self, keeps=False)
        eventually("lti.json is read", lambda: all(
            frame.begin(self.lms, iss=mark).status in (302, 503)
            for _ in range(6 * self._n)), 20)
        self.in_force = entries, site

    def pupil(self, lms=None, **kwargs):
        """Somebody whose ECK iD the platform knows, and sends."""
        person = self.edge.person(**kwargs)
        (lms or self.lms).custom = {"eckid": person.ids["eckid"][1]}
        return person

    def launches(self):
        """Names of keys that launches left."""
        return sorted(key for key in self.redis("KEYS", "*") if key.split(":")[
            0] in ("launch", "nonce", "once", "link"))
