"""Deep Linking: a teacher picks books and chapters, and the LMS gets them
signed. Forms and pages as a browser in a frame that keeps no cookies."""

import functools
import html
import re
import subprocess
import unittest.mock
import urllib.parse

import jwt
import pytest

from lib import names
from lib.door import Sso
from lib.edge import PUBLIC
from lib.lms import LTI, MEMBERSHIP, SETTINGS, Frame, Gate, Lms
from lib.nginx import BUILD

DL = "https://purl.imsglobal.org/spec/lti-dl/claim/"


def leerpoort(*words, given=""):
    run = subprocess.run([BUILD / "leerpoort", *map(str, words)], input=given,
                         text=True, capture_output=True, timeout=60)
    assert run.returncode == 0, (words, run.stderr)


class Classroom(Gate):
    """A gate whose sso signs, with some books on the shelf."""

    def _open(self, stack):
        folder = self.ring_folder
        leerpoort("key", "rotate", "--keys", folder)
        with unittest.mock.patch("lib.lms.Sso",
                                 functools.partial(Sso, keys=folder)):
            super()._open(stack)
        self.edge.product()
        self.redis("HSET", "products", "book", "")
        self.book("rekenen-2", "Rekenen één & twee", deep=True)
        self.book("atlas", "De Grote Atlas", deep=True,
                  chapters="h1 Europa\nh2/azi%C3%AB Azië\n")
        self.book("roman", "Roman <1>")
        self.book("9789001234567", "Foto’s en ĳs")
        self.book("978-90-01-99999-1", "Een uitgave")
        for i in range(3):
            self.book(f"dik-{i}", f"Dik boek {i}", deep=True,
                      chapters="".join(f"h{k} Deel {k}\n"
                                       for k in range(190)))
        self.redis("HSET", names.product_hash("part"), "deep",
                   "https://publisher.example/{path}", "name", "Een deel")
        self.redis("HSET", "products", "part", "Een deel")
        # what an index may name, and cannot be opened
        self.redis("HSET", "products", "gone", "Gone", "set-1", "Set")
        self.redis("HSET", names.product_hash("set-1"), "name", "Set")
        self.redis("SET", names.product_hash("taken"), "by somebody")
        self.redis("HSET", "products", "taken", "Taken", "no id!", "Bad")
        for i in range(60):
            self.redis("HSET", "products", f"zz-{i}", f"Zz {i:02d}")
            self.redis("HSET", names.product_hash(f"zz-{i}"), "url",
                       "https://publisher.example/", "name", f"Zz {i:02d}")

    def book(self, product, name, deep=False, chapters=""):
        where = ["--redis", self.redis.address]
        leerpoort("product", "set", product, "--name", name, "--url",
                  f"https://publisher.example/{product}",
                  *(["--deep", f"https://publisher.example/{product}/{{path}}"]
                    if deep else []), *where)
        if chapters:
            leerpoort("product", "chapters", product, *where, given=chapters)

    def jwks(self):
        return jwt.PyJWKSet.from_json(
            (self.ring_folder / "jwks.json").read_text())


@pytest.fixture(scope="module")
def lms():
    lms = Lms().start()
    yield lms
    lms.stop()
    assert not lms.complaints


@pytest.fixture(scope="module")
def room(lms, tmp_path_factory):
    room = Classroom(lms, n=1)
    room.ring_folder = tmp_path_factory.mktemp("ring")
    with room:
        yield room


