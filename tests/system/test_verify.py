"""leerpoort-load verify: it passes after honest clicks, and fails for every
kind of tampering."""

import datetime
import struct
import time

import pytest

from lib import names
from lib.country import OIN, Country

HEAD = struct.Struct("<8sQIIIIQ")


@pytest.fixture(scope="module")
def country():
    with Country() as country:
        yield country


@pytest.fixture(scope="module")
def run(country):
    """A run; some rights were not asked for."""
    country.seed("--party", OIN)
    country.before = set(rights(country.town.redis))
    return country.run(country.plan(seconds=2, rate=250, clicks={
        "spread": 1.0, "activations": 0.2, "doubled": 0.1, "expired": 0.02,
        "forged": 0.02, "no_token": 0.02, "unknown_product": 0.02}))


@pytest.fixture
def redis(country):
    return country.town.redis


class Told:
    """told.bin, to be looked at and changed."""

    def __init__(self, run):
        self.path = run / "told.bin"
        self.bytes = bytearray(self.path.read_bytes())
        magic, _, _, self.products, self.members, _, _ = HEAD.unpack_from(
            self.bytes)
        assert magic == b"LPTOLD1\0"

    def product(self, number):
        """Where its two counters are."""
        return HEAD.size + 16 * number

    def member(self, number):
        return HEAD.size + 16 * self.products + 4 * number

    def redirects(self, number, more=0):
        at = self.product(number)
        found, = struct.unpack_from("<Q", self.bytes, at)
        struct.pack_into("<Q", self.bytes, at, found + more)
        return found

    def write(self):
        self.path.write_bytes(self.bytes)


def rights(redis):
    """Of all people: (key, product, right)."""
    for key in sorted(redis("KEYS", "u:*")):
        flat = redis("HGETALL", key)
        for product, right in zip(flat[::2], flat[1::2]):
            yield key, product, right


def find(country, state, activated=False, valid=True):
    """A right of a person's own: activated by the run, or as it was loaded."""
    redis = country.town.redis
    today = f"{datetime.date.today():%Y%m%d}"
    for key, product, right in rights(redis):
        kind, first, until, entitlement = right.split()
        record = record_of(key, entitlement)
        if (kind == state and valid is (first <= today <= until)
                and activated is ((key, product, right)
                                  not in country.before)
                and redis("HGET", record, "open") is None):
            return key, product, right, record
    raise AssertionError(f"no right {state}")


def record_of(key, entitlement):
    return f"e:{key[2:6]}:{entitlement}"


def test_honest_clicks_are_the_same(country, run):
    said = country.verify(run)
    assert said["same"] and said["sentence"].startswith("THE SAME: ")
    assert said["people"] == 104
    assert said["activations"] > 50
    assert 5 < said["fromOpenRights"] < said["activations"]
    assert said["licences"] > said["activations"]
    assert said["journal"] == said["activations"]
    assert said["counted"] == said["redirects"] > 200
    assert said["unheard"] == 0
    words = country.load("verify", country.people, "--run", run,
                         *country.redis()).stdout
    assert words.startswith("THE SAME: ") and words.count("\n") == 1


def spoilt(country, run, *kinds, words=""):
    """What verify says: that differences of these kinds are there."""
    said = country.verify(run, code=1)
    assert not said["same"] and said["sentence"].startswith("DIFFERENT: ")
    found = {name for name, n in said["differences"].items()
             if name != "first" and n > 0}
    assert found == set(kinds), said
    assert words in first(said)
    return said


def first(said):
    """The differences that are told."""
    return "\n".join(said["differences"]["first"])


# --- rights ---

@pytest.mark.parametrize("activated", [True, False])
def test_a_licence_that_is_gone(country, run, redis, activated):
    key, product, right, _ = find(country, "L", activated)
    redis("HDEL", key, product)
    try:
        # an activation has a journal record, too
        said = spoilt(country, run, "lost", *["journal"] * activated)
        assert said["differences"]["lost"] == 1
        text = first(said)
        assert "the right is gone" in text and product in text
        # nothing that names a person
        assert key.rsplit("/", 1)[1] not in text and right[-22:] not in text
    finally:
        redis("HSET", key, product, right)
    assert country.verify(run)["same"]


