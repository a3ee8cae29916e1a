"""Entitlements in over HTTP: what a seller sends is stored once, whole, and
confirmed; what can't be is refused with the field's name."""

import concurrent.futures
import json
import select
import uuid

import pytest

from lib import fastcgi, names
from lib.desk import DAY, NOW, OIN, RIVAL, UNTIL, Desk, fresh
from lib.process import eventually
from lib.redis import Redis

SCOPE = "entitlement.licensor"
FROM, LAST = "20260801", "20270731"


class Wanted:
    """An entitlement as a seller has it; a change to None leaves a field
    out."""

    def __init__(self, desk, **changes):
        self.desk = desk
        self.id = changes.pop("entitlementId", str(uuid.uuid4()))
        self.eck = fresh("https://ketenid.nl/canary")
        self.fields = {
            "entitlementId": self.id, "deliveryOrderId": "order-1",
            "contractId": "contract-1", "productId": "book",
            "startDate": "2026-08-01", "activationUntilDate": "2027-07-31",
            "entitlementType": "school-student",
            "entitlementStatus": "created",
            "school": {"organisationMasterIdentifier": "S1"},
            "user": {"userMasterIdentifier": self.eck}, **changes}

    @property
    def packed(self):
        return names.base64url(uuid.UUID(self.id).bytes)

    def user(self, id_type="ECK", id_=None):
        return names.user_key(self.desk.workers.pepper.read_bytes(), id_type,
                              id_ or self.eck)

    def message(self, ref=None, created=None, **changes):
        fields = {**self.fields, **changes}
        message = {"entitlementReferenceId": ref or fresh("ref"),
                   "entitlement": {name: value
                                   for name, value in fields.items()
                                   if value is not None}}
        return message if created is None else {**message, "created": created}

    def send(self, ref=None, client="seller", created=None, **changes):
        answer = self.desk.put("/v1/entitlements",
                               self.message(ref, created, **changes), client,
                               SCOPE)
        body = json.loads(answer.body)
        assert "canary" not in answer.body.decode()
        return answer.status, body["status"], body["statusMessage"]

    def accept(self, *args, **changes):
        sent = self.send(*args, **changes)
        assert sent[:2] == (202, 2), sent
        return self

    def record(self):
        return self.desk.record(self.packed)

    def right(self, user=None, school="S1"):
        return self.desk.right(user or self.user(), self.fields["productId"],
                               school)

    def confirmed(self, **wanted):
        return [entry["status"] for entry in self.desk.journal(
            kind="confirmation", entitlement=self.packed, **wanted)]


def right(state, wanted, from_=FROM, until=LAST):
    return f"{state} {from_} {until} {wanted.packed}"


def license_(desk, wanted):
    """As an activation leaves it."""
    [key] = desk.redis("KEYS", f"e:*:{wanted.packed}")
    desk.redis("HSET", key, "status", "licensed", "licensed", DAY, "expires",
               UNTIL)
    desk.redis("HSET", names.user_hash("S1", wanted.user()), "book",
               right("L", wanted, DAY, UNTIL))


ENDED = {"endDate": "2026-10-01"}


# --- what is stored ----------------------------------------------------------

def test_a_pupils_entitlement_is_stored_and_confirmed(desk):
    wanted = Wanted(desk, expirationDate="2027-07-31").accept("first-1")
    record = wanted.record()
    [ref] = [name for name in record if name.startswith("#")]
    assert record.pop(ref) == f"{NOW} entitled"
    assert record == {
        "party": OIN, "product": "book", "type": "school-student",
        "status": "entitled", "order": "order-1", "contract": "contract-1",
        "school": "S1", "user": wanted.user(), "from": FROM, "until": LAST,
        "minimum": LAST}
    assert wanted.right() == right("E", wanted)
    [entry] = desk.journal(kind="confirmation", entitlement=wanted.packed)
    assert entry == {
        "kind": "confirmation", "party": OIN, "entitlement": wanted.packed,
        "product": "book", "ref": "first-1", "at": str(NOW),
        "status": "entitled"}
    held = desk.redis("LRANGE", f"i:{{{names.shard('S1')}}}:S1", 0, -1)
    assert held.count(wanted.packed) == 1
    place = desk.redis("KEYS", f"x:*:{wanted.packed[:3]}")[0]
    assert desk.redis("HGET", place, wanted.packed[3:]) == names.shard("S1")


