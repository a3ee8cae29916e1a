"""A provider changes its keys: who signs in, launches or clicks meanwhile gets
in, by leerpoort-keys as an operator starts it; and where that is dead or hangs,
nobody notices who has what is needed already."""

import signal
import time

import pytest

from lib.door import Browser, Door
from lib.edge import URL
from lib.fetching import Keys
from lib.lms import Frame, Gate, Lms
from lib.process import eventually



class Chain(Door):
    """A door whose keys are leerpoort-keys' own, with its options as they
    are where nobody sets them."""

    def __init__(self, folder):
        super().__init__(folder)
        own = self.folder / "own"
        own.mkdir()
        self.fetched = Keys(own, sso=self.conf)
        self.keys = self.fetched.files

    def _open(self, stack):
        super()._open(stack)
        for file in self.keys.glob("*.json"):
            file.unlink()           # what the stand-in published
        stack.enter_context(self.fetched)
        eventually("keys", lambda: self.fetched.kids("school"), 20)
        self.edge.product("book", url=URL + "book")

    def options(self):
        return {"key_socket": self.fetched.socket}

    def pupil(self):
        return self.person(self.edge.person().grant("book"))


@pytest.fixture
def chain(tmp_path):
    with Chain(tmp_path) as chain:
        yield chain


def test_a_sign_in_with_a_new_key_passes(chain):
    """A moment after the keys were fetched, by the first one who comes."""
    chain.pupil()
    Browser(chain).sign_in()
    chain.provider.rotate(keep=False)
    chain.pupil()
    Browser(chain).sign_in()
    assert chain.provider.asked["/jwks"] == 2
    assert chain.fetched.kids("school") == {
        key.kid for key in chain.provider.keys}


def test_leerpoort_keys_is_in_nobody_s_way(chain):
    """It hangs, its queue is full, it is dead."""
    chain.pupil()
    browser = Browser(chain).sign_in()
    chain.fetched.signal(signal.SIGSTOP)
    try:
        assert browser.get("/go/book").location == URL + "book"
        chain.pupil()
        Browser(chain).sign_in()
        chain.fetched.fill()
        began = time.monotonic()
        Browser(chain).sign_in()
        assert browser.get("/go/book").location == URL + "book"
        assert time.monotonic() - began < 5
    finally:
        chain.fetched.signal(signal.SIGCONT)
    chain.fetched.stop()
    Browser(chain).sign_in()
    assert browser.get("/go/book").location == URL + "book"
    chain.fetched.__enter__()       # for the end of the test


class Launches(Gate):
    """A gate of the same kind."""

    def options(self):
        for file in self.keys.iterdir():
            file.unlink()
        self.keys.rmdir()
        self.fetched = Keys(self.folder, lti=self.lti)
        assert self.fetched.files == self.keys
        return {"key_socket": self.fetched.socket}


def test_a_launch_with_a_new_key_passes():
    lms = Lms().start()
    try:
        with Launches(lms) as gate, gate.fetched as fetched:
            eventually("keys", lambda: fetched.kids(lms.name), 20)
            gate.pupil().grant("book")
            assert Frame(gate).launch(lms).location == URL + "book"
            lms.rotate(1)
            assert Frame(gate).launch(lms).location == URL + "book"
            assert len(fetched.kids(lms.name)) == 2
    finally:
        lms.stop()
    assert lms.complaints == []
