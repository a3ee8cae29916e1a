"""The whole front door over TLS, as it is on the internet: the server of
lua-free-conf/nginx.conf itself, under https://toegang.test, with everything
behind it; and other sites, each with a name of its own: a portal, a publisher,
a school's identity provider, a learning environment, a stranger.

    with Front() as front, Browser({"*.test": front.port}) as browser:
        front.person(grant="book")
        browser.open(front.click("book"))
"""

import contextlib
import html
import json
import pathlib
import re
import subprocess
import tempfile
import urllib.parse

import jwt

from lib import names, sealing
from lib.door import ID_TYPES, Sso
from lib.edge import Edge
from lib.lms import DL, UNKNOWN, Lms
from lib.nginx import BUILD
from lib.process import REPOSITORY, eventually, free_port
from lib.provider import Provider
from lib.redis import Redis
from lib.tokens import Issuer, make_key, replace, write_jwks
from lib.workers import Workers, parties, secret

EXAMPLES = REPOSITORY / "lua-free-conf"
PUBLIC, PORTAL = "https://toegang.test", "https://portal.test"
PUBLISHER, SCHOOL = "https://publisher.test", "https://school.test"
CAMPUS, STRANGER = "https://campus.test", "https://stranger.test"
HOUSES = {
    "default": {"name": "Boekhuis", "help": "https://portal.test/hulp",
                "helpText": {"nl": "Hulp van Boekhuis",
                             "en": "Help by Boekhuis"}},
    "schools": {"S1": {"name": "De Regenboog", "accent": "#8a2c5b",
                       "help": "mailto:hulp@portal.test"}},
    "codes": "/code"}
OIN = "00000003000000010000"
LASTING, PAST, AHEAD = "20990731", "20200731", "20980901"
SCRIPT = "<script>document.forms[0].submit()</script>"


def plain(title, body):
    """A page of somebody else's."""
    return ('<!doctype html><html lang="nl"><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width">'
            f"<title>{title}</title><h1>{title}</h1>{body}</html>")


class Campus(Lms):
    """A learning environment on a site of its own, whose courses show what is
    launched in a frame. picked: the titles of each answer of Deep Linking."""

    def __init__(self):
        super().__init__("campus", PUBLIC)
        self.issuer = CAMPUS
        self.picked = []

    def course(self, target="/go/book", deep=False):
        """The address of a page with a launch in its frame."""
        return f"{CAMPUS}/course?" + self._asked(target, deep)

    def window(self, target="/go/book", deep=False):
        """The address of a launch that is in no frame."""
        return f"{CAMPUS}/start?" + self._asked(target, deep)

    @staticmethod
    def _asked(target, deep):
        return urllib.parse.urlencode({"target": PUBLIC + target,
                                       "deep": "1" if deep else ""})

    def answer(self, visit):
        where = urllib.parse.urlsplit(visit.path)
        query = dict(urllib.parse.parse_qsl(where.query))
        if where.path == "/start":
            sent = self.begin(query["target"], bool(query.get("deep")))
            visit.send_response(302)
            visit.send_header("Location", f"{PUBLIC}/lti/login?"
                              + urllib.parse.urlencode(sent))
            visit.send_header("Content-Length", "0")
            visit.end_headers()
            return
        page = {"/course": lambda: plain("Cursus", (
                    '<iframe name="boek" title="Het boek" width="100%" '
                    f'height="700" src="/start?{html.escape(where.query)}">'
                    "</iframe>")),
                "/auth": lambda: plain("Verder", self.authorize(query).replace(
                    "</form>", "<button>Verder</button></form>") + SCRIPT),
                "/back": lambda: self._take(visit)}.get(where.path)
        data = page().encode() if page else b""
        visit.send_response(200 if page else 404)
        visit.send_header("Content-Type", "text/html")
        visit.send_header("Content-Length", str(len(data)))
        visit.end_headers()
        visit.wfile.write(data)

    def _take(self, visit):
        body = visit.rfile.read(int(visit.headers["Content-Length"] or 0))
        form = dict(urllib.parse.parse_qsl(body.decode()))
        items = jwt.decode(form["JWT"], options={"verify_signature": False})[
            DL + "content_items"]
        self.picked.append([item["title"] for item in items])
        return plain("Toegevoegd", f"<p>{len(items)}</p>")