class Page:
    """A page with one form, and what a person does with it."""

    def __init__(self, frame, response):
        self.frame, self.response = frame, response
        self.html = response.body.decode()
        self.text = html.unescape(re.sub(
            r"\s+", " ", re.sub(r"<[^>]*>", " ",
                                self.html.partition("<body>")[2])))
        self.inputs = [{name: html.unescape(value) for name, value in
                        re.findall(r'([a-z-]+)="([^"]*)"', tag)}
                       | ({"checked": "1"} if tag.endswith(" checked") else {})
                       for tag in re.findall(r"<input ([^>]*)>", self.html)]

    @property
    def offered(self):
        """The values that can be ticked."""
        return [tag["value"] for tag in self.inputs
                if tag.get("name") == "item"]

    @property
    def ticked(self):
        return [tag["value"] for tag in self.inputs
                if tag.get("name") == "item" and "checked" in tag]

    @property
    def secret(self):
        [secret] = [tag["value"] for tag in self.inputs
                    if tag.get("name") == "pick"]
        return secret

    @property
    def action(self):
        return html.unescape(re.search('action="([^"]*)"', self.html)[1])

    def send(self, do, tick=(), untick=(), q=None, **typed):
        """Presses a button."""
        fields = [("pick", self.secret)]
        if q is None:
            [q] = [tag["value"] for tag in self.inputs if tag["name"] == "q"]
        fields.append(("q", q))
        for value in tick:
            assert value in self.offered, (value, self.offered)
        fields += [("item", v) for v in [*self.ticked, *tick]
                   if v not in untick]
        fields += [(f"path.{product}", value)
                   for product, value in typed.items()]
        return Page(self.frame, self.frame.post(
            self.action, urllib.parse.urlencode(
                [*fields, ("do", do)]).encode()))

    def answer(self, room, lms):
        """The response in the last form, checked as the platform does."""
        assert f'action="{lms.issuer}/back"' in self.html, self.html
        [token] = [tag["value"] for tag in self.inputs]
        header = jwt.get_unverified_header(token)
        [key] = [key for key in room.jwks().keys
                 if key.key_id == header["kid"]]
        return jwt.decode(token, key.key, algorithms=["RS256"],
                          audience=lms.issuer, issuer=lms.client,
                          options={"require": ["exp", "iat", "nonce"]})


def begin(room, lms, language="nl", claims=None, **settings):
    """The first page, as a teacher gets it."""
    lms.reset()
    lms.roles = [MEMBERSHIP + "Instructor"]
    usual = lms.message("n", deep=True)[SETTINGS]
    lms.claims = {SETTINGS: {**usual, **settings},
                  LTI + "launch_presentation": {"locale": language},
                  **(claims or {})}
    response = Frame(room).launch(lms, "/go/", deep=True)
    lms.reset()
    assert response.status == 200, response
    return Page(Frame(room, keeps=False), response)


def test_the_whole_way(room, lms):
    page = begin(room, lms)
    assert page.response.header("Content-Security-Policy").count(
        f"frame-ancestors {lms.issuer}")
    assert "<script" not in page.html
    assert "Kies boeken voor ELO elo" in page.text
    assert {"book", "rekenen-2", "atlas", "roman", "atlas/h1",
            "atlas/h2/azi%C3%AB"} <= set(page.offered)
    page = page.send("search", q="REKENEN een")
    assert page.offered == ["rekenen-2"]
    page = page.send("search", ["rekenen-2"], q="atlas")
    assert page.ticked == ["rekenen-2"]
    page = page.send("search", ["atlas/h1", "atlas/h2/azi%C3%AB"], q="zzz")
    assert page.ticked == ["rekenen-2", "atlas/h1", "atlas/h2/azi%C3%AB"]
    assert page.offered == page.ticked
    assert "Niets gevonden" in page.text
    last = page.send("put", untick=["atlas/h1"])
    assert "Rekenen één & twee" in last.text
    assert "De Grote Atlas: Azië" in last.text
    assert f"form-action 'self' {lms.issuer}" in last.response.header(
        "Content-Security-Policy")
    claims = last.answer(room, lms)
    assert claims.pop("exp") - claims.pop("iat") == 600
    assert len(claims.pop("nonce")) >= 22
    assert claims == {
        "iss": lms.client, "aud": lms.issuer,
        LTI + "message_type": "LtiDeepLinkingResponse",
        LTI + "version": "1.3.0", LTI + "deployment_id": lms.deployment,
        DL + "data": "opaque", DL + "content_items": [
            {"type": "ltiResourceLink", "title": "Rekenen één & twee",
             "url": f"{PUBLIC}/go/rekenen-2",
             "custom": {"product": "rekenen-2"}},
            {"type": "ltiResourceLink", "title": "De Grote Atlas: Azië",
             "url": f"{PUBLIC}/go/atlas/h2/azi%C3%AB",
             "custom": {"product": "atlas", "path": "h2/azi%C3%AB"}}]}