def test_a_licence_that_is_an_entitlement_again(country, run, redis):
    key, product, right, record = find(country, "L", True)
    first, until = redis("HMGET", record, "from", "until")
    redis("HSET", key, product, f"E {first} {until} {right[-22:]}")
    try:
        spoilt(country, run, "lost", "record", "journal")
    finally:
        redis("HSET", key, product, right)


def test_a_licence_that_nobody_asked_for(country, run, redis):
    """A whole one, as the worker would write it, but for the journal."""
    key, product, right, record = find(country, "E")
    first, until = redis("HMGET", record, "from", "until")
    redis("HSET", key, product, f"L {first} {until} {right[-22:]}")
    redis("HSET", record, "status", "licensed", "licensed", first, "expires",
          until)
    try:
        spoilt(country, run, "extra", "journal")
    finally:
        redis("HSET", key, product, right)
        redis("HSET", record, "status", "entitled")
        redis("HDEL", record, "licensed", "expires")
    assert country.verify(run)["same"]


def test_a_right_that_nobody_gave(country, run, redis):
    key = next(rights(redis))[0]
    given = redis("HKEYS", key)
    product = next(f"load-{i:06d}" for i in range(40)
                   if f"load-{i:06d}" not in given)
    for field in (product, "8717927130834", given[0] + "+"):
        redis("HSET", key, field, names.right("L"))
        try:
            spoilt(country, run, "extra")
        finally:
            redis("HDEL", key, field)


def test_what_may_be_there_besides(country, run, redis):
    """The sellers' own product, and that tokens were revoked."""
    key = next(rights(redis))[0]
    redis("HSET", key, "load-api-0001", names.right("E"), "load-api-0001+",
          names.right("E"), "!", "5")
    try:
        assert country.verify(run)["same"]
    finally:
        redis("HDEL", key, "load-api-0001", "load-api-0001+", "!")


@pytest.mark.parametrize("state, valid", [("B", True), ("E", False)])
def test_a_right_that_may_not_change(country, run, redis, state, valid):
    key, product, right, _ = find(country, state, valid=valid)
    redis("HSET", key, product, names.right("L"))
    try:
        spoilt(country, run, "changed", words=product)
    finally:
        redis("HSET", key, product, right)


@pytest.mark.parametrize("field, value", [
    ("status", "entitled"), ("expires", "20991231"), ("licensed", "20200101"),
    ("product", "load-000039x"), ("user", "JOOUVFNgS6SBnwPlm43WeQ"),
    ("status", "nonsense")])
def test_a_record_that_says_something_else(country, run, redis, field, value):
    _, _, _, record = find(country, "L", True)
    was = redis("HGET", record, field)
    redis("HSET", record, field, value)
    try:
        spoilt(country, run, "record")
    finally:
        redis("HSET", record, field, was)


def test_a_record_that_is_gone(country, run, redis):
    _, _, _, record = find(country, "L", False)
    flat = redis("HGETALL", record)
    redis("DEL", record)
    try:
        spoilt(country, run, "record", words="it has no record")
    finally:
        redis("HSET", record, *flat)


# --- open rights ---

def open_record(redis):
    for key in sorted(redis("KEYS", "e:*")):
        if redis("HGET", key, "type") == "school-open" \
                and int(redis("HGET", key, "used") or 0) > 1:
            return key
    raise AssertionError("no open right was used")


@pytest.mark.parametrize("more", [1, -1, -1000])
def test_an_open_right_that_counts_wrong(country, run, redis, more):
    record = open_record(redis)
    was = redis("HGET", record, "used")
    redis("HINCRBY", record, "used", more)
    try:
        said = spoilt(country, run, "open")
        assert said["differences"]["open"] == 1
        assert said["sentence"].startswith("DIFFERENT: 1 difference between ")
        if more > -1000:  # it can't be read where it is negative
            assert f"licences counted: {int(was) + more}, there: {was}" \
                in first(said)
    finally:
        redis("HSET", record, "used", was)


def test_more_licences_than_there_may_be(country, run, redis):
    record = open_record(redis)
    was = redis("HGET", record, "quantity")
    redis("HSET", record, "quantity", "1")
    try:
        spoilt(country, run, "open", words="of 1")
    finally:
        redis("HSET", record, "quantity", was)