def test_an_employee_is_found_by_each_of_three_ids(desk):
    ids = [("ASI", fresh("canary")), ("NEPPI", fresh("canary")),
           ("BPI", fresh("canary"))]
    wanted = Wanted(desk, entitlementType="school-employee", user={
        "userMasterIdentifier": "", "userIds": [
            {"userId": id_, "userIdType": type_} for type_, id_ in ids]})
    wanted.accept()
    record = wanted.record()
    for field, id_ in zip(["user", "user2", "user3"], ids):
        user = wanted.user(*id_)
        assert record[field] == user
        assert wanted.right(user) == right("E", wanted)


def test_a_private_customers_entitlement_lives_with_the_user(desk):
    wanted = Wanted(desk, entitlementType="customer-student",
                    school=None).accept()
    assert wanted.right(school="") == right("E", wanted)
    [key] = desk.redis("KEYS", f"e:*:{wanted.packed}")
    assert key.startswith(f"e:{{{names.shard(wanted.user())}}}:")
    assert "school" not in wanted.record()


def test_a_code_is_stored_by_its_hash_and_has_no_user_yet(desk):
    code = fresh("CANARY-CODE-ABCDE")
    wanted = Wanted(desk, entitlementType="school-activationcode",
                    activationCode=code).accept()
    assert "user" not in wanted.record()
    assert desk.hash(code) == {"entitlement": wanted.packed, "product": "book",
                               "party": OIN, "state": "new"}
    other = Wanted(desk, entitlementType="customer-activationcode",
                   activationCode=code.lower(), school=None)
    assert other.send() == (400, 99, "entitlement.activationCode: belongs to "
                                     "something else")
    assert not desk.redis("KEYS", f"e:*:{other.packed}")


def test_to_block_a_codes_entitlement_blocks_the_licence_it_became(desk):
    code = fresh("CANARY-CODE-BLOCK")
    wanted = Wanted(desk, entitlementType="school-activationcode",
                    activationCode=code).accept()
    assert desk.redeem(code, wanted.user()).status == 200
    licence = wanted.right()
    assert licence.startswith("L ")
    for _ in range(2):
        wanted.accept(entitlementStatus="blocked", **ENDED)
        assert wanted.right() == "B" + licence[1:]
        assert wanted.send(entitlementStatus="cancelled", **ENDED)[:2] == (
            400, 42)
        wanted.accept(entitlementStatus="licensed")
        assert wanted.right() == licence
    assert wanted.confirmed() == ["entitled"] + ["blocked", "licensed"] * 2


def test_a_code_that_we_made_gets_the_sellers_entitlement(desk):
    code = desk.one()
    wanted = Wanted(desk, entitlementType="customer-activationcode",
                    activationCode=code, school=None).accept()
    assert desk.hash(code)["entitlement"] == wanted.packed
    assert desk.hash(code)["state"] == "new"


def test_a_school_is_found_by_another_id_of_it(desk):
    desk.redis("SET", names.alias_key("BP_ID", "4711"), "S1")
    wanted = Wanted(desk, school={"organisationIds": [
        {"organisationId": "0000", "organisationIdType": "OIE_CODE"},
        {"organisationId": "4711", "organisationIdType": "BP_ID"}]}).accept()
    assert wanted.record()["school"] == "S1"
    assert wanted.right() == right("E", wanted)


