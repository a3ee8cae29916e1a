"""Activation codes: made for a party, revoked, redeemed once, never stored."""

import concurrent.futures
import json
import pathlib
import uuid

import pytest

from lib import names
from lib.desk import (DAY, NOW, OIN, PERSON, RIVAL, TRIES, UNTIL, Desk, fresh,
                      pupil)
from lib.process import eventually
from lib.town import Town


def at_once(n, call):
    with concurrent.futures.ThreadPoolExecutor(n) as pool:
        return list(pool.map(call, range(n)))


# --- made for a party --------------------------------------------------------

def test_codes_are_made_and_only_their_hash_is_stored(desk):
    answer = desk.order("made-1", 3, contractId="c1")
    assert (answer.status, json.loads(answer.body)["status"]) == (202, 2)
    codes = [desk.code("made-1", i) for i in range(3)]
    assert len(set(codes)) == 3
    for code in codes:
        stored = desk.hash(code)
        assert stored.pop("request")
        assert stored == {"state": "new", "party": OIN, "product": "book",
                          "contract": "c1"}
    [entry] = desk.journal(kind="codes", ref="made-1")
    assert entry == {"kind": "codes", "party": OIN, "ref": "made-1",
                     "product": "book", "quantity": "3", "at": str(NOW),
                     "contract": "c1"}
    aof = b"".join(p.read_bytes() for p in desk.redis.folder.rglob("*.aof"))
    assert b"made-1" in aof
    for code in codes:
        assert code.encode() not in aof
        assert code.replace("-", "").encode() not in aof


def test_a_repeated_request_is_confirmed_again_and_makes_nothing(desk):
    assert desk.order("again-1", 5).status == 202
    keys = set(desk.redis("KEYS", "code:*"))
    assert desk.order("again-1", 5).status == 202
    assert set(desk.redis("KEYS", "code:*")) == keys
    first, second = desk.journal(kind="codes", ref="again-1")
    assert first == second


@pytest.mark.parametrize("change", [
    {"quantity": 6}, {"product": "atlas"}, {"contractId": "c"}])
def test_a_reference_means_one_request(desk, change):
    ref = fresh("one")
    assert desk.order(ref, 5).status == 202
    before = set(desk.redis("KEYS", "code:*"))
    answer = desk.order(ref, **{"quantity": 5, **change})
    assert answer.status == 400
    assert json.loads(answer.body)["statusMessage"].startswith(
        "requestReferenceId: ")
    assert set(desk.redis("KEYS", "code:*")) == before
    assert len(desk.journal(kind="codes", ref=ref)) == 1


def test_two_parties_may_use_the_same_reference(desk):
    assert desk.order("shared").status == 202
    assert desk.order("shared", client="rival").status == 202
    assert desk.code("shared") != desk.code("shared", oin=RIVAL)
    assert desk.hash(desk.code("shared", oin=RIVAL))["party"] == RIVAL


GOOD = {"requestReferenceId": "bad", "productId": "book", "quantity": 1}


@pytest.mark.parametrize("change,field", [
    ({"requestReferenceId": None}, "requestReferenceId"),
    ({"requestReferenceId": ""}, "requestReferenceId"),
    ({"requestReferenceId": "x" * 65}, "requestReferenceId"),
    ({"requestReferenceId": "a\nb"}, "requestReferenceId"),
    ({"requestReferenceId": 7}, "requestReferenceId"),
    ({"productId": None}, "productId"), ({"productId": "a/b"}, "productId"),
    ({"productId": "nothing"}, "productId"),
    ({"productId": ["book"]}, "productId"),
    ({"quantity": None}, "quantity"), ({"quantity": 0}, "quantity"),
    ({"quantity": 10001}, "quantity"), ({"quantity": "5"}, "quantity"),
    ({"quantity": 1.5}, "quantity"), ({"quantity": -1}, "quantity"),
    ({"quantity": 2 ** 62}, "quantity"),
    ({"contractId": 5}, "contractId"),
    ({"contractId": "x" * 65}, "contractId"),
])
def test_a_bad_field_is_named(desk, change, field):
    body = {k: v for k, v in {**GOOD, **change}.items() if v is not None}
    answer = desk.put("/v1/activationcodes", body)
    assert answer.status == 400
    assert json.loads(answer.body)["statusMessage"].startswith(f"{field}: ")
    assert not desk.journal(kind="codes", ref="bad")


