"""leerpoort privacy show|erase and school erase: what is held of a person or a
school is found, goes, and is nowhere afterwards. The search that finds nothing
in the end is the one that found it before."""

import json
import os
import pathlib
import random
import re
import subprocess
import tempfile
import time
import uuid

import pytest

from lib import names, sealing
from lib.desk import OIN, Desk, fresh, pairs
from lib.nginx import BUILD
from lib.process import REPOSITORY, eventually
from lib.proxy import Proxy
from lib.redis import Redis, RedisError

PROGRAM = BUILD / "leerpoort"
SCHOOL, OTHER = "S1", "S2"


def eck(name):
    mark = name.encode().hex().ljust(128, "0")[:128]
    return f"https://ketenid.nl/000000/{mark}"


class Household:
    """A desk whose Redis holds people; nothing in its AOF is compressed."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.redis = Redis(folder, options=["rdbcompression no"]).start()
        self.desk = Desk(self.folder, self.redis, n=1)
        self.desk.workers.start()
        for id_type, id_ in (("OIE_CODE", "11ZZ"), ("DD_ID", "dd-s1")):
            self.redis("SET", names.alias_key(id_type, id_), SCHOOL)

    def close(self):
        self.desk.workers.stop()
        self.redis.destroy()

    @property
    def pepper(self):
        return self.desk.workers.pepper

    @property
    def seal(self):
        return self.desk.workers.seal

    def key(self, id_, id_type="ECK"):
        return names.user_key(self.pepper.read_bytes(), id_type, id_)

    def run(self, *args, given="", **options):
        return subprocess.run(
            [PROGRAM, *map(str, args), "--redis", self.redis.address],
            input=given, capture_output=True, text=True, timeout=60,
            start_new_session=True, check=False, **options)

    def privacy(self, verb, id_, *options, type_="ECK", seal=True, **more):
        options = ["--pepper", self.pepper, "--type", type_, *options]
        if seal:
            options += ["--seal", self.seal]
        return self.run("privacy", verb, *options, given=id_ + "\n", **more)

    # --- people and what they do ---

    def provide(self, user, school=SCHOOL, product="book", order="order-1",
                **changes):
        """An entitlement by the API; user: a UserReference. Its 22."""
        kind = "employee" if "userIds" in user else "student"
        sold = {"entitlementId": str(uuid.uuid4()), "productId": product,
                "deliveryOrderId": order, "startDate": "2026-08-01",
                "activationUntilDate": "2026-12-31", "user": user,
                "entitlementType": (f"school-{kind}" if school
                                    else "customer-student"),
                "entitlementStatus": "created", **changes}
        if school:
            sold["school"] = {"organisationMasterIdentifier": school}
        answer = self.desk.put("/v1/entitlements", {
            "entitlementReferenceId": str(uuid.uuid4()),
            "entitlement": sold}, scope="entitlement.licensor")
        assert answer.status == 202, answer
        return names.base64url(uuid.UUID(sold["entitlementId"]).bytes)

    def click(self, users, person, school=SCHOOL, product="book"):
        answer = self.desk.workers.ask(
            f"/go/{product}", LEERPOORT_ROUTE="activate",
            LEERPOORT_USERS=",".join(users), LEERPOORT_SCHOOL=school,
            LEERPOORT_PRODUCT=product, LEERPOORT_PERSON=json.dumps(person))
        assert "x-accel-redirect" in answer.headers, answer
        assert "leerpoort-outcome" not in answer.headers, answer

    def usage(self, shard_of, *lines):
        """Clicks that wait to be counted; (school, product, user)."""
        text = "".join(f"1790848800 {school} {product} {user} -\n"
                       for school, product, user in lines)
        self.redis("XADD", f"usage:{{{names.shard(shard_of)}}}", "*", "p",
                   "0123456789abcdef", "n", "7", "b", text)

    def letter(self, stream, id_, school=SCHOOL, **more):
        """A message that waits, with a sealed person."""
        person = json.dumps({"userMasterIdentifier": id_})
        sealed = sealing.seal(self.seal.read_bytes(), "person", person)
        fields = {"kind": "activation", "party": OIN, "product": "book",
                  "entitlement": names.entitlement("some"), "day": "20261001",
                  "until": "20270731", "school": school, "person": sealed,
                  **more}
        return self.redis("XADD", stream, "*", *(
            part for pair in fields.items() for part in pair))

    def signed_in(self, user, school=SCHOOL, *others):
        """A session, the account of an LMS, and a sign-out elsewhere. The
        names of the session's keys."""
        name, sub, sid = (names.base64url(os.urandom(16)) for _ in range(3))
        users = dict(zip(("user", "user2", "user3"), (user, *others)))
        key, *indexes = (f"{kind}:{{{names.shard(of)}}}:{of}" for kind, of in (
            ("session", name), ("subs", sub), ("sids", sid)))
        for what, hash_, more in (
                ("session", key, {"provider": "hub", "used": "1790848801",
                                  "until": "1790877600", "sub": sub,
                                  "sid": sid}),
                ("link", "link:" + key[len("session:"):], {
                    "platform": "lms"})):
            fields = {"who": sealing.seal(self.seal.read_bytes(), what, "{}"),
                      **users, "at": "1790848800", **more}
            if school:
                fields["school"] = school
            self.redis("HSET", hash_, *(
                part for pair in fields.items() for part in pair))
        for index in indexes:
            self.redis("ZADD", index, "1790848800", name)
        self.redis("SET", "signout" + names.user_hash(school, user)[1:],
                   "1790848800 0")
        return [key, *indexes]

    def pupil(self, school=SCHOOL):
        """Somebody of whom everything is held. Returns the id."""
        id_ = eck(fresh("pupil"))
        user, person = self.key(id_), {"userMasterIdentifier": id_}
        self.provide(person, school)
        self.click([user], person, school)
        # one that is not used yet, and one whose right is gone
        self.provide(person, school, "atlas")
        self.redis("HDEL", names.user_hash(school, user), "atlas")
        # a code, a wrong code, an open right's licence, private ones
        code = self.desk.one("map")
        assert self.desk.redeem(code, user, school, LEERPOORT_PERSON=json.dumps(
            person)).status == 200
        self.desk.wrong(user, school)
        if school:
            self.redis("HSET", names.school_hash(school), "film",
                       names.right("O", name=f"open-{school}"))
            self.click([user], person, school, "film")
            self.provide(person, "", "globe")
            self.click([user], person, "", "globe")
        self.redis("HSET", names.user_hash(school, user), "!", "1")
        self.usage(school or user, (school or "-", "book", user),
                   (OTHER, "book", names.user_key(b"x" * 16, "ECK", "else")),
                   (school or "-", "atlas", user))
        for stream in (f"outbox:{OIN}", f"dead:{OIN}"):
            self.letter(stream, id_, school, since="1790848800000")
        self.signed_in(user, school)
        return id_

    # --- the search ---

    def everything(self):
        """Every key and value as one text, sorted."""
        found = []
        for key in sorted(self.redis("KEYS", "*")):
            kind = self.redis("TYPE", key)
            value = {"string": ("GET", key), "hash": ("HGETALL", key),
                     "list": ("LRANGE", key, 0, -1),
                     "set": ("SMEMBERS", key),
                     "zset": ("ZRANGE", key, 0, -1),
                     "stream": ("XRANGE", key, "-", "+")}[kind]
            found.append(f"{key} {self.redis(*value)}")
        return "\n".join(found)

    def sealed_people(self):
        """What is sealed in any stream, opened."""
        found = []
        for key in self.redis("KEYS", "*"):
            if self.redis("TYPE", key) == "stream":
                for _, fields in self.redis("XRANGE", key, "-", "+"):
                    sealed = pairs(fields).get("person")
                    if sealed:
                        found.append(self.desk.open("person", sealed))
        return "\n".join(found)

    def aof(self):
        return b"".join(p.read_bytes() for p in self.redis.folder.rglob(
            "*.aof")) + b"".join(
                p.read_bytes() for p in self.redis.folder.rglob("*.rdb"))

    def stream(self, key):
        return [pairs(fields)
                for _, fields in self.redis("XRANGE", key, "-", "+")]


