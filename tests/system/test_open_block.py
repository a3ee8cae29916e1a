"""A block of a whole school's right reaches the licences that were taken from
it, all of them and no others, wherever a worker dies on the way."""

import concurrent.futures
import os
import signal
import uuid

import pytest

from lib import names
from lib.desk import DAY, OIN, UNTIL, Desk, fresh, pairs, pupil
from lib.gate import Gate
from lib.process import eventually
from lib.redis import Redis
from lib.workers import RESPAWN

ENDED = {"endDate": "2026-10-01"}
MANY = 300  # more than are looked at together


class Behind:
    """A Redis that workers see through a gate, and tests do not."""

    def __init__(self, redis, gate):
        self.redis, self.address = redis, gate.address

    def __call__(self, *words):
        return self.redis(*words)


class School:
    """A school of its own with an open right, and who holds what."""

    def __init__(self, desk, product="book"):
        self.desk, self.product, self.name = desk, product, fresh("open")
        self.shard = names.shard(self.name)
        desk.redis("HSET", f"school:{{{self.shard}}}:{self.name}", "name", "-")
        self.id = str(uuid.uuid4())
        self.packed = names.base64url(uuid.UUID(self.id).bytes)

    def send(self, status="created", ref=None, **changes):
        return self.desk.put("/v1/entitlements", {
            "entitlementReferenceId": ref or fresh("ref"), "entitlement": {
                "entitlementId": self.id, "productId": self.product,
                "deliveryOrderId": "o", "startDate": "2026-08-01",
                "activationUntilDate": "2027-07-31",
                "entitlementType": "school-open", "entitlementStatus": status,
                "school": {"organisationMasterIdentifier": self.name},
                **changes}}, scope="entitlement.licensor").status

    def click(self, user):
        answer = self.desk.workers.ask(
            "/go/book", LEERPOORT_ROUTE="activate", LEERPOORT_USERS=user,
            LEERPOORT_SCHOOL=self.name, LEERPOORT_PRODUCT=self.product,
            LEERPOORT_PERSON="")
        return answer.headers.get("leerpoort-outcome", "redirect")

    def license(self, n):
        """n pupils with a licence each, as their clicks would leave them."""
        users = [pupil() for _ in range(n)]
        for user in users:
            licence = names.entitlement(f"{self.id} {user}")
            self.desk.redis(
                "HSET", self.key(licence), "party", OIN, "product",
                self.product, "type", "school-student", "status", "licensed",
                "school", self.name, "user", user, "licensed", DAY, "expires",
                UNTIL, "open", self.packed)
            self.desk.redis("RPUSH", self.list, licence)
            self.desk.redis("HSET", names.user_hash(self.name, user),
                            self.product, f"L {DAY} {UNTIL} {licence}")
        self.desk.redis("HINCRBY", self.key(self.packed), "used", n)
        return users

    @property
    def list(self):
        return f"i:{{{self.shard}}}:{self.name}"

    def key(self, entitlement):
        return f"e:{{{self.shard}}}:{entitlement}"

    def states(self, users, field="book"):
        return {(self.desk.redis("HGET", names.user_hash(self.name, user),
                                 field) or " ")[0] for user in users}

    def statuses(self):
        """Of the licences."""
        found = [pairs(self.desk.redis("HGETALL", self.key(licence)))
                 for licence in self.desk.redis("LRANGE", self.list, 0, -1)]
        return {record["status"] for record in found
                if record.get("open") == self.packed}

    def confirmed(self):
        return [entry["status"] for entry in self.desk.journal(
            kind="confirmation", entitlement=self.packed)]


def test_a_block_reaches_every_licence_and_is_lifted_again(desk):
    school = School(desk)
    assert school.send() == 202
    clicked = [pupil() for _ in range(3)]
    assert {school.click(user) for user in clicked} == {"redirect"}
    users = clicked + school.license(MANY)
    for _ in range(2):
        assert school.send("blocked", **ENDED) == 202
        assert school.states(users) == {"B"}
        assert school.statuses() == {"blocked"}
        assert {school.click(user) for user in [*users[:5], pupil()]} == {
            "blocked"}
        assert school.send("licensed") == 202
        assert school.states(users) == {"L"}
        assert school.statuses() == {"licensed"}
    assert school.click(clicked[0]) == "redirect"
    assert school.click(pupil()) == "redirect"
    assert school.confirmed() == ["entitled"] + ["blocked", "entitled"] * 2