def test_other_callers_get_no_codes(desk):
    assert desk.order("x", client="stranger").status == 403
    assert desk.put("/v1/activationcodes", GOOD, scope="usage.seller"
                    ).status == 403
    assert desk.put("/v1/activationcodes", GOOD, client="").status == 401
    assert desk.put("/v1/activationcodes/revoke", GOOD,
                    scope="entitlement.licensor").status == 403


def test_one_request_at_eight_workers_at_once(desk):
    desk.redis("CONFIG", "RESETSTAT")
    answers = at_once(8, lambda _: desk.order("race", 2000).status)
    assert answers == [202] * 8
    # each once: one that is written again would be new again, though used
    assert desk.redis.calls("hset") == 2000 + 2000 // 400
    request = [key for key in desk.redis("KEYS", "request:*")
               if desk.redis("HGET", key, "ref") == "race"]
    assert desk.redis("HGET", request[0], "made") == "2000"
    for i in (0, 399, 400, 1999):
        assert desk.hash(desk.code("race", i))["state"] == "new"
    assert desk.hash(desk.code("race", 2000)) == {}
    assert len(desk.journal(kind="codes", ref="race")) == 8


def test_workers_killed_midway_leave_the_rest_to_the_repeat(tmp_path, redis):
    desk = Desk(tmp_path, redis, n=1)
    with desk.workers:
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            first = pool.submit(lambda: desk.order("big", 10000))
            eventually("the first codes", lambda: redis(
                "KEYS", "request:*"), 20, 0)
            desk.workers.kill()
            try:
                cut = first.result(30).status != 202
            except (AssertionError, OSError):
                cut = True
        if cut:
            assert not desk.journal(kind="codes")
        assert desk.order("big", 10000).status == 202
        [key] = redis("KEYS", "request:*")
        assert redis("HGET", key, "made") == "10000"
        codes = redis("KEYS", "code:*")
        assert len(codes) == 10000
        assert len(desk.journal(kind="codes")) == (1 if cut else 2)
        for i in (0, 5000, 9999):
            assert desk.hash(desk.code("big", i))["state"] == "new"


# --- revoked -----------------------------------------------------------------

def test_a_revoked_code_is_of_no_use(desk):
    code = desk.one()
    assert desk.revoke(code.lower(), "r1").status == 202
    assert desk.hash(code)["state"] == "revoked"
    assert desk.journal(kind="codes-revoked", ref="r1") == [{
        "kind": "codes-revoked", "party": OIN, "ref": "r1",
        "product": "book", "at": str(NOW)}]
    answer = desk.redeem(code, pupil())
    assert (answer.status, json.loads(answer.body)["status"]) == (400, 52)
    # again: the same answer, and told again
    assert desk.revoke(code, "r1").status == 202
    assert desk.revoke(code, "r2").status == 202
    assert len(desk.journal(kind="codes-revoked", ref="r1")) == 2


def test_what_cannot_be_revoked(desk):
    used, other = desk.one(), desk.one()
    assert desk.redeem(used, pupil()).status == 200
    for code, client, status in ((used, "seller", 51), (other, "rival", 50),
                                 ("A" * 25, "seller", 50),
                                 ("short", "seller", 11), (7, "seller", 11),
                                 ("A" * 65, "seller", 11)):
        answer = desk.revoke(code, client=client)
        body = json.loads(answer.body)
        assert (answer.status, body["status"]) == (400, status)
        assert body["statusMessage"].startswith("activationCode: ")
        assert str(code) not in body["statusMessage"]
    assert desk.hash(used)["state"] == "used"
    assert desk.hash(other)["state"] == "new"