@pytest.fixture(scope="module")
def home():
    with tempfile.TemporaryDirectory(prefix="leerpoort-test-") as folder:
        home = Household(folder)
        for product in ("map", "film", "globe"):
            home.redis("HSET", names.product_hash(product), "url",
                       "https://publisher.example/")
        try:
            yield home
        finally:
            home.close()


# --- a person ----------------------------------------------------------------

def test_show_finds_everything(home):
    id_ = home.pupil()
    answer = home.privacy("show", id_, "--json")
    assert answer.returncode == 0, answer.stderr
    shown = json.loads(answer.stdout)
    rights = {(r["school"], r.get("productId"), r.get("state"))
              for r in shown["rights"]}
    assert rights == {(SCHOOL, "book", "L"), (SCHOOL, "map", "L"),
                      (SCHOOL, "film", "L"), (None, "globe", "L"),
                      (SCHOOL, None, None)}
    products = sorted(e["productId"] for e in shown["entitlements"])
    assert products == ["atlas", "book", "film", "globe", "map"]
    [book] = [e for e in shown["entitlements"] if e["productId"] == "book"]
    assert book["entitlementStatus"] == "licensed"
    assert book["startDate"] == "2026-08-01"
    assert book["deliveryOrderId"] == "order-1"
    assert [c["productId"] for c in shown["codes"]] == ["map"]
    assert shown["sessions"] == [{
        "provider": "hub", "school": SCHOOL, "signedInAt": "1790848800",
        "lastUsedAt": "1790848801", "endsAt": "1790877600"}]
    assert shown["links"] == [{"platform": "lms", "school": SCHOOL,
                               "linkedAt": "1790848800"}]
    assert shown["waiting"]["clicks"] == 2
    # three activations by clicks of sellers, one by code, outbox, dead
    assert shown["waiting"]["messages"] == 5
    assert shown["waiting"]["unreadable"] == 0
    text = home.privacy("show", id_)
    for word in ("book", "atlas", "globe", SCHOOL):
        assert word in text.stdout
    for output in (answer.stdout, answer.stderr, text.stdout, text.stderr):
        assert id_ not in output and home.key(id_) not in output


