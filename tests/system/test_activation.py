"""Activation: an entitlement becomes a licence at first use, once, whoever asks
and however often; and nobody is told what is not durable."""

import base64
import concurrent.futures
import contextlib
import datetime
import hashlib
import hmac
import json
import os
import pathlib
import random
import re
import signal
import tempfile
import threading

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lib import names
from lib.edge import URL, Edge
from lib.gate import Gate
from lib.process import eventually
from lib.redis import Redis
from lib.workers import RESPAWN, Workers

PARTY = "00000001234567890000"
SEPTEMBER = "1789459200"  # 2026-09-15, at noon in Amsterdam


def pairs(flat):
    return dict(zip(flat[::2], flat[1::2]))


def noon(day):
    """Unix time of noon, UTC, of YYYYMMDD."""
    return int(datetime.datetime.strptime(day + "12", "%Y%m%d%H").replace(
        tzinfo=datetime.timezone.utc).timestamp())


def unseal(secret, what, sealed):
    data = base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
    key = hmac.new(secret, b"leerpoort seal", hashlib.sha256).digest()
    return AESGCM(key).decrypt(data[:12], data[12:], what.encode()).decode()


class Bed:
    """Redis and workers; edge: and nginx before them; gate: and a Gate between
    them. What is stored is stored as the workers would."""

    def __init__(self, n=2, edge=False, now=None, gate=False, redis=(),
                 **options):
        self._stack = contextlib.ExitStack()
        try:
            folder = self._stack.enter_context(
                tempfile.TemporaryDirectory(prefix="leerpoort-test-"))
            self.folder = pathlib.Path(folder)
            self.redis = Redis(self.folder, **dict(redis))
            self._stack.callback(self.redis.destroy)
            self.redis.start()
            self.clock = self.folder / "now"
            self.clock.write_text(now or "")
            self.gate = Gate(self.folder, self.redis.path)
            self._stack.callback(self.gate.stop)
            self.workers = Workers(self.folder, gate and self.gate.address
                                   or self.redis.address, n,
                                   now=self.clock if now else None, **options)
            self._stack.callback(self.workers.destroy)
            self.workers.start()
            self.edge = None
            if edge:
                self.edge = self._stack.enter_context(Edge(
                    redis=self.redis, activate=self.workers.location()))
                self.edge.await_armed()
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, kind, *exc):
        try:
            if kind is None:
                if self.edge:
                    self.edge.nginx.stop()
                self.workers.stop()
        finally:
            self._stack.__exit__(kind, *exc)

    def product(self, product="book", **fields):
        fields = {"url": f"{URL}{product}", "licence": "schoolyear",
                  **{k.rstrip("_"): v for k, v in fields.items()}}
        self.redis("HSET", names.product_hash(product),
                   *(word for pair in fields.items() for word in pair))
        return product

    def key(self, entitlement, home):
        return f"e:{{{names.shard(home)}}}:{entitlement}"

    def entitle(self, name, users, school="S1", product="book", **fields):
        """An entitlement of a seller with the right of its users."""
        entitlement = names.entitlement(name)
        home = school or users[0]
        record = {"party": PARTY, "type": "school-student",
                  "status": "entitled", "product": product, "school": school,
                  "from": "20200101", "until": "20991231",
                  **{f"user{i + 1 if i else ''}": user
                     for i, user in enumerate(users)},
                  **{k.rstrip("_"): str(v) for k, v in fields.items()}}
        self.redis("HSET", f"x:{{{names.shard(entitlement[:3])}}}:"
                   f"{entitlement[:3]}", entitlement[3:], names.shard(home))
        self.redis("HSET", self.key(entitlement, home), *(
            word for pair in record.items() if pair[1] for word in pair))
        for user in users:
            self.redis("HSET", names.user_hash(school, user), product,
                       names.right("E", name=name))
        return entitlement

    def open_right(self, name, school="S1", product="book", **fields):
        entitlement = self.entitle(name, [], school, product,
                                   type_="school-open", **fields)
        self.redis("HSET", names.school_hash(school), product,
                   names.right("O", name=name))
        return entitlement

    def record(self, entitlement, home="S1"):
        return pairs(self.redis("HGETALL", self.key(entitlement, home)))

    def right(self, user, school="S1", product="book"):
        return self.redis("HGET", names.user_hash(school, user), product)

    def journal(self, home="S1"):
        """What is told of a school, or of a private customer; others share
        the shard."""
        entries = [pairs(fields) for _, fields in self.redis(
            "XRANGE", f"journal:{{{names.shard(home)}}}", "-", "+")]
        if len(home) == 22:
            return [entry for entry in entries if self.redis(
                "HGET", self.key(entry["entitlement"], home), "user") == home]
        return [entry for entry in entries if entry.get("school") == home]

    def ask(self, users, school="S1", product="book", uri="/go/book",
            person="", **changes):
        """Straight to a worker: the outcome that it gives."""
        users = users if isinstance(users, str) else ",".join(users)
        answer = self.workers.ask(uri, **{
            "LEERPOORT_ROUTE": "activate", "LEERPOORT_USERS": users,
            "LEERPOORT_SCHOOL": school, "LEERPOORT_PRODUCT": product,
            "LEERPOORT_PERSON": person, **changes})
        if answer.status != 200:
            return answer.status
        assert answer.headers["x-accel-redirect"] == uri, answer
        return answer.headers.get("leerpoort-outcome", "redirect")

    def unseal(self, entry):
        return unseal(self.workers.seal.read_bytes(), "person",
                      entry["person"])


