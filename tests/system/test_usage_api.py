"""GET /v1/usage/entitlements/{id}, GET /v1/usage/school, POST
/v1/usage/school/user: Edu-V Usage 1.0, and who may see what."""

import json
import uuid

import pytest

from lib import names
from lib.desk import OIN, RIVAL, Desk, fresh
from lib.redis import Redis

SCHOOL = "S1"
ONE, ALL, USER = ("/v1/usage/entitlements/", "/v1/usage/school",
                  "/v1/usage/school/user")
ECK = "https://ketenid.nl/000000/" + "5f" * 64


@pytest.fixture
def school(desk):
    """A known school that nobody else has."""
    name = fresh("school")
    desk.redis("HSET", f"school:{{{names.shard(name)}}}:{name}", "name", name)
    return name


def uuid_of(name):
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


def consent(desk, school, field="consent:usage.dashboard"):
    desk.redis("HSET", f"school:{{{names.shard(school)}}}:{school}", field,
               "1")


def store(desk, name, school, home=None, **fields):
    """An entitlement as an intake would have stored it; its uuid."""
    shard = names.shard(school or home)
    id_ = names.entitlement(name)
    given = {"party": OIN, "product": "book", "type": "school-student",
             "status": "entitled", "order": "order-1", "from": "20260801",
             "until": "20270731", **({"school": school} if school else {}),
             **fields}
    desk.redis.pipeline([
        ("HSET", f"x:{{{names.shard(id_[:3])}}}:{id_[:3]}", id_[3:], shard),
        ("HSET", f"e:{{{shard}}}:{id_}", *sum(given.items(), ())),
        ("RPUSH", f"i:{{{shard}}}:{school or '/' + home}", id_)])
    return uuid_of(name)


def give(desk, name, school, user, product="book", state="L"):
    desk.redis("HSET", names.user_hash(school, user), product,
               names.right(state, name=name))


def ask(desk, target, body=None, client="seller", scope="usage.seller"):
    method = "GET" if body is None else "POST"
    if isinstance(body, dict):
        body = json.dumps(body).encode()
    answer = desk.workers.ask(target, method, body, LEERPOORT_CLIENT=client,
                              LEERPOORT_SCOPE=scope)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"].startswith("application/json")
    return answer.status, json.loads(answer.body)


def refused(desk, target, http, code, body=None, **who):
    status, said = ask(desk, target, body, **who)
    assert (status, said["status"]) == (http, code), said
    return said["statusMessage"]


# --- one entitlement ---------------------------------------------------------

def test_an_entitlement_tells_how_it_is_used(desk, school):
    name = fresh("one")
    id_ = store(desk, name, school, status="licensed", licensed="20260901",
                expires="20270731", first="20260902", last="20260930",
                count=17)
    for scope in ("usage.seller", "x usage.entitlor y"):
        assert ask(desk, ONE + id_, scope=scope) == (200, {
            "entitlementId": id_, "productId": "book",
            "entitlementType": "school-student",
            "entitlementStatus": "licensed",
            "school": {"organisationMasterIdentifier": school},
            "usage": {"firstUsed": "2026-09-02", "lastUsed": "2026-09-30",
                      "frequencyOfUsage": 17},
            "license": {"status": "activated",
                        "expirationDate": "2027-07-31"}})


def test_what_has_not_happened_is_left_out(desk):
    name, home = fresh("private"), names.user_key(b"x", "ECK", "p")
    id_ = store(desk, name, None, home, type="customer-student")
    assert ask(desk, ONE + id_) == (200, {
        "entitlementId": id_, "productId": "book",
        "entitlementType": "customer-student",
        "entitlementStatus": "entitled"})


def test_a_blocked_licence_is_blocked(desk, school):
    id_ = store(desk, fresh("blocked"), school, status="blocked",
                licensed="20260901", expires="20270731")
    answer = ask(desk, ONE + id_)[1]
    assert answer["entitlementStatus"] == "blocked"
    assert answer["license"]["status"] == "blocked"


