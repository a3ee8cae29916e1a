"""The demo shows every outcome, and leaves nothing behind."""

import contextlib
import os
import random
import re
import signal
import socket
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from lib import http
from lib.process import REPOSITORY, Process, eventually, processes_naming

pytestmark = pytest.mark.once

sys.path.insert(0, str(REPOSITORY / "demo"))
import walk     # noqa: E402

DEMO = [sys.executable, "-B", str(REPOSITORY / "demo/demo.py")]


def free_ports():
    """A port that is free together with the next four; below those that the
    kernel gives to whoever connects somewhere meanwhile."""
    for _ in range(100):
        port = random.randrange(10000, 30000)
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for i in range(5):
                stack.enter_context(socket.socket()).bind(
                    ("127.0.0.1", port + i))
            return port
    raise AssertionError("no five free ports in a row")


def environment(folder, **more):
    return {**os.environ, "TMPDIR": str(folder), **more}


def run(folder, *options, **more):
    return subprocess.run([*DEMO, *options], capture_output=True, text=True,
                          timeout=60, env=environment(folder, **more))


def processes_of(folder):
    return processes_naming(f"{folder}/leerpoort-demo-")


def text(page):
    return page.body.decode()


@pytest.fixture
def demo(tmp_path):
    """A running demo: (its process, its port, its folder)."""
    port = free_ports()
    folder = tmp_path / "demo"
    folder.mkdir()
    output = tmp_path / "output"
    process = Process([*DEMO, "--port", str(port)], output,
                      environment(folder), last_words=signal.SIGTERM)
    try:
        eventually("the demo is up", lambda: process.ended()
                   or "Ctrl-C stops" in output.read_text(), 30)
        assert not process.ended(), output.read_text()
        yield process, port, folder, output
    finally:
        process.signal(signal.SIGTERM)
        process.wait(20)
        process.destroy()


def test_every_link_ends_as_the_page_says(tmp_path):
    done = run(tmp_path, "--check", "--port", str(free_ports()))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WRONG" not in done.stdout
    assert len(re.findall("^ok", done.stdout, re.M)) > 40
    assert list(tmp_path.iterdir()) == []
    assert processes_of(tmp_path) == []


