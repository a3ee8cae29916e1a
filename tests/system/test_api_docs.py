"""docs/api.md: its examples are sent to a running Leerpoort, in their order;
its lists are those of the sources.

An example is a fenced block ```http: a request and, in the next block, its
answer, or a message that Leerpoort sends to a party. What stands there is sent
and compared as it stands, but for tokens (eyJ...), for days, which are made to
last, and for the codes, which nobody knows before they are made.
"""

import collections
import json
import re
import urllib.parse

import pytest

from lib.process import REPOSITORY, eventually
from lib.town import Town

DOC = REPOSITORY / "docs" / "api.md"
SCHOOL, BRIN, PRODUCT = "104A158", "11ZZ", "8717927130834"
ECK = "https://ketenid.nl/201703/6f3a5d0c1e"
CODES = ("ABCDE-FGHJK-LMNPQ-RSTUV-WXYZ2", "M3N4P-Q5R6S-T7U2V-W3X4Y-Z5A6B")
SPOKEN = "abcde fghjk lmnpq rstuv wxyz2"    # the first, as somebody types it

DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")


def text():
    return DOC.read_text()


def source(name):
    """A source without its comments."""
    return re.sub(r"/\*.*?\*/", "", (REPOSITORY / name).read_text(),
                  flags=re.S)


# --- examples ----------------------------------------------------------------

class Block:
    """A request or an answer as the document has it."""

    def __init__(self, block):
        head, _, self.body = block.partition("\n\n")
        self.line, *headers = head.splitlines()
        self.headers = dict(line.split(": ", 1) for line in headers)
        self.body = self.body.strip()

    @property
    def is_answer(self):
        return self.line.startswith("HTTP/1.1 ")

    @property
    def documents(self):
        """The body: one document, or one of each line."""
        if "x-ndjson" in self.headers.get("Content-Type", ""):
            return [json.loads(line) for line in self.body.splitlines()]
        return json.loads(self.body)


def examples():
    """(request, answer); the answer of a message that is sent is None."""
    blocks = [Block(b) for b in re.findall(r"^```http\n(.*?)^```", text(),
                                           re.S | re.M)]
    found = []
    for block in blocks:
        if not block.is_answer:
            found.append((block, None))
        else:
            request, before = found.pop()
            assert before is None, f"two answers: {block.line}"
            found.append((request, block))
    return found


def same(shown, got):
    """Whether an answer is what the document shows, member by member."""
    if isinstance(shown, dict):
        return isinstance(got, dict) and shown.keys() == got.keys() and all(
            same(shown[name], got[name]) for name in shown)
    if isinstance(shown, list):
        return isinstance(got, list) and len(shown) == len(got) and all(
            map(same, shown, got))
    if isinstance(shown, str) and isinstance(got, str):
        for shape in (DAY, TIME):
            if shape.fullmatch(shown):
                return bool(shape.fullmatch(got))
        if shown == "...":
            return bool(got)
        if shown == "eyJ...":
            return got.startswith("eyJ") and got.count(".") == 2
    return type(shown) is type(got) and shown == got


class Story:
    """A town as the examples have it."""

    def __init__(self, town):
        self.town = town
        line = {"organisationMasterIdentifier": SCHOOL, "name": "De Test",
                "organisationIds": [{"organisationIdType": "OIE_CODE",
                                     "organisationId": BRIN}]}
        town.command("import", "schools", "-", given=json.dumps(line) + "\n")
        town.product(PRODUCT)
        self.pupil = town.edge.person(school=SCHOOL)
        self.pupil.ids["eckid"] = ("ECK", ECK)
        self.other = town.edge.person(school=SCHOOL)
        self.codes = []

    def click(self):
        click = self.pupil.click(f"/go/{PRODUCT}")
        assert click.outcome == "redirect", click

    def await_codes(self):
        """The codes of the first request, once they were sent."""
        def sent():
            return [m.json["activationCodes"] for m in self.town.party.of(
                "/activationcodes/confirmations")]
        if not self.codes:
            [self.codes] = eventually("the codes are sent", sent, 20, 0.02)
        return self.codes

    def with_codes(self, words):
        if any(code in words for code in (*CODES, SPOKEN)):
            for shown, code in zip(CODES, self.await_codes()):
                words = words.replace(shown, code)
            words = words.replace(SPOKEN, self.codes[0].replace(
                "-", " ").lower())
        return words

    def token(self, path):
        if path == "/activate/code":
            return self.other.token()
        return self.town.seller.token()

    def send(self, request):
        """(HTTP status, document or documents)."""
        method, path = request.line.split(" ")
        body = self.with_codes(request.body)
        body = re.sub(r'"2026(-\d\d-\d\d)', r'"2020\1', body)
        body = re.sub(r'"2027(-\d\d-\d\d)', r'"2099\1', body)
        if path == "/oauth/token":
            body = body.replace("eyJ...", urllib.parse.quote(
                self.town.seller.assertion()))
        headers = dict(request.headers)
        if "Authorization" in headers:
            assert headers["Authorization"] == "Bearer eyJ..."
            headers["Authorization"] = "Bearer " + self.token(path)
        status, answer, got = self.town.send(
            method, path, body.encode() or None, headers)
        if "x-ndjson" in got["Content-Type"]:
            answer = [json.loads(line) for line in answer.splitlines()]
        if path != "/.well-known/jwks.json":
            assert got["API-Version"] == "1.0.0"
            assert got["Cache-Control"] == "no-store"
        return status, answer

    def heard(self, message):
        """A message as shown, once it came to the party."""
        method, url = message.line.split(" ")
        assert method == "PUT"
        shown = json.loads(self.with_codes(message.body))
        path = urllib.parse.urlsplit(url).path.removeprefix("/v1")
        try:
            eventually(path, lambda: any(
                same(shown, m.json) for m in self.town.party.of(path)), 20,
                0.05)
        except AssertionError:
            raise AssertionError((shown, [
                m.json for m in self.town.party.of(path)])) from None


