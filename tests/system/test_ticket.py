"""Launch tickets: whoever has Leerpoort's published keys can check them, they
name nobody, and no link that must have one is sent without."""

import base64
import json
import re
import subprocess
import urllib.parse

import jwt
import pytest

from lib import names, nginx
from lib.counterpart import Jose
from lib.edge import URL, Edge
from lib.nginx import BUILD
from lib.process import eventually
from lib.redis import Redis
from test_examples import SITE, Example, as_user
from test_examples import redis as example_redis  # noqa: F401: a fixture

ISSUER = "https://toegang.example"
PUBLISHER = "https://publisher.example"
TYPE = "leerpoort-ticket+jwt"
ENTITLEMENT = "24e39454-5360-4ba4-819f-03e59b8dd679"
RECORD = "L 20200101 20991231 JOOUVFNgS6SBnwPlm43WeQ"


class Ring:
    """A folder of keys, as an operator keeps it."""

    def __init__(self, folder, alg="ES256"):
        self.folder = folder / "keys"
        self.folder.mkdir(mode=0o700)
        if alg:
            self.rotate(alg)

    def rotate(self, alg="ES256", overlap=0):
        """The new key's kid."""
        alg = ["--alg", alg] if alg else []
        return subprocess.run(
            [BUILD / "leerpoort", "key", "rotate", "--keys", self.folder,
             *alg, "--overlap", str(overlap)], check=True, text=True,
            capture_output=True, timeout=60).stdout.strip()

    def jwks(self):
        return json.loads((self.folder / "jwks.json").read_text())

    def directive(self, more=""):
        return (f"leerpoort_ticket keys={self.folder} issuer={ISSUER}"
                f" {more};")


def ticket_of(response, parameter="ticket"):
    """The one that the Location carries."""
    query = urllib.parse.urlsplit(response.location).query
    values = [value for name, _, value in
              (part.partition("=") for part in query.split("&"))
              if name == parameter]
    assert len(values) == 1, response
    return values[0]


def verified(ring, ticket, audience=PUBLISHER):
    """Its claims, checked as a publisher would with PyJWT."""
    head = jwt.get_unverified_header(ticket)
    assert head["typ"] == TYPE
    key = jwt.PyJWKSet.from_dict(ring.jwks())[head["kid"]]
    return jwt.decode(ticket, key.key, [head["alg"]], audience=audience,
                      issuer=ISSUER, options={"require": [
                          "iss", "aud", "iat", "exp", "jti", "sub"]})


class Desk:
    def __init__(self, folder, alg="ES256", more="", **kwargs):
        self.ring = Ring(folder, alg)
        kwargs.setdefault("server", self.ring.directive(more))
        self.edge = Edge(**kwargs)
        self.edge.product("book", url=f"{URL}book",
                          deep=f"{URL}book/{{path}}", ticket=PUBLISHER)

    def __enter__(self):
        return self

    def __exit__(self, kind, *exc):
        self.edge.__exit__(kind, *exc)

    def counted(self, result="signed"):
        return self.edge.metrics()[
            f'leerpoort_tickets_total{{result="{result}"}}']


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    with Desk(tmp_path_factory.mktemp("tickets")) as desk:
        yield desk


def test_a_publisher_checks_it_by_itself(desk):
    person = desk.edge.person(school="104A158").grant("book", RECORD)
    before = desk.counted()
    ticket = ticket_of(person.click())
    claims = verified(desk.ring, ticket)
    assert set(claims) == {
        "iss", "aud", "iat", "exp", "jti", "sub", "productId",
        "organisationMasterIdentifier", "entitlementId", "role"}
    assert claims["exp"] == claims["iat"] + 60
    assert claims["productId"] == "book"
    assert claims["organisationMasterIdentifier"] == "104A158"
    assert claims["entitlementId"] == ENTITLEMENT
    assert claims["role"] == "student"
    for name in ("jti", "sub"):
        assert re.fullmatch("[A-Za-z0-9_-]{22}", claims[name])
    assert desk.counted() == before + 1
    assert desk.counted("failed") == 0
    for wrong in ("https://other.example", ISSUER):
        with pytest.raises(jwt.InvalidAudienceError):
            verified(desk.ring, ticket, wrong)