def test_show_of_somebody_unknown(home):
    answer = home.privacy("show", eck("nobody"), "--json")
    assert answer.returncode == 1
    assert json.loads(answer.stdout)["rights"] == []
    assert "nothing is held" in answer.stderr


def test_show_without_the_seal_says_what_it_did_not_see(home):
    id_ = home.pupil()
    answer = home.privacy("show", id_, "--json", seal=False)
    assert answer.returncode == 0
    shown = json.loads(answer.stdout)["waiting"]
    assert shown["messages"] == 0 and shown["unreadable"] >= 5
    assert "--seal" in answer.stderr


@pytest.mark.parametrize("school", [SCHOOL, ""])
def test_nothing_of_an_erased_person_is_anywhere(home, school):
    id_, other = home.pupil(school), home.pupil(school)
    user, bystander = home.key(id_), home.key(other)
    # the search finds what is there
    assert user in home.everything() and id_ in home.sealed_people()
    assert user.encode() in home.aof()
    before = home.privacy("show", other, "--json").stdout
    records = [key for key in home.redis("KEYS", "e:*")
               if home.redis("HGET", key, "user") == user]
    totals = {key: home.redis("HMGET", key, "product", "status", "party",
                              "expires", "licensed") for key in records}
    waiting = sum(len(home.stream(k)) for k in home.redis("KEYS", "journal:*"))
    clicks = [e for k in home.redis("KEYS", "usage:*") for e in home.stream(k)]

    answer = home.privacy("erase", id_, "--yes", "--rewrite")
    assert answer.returncode == 0, answer.stderr

    assert user not in home.everything()
    assert id_ not in home.sealed_people()
    assert user.encode() not in home.aof()
    assert id_.encode() not in home.aof()
    assert bystander.encode() in home.aof()
    assert json.loads(home.privacy("show", other, "--json").stdout) \
        == json.loads(before)
    assert home.privacy("show", id_).returncode == 1
    # totals stay, messages and clicks still go where they are going
    assert totals == {key: home.redis(
        "HMGET", key, "product", "status", "party", "expires", "licensed")
        for key in records}
    assert waiting == sum(
        len(home.stream(k)) for k in home.redis("KEYS", "journal:*"))
    left = [e for k in home.redis("KEYS", "usage:*") for e in home.stream(k)]
    assert sorted(e["b"].replace(user, "-") for e in clicks) \
        == sorted(e["b"] for e in left)
    assert all(e["p"] and e["n"] for e in left)
    # that it was done is written down, and not to whom
    receipt = re.search("receipt: ([0-9a-f]{32})", answer.stdout)[1]
    [record] = [e for e in home.stream("erased") if e["receipt"] == receipt]
    assert record["kind"] == "person"
    assert int(record["records"]) == len(records)
    assert int(record["clicks"]) == 2
    assert int(record["sessions"]) == int(record["links"]) == 1
    for output in (answer.stdout, answer.stderr):
        assert id_ not in output and user not in output


