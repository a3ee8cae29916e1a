"""Bad input to every route: each field missing, of another type, too long or
of no known value, each body that is none. The answer is 4xx in Edu-V's form,
names the field and repeats nothing; nothing is written; the next good request
is answered. Then what is good alone, but comes twice at once."""

import concurrent.futures
import copy
import itertools
import json
import pathlib
import re
import subprocess
import tempfile
import urllib.parse
import uuid

import pytest

from lib import names
from lib.desk import ENDPOINT, NOW, Desk, fresh, pupil
from lib.fastcgi import message as request_bytes
from lib.fastcgi import params, parse, raw
from lib.nginx import BUILD
from lib.redis import Redis
from lib.tokens import compact
from lib.workers import environment

MARK = "canary"     # in each id of a person and each code, in capitals too
ENTITLEMENTS, BULK = "/v1/entitlements", "/v1/entitlements/bulk"
CODES, REVOKE = "/v1/activationcodes", "/v1/activationcodes/revoke"
REDEEM, USER = "/activate/code", "/v1/usage/school/user"
SCHOOL, ONE = "/v1/usage/school", "/v1/usage/entitlements/"
TOKEN = "/oauth/token"
BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@pytest.fixture(scope="module")
def desk():
    with tempfile.TemporaryDirectory(prefix="leerpoort-test-") as folder:
        folder = pathlib.Path(folder)
        (folder / "keys").mkdir(0o700)
        subprocess.run([BUILD / "leerpoort", "key", "rotate", "--keys",
                        folder / "keys"], check=True, capture_output=True,
                       timeout=60, env=environment(folder, NOW - 3600))
        redis = Redis(folder)
        try:
            redis.start()
            desk = Desk(folder, redis, keys=folder / "keys")
            redis("SET", names.alias_key("OIE_CODE", "11ZZ"), "S1")
            redis.pipeline([("HSET", f"school:{{{names.shard(name)}}}:{name}",
                             "name", name) for name in (
                                 f"O{i}" for i in range(1000))])
            with desk.workers:
                yield desk
        finally:
            redis.destroy()


# --- good bodies -------------------------------------------------------------

def entitlement(**changes):
    return {"entitlementReferenceId": fresh("ref"),
            "created": "2026-08-20T09:30:00Z",
            "entitlement": {
                "entitlementId": str(uuid.uuid4()),
                "entitlementType": "school-student",
                "entitlementStatus": "created", "productId": "book",
                "deliveryOrderId": "order-1", "contractId": "contract-1",
                "startDate": "2026-08-01",
                "activationUntilDate": "2027-07-31",
                "expirationDate": "2027-07-31", "endDate": "2027-01-01",
                "school": {"organisationMasterIdentifier": "S1"},
                "user": {"userMasterIdentifier": fresh(MARK)}, **changes}}


def users():
    return {"userIds": [{"userIdType": "NEPPI", "userId": fresh(MARK)},
                        {"userIdType": "BPI", "userId": fresh(MARK)}]}


def organisations():
    return {"organisationIds": [{"organisationIdType": "OIE_CODE",
                                 "organisationId": "11ZZ"}]}


_schools = itertools.count()


def opened():
    """All of a school's, and of a school that has none yet: more than eight
    to one product are refused."""
    return entitlement(entitlementType="school-open", quantity=5,
                       productId="atlas", user={}, school={
                           "organisationMasterIdentifier":
                               f"O{next(_schools)}"})


class Route:
    """A route with JSON bodies. good(desk): a new body that is accepted;
    free: paths of what may be missing; limits: bytes of texts."""

    def __init__(self, path, method, good, free=(), limits=(), max_body=65536,
                 **who):
        self.path, self.method, self.good = path, method, good
        self.free, self.limits = set(free), dict(limits)
        self.max_body, self.who = max_body, who

    def send(self, desk, body, **changes):
        """(HTTP status, document or None where the body is empty)."""
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        answer = desk.workers.ask(self.path, self.method, body,
                                  **{**self.who, **changes})
        assert MARK not in answer.body.decode().lower()
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["api-version"] == "1.0.0"
        return answer.status, json.loads(answer.body)


SELLER = {"LEERPOORT_CLIENT": "seller"}
ENTITLE = {**SELLER, "LEERPOORT_SCOPE": "entitlement.licensor"}
CODE = {**SELLER, "LEERPOORT_SCOPE": "activationcode"}
USAGE = {**SELLER, "LEERPOORT_SCOPE": "usage.seller"}

E = "entitlement"
TEXTS = {"entitlementReferenceId": 128, "created": 40,
         f"{E}.entitlementId": 36, f"{E}.entitlementType": 64,
         f"{E}.entitlementStatus": 64, f"{E}.productId": 64,
         f"{E}.deliveryOrderId": 64, f"{E}.contractId": 64,
         f"{E}.startDate": 10, f"{E}.activationUntilDate": 10,
         f"{E}.expirationDate": 10, f"{E}.endDate": 10,
         f"{E}.school.organisationMasterIdentifier": 64,
         f"{E}.user.userMasterIdentifier": 512}

