"""Account links: whoever a learning environment sends without an id signs in
once, in a window, and from then on launches go straight to the book. Nobody
links without wanting to."""

import datetime
import re
import subprocess
import urllib.error
import urllib.parse
import urllib.request
import zoneinfo

import pytest

from lib import names
from lib.edge import PUBLIC, URL
from lib.lms import LTI, MEMBERSHIP, Frame, Gate, Lms
from lib.nginx import BUILD
from lib.process import REPOSITORY
from lib.provider import Provider


@pytest.fixture(scope="module")
def gate():
    lms, provider = Lms().start(), Provider()
    provider.start()
    try:
        with Gate(lms, [lms.entry(link=True)], provider=provider) as gate:
            yield gate
    finally:
        lms.stop()
        provider.stop()


@pytest.fixture
def lms(gate):
    gate.lms.reset()
    gate.lms.person = {"sub": f"lms-{len(gate.lms.asked)}", "name": "Noor <b>"}
    gate.change()
    yield gate.lms
    assert not gate.lms.complaints
    assert not gate.provider.complaints


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args):
        return None


def location_of(url):
    try:
        urllib.request.build_opener(Stay).open(url, timeout=20).close()
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.headers["Location"]
    raise AssertionError(f"no redirect from {url}")


def follow(window, target):
    """Follows redirects, the provider's too, to a page of ours."""
    for _ in range(12):
        response = window.get(target)
        if response.location is None:
            return response
        target = urllib.parse.urljoin(PUBLIC, response.location)
        if target.startswith(window.gate.provider.issuer):
            target = location_of(target)
        if not target.startswith(PUBLIC):
            return response
        target = target[len(PUBLIC):]
    raise AssertionError("too many redirects")


def signs_in(gate, person, **claims):
    """Whoever signs in next is this person."""
    gate.provider.sub = f"sub-{person.key()}"
    gate.provider.claims = {"eckid": person.ids["eckid"][1],
                            "org": person.school, **claims}
    return person


def leads_to(response):
    """Where the answer to the button leads: not by a redirect, which browsers
    would hold to form-action."""
    assert (response.status, response.location) == (200, None), response
    seconds, _, url = response.header("Refresh").partition(";url=")
    assert seconds == "0"
    assert f'href="{url}"' in response.body.decode()
    return url


def link_in(response):
    assert response.status == 200, response
    [href] = re.findall(
        rb'target="_blank"[^>]*href="(/lti/link/[A-Za-z0-9_-]{43})"',
        response.body)
    return href.decode()


def keys(gate, kind="link"):
    return set(gate.redis("KEYS", f"{kind}:*"))


def test_an_account_is_linked_once(gate, lms):
    person = signs_in(gate, gate.edge.person()).grant("book")
    frame, window = Frame(gate, keeps=False), Frame(gate)
    before = keys(gate)
    response = frame.launch(lms, "/go/book/ch/3")
    href = link_in(response)
    assert lms.issuer.encode() in response.header(
        "Content-Security-Policy").encode()

    page = follow(window, href)
    assert page.status == 200
    assert b"Noor &lt;b&gt;" in page.body and b"ELO elo" in page.body
    assert "frame-ancestors 'none'" in page.header("Content-Security-Policy")
    assert keys(gate) == before, "nothing is linked without the button"

    posted = window.post(href, {}, headers=[("Origin", PUBLIC)])
    assert leads_to(posted) == "/go/book/ch/3"
    opened = window.get(leads_to(posted))
    assert (opened.status, opened.location) == (302, URL + "book/ch/3")

    [key] = keys(gate) - before
    record = gate.redis("HGETALL", key)
    record = dict(zip(record[::2], record[1::2]))
    assert record["user"] == person.key()
    assert (record["school"], record["platform"]) == ("S1", "elo")
    assert key.rpartition(":")[2] == names.user_key(
        gate.pepper.read_bytes(), "LTI", f"{lms.issuer}|{lms.person['sub']}")
    assert gate.redis("TTL", key) > 300 * 86400
    assert person.ids["eckid"][1][-60:] not in str(record)

    again = Frame(gate, keeps=False).launch(lms)
    assert (again.status, again.location) == (302, URL + "book")
    # another person of that platform is somebody else
    lms.person = {"sub": lms.person["sub"] + "x"}
    assert link_in(Frame(gate).launch(lms)) != href


