"""Launches from a learning environment on another site, in its frame, in a
Chromium that lets no other site's frame keep a cookie."""

import itertools

import pytest

from lib import names
from lib.browser import Browser
from lib.front import CAMPUS, LASTING, PUBLIC, PUBLISHER, SCHOOL, Front
from lib.lms import MEMBERSHIP
from lib.looks import look
from lib.support_code import title
from selenium.webdriver.common.keys import Keys

pytestmark = pytest.mark.once

_count = itertools.count(1)


@pytest.fixture(scope="module")
def front():
    with Front() as front:
        front.product("atlas", chapters="h1 Europa\nh2/azi%C3%AB Azië\n")
        yield front


@pytest.fixture(scope="module")
def chromium(front):
    with Browser({"*.test": front.port}, third_party=False) as browser:
        yield browser


@pytest.fixture
def browser(front, chromium):
    front.reset()
    front.platform()
    return chromium.forget()


def launch(front, browser, target="/go/book", deep=False):
    """The launch's frame, once there is something in it."""
    browser.open(front.campus.course(target, deep)).frame("iframe")
    browser.wait("an answer", lambda: place(browser).startswith(
        (f"{PUBLIC}/lti/", PUBLISHER)))
    return browser


def place(browser):
    """The address in the frame in hand."""
    return browser.driver.execute_script("return location.href")


def language(browser):
    return browser.find("html").get_attribute("lang")


def switch(browser, css="nav a"):
    """To the other language and back; the page stays in the frame."""
    browser.find(css).click()
    browser.wait("English", lambda: language(browser) == "en")
    assert browser.axe() == []
    browser.find(css).click()
    browser.wait("Dutch", lambda: language(browser) == "nl")


def nobody(front, **person):
    """Whom the learning environment sends without an id."""
    front.campus.custom = {}
    front.campus.person = {"sub": f"lms-{next(_count)}", **person}


def teacher(front):
    front.campus.custom = {"eckid": front.person().ids["eckid"][1]}
    front.campus.roles = [MEMBERSHIP + "Instructor"]


def pick(front, browser):
    teacher(front)
    launch(front, browser, deep=True)
    browser.headed("Kies boeken voor de ELO van De Regenboog")


def tick(browser, text):
    next(label for label in browser.all("label")
         if label.text.strip() == text).click()


def press(browser, text):
    next(button for button in browser.all("button")
         if button.text == text).click()


def test_the_book_opens_in_the_frame_and_leaves_no_cookie(front, browser):
    front.person(grant="book")
    launch(front, browser)
    browser.headed("Het boek")
    assert place(browser) == f"{PUBLISHER}/book"
    # what is kept is bound to this learning environment
    for name, cookie in browser.cookies().items():
        assert name.startswith("__Host-leerpoort-lti"), cookie
        assert "campus.test" in str(cookie["partitionKey"]), cookie


def test_a_first_launch_activates(front, browser):
    person = front.person()
    person.grant("book", names.right("E", until=LASTING))
    launch(front, browser)
    browser.headed("Het boek")
    assert front.redis("HGET", person.hash(), "book").startswith("L ")


def test_cookies_of_frames_do_no_harm_where_they_are_kept(front):
    front.reset()
    front.platform()
    front.person(grant=("book", "atlas"))
    with Browser({"*.test": front.port}) as browser:
        for book in ("book", "atlas"):
            launch(front, browser, f"/go/{book}")
            browser.headed("Het boek")
            assert place(browser) == f"{PUBLISHER}/{book}"


def test_refusals_are_read_in_the_frame_in_both_languages(front, browser):
    front.person()
    launch(front, browser)
    browser.headed(title("no-right"))
    look(browser, "launch-no-right")
    switch(browser)
    # what the frame can't show opens a window
    browser.new_window(browser.link("Vul je activatiecode in").click)
    browser.headed("Activatiecode")
    browser.rest()

    nobody(front)
    launch(front, browser)
    browser.headed(title("nobody"))
    look(browser, "launch-nobody")
    switch(browser)

    launch(front, browser, deep=True)
    browser.headed(title("teachers-only"))
    switch(browser)


def test_a_book_in_a_window_of_its_own(front, browser):
    front.platform(newWindow=True)
    front.person(grant="book")
    launch(front, browser)
    browser.headed("Open je boek")
    look(browser, "new-window")
    switch(browser)
    browser.new_window(browser.link("Open het boek").click)
    browser.at(PUBLISHER).headed("Het boek")
    assert "__Host-leerpoort" not in browser.cookies()
    browser.rest().frame("iframe")
    browser.new_window(browser.link("Open het boek").click)
    browser.headed(title("launch-old"))