def test_npm_jose_checks_it(desk):
    person = desk.edge.person().grant("book", RECORD)
    ticket = ticket_of(person.click())
    claims = verified(desk.ring, ticket)
    with Jose() as jose:
        found = jose.verify(ticket, desk.ring.jwks(), ISSUER, PUBLISHER,
                            typ=TYPE, algorithms=["ES256"])
        assert found["payload"] == claims
        assert found["header"]["alg"] == "ES256"
        assert "error" in jose.verify(ticket, desk.ring.jwks(), ISSUER,
                                      "https://other.example")
        head, payload, signature = ticket.split(".")
        changed = json.loads(base64.urlsafe_b64decode(payload + "=="))
        changed["role"] = "employee"
        forged = base64.urlsafe_b64encode(json.dumps(
            changed).encode()).decode().rstrip("=")
        assert "error" in jose.verify(f"{head}.{forged}.{signature}",
                                      desk.ring.jwks(), ISSUER, PUBLISHER)


@pytest.mark.parametrize("url, before, after", [
    ("https://publisher.example", "https://publisher.example?", ""),
    (URL + "a", URL + "a?", ""),
    (URL + "a?b=c", URL + "a?b=c&", ""),
    (URL + "a?", URL + "a?", ""),
    (URL + "a#b", URL + "a?", "#b"),
    (URL + "a?b=c&d#e?f", URL + "a?b=c&d&", "#e?f"),
    (URL + "a?x=1#/b?c=d", URL + "a?x=1&", "#/b?c=d")])
def test_the_target_stays_as_it_is(desk, url, before, after):
    desk.edge.product("shape", url=url, ticket=PUBLISHER)
    person = desk.edge.person().grant("shape")
    location = person.click("/go/shape").location
    match = re.fullmatch(re.escape(before) + "ticket=([A-Za-z0-9._-]+)"
                         + re.escape(after), location)
    assert match, location
    assert verified(desk.ring, match[1])["productId"] == "shape"


def test_a_path_comes_before_the_ticket(desk):
    person = desk.edge.person().grant("book")
    location = person.click("/go/book/a%3Fb/c").location
    assert location.startswith(URL + "book/a%3Fb/c?ticket=")
    desk.edge.product("viewer", url=URL, deep=URL + "?at={path}",
                      ticket=PUBLISHER)
    person.grant("viewer")
    location = person.click("/go/viewer/a&ticket=b").location
    assert location.startswith(URL + "?at=a%26ticket%3Db&ticket=ey")


def test_a_product_without_ticket_is_untouched(desk):
    desk.edge.product("plain")
    person = desk.edge.person().grant("plain")
    before = desk.counted()
    assert person.click("/go/plain").location == URL + "plain"
    desk.edge.product("plain", ticket="")
    eventually("the mirror has it", lambda: person.click(
        "/go/plain").mirror == "HIT")
    assert person.click("/go/plain").location == URL + "plain"
    assert desk.counted() == before
    # from one click to the next
    desk.edge.product("plain", ticket="https://new.example")
    eventually("the ticket counts", lambda: "ticket=" in person.click(
        "/go/plain").location)


def test_the_pseudonym_is_pairwise(desk):
    edge = desk.edge
    for product, audience in (("a1", "A"), ("a2", "A"), ("b1", "B")):
        edge.product(product, url=URL + product, ticket=audience)
    people = [edge.person(sub=True) for _ in range(2)]
    subs = {}
    for number, person in enumerate(people):
        for product, audience in (("a1", "A"), ("a2", "A"), ("b1", "B"),
                                  ("a1", "A")):
            person.grant(product)
            claims = verified(desk.ring, ticket_of(person.click(
                f"/go/{product}")), audience)
            subs.setdefault((number, audience), set()).add(claims["sub"])
    assert all(len(found) == 1 for found in subs.values())
    assert len(set.union(*subs.values())) == 4


