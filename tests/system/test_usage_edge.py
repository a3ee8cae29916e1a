"""Usage: every redirect is one line in Redis, counted once, whatever happens
to Redis, to nginx or to the disk; and what is missing is counted too."""

import collections
import contextlib
import os
import signal
import stat
import struct
import subprocess
import threading
import time

import pytest

from lib import http, names
from lib.edge import Edge
from lib.names import right
from lib.nginx import config_error, configuration_test, frame
from lib.process import alive, eventually, free_port
from lib.redis import RedisError
from lib.tokens import Issuer

LONG = 20           # seconds, for what takes one or two
HEAD = 32           # bytes of a spool file before its first record
RECORD = 32         # bytes of a record before its lines


class Usage:
    """What the streams hold: .lines, and .batches as {(producer, shard, n):
    lines}. A batch that is there twice must be the same one."""

    def __init__(self, redis):
        self.batches = {}
        for key in redis("KEYS", "usage:*"):
            if redis("TYPE", key) != "stream":
                continue
            for _, fields in redis("XRANGE", key, "-", "+"):
                entry = dict(zip(fields[::2], fields[1::2]))
                assert set(entry) == {"p", "n", "b"}
                assert len(entry["p"]) == 16
                assert set(entry["p"]) <= set("0123456789abcdef")
                assert len(entry["b"]) <= 4096
                assert entry["b"].endswith("\n")
                name = entry["p"], key[len("usage:{"):-1], int(entry["n"])
                lines = entry["b"].splitlines()
                assert self.batches.setdefault(name, lines) == lines
        self.lines = [tuple(line.split(" ")) for lines in
                      self.batches.values() for line in lines]

    def in_shard(self, shard):
        return [line for (_, s, _), lines in self.batches.items()
                for line in lines if s == shard]

    def assert_gapless(self):
        """Each producer counts from 0 in each shard."""
        numbers = collections.defaultdict(set)
        for producer, shard, n in self.batches:
            numbers[producer, shard].add(n)
        for found in numbers.values():
            assert found == set(range(len(found)))


def events(edge):
    """The counters of usage, by state."""
    start = 'leerpoort_usage_events_total{state="'
    return {name[len(start):-2]: int(value)
            for name, value in edge.metrics().items()
            if name.startswith(start)}


def gauge(edge, name):
    return edge.metrics()[f"leerpoort_usage_{name}"]


def await_usage(redis, n, seconds=LONG):
    """The usage, once there are n lines; none may follow."""
    def enough():
        try:
            usage = Usage(redis)
        except (OSError, RedisError):
            return None
        return usage if len(usage.lines) >= n else None
    usage = eventually(f"{n} lines of usage", enough, seconds, 0.02)
    assert len(usage.lines) == n
    usage.assert_gapless()
    return usage


def await_state(edge, state, n):
    eventually(f"{n} events are {state}",
               lambda: events(edge)[state] == n, LONG, 0.02)


@pytest.fixture
def spool(tmp_path):
    folder = tmp_path / "spool"
    folder.mkdir(0o700)
    return folder


@contextlib.contextmanager
def counting(redis, spool=None, size="1m", pupils=1, **kwargs):
    """An edge that counts usage, with mirrored pupils."""
    where = f" spool={spool} spool_size={size}" if spool else ""
    with Edge(redis=redis, http=f"leerpoort_usage on{where};",
              **kwargs) as edge:
        edge.await_armed()
        edge.product("book")
        edge.pupils = [edge.person(school=f"S{n}").grant("book")
                       for n in range(pupils)]
        edge.tokens = [pupil.token() for pupil in edge.pupils]
        yield edge


def click(edge, n, connection=None):
    """n redirects, of all pupils in turn."""
    for i in range(n):
        token = edge.tokens[i % len(edge.tokens)]
        answer = (connection or edge).click("/go/book", token=token)
        assert answer.status == 302


# ---- what a line says