class Front:
    """port: of all sites. others: providers beside the school; then people
    are asked where they sign in."""

    def __init__(self, others=0):
        self._others = others
        self._stack = contextlib.ExitStack()
        self.port = free_port()
        self._orders = 0
        self._platform, self._marks = {}, 0

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self._open(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind, *exc):
        wrong = self.provider.complaints + self.campus.complaints
        self._stack.__exit__(kind, *exc)
        if kind is None:
            assert not wrong, wrong

    # --- what there is ---

    def _open(self, stack):
        self.folder = pathlib.Path(stack.enter_context(
            tempfile.TemporaryDirectory(prefix="leerpoort-test-")))
        self.redis = Redis(self.folder)
        stack.callback(self.redis.destroy)
        self.redis.start()
        self.campus = Campus().start()
        stack.callback(self.campus.stop)
        self.provider = Provider("school", redirect_uris=[
            f"{PUBLIC}/sso/callback"])
        self.provider.start()
        stack.callback(self.provider.stop)
        self.provider.metadata = {
            "authorization_endpoint": f"{SCHOOL}/authorize",
            "end_session_endpoint": f"{SCHOOL}/end_session"}
        self._write()
        self._start(stack)
        self.reset()

    def _write(self):
        """Keys, secrets, the configuration."""
        folder = self.folder
        self.pepper, self.seal = (secret(folder / name)
                                  for name in ("pepper", "seal"))
        for name in ("ring", "keys", "www", "sso", "worker"):
            (folder / name).mkdir(0o700)
        self.provider.publish(folder / "keys")
        self.campus.publish(folder / "keys")
        subprocess.run([BUILD / "leerpoort", "key", "rotate", "--keys",
                        folder / "ring"], check=True, capture_output=True)
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
             "/CN=toegang.test", "-keyout", folder / "toegang.key", "-out",
             folder / "toegang.crt"], check=True, capture_output=True)
        self.issuers = [
            Issuer(folder, "leerpoort", PUBLIC, ("HS256",), PUBLIC,
                   tuple((kind, kind) for kind in ID_TYPES),
                   (("MASTER", "MASTER"), ("OIE_CODE", "OIE_CODE")),
                   "employee role employee;"),
            Issuer(folder, "schoollogin", "https://login.test/"),
            Issuer(folder, "api", f"{PUBLIC}/", users=(), schools=())]
        replace(folder / "pages.json", json.dumps(HOUSES))
        self._configure()
        self.site(PORTAL, plain("Portaal", '<a href="https://toegang.test/go/'
                                'book">Getal en Ruimte</a>'))
        self.site(PUBLISHER, plain("Het boek", "<p>Hoofdstuk 1</p>"))

    def _configure(self):
        """sso.json and lti.json. The platform "mark" tells whether the latter
        has been read."""
        replace(self.folder / "sso.json", json.dumps({
            "publicUrl": PUBLIC, "clickPrefix": "/go/",
            "session": {"keyFile": str(self.issuers[0].jwks)},
            "providers": [self._entry(), *(
                self._entry(name=f"other-{i}", issuer=f"{SCHOOL}/{i}",
                            title=f"School {i}", serves=None)
                for i in range(self._others))]}))
        replace(self.folder / "lti.json", json.dumps({"platforms": [
            self.campus.entry(title={"nl": "de ELO van De Regenboog",
                                     "en": "De Regenboog's environment"},
                              **self._platform),
            self.campus.entry(name="mark", issuer=self._mark())]}))

    def _mark(self):
        return f"{CAMPUS}/mark-{self._marks}"

    def _entry(self, **changes):
        """The school in sso.json."""
        return self.provider.entry(self.folder, **{
            "title": {"nl": "De Regenboog", "en": "The Rainbow School"},
            "serves": [{"school": "S1", "name": "De Regenboog, Zeist"},
                       {"school": "S2", "name": "Het Baken, Zwolle"}],
            **changes})

    def site(self, origin, page, path="/index.html"):
        """What another site shows there."""
        file = self.folder / "www" / (origin[len("https://"):] + path)
        file.parent.mkdir(exist_ok=True)
        file.write_text(page)
        return f"{origin}{path}"

    def _start(self, stack):
        folder = self.folder
        key = make_key("RS256", "seller-1", 0)
        write_jwks(folder / "seller.jwks", [key])
        known = parties(
            folder / "parties.json",
            [{"oin": OIN, "name": "Boekhuis", "clients": [
                {"clientId": "seller", "jwks": "seller.jwks",
                 "scopes": ["activationcode"]}]}],
            issuer=PUBLIC, audience=f"{PUBLIC}/v1",
            tokenEndpoint=f"{PUBLIC}/oauth/token")
        common = dict(pages=folder / "pages.json", keys=folder / "ring")
        self.sso = Sso(folder / "sso", self.redis.address, 1, self.pepper,
                       self.seal, sso=folder / "sso.json",
                       lti=folder / "lti.json", key_files=folder / "keys",
                       allow=[UNKNOWN], **common)
        self.workers = Workers(folder / "worker", self.redis.address, 1,
                               self.pepper, self.seal, parties=known,
                               site=PUBLIC, **common)
        self.edge = stack.enter_context(Edge(
            redis=self.redis, pepper=self.pepper.read_bytes(),
            issuers=self.issuers, login=False,
            activate=self.workers.location(), http=self._servers()))
        for workers in (self.workers, self.sso):
            workers.start()
            stack.push(workers.__exit__)
        self.redis("HSET", f"school:{{{names.shard('S1')}}}:S1", "name",
                   "De Regenboog")
        for product, name in (("book", "Getal en Ruimte 2"),
                              ("atlas", "De Grote Atlas"),
                              ("roman", "Een <roman> & meer")):
            self.edge.product(product, url=f"{PUBLISHER}/{product}", name=name,
                              deep=f"{PUBLISHER}/{product}/{{path}}",
                              licence="schoolyear")
            self.redis("HSET", "products", product, name)

    def _servers(self):
        """The example's server, and one for each of the others."""
        tls = (f"listen 127.0.0.1:{self.port} ssl;"
               f"ssl_certificate {self.folder}/toegang.crt;"
               f"ssl_certificate_key {self.folder}/toegang.key;")
        servers = "".join(f"""
    server {{
        server_name {origin[len("https://"):]};
        {tls}
        location / {{
            proxy_pass http://127.0.0.1:{port};
        }}
    }}""" for origin, port in ((CAMPUS, self.campus.port),
                               (SCHOOL, self.provider.port)))
        return f"""
    leerpoort_pages {self.folder}/pages.json;
    leerpoort_content_hosts publisher.test;
    leerpoort_token_time 5m;
    leerpoort_mirror_time 60s;
    leerpoort_stale 1h;
    default_type text/html;
    charset utf-8;
    {self._example()}
    {servers}
    server {{
        server_name portal.test publisher.test stranger.test;
        {tls}
        root {self.folder}/www/$host;
        location / {{
            try_files $uri /index.html;
        }}
    }}"""

    def _example(self):
        """The first server of lua-free-conf/nginx.conf, with this folder's
        paths. Nobody is held up for clicking too fast: browsers of tests do."""
        text = (EXAMPLES / "nginx.conf").read_text()
        begin = text.index("    server {\n        listen 443")
        text = text[begin:text.index("\n    }\n", begin) + len("\n    }\n")]
        worker = f"unix:{self.folder}/worker/worker.sock"
        for pattern, new in (
                (r"listen 443 [^;]*;", f"listen 127.0.0.1:{self.port} ssl;"),
                (r"toegang\.example\.nl", "toegang.test"),
                (r"/etc/leerpoort/tls/", f"{self.folder}/"),
                (r"/etc/leerpoort/keys/", f"{self.folder}/ring/"),
                (r"include (leerpoort_\w+);", rf"include {EXAMPLES}/\1;"),
                (r"unix:/run/leerpoort/sso\.sock",
                 f"unix:{self.folder}/sso/worker.sock"),
                (r"unix:/run/leerpoort/worker\.sock", worker),
                (r"unix:/run/leerpoort/apis\.sock", worker),
                (r"\n *limit_req [^;]*;", "")):
            text, n = re.subn(pattern, new, text)
            assert n > 0, pattern
        return text

    # --- who comes ---

    def reset(self):
        """Everything is as it should be again; nobody is anybody."""
        self.campus.reset()
        self.provider.page = False
        self.provider.claims, self.provider.sid = {}, None
        self.provider.authorize = None
        self.provider.id_token, self.provider.faults = {}, {}

    def person(self, grant=(), record=None, **kwargs):
        """Whoever signs in next, or comes from the learning environment, is
        somebody new, with a licence for these books."""
        person = self.edge.person(**kwargs)
        for product in [grant] if isinstance(grant, str) else grant:
            person.grant(product, record or names.right("L", until=LASTING))
        self.is_person(person)
        return person

    def is_person(self, person, **claims):
        self.provider.sub = f"sub-{person.key()}"
        self.provider.claims = {"eckid": person.ids["eckid"][1],
                                "org": person.school, **claims}
        self.campus.custom = {"eckid": person.ids["eckid"][1]}

    def product(self, product, chapters):
        """Its chapters: lines of a path and a title."""
        subprocess.run([BUILD / "leerpoort", "product", "chapters", product,
                        "--redis", self.redis.address], input=chapters,
                       text=True, check=True, capture_output=True)

    def platform(self, **changes):
        """What lti.json says of the learning environment from now on, beside
        the usual."""
        if self._platform == changes:
            return
        self._platform = changes
        self._marks += 1
        self._configure()
        asked = {"iss": self._mark(), "login_hint": "x",
                 "target_link_uri": f"{PUBLIC}/go/book"}
        eventually("lti.json is read", lambda: self.sso.ask(
            "/lti/login?" + urllib.parse.urlencode(asked),
            LEERPOORT_ROUTE="sso").status in (302, 303), 20)

    def code(self, product="book"):
        """A fresh activation code."""
        self._orders += 1
        ref = f"order-{self._orders}"
        done = self.workers.ask("/v1/activationcodes", "PUT", json.dumps({
            "requestReferenceId": ref, "productId": product,
            "quantity": 1}).encode(), LEERPOORT_CLIENT="seller",
            LEERPOORT_SCOPE="activationcode")
        assert done.status == 202, done
        return sealing.code(self.seal.read_bytes(), f"{OIN}|{ref}|0")

    @staticmethod
    def click(target="book"):
        return f"{PUBLIC}/go/{target}"
