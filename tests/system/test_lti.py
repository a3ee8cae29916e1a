"""LTI 1.3: a launch from a learning environment opens the book that it names,
for the person that it names, and nothing else does."""

import json
import re
import subprocess
import threading
import time
import urllib.parse

import pytest

from lib import names
from lib.edge import PUBLIC, URL
from lib.http import at_once
from lib.lms import LTI, MEMBERSHIP, SETTINGS, Frame, Gate, Lms
from lib.nginx import BUILD
from lib.process import eventually
from lib.tokens import make_key

REFUSED = r"^leerpoort: a launch from (elo|new) was refused: "
NO_KEY = r"^leerpoort: nobody can pick books at elo: no key ring "


@pytest.fixture(scope="module")
def gate():
    lms = Lms().start()
    try:
        with Gate(lms, allow=[REFUSED, NO_KEY]) as gate:
            yield gate
    finally:
        lms.stop()


@pytest.fixture
def lms(gate):
    gate.lms.reset()
    gate.lms.complaints.clear()
    gate.change()
    yield gate.lms
    assert not gate.lms.complaints


def code_of(response):
    """The outcome that an operator sees; there must be a support code."""
    assert re.fullmatch(r"[0-9A-Z]{5}-[0-9A-Z]{5}",
                        response.header("Leerpoort-Code")), response
    assert response.header("Leerpoort-Code").encode() in response.body
    return response.outcome


def framed_by(response):
    """The origins that may frame a page."""
    policy = response.header("Content-Security-Policy")
    return re.search(r"frame-ancestors ([^;]*)", policy)[1].strip()


def why(response):
    """What leerpoort explain makes of the page's support code."""
    run = subprocess.run([str(BUILD / "leerpoort"), "explain", "--json",
                          response.header("Leerpoort-Code")],
                         capture_output=True, text=True, check=True)
    return json.loads(run.stdout)["reason"]


def reconfigure(gate, **changes):
    gate.change([gate.lms.entry(**changes)])


# --- the way in ---

def test_a_launch_opens_the_book(gate, lms):
    pupil = gate.pupil().grant("book")
    frame = Frame(gate)
    for post in (False, True):
        response = frame.begin(lms, post=post)
        assert response.status == 302
        assert response.header("Cache-Control") == "no-store"
        form = lms.form_of(response.location)
        assert lms.asked[-1]["login_hint"] == "hint-1"
        response = frame.post("/lti/launch", form)
        assert (response.status, response.location) == (302, URL + "book")
    assert pupil.school == "S1"


def test_the_message_hint_comes_back_unaltered(gate, lms):
    for hint in ("", "a b&c=d%41+\u00e9/", "x" * 4000):
        response = Frame(gate).begin(lms, lti_message_hint=hint)
        asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(
            response.location).query, keep_blank_values=True))
        assert asked["lti_message_hint"] == hint
    response = Frame(gate).begin(lms, lti_message_hint=None)
    assert "lti_message_hint" not in response.location


def test_path_and_custom_parameters_name_the_product(gate, lms):
    gate.edge.product("atlas")
    pupil = gate.pupil()
    eckid = lms.custom
    pupil.grant("book").grant("atlas")
    for target, custom, location in (
            ("/go/book/ch/2?x=1", {}, URL + "book/ch/2"),
            ("/lti/launch", {"product": "atlas"}, URL + "atlas"),
            ("/go/book", {"product": "atlas", "path": "map/3"},
             URL + "atlas/map/3"),
            ("/go/book", {"product": "$Product.id"}, URL + "book")):
        lms.custom = {**eckid, **custom}
        response = Frame(gate).launch(lms, target)
        assert (response.status, response.location) == (302, location)


def test_a_launch_without_any_cookie(gate, lms):
    gate.pupil().grant("book")
    frame = Frame(gate, keeps=False)
    response = frame.launch(lms)
    assert response.location == URL + "book"
    assert not frame.jar


