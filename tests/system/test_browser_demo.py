"""The demo, as whoever starts it sees it: in real Chromium."""

import signal

import pytest

from lib.browser import Browser
from lib.process import Process, eventually
from test_demo import DEMO, environment, free_ports

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Its first port."""
    folder = tmp_path_factory.mktemp("demo")
    port = free_ports()
    output = folder / "output"
    process = Process([*DEMO, "--port", str(port)], output,
                      environment(folder), last_words=signal.SIGTERM)
    try:
        eventually("the demo is up", lambda: process.ended()
                   or "Ctrl-C stops" in output.read_text(), 60)
        assert not process.ended(), output.read_text()
        yield port
    finally:
        process.signal(signal.SIGTERM)
        process.wait(20)
        process.destroy()


@pytest.fixture(scope="module")
def chromium():
    """The demo's LMS is on localhost, all others on 127.0.0.1: two sites."""
    with Browser({}, third_party=False) as browser:
        yield browser


@pytest.fixture
def browser(chromium):
    return chromium.forget()


def test_portal_sign_in_click_book_and_out(demo, browser):
    here = f"http://127.0.0.1:{demo}"
    browser.open(f"http://127.0.0.1:{demo + 2}/")
    browser.headed("Demoportaal")
    browser.screenshot("demo-portal")
    browser.link("Emma").click()
    browser.headed("Dag Emma")
    browser.screenshot("demo-emma")
    browser.link("Taalhaven 7").click()
    browser.at(f"http://127.0.0.1:{demo + 1}/boek/taalhaven")
    browser.screenshot("demo-book")
    browser.open(here + "/")
    browser.headed("Mijn boeken")
    browser.shows("Taalhaven 7")
    assert browser.axe() == []
    browser.screenshot("demo-books")
    browser.link("Uitloggen").click()
    browser.find("main button").click()
    browser.at(f"http://127.0.0.1:{demo + 2}/")     # at the school too
    browser.headed("Demoportaal")
    browser.open(here + "/").at(f"http://127.0.0.1:{demo + 3}/")


def test_the_lms_opens_a_book_in_its_frame(demo, browser):
    browser.open(f"http://localhost:{demo + 4}/?als=noah")
    browser.headed("Klas 2")
    browser.link("in deze pagina").click()
    browser.frame("iframe")
    book = f"http://127.0.0.1:{demo + 1}/boek/stepup"
    browser.wait("the book", lambda: browser.driver.execute_script(
        "return location.href") == book)
    browser.top().screenshot("demo-lms")
    assert not [name for name in browser.cookies()
                if name.startswith("leerpoort") and "lti" not in name]


def test_a_teacher_adds_a_book_to_the_course(demo, browser):
    browser.open(f"http://localhost:{demo + 4}/?als=devries")
    browser.link("Boeken toevoegen").click()
    browser.frame("iframe")
    browser.wait("the page to pick from",
                 lambda: "Kies boeken" in browser.heading())
    next(label for label in browser.all("label")
         if label.text.startswith("Rekenkracht 7")).click()
    next(button for button in browser.all("button")
         if button.text.startswith("Zet in")).click()
    browser.headed("Klaar om te plaatsen")
    browser.find("main button").click()
    browser.headed("Toegevoegd")
    browser.top().open(f"http://localhost:{demo + 4}/?als=devries")
    browser.shows("Rekenkracht 7")
