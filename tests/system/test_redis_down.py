"""Bad days of Redis: mirrored pupils go on, others are told at once, and
nobody gets a right that Redis, once it is back, doesn't know."""

import contextlib
import threading
import time

import pytest

from lib import names
from lib.edge import URL, Edge
from lib.http import Connection, at_once
from lib.names import right
from lib.process import eventually
from lib.redis import Redis
from lib.scripted import (INVALIDATE_ALL, INVALIDATE_ALL_ARRAY, LOADING,
                          NOAUTH, WRONGTYPE, Close, after, array,
                          half_then_close, half_then_silence, hash_reply,
                          invalidation, silence, unfinished)

SOON = 0.25         # seconds; the promise is 100 ms, the rest the machine's
BACK = 2.0


@contextlib.contextmanager
def warm_edge(redis, **kwargs):
    """An edge on a real Redis with pupils: warm, whose click is mirrored;
    cold, whose rights Redis has and the mirror hasn't; due, mirrored, who
    would have to be activated."""
    with Edge(redis=redis, **kwargs) as edge:
        edge.await_armed()
        edge.product("book")
        edge.warm = edge.person().grant("book")
        edge.cold = edge.person().grant("book")
        edge.due = edge.person().grant("book", "E")
        edge.settled(edge.warm)
        for person in (edge.due,):
            eventually("mirrored", lambda p=person: p.click().mirror == "HIT")
        yield edge


def assert_away(edge):
    """What is promised while Redis is away."""
    response = edge.warm.click()
    assert (response.status, response.outcome) == (302, "redirect")
    assert response.mirror in ("HIT", "STALE")
    assert response.location == f"{URL}book"
    assert response.seconds < SOON
    assert_unavailable(edge.cold.click())
    assert edge.click("/static").seconds < SOON


def assert_unavailable(response, soon=SOON):
    assert (response.status, response.outcome) == (503, "unavailable")
    assert 1 <= int(response.header("Retry-After")) <= 60
    assert response.location is None
    assert response.seconds < soon


def assert_back(edge, seconds=BACK):
    """Back to normal: fresh rights, mirrored anew, changes obeyed."""
    token = edge.cold.token()
    eventually("Redis is asked again", lambda: edge.click(
        "/go/book", token=token).outcome == "redirect", seconds)
    eventually("the mirror is trusted again", lambda: edge.click(
        "/go/book", token=token).mirror == "HIT", seconds)
    edge.cold.revoke("book")
    eventually("changes are obeyed again", lambda: edge.click(
        "/go/book", token=token).outcome == "no-right", 1)
    edge.cold.grant("book")


def test_killed_and_started_again(redis):
    with warm_edge(redis) as edge:
        redis.kill()
        for _ in range(20):
            assert_away(edge)
        redis.restart()
        assert_back(edge)


def test_killed_while_clicks_go_on(redis):
    """Not one click of a mirrored pupil fails, from before the kill until
    after the restart."""
    with warm_edge(redis) as edge:
        stop = threading.Event()
        token = edge.warm.token()

        def clicks(_):
            seen = []
            with Connection(edge.port) as connection:
                while not stop.is_set():
                    seen.append(connection.click("/go/book", token=token))
            return seen

        result = []
        thread = threading.Thread(
            target=lambda: result.extend(at_once(4, clicks)), daemon=True)
        thread.start()
        try:
            redis.kill()
            assert_unavailable(edge.cold.click())
            redis.restart()
            assert_back(edge)
        finally:
            stop.set()
            thread.join(20)
        responses = [r for part in result for r in part]
        assert len(responses) > 100
        assert {(r.status, r.outcome) for r in responses} \
            == {(302, "redirect")}
        assert max(r.seconds for r in responses) < SOON


def test_frozen(redis):
    with warm_edge(redis) as edge:
        redis.freeze()
        try:
            started = time.monotonic()
            while time.monotonic() - started < 3:
                assert_away(edge)
        finally:
            redis.thaw()
        assert_back(edge)