def test_a_launch_begins_no_session(gate, lms):
    gate.pupil().grant("book")
    frame = Frame(gate)
    response = frame.launch(lms)
    assert response.location == URL + "book"
    assert response.all("Set-Cookie") == []
    assert all("leerpoort-lti" in name for name in frame.jar), frame.jar
    for line in (r for r in frame.begin(lms).all("Set-Cookie")):
        assert line.startswith("__Host-leerpoort-lti-")
        for mark in ("SameSite=None", "Secure", "Partitioned", "HttpOnly",
                     "Path=/", "Max-Age=600"):
            assert mark in line
    assert gate.edge.click("/go/book").status == 401


def test_a_first_click_by_a_launch_activates(gate, lms):
    gate.redis("HSET", names.product_hash("exercise"), "url",
               URL + "exercise", "licence", "schoolyear")
    pupil = gate.pupil()
    entitlement = names.entitlement("lti")
    gate.redis("HSET", f"x:{{{names.shard(entitlement[:3])}}}:"
               f"{entitlement[:3]}", entitlement[3:], names.shard("S1"))
    record = {"party": "00000001234567890000", "type": "school-student",
              "status": "entitled", "product": "exercise", "school": "S1",
              "from": "20200101", "until": "20991231", "user": pupil.key()}
    gate.redis("HSET", f"e:{{{names.shard('S1')}}}:{entitlement}",
               *(word for pair in record.items() for word in pair))
    pupil.grant("exercise", names.right("E", name="lti"))
    response = Frame(gate).launch(lms, "/go/exercise")
    assert (response.status, response.location) == (302, URL + "exercise")
    assert gate.redis("HGET", pupil.hash(), "exercise").startswith("L ")


def test_a_teacher_is_an_employee_by_role(gate, lms):
    """Open material of employees: what the token says of the role is looked at
    by the worker that activates."""
    lms.roles = [MEMBERSHIP + "Instructor"]
    teacher = gate.pupil().grant("book")
    assert Frame(gate).launch(lms).location == URL + "book"
    assert teacher.school == "S1"


def test_no_right_is_the_click_s_own_answer(gate, lms):
    gate.pupil()
    response = Frame(gate).launch(lms)
    assert (response.status, response.outcome) == (403, "no-right")
    assert framed_by(response) == lms.issuer


def test_the_school_comes_from_the_deployment(gate, lms):
    """Whatever the platform's claims say of schools."""
    reconfigure(gate, schools=[{"claim": "custom.school",
                                "idType": "MASTER"}])
    pupil = gate.pupil(school="S2").grant("book")
    lms.custom = {**lms.custom, "school": "S2"}
    assert Frame(gate).launch(lms).outcome == "no-right"
    reconfigure(gate, schools=[{"claim": "custom.school",
                                "idType": "MASTER"}],
                deployments=[{"id": lms.deployment}])
    assert Frame(gate).launch(lms).location == URL + "book"
    lms.custom = {**lms.custom, "school": "S9"}
    assert code_of(Frame(gate).launch(lms)) == "unknown-school"
    assert pupil.school == "S2"


# --- what is refused ---