ROUTES = {
    "pupil": Route(
        ENTITLEMENTS, "PUT", lambda desk: entitlement(), limits=TEXTS,
        free=("created", f"{E}.deliveryOrderId", f"{E}.contractId",
              f"{E}.expirationDate", f"{E}.endDate"), **ENTITLE),
    "teacher": Route(
        ENTITLEMENTS, "PUT", lambda desk: entitlement(
            entitlementType="school-employee", school=organisations(),
            user=users()),
        free=("created", f"{E}.deliveryOrderId", f"{E}.contractId",
              f"{E}.expirationDate", f"{E}.endDate"),
        limits={f"{E}.school.organisationIds.organisationIdType": 64,
                f"{E}.school.organisationIds.organisationId": 64,
                f"{E}.user.userIds.userIdType": 16,
                f"{E}.user.userIds.userId": 512}, **ENTITLE),
    "code": Route(
        ENTITLEMENTS, "PUT", lambda desk: entitlement(
            entitlementType="customer-activationcode", school={}, user={},
            activationCode=f"{MARK}{uuid.uuid4().hex}"),
        free=("created", f"{E}.deliveryOrderId", f"{E}.contractId",
              f"{E}.expirationDate", f"{E}.endDate", f"{E}.school",
              f"{E}.user"),
        limits={f"{E}.activationCode": 96}, **ENTITLE),
    "open": Route(
        ENTITLEMENTS, "PUT", lambda desk: opened(),
        free=("created", f"{E}.deliveryOrderId", f"{E}.contractId",
              f"{E}.expirationDate", f"{E}.endDate", f"{E}.quantity",
              f"{E}.user"), **ENTITLE),
    "codes": Route(
        CODES, "PUT", lambda desk: {
            "requestReferenceId": fresh("req"), "productId": "book",
            "quantity": 1, "contractId": "contract-1"},
        free=("contractId",), max_body=4096,
        limits={"requestReferenceId": 64, "productId": 64, "contractId": 64},
        **CODE),
    "revoke": Route(
        REVOKE, "PUT", lambda desk: {
            "requestReferenceId": fresh("rev"), "activationCode": desk.one()},
        max_body=4096, limits={"requestReferenceId": 64, "activationCode": 64},
        **CODE),
    "redeem": Route(
        REDEEM, "POST", lambda desk: {"activationCode": desk.one()},
        max_body=4096, limits={"activationCode": 64}, LEERPOORT_SCHOOL="S1",
        LEERPOORT_USERS="A" * 22),
    "user": Route(
        USER, "POST", lambda desk: {
            "school": {"organisationMasterIdentifier": "S1"},
            "user": {"userMasterIdentifier": fresh(MARK)}},
        free=("school",), **USAGE,
        limits={"school.organisationMasterIdentifier": 64,
                "user.userMasterIdentifier": 512}),
    "user's ids": Route(
        USER, "POST", lambda desk: {"school": organisations(),
                                    "user": users()},
        free=("school",), **USAGE,
        limits={"school.organisationIds.organisationIdType": 64,
                "school.organisationIds.organisationId": 64,
                "user.userIds.userIdType": 16,
                "user.userIds.userId": 512}),
}


def send(desk, name, body, **changes):
    if name == "redeem":    # a person who holds nothing yet
        changes.setdefault("LEERPOORT_USERS", pupil())
    return ROUTES[name].send(desk, body, **changes)


def accept(desk, name, body=None):
    status, answer = send(desk, name, body or ROUTES[name].good(desk))
    assert status in (200, 202), (name, answer)


# --- places in a body --------------------------------------------------------

DROP = object()


def places(body, above=()):
    """The paths of all members, down to the leaves."""
    found = []
    entries = body.items() if isinstance(body, dict) else enumerate(body)
    for name, value in entries:
        path = (*above, name)
        found.append(path)
        if isinstance(value, (dict, list)):
            found += places(value, path)
    return found


def text_of(path):
    """ "a.list.b": as messages have it, without the numbers of a list."""
    return ".".join(name for name in path if isinstance(name, str))


def with_(body, path, value):
    """The body with another value there."""
    body = copy.deepcopy(body)
    at = body
    for name in path[:-1]:
        at = at[name]
    if value is DROP:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return body


def at(body, path):
    for name in path:
        body = body[name]
    return body


def names_it(message, path):
    """The message begins with the field, with what it is in, or in a reference
    to a school or a person with what could stand there instead."""
    field = re.sub(r"\[\d+\]", "", message.partition(": ")[0])
    wanted = text_of(path)
    above = wanted.rpartition(".")[0]
    if field == wanted or field.startswith(wanted + "."):
        return True
    if above.rpartition(".")[2] in ("school", "user"):
        return field == above or field.startswith(above + ".")
    return field != E and wanted.startswith(field + ".")