def test_a_whole_schools_right_has_no_user(desk):
    wanted = Wanted(desk, entitlementType="school-open", quantity=30,
                    productId="atlas").accept()
    record = wanted.record()
    assert record["quantity"] == "30" and "user" not in record
    key = names.school_hash("S1")
    assert desk.redis("HGET", key, "atlas") == right("O", wanted)
    wanted.accept(entitlementStatus="blocked", **ENDED)
    assert desk.redis("HGET", key, "atlas") == right("B", wanted)
    wanted.accept(entitlementStatus="cancelled", **ENDED)
    assert desk.redis("HGET", key, "atlas") is None


def test_a_limit_that_was_overrun_can_be_sent_again_and_raised(desk):
    wanted = Wanted(desk, entitlementType="school-open", quantity=2,
                    productId="atlas",
                    school={"organisationMasterIdentifier": "S2"}).accept()
    key = desk.redis("KEYS", f"e:*:{wanted.packed}")[0]
    desk.redis("HSET", key, "used", "4")
    wanted.accept()
    wanted.accept(entitlementStatus="blocked", **ENDED)
    assert wanted.record()["status"] == "blocked"
    wanted.accept(quantity=3)
    lower = (400, 99, "entitlement.quantity: is less than the licences that "
                      "it gave")
    assert wanted.send(quantity=2) == lower
    assert wanted.record()["quantity"] == "3"
    wanted.accept(quantity=None)
    assert wanted.send(quantity=3) == lower
    wanted.accept(quantity=1, entitlementStatus="blocked", **ENDED)
    assert wanted.record()["status"] == "blocked"


# --- what is refused ---------------------------------------------------------

@pytest.mark.parametrize("changes, answer", [
    ({"productId": "no-such"}, (99, "entitlement.productId: is unknown")),
    ({"school": {"organisationMasterIdentifier": "S9"}},
     (9, "entitlement.school: is unknown")),
    ({"school": {"organisationIds": [{
        "organisationId": "none", "organisationIdType": "AS_ID"}]}},
     (9, "entitlement.school: is unknown")),
    ({"productId": None}, (11, "entitlement.productId: is missing")),
    ({"startDate": "1 August"},
     (11, "entitlement.startDate: is no date of the form YYYY-MM-DD")),
    ({"entitlementStatus": "cancelled", **ENDED},
     (40, "entitlement.entitlementId: is unknown")),
])
def test_what_is_refused_leaves_nothing(desk, changes, answer):
    wanted = Wanted(desk, **changes)
    assert wanted.send() == (400, *answer)
    assert not desk.redis("KEYS", f"e:*:{wanted.packed}")
    assert not desk.redis("EXISTS", names.user_hash("S1", wanted.user()))
    assert not wanted.confirmed()
    for key in desk.redis("KEYS", f"x:*:{wanted.packed[:3]}"):
        assert desk.redis("HGET", key, wanted.packed[3:]) is None


def test_an_added_school_is_known_at_once(desk):
    school = fresh("S-new")
    wanted = Wanted(desk,
                    school={"organisationMasterIdentifier": school})
    assert wanted.send()[:2] == (400, 9)
    desk.redis("HSET", f"school:{{{names.shard(school)}}}:{school}", "name",
               "")
    wanted.accept()


@pytest.mark.parametrize("changes, field", [
    ({"productId": "atlas"}, "productId"),
    ({"school": {"organisationMasterIdentifier": "S2"}}, "school"),
    ({"user": {"userMasterIdentifier": "https://ketenid.nl/canary-other"}},
     "user"),
    ({"startDate": "2026-09-01"}, "startDate"),
    ({"activationUntilDate": "2027-08-31"}, "activationUntilDate"),
    ({"entitlementType": "school-employee"}, "entitlementType"),
])
def test_values_never_change(desk, changes, field):
    wanted = Wanted(desk).accept()
    before = wanted.record()
    assert wanted.send(**changes) == (
        400, 99, f"entitlement.{field}: differs from what was sent before; "
                 "values of an entitlement never change")
    assert wanted.record() == before
    assert wanted.right() == right("E", wanted)