WRONG = {
    "version": ({LTI + "version": "1.3"}, "launch-wrong"),
    "no version": ({LTI + "version": None}, "launch-wrong"),
    "message type": ({LTI + "message_type": "LtiStartProctoring"},
                     "launch-wrong"),
    "no message type": ({LTI + "message_type": None}, "launch-wrong"),
    "deployment": ({LTI + "deployment_id": "2"}, "launch-wrong"),
    "no deployment": ({LTI + "deployment_id": None}, "launch-wrong"),
    "long deployment": ({LTI + "deployment_id": "1" * 256}, "launch-wrong"),
    "target": ({LTI + "target_link_uri": "https://evil.example/go/book"},
               "launch-wrong"),
    "no target": ({LTI + "target_link_uri": None}, "launch-wrong"),
    "no resource": ({LTI + "resource_link": None}, "launch-wrong"),
    "no roles": ({LTI + "roles": None}, "launch-wrong"),
    "roles": ({LTI + "roles": "Learner"}, "launch-wrong"),
    "custom": ({LTI + "custom": ["product"]}, "launch-wrong"),
    "issuer": ({"iss": "https://other.example"}, "launch-wrong"),
    "audience": ({"aud": "somebody"}, "launch-wrong"),
    "several audiences": ({"aud": ["leerpoort-at-elo", "other"]},
                          "launch-wrong"),
    "another party": ({"aud": ["leerpoort-at-elo", "other"], "azp": "other"},
                      "launch-wrong"),
    "expired": ({"exp": 1000000000, "iat": 999999999}, "launch-wrong"),
    "no exp": ({"exp": None}, "launch-wrong"),
    "no iat": ({"iat": None}, "launch-wrong"),
    "long ago": ({"iat": int(time.time()) - 3000}, "launch-wrong"),
    "a number as product": ({LTI + "custom": {"product": 9789001}},
                            "launch-wrong"),
    "future": ({"iat": 4000000000, "exp": 4000000300}, "launch-wrong"),
    "nonce": ({"nonce": "x" * 43}, "launch-wrong"),
    "no nonce": ({"nonce": None}, "launch-wrong"),
    "person": ({LTI + "custom": {"eckid": "https://ketenid.nl/x/short"}},
               "launch-wrong"),
    "subject": ({"sub": 7}, "launch-wrong"),
    "nobody": ({LTI + "custom": {}}, "nobody"),
    "blanks": ({LTI + "custom": {"eckid": "  "}}, "nobody"),
    "an unfilled variable": ({LTI + "custom": {"eckid": "$User.id"}},
                             "nobody"),
    "no product": ({LTI + "target_link_uri": PUBLIC + "/lti/launch"},
                   "launch-no-book"),
    "a path that leaves": ({LTI + "target_link_uri": PUBLIC + "/go/book/../x"},
                           "launch-no-book"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_claim_is_refused(gate, lms, what):
    gate.pupil().grant("book")
    lms.claims, problem = WRONG[what]
    response = Frame(gate).launch(lms)
    assert code_of(response) == problem
    assert response.status in (400, 403, 404)
    assert framed_by(response) == lms.issuer
    assert response.all("Set-Cookie") == []


@pytest.mark.parametrize("what, reason", [
    ("version", "version"), ("deployment", "deployment-other"),
    ("target", "target-link-uri"), ("person", "person"),
    ("audience", "aud-wrong"), ("expired", "expired"),
    ("no product", "product")])
def test_a_support_code_says_which_claim(gate, lms, what, reason):
    gate.pupil()
    lms.claims, _ = WRONG[what]
    assert why(Frame(gate).launch(lms)) == reason


def test_one_of_several_audiences_with_azp(gate, lms):
    gate.pupil().grant("book")
    lms.claims = {"aud": [lms.client, "other"], "azp": lms.client}
    assert Frame(gate).launch(lms).location == URL + "book"


def test_a_small_skew_of_clocks_is_borne(gate, lms):
    gate.pupil().grant("book")
    now = int(time.time())
    for iat, exp in ((now + 30, now + 330), (now - 330, now - 30),
                     (now + 0.25, now + 300.5)):
        lms.claims = {"iat": iat, "exp": exp}
        assert Frame(gate).launch(lms).location == URL + "book"


def test_a_signature_that_is_not_the_platform_s(gate, lms):
    gate.pupil().grant("book")
    for key, alg, header in (
            (make_key("RS256", lms.keys[0].kid, 5), None, {}),
            (make_key("HS256", lms.keys[0].kid), None, {}),
            (make_key("ES256", lms.keys[0].kid), None, {}),
            (None, None, {"alg": "none"}),
            (None, None, {"alg": "RS512"}),
            (None, None, {"crit": ["x"]}),
            (None, None, {"typ": "at+jwt"})):
        lms.key, lms.alg, lms.header = key, alg, header
        assert code_of(Frame(gate).launch(lms)) == "launch-wrong"


def test_what_is_no_token(gate, lms):
    for token in ("", "x", "a.b.c", "." * 5, "x" * 9000):
        lms.form = {"id_token": token}
        response = Frame(gate).launch(lms)
        assert code_of(response) == "launch-wrong"
        assert framed_by(response) == lms.issuer
    assert why(response) == "too-long"
    lms.form = {"id_token": None}
    assert code_of(Frame(gate).launch(lms)) == "launch-wrong"


@pytest.mark.parametrize("error, said", [
    ("login_required", "login_required"),
    ("Noor de Vries", "not in the standards"),
    ("x" * 3000, "not in the standards")])
def test_a_platform_that_sends_an_error(gate, lms, error, said):
    """Whatever else it sends; and nobody reads its words but in ours."""
    gate.pupil().grant("book")
    for rest in ({"id_token": None}, {}):
        lms.form = {"error": error, "error_description": "<b>Noor</b>", **rest}
        form = Frame(gate, keeps=False).form(lms)
        response = Frame(gate, keeps=False).post("/lti/launch", form)
        assert code_of(response) == "sign-in-refused"
        assert framed_by(response) == lms.issuer
        assert b"Noor" not in response.body
        # it is used up
        assert code_of(Frame(gate, keeps=False).post("/lti/launch", form)) \
            == "launch-old"
    assert "Noor" not in gate.sso.said()
    eventually("the log says which error", lambda: (
        Frame(gate, keeps=False).launch(lms), said in gate.sso.said())[1])


def test_a_login_by_nobody_we_know(gate, lms):
    frame = Frame(gate)
    for changes in ({"iss": "https://evil.example"}, {"client_id": "other"},
                    {"lti_deployment_id": "other"}):
        response = frame.begin(lms, **changes)
        assert code_of(response) == "launch-unknown"
        assert response.location is None
    unknown = frame.begin(lms, iss="https://evil.example")
    assert framed_by(unknown) == "'none'" and why(unknown) is None
    # whose frame it is, is known
    other = frame.begin(lms, lti_deployment_id="other")
    assert framed_by(other) == lms.issuer
    assert why(other) == "deployment-unknown"
    eventually("the log says so", lambda: (
        frame.begin(lms, iss="https://evil.example"),
        "an unknown platform was refused: unknown: " in gate.sso.said())[1])
    for missing in ("iss", "login_hint", "target_link_uri"):
        assert code_of(frame.begin(lms, **{missing: None})) == "launch-wrong"
        assert code_of(frame.begin(lms, post=True, **{missing: None})) \
            == "launch-wrong"
    for changes in ({"login_hint": "x" * 3000}, {"iss": "x" * 300},
                    {"login_hint": "a\nb"}):
        assert code_of(frame.begin(lms, post=True, **changes)) == "launch-wrong"
    assert frame.begin(lms, client_id=None,
                       lti_deployment_id=None).status == 302


def test_an_endpoint_with_a_query_keeps_it(gate, lms):
    """RFC 6749 section 3.1."""
    reconfigure(gate, authorizationEndpoint=lms.issuer + "/auth?tenant=a%20b",
                jwksUri=lms.issuer + "/jwks?tenant=7")
    gate.pupil().grant("book")
    response = Frame(gate).launch(lms)
    assert (response.status, response.location) == (302, URL + "book")
    assert lms.asked[-1]["tenant"] == "a b"


def test_two_registrations_at_one_issuer_need_a_client_id(gate, lms):
    other = {**lms.entry(), "name": "second", "clientId": "second"}
    gate.change([lms.entry(), other])
    assert Frame(gate).begin(lms, client_id="second").status == 302
    assert code_of(Frame(gate).begin(lms, client_id=None)) == "launch-unknown"


def test_one_client_id_at_two_issuers(gate, lms):
    """Each has its own deployments and keys."""
    other = lms.entry(name="second", issuer="https://second.example")
    gate.change([other, lms.entry()])
    gate.pupil().grant("book")
    response = Frame(gate).begin(lms, iss="https://second.example")
    assert response.status == 302
    frame = Frame(gate)
    assert frame.launch(lms).location == URL + "book"
    # what one signs is no answer to what the other was asked
    asked = lms.form_of(response.location)
    form = {**frame.form(lms), "state": asked["state"]}
    (gate.keys / "second.jwks.json").write_bytes(
        (gate.keys / f"{lms.name}.jwks.json").read_bytes())
    refused = Frame(gate, keeps=False).post("/lti/launch", form)
    assert (code_of(refused), why(refused)) == ("launch-wrong", "iss-wrong")


def test_the_claim_names_the_target_and_not_the_login(gate, lms):
    """What the login says is signed by nobody."""
    gate.edge.product("atlas")
    gate.pupil().grant("book").grant("atlas")
    for target in ("/go/atlas", "/nothing", "https://evil.example/go/atlas"):
        assert Frame(gate).launch(lms, "/go/book", target_link_uri=(
            target if "://" in target else PUBLIC + target)).location \
            == URL + "book"


def test_a_deployment_other_than_the_login_s(gate, lms):
    reconfigure(gate, deployments=[{"id": lms.deployment, "school": "S1"},
                                   {"id": "2", "school": "S2"}])
    gate.pupil().grant("book")
    assert code_of(Frame(gate).launch(lms, lti_deployment_id="2")) \
        == "launch-wrong"
    assert Frame(gate).launch(lms, lti_deployment_id=None).location \
        == URL + "book"
    lms.claims = {LTI + "deployment_id": "3"}
    assert code_of(Frame(gate).launch(lms, lti_deployment_id=None)) \
        == "launch-unknown"


# --- once ---

def test_state_and_token_count_once(gate, lms):
    gate.pupil().grant("book")
    frame = Frame(gate)
    form = frame.form(lms)
    assert frame.post("/lti/launch", form).location == URL + "book"
    again = frame.post("/lti/launch", form)
    assert code_of(again) == "launch-old"
    # read where the form was sent from; by nobody else
    assert framed_by(again) == lms.issuer
    for name in ("", "x", "elo\r\nx: y", "elo " + lms.issuer):
        other = frame.post("/lti/launch", {
            **form, "state": form["state"].partition(".")[0] + "." + name})
        assert code_of(other) in ("launch-old", "launch-wrong")
        assert framed_by(other) == "'none'"
    # the token with another launch's state
    other = frame.form(lms)
    assert code_of(frame.post("/lti/launch", {
        "state": other["state"], "id_token": form["id_token"]})) \
        == "launch-wrong"
    # and a state is used up by a wrong token, too
    assert code_of(frame.post("/lti/launch", other)) == "launch-old"


def test_one_of_many_at_once_wins(gate, lms):
    gate.pupil().grant("book")
    form = Frame(gate, keeps=False).form(lms)
    answers = at_once(8, lambda _: Frame(gate, keeps=False).post(
        "/lti/launch", form))
    assert sorted(a.status for a in answers) == [302] + [400] * 7


def test_a_nonce_counts_once(gate, lms):
    """Also where somebody brought the state back."""
    gate.pupil().grant("book")
    frame = Frame(gate, keeps=False)
    form = frame.form(lms)
    [key] = [key for key in gate.redis("KEYS", "launch:*")
             if gate.redis("HGET", key, "nonce") == lms.asked[-1]["nonce"]]
    kept = gate.redis("HGETALL", key)
    assert 0 < gate.redis("TTL", key) <= 600
    assert frame.post("/lti/launch", form).location == URL + "book"
    gate.redis("HSET", key, *kept)
    assert code_of(frame.post("/lti/launch", form)) == "launch-old"


def test_a_state_that_is_invented_or_missing(gate, lms):
    frame = Frame(gate)
    form = frame.form(lms)
    for state in (None, "", "x", "x" * 43, "x" * 300, form["state"] + "x"):
        sent = {"id_token": form["id_token"]}
        if state is not None:
            sent["state"] = state
        response = frame.post("/lti/launch", sent)
        assert code_of(response) in ("launch-old", "launch-wrong")
        assert framed_by(response) == "'none'"


def test_forms_that_are_none(gate, lms):
    frame = Frame(gate)
    form = frame.form(lms)
    assert code_of(frame.post("/lti/launch", form, content_type=(
        "application/json"))) == "launch-wrong"
    assert code_of(frame.post("/lti/launch", {
        **form, "rest": "x" * 70000})) in ("launch-wrong", "launch-old")
    body = urllib.parse.urlencode(form).encode()
    assert code_of(frame.post("/lti/launch", body + b"&state=x")) \
        == "launch-wrong"
    assert code_of(frame.get("/lti/launch")) == "launch-old"
    # nothing of this used the launch up
    gate.pupil()
    assert frame.post("/lti/launch", form).outcome in ("nobody", "no-right")


# --- whose browser ---

def test_a_launch_of_another_browser(gate, lms):
    gate.pupil().grant("book")
    ours, theirs = Frame(gate), Frame(gate)
    form = ours.form(lms)
    for _ in range(3):
        theirs.begin(lms)       # it has cookies of its own launches
    response = theirs.post("/lti/launch", form)
    assert code_of(response) == "launch-other"
    # which leaves the launch to its own browser
    assert ours.post("/lti/launch", form).location == URL + "book"


def test_frames_of_one_page_begin_at_once(gate, lms):
    """Each before the cookies of the others are there."""
    gate.pupil().grant("book")
    frame = Frame(gate)
    responses = [Frame(gate).begin(lms) for _ in range(2)]
    slots = {r.header("Set-Cookie").partition("=")[0] for r in responses}
    for response in responses:
        frame._keep(response)
    answers = [frame.post("/lti/launch", lms.form_of(r.location))
               for r in responses]
    if len(slots) == 2:
        assert [a.location for a in answers] == [URL + "book"] * 2
    # later ones share what is there
    forms = [frame.form(lms) for _ in range(40)]
    assert all(frame.post("/lti/launch", form).location == URL + "book"
               for form in forms)
    assert len(frame.jar) <= 16


# --- keys ---

def test_a_new_key_is_waited_for(gate, lms):
    gate.pupil().grant("book")
    lms.rotate(1)
    form = Frame(gate, keeps=False).form(lms)
    timer = threading.Timer(0.7, lms.publish, [gate.keys])
    timer.start()
    try:
        response = Frame(gate, keeps=False).post("/lti/launch", form)
        assert response.location == URL + "book"
    finally:
        timer.join()
    # the old one is good as long as it is published
    lms.key = lms.keys[1]
    assert Frame(gate).launch(lms).location == URL + "book"


@pytest.mark.once
def test_a_key_that_never_comes(gate, lms):
    """One that nobody knows is the platform's fault; that none of its keys was
    fetched is not."""
    gate.change([lms.entry(), lms.entry(name="new", clientId="new")])
    gate.pupil().grant("book")
    lms.key = make_key("RS256", "unknown", 6)
    began = time.monotonic()
    form = Frame(gate).form(lms)
    asked = Frame(gate).begin(lms, client_id="new").location
    other = {**form, "state": urllib.parse.parse_qs(asked)["state"][0]}
    unknown, none = at_once(2, lambda i: Frame(gate).post(
        "/lti/launch", (form, other)[i]))
    assert (code_of(unknown), why(unknown)) == ("launch-wrong", "key-unknown")
    assert (none.status, code_of(none)) == (503, "unavailable")
    assert none.header("Retry-After") and framed_by(none) == lms.issuer
    assert 4 < time.monotonic() - began < 15


# --- languages ---

@pytest.mark.parametrize("locale, browser, title", [
    ("en-GB", "nl", b"This link names no book"),
    ("NL_nl", "en", b"Deze link noemt geen boek"),
    ("fr-FR", "en", b"This link names no book"),
    (None, "en", b"This link names no book"), (7, "nl", b"Deze link noemt")])
def test_pages_are_in_the_language_of_the_platform_s_page(
        gate, lms, locale, browser, title):
    lms.claims = {LTI + "launch_presentation": {"locale": locale}}
    form = Frame(gate).form(lms, "/lti/launch")
    response = Frame(gate).post("/lti/launch", form, headers=[
        ("Accept-Language", browser)])
    assert title in response.body


@pytest.mark.parametrize("locale, browser, language", [
    ("nl-NL", "en", "nl"), ("en-GB", "nl", "en"), ("fr-FR", "nl", "nl")])
def test_the_edge_s_pages_are_too(gate, lms, locale, browser, language):
    lms.claims = {LTI + "launch_presentation": {"locale": locale}}
    gate.pupil()
    form = Frame(gate).form(lms)
    response = Frame(gate).post("/lti/launch", form, headers=[
        ("Accept-Language", browser)])
    assert response.outcome == "no-right"
    assert f'<html lang="{language}"'.encode() in response.body


# --- windows of their own ---

def link_in(response, way):
    """The link of a page in a frame; it opens a window."""
    assert response.status == 200, response
    [(attributes, href)] = re.findall(
        rb'<a ([^>]*)href="(/lti/%s/[A-Za-z0-9_-]{43})"' % way.encode(),
        response.body)
    assert b'target="_blank"' in attributes and b"noopener" in attributes
    return href.decode()


def test_a_window_of_its_own(gate, lms):
    reconfigure(gate, newWindow=True)
    gate.pupil().grant("book")
    response = Frame(gate, keeps=False).launch(lms)
    assert framed_by(response) == lms.issuer
    href = link_in(response, "open")
    window = Frame(gate)
    opened = window.get(href)
    assert (opened.status, opened.location) == (302, URL + "book")
    assert opened.all("Set-Cookie") == []
    again = window.get(href)
    assert code_of(again) == "launch-old"
    assert framed_by(again) == "'none'"
    # what it does not say may be a frame
    lms.claims = {LTI + "launch_presentation": None}
    assert link_in(Frame(gate).launch(lms), "open")
    # in a window already: no page between
    lms.claims = {LTI + "launch_presentation": {"document_target": "window"}}
    assert Frame(gate).launch(lms).location == URL + "book"


def test_a_window_s_secret_is_sealed_and_expires(gate, lms):
    reconfigure(gate, newWindow=True)
    pupil = gate.pupil().grant("book")
    before = set(gate.redis("KEYS", "once:*"))
    href = link_in(Frame(gate).launch(lms), "open")
    [key] = set(gate.redis("KEYS", "once:*")) - before
    assert 0 < gate.redis("TTL", key) <= 300
    dump = json.dumps(gate.redis("HGETALL", key))
    assert href[-43:] not in key and "book" not in dump
    assert pupil.ids["eckid"][1][-40:] not in dump
    # changed, it opens nothing
    gate.redis("HSET", key, "0", gate.redis("HGET", key, "0")[:-2] + "AA")
    assert code_of(Frame(gate).get(href)) == "launch-old"
    for other in ("x", "x" * 43, "x" * 200, "%00", "..%2fa"):
        assert Frame(gate).get("/lti/open/" + other).status in (400, 404)


# --- frames ---

def test_strangers_frame_nothing(gate, lms):
    reconfigure(gate, frames=[])
    lms.claims = {LTI + "version": "1.1"}
    assert framed_by(Frame(gate).launch(lms)) == "'none'"
    reconfigure(gate, frames=["https://*.lms.example", lms.issuer])
    assert framed_by(Frame(gate).launch(lms)) \
        == f"https://*.lms.example {lms.issuer}"


# --- Deep Linking: what comes before the page ---

def test_only_teachers_pick(gate, lms):
    gate.pupil()
    for roles in ([], [MEMBERSHIP + "Learner"], ["Instructor"],
                  [MEMBERSHIP + "Instructor2"]):
        lms.roles = roles
        response = Frame(gate).launch(lms, "/", deep=True)
        assert code_of(response) == "teachers-only"
        assert framed_by(response) == lms.issuer


@pytest.mark.parametrize("settings", [
    None, {}, {"deep_link_return_url": "https://lms.example/"},
    {"deep_link_return_url": "http://lms.example/",
     "accept_types": ["ltiResourceLink"]},
    {"deep_link_return_url": "javascript:alert(1)",
     "accept_types": ["ltiResourceLink"]},
    {"deep_link_return_url": "https://lms.example/",
     "accept_types": ["html"]}])
def test_deep_linking_settings_that_are_wrong(gate, lms, settings):
    lms.roles = [MEMBERSHIP + "Instructor"]
    lms.claims = {SETTINGS: settings}
    assert code_of(Frame(gate).launch(lms, "/", deep=True)) == "launch-wrong"


def test_nobody_picks_where_no_key_would_sign_the_answer(gate, lms):
    lms.roles = [MEMBERSHIP + "Instructor"]
    before = set(gate.redis("KEYS", "once:*"))
    response = Frame(gate).launch(lms, "/", deep=True)
    assert code_of(response) == "unavailable"
    assert framed_by(response) == lms.issuer
    assert set(gate.redis("KEYS", "once:*")) == before


# --- bad days ---

def test_launches_in_a_minute_are_bounded(gate, lms):
    gate.change(signInsPerMinute=1)
    response = eventually("there are too many", lambda: (
        lambda r: r.status == 503 and r)(Frame(gate).begin(lms)))
    assert code_of(response) == "busy"
    assert response.header("Retry-After")
    assert framed_by(response) == lms.issuer
