"""A party that Leerpoort tells things: token endpoint and API, on loopback.

It verifies what a careful party would (private_key_jwt, bearer tokens), keeps
what it got, and has every bad day that a test asks for.
"""

import base64
import json
import os
import threading
import time
import urllib.parse

import jwt

from lib.process import free_port
from lib.stand_in import StandIn, act, body_of, reply

PATHS = ("/entitlements/confirmations", "/usage/activation",
         "/activationcodes/confirmations",
         "/activationcodes/revoke/confirmations")
BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
CLIENT = "leerpoort-at-party"


class Message:
    """One message as it came; ended: None while it is in hand."""

    def __init__(self, path, body, token):
        self.path = path
        self.body = body
        self.json = json.loads(body)
        self.token = token
        self.began = time.monotonic()
        self.ended = None
        self.status = None

    @property
    def entitlement(self):
        return self.json.get("entitlementId")


class Party:
    """answer(message) gives what stand_in.act() does; the default is 200.
    token_answer(form) does the same for the token endpoint, None for a proper
    token. certificate: (cert, key) files."""

    def __init__(self, oin="0" * 7 + "3" + "12345678" + "0000", public=None,
                 certificate=None):
        self.oin = oin
        self.public = public    # (key, algorithm) of assertions; None: no token
        self.certificate = certificate
        self.port = free_port()
        self.answer = lambda message: 200
        self.token_answer = lambda form: None
        self.expires_in = 600
        self.messages = []      # all that came with a good token
        self.tokens = set()     # that are accepted
        self.asked = 0          # token requests
        self.jtis = set()
        self.faults = []        # what a careful party would complain of
        self.denied = 0
        self._lock = threading.Lock()
        self._server = StandIn(
            self.port, lambda handler: self._put(handler)
            if handler.command == "PUT" else self._post(handler), certificate)

    @property
    def url(self):
        scheme = "https" if self.certificate else "http"
        return f"{scheme}://127.0.0.1:{self.port}"

    def entry(self, key_file=None):
        """Its place in parties.json."""
        entry = {"oin": self.oin, "name": "A seller",
                 "role": "aanspraakmanager", "baseUrl": self.url + "/v1/"}
        if self.public is not None:
            entry.update(tokenUrl=self.url + "/token", clientId=CLIENT,
                         keyFile=str(key_file), scope="entitlement usage")
        return entry

    def start(self):
        self._server.start()
        return self

    def stop(self):
        """Nobody listens any more; open connections break."""
        self._server.stop()

    def revoke_tokens(self):
        """They have expired, whatever their expires_in said."""
        with self._lock:
            self.tokens.clear()

    def of(self, path):
        return [m for m in list(self.messages) if m.path.endswith(path)]

    def arrived(self):
        """Messages that it said yes to."""
        return [m for m in list(self.messages)
                if m.status is not None and m.status < 300]

    def in_hand(self):
        return sum(m.ended is None for m in list(self.messages))

    # -- inside ---------------------------------------------------------------

    def _complain(self, text):
        with self._lock:
            self.faults.append(text)

    def _put(self, handler):
        body = body_of(handler)
        token = (handler.headers.get("Authorization") or "")[len("Bearer "):]
        if self.public is not None and token not in self.tokens:
            with self._lock:
                self.denied += 1
            reply(handler, 401, {}, b'{"status": 21}')
            return
        if not handler.path.startswith("/v1/") \
                or handler.path[3:] not in PATHS:
            self._complain(f"path {handler.path}")
        if handler.headers["Content-Type"] != "application/json":
            self._complain(f"type {handler.headers['Content-Type']}")
        message = Message(handler.path[3:], body, token)
        with self._lock:
            self.messages.append(message)
        try:
            answer = self.answer(message)
            if isinstance(answer, int):
                message.status = answer
            elif isinstance(answer, tuple):
                message.status = answer[0]
            message.ended = time.monotonic()
            act(handler, answer)
        finally:
            message.ended = message.ended or time.monotonic()

    def _post(self, handler):
        form = urllib.parse.parse_qs(body_of(handler).decode(),
                                     strict_parsing=True)
        form = {name: values[0] for name, values in form.items()}
        with self._lock:
            self.asked += 1
        answer = self.token_answer(form)
        if answer is not None:
            act(handler, answer)
            return
        try:
            self._check_assertion(form)
        except (AssertionError, jwt.PyJWTError, KeyError) as error:
            self._complain(f"assertion: {error!r}")
            reply(handler, 400, {}, b'{"error": "invalid_client"}')
            return
        token = base64.urlsafe_b64encode(os.urandom(24)).decode()
        with self._lock:
            self.tokens.add(token)
        reply(handler, 200, {"Content-Type": "application/json"},
              json.dumps({"access_token": token, "token_type": "Bearer",
                          "expires_in": self.expires_in}).encode())

    def _check_assertion(self, form):
        assert form["grant_type"] == "client_credentials"
        assert form["client_assertion_type"] == BEARER
        assert form["scope"] == "entitlement usage"
        claims = jwt.decode(
            form["client_assertion"], self.public[0],
            algorithms=[self.public[1]], audience=self.url + "/token",
            options={"require": ["iss", "sub", "aud", "iat", "exp", "jti"]})
        assert claims["iss"] == claims["sub"] == CLIENT
        assert 0 < claims["exp"] - claims["iat"] <= 300
        assert len(claims["jti"]) >= 22
        with self._lock:
            assert claims["jti"] not in self.jtis, "jti used twice"
            self.jtis.add(claims["jti"])