def test_each_redirect_is_one_line_in_its_school_s_shard(redis):
    now = int(time.time())
    with counting(redis) as edge:
        edge.product("atlas")
        edge.product("song", url="https://publisher.example/song", free="1")
        pupil = edge.person(school="11ZZ").grant("book", right(name="order 1"))
        other = edge.person(school="22YY").grant("atlas", right(name="2"))
        both = edge.person(school="22YY", sub=True).grant(
            "atlas", right(name="3"), claim="sub")
        customer = edge.person(school="")
        redis("HSET", customer.private_hash(), "book", right(name="4"))

        expected = collections.Counter()

        def redirected(person, product, entitlement, times=1):
            for _ in range(times):
                answer = person.click(f"/go/{product}")
                assert answer.status == 302
            shard = names.shard(person.school or person.key())
            expected[shard, person.school or "-", product, person.key(),
                     entitlement] += times

        redirected(pupil, "book", names.entitlement("order 1"), 3)
        redirected(pupil, "song", "-")
        redirected(other, "atlas", names.entitlement("2"), 2)
        redirected(both, "atlas", names.entitlement("3"))
        redirected(customer, "book", names.entitlement("4"))

        usage = await_usage(redis, sum(expected.values()))
        found = collections.Counter()
        for (_, shard, _), lines in usage.batches.items():
            for line in lines:
                at, school, product, user, entitlement = line.split(" ")
                assert now <= int(at) <= int(time.time())
                found[shard, school, product, user, entitlement] += 1
        assert found == expected


def test_school_known_by_an_alias_is_counted_under_its_own_name(redis):
    def issuers(folder):
        return [Issuer(folder, schools=(("brin", "OIE_CODE"),))]
    with counting(redis, issuers=issuers) as edge:
        redis("SET", names.alias_key("OIE_CODE", "11ZZ"), "master-7")
        pupil = edge.person(school="master-7").grant("book")
        token = pupil.token(org=None, brin="11ZZ")
        for _ in range(2):
            assert pupil.click(token=token).status == 302
        usage = await_usage(redis, 2)
        assert {line[1] for line in usage.lines} == {"master-7"}
        assert len(usage.in_shard(names.shard("master-7"))) == 2


def test_what_is_no_redirect_of_a_get_is_not_counted(redis):
    with counting(redis) as edge:
        pupil = edge.pupils[0]
        assert pupil.click(method="HEAD").status == 302
        assert pupil.click("/go/atlas").status in (403, 404)
        assert edge.click("/go/book").outcome == "login"
        assert pupil.click(token="a.b.c").outcome == "bad-token"
        assert edge.click("/static").status == 200
        assert pupil.click().status == 302
        await_usage(redis, 1)
        assert events(edge)["produced"] == 1


def test_activated_click_is_counted_once_with_its_licence(redis):
    def activate(headers):
        redis.client()("HSET", names.user_hash(
            headers["X-School"], headers["X-User"]), headers["X-Product"],
            right("L", name="licence"))
        return {"X-Accel-Redirect": headers["X-Uri"]}

    with counting(redis, worker=activate) as edge:
        pupil = edge.person().grant("book", right("E", name="order"))
        assert pupil.click().status == 302
        usage = await_usage(redis, 1)
        assert usage.lines[0][4] == names.entitlement("licence")
        assert len(edge.worker.seen) == 1


def test_nothing_is_counted_unless_it_is_wanted(redis):
    for setting in ("", "leerpoort_usage off;"):
        with Edge(redis=redis, http=setting) as edge:
            edge.await_armed()
            edge.product("book")
            assert edge.person().grant("book").click().status == 302
            assert events(edge)["produced"] == 0
            assert redis.calls("xadd") == 0


# ---- how it gets to Redis

def test_many_clicks_of_one_school_fill_batches(redis):
    with counting(redis) as edge:
        edge.settled(edge.pupils[0])
        before = events(edge)["produced"]
        request = http.request("/go/book", token=edge.tokens[0], close=False)
        with http.Connection(edge.port) as connection:
            connection.send(request * 300)
            for _ in range(300):
                assert connection.read().status == 302
        usage = await_usage(redis, before + 300)
        sizes = [sum(len(line) + 1 for line in lines)
                 for lines in usage.batches.values()]
        assert max(sizes) > 4096 - 250