def test_another_partys_is_as_unknown_as_none(desk, school):
    id_ = store(desk, fresh("own"), school)
    own = store(desk, fresh("operators"), school, party="")
    said = [refused(desk, ONE + id_, 404, 40, client="rival"),
            refused(desk, ONE + own, 404, 40, client="rival"),
            refused(desk, ONE + uuid_of("none"), 404, 40)]
    assert len(set(said)) == 1


@pytest.mark.parametrize("id_", [
    "x", "24e39454-5360-4ba4-819f-03e59b8dd67", "JOOUVFNgS6SBnwPlm43WeQ",
    "24e39454-5360-4ba4-819f-03e59b8dd67g", "x" * 500])
def test_what_is_no_uuid_is_refused(desk, id_):
    assert refused(desk, ONE + id_, 400, 11).startswith("id: ")


def test_a_dashboard_needs_the_consent_of_the_school(desk, school):
    id_ = store(desk, fresh("watched"), school)
    who = {"client": "watcher", "scope": "usage.dashboard"}
    refused(desk, ONE + id_, 403, 22, **who)
    refused(desk, f"{ALL}?orgMasterId={school}", 403, 22, **who)
    body = {"school": {"organisationMasterIdentifier": school},
            "user": {"userMasterIdentifier": ECK}}
    refused(desk, USER, 403, 22, body, **who)
    consent(desk, school, "consent:usage.portal")
    refused(desk, ONE + id_, 403, 22, **who)
    consent(desk, school)
    assert ask(desk, ONE + id_, **who)[0] == 200
    assert ask(desk, f"{ALL}?orgMasterId={school}", **who)[0] == 200
    assert ask(desk, USER, body, **who) == (200, [])


@pytest.mark.parametrize("who", [
    {"scope": "entitlement.licensor"}, {"scope": "usage.sellers"},
    {"client": "stranger"}, {"client": ""}])
def test_a_token_without_the_scope_or_of_nobody_sees_nothing(desk, school,
                                                             who):
    id_ = store(desk, fresh("closed"), school)
    body = {"school": {"organisationMasterIdentifier": school},
            "user": {"userMasterIdentifier": ECK}}
    for target, sent in ((ONE + id_, None), (USER, body),
                         (f"{ALL}?orgMasterId={school}", None)):
        status, said = ask(desk, target, sent, **who)
        assert status == (401 if who.get("client") == "" else 403)
        assert said["status"] == 21


# --- a school ----------------------------------------------------------------

def test_a_school_is_told_by_delivery_order(desk, school):
    def put(what, **fields):
        return store(desk, fresh(what), school, **fields)

    a = [put("e"), put("l", status="licensed", licensed="20260901",
                       expires="20270731"),
         put("c", status="cancelled"), put("b", status="blocked"),
         put("late", until="20260930"),
         put("over", status="licensed", licensed="20260801",
             expires="20260930"),
         put("today", until="20261001")]
    b = [put("other", order="order-2")]
    none = [put("none", order="")]
    put("rivals", party=RIVAL)
    status, orders = ask(desk, f"{ALL}?orgMasterId={school}")
    assert status == 200
    assert [(order["deliveryOrderId"],
             [e["entitlementId"] for e in order["entitlements"]])
            for order in orders] == [("order-1", a), ("order-2", b),
                                     ("", none)]
    orders[0].pop("entitlements")
    assert orders[0] == {
        "deliveryOrderId": "order-1", "totalEntitled": 2, "totalLicensed": 1,
        "totalCancelled": 1, "totalBlocked": 1, "totalExpired": 2}
    status, orders = ask(desk, f"{ALL}?orgMasterId={school}", client="rival")
    assert [len(order["entitlements"]) for order in orders] == [1]