def test_a_message_without_its_person_keeps_all_else(home):
    id_ = eck(fresh("pupil"))
    stream = "outbox:00000003000000099999"
    home.letter(stream, id_, since="17", code="sealed-code")
    home.letter(stream, eck("another"))
    [first, second] = home.stream(stream)
    assert home.privacy("erase", id_, "--yes").returncode == 0
    left = home.stream(stream)
    del first["person"]
    assert left == [first, second]


def test_what_was_delivered_long_ago_is_gone_too(home):
    """Redis keeps the bytes of deleted entries until their block is empty."""
    id_ = eck(fresh("pupil"))
    user, stream = home.key(id_), f"usage:{{{names.shard('tomb')}}}"
    home.redis("DEL", stream)
    home.usage("tomb", (SCHOOL, "book", user))
    [[counted, _]] = home.redis("XRANGE", stream, "-", "+")
    for _ in range(3):
        home.usage("tomb", (OTHER, "book", "-"))
    home.redis("XGROUP", "CREATE", stream, "tally", counted)
    home.redis("XREADGROUP", "GROUP", "tally", "t-1", "COUNT", "2", "STREAMS",
               stream, ">")
    home.redis("XDEL", stream, counted)
    home.redis("BGREWRITEAOF")
    eventually("it is rewritten", lambda: "aof_rewrite_in_progress:0" in (
        home.redis("INFO", "persistence")), 20)
    assert user not in home.everything() and user.encode() in home.aof()
    entries = home.redis("XRANGE", stream, "-", "+")
    groups = pairs(home.redis("XINFO", "GROUPS", stream)[0])
    pending = [p[:2] for p in home.redis("XPENDING", stream, "tally", "-", "+",
                                         "9")]
    last = pairs(home.redis("XINFO", "STREAM", stream))["last-generated-id"]
    assert len(pending) == 2

    assert home.privacy("erase", id_, "--yes", "--rewrite").returncode == 0

    assert user.encode() not in home.aof()
    assert home.redis("XRANGE", stream, "-", "+") == entries
    now = pairs(home.redis("XINFO", "GROUPS", stream)[0])
    for field in ("name", "last-delivered-id", "pending"):
        assert now[field] == groups[field]
    assert pending == [p[:2] for p in home.redis(
        "XPENDING", stream, "tally", "-", "+", "9")]
    assert last == pairs(home.redis("XINFO", "STREAM", stream))[
        "last-generated-id"]
    home.redis("DEL", stream)


def test_the_relay_cannot_move_what_was_replaced(home):
    """It moves under WATCH of its lock, which a replaced entry changes."""
    id_ = eck(fresh("pupil"))
    home.letter("journal:{00}", id_)
    home.redis("SET", "relay:lock", "a-relay", "PX", "600000")
    relay = home.redis.client()
    relay("WATCH", "relay:lock")
    assert home.privacy("erase", id_, "--yes").returncode == 0
    relay("MULTI")
    relay("PING")
    assert relay("EXEC") is None
    relay.close()
    assert home.redis("GET", "relay:lock") == "a-relay"
    assert 0 < home.redis("PTTL", "relay:lock") <= 600000
    home.redis("DEL", "relay:lock")