@pytest.mark.parametrize("which", [0, 1, 2, 3, 4])
def test_a_taken_port_is_named(tmp_path, which):
    port = free_ports()
    with socket.create_server(("127.0.0.1", port + which)):
        done = run(tmp_path, "--port", str(port))
    assert done.returncode == 1
    assert f"Port {port + which} is taken" in done.stderr
    assert "make demo PORT=" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_failed_start_leaves_nothing(tmp_path):
    done = run(tmp_path, "--port", str(free_ports()),
               LEERPOORT_NGINX="/bin/false")
    assert done.returncode == 1
    assert "did not start" in done.stderr
    assert list(tmp_path.iterdir()) == []
    assert processes_of(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_removes_everything(demo, number):
    process, _, folder, output = demo
    assert len(processes_of(folder)) >= 3
    process.signal(number)
    assert process.wait(45), output.read_text()
    assert list(folder.iterdir()) == []
    assert processes_of(folder) == []


def test_the_printed_lines_show_every_outcome(demo):
    _, _, _, output = demo
    lines = re.findall(r"^# (?:.* as )?(\S+)\n(curl .*)$",
                       output.read_text(), re.M)
    assert len(lines) == 12
    for outcome, line in lines:
        said = subprocess.run(["bash", "-c", line], capture_output=True,
                              text=True, timeout=20).stdout
        assert re.search(rf"^Leerpoort-Outcome: {outcome}\r?$", said,
                         re.M | re.I), f"{line}\n{said}"


def test_the_printed_lines_outlive_a_sign_out(demo):
    """Whoever sits down next in the portal signs out who sat there."""
    _, port, _, output = demo
    line = re.search(r"^# redirect\n(curl .*)$", output.read_text(),
                     re.M).group(1)
    browser = walk.Browser()
    browser.open(f"http://127.0.0.1:{port + 3}/als/emma")
    book = f"http://127.0.0.1:{port}/go/rekenkracht"
    assert browser.open(book).status == 200
    browser.open(f"http://127.0.0.1:{port + 3}/als/noah")

    # A token counts from the second after the sign-out.
    eventually("the line shows a redirect", lambda: re.search(
        r"^Leerpoort-Outcome: redirect\r?$", subprocess.run(
            ["bash", "-c", line], capture_output=True, text=True,
            timeout=20).stdout, re.M), 10)
    assert http.click(port, "/token/nobody").status == 404


def test_choosing_a_pupil_in_the_portal(demo):
    _, port, folder, _ = demo
    portal = f"http://127.0.0.1:{port + 2}/"
    browser = walk.Browser()
    page = browser.open(portal)
    assert page.status == 200 and "/als/emma" in page.text

    mine = browser.open(f"http://127.0.0.1:{port + 3}/als/emma")
    assert mine.url == portal and "Dag Emma" in mine.text

    book = browser.open(f"http://127.0.0.1:{port}/go/rekenkracht/hoofdstuk/3")
    assert book.url.startswith(f"http://127.0.0.1:{port + 1}/boek/")
    assert any("/sso/callback" in url for url in browser.trail)
    assert "Rekenkracht 7" in book.text and "hoofdstuk/3" in book.text

    own = [cookie for cookie in browser.jar
           if cookie.name.startswith("leerpoort") and cookie.name[-5:] !=
           "_lang"]
    assert own and all(cookie.has_nonstandard_attr("HttpOnly")
                       for cookie in own)


def test_nothing_of_the_sign_in_stays_in_a_log(demo):
    _, port, folder, _ = demo
    browser = walk.Browser()
    browser.open(f"http://127.0.0.1:{port + 3}/als/emma")
    assert browser.open(f"http://127.0.0.1:{port}/go/rekenkracht").status == 200
    secrets = [cookie.value for cookie in browser.jar if len(cookie.value) > 20]
    assert secrets
    for log in folder.rglob("*.log"):
        said = log.read_text(errors="replace")
        assert "ketenid" not in said and "code=" not in said, log
        assert not any(secret in said for secret in secrets), log


def bought(page, product):
    """A row of the table of what was bought: its cells."""
    row = re.search(rf'<tr id="{product}">(.*?)</tr>', text(page))
    return re.findall("<td>(.*?)</td>", row.group(1)) if row else None


def test_a_first_click_changes_the_portal_s_page(demo):
    """A licence, a confirmation, a usage figure."""
    _, port, _, _ = demo
    mine = [("Cookie", "wie=emma")]

    before = eventually("the seller's message is confirmed", lambda: (
        lambda row: row if row and row[2] != "–" else None)(
            bought(http.click(port + 2, "/", headers=mine), "taalhaven")), 20)
    assert before == ["Taalhaven 7", "entitled", "entitled", "–", "–", "0"]

    token = text(http.click(port, "/token/emma")).strip()
    assert http.click(port, "/go/taalhaven", token=token).status == 302

    after = eventually("the seller heard, and the use is counted", lambda: (
        lambda row: row if row[3] != "–" and row[5] != "0" else None)(
            bought(http.click(port + 2, "/", headers=mine), "taalhaven")), 20)
    assert after[1] == "licensed"
    assert re.fullmatch(r"\d{4}-07-31", after[4])
    assert after[5] == "1"


class Lines(HTMLParser):
    """The lines of each link, in order: (language, text)."""

    def __init__(self, page):
        super().__init__()
        self.links, self._languages, self._inside = [], [], 0
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        if tag in ("meta", "link"):
            return
        attrs = dict(attrs)
        language = attrs.get("lang") or (self._languages or [None])[-1]
        self._languages.append(language)
        if attrs.get("class") == "what":
            self._inside = len(self._languages)
            self.links.append([])

    def handle_endtag(self, tag):
        if self._inside == len(self._languages):
            self._inside = 0
        self._languages.pop()

    def handle_data(self, data):
        if self._inside:
            self.links[-1].append((self._languages[-1], data))


@pytest.mark.parametrize("who", ["emma", "bakker"])
def test_each_link_is_explained_in_dutch_then_in_english(demo, who):
    _, port, _, _ = demo
    page = http.click(port + 2, "/", headers=[("Cookie", f"wie={who}")])
    links = Lines(text(page)).links
    assert len(links) > 15
    for lines in links:
        assert [language for language, _ in lines] == ["nl", "nl", "en"]
        assert len({line for _, line in lines}) == 3
    assert [("nl", "Docentenhandleiding"), ("nl", "voor docenten"),
            ("en", "for teachers")] in links


def test_teachers_of_two_schools_have_their_own_rights(demo):
    _, port, _, _ = demo
    page = text(http.click(port + 2, "/"))
    outcomes = {}
    for who, name, school in (
            ("devries", "Mevrouw De Vries", "Havenlyceum"),
            ("bakker", "Meester Bakker", "Basisschool De Regenboog")):
        card = page[page.index(f'/als/{who}"'):].partition("</li>")[0]
        assert name in card and school in card and "docent" in card
        token = text(http.click(port, f"/token/{who}")).strip()
        for product in ("handleiding", "atlas", "natuurlab"):
            click = http.click(port, f"/go/{product}", headers=[
                ("Authorization", f"Bearer {token}")])
            outcomes[who, product] = click.header("Leerpoort-Outcome")
    assert outcomes == {
        ("devries", "handleiding"): "redirect",
        ("devries", "atlas"): "no-right",
        ("devries", "natuurlab"): "no-right",   # open rights are for pupils
        ("bakker", "handleiding"): "redirect",
        ("bakker", "atlas"): "no-right",
        ("bakker", "natuurlab"): "no-right"}


def test_the_login_leads_back_to_the_click_and_nowhere_else(demo):
    _, port, _, _ = demo
    click = http.click(port, "/uitgelogd/rekenkracht")
    assert click.status == 302 and click.location.startswith("/sso/login?")

    for evil in ("https%3A%2F%2Fevil.example%2Fgo%2Fx", "%22%3E%3Cscript%3E",
                 "//evil.example/go/x",
                 f"http://127.0.0.1:{port}.evil.example/go/x"):
        answer = http.click(port, f"/sso/login?return={evil}")
        assert answer.status == 400 and answer.location is None
        assert "evil" not in text(answer) and "<script" not in text(answer)
