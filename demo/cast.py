"""Who and what the demo is about: schools, people, products, links.

Everybody here is invented, and so are the books. The expected outcome of each
link is worked out from the tables below, apart from the code that decides.
"""

import dataclasses
import datetime
import hashlib

ISSUER = "https://login.example/"
AUDIENCE = "https://leerpoort.example/"

SELLER = "boekhuis-demo"             # its client_id at Leerpoort
SELLER_OIN = "00000003999999990000"
SELLER_SCOPES = "entitlement.licensor usage.seller"

TODAY = datetime.date.today()


def day(offset):
    return (TODAY + datetime.timedelta(days=offset)).isoformat()


# state, first day, last day
LICENSED = ("L", day(-60), day(240))
ENTITLED = ("E", day(-60), day(240))
LATER = ("E", day(45), day(400))
OVER = ("L", day(-420), day(-55))
BLOCKED = ("B", day(-60), day(240))
OPEN = ("O", day(-60), day(240))


@dataclasses.dataclass(frozen=True)
class School:
    master: str         # Edu-V's organisationMasterIdentifier
    name: str
    claim: tuple        # what its people's tokens say: (claim, value)
    alias: tuple = ()   # (idType, id), where that is not the master identifier
    rights: dict = dataclasses.field(default_factory=dict)

    @property
    def reference(self):
        """Edu-V's SchoolReference."""
        if self.alias:
            id_type, id_ = self.alias
            return {"organisationIds": [{"organisationId": id_,
                                         "organisationIdType": id_type}]}
        return {"organisationMasterIdentifier": self.master}


@dataclasses.dataclass(frozen=True)
class Person:
    who: str
    name: str
    role: str
    role_en: str
    school: School
    claim: tuple        # (claim, value)
    id_type: str
    rights: dict        # a right that the seller sent, unless it is a licence

    @property
    def reference(self):
        """Edu-V's UserReference."""
        if self.id_type == "ECK":
            return {"userMasterIdentifier": self.claim[1]}
        return {"userIds": [{"userId": self.claim[1],
                             "userIdType": self.id_type}]}


@dataclasses.dataclass(frozen=True)
class Product:
    name: str
    deep: bool = True   # can be opened at a page
    free: bool = False
    sets: str = ""
    licence: str = "schoolyear"
    ticket: bool = False    # its links carry a launch ticket
    chapters: tuple = ()    # (path, title): what teachers can pick


@dataclasses.dataclass(frozen=True)
class Link:
    path: str           # below /go/, or below another location
    title: str
    dutch: str          # what there is to see
    english: str        # the same
    product: str = ""
    location: str = "go"
    outcome: str = ""   # where it is the same for everybody


def eck_id(name):
    """The form of an ECK iD; its number says that it is none."""
    return ("https://ketenid.nl/000000/"
            + hashlib.sha512(name.encode()).hexdigest())


REGENBOOG = School("regenboog-0412", "Basisschool De Regenboog",
                   ("org", "regenboog-0412"), rights={"atlas": OPEN})
HAVEN = School("havenlyceum-0831", "Havenlyceum", ("brin", "99HL00"),
               ("OIE_CODE", "99HL00"), rights={"natuurlab": OPEN})
SCHOOLS = (REGENBOOG, HAVEN)

PEOPLE = (
    Person("emma", "Emma", "leerling, groep 7", "pupil", REGENBOOG,
           ("eckid", eck_id("emma")), "ECK",
           {"rekenkracht": LICENSED, "taalhaven": ENTITLED,
            "pakket-7": LICENSED, "stepup": LATER, "leesvaart": OVER,
            "dictee": BLOCKED}),
    Person("noah", "Noah", "leerling, klas 2", "pupil", HAVEN,
           ("eckid", eck_id("noah")), "ECK",
           {"stepup": LICENSED, "leesvaart": ENTITLED, "taalhaven": OVER}),
    Person("devries", "Mevrouw De Vries", "docent, zonder ECK iD",
           "teacher, known by her portal's id", HAVEN,
           ("sub", "devries@portaal.example"), "NEPPI",
           {"handleiding": LICENSED, "rekenkracht": LICENSED}),
    Person("bakker", "Meester Bakker", "docent, zonder ECK iD",
           "teacher, known by his portal's id", REGENBOOG,
           ("sub", "bakker@portaal.example"), "NEPPI",
           {"handleiding": ENTITLED, "rekenkracht": LICENSED,
            "pakket-7": LICENSED, "dictee": LICENSED}),
)

BY_NAME = {person.who: person for person in PEOPLE}

# Who may fill in a code for what: one that the seller printed in a book.
CODE = ("emma", "natuurlab", "PROEFLES-NATUUR", ENTITLED)