def test_what_was_not_taken_from_it_stays(desk):
    school = School(desk)
    assert school.send() == 202
    other = School(desk, "atlas")
    other.name, other.shard = school.name, school.shard
    assert other.send() == 202
    both, [own] = pupil(), school.license(1)
    assert school.click(both) == other.click(both) == "redirect"
    # a licence that somebody bought
    desk.redis("HDEL", school.key(desk.redis("LINDEX", school.list, 2)),
               "open")
    # and keys of the list that are no records
    desk.redis("RPUSH", school.list, names.entitlement("nothing"), "nonsense",
               names.entitlement(school.id))
    desk.redis("SET", school.key(names.entitlement(school.id)), "no hash")
    assert school.send("blocked", **ENDED) == 202
    assert school.states([both]) == {"B"}
    assert school.states([own]) == {"L"}
    assert school.states([both], "atlas") == {"L"}
    assert other.click(pupil()) == "redirect"


def test_what_was_behind_a_licence_stays_behind(desk):
    school = School(desk)
    assert school.send() == 202
    user = pupil()
    later = f"E 20270801 20280731 {names.entitlement(fresh('later'))}"
    desk.redis("HSET", school.key(later[-22:]), "product", "book", "type",
               "school-student", "status", "entitled", "user", user, "from",
               "20270801", "until", "20280731", "school", school.name)
    desk.redis("HSET", names.user_hash(school.name, user), "book", later)
    assert school.click(user) == "redirect"
    for status, state in (("blocked", "B"), ("created", "L")):
        assert school.send(status, **ENDED) == 202
        assert school.states([user]) == {state}
        assert desk.redis("HGET", names.user_hash(school.name, user),
                          "book+") == later


def test_clicks_that_meet_the_block_get_no_licence_past_it(desk):
    """Whoever was quicker than the block is blocked with the others."""
    school = School(desk)
    assert school.send() == 202
    school.license(5)
    users = [pupil() for _ in range(60)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        clicks = [pool.submit(school.click, user) for user in users]
        eventually("some are through", lambda: any(
            click.done() for click in clicks), 20, 0.001)
        assert school.send("blocked", **ENDED) == 202
        outcomes = {click.result(30) for click in clicks}
    assert outcomes <= {"redirect", "blocked"} and "redirect" in outcomes
    assert school.statuses() == {"blocked"}
    assert school.states(users) <= {"B", " "}


@pytest.mark.once
def test_a_worker_that_dies_midway_leaves_the_rest_to_the_repeat(tmp_path):
    """After each question and each answer in turn, until one finishes."""
    redis = Redis(tmp_path)
    gate = None
    try:
        redis.start()
        gate = Gate(tmp_path, redis.path)
        desk = Desk(tmp_path, Behind(redis, gate), n=1)
        desk.workers.allow += ["died", RESPAWN, "signal 9", "Redis"]
        with desk.workers, concurrent.futures.ThreadPoolExecutor(1) as asker:
            for steps in range(0, 200, 2):
                school = School(desk)
                assert school.send() == 202
                users = school.license(3)
                gate.close_after(steps)
                asked = asker.submit(school.send, "blocked", "block", **ENDED)
                try:
                    if gate.let_through(asked):
                        break
                    os.kill(desk.workers.pids()[0], signal.SIGKILL)
                    with pytest.raises((OSError, AssertionError)):
                        asked.result(20)
                finally:
                    gate.open()
                assert school.confirmed() in (["entitled"],
                                              ["entitled", "blocked"])
                eventually("the repeat is done", lambda: repeated(school), 30)
                assert school.states(users) == {"B"}
                assert school.statuses() == {"blocked"}
                assert school.click(pupil()) == "blocked"
            assert asked.result(20) == 202
            assert 20 <= steps < 200
    finally:
        if gate is not None:
            gate.stop()
        redis.destroy()


def repeated(school):
    try:
        return school.send("blocked", "block", **ENDED) == 202
    except (OSError, AssertionError):
        return False
