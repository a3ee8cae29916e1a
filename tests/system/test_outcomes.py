"""Every row of the table of outcomes, and every way to get there."""

import datetime
import pathlib
import tempfile
import threading
import time
import zoneinfo

import pytest

from lib import names
from lib.edge import LOGIN, PUBLIC, URL, Edge
from lib.names import right
from lib.nginx import ASAN, faketime_library
from lib.process import eventually
from lib.tokens import Issuer

pytestmark = pytest.mark.decision

AMSTERDAM = zoneinfo.ZoneInfo("Europe/Amsterdam")
LONG_AGO, FAR_AWAY = "20200101", "20991231"

# outcome: (status, the right's record or None for no right)
BY_RIGHT = {
    "redirect": (302, right("L")),
    "no-right": (403, None),
    "not-yet": (403, right("E", "20980101", "20991231")),
    "ended": (403, right("L", "20200101", "20200731")),
    "blocked": (403, right("B")),
}


def assert_answer(response, outcome, status):
    """What every answer of a click has, whatever its outcome."""
    assert response.outcome == outcome
    assert response.status == status
    assert response.header("Cache-Control") == "no-store"
    assert response.header("Referrer-Policy") == "no-referrer"
    assert (response.location is not None) == (status == 302)
    assert (response.header("WWW-Authenticate") or "")[:6] == (
        "Bearer" if status == 401 else "")
    assert (response.header("Retry-After") is not None) == (status == 503)


def assert_page(response):
    """The built-in page, with a way to the other language."""
    assert response.header("Content-Type").startswith("text/html")
    text = response.body.decode()
    assert '<html lang="nl">' in text
    assert 'hreflang="en"' in text


def without_code(response):
    """The page but for its support code, which is never the same twice."""
    code = response.header("Leerpoort-Code")
    text = response.body.decode()
    assert code in text
    spelled = ", ".join(" ".join(half) for half in code.split("-"))
    return text.replace(code, "").replace(spelled, "")


@pytest.mark.parametrize("outcome", BY_RIGHT)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_right_decides(edge, outcome, method):
    status, record = BY_RIGHT[outcome]
    person = edge.person()
    if record:
        person.grant("book", record)
    response = person.click(method=method)
    assert_answer(response, outcome, status)
    if method == "HEAD":
        assert response.body == b""
    elif status == 302:
        assert response.location == f"{URL}book"
        assert response.body == b""
    else:
        assert_page(response)


@pytest.mark.parametrize("target, outcome, status", [
    ("/go/nothing-here", "unknown-product", 404),
    ("/go/book/a%0d", "bad-request", 400),
    ("/go/-book", "bad-request", 400),
])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_request_decides(edge, target, outcome, status, method):
    response = edge.person().click(target, method=method)
    assert_answer(response, outcome, status)
    if method == "HEAD":
        assert response.body == b""
    else:
        assert_page(response)


def test_no_token_leads_to_the_login(edge):
    response = edge.click("/go/book/chapter/1")
    assert_answer(response, "login", 302)
    assert response.location == LOGIN + (
        PUBLIC + "/go/book/chapter/1").replace(":", "%3A").replace("/", "%2F")
    assert response.body == b""


def test_expired_token_leads_to_the_login(edge):
    now = int(time.time())
    person = edge.person().grant("book")
    assert_answer(person.click(token=person.token(
        iat=now - 7200, exp=now - 3600)), "login", 302)


def test_bad_token(edge):
    response = edge.click("/go/book", token="not.a.token")
    assert_answer(response, "bad-token", 401)
    assert_page(response)


def test_stranger_learns_nothing_of_a_product(edge):
    """Without a valid token a known and an unknown product look alike."""
    for token in (None, "not.a.token"):
        known = edge.click("/go/book", token=token)
        unknown = edge.click("/go/nothing-here", token=token)
        assert known.outcome == unknown.outcome
        assert known.status == unknown.status
        if known.status == 302:
            assert known.body == unknown.body == b""
        else:
            assert without_code(known) == without_code(unknown)