def test_what_was_picked_can_be_launched(room, lms):
    claims = begin(room, lms).send("put", ["atlas/h1"]).answer(room, lms)
    [item] = claims[DL + "content_items"]
    pupil = room.pupil(lms)
    pupil.grant("atlas")
    lms.custom = {**lms.custom, **item["custom"]}
    response = Frame(room).launch(lms, item["url"])
    assert (response.status, response.location) == (
        302, "https://publisher.example/atlas/h1")


def test_an_answer_is_given_once(room, lms):
    page = begin(room, lms)
    page.send("put", ["roman"]).answer(room, lms)
    again = page.send("put", ["roman"])
    assert again.response.status >= 400
    assert again.response.header("Leerpoort-Outcome") == "launch-old"
    assert "JWT" not in again.html
    assert page.send("search").response.status >= 400


def test_nothing_chosen_is_asked_again_and_cancel_sends_an_empty_list(room,
                                                                      lms):
    page = begin(room, lms).send("put")
    assert "Kies eerst" in page.text and 'role="alert"' in page.html
    last = page.send("cancel", ["roman"])
    assert "Terug naar ELO elo" in last.text
    assert "Niets gekozen" in last.text and "Klaar" not in last.text
    claims = last.answer(room, lms)
    assert claims[DL + "content_items"] == []
    assert claims[DL + "msg"] == "Niets gekozen"
    assert claims[DL + "data"] == "opaque"


def test_one_alone_where_the_platform_takes_one(room, lms):
    page = begin(room, lms, accept_multiple=False)
    assert 'type="radio"' in page.html and 'type="checkbox"' not in page.html
    page = page.send("search", ["roman"], q="")
    assert page.ticked == ["roman"]
    both = page.send("put", ["atlas"])
    assert both.response.header("Leerpoort-Outcome") == "bad-form"
    claims = page.send("put").answer(room, lms)
    assert [item["custom"]["product"]
            for item in claims[DL + "content_items"]] == ["roman"]


def test_data_goes_back_as_it_came_or_not_at_all(room, lms):
    for data in ("é\"\\ &<>" * 200, "", "\x01\r\n\t\x7f\u2028</form>\U0001f600",
                 "\x01" * 600, "d" * 4000):
        claims = begin(room, lms, data=data).send("cancel").answer(room, lms)
        assert claims[DL + "data"] == data
    claims = begin(room, lms, data=None).send("cancel").answer(room, lms)
    assert DL + "data" not in claims


def test_a_path_by_hand_becomes_a_part(room, lms):
    page = begin(room, lms)
    assert 'name="path.rekenen-2"' in page.html
    assert 'name="path.roman"' not in page.html
    assert 'name="path.atlas"' not in page.html
    bad = page.send("put", ["rekenen-2"], **{"rekenen-2": "../weg"})
    assert "Dit pad kan niet: ../weg" in bad.text
    assert bad.ticked == ["rekenen-2"]
    page = bad.send("search", **{"rekenen-2": "les 3/som"})
    assert page.ticked == ["rekenen-2/les%203/som"]
    [item] = page.send("put").answer(room, lms)[DL + "content_items"]
    assert item["url"] == f"{PUBLIC}/go/rekenen-2/les%203/som"
    assert item["custom"] == {"product": "rekenen-2",
                              "path": "les%203/som"}


@pytest.mark.parametrize("typed", [
    "https://publisher.example/rekenen-2/les", "a/../b", "%zz", "a" * 600])
def test_what_is_no_path_stays_a_whole_book(room, lms, typed):
    page = begin(room, lms).send("put", ["rekenen-2"],
                                 **{"rekenen-2": typed})
    assert f"Dit pad kan niet: {typed}" in page.text
    assert page.ticked == ["rekenen-2"]