class Unchanged:
    """Nothing is written meanwhile."""

    def __init__(self, desk):
        self.redis = desk.redis

    def changes(self):
        for line in self.redis("INFO", "persistence").splitlines():
            if line.startswith("rdb_changes_since_last_save:"):
                return int(line.partition(":")[2])
        raise AssertionError("Redis does not tell what changed")

    def __enter__(self):
        self.before = self.changes(), self.redis("DBSIZE")

    def __exit__(self, kind, *exc):
        if kind is None:
            assert (self.changes(), self.redis("DBSIZE")) == self.before


def refuse(desk, name, body, path, http=400, code=11, **changes):
    with Unchanged(desk):
        status, answer = send(desk, name, body, **changes)
    assert answer.keys() == {"status", "statusMessage"}, answer
    assert (status, answer["status"]) == (http, code), (path, answer)
    assert names_it(answer["statusMessage"], path), (path, answer)
    return answer["statusMessage"]


# --- every field -------------------------------------------------------------

OTHERS = [None, 7, 1.5, True, [], [7], {}, {"x": 7}, "", MARK]


def cases():
    """(route, path): every member of every good body."""
    desk = type("Anybody", (), {"one": staticmethod(lambda: "ABCDEFGH")})
    return [pytest.param(name, path, id=f"{name}:" + ".".join(map(str, path)))
            for name, route in ROUTES.items()
            for path in places(route.good(desk))]


@pytest.mark.parametrize("name, path", cases())
def test_a_field(desk, name, path):
    route = ROUTES[name]
    body = route.good(desk)
    good = at(body, path)
    listed = isinstance(path[-1], int)      # an entry of a list
    free = text_of(path) in route.free or (listed and path[-1] > 0)

    # missing; null and "" are the same where it may be
    for value in (DROP, None, *([""] if isinstance(good, str) else [])):
        if listed and value is not DROP:
            continue
        wrong = with_(body, path, value)
        if free:
            accept(desk, name, refreshed(wrong))
        elif not (listed and len(at(body, path[:-1])) > 1):
            refuse(desk, name, wrong, path)

    # of another type
    for value in OTHERS:
        if type(value) is type(good) or value is None \
                or (isinstance(good, str) and value == ""):
            continue
        refuse(desk, name, with_(body, path, value), path)

    # too long, or with what nobody can see
    limit = route.limits.get(text_of(path))
    if isinstance(good, str) and limit is not None:
        for value in (MARK + "x" * (limit + 1 - len(MARK)),
                      MARK + "\u00e9" * limit, MARK + "x" * 3000,
                      good + "\n", "\x7f" + good, good[:3] + "\x01" + good):
            if "activationCode" in path and value.endswith("\n"):
                continue        # a blank, which codes may have
            refuse(desk, name, with_(body, path, value), path)
    accept(desk, name, refreshed(body))


def refreshed(body):
    """As a new message, of a new entitlement and person."""
    if "requestReferenceId" in body:
        return {**body, "requestReferenceId": fresh("req")}
    if E in body:
        body = copy.deepcopy(body)
        body["entitlementReferenceId"] = fresh("ref")
        body[E]["entitlementId"] = str(uuid.uuid4())
        if body[E].get("user") and body[E]["user"].get(
                "userMasterIdentifier"):
            body[E]["user"]["userMasterIdentifier"] = fresh(MARK)
        if "activationCode" in body[E]:
            body[E]["activationCode"] = MARK + uuid.uuid4().hex
        if body[E].get("entitlementType") == "school-open":
            body[E]["school"] = opened()[E]["school"]
    return body


def test_the_longest_texts_are_taken(desk):
    for name, route in ROUTES.items():
        body = route.good(desk)
        for text, limit in route.limits.items():
            if text.rpartition(".")[2] in (
                    "entitlementReferenceId", "deliveryOrderId", "contractId",
                    "userMasterIdentifier", "userId", "userIdType",
                    "requestReferenceId"):
                for path in places(body):
                    if text_of(path) == text \
                            and isinstance(at(body, path), str):
                        long = fresh("long")
                        long = long + "x" * (limit - len(long))
                        body = with_(body, path, long)
        accept(desk, name, body)


def short(value):
    """The name of a parameter where its text would be too long for one."""
    return f"{len(value)} bytes" if isinstance(value, str) \
        and len(value) > 60 else None


def path_(text):
    return tuple(int(name) if name.isdigit() else name
                 for name in text.split("."))


UUID = "24e39454-5360-4ba4-819f-03e59b8dd679"

