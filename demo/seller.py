"""The demo's seller: it sends entitlements to Leerpoort, hears what became of
them, and asks how they are used. Everything goes over HTTP, as Edu-V says; what
it was told is shown on the portal's page of each person.
"""

import base64
import collections
import html
import http.client
import json
import subprocess
import threading
import time
import urllib.parse
import uuid

import cast
from small_server import Small, Visit, verified

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
PATIENCE = 10   # seconds


class Refused(Exception):
    """Leerpoort's answer was not the one that was hoped for."""


class Entitlement:
    """What the seller knows of one: sent, confirmed, activated."""

    def __init__(self, person, product, code):
        self.id = str(uuid.uuid4())
        self.person, self.product, self.code = person, product, code
        self.confirmed = None    # newEntitlementStatus
        self.activated = None    # the InitialActivation


class Leerpoort:
    """Leerpoort's API as a client of it sees it."""

    def __init__(self, port, program, key):
        self.port, self.program, self.key = port, program, key
        self._token, self._good_until = None, 0
        self._lock = threading.Lock()

    def __call__(self, method, path, body=None):
        """(status, document)."""
        headers = {"Authorization": f"Bearer {self.token()}",
                   "Content-Type": "application/json"}
        return self._send(method, path, headers,
                          None if body is None else json.dumps(body))

    def token(self):
        """An access token (client_credentials with private_key_jwt)."""
        with self._lock:
            if time.time() > self._good_until:
                self._fetch_token()
            return self._token

    def _fetch_token(self):
        endpoint = f"http://127.0.0.1:{self.port}/oauth/token"
        now = int(time.time())
        claims = {"iss": cast.SELLER, "sub": cast.SELLER, "iat": now,
                  "aud": endpoint, "jti": uuid.uuid4().hex}
        assertion = subprocess.run(
            [self.program, "token", "mint", "--key", self.key,
             "--expires-in", "60"], input=json.dumps(claims), check=True,
            capture_output=True, text=True, timeout=PATIENCE).stdout.strip()
        form = urllib.parse.urlencode({
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION,
            "client_assertion": assertion, "scope": cast.SELLER_SCOPES})
        status, answer = self._send(
            "POST", "/oauth/token",
            {"Content-Type": "application/x-www-form-urlencoded"}, form)
        if status != 200:
            raise Refused(f"/oauth/token: {status} {answer}")
        self._token = answer["access_token"]
        self._good_until = now + answer["expires_in"] - 30

    def _send(self, method, path, headers, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.port,
                                                timeout=PATIENCE)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, {}


class Seller(Small):
    """The seller's own server, on a port that was free."""

    def __init__(self, program, key, relay_jwks):
        self.program, self.key, self.relay_jwks = program, key, relay_jwks
        self.leerpoort = None
        self.entitlements = collections.OrderedDict()
        self.given_out = set()   # access tokens
        seller = self

        class Handler(Visit):
            def do_GET(self):
                self.send(200, seller.page(self.path.rpartition("/")[2]))

            def do_POST(self):
                self.send_json(*seller.give_token(self.form()))

            def do_PUT(self):
                bearer = self.headers.get("Authorization", "")[7:]
                if bearer not in seller.given_out:
                    self.send_json(401, {"status": 21,
                                         "statusMessage": "token"})
                    return
                seller.hear(self.path, json.loads(self.body()))
                self.send_json(202, {})

        super().__init__(0, Handler)

    # --- what it is asked and told ---

    def give_token(self, form):
        """Leerpoort proves who it is as everybody does."""
        assertion = form.get("client_assertion", "")
        if verified(self.program, self.relay_jwks, assertion, "--iss",
                    "leerpoort", "--aud", f"{self.address}/token") is None:
            return 401, {"error": "invalid_client"}
        token = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()
        self.given_out.add(token)
        return 200, {"access_token": token, "token_type": "Bearer",
                     "expires_in": 3600}

    def hear(self, path, message):
        known = self.entitlements.get(message.get("entitlementId"))
        if known is None:
            return
        if path.endswith("/usage/activation"):
            known.activated = message
        else:
            known.confirmed = message.get("newEntitlementStatus")

    # --- what it does ---

    def sell(self, person, product, record, code=None):
        """Sends one entitlement, in full, as it is now; with a code it is that
        of whoever fills it in."""
        state, first, last = record
        sold = Entitlement(person, product, code)
        self.entitlements[sold.id] = sold
        entitlement = {
            "entitlementId": sold.id, "productId": product,
            "deliveryOrderId": f"zomer-{person.school.master}",
            "startDate": first, "activationUntilDate": last,
            "entitlementType": "school-student" if person.id_type == "ECK"
            else "school-employee",
            "entitlementStatus": "created",
            "school": person.school.reference, "user": person.reference}
        if code:
            del entitlement["user"]
            entitlement.update(entitlementType="school-activationcode",
                               activationCode=code)
        if state == "B":
            entitlement.update(entitlementStatus="blocked",
                               endDate=cast.TODAY.isoformat())
        status, answer = self.leerpoort("PUT", "/v1/entitlements", {
            "entitlementReferenceId": str(uuid.uuid4()),
            "entitlement": entitlement})
        if status != 202:
            raise Refused(f"PUT /v1/entitlements: {status} {answer}")

    def usage(self, sold):
        """What Leerpoort says of one entitlement now; {}: nothing."""
        try:
            status, answer = self.leerpoort(
                "GET", f"/v1/usage/entitlements/{sold.id}")
        except (OSError, Refused):
            return {}
        return answer if status == 200 else {}

    def page(self, who):
        """The table for the portal's page: of one person, now."""
        rows = [self._row(sold) for sold in self.entitlements.values()
                if sold.person.who == who]
        if not rows:
            return ""
        head = "".join(
            f'<th scope="col">{dutch}<span lang="en">{english}</span></th>'
            for dutch, english in (
                ("Boek", "book"), ("Nu", "now"), ("Bevestigd", "confirmed"),
                ("Geactiveerd", "activated"), ("Licentie tot", "licence until"),
                ("Keer geopend", "times opened")))
        return ('<table class="seller"><thead><tr>' + head
                + "</tr></thead><tbody>" + "".join(rows) + "</tbody></table>")

    def _row(self, sold):
        now = self.usage(sold)
        activated = sold.activated or {}
        name = cast.PRODUCTS[sold.product].name
        cells = (f"{name} · {sold.code}" if sold.code else name,
                 now.get("entitlementStatus", "?"), sold.confirmed or "–",
                 activated.get("usageDate", "–"),
                 activated.get("expirationDate", "–"),
                 now.get("usage", {}).get("frequencyOfUsage", 0))
        return f'<tr id="{sold.product}">' + "".join(
            f"<td>{html.escape(str(cell))}</td>" for cell in cells) + "</tr>"