def test_an_open_right_that_is_gone(country, run, redis):
    key = sorted(redis("KEYS", "s:*"))[0]
    product, right = redis("HGETALL", key)[:2]
    redis("HDEL", key, product)
    try:
        spoilt(country, run, "changed", "extra")
    finally:
        redis("HSET", key, product, right)


# --- usage ---

def a_total(redis):
    """(key, product) of a week's clicks."""
    for key in sorted(redis("KEYS", "week:*")):
        for field in redis("HKEYS", key):
            if not field.endswith("|r"):
                return key, field
    raise AssertionError("nothing was counted")


@pytest.mark.parametrize("more", [
    1, pytest.param(-1, marks=pytest.mark.once)])
def test_a_click_that_was_counted_twice_or_never(country, run, redis, more):
    key, product = a_total(redis)
    redis("HINCRBY", key, product, more)
    try:
        said = spoilt(country, run, "usage", words=product)
        assert said["differences"]["usage"] == 1
    finally:
        redis("HINCRBY", key, product, -more)


@pytest.mark.once
def test_a_click_that_waits_counts_once(country, run, redis):
    """The stream has a click that nobody was told of; it is seen there also
    while no tally runs. An entry that was counted is not."""
    key, product = a_total(redis)
    school = key.split(":")[2]
    shard = key.split(":")[1]
    line = f"{int(datetime.datetime.now().timestamp())} {school} {product} - -"
    country.town.stop_daemon("tally")
    try:
        producer = "0123456789abcdef"
        entry = redis("XADD", f"usage:{shard}", "*", "p", producer, "n", "7",
                      "b", line + "\n")
        spoilt(country, run, "usage")
        redis("SETBIT", f"seen:{shard}:{producer}:0", "7", "1")
        assert country.verify(run)["untallied"] == 0
        redis("XDEL", f"usage:{shard}", entry)
        redis("DEL", f"seen:{shard}:{producer}:0")
    finally:
        country.town.start_daemon("tally")


# --- what the clients were told ---

@pytest.fixture
def told(run):
    told = Told(run)
    was = bytes(told.bytes)
    yield told
    told.path.write_bytes(was)


def test_a_redirect_without_a_licence(country, run, told):
    """Every member was told everything: those who may have nothing, too."""
    for member in range(told.members):
        struct.pack_into("<I", told.bytes, told.member(member), 0xffffff)
    told.write()
    said = country.verify(run, code=1)
    assert said["differences"]["lost"] > 10
    assert said["differences"]["extra"] > 10


def test_licences_without_a_click(country, run, told):
    for member in range(told.members):
        struct.pack_into("<I", told.bytes, told.member(member), 0)
    told.write()
    said = spoilt(country, run, "extra", words="nobody asked for")
    assert said["differences"]["extra"] == said["activations"]


def test_a_click_that_was_not_heard_may_be_counted(country, run, told):
    product = next(i for i in range(told.products) if told.redirects(i) > 0)
    told.redirects(product, -1)
    told.write()
    spoilt(country, run, "usage", words=f"load-{product:06d}")
    struct.pack_into("<Q", told.bytes, told.product(product) + 8, 1)
    told.write()
    assert country.verify(run)["unheard"] == 1


@pytest.mark.parametrize("cut", [0, 20, -1])
def test_a_file_that_is_broken(country, run, told, cut):
    told.path.write_bytes(told.bytes[:cut])
    answer = country.load("verify", country.people, "--run", run,
                          *country.redis(), code=3)
    assert "told.bin" in answer.stderr and answer.stdout == ""


# --- what it refuses ---

def test_another_population(country, run, tmp_path):
    other = tmp_path / "other"
    country.load("population", other, "--pupils", 100, "--products", 40,
                 "--seed", 6, "--jobs", 1)
    said = country.load("verify", other, "--run", run, *country.redis(),
                        code=3).stderr
    assert "another population" in said


def test_no_run_or_before(country, run):
    for words in ([], ["--run", run, "--before"]):
        said = country.load("verify", country.people, *words,
                            *country.redis(), code=2).stderr
        assert "--run" in said and "--before" in said
    assert "told.bin" in country.load(
        "verify", country.people, "--run", run / "none", *country.redis(),
        code=3).stderr


def test_totals_that_are_not_there(country, run):
    file = country.people / "usage-before.json"
    was = file.read_text()
    for text in ("", "{}", "[]", '{"at": 1, "since": 20260901, "journal": 0, '
                 '"products": 41, "clicks": {}}'):
        file.write_text(text)
        assert "usage-before.json" in country.load(
            "verify", country.people, "--run", run, *country.redis(),
            code=3).stderr
    file.write_text(was)