# route, field, value, HTTP and status where they are not 400 and 11
VALUES = [
    ("pupil", f"{E}.entitlementType", "school"),
    ("pupil", f"{E}.entitlementType", "School-Student"),
    ("pupil", f"{E}.entitlementStatus", "expired"),
    ("pupil", f"{E}.entitlementStatus", "CREATED"),
    ("pupil", f"{E}.productId", "unknown-book", 400, 99),
    ("pupil", f"{E}.productId", "../book"),
    ("pupil", f"{E}.productId", "-book"),
    ("pupil", f"{E}.productId", "b\u00f6\u00f6k"),
    ("pupil", f"{E}.school.organisationMasterIdentifier", "S9", 400, 9),
    ("pupil", f"{E}.school.organisationMasterIdentifier", "S/1"),
    ("pupil", f"{E}.entitlementId", "{" + UUID[1:-1] + "}"),
    ("pupil", f"{E}.entitlementId", UUID[:-1]),
    ("pupil", f"{E}.entitlementId", UUID[:-1] + "g"),
    ("pupil", f"{E}.entitlementId", names.entitlement("packed")),
    ("pupil", "entitlementReferenceId", "caf\u00e9"),
    ("pupil", f"{E}.startDate", "2026-02-30"),
    ("pupil", f"{E}.startDate", "2026-2-3"),
    ("pupil", f"{E}.startDate", "01-08-2026"),
    ("pupil", f"{E}.startDate", "20260801"),
    ("pupil", f"{E}.startDate", "0000-00-00"),
    ("pupil", f"{E}.activationUntilDate", "2026-07-31"),
    ("pupil", f"{E}.expirationDate", "never"),
    ("pupil", f"{E}.endDate", "2026-13-01"),
    ("pupil", "created", "yesterday"),
    ("pupil", "created", "2026-08-20"),
    ("pupil", "created", "2026-08-20T09:30:00"),
    ("pupil", "created", "2026-08-20T24:00:00Z"),
    ("pupil", "created", "2026-08-20T09:30:00+1:00"),
    ("teacher", f"{E}.school.organisationIds.0.organisationIdType", "BRIN"),
    ("teacher", f"{E}.school.organisationIds.0.organisationId", "99ZZ", 400,
     9),
    ("teacher", f"{E}.user.userIds.0.userIdType", "ECK"),
    ("teacher", f"{E}.user.userIds.0.userIdType", "a.b"),
    ("teacher", f"{E}.user.userIds.0.userIdType", "NE PPI"),
    ("teacher", f"{E}.user.userIds", [
        {"userIdType": f"T{i}", "userId": f"{MARK}-{i}"} for i in range(4)]),
    ("code", f"{E}.activationCode", "canary"),
    ("code", f"{E}.activationCode", "canary_canary"),
    ("code", f"{E}.activationCode", "canary" * 11),
    ("open", f"{E}.quantity", -1),
    ("open", f"{E}.quantity", 10 ** 9 + 1),
    ("open", f"{E}.quantity", 5.0),
    ("codes", "productId", "unknown-book", 400, 99),
    ("codes", "productId", "a/b"),
    ("codes", "quantity", 0),
    ("codes", "quantity", -1),
    ("codes", "quantity", 10001),
    ("codes", "quantity", 2 ** 62),
    ("codes", "quantity", 1e3),
    ("revoke", "activationCode", "canary"),
    ("revoke", "activationCode", "canary-canary-1", 400, 50),
    ("revoke", "activationCode", "canary_canary"),
    ("redeem", "activationCode", "canary"),
    ("redeem", "activationCode", "canary/canary"),
    ("redeem", "activationCode", "can\u00e1ry-can\u00e1ry"),
    ("user", "school.organisationMasterIdentifier", "S/1"),
    ("user's ids", "school.organisationIds.0.organisationIdType", "BRIN"),
    ("user's ids", "school.organisationIds", [
        {"organisationIdType": "OIE_CODE", "organisationId": "11ZZ"}] * 17),
    ("user's ids", "user.userIds", []),
    ("user's ids", "user.userIds.0.userIdType", "ECK"),
    ("user's ids", "user.userIds.0.userIdType", "a.b"),
    ("user's ids", "user.userIds", [
        {"userIdType": f"T{i}", "userId": f"{MARK}-{i}"} for i in range(4)]),
]


@pytest.mark.parametrize("name, field, value, http, code", [
    row if len(row) == 5 else (*row, 400, 11) for row in VALUES], ids=short)
def test_a_value(desk, name, field, value, http, code):
    body = ROUTES[name].good(desk)
    refuse(desk, name, with_(body, path_(field), value), path_(field), http,
           code)
    accept(desk, name, refreshed(body))


@pytest.mark.parametrize("status", ["cancelled", "blocked"])
def test_an_end_needs_its_day(desk, status):
    body = entitlement(entitlementStatus=status)
    del body[E]["endDate"]
    refuse(desk, "pupil", body, (E, "endDate"))


def test_a_school_nobody_knows_has_no_usage(desk):
    for school in ({"organisationMasterIdentifier": "S9"},
                   {"organisationIds": [{"organisationIdType": "V_ID",
                                         "organisationId": "99"}]}):
        body = {**ROUTES["user"].good(desk), "school": school}
        with Unchanged(desk):
            status, answer = send(desk, "user", body)
        assert (status, answer["status"]) == (404, 9)