# --- redeemed ----------------------------------------------------------------

def test_a_code_becomes_a_licence(desk):
    user, code = pupil(), desk.one(contractId="c7")
    answer = desk.redeem(code, user)
    assert answer.status == 200
    assert json.loads(answer.body) == {
        "productId": "book", "expirationDate": "2027-07-31", "url": "/go/book"}
    assert answer.headers["cache-control"] == "no-store"
    stored = desk.hash(code)
    assert (stored["state"], stored["user"]) == ("used", user)
    licence = stored["licence"]
    assert desk.right(user) == f"L {DAY} {UNTIL} {licence}"
    record = desk.record(licence)
    assert record["type"] == "school-activationcode"
    assert record["status"] == "licensed"
    assert (record["user"], record["school"]) == (user, "S1")
    assert (record["licensed"], record["expires"]) == (DAY, UNTIL)
    assert (record["party"], record["contract"]) == (OIN, "c7")
    [entry] = desk.journal(kind="activation", entitlement=licence)
    assert desk.open("code", entry.pop("code")) == code
    assert desk.open("person", entry.pop("person")) == PERSON
    assert entry == {
        "kind": "activation", "party": OIN, "entitlement": licence,
        "product": "book", "type": "school-activationcode", "school": "S1",
        "day": DAY, "until": UNTIL}


def test_a_private_customer_keeps_it_without_a_school(desk):
    user, code = pupil(), desk.one()
    assert desk.redeem(code, user, school="").status == 200
    assert desk.right(user, school="").startswith("L ")
    record = desk.record(desk.hash(code)["licence"])
    assert record["type"] == "customer-activationcode"
    assert "school" not in record
    assert not desk.redis("EXISTS", names.user_hash("S1", user))
    assert desk.redis("LRANGE", f"i:{{{names.shard(user)}}}:/{user}", 0, -1) \
        == [desk.hash(code)["licence"]]


@pytest.mark.parametrize("since, issued, status", [
    (NOW - 60, NOW - 61, 401), (NOW - 60, NOW - 60, 200),
    (NOW - 60, 0, 401), (NOW - 60, None, 401), ("soon", NOW, 401)])
@pytest.mark.parametrize("where", ["S1", ""])
def test_a_token_that_was_revoked_redeems_nothing(desk, since, issued, status,
                                                  where):
    users, code = [pupil(), pupil()], desk.one()
    desk.redis("HSET", names.user_hash(where, users[1]), "!", since)
    answer = desk.redeem(code, users, LEERPOORT_TOKEN_IAT=issued)
    assert answer.status == status
    if status == 401:
        assert json.loads(answer.body)["status"] == 21
        assert desk.hash(code)["state"] == "new"
        # whose token it was pays no try for it
        assert desk.redis("GET", desk.tries(users[0])) == "0"
        # the same where the code was used by that person before
        assert desk.redeem(code, users, LEERPOORT_TOKEN_IAT=NOW).status == (
            200 if since != "soon" else 401)
        assert desk.redeem(code, users,
                           LEERPOORT_TOKEN_IAT=issued).status == 401
    else:
        assert desk.hash(code)["state"] == "used"


def test_a_school_that_is_known_by_its_alias_is_the_school(desk):
    """The edge asks Redis nothing here, so that the worker does."""
    desk.redis("SET", names.alias_key("OIE_CODE", "11ZZ"), "S1")
    user, code = pupil(), desk.one()
    assert desk.redeem(code, user, school="",
                       LEERPOORT_SCHOOL_ALIAS="OIE_CODE:11ZZ").status == 200
    assert desk.right(user, school="S1").startswith("L ")
    assert desk.record(desk.hash(code)["licence"])["school"] == "S1"
    # one that nobody knows is no school
    user, code = pupil(), desk.one()
    assert desk.redeem(code, user, school="",
                       LEERPOORT_SCHOOL_ALIAS="OIE_CODE:22ZZ").status == 200
    assert desk.right(user, school="").startswith("L ")