def test_the_last_page_can_be_read_in_the_other_language(room, lms):
    page = begin(room, lms)
    for do, tick, headings in (
            ("put", ["roman"], ("Klaar om", "Ready to be")),
            ("cancel", [], ("Niets gekozen", "Nothing chosen"))):
        last = page.send(do, tick)
        claims = last.answer(room, lms)
        for heading, other in (headings, headings[::-1]):
            assert heading in last.text and other not in last.text
            assert last.answer(room, lms) == claims
            assert last.response.header("Content-Security-Policy").endswith(
                f"frame-ancestors {lms.issuer}")
            [href] = re.findall('href="(/lti/pick/[^"]*|[?][^"]*)"', last.html)
            href = html.unescape(href)
            where = href if href.startswith("/") else where.partition(
                "?")[0] + href
            last = Page(last.frame, last.frame.get(where))
        page = begin(room, lms)
    late = page.frame.get(where.replace("/pick/", "/pick/x"))
    assert late.header("Leerpoort-Outcome") == "launch-old"
    assert f"frame-ancestors {lms.issuer}" in late.header(
        "Content-Security-Policy")
    assert b"JWT" not in late.body
    # the secret of one page opens no other one
    assert page.frame.get(f"/lti/pick/{page.secret}").header(
        "Leerpoort-Outcome") == "launch-old"


def test_a_request_as_the_specification_has_it(room, lms):
    """Deep Linking 2.0, appendix A: without a target_link_uri."""
    page = begin(
        room, lms, claims={LTI + "target_link_uri": None, "locale": "en-US",
                           LTI + "custom": {"myCustom": "123"}},
        accept_types=["link", "file", "html", "ltiResourceLink", "image"],
        accept_media_types="image/*,text/html",
        accept_presentation_document_targets=["iframe", "window", "embed"],
        auto_create=True, title="This is the default title",
        text="This is the default text")
    [item] = page.send("put", ["roman"]).answer(room, lms)[
        DL + "content_items"]
    assert item["title"] == "Roman <1>"


def test_english_where_the_platform_says_so(room, lms):
    page = begin(room, lms, language="en-US")
    assert "Choose books for ELO elo" in page.text
    last = page.send("put", ["roman"])
    assert "Put into ELO elo" in last.text


@pytest.mark.parametrize("item", [
    "nothing", "atlas/h9", "roman/deel", "atlas/../book", "book?product=book",
    "https://evil.example/", "<b>", "", "book%00", "book#x"])
@pytest.mark.parametrize("do", ["search", "put"])
def test_what_the_page_never_offered_is_refused(room, lms, item, do):
    page = begin(room, lms)
    response = Frame(room).post("/lti/pick", [
        ("pick", page.secret), ("q", ""), ("item", item), ("do", do)])
    assert response.status == 400
    assert response.header("Leerpoort-Outcome") == "bad-form"
    assert b"JWT" not in response.body
    # the teacher's own page is none the worse
    page.send("put", ["roman"]).answer(room, lms)


@pytest.mark.parametrize("q", ["gone", "set", "taken", "bad"])
def test_what_cannot_be_opened_is_not_offered(room, lms, q):
    page = begin(room, lms).send("search", q=q)
    assert page.offered == []
    assert "Niets gevonden" in page.text


@pytest.mark.parametrize("q", [
    "foto's IJS", "FOTO‘S", "978-90-01-23456-7", "978 90 01 23456 7",
    "9789001234567", "fotó’s"])
def test_a_book_is_found_by_what_people_type(room, lms, q):
    assert begin(room, lms).send("search", q=q).offered == ["9789001234567"]


@pytest.mark.parametrize("q", ["978-90-01-99999-1", "9789001999991"])
def test_an_id_with_hyphens_is_found(room, lms, q):
    assert begin(room, lms).send("search", q=q).offered == [
        "978-90-01-99999-1"]