def test_another_partys_entitlement_is_unknown(desk):
    wanted = Wanted(desk).accept()
    for status in ("created", "blocked", "cancelled"):
        assert wanted.send(client="rival", entitlementStatus=status,
                           **ENDED) == (
            400, 40, "entitlement.entitlementId: is unknown")
    assert wanted.record()["party"] == OIN
    assert wanted.right() == right("E", wanted)
    assert not desk.journal(entitlement=wanted.packed, party=RIVAL)


@pytest.mark.parametrize("client, scope, status", [
    ("", "", 401), ("seller", "usage.seller", 403), ("nobody", SCOPE, 403)])
def test_strangers_are_turned_away(desk, client, scope, status):
    wanted = Wanted(desk)
    for path, method in (("/v1/entitlements", "PUT"),
                         ("/v1/entitlements/bulk", "POST")):
        answer = desk.workers.ask(
            path, method, json.dumps(wanted.message()).encode(),
            LEERPOORT_CLIENT=client, LEERPOORT_SCOPE=scope)
        assert answer.status == status
        assert json.loads(answer.body).keys() == {"status", "statusMessage"}
    assert not desk.redis("KEYS", f"e:*:{wanted.packed}")


# --- repeated, stale, changed ------------------------------------------------

def test_a_repeated_message_is_confirmed_again_and_does_nothing(desk):
    wanted = Wanted(desk).accept("again-1")
    wanted.accept(entitlementStatus="blocked", **ENDED)
    before = wanted.record()
    sent = wanted.send("again-1")
    assert sent == (202, 2, "Accepted: this message was applied before")
    assert wanted.record() == before
    assert wanted.right() == right("B", wanted)
    assert wanted.confirmed(ref="again-1") == ["entitled", "entitled"]


def test_an_older_message_changes_nothing(desk):
    wanted = Wanted(desk).accept(created="2026-09-01T10:00:00Z")
    wanted.accept(created="2026-09-03T10:00:00Z", entitlementStatus="blocked",
                  **ENDED)
    sent = wanted.send("late", created="2026-09-02T10:00:00Z")
    assert sent == (202, 2, "Accepted: older than what is stored, nothing "
                            "changed")
    assert wanted.right() == right("B", wanted)
    assert wanted.confirmed(ref="late") == ["blocked"]
    wanted.accept(created="2026-09-03T12:00:01+02:00")
    assert wanted.right() == right("E", wanted)


def test_a_cancelled_entitlement_is_gone_with_its_user(desk):
    wanted = Wanted(desk).accept()
    wanted.accept(entitlementStatus="cancelled", **ENDED)
    record = wanted.record()
    assert record["status"] == "cancelled"
    assert not {"user", "user2", "user3"} & record.keys()
    assert wanted.right() is None
    assert wanted.confirmed() == ["entitled", "cancelled"]
    wanted.accept(entitlementStatus="cancelled", **ENDED)
    for status in ("created", "licensed"):
        assert wanted.send(entitlementStatus=status)[:2] == (400, 99)
    assert wanted.send(entitlementStatus="blocked", **ENDED)[:2] == (400, 99)
    assert wanted.right() is None


def test_a_licence_can_be_blocked_and_not_cancelled(desk):
    wanted = Wanted(desk).accept()
    license_(desk, wanted)
    licence = wanted.right()
    assert wanted.send(entitlementStatus="cancelled", **ENDED)[:2] == (400, 42)
    assert wanted.right() == licence
    wanted.accept(entitlementStatus="blocked", **ENDED)
    assert wanted.right().startswith("B ")
    assert wanted.send(entitlementStatus="cancelled", **ENDED)[:2] == (400, 42)
    wanted.accept(entitlementStatus="licensed")
    assert wanted.right() == licence
    assert wanted.record()["status"] == "licensed"
    assert wanted.confirmed() == ["entitled", "blocked", "licensed"]


