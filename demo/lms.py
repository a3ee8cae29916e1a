"""The demo's LMS: a course of a school that does not exist, with links that
open books by LTI 1.3, and a teacher who adds some (Deep Linking).

It is no part of Leerpoort. It stands on "localhost" and Leerpoort on
"127.0.0.1", so that a browser takes them for two sites: the book opens in a
frame of another site, which gets no cookies there.
"""

import html
import secrets
import threading

import cast
import pages
from small_server import Small, Visit, fetch_keys, mint, verified, with_query

CLIENT = "demo-lms"
DEPLOYMENT = "havenlyceum"
LTI = "https://purl.imsglobal.org/spec/lti/claim/"
LTI_DL = "https://purl.imsglobal.org/spec/lti-dl/claim/"
ROLE = "http://purl.imsglobal.org/vocab/lis/v2/membership#"


class Item:
    """A link in the course."""

    def __init__(self, title, url, custom=None):
        self.id, self.title, self.url = secrets.token_hex(4), title, url
        self.custom = custom or {}


class Lms(Small):
    def __init__(self, port, program, folder, leerpoort):
        self.program, self.folder, self.leerpoort = program, folder, leerpoort
        self.items = [
            Item("Step Up 8", f"{leerpoort}/go/stepup"),
            Item("Step Up 8, hoofdstuk 2",
                 f"{leerpoort}/go/stepup/hoofdstuk/2"),
            Item("Leesvaart 6 (activeert)", f"{leerpoort}/go/leesvaart"),
            Item("Docentenhandleiding (voor docenten)",
                 f"{leerpoort}/go/handleiding")]
        self.hints = {}     # login_hint -> (who, item; None: Deep Linking)
        self._lock = threading.Lock()
        lms = self

        class Handler(Visit):
            def do_GET(self):
                lms.get(self)

            def do_POST(self):
                lms.post(self)

        super().__init__(port, Handler, host="localhost")

    def get(self, visit):
        where, query = visit.where(), visit.query()
        if where == "/":
            visit.send(200, self.course(query.get("als", "noah")))
        elif where == "/jwks":
            visit.send(200, (self.folder / "lms.jwks").read_text(),
                       "application/json")
        elif where == "/start":
            self.start_launch(visit, query)
        elif where == "/authorize":
            self.authorize(visit, query)
        elif where == "/stijl.css":
            visit.send(200, pages.STYLE, "text/css")
        else:
            visit.send(404, "Hier is niets. / Nothing here.\n", "text/plain")

    # --- the course ---

    def course(self, who):
        person = cast.BY_NAME.get(who)
        if person is None or person.school is not cast.HAVEN:
            person = cast.BY_NAME["noah"]
        teaches = person.id_type != "ECK"
        rows = "".join(
            f"<li>{html.escape(item.title)} "
            f'<a target="boek" href="/start?als={person.who}&amp;'
            f'link={item.id}">in deze pagina '
            '<span lang="en">in this page</span></a> · '
            f'<a target="_blank" rel="noopener" href="/start?als={person.who}'
            f'&amp;link={item.id}">in een nieuw venster '
            '<span lang="en">in a new window</span></a></li>'
            for item in self.items)
        add = (f'<p><a target="boek" href="/start?als={person.who}">Boeken '
               'toevoegen</a> <span lang="en">add books (Deep Linking)</span>'
               "</p>") if teaches else ""
        others = " ".join(
            f'<a href="/?als={other.who}">{html.escape(other.name)}</a>'
            for other in cast.PEOPLE if other.school is cast.HAVEN)
        return pages.lms(person, rows, add, others)

    # --- a launch: LTI 1.3, OpenID Connect third-party initiated login ---

    def start_launch(self, visit, query):
        item = next((one for one in self.items
                     if one.id == query.get("link")), None)
        who = query.get("als", "")
        if who not in cast.BY_NAME or ("link" in query and item is None):
            visit.send(404, "Zo'n link is er niet. / No such link.\n",
                       "text/plain")
            return
        hint = secrets.token_urlsafe(12)
        with self._lock:
            self.hints[hint] = (who, item)
        visit.go(with_query(
            f"{self.leerpoort}/lti/login", iss=self.address, login_hint=hint,
            target_link_uri=item.url if item else f"{self.leerpoort}/",
            lti_message_hint=item.id if item else "kiezen", client_id=CLIENT,
            lti_deployment_id=DEPLOYMENT))

    def authorize(self, visit, query):
        with self._lock:
            found = self.hints.pop(query.get("login_hint", ""), None)
        if found is None or query.get("client_id") != CLIENT \
                or query.get("redirect_uri") != f"{self.leerpoort}/lti/launch":
            visit.send(400, "Deze start klopt niet.\n", "text/plain")
            return
        token = mint(self.program, self.folder / "lms.jwk", self.address,
                     CLIENT, self.claims(query, *found))
        visit.send(200, pages.form_post(query["redirect_uri"], {
            "id_token": token, "state": query.get("state", "")}))

    def claims(self, query, who, item):
        person = cast.BY_NAME[who]
        teaches = person.id_type != "ECK"
        claims = {
            "sub": f"lms-{who}", "nonce": query.get("nonce", ""),
            LTI + "version": "1.3.0", LTI + "deployment_id": DEPLOYMENT,
            LTI + "roles": [ROLE + ("Instructor" if teaches else "Learner")],
            LTI + "context": {"id": "klas-2", "title": "Klas 2"},
            LTI + "launch_presentation": {"document_target": "iframe"},
            # The school let the LMS know its pupils' ECK iDs; a teacher has
            # none, and links an account.
            LTI + "custom": {} if teaches else {"eckid": person.claim[1]}}
        if item is None:
            claims[LTI + "message_type"] = "LtiDeepLinkingRequest"
            claims[LTI + "target_link_uri"] = f"{self.leerpoort}/"
            claims[LTI_DL + "deep_linking_settings"] = {
                "deep_link_return_url": f"{self.address}/terug",
                "accept_types": ["ltiResourceLink"], "accept_multiple": True,
                "accept_presentation_document_targets": ["iframe", "window"],
                "data": "klas-2"}
        else:
            claims[LTI + "message_type"] = "LtiResourceLinkRequest"
            claims[LTI + "target_link_uri"] = item.url
            claims[LTI + "resource_link"] = {"id": item.id,
                                             "title": item.title}
            claims[LTI + "custom"].update(item.custom)
        return claims

    # --- what the teacher picked comes back ---

    def post(self, visit):
        if visit.where() != "/terug":
            visit.send(404, b"")
            return
        claims = self.verified(visit.form().get("JWT", ""))
        if claims is None:
            visit.send(400, "Dit is niet van Leerpoort.\n", "text/plain")
            return
        added = [Item(item.get("title", "?"), item["url"],
                      item.get("custom"))
                 for item in claims.get(LTI_DL + "content_items", [])]
        with self._lock:
            self.items += added
        visit.send(200, pages.lms_added([item.title for item in added]))

    def verified(self, token):
        """The claims of Leerpoort's answer; None: it is not Leerpoort's."""
        keys = fetch_keys(f"{self.leerpoort}/.well-known/jwks.json",
                          self.folder / "leerpoort-at-lms.jwks")
        claims = verified(self.program, keys, token, "--iss", CLIENT,
                          "--aud", self.address)
        if claims is None:
            return None
        right = claims.get(LTI + "message_type") == "LtiDeepLinkingResponse"
        return claims if right and claims.get(LTI_DL + "data") == "klas-2" \
            else None


def platform_of(lms):
    """Its entry in lti.json."""
    return {
        "name": "demo-lms", "title": {"nl": "Demo-LMS", "en": "Demo LMS"},
        "issuer": lms.address, "clientId": CLIENT,
        "authorizationEndpoint": f"{lms.address}/authorize",
        "jwksUri": f"{lms.address}/jwks", "algorithms": ["RS256"],
        "deployments": [{"id": DEPLOYMENT, "school": cast.HAVEN.master}],
        "users": [{"claim": "custom.eckid", "idType": "ECK"}],
        "link": True, "frames": [lms.address]}

