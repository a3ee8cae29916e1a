"""The turn of the year: last year's licence has ended, nobody sends anything,
and the first click on what follows it leads to the book."""

import contextlib
import datetime
import os
import signal
import uuid

import pytest

from lib import names
from lib.desk import pairs
from lib.process import eventually
from lib.town import Town

BOOK = "8717927130834"
# wide margins: it may become tomorrow while the tests run
TODAY = datetime.datetime.now(datetime.timezone.utc).date()


def day(offset):
    """The date so many days from today: 2026-09-01."""
    return (TODAY + datetime.timedelta(offset)).isoformat()


def short(offset):
    return day(offset).replace("-", "")


LONG_AGO, LATELY, SOON, LATER, LAST = -400, -3, 60, 90, 400


@pytest.fixture(scope="module")
def town():
    with Town(workers=1, daemons=(),
              allow_nginx=["a right record .* can't be read"]) as town:
        town.school()
        for product in (BOOK, "set", "part"):
            town.product(product)
        town.redis("HSET", names.product_hash("part"), "in", "set")
        yield town


class Pupil:
    """Somebody with entitlements to a product, and time that passes."""

    def __init__(self, town, product=BOOK, **changes):
        self.town, self.product = town, product
        self.person = town.edge.person(**changes)
        self.token = self.person.token()
        self.key = self.person.hash()

    def entitle(self, from_, until, **changes):
        """Sells one; its uuid."""
        sold = self.town.entitlement(
            self.person, self.product, startDate=day(from_),
            activationUntilDate=day(until), **changes)
        assert self.town.provision(sold)[0] == 202
        sold["short"] = names.base64url(uuid.UUID(sold["entitlementId"]).bytes)
        return sold

    def change(self, sold, status, **changes):
        sold = {name: v for name, v in sold.items() if name != "short"}
        assert self.town.provision({
            **sold, "entitlementStatus": status, **changes})[0] == 202

    def record(self, sold):
        return f"e:{{{names.shard('S1')}}}:{sold['short']}"

    def license(self, sold, from_, until):
        """As an activation would have left it, or as time leaves it."""
        self.town.redis("HSET", self.record(sold), "status", "licensed",
                        "licensed", short(from_), "expires", short(until))
        self.put(self.right("L", sold, from_, until))

    def overdue(self, sold, until, field=""):
        """What was never used has ended."""
        self.town.redis("HSET", self.record(sold), "until", short(until))
        self.put(self.right("E", sold, LONG_AGO, until), field)

    def put(self, text, field=""):
        self.town.redis("HSET", self.key, self.product + field, text)

    def right(self, state, sold, from_, until):
        return f"{state} {short(from_)} {short(until)} {sold['short']}"

    def both(self):
        return self.town.redis("HMGET", self.key, self.product,
                               f"{self.product}+")

    def click(self, target=None):
        return self.person.click(f"/go/{target or self.product}",
                                 token=self.token)

    def told(self, sold):
        """Activations of it in the journal."""
        return [entry for _, entry in self.town.redis(
            "XRANGE", f"journal:{{{names.shard('S1')}}}", "-", "+")
            if pairs(entry).items() >= {
                "kind": "activation",
                "entitlement": sold["short"]}.items()]

    def licensed(self, sold):
        """Does the right name this one, licensed from today?"""
        first = self.both()[0].split()
        return first[0] == "L" and first[3] == sold["short"]


