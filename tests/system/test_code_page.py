"""The page on which people type an activation code."""

import html
import re
import subprocess
import urllib.parse

import pytest

from lib import names
from lib.desk import PERSON, TRIES, Desk, own_redis, pupil
from lib.names import right
from lib.workers import PROGRAM

SITE = "https://toegang.example"
FORM = "application/x-www-form-urlencoded"


class Page:
    def __init__(self, desk, user=None, school="S1"):
        self.desk = desk
        self.user = user or pupil()
        self.who = {"LEERPOORT_ROUTE": "page", "LEERPOORT_USERS": self.user,
                    "LEERPOORT_SCHOOL": school, "LEERPOORT_PERSON": PERSON}

    def get(self, target="/code", **changes):
        return self.desk.workers.ask(target, **{**self.who, **changes})

    def send(self, body, language="nl", **changes):
        if not isinstance(body, bytes):
            body = urllib.parse.urlencode(body).encode()
        return self.desk.workers.ask("/code", "POST", body, **{
            **self.who, "CONTENT_TYPE": FORM, "HTTP_ORIGIN": SITE,
            "HTTP_ACCEPT_LANGUAGE": language, **changes})

    def code(self, code, **changes):
        return self.send({"code": code}, **changes)


@pytest.fixture(scope="module")
def desk():
    with own_redis() as (folder, redis):
        desk = Desk(folder, redis, n=1, site=SITE)
        with desk.workers:
            redis("HSET", names.product_hash("book"), "name", "Het <Boek>")
            yield desk


def text(answer):
    """What a person reads."""
    body = answer.body.decode().partition("<body>")[2]
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", body)))


def test_the_form_asks_for_a_code_and_names_the_book(desk):
    answer = Page(desk).get("/code?product=book")
    assert answer.status == 200
    assert "Je wilde openen: Het <Boek>" in text(answer)
    assert b'name="product" value="book"' in answer.body
    assert b'<form method="post" action="/code?product=book">' in answer.body
    assert b"<script" not in answer.body
    assert "frame-ancestors 'none'" in answer.headers[
        "content-security-policy"]
    # else browsers would not say where the form comes from
    assert answer.headers["referrer-policy"] == "same-origin"
    english = Page(desk).get("/code?lang=en")
    assert "Activate the book" in text(english)
    assert "You wanted" not in text(english)


@pytest.mark.parametrize("product", [
    "nothing", "%3Cscript%3E", "a/b", "%zz", "x" * 300])
def test_a_book_that_does_not_exist_is_not_named(desk, product):
    answer = Page(desk).get(f"/code?product={product}")
    assert answer.status == 200
    assert "wilde openen" not in text(answer)


def test_a_code_becomes_a_licence_and_a_link(desk):
    page, code = Page(desk), desk.one()
    answer = page.code(f" {code.lower().replace('-', ' ')} ")
    assert answer.status == 200
    assert "Gelukt!" in text(answer) and "31 juli 2027" in text(answer)
    assert "Open Het <Boek>" in text(answer)
    assert b'href="/go/book"' in answer.body
    assert desk.right(page.user).startswith("L ")
    again = page.code(code, language="en")
    assert "Done!" in text(again) and "31 July 2027" in text(again)
    for shown in (answer, again):
        assert code.encode() not in shown.body
        assert code.replace("-", "").lower().encode() \
            not in shown.body.lower()


def test_each_refusal_is_said_in_two_languages(desk):
    used, withdrawn, held = desk.one(), desk.one(), desk.one()
    assert Page(desk).code(used).status == 200
    assert desk.revoke(withdrawn).status == 202
    holder = Page(desk)
    desk.redis("HSET", names.user_hash("S1", holder.user), "book",
               right("L"))
    blocked = Page(desk)
    desk.redis("HSET", names.user_hash("S1", blocked.user), "book",
               right("B"))
    other = Page(desk)
    for page, code, dutch, english in (
            (other, "A" * 25, "kennen we niet", "do not know"),
            (other, used, "al gebruikt", "used already"),
            (other, withdrawn, "ingetrokken", "withdrawn"),
            (holder, held, "al openen", "already"),
            (blocked, held, "geblokkeerd", "blocked"),
            (other, "no!", "geen code", "is no code"),
            (other, "", "geen code", "is no code")):
        for language, words in (("nl", dutch), ("en", english)):
            answer = page.code(code, language=language)
            assert answer.status == 400, answer
            assert words in text(answer)
            assert 'role="alert"' in answer.body.decode()
            # typed anew: the page does not repeat what was typed
            assert b"value=" not in answer.body
            assert "<form " in answer.body.decode()
    assert desk.hash(held)["state"] == "new"


def test_the_book_that_was_wanted_stays_over_a_wrong_code(desk):
    answer = Page(desk).send({"code": "B" * 25, "product": "book"})
    assert answer.status == 400
    assert "Het <Boek>" in text(answer)