@pytest.mark.parametrize("method", [
    "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "MKCOL"])
def test_other_methods_are_refused(edge, method):
    person = edge.person().grant("book")
    response = person.click(method=method, headers=["Content-Length: 0"])
    assert_answer(response, "bad-request", 405)


def test_unavailable_without_an_activation_worker():
    with Edge(click={"activate": None}, activate="") as edge:
        edge.product("book")
        person = edge.person().grant("book", "E")
        assert_answer(person.click(), "unavailable", 503)


def test_no_login_url_means_401():
    with Edge(login=False) as edge:
        response = edge.click("/go/book")
        assert_answer(response, "login", 401)
        assert_page(response)


# ---- activation

def test_entitled_is_sent_to_the_worker(edge):
    person = edge.person().grant("book", right("E", name="order 7"))
    response = person.click()
    assert response.status == 200
    assert response.body.decode().split() == [
        "activate", "book", "S1", person.key(),
        names.entitlement("order 7")]


def activating(edges):
    """What a worker does: the entitlement becomes a licence. edges: a list
    that will hold the edge."""
    def activate(headers):
        edges[0].redis("HSET", names.user_hash(
            headers["X-School"], headers["X-User"]), headers["X-Product"],
            f"L {LONG_AGO} {FAR_AWAY} {headers['X-Entitlement']}")
        return {"X-Accel-Redirect": headers["X-Uri"]}
    return activate


def test_activated_click_comes_back_and_is_decided_anew():
    edges = []
    with Edge(worker=activating(edges)) as edge:
        edges.append(edge)
        edge.await_armed()
        edge.product("book")
        for method in ("GET", "HEAD"):
            person = edge.person().grant("book", "E")
            response = person.click("/go/book/chapter%201", method=method)
            assert_answer(response, "redirect", 302)
            assert response.location == f"{URL}book/chapter%201"
            assert_answer(edge.settled(person), "redirect", 302)
        assert len(edge.worker.seen) == 2


def test_activated_click_does_not_believe_the_mirror(redis, proxy):
    """The news of the activation is late; the click asks Redis itself."""
    edges = []
    with Edge(redis=redis, address=proxy.address, worker=activating(edges),
              timeout="1s") as edge:
        edges.append(edge)
        proxy.await_links(1)
        edge.product("book")
        person = edge.person().grant("book", "E")
        # another product: the pupil's hash and the school's are mirrored,
        # and nothing is activated
        edge.settled(person, "/go/none")
        proxy.hold("link")
        assert_answer(person.click(), "redirect", 302)
        proxy.release("link")


def test_activated_click_does_not_join_an_older_question(redis, proxy):
    """Another click of the same pupil asked before the activation; its answer
    is on its way when the first comes back from the worker."""
    edges, threads, results = [], [], []

    def click(person, **kwargs):
        thread = threading.Thread(
            target=lambda: results.append(person.click(**kwargs)), daemon=True)
        thread.start()
        threads.append(thread)

    def activate(headers):
        if len(edge.worker.seen) == 1:
            proxy.hold("data")
            click(person)
            proxy.await_held("data", b"book")
            releaser = threading.Timer(0.2, proxy.release, ["data"])
            releaser.start()
            threads.append(releaser)
        return activating(edges)(headers)

    with Edge(redis=redis, address=proxy.address, worker=activate,
              click={"mirror_time": "0"}, timeout="2s") as edge:
        edges.append(edge)
        proxy.await_links(1)
        edge.product("book")
        person = edge.person().grant("book", "E")
        assert_answer(person.click(), "redirect", 302)
        for thread in threads:
            thread.join(10)
        assert [r.outcome for r in results] == ["redirect"]


def test_worker_that_activates_nothing_does_not_make_a_loop():
    with Edge(worker=lambda headers: {
            "X-Accel-Redirect": headers["X-Uri"]}) as edge:
        edge.product("book")
        person = edge.person().grant("book", "E")
        assert_answer(person.click(), "unavailable", 503)
        assert len(edge.worker.seen) == 1


def test_activation_location_is_not_for_clients(edge):
    assert edge.click("/activate").status == 404


# ---- whose right counts, and which

def open_right(edge, school, product, record):
    edge.redis("HSET", names.school_hash(school), product, record)


def outcome(edge, person, target="/go/book"):
    """The outcome's name; an activation answers from another location."""
    response = person.click(target)
    return "activate" if response.status == 200 else response.outcome


def test_open_right_of_the_school_counts(edge):
    edge.product("open-1")
    open_right(edge, "S-open", "open-1", right("O"))
    assert outcome(edge, edge.person(school="S-open"), "/go/open-1") \
        == "activate"
    assert outcome(edge, edge.person(school="S-other"), "/go/open-1") \
        == "no-right"
    assert outcome(edge, edge.person(school=""), "/go/open-1") == "no-right"


@pytest.mark.parametrize("own, school, expected", [
    ("L", "O", "redirect"),
    ("E", "O", "activate"),
    ("B", "O", "blocked"),
])
def test_own_right_goes_before_the_schools(edge, own, school, expected):
    product = edge.product(f"both-{own}")
    open_right(edge, "S-both", product, right(school, name="school"))
    person = edge.person(school="S-both").grant(product, right(
        own, name="own"))
    response = person.click(f"/go/{product}")
    if expected == "activate":
        assert response.body.decode().endswith(names.entitlement("own"))
    else:
        assert response.outcome == expected


def test_ended_own_right_lets_the_open_right_count(edge):
    product = edge.product("own-ended")
    open_right(edge, "S-both", product, right("O", name="school"))
    person = edge.person(school="S-both").grant(
        product, right("E", "20200101", "20200102"))
    response = person.click(f"/go/{product}")
    assert response.body.decode().endswith(names.entitlement("school"))


def test_private_right_counts_at_school_too(edge):
    person = edge.person()
    edge.redis("HSET", person.private_hash(), "book", right("L"))
    assert outcome(edge, person) == "redirect"


def test_private_customer_has_no_school(edge):
    person = edge.person(school="")
    edge.redis("HSET", person.private_hash(), "book", right("L"))
    assert outcome(edge, person) == "redirect"


def test_right_at_one_school_is_none_at_another(edge):
    person = edge.person(school="S1").grant("book")
    token = person.token(org="S2")
    assert edge.click("/go/book", token=token).outcome == "no-right"
    assert edge.click("/go/book", token=person.token(org=None)).outcome \
        == "no-right"


def test_teacher_without_eck_id(edge):
    teacher = edge.person(eck=False, sub=True).grant("book")
    assert outcome(edge, teacher) == "redirect"


@pytest.mark.parametrize("claim", ["eckid", "sub", "uid"])
def test_each_of_three_user_ids_counts(claim):
    def issuers(folder):
        return [Issuer(folder, users=[
            ("eckid", "ECK"), ("sub", "NEPPI"), ("uid", "PPI")])]

    with Edge(issuers=issuers) as edge:
        edge.product("book")
        person = edge.person(sub=True)
        person.ids["uid"] = ("PPI", "u-77")
        assert outcome(edge, person) == "no-right"
        person.grant("book", claim=claim)
        other = edge.person(sub=True)
        other.ids["uid"] = ("PPI", "u-78")
        assert outcome(edge, other) == "no-right"
        edge.redis("DEL", *(person.hash(c) for c in person.ids if c != claim))
        assert edge.settled(person).outcome == "redirect"


def test_same_id_of_another_type_is_somebody_else(edge):
    person = edge.person(eck=False, sub=True)
    id_ = person.ids["sub"][1]
    edge.redis("HSET", names.user_hash("S1", names.user_key(
        edge.pepper, "ECK", id_)), "book", right("L"))
    assert outcome(edge, person) == "no-right"


def test_school_by_alias():
    def issuers(folder):
        return [Issuer(folder, schools=[("brin", "OIE_CODE")])]

    with Edge(issuers=issuers) as edge:
        edge.product("book")
        edge.redis("SET", names.alias_key("OIE_CODE", "11ZZ03"), "S1")
        person = edge.person(school="S1").grant("book")
        good = edge.click("/go/book", token=person.token(brin="11ZZ03"))
        assert_answer(good, "redirect", 302)
        # an unknown alias is no school at all, not even one of that name
        edge.redis("HSET", names.user_hash("99XX99", person.key()), "book",
                   right("L"))
        assert edge.click("/go/book", token=person.token(
            brin="99XX99")).outcome == "no-right"
        # then private rights still count
        edge.redis("HSET", person.private_hash(), "book", right("L"))
        assert edge.click("/go/book", token=person.token(
            brin="99XX98")).outcome == "redirect"


def test_alias_change_is_obeyed():
    def issuers(folder):
        return [Issuer(folder, schools=[("brin", "OIE_CODE")])]

    with Edge(issuers=issuers) as edge:
        edge.await_armed()
        edge.product("book")
        alias = names.alias_key("OIE_CODE", "11ZZ03")
        person = edge.person(school="S1").grant("book")
        token = person.token(brin="11ZZ03", org=None)
        assert edge.click("/go/book", token=token).outcome == "no-right"
        edge.redis("SET", alias, "S1")
        eventually("the new alias counts", lambda: edge.click(
            "/go/book", token=token).outcome == "redirect", 2)
        edge.redis("SET", alias, "S2")
        eventually("the changed alias counts", lambda: edge.click(
            "/go/book", token=token).outcome == "no-right", 2)


def test_alias_that_names_no_school_is_none():
    def issuers(folder):
        return [Issuer(folder, schools=[("brin", "OIE_CODE")])]

    with Edge(issuers=issuers) as edge:
        edge.product("book")
        person = edge.person(school="S1").grant("book")
        for bad in ("S1/x", "", "S 1", "x" * 65, "S1\r\n"):
            edge.redis("SET", names.alias_key("OIE_CODE", "B"), bad)
            assert edge.click("/go/book", token=person.token(
                brin="B", org=None)).outcome == "no-right"


# ---- sets, free material, licences

def test_right_to_a_set_is_a_right_to_its_parts(edge):
    edge.product("part", url=f"{URL}part", in_="set-a,set-b")
    edge.product("loose", url=f"{URL}loose", in_="set-a")
    person = edge.person().grant("set-b")
    assert outcome(edge, person, "/go/part") == "redirect"
    assert outcome(edge, person, "/go/loose") == "no-right"


def test_licence_goes_before_an_entitlement_whatever_the_set(edge):
    edge.product("part-2", url=f"{URL}part-2", in_="set-c")
    person = edge.person().grant("part-2", "E").grant("set-c", "L")
    assert outcome(edge, person, "/go/part-2") == "redirect"


def test_licence_wins_over_a_block(edge):
    edge.product("part-3", url=f"{URL}part-3", in_="set-d")
    person = edge.person().grant("part-3", "B").grant("set-d", "L")
    assert outcome(edge, person, "/go/part-3") == "redirect"
    person = edge.person().grant("part-3", "E").grant("set-d", "B")
    assert outcome(edge, person, "/go/part-3") == "blocked"


@pytest.mark.parametrize("free, expected", [
    ("1", "redirect"), ("0", "no-right"), ("", "no-right"),
    ("yes", "no-right"), ("11", "no-right"), (" 1", "no-right")])
def test_free_material_needs_no_right_but_a_token(edge, free, expected):
    product = edge.product(f"free-{len(free)}{ord((free + 'x')[0])}",
                           url=f"{URL}free", free=free)
    assert outcome(edge, edge.person(), f"/go/{product}") == expected
    assert outcome(edge, edge.person(school=""), f"/go/{product}") == expected
    assert edge.click(f"/go/{product}").outcome == "login"


@pytest.mark.parametrize("record", [
    "", "L", "L 20200101 20991231", "X 20200101 20991231 " + "A" * 22,
    "l 20200101 20991231 " + "A" * 22, "L 20200101 20991231 " + "A" * 21,
    "L 20200101 20991231 " + "A" * 23, "L  20200101 20991231 " + "A" * 22,
    "L 20200101 20991231 " + "A" * 22 + " ", "L 20200230 20991231 " + "A" * 22,
    "L 20991231 20200101 " + "A" * 22, "L 2020-01-01 - " + "A" * 22,
    "L - - " + "A" * 21 + "=", "L - - " + "A" * 21 + "!", "L - - " + "A" * 100,
    "\x00", "L\x00- - " + "A" * 22, "A" * 5000])
def test_unreadable_record_is_no_right(edge, record):
    person = edge.person().grant("book", record + " " if len(record) == 1
                                 else record)
    assert outcome(edge, person) == "no-right"


def test_unreadable_record_does_not_hide_a_good_one(edge):
    edge.product("part-4", url=f"{URL}part-4", in_="set-e")
    person = edge.person().grant("part-4", "rubbish").grant("set-e", "L")
    assert outcome(edge, person, "/go/part-4") == "redirect"


@pytest.mark.parametrize("record", [
    right("L", "-", "-"), right("L", LONG_AGO, "-"),
    right("L", "-", FAR_AWAY)])
def test_record_without_dates(edge, record):
    assert outcome(edge, edge.person().grant("book", record)) == "redirect"


def test_rights_of_a_wrong_type_are_no_right(edge):
    person = edge.person()
    edge.redis("SET", person.hash(), "a string")
    assert outcome(edge, person) == "no-right"
    edge.redis("HSET", person.private_hash(), "book", right("L"))
    assert edge.settled(person).outcome == "redirect"


def test_product_of_a_wrong_type_is_unknown(edge):
    edge.redis("SET", names.product_hash("stringy"), "a string")
    assert outcome(edge, edge.person(), "/go/stringy") == "unknown-product"


# ---- tokens issued before "!"

@pytest.mark.parametrize("place", ["hash", "private_hash"])
def test_tokens_issued_before_the_mark_are_refused(edge, place):
    person = edge.person().grant("book")
    now = int(time.time())
    edge.redis("HSET", getattr(person, place)(), "!", now - 100)
    for iat, expected in ((now - 101, "login"), (now - 100, "redirect"),
                          (now - 50, "redirect")):
        token = person.token(iat=iat, exp=now + 600)
        assert edge.click("/go/book", token=token).outcome == expected


def test_mark_counts_for_a_token_that_is_cached(edge):
    person = edge.person().grant("book")
    now = int(time.time())
    token = person.token(iat=now - 10, exp=now + 600)
    assert edge.click("/go/book", token=token).outcome == "redirect"
    edge.redis("HSET", person.hash(), "!", now)
    eventually("the mark counts", lambda: edge.click(
        "/go/book", token=token).outcome == "login", 2)


def test_token_without_iat_is_older_than_any_mark(edge):
    person = edge.person().grant("book")
    edge.redis("HSET", person.hash(), "!", 1)
    assert edge.click("/go/book", token=person.token(iat=None)).outcome \
        == "login"


def test_mark_is_not_a_product(edge):
    person = edge.person()
    edge.redis("HSET", person.hash(), "!", right("L"))
    assert person.click("/go/!").outcome == "bad-request"


# ---- the day in Amsterdam

def at(text):
    """Unix time of a moment in UTC."""
    return int(datetime.datetime.fromisoformat(text + "+00:00").timestamp())


MIDNIGHTS = [
    ("2026-07-31T22:00:00", "20260801"),    # summer time: two hours ahead
    ("2027-01-31T23:00:00", "20270201"),    # winter: one
    ("2027-03-27T23:00:00", "20270328"),    # the day that has 23 hours ...
    ("2027-03-28T22:00:00", "20270329"),    # ... ends in summer time
    ("2026-10-24T22:00:00", "20261025"),    # the day that has 25 hours ...
    ("2026-10-25T23:00:00", "20261026"),    # ... ends in winter time
]


@pytest.fixture(scope="module")
def clock():
    """An edge whose clock is a file."""
    if faketime_library() is None:
        pytest.skip("libfaketime is not installed")
    if ASAN:
        pytest.skip("libfaketime and AddressSanitizer don't go together")
    with tempfile.NamedTemporaryFile("r+") as file:
        def set_clock(now):
            moment = datetime.datetime.fromtimestamp(
                now, datetime.timezone.utc)
            pathlib.Path(file.name).write_text(
                moment.strftime("@%Y-%m-%d %H:%M:%S\n"))

        set_clock(time.time())
        # A mirrored hash and a token live long, so that a decision that was
        # kept over midnight would show.
        with Edge(faketime=file.name, click={
                "mirror_time": "30d", "token_time": "30d"}) as edge:
            edge.product("book")
            yield edge, set_clock


@pytest.mark.parametrize("moment, day", MIDNIGHTS)
def test_day_begins_at_midnight_in_amsterdam(clock, moment, day):
    edge, set_clock = clock
    midnight = at(moment)
    before = (datetime.date.fromisoformat(
        f"{day[:4]}-{day[4:6]}-{day[6:]}") - datetime.timedelta(1)
        ).strftime("%Y%m%d")
    assert datetime.datetime.fromtimestamp(midnight, AMSTERDAM).strftime(
        "%Y%m%d%H%M%S") == day + "000000"       # the table itself
    starts = edge.person().grant("book", right("L", day, "-"))
    ends = edge.person().grant("book", right("L", "-", before))
    tokens = [p.token(now=midnight - 7200, exp=midnight + 7200)
              for p in (starts, ends)]
    # libfaketime lets the clock run on from what the file says.
    set_clock(midnight - 10)
    assert [edge.click("/go/book", token=t).outcome for t in tokens] \
        == ["not-yet", "redirect"]
    set_clock(midnight)
    assert [edge.click("/go/book", token=t).outcome for t in tokens] \
        == ["redirect", "ended"]


@pytest.mark.parametrize("moment", [
    "2027-03-28T00:59:55", "2027-03-28T01:00:00",
    "2026-10-25T00:59:55", "2026-10-25T01:00:00"])
def test_change_of_clocks_is_not_a_change_of_day(clock, moment):
    edge, set_clock = clock
    now = at(moment)
    day = datetime.datetime.fromtimestamp(now, AMSTERDAM).strftime("%Y%m%d")
    person = edge.person().grant("book", right("L", day, day))
    set_clock(now)
    response = edge.click("/go/book", token=person.token(now=now))
    assert response.outcome == "redirect"
