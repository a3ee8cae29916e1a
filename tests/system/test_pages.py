"""The edge's pages: what people read where a click ends without a book."""

import base64
import hashlib
import html.parser
import json
import re
import subprocess

import pytest

from lib.edge import Edge
from lib.names import right
from lib.nginx import BUILD, configuration_test, frame
from lib.process import REPOSITORY, eventually

SIZE = 20 * 1024
CODE = re.compile(r"[0-9A-HJKMNP-TV-Z]{5}-[0-9A-HJKMNP-TV-Z]{5}")
VOID = {"meta", "link", "input", "br", "hr", "img"}
HOUSES = {
    "default": {"name": "Boekhuis", "help": "https://boekhuis.example/hulp",
                "helpText": {"nl": "Bel ons", "en": "Call us"}},
    "schools": {"S1": {"name": "De <Regenboog>", "accent": "#8a2c5b",
                       "help": "mailto:hulp@regenboog.example"}},
    "codes": "/code",
}


class Page(html.parser.HTMLParser):
    """A page that is well formed: every element is closed in its turn."""

    def __init__(self, response):
        super().__init__(convert_charrefs=True)
        self.response = response
        self.elements, self.links, self.style = [], [], ""
        self._open, self._text = [], {}
        assert len(response.body) < SIZE
        self.feed(response.body.decode("utf-8"))
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        names_ = [name for name, _ in attrs]
        assert len(names_) == len(set(names_))
        self.elements.append((tag, dict(attrs)))
        if tag == "a":
            self.links.append(dict(attrs))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open and self._open.pop() == tag, (tag, self._open)

    def handle_data(self, data):
        if self._open and self._open[-1] == "style":
            self.style += data
        for tag in set(self._open):
            self._text[tag] = self._text.get(tag, "") + data

    def text(self, tag="body"):
        return self._text.get(tag, "")

    def all(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]

    @property
    def language(self):
        return self.all("html")[0]["lang"]

    @property
    def switch(self):
        """The href of the link to the other language; None: there is none."""
        return next((link["href"] for link in self.links
                     if "hreflang" in link), None)

    @property
    def code(self):
        found = CODE.findall(self.text("strong"))
        assert len(found) == 1
        return found[0]


def assert_sound(response):
    """What every page has. Returns it."""
    page = Page(response)
    assert response.header("Content-Type") == "text/html; charset=utf-8"
    assert page.language in ("nl", "en")
    assert len(page.all("h1")) == len(page.all("main")) == 1
    assert len(page.all("title")) == 1 and page.text("title").strip()
    assert page.text("h1") in page.text("title")
    for tag in ("script", "img", "iframe", "base", "object"):
        assert not page.all(tag), tag
    for tag, attrs in page.elements:
        assert not {a for a in attrs if a.startswith("on")} | (
            {"style", "http-equiv"} & set(attrs)), (tag, attrs)
    digest = base64.b64encode(hashlib.sha256(
        page.style.encode()).digest()).decode()
    assert response.header("Content-Security-Policy") == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'")
    assert response.header("X-Content-Type-Options") == "nosniff"
    assert response.header("Referrer-Policy") == "no-referrer"
    assert response.header("Cache-Control") == "no-store"
    assert response.header("Leerpoort-Code") == page.code
    return page


def accept(language):
    return [("Accept-Language", language), ("Accept", "text/html")]


def explain(code, *args):
    said = subprocess.run([BUILD / "leerpoort", "explain", code, "--json",
                           *args], capture_output=True, check=True)
    return json.loads(said.stdout)


