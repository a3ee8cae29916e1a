"""Others' programs at the other end: npm's oidc-provider as identity
providers, npm's jose as an LTI platform and as a publisher that checks tickets.
Both are node processes of their own, asked by lines of JSON."""

import json
import pathlib
import queue
import subprocess
import threading

from lib.npm import npm_package
from lib.process import REPOSITORY

SCRIPTS = REPOSITORY / "tests" / "counterpart"
OIDC_PROVIDER = ("oidc-provider", "8.8.1")  # the last that runs on Node 18
JOSE = ("jose", "5.9.6")
PATIENCE = 30
# Every character that a client secret may have (RFC 6749, appendix A.2).
SECRET = "".join(map(chr, range(0x20, 0x7f)))


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
            if line.startswith("{"):    # else it is a package that warns
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

    def rest(self):
        """The lines that were not asked for yet."""
        found = []
        while not self._lines.empty():
            found.append(self._lines.get())
        return found

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


class OidcProviders(_Node):
    """npm's oidc-provider, some of them. site: Leerpoort's publicUrl;
    accounts: login -> claims; providers: name -> what differs in the
    registration of Leerpoort there (None: a member that is left out). Those
    named in conform have claims in userinfo alone, as OpenID Connect has it."""

    def __init__(self, site, accounts, providers, conform=()):
        folder = npm_package(*OIDC_PROVIDER)
        self.clients = {name: self._client(site, changes)
                        for name, changes in providers.items()}
        super().__init__("identity_provider.mjs", {
            "modules": str(folder.parent), "accounts": accounts,
            "providers": {name: {"clients": [client],
                                 "conform": name in conform}
                          for name, client in self.clients.items()}})
        self.issuers = self.hello["issuers"]

    @staticmethod
    def _client(site, changes):
        client = {
            "client_id": "leerpoort", "client_secret": SECRET,
            "redirect_uris": [f"{site}/sso/callback"],
            "response_types": ["code"],
            "grant_types": ["authorization_code"],
            "id_token_signed_response_alg": "RS256",
            "post_logout_redirect_uris": [f"{site}/sso/logout?done"],
            "backchannel_logout_uri": f"{site}/sso/backchannel",
            "backchannel_logout_session_required": True, **changes}
        return {name: v for name, v in client.items() if v is not None}

    def entry(self, name, folder, **changes):
        """The provider as sso.json has it."""
        client = self.clients[name]
        entry = {
            "name": name, "title": f"Provider {name}",
            "issuer": self.issuers[name], "clientId": client["client_id"],
            "authentication": client.get("token_endpoint_auth_method",
                                         "client_secret_basic"),
            "users": [{"claim": "eckid", "idType": "ECK"}],
            "schools": [{"claim": "org", "idType": "MASTER"}],
            "employees": [{"claim": "role", "value": "employee"}],
            "algorithms": [client["id_token_signed_response_alg"]], **changes}
        if "client_secret" in client:
            file = pathlib.Path(folder) / f"{name}.secret"
            file.touch(0o600)
            file.write_text(client["client_secret"] + "\n")
            entry["clientSecretFile"] = str(file)
        return entry

    def is_at(self, page):
        """Whether a browser looks at a page of one of them."""
        return page.url.startswith(tuple(self.issuers.values()))

    def sign_in(self, browser, page, login):
        """Fills in a provider's own pages, from its first one on: who it is,
        and that they agree. The page at the end of the way back."""
        assert self.is_at(page) and "password" in page.forms[0][2], page.text
        page = browser.send(page, login=login, password="any")
        while self.is_at(page) and page.forms:
            page = browser.send(page)
        return page

    def event(self, name, provider, timeout=PATIENCE):
        """Waits for an event, passing over others."""
        while True:
            line = self.next(timeout)
            if (line.get("event"), line.get("provider")) == (name, provider):
                return line

    def happened(self):
        """What they said since somebody listened last: (event, provider)."""
        return [(line["event"], line["provider"]) for line in self.rest()]


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
        """{"payload", "header"}, or {"error": code}. jwks: keys, or where
        jose is to fetch them."""
        return self.ask({"do": "verify", "token": token, "jwks": jwks,
                         "issuer": issuer, "audience": audience,
                         "options": options})