def test_frozen_keeps_no_click_for_longer_than_the_timeout(redis):
    """Nor the one that comes while an older question is given up."""
    with warm_edge(redis, timeout="200ms") as edge:
        redis.freeze()
        try:
            for _ in range(6):
                response = edge.cold.click()
                assert_unavailable(response, soon=0.4)
        finally:
            redis.thaw()
        assert_back(edge)


def test_worker_never_blocks_on_a_frozen_redis(redis):
    """While twenty clicks wait for Redis, another location answers at once."""
    with warm_edge(redis, timeout="500ms") as edge:
        people = [edge.person() for _ in range(20)]
        tokens = [person.token() for person in people]
        redis.freeze()
        try:
            thread = threading.Thread(target=lambda: at_once(
                20, lambda i: edge.click("/go/book", token=tokens[i])),
                daemon=True)
            thread.start()
            eventually("clicks wait", lambda: edge.waiting() > 5, 2)
            with Connection(edge.port) as connection:
                for _ in range(50):
                    assert connection.click("/static").seconds < 0.05
            thread.join(20)
        finally:
            redis.thaw()


def test_restarted_at_once(redis):
    with warm_edge(redis) as edge:
        for _ in range(3):
            redis.restart()
            assert edge.warm.click().outcome == "redirect"
            assert_back(edge)


def test_started_before_redis(redis):
    """nginx is there first; Redis comes later."""
    redis.kill()
    with Edge(redis=redis) as edge:
        response = edge.person().click()
        assert_unavailable(response)
        assert edge.click("/go/book").outcome == "login"
        assert edge.click("/go/-").outcome == "bad-request"
        redis.restart()
        edge.product("book")
        edge.cold = edge.person().grant("book")
        assert_back(edge)


def test_over_tcp(tmp_path):
    redis = Redis(tmp_path, tcp=True)
    try:
        redis.start()
        with warm_edge(redis, address=redis.tcp_address) as edge:
            redis.kill()
            assert_away(edge)
            redis.restart()
            assert_back(edge)
    finally:
        redis.destroy()


# ---- what stale use may and may not do

def test_stale_never_activates(redis):
    with warm_edge(redis) as edge:
        redis.kill()
        for _ in range(10):
            response = edge.due.click()
            # A mirrored hash may count as fresh until the loss is noticed.
            if response.status == 200:
                assert response.mirror == "HIT"
                continue
            assert_unavailable(response)
        assert_unavailable(edge.due.click())


def test_stale_answers_no_refusal_that_redis_might_not_share(redis):
    """A pupil who was mirrored without a right may have one by now."""
    with warm_edge(redis) as edge:
        person = edge.person()
        eventually("mirrored", lambda: person.click().mirror == "HIT")
        redis.kill()
        eventually("the loss is noticed",
                   lambda: edge.warm.click().mirror == "STALE", 1)
        assert_unavailable(person.click())


def test_stale_0_is_no_stale_use(redis):
    with warm_edge(redis, click={"stale": "0"}) as edge:
        redis.kill()
        eventually("nothing is answered from the mirror", lambda:
                   edge.warm.click().outcome == "unavailable", 1)
        assert_unavailable(edge.warm.click())
        redis.restart()
        assert_back(edge)


def test_stale_ends(redis):
    with warm_edge(redis, click={"mirror_time": "1s", "stale": "1s"}) as edge:
        redis.kill()
        assert edge.warm.click().outcome == "redirect"
        eventually("the time of stale use is over", lambda:
                   edge.warm.click().outcome == "unavailable", 4, 0.02)


def test_stale_use_survives_a_new_worker(redis):
    """nginx is reloaded while Redis is away: the mirror is still there."""
    with warm_edge(redis) as edge:
        redis.kill()
        edge.nginx.reload()
        assert_away(edge)
        edge.nginx.kill_worker(edge.nginx.worker_pids()[0])
        assert_away(edge)
        redis.restart()
        assert_back(edge)


