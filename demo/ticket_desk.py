"""The demo's publisher looks at launch tickets: who opens the book, by a name
that this publisher alone knows; without asking Leerpoort, and each ticket once.
"""

import html
import time

from small_server import Small, Visit, fetch_keys, verified

AUDIENCE = "https://uitgever.example/"


class TicketDesk(Small):
    def __init__(self, program, folder, leerpoort):
        self.program, self.folder, self.leerpoort = program, folder, leerpoort
        self.used = set()
        desk = self

        class Handler(Visit):
            def do_GET(self):
                self.send(200, desk.row(self.query().get("ticket", "")))

        super().__init__(0, Handler)

    def row(self, ticket):
        """What the page of a book says of the ticket that came with it."""
        claims, wrong = self.look(ticket)
        if wrong:
            said = f"geweigerd: {wrong}"
        else:
            said = " · ".join(str(claims.get(name, "-")) for name in (
                "sub", "organisationMasterIdentifier", "role", "productId"))
        return ('<dt>Kaartje <span lang="en">launch ticket</span></dt>'
                f"<dd><code>{html.escape(said)}</code></dd>")

    def look(self, ticket):
        """(claims, "") or (None, what is wrong)."""
        claims = self.verified(ticket)
        if claims is None:
            return None, "niet door Leerpoort ondertekend"
        if claims.get("iss") != self.leerpoort \
                or claims.get("aud") != AUDIENCE:
            return None, "niet voor deze uitgever"
        if claims.get("exp", 0) < time.time():
            return None, "te oud"
        if claims["jti"] in self.used:
            return None, "al gebruikt"
        self.used.add(claims["jti"])
        return claims, ""

    def verified(self, ticket):
        keys = fetch_keys(f"{self.leerpoort}/.well-known/tickets.json",
                          self.folder / "tickets-at-publisher.jwks")
        return verified(self.program, keys, ticket, "--alg", "ES256",
                        command="jws")