@contextlib.contextmanager
def nobody_asked(town):
    """Whoever asks a worker in here gets no answer."""
    pids = town.workers.pids()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def test_the_first_click_of_the_year_activates(town):
    pupil = Pupil(town)
    last = pupil.entitle(LONG_AGO, SOON)
    pupil.license(last, -300, SOON)
    this = pupil.entitle(LATELY - 10, LAST)
    assert pupil.both() == [pupil.right("L", last, -300, SOON),
                            pupil.right("E", this, LATELY - 10, LAST)]
    # the mirror has last year's licence, which is valid
    town.edge.settled(pupil.person, f"/go/{BOOK}")
    assert not pupil.told(this)

    pupil.license(last, -300, LATELY)
    seen = []

    def activated():
        seen.append(pupil.click())
        return pupil.licensed(this)

    eventually("next year's entitlement is activated", activated, 10)
    assert {answer.status for answer in seen} == {302}
    assert len(pupil.told(this)) == 1 and not pupil.told(last)
    assert pupil.both()[1] is None
    record = pairs(town.redis("HGETALL", pupil.record(this)))
    assert record["status"] == "licensed"
    assert record["next"] == last["short"]
    assert pupil.click().outcome == "redirect"
    assert len(pupil.told(this)) == 1


def test_a_valid_licence_activates_nothing(town):
    pupil = Pupil(town)
    this = pupil.entitle(LONG_AGO, SOON, expirationDate=day(LATER))
    assert pupil.click().outcome == "redirect"
    licence = pupil.both()[0]
    until = datetime.date.fromisoformat(
        "-".join((licence[11:15], licence[15:17], licence[17:19])))
    # from the day after on, and from today on
    later = pupil.entitle((until - TODAY).days + 1, LAST + 400)
    for _ in range(3):
        assert pupil.click().outcome == "redirect"
    assert pupil.both() == [licence, pupil.right(
        "E", later, (until - TODAY).days + 1, LAST + 400)]
    assert len(pupil.told(this)) == 1 and not pupil.told(later)


def test_an_entitlement_that_ended_unused_hides_no_other(town):
    pupil = Pupil(town)
    first = pupil.entitle(LONG_AGO, SOON)
    second = pupil.entitle(LONG_AGO, LAST)
    assert pupil.both()[0] == pupil.right("E", first, LONG_AGO, SOON)
    pupil.overdue(first, LATELY)
    assert pupil.click().outcome == "redirect"
    assert pupil.licensed(second) and pupil.both()[1] is None
    assert len(pupil.told(second)) == 1 and not pupil.told(first)


def test_the_third_is_found_where_two_have_ended(town):
    """Nobody clicked for a year: only a worker knows of the third."""
    pupil = Pupil(town)
    first = pupil.entitle(LONG_AGO, SOON)
    second = pupil.entitle(LONG_AGO, LATER)
    third = pupil.entitle(LONG_AGO, LAST)
    assert pupil.both() == [pupil.right("E", first, LONG_AGO, SOON),
                            pupil.right("E", second, LONG_AGO, LATER)]
    pupil.overdue(first, LATELY - 1)
    pupil.overdue(second, LATELY, "+")
    assert pupil.click().outcome == "redirect"
    assert pupil.licensed(third) and pupil.both()[1] is None
    assert len(pupil.told(third)) == 1


def test_where_all_have_ended_a_worker_is_asked_once(town):
    pupil = Pupil(town)
    first = pupil.entitle(LONG_AGO, SOON)
    second = pupil.entitle(LONG_AGO, LATER)
    pupil.overdue(first, LATELY - 1)
    pupil.overdue(second, LATELY, "+")
    assert pupil.click().outcome == "ended"
    assert pupil.both() == [pupil.right("E", second, LONG_AGO, LATELY), None]
    with nobody_asked(town):
        eventually("the edge obeys", lambda: pupil.click().outcome == "ended", 5)


def test_ended_stays_ended_where_nothing_follows(town):
    pupil = Pupil(town)
    pupil.license(pupil.entitle(LONG_AGO, LATELY), LONG_AGO, LATELY)
    with nobody_asked(town):
        answer = pupil.click()
    assert (answer.status, answer.outcome) == (403, "ended")


def test_a_licence_that_ended_before_the_next_begins_is_not_yet(town):
    pupil = Pupil(town)
    last = pupil.entitle(LONG_AGO, SOON)
    pupil.license(last, -300, SOON)
    pupil.entitle(LATER, LAST)
    pupil.license(last, -300, LATELY)
    with nobody_asked(town):
        assert pupil.click().outcome == "not-yet"