def test_erasing_again_changes_nothing(home):
    id_ = home.pupil()
    assert home.privacy("erase", id_, "--yes").returncode == 0
    before = home.everything()
    answer = home.privacy("erase", id_, "--yes")
    assert answer.returncode == 0
    after = home.everything()
    assert re.sub("(?m)^erased .*$", "", after) == re.sub(
        "(?m)^erased .*$", "", before)
    assert home.stream("erased")[-1]["records"] == "0"


def test_a_private_customer_who_cancelled_is_found_and_erased(home):
    """The entitlement has no user any more, but a list has their key."""
    id_ = eck(fresh("pupil"))
    user, person = home.key(id_), {"userMasterIdentifier": id_}
    sold = str(uuid.uuid4())
    held = home.provide(person, "", "globe", entitlementId=sold)
    home.provide(person, "", "globe", entitlementId=sold,
                 entitlementStatus="cancelled", endDate="2026-10-01")
    assert "user" not in home.desk.record(held)
    named = f"i:{{{names.shard(user)}}}:/{user}"
    assert home.redis("LRANGE", named, 0, -1) == [held]
    assert user in home.everything()

    assert home.privacy("show", id_).returncode == 0
    done = home.privacy("erase", id_, "--yes")
    assert done.returncode == 0, done.stderr
    assert user not in home.everything()
    assert home.desk.record(held)["status"] == "cancelled"
    assert home.privacy("show", id_).returncode == 1


def test_what_follows_is_shown_and_erased(home):
    id_ = eck(fresh("pupil"))
    user, person = home.key(id_), {"userMasterIdentifier": id_}
    for _ in range(2):
        home.provide(person)
    rights = json.loads(home.privacy("show", id_, "--json").stdout)["rights"]
    assert [right["productId"] for right in rights] == ["book", "book"]
    assert sorted("follows" in right for right in rights) == [False, True]
    assert home.privacy("erase", id_, "--yes").returncode == 0
    assert user not in home.everything()


def test_one_id_of_a_teacher_leads_to_the_others(home):
    ids = [("NEPPI", fresh("t@example")), ("BPI", fresh("bp")),
           ("eduID", fresh("edu"))]
    person = {"userIds": [{"userId": i, "userIdType": t} for t, i in ids]}
    users = [home.key(i, t) for t, i in ids]
    home.provide(person)
    home.click(users, person)
    # a right under an id that no record joins to the one that is asked for
    home.redis("HSET", names.user_hash(OTHER, users[2]), "book",
               names.right("L"))
    text = home.everything()
    assert all(user in text for user in users)
    answer = home.privacy("erase", ids[1][1], "--yes", type_="BPI")
    assert answer.returncode == 0, answer.stderr
    text = home.everything()
    assert not any(user in text for user in users)
    assert not any(i in home.sealed_people() for _, i in ids)


def test_a_session_leads_to_a_teachers_other_ids_and_is_erased(home):
    """With what a provider's logout would find it by; others' stay."""
    ids = [fresh("teacher") for _ in range(2)]
    users = [home.key(id_, "NEPPI") for id_ in ids]
    own = home.signed_in(users[0], SCHOOL, users[1])
    others = home.signed_in(home.key(fresh("teacher"), "NEPPI"))
    home.redis("HSET", names.user_hash("", users[1]), "!", "1")
    answer = home.privacy("erase", ids[0], "--yes", type_="NEPPI")
    assert answer.returncode == 0, answer.stderr
    assert "1 sessions, 1 linked accounts" in answer.stdout
    everything = home.everything()
    assert not [key for key in (*users, *own) if key in everything]
    assert all(home.redis("EXISTS", key) for key in others)


def test_nothing_is_erased_that_nobody_confirmed(home):
    id_ = home.pupil()
    answer = home.privacy("erase", id_)
    assert answer.returncode == 2 and "--yes" in answer.stderr
    assert home.key(id_) in home.everything()