_users = iter(range(10 ** 6))


def new_user():
    return names.user_key(b"pepper", "ECK", f"pupil {next(_users)}")


def new_name():
    return f"entitlement {next(_users)}"


@pytest.fixture(scope="module")
def bed():
    """Two workers on 15 September 2026; each test brings its own school."""
    with Bed(now=SEPTEMBER) as bed:
        bed.product()
        yield bed


@pytest.fixture(scope="module")
def front():
    """An edge before four workers, today."""
    with Bed(4, edge=True) as bed:
        bed.product()
        yield bed


def entitle_person(bed, person, product="book"):
    return bed.entitle(new_name(), [person.key()], person.school, product)


# ---- through the edge ----

def test_the_first_click_activates_and_leads_to_the_content(front):
    person = front.edge.person(school="first")
    entitlement = entitle_person(front, person)

    for _ in range(3):
        response = front.edge.click(token=person.token())
        assert response.status == 302
        assert response.location == f"{URL}book"
        assert response.outcome == "redirect"

    record = front.record(entitlement, "first")
    assert record["status"] == "licensed"
    assert record["expires"].endswith("0731")
    assert front.right(person.key(), "first") == (
        f"L {record['licensed']} {record['expires']} {entitlement}")
    (entry,) = front.journal("first")
    person_told = front.unseal(entry)
    del entry["person"]
    assert entry == {
        "kind": "activation", "party": PARTY, "entitlement": entitlement,
        "product": "book", "type": "school-student", "school": "first",
        "day": record["licensed"], "until": record["expires"]}
    assert json.loads(person_told) == {
        "userMasterIdentifier": person.ids["eckid"][1]}


def test_no_id_of_a_person_is_readable_in_redis(front):
    person = front.edge.person(school="hidden")
    entitle_person(front, person)
    assert front.edge.click(token=person.token()).status == 302
    front.redis("PING")
    eckid = person.ids["eckid"][1].encode()
    for path in front.folder.rglob("*.aof"):
        assert eckid not in path.read_bytes()
    for key in front.redis("KEYS", "*"):
        assert eckid.decode() not in key


def test_an_open_right_becomes_a_licence_of_the_pupils_own(front):
    entitlement = front.open_right(new_name(), "open")
    pupils = [front.edge.person(school="open") for _ in range(3)]
    for _ in range(2):
        for pupil in pupils:
            assert front.edge.click(token=pupil.token()).status == 302

    assert front.record(entitlement, "open")["used"] == "3"
    assert [e["entitlement"] for e in front.journal("open")] == (
        [entitlement] * 3)
    licences = {front.right(p.key(), "open").split()[3] for p in pupils}
    assert len(licences) == 3 and entitlement not in licences
    for pupil in pupils:
        state, _, until, licence = front.right(pupil.key(), "open").split()
        record = front.record(licence, "open")
        assert state == "L"
        assert record["open"] == entitlement
        assert record["status"] == "licensed"
        assert record["expires"] == until
        assert record["user"] == pupil.key()


def test_a_hundred_clicks_at_once_are_one_licence(front):
    person = front.edge.person(school="crowd")
    entitle_person(front, person)
    token = person.token()
    with concurrent.futures.ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(
            lambda _: front.edge.click(token=token).status, range(100)))
    assert answers == [302] * 100
    assert len(front.journal("crowd")) == 1


def test_a_blocked_entitlement_is_not_activated_by_an_older_right(front):
    person = front.edge.person(school="blocked")
    entitlement = entitle_person(front, person)
    front.redis("HSET", front.key(entitlement, "blocked"), "status",
                "blocked")
    response = front.edge.click(token=person.token())
    assert (response.status, response.outcome) == (403, "blocked")
    assert front.right(person.key(), "blocked").startswith("E ")