def test_clicks_of_many_schools(redis):
    with counting(redis, workers=2, pupils=30) as edge:
        for connection in edge.to_each_worker().values():
            click(edge, 600, connection)
            connection.close()
        usage = await_usage(redis, 1200)
        assert len({producer for producer, _, _ in usage.batches}) == 2
        assert len(usage.batches) < 600
        schools = collections.Counter(line[1] for line in usage.lines)
        assert set(schools.values()) == {40}
        for n in range(30):
            assert len(usage.in_shard(names.shard(f"S{n}"))) >= 40
        assert events(edge) == {"produced": 1200, "stored": 1200,
                                "spooled": 0, "dropped": 0, "lost": 0}
        await_quiet(edge)


def await_quiet(edge):
    eventually("nothing waits", lambda: not any(
        gauge(edge, name) for name in (
            "waiting_events", "waiting_batches", "spool_bytes")), LONG)


def test_one_line_reaches_redis_within_a_moment(redis):
    with counting(redis) as edge:
        click(edge, 1)
        await_usage(redis, 1, seconds=2)


# ---- bad days of Redis

def test_killed_and_started_again_while_clicks_go_on(redis, spool):
    with counting(redis, spool, workers=2, pupils=4) as edge:
        click(edge, 40)
        stop = threading.Event()
        clicks = []

        def go_on(_):
            n = 0
            while not stop.is_set():
                token = edge.tokens[n % 4]
                n += edge.click("/go/book", token=token).status == 302
            return n

        for pid, connection in edge.to_each_worker().items():
            for token in edge.tokens:
                eventually("mirrored", lambda t=token, c=connection: (
                    clicks.append(1) or c.click(
                        "/go/book", token=t).mirror == "HIT"))
            connection.close()
        thread = threading.Thread(
            target=lambda: clicks.extend(http.at_once(2, go_on)))
        thread.start()
        try:
            redis.kill()
            eventually("the spool is used",
                       lambda: list(spool.iterdir()), LONG)
            redis.restart()
            eventually("the spool is empty again",
                       lambda: not list(spool.iterdir()), LONG)
        finally:
            stop.set()
            thread.join(LONG)
        total = 40 + sum(clicks)
        await_usage(redis, total)
        counted = events(edge)
        assert counted["spooled"] > 0
        assert counted["produced"] == total
        assert counted["dropped"] == counted["lost"] == 0
        await_state(edge, "stored", total)


def test_frozen(redis, spool):
    """What was sent and not answered may be there: it is sent again under
    its number."""
    with counting(redis, spool, pupils=3) as edge:
        click(edge, 6)
        await_state(edge, "stored", 6)
        redis.freeze()
        try:
            click(edge, 30)
            await_state(edge, "spooled", 30)
        finally:
            redis.thaw()
        await_usage(redis, 36)
        await_state(edge, "stored", 36)
        eventually("the file is gone", lambda: not list(spool.iterdir()))


REFUSALS = {
    "OOM": (("CONFIG", "SET", "maxmemory", 1),
            ("CONFIG", "SET", "maxmemory", 0)),
    "READONLY": (("REPLICAOF", "127.0.0.1", 1), ("REPLICAOF", "NO", "ONE")),
    "NOPERM": (("ACL", "SETUSER", "default", "-xadd"),
               ("ACL", "SETUSER", "default", "+xadd")),
}


@pytest.mark.parametrize("word", REFUSALS)
@pytest.mark.parametrize("spooled", [True, False])
def test_refused_by_redis(redis, spool, word, spooled):
    """Without a spool it waits in memory."""
    refuse, agree = REFUSALS[word]
    with counting(redis, spool if spooled else None, pupils=3) as edge:
        click(edge, 6)
        await_state(edge, "stored", 6)
        redis(*refuse)
        click(edge, 12)
        if spooled:
            await_state(edge, "spooled", 12)
        else:
            eventually("the error is said",
                       lambda: f'the error "{word}"' in edge.nginx.log())
            assert gauge(edge, "waiting_events") == 12
        click(edge, 3)
        assert len(Usage(redis).lines) == 6
        redis(*agree)
        await_usage(redis, 21)
        await_state(edge, "stored", 21)
        await_quiet(edge)
        assert edge.nginx.log().count(f'the error "{word}"') == 1