def test_nothing_in_it_names_the_person(desk):
    person = desk.edge.person(sub=True).grant("book", RECORD)
    ticket = ticket_of(person.click())
    text = b"".join(base64.urlsafe_b64decode(part + "==")
                    for part in ticket.split(".")[:2]).decode()
    for claim, (_, id_) in person.ids.items():
        assert id_ not in text
        assert id_.rsplit("/", 1)[-1] not in text
        assert person.key(claim) not in text
    assert person.key() not in ticket


def test_each_ticket_is_another(desk):
    person = desk.edge.person().grant("book")
    desk.edge.settled(person)
    found = [verified(desk.ring, ticket_of(person.click()))["jti"]
             for _ in range(50)]
    assert len(set(found)) == 50


def test_what_is_not_there_is_left_out(desk):
    edge = desk.edge
    edge.product("free", url=URL, free="1", ticket=PUBLISHER)
    free = verified(desk.ring, ticket_of(edge.person().click("/go/free")))
    assert "entitlementId" not in free
    private = edge.person(school="")
    edge.redis("HSET", private.private_hash(), "book", RECORD)
    claims = verified(desk.ring, ticket_of(private.click()))
    assert "organisationMasterIdentifier" not in claims
    assert claims["entitlementId"] == ENTITLEMENT
    teacher = edge.person(eck=False, sub=True).grant("book")
    assert verified(desk.ring, ticket_of(teacher.click()))["role"] \
        == "employee"


def test_head_gets_one_too(desk):
    person = desk.edge.person().grant("book")
    verified(desk.ring, ticket_of(person.click(method="HEAD")))


def test_refused_clicks_get_none(desk):
    before = desk.counted()
    for response in (desk.edge.person().click(),
                     desk.edge.click("/go/book"),
                     desk.edge.person().grant("book", "B").click()):
        assert "ticket=" not in (response.location or "")
    assert desk.counted() == before


def test_an_audience_that_is_none_opens_nothing(desk):
    person = desk.edge.person()
    failed = desk.counted("failed")
    for number, audience in enumerate(("a b", 'a"', "é", "x" * 257)):
        product = f"wrong{number}"
        desk.edge.product(product, url=URL, ticket=audience)
        person.grant(product)
        response = person.click(f"/go/{product}")
        assert (response.status, response.outcome) == (
            404, "unknown-material")
        assert response.location is None
    assert desk.counted("failed") == failed + 4
    assert "is for no audience" in desk.edge.nginx.log()


def test_a_link_that_is_too_long_with_its_ticket(desk):
    edge = desk.edge
    edge.product("long", url=URL + "x" * 2000, deep=URL + "x" * 2000
                 + "?{path}", ticket=PUBLISHER)
    person = edge.person().grant("long")
    assert len(person.click("/go/long").location) < 3584
    ampersands = "&" * 500          # each of which becomes three bytes
    response = person.click("/go/long/" + ampersands)
    assert (response.status, response.outcome) == (404, "unknown-material")
    assert "together are too long" in edge.nginx.log()


# ---- other settings ----

def test_parameter_and_life_and_another_location(tmp_path):
    with Desk(tmp_path, more="life=5m parameter=lti_ticket") as desk:
        person = desk.edge.person().grant("book")
        claims = verified(desk.ring, ticket_of(person.click(), "lti_ticket"))
        assert claims["exp"] == claims["iat"] + 300


@pytest.mark.parametrize("server, click", [("", {}), (None, {
    "ticket": "off"})])
