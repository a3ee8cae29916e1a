"""report.html and compare.html: one file each that needs nothing else, can be
read aloud, on a phone and on paper, and says what run.json says."""

import html.parser
import json
import math
import re
import subprocess
import xml.etree.ElementTree as xml

import pytest

from lib.nginx import BUILD

PROGRAM = BUILD / "leerpoort-load"
HOSTILE = "\"'><script>alert(1)</script>&\u202e"
ENDS = ["right", "wrong-redirect", "wrong-outcome", "unavailable", "limited",
        "no-connection", "tls", "reset", "malformed", "late", "missed"]
WORDS = ["right", "wrong redirect", "wrong outcome", "unavailable", "limited",
         "no connection", "TLS failed", "broken off", "malformed", "too late",
         "missed"]
OUTCOMES = ["redirect", "activate", "login", "bad-token", "no-right",
            "not-yet", "ended", "blocked", "unknown-product",
            "unknown-material", "bad-request", "unavailable"]
VOID = {"meta", "br", "img", "link", "input", "hr"}


# --- a result, as a run leaves it -------------------------------------------

def histogram(values, digits):
    """The text of lp_histogram_write(): {us: how many}."""
    half = 2 ** math.ceil(math.log2(2 * 10 ** digits)) // 2
    buckets = {}
    for us, count in values.items():
        shift = max(0, us.bit_length() - (2 * half).bit_length() + 1)
        at = shift * half + (us >> shift)
        buckets[at] = buckets.get(at, 0) + count
    head = [digits, sum(values.values()), min(values, default=0),
            max(values, default=0), sum(us * n for us, n in values.items()),
            sum(us * us * n for us, n in values.items())]
    return " ".join([*map(str, head),
                     *(f"{i}:{n}" for i, n in sorted(buckets.items()))])


def counts(answered, missed=0, late=0):
    ended = dict.fromkeys(ENDS, 0)
    ended.update(right=answered - late, late=late, missed=missed)
    outcomes = dict.fromkeys(OUTCOMES, 0)
    outcomes.update({"redirect": answered - late})
    return {"scheduled": answered + missed, "sent": answered, "other": 0,
            "activated": 0, "retried": 1, "connected": 2, "tls_full": 0,
            "tls_resumed": 0, "ended": ended, "outcomes": outcomes}


def added(parts):
    whole = counts(0)
    whole.update(retried=0, connected=0)
    for part in parts:
        for name, value in part.items():
            if isinstance(value, dict):
                for key, number in value.items():
                    whole[name][key] += number
            else:
                whole[name] += value
    return whole


def plan(name, seconds, fault):
    return {"name": name, "about": HOSTILE, "seed": 3,
            "stages": [{"shape": "constant", "rate": 50, "seconds": seconds}],
            "faults": [{"at": 1, "name": fault, "hook": "kill-redis"}],
            "thresholds": {"p99_ms": 50, "errors": 0.001,
                           "wrong_redirects": 0, "missed": 0.001}}


