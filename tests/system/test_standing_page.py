"""leerpoort_page: the page where something behind the edge is gone."""

import json
import re

import pytest

from lib import nginx
from lib.edge import Edge
from lib.http import Connection, request

GONE = """
        location /sso/ {
            fastcgi_pass unix:/nonexistent/sso.sock;
            error_page 502 504 = @gone;
        }
        location = / {
            fastcgi_pass unix:/nonexistent/worker.sock;
            error_page 502 504 = @gone;
        }
        location @gone { leerpoort_page unavailable; }
        location = /full { leerpoort_page busy; }
"""


@pytest.fixture(scope="module")
def edge():
    with Edge(server=GONE, allow=["No such file or directory"]) as edge:
        yield edge


def test_who_finds_it_gone_reads_so_and_comes_back(edge):
    target = "/sso/login?return=%2Fgo%2Fbook"
    response = edge.click(target, headers=[("Accept-Language", "en")])
    assert response.status == 503
    assert b"It does not work right now" in response.body
    assert response.header("Content-Type") == "text/html; charset=utf-8"
    assert response.header("Cache-Control") == "no-store"
    assert response.header("Referrer-Policy") == "no-referrer"
    assert "default-src 'none'" in response.header("Content-Security-Policy")
    code = response.header("Leerpoort-Code")
    assert code.encode() in response.body
    seconds = response.header("Retry-After")
    assert response.header("Refresh") == f"{seconds}; url={target}"
    assert response.outcome == "unavailable"

    other = edge.click("/full").body.decode()
    assert "Het is nu erg druk" in other or "druk" in other


def test_a_machine_reads_edu_v_s_form(edge):
    response = edge.click("/sso/login", headers=[("Accept",
                                                  "application/json")])
    assert response.status == 503
    assert response.header("Content-Type") == "application/json"
    assert set(json.loads(response.body)) >= {"status", "statusMessage"}


def test_a_form_is_not_sent_again_by_itself(edge):
    body = b"id_token=secret" * 100
    with Connection(edge.port) as connection:
        for _ in range(2):  # and the connection goes on
            connection.send(request(
                "/sso/backchannel", method="POST", close=False,
                headers=[("Content-Length", str(len(body)))]) + body)
            response = connection.read("POST")
            assert response.status == 503
            assert response.header("Refresh") is None
            assert b"secret" not in response.body
    with Connection(edge.port) as connection:
        connection.send(request("/full", method="HEAD"))
        response = connection.read("HEAD")
        assert (response.status, response.body) == (503, b"")


@pytest.mark.parametrize("target", [
    "//evil.example/..", "/\\evil.example/..", "///"])
def test_no_link_leads_to_another_site(edge, target):
    """nginx makes "/" of all of these; a browser does not."""
    response = edge.click(target)
    assert response.status == 503
    assert response.header("Refresh") is None
    assert b"evil" not in response.body
    assert not re.search(rb'href="[/\\]{2}', response.body)


@pytest.mark.parametrize("value, complaint", [
    ("", "invalid number of arguments"), ("redirect", "there is no page"),
    ("Busy", "there is no page"), ("nothing", "there is no page"),
    ("busy; leerpoort_page busy", "is duplicate"),
])
def test_wrong_configurations_are_refused(tmp_path, value, complaint):
    text = nginx.frame(tmp_path, f"server {{ location / {{ leerpoort_page "
                                 f"{value}; }} }}")
    assert complaint in nginx.config_error(tmp_path, text)