def test_without_the_directive_no_link_is_sent(tmp_path, server, click):
    kwargs = {} if server is None else {"server": server}
    sent = []

    def activate(headers):
        sent.append(headers)
        return {"X-Accel-Redirect": headers["X-Uri"]}

    with Desk(tmp_path, click=click, worker=activate, **kwargs) as desk:
        edge = desk.edge
        for state in ("L", "E"):
            response = edge.person().grant("book", state).click()
            assert (response.status, response.outcome) == (
                503, "unavailable")
            assert response.location is None
        assert sent == []
        assert desk.counted("failed") == 2
        assert "no leerpoort_ticket here" in edge.nginx.log()
        edge.product("plain")
        assert edge.person().grant("plain").click("/go/plain").outcome \
            == "redirect"


def test_an_activated_click_gets_it_when_it_is_back(tmp_path):
    def activate(headers):
        desk.edge.redis("HSET", names.user_hash(
            headers["X-School"], headers["X-User"]), "book",
            f"L 20200101 20991231 {headers['X-Entitlement']}")
        return {"X-Accel-Redirect": headers["X-Uri"]}

    with Desk(tmp_path, worker=activate) as desk:
        person = desk.edge.person().grant("book", RECORD.replace("L", "E", 1))
        claims = verified(desk.ring, ticket_of(person.click()))
        assert claims["entitlementId"] == ENTITLEMENT
        assert desk.counted() == 1


def test_a_stale_click_gets_it(tmp_path):
    redis = Redis(tmp_path)
    redis.start()
    try:
        with Desk(tmp_path, redis=redis, click={"mirror_time": "1s"}) as desk:
            person = desk.edge.person().grant("book")
            desk.edge.settled(person)
            redis.kill()
            response = eventually("an old entry answers", lambda: (
                lambda r: r.mirror == "STALE" and r)(person.click()))
            verified(desk.ring, ticket_of(response))
    finally:
        redis.destroy()


@pytest.mark.parametrize("alg", ["EdDSA", "RS256"])
def test_other_keys_sign_as_well(tmp_path, alg):
    with Desk(tmp_path, alg) as desk:
        person = desk.edge.person().grant("book")
        ticket = ticket_of(person.click())
        assert jwt.get_unverified_header(ticket)["alg"] == alg
        verified(desk.ring, ticket)


# ---- rotation ----

def test_a_rotation_counts_from_its_time_on_after_a_reload(tmp_path):
    with Desk(tmp_path) as desk:
        person = desk.edge.person().grant("book")

        def kid():
            return jwt.get_unverified_header(ticket_of(person.click()))["kid"]

        first = kid()
        old = ticket_of(person.click())
        # of the same algorithm, on which publishers rely
        second = desk.ring.rotate(None, overlap=3)
        assert {key["alg"] for key in desk.ring.jwks()["keys"]} == {"ES256"}
        assert kid() == first
        desk.edge.nginx.reload()
        eventually("the new key signs", lambda: kid() == second, 20)
        verified(desk.ring, ticket_of(person.click()))
        verified(desk.ring, old)


# ---- the example ----

def opened(text):
    """lua-free-conf/nginx.conf with its two places for tickets."""
    for pattern, replacement in (
            (r"# (leerpoort_ticket keys=\S+)\n +# +(issuer=\S+;)", r"\1 \2"),
            (r"# (location = /\.well-known/tickets\.json \{)\n +# ( .*)\n"
             r" +# ( .*)\n +# ( .*)\n +# (\})", r"\1\n\2\n\3\n\4\n\5")):
        text, count = re.subn(pattern, replacement, text)
        assert count == 1, f"the example has no {pattern}"
    return text


