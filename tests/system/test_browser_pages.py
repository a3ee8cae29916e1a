"""Every page for people, in real Chromium: in both languages, for axe-core, in
the dark, on a telephone, by the keyboard. build/screenshots has them all."""

import pytest

from lib import names
from lib.browser import Browser
from lib.front import (AHEAD, LASTING, PAST, PUBLIC, PUBLISHER, SCHOOL,
                       STRANGER, Front, plain)
from lib.looks import look
from lib.support_code import PROBLEMS, support_code, title
from selenium.webdriver.common.keys import Keys

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def front():
    with Front(others=1) as front:
        yield front


@pytest.fixture(scope="module")
def chromium(front):
    with Browser({"*.test": front.port}) as browser:
        yield browser


@pytest.fixture
def browser(front, chromium):
    front.reset()
    return chromium.forget()


def sign_in(front, browser, grant=(), **kwargs):
    """Somebody new has signed in."""
    browser.forget()
    person = front.person(grant, **kwargs)
    browser.open(f"{PUBLIC}/sso/login?provider=school&return=/")
    browser.headed("Mijn boeken")
    return person


def language(browser):
    return browser.find("html").get_attribute("lang")


def both(browser, name, dutch, english):
    """The page in hand in Dutch, as the browser asks; in English by its link;
    then in English because that is what was chosen."""
    browser.headed(dutch)
    assert language(browser) == "nl", name
    look(browser, name)
    browser.find("nav a").click()
    browser.headed(english)
    assert language(browser) == "en", name
    assert browser.axe() == [], name
    browser.screenshot(f"{name}-english")
    assert browser.cookies()["leerpoort_lang"]["value"] == "en"
    browser.open(f"{PUBLIC}/nothing")
    assert language(browser) == "en"
    browser.driver.execute_cdp_cmd("Network.deleteCookies", {
        "name": "leerpoort_lang", "url": PUBLIC})


def right(state, from_="20200101", until=LASTING):
    return names.right(state, from_, until)


# --- pages about what went wrong ---

@pytest.mark.parametrize("name", PROBLEMS.values())
def test_the_page_of_each_problem(browser, name):
    browser.open(f"{PUBLIC}/problem?code={support_code(name)}")
    assert language(browser) == "nl"
    browser.headed(title(name))
    look(browser, f"problem-{name}")
    browser.find("nav a").click()
    assert language(browser) == "en"
    browser.headed(title(name, "en"))
    assert support_code(name) in browser.text()
    assert browser.axe() == []
    browser.screenshot(f"problem-{name}-english")


def test_how_a_click_ends(front, browser):
    """The edge's own pages, each as a click comes to it."""
    person = sign_in(front, browser)
    for product, record in (
            ("early", right("E", AHEAD)), ("late", right("L", until=PAST)),
            ("blocked", right("B"))):
        front.edge.product(product, url=f"{PUBLISHER}/{product}",
                           name="Nederlands op maat")
        person.grant(product, record)
    front.edge.product("whole", url=f"{PUBLISHER}/whole")
    person.grant("whole")
    for target, name, also in (
            ("book", "no-right", "Getal en Ruimte 2"),
            ("early", "not-yet", "1 september 2098"),
            ("late", "ended", "Nederlands op maat"),
            ("blocked", "blocked", "Nederlands op maat"),
            ("none", "unknown-product", ""),
            ("whole/part", "unknown-material", ""),
            ("-", "bad-request", "")):
        browser.open(front.click(target))
        browser.shows(also)
        # the school's style, where it is known who asks
        assert ("De Regenboog" in browser.text()) == (target != "-")
        both(browser, f"click-{name}", title(name), title(name, "en"))


def test_how_a_sign_in_ends(front, browser):
    """leerpoort-sso's pages, each as a person comes to it."""
    front.sso.allow += ["the provider school", "further sign-ins failed"]
    login = f"{PUBLIC}/sso/login?provider=school&return=/go/book"
    person = front.person()

    def provider(**changes):
        front.reset()
        front.is_person(person)
        for name, value in changes.items():
            setattr(front.provider, name, value)
        return login

    def refuses(form):
        return {"error": "access_denied", "state": form["state"]}

    sso = f"{PUBLIC}/sso"
    for name, url in (
            ("sign-in-refused", lambda: provider(authorize=refuses)),
            ("sign-in-wrong", lambda: provider(id_token={"aud": "another"})),
            ("nobody", lambda: provider(claims={"org": "S1"})),
            ("unknown-school", lambda: f"{sso}/login?choose=none&return=/"),
            ("unknown-provider", lambda: f"{sso}/login?provider=x&return=/"),
            ("bad-return", lambda: f"{sso}/login?return={STRANGER}/"),
            ("sign-in-old", lambda: f"{sso}/callback?state={'a' * 43}&code=x"),
            ("link-old", lambda: f"{PUBLIC}/lti/link/{'a' * 43}")):
        browser.open(url())
        both(browser, f"sign-in-ends-{name}", title(name), title(name, "en"))