@pytest.mark.parametrize("typed", [
    str.lower, lambda c: c.replace("-", ""), lambda c: c.replace("-", " "),
    lambda c: f"  {c}\n", lambda c: c.replace("-", "").lower()])
def test_a_code_may_be_typed_in_any_way(desk, typed):
    assert desk.redeem(typed(desk.one()), pupil()).status == 200


def test_a_teacher_has_it_under_each_id(desk):
    users = [pupil() for _ in range(3)]
    code = desk.one()
    assert desk.redeem(code, users, LEERPOORT_ROLE="employee").status == 200
    assert len({desk.right(user) for user in users}) == 1
    assert desk.right(users[2]).startswith("L ")
    # with one of the ids alone it is the same person
    assert desk.redeem(code, users[1]).status == 200


def test_the_same_person_gets_the_same_answer_and_another_none(desk):
    user, code = pupil(), desk.one()
    first, second = desk.redeem(code, user), desk.redeem(code, user)
    assert first.status == second.status == 200
    assert first.body == second.body
    licence = desk.hash(code)["licence"]
    assert len(desk.journal(kind="activation", entitlement=licence)) == 1
    other = pupil()
    answer = desk.redeem(code, other)
    assert (answer.status, json.loads(answer.body)["status"]) == (400, 51)
    assert desk.right(other) is None


def test_of_many_at_once_one_gets_it(desk):
    code, users = desk.one(), [pupil() for _ in range(16)]
    answers = at_once(16, lambda i: desk.redeem(code, users[i]))
    states = sorted((a.status, json.loads(a.body).get("status"))
                    for a in answers)
    assert states.count((200, None)) == 1
    assert states.count((400, 51)) == 15
    assert sum(desk.right(user) is not None for user in users) == 1
    licence = desk.hash(code)["licence"]
    assert len(desk.journal(kind="activation", entitlement=licence)) == 1


def test_a_double_click_is_one_licence(desk):
    code, user = desk.one(), pupil()
    answers = at_once(8, lambda _: desk.redeem(code, user))
    assert {a.status for a in answers} == {200}
    assert len({a.body for a in answers}) == 1
    licence = desk.hash(code)["licence"]
    assert len(desk.journal(kind="activation", entitlement=licence)) == 1


def test_a_code_is_not_spent_on_what_one_has(desk):
    user = pupil()
    assert desk.redeem(desk.one(), user).status == 200
    code = desk.one()
    answer = desk.redeem(code, user)
    assert (answer.status, json.loads(answer.body)["status"]) == (400, 42)
    assert desk.hash(code)["state"] == "new"
    # nor against a block
    blocked, code = pupil(), desk.one()
    desk.redis("HSET", names.user_hash("S1", blocked), "book",
               names.right("B", until="20991231"))
    assert desk.redeem(code, blocked).status == 400
    assert desk.hash(code)["state"] == "new"
    assert desk.right(blocked).startswith("B ")


def test_a_code_that_was_not_spent_can_be_used_elsewhere(desk):
    user = pupil()
    assert desk.redeem(desk.one(), user).status == 200
    code = desk.one()
    assert desk.redeem(code, user).status == 400
    assert desk.redeem(code, user, school="S2").status == 200
    licence = desk.hash(code)["licence"]
    assert desk.right(user, school="S2").endswith(licence)
    place = f"x:{{{names.shard(licence[:3])}}}:{licence[:3]}"
    assert desk.redis("HGET", place, licence[3:]) == names.shard("S2")


def test_an_entitlement_that_was_there_stays_behind_the_licence(desk):
    user, code = pupil(), desk.one()
    right = names.right("E", name="earlier")
    desk.redis("HSET", names.user_hash("S1", user), "book", right)
    assert desk.redeem(code, user).status == 200
    licence = desk.hash(code)["licence"]
    assert desk.right(user).endswith(licence)
    assert desk.right(user, "book+") == right