def test_nginx_example_can_be_opened_for_tickets(tmp_path, example_redis):
    """A publisher checks a ticket with what is served; no log has it."""
    keys = tmp_path / "ticket-keys"
    keys.mkdir(0o711)
    subprocess.run([BUILD / "leerpoort", "key", "rotate", "--keys", keys,
                    "--alg", "ES256"], check=True, capture_output=True)
    with Example(tmp_path, example_redis, opened) as example:
        operator = as_user(example_redis, "operator")
        operator("HSET", names.product_hash("book"), "ticket", PUBLISHER)
        operator.close()
        token = example.school.mint(sub="me", org="S1")
        head = example.ask("/go/book", token=token)[1]
        ticket = re.search(r"\r\nLocation: https://methode\.example\.nl/book"
                           r"\?ticket=(\S+)\r\n", head)[1]
        status, head, body = example.ask("/.well-known/tickets.json")
        assert status == 200
        assert "\r\nContent-Type: application/jwk-set+json\r\n" in head
        assert "\r\nCache-Control: max-age=300\r\n" in head
        kid = jwt.get_unverified_header(ticket)["kid"]
        assert jwt.decode(ticket, jwt.PyJWKSet.from_json(body)[kid].key,
                          ["ES256"], audience=PUBLISHER,
                          issuer=SITE)["productId"] == "book"
        assert not example.severe()
    for name in ("leerpoort.log", "error.log"):
        assert ticket[-40:] not in (tmp_path / name).read_text()


# ---- configuration ----

def config(folder, directive):
    return nginx.frame(folder, f"server {{ listen 127.0.0.1:1; {directive} }}")


@pytest.mark.parametrize("words, complaint", [
    ("", "number of arguments"),
    ("on", "unknown parameter"),
    ("keys=@KEYS@", 'needs "keys=" and "issuer="'),
    ("issuer=x", 'needs "keys=" and "issuer="'),
    ("keys= issuer=x", 'needs "keys=" and "issuer="'),
    ("keys=@KEYS@ issuer=", "visible"),
    ("keys=@KEYS@ 'issuer=a b'", "visible"),
    ("keys=@KEYS@ issuer=x life=0", "1s to 10m"),
    ("keys=@KEYS@ issuer=x life=11m", "1s to 10m"),
    ("keys=@KEYS@ issuer=x life=soon", "1s to 10m"),
    ("keys=@KEYS@ issuer=x parameter=", "letters"),
    ("keys=@KEYS@ issuer=x parameter=a&b", "letters"),
    ("keys=@KEYS@ issuer=x parameter=" + "x" * 33, "letters"),
    ("keys=@KEYS@ issuer=x other=y", "unknown parameter"),
    ("off; leerpoort_ticket off", "is duplicate"),
    ("keys=/nowhere issuer=x", "can't read the folder"),
])
def test_wrong_configurations_are_refused(tmp_path, words, complaint):
    ring = Ring(tmp_path)
    directive = f"leerpoort_ticket {words};".replace("@KEYS@",
                                                     str(ring.folder))
    assert complaint in nginx.config_error(tmp_path, config(tmp_path,
                                                            directive))


def test_a_folder_without_a_key_that_signs_is_refused(tmp_path):
    ring = Ring(tmp_path, None)

    def error():
        return nginx.config_error(tmp_path, config(tmp_path,
                                                   ring.directive()))

    assert "key rotate --keys" in error()
    (ring.folder / "a.jwk").write_text("{}")
    (ring.folder / "a.jwk").chmod(0o600)
    code, said = nginx.configuration_test(tmp_path, config(
        tmp_path, ring.directive()))
    assert code == 1 and "a.jwk" in said and "belong together" in said
    assert "mend or remove the files" in said and "rotate" not in said
    (ring.folder / "a.jwk").unlink()

    kid = ring.rotate()
    file = ring.folder / f"{kid}.jwk"
    file.chmod(0o644)
    assert "may be read by others" in error()
    file.chmod(0o600)
    key = json.loads(file.read_text())
    key["nbf"] = 4000000000
    file.write_text(json.dumps(key))
    assert "no key" in error()
    key["nbf"] = 0
    file.write_text(json.dumps(key))
    code, said = nginx.configuration_test(tmp_path, config(
        tmp_path, ring.directive()))
    assert code == 0, said


def test_a_slow_key_is_warned_of(tmp_path):
    ring = Ring(tmp_path, "RS256")
    code, said = nginx.configuration_test(tmp_path, config(
        tmp_path, ring.directive()))
    assert code == 0
    assert "[warn]" in said and "ES256" in said