def test_a_dashboard_sees_all_of_a_school_and_nothing_of_another(desk,
                                                                 school):
    store(desk, fresh("mine"), school)
    store(desk, fresh("rivals"), school, party=RIVAL)
    store(desk, fresh("operators"), school, party="")
    consent(desk, school)
    [order] = ask(desk, f"{ALL}?orgMasterId={school}", client="watcher",
                  scope="usage.dashboard")[1]
    assert len(order["entitlements"]) == 3
    [order] = ask(desk, f"{ALL}?orgMasterId={school}",
                  scope="usage.seller")[1]
    assert len(order["entitlements"]) == 1


def test_licences_of_an_open_right_are_counted_under_it(desk, school):
    name = fresh("open")
    open_right = store(desk, name, school, type="school-open", count=5,
                       first="20260901", last="20260902")
    for _ in range(3):
        store(desk, fresh("of-open"), school, status="licensed",
              licensed="20260901", expires="20270731",
              open=names.entitlement(name))
    [order] = ask(desk, f"{ALL}?orgMasterId={school}")[1]
    assert [e["entitlementId"] for e in order["entitlements"]] == [open_right]
    assert order["entitlements"][0]["entitlementType"] == "school-student"
    assert order["entitlements"][0]["usage"]["frequencyOfUsage"] == 5
    assert (order["totalEntitled"], order["totalLicensed"]) == (1, 3)


def test_delivery_orders_come_in_pages(desk, school):
    for i in range(7):
        store(desk, fresh("paged"), school, order=f"o{i % 5}")
    found = []
    for start in range(0, 8, 2):
        status, orders = ask(
            desk, f"{ALL}?orgMasterId={school}&start={start}&limit=2")
        assert status == 200
        found.append([order["deliveryOrderId"] for order in orders])
    assert found == [["o0", "o1"], ["o2", "o3"], ["o4"], []]
    assert len(ask(desk, f"{ALL}?orgMasterId={school}&start=1")[1]) == 4


def test_a_large_school_is_streamed(desk, school):
    shard = names.shard(school)
    commands, n = [], 5000
    for i in range(n):
        id_ = names.entitlement(f"{school}-{i}")
        commands.append(("HSET", f"e:{{{shard}}}:{id_}", "party", OIN,
                         "product", "book", "type", "school-student",
                         "status", "entitled", "school", school,
                         "order", f"order-{i % 3}", "from", "20260801",
                         "until", "20270731"))
        commands.append(("RPUSH", f"i:{{{shard}}}:{school}", id_))
    desk.redis.pipeline(commands)
    # erased since, and damaged: they are left out
    desk.redis("DEL", commands[0][1])
    desk.redis("HSET", commands[2][1], "until", "x")
    status, orders = ask(desk, f"{ALL}?orgMasterId={school}")
    assert status == 200
    told = [e["entitlementId"] for o in orders for e in o["entitlements"]]
    assert len(set(told)) == len(told) == n - 2
    assert sum(o["totalEntitled"] for o in orders) == n - 2


def test_a_school_goes_by_any_of_its_ids(desk, school):
    store(desk, fresh("aliased"), school)
    alias = fresh("11ZZ")
    desk.redis("SET", names.alias_key("OIE_CODE", alias), school)
    by_alias = ask(desk, f"{ALL}?orgId={alias}&orgIdType=OIE_CODE")
    assert by_alias == ask(desk, f"{ALL}?orgMasterId={school}")
    assert by_alias[0] == 200 and len(by_alias[1]) == 1