def test_revoked_in_the_meantime_is_refused_afterwards(redis):
    """The right went while Redis was up elsewhere: nobody told the edge."""
    with warm_edge(redis) as edge:
        path = redis.path
        redis.kill()
        assert edge.warm.click().outcome == "redirect"
        # Redis is up where nginx can't see it, loses the right, comes back.
        redis.path = path + ".hidden"
        redis.restart()
        edge.warm.revoke("book")
        assert edge.warm.click().outcome == "redirect"
        redis.path = path
        redis.restart()
        token = edge.warm.token()
        eventually("the revocation is obeyed", lambda: edge.click(
            "/go/book", token=token).outcome == "no-right", BACK)
        for _ in range(20):
            assert edge.click("/go/book", token=token).outcome == "no-right"


def test_expired_token_is_not_stale_use(redis):
    with warm_edge(redis) as edge:
        redis.kill()
        now = int(time.time())
        assert edge.warm.click(token=edge.warm.token(
            iat=now - 900, exp=now - 300)).outcome == "login"
        assert edge.warm.click(token="x.y.z").outcome == "bad-token"


# ---- what only a scripted Redis says

@contextlib.contextmanager
def scripted_edge(scripted, **kwargs):
    """As warm_edge, on a Redis that answers by script."""
    with Edge(redis=scripted, **kwargs) as edge:
        scripted.await_links(1)
        scripted.data[names.product_hash("book")] = {"url": f"{URL}book"}
        edge.warm, edge.cold = edge.person(), edge.person()
        for person in (edge.warm, edge.cold):
            scripted.data[person.hash()] = {"book": right()}
        edge.settled(edge.warm)
        yield edge


REPLY = hash_reply({"book": right()})

BAD_DAYS = {
    "LOADING": LOADING,
    "NOAUTH": NOAUTH,
    "MASTERDOWN": b"-MASTERDOWN Link with MASTER is down\r\n",
    "BUSY": b"-BUSY Redis is busy running a script\r\n",
    "ERR": b"-ERR anything\r\n",
    "an error without end": unfinished(b"-" + b"E" * 70000),
    "half a reply, then silence": half_then_silence(REPLY),
    "half a reply, then the end": half_then_close(REPLY),
    "the end at once": half_then_close(b""),
    "silence": silence,
    "garbage": b"\x16\x03\x01\x02\x00garbage\r\n\r\n",
    "HTTP": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "a length that is none": b"*x\r\n",
    "a length without end": unfinished(b"*" + b"9" * 100),
    "a huge array": unfinished(b"*2147483647\r\n"),
    "a huge string": unfinished(b"*2\r\n$536870913\r\nx"),
    "a negative string": b"*2\r\n$-5\r\n",
    "deep arrays": unfinished(b"*1\r\n" * 1000),
    "a map of RESP3": b"%1\r\n$4\r\nbook\r\n$1\r\nL\r\n",
    "slow": after(0.6, REPLY),
}


@pytest.mark.parametrize("name", BAD_DAYS)
def test_bad_answer_to_every_question(scripted, name):
    with scripted_edge(scripted) as edge:
        scripted.answers["HGETALL"] = BAD_DAYS[name]
        for _ in range(3):
            assert_away(edge)
        del scripted.answers["HGETALL"]
        token = edge.cold.token()
        eventually("back", lambda: edge.click(
            "/go/book", token=token).outcome == "redirect", BACK + 0.6)


@pytest.mark.parametrize("name", [
    "LOADING", "NOAUTH", "silence", "garbage", "the end at once"])
def test_bad_answer_to_everything_from_the_start(scripted, name):
    """Redis is restarted into a bad day: connections are greeted with it."""
    with scripted_edge(scripted) as edge:
        scripted.answers["*"] = BAD_DAYS[name]
        scripted.cut()
        started = time.monotonic()
        while time.monotonic() - started < 1.2:
            assert_away(edge)
        del scripted.answers["*"]
        token = edge.cold.token()
        eventually("back", lambda: edge.click(
            "/go/book", token=token).outcome == "redirect", BACK)
        scripted.await_links(1)
        eventually("mirrored", lambda: edge.click(
            "/go/book", token=token).mirror == "HIT", BACK)