@contextlib.contextmanager
def licensed_and_entitled(bed, school):
    """A pupil with a licence and one without, both asked for already."""
    licensed = bed.edge.person(school=school)
    entitle_person(bed, licensed)
    assert bed.edge.click(token=licensed.token()).status == 302
    bed.edge.settled(licensed)
    entitled = bed.edge.person(school=school)
    entitle_person(bed, entitled)
    yield licensed, entitled
    eventually("activations again", lambda: bed.edge.click(
        token=entitled.token()).status == 302, 20)
    assert bed.right(entitled.key(), school).startswith("L ")
    assert len(bed.journal(school)) == 2


def assert_only_licensed_go_on(bed, licensed, entitled):
    for _ in range(3):
        response = bed.edge.click(token=entitled.token())
        assert (response.status, response.outcome) == (503, "unavailable")
        assert response.header("Retry-After")
        response = bed.edge.click(token=licensed.token())
        assert (response.status, response.outcome) == (302, "redirect")


def test_a_full_redis_activates_nothing_and_licensed_pupils_go_on(front):
    with licensed_and_entitled(front, "full") as pupils:
        front.redis("CONFIG", "SET", "maxmemory", "1")
        try:
            assert_only_licensed_go_on(front, *pupils)
        finally:
            front.redis("CONFIG", "SET", "maxmemory", "0")


def test_a_read_only_redis_activates_nothing(front):
    with licensed_and_entitled(front, "replica") as pupils:
        front.redis("REPLICAOF", "127.0.0.1", "1")
        try:
            assert_only_licensed_go_on(front, *pupils)
        finally:
            front.redis("REPLICAOF", "NO", "ONE")


def test_a_dead_redis_activates_nothing_and_a_restart_mends_it(front):
    with licensed_and_entitled(front, "dead") as pupils:
        front.redis.kill()
        try:
            assert_only_licensed_go_on(front, *pupils)
        finally:
            front.redis.restart()
            front.edge.await_armed()


# ---- straight to the workers: what becomes of what ----

@pytest.mark.parametrize("licence, today, minimum, expires", [
    ("schoolyear", "20260915", None, "20270731"),
    ("schoolyear", "20270731", None, "20270731"),
    ("schoolyear", "20270801", None, "20280731"),
    ("month", "20260131", None, "20260228"),
    ("quarter", "20261130", None, "20270228"),
    ("year", "20280229", None, "20290228"),
    ("date:20261001", "20260915", None, "20261001"),
    ("date:20261001", "20261002", None, "20261002"),
    ("month", "20260915", "20270131", "20270131"),
    ("year", "20260915", "20270131", "20270914"),
    ("nonsense", "20260915", None, "20270731"),
])
def test_the_product_says_how_long(bed, licence, today, minimum, expires):
    product = bed.product(f"p{next(_users)}", licence=licence)
    user = new_user()
    entitlement = bed.entitle(new_name(), [user], product=product,
                              **({"minimum": minimum} if minimum else {}))
    bed.clock.write_text(str(noon(today)))
    try:
        assert bed.ask(user, product=product) == "redirect"
    finally:
        bed.clock.write_text(SEPTEMBER)
    assert bed.right(user, product=product) == (
        f"L {today} {expires} {entitlement}")
    assert bed.record(entitlement)["expires"] == expires


def test_a_day_begins_and_ends_in_amsterdam(bed):
    user = new_user()
    entitlement = bed.entitle(new_name(), [user])
    # 31 July, 23:30 UTC: in Amsterdam the next school year has begun
    bed.clock.write_text(str(noon("20270731") + 41400))
    try:
        assert bed.ask(user) == "redirect"
    finally:
        bed.clock.write_text(SEPTEMBER)
    assert bed.right(user) == f"L 20270801 20280731 {entitlement}"


def test_a_right_to_a_set_is_a_licence_of_the_set(bed):
    bed.product("set-1", licence="month")
    bed.product("part-1", in_="set-1,set-2", licence="year")
    bed.product("part-2", in_="set-1")
    user = new_user()
    entitlement = bed.entitle(new_name(), [user], "sets", "set-1")

    assert bed.ask(user, "sets", "part-1") == "redirect"
    assert bed.ask(user, "sets", "part-2") == "redirect"
    assert bed.right(user, "sets", "set-1") == (
        f"L 20260915 20261014 {entitlement}")
    assert bed.right(user, "sets", "part-1") is None
    (entry,) = bed.journal("sets")
    assert entry["product"] == "set-1"


def test_a_set_without_a_length_takes_that_of_the_part(bed):
    bed.product("part-3", in_="set-3", licence="month")
    user = new_user()
    bed.entitle(new_name(), [user], "sets", "set-3")
    assert bed.ask(user, "sets", "part-3") == "redirect"
    assert bed.right(user, "sets", "set-3").split()[2] == "20261014"