def test_too_many_wrong_codes_are_told_how_long_to_wait(desk):
    page = Page(desk, school="")
    for i in range(TRIES):
        assert page.code(f"CCCCCCCC{i:02d}").status == 400
    answer = page.code(desk.one())
    assert answer.status == 429
    seconds = int(answer.headers["retry-after"])
    assert f"Wacht {-(-seconds // 60)} minu" in text(answer)
    assert "Wait " in text(page.code("CCCCCCCC", language="en"))


@pytest.mark.parametrize("changes", [
    {"HTTP_ORIGIN": "https://evil.example"}, {"HTTP_ORIGIN": "null"},
    {"HTTP_ORIGIN": SITE + ".evil.example"},
    {"HTTP_ORIGIN": SITE.replace("https", "http")},
    {"CONTENT_TYPE": "text/plain"}, {"CONTENT_TYPE": "multipart/form-data"},
    {"CONTENT_TYPE": None}])
def test_a_form_of_another_site_spends_no_code(desk, changes):
    page, code = Page(desk), desk.one()
    answer = page.code(code, **changes)
    assert answer.status == 400
    assert answer.headers["leerpoort-code"]
    assert desk.hash(code)["state"] == "new"
    assert desk.right(page.user) is None
    assert not desk.redis("KEYS", f"tries:*{page.user}*")


def test_a_program_spends_no_code_on_a_page(desk):
    page, code = Page(desk), desk.one()
    for answer in (page.get(HTTP_ACCEPT="application/json"),
                   page.code(code, HTTP_ACCEPT="application/json")):
        assert answer.status == 406
        assert "/activate/code" in answer.body.decode()
        assert '"status"' in answer.body.decode()
    assert desk.hash(code)["state"] == "new"


def test_what_is_wrong_is_told_with_the_field(desk):
    answer = Page(desk).code("A" * 25).body.decode()
    assert 'id="wrong"' in answer
    assert 'aria-invalid="true" aria-describedby="wrong hint"' in answer
    assert "aria-invalid" not in Page(desk).get().body.decode()


def test_a_browser_that_sends_no_origin_has_the_cookies_rule(desk):
    page, code = Page(desk), desk.one()
    assert page.code(code, HTTP_ORIGIN=None).status == 200


@pytest.mark.parametrize("body", [
    b"code=%zz", b"code=%00", b"code=a&code=b", b"code=" + b"A" * 300,
    b"code=" + b"A" * 5000, b"code=AAAAAAAA&product=%"])
def test_a_form_that_is_broken_is_refused(desk, body):
    answer = Page(desk).send(body)
    assert answer.status == 400
    assert "Gelukt" not in text(answer)


def test_a_withdrawn_token_signs_in_anew(desk):
    page, code = Page(desk), desk.one()
    desk.redis("HSET", names.user_hash("S1", page.user), "!", "9999999999")
    answer = page.code(code, LEERPOORT_TOKEN_IAT="1")
    # with the form, which comes back with a new token
    assert (answer.status, answer.headers["location"]) == (
        307, "/sso/login?return=%2Fcode")
    # else its Origin would be "null" from there on
    assert answer.headers["referrer-policy"] == "same-origin"
    assert desk.hash(code)["state"] == "new"


def test_nobody_signed_in(desk):
    for method, status in (("GET", 303), ("POST", 307)):
        answer = desk.workers.ask("/code", method, b"", LEERPOORT_ROUTE="page")
        assert (answer.status, answer.headers["location"]) == (
            status, "/sso/login?return=%2Fcode")


def test_who_signs_in_comes_back_to_the_book(desk):
    back = "/sso/login?return=%2Fcode%3Fproduct%3Dbook"
    for method, status in (("GET", 303), ("POST", 307)):
        answer = desk.workers.ask("/code?product=book", method, b"",
                                  LEERPOORT_ROUTE="page")
        assert (answer.status, answer.headers["location"]) == (status, back)
    page = Page(desk)
    desk.redis("HSET", names.user_hash("S1", page.user), "!", "9999999999")
    answer = page.send({"code": desk.one(), "product": "book"},
                       LEERPOORT_TOKEN_IAT="1")
    assert (answer.status, answer.headers["location"]) == (307, back)
    for odd in ("a%26provider%3Dx", "%2F%2Fevil", "%0D%0AX:%20y", "x" * 300,
                "%"):
        answer = desk.workers.ask(f"/code?product={odd}",
                                  LEERPOORT_ROUTE="page")
        assert answer.headers["location"] == "/sso/login?return=%2Fcode"


@pytest.mark.parametrize("site", [
    "toegang.example", "https://", "https://a.example/", "https://a b",
    "ftp://a.example", "https://u@a.example"])
def test_a_site_that_is_none_is_refused(tmp_path, site):
    run = subprocess.run(
        [PROGRAM, "--pepper", "x", "--seal", "x", "--site", site],
        capture_output=True, text=True, timeout=60)
    assert run.returncode == 2
    assert "--site" in run.stderr
