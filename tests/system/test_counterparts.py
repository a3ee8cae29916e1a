"""Others' programs at the other end: npm's oidc-provider signs people in, npm's
jose signs an LMS's launches and checks what Leerpoort signs. Neither was made
by who made Leerpoort's half."""

import html
import json
import re
import secrets
import subprocess
import sys
import time
import urllib.parse
import urllib.request

import pytest

from lib import names
from lib.counterpart import Jose, OidcProviders
from lib.door import SAID, Door
from lib.fetching import Keys
from lib.lms import LTI, MEMBERSHIP, Frame, Gate, Lms
from lib.nginx import BUILD
from lib.process import REPOSITORY, eventually, free_port
from lib.relay import Keys as ClientKey
from lib.tokens import make_key, write_jwks

pytestmark = pytest.mark.once

sys.path.insert(0, str(REPOSITORY / "demo"))
import walk     # noqa: E402

DL = "https://purl.imsglobal.org/spec/lti-dl/claim/"
BOOK = "/go/book/ch/3"
REFUSED = r"^leerpoort: a launch from elo was refused: "
IN_ID_TOKEN = json.dumps({"id_token": {
    name: {"essential": True} for name in ("eckid", "org", "role")}})


def rotate(folder, alg):
    """A ring with a key that signs."""
    subprocess.run([BUILD / "leerpoort", "key", "rotate", "--keys", folder,
                    "--alg", alg], check=True, capture_output=True,
                   timeout=60)


def served(ring):
    """The ring's public keys, as lua-free-conf/nginx.conf has them."""
    return f"""
        location = /.well-known/jwks.json {{
            alias {ring}/jwks.json;
            default_type application/jwk-set+json;
        }}"""


# --- identity providers -------------------------------------------------------

class Hall(Door):
    """A door on a URL of loopback that everybody can reach: browsers, and the
    providers; with leerpoort-keys, and a publisher next door.

    How Leerpoort shows who it is, what signs the id_token, where claims are:
    basic   a secret in the header  RS256  id_token
    post    a secret in the form    ES256  userinfo
    rsa     private_key_jwt, RS256  PS256  id_token
    ec      the ring's ES256 key, which the provider fetches  ES256  userinfo
    public  PKCE alone              RS256  id_token, since they are asked for
    silent  a secret in the header  RS256  id_token; never a screen
    """

    def __init__(self, folder):
        port = free_port()
        self.public = f"http://127.0.0.1:{port}"
        self._listen = f"listen 127.0.0.1:{port};"
        super().__init__(folder)
        self.ring = self.folder / "ring"
        self.ring.mkdir(mode=0o700)
        rotate(self.ring, "ES256")
        self.client_key = ClientKey(self.folder, "RS256")
        fetched = self.folder / "fetched"
        fetched.mkdir()
        self.fetched = Keys(fetched, sso=self.conf, again="1s")
        self.keys = self.fetched.files
        self._pupils = (f"pupil-{i}" for i in range(99))
        self.accounts = {f"pupil-{i}": {
            "eckid": f"https://ketenid.nl/000000/{i:0128x}", "org": "S1",
            "role": "student"} for i in range(99)}

    def _open(self, stack):
        jwk = json.loads(self.client_key.file.read_text())
        public = {name: jwk[name] for name in ("kty", "n", "e", "kid", "alg")}
        signed = {"client_secret": None,
                  "token_endpoint_auth_method": "private_key_jwt"}
        self.idp = stack.enter_context(OidcProviders(
            self.public, self.accounts, conform=("post", "ec", "public"),
            providers={
                "basic": {},
                "post": {"id_token_signed_response_alg": "ES256",
                         "token_endpoint_auth_method": "client_secret_post"},
                "rsa": {**signed, "jwks": {"keys": [public]},
                        "id_token_signed_response_alg": "PS256",
                        "token_endpoint_auth_signing_alg": "RS256"},
                "ec": {**signed,
                       "jwks_uri": f"{self.public}/.well-known/jwks.json",
                       "id_token_signed_response_alg": "ES256",
                       "token_endpoint_auth_signing_alg": "ES256"},
                "public": {"client_secret": None,
                           "token_endpoint_auth_method": "none"},
                "silent": {}}))
        super()._open(stack)
        stack.enter_context(self.fetched)
        names_ = [entry["name"] for entry in self.entries()]
        eventually("leerpoort-keys has fetched all", lambda: all(
            self.fetched.discovery(name).exists()
            and self.fetched.jwks(name).exists() for name in names_), 30)
        self.edge.product("book", url=f"{self.public}/publisher",
                          deep=f"{self.public}/publisher/{{path}}")

    def entries(self):
        changes = {"post": {"userinfo": True}, "ec": {"userinfo": True},
                   "rsa": {"keyFile": str(self.client_key.file)},
                   "public": {"parameters": {"claims": IN_ID_TOKEN}},
                   "silent": {"parameters": {"prompt": "none"}}}
        return [self.idp.entry(name, self.folder, **changes.get(name, {}))
                for name in self.idp.clients]

    def options(self):
        return {"keys": self.ring, "key_socket": self.fetched.socket,
                "allow": [SAID]}

    def more(self):
        return self._listen + served(self.ring) + """
        location /publisher { return 200 "the book"; }"""

    def pupil(self):
        """The login of somebody new, who has a right to the book."""
        login = next(self._pupils)
        user = names.user_key(self.edge.pepper, "ECK",
                              self.accounts[login]["eckid"])
        self.redis("HSET", names.user_hash("S1", user), "book",
                   names.right())
        return login

    def sessions(self, login):
        user = names.user_key(self.edge.pepper, "ECK",
                              self.accounts[login]["eckid"])
        return [key for key in self.redis("KEYS", "session:*")
                if self.redis("HGET", key, "user") == user]