def test_a_code_nobody_made_costs_a_try_and_nothing_else(desk):
    before = set(desk.redis("KEYS", "*"))
    person = pupil()
    status, answer = send(desk, "redeem",
                          {"activationCode": "canary-canary-1"},
                          LEERPOORT_USERS=person)
    assert (status, answer["status"]) == (400, 50)
    assert answer["statusMessage"].startswith("activationCode: ")
    new = set(desk.redis("KEYS", "*")) - before
    assert new and all(key.startswith("tries:") for key in new), new


def test_only_json_redeems_a_code(desk):
    body = ROUTES["redeem"].good(desk)
    for kind in ("", "text/plain", "application/x-www-form-urlencoded",
                 "multipart/form-data; boundary=x", "application/jsonx"):
        refuse(desk, "redeem", body, ("Content-Type",), 415, CONTENT_TYPE=kind)
    accept(desk, "redeem", body)


# --- every body --------------------------------------------------------------

def bodies(good):
    """{what is wrong: bytes} for a body that is good."""
    text = json.dumps(good)
    first = next(iter(good))
    inner = json.dumps({"canary": {"canary": 1}})[:-2] + ', "canary": 2}}'
    return {
        "empty": b"", "blank": b" \n", "no JSON": b"canary=1&x=%7B",
        "a number": b"7", "null": b"null", "a string": b'"canary"',
        "a list": f"[{text}]".encode(), "a list of nothing": b"[]",
        "half": text[:-1].encode(), "a quarter": text[:9].encode(),
        "two": (text + text).encode(), "a tail": (text + " canary").encode(),
        "single quotes": text.replace('"', "'").encode(),
        "a comment": ("/* canary */" + text).encode(),
        "a comma": (text[:-1] + ",}").encode(),
        "a byte order mark": b"\xef\xbb\xbf" + text.encode(),
        "UTF-16": text.encode("utf-16"),
        "deep": (text[:-1] + ', "canary": ' + "[" * 17 + "]" * 17
                 + "}").encode(),
        "very deep": (text[:-1] + ', "c": ' + "[" * 3000).encode(),
        "twice": (text[:-1] + f', "{first}": "canary"}}').encode(),
        "twice inside": (text[:-1] + f', "canary": {inner}}}').encode(),
        "invalid UTF-8": (text[:-1] + ', "canary": "').encode()
        + b'\xff\xfe"}',
        "an overlong form": (text[:-1] + ', "canary": "').encode()
        + b'\xc0\xaf"}',
        "a surrogate": (text[:-1] + ', "canary": "\\ud800"}').encode(),
        "a NUL": text.encode() + b"\0",
        "a NUL in a string": (text[:-1] + ', "canary": "a\0b"}').encode(),
        "an escaped NUL": (text[:-1] + ', "canary": "a\\u0000b"}').encode(),
        "a NUL in a name": (text[:-1] + ', "can\\u0000ary": 1}').encode(),
        "a line end in a string": (text[:-1] + ', "canary": "a\nb"}').encode(),
        "too big a number": (text[:-1] + ', "canary": ' + "9" * 400
                             + "}").encode(),
        "infinity": (text[:-1] + ', "canary": 1e999}').encode(),
        "NaN": (text[:-1] + ', "canary": NaN}').encode(),
    }


@pytest.mark.parametrize("name", ROUTES)
def test_a_body_that_is_none(desk, name):
    body = ROUTES[name].good(desk)
    for what, wrong in bodies(body).items():
        assert len(wrong) <= 4096, what
        message = refuse(desk, name, wrong, ("body",))
        assert message.startswith("body: "), (what, message)
    accept(desk, name, body)


@pytest.mark.parametrize("name", ROUTES)
def test_a_body_of_another_length(desk, name):
    route = ROUTES[name]
    body = route.good(desk)
    text = json.dumps(body).encode()
    for spaces in (route.max_body + 1 - len(text), 1 << 20):
        long = text + b" " * spaces
        refuse(desk, name, long, ("body",), 413)
        refuse(desk, name, long, ("body",), 413, CONTENT_LENGTH="")
    for length in (len(text) - 1, len(text) + 1, 0):
        refuse(desk, name, text, ("body",), CONTENT_LENGTH=length)
    for length in ("-1", "x", "1" * 19, "0x10", "1 1"):
        refuse(desk, name, text, ("Content-Length",), CONTENT_LENGTH=length)
    # the most that is taken, and a body of unknown length
    accept(desk, name, text + b" " * (route.max_body - len(text)))
    if name != "redeem":
        status, _ = send(desk, name, refreshed(body), CONTENT_LENGTH="")
        assert status in (200, 202)


@pytest.mark.parametrize("name", ROUTES)
def test_a_body_that_breaks_off(desk, name):
    """The edge hangs up: nobody is there for an answer, nothing is written."""
    route = ROUTES[name]
    body = json.dumps(route.good(desk)).encode()
    sent = params(route.path, route.method, body,
                  **{**route.who, "LEERPOORT_USERS": pupil()
                     if name == "redeem" else ""})
    whole = request_bytes(sent, body)
    with Unchanged(desk):
        for cut in (len(whole) - 8, len(whole) - 9, len(whole) - len(body)):
            out, _ = parse(raw(desk.workers.path, whole[:cut], close=True))
            assert not out or b"Status: 4" in out.split(b"\r\n\r\n")[0]
    accept(desk, name)