def test_an_open_right_to_a_set(bed):
    bed.product("part-4", in_="set-4")
    entitlement = bed.open_right(new_name(), "open-set", "set-4")
    user = new_user()
    assert bed.ask(user, "open-set", "part-4") == "redirect"
    assert bed.right(user, "open-set", "set-4").startswith("L ")
    assert bed.record(entitlement, "open-set")["used"] == "1"


def test_over_quantity_is_allowed_and_told(bed):
    entitlement = bed.open_right(new_name(), "over", quantity=2)
    assert [bed.ask(new_user(), "over") for _ in range(4)] == ["redirect"] * 4
    assert bed.record(entitlement, "over")["used"] == "4"
    assert [e.get("over") for e in bed.journal("over")] == [
        None, None, "1", "1"]


def test_employees_have_their_own_entitlements_alone(bed):
    bed.open_right(new_name(), "staff")
    user = new_user()
    assert bed.ask(user, "staff", LEERPOORT_ROLE="employee") == "no-right"
    assert bed.right(user, "staff") is None
    bed.entitle(new_name(), [user], "staff", type_="school-employee")
    assert bed.ask(user, "staff", LEERPOORT_ROLE="employee") == "redirect"
    (entry,) = bed.journal("staff")
    assert entry["type"] == "school-employee"


def test_every_key_of_the_entitlement_gets_the_licence(bed):
    one, two, three = new_user(), new_user(), new_user()
    entitlement = bed.entitle(new_name(), [one, two, three], "keys")
    other = names.right("L", name="another")
    bed.redis("HSET", names.user_hash("keys", three), "book", other)

    # a portal that knows the person by the second id alone
    assert bed.ask(two, "keys") == "redirect"
    licence = f"L 20260915 20270731 {entitlement}"
    assert bed.right(one, "keys") == licence
    assert bed.right(two, "keys") == licence
    assert bed.right(three, "keys") == other
    assert len(bed.journal("keys")) == 1


def test_a_private_customer_by_either_of_two_ids(bed):
    one, two = new_user(), new_user()
    entitlement = bed.entitle(new_name(), [one, two], "",
                              type_="customer-student")
    assert bed.ask(two, "") == "redirect"
    assert bed.record(entitlement, one)["status"] == "licensed"
    licence = f"L 20260915 20270731 {entitlement}"
    assert bed.right(one, "") == licence
    assert bed.right(two, "") == licence
    (entry,) = bed.journal(one)
    assert entry["entitlement"] == entitlement
    assert "school" not in entry


def test_a_private_right_counts_at_school_too(bed):
    user = new_user()
    bed.entitle(new_name(), [user], "", type_="customer-student")
    assert bed.ask(user, "some-school") == "redirect"
    assert bed.right(user, "").startswith("L ")


def test_a_school_that_is_known_by_an_alias(bed):
    user = new_user()
    bed.entitle(new_name(), [user], "by-alias")
    bed.redis("SET", names.alias_key("OIE_CODE", "11ZZ"), "by-alias")
    assert bed.ask(user, "", LEERPOORT_SCHOOL_ALIAS="OIE_CODE:11ZZ") == (
        "redirect")
    assert bed.right(user, "by-alias").startswith("L ")
    assert bed.ask(new_user(), "", LEERPOORT_SCHOOL_ALIAS="OIE_CODE:none") == (
        "no-right")


def test_an_operators_right_without_a_record(bed):
    user = new_user()
    entitlement = names.entitlement("operators")
    bed.redis("HSET", names.user_hash("operator", user), "book",
              names.right("E", name="operators"))
    assert bed.ask(user, "operator") == "redirect"
    assert bed.right(user, "operator") == f"L 20260915 20270731 {entitlement}"
    record = bed.record(entitlement, "operator")
    assert record["status"] == "licensed"
    assert "party" not in record
    assert bed.journal("operator") == []
    place = f"x:{{{names.shard(entitlement[:3])}}}:{entitlement[:3]}"
    assert bed.redis("HGET", place, entitlement[3:]) == (
        names.shard("operator"))

    # an id that was given twice: the record stays the first one's
    second = new_user()
    bed.redis("HSET", names.user_hash("operator", second), "book",
              names.right("E", name="operators"))
    assert bed.ask(second, "operator") == "redirect"
    assert bed.right(second, "operator").startswith("L ")
    assert bed.record(entitlement, "operator") == record


def test_an_operators_open_right_without_a_record(bed):
    entitlement = names.entitlement("open operators")
    bed.redis("HSET", names.school_hash("lone"), "book",
              names.right("O", name="open operators"))
    for _ in range(2):
        assert bed.ask(new_user(), "lone") == "redirect"
    record = bed.record(entitlement, "lone")
    assert (record["type"], record["used"]) == ("school-open", "2")
    assert "quantity" not in record
    assert bed.journal("lone") == []


