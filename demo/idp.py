"""The demo's identity provider: the sign-in of two schools that do not exist.

It is no part of Leerpoort, and no example of how to write one: nobody has a
password here. It speaks OpenID Connect as far as the demo needs it: discovery,
authorisation code with PKCE, sign-out, and back-channel logout when somebody
else sits down at the same browser.
"""

import base64
import hashlib
import http.client
import secrets
import threading
import time
import urllib.parse
import uuid

import cast
import pages
from small_server import Small, Visit, mint, with_query

CLIENT = "leerpoort"
COOKIE = "wie"      # the portal, which is the school's too, reads it as well
PATIENCE = 10       # seconds
NOBODY = "Niemand heet zo. / Nobody has that name.\n"
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"


class IdentityProvider(Small):
    """One for both schools, as a federation's hub would be."""

    def __init__(self, port, program, folder, leerpoort, portal):
        self.program, self.folder = program, folder
        self.leerpoort, self.portal = leerpoort, portal
        self.secret = secrets.token_urlsafe(24)
        self.codes = {}     # code -> what was asked for, by whom
        self.sessions = {}  # who -> sid, of those that Leerpoort heard of
        self.asked = {}     # an authorisation request that waits for somebody
        self._lock = threading.Lock()
        provider = self

        class Handler(Visit):
            def do_GET(self):
                provider.get(self)

            def do_POST(self):
                provider.post(self)

        super().__init__(port, Handler)

    # --- what everybody may read ---

    def discovery(self):
        return {
            "issuer": self.address,
            "authorization_endpoint": f"{self.address}/authorize",
            "token_endpoint": f"{self.address}/token",
            "jwks_uri": f"{self.address}/jwks",
            "end_session_endpoint": f"{self.address}/uit",
            "response_types_supported": ["code"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
            "backchannel_logout_supported": True,
            "backchannel_logout_session_supported": True}

    def get(self, visit):
        where = visit.where()
        if where == "/.well-known/openid-configuration":
            visit.send_json(200, self.discovery())
        elif where == "/jwks":
            visit.send(200, (self.folder / "idp.jwks").read_text(),
                       "application/json")
        elif where == "/authorize":
            self.authorize(visit)
        elif where == "/kies":
            visit.send(200, pages.login(self.address))
        elif where.startswith("/als/"):
            self.sit_down(visit, where.rpartition("/")[2])
        elif where.startswith("/bewijs/"):
            self.vouch(visit, where.rpartition("/")[2])
        elif where == "/uit":
            self.leave(visit)
        elif where == "/stijl.css":
            visit.send(200, pages.STYLE, "text/css")
        else:
            visit.send(404, "Hier is niets. / Nothing here.\n", "text/plain")

    # --- signing in ---

    def wrong(self, asked):
        """What is wrong with an authorisation request; "": nothing."""
        if asked.get("client_id") != CLIENT:
            return "client_id"
        if asked.get("redirect_uri") != f"{self.leerpoort}/sso/callback":
            return "redirect_uri"
        if asked.get("response_type") != "code":
            return "response_type"
        if asked.get("code_challenge_method") != "S256":
            return "code_challenge_method"
        return ""

    def authorize(self, visit):
        asked = visit.query()
        wrong = self.wrong(asked)
        if wrong:
            visit.send(400, f"{wrong}: niet zoals afgesproken\n", "text/plain")
            return
        who = visit.cookie(COOKIE)
        if who in cast.BY_NAME:
            visit.go(self.code_for(who, asked))
            return
        name = secrets.token_urlsafe(12)
        with self._lock:
            self.asked[name] = asked
        visit.send(200, pages.login(self.address, name))

    def code_for(self, who, asked):
        """The way back to Leerpoort, with a code that is good once."""
        code = secrets.token_urlsafe(24)
        with self._lock:
            self.codes[code] = (who, asked, time.monotonic())
        return with_query(asked["redirect_uri"], code=code,
                          state=asked.get("state", ""), iss=self.address)

    def sit_down(self, visit, who):
        """Somebody was chosen. Whoever sat here before is signed out."""
        if who not in cast.BY_NAME:
            visit.send(404, NOBODY, "text/plain")
            return
        before = visit.cookie(COOKIE)
        if before != who:
            self.sign_out(before)
        with self._lock:
            asked = self.asked.pop(visit.query().get("aanvraag", ""), None)
        visit.go(self.code_for(who, asked) if asked else self.portal,
                 ("Set-Cookie", f"{COOKIE}={who}; Path=/; HttpOnly; "
                                "SameSite=Lax"))

    def vouch(self, visit, who):
        """A token of the portal's, for the shell."""
        person = cast.BY_NAME.get(who)
        if person is None:
            visit.send(404, NOBODY, "text/plain")
            return
        token = mint(self.program, self.folder / "key.jwk", cast.ISSUER,
                     cast.AUDIENCE, dict([person.claim, person.school.claim]))
        visit.send(200, token + "\n", "text/plain")

    def leave(self, visit):
        self.sign_out(visit.cookie(COOKIE))
        visit.go(self.portal,
                 ("Set-Cookie", f"{COOKIE}=; Path=/; Max-Age=0"))

    def sign_out(self, who):
        """Back-channel logout: Leerpoort ends the session at once."""
        with self._lock:
            sid = self.sessions.pop(who, None)
        if sid is None:
            return
        token = mint(self.program, self.folder / "idp.jwk", self.address,
                     CLIENT, {"sid": sid, "jti": uuid.uuid4().hex,
                              "events": {LOGOUT_EVENT: {}}},
                     life=120, typ="logout+jwt")
        place = urllib.parse.urlsplit(self.leerpoort)
        connection = http.client.HTTPConnection(place.hostname, place.port,
                                                timeout=PATIENCE)
        try:
            connection.request(
                "POST", "/sso/backchannel",
                urllib.parse.urlencode({"logout_token": token}),
                {"Content-Type": "application/x-www-form-urlencoded"})
            connection.getresponse().read()
        except OSError:
            pass    # Leerpoort is stopping
        finally:
            connection.close()

    # --- the code becomes tokens ---

    def post(self, visit):
        if visit.where() != "/token":
            visit.send(404, b"")
            return
        form = visit.form()
        wanted = base64.b64encode(f"{CLIENT}:{self.secret}".encode()).decode()
        if visit.headers.get("Authorization") != f"Basic {wanted}":
            visit.send_json(401, {"error": "invalid_client"})
            return
        with self._lock:
            found = self.codes.pop(form.get("code", ""), None)
        if found is None or time.monotonic() - found[2] > 60 \
                or not self.proves(form, found[1]):
            visit.send_json(400, {"error": "invalid_grant"})
            return
        who, asked, _ = found
        visit.send_json(200, {
            "access_token": secrets.token_urlsafe(24), "token_type": "Bearer",
            "expires_in": 300, "id_token": self.id_token(who, asked)})

    @staticmethod
    def proves(form, asked):
        """PKCE (RFC 7636)."""
        digest = hashlib.sha256(form.get("code_verifier", "").encode())
        challenge = base64.urlsafe_b64encode(digest.digest()).rstrip(b"=")
        return (challenge.decode() == asked.get("code_challenge")
                and form.get("redirect_uri") == asked["redirect_uri"])

    def id_token(self, who, asked):
        person = cast.BY_NAME[who]
        with self._lock:
            sid = self.sessions.setdefault(who, secrets.token_urlsafe(12))
        claims = {"sub": hashlib.sha256(f"{CLIENT}|{who}".encode())
                  .hexdigest()[:32], "sid": sid,
                  "role": "student" if person.id_type == "ECK"
                  else "employee"}
        if "nonce" in asked:
            claims["nonce"] = asked["nonce"]
        claim, id_ = person.claim
        claims["neppi" if claim == "sub" else claim] = id_
        claims.update([person.school.claim])
        return mint(self.program, self.folder / "idp.jwk", self.address,
                    CLIENT, claims)


def provider_of(idp):
    """Its entry in sso.json."""
    return {
        "name": "schoolinlog", "title": {"nl": "Schoolinlog (demo)",
                                         "en": "School sign-in (demo)"},
        "issuer": idp.address, "clientId": CLIENT,
        "authentication": "client_secret_basic",
        "clientSecretFile": "idp.secret", "scope": "openid",
        "algorithms": ["ES256"],
        "users": [{"claim": "eckid", "idType": "ECK"},
                  {"claim": "neppi", "idType": "NEPPI"}],
        "schools": [{"claim": "org", "idType": "MASTER"},
                    {"claim": "brin", "idType": "OIE_CODE"}],
        "schoolRequired": True,
        "employees": [{"claim": "role", "value": "employee"}]}