@pytest.mark.parametrize("status", ["created", "entitled", "licensed"])
def test_a_block_that_is_lifted_leaves_what_was_there(desk, status):
    wanted = Wanted(desk).accept(entitlementStatus="blocked", **ENDED)
    assert wanted.right() == right("B", wanted)
    wanted.accept(entitlementStatus=status)
    assert wanted.right() == right("E", wanted)
    assert wanted.confirmed() == ["blocked", "entitled"]


def test_a_repeated_state_mends_a_right_that_is_gone(desk):
    wanted = Wanted(desk).accept()
    desk.redis("HDEL", names.user_hash("S1", wanted.user()), "book")
    wanted.accept()
    assert wanted.right() == right("E", wanted)


# --- several entitlements of one user ----------------------------------------

def second(desk, first, **changes):
    """Another one for the same user and product."""
    wanted = Wanted(desk, user=first.fields["user"], **changes)
    wanted.eck = first.eck
    return wanted


def both(wanted, product="book"):
    """The right, and the one that follows it."""
    key = names.user_hash("S1", wanted.user())
    return wanted.desk.redis("HMGET", key, product, f"{product}+")


def test_the_next_takes_over_what_was_cancelled(desk):
    first = Wanted(desk).accept()
    later = second(desk, first, startDate="2027-08-01",
                   activationUntilDate="2028-07-31").accept()
    third = second(desk, first, activationUntilDate="2026-12-31").accept()
    # usable now and the first to end; then usable now; then to come
    assert first.right() == right("E", third, until="20261231")
    assert third.record()["next"] == first.packed
    assert first.record()["next"] == later.packed
    assert "next" not in later.record()

    to_come = right("E", later, "20270801", "20280731")
    assert both(first)[1] == right("E", first)
    third.accept(entitlementStatus="cancelled", **ENDED)
    assert both(first) == [right("E", first), to_come]
    first.accept(entitlementStatus="cancelled", **ENDED)
    assert both(first) == [to_come, None]
    later.accept(entitlementStatus="cancelled", **ENDED)
    assert both(first) == [None, None]


def test_what_follows_is_the_best_of_the_day_after(desk):
    """Two end together; then it is next year's that counts. And a block of
    what follows follows as a block."""
    first, same = Wanted(desk).accept(), None
    same = second(desk, first).accept()
    head = min((first, same), key=lambda wanted: wanted.packed)
    later = second(desk, first, startDate="2027-08-01",
                   activationUntilDate="2028-07-31").accept()
    assert both(first) == [right("E", head),
                           right("E", later, "20270801", "20280731")]
    later.accept(entitlementStatus="blocked", **ENDED)
    assert both(first)[0] == right("B", later, "20270801", "20280731")
    later.accept()
    assert both(first) == [right("E", head),
                           right("E", later, "20270801", "20280731")]
    later.accept(entitlementStatus="cancelled", **ENDED)
    other = same if head is first else first
    assert both(first) == [right("E", head), right("E", other)]


def test_a_licence_stays_before_next_years_entitlement(desk):
    first = Wanted(desk).accept()
    license_(desk, first)
    licence = first.right()
    later = second(desk, first, startDate="2027-08-01",
                   activationUntilDate="2028-07-31").accept()
    to_come = right("E", later, "20270801", "20280731")
    assert both(first) == [licence, to_come]
    assert first.record()["next"] == later.packed
    later.send("stale", created="2020-01-01T00:00:00Z")
    assert both(first) == [licence, to_come]
    first.accept(entitlementStatus="blocked", **ENDED)
    assert both(first) == ["B" + licence[1:], to_come]
    first.accept(entitlementStatus="licensed")
    assert both(first) == [licence, to_come]
    later.accept(entitlementStatus="cancelled", **ENDED)
    assert both(first) == [licence, None]
    assert "next" not in first.record()


def click(desk, wanted):
    return desk.workers.ask(
        "/go/book", LEERPOORT_ROUTE="activate", LEERPOORT_USERS=wanted.user(),
        LEERPOORT_SCHOOL="S1", LEERPOORT_PRODUCT="book",
        LEERPOORT_PERSON='{"userMasterIdentifier":"https://ketenid.nl/x"}')