def test_the_examples_are_what_happens():
    asked = set()
    with Town() as town:
        story = Story(town)
        clicked = False
        for request, shown in examples():
            if "/usage/" in request.line and not clicked:
                story.click()
                clicked = True
            if shown is None:
                story.heard(request)
                asked.add(request.line)
                continue
            status = int(shown.line.split(" ")[1])
            # usage is counted a little later
            tries = 20 if "/usage/" in request.line and status == 200 else 0
            got = None

            def answered(request=request, shown=shown, status=status):
                nonlocal got
                got = story.send(request)
                return got[0] == status and same(shown.documents, got[1])
            try:
                eventually(request.line, answered, tries, 0.1)
            except AssertionError:
                raise AssertionError(
                    f"{request.line}\nshown: {status} {shown.documents}\n"
                    f"got:   {got[0]} {got[1]}") from None
            asked.add((request.line.partition("?")[0], status < 300))
        assert not town.redis("KEYS", "dead:*")
    for method, path in routes_documented():
        path = path.replace("{entitlementId}",
                            "24e39454-5360-4ba4-819f-03e59b8dd679")
        assert (f"{method} {path}", True) in asked, f"no example: {path}"
    assert {line.rpartition("/v1")[2] for line in asked
            if isinstance(line, str)} == {
        "/entitlements/confirmations", "/usage/activation",
        "/activationcodes/confirmations",
        "/activationcodes/revoke/confirmations"}


def test_an_example_that_lies_is_noticed():
    shown = {"status": 2, "at": "2026-01-01", "list": ["...", 1]}
    good = {"status": 2, "at": "2031-12-31", "list": ["x", 1]}
    assert same(shown, good)
    for change in ({"status": 3}, {"status": True}, {"at": "soon"},
                   {"list": ["", 1]}, {"list": ["x"]}, {"more": 1},
                   {"at": "2031-12-31T00:00:00Z"}):
        assert not same(shown, {**good, **change})
    assert not same(shown, {"status": 2, "at": "2026-01-01"})


# --- lists -------------------------------------------------------------------

def rows(heading):
    """The cells of the first table below a heading, its head left out."""
    part = ("\n" + text()).split(f"\n{heading}\n", 1)[1]
    part = re.split(r"\n#+ ", part, maxsplit=1)[0]
    table = re.search(r"(?:^\|.*\n)+", part + "\n", re.M)[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")]
            for line in table[2:]]


def routes_documented():
    """{(method, path): scopes} of the list of routes."""
    found = {}
    for link, scopes, _ in rows("# The APIs"):
        method, path = re.match(r"\[`(\w+) (\S+)`\]", link).groups()
        found[method, path] = set(re.findall(r"`([\w.]+)`", scopes))
    return found


def routes_written():
    """The same of workers/routes.c."""
    code = source("workers/routes.c")
    usage = re.search(r"#define USAGE \{(.*?)\}", code)[1]
    table = re.search(r"route_t routes\[\] = \{(.*?)\n\};", code, re.S)[1]
    found = {}
    for method, path, caller, scopes in re.findall(
            r'\{"(\w+)", "(\S+)", (\w+),\s*(USAGE|\{[^}]*\}),', table):
        scopes = usage if scopes == "USAGE" else scopes
        if path.endswith("/"):
            path += "{entitlementId}"
        found[method, path] = set(re.findall(r'"([\w.]+)"', scopes))
        assert (caller == "BY_CLIENT") == bool(found[method, path])
    assert len(found) == table.count("lp_route_")
    return found