def write_run(folder, seconds=30, name="september", sentence=HOSTILE,
              verdict="fail", slow=900_000):
    """Some clicks each second; at a third of it all is slow, and some are
    missed."""
    folder.mkdir()
    total, per_second = {}, []
    with open(folder / "seconds.ndjson", "w", encoding="utf-8") as file:
        for second in range(seconds):
            bad = second == seconds // 3
            values = {400: 40, 900: 8, slow if bad else 4000: 2}
            for us, count in values.items():
                total[us] = total.get(us, 0) + count
            per_second.append(counts(50, missed=7 if bad else 0))
            file.write(json.dumps({
                "second": second, "target": 51.5, "counts": per_second[-1],
                "latency": histogram(values, 2)}) + "\n")
    times = {}
    for which in ["schedule", "service", "activation", "connect", "slip"]:
        values = (total if which in ("schedule", "service") else
                  {30: 10} if which == "slip" else {})
        times[which] = {"histogram": histogram(values, 3)}
    run = {
        "version": 1, "verdict": verdict, "sentence": sentence,
        "checks": [
            {"name": "p99_ms", "limit": 50, "value": 900.0, "broken": True},
            {"name": "missed", "limit": 0.001, "value": 0.0046,
             "broken": True},
            {"name": "p999_ms", "limit": 250, "value": None, "broken": True},
            {"name": "wrong_redirects", "limit": 0, "value": 0,
             "broken": False}],
        "run": {"target": "http://127.0.0.1:8080" + HOSTILE.replace(
                    "\u202e", ""), "started": "2026-08-20T06:15:00Z",
                "seconds": seconds, "engines": 1, "shard": 0, "shards": 1,
                "scale": 1, "factor": 1, "lowest_factor": 1,
                "machine": "2 cores, Linux",
                "cpu": 0.25, "clock_step": 0, "interrupted": False,
                "stopped_early": False, "trouble": "", "missed_by_tool": 0,
                "most_open": 12, "first_uses": 0},
        "population": {"seed": 1, "pupils": 200000, "products": 500},
        "counts": added(per_second), "times": times,
        "api": {"requests": 1200, "errors": 3, "lines": 40000, "missed": 0,
                "latency": {"histogram": histogram({2000: 1200}, 3)}},
        "marks": [{"at": seconds / 3, "name": HOSTILE[:40], "status": 0},
                  {"at": seconds / 3 + 1, "name": "go on", "status": 7},
                  {"at": seconds / 2, "name": "again", "status": -2}],
        "plan": plan(name, seconds, HOSTILE[:40])}
    (folder / "run.json").write_text(json.dumps(run), encoding="utf-8")
    return run


def load(*words, code):
    run = subprocess.run([PROGRAM, *words], capture_output=True, timeout=60,
                         check=False)
    assert run.returncode == code, run.stderr.decode()
    return run


def page_of(folder, code=1):
    load("report", folder, code=code)
    return (folder / "report.html").read_text(encoding="utf-8")


# --- reading pages ----------------------------------------------------------