@pytest.fixture(scope="module")
def ends():
    """An edge without a login, and a way to each of its pages."""
    with Edge(login=False, click={"activate": None}, activate="",
              server="error_page 599 /never;") as edge:
        edge.product("book", url="https://publisher.example/b",
                     name="Getal & Ruimte <vwo>")
        edge.await_armed()

        def person(record=None):
            someone = edge.person()
            return someone.grant("book", record) if record else someone

        yield edge, {
            "login": lambda **kw: edge.click("/go/book", **kw),
            "bad-token": lambda **kw: edge.click("/go/book", token="x", **kw),
            "no-right": lambda **kw: person().click(**kw),
            "not-yet": lambda **kw: person(
                right("E", "20980901", "20991231")).click(**kw),
            "ended": lambda **kw: person(
                right("L", "20200101", "20200731")).click(**kw),
            "blocked": lambda **kw: person("B").click(**kw),
            "unknown-product": lambda **kw: person().click("/go/none", **kw),
            "unknown-material": lambda **kw: person("L").click(
                "/go/book/part", **kw),
            "bad-request": lambda **kw: person().click("/go/-", **kw),
            "unavailable": lambda **kw: person("E").click(**kw),
        }


OUTCOMES = ["login", "bad-token", "no-right", "not-yet", "ended", "blocked",
            "unknown-product", "unknown-material", "bad-request",
            "unavailable"]


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_every_outcome_has_a_page_in_both_languages(ends, outcome):
    _, ways = ends
    titles = set()
    for language in ("nl", "en"):
        response = ways[outcome](headers=accept(language))
        assert response.outcome == outcome
        page = assert_sound(response)
        assert page.language == language
        titles.add(page.text("h1"))
        answer = explain(page.code)
        assert answer["problem"] == outcome
        assert answer[language]["title"] == page.text("h1")
        for part in ("what", "todo", "ask"):
            assert answer[language][part] in page.text("main")
        assert answer["status"] == response.status
        assert answer["reason"] is None
    assert len(titles) == 2


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_head_has_the_headers_of_the_page(ends, outcome):
    _, ways = ends
    response = ways[outcome](method="HEAD", headers=accept("en"))
    whole = ways[outcome](headers=accept("en"))
    assert response.body == b""
    varying = {"date", "leerpoort-code", "retry-after", "refresh", "x-mirror"}
    assert [(n, v) for n, v in response.headers if n.lower() not in varying] \
        == [(n, v) for n, v in whole.headers if n.lower() not in varying]
    assert CODE.fullmatch(response.header("Leerpoort-Code"))


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_programs_get_edu_v_s_form(ends, outcome):
    _, ways = ends
    response = ways[outcome](headers=[("Accept", "application/json")])
    page = ways[outcome](headers=accept("en"))
    assert (response.status, response.outcome) == (page.status, outcome)
    assert response.header("Content-Type") == "application/json"
    assert response.header("Cache-Control") == "no-store"
    assert (response.header("WWW-Authenticate")
            == page.header("WWW-Authenticate"))
    assert (response.header("Retry-After") is None) == (
        page.header("Retry-After") is None)
    assert response.header("Refresh") is None
    body = json.loads(response.body)
    assert set(body) == {"status", "statusMessage"}
    assert body["statusMessage"].startswith(f"{outcome}: ")
    assert explain(response.header("Leerpoort-Code"))["problem"] == outcome


def test_program_is_not_led_to_a_sign_in_page():
    with Edge() as edge:
        edge.product("book")
        assert edge.click("/go/book").status == 302
        for accepts, status in (("application/json", 401),
                                ("text/html, application/json", 302),
                                ("*/*", 302)):
            response = edge.click("/go/book", headers=[("Accept", accepts)])
            assert (response.status, response.outcome) == (status, "login")
            assert (response.header("Leerpoort-Code") is None) == (
                status == 302)


def test_method_that_is_none_of_a_click_s_gets_the_page(ends):
    edge, _ = ends
    response = edge.person().click(method="DELETE")
    assert response.status == 405 and response.header("Allow") == "GET, HEAD"
    # an address that another request's answer stands at leads nowhere
    assert assert_sound(response).switch is None


# ---- languages