# --- lines of a bulk request -------------------------------------------------

def ask_bulk(desk, body):
    answer = desk.workers.ask(BULK, "POST", body, **ENTITLE)
    assert answer.status == 200
    assert MARK not in answer.body.decode().lower()
    return [json.loads(line) for line in answer.body.splitlines()]


def test_a_bulk_line_is_refused_as_a_message_is(desk):
    wrong = []
    for name in ("pupil", "teacher", "code", "open"):
        body = ROUTES[name].good(desk)
        for path in places(body):
            wrong += [with_(body, path, value) for value in (7, [], {}, True)
                      if type(value) is not type(at(body, path))]
    wrong += [with_(ROUTES[row[0]].good(desk), path_(row[1]), row[2])
              for row in VALUES if ROUTES[row[0]].path == ENTITLEMENTS]
    with Unchanged(desk):
        alone = [ROUTES["pupil"].send(desk, body)[1] for body in wrong]
        lines = ask_bulk(desk, b"".join(
            json.dumps(body).encode() + b"\n" for body in wrong))
    assert [(line["status"], line["statusMessage"]) for line in lines] \
        == [(one["status"], one["statusMessage"]) for one in alone]
    assert [line["line"] for line in lines] == list(range(1, len(wrong) + 1))
    assert not [line for line in lines if line["status"] == 2]


def test_a_bulk_line_that_is_none_costs_itself(desk):
    wrong = [line for what, line in bodies(entitlement()).items()
             if b"\n" not in line and what not in ("empty", "UTF-16")]
    wrong.append(b'{"canary": "' + b"x" * (1 << 20) + b'"}')
    body = b"".join(json.dumps(entitlement()).encode() + b"\n" + line + b"\n"
                    for line in wrong)
    lines = ask_bulk(desk, body)
    assert len(lines) == 2 * len(wrong)
    for i, line in enumerate(lines):
        assert line["status"] == (11 if i % 2 else 2), line
        assert not i % 2 or line["statusMessage"].startswith("the line ")


# --- queries, paths, methods, callers ----------------------------------------

def told(desk, target, method="GET", http=400, code=11, body=None, **who):
    with Unchanged(desk):
        answer = desk.workers.ask(target, method, body, **{**USAGE, **who})
    document = json.loads(answer.body)
    assert document.keys() == {"status", "statusMessage"}
    assert (answer.status, document["status"]) == (http, code), document
    assert MARK not in answer.body.decode().lower()
    return document["statusMessage"]


@pytest.mark.parametrize("query, field", [
    ("", "orgMasterId"), ("?", "orgMasterId"),
    ("?orgMasterId", "orgMasterId"), ("?orgMasterId=", "orgMasterId"),
    ("?orgMasterId=S%001", "orgMasterId"),
    ("?orgMasterId=%ZZ", "orgMasterId"),
    ("?orgMasterId=S%", "orgMasterId"),
    ("?orgMasterId=S%2F1", "orgMasterId"),
    ("?orgMasterId=" + "S" * 65, "orgMasterId"),
    ("?orgMasterId=" + "S" * 4000, "orgMasterId"),
    ("?orgid=11ZZ", "orgMasterId"), ("?orgId=11ZZ", "orgIdType"),
    ("?orgIdType=OIE_CODE", "orgId"),
    ("?orgId=&orgIdType=OIE_CODE", "orgId"),
    ("?orgId=11ZZ&orgIdType=", "orgIdType"),
    ("?orgId=11ZZ&orgIdType=BRIN", "orgIdType"),
    ("?orgId=%01&orgIdType=OIE_CODE", "orgId"),
    ("?orgId=" + "1" * 65 + "&orgIdType=OIE_CODE", "orgId"),
    ("?orgMasterId=S1&start=-1", "start"),
    ("?orgMasterId=S1&start=", "start"), ("?orgMasterId=S1&start=1x", "start"),
    ("?orgMasterId=S1&start=%zz", "start"),
    ("?orgMasterId=S1&start=" + "9" * 30, "start"),
    ("?orgMasterId=S1&limit=0", "limit"),
    ("?orgMasterId=S1&limit=1001", "limit"),
    ("?orgMasterId=S1&limit=+1", "limit"),
    ("?orgMasterId=S1&limit=1e2", "limit"),
], ids=short)
def test_a_query(desk, query, field):
    assert told(desk, SCHOOL + query).startswith(field + ": ")
    answer = desk.workers.ask(SCHOOL + "?orgMasterId=S1&start=0&limit=1000",
                              **USAGE)
    assert answer.status == 200 and isinstance(json.loads(answer.body), list)


@pytest.mark.parametrize("id_", [
    "x", UUID[:-1], UUID + "0", UUID.replace("-", ""), UUID[:-1] + "g",
    "{" + UUID[1:-1] + "}", names.entitlement("packed"), "x" * 4000,
    "\u00e9" * 18], ids=short)