class Person:
    """In a browser; everything that a click leads to is one page."""

    def __init__(self, hall, login=None):
        self.hall, self.login = hall, login or hall.pupil()
        self.browser = walk.Browser()

    def cookies(self):
        return {cookie.name: cookie.value for cookie in self.browser.jar}

    def forget(self, *words):
        """Cookies of Leerpoort's: all, or those named."""
        for cookie in list(self.browser.jar):
            if cookie.name in words or (
                    not words and cookie.name.startswith("leerpoort")):
                self.browser.jar.clear(cookie.domain, cookie.path,
                                       cookie.name)

    def click(self, target=BOOK):
        return self.browser.open(self.hall.public + target)

    def choose(self, name, target=BOOK):
        """The provider's first page: a click, and a choice."""
        page = self.click(target)
        link = re.search(rf'href="(/sso/login\?provider={name}&[^"]*)"',
                         page.text)
        assert link, page.text
        return self.click(html.unescape(link[1]))

    def sign_in(self, name="basic"):
        page = self.hall.idp.sign_in(self.browser, self.choose(name),
                                     self.login)
        self.reads(page)
        return self

    def reads(self, page=None):
        """They are at the publisher; without a page, after one more click."""
        page = page or self.click()
        assert (page.status, page.text) == (200, "the book"), (
            page.url, page.text)
        assert page.url == self.hall.public + "/publisher/ch/3"

    def is_asked(self):
        """The edge does not take what this browser has."""
        sent = "; ".join(f"{name}={v}" for name, v in self.cookies().items())
        answer = self.hall.edge.click(BOOK, headers=[("Cookie", sent)])
        assert answer.status == 302
        return answer.location.startswith(self.hall.public + "/sso/login")


@pytest.fixture(scope="module")
def hall(tmp_path_factory):
    with Hall(tmp_path_factory.mktemp("hall")) as hall:
        yield hall


@pytest.mark.parametrize("name", ["basic", "post", "rsa", "ec", "public"])
def test_the_whole_way_through_an_oidc_provider(hall, name):
    person = Person(hall)
    page = person.choose(name)
    assert page.url.startswith(hall.idp.issuers[name] + "/interaction/"), (
        page.text)
    page = hall.idp.sign_in(person.browser, page, person.login)
    person.reads(page)
    assert sum("/sso/callback?" in url for url in person.browser.trail) == 1
    assert hall.idp.event("grant.success", name)
    person.reads()
    assert len(person.browser.trail) == 2   # the click, and the book
    [session] = hall.sessions(person.login)
    assert hall.redis("HMGET", session, "school", "provider") == ["S1", name]


def test_leerpoort_keys_fetched_what_the_providers_publish(hall):
    eventually("leerpoort-keys says so",
               lambda: hall.fetched.status()[0] == 0, 10)
    for name, issuer in hall.idp.issuers.items():
        found = json.loads(hall.fetched.discovery(name).read_text())
        assert found["issuer"] == issuer
        assert hall.fetched.kids(name) == {"rsa", "pss", "ec"}