@pytest.mark.parametrize("query, http, code, field", [
    ("", 400, 11, "orgMasterId: "),
    ("?orgMasterId=", 400, 11, "orgMasterId: "),
    ("?orgMasterId=a%7Db", 400, 11, "orgMasterId: "),
    ("?orgMasterId=" + "x" * 65, 400, 11, "orgMasterId: "),
    ("?orgId=1", 400, 11, "orgIdType: "),
    ("?orgIdType=OIE_CODE", 400, 11, "orgId: "),
    ("?orgMasterId=%zz", 400, 11, "orgMasterId: "),
    ("?orgMasterId=" + "x" * 600, 400, 11, "orgMasterId: "),
    ("?orgMasterId=S1&start=%zz", 400, 11, "start: "),
    ("?orgId=1&orgIdType=BRIN", 400, 11, "orgIdType: "),
    ("?orgId=%0a&orgIdType=OIE_CODE", 400, 11, "orgId: "),
    ("?orgMasterId=nobody", 404, 9, "this school"),
    ("?orgId=nobody&orgIdType=OIE_CODE", 404, 9, "this school"),
    ("?orgMasterId=S1&start=-1", 400, 11, "start: "),
    ("?orgMasterId=S1&start=x", 400, 11, "start: "),
    ("?orgMasterId=S1&limit=0", 400, 11, "limit: "),
    ("?orgMasterId=S1&limit=1001", 400, 11, "limit: "),
    ("?orgMasterId=S1&limit=99999999999999999999", 400, 11, "limit: ")])
def test_a_question_about_no_school_is_refused(desk, query, http, code,
                                               field):
    assert refused(desk, ALL + query, http, code).startswith(field)


# --- a user ------------------------------------------------------------------

def user_key(desk, id_, type_="ECK"):
    return names.user_key(desk.workers.pepper.read_bytes(), type_, id_)


def by_ids(school, *ids):
    return {"school": {"organisationMasterIdentifier": school},
            "user": {"userIds": [{"userId": i, "userIdType": "NEPPI"}
                                 for i in ids]}}


def test_a_user_is_found_by_eck_id_with_all_in_a_chain(desk, school):
    eck = ECK + fresh("x")
    user, first, second = user_key(desk, eck), fresh("first"), fresh("second")
    ids = [store(desk, first, school, status="licensed", licensed="20260901",
                 expires="20270731", next=names.entitlement(second)),
           store(desk, second, school)]
    rivals = fresh("rivals")
    store(desk, rivals, school, party=RIVAL, product="atlas")
    give(desk, first, school, user)
    give(desk, rivals, school, user, "atlas")
    private = fresh("private")
    ids.append(store(desk, private, None, user, type="customer-student"))
    give(desk, private, "", user, "globe")
    body = {"school": {"organisationMasterIdentifier": school},
            "user": {"userMasterIdentifier": eck}}
    status, found = ask(desk, USER, body)
    assert status == 200
    assert sorted(e["entitlementId"] for e in found) == sorted(ids)
    assert "user" not in found[0]

    status, found = ask(desk, USER, {"user": body["user"]})
    assert [e["entitlementId"] for e in found] == ids[2:]

    consent(desk, school)
    status, found = ask(desk, USER, body, client="watcher",
                        scope="usage.dashboard")
    assert sorted(e["entitlementId"] for e in found) == sorted(
        ids[:2] + [uuid_of(rivals)])


def test_a_user_of_several_ids_is_told_once(desk, school):
    name = fresh("teacher")
    ids = [fresh("a@x"), fresh("b@x"), fresh("c@x")]
    id_ = store(desk, name, school, type="school-employee")
    for one in ids[:2]:
        give(desk, name, school, user_key(desk, one, "NEPPI"))
    status, found = ask(desk, USER, by_ids(school, *ids))
    assert status == 200
    assert [e["entitlementId"] for e in found] == [id_]


def test_a_licence_of_an_open_right_goes_by_the_open_rights_id(desk, school):
    eck, right, licence = ECK + fresh("x"), fresh("open"), fresh("licence")
    store(desk, right, school, type="school-open")
    store(desk, licence, school, status="licensed", licensed="20260901",
          expires="20270731", open=names.entitlement(right), count=2,
          first="20260901", last="20260901")
    give(desk, licence, school, user_key(desk, eck))
    [found] = ask(desk, USER, {
        "school": {"organisationMasterIdentifier": school},
        "user": {"userMasterIdentifier": eck}})[1]
    assert found["entitlementId"] == uuid_of(right)
    assert found["usage"]["frequencyOfUsage"] == 2