def test_what_follows_an_ended_licence_is_activated(desk):
    """The turn of the year: nobody sends anything, and the licence of last
    year has ended."""
    last = Wanted(desk, startDate="2025-08-01",
                  activationUntilDate="2026-07-31").accept()
    [key] = desk.redis("KEYS", f"e:*:{last.packed}")
    desk.redis("HSET", key, "status", "licensed", "licensed", "20250901",
               "expires", "20301231")
    rights = names.user_hash("S1", last.user())
    desk.redis("HSET", rights, "book", right("L", last, "20250901",
                                             "20301231"))
    this = second(desk, last).accept()
    assert last.right() == right("L", last, "20250901", "20301231")

    desk.redis("HSET", key, "expires", "20260930")
    desk.redis("HSET", rights, "book", right("L", last, "20250901",
                                             "20260930"))
    assert click(desk, last).headers["x-accel-redirect"] == "/go/book"
    assert last.right() == right("L", this, DAY, UNTIL)
    assert this.record()["status"] == "licensed"
    assert this.record()["next"] == last.packed


def test_an_ended_licence_with_nothing_usable_behind_it_stays_ended(desk):
    last = Wanted(desk).accept()
    other = second(desk, last, startDate="2025-08-01",
                   activationUntilDate="2026-07-31").accept()
    assert last.record()["next"] == other.packed
    [key] = desk.redis("KEYS", f"e:*:{last.packed}")
    ended = right("L", last, "20250901", "20260930")
    desk.redis("HSET", key, "status", "licensed", "licensed", "20250901",
               "expires", "20260930")
    desk.redis("HSET", names.user_hash("S1", last.user()), "book", ended)
    assert click(desk, last).headers["leerpoort-outcome"] == "ended"
    assert last.right() == ended


def test_a_block_hides_the_other_entitlements_until_it_is_lifted(desk):
    first = Wanted(desk).accept()
    other = second(desk, first).accept()
    first.accept(entitlementStatus="blocked", **ENDED)
    assert first.right() == right("B", first)
    first.accept(entitlementStatus="cancelled", **ENDED)
    assert first.right() == right("E", other)


def test_a_chain_has_an_end(desk):
    first = Wanted(desk).accept()
    for _ in range(7):
        second(desk, first).accept()
    ninth = second(desk, first)
    assert ninth.send() == (400, 99, "entitlement.productId: the user has "
                                     "eight entitlements to it already")
    assert not desk.redis("KEYS", f"e:*:{ninth.packed}")
    first.accept(entitlementStatus="cancelled", **ENDED)
    ninth.accept()


@pytest.mark.parametrize("state, first", [("L", True), ("B", True),
                                          ("E", False)])
def test_what_an_operator_gave_is_not_taken_away(desk, state, first):
    """It has no record, and takes its place among the others."""
    wanted = Wanted(desk)
    given = names.right(state, name=fresh("operator"))
    desk.redis("HSET", names.user_hash("S1", wanted.user()), "book", given)
    wanted.accept()
    pair = [given, right("E", wanted)]
    assert both(wanted) == (pair if first else pair[::-1])
    wanted.accept(entitlementStatus="cancelled", **ENDED)
    assert both(wanted) == [given, None]


# --- at once -----------------------------------------------------------------

def test_messages_at_once_are_one_after_the_other(desk):
    wanted = [Wanted(desk) for _ in range(4)]
    sends = [(w, status) for _ in range(4) for w in wanted
             for status in ("created", "blocked")]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        sent = list(pool.map(lambda s: s[0].send(
            entitlementStatus=s[1], **ENDED), sends))
    assert {answer[:2] for answer in sent} == {(202, 2)}
    held = desk.redis("LRANGE", f"i:{{{names.shard('S1')}}}:S1", 0, -1)
    for one in wanted:
        assert held.count(one.packed) == 1
        confirmed = one.confirmed()
        assert len(confirmed) == 8
        state = {"entitled": "E", "blocked": "B"}[one.record()["status"]]
        assert one.right() == right(state, one)