def test_language_is_a_choice_that_stays(ends):
    _, ways = ends
    page = assert_sound(ways["no-right"](headers=accept("nl,en;q=0.5")))
    assert (page.language, page.switch) == ("nl", "?lang=en")
    assert page.response.header("Set-Cookie") is None

    edge, _ = ends
    response = edge.person().click("/go/book" + page.switch,
                                   headers=accept("nl"))
    page = assert_sound(response)
    assert (page.language, page.switch) == ("en", "?lang=nl")
    cookie = response.header("Set-Cookie")
    assert cookie == ("leerpoort_lang=en; Path=/; Max-Age=31536000; "
                      "SameSite=Lax; HttpOnly; Secure")

    for header in ("leerpoort_lang=en", "a=b; leerpoort_lang=en; c=d"):
        page = assert_sound(ways["ended"](
            headers=accept("nl") + [("Cookie", header)]))
        assert page.language == "en"
    page = assert_sound(edge.person().click(
        "/go/book?lang=nl", headers=[("Cookie", "leerpoort_lang=en")]))
    assert page.language == "nl"


@pytest.mark.parametrize("target, switch", [
    ("/go/book?product=book&lang=nl", "?product=book&lang=en"),
    ("/go/book?lang=nl&lang=en&a=%22", "?a=%22&lang=en"),
    ("/go/book?lang=de", "?lang=en"),
    ("/go/book?", "?lang=en"),
    ("/go/book?\"'><b>&lang=nl", "?\"'><b>&lang=en"),
    ("//evil.example/%2e", "?lang=en"),
    ("/go/book?" + "x" * 1000, None),
])
def test_switch_keeps_the_query_and_stays_here(ends, target, switch):
    edge, _ = ends
    if target.startswith("//"):
        target = "/go/" + target
    page = assert_sound(edge.person().click(target))
    assert page.switch == switch
    for link in page.links:
        assert link["href"].startswith("?")


def test_unknown_language_sets_no_cookie(ends):
    edge, _ = ends
    for value in ("de", "EN", "", "nl;Path=/x", "en%0d%0aX:y"):
        response = edge.person().click("/go/book?lang=" + value)
        assert_sound(response)
        assert response.header("Set-Cookie") is None


def test_language_of_a_click_does_not_reach_a_publisher(ends):
    edge, _ = ends
    response = edge.person().grant("book").click("/go/book?lang=en")
    assert response.location == "https://publisher.example/b"
    assert response.header("Set-Cookie") is None
    assert response.header("Leerpoort-Code") is None


def test_long_lists_of_headers_are_no_trouble(ends):
    _, ways = ends
    page = assert_sound(ways["ended"](headers=[
        *(("Cookie", f"c{i}=x") for i in range(60)),
        ("Cookie", "leerpoort_lang=en"),
        ("Accept", "text/html" + ",a/b;q=0.1" * 500),
        ("Accept-Language", "x," * 1000 + "nl")]))
    assert page.language == "en"


# ---- trying again

def test_busy_pupils_do_not_come_back_together(ends):
    _, ways = ends
    seen = set()
    for _ in range(60):
        response = ways["unavailable"](headers=accept("en"))
        seconds = int(response.header("Retry-After"))
        assert 5 <= seconds <= 20
        assert response.header("Refresh") == f"{seconds}; url=/go/book"
        seen.add(seconds)
    assert len(seen) >= 4  # 60 of 16: fewer is one chance in 10^30
    page = assert_sound(response)
    assert {"class": "button", "href": "/go/book"} in page.links


def test_a_retry_is_the_same_click(ends):
    edge, _ = ends
    person = edge.person().grant("book", "E")
    response = person.click("/go/book?product=book&lang=en")
    assert response.header("Refresh").partition("; url=")[2] \
        == "/go/book?product=book&lang=en"
    long_one = person.click("/go/book?" + '"' * 760)
    page = assert_sound(long_one)
    assert long_one.header("Retry-After")
    assert long_one.header("Refresh") is None or page.links
    longer = person.click("/go/book?" + "x" * 800)
    assert_sound(longer)
    assert longer.header("Retry-After") and not longer.header("Refresh")


@pytest.mark.parametrize("outcome", OUTCOMES[:-1])
def test_what_does_not_pass_is_not_tried_again(ends, outcome):
    _, ways = ends
    response = ways[outcome]()
    assert response.header("Refresh") is None
    assert response.header("Retry-After") is None


# ---- what is shown to whom