@pytest.mark.parametrize("body,status,code", [
    (b"", 400, 11), (b"{", 400, 11), (b"[]", 400, 11), (b"{}", 400, 11),
    (b'{"activationCode":7}', 400, 11), (b'{"activationCode":""}', 400, 11),
    (b'{"activationCode":"ABC"}', 400, 11),
    (b'{"activationCode":"' + b"A" * 65 + b'"}', 400, 11),
    (b'{"activationCode":"AAAAAAAA\\u0000"}', 400, 11),
    (b'{"activationCode":"' + b"A" * 5000 + b'"}', 413, 11),
], ids=range(10))
def test_what_is_no_code_costs_no_try(desk, body, status, code):
    user = pupil()
    answer = desk.workers.ask("/activate/code", "POST", body,
                              LEERPOORT_USERS=user, LEERPOORT_SCHOOL="S1")
    assert (answer.status, json.loads(answer.body)["status"]) == (status, code)
    assert not desk.redis("EXISTS", desk.tries(user))


@pytest.mark.parametrize("type_", [
    "", "text/plain", "application/x-www-form-urlencoded",
    "multipart/form-data", "application/jsonp"])
def test_a_form_of_another_site_redeems_nothing(desk, type_):
    code, user = desk.one(), pupil()
    answer = desk.redeem(code, user, CONTENT_TYPE=type_)
    assert answer.status == 415
    assert desk.hash(code)["state"] == "new"
    assert desk.redeem(code, user, CONTENT_TYPE="application/json; "
                       "charset=utf-8").status == 200


def test_nobody_is_nobody(desk):
    code = desk.one()
    assert desk.redeem(code, "").status == 401
    assert desk.workers.ask("/activate/code", "GET").status == 405
    assert desk.hash(code)["state"] == "new"


# --- guessing ----------------------------------------------------------------

def test_guessing_is_slowed_down_per_person(desk):
    user, code = pupil(), desk.one()
    assert desk.wrong(user, n=TRIES) == [400] * TRIES
    answer = desk.redeem(code, user)
    assert answer.status == 429
    assert 0 < int(answer.headers["retry-after"]) <= 900
    assert desk.hash(code)["state"] == "new"
    # others of the school are not concerned
    assert desk.redeem(desk.one(), pupil()).status == 200
    # and it passes
    assert 0 < desk.redis("TTL", desk.tries(user)) <= 900
    desk.redis("DEL", desk.tries(user))
    assert desk.redeem(code, user).status == 200


def test_waits_grow(desk):
    user, waits = pupil(), []
    for _ in range(3):
        desk.wrong(user, n=TRIES)
        answer = desk.redeem("A" * 25, user)
        assert answer.status == 429
        waits.append(int(answer.headers["retry-after"]))
        again = desk.redeem("A" * 25, user)
        assert 0 < int(again.headers["retry-after"]) <= waits[-1]
        desk.redis("DEL", desk.tries(user))     # time passes
    assert waits == [900, 1800, 3600]
    assert desk.redis("TTL", desk.tries(user) + ":level") > 3600


def test_many_guesses_at_once_gain_nothing(desk):
    user = pupil()
    answers = at_once(30, lambda _: desk.wrong(user)[0])
    assert answers.count(400) == TRIES
    assert answers.count(429) == 20
    desk.redis("DEL", desk.tries(school="S1"))


def test_right_codes_are_no_tries(desk):
    user = pupil()
    for i in range(TRIES + 2):
        desk.redis("HSET", names.product_hash(f"right-{i}"), "url",
                   "https://publisher.example/")
        assert desk.redeem(desk.one(f"right-{i}"), user).status == 200
    assert desk.redis("GET", desk.tries(user)) == "0"


def test_a_right_code_does_not_wipe_out_wrong_ones(desk):
    user = pupil()
    assert desk.wrong(user, n=TRIES - 1) == [400] * (TRIES - 1)
    assert desk.redeem(desk.one(), user).status == 200
    assert desk.redis("GET", desk.tries(user)) == str(TRIES - 1)
    assert desk.wrong(user, n=2) == [400, 429]