def test_another_seal_is_not_taken_for_success(home, tmp_path):
    id_ = home.pupil()
    wrong = tmp_path / "seal"
    wrong.touch(0o600)
    wrong.write_bytes(b"w" * 32)
    answer = home.privacy("erase", id_, "--yes", "--seal", wrong, seal=False)
    assert answer.returncode == 1
    assert "another key" in answer.stderr
    assert id_ in home.sealed_people()
    assert home.privacy("erase", id_, "--yes").returncode == 0
    assert id_ not in home.sealed_people()


@pytest.mark.parametrize("options,code", [
    ({"type_": "E|K"}, 2), ({"type_": "NONE"}, 1)])
def test_ids_that_are_none(home, options, code):
    assert home.privacy("show", "someone", **options).returncode == code


def test_a_key_of_another_kind_stops_no_erasure(home):
    id_ = home.pupil()
    home.redis("SET", "e:{00}:" + "A" * 22, "foreign")
    home.redis("SET", "code:{00}:" + "A" * 22, "foreign")
    home.redis("SET", "u:{00}:x", "foreign")
    try:
        assert home.privacy("erase", id_, "--yes").returncode == 0
        assert home.key(id_) not in home.everything()
    finally:
        home.redis("DEL", "e:{00}:" + "A" * 22, "code:{00}:" + "A" * 22,
                   "u:{00}:x")


def interrupted(home, arguments, given, at):
    """Starts the command and kills it after a while; whether it was cut."""
    process = subprocess.Popen(
        [PROGRAM, *map(str, arguments), "--redis", home.redis.address],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True)
    process.stdin.write(given.encode())
    process.stdin.close()
    time.sleep(at)
    process.kill()
    return process.wait(20) != 0


def test_killed_midway_the_same_command_does_the_rest(home):
    random.seed(5)
    arguments = ["privacy", "erase", "--pepper", home.pepper, "--seal",
                 home.seal, "--yes"]
    for _ in range(8):
        ids = [home.pupil(), home.pupil("")]
        for id_ in ids:
            interrupted(home, arguments, id_, random.uniform(0, 0.03))
            assert home.privacy("erase", id_, "--yes").returncode == 0
        text = home.everything()
        for id_ in ids:
            assert home.key(id_) not in text
            assert id_ not in home.sealed_people()


def test_the_examples_officer_may_erase_and_no_more(home, tmp_path):
    acl = (REPOSITORY / "lua-free-conf" / "users.acl").read_text()
    [line] = [line for line in acl.splitlines()
              if line.startswith("user officer ")]
    home.redis("ACL", "SETUSER", *line.replace(" off ", " on >pass ").split()[
        1:])
    password = tmp_path / "password"
    password.touch(0o600)
    password.write_text("pass")
    who = ("--user", "officer", "--password-file", password)
    home.redis("CONFIG", "SET", "slowlog-log-slower-than", "0")
    id_ = home.pupil()
    home.redis("CONFIG", "SET", "slowlog-log-slower-than", "1000000")
    assert home.key(id_) in repr(home.redis("SLOWLOG", "GET", 128))
    assert home.privacy("show", id_, *who).returncode == 0
    answer = home.privacy("erase", id_, "--yes", "--rewrite", *who)
    assert answer.returncode == 0, answer.stderr
    assert home.key(id_) not in home.everything()
    assert home.key(id_) not in repr(home.redis("SLOWLOG", "GET", 128))
    answer = home.run("school", "erase", "--school", "nowhere", "--yes", *who)
    assert answer.returncode == 0, answer.stderr
    client = home.redis.client()
    client("AUTH", "officer", "pass")
    for command in (("FLUSHALL",), ("CONFIG", "GET", "*"), ("MONITOR",),
                    ("SLOWLOG", "GET"), ("ACL", "LIST")):
        with pytest.raises(RedisError, match="NOPERM"):
            client(*command)
    client.close()


def test_redis_that_goes_away_is_no_success(tmp_path):
    home = Household(tmp_path)
    try:
        id_ = eck("x")
        home.provide({"userMasterIdentifier": id_})
        home.redis.kill()
        answer = home.privacy("erase", id_, "--yes")
        assert answer.returncode == 1 and "Redis" in answer.stderr
        home.redis.restart()
        home.redis("CONFIG", "SET", "maxmemory", "1mb")
        answer = home.privacy("erase", id_, "--yes")
        assert answer.returncode == 1 and "OOM" in answer.stderr
        home.redis("CONFIG", "SET", "maxmemory", "0")
        assert home.privacy("erase", id_, "--yes").returncode == 0
    finally:
        home.close()


