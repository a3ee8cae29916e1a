"""The way of a person through the front door, in real Chromium: from the
portal to the book and out again, and what may come between."""

import pytest

from lib import names
from lib.browser import Browser
from lib.front import (CAMPUS, LASTING, PORTAL, PUBLIC, PUBLISHER, SCHOOL,
                       STRANGER, Front, plain)
from lib.support_code import support_code, title

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def front():
    with Front() as front:
        yield front


@pytest.fixture(scope="module")
def chromium(front):
    with Browser({"*.test": front.port}) as browser:
        yield browser


@pytest.fixture
def browser(front, chromium):
    front.reset()
    return chromium.forget()


def press(browser, css):
    browser.find(css).click()
    return browser


def place(browser):
    """The address in the frame in hand."""
    return browser.driver.execute_script("return location.href")


def sign_in(browser, way_on=PUBLISHER):
    """At the school, by its button."""
    press(browser.at(SCHOOL), "#sign-in").at(way_on)


def books(browser):
    """What My books lists."""
    browser.open(PUBLIC).headed("Mijn boeken")
    return [item.text.partition("\n")[0] for item in browser.all(".list > li")]


def sign_out(browser):
    browser.open(f"{PUBLIC}/sso/logout")
    press(browser, "main button")
    browser.wait("signed out, and back", lambda: browser.url.endswith(
        "done") or "done&" in browser.url)
    browser.headed("Je bent uitgelogd")


def walk(front, browser):
    """From the portal to the book, by a first click, and out again."""
    front.provider.page = True
    person = front.person()
    person.grant("book", names.right("E", until=LASTING))
    browser.open(PORTAL).link("Getal en Ruimte").click()
    sign_in(browser)
    assert browser.url == f"{PUBLISHER}/book"
    browser.headed("Het boek")
    assert front.redis("HGET", person.hash(), "book").startswith("L ")

    browser.open(PUBLIC)
    browser.headed("Mijn boeken")
    browser.shows("Open tot en met")
    browser.link("Getal en Ruimte 2").click()
    browser.at(f"{PUBLISHER}/book")

    browser.open(PUBLIC).link("Uitloggen").click()
    browser.at(f"{PUBLIC}/sso/logout").headed("Uitloggen")
    sign_out(browser)
    assert front.provider.asked["/end_session"] > 0
    browser.open(PUBLIC).at(SCHOOL)


def test_the_whole_way(front, browser):
    walk(front, browser)
    assert not {"__Host-leerpoort", "__Host-leerpoort-session"} & set(
        browser.cookies())


def test_the_whole_way_without_scripts(front):
    front.reset()
    with Browser({"*.test": front.port}, scripts=False) as browser:
        walk(front, browser)
        front.person(grant="book")
        browser.open(front.campus.course()).frame("iframe")
        press(browser, "button")        # the learning environment's form
        browser.headed("Het boek")


def test_all_cookies_are_the_site_s_own_and_closed_to_scripts(front, browser):
    front.person(grant="book")
    browser.open(front.click()).at(PUBLISHER)
    browser.open(PUBLIC + "/?lang=en")
    cookies = browser.cookies()
    assert {"__Host-leerpoort", "__Host-leerpoort-session",
            "__Host-leerpoort-browser", "leerpoort_lang"} <= set(cookies)
    for cookie in cookies.values():
        assert cookie["httpOnly"] and cookie["sameSite"] == "Lax", cookie
        assert cookie["domain"] == "toegang.test", cookie
        assert cookie["secure"], cookie
    for name in ("__Host-leerpoort", "__Host-leerpoort-session"):
        # who closes the browser on a school's computer has gone
        assert cookies[name]["session"], cookies[name]
    assert browser.driver.execute_script("return document.cookie") == ""


def test_without_cookies_there_is_a_page_and_no_circle(front):
    front.reset()
    front.person(grant="book")
    before = front.provider.asked.get("/authorize", 0)
    with Browser({"*.test": front.port}, cookies=False) as browser:
        browser.open(front.click())
        browser.headed(title("no-cookies"))
        assert front.provider.asked.get("/authorize", 0) <= before + 1
        assert browser.axe() == []
        browser.screenshot("no-cookies")
        browser.open(front.campus.course()).frame("iframe")
        browser.headed("Het boek")


def test_two_tabs_sign_in_at_once(front, browser):
    front.provider.page = True
    front.person(grant=("book", "atlas"))
    browser.open(front.click("book")).at(SCHOOL)
    first = browser.driver.current_window_handle
    browser.driver.switch_to.new_window("tab")
    second = browser.open(front.click("atlas/kaart/3")).at(
        SCHOOL).driver.current_window_handle
    for tab, book in ((first, "book"), (second, "atlas/kaart/3")):
        browser.driver.switch_to.window(tab)
        sign_in(browser)
        assert browser.url == f"{PUBLISHER}/{book}"
    assert books(browser) == ["De Grote Atlas", "Getal en Ruimte 2"]