def test_a_provider_that_is_down_is_tried_again(front, browser):
    front.person(grant="book")
    front.sso.allow += ["the provider school"]
    front.provider.faults = {"token": 500}
    browser.open(f"{PUBLIC}/sso/login?provider=school&return=/go/book")
    browser.headed(title("provider-down"))
    browser.shows("vanzelf")
    front.provider.faults = {}
    browser.link("Probeer het opnieuw").click()
    browser.at(PUBLISHER).headed("Het boek")


# --- where people sign in and out ---

def test_the_choice_of_a_school(front, browser):
    del front
    browser.open(f"{PUBLIC}/sso/login?return=/go/book")
    both(browser, "choice", "Waar log je in?", "Where do you sign in?")
    for sought, name, said in (("regen", "found", "1 school gevonden."),
                               ("xyz", "none", "Geen school gevonden.")):
        browser.open(f"{PUBLIC}/sso/login?return=/go/book")
        browser.find("#q").send_keys(sought + Keys.ENTER)
        browser.shows(said)
        both(browser, f"choice-{name}", "Waar log je in?",
             "Where do you sign in?")


def test_a_school_is_chosen_by_the_keyboard(front, browser):
    front.person(grant="book")
    browser.open(front.click())
    browser.tab_to(lambda here: here.get_attribute("id") == "q")
    browser.press("zeist" + Keys.ENTER)
    browser.shows("1 school")
    browser.tab_to(lambda here: here.text == "De Regenboog, Zeist")
    browser.press(Keys.ENTER)
    browser.at(PUBLISHER).headed("Het boek")
    # the next time nobody is asked: the choice is kept
    browser.driver.execute_cdp_cmd("Network.deleteCookies", {
        "name": "__Host-leerpoort", "url": PUBLIC})
    front.redis("DEL", *front.redis("KEYS", "session:*"))
    browser.open(front.click())
    assert browser.url == f"{PUBLISHER}/book"


def test_signing_out_by_the_keyboard(front, browser):
    front.provider.metadata.pop("end_session_endpoint", None)
    sign_in(front, browser, "book")
    browser.tab_to(lambda here: here.text == "Uitloggen")
    browser.press(Keys.ENTER)
    browser.at(f"{PUBLIC}/sso/logout")
    both(browser, "sign-out", "Uitloggen", "Sign out")
    browser.open(f"{PUBLIC}/sso/logout")
    browser.tab_to(lambda here: here.tag_name == "button")
    browser.press(Keys.ENTER)
    browser.wait("signed out", lambda: "done" in browser.url)
    both(browser, "signed-out", "Je bent uitgelogd", "You are signed out")


# --- My books, and codes ---

def test_my_books_full_and_empty(front, browser):
    sign_in(front, browser)
    both(browser, "books-none", "Mijn boeken", "My books")

    person = sign_in(front, browser, "book")
    for product, record in (
            ("atlas", right("E")), ("roman", right("B")),
            ("next", right("E", AHEAD)), ("last", right("L", until=PAST))):
        if product in ("next", "last"):
            front.edge.product(product, url=f"{PUBLISHER}/{product}",
                               name=f"Scheikunde {product}")
        person.grant(product, record)
    browser.open(PUBLIC)
    text = browser.text()
    for part in ("Open tot en met 31 juli 2099", "eerste klik",
                 "Een <roman> & meer", "Geblokkeerd", "1 september 2098",
                 "Afgelopen na 31 juli 2020"):
        assert part in text
    both(browser, "books", "Mijn boeken", "My books")


def test_a_book_of_mine_by_the_keyboard(front, browser):
    sign_in(front, browser, ("atlas", "book"))
    browser.tab_to(lambda here: here.text == "Getal en Ruimte 2")
    browser.screenshot("books-focus")
    browser.press(Keys.ENTER)
    assert browser.at(PUBLISHER).url == f"{PUBLISHER}/book"


def test_a_teacher_sees_their_own(front, browser):
    """A teacher has no ECK iD: the school names them by the portal's."""
    teacher = front.edge.person(eck=False, sub=True)
    teacher.grant("book")
    front.provider.sub = f"sub-{teacher.key()}"
    front.provider.claims = {
        "nlEduPersonRealId": teacher.ids["sub"][1], "org": "S1",
        "affiliation": "employee"}
    browser.open(f"{PUBLIC}/sso/login?provider=school&return=/")
    assert [item.text.partition("\n")[0] for item in browser.all(
        ".list > li")] == ["Getal en Ruimte 2"]


