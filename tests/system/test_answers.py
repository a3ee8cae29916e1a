"""What an answer says, and to whom: the way to the login, the log's advice."""

import time

import pytest

from lib import names
from lib.edge import Edge
from lib.process import eventually


@pytest.mark.parametrize("later", ["iat", "nbf"])
def test_expired_token_is_expired_whatever_else_it_says(edge, later):
    now = int(time.time())
    token = edge.person().token(**{later: now, "exp": now - 3600})
    assert edge.click("/go/book", token=token).outcome == "login"


@pytest.mark.parametrize("login, location", [
    ("leerpoort_login /login?r=$leerpoort_return;",
     "/login?r=https%3A%2F%2Ftoegang.example%2Fgo%2Fbook"),
    ("leerpoort_login https://login.example/;", "https://login.example/"),
    ("leerpoort_login off;", None),
    ('leerpoort_login "";', None),
    ("leerpoort_login $http_x_nothing;", None)])
def test_login_never_goes_by_the_host_header(login, location):
    with Edge(login=False, server=login) as edge:
        edge.product("book")
        response = edge.click("/go/book", host="evil.example")
        assert response.outcome == "login"
        assert response.location == location
        assert response.status == (302 if location else 401)
        if location is None:
            assert response.header("WWW-Authenticate") == "Bearer"


def log_of(edge):
    return edge.nginx.error_log.read_text(errors="replace")


def test_each_unreadable_record_is_named_once_and_nobody_with_it():
    with Edge() as edge:
        person = edge.person()
        for product in ("one", "two"):
            edge.product(product)
            person.grant(product, "rubbish")
        for _ in range(3):
            for product in ("one", "two"):
                assert person.click(f"/go/{product}").outcome == "no-right"
        for product in ("one", "two"):
            assert log_of(edge).count(f'product "{product}"') == 1
        assert person.key() not in log_of(edge)


def test_keys_of_a_wrong_type_are_logged_and_nobody_with_them():
    with Edge() as edge:
        edge.product("book")
        person = edge.person()
        edge.redis("SET", person.hash(), "not a hash")
        edge.redis("SET", names.product_hash("odd"), "not a hash")
        for _ in range(2):
            assert person.click("/go/book").outcome == "no-right"
            assert person.click("/go/odd").outcome == "unknown-product"
        log = log_of(edge)
        assert log.count("of a wrong type") == 2
        assert names.product_hash("odd") in log
        assert person.key() not in log


def test_unreadable_time_of_revocation_says_how_to_mend_it():
    with Edge() as edge:
        edge.product("book")
        person = edge.person().grant("book")
        edge.redis("HSET", person.hash(), "!", "zz")
        assert person.click("/go/book").outcome == "login"
        assert "leerpoort right revoke" in log_of(edge)


def loads(edge):
    page = edge.click("/metrics").body.decode()
    return f'leerpoort_jwks_loads_total{{result="ok"}} {edge.workers}\n' in page


def test_new_keys_are_announced_once():
    with Edge(workers=2, level="notice") as edge:
        edge.workers = 2
        edge.await_armed()
        text = edge.issuer.jwks.read_text()
        edge.issuer.jwks.write_text(text + " ")
        eventually("both workers have the keys", lambda: loads(edge), 5)
        assert log_of(edge).count("keys in it that may be used") == 1