def test_back_after_a_sign_in_says_what_to_do(front, browser):
    front.provider.page = True
    front.person(grant="book")
    browser.open(PORTAL).link("Getal en Ruimte").click()
    sign_in(browser)
    browser.driver.back()
    sign_in(browser, f"{PUBLIC}/sso/callback")  # the same one once more
    browser.headed(title("sign-in-old"))
    browser.shows("niet de terugknop")
    while not browser.url.startswith(PORTAL):
        browser.driver.back()
    browser.link("Getal en Ruimte").click()
    browser.at(PUBLISHER).headed("Het boek")


def test_back_after_signing_out_shows_nothing_of_who_was_there(front, browser):
    front.provider.page = True
    front.person(grant="book")
    browser.open(PORTAL).open(PUBLIC)
    sign_in(browser, f"{PUBLIC}/")
    browser.shows("Getal en Ruimte")
    browser.link("Uitloggen").click()
    press(browser.at(f"{PUBLIC}/sso/logout"), "main button")
    browser.wait("signed out", lambda: "done" in browser.url)
    front.person(grant="atlas")
    for _ in range(6):
        browser.driver.back()
        assert "Getal en Ruimte" not in browser.text() or \
            browser.url.startswith(PORTAL)
        if browser.url.startswith(PORTAL):
            break
    browser.at(PORTAL).open(PUBLIC)
    sign_in(browser, f"{PUBLIC}/")
    assert books(browser) == ["De Grote Atlas"]


def test_back_shows_nothing_of_whoever_s_session_ran_out(front, browser):
    front.person(grant="book")
    browser.open(PORTAL)
    assert books(browser) == ["Getal en Ruimte 2"]
    front.redis("DEL", *front.redis("KEYS", "session:*"))
    browser.driver.execute_cdp_cmd("Network.deleteCookies", {
        "name": "__Host-leerpoort", "url": PUBLIC})
    front.person(grant="atlas")
    browser.open(front.click("atlas")).at(PUBLISHER)
    browser.driver.back()
    browser.headed("Mijn boeken")
    browser.shows("Grote Atlas")
    assert "Getal en Ruimte" not in browser.text()


def test_who_sits_down_next_has_a_session_of_their_own(front, browser):
    front.person(grant="book")
    assert books(browser) == ["Getal en Ruimte 2"]
    sign_out(browser)
    front.person(grant="atlas")
    assert books(browser) == ["De Grote Atlas"]


def test_no_stranger_may_frame_a_page(front, browser):
    front.person(grant="book")
    books(browser)
    ours = ["/", "/code", "/sso/logout", "/sso/login?choose=1&return=/",
            "/go/none", "/lti/login", "/nothing",
            "/lti/link/" + "a" * 43, "/problem?code="
            + support_code("launch-wrong")]
    page = front.site(STRANGER, plain("Vreemd", "".join(
        f'<iframe src="{PUBLIC}{path.replace("&", "&amp;")}"></iframe>'
        for path in ours)))
    browser.open(page)
    frames = browser.all("iframe")
    assert len(frames) == len(ours)
    for path, frame in zip(ours, frames):
        browser.driver.switch_to.frame(frame)
        browser.wait(f"{path} is refused", lambda: place(browser).startswith(
            "chrome-error:"))
        assert "Regenboog" not in browser.text()
        browser.top()


def test_the_platform_may_frame_its_launches_and_no_other_pages(front,
                                                               browser):
    """Whoever has signed in is not shown My books in a frame, not even in the
    one of the learning environment."""
    front.person(grant="book")
    books(browser)
    browser.open(f"{CAMPUS}/course?target={PUBLIC}/go/book&deep=")
    browser.driver.execute_script(
        "document.querySelector('iframe').src = arguments[0]", PUBLIC + "/")
    browser.frame("iframe").wait("refused", lambda: place(
        browser).startswith("chrome-error:"))


def test_forms_of_a_stranger_have_no_effect(front, browser):
    person, code = front.person(grant="atlas"), front.code()
    books(browser)
    for name, form in (
            ("code", f'<form method="post" action="{PUBLIC}/code">'
                     f'<input name="code" value="{code}">'),
            ("logout", f'<form method="post" action="{PUBLIC}/sso/logout">'
                       f'<input name="key" value="{"A" * 22}">')):
        page = front.site(STRANGER, plain(
            "Win een prijs", form + "<button>Klik</button></form>"),
            f"/{name}.html")
        press(browser.open(page), "button").at(PUBLIC)
        assert front.redis("HGET", person.hash(), "book") is None, name
        assert books(browser) == ["De Grote Atlas"], name
    browser.open(f"{PUBLIC}/code").find("#code").send_keys(code)
    press(browser, "main button")
    browser.shows("Gelukt!")


def test_a_page_tries_again_by_itself_until_the_edge_can_answer(front,
                                                                browser):
    front.person(grant="book")
    books(browser)
    front.redis.freeze()
    try:
        browser.open(front.click())
        browser.headed(title("unavailable"))
        browser.shows("vanzelf")
    finally:
        front.redis.thaw()
    browser.at(f"{PUBLISHER}/book")
