"""Answers that could pass for less, or for more, than a browser makes of
them: what was redirected before an answer broke off, a login's long address,
what comes without a question."""


import ssl
import subprocess

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


# --- bytes without a question ------------------------------------------------------

class TlsVisit:
    """A server's side of TLS that can put several records into one packet."""

    def __init__(self, visit, context):
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_side=True)
        self._socket = visit._connection
        self._until(self._tls.do_handshake)

    def _until(self, work):
        while True:
            try:
                result = work()
                self.flush()
                return result
            except ssl.SSLWantReadError:
                self.flush()
                more = self._socket.recv(65536)
                if not more:
                    raise OSError("closed") from None
                self._in.write(more)

    def request(self):
        got = b""
        while b"\r\n\r\n" not in got:
            got += self._until(lambda: self._tls.read(65536))
        return got

    def record(self, answer):
        self._tls.write(answer)

    def flush(self):
        self._socket.sendall(self._out.read())


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificate")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:P-256", "-noenc", "-subj", "/CN=localhost",
         "-keyout", folder / "key.pem", "-out", folder / "certificate.pem"],
        check=True, capture_output=True, timeout=60)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return context


def test_what_lies_behind_an_answer_is_not_the_next_ones(tmp_path, people,
                                                         tls):
    """Two answers in a packet, each in a record of its own."""
    def script(visit):
        visit = TlsVisit(visit, tls)
        while visit.request():
            visit.record(RIGHT)
            visit.record(ELSEWHERE + bytes(100))
            visit.flush()

    with BadTarget(script) as target:
        result = run(tmp_path, people, target.port, "--insecure",
                     scheme="https")
    result.all_ended("right")
    assert result.counts["connected"] == result.counts["scheduled"]


# --- first uses ----------------------------------------------------------------------

def test_first_uses_that_break_off_are_counted(tmp_path, people):
    def script(visit):
        visit.request()

    with BadTarget(script) as target:
        result = run(tmp_path, people, target.port, seconds=1,
                     clicks={"activations": 1})
    result.all_ended("reset")
    assert result.first_uses > 0, result.said