def test_a_block_hides_what_follows(town):
    pupil = Pupil(town)
    first = pupil.entitle(LONG_AGO, SOON)
    second = pupil.entitle(LONG_AGO, LAST)
    pupil.change(first, "blocked", endDate=day(0))
    assert pupil.both() == [pupil.right("B", first, LONG_AGO, SOON),
                            pupil.right("E", second, LONG_AGO, LAST)]
    with nobody_asked(town):
        assert pupil.click().outcome == "blocked"


def test_a_block_that_ended_hides_nothing(town):
    pupil = Pupil(town)
    first = pupil.entitle(LONG_AGO, SOON)
    second = pupil.entitle(LONG_AGO, LAST)
    pupil.change(first, "blocked", endDate=day(0))
    pupil.put(pupil.right("B", first, LONG_AGO, LATELY))
    town.redis("HSET", pupil.record(first), "until", short(LATELY))
    assert pupil.click().outcome == "redirect"
    assert pupil.licensed(second)


def test_a_cancelled_one_follows_nobody(town):
    pupil = Pupil(town)
    last = pupil.entitle(LONG_AGO, SOON)
    pupil.license(last, -300, SOON)
    later = pupil.entitle(LATELY - 10, LAST)
    pupil.change(later, "cancelled", endDate=day(0))
    assert pupil.both()[1] is None
    pupil.license(last, -300, LATELY)
    with nobody_asked(town):
        assert pupil.click().outcome == "ended"


def test_what_follows_a_record_that_cannot_be_read(town):
    pupil = Pupil(town)
    pupil.entitle(LONG_AGO, SOON)
    second = pupil.entitle(LONG_AGO, LAST)
    pupil.put("nonsense")
    assert pupil.click().outcome == "redirect"
    assert pupil.licensed(second)


def test_the_same_for_a_set(town):
    pupil = Pupil(town, "set")
    last = pupil.entitle(LONG_AGO, SOON)
    pupil.license(last, -300, SOON)
    this = pupil.entitle(LATELY - 10, LAST)
    assert pupil.click("part").outcome == "redirect"
    assert not pupil.told(this)
    pupil.license(last, -300, LATELY)
    eventually("the set is activated", lambda: (
        pupil.click("part").status == 302 and pupil.licensed(this)), 10)
    assert len(pupil.told(this)) == 1


def test_the_same_for_a_whole_schools_right(town):
    town.school("S2")
    pupil = Pupil(town, school="S2")
    for until in (SOON, LAST):
        sold = pupil.entitle(LONG_AGO, until, user=None,
                             entitlementType="school-open")
    first, second = town.redis("HMGET", names.school_hash("S2"), BOOK,
                               f"{BOOK}+")
    assert second.split()[3] == sold["short"]
    town.redis("HSET", names.school_hash("S2"), BOOK,
               first.replace(short(SOON), short(LATELY)))
    assert pupil.click().outcome == "redirect"
    licence = pupil.both()[0].split()[3]
    key = f"e:{{{names.shard('S2')}}}:{licence}"
    assert town.redis("HGET", key, "open") == sold["short"]


def test_what_an_operator_gave_follows_a_licence(town):
    """Without a record, before and behind."""
    pupil = Pupil(town)
    this = pupil.entitle(LONG_AGO, LATER)
    given = names.right("E", name=f"operator {this['short']}")
    pupil.put(given)
    this = pupil.entitle(LONG_AGO, SOON)
    assert pupil.both() == [pupil.right("E", this, LONG_AGO, SOON), given]
    pupil.license(this, LONG_AGO, LATELY)
    assert pupil.click().outcome == "redirect"
    first, follows = pupil.both()
    assert first.split()[0] == "L" and first.split()[3] == given.split()[3]
    assert follows is None