def test_a_key_that_is_not_there_yet_is_fetched_while_they_wait(hall):
    """As where the provider has changed its keys a moment ago."""
    person = Person(hall)
    page = person.choose("basic")
    write_jwks(hall.fetched.jwks("basic"), [make_key("RS256", "former")])
    person.reads(hall.idp.sign_in(person.browser, page, person.login))
    assert hall.fetched.kids("basic") == {"rsa", "pss", "ec"}


def test_who_is_signed_in_there_sees_no_screen(hall):
    person = Person(hall).sign_in("post")
    person.forget()
    person.reads(person.choose("post"))
    assert any("/auth?" in url for url in person.browser.trail)
    assert len(hall.sessions(person.login)) == 2


def test_a_provider_that_may_not_show_a_screen(hall):
    """prompt=none: an error while nobody is signed in there, else no screen."""
    person = Person(hall)
    page = person.choose("silent")
    turned_away(person, page, "silent")
    # signs in there by another way; what comes back was never asked for
    page = person.browser.open(hall.idp.issuers["silent"] + "/auth?"
                               + urllib.parse.urlencode({
        "client_id": "leerpoort", "response_type": "code", "scope": "openid",
        "redirect_uri": f"{hall.public}/sso/callback",
        "state": secrets.token_urlsafe(32), "nonce": "n",
        "code_challenge": "A" * 43, "code_challenge_method": "S256"}))
    page = hall.idp.sign_in(person.browser, page, person.login)
    assert page.headers["Leerpoort-Outcome"] == "sign-in-old", page.text
    assert not hall.sessions(person.login)
    # a choice that led nowhere is not kept
    person.reads(person.choose("silent"))
    assert hall.sessions(person.login)


def turned_away(person, page, name):
    """A page of ours with a support code, and a link that begins anew."""
    assert page.url.startswith(person.hall.public + "/sso/callback?")
    assert page.headers["Leerpoort-Outcome"] == "sign-in-refused"
    assert page.headers["Leerpoort-Code"] in page.text
    assert not person.hall.sessions(person.login)
    again = html.unescape(re.search(r'href="(/sso/login\?[^"]*)"',
                                    page.text)[1])
    sent = dict(urllib.parse.parse_qsl(again.partition("?")[2]))
    assert sent == {"return": BOOK, "provider": name}
    return again


def test_who_breaks_off_at_the_provider_gets_a_page_of_ours(hall):
    person = Person(hall)
    page = person.choose("basic")
    abort = re.search(r'href="([^"]*/abort)"', page.text)[1]
    page = person.browser.open(urllib.parse.urljoin(page.url, abort))
    assert "error=access_denied" in page.url
    again = turned_away(person, page, "basic")
    assert "aborted" not in page.text       # its words are not ours
    page = person.click(again)
    person.reads(hall.idp.sign_in(person.browser, page, person.login))


def test_an_account_that_is_nobody_s_here(hall):
    """A pupil without any right, and then one."""
    person = Person(hall)
    user = names.user_key(hall.edge.pepper, "ECK",
                          hall.accounts[person.login]["eckid"])
    hall.redis("DEL", names.user_hash("S1", user))
    page = hall.idp.sign_in(person.browser, person.choose("basic"),
                            person.login)
    assert page.status == 403 and page.url == hall.public + BOOK
    assert page.headers["Leerpoort-Outcome"] == "no-right"
    hall.redis("HSET", names.user_hash("S1", user), "book", names.right())
    eventually("the right is seen", lambda: person.click().status == 200)


# --- signing out --------------------------------------------------------------

def sign_out(person):
    """By Leerpoort's button; the page that leads on to the provider."""
    page = person.browser.send(person.click("/sso/logout"))
    assert page.status == 200
    return page


def test_signing_out_goes_on_at_the_provider_and_comes_back(hall):
    person = Person(hall).sign_in("basic")
    page = sign_out(person)
    assert not hall.sessions(person.login)
    page = person.browser.open(page.headers["Refresh"].partition("url=")[2])
    assert page.url.startswith(hall.idp.issuers["basic"] + "/session/end?")
    page = person.browser.send(page)        # yes, sign me out
    assert page.url == hall.public + "/sso/logout?done"
    assert page.status == 200 and "uitgelogd" in page.text
    # it ended there as well, and told us: there was nothing left to end
    assert hall.idp.event("backchannel.success", "basic")
    page = person.click()
    assert "password" in page.forms[0][2], page.text