def test_routes_and_scopes_are_those_of_the_worker():
    documented = routes_documented()
    # nginx answers this one by itself
    assert documented.pop(("GET", "/.well-known/jwks.json")) == set()
    assert documented == routes_written()


def test_every_route_has_a_section():
    headings = re.findall(r"^#{2,3} ((?:GET|PUT|POST) \S+)$", text(), re.M)
    assert headings == list(dict.fromkeys(headings))
    assert set(headings) == {" ".join(route) for route in routes_documented()}


def test_status_codes_are_those_of_the_worker():
    written = {int(number) for number in re.findall(
        r"#define LP_CODE_\w+\s+(\d+)", source("workers/service.h"))}
    assert {int(status) for status, _ in rows("## Conventions")} == written
    # and what the tables of refusals say is of that list
    used = {int(status) for status in re.findall(
        r"^\| \d{3} \| (\d+) \|", text(), re.M)}
    assert used <= written
    assert written - used == {2}, "never said when"


OBJECTS = {"request_fields": "EntitlementRequest",
           "entitlement_fields": "Entitlement",
           "school_fields": "SchoolReference",
           "organisation_fields": "organisationIds[]",
           "user_fields": "UserReference", "user_id_fields": "userIds[]"}


def number(name):
    """The number behind a name of a limit."""
    if name.isdigit():
        return int(name)
    for path in ("workers/entitlement_message.c", "workers/entitlements.h",
                 "workers/record.h", "core/entitlement.h",
                 "workers/written_time.h", "core/token.h"):
        if found := re.search(rf"#define {name}\s+(\w+)", source(path)):
            return number(found[1])
    raise AssertionError(f"{name} is not defined where it was looked for")


@pytest.mark.parametrize("table", OBJECTS)
def test_fields_of_an_entitlement_are_those_of_the_worker(table):
    code = re.search(rf"lp_member_t {table}\[\] = \{{(.*?)\n\}};",
                     source("workers/entitlement_message.c"), re.S)[1]
    types = {"STRING": "string", "OBJECT": "object", "ARRAY": "list",
             "INTEGER": "integer"}
    written = {
        name: (types[kind], need == "NEEDED",
               number(limit) if kind == "STRING" else None)
        for name, kind, limit, need in re.findall(
            r'\{"(\w+)", JSON_(\w+), (\w+), LP_(NEEDED|OPTIONAL)', code)}
    documented = {
        name.strip("`"): (kind, {"yes": True, "no": False}[needed],
                          int(length) if length else None)
        for name, kind, needed, length, _ in rows(f"#### {OBJECTS[table]}")}
    assert documented == written and written


def test_reasons_are_those_of_the_sources():
    """What a table of refusals quotes is what a worker can say."""
    said = "".join(
        re.sub(r'"\s*\\?\s*"', "", source(f"workers/{path.name}"))
        for path in sorted((REPOSITORY / "workers").glob("*.[ch]")))
    said = said.replace('LP_SCOPE_DASHBOARD', "usage.dashboard")
    said = re.sub(r'" TEXT\(LP_NDJSON_LINE_MAX\) "', "65536", said)
    quoted = collections.Counter()
    for line in text().splitlines():
        if not re.match(r"\| (\d{3} \| )?\d+ \| ", line):
            continue
        for words in re.findall(r"`([^`]+)`", line):
            # "field: reason", or a reason; single names are fields
            reason = words.rpartition(": ")[2]
            if " " not in reason or reason.startswith(("leerpoort", "--")):
                continue
            quoted[reason] += 1
            pattern = re.sub(r"\d+", r"(%\\w+|\\d+)", re.escape(reason))
            pattern = pattern.replace("is\\ not\\ a\\ whole",
                                      "is\\ %sa\\ whole")
            assert re.search(pattern, said), reason
    assert len(quoted) > 25


def test_what_is_sent_has_the_fields_that_are_documented():
    """The shown message has each field that is always there, and no other."""
    for heading in ("EntitlementConfirmation", "InitialActivation",
                    "ActivationCodeConfirmation"):
        part = text().split(f"\n### {heading}\n", 1)[1]
        example = re.search(r"```http\n.*?\n\n(.*?)```", part, re.S)[1]
        named = {name: len(row) < 4 or row[2] == "always"
                 for row in rows(f"### {heading}")
                 for name in re.findall(r"`(\w+)`", row[0])}
        shown = json.loads(example).keys()
        assert shown <= named.keys()
        assert {name for name, always in named.items() if always} <= shown