def test_a_book_of_which_only_parts_can_be_opened(room, lms):
    page = begin(room, lms).send("search", q="een deel")
    assert page.offered == ["part"] and "hele boek" not in page.text
    page = page.send("put", ["part"])
    assert "vul een pad in" in page.text and page.ticked == []
    [item] = page.send("put", ["part"], part="les/1").answer(room, lms)[
        DL + "content_items"]
    assert item["title"] == "Een deel: les/1"


def test_fifty_are_shown_and_that_there_are_more(room, lms):
    page = begin(room, lms)
    assert "Er zijn er meer" in page.text
    page = page.send("search", q="zz")
    assert page.offered == [f"zz-{i}" for i in range(50)]
    assert "Er zijn er meer" in page.text
    page = page.send("search", ["zz-7"], q="59 zz")
    assert page.offered == ["zz-7", "zz-59"]
    assert "Er zijn er meer" not in page.text
    assert page.send("search", q=" " * 40).offered[0] == "zz-7"


def test_chapters_of_a_book_are_shown_all_or_not_at_all(room, lms):
    def found(page):
        return [sum(item.startswith(f"dik-{i}/") for item in page.offered)
                for i in range(3)]

    page = begin(room, lms).send("search", q="dik boek")
    assert found(page) == [190, 190, 0]
    assert "om de hoofdstukken te zien" in page.text
    assert found(page.send("search", q="dik boek 2")) == [0, 0, 190]


def test_fifty_can_be_picked_at_once_and_no_more(room, lms):
    page = begin(room, lms).send("search", q="zz")
    page = page.send("search", page.offered, q="zz 5")
    page = page.send("put", ["zz-55"])
    assert "hoogstens 50" in page.text
    claims = page.send("put").answer(room, lms)
    assert len(claims[DL + "content_items"]) == 50


@pytest.mark.parametrize("body", [
    b"", b"pick=short&do=put", b"do=put",
    b"pick=" + b"A" * 43 + b"&do=put", b"pick=" + b"A" * 43 + b"&do=destroy",
    b"x=" + b"y" * 200000])
def test_a_form_without_our_secret(room, body):
    response = Frame(room).post("/lti/pick", body)
    assert 400 <= response.status < 500
    assert response.header("Leerpoort-Code")
    assert "frame-ancestors 'none'" in response.header(
        "Content-Security-Policy")


def test_a_form_that_is_sent_too_late_can_be_read_in_its_frame(room, lms):
    page = begin(room, lms)
    room.redis("FLUSHALL")
    late = Frame(room).post(page.action, f"pick={page.secret}&do=put".encode())
    assert late.header("Leerpoort-Outcome") == "launch-old"
    assert f"frame-ancestors {lms.issuer}" in late.header(
        "Content-Security-Policy")


@pytest.mark.parametrize("more", [b"q=%ff", b"q=%00", b"q=%ed%a0%80",
                                  b"item=rekenen-2&path.rekenen-2=%c3"])
def test_bytes_that_no_browser_sends(room, lms, more):
    page = begin(room, lms)
    response = Frame(room).post(
        page.action, f"pick={page.secret}&".encode() + more)
    assert response.status == 400
    response.body.decode()


def test_a_form_of_another_type_and_a_get(room, lms):
    page = begin(room, lms)
    body = f"pick={page.secret}&do=cancel".encode()
    assert Frame(room).post("/lti/pick", body,
                            content_type="text/plain").status == 400
    assert Frame(room).get("/lti/pick").status == 405


def test_pupils_do_not_pick(room, lms):
    lms.reset()
    room.pupil(lms)
    response = Frame(room).launch(lms, "/go/", deep=True)
    assert response.header("Leerpoort-Outcome") == "teachers-only"


def test_redis_holds_no_secret_and_nobody(room, lms):
    before = set(room.redis("KEYS", "once:*"))
    page = begin(room, lms)
    [key] = set(room.redis("KEYS", "once:*")) - before
    assert 3000 < room.redis("TTL", key) <= 3600
    everything = b"".join(
        path.read_bytes() for path in room.redis.folder.rglob("*.aof"))
    assert page.secret.encode() not in everything
    assert b"opaque" not in everything