def test_signing_out_at_the_provider_ends_our_session(hall):
    """Its logout token comes through nginx; the edge refuses the session's
    token before anybody is told that they are signed out."""
    person, other = Person(hall).sign_in("rsa"), Person(hall).sign_in("rsa")
    device = Person(hall, person.login).sign_in("rsa")
    before = person.cookies()
    assert {"leerpoort", "leerpoort-session"} <= set(before)
    person.reads()
    page = person.browser.open(hall.idp.issuers["rsa"] + "/session/end")
    page = person.browser.send(page)
    assert page.url.startswith(hall.idp.issuers["rsa"] + "/session/end/")
    assert hall.idp.event("backchannel.success", "rsa")
    assert person.cookies()["leerpoort"] == before["leerpoort"]
    eventually("the edge refuses the token", person.is_asked, 2, 0.0005)
    assert len(hall.sessions(person.login)) == 1
    page = person.click()
    assert "password" in page.forms[0][2], page.text
    # that was one session there: another device's goes on, by one redirect
    device.reads()
    other.reads()
    assert len(other.browser.trail) == 2


# --- several of them ----------------------------------------------------------

def test_two_providers_in_two_tabs(hall):
    person = Person(hall)
    first = person.choose("basic")
    second = person.choose("post")
    person.reads(hall.idp.sign_in(person.browser, second, person.login))
    person.reads(hall.idp.sign_in(person.browser, first, person.login))
    [session] = hall.sessions(person.login)     # of a browser there is one
    assert hall.redis("HGET", session, "provider") == "basic"


class WithoutIss(urllib.request.BaseHandler):
    """Somebody on the way takes iss out of what a browser asks for."""

    def http_request(self, request):
        request.full_url = re.sub("&iss=[^&]*", "", request.full_url)
        return request


@pytest.mark.parametrize("told", [True, False])
def test_a_mix_up_of_two_providers(hall, told):
    """The answer of one, into a sign-in that began at another: with iss, as
    oidc-provider gives it, and where somebody took that out. The code must not
    be sent to either."""
    person = Person(hall)
    person.choose("basic")
    asked = next(url for url in person.browser.trail if "/auth?" in url)
    sent = dict(urllib.parse.parse_qsl(asked.partition("?")[2]))
    wrong = hall.idp.issuers["silent"]
    # there, client id, redirect URI and everything else are as good
    page = person.browser.open(f"{wrong}/auth?" + urllib.parse.urlencode(sent))
    if not told:
        person.browser._opener.add_handler(WithoutIss())
    hall.idp.rest()
    page = hall.idp.sign_in(person.browser, page, person.login)
    assert page.url.startswith(hall.public + "/sso/callback?code=")
    came = eventually("nginx logs it", lambda: re.findall(
        rf"GET /sso/callback\S+&state={sent['state']}(\S*)",
        hall.edge.nginx.access_log.read_text()), 10)
    assert came == ["&iss=" + urllib.parse.quote(wrong, "") if told else ""]
    assert page.headers["Leerpoort-Outcome"] == "sign-in-wrong", page.text
    assert not hall.sessions(person.login)
    Person(hall).sign_in("public")      # and this is the first of its kind
    assert hall.idp.next()["event"] == "grant.success"
    assert hall.idp.happened() == []


# --- a platform ---------------------------------------------------------------

class Published:
    """A key of jose's, as lib.lms lists its own."""

    def __init__(self, jwk):
        self._jwk = jwk

    def jwk(self):
        return self._jwk


class Platform(Lms):
    """An LMS whose messages are signed by npm's jose; leerpoort-keys fetches
    its keys."""

    def __init__(self, jose):
        super().__init__()
        self.jose, self.alg = jose, "RS256"
        self.keys = [Published(jwk) for jwk in jose.jwks()["keys"]]

    def entry(self, **changes):
        return super().entry(algorithms=["RS256", "ES256", "PS256"],
                             **changes)

    def token(self, nonce, **hint):
        claims = {**self.message(nonce, **hint), **self.claims}
        return self.jose.sign(claims, alg=self.alg)

    def publish(self, folder):
        own = folder.parent / "fetching"
        own.mkdir()
        code, said = Keys(own, lti=folder.parent / "lti.json",
                          key_files=folder).once()
        assert code == 0, said