@pytest.mark.parametrize("status, outcome", [
    ("blocked", "blocked"), ("cancelled", "no-right")])
def test_the_record_has_the_last_word(bed, status, outcome):
    user = new_user()
    entitlement = bed.entitle(new_name(), [user], status)
    bed.redis("HSET", bed.key(entitlement, status), "status", status)
    assert bed.ask(user, status) == outcome
    assert bed.right(user, status).startswith("E ")

    bed.redis("HDEL", names.user_hash(status, user), "book")
    bed.open_right(new_name(), status, status=status)
    assert bed.ask(user, status) == outcome
    assert bed.right(user, status) is None
    assert bed.journal(status) == []


def test_what_gives_nothing_hides_no_other_right(bed):
    bed.product("part-5", in_="set-5")
    user = new_user()
    cancelled = bed.entitle(new_name(), [user], "two", "part-5")
    bed.redis("HSET", bed.key(cancelled, "two"), "status", "cancelled")
    bed.entitle(new_name(), [user], "two", "set-5")
    assert bed.ask(user, "two", "part-5") == "redirect"
    assert bed.right(user, "two", "set-5").startswith("L ")


def test_a_licence_that_lost_its_right_is_given_back_untold(bed):
    user = new_user()
    entitlement = bed.entitle(new_name(), [user], "again")
    assert bed.ask(user, "again") == "redirect"
    first = bed.right(user, "again")
    bed.redis("HSET", names.user_hash("again", user), "book",
              names.right("E").rsplit(" ", 1)[0] + " " + entitlement)
    assert bed.ask(user, "again") == "redirect"
    assert bed.right(user, "again") == first

    pupil = new_user()
    open_ = bed.open_right(new_name(), "again")
    assert bed.ask(pupil, "again") == "redirect"
    first = bed.right(pupil, "again")
    bed.redis("HDEL", names.user_hash("again", pupil), "book")
    assert bed.ask(pupil, "again") == "redirect"
    assert bed.right(pupil, "again") == first
    assert bed.record(open_, "again")["used"] == "1"
    assert len(bed.journal("again")) == 2


def test_an_open_right_of_years_gives_a_licence_each_year(bed):
    user = new_user()
    open_ = bed.open_right(new_name(), "years")
    assert bed.ask(user, "years") == "redirect"
    licence = bed.right(user, "years").split()[3]
    bed.clock.write_text(str(noon("20270901")))
    try:
        assert bed.ask(user, "years") == "redirect"
    finally:
        bed.clock.write_text(SEPTEMBER)
    assert bed.right(user, "years") == f"L 20270901 20280731 {licence}"
    assert bed.record(open_, "years")["used"] == "2"
    assert [e["until"] for e in bed.journal("years")] == [
        "20270731", "20280731"]
    held = bed.redis("LRANGE", f"i:{{{names.shard('years')}}}:years", 0, -1)
    assert held == [licence]


def test_an_entitlement_to_come_is_not_lost_by_an_open_right(bed):
    user = new_user()
    to_come = bed.entitle(new_name(), [user], "to-come", from_="20270101")
    bed.redis("HSET", names.user_hash("to-come", user), "book",
              f"E 20270101 20991231 {to_come}")
    bed.open_right(new_name(), "to-come")
    assert bed.ask(user, "to-come") == "redirect"
    licence = bed.right(user, "to-come").split()[3]
    assert licence != to_come
    assert bed.record(licence, "to-come")["next"] == to_come
    assert bed.right(user, "to-come", "book+") == (
        f"E 20270101 20991231 {to_come}")


def test_what_is_decided_is_what_the_edge_decides(bed):
    user = new_user()
    assert bed.ask(user, "none") == "no-right"
    assert bed.ask(user, "none", "nothing") == "unknown-product"
    for record, outcome in [
            ("E 20270101 20271231", "not-yet"), ("E - 20260914", "ended"),
            ("B - -", "blocked"), ("L - -", "redirect")]:
        bed.redis("HSET", names.user_hash("none", user), "book",
                  f"{record} {names.entitlement('none')}")
        assert bed.ask(user, "none") == outcome
    bed.redis("HSET", names.user_hash("none", user), "book", "E what")
    assert bed.ask(user, "none") == "no-right"
    bed.product("gift", free="1")
    assert bed.ask(user, "none", "gift") == "redirect"
    bed.redis("DEL", names.school_hash("none"))
    bed.redis("SET", names.school_hash("none"), "no hash")
    assert bed.ask(user, "none") == "no-right"


@pytest.mark.parametrize("uri", ["go/book", "", "//evil\x01", "/go book"])
def test_only_a_path_is_gone_back_to(bed, uri):
    assert bed.ask(new_user(), uri=uri) == 400