# --- a school ----------------------------------------------------------------

@pytest.fixture
def town(tmp_path):
    """Two schools, of which the first will leave."""
    home = Household(tmp_path)
    for product in ("map", "film", "globe"):
        home.redis("HSET", names.product_hash(product), "url",
                   "https://publisher.example/")
    try:
        for school in (SCHOOL, OTHER):
            shard = names.shard(school)
            home.redis("HSET", f"week:{{{shard}}}:{school}:2026-W40", "book",
                       "3")
            home.redis("PFADD", f"readers:{{{shard}}}:{school}:2026-W40:book",
                       "x")
            home.redis("SADD", f"weeks:{{{shard}}}:2026-W40", school)
            home.redis("HSET", "report:{07}:2026-W40", school, "{}")
            home.people = [home.pupil(school) for _ in range(3)]
            for key in home.redis("KEYS", "e:*"):
                # as the tally has it: uses of a licence are its right's too
                if home.redis("HGET", key, "product") == "book" \
                        and home.redis("HGET", key, "school") == SCHOOL:
                    home.redis("HSET", key, "count", "7")
        yield home
    finally:
        home.close()


def school_keys(home, school):
    """Keys and values that name a school, "erased" apart."""
    pattern = re.compile(rf"(?<![A-Za-z0-9_.-]){school}(?![A-Za-z0-9_.-])")
    found = []
    for key in home.redis("KEYS", "*"):
        if key.startswith("readers:"):
            found += [key] if pattern.search(key) else []
            continue
        kind = home.redis("TYPE", key)
        value = {"string": ("GET", key), "hash": ("HGETALL", key),
                 "list": ("LRANGE", key, 0, -1), "set": ("SMEMBERS", key),
                 "zset": ("ZRANGE", key, 0, -1),
                 "stream": ("XRANGE", key, "-", "+")}[kind]
        if pattern.search(f"{key} {home.redis(*value)}"):
            found.append(key)
    return sorted(found)


def erase_school(home, *options):
    return home.run("school", "erase", "--school", SCHOOL, *options)


def totals(home):
    """What the entries of "erased" add up to: {"book licences": 3}."""
    added = {}
    for entry in home.stream("erased"):
        if entry["kind"] == "school-totals":
            for name, n in entry.items():
                if " " in name:
                    added[name] = added.get(name, 0) + int(n)
    return added


def deliver(home):
    """What relay and tally do: nothing waits any more."""
    for pattern in ("journal:*", "usage:*", "outbox:*", "dead:*"):
        for key in home.redis("KEYS", pattern):
            home.redis("DEL", key)


EXPECTED = {"book entitlements": 3, "book licences": 3,
            "atlas entitlements": 3, "map entitlements": 3,
            "map licences": 3, "film entitlements": 1, "film licences": 3,
            "book uses": 21}


def test_a_school_that_left_is_nowhere(town):
    kinds = {key.split(":")[0] for key in school_keys(town, SCHOOL)}
    assert kinds == {"u", "s", "a", "e", "i", "school", "week", "weeks",
                     "readers", "report", "code", "tries", "journal", "usage",
                     "outbox", "dead", "session", "link", "signout"}
    places = sum(town.redis("HLEN", k) for k in town.redis("KEYS", "x:*"))
    others = [k for k in school_keys(town, OTHER) if k[:3] in (
        "u:{", "s:{", "e:{", "i:{")]

    answer = erase_school(town, "--yes")
    assert answer.returncode == 1 and "--force" in answer.stderr
    assert school_keys(town, SCHOOL)
    deliver(town)
    answer = erase_school(town, "--yes", "--rewrite")
    assert answer.returncode == 0, answer.stderr

    assert school_keys(town, SCHOOL) == []
    assert totals(town) == EXPECTED
    assert sum(town.redis("HLEN", k) for k in town.redis("KEYS", "x:*")) \
        == places - 13
    assert [k for k in school_keys(town, OTHER) if k[:3] in (
        "u:{", "s:{", "e:{", "i:{")] == others
    receipt = re.search("receipt: ([0-9a-f]{32})", answer.stdout)[1]
    assert {e["kind"] for e in town.stream("erased")
            if e["receipt"] == receipt} == {"school", "school-totals"}
    # again: nothing more
    assert erase_school(town, "--yes").returncode == 0
    assert totals(town) == EXPECTED