def send_code(browser, code, product="book"):
    browser.open(f"{PUBLIC}/code?product={product}")
    browser.tab_to(lambda here: here.get_attribute("id") == "code")
    browser.press(code + Keys.ENTER)
    browser.wait("an answer", lambda: browser.all(
        "[role=alert], [role=status]"))
    return browser


def test_a_code_by_the_keyboard(front, browser):
    code = front.code()
    sign_in(front, browser)
    browser.open(f"{PUBLIC}/code?product=book")
    both(browser, "code", "Activatiecode", "Activation code")
    for typed, name, said in (("A" * 25, "unknown", "kennen we niet"),
                              ("no!", "none", "Dit is geen code")):
        send_code(browser, typed)
        browser.shows(said)
        browser.shows("Getal en Ruimte 2")
        both(browser, f"code-{name}", "Activatiecode", "Activation code")
    send_code(browser, code.lower())
    browser.shows("Gelukt!")
    look(browser, "code-done")
    browser.tab_to(lambda here: here.text == "Open Getal en Ruimte 2")
    browser.press(Keys.ENTER)
    browser.at(PUBLISHER).headed("Het boek")

    send_code(browser, front.code("book"))
    browser.shows("Je kunt dit boek al openen")
    sign_in(front, browser)
    send_code(browser, code)
    browser.shows("Deze code is al gebruikt")


def test_too_many_wrong_codes(front, browser):
    """A person alone: a school's pupils have more tries together."""
    sign_in(front, browser, school="S1")
    for i in range(30):
        send_code(browser, f"CCCCCCCC{i:02d}")
        if "te vaak" in browser.text():
            break
    browser.shows("Wacht")
    look(browser, "code-too-often")


def token_runs_out(front, browser, session=True):
    """As after a quarter of an hour; not session: as after a day."""
    browser.driver.execute_cdp_cmd("Network.deleteCookies", {
        "name": "__Host-leerpoort", "url": PUBLIC})
    if not session:
        front.redis("DEL", *front.redis("KEYS", "session:*"))


def test_a_code_that_took_long_to_type_is_not_lost(front, browser):
    code = front.code()
    sign_in(front, browser)
    browser.open(f"{PUBLIC}/code?product=book").find("#code").send_keys(code)
    token_runs_out(front, browser)
    browser.press(Keys.ENTER)
    browser.at(f"{PUBLIC}/code").shows("Gelukt!")


def test_a_code_that_is_sent_after_the_session_says_so(front, browser):
    """And leads to a sign-in, and back: by links, since a form's redirects may
    not leave the site."""
    front.provider.page = True
    front.person()
    code = front.code()
    browser.open(f"{PUBLIC}/sso/login?provider=school&keep=1&return=/code")
    browser.find("#sign-in").click()
    browser.at(f"{PUBLIC}/code").find("#code").send_keys(code)
    token_runs_out(front, browser, session=False)
    browser.press(Keys.ENTER)
    browser.headed(title("session-expired")).shows("niet verwerkt")
    browser.link("Opnieuw inloggen")
    both(browser, "code-session-expired", title("session-expired"),
         title("session-expired", "en"))
    browser.driver.back()       # to the page in English
    browser.tab_to(lambda here: here.text == "Sign in again")
    browser.press(Keys.ENTER)
    browser.at(SCHOOL).find("#sign-in").click()
    browser.at(f"{PUBLIC}/code").find("#code").send_keys(code + Keys.ENTER)
    browser.shows("Done!")


def test_a_form_that_is_too_long(front, browser):
    """What nginx refuses is the edge's page."""
    page = front.site(STRANGER, plain("Lang", (
        f'<form method="post" action="{PUBLIC}/sso/logout">'
        f'<input name="key" value="{"x" * 70000}"><button>Klik</button>'
        "</form>")), "/long.html")
    browser.open(page).find("button").click()
    browser.at(PUBLIC)
    browser.headed(title("bad-form"))
    look(browser, "too-long")


def test_text_is_enlarged_without_scrolling_sideways(front, browser):
    """WCAG 2.2, 1.4.10: 320 pixels wide, as 1280 at 400 %."""
    sign_in(front, browser, ("book", "atlas"))
    tell = browser.driver.execute_cdp_cmd
    for url in (PUBLIC, f"{PUBLIC}/code?product=book", f"{PUBLIC}/sso/logout",
                front.click("none"), f"{PUBLIC}/problem?code="
                + support_code("launch-wrong")):
        browser.open(url)
        tell("Emulation.setDeviceMetricsOverride", {
            "width": 320, "height": 256, "deviceScaleFactor": 4,
            "mobile": False})
        wide = browser.driver.execute_script(
            "return document.documentElement.scrollWidth")
        assert wide <= 320, (url, wide)
    browser.phone(False)