def test_an_id_in_the_path(desk, id_):
    assert told(desk, ONE + id_).startswith("id: ")


def test_another_path_or_method(desk):
    paths = {ENTITLEMENTS: "PUT", BULK: "POST", CODES: "PUT", REVOKE: "PUT",
             SCHOOL: "GET", USER: "POST", ONE + UUID: "GET", REDEEM: "POST",
             TOKEN: "POST"}
    for path, right in paths.items():
        for method in {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "x",
                       ""} - {right}:
            answer = desk.workers.ask(path, method, b"{}")
            assert answer.status == 405, (path, method)
            assert answer.headers["allow"] == right
        for other in (path + "/", path + "x", path.upper(), path[:-1],
                      "/" + path, path + "/.."):
            if other.startswith(ONE) and other.count("/") == 4:
                continue
            told(desk, other, right, 404, 99, b"{}")


def test_a_caller_who_may_not(desk):
    """Each route looks at client and scope itself: nginx.conf may be wrong."""
    for name, route in ROUTES.items():
        body = json.dumps(route.good(desk)).encode()
        if name == "redeem":
            told(desk, route.path, route.method, 401, 21, body,
                 LEERPOORT_USERS="")
            continue
        scope = route.who["LEERPOORT_SCOPE"]
        for client, scopes, http in [
                ("", scope, 401), ("seller", "", 403),
                ("seller", scope + "x", 403), ("seller", scope[:-1], 403),
                ("seller", scope.upper(), 403), ("stranger", scope, 403)]:
            told(desk, route.path, route.method, http, 21, body,
                 LEERPOORT_CLIENT=client, LEERPOORT_SCOPE=scopes)
        accept(desk, name)
    for client, http in (("", 401), ("stranger", 403)):
        told(desk, BULK, "POST", http, 21, b"{}\n", **{
            **ENTITLE, "LEERPOORT_CLIENT": client})


# --- the token endpoint ------------------------------------------------------

def form(desk, **changes):
    claims = {"iss": "seller", "sub": "seller", "aud": ENDPOINT, "iat": NOW,
              "exp": NOW + 60, "jti": uuid.uuid4().hex}
    fields = {"grant_type": "client_credentials",
              "client_assertion_type": BEARER,
              "client_assertion": compact({"alg": "RS256", "kid": "c1"},
                                          claims, desk.key.sign),
              "scope": "activationcode", "client_id": "seller", **changes}
    return {name: v for name, v in fields.items() if v is not None}


def ask_token(desk, body, **changes):
    if isinstance(body, dict):
        body = urllib.parse.urlencode(body)
    body = body if isinstance(body, bytes) else body.encode()
    answer = desk.workers.ask(TOKEN, "POST", body, **{
        "CONTENT_TYPE": "application/x-www-form-urlencoded", **changes})
    assert MARK not in answer.body.decode().lower()
    return answer.status, json.loads(answer.body)


def deny(desk, body, http=400, error="invalid_request", **changes):
    with Unchanged(desk):
        status, answer = ask_token(desk, body, **changes)
    assert answer.keys() == {"error", "error_description"}, answer
    assert (status, answer["error"]) == (http, error), answer


def test_a_parameter_of_the_token_endpoint(desk):
    good = form(desk)
    for name in good:
        text = urllib.parse.urlencode(good)
        deny(desk, text + f"&{name}={MARK}")        # twice
        deny(desk, text + f"&{name}=")
        if name not in ("scope", "client_id"):
            deny(desk, {n: v for n, v in good.items() if n != name})
        without = urllib.parse.urlencode(
            {n: v for n, v in good.items() if n != name})
        for value in ("%zz", "%", "%1", f"{MARK}%00{MARK}"):
            deny(desk, f"{without}&{name}={value}")
        deny(desk, f"{without}&{name}")
    deny(desk, {**good, "client_secret": MARK})
    deny(desk, {**good, "grant_type": MARK}, 400, "unsupported_grant_type")
    deny(desk, {**good, "client_assertion_type": MARK}, 401, "invalid_client")
    deny(desk, {**good, "client_id": MARK}, 401, "invalid_client")
    for value in (MARK, "", "a.b.c", MARK * 2000, good["client_assertion"][:-2]
                  , good["client_assertion"] + ".x"):
        deny(desk, {**good, "client_assertion": value}, 401, "invalid_client")
    for value in (MARK, "activationcode " + MARK, "activationcod", '"'):
        deny(desk, {**good, "scope": value}, 400, "invalid_scope")
    assert ask_token(desk, good)[0] == 200
    # and once alone
    deny(desk, good, 401, "invalid_client")


