"""Others' programs at the other end: npm's oidc-provider as an identity
provider, npm's jose as an LTI platform and as a publisher that checks tickets.
Both are node processes of their own, asked by lines of JSON."""

import json
import queue
import subprocess
import threading

from lib.npm import npm_package
from lib.process import REPOSITORY

SCRIPTS = REPOSITORY / "tests" / "counterpart"
OIDC_PROVIDER = ("oidc-provider", "8.8.1")  # the last that runs on Node 18
JOSE = ("jose", "5.9.6")
PATIENCE = 30


class _Node:
    """A script that reads lines and writes lines; warnings go nowhere."""

    def __init__(self, script, first):
        self.process = subprocess.Popen(
            ["node", str(SCRIPTS / script)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self._lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.hello = self.ask(first)

    def _read(self):
        for line in self.process.stdout:
            self._lines.put(json.loads(line))

    def tell(self, document):
        self.process.stdin.write(json.dumps(document) + "\n")
        self.process.stdin.flush()

    def ask(self, document):
        self.tell(document)
        return self.next()

    def next(self, timeout=PATIENCE):
        try:
            return self._lines.get(timeout=timeout)
        except queue.Empty:
            raise AssertionError(
                f"no line from node within {timeout} s") from None

    def stop(self):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class OidcProvider(_Node):
    """npm's oidc-provider. site: Leerpoort's publicUrl; accounts: login ->
    claims; client: what differs in the client's registration; conform: claims
    are in userinfo alone, as OpenID Connect has it."""

    def __init__(self, site, accounts, client=None, conform=False):
        folder = npm_package(*OIDC_PROVIDER)
        registration = {
            "client_id": "leerpoort", "client_secret": "s:cret+/ %é" * 4,
            "redirect_uris": [f"{site}/sso/callback"],
            "response_types": ["code"],
            "grant_types": ["authorization_code"],
            "id_token_signed_response_alg": "RS256",
            "post_logout_redirect_uris": [f"{site}/sso/logout?done"],
            "backchannel_logout_uri": f"{site}/sso/backchannel",
            "backchannel_logout_session_required": True, **(client or {})}
        self.registration = {name: value for name, value in
                             registration.items() if value is not None}
        super().__init__("identity_provider.mjs", {
            "modules": str(folder.parent), "clients": [self.registration],
            "accounts": accounts, "conform": conform})
        self.issuer = self.hello["issuer"]

    def sign_in(self, browser, page, login):
        """Fills in the provider's own pages, from its first one on; the page
        at the end of the way back."""
        page = browser.send(page, login=login, password="any")
        while page.url.startswith(self.issuer) and page.forms:
            page = browser.send(page)       # consent
        return page

    def event(self, name, timeout=PATIENCE):
        """Waits for an event, passing over others."""
        while True:
            line = self.next(timeout)
            if line.get("event") == name:
                return line


class Jose(_Node):
    """npm's jose: signs as a platform, verifies as anybody."""

    def __init__(self):
        folder = npm_package(*JOSE)
        super().__init__("platform.mjs", {"modules": str(folder.parent)})

    def jwks(self):
        return self.ask({"do": "jwks"})

    def sign(self, claims, **header):
        return self.ask({"do": "sign", "claims": claims, **header})["token"]

    def verify(self, token, jwks, issuer, audience, **options):
        """{"payload", "header"}, or {"error": code}."""
        return self.ask({"do": "verify", "token": token, "jwks": jwks,
                         "issuer": issuer, "audience": audience,
                         "options": options})