def test_guessing_is_slowed_down_per_school(desk):
    desk.redis("SET", desk.tries(school="S2"), "98", "EX", "900")
    assert desk.wrong(pupil(), "S2", 2) == [400, 400]
    user, code = pupil(), desk.one()
    answer = desk.redeem(code, user, "S2")
    assert answer.status == 429 and answer.headers["retry-after"] == "900"
    # what others did is not this person's
    assert desk.redis("GET", desk.tries(user)) == "0"
    # nor another school's, nor of people without a school
    assert desk.redeem(code, user, "S1").status == 200
    assert desk.redeem(desk.one(), pupil(), "").status == 200
    desk.redis("DEL", desk.tries(school="S2"))


def test_who_has_no_tries_left_takes_none_from_the_school(desk):
    desk.redis("DEL", desk.tries(school="S1"))
    user = pupil()
    desk.wrong(user, n=TRIES + 20)
    assert desk.redis("GET", desk.tries(school="S1")) == str(TRIES)


# --- codes of entitlements ---------------------------------------------------

def entitlement(code, kind="school-activationcode", **changes):
    found = {"entitlementId": str(uuid.uuid4()), "productId": "book",
             "startDate": "2026-08-01", "activationUntilDate": "2026-12-31",
             "expirationDate": "2027-09-15", "entitlementType": kind,
             "entitlementStatus": "created", "activationCode": code}
    if kind.startswith("school"):
        found["school"] = {"organisationMasterIdentifier": "S1"}
    return {**found, **changes}


def provide(desk, message, **changes):
    return desk.put("/v1/entitlements", {
        "entitlementReferenceId": str(uuid.uuid4()),
        "entitlement": {**message, **changes}}, scope="entitlement.licensor")


def packed(message):
    return names.base64url(uuid.UUID(message["entitlementId"]).bytes)


def test_a_code_of_an_entitlement_activates_it(desk):
    user, code = pupil(), f"SELLER-{uuid.uuid4().hex[:8].upper()}"
    sold = entitlement(code)
    assert provide(desk, sold).status == 202
    assert desk.redeem(code, pupil(), "S2").status == 400    # another school's
    answer = desk.redeem(code, user)
    assert answer.status == 200, answer
    assert json.loads(answer.body)["expirationDate"] == "2027-09-15"
    licence = desk.hash(code)["licence"]
    assert licence != packed(sold)
    assert desk.record(licence)["open"] == packed(sold)
    assert desk.record(packed(sold))["status"] == "licensed"
    # the seller hears of the entitlement that it knows
    [entry] = desk.journal(kind="activation", entitlement=packed(sold))
    assert desk.open("code", entry["code"]) == code.replace("-", "")
    assert desk.redeem(code, pupil()).status == 400
    # a licence can't be cancelled, but blocked and unblocked
    answer = provide(desk, sold, entitlementStatus="cancelled",
                     endDate="2026-11-01")
    assert (answer.status, json.loads(answer.body)["status"]) == (400, 42)
    assert provide(desk, sold, entitlementStatus="blocked",
                   endDate="2026-11-01").status == 202
    assert desk.right(user).startswith("B ")
    assert provide(desk, sold, entitlementStatus="licensed").status == 202
    assert desk.right(user) == f"L {DAY} 20270915 {licence}"


def test_a_double_click_on_a_sellers_code_is_one_licence(desk):
    for _ in range(10):
        user, code = pupil(), f"SELLER-{uuid.uuid4().hex[:8].upper()}"
        sold = entitlement(code)
        assert provide(desk, sold).status == 202
        answers = at_once(8, lambda _: desk.redeem(code, user))
        assert {a.status for a in answers} == {200}, answers
        assert len(desk.journal(kind="activation",
                                entitlement=packed(sold))) == 1