def test_key_of_a_wrong_type_holds_up_no_other_shard(redis, spool):
    with counting(redis, spool, pupils=2) as edge:
        assert names.shard("S0") != names.shard("S1")
        redis("SET", f"usage:{{{names.shard('S0')}}}", "what is this")
        click(edge, 10)
        await_state(edge, "dropped", 5)
        await_usage(redis, 5)
        await_state(edge, "stored", 5)


def test_stale_answers_are_counted(redis, spool):
    with counting(redis, spool, click={"mirror_time": "1s"}) as edge:
        edge.settled(edge.pupils[0])
        before = events(edge)["produced"]
        redis.kill()
        eventually("a stale answer", lambda: edge.click(
            "/go/book", token=edge.tokens[0]).mirror == "STALE", LONG)
        produced = events(edge)["produced"]
        assert produced > before
        redis.restart()
        await_usage(redis, produced)


# ---- the spool

def test_spool_is_private(redis, spool):
    with counting(redis, spool) as edge:
        edge.settled(edge.pupils[0])
        redis.kill()
        click(edge, 5)
        [file] = eventually("a file", lambda: list(spool.iterdir()), LONG)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        redis.restart()
        eventually("the file is gone", lambda: not list(spool.iterdir()), LONG)


def test_spool_that_is_full_drops_and_counts(redis, spool):
    """Everything is stored, or counted as dropped. The memory must be full as
    well, so the events are large."""
    school = "S" * 64
    product = "p" * 64
    with counting(redis, spool, size="256k") as edge:
        edge.product(product)
        pupil = edge.person(school=school).grant(product)
        edge.settled(pupil, f"/go/{product}")
        first = events(edge)["produced"]
        await_usage(redis, first)
        redis.kill()
        token = pupil.token()

        def some(_):
            with http.Connection(edge.port) as connection:
                request = http.request(f"/go/{product}", token=token,
                                       close=False)
                for _ in range(250):
                    connection.send(request * 50)
                    for _ in range(50):
                        assert connection.read().status == 302
                return 250 * 50

        total = first + sum(http.at_once(4, some))
        eventually("what can't be kept is dropped",
                   lambda: events(edge)["dropped"] > 0, LONG)
        assert sum(f.stat().st_size for f in spool.iterdir()) <= 256 * 1024
        eventually("only memory and spool hold events", lambda: (
            lambda e: e["produced"] == total and total == e["stored"]
            + e["spooled"] + e["dropped"] + gauge(edge, "waiting_events"))(
                events(edge)), LONG)
        redis.restart()
        eventually("the rest is stored", lambda: (
            lambda e: e["stored"] + e["dropped"] == total)(events(edge)), LONG)
        assert len(Usage(redis).lines) == events(edge)["stored"]
        await_quiet(edge)
        assert "usage is dropped" in edge.nginx.log()


@pytest.fixture
def small_disk(spool):
    """The spool on a disk of its own, with room for two pages."""
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=0700",
                           "tmpfs", str(spool)], capture_output=True)
    if done.returncode != 0:
        pytest.skip("no file system can be mounted here")
    try:
        (spool / "filler").write_bytes(bytes(14 * 4096))
        yield spool
    finally:
        subprocess.run(["umount", "-l", str(spool)], check=True)


def test_disk_that_is_full_keeps_the_rest_in_memory(redis, small_disk):
    """A record that the disk took half of is none, and nothing is lost."""
    with counting(redis, small_disk, pupils=40) as edge:
        for i in range(40):
            edge.settled(edge.pupils[i])
        first = events(edge)["produced"]
        await_usage(redis, first)
        redis.kill()
        for _ in range(4):          # some 40 batches each, of 100 bytes
            before = gauge(edge, "waiting_batches") + events(edge)["spooled"]
            with http.Connection(edge.port) as connection:
                click(edge, 120, connection)
            eventually("they are batches", lambda: gauge(
                edge, "waiting_batches") + events(edge)["spooled"] > before,
                LONG)
        eventually("the disk is full",
                   lambda: "can't be written" in edge.nginx.log(), LONG)
        eventually("only memory and spool hold events", lambda: (
            lambda e: e["produced"] == e["stored"] + e["spooled"]
            + gauge(edge, "waiting_events"))(events(edge)), LONG)
        assert events(edge)["spooled"] > 0 and gauge(edge, "waiting_events")
        redis.restart()
        await_usage(redis, first + 480)
        found = events(edge)
        assert found["dropped"] == found["lost"] == 0
        eventually("the file is gone", lambda: [
            f.name for f in small_disk.iterdir()] == ["filler"], LONG)
        assert "are not whole" not in edge.nginx.log()