class Campus(Gate):
    """A gate with a ring, whose keys everybody may fetch."""

    def _open(self, stack):
        self.ring = self.ring_folder / "ring"
        self.ring.mkdir(mode=0o700)
        rotate(self.ring, "RS256")
        super()._open(stack)

    def options(self):
        return {"keys": self.ring}

    def _locations(self):
        return super()._locations() + served(self.ring)

    def sell(self, pupil, product="exercise"):
        """What a seller's entitlement is in Redis, before its first use."""
        self.redis("HSET", names.product_hash(product), "url",
                   f"https://publisher.example/{product}", "deep",
                   f"https://publisher.example/{product}/{{path}}",
                   "licence", "schoolyear")
        entitlement = names.entitlement(pupil.key())
        self.redis("HSET", f"x:{{{names.shard(entitlement[:3])}}}:"
                   f"{entitlement[:3]}", entitlement[3:], names.shard("S1"))
        record = {"party": "00000001234567890000", "type": "school-student",
                  "status": "entitled", "product": product, "school": "S1",
                  "from": "20200101", "until": "20991231",
                  "user": pupil.key()}
        self.redis("HSET", f"e:{{{names.shard('S1')}}}:{entitlement}",
                   *(word for pair in record.items() for word in pair))
        pupil.grant(product, names.right("E", name=pupil.key()))
        return pupil


@pytest.fixture(scope="module")
def jose():
    with Jose() as jose:
        yield jose


@pytest.fixture(scope="module")
def campus(jose, tmp_path_factory):
    lms = Platform(jose).start()
    campus = Campus(lms, allow=[REFUSED])
    campus.ring_folder = tmp_path_factory.mktemp("campus")
    try:
        with campus:
            yield campus
    finally:
        lms.stop()
    assert not lms.complaints


@pytest.fixture
def lms(campus):
    campus.lms.reset()
    campus.lms.alg = "RS256"
    return campus.lms


@pytest.mark.parametrize("alg", ["RS256", "ES256", "PS256"])
def test_a_launch_that_jose_signed_opens_the_book(campus, lms, alg):
    """Its first click is the activation; no cookie is kept in the frame."""
    lms.alg = alg
    pupil = campus.sell(campus.pupil())
    frame = Frame(campus, keeps=False)
    for _ in range(2):
        response = frame.launch(lms, "/go/exercise/1")
        assert (response.status, response.location) == (
            302, "https://publisher.example/exercise/1"), response.body
        assert campus.redis("HGET", pupil.hash(), "exercise").startswith("L ")


def test_a_launch_that_jose_signed_for_another_tool(campus, lms):
    campus.sell(campus.pupil())
    for changes in ({"aud": "another"}, {"iss": "https://other.example"},
                    {"exp": int(time.time()) - 3600, "iat": 1},
                    {"nonce": "another"}):
        lms.claims = changes
        response = Frame(campus).launch(lms, "/go/exercise")
        assert response.status == 400 and response.location is None, changes


def test_what_a_teacher_picked_is_verified_by_jose(campus, lms, jose):
    """With keys that jose fetches itself, by the address that an LMS has."""
    campus.redis("HSET", "products", "book", "Het boek")
    lms.roles = [MEMBERSHIP + "Instructor"]
    page = Frame(campus, keeps=False).launch(lms, "/go/", deep=True)
    assert page.status == 200, page
    [(_, _, fields)] = walk.Forms(page.body.decode()).found
    page = Frame(campus, keeps=False).post("/lti/pick", {
        **fields, "item": "book", "do": "put"})
    [(method, action, fields)] = walk.Forms(page.body.decode()).found
    assert (method, action) == ("post", f"{lms.issuer}/back")
    where = f"http://127.0.0.1:{campus.edge.port}/.well-known/jwks.json"

    def verify(audience=lms.issuer, issuer=lms.client):
        return jose.verify(fields["JWT"], where, issuer, audience,
                           algorithms=["RS256"], maxTokenAge="10m",
                           requiredClaims=["exp", "iat", "nonce"])

    found = verify()
    claims = found["payload"]
    assert found["header"]["alg"] == "RS256"
    assert claims[LTI + "message_type"] == "LtiDeepLinkingResponse"
    assert claims[LTI + "deployment_id"] == lms.deployment
    assert claims[DL + "data"] == "opaque"
    [item] = claims[DL + "content_items"]
    assert item["custom"] == {"product": "book"}
    for wrong in ({"audience": lms.client}, {"issuer": lms.issuer}):
        assert verify(**wrong) == {"error": "ERR_JWT_CLAIM_VALIDATION_FAILED"}