def test_book_is_named_to_those_who_may_know(ends):
    edge, ways = ends
    for outcome in ("no-right", "ended", "blocked", "unknown-material",
                    "unavailable", "not-yet"):
        assert "Getal & Ruimte <vwo>" in assert_sound(
            ways[outcome]()).text("strong"), outcome
    assert "none" in assert_sound(ways["unknown-product"]()).text("strong")
    for outcome in ("login", "bad-token", "bad-request"):
        text = assert_sound(ways[outcome]()).text()
        assert "Getal" not in text and "book" not in text
    revoked = edge.person().grant("book")
    edge.redis("HSET", revoked.hash(), "!", 4102444800)
    response = revoked.click()
    assert response.outcome == "login"
    assert "Getal" not in assert_sound(response).text()


def test_name_of_a_book_may_be_anything(ends):
    edge, _ = ends
    edge.product("odd", url="https://publisher.example/o",
                 name="</strong><script>\x1b\xff\"' &amp; " + "n" * 60)
    page = assert_sound_but_utf8(edge.person().click("/go/odd"))
    assert "<script>" in page.text("strong")
    edge.product("long", url="https://publisher.example/l", name="n" * 4000)
    assert "long" in assert_sound(edge.person().click("/go/long")).text(
        "strong")


def assert_sound_but_utf8(response):
    response.body = response.body.decode(errors="replace").encode()
    return assert_sound(response)


def test_first_day_is_the_nearest_that_is_to_come(ends):
    edge, ways = ends
    page = assert_sound(ways["not-yet"](headers=accept("nl")))
    assert "1 september 2098" in page.text("main")
    edge.product("part", url="https://publisher.example/p", in_="set")
    person = edge.person().grant("part", right("E", "20980901", "-"))
    person.grant("set", right("E", "20970401", "-"))
    page = assert_sound(person.click("/go/part", headers=accept("en")))
    assert "1 April 2097" in page.text("main")


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    file = tmp_path_factory.mktemp("pages") / "pages.json"
    file.write_text(json.dumps(HOUSES))
    with Edge(login=False, http=f"leerpoort_pages {file};") as edge:
        edge.product("book")
        yield edge


def test_school_s_style_is_for_its_own_people(house):
    page = assert_sound(house.person(school="S1").click(headers=accept("nl")))
    assert page.text("title").endswith(" - De <Regenboog>")
    assert "De <Regenboog>" in page.text("header")
    assert "#8a2c5b" in page.style
    assert page.all("footer")
    assert {"href": "mailto:hulp@regenboog.example"} in page.links
    assert {"class": "button",
            "href": "/code?product=book"} in page.links

    other = assert_sound(house.person(school="S2").click(headers=accept("en")))
    assert "Boekhuis" in other.text("header")
    assert "#8a2c5b" not in other.style
    assert "Call us" in other.text("footer")


def test_strangers_see_no_school(house):
    person = house.person(school="S1")
    token = person.token()
    for stranger in (house.click("/go/book"),
                     house.click("/go/book", token=token[:-4] + "AAAA"),
                     house.click("/go/book", token=person.token(
                         exp=1, iat=0)),
                     person.click("/go/-")):
        page = assert_sound(stranger)
        assert "Boekhuis" in page.text("header")
        assert "Regenboog" not in page.text()
        assert "#8a2c5b" not in page.style
        assert "/code" not in stranger.body.decode()


def test_revoked_token_is_a_stranger_s(house):
    person = house.person(school="S1")
    house.redis("HSET", person.hash(), "!", 4102444800)
    response = person.click()
    assert response.outcome == "login"
    assert "Regenboog" not in assert_sound(response).text()


def test_pages_of_a_location_go_before_those_of_the_server(tmp_path):
    for name in ("one", "two"):
        (tmp_path / f"{name}.json").write_text(json.dumps(
            {"default": {"name": name}}))
    with Edge(http=f"leerpoort_pages {tmp_path}/one.json;",
              click={"pages": f"{tmp_path}/two.json"}) as edge:
        assert "two" in assert_sound(edge.person().click()).text("header")


