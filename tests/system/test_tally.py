"""leerpoort-tally: each click is counted once, whoever dies in between."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import threading
import time

import pytest

from lib import names
from lib.nginx import BUILD
from lib.process import Process, eventually
from lib.redis import RedisError

PROGRAM = BUILD / "leerpoort-tally"
PRODUCER = "00112233445566aa"
NOW = 1788336000  # Wednesday 2026-09-02 10:00 in Amsterdam
WEEK = "2026-W36"
SCHOOL = "104A158"
SHARD = names.shard(SCHOOL)


def user(name):
    return names.user_key(b"pepper", "ECK", name)


def line(at=NOW, school=SCHOOL, product="book", who="-", entitlement="-"):
    return f"{at} {school} {product} {who} {entitlement}\n"


def add(redis, lines, n, producer=PRODUCER, shard=SHARD):
    return redis("XADD", f"usage:{{{shard}}}", "*", "p", producer, "n", n,
                 "b", lines)


def record(redis, name, shard=SHARD, **fields):
    """A licence in Redis; returns its id."""
    id_ = names.entitlement(name)
    given = {"type": "school-student", "status": "licensed",
             "product": "book", "school": SCHOOL, **fields}
    redis("HSET", f"e:{{{shard}}}:{id_}", *sum(given.items(), ()))
    return id_


def totals(redis, id_, shard=SHARD):
    return redis("HMGET", f"e:{{{shard}}}:{id_}", "first", "last", "count")


def read_hash(redis, key):
    flat = redis("HGETALL", key)
    return dict(zip(flat[::2], flat[1::2]))


def week(redis, school=SCHOOL, of=WEEK):
    return read_hash(redis, f"week:{{{names.shard(school)}}}:{school}:{of}")


def state(redis):
    return {name: int(n) for name, n in read_hash(redis,
                                                  "tally:state").items()}


def left(redis):
    """Entries in all streams, and those pending."""
    return sum(redis("XLEN", f"usage:{{{i:02d}}}") for i in range(64))


def argv(redis, *options):
    return [str(PROGRAM), "--redis", redis.address, *options]


def env():
    return {**os.environ, "LEERPOORT_NOW": str(NOW + 60)}


def once(redis, *options, code=0):
    run = subprocess.run(argv(redis, "--once", *options), env=env(),
                         capture_output=True, timeout=120, check=False)
    assert run.returncode == code, run.stderr.decode()
    return run.stderr.decode()


# --- what is counted ---------------------------------------------------------

def test_clicks_become_totals_of_entitlement_week_and_readers(redis):
    licence = record(redis, "licence")
    add(redis, line(NOW - 86400, who=user("a"), entitlement=licence)
        + line(who=user("a"), entitlement=licence)
        + line(who=user("b"), entitlement=licence)
        + line(product="atlas"), 0)
    add(redis, line(NOW - 7 * 86400, who=user("a")), 1)
    once(redis)

    assert totals(redis, licence) == ["20260901", "20260902", "3"]
    assert week(redis) == {"book": "3", "book|r": "2", "atlas": "1",
                           "atlas|r": "0"}
    assert week(redis, of="2026-W35") == {"book": "1", "book|r": "1"}
    assert redis("SMEMBERS", f"weeks:{{{SHARD}}}:{WEEK}") == [SCHOOL]
    assert state(redis) == {"entries": 2, "lines": 5}
    assert left(redis) == 0
    assert redis("XPENDING", f"usage:{{{SHARD}}}", "tally")[0] == 0


def test_totals_go_on_where_they_were(redis):
    licence = record(redis, "licence", first="20260101", last="20261231",
                     count=41)
    add(redis, line(entitlement=licence), 0)
    once(redis)
    assert totals(redis, licence) == ["20260101", "20261231", "42"]


def test_nothing_is_made_of_an_entitlement_that_is_not_there(redis):
    gone = names.entitlement("gone")
    add(redis, line(entitlement=gone), 0)
    once(redis)
    assert redis("EXISTS", f"e:{{{SHARD}}}:{gone}") == 0
    assert week(redis)["book"] == "1"


def test_a_private_licence_used_at_school_is_found_in_its_shard(redis):
    home = names.shard(user("a"))
    assert home != SHARD
    licence = record(redis, "private", shard=home)
    redis("HSET", f"x:{{{names.shard(licence[:3])}}}:{licence[:3]}",
          licence[3:], home)
    add(redis, line(who=user("a"), entitlement=licence), 0)
    once(redis)
    assert totals(redis, licence, home) == ["20260902", "20260902", "1"]


def test_an_open_right_has_the_uses_of_its_licences(redis):
    open_right = record(redis, "open", type="school-open", status="entitled")
    one = record(redis, "one", open=open_right)
    two = record(redis, "two", open=open_right)
    add(redis, line(entitlement=one) + line(entitlement=two)
        + line(NOW - 86400, entitlement=two), 0)
    once(redis)
    assert totals(redis, one) == ["20260902", "20260902", "1"]
    assert totals(redis, two) == ["20260901", "20260902", "2"]
    assert totals(redis, open_right) == ["20260901", "20260902", "3"]


def test_who_read_what_is_forgotten_and_how_many_is_kept(redis):
    add(redis, line(who=user("a")), 0)
    once(redis)
    day = 86400
    key = f"readers:{{{SHARD}}}:{SCHOOL}:{WEEK}:book"
    assert 59 * day < redis("TTL", key) <= 60 * day
    assert 799 * day < redis("TTL", f"week:{{{SHARD}}}:{SCHOOL}:{WEEK}")
    assert 39 * day < redis("TTL", f"seen:{{{SHARD}}}:{PRODUCER}:0") <= 40 * day
    redis("DEL", key)
    assert week(redis)["book|r"] == "1"


# --- once --------------------------------------------------------------------

def test_an_entry_that_comes_again_is_not_counted_again(redis):
    licence = record(redis, "licence")
    for _ in range(2):
        add(redis, line(who=user("a"), entitlement=licence), 7)
        add(redis, line(who=user("a"), entitlement=licence), 7)
        once(redis)
    assert totals(redis, licence)[2] == "1"
    assert week(redis) == {"book": "1", "book|r": "1"}
    assert state(redis) == {"entries": 1, "lines": 1, "repeated": 3}
    assert left(redis) == 0


def test_the_same_number_of_another_producer_is_another_entry(redis):
    add(redis, line(), 7)
    add(redis, line(), 7, producer="ffffffffffffffff")
    add(redis, line(), 8)
    once(redis)
    assert week(redis)["book"] == "3"


def test_an_absurd_sequence_costs_no_memory(redis):
    before = int(redis("INFO", "memory").split("used_memory:")[1].split()[0])
    for i in range(20):
        add(redis, line(), 2 ** 63 - 1 - i * 65536)
    once(redis)
    after = int(redis("INFO", "memory").split("used_memory:")[1].split()[0])
    assert week(redis)["book"] == "20"
    assert after - before < 1 << 20


def test_what_a_dead_one_of_another_name_had_is_taken_over(redis):
    redis("XGROUP", "CREATE", f"usage:{{{SHARD}}}", "tally", "0", "MKSTREAM")
    add(redis, line(), 0)
    redis("XREADGROUP", "GROUP", "tally", "dead", "STREAMS",
          f"usage:{{{SHARD}}}", ">")
    once(redis, "--name", "heir")
    assert week(redis)["book"] == "1"
    assert left(redis) == 0


def test_an_entry_that_was_taken_out_meanwhile_is_passed_over(redis):
    redis("XGROUP", "CREATE", f"usage:{{{SHARD}}}", "tally", "0", "MKSTREAM")
    gone = add(redis, line(), 0)
    redis("XREADGROUP", "GROUP", "tally", "me", "STREAMS",
          f"usage:{{{SHARD}}}", ">")
    redis("XDEL", f"usage:{{{SHARD}}}", gone)
    assert once(redis, "--name", "me") == ""
    assert redis("XPENDING", f"usage:{{{SHARD}}}", "tally")[0] == 0
    assert state(redis) == {}


def fill(redis, entries, lines=50):
    """Entries over several schools and producers; what they must come to."""
    chosen = random.Random(1)
    schools = [f"S{i}" for i in range(12)]
    licences = {school: record(redis, school, names.shard(school),
                               school=school) for school in schools}
    sums, sequence, commands = dict.fromkeys(schools, 0), {}, []
    for i in range(entries):
        school = chosen.choice(schools)
        producer = f"{i % 3:016x}"
        n = sequence.get((producer, school), -1) + 1
        sequence[producer, school] = n
        text = "".join(line(NOW - chosen.randrange(60), school, "book",
                            user(str(chosen.randrange(30))),
                            licences[school]) for _ in range(lines))
        sums[school] += lines
        # several schools may share a shard, and then their numbers clash
        commands.append(("XADD", f"usage:{{{names.shard(school)}}}", "*",
                         "p", f"{schools.index(school):08x}{i % 3:08x}",
                         "n", n, "b", text))
    for reply in redis.pipeline(commands):
        assert not isinstance(reply, RedisError)
    return sums, licences


def assert_counted(redis, sums, licences):
    for school, n in sums.items():
        assert week(redis, school)["book"] == str(n), school
        assert totals(redis, licences[school],
                      names.shard(school))[2] == str(n), school
        assert 25 <= int(week(redis, school)["book|r"]) <= 31
    assert state(redis)["lines"] == sum(sums.values())
    assert left(redis) == 0


def test_killed_at_any_moment_it_loses_and_doubles_nothing(redis, tmp_path):
    sums, licences = fill(redis, 3000)
    chosen = random.Random(2)
    deaths = 0
    for _ in range(25):
        tally = Process(argv(redis), tmp_path / "tally.log", env())
        try:
            time.sleep(0.005 + chosen.random() * 0.03)
            deaths += not tally.ended()
            tally.signal(signal.SIGKILL)
            assert tally.wait(10)
        finally:
            tally.destroy()
    assert deaths == 25
    once(redis)
    assert_counted(redis, sums, licences)


@pytest.mark.parametrize("name", ["same", "other"])
def test_two_side_by_side_count_each_click_once(redis, tmp_path, name):
    sums, licences = fill(redis, 1500)
    tallies = [Process(argv(redis, "--name", "same" if i == 0 else name),
                       tmp_path / f"tally{i}.log", env()) for i in range(2)]
    try:
        eventually("all is counted", lambda: left(redis) == 0, 60, 0.02)
        for tally in tallies:
            tally.signal(signal.SIGTERM)
        for tally in tallies:
            assert tally.wait(20)
    finally:
        for tally in tallies:
            tally.destroy()
    assert_counted(redis, sums, licences)
    for i in range(2):
        assert (tmp_path / f"tally{i}.log").read_text() == ""


def test_redis_may_die_in_between(redis, tmp_path):
    sums, licences = fill(redis, 1500)
    tally = Process(argv(redis), tmp_path / "tally.log", env())
    try:
        eventually("some is counted", lambda: left(redis) < 1500, 20)
        redis.kill()
        redis.start()
        eventually("all is counted", lambda: left(redis) == 0, 60, 0.02)
        tally.signal(signal.SIGTERM)
        assert tally.wait(20)
    finally:
        tally.destroy()
    assert_counted(redis, sums, licences)


def test_it_counts_while_it_runs_and_ends_when_told(redis, tmp_path):
    tally = Process(argv(redis), tmp_path / "tally.log", env())
    try:
        for n in range(3):
            add(redis, line(), n)
            eventually("it is counted",
                       lambda n=n: week(redis).get("book") == str(n + 1), 20)
        redis("FLUSHALL")
        add(redis, line(), 3)
        eventually("groups are made again",
                   lambda: week(redis).get("book") == "1", 20)
        tally.signal(signal.SIGTERM)
        assert tally.wait(20)
    finally:
        tally.destroy()


class Between:
    """A path to Redis on which something is done just before the first
    transaction is sent."""

    def __init__(self, folder, upstream, act):
        self.path, self._upstream, self._act = (
            str(folder / "between.sock"), upstream, act)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen(8)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client = self._listener.accept()[0]
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._upstream)
            for ends in ((client, server, True), (server, client, False)):
                threading.Thread(target=self._pass, args=ends,
                                 daemon=True).start()

    def _pass(self, source, target, upwards):
        while True:
            try:
                data = source.recv(1 << 16)
                if upwards and b"MULTI" in data and self._act:
                    act, self._act = self._act, None
                    act()
                target.sendall(data)
            except OSError:
                data = b""
            if not data:
                for end in (source, target):
                    with contextlib.suppress(OSError):
                        end.shutdown(socket.SHUT_RDWR)
                return

    def close(self):
        self._listener.close()


def test_a_record_that_is_erased_meanwhile_stays_erased(redis, tmp_path):
    gone, stays = record(redis, "gone"), record(redis, "stays")
    add(redis, line(entitlement=gone) + line(entitlement=stays), 0)
    erased = []

    def erase():
        client = redis.client()
        erased.append(client("DEL", f"e:{{{SHARD}}}:{gone}"))
        client.close()

    between = Between(tmp_path, redis.path, erase)
    try:
        run = subprocess.run(
            [PROGRAM, "--redis", f"unix:{between.path}", "--once"], env=env(),
            timeout=60, capture_output=True, check=False)
    finally:
        between.close()
    assert run.returncode == 0, run.stderr
    assert erased == [1]
    assert redis("EXISTS", f"e:{{{SHARD}}}:{gone}") == 0
    assert totals(redis, stays)[2] == "1"
    assert left(redis) == 0


# --- what it can't read ------------------------------------------------------

def test_what_cannot_be_read_is_counted_and_said_once(redis):
    for n in range(3):
        add(redis, "garbage\n" + line() + line(NOW + 200000)
            + line(946684800) + "1788336000 104A158 book", n)
        redis("XADD", f"usage:{{{SHARD}}}", "*", "any", "thing")
        add(redis, line(), -1)
    said = once(redis)
    assert said.count("\n") == 2
    assert "entry of usage" in said and "line in usage" in said
    assert "garbage" not in said
    assert state(redis) == {"entries": 3, "lines": 3, "unreadable_lines": 12,
                            "unreadable_entries": 6}
    assert week(redis)["book"] == "3"
    assert left(redis) == 0


@pytest.mark.parametrize("key", [
    f"seen:{{{SHARD}}}:{PRODUCER}:0", f"week:{{{SHARD}}}:{SCHOOL}:{WEEK}",
    f"readers:{{{SHARD}}}:{SCHOOL}:{WEEK}:book", "tally:state",
    f"e:{{{SHARD}}}:{names.entitlement('licence')}"])
def test_a_key_of_another_type_does_not_stop_it(redis, key):
    other = record(redis, "other")
    redis("DEL", key)
    redis("RPUSH", key, "x")
    add(redis, line(who=user("a"), entitlement=names.entitlement("licence")),
        0)
    add(redis, line(who=user("a"), entitlement=other), 1, "f" * 16)
    once(redis)
    assert left(redis) == 0
    assert totals(redis, other)[2] == "1"


def test_lines_without_school_count_for_their_entitlement_alone(redis):
    licence = record(redis, "private", shard="05")
    add(redis, line(school="-", entitlement=licence), 0, shard="05")
    once(redis)
    assert totals(redis, licence, "05")[2] == "1"
    assert state(redis) == {"entries": 1, "lines": 1, "without_school": 1}
    assert redis("KEYS", "week:*") == []


# --- Redis says no -----------------------------------------------------------

def test_once_without_redis_is_a_no(redis):
    redis.stop()
    assert "can't be reached" in once(redis, code=1)


def test_a_full_redis_is_waited_for(redis, tmp_path):
    licence = record(redis, "licence")
    add(redis, line(entitlement=licence), 0)
    redis("CONFIG", "SET", "maxmemory", "1")
    assert "OOM" in once(redis, code=1)
    assert totals(redis, licence) == [None, None, None]
    redis("CONFIG", "SET", "maxmemory", "0")
    once(redis)
    assert totals(redis, licence)[2] == "1"


def test_options_that_make_no_sense_are_refused():
    for options in (["--timeout", "1"], ["--name", ""], ["--name", "x" * 65],
                    ["--nonsense"], ["more"]):
        run = subprocess.run([PROGRAM, *options], capture_output=True,
                             timeout=20, check=False)
        assert run.returncode == 2, options
        assert run.stderr.startswith(b"leerpoort: ")