# --- bulk --------------------------------------------------------------------

def bulk(desk, lines, **changes):
    body = lines if isinstance(lines, bytes) else b"".join(
        json.dumps(line).encode() + b"\n" for line in lines)
    answer = desk.workers.ask(
        "/v1/entitlements/bulk", "POST", body, LEERPOORT_CLIENT="seller",
        LEERPOORT_SCOPE=SCOPE, **changes)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.body.splitlines()]


def test_bulk_answers_each_line_and_stores_the_good_ones(desk):
    wanted = [Wanted(desk) for _ in range(3)]
    unknown = Wanted(desk, productId="no-such")
    body = b"\n".join([
        json.dumps(wanted[0].message("bulk-1")).encode(), b"",
        b'{"entitlementReferenceId": ', b"x" * 70000,
        b'{"a": 1, "a": 2}', json.dumps(unknown.message("bulk-6")).encode(),
        json.dumps(wanted[1].message("bulk-7")).encode() + b"\r",
        json.dumps(wanted[0].message("bulk-1")).encode(),
        json.dumps(wanted[2].message("bulk-9")).encode()])
    accepted = {"status": 2, "statusMessage": "Accepted"}
    assert bulk(desk, body) == [
        {"line": 1, "entitlementReferenceId": "bulk-1", **accepted},
        {"line": 3, "status": 11,
         "statusMessage": "the line is no JSON object"},
        {"line": 4, "status": 11,
         "statusMessage": "the line is longer than 65536 bytes"},
        {"line": 5, "status": 11,
         "statusMessage": "the line holds a member twice"},
        {"line": 6, "entitlementReferenceId": "bulk-6", "status": 99,
         "statusMessage": "entitlement.productId: is unknown"},
        {"line": 7, "entitlementReferenceId": "bulk-7", **accepted},
        {"line": 8, "entitlementReferenceId": "bulk-1", "status": 2,
         "statusMessage": "Accepted: this message was applied before"},
        {"line": 9, "entitlementReferenceId": "bulk-9", **accepted}]
    for one in wanted:
        assert one.right() == right("E", one)


def test_bulk_keeps_the_order_of_lines_about_one_entitlement(desk):
    wanted = [Wanted(desk) for _ in range(30)]
    lines = [w.message(entitlementStatus=status, **ENDED)
             for w in wanted
             for status in ("created", "blocked", "entitled", "cancelled")]
    replies = bulk(desk, lines)
    assert [reply["status"] for reply in replies] == [2] * 120
    for one in wanted:
        assert one.confirmed() == ["entitled", "blocked", "entitled",
                                   "cancelled"]
        assert one.right() is None


@pytest.mark.once
def test_bulk_ends_when_a_million_lines_were_refused(desk):
    replies = bulk(desk, b"x\n" * 1_000_300)
    assert 1_000_000 <= len(replies) - 1 < 1_000_300
    assert all(reply["status"] == 11 for reply in replies[:1000])
    assert replies[-1]["statusMessage"].startswith("a million lines")
    assert str(len(replies)) in replies[-1]["statusMessage"]


def test_bulk_of_more_than_a_batch_is_whole(desk):
    wanted = [Wanted(desk) for _ in range(700)]
    replies = bulk(desk, [one.message() for one in wanted])
    assert [reply["line"] for reply in replies] == list(range(1, 701))
    assert {reply["status"] for reply in replies} == {2}
    for one in (wanted[0], wanted[255], wanted[256], wanted[699]):
        assert one.right() == right("E", one)