def test_an_account_is_linked_once_in_a_window(front, browser):
    front.platform(link=True)
    front.provider.page = True
    front.person(grant="book")
    nobody(front, name="Noor <b>")
    launch(front, browser)
    browser.headed("Koppel eerst je account")
    look(browser, "link-frame")
    switch(browser)
    browser.new_window(browser.link("Account koppelen").click)
    browser.at(SCHOOL).find("#sign-in").click()
    browser.at(f"{PUBLIC}/lti/link/")
    browser.headed("Account koppelen")
    browser.shows("Noor <b> bij de ELO van De Regenboog")
    look(browser, "link-window")
    switch(browser)
    browser.tab_to(lambda here: here.text == "Ja, koppelen")
    browser.press(Keys.ENTER)
    browser.at(PUBLISHER).headed("Het boek")

    browser.rest()
    launch(front, browser)      # from now on without a question
    browser.headed("Het boek")


def test_a_session_that_ends_before_the_button_says_so(front, browser):
    """And nothing is linked until the button is pressed anew."""
    front.platform(link=True)
    front.provider.page = True
    front.person(grant="book")
    nobody(front)
    launch(front, browser)
    browser.new_window(browser.link("Account koppelen").click)
    browser.at(SCHOOL).find("#sign-in").click()
    browser.headed("Account koppelen")
    front.redis("DEL", *front.redis("KEYS", "session:*"))
    browser.find("main button").click()
    browser.headed(title("session-expired")).shows("niet verwerkt")
    look(browser, "link-session-expired")
    browser.link("Opnieuw inloggen").click()
    browser.at(SCHOOL).find("#sign-in").click()
    browser.at(f"{PUBLIC}/lti/link/").headed("Account koppelen")
    browser.find("main button").click()
    browser.at(PUBLISHER).headed("Het boek")


def test_an_account_of_another_school_is_not_linked(front, browser):
    front.platform(link=True)
    front.person(school="S2")
    nobody(front)
    launch(front, browser)
    browser.new_window(browser.link("Account koppelen").click)
    browser.headed("Een andere school")
    look(browser, "link-other-school")
    switch(browser)


def test_a_teacher_picks_books_and_chapters(front, browser):
    pick(front, browser)
    look(browser, "pick")
    browser.find("#q").send_keys("grote")
    press(browser, "Zoeken")
    browser.shows("Gevonden")
    assert "Getal en Ruimte" not in browser.text()
    browser.find("summary").click()
    tick(browser, "Azië")
    browser.find("#q").clear()
    press(browser, "Zoeken")
    browser.shows("De Grote Atlas: Azië")
    tick(browser, "Getal en Ruimte 2")
    look(browser, "pick-chosen")

    # the other language keeps what is chosen, the next search the language
    press(browser, "English")
    browser.wait("English", lambda: language(browser) == "en")
    assert browser.axe() == []
    assert [box.get_attribute("value") for box in browser.all(
        "input:checked")] == ["atlas/h2/azi%C3%AB", "book"]
    browser.find("#q").send_keys("nothing of the sort")
    press(browser, "Search")
    browser.shows("Nothing was found")
    assert language(browser) == "en"
    look(browser, "pick-english")
    press(browser, "Put into De Regenboog's environment")
    browser.headed("Ready to be put in place")
    look(browser, "pick-ready")
    browser.find("main button").click()
    browser.headed("Toegevoegd")
    assert place(browser) == f"{CAMPUS}/back"
    assert front.campus.picked[-1] == ["De Grote Atlas: Azië",
                                       "Getal en Ruimte 2"]


def test_books_are_picked_by_the_keyboard(front, browser):
    pick(front, browser)
    browser.tab_to(lambda here: here.get_attribute("id") == "q")
    browser.press("ruimte" + Keys.ENTER)    # Enter searches
    browser.shows("Gevonden")
    browser.tab_to(lambda here: here.get_attribute("value") == "book")
    browser.press(Keys.SPACE)
    browser.tab_to(lambda here: here.text.startswith("Zet in"))
    browser.press(Keys.ENTER)
    browser.headed("Klaar om te plaatsen")
    switch(browser)
    browser.tab_to(lambda here: here.tag_name == "button")
    browser.press(Keys.ENTER)
    browser.headed("Toegevoegd")
    assert front.campus.picked[-1] == ["Getal en Ruimte 2"]


def test_a_teacher_may_pick_nothing(front, browser):
    pick(front, browser)
    press(browser, "Zet in de ELO van De Regenboog")
    browser.shows("Kies eerst een boek")
    look(browser, "pick-none")
    press(browser, "Annuleren")
    browser.headed("Niets gekozen")
    switch(browser)
    browser.find("main button").click()
    browser.headed("Toegevoegd")
    assert front.campus.picked[-1] == []