@pytest.mark.parametrize("content, reason", [
    (None, "can't read the file"),
    ("{", "not one JSON object"),
    ('{"default": {"accent": "#ffcc00"}}', "default.accent: contrast"),
    ('{"default": {"acent": "#000000"}}', '"acent" is no member'),
])
def test_pages_that_are_wrong_stop_the_start(tmp_path, content, reason):
    file = tmp_path / "pages.json"
    if content is not None:
        file.write_text(content)
    code, said = configuration_test(tmp_path, frame(
        tmp_path, f"leerpoort_pages {file};"))
    assert code != 0
    assert reason in said and "pages.json" in said and "nginx.conf:" in said


def test_pages_are_given_once(tmp_path):
    file = tmp_path / "pages.json"
    file.write_text("{}")
    code, said = configuration_test(tmp_path, frame(
        tmp_path, f"leerpoort_pages {file}; leerpoort_pages {file};"))
    assert code != 0 and "duplicate" in said
    code, said = configuration_test(tmp_path, frame(
        tmp_path, f"leerpoort_pages {file};"))
    assert code == 0, said


# ---- error pages, the log, other ways

def test_error_page_of_the_configuration_has_the_code():
    with Edge(login=False, server='''
        error_page 403 /own;
        location = /own { internal; return 403 "own $leerpoort_code"; }
    ''') as edge:
        edge.product("book")
        response = edge.person().click()
        assert (response.status, response.outcome) == (403, "no-right")
        code = response.header("Leerpoort-Code")
        assert response.body.decode() == f"own {code}"
        assert response.header("Content-Security-Policy") is None
        assert explain(code)["problem"] == "no-right"
        machine = edge.person().click(headers=["Accept: application/json"])
        assert machine.body.startswith(b"own ")


def test_where_no_page_was_shown_there_is_no_code(tmp_path):
    log = tmp_path / "access.log"
    with Edge(http=f"log_format code escape=json '$status [$leerpoort_code]';"
                   f"access_log {log} code;") as edge:
        edge.product("book")
        assert edge.person().grant("book").click().status == 302
        assert edge.click("/go/book").outcome == "login"
        assert edge.click("/static").status == 200
        code = edge.person().click().header("Leerpoort-Code")
    assert log.read_text().splitlines() == [
        "302 []", "302 []", "200 []", f"403 [{code}]"]


def test_codes_are_told_apart(ends):
    _, ways = ends
    codes = {ways["no-right"]().header("Leerpoort-Code") for _ in range(40)}
    assert len(codes) > 20  # of 256 in a minute
    for code in codes:
        answer = explain(code)
        assert (answer["problem"], answer["reason"]) == ("no-right", None)


def test_why_a_token_was_refused_is_for_operators(tmp_path):
    """In the code, if its issuer had signed it; else in the log alone."""
    log = tmp_path / "access.log"
    with Edge(http="log_format leerpoort escape=json '{\"code\":"
                   "\"$leerpoort_code\",\"reason\":\"$leerpoort_reason\"}';"
                   f"access_log {log} leerpoort;") as edge:
        person = edge.person()
        edge.product("book")
        good = person.token().split(".")
        mark = "B" if good[2][9] == "A" else "A"
        forged = ".".join(good[:2] + [good[2][:9] + mark + good[2][10:]])
        for token, reason, told in (
                (forged, "signature", None), ("x", "not-compact", None),
                (person.token(iss="https://other"), "iss-wrong", None),
                (person.token(aud="stranger"), "aud-wrong", "aud-wrong"),
                (person.token(exp=None), "exp-missing", "exp-missing")):
            page = assert_sound(edge.click("/go/book", token=token))
            assert explain(page.code)["reason"] == told
            eventually("the log has its line", lambda: explain(
                page.code, "--log", log)["lines"], 10)
            assert explain(page.code, "--log", log)["reason"] == reason
            assert reason not in page.text()
        assert person.grant("book").click().status == 302
    assert json.loads(log.read_text().splitlines()[-1]) == {
        "code": "", "reason": ""}


FRAMES = "https://lms.example https://*.school.example"