def test_bulk_that_is_cut_off_stores_what_it_answered(desk):
    wanted = [Wanted(desk) for _ in range(3)]
    body = b"".join(json.dumps(one.message()).encode() + b"\n"
                    for one in wanted)
    replies = bulk(desk, body[:-40], CONTENT_LENGTH=len(body))
    assert [reply["status"] for reply in replies] == [2, 2, 99]
    assert replies[2]["statusMessage"] == (
        "the body was cut off; what was answered is stored: resend from line "
        "3")
    assert wanted[1].right() == right("E", wanted[1])
    assert wanted[2].right() is None


def test_bulk_answers_once_the_body_has_come(desk):
    """nginx sends no more of a body once its answer has begun. What has come
    is stored all the same."""
    wanted = [Wanted(desk) for _ in range(300)]
    parts = [b"".join(json.dumps(one.message()).encode() + b"\n"
                      for one in part) for part in (wanted[:299], wanted[299:])]
    sent = fastcgi.params("/v1/entitlements/bulk", "POST", b"".join(parts),
                          LEERPOORT_CLIENT="seller", LEERPOORT_SCOPE=SCOPE)
    with fastcgi.connect(desk.workers.path) as connection:
        connection.sendall(fastcgi.begin() + fastcgi.stream(
            fastcgi.PARAMS, fastcgi.pairs(sent)))
        for at in range(0, len(parts[0]), 60000):
            connection.sendall(fastcgi.record(fastcgi.STDIN,
                                              parts[0][at:at + 60000]))
        eventually("the first batch is stored",
                   lambda: wanted[0].right() == right("E", wanted[0]), 20)
        assert select.select([connection], [], [], 0)[0] == []
        connection.sendall(fastcgi.stream(fastcgi.STDIN, parts[1]))
        out, ended = fastcgi.parse(fastcgi.read_all(connection))
    assert ended and b'"line":1,' in out and b'"line":300,' in out
    assert wanted[299].right() == right("E", wanted[299])


# --- bad days ----------------------------------------------------------------

def test_without_redis_it_says_where_to_go_on(tmp_path):
    redis = Redis(tmp_path)
    try:
        redis.start()
        desk = Desk(tmp_path, redis, n=1)
        with desk.workers:
            wanted = Wanted(desk).accept()
            redis.kill()
            answer = desk.put("/v1/entitlements", wanted.message(), "seller",
                              SCOPE)
            assert answer.status == 503 and answer.headers["retry-after"]
            [last] = bulk(desk, [wanted.message("down-1")])
            assert last == {
                "status": 99, "statusMessage":
                "not available for a moment; what was answered is stored: "
                "resend from line 1"}
            redis.restart()
    finally:
        redis.destroy()


def test_a_full_redis_refuses_and_changes_nothing(tmp_path):
    redis = Redis(tmp_path)
    try:
        redis.start()
        desk = Desk(tmp_path, redis, n=1)
        with desk.workers:
            wanted = Wanted(desk)
            redis("CONFIG", "SET", "maxmemory", "1")
            answer = desk.put("/v1/entitlements", wanted.message("full-1"),
                              "seller", SCOPE)
            assert answer.status == 503
            redis("CONFIG", "SET", "maxmemory", "0")
            assert not redis("KEYS", f"e:*:{wanted.packed}")
            wanted.accept("full-1")
    finally:
        redis.destroy()


def test_a_key_of_another_type_costs_one_line_alone(desk):
    wanted = [Wanted(desk) for _ in range(3)]
    desk.redis("SET", names.user_hash("S1", wanted[1].user()), "damaged")
    replies = bulk(desk, [one.message() for one in wanted])
    assert [reply["status"] for reply in replies] == [2, 99, 2]
    assert wanted[2].right() == right("E", wanted[2])


def test_no_id_of_a_person_and_no_code_is_in_redis_or_the_log(desk):
    Wanted(desk).accept()
    aof = b"".join(p.read_bytes() for p in desk.redis.folder.rglob("*.aof"))
    assert b"entitled" in aof
    assert b"canary" not in aof.lower()
    assert "canary" not in desk.workers.said().lower()