@pytest.mark.parametrize("changes", [
    {"LEERPOORT_USERS": ""}, {"LEERPOORT_PRODUCT": ""}])
def test_a_click_of_nobody_or_on_nothing(bed, changes):
    assert bed.ask(new_user(), **changes) == "bad-request"


def test_a_damaged_record_activates_nothing(bed):
    user = new_user()
    entitlement = bed.entitle(new_name(), [user], "damaged")
    bed.redis("HSET", bed.key(entitlement, "damaged"), "from", "soon")
    bed.workers.allow.append(r"the record of entitlement [0-9a-f-]{36} can't")
    assert bed.ask(user, "damaged") == "unavailable"
    assert "can't be read" in bed.workers.said()
    assert bed.right(user, "damaged").startswith("E ")


# ---- many at once, and workers that die ----

def test_refused_over_quantity_counts_exactly(tmp_path):
    with Bed(8, over_quantity="refuse") as bed:
        bed.product()
        entitlement = bed.open_right(new_name(), quantity=40)
        pupils = [new_user() for _ in range(60)]
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            outcomes = list(pool.map(bed.ask, pupils))
        assert sorted(outcomes) == ["no-right"] * 20 + ["redirect"] * 40
        assert bed.record(entitlement)["used"] == "40"
        assert len(bed.journal()) == 40
        for pupil, outcome in zip(pupils, outcomes):
            assert (bed.right(pupil) is not None) == (outcome == "redirect")


def test_a_write_that_no_replica_has_is_not_acknowledged():
    with Bed(1, replicas=1, timeout=200) as bed:
        bed.product()
        user = new_user()
        bed.entitle(new_name(), [user])
        assert bed.ask(user) == "unavailable"
        # it was written all the same, once, and is found
        assert bed.ask(user) == "redirect"
        assert len(bed.journal()) == 1


def test_an_acknowledged_licence_is_on_the_replica_too(tmp_path):
    with Bed(1, replicas=1, timeout=20000, redis={"tcp": True}) as bed:
        bed.product()
        user = new_user()
        entitlement = bed.entitle(new_name(), [user])
        bed.redis("CONFIG", "SET", "repl-diskless-sync-delay", "0")
        replica = Redis(tmp_path)
        try:
            replica.start()
            replica("REPLICAOF", "127.0.0.1", bed.redis.port)
            bed.redis("SET", "probe", "1")
            eventually("the replica follows",
                       lambda: bed.redis("WAIT", 1, 100), 30)
            assert bed.ask(user) == "redirect"
            assert replica("HGET", bed.key(entitlement, "S1"), "status") == (
                "licensed")
        finally:
            replica.destroy()


def test_workers_sign_in_with_the_password_of_the_file(tmp_path):
    password = tmp_path / "password"
    password.touch(0o600)
    password.write_text("first\n")
    with Bed(1, redis={"users": ["worker on >first ~* +@all"]}, user="worker",
             password_file=password) as bed:
        bed.product()
        user = new_user()
        bed.entitle(new_name(), [user])
        assert bed.ask(user) == "redirect"
        assert "user=worker" in bed.redis("CLIENT", "LIST")

        # a change of password needs no restart
        bed.redis("ACL", "SETUSER", "worker", "resetpass", ">second")
        bed.redis("CLIENT", "KILL", "USER", "worker")
        assert bed.ask(user) == "unavailable"
        password.write_text("second\n")
        eventually("an activation", lambda: bed.ask(user) == "redirect", 20)


@pytest.mark.parametrize("kind", ["own", "open"])
@pytest.mark.parametrize("missing", ["watch", "exec", "xadd", "hset"])
def test_who_may_not_do_all_of_it_does_nothing(tmp_path, kind, missing):
    password = tmp_path / "password"
    password.touch(0o600)
    password.write_text("first")
    with Bed(1, redis={"users": [f"worker on >first ~* +@all -{missing}"]},
             user="worker", password_file=password) as bed:
        bed.product()
        user = new_user()
        entitlement = (bed.entitle(new_name(), [user]) if kind == "own" else
                       bed.open_right(new_name(), quantity=10))
        before = bed.right(user), bed.record(entitlement)
        assert bed.ask(user) == "unavailable"
        assert (bed.right(user), bed.record(entitlement)) == before
        assert bed.journal() == []
        bed.redis("ACL", "SETUSER", "worker", f"+{missing}")
        assert bed.ask(user) == "redirect"
        assert len(bed.journal()) == 1