def test_a_link_is_undone_as_the_document_says(gate, lms, tmp_path):
    signs_in(gate, gate.edge.person()).grant("book")
    window, before = Frame(gate), keys(gate)
    href = link_in(Frame(gate).launch(lms))
    follow(window, href)
    assert leads_to(window.post(href, {})) == "/go/book"
    assert Frame(gate).launch(lms).location == URL + "book"
    [linked] = keys(gate) - before

    steps = (REPOSITORY / "docs/lti.md").read_text().partition(
        "**To undo a link**")[2].partition("    hash=")[2].partition("\n\n")[0]
    for said, here in (
            ("leerpoort user-key", f"{BUILD}/leerpoort user-key"),
            ("/etc/leerpoort/pepper", str(gate.pepper)),
            ("export REDISCLI_AUTH="
             "$(cat /etc/leerpoort/redis-officer.password)", ""),
            ("/run/redis/redis-server.sock", str(gate.redis.path)),
            (" --user officer", ""), ("FILE", str(tmp_path / "who"))):
        assert said in steps, said
        steps = steps.replace(said, here)
    (tmp_path / "who").write_text(f"{lms.issuer}|{lms.person['sub']}\n")
    subprocess.run(["sh", "-ec", "hash=" + steps], check=True)
    assert keys(gate) == before and linked not in before
    assert link_in(Frame(gate).launch(lms))


def test_who_is_signed_in_is_asked_at_once(gate, lms):
    person = signs_in(gate, gate.edge.person()).grant("book")
    window = Frame(gate)
    follow(window, link_in(Frame(gate).launch(lms)))
    gate.provider.claims = {}       # would be nobody
    page = window.get(link_in(Frame(gate).launch(lms)))
    assert page.status == 200 and b'method="post"' in page.body
    assert person.school == "S1"


def test_a_button_works_once(gate, lms):
    signs_in(gate, gate.edge.person()).grant("book")
    window = Frame(gate)
    href = link_in(Frame(gate).launch(lms))
    follow(window, href)
    assert leads_to(window.post(href, {})).startswith("/go/book")
    for again in (window.post(href, {}), window.get(href)):
        assert again.outcome == "link-old"


def test_a_stranger_s_form_links_nothing(gate, lms):
    signs_in(gate, gate.edge.person()).grant("book")
    window = Frame(gate)
    href = link_in(Frame(gate).launch(lms))
    follow(window, href)
    before = keys(gate)
    assert window.post(href, {}, headers=[
        ("Origin", "https://evil.example")]).outcome == "bad-form"
    # without the session's cookie, which a form of another site is without
    stranger = Frame(gate)
    posted = stranger.post(href, {})
    assert (posted.status, posted.outcome) == (401, "session-expired")
    assert b'href="/sso/login?return=%2Flti%2Flink%2F' in posted.body
    assert keys(gate) == before
    assert leads_to(window.post(href, {}, headers=[("Origin", PUBLIC)]))
    assert len(keys(gate)) == len(before) + 1


def test_the_school_must_be_the_deployment_s(gate, lms):
    signs_in(gate, gate.edge.person(school="S2"))
    window = Frame(gate)
    href = link_in(Frame(gate).launch(lms))
    before = keys(gate)
    page = follow(window, href)
    assert page.status == 403
    assert b'action="' not in page.body and b'method="post"' not in page.body
    assert b"/sso/logout" in page.body
    assert window.post(href, {}).status == 403
    assert keys(gate) == before


def test_a_school_by_alias_is_the_same_one(gate, lms):
    gate.redis("SET", names.alias_key("OIE_CODE", "11ZZ"), "S1")
    person = gate.edge.person().grant("book")
    signs_in(gate, person, org=None, brin="11ZZ")
    window = Frame(gate)
    href = link_in(Frame(gate).launch(lms))
    assert follow(window, href).status == 200
    assert leads_to(window.post(href, {})).startswith("/go/book")
    assert Frame(gate).launch(lms).location == URL + "book"


def test_a_link_of_a_former_school_is_asked_for_anew(gate, lms):
    signs_in(gate, gate.edge.person()).grant("book")
    window = Frame(gate)
    href = link_in(Frame(gate).launch(lms))
    follow(window, href)
    assert leads_to(window.post(href, {})).startswith("/go/book")
    entry = lms.entry(link=True, deployments=[
        {"id": lms.deployment, "school": "S2"}])
    gate.change([entry])
    assert link_in(Frame(gate).launch(lms))