class Page(html.parser.HTMLParser):
    """What a browser's parser sees: tags, and whether they are balanced."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open = [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def of(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def tree(text):
    """The page as XML, strictly, without its namespace."""
    doctype, _, rest = text.partition("\n")
    assert doctype == "<!DOCTYPE html>"
    return xml.fromstring(rest.replace(
        ' xmlns="http://www.w3.org/1999/xhtml"', "", 1))


def words_of(element):
    return " ".join("".join(element.itertext()).split())


def table(root, caption):
    """Rows of the table with this caption: {name of row: its other cells}."""
    (found,) = [table for table in root.iter("table")
                if words_of(table.find("caption")).startswith(caption)]
    return {words_of(row[0]): [words_of(cell) for cell in row[1:]]
            for row in found.find("tbody")}


def number(text):
    return float(text.replace(",", "").split()[0])


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page") / "run"
    return write_run(folder), page_of(folder), folder


# --- what must hold ---------------------------------------------------------

def check_page(text):
    """Holds for every page."""
    page, root = Page(text), tree(text)

    names = {name for name, _ in page.tags}
    assert not names & {"script", "link", "iframe", "object", "embed", "img",
                        "form", "base", "image", "use", "foreignobject"}
    outside = text.replace("http://www.w3.org/1999/xhtml", "")
    for _, attributes in page.tags:
        assert not any(name.startswith("on") for name in attributes)
        assert not {"href", "src", "style", "xlink:href"} & set(attributes)
    assert "url(" not in outside and "@import" not in outside
    # An address may be shown as text; nothing may point to one.
    assert not re.search(r"""=["']?\s*(https?:)?//""", outside)

    (policy,) = [meta["content"] for meta in page.of("meta")
                 if meta.get("http-equiv") == "Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "style-src 'unsafe-inline'" in policy
    assert root.get("lang") == "en"

    levels = [int(name[1]) for name, _ in page.tags
              if re.fullmatch("h[1-6]", name)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(b <= a + 1 for a, b in zip(levels, levels[1:]))

    ids = [attributes["id"] for _, attributes in page.tags
           if "id" in attributes]
    assert len(ids) == len(set(ids))

    for found in root.iter("table"):
        assert words_of(found.find("caption"))
        assert all(cell.get("scope") for cell in found.iter("th"))
        assert all(row[0].tag == "th" for row in found.find("tbody"))
    charts = [svg for svg in root.iter("svg") if svg.get("role") == "img"]
    for chart in charts:
        title, words = chart.get("aria-labelledby").split()
        assert chart.find("title").get("id") == title
        assert chart.find("desc").get("id") == words
        assert words_of(chart.find("title")) and words_of(chart.find("desc"))
        for path in chart.iter("path"):
            assert re.fullmatch(r"([ML][\d.]+ [\d.]+|h0|Z)*", path.get("d"))
    return root, charts


def test_the_page_needs_nothing_and_is_well_formed(run):
    _, text, _ = run
    root, charts = check_page(text)
    assert [chart.find("title").get("id") for chart in charts] == [
        "rate-title", "latency-title", "ends-title", "wrong-title",
        "percentiles-title"]
    desc = words_of(charts[1].find("desc"))
    assert "(p99) at its worst: never, at 0:10" in desc
    assert "slowest answer: 900 ms, at 0:10" in desc
    assert len(root.findall(".//details")) == 3


def test_hostile_text_is_text(run):
    _, text, _ = run
    root, _ = check_page(text)
    assert "<script" not in text and "\u202e" not in text
    shown = HOSTILE.replace("\u202e", "\ufffd")
    assert shown in words_of(root.find(".//h1"))
    faults = table(root, "What was done to the target")
    assert faults["1"] == ["0:10", HOSTILE[:40].replace("\u202e", "\ufffd"),
                           "done (exit status 0)"]
    assert faults["2"][1:] == ["go on", "✗ exit status 7"]
    assert faults["3"][2] == "? still ran at the end"


def test_the_verdict_is_a_word_and_a_shape(tmp_path):
    shapes = set()
    for verdict, code in [("pass", 0), ("fail", 1), ("invalid", 3)]:
        folder = tmp_path / verdict
        write_run(folder, verdict=verdict,
                  sentence=f"{verdict.upper()}: it was so.")
        root = tree(page_of(folder, code))
        heading = root.find(".//h1")
        assert words_of(heading) == f"{verdict.upper()} it was so."
        assert words_of(root.find("head/title")).startswith(verdict.upper())
        shapes.add(tuple(path.get("d") for path in heading.iter("path")))
    assert len(shapes) == 3


def test_tables_say_what_run_json_says(run):
    result, text, _ = run
    root = tree(text)

    ends = table(root, "Clicks by how they ended")
    for name, word in zip(ENDS, WORDS):
        assert number(ends[word][0]) == result["counts"]["ended"][name]
    assert number(ends["clicks that were due"][0]) == 1507
    assert ends["missed"][1:3] == ["0.46 %", "0.1 %"]
    outcomes = table(root, "Whole answers by outcome")
    assert outcomes["redirect"] == ["1,500", "100 %"]

    limits = table(root, "What the plan allows")
    assert limits["99 % of all clicks (p99), from schedule"] == [
        "50 ms", "900 ms", "✗ broken"]
    assert limits["99.9 % of all clicks (p99.9), from schedule"] == [
        "250 ms", "never", "✗ broken"]
    assert limits["Clicks that were never sent"] == [
        "0.1 %", "0.46 %", "✗ broken"]
    assert limits["Redirects to a wrong place"] == ["0", "0", "✓ kept"]

    latencies = table(root, "Latencies of the whole run")
    assert latencies["half (p50)"][:2] == ["0.40 ms", "0.40 ms"]
    assert latencies["all"][:2] == ["never", "900 ms"]
    assert latencies["answers measured"][:2] == ["1,500", "1,500"]

    honesty = table(root, "The tool's own work")
    assert honesty["its processor"][0] == "25 %"
    assert honesty["own lateness, p99"][0] == "30 µs"
    assert honesty["most connections at once"][0] == "12"
    assert honesty["sent once more"][0] == "30"
    assert table(root, "Requests to the API")["requests"][0] == "1,200"

    facts = words_of(root.find(".//dl[@class='facts']"))
    assert "200,000 pupils, 500 products (seed 1)" in facts
    assert "30 s of 30 s planned" in facts

    rates = table(root, "Clicks a second")
    assert rates["0:00"] == ["51.5", "50.0"] and len(rates) == 30
    ended = table(root, "How clicks ended over time")
    assert ended["0:10"] == ["50", "7"]


def test_four_hours_are_less_than_a_megabyte(tmp_path):
    folder = tmp_path / "long"
    write_run(folder, seconds=14400)
    text = page_of(folder)
    root, charts = check_page(text)
    assert len(text.encode()) < 1_000_000
    for chart in charts:
        for path in chart.iter("path"):
            assert len(re.findall("[ML]", path.get("d"))) <= 1300
    # A second among four hours is seen all the same.
    desc = words_of(charts[1].find("desc"))
    assert "(p99) at its worst: never, at 1:20:00" in desc
    assert "slowest answer: 900 ms, at 1:20:00" in desc
    assert "Each point puts 32 s together." in words_of(root)
    ticks = [words_of(tick) for tick in charts[0].iter("text")
             if tick.get("class", "").startswith("x")]
    assert ticks == ["0:00", "0:30", "1:00", "1:30", "2:00", "2:30", "3:00",
                     "3:30", "4:00"]


def test_a_run_without_seconds_has_a_page(tmp_path):
    folder = tmp_path / "run"
    write_run(folder)
    (folder / "seconds.ndjson").unlink()
    root, charts = check_page(page_of(folder))
    assert "seconds can't be read" in words_of(root)
    assert len(charts) == 1


def test_two_runs_side_by_side(tmp_path):
    write_run(tmp_path / "a", seconds=30, sentence="FAIL: slow.")
    write_run(tmp_path / "b", seconds=40, verdict="pass", name=HOSTILE[:30],
              sentence="PASS: fast.", slow=60_000)
    page = tmp_path / "compare.html"
    run = subprocess.run(
        [PROGRAM, "compare", tmp_path / "a", tmp_path / "b", "--html", page],
        capture_output=True, timeout=60, check=False)
    assert run.returncode in (0, 1), run.stderr.decode()

    root, charts = check_page(page.read_text(encoding="utf-8"))
    assert len(charts) == 5
    assert words_of(root.find(".//h1")) == "Two runs side by side"
    verdicts = [words_of(found) for found in root.iter("p")
                if (found.get("class") or "").startswith("verdict")]
    assert verdicts == ["FAIL slow.", "PASS fast."]
    rows = table(root, "Run A and run B")
    assert rows["Clicks that were due"][:2] == ["1,507", "2,007"]
    assert rows["p50 from schedule"] == ["0.40 ms", "0.40 ms", "the same", ""]
    assert rows["p99 from sending, of answers"][:2] == ["4.00 ms", "4.00 ms"]
    assert rows["Clicks missed"][3] == "▼ less"


# --- colours ----------------------------------------------------------------

def luminance(colour):
    parts = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045
              else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(a * b for a, b in zip((0.2126, 0.7152, 0.0722), linear))


def contrast(one, other):
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_every_colour_can_be_told_from_the_paper(run):
    """WCAG 2.1 AA: 4.5:1 for text, 3:1 for lines of charts."""
    _, text, _ = run
    light, dark = [dict(re.findall(r"--(\w+):(#[0-9a-f]{6})", block))
                   for block in re.findall(r":root\{([^}]*--paper[^}]*)\}",
                                           text)]
    assert set(light) == set(dark)
    for colours in (light, dark):
        for name in ("ink", "soft", "pass", "fail", "invalid"):
            for under in ("paper", "card"):
                assert contrast(colours[name], colours[under]) >= 4.5, name
        for name in ("blue", "orange", "green", "plum", "violet", "rose",
                     "ochre", "steel", "sea"):
            assert contrast(colours[name], colours["paper"]) >= 3, name
