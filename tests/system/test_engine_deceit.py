"""Answers that could pass for less, or for more, than a browser makes of
them: what was redirected before an answer broke off, a login's long address,
what comes without a question."""


import pytest

from lib.bad_target import RIGHT, BadTarget
from test_engine import people, run, serve  # noqa: F401: people is a fixture

ELSEWHERE = (b"HTTP/1.1 302 Found\r\nContent-Length: 100\r\n"
             b"Location: https://u99.load.example/boek/1\r\n"
             b"Leerpoort-Outcome: redirect\r\n\r\n")


# --- an answer that is not whole -----------------------------------------------

def test_a_wrong_redirect_counts_though_its_body_broke_off(tmp_path, people):
    def script(visit):
        visit.request()
        visit.send(ELSEWHERE + b"ten bytes.")

    with BadTarget(script) as target:
        run(tmp_path, people, target.port).all_ended("wrong-redirect")


def test_a_wrong_redirect_counts_though_its_body_is_malformed(tmp_path,
                                                              people):
    head = ELSEWHERE.replace(b"Content-Length: 100",
                             b"Transfer-Encoding: chunked")
    with BadTarget(serve(head + b"no number\r\n")) as target:
        run(tmp_path, people, target.port).all_ended("wrong-redirect")


def test_a_wrong_redirect_counts_though_its_body_never_ends(tmp_path, people):
    with BadTarget(serve(ELSEWHERE)) as target:
        run(tmp_path, people, target.port,
            answer_s=1).all_ended("wrong-redirect")


def test_half_a_head_redirects_nobody(tmp_path, people):
    def script(visit):
        visit.request()
        visit.send(ELSEWHERE[:-4])

    with BadTarget(script) as target:
        run(tmp_path, people, target.port).all_ended("reset")


# --- a login's address -----------------------------------------------------------

@pytest.mark.parametrize("length", [900, 1100, 8000])
def test_a_login_may_be_as_long_as_single_sign_on_makes_it(tmp_path, people,
                                                           length):
    login = "https://login.example/sso?"
    answer = (f"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n"
              f"Location: {login}SAMLRequest={'x' * length}\r\n"
              "Leerpoort-Outcome: login\r\n\r\n").encode()
    with BadTarget(serve(answer)) as target:
        run(tmp_path, people, target.port, "--login", login,
            clicks={"no_token": 1}).all_ended("right")