def test_a_frozen_redis_is_not_waited_for_and_nothing_is_doubled():
    with Bed(1, timeout=300) as bed:
        bed.product()
        user = new_user()
        bed.entitle(new_name(), [user])
        bed.redis.freeze()
        try:
            assert bed.ask(user) == "unavailable"
            assert bed.ask(user) == "unavailable"
        finally:
            bed.redis.thaw()
        eventually("an activation", lambda: bed.ask(user) == "redirect", 20)
        assert len(bed.journal()) == 1


def likely(entitlement, whose="own"):
    """What the edge has gone by."""
    return {"LEERPOORT_ENTITLEMENT": entitlement, "LEERPOORT_RIGHT": whose}


@pytest.mark.parametrize("kind, watches", [("own", 1), ("open", 2)])
def test_the_edge_names_the_users_own_entitlement(front, kind, watches):
    """So that the record is asked for with the rights; but not the one that a
    whole school counts in."""
    person = front.edge.person(school=f"named-{kind}")
    if kind == "own":
        entitle_person(front, person)
    else:
        front.open_right(new_name(), person.school)
    front.redis("CONFIG", "RESETSTAT")
    assert front.edge.click(token=person.token()).status == 302
    assert re.search(r"cmdstat_watch:calls=(\d+)", front.redis(
        "INFO", "commandstats"))[1] == str(watches)


@pytest.mark.parametrize("whose", ["own", "open", "neither"])
def test_what_the_edge_has_gone_by_decides_nothing(bed, whose):
    """Whatever it names, it is as if nothing had been named."""
    school, other = f"by-{whose}", new_user()
    blocked = bed.entitle(new_name(), [other], school, status="blocked")
    stale = bed.entitle(new_name(), [other], "elsewhere")
    open_ = bed.open_right(new_name(), f"open-{school}", quantity=3)
    for named in (blocked, stale, open_, "x" * 22, "*" * 22, "short", ""):
        user = new_user()
        more = likely(named, whose)
        assert bed.ask(user, school, **more) == "no-right"
        own = bed.entitle(new_name(), [user], school)
        before = bed.record(blocked, school)
        assert bed.ask(user, school, **more) == "redirect"
        assert bed.right(user, school).split()[3] == own
        assert bed.record(own, school)["status"] == "licensed"
        assert bed.journal(school)[-1]["entitlement"] == own
        assert bed.record(blocked, school) == before
    assert "used" not in bed.record(open_, f"open-{school}")


def test_a_named_entitlement_of_a_set_lasts_as_long_as_the_set(bed):
    school, user = "by-set", new_user()
    bed.product("shelf-1", licence="month")
    bed.product("volume-1", in_="shelf-1", licence="year")
    own = bed.entitle(new_name(), [user], school, "shelf-1")
    assert bed.ask(user, school, "volume-1", **likely(own)) == "redirect"
    assert bed.record(own, school)["expires"] == "20261014"


@pytest.mark.parametrize("change, outcome", [
    ("status", "blocked"), ("unreadable", "unavailable")])
def test_the_record_that_came_along_has_the_last_word(bed, change, outcome):
    school, user = f"by-{change}", new_user()
    own = bed.entitle(new_name(), [user], school)
    field = {"status": ("status", "blocked"),
             "unreadable": ("from", "soon")}[change]
    bed.redis("HSET", bed.key(own, school), *field)
    assert bed.ask(user, school, **likely(own)) == outcome
    assert bed.right(user, school).startswith("E ")
    assert bed.journal(school) == []


AWAY = r"^leerpoort: Redis cannot be reached yet"  # the gate is closed


def await_redirect(bed, user, school="S1"):
    def redirected():
        try:
            return bed.ask(user, school) == "redirect"
        except (OSError, AssertionError):
            return False
    eventually("a redirect", redirected, 60)


@pytest.mark.parametrize("kind", ["own", "likely", "open", "last",
                                  "operators"])
def test_a_worker_that_dies_between_two_steps(kind):
    """After each question and each answer in turn, until one finishes."""
    with Bed(1, gate=True, allow=[RESPAWN, AWAY]) as bed:
        bed.product()
        asker = concurrent.futures.ThreadPoolExecutor(1)
        for steps in range(20):
            school, user, more = f"{kind}-{steps}", new_user(), {}
            if kind in ("own", "likely"):
                own = bed.entitle(new_name(), [user], school)
                more = likely(own) if kind == "likely" else {}
            elif kind == "operators":
                bed.redis("HSET", names.user_hash(school, user), "book",
                          names.right("E", name=school))
            else:
                open_ = bed.open_right(new_name(), school,
                                       quantity=1 if kind == "last" else 0)

            bed.gate.close_after(steps)
            asked = asker.submit(bed.ask, user, school, **more)
            try:
                if bed.gate.let_through(asked):
                    break
                os.kill(bed.workers.pids()[0], signal.SIGKILL)
                with pytest.raises((OSError, AssertionError)):
                    asked.result(20)
            finally:
                bed.gate.open()

            await_redirect(bed, user, school)
            licence = bed.right(user, school).split()
            assert licence[0] == "L"
            assert bed.record(licence[3], school)["status"] == "licensed"
            entries = bed.journal(school)
            assert len(entries) == (0 if kind == "operators" else 1)
            if kind in ("open", "last"):
                assert bed.record(open_, school)["used"] == "1"
                assert "over" not in entries[0]
        # three questions with their answers at least, each of them cut off;
        # two where the edge has said which entitlement it will be
        assert (4 <= steps < 6 if kind == "likely" else 6 <= steps < 20)
        asker.shutdown()