def test_a_form_that_is_none(desk):
    good = form(desk)
    text = urllib.parse.urlencode(good)
    for body in (b"", b"\0", b"{}", b"&&&", b"=", b"canary", b"\xff=\xff",
                 json.dumps(good).encode()):
        deny(desk, body)
    deny(desk, text, CONTENT_TYPE="application/json")
    deny(desk, text, CONTENT_TYPE="")
    deny(desk, text, CONTENT_LENGTH=len(text) - 1)
    deny(desk, text, CONTENT_LENGTH=len(text) + 1)
    deny(desk, text + "&x=" + "x" * (1 << 20), 413)
    deny(desk, text + "&x=" + "x" * (1 << 20), 413, CONTENT_LENGTH="")
    assert ask_token(desk, text + "&more=1&more=2")[0] == 200


# --- two at once -------------------------------------------------------------

def at_once(*calls):
    with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
        return [done.result() for done in [pool.submit(c) for c in calls]]


def confirmed(desk, body):
    return [entry["status"] for entry in desk.journal(
        kind="confirmation", ref=body["entitlementReferenceId"])]


def packed(body):
    return names.base64url(uuid.UUID(body[E]["entitlementId"]).bytes)


def holder(desk, body):
    return names.user_key(desk.workers.pepper.read_bytes(), "ECK",
                          body[E]["user"]["userMasterIdentifier"])


def again(body, **changes):
    """Another message of the same entitlement."""
    return {"entitlementReferenceId": fresh("ref"),
            E: {**body[E], **changes}}


def test_two_messages_of_one_entitlement_at_once(desk):
    """Both are answered and confirmed; what is left is what one of them asks
    for, in the record and in the right."""
    for _ in range(50):
        body = entitlement()
        accept(desk, "pupil", body)
        block = again(body, entitlementStatus="blocked")
        free = again(body, entitlementStatus="entitled")
        answers = at_once(*(lambda one=one: send(desk, "pupil", one)
                            for one in (block, free)))
        assert [(http, answer["newEntitlementStatus"])
                for http, answer in answers] \
            == [(202, "blocked"), (202, "entitled")]
        assert confirmed(desk, block) == ["blocked"]
        assert confirmed(desk, free) == ["entitled"]
        status = desk.record(packed(body))["status"]
        right = desk.right(holder(desk, body))
        assert (status, right[0]) in {("blocked", "B"), ("entitled", "E")}


def test_a_cancellation_and_a_block_at_once(desk):
    for _ in range(20):
        body = entitlement()
        accept(desk, "pupil", body)
        cancel = again(body, entitlementStatus="cancelled")
        block = again(body, entitlementStatus="blocked")
        (http, _), (other, answer) = at_once(
            *(lambda one=one: send(desk, "pupil", one)
              for one in (cancel, block)))
        assert http == 202
        assert other == 202 or (other, answer["status"]) == (400, 99)
        assert confirmed(desk, cancel) == ["cancelled"]
        assert confirmed(desk, block) == ["blocked"] * (other == 202)
        assert desk.record(packed(body))["status"] == "cancelled"
        assert desk.right(holder(desk, body)) is None


def test_two_first_messages_that_differ(desk):
    """Nobody gets half of each."""
    for _ in range(20):
        one = entitlement()
        two = again(one, user={"userMasterIdentifier": fresh(MARK)})
        answers = at_once(*(lambda body=body: send(desk, "pupil", body)
                            for body in (one, two)))
        assert sorted(http for http, _ in answers) == [202, 400]
        for (http, answer), body in zip(answers, (one, two)):
            right = desk.right(holder(desk, body))
            if http == 202:
                assert confirmed(desk, body) == ["entitled"]
                assert right == f"E 20260801 20270731 {packed(body)}"
                assert desk.record(packed(body))["user"] \
                    == holder(desk, body)
            else:
                assert answer["status"] == 99
                assert names_it(answer["statusMessage"], (E, "user"))
                assert not confirmed(desk, body) and right is None


def test_one_message_many_times_at_once(desk):
    for _ in range(10):
        body = entitlement()
        answers = at_once(*[lambda: send(desk, "pupil", body)] * 6)
        assert {(http, answer["newEntitlementStatus"])
                for http, answer in answers} == {(202, "entitled")}
        entries = desk.journal(kind="confirmation",
                               ref=body["entitlementReferenceId"])
        assert len(entries) == 6
        assert len({tuple(sorted(entry.items())) for entry in entries}) == 1
        record = desk.record(packed(body))
        assert sum(name.startswith("#") for name in record) == 1


def test_one_code_many_times_at_once(desk):
    """The same person gets the same licence each time, and never hears that
    it is there already."""
    for _ in range(20):
        code, person = desk.one(), pupil()
        answers = at_once(*[lambda: send(
            desk, "redeem", {"activationCode": code},
            LEERPOORT_USERS=person)] * 4)
        assert {http for http, _ in answers} == {200}
        assert len({json.dumps(answer) for _, answer in answers}) == 1


def test_nothing_of_it_was_said(desk):
    """The workers are silent about all of this, and still there."""
    assert len(desk.workers.pids()) == desk.workers.n
    assert not desk.workers.unexpected()
    accept(desk, "pupil")