def test_a_user_whom_nobody_knows_has_nothing(desk, school):
    assert ask(desk, USER, by_ids(school, fresh("nobody"))) == (200, [])


GOOD_USER = {"userMasterIdentifier": ECK}


@pytest.mark.parametrize("body, http, code, field", [
    ({}, 400, 11, "user: "), ({"user": []}, 400, 11, "user: "),
    ({"user": {}}, 400, 11, "user.userMasterIdentifier: "),
    ({"user": {"userMasterIdentifier": "x" * 600}}, 400, 11,
     "user.userMasterIdentifier: "),
    ({"user": {"userMasterIdentifier": "a\nb"}}, 400, 11,
     "user.userMasterIdentifier: "),
    ({"user": {"userIds": []}}, 400, 11, "user.userMasterIdentifier: "),
    ({"user": {"userIds": [{"userId": "1", "userIdType": "NEPPI"}] * 4}},
     400, 11, "user.userMasterIdentifier: "),
    ({"user": {"userIds": [{"userId": "1"}]}}, 400, 11,
     "user.userIds.userIdType: "),
    ({"user": {"userIds": [{"userId": "1", "userIdType": "ECK"}]}}, 400, 11,
     "user.userIds.userIdType: "),
    ({"user": {"userIds": [{"userId": "", "userIdType": "ASI"}]}}, 400, 11,
     "user.userIds.userId: "),
    ({"user": {"userIds": ["x"]}}, 400, 11, "user.userIds.userIdType: "),
    ({"user": GOOD_USER, "school": 1}, 400, 11, "school: "),
    ({"user": GOOD_USER, "school": {}}, 400, 11,
     "school.organisationMasterIdentifier: "),
    ({"user": GOOD_USER, "school": {"organisationIds": [
        {"organisationId": "1", "organisationIdType": "BRIN"}]}}, 400, 11,
     "school.organisationIds: "),
    ({"user": GOOD_USER, "school": {"organisationMasterIdentifier": "a b"}},
     400, 11, "school.organisationMasterIdentifier: "),
    ({"user": GOOD_USER, "school": {"organisationMasterIdentifier": "no"}},
     404, 9, "this school"),
    (b"{", 400, 11, "body: "), (b"[]", 400, 11, "body: "),
    (b'{"user": ' + b"[" * 50 + b"]" * 50 + b"}", 400, 11, "body: ")])
def test_a_body_that_names_nobody_is_refused(desk, body, http, code, field):
    said = refused(desk, USER, http, code, body)
    assert said.startswith(field)
    assert "ketenid" not in said and "xxxx" not in said


# --- Redis fails -------------------------------------------------------------

def test_without_redis_every_route_says_503(tmp_path):
    redis = Redis(tmp_path)
    try:
        redis.start()
        desk = Desk(tmp_path, redis, n=1)
        with desk.workers:
            store(desk, "one", SCHOOL)
            assert ask(desk, f"{ALL}?orgMasterId={SCHOOL}")[0] == 200
            redis.kill()
            for target, body in (
                    (ONE + uuid_of("one"), None),
                    (f"{ALL}?orgMasterId={SCHOOL}", None),
                    (USER, by_ids(SCHOOL, "x"))):
                answer = desk.workers.ask(
                    target, "GET" if body is None else "POST",
                    body and json.dumps(body).encode(),
                    LEERPOORT_CLIENT="seller", LEERPOORT_SCOPE="usage.seller")
                assert answer.status == 503
                assert answer.headers["retry-after"]
    finally:
        redis.destroy()
