"""nginx's workers come, go and run short: what they agreed on holds."""

import os
import resource
import signal
import time

import pytest

from lib.edge import Edge
from lib.process import alive, eventually
from lib.tokens import Issuer, make_key, replace

WITHIN = 1.5        # seconds until a JWKS file counts; promised is one


def one_issuer(folder):
    return [Issuer(folder, algs=["ES256"])]


def test_worker_without_descriptors_takes_no_slot_from_another():
    """A worker looks for dead ones in /proc. Where it can't open a file it
    can't tell, and must not bury those who live."""
    with Edge(workers=2, issuers=one_issuer) as edge:
        edge.await_armed()
        edge.product("book")
        token = edge.person().grant("book").token()
        workers = edge.to_each_worker()
        for connection in workers.values():
            eventually("mirrored", lambda c=connection: c.click(
                "/go/book", token=token).mirror == "HIT")
        pid = min(workers)
        soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, hard))
        try:
            # It looks once a second; and nothing says that it did.
            stop = time.monotonic() + 2.2
            while time.monotonic() < stop:
                assert [connection.click("/go/book", token=token).mirror
                        for connection in workers.values()] == ["HIT", "HIT"]
                time.sleep(0.01)
        finally:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
        for connection in workers.values():
            connection.close()


@pytest.mark.parametrize("file", ["good", "broken", "deleted"])
def test_key_that_is_gone_does_not_come_back_with_a_new_worker(file):
    """A worker begins with the keys that the master read at the start: the
    others have had newer ones since."""
    new = make_key("ES256", "new")

    def issuers(folder):
        issuer, = one_issuer(folder)
        issuer.write([*issuer.keys.values(), new])
        return [issuer]

    with Edge(issuers=issuers, timeout="2s") as edge:
        edge.await_armed()
        edge.product("book")
        person = edge.person().grant("book")
        gone, kept = person.token(), person.token(key=new)
        for token in (gone, kept):
            assert edge.click("/go/book", token=token).outcome == "redirect"
        edge.issuer.write([new])
        eventually("the key is gone", lambda: edge.click(
            "/go/book", token=gone).outcome == "bad-token", WITHIN, 0.02)
        if file != "good":
            if file == "broken":
                replace(edge.issuer.jwks, "{")
            else:
                edge.issuer.jwks.unlink()
            eventually("the log names the file", lambda:
                       edge.issuer.jwks.name in edge.nginx.log())
        struck = edge.nginx.worker_pids()[0]
        edge.nginx.strike(struck)

        # The first of these is the new worker's first click.
        tokens = [gone, person.token(jti="another")]
        for i in range(50):
            response = edge.click("/go/book", token=tokens[i % 2])
            assert response.outcome == "bad-token"
            assert response.worker != struck
        if file == "good":
            assert edge.click("/go/book", token=kept).outcome == "redirect"
        else:
            edge.issuer.write([new])
            eventually("the mended file counts", lambda: edge.click(
                "/go/book", token=kept).outcome == "redirect", WITHIN, 0.02)
        for token in tokens:
            assert edge.click("/go/book", token=token).outcome == "bad-token"


def test_worker_leaves_at_once_when_no_click_waits():
    """However long the time-out of a question is that was answered."""
    with Edge(timeout="5s") as edge:
        edge.await_armed()
        edge.product("book")
        assert edge.person().grant("book").click().mirror == "MISS"
        worker, = edge.nginx.worker_pids()
        os.kill(worker, signal.SIGQUIT)
        eventually("the worker has left", lambda: not alive(worker), 1)
        eventually("another has come", lambda: edge.nginx.worker_pids()
                   not in ([], [worker]))


def test_one_process_without_a_master():
    with Edge(master=False) as edge:
        edge.await_armed()
        edge.product("book")
        person = edge.person().grant("book")
        response = edge.settled(person)
        assert (response.outcome, response.worker) \
            == ("redirect", edge.nginx.pid)
        person.revoke("book")
        eventually("obeyed", lambda: person.click().outcome == "no-right", 1)


# ---- another configuration, the same shared memory

def reload(edge, block):
    edge.nginx.write(block)
    edge.nginx.reload()


def test_reload_with_issuers_in_another_order():
    """What is remembered of a token names its issuer by its place."""
    def issuers(folder):
        return [Issuer(folder, algs=["ES256"], users=[("eckid", "ECK")]),
                Issuer(folder, "portal", "https://portal.example",
                       algs=["ES256"], users=[("sub", "NEPPI")])]

    with Edge(issuers=issuers, timeout="2s") as edge:
        edge.await_armed()
        edge.product("book")
        edge.product("atlas")
        person = edge.person(sub=True)
        person.grant("book", claim="eckid").grant("atlas", claim="sub")
        tokens = [person.token(issuer=issuer) for issuer in edge.issuers]

        def outcomes(token):
            return [edge.click(f"/go/{product}", token=token).outcome
                    for product in ("book", "atlas")]

        first, second = ["redirect", "no-right"], ["no-right", "redirect"]
        assert [outcomes(token) for token in tokens] == [first, second]
        edge.issuers.reverse()
        reload(edge, edge.http_block())
        assert [outcomes(token) for token in tokens] == [first, second]
        edge.issuers.pop()
        reload(edge, edge.http_block())
        assert [outcomes(token) for token in tokens] \
            == [["bad-token"] * 2, second]


# name: (user claims and audiences before, after; outcome before, after)
CLAIMS = {
    "another claim": (
        ("user eckid ECK;", "other;"), ("user sub NEPPI;", "other;"),
        "redirect", "no-right"),
    "another id type": (
        ("user eckid ECK;", "other;"), ("user eckid NEPPI;", "other;"),
        "redirect", "no-right"),
    "one claim fewer": (
        ("user eckid ECK; user sub NEPPI;", "other;"),
        ("user sub NEPPI;", "other;"), "redirect", "no-right"),
    # the same words in the same order
    "a claim from audiences": (
        ("user sub NEPPI;", "other eckid ECK;"),
        ("user eckid ECK; user sub NEPPI;", "other;"),
        "no-right", "redirect"),
}


@pytest.mark.parametrize("name", CLAIMS)
def test_reload_with_other_claims(name):
    """A token that is remembered is judged by the configuration of now."""
    before, after, outcome_before, outcome_after = CLAIMS[name]

    def block(edge, claims):
        users, audiences = claims
        text = edge.http_block()
        for old, new in (("user eckid ECK; user sub NEPPI;", users),
                         ("other;", audiences)):
            assert text.count(old) == 1
            text = text.replace(old, new)
        return text

    with Edge(issuers=one_issuer, timeout="2s") as edge:
        edge.product("book")
        reload(edge, block(edge, before))
        person = edge.person(sub=True).grant("book", claim="eckid")
        token = person.token()
        for _ in range(3):
            assert edge.click("/go/book", token=token).outcome \
                == outcome_before
        reload(edge, block(edge, after))
        for _ in range(3):
            assert edge.click("/go/book", token=token).outcome \
                == outcome_after