# --- a second run; and then the journal, whose count can't be taken back ---

def test_a_second_run_on_what_the_first_left(country, run):
    country.load("verify", country.people, "--before", *country.redis())
    second = country.run(country.plan(seconds=1, rate=200, seed=4),
                         out="second")
    said = country.verify(second)
    assert 0 < said["activations"] < said["licences"]
    assert said["journal"] == said["activations"]


def test_a_journal_record_that_was_doubled(country, redis):
    """Also when the relay has taken it away."""
    run = country.folder / "second"
    assert country.verify(run)["same"]
    _, _, right, record = find(country, "L", True)
    shard = record.split(":")[1]
    redis("XADD", f"journal:{shard}", "*", "kind", "activation", "party",
          OIN, "entitlement", right[-22:], "product", "load-000001", "type",
          "school-student", "school", "load-s-00000", "day", "20260901",
          "until", "20270731")
    spoilt(country, run, "journal", words="activations, and")


@pytest.fixture
def quiet(country, run):
    """A run that asked for nothing, after all that was before."""
    country.load("verify", country.people, "--before", *country.redis())
    folder = country.folder / "quiet"
    folder.mkdir(exist_ok=True)
    told = (run / "told.bin").read_bytes()
    (folder / "told.bin").write_bytes(
        told[:HEAD.size] + bytes(len(told) - HEAD.size))
    assert country.verify(folder)["same"]
    return folder


def test_an_earlier_licence_that_is_an_entitlement_again(country, quiet,
                                                         redis):
    """All of its activation undone, as by a Redis that lost its last
    seconds."""
    key, product, right, record = find(country, "L", True)
    first, until, licensed, expires = redis(
        "HMGET", record, "from", "until", "licensed", "expires")
    redis("HSET", key, product, f"E {first} {until} {right[-22:]}")
    redis("HSET", record, "status", "entitled")
    redis("HDEL", record, "licensed", "expires")
    try:
        spoilt(country, quiet, "lost", words="before")
    finally:
        redis("HSET", key, product, right)
        redis("HSET", record, "status", "licensed", "licensed", licensed,
              "expires", expires)


def test_an_earlier_licence_of_an_open_right_that_is_gone(country, quiet,
                                                          redis):
    """With its record and its count."""
    key, product, right, record, held, opened = next(
        (key, product, right, record, redis("HGETALL", record),
         redis("HGET", record, "open"))
        for key, product, right in rights(redis)
        for record in [record_of(key, right[-22:])]
        if redis("HGET", record, "open"))
    counted = record_of(key, opened)
    redis("HDEL", key, product)
    redis("DEL", record)
    redis("HINCRBY", counted, "used", -1)
    try:
        spoilt(country, quiet, "lost", words="before")
    finally:
        redis("HSET", key, product, right)
        redis("HSET", record, *held)
        redis("HINCRBY", counted, "used", 1)


@pytest.mark.once
def test_clicks_of_last_week_that_were_not_tallied_yet(country, quiet, redis):
    """They come into a week that no run can change any more."""
    key, product = a_total(redis)
    _, shard, school, _ = key.split(":")
    line = f"{int(time.time()) - 8 * 86400} {school} {product} - -"
    country.town.stop_daemon("tally")
    try:
        redis("XADD", f"usage:{shard}", "*", "p", "0123456789abcdef", "n",
              "8", "b", line + "\n")
        country.load("verify", country.people, "--before", *country.redis())
    finally:
        country.town.start_daemon("tally")
    said = country.verify(quiet)
    assert said["untallied"] == said["counted"] == 0


def test_totals_that_were_broken_off_are_none(country, quiet, redis):
    """What was noted by then is not compared with the totals from before."""
    redis("RENAME", "tally:state", "aside")
    redis("SET", "tally:state", "not a hash")
    try:
        assert "WRONGTYPE" in country.load(
            "verify", country.people, "--before", *country.redis(),
            code=1).stderr
    finally:
        redis("RENAME", "aside", "tally:state")
    assert "usage-before.json" in country.load(
        "verify", country.people, "--run", quiet, *country.redis(),
        code=3).stderr