def test_an_entitlement_gives_one_licence_whatever_its_codes(desk):
    first, second = (f"SELLER-{uuid.uuid4().hex[:8].upper()}" for _ in "12")
    sold = entitlement(first)
    assert provide(desk, sold).status == 202
    provide(desk, sold, activationCode=second)
    user = pupil()
    assert desk.redeem(first, user).status == 200
    other = pupil()
    assert desk.redeem(second, other).status == 400
    assert desk.right(other) is None
    assert len(desk.journal(kind="activation", entitlement=packed(sold))) == 1


def test_a_private_customers_code_stays_with_the_person(desk):
    user, code = pupil(), f"PRIVATE-{uuid.uuid4().hex[:8].upper()}"
    sold = entitlement(code, "customer-activationcode")
    assert provide(desk, sold).status == 202
    assert desk.redeem(code, user, "S1").status == 200
    assert desk.right(user, school="S1") is None
    assert desk.right(user, school="").startswith("L ")
    assert "school" not in desk.record(desk.hash(code)["licence"])


@pytest.mark.parametrize("changes,status", [
    ({"entitlementStatus": "cancelled", "endDate": "2026-10-01"}, 52),
    ({"entitlementStatus": "blocked", "endDate": "2026-10-01"}, 99)])
def test_a_code_of_an_entitlement_that_is_withdrawn(desk, changes, status):
    code = f"GONE-{uuid.uuid4().hex[:8].upper()}"
    sold = entitlement(code)
    assert provide(desk, sold).status == 202
    assert provide(desk, sold, **changes).status == 202
    user = pupil()
    answer = desk.redeem(code, user)
    assert (answer.status, json.loads(answer.body)["status"]) == (400, status)
    assert desk.right(user) is None


@pytest.mark.parametrize("days", [
    {"startDate": "2026-10-02"}, {"activationUntilDate": "2026-09-30"}])
def test_a_code_counts_in_its_period_alone(desk, days):
    code = f"TIME-{uuid.uuid4().hex[:8].upper()}"
    assert provide(desk, entitlement(code, **days)).status == 202
    user = pupil()
    answer = desk.redeem(code, user)
    assert (answer.status, json.loads(answer.body)["status"]) == (400, 99)
    assert desk.hash(code)["state"] == "new"
    assert desk.redis("GET", desk.tries(user)) == "0"


# --- bad days ----------------------------------------------------------------

def test_a_worker_killed_while_redeeming_leaves_all_or_nothing(tmp_path,
                                                               redis):
    desk = Desk(tmp_path, redis, n=1)
    with desk.workers:
        for i in range(6):
            code, user = desk.one(), pupil()
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                first = pool.submit(desk.redeem, code, user)
                desk.workers.kill()
                try:
                    first.result(30)
                except (AssertionError, OSError):
                    pass
            state = desk.hash(code)
            assert (state["state"] == "used") == (
                desk.right(user) is not None), i
            assert desk.redeem(code, user).status == 200
            licence = desk.hash(code)["licence"]
            assert len(desk.journal(kind="activation",
                                    entitlement=licence)) == 1


def test_without_redis_nothing_is_promised(tmp_path, redis):
    desk = Desk(tmp_path, redis, n=1)
    with desk.workers:
        code, user = desk.one(), pupil()
        redis.kill()
        for answer in (desk.redeem(code, user), desk.order("down"),
                       desk.revoke(code)):
            assert answer.status == 503
            assert int(answer.headers["retry-after"]) > 0
        redis.restart()
        assert eventually("it is redeemed", lambda: desk.redeem(
            code, user).status == 200, 20)
        # the tries of those minutes do not lock anybody out
        assert int(redis("GET", desk.tries(user))) < TRIES


# --- over HTTP, from order to licence ----------------------------------------

@pytest.fixture(scope="module")
def town():
    with Town() as town:
        town.school("S1")
        town.product("8717927130834")
        yield town