def test_what_is_counted_while_a_school_goes_is_in_its_totals(town):
    """Between adding up and erasing, the tally writes."""
    deliver(town)
    key = next(key for key in town.redis("KEYS", "e:*")
               if town.redis("HGET", key, "count") == "7"
               and not town.redis("HGET", key, "open"))
    writer = town.redis.client()
    proxy = Proxy(town.folder, town.redis.path)

    def write(_, data):
        if b"$1\r\n7\r\n" in data and b"school-student" in data \
                and town.redis("HGET", key, "count") == "7":
            writer("HSET", key, "count", "107")
        return data

    proxy.spoil = write
    proxy.start()
    try:
        run = subprocess.run(
            [PROGRAM, "school", "erase", "--school", SCHOOL, "--yes",
             "--redis", proxy.address], capture_output=True, text=True,
            timeout=60)
    finally:
        proxy.stop()
        writer.close()
    assert run.returncode == 0, run.stderr
    assert school_keys(town, SCHOOL) == []
    assert totals(town) == {**EXPECTED, "book uses": 121}


def test_a_relay_that_is_too_busy_is_named(town):
    """It takes the lock anew whenever its messages have been read."""
    writer = town.redis.client()
    proxy = Proxy(town.folder, town.redis.path)

    def write(_, data):
        if b"kind\r\n" in data:
            writer("SET", "relay:lock", "busy")
        return data

    proxy.spoil = write
    proxy.start()
    try:
        run = subprocess.run(
            [PROGRAM, "school", "erase", "--school", SCHOOL, "--yes",
             "--force", "--redis", proxy.address], capture_output=True,
            text=True, timeout=60)
    finally:
        proxy.stop()
        writer.close()
    assert run.returncode == 1 and "stop leerpoort-relay" in run.stderr
    town.redis("DEL", "relay:lock")
    answer = erase_school(town, "--yes", "--force")
    assert answer.returncode == 0, answer.stderr
    assert school_keys(town, SCHOOL) == []


def test_by_force_what_waits_goes_too(town):
    clicks = [e for k in town.redis("KEYS", "usage:*") for e in town.stream(k)]
    answer = erase_school(town, "--yes", "--force")
    assert answer.returncode == 0, answer.stderr
    assert school_keys(town, SCHOOL) == []
    left = [e for k in town.redis("KEYS", "usage:*") for e in town.stream(k)]
    # an entry that is empty now still has its number
    assert len(left) == len(clicks)
    assert sorted(e["b"] for e in left) == sorted(
        "".join(line for line in e["b"].splitlines(True)
                if line.split()[1] != SCHOOL) for e in clicks)
    assert town.stream(f"outbox:{OIN}"), "the other school's"
    assert all(e.get("school") != SCHOOL for e in town.stream(f"dead:{OIN}"))


def test_nobody_confirmed_the_end_of_a_school(town):
    for key in town.redis("KEYS", "readers:*"):
        town.redis("DEL", key)      # which no text can show
    before = town.everything()
    answer = erase_school(town, "--force")
    assert answer.returncode == 2 and "--yes" in answer.stderr
    assert erase_school(town, "--yes").returncode == 1
    assert town.everything() == before


def test_totals_are_right_however_often_it_was_killed(town):
    deliver(town)
    for _ in range(2):
        for i in range(60):
            town.provide({"userMasterIdentifier": eck(fresh("many"))})
    deliver(town)
    random.seed(7)
    for _ in range(12):
        interrupted(town, ["school", "erase", "--school", SCHOOL, "--yes"],
                    "", random.uniform(0, 0.02))
    assert erase_school(town, "--yes").returncode == 0
    assert school_keys(town, SCHOOL) == []
    assert totals(town) == {**EXPECTED, "book entitlements": 123}