def test_answers_in_single_bytes(scripted):
    scripted.dribble = True
    with scripted_edge(scripted, timeout="2s") as edge:
        assert edge.cold.click().outcome == "redirect"
        edge.settled(edge.cold)
        del scripted.data[edge.cold.hash()]
        scripted.push(invalidation([edge.cold.hash()]))
        eventually("obeyed", lambda: edge.cold.click().outcome == "no-right",
                   2)


def test_slow_redis_is_slow_and_not_away(scripted):
    """Slower than usual, faster than the time-out."""
    with scripted_edge(scripted, timeout="1s") as edge:
        scripted.answers["HGETALL"] = lambda link, args: (
            time.sleep(0.03) or hash_reply(scripted.data.get(args[1], {})))
        assert edge.cold.click().outcome == "redirect"


def test_late_reply_is_not_somebody_elses(scripted):
    """A reply that comes after its time-out never answers another question:
    the person after it has no right."""
    with scripted_edge(scripted) as edge:
        late = edge.person()
        scripted.data[late.hash()] = {"book": right()}
        slow = late.hash()

        def answer(_link, args):
            if args[1] == slow:
                time.sleep(0.15)
            return hash_reply(scripted.data.get(args[1], {}))

        scripted.answers["HGETALL"] = answer
        for _ in range(5):
            strangers = [edge.person() for _ in range(4)]
            assert late.click().outcome in ("unavailable", "redirect")
            for response in at_once(4, lambda i: strangers[i].click()):
                assert response.outcome in ("no-right", "unavailable")
            scripted.push(invalidation([slow]))


def test_replies_of_a_wrong_type(scripted):
    with scripted_edge(scripted) as edge:
        for reply in (WRONGTYPE, b"+OK\r\n", b":1\r\n", b"$-1\r\n",
                      b"*-1\r\n", b"*1\r\n$4\r\nbook\r\n",
                      array(["book", "x", "odd"]), b"*2\r\n:1\r\n:2\r\n",
                      b"*2\r\n*0\r\n*0\r\n", b"*2\r\n$-1\r\n$-1\r\n"):
            person = edge.person()
            scripted.answers["HGETALL"] = lambda _link, args, r=reply: (
                r if args[1].startswith("u:")
                else hash_reply(scripted.data.get(args[1], {})))
            assert person.click().outcome in ("no-right", "unavailable")
            del scripted.answers["HGETALL"]
            eventually("back", lambda: edge.cold.click().outcome
                       == "redirect", BACK)


@pytest.mark.parametrize("message", [INVALIDATE_ALL, INVALIDATE_ALL_ARRAY],
                         ids=["nil", "nil array"])
def test_invalidation_of_everything(scripted, message):
    with scripted_edge(scripted) as edge:
        del scripted.data[edge.warm.hash()]
        scripted.push(message)
        eventually("obeyed", lambda: edge.warm.click().outcome == "no-right",
                   1, 0)
        # It is news, not an error: the link goes on.
        assert len([a for a in scripted.asked if "TRACKING" in a]) == 1


def test_stale_use_ends_with_flushall(redis):
    """What was known before it may not even be used as stale."""
    with warm_edge(redis) as edge:
        # somebody who shares no key with the others shows when it is heard
        edge.product("other")
        witness = edge.person(school="S9").grant("other")
        edge.settled(witness, "/go/other")
        redis("FLUSHALL")
        eventually("obeyed", lambda: witness.click("/go/other").outcome
                   == "unknown-product", 1)
        redis.kill()
        for _ in range(5):
            assert_unavailable(edge.warm.click())


def test_invalidation_of_a_megabyte(scripted):
    with scripted_edge(scripted) as edge:
        keys = [f"u:{{00}}:{'x' * 50}/{i:06d}" for i in range(16000)]
        message = invalidation([*keys, edge.warm.hash()])
        assert len(message) > 1_000_000
        del scripted.data[edge.warm.hash()]
        scripted.push(message)
        eventually("obeyed", lambda: edge.warm.click().outcome == "no-right",
                   2, 0)