def redeem(town, person, code, token=None, **headers):
    return town.send("POST", "/activate/code", {"activationCode": code}, {
        "Content-Type": "application/json",
        "Authorization": f"Bearer {token or person.token()}", **headers})


def test_from_order_to_licence_over_http(town):
    order = {"requestReferenceId": str(uuid.uuid4()), "quantity": 2,
             "productId": "8717927130834"}
    status, answer = town.seller("PUT", "/v1/activationcodes", order)
    assert (status, answer["status"]) == (202, 2), answer
    told = eventually("the codes arrive", lambda: [
        m.json for m in town.party.of("/activationcodes/confirmations")
        if m.json["requestReferenceId"] == order["requestReferenceId"]],
        20)[0]
    code, other = told["activationCodes"]
    person = town.edge.person()
    assert person.click("/go/8717927130834").outcome == "no-right"

    status, answer, _ = redeem(town, person, code)
    assert status == 200, answer
    assert answer["url"] == "/go/8717927130834"
    assert person.click(answer["url"]).outcome == "redirect"
    heard = eventually("the seller hears", lambda: [
        m.json for m in town.party.of("/usage/activation")
        if m.json.get("activationCode") == code], 20)[0]
    assert heard["user"] == {"userMasterIdentifier": person.ids["eckid"][1]}
    assert heard["entitlementType"] == "school-activationcode"
    assert heard["expirationDate"] == answer["expirationDate"]

    # only once, and only what was not revoked
    status, answer, _ = redeem(town, town.edge.person(), code)
    assert (status, answer["status"]) == (400, 51)
    status, answer = town.seller("PUT", "/v1/activationcodes/revoke", {
        "requestReferenceId": "r", "activationCode": other})
    assert status == 202, answer
    eventually("the revocation is confirmed", lambda: town.party.of(
        "/activationcodes/revoke/confirmations"), 20)
    assert redeem(town, town.edge.person(), other)[1]["status"] == 52


def test_whoever_has_not_signed_in_redeems_nothing(town):
    person = town.edge.person()
    for token in ("", "rubbish", person.token(aud="another")):
        status, _, _ = redeem(town, person, "A" * 25, token or "x")
        assert status == 401
    # an API's token is nobody's
    status, _, _ = redeem(town, person, "A" * 25, town.seller.token())
    assert status == 401
    # what a client says of itself counts for nothing
    status, answer, _ = redeem(town, person, "A" * 25, LEERPOORT_USERS="x")
    assert (status, answer["status"]) == (400, 50)


def test_no_code_stays_anywhere(town):
    """Not in Redis, not in a log, not in a command line."""
    ref, person = str(uuid.uuid4()), town.edge.person()
    assert town.seller("PUT", "/v1/activationcodes", {
        "requestReferenceId": ref, "quantity": 2,
        "productId": "8717927130834"})[0] == 202
    told = eventually("the codes arrive", lambda: [
        m.json for m in town.party.of("/activationcodes/confirmations")
        if m.json["requestReferenceId"] == ref], 20)[0]
    codes = [*told["activationCodes"], "WRONG-CANARY-CODE-12345"]
    assert redeem(town, person, codes[0])[0] == 200
    redeem(town, person, codes[2])
    redeem(town, person, codes[1], "bad")
    eventually("the seller hears", lambda: [
        m for m in town.party.of("/usage/activation")
        if m.json.get("activationCode") == codes[0]], 20)
    places = {str(path): path.read_bytes() for path in [
        *town.folder.rglob("*.log"), *town.folder.rglob("*.aof"),
        *town.edge.folder.rglob("*.log"), *town.edge.folder.rglob("output")]
        if path.is_file()}
    assert any(name.endswith(".aof") for name in places)
    for pid in town.workers.pids():
        places[f"cmdline {pid}"] = pathlib.Path(
            f"/proc/{pid}/cmdline").read_bytes()
    for code in codes:
        for form in (code, code.replace("-", ""), code.lower()):
            for place, text in places.items():
                assert form.encode() not in text, place