def abandoned(redis, spool, tmp_path, clicks=(3, 4, 5)):
    """The spool file of a worker that was killed, with a record for each of
    clicks, and those events."""
    with counting(redis, spool) as edge:
        edge.settled(edge.pupils[0])
        await_usage(redis, events(edge)["produced"])
        before = len(Usage(redis).lines)
        redis.kill()
        total = 0
        for n in clicks:
            click(edge, n)
            total += n
            await_state(edge, "spooled", total)
        [pid] = edge.nginx.worker_pids()
        [file] = spool.iterdir()
        kept = tmp_path / "kept"
        kept.write_bytes(file.read_bytes())
        name = file.name
        # nobody adopts what is kept here
        file.unlink()
        edge.nginx.kill_worker(pid)
    kept.chmod(0o600)
    redis.restart()
    return kept, name, before


def records(data):
    """Where each record begins, and the end."""
    at = HEAD
    while at < len(data):
        yield at
        at += RECORD + struct.unpack_from("I", data, at + 24)[0]
    yield at


@pytest.mark.parametrize("damage,kept_events", [
    ("none", 12), ("cut in the last record's head", 7),
    ("cut in the last record's lines", 7), ("a changed byte", 7),
    ("zeros behind", 12), ("only a header", 0), ("half a header", 0),
    ("nothing", 0), ("the first was sent", 9), ("nonsense progress", 12)])