@pytest.mark.parametrize("frames, ancestors, platform, switch", [
    (None, "'none'", None, None), (FRAMES, FRAMES, None, None),
    (FRAMES, FRAMES, "elo", "/problem?code={}&in=elo&lang=nl"),
    (FRAMES, FRAMES, '"&x', "/problem?code={}&in=%22%26x&lang=nl"),
    (FRAMES, FRAMES, "x" * 65, None),
    ("x; script-src *", "'none'", "elo", None),
    ("a, default-src *", "'none'", "elo", None)],
    ids=["none", "lms", "known", "quote", "long", "part", "policy"])
def test_click_that_a_program_led_here(tmp_path, frames, ancestors, platform,
                                       switch):
    """LTI: the browser is in a frame, at the address that it posted to."""
    def launch(_):
        return {"X-Accel-Redirect": "/lti/click", "Leerpoort-Click": "book",
                **({"Leerpoort-Frames": frames} if frames else {}),
                **({"Leerpoort-Platform": platform} if platform else {})}

    houses = tmp_path / "pages.json"
    houses.write_text(json.dumps(HOUSES))
    with Edge(login=False, worker=launch, server=f'''
        leerpoort_pages {houses};''' + '''
        location = /launch { rewrite ^ /activate; }
        location = /lti/click {
            internal;
            leerpoort_click $upstream_http_leerpoort_click;
            leerpoort_token $http_x_token;
        }''') as edge:
        edge.product("book", url="https://publisher.example/b")
        person = edge.person()
        response = edge.click("/launch", headers=[
            ("X-Token", person.token()), *accept("en"),
            ("Origin", "https://evil.example"),
            ("Leerpoort-Frames", "https://evil.example")])
        assert response.outcome == "no-right"
        page = Page(response)
        # it has no address of its own
        assert page.switch == (switch and switch.format(page.code))
        # a frame shows neither our pages nor other sites'
        windows = [link["href"] for link in page.links
                   if link.get("target") == "_blank"]
        others = [link["href"] for link in page.links
                  if "hreflang" not in link]
        assert others == ["/code?product=book",
                          "mailto:hulp@regenboog.example"]
        assert windows == (others if "https" in ancestors else [])
        assert ("(opens a new window)" in page.text()) == bool(windows)
        assert response.header("Content-Security-Policy").endswith(
            f"; frame-ancestors {ancestors}")
        person.grant("book", "E")
        response = edge.click("/launch", headers=[
            ("X-Token", person.token()), *accept("en")])
        assert response.outcome == "unavailable"
        assert response.header("Retry-After")
        assert response.header("Refresh") is None


def test_document_tells_of_every_page():
    text = (REPOSITORY / "docs" / "pages.md").read_text()
    table = (REPOSITORY / "core" / "problem.c").read_text()
    known = set(re.findall(r'\] = \{"([a-z-]+)", \d{3},', table)) | set(
        OUTCOMES)
    assert len(known) > 30
    table = text[text.index("## Which page when"):text.index("### Programs")]
    rows = re.findall(r"^\| `([a-z-]+)` \| (\d{3}) \|.*\| (Refresh)? ?\|$",
                      table, re.M)
    assert {name for name, _, _ in rows} == known
    for name, status, again in rows:
        assert (again == "Refresh") == (status == "503"), name


def test_document_s_pages_json_is_one_that_is_read(tmp_path):
    text = (REPOSITORY / "docs" / "pages.md").read_text()
    example = re.search(r"^```json\n(.*?)^```", text, re.S | re.M)[1]
    file = tmp_path / "pages.json"
    file.write_text(example)
    code, said = configuration_test(tmp_path, frame(
        tmp_path, f"leerpoort_pages {file};"))
    assert code == 0, said


def test_document_s_support_code_is_one():
    text = (REPOSITORY / "docs" / "pages.md").read_text()
    code = re.search(r"\$ leerpoort explain (\S+) --log", text)[1]
    said = subprocess.run([BUILD / "leerpoort", "explain", code], check=True,
                          capture_output=True, text=True).stdout
    shown = [line.split(" (")[0] for line in said.splitlines()
             if not line.startswith("look at")]  # which is long
    assert len(shown) == 5
    for line in shown:
        assert f"    {line}" in text