def block_the_user(bed, school, user, entitlement):
    bed.redis("HSET", names.user_hash(school, user), "book",
              f"B - - {entitlement}")


def block_the_record(bed, school, _, entitlement):
    bed.redis("HSET", bed.key(entitlement, school), "status", "blocked")


def block_the_school(bed, school, _, entitlement):
    bed.redis("HSET", names.school_hash(school), "book",
              f"B - - {entitlement}")


def take_the_last(bed, school, _, entitlement):
    bed.redis("HINCRBY", bed.key(entitlement, school), "used", 1)


def take_all(bed, school, _, entitlement):
    bed.redis("HSET", bed.key(entitlement, school), "used", 200)


def drop_the_product(bed, *_):
    bed.redis("DEL", names.product_hash("book"))


@pytest.mark.parametrize("kind, change, outcome", [
    ("own", block_the_user, "blocked"), ("own", block_the_record, "blocked"),
    ("own", drop_the_product, "unknown-product"),
    ("likely", block_the_user, "blocked"),
    ("likely", block_the_record, "blocked"),
    ("likely", drop_the_product, "unknown-product"),
    ("open", block_the_school, "blocked"), ("open", take_the_last, "no-right"),
    ("many", take_all, "no-right"),
], ids=lambda v: getattr(v, "__name__", None))
def test_what_changes_before_the_write_counts(kind, change, outcome):
    """The change comes after each question and each answer in turn."""
    with Bed(1, gate=True, over_quantity="refuse") as bed:
        asker = concurrent.futures.ThreadPoolExecutor(1)
        for steps in range(20):
            bed.product()
            school, user = f"{kind}-{steps}", new_user()
            entitlement = (
                bed.entitle(new_name(), [user], school)
                if kind in ("own", "likely") else
                bed.open_right(new_name(), school,
                               quantity=200 if kind == "many" else 1))
            more = likely(entitlement) if kind == "likely" else {}
            bed.gate.close_after(steps)
            asked = asker.submit(bed.ask, user, school, **more)
            try:
                finished = bed.gate.let_through(asked)
                activated = len(bed.journal(school))
                if not finished:
                    change(bed, school, user, entitlement)
            finally:
                bed.gate.open(resume=True)
            assert asked.result(20) == ("redirect" if activated else outcome)
            assert len(bed.journal(school)) == activated
            if finished:
                break
            if change is block_the_user:
                assert bed.right(user, school).startswith("B ")
        assert (4 if kind == "likely" else 6) <= steps < 20 and activated
        asker.shutdown()


@pytest.mark.once
def test_workers_that_are_killed_at_random():
    """Each pupil clicks until there is an answer, while workers die."""
    pupils = [new_user() for _ in range(300)]
    kills = 0
    with Bed(4, allow=[RESPAWN], retries=100000) as bed:
        bed.product()
        for pupil in pupils[:200]:
            bed.entitle(new_name(), [pupil])
        open_ = bed.open_right(new_name(), quantity=1000)
        done = threading.Event()

        def kill():
            nonlocal kills
            chance = random.Random(7)
            while not done.wait(chance.random() * 0.01):
                pids = bed.workers.pids()
                if pids:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(chance.choice(pids), signal.SIGKILL)
                        kills += 1

        killer = threading.Thread(target=kill)
        killer.start()
        try:
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                for _ in pool.map(lambda p: await_redirect(bed, p),
                                  pupils * 2):
                    pass
        finally:
            done.set()
            killer.join()

        assert kills > 20
        entries = bed.journal()
        told = [e["entitlement"] for e in entries
                if e["entitlement"] != open_]
        assert len(told) == len(set(told)) == 200
        assert len(entries) == 300
        assert bed.record(open_)["used"] == "100"
        for pupil in pupils:
            state, day, until, entitlement = bed.right(pupil).split()
            record = bed.record(entitlement)
            assert (state, record["status"]) == ("L", "licensed")
            assert (day, until) == (record["licensed"], record["expires"])
        eventually("as many workers as before",
                   lambda: len(bed.workers.pids()) == 4, 20)