def test_torn_spool_is_cut_and_the_rest_is_sent(redis, spool, tmp_path,
                                                damage, kept_events):
    file, name, before = abandoned(redis, spool, tmp_path)
    data = bytearray(file.read_bytes())
    starts = list(records(data))
    assert len(starts) == 4 and starts[-1] == len(data)
    if damage.startswith("cut"):
        data = data[:starts[2] + (10 if "head" in damage else RECORD + 10)]
    elif damage == "a changed byte":
        data[starts[2] + RECORD + 5] ^= 1
    elif damage == "zeros behind":
        data += bytes(4096)
    elif damage == "only a header":
        data = data[:HEAD]
    elif damage == "half a header":
        data = data[:HEAD // 2]
    elif damage == "nothing":
        data = b""
    elif damage == "the first was sent":
        data[24:32] = struct.pack("Q", starts[1])
    elif damage == "nonsense progress":
        data[24:32] = b"\xff" * 8
    file.write_bytes(data)
    file.rename(spool / name)
    with counting(redis, spool) as edge:
        eventually("the file is gone", lambda: not list(spool.iterdir()), LONG)
        usage = Usage(redis)
        assert len(usage.lines) == before + kept_events
        assert events(edge)["stored"] == kept_events
        assert ("are not whole" in edge.nginx.log()) == (
            damage.startswith(("cut", "a ch", "zeros")))


def test_spool_leaves_alone_what_is_not_its_own(redis, spool, tmp_path):
    """Links, foreign files and those that others may read."""
    outside = tmp_path / "outside"
    outside.write_bytes(b"LPUSAGE1" + bytes(100))
    outside.chmod(0o600)
    (spool / f"{'a' * 16}.usage").symlink_to(outside)
    (spool / f"{'b' * 16}.usage").write_bytes(b"x" * 200)
    (spool / f"{'b' * 16}.usage").chmod(0o600)
    (spool / f"{'c' * 16}.usage").write_bytes(b"LPUSAGE1" + bytes(100))
    (spool / f"{'c' * 16}.usage").chmod(0o644)
    (spool / f"{'d' * 16}.usage").mkdir()
    os.mkfifo(spool / f"{'e' * 16}.usage", 0o600)
    (spool / "readme").write_text("what is this?")
    before = {path.name for path in spool.iterdir()}
    with counting(redis, spool) as edge:
        redis.kill()
        redis.restart()
        edge.settled(edge.pupils[0])
        n = events(edge)["produced"]
        await_state(edge, "stored", n)
        await_usage(redis, n)
        assert {path.name for path in spool.iterdir()} >= before
        assert outside.read_bytes() == b"LPUSAGE1" + bytes(100)


# ---- workers that go

def test_reload_under_load_loses_and_doubles_nothing(redis, spool):
    with counting(redis, spool, workers=2, pupils=5) as edge:
        stop = threading.Event()

        def go_on(_):
            n = 0
            while not stop.is_set():
                n += edge.click("/go/book",
                                token=edge.tokens[n % 5]).status == 302
            return n

        result = []
        thread = threading.Thread(
            target=lambda: result.extend(http.at_once(3, go_on)))
        thread.start()
        try:
            for _ in range(3):
                edge.nginx.reload()
        finally:
            stop.set()
            thread.join(LONG)
        usage = await_usage(redis, sum(result))
        assert len({producer for producer, _, _ in usage.batches}) > 2
        await_state(edge, "stored", sum(result))
        assert events(edge)["lost"] == events(edge)["dropped"] == 0


def test_reload_while_redis_is_away_hands_the_spool_on(redis, spool):
    with counting(redis, spool, workers=2) as edge:
        edge.settled(edge.pupils[0])
        for connection in edge.to_each_worker().values():
            click(edge, 1, connection)
            connection.close()
        first = events(edge)["produced"]
        await_state(edge, "stored", first)
        old = edge.nginx.worker_pids()
        redis.kill()
        click(edge, 10)
        edge.nginx.reload()
        eventually("old workers are gone",
                   lambda: not any(map(alive, old)), LONG)
        redis.restart()
        await_usage(redis, first + 10)
        eventually("the files are gone", lambda: not list(spool.iterdir()),
                   LONG)


def test_nginx_that_stops_while_redis_is_away(redis, spool):
    """What the last worker left is sent by the next nginx."""
    with counting(redis, spool) as edge:
        edge.settled(edge.pupils[0])
        first = events(edge)["produced"]
        await_usage(redis, first)
        redis.kill()
        click(edge, 7)
    assert len(list(spool.iterdir())) == 1
    redis.restart()
    with counting(redis, spool):
        await_usage(redis, first + 7)
        eventually("the file is gone", lambda: not list(spool.iterdir()), LONG)


@pytest.mark.parametrize("spooled", [True, False])
def test_last_clicks_before_the_end_are_stored(redis, spool, spooled):
    """Redis' replies are waited for: nothing is spooled or dropped."""
    with counting(redis, spool if spooled else None, pupils=5) as edge:
        click(edge, 9)
        edge.nginx.stop()
        assert "usage is dropped" not in edge.nginx.log()
    assert len(Usage(redis).lines) == 9
    assert not list(spool.iterdir())


def test_worker_killed_with_events_in_memory_is_counted(redis):
    with counting(redis, workers=2) as edge:
        there = edge.to_each_worker()
        (killed, mine), (_, others) = there.items()
        for connection in there.values():
            eventually("mirrored", lambda c=connection: c.click(
                "/go/book", token=edge.tokens[0]).mirror == "HIT")
        first = events(edge)["produced"]
        await_state(edge, "stored", first)
        redis.kill()
        click(edge, 10, mine)
        click(edge, 5, others)
        edge.nginx.kill_worker(killed)
        await_state(edge, "lost", 10)
        redis.restart()
        await_usage(redis, first + 5)
        for connection in edge.to_each_worker().values():
            click(edge, 2, connection)
            connection.close()
        await_usage(redis, first + 9)
        assert events(edge)["produced"] == first + 19
        mine.close()
        others.close()


def test_worker_killed_leaves_its_spool_to_the_others(redis, spool):
    with counting(redis, spool, workers=2) as edge:
        there = edge.to_each_worker()
        for connection in there.values():
            eventually("mirrored", lambda c=connection: c.click(
                "/go/book", token=edge.tokens[0]).mirror == "HIT")
        first = events(edge)["produced"]
        await_state(edge, "stored", first)
        redis.kill()
        for connection in there.values():
            click(edge, 10, connection)
        await_state(edge, "spooled", 20)
        for pid, connection in there.items():
            connection.close()
            edge.nginx.kill_worker(pid)
        redis.restart()
        await_usage(redis, first + 20)
        await_state(edge, "stored", first + 20)
        assert events(edge)["lost"] == 0
        eventually("the files are gone", lambda: not list(spool.iterdir()),
                   LONG)
        await_quiet(edge)


def test_killed_at_any_moment_never_more_is_missing_than_counted(redis,
                                                                 spool):
    with counting(redis, spool, workers=2, pupils=3) as edge:
        total = 0
        for round_ in range(4):
            for pid, connection in edge.to_each_worker().items():
                click(edge, 20 + round_, connection)
                total += 20 + round_
                connection.close()
            edge.nginx.kill_worker(edge.nginx.worker_pids()[0])
        eventually("all is settled", lambda: (
            lambda e: e["stored"] + e["lost"] >= total
            and not gauge(edge, "waiting_events"))(events(edge)), LONG)
        usage = Usage(redis)
        counted = events(edge)
        assert counted["produced"] == total
        assert total - counted["lost"] <= len(usage.lines) <= total
        assert counted["dropped"] == 0


def test_frozen_worker_keeps_its_file(redis, spool):
    """A worker that stands still is not dead: nobody takes its file."""
    with counting(redis, spool, workers=2) as edge:
        there = edge.to_each_worker()
        (pid, mine), (_, others) = there.items()
        for connection in there.values():
            eventually("mirrored", lambda c=connection: c.click(
                "/go/book", token=edge.tokens[0]).mirror == "HIT")
        first = events(edge)["produced"]
        await_state(edge, "stored", first)
        redis.kill()
        click(edge, 10, mine)
        await_state(edge, "spooled", 10)
        os.kill(pid, signal.SIGSTOP)
        try:
            redis.restart()
            click(edge, 5, others)
            eventually("the others' are stored",
                       lambda: len(Usage(redis).lines) >= first + 5, LONG)
            assert len(list(spool.iterdir())) == 1
        finally:
            os.kill(pid, signal.SIGCONT)
        await_usage(redis, first + 15)
        for connection in there.values():
            connection.close()


# ---- the directive

def http_block(folder, usage):
    return f"""
    {usage}
    server {{ listen 127.0.0.1:{free_port()}; }}"""


@pytest.mark.parametrize("usage,reason", [
    ("on spool={folder}/none", "can't be used"),
    ("on spool={folder}/file", "is no folder"),
    ("on spool={folder}/shared", "may be written by others"),
    ("on spool={folder}/foreign", "is not the workers' own"),
    ("on spool={folder}/spool spool_size=1k", "it takes 256k or more"),
    ("on spool={folder}/spool spool_size=much", "it takes 256k or more"),
    ("on spoon={folder}/spool", "unknown parameter"),
    ("maybe", 'takes "on" or "off"'),
    ("on; leerpoort_usage on", "is duplicate"),
    ("on a b c", "invalid number of arguments"),
])
def test_a_mistake_is_one_clear_line(tmp_path, spool, usage, reason):
    (tmp_path / "file").touch()
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o777)
    (tmp_path / "foreign").mkdir()
    text = frame(tmp_path, http_block(
        tmp_path, f"leerpoort_usage {usage.format(folder=tmp_path)};"))
    if "foreign" in usage:
        if os.geteuid() != 0:
            pytest.skip("only root has a folder of somebody else")
        text = text.replace("user root;", "user nobody nogroup;")
    line = config_error(tmp_path, text)
    assert reason in line
    assert f"{tmp_path}/nginx.conf:" in line


@pytest.mark.parametrize("usage", [
    "off", "on", "off spool=/not/there", "on spool={folder}/spool",
    "on spool=spool spool_size=256k", "on spool_size=2g"])
def test_good_settings(tmp_path, spool, usage):
    text = frame(tmp_path, http_block(
        tmp_path, f"leerpoort_usage {usage.format(folder=tmp_path)};"))
    code, said = configuration_test(tmp_path, text)
    assert code == 0, said
