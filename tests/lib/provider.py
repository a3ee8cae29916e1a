"""A school's identity provider on loopback: OpenID Connect as a careful one
does it, and every bad day that a test asks for.

    with Provider("school") as provider:
        provider.claims = {"eckid": ..., "org": "S1"}    # of whoever signs in
        provider.publish(folder)        # what leerpoort-keys would have fetched
        ... "providers": [provider.entry(folder)] in sso.json ...

Whoever comes to /authorize is somebody at once, as with a hub that knows the
browser already; with page=True after a click on a page. What a careful
provider would complain of is in .complaints, and the block fails for it.
"""

import base64
import hashlib
import html
import json
import pathlib
import secrets
import threading
import time
import urllib.parse

import jwt

from lib.names import base64url
from lib.process import free_port
from lib.stand_in import StandIn, act, body_of, reply
from lib.tokens import compact, make_key, replace, write_jwks

BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LOGOUT = "http://schemas.openid.net/event/backchannel-logout"
WAIT = 60                # seconds that an answer is held back at most


def sub_hash(token, alg):
    """at_hash of an access token."""
    size = "512" if alg == "EdDSA" else alg[2:]
    digest = hashlib.new(f"sha{size}", token.encode()).digest()
    return base64url(digest[:len(digest) // 2])


class Answer(Exception):
    """Ends the handling of a request with this."""

    def __init__(self, status, headers=None, body=b""):
        super().__init__(status)
        self.parts = status, headers or {}, body


def as_json(status, document, headers=None):
    return Answer(status, {"Content-Type": "application/json",
                           **(headers or {})}, json.dumps(document).encode())


class Provider:
    """One provider. Attributes that may be changed at any time:

    claims: further claims of the id_token; sub: its subject, sid: of its
    session (None: none). userinfo: claims of userinfo beside sub; None: there
    is no userinfo. id_token: changes of the id_token's claims as it is made (a
    value of None leaves a claim out), or a function of the claims that gives
    them, or bytes/text of a whole token. header: changes of its header.
    signer: a Key in place of the published one. at_hash: whether there is one.
    authorize: a function of the query's parameters that gives the parameters
    of the way back in place of code, state and iss. iss_parameter: whether
    the way back names the issuer, and discovery says so.
    faults: {"token": ...} for "token", "userinfo", "jwks", "discovery": an
    answer in place of the proper one, as stand_in.act() takes it, or a
    function of the form that gives one or None.
    gate: an Event for each of the same; cleared, answers are held back.
    page: /authorize shows a page first.
    """

    def __init__(self, name="school", client_id="leerpoort", secret=None,
                 auth="client_secret_basic", algs=("ES256",),
                 certificate=None, sub="pupil-1", claims=None,
                 redirect_uris=None):
        self.name = name
        self.client_id = client_id
        self.secret = secret or "s:e c/r+e%t-" + secrets.token_urlsafe(8)
        self.auth = auth
        self.assertion_key = None       # (public key, algorithm)
        self.certificate = certificate  # (cert, key) files
        self.redirect_uris = redirect_uris
        self.sub, self.sid = sub, None
        self.claims = claims or {}
        self.userinfo = None
        self.id_token = {}
        self.header = {}
        self.signer = None
        self.at_hash = True
        self.lifetime = 300
        self.clock = time.time
        self.authorize = None
        self.iss_parameter = True
        self.page = False
        self.metadata = {}              # changes of the discovery document
        self.faults = {}
        self.gate = {}
        for place in ("token", "userinfo", "jwks", "discovery"):
            self.gate[place] = threading.Event()
            self.gate[place].set()
        self.asked = {}                 # path -> number of requests
        self.complaints = []
        self.codes = {}                 # code -> its authorization request
        self.used = set()
        self.tokens = {}                # access token -> sub
        self.issued = []                # id_tokens
        self.algs = list(algs)
        self.generation = 0
        self.keys = []
        self.rotate(keep=False)
        self.port = free_port()
        self.waiting = 0                # requests that are held back
        self._lock = threading.Lock()
        self._server = StandIn(self.port, self._handle, certificate)

    # -- the keys --------------------------------------------------------------

    def rotate(self, keep=True):
        """New keys; the old ones stay published where keep."""
        self.generation += 1
        fresh = [make_key(alg, f"{self.name}-{alg.lower()}-{self.generation}",
                          index=self.generation % 2) for alg in self.algs]
        self.keys = fresh + (self.keys if keep else [])

    def key(self, alg=None):
        return next(key for key in self.keys
                    if key.alg == (alg or self.algs[0]))

    # -- what leerpoort-sso is told --------------------------------------------

    @property
    def issuer(self):
        return f"{'https' if self.certificate else 'http'}://" \
               f"127.0.0.1:{self.port}"

    def discovery(self):
        document = {
            "issuer": self.issuer,
            "authorization_endpoint": self.issuer + "/authorize",
            "token_endpoint": self.issuer + "/token",
            "jwks_uri": self.issuer + "/jwks",
            "end_session_endpoint": self.issuer + "/end_session",
            "response_types_supported": ["code"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": self.algs,
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": [self.auth],
            "userinfo_endpoint": self.issuer + "/userinfo",
            "authorization_response_iss_parameter_supported":
                self.iss_parameter}
        document.update(self.metadata)
        return {name: v for name, v in document.items() if v is not None}

    def publish(self, folder):
        """Writes what leerpoort-keys would have fetched."""
        folder = pathlib.Path(folder)
        replace(folder / f"{self.name}.discovery.json",
                json.dumps(self.discovery()))
        write_jwks(folder / f"{self.name}.jwks.json", self.keys)

    def entry(self, folder, **changes):
        """Its place in sso.json; the secret goes into a file in folder."""
        entry = {"name": self.name, "title": f"Provider {self.name}",
                 "issuer": self.issuer, "clientId": self.client_id,
                 "authentication": self.auth, "scope": "openid",
                 "users": [{"claim": "eckid", "idType": "ECK"},
                           {"claim": "nlEduPersonRealId", "idType": "NEPPI"}],
                 "schools": [{"claim": "org", "idType": "MASTER"},
                             {"claim": "brin", "idType": "OIE_CODE"}],
                 "employees": [{"claim": "affiliation", "value": "employee"}],
                 "algorithms": self.algs, "leeway": 30}
        if self.auth.startswith("client_secret"):
            file = pathlib.Path(folder) / f"{self.name}.secret"
            file.touch(0o600)
            file.write_text(self.secret + "\n")
            entry["clientSecretFile"] = str(file)
        entry.update(changes)
        return {name: v for name, v in entry.items() if v is not None}

    # -- tokens ----------------------------------------------------------------

    def mint(self, claims, header=None, key=None):
        key = key or self.signer or self.key()
        head = {"alg": key.alg, "kid": key.kid, "typ": "JWT",
                **self.header, **(header or {})}
        head = {name: v for name, v in head.items() if v is not None}
        claims = {name: v for name, v in claims.items() if v is not None}
        return compact(head, claims, key.sign)

    def make_id_token(self, nonce, access_token=None, sub=None):
        now = int(self.clock())
        claims = {"iss": self.issuer, "aud": self.client_id,
                  "sub": self.sub if sub is None else sub, "iat": now,
                  "exp": now + self.lifetime, "nonce": nonce,
                  "sid": self.sid, **self.claims}
        if access_token and self.at_hash:
            key = self.signer or self.key()
            claims["at_hash"] = sub_hash(access_token, key.alg)
        changed = self.id_token
        if callable(changed):
            changed = changed(claims)
        if isinstance(changed, (str, bytes)):
            return changed.decode() if isinstance(changed, bytes) else changed
        return self.mint({**claims, **changed})

    def logout_token(self, **changes):
        """For a back-channel logout of the present sub and sid."""
        now = int(self.clock())
        claims = {"iss": self.issuer, "aud": self.client_id, "iat": now,
                  "exp": now + 120, "jti": secrets.token_urlsafe(16),
                  "sub": self.sub, "sid": self.sid, "events": {LOGOUT: {}}}
        header = {"typ": "logout+jwt", **changes.pop("header", {})}
        key = changes.pop("key", None)
        return self.mint({**claims, **changes}, header, key)

    # -- running ---------------------------------------------------------------

    def start(self):
        self._server.start()
        return self

    def stop(self):
        """Nobody listens any more; open connections break."""
        for gate in self.gate.values():
            gate.set()
        self._server.stop()

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *exc):
        self.stop()
        if kind is None:
            assert not self.complaints, self.complaints

    # -- inside ----------------------------------------------------------------

    def complain(self, text):
        with self._lock:
            self.complaints.append(text)

    def _handle(self, handler):
        body = body_of(handler)
        path, _, query = handler.path.partition("?")
        place = path.rpartition("/")[2]
        place = "discovery" if place == "openid-configuration" else place
        with self._lock:
            self.asked[path] = self.asked.get(path, 0) + 1
        form = dict(urllib.parse.parse_qsl((body or query.encode()).decode(),
                                           keep_blank_values=True))
        try:
            self._hold(place)
            fault = self.faults.get(place)
            fault = fault(form) if callable(fault) else fault
            if fault is not None:
                act(handler, fault)
                return
            routes = {"authorize": self._authorize, "token": self._token,
                      "userinfo": self._userinfo,
                      "end_session": self._end_session}
            if place == "jwks":
                raise as_json(200, {"keys": [k.jwk() for k in self.keys]},
                              {"Cache-Control": "max-age=60"})
            if place == "discovery":
                raise as_json(200, self.discovery())
            if place not in routes:
                raise Answer(404)
            routes[place](form, handler)
        except Answer as answer:
            reply(handler, *answer.parts)

    def _hold(self, place):
        gate = self.gate.get(place)
        if gate is None or gate.is_set():
            return
        with self._lock:
            self.waiting += 1
        gate.wait(WAIT)
        with self._lock:
            self.waiting -= 1

    def _check_request(self, form):
        """What RFC 6749, 7636 and OpenID Connect ask of the request."""
        wrong = [text for text, ok in (
            ("response_type", form.get("response_type") == "code"),
            ("client_id", form.get("client_id") == self.client_id),
            ("scope", "openid" in form.get("scope", "").split()),
            ("state", len(form.get("state", "")) >= 22),
            ("nonce", len(form.get("nonce", "")) >= 22),
            ("redirect_uri", "redirect_uri" in form and (
                self.redirect_uris is None
                or form["redirect_uri"] in self.redirect_uris)),
            ("code_challenge_method",
             form.get("code_challenge_method") == "S256"),
            ("code_challenge", len(form.get("code_challenge", "")) == 43),
        ) if not ok]
        if wrong:
            self.complain(f"authorization request: {wrong}")
            raise Answer(400, {}, ("bad request: " + ", ".join(wrong)).encode())

    def _authorize(self, form, handler):
        self._check_request(form)
        if self.page and "yes" not in form:
            fields = "".join(
                f'<input type="hidden" name="{html.escape(name)}" '
                f'value="{html.escape(value)}">' for name, value in
                [*form.items(), ("yes", "1")])
            raise Answer(200, {"Content-Type": "text/html; charset=utf-8"}, (
                "<!doctype html><html lang=nl><title>Provider</title>"
                f"<h1>{html.escape(self.name)}</h1><form>{fields}"
                "<button id=sign-in>Inloggen</button></form></html>").encode())
        back = self.answer_to(form)
        joint = "&" if "?" in form["redirect_uri"] else "?"
        raise Answer(303, {"Location": form["redirect_uri"] + joint
                           + urllib.parse.urlencode(back)})

    def answer_to(self, form):
        """The parameters of the way back for an authorization request."""
        if self.authorize is not None:
            return self.authorize(form)
        back = {"code": self.make_code(form), "state": form["state"]}
        if self.iss_parameter:
            back["iss"] = self.issuer
        return back

    def make_code(self, form):
        code = secrets.token_urlsafe(24)
        with self._lock:
            self.codes[code] = {**form, "sub": self.sub}
        return code

    def _token(self, form, handler):
        if handler.command != "POST" or not (
                handler.headers["Content-Type"] or "").startswith(
                    "application/x-www-form-urlencoded"):
            self.complain("the token request is no posted form")
            raise as_json(400, {"error": "invalid_request"})
        if not self._is_client(form, handler.headers):
            raise as_json(401, {"error": "invalid_client"})
        with self._lock:
            asked = self.codes.pop(form.get("code"), None)
            if asked is not None:
                self.used.add(form["code"])
        if asked is None:
            raise as_json(400, {"error": "invalid_grant"})
        self._check_grant(form, asked)
        access_token = "at-" + secrets.token_urlsafe(24)
        id_token = self.make_id_token(asked["nonce"], access_token,
                                      asked["sub"])
        with self._lock:
            self.tokens[access_token] = asked["sub"]
            self.issued.append(id_token)
        raise as_json(200, {"access_token": access_token,
                            "token_type": "Bearer", "expires_in": 600,
                            "id_token": id_token},
                      {"Cache-Control": "no-store"})

    def _check_grant(self, form, asked):
        verifier = form.get("code_verifier", "")
        challenge = base64url(hashlib.sha256(verifier.encode()).digest())
        wrong = [text for text, ok in (
            ("grant_type", form.get("grant_type") == "authorization_code"),
            ("redirect_uri",
             form.get("redirect_uri") == asked["redirect_uri"]),
            ("code_verifier", 43 <= len(verifier) <= 128
             and challenge == asked["code_challenge"]),
        ) if not ok]
        if wrong:
            self.complain(f"token request: {wrong}")
            raise as_json(400, {"error": "invalid_grant"})

    def _is_client(self, form, headers):
        scheme, _, value = (headers["Authorization"] or "").partition(" ")
        if self.auth == "client_secret_basic":
            if scheme != "Basic" or "client_secret" in form:
                return False
            user, _, password = base64.b64decode(value).decode() \
                .partition(":")
            return (urllib.parse.unquote_plus(user),
                    urllib.parse.unquote_plus(password)) \
                == (self.client_id, self.secret)
        if scheme or form.get("client_id", self.client_id) != self.client_id:
            return False
        if self.auth == "client_secret_post":
            return form.get("client_secret") == self.secret
        if self.auth == "private_key_jwt":
            return self._is_assertion(form)
        return "client_id" in form and "client_secret" not in form

    def _is_assertion(self, form):
        try:
            claims = jwt.decode(
                form["client_assertion"], self.assertion_key[0],
                algorithms=[self.assertion_key[1]],
                audience=self.issuer + "/token",
                options={"require": ["iss", "sub", "aud", "exp", "jti"]})
        except (jwt.PyJWTError, KeyError) as error:
            self.complain(f"assertion: {error!r}")
            return False
        return form.get("client_assertion_type") == BEARER \
            and claims["iss"] == claims["sub"] == self.client_id

    def _userinfo(self, form, handler):
        del form
        token = (handler.headers["Authorization"] or "")[len("Bearer "):]
        sub = self.tokens.get(token)
        if sub is None or self.userinfo is None:
            raise as_json(401, {"error": "invalid_token"},
                          {"WWW-Authenticate": "Bearer"})
        raise as_json(200, {"sub": sub, **self.userinfo})

    def _end_session(self, form, handler):
        del handler
        back = form.get("post_logout_redirect_uri")
        if back is None:
            raise Answer(200, {"Content-Type": "text/plain"}, b"signed out")
        if "state" in form:
            back += ("&" if "?" in back else "?") + urllib.parse.urlencode(
                {"state": form["state"]})
        raise Answer(303, {"Location": back})
