"""The connection that all clicks share: what happens to one question, or to
the connection while nobody asks, is not the others' loss."""

import threading

import pytest

from lib import names
from lib.edge import URL, Edge
from lib.names import right
from lib.process import eventually
from lib.scripted import array, bulk, hash_reply


def asking(redis):
    """The ids of the connections that don't listen; the test's own asks for
    the list."""
    found = set()
    for line in redis("CLIENT", "LIST").splitlines():
        fields = dict(part.partition("=")[::2] for part in line.split())
        if fields["sub"] == "0" and not fields["cmd"].startswith("client"):
            found.add(fields["id"])
    return found


def test_connections_that_redis_closes_when_idle_cost_nobody_a_click(redis):
    """A worker that needs no Redis for a while has no reason to think that
    it is away, however often its idle connection was closed."""
    with Edge(redis=redis) as edge:
        edge.await_armed()
        edge.product("book")
        edge.settled(edge.person().grant("book"))
        tokens = [edge.person().grant("book").token() for _ in range(2)]
        redis("CONFIG", "SET", "timeout", 1)
        # A cold click proves that Redis is there, so one comes at the end.
        for _ in range(2):
            open_ = eventually("it is connected", lambda: asking(redis))
            eventually("Redis has closed the connection", lambda:
                       not open_ & asking(redis), 10, 0.0005)
        for token in tokens:
            assert edge.click("/go/book", token=token).outcome == "redirect"
        redis("CONFIG", "SET", "timeout", 0)


def test_key_that_redis_forbids_fails_nobody_elses_click(redis, proxy):
    """Questions about keys that the user may not read stand between others
    on the same connection."""
    with Edge(redis=redis, address=proxy.address, timeout="2s") as edge:
        proxy.await_links(1)
        edge.product("book")
        edge.settled(edge.person().grant("book"))
        people = [edge.person(school=school).grant("book")
                  for school in ("S-closed", "S1") * 3]
        redis("ACL", "SETUSER", "default", "resetkeys", "~p:*", "~a:*",
              "~s:*", "~u:*:S1/*", "~u:*:/*")
        accepted = edge.metrics()["leerpoort_redis_connects_total"]
        assert click_together(edge, proxy, people) \
            == ["unavailable", "redirect"] * 3
        assert edge.metrics()["leerpoort_redis_connects_total"] == accepted
        redis("ACL", "SETUSER", "default", "allkeys")
        assert people[0].click().outcome == "redirect"


def click_together(edge, proxy, people):
    """The outcomes of a click of each, whose questions go out one after the
    other before the first reply comes in."""
    results = [None] * len(people)

    def click(i):
        results[i] = people[i].click().outcome

    proxy.hold("data")
    threads = []
    for i in range(len(people)):
        threads.append(threading.Thread(target=click, args=(i,), daemon=True))
        threads[i].start()
        eventually("it waits", lambda n=i + 1: edge.waiting() == n)
    proxy.release("data")
    for thread in threads:
        thread.join(10)
    return results


SHAPES = {
    "a number": b":1\r\n",
    "a word": b"+OK\r\n",
    "a text": bulk("L"),
    "half a pair": array(["book"]),
    "nested": b"*2\r\n*0\r\n*0\r\n",
    "an error": b"-ERR something\r\n",
}


@pytest.mark.parametrize("name", SHAPES)
def test_reply_of_a_wrong_shape_fails_nobody_elses_click(scripted, name):
    with Edge(redis=scripted, timeout="2s") as edge:
        scripted.await_links(1)
        scripted.data[names.product_hash("book")] = {"url": URL}
        people = [edge.person() for _ in range(4)]
        for person in people:
            scripted.data[person.hash()] = {"book": right()}
        edge.settled(people[0])
        odd, *others = people[1:]
        go = threading.Event()

        def answer(_link, args):
            if args[1] == odd.hash():
                go.wait(10)
                return SHAPES[name]
            return hash_reply(scripted.data.get(args[1], {}))

        scripted.answers["HGETALL"] = answer
        accepted = scripted.accepted
        results = {}
        threads = []
        for i, person in enumerate((odd, *others)):
            threads.append(threading.Thread(target=lambda p=person:
                                            results.update({p: p.click()}),
                                            daemon=True))
            threads[i].start()
            eventually("it waits", lambda n=i + 1: edge.waiting() == n)
        go.set()
        for thread in threads:
            thread.join(10)
        assert [results[person].outcome for person in others] \
            == ["redirect"] * 2
        assert results[odd].outcome in ("unavailable", "no-right")
        assert scripted.accepted == accepted