PRODUCTS = {
    "rekenkracht": Product("Rekenkracht 7", chapters=(
        ("hoofdstuk/1", "1 Grote getallen"), ("hoofdstuk/2", "2 Breuken"),
        ("hoofdstuk/3", "3 Procenten"), ("toets", "Eindtoets"))),
    "taalhaven": Product("Taalhaven 7"),
    "topografie": Product("Topografie 7", sets="pakket-7"),
    "stepup": Product("Step Up 8"),
    "leesvaart": Product("Leesvaart 6", licence="year"),
    "dictee": Product("Dicteetrainer"),
    "atlas": Product("Schoolatlas"),
    "natuurlab": Product("Natuurlab", ticket=True),
    "handleiding": Product("Docentenhandleiding Rekenkracht"),
    "oefenwoorden": Product("Oefenwoorden", deep=False, free=True),
}

LINKS = (
    Link("rekenkracht", "Rekenkracht 7", "het boek", "the book",
         "rekenkracht"),
    Link("rekenkracht/hoofdstuk/3", "Rekenkracht 7, hoofdstuk 3",
         "een hoofdstuk ervan: een deeplink", "a chapter of it: a deep link",
         "rekenkracht"),
    Link("topografie", "Topografie 7", "een deel van een pakket",
         "a part of a package", "topografie"),
    Link("oefenwoorden", "Oefenwoorden", "open materiaal, geen recht nodig",
         "open material, no right needed", "oefenwoorden"),
    Link("taalhaven", "Taalhaven 7",
         "voor Emma: gekocht; de eerste klik activeert",
         "for Emma: bought; the first click activates", "taalhaven"),
    Link("atlas", "Schoolatlas", "een open recht van De Regenboog",
         "an open right of De Regenboog", "atlas"),
    Link("natuurlab", "Natuurlab",
         "een open recht van het Havenlyceum; de link heeft een kaartje bij "
         "zich. Voor Emma: met de code PROEFLES-NATUUR",
         "an open right of Havenlyceum; its link carries a launch ticket. For "
         "Emma: by the code PROEFLES-NATUUR",
         "natuurlab"),
    Link("stepup", "Step Up 8", "voor Emma: vanaf een latere dag",
         "for Emma: from a later day", "stepup"),
    Link("leesvaart", "Leesvaart 6", "voor Emma: de licentie van vorig jaar",
         "for Emma: last year's licence", "leesvaart"),
    Link("dictee", "Dicteetrainer", "voor Emma: geblokkeerd door de school",
         "for Emma: blocked by the school", "dictee"),
    Link("handleiding", "Docentenhandleiding", "voor docenten",
         "for teachers", "handleiding"),
    Link("zoekgeraakt", "Een boek dat niemand kent",
         "staat niet in de catalogus", "not in the catalogue",
         outcome="unknown-product"),
    Link("oefenwoorden/lijst/2", "Oefenwoorden, lijst 2",
         "een boek zonder deeplinks", "a book that has no deep links",
         outcome="unknown-material"),
    Link("rekenkracht/les%0d%0aSet-Cookie:%20x", "Een kwaadaardige link",
         "een header, in het pad gesmokkeld",
         "a header smuggled into the path", outcome="bad-request"),
    Link("rekenkracht", "Uitgelogd", "geen token", "no token",
         location="uitgelogd", outcome="login"),
    Link("rekenkracht", "Te lang gewacht", "een verlopen token",
         "an expired token", location="verlopen", outcome="login"),
    Link("rekenkracht", "Vervalst", "een token dat een ander ondertekende",
         "a token signed by somebody else", location="vervalst",
         outcome="bad-token"),
    Link("rekenkracht", "Opslag weg", "een poort zonder zijn Redis",
         "an edge whose Redis is gone", location="donker",
         outcome="unavailable"),
)

OUTCOMES = {
    "redirect": (302, "gaat open", "opens"),
    "login": (302, "eerst inloggen", "log in first"),
    "bad-token": (401, "ongeldig bewijs", "bad token"),
    "no-right": (403, "geen recht", "no right"),
    "not-yet": (403, "nog niet", "not yet"),
    "ended": (403, "voorbij", "ended"),
    "blocked": (403, "geblokkeerd", "blocked"),
    "unknown-product": (404, "onbekend product", "unknown product"),
    "unknown-material": (404, "onbekende pagina", "unknown material"),
    "bad-request": (400, "foute link", "bad request"),
    "unavailable": (503, "even niet bereikbaar", "unavailable"),
}

_BY_RIGHT = {LICENSED: "redirect", ENTITLED: "redirect", OPEN: "redirect",
             LATER: "not-yet", OVER: "ended", BLOCKED: "blocked"}


def right(person, link):
    """The right that decides a click; None: there is none."""
    product = PRODUCTS.get(link.product)
    if product is None:
        return None
    holders = [person]
    if person.id_type == "ECK":     # open rights are not for teachers
        holders.append(person.school)
    for holder in holders:
        for name in (link.product, product.sets):
            if name in holder.rights:
                return holder.rights[name]
    return None


def expected(person, link):
    """The outcome that a person should see."""
    if link.outcome:
        return link.outcome
    if PRODUCTS[link.product].free:
        return "redirect"
    return _BY_RIGHT.get(right(person, link), "no-right")


def activates(person, link):
    """Whether the first click makes a licence."""
    return not link.outcome and right(person, link) in (ENTITLED, OPEN)