@pytest.mark.parametrize("message", [
    b"*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n$3\r\nu:x\r\n",
    b"*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n*1\r\n:1\r\n",
    b"*2\r\n$7\r\nmessage\r\n*0\r\n", b"+OK\r\n", b"-ERR no\r\n", b"garbage",
    b"*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n*1\r\n$999999999",
    b"*0\r\n", b"*-1\r\n", b"$-1\r\n"])
def test_odd_message_never_leaves_a_stale_right(scripted, message):
    """Whether it is passed over or ends the link: a right that changes later
    is seen to change."""
    with scripted_edge(scripted) as edge:
        links = scripted.links()
        scripted.push(message)
        del scripted.data[edge.warm.hash()]
        for link in links:
            with contextlib.suppress(OSError):
                link.send(invalidation([edge.warm.hash()]))
        eventually("obeyed", lambda: edge.warm.click().outcome == "no-right",
                   5)


def test_tracking_refused_means_no_mirror(scripted):
    """A Redis user that may not track: every click asks, none is wrong."""
    def answer(_link, args):
        if args[1].upper() == "TRACKING":
            raise Close(b"-NOPERM this user has no permissions\r\n")
        return b":7\r\n" if args[1].upper() == "ID" else b"+OK\r\n"

    scripted.answers["CLIENT"] = answer
    with Edge(redis=scripted) as edge:
        scripted.data[names.product_hash("book")] = {"url": f"{URL}book"}
        person = edge.person()
        scripted.data[person.hash()] = {"book": right()}
        token = person.token()
        eventually("Redis is asked", lambda: edge.click(
            "/go/book", token=token).outcome == "redirect", BACK)
        for _ in range(3):
            assert edge.click("/go/book", token=token).mirror == "MISS"
        del scripted.data[person.hash()]
        assert edge.click("/go/book", token=token).outcome == "no-right"


# ---- who the edge is to Redis

def test_user_and_password(tmp_path):
    rules = ("edge on >secret resetkeys resetchannels -@all "
             "%R~u:* %R~s:* %R~a:* %R~p:* &__redis__:invalidate +auth +ping "
             "+get +hgetall +subscribe +client|id +client|tracking")
    redis = Redis(tmp_path, users=[rules])
    password = tmp_path / "password"
    password.touch(0o600)
    password.write_text("secret\n")
    try:
        redis.start()
        options = f"user=edge password_file={password}"
        with warm_edge(redis, redis_options=options) as edge:
            assert edge.warm.click().mirror == "HIT"
            names_ = {line.split(" user=")[1].split()[0] for line in redis(
                "CLIENT", "LIST").splitlines() if " user=edge" in line}
            assert names_ == {"edge"}
            redis("ACL", "SETUSER", "edge", "resetpass", ">changed")
            redis("CLIENT", "KILL", "USER", "edge")
            assert_away(edge)
            redis("ACL", "SETUSER", "edge", ">secret")
            assert_back(edge)
            assert "secret" not in edge.nginx.log()
    finally:
        redis.destroy()


def test_password_alone(tmp_path):
    redis = Redis(tmp_path, users=["default on >secret ~* &* +@all"])
    password = tmp_path / "password"
    password.touch(0o600)
    password.write_text("secret")
    plain = redis.client

    def client():
        connection = plain()
        connection("AUTH", "secret")
        return connection

    redis.client = client
    try:
        redis.start()
        with warm_edge(redis, redis_options=f"password_file={password}"
                       ) as edge:
            assert edge.warm.click().mirror == "HIT"
    finally:
        redis.destroy()


def test_no_storm_of_connections(scripted):
    """A Redis that hangs up at once is tried with growing pauses, and the log
    does not grow with the tries."""
    scripted.answers["*"] = half_then_close(b"")
    with Edge(redis=scripted, workers=2) as edge:
        started = time.monotonic()
        while time.monotonic() - started < 2.0:
            edge.person().click()
        assert scripted.accepted < 2 * 2 * 20
        assert len(edge.nginx.log().splitlines()) < 200