def test_a_link_that_was_tampered_with_is_none(gate, lms):
    signs_in(gate, gate.edge.person()).grant("book")
    window = Frame(gate)
    before = keys(gate)
    href = link_in(Frame(gate).launch(lms))
    follow(window, href)
    assert leads_to(window.post(href, {})).startswith("/go/book")
    [key] = keys(gate) - before
    sealed = gate.redis("HGET", key, "who")
    gate.redis("HSET", key, "who", ("B" if sealed[0] == "A" else "A")
               + sealed[1:])
    assert link_in(Frame(gate).launch(lms))


def test_who_links_is_bounded(gate, lms):
    """Anonymous people, and platforms that link nobody."""
    lms.person = {}
    assert Frame(gate).launch(lms).outcome == "nobody"
    lms.person = {"sub": "lms-x"}
    gate.change([lms.entry()])
    assert Frame(gate).launch(lms).outcome == "nobody"


def test_a_platform_that_is_gone_links_nobody(gate, lms):
    signs_in(gate, gate.edge.person())
    href = link_in(Frame(gate).launch(lms))
    gate.change([lms.entry(name="other", link=True)])
    assert Frame(gate).get(href).outcome == "link-old"


def test_a_teacher_who_is_linked_is_an_employee(gate, lms):
    lms.roles = [MEMBERSHIP + "Instructor"]
    lms.claims = {LTI + "custom": {}}
    person = signs_in(gate, gate.edge.person(), affiliation="employee")
    person.grant("book")
    window = Frame(gate)
    href = link_in(Frame(gate).launch(lms))
    follow(window, href)
    assert leads_to(window.post(href, {})) == "/go/book"
    assert Frame(gate).launch(lms).location == URL + "book"


# --- a computer that others use too ---

def test_the_page_says_since_when_somebody_is_signed_in(gate, lms):
    """Of people at the school no name is known here."""
    signs_in(gate, gate.edge.person())
    window, before = Frame(gate), keys(gate, "session")
    href = link_in(Frame(gate).launch(lms))
    page = follow(window, href).body.decode()
    assert re.search(r"Op dit apparaat is (vandaag|op \d+ \w+ 2\d{3}) om "
                     r"\d\d:\d\d via Provider school ingelogd\. Was jij dat "
                     r"niet\?", page), page
    [session] = keys(gate, "session") - before
    began = datetime.datetime.fromtimestamp(
        int(gate.redis("HGET", session, "at")) - 2 * 86400,
        zoneinfo.ZoneInfo("Europe/Amsterdam"))
    gate.redis("HSET", session, "at", int(began.timestamp()))
    page = window.get(href + "?lang=en").body.decode()
    assert f"on this device on {began.day} {began:%B} {began.year} at " \
        f"{began:%H:%M} via Provider school. Was that not you?" in page, page


def test_whoever_is_not_that_one_signs_in_as_somebody_else(gate, lms):
    """The window's first person forgot to sign out."""
    signs_in(gate, gate.edge.person()).grant("book")
    window, before = Frame(gate), keys(gate)
    follow(window, link_in(Frame(gate).launch(lms)))

    lms.person = {"sub": lms.person["sub"] + "b", "given_name": "Sam",
                  "family_name": "Bakker"}
    frame = Frame(gate)
    href = link_in(frame.launch(lms))
    page = window.get(href)
    assert b"<strong>Sam Bakker</strong>" in page.body
    assert b'href="/sso/logout"' in page.body
    form = re.search(rb'name="key" value="([^"]+)"',
                     window.get("/sso/logout").body)[1].decode()
    assert window.post("/sso/logout", {"key": form}).status < 400

    own = signs_in(gate, gate.edge.person()).grant("book")
    assert follow(window, href).status == 200   # the same link, once more
    assert leads_to(window.post(href, {})) == "/go/book"
    [linked] = keys(gate) - before
    assert gate.redis("HGET", linked, "user") == own.key()


def test_the_sign_in_is_that_of_the_deployment_s_school(gate, lms):
    """Where several schools sign in, nobody is asked which one it is."""
    href = link_in(Frame(gate).launch(lms))
    asked = Frame(gate).get(href).location
    assert urllib.parse.parse_qs(asked.partition("?")[2]) == {
        "return": [href], "school": ["S1"]}


def test_the_window_has_the_language_of_the_platform_s_page(gate, lms):
    signs_in(gate, gate.edge.person())
    lms.claims = {LTI + "launch_presentation": {"locale": "en_GB"}}
    window = Frame(gate)
    page = follow(window, link_in(Frame(gate).launch(lms)))
    assert b"<h1>Link your account</h1>" in page.body
