"""What is done with results: report, merge, compare, and the page about them.

Runs are made by hand here, from docs/results.md alone, so that every figure is
known and a part that is wrong can be made."""

import contextlib
import csv
import json
import math
import os
import random
import re
import shutil
import subprocess

import pytest

from lib.nginx import BUILD
from lib.process import REPOSITORY

PASS, FAIL, USAGE, INVALID = 0, 1, 2, 3
SECONDS = 60
RATE = 50
LIMIT_MS = 50

ENDS = ["right", "wrong-redirect", "wrong-outcome", "unavailable", "limited",
        "no-connection", "tls", "reset", "malformed", "late", "missed"]
OUTCOMES = ["redirect", "activate", "login", "bad-token", "no-right",
            "not-yet", "ended", "blocked", "unknown-product",
            "unknown-material", "bad-request", "unavailable"]


def load(*args):
    return subprocess.run([BUILD / "leerpoort-load", *map(str, args)],
                          stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=60)


def bucket(value, bits):
    """By the page's words: a bucket for each value below 2^bits, then
    2^(bits - 1) for each doubling."""
    half = 1 << (bits - 1)
    if value < 2 * half:
        return value
    doubling = value.bit_length() - bits
    return doubling * half + (value >> doubling)


def histogram(values, digits=3):
    bits = {3: 11, 2: 8}[digits]
    counts = {}
    for value in values:
        i = bucket(value, bits)
        counts[i] = counts.get(i, 0) + 1
    return " ".join(
        [f"{digits} {len(values)} {min(values, default=0)}"
         f" {max(values, default=0)} {float(sum(values))!r}"
         f" {float(sum(v * v for v in values))!r}"]
        + [f"{i}:{n}" for i, n in sorted(counts.items())])


def counters(values, **ends):
    """Of clicks that were answered right after so many us, and of others."""
    ended = {end: 0 for end in ENDS} | {"right": len(values)}
    ended |= {end.replace("_", "-"): n for end, n in ends.items()}
    outcomes = {name: 0 for name in OUTCOMES} | {"redirect": len(values)}
    total = sum(ended.values())
    return {"scheduled": total, "sent": total - ended["missed"],
            "ended": ended, "outcomes": outcomes, "other": 0, "activated": 0,
            "retried": 0, "connected": 2, "tls_full": 0, "tls_resumed": 0}


def times(values):
    return {"histogram": histogram(values)}


class Run:
    """One with so many seconds, each a list of times in us."""

    def __init__(self, folder, seconds, **run):
        self.folder = folder
        folder.mkdir()
        values = [value for second in seconds for value in second]
        self.values = values
        self.json = {
            "version": 1, "verdict": "pass", "sentence": "PASS: by hand.",
            "checks": [{"name": "p99_ms", "limit": LIMIT_MS, "value": 9.5,
                        "broken": False}],
            "run": {"target": "http://127.0.0.1:8080",
                    "started": "2026-08-20T06:15:00Z", "seconds": SECONDS,
                    "engines": 1, "shard": 0, "shards": 1, "scale": 1,
                    "factor": 1, "lowest_factor": 1,
                    "machine": "2 cores", "cpu": 0.25,
                    "clock_step": 0, "interrupted": False,
                    "stopped_early": False, "trouble": "",
                    "missed_by_tool": 0, "most_open": 8, "first_uses": 0,
                    **run},
            "population": {"seed": 1, "pupils": 1000, "products": 50},
            "counts": counters(values),
            "times": {"schedule": times(values), "service": times(values),
                      "activation": times([]), "connect": times([40]),
                      "slip": times([10] * len(values))},
            "api": {"requests": 0, "errors": 0, "lines": 0, "missed": 0,
                    "latency": times([])},
            "marks": [{"at": 12.5, "name": "reload", "status": 0}],
            "plan": {"name": "by-hand", "stages": [
                {"shape": "constant", "seconds": SECONDS, "rate": RATE}],
                "thresholds": {"p99_ms": LIMIT_MS}},
        }
        with open(folder / "seconds.ndjson", "w") as stream:
            for number, second in enumerate(seconds):
                if second:
                    print(json.dumps({
                        "second": number, "target": RATE,
                        "counts": counters(second),
                        "latency": histogram(second, 2)}), file=stream)
        self.write()

    def write(self):
        (self.folder / "run.json").write_text(json.dumps(self.json))

    def __fspath__(self):
        return str(self.folder)

    __str__ = __fspath__


def draw(rng, factor=1.0, seconds=SECONDS, rate=RATE):
    """Times about 2 ms, as an edge has them; a load that swells."""
    return [[int(factor * (1 + math.sin(second / 9) / 3)
                 * rng.lognormvariate(7.6, 0.4)) + 1 for _ in range(rate)]
            for second in range(seconds)]


@pytest.fixture
def rng():
    return random.Random(4)


@pytest.fixture
def run(tmp_path, rng):
    return Run(tmp_path / "run", draw(rng))


def test_report_says_the_verdict_and_draws_the_page(run):
    done = load("report", run)
    assert done.returncode == PASS, done.stderr
    assert done.stdout.startswith("PASS: by hand.\n")
    assert "3,000" in done.stdout and "p99_ms" in done.stdout
    assert "reload at 12.5 s" in done.stdout
    assert "<svg" in (run.folder / "report.html").read_text()


@pytest.mark.parametrize("verdict, code", [
    ("pass", PASS), ("fail", FAIL), ("invalid", INVALID)])
def test_report_exits_as_the_run_did(run, verdict, code):
    run.json["verdict"] = verdict
    run.write()
    done = load("report", "--json", run)
    assert done.returncode == code
    summary = json.loads(done.stdout)
    assert summary["verdict"] == verdict
    assert summary["counts"]["ended"]["right"] == SECONDS * RATE
    assert "histogram" not in done.stdout


def test_report_has_the_times_of_all_clicks(run):
    found = json.loads(load("report", "--json", run).stdout)["times"]
    ordered = sorted(run.values)
    for name, share in (("p50_ms", .5), ("p99_ms", .99), ("max_ms", 1)):
        exact = ordered[math.ceil(share * len(ordered)) - 1] / 1000
        assert exact <= found["schedule"][name] <= exact * 1.001


@pytest.mark.parametrize("spoil, says", [
    (lambda j: j.pop("counts"), "counts: is missing"),
    (lambda j: j["run"].update(shard=-1), "run.shard: is no whole number"),
    (lambda j: j.update(sentence="\x1b]0;x\x07"), "sentence: holds a control"),
    (lambda j: j["times"]["slip"].update(histogram="3 1 5 5 5 25"),
     "times.slip.histogram: is no histogram"),
    (lambda j: j["plan"].update(stages=[]), "stages"),
])
def test_a_broken_result_is_refused_by_name(run, spoil, says):
    spoil(run.json)
    run.write()
    done = load("report", run)
    assert done.returncode == USAGE
    assert says in done.stderr and "run.json" in done.stderr
    assert not done.stdout and "\x1b" not in done.stderr


def parts(tmp_path, rng, n=3):
    """The shards of one run: every click in one of them."""
    whole = draw(rng)
    made = []
    for shard in range(n):
        made.append(Run(tmp_path / f"part-{shard}",
                        [second[shard::n] for second in whole], shard=shard,
                        shards=n))
    return whole, made


def test_merged_shards_are_the_whole(tmp_path, rng):
    whole, shards = parts(tmp_path, rng)
    done = load("merge", tmp_path / "sum", *reversed(shards))
    assert done.returncode == PASS, done.stdout + done.stderr

    found = json.loads((tmp_path / "sum" / "run.json").read_text())
    values = [value for second in whole for value in second]
    assert found["times"]["schedule"]["histogram"].split()[6:] \
        == histogram(values).split()[6:]
    assert found["counts"]["scheduled"] == len(values)
    assert found["run"]["engines"] == 3 and found["run"]["shards"] == 1
    assert len(found["marks"]) == 1
    assert found["verdict"] == "pass"

    seconds = [json.loads(line) for line in
               open(tmp_path / "sum" / "seconds.ndjson")]
    assert [second["second"] for second in seconds] == list(range(SECONDS))
    for second, expected in zip(seconds, whole):
        assert second["counts"]["scheduled"] == len(expected)
        assert second["target"] == 3 * RATE
        assert second["latency"].split()[6:] \
            == histogram(expected, 2).split()[6:]
    for name in ("seconds.csv", "latency.hgrm", "report.html"):
        assert (tmp_path / "sum" / name).stat().st_size > 0


def test_a_missing_shard_makes_the_sum_invalid(tmp_path, rng):
    _, shards = parts(tmp_path, rng, 4)
    done = load("merge", tmp_path / "sum", shards[0], shards[2])
    assert done.returncode == INVALID
    assert "INVALID: 2 of 4 parts are missing: 2 4." in done.stdout
    assert load("report", tmp_path / "sum").returncode == INVALID


def test_an_invalid_shard_makes_the_sum_invalid(tmp_path, rng):
    _, shards = parts(tmp_path, rng)
    shards[1].json.update(verdict="invalid",
                          sentence="INVALID: this machine was too slow.")
    shards[1].write()
    done = load("merge", tmp_path / "sum", *shards)
    assert done.returncode == INVALID
    assert "INVALID: part 2 by itself: this machine was too" in done.stdout


def test_shards_of_different_runs_are_not_added_up(tmp_path, rng):
    _, shards = parts(tmp_path, rng)
    spoiled = shards[2]
    original = json.dumps(spoiled.json)

    def refused(says, *runs):
        done = load("merge", tmp_path / "sum", *runs)
        assert done.returncode == USAGE and says in done.stderr, done.stderr
        assert not (tmp_path / "sum").exists()

    for spoil, says in (
            (lambda j: j["population"].update(seed=2), "another population"),
            (lambda j: j["plan"]["stages"][0].update(rate=51), "another plan"),
            (lambda j: j["run"].update(shards=5), "another number of parts"),
            (lambda j: j["run"].update(shard=1), "part 2 of 3 is there alre")):
        spoiled.json = json.loads(original)
        spoil(spoiled.json)
        spoiled.write()
        refused(says, *shards)

    spoiled.json = json.loads(original)
    spoiled.json["run"].update(shard=0, shards=1)
    spoiled.write()
    refused("is a whole run", spoiled, shards[0])
    refused("nowhere: No such file", shards[0], tmp_path / "nowhere")


def test_merge_says_that_clocks_were_apart_and_overwrites_nothing(
        tmp_path, rng):
    _, shards = parts(tmp_path, rng)
    shards[2].json["run"]["started"] = "2026-08-20T06:15:09Z"
    for shard in shards:
        shard.json["plan"]["stages"][0]["seconds"] = 3600
        shard.write()
    done = load("merge", tmp_path / "sum", *shards)
    assert done.returncode == PASS
    assert "began 9 s apart by their clocks" in done.stderr

    before = (tmp_path / "sum" / "run.json").read_bytes()
    done = load("merge", tmp_path / "sum", *shards)
    assert done.returncode == USAGE and "is there already" in done.stderr
    assert (tmp_path / "sum" / "run.json").read_bytes() == before


def test_shards_one_after_the_other_are_no_whole(tmp_path, rng):
    """Each had its peak, and the target never the plan's."""
    _, shards = parts(tmp_path, rng)
    shards[2].json["run"]["started"] = "2026-08-20T06:15:09Z"
    shards[2].write()
    done = load("merge", tmp_path / "sum", *shards)
    assert done.returncode == INVALID
    assert "INVALID: its parts began 9 s apart, so" in done.stdout


def test_a_cut_off_second_is_refused_with_its_line(tmp_path, rng):
    _, shards = parts(tmp_path, rng)
    path = shards[1].folder / "seconds.ndjson"
    path.write_bytes(path.read_bytes()[:-20])
    done = load("merge", tmp_path / "sum", *shards)
    assert done.returncode == USAGE
    assert f"seconds.ndjson:{SECONDS}: line: is cut off" in done.stderr


@pytest.mark.once
def test_a_full_disk_is_named_with_what_is_missing(tmp_path, run):
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs",
                           str(folder)], capture_output=True)
    if os.geteuid() != 0 or done.returncode != 0:
        pytest.skip("no file system may be mounted here")
    try:
        shutil.copy(run.folder / "run.json", folder)
        shutil.copy(run.folder / "seconds.ndjson", folder)
        with open(folder / "filler", "wb", buffering=0) as stream, \
                contextlib.suppress(OSError):
            while stream.write(bytes(4096)):
                pass
        done = load("report", folder)
        assert done.returncode == USAGE
        assert "report.html" in done.stderr and "full" in done.stderr
        assert json.loads((folder / "run.json").read_text()) == run.json
        assert not (folder / "report.html").exists()
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def compare(*args):
    done = load("compare", "--json", *args)
    return done.returncode, json.loads(done.stdout)


def test_the_same_system_twice_is_not_worse(tmp_path, run, rng):
    other = Run(tmp_path / "again", draw(rng))
    code, found = compare(run, other)
    assert code == 0 and found["verdict"] == "not-worse", found["sentence"]
    assert found["same_plan"] and all(t["judged"] for t in found["times"])
    assert compare(run, run)[0] == 0


def test_a_slower_system_is_worse_and_a_faster_one_better(tmp_path, run, rng):
    other = Run(tmp_path / "slower", draw(rng, 1.3))
    code, found = compare(run, other)
    assert code == FAIL
    assert found["sentence"].startswith("B is worse: p")

    code, found = compare(other, run)
    assert code == 0
    assert found["sentence"].startswith("B is better: p")

    done = load("compare", "--html", tmp_path / "c.html", run, other)
    assert done.returncode == FAIL and "\u2191 more" in done.stdout
    assert "<svg" in (tmp_path / "c.html").read_text()


def test_wrong_answers_are_worse_without_times(tmp_path, run, rng):
    other = Run(tmp_path / "wrong", draw(rng))
    other.json["counts"] = counters(other.values[:-1], wrong_redirect=1)
    other.write()
    code, found = compare(run, other)
    assert code == FAIL and "somebody else's book" in found["sentence"]

    other.json["counts"] = counters(other.values[:-60], reset=60)
    other.write()
    code, found = compare(run, other)
    assert code == FAIL and "2 % of clicks were not" in found["sentence"]


@pytest.mark.parametrize("factors", [{"factor": 1.1},
                                     {"lowest_factor": 0.909}])
def test_times_of_a_rate_changed_by_hand_are_not_judged(tmp_path, run, rng,
                                                        factors):
    other = Run(tmp_path / "other", draw(rng, 3), **factors)
    code, found = compare(run, other)
    assert code == 0 and "changed by hand" in found["sentence"]


def test_times_of_other_plans_and_short_runs_are_not_judged(tmp_path, run,
                                                            rng):
    other = Run(tmp_path / "other", draw(rng, 3))
    other.json["plan"]["stages"][0]["rate"] = 51
    other.write()
    code, found = compare(run, other)
    assert code == 0 and "plans differ" in found["sentence"]

    short = [Run(tmp_path / f"short-{i}", draw(rng, i, 30)) for i in (1, 3)]
    code, found = compare(*short)
    assert code == 0 and "runs of 40 s" in found["sentence"]


def test_an_invalid_run_is_not_compared(tmp_path, run, rng):
    other = Run(tmp_path / "invalid", draw(rng))
    other.json["verdict"] = "invalid"
    other.write()
    code, found = compare(run, other)
    assert code == INVALID and "B is INVALID" in found["sentence"]


# --- docs/results.md ---------------------------------------------------------

PAGE = (REPOSITORY / "docs" / "results.md").read_text()


def section(title):
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE,
                      re.S | re.M)
    assert found, title
    return found[1]


def members(value, path=""):
    """The paths of what is no object, as far down as the page tells them."""
    if not isinstance(value, dict):
        return {path}
    return {found for name, inner in value.items() for found in
            members(inner, f"{path}.{name}" if path else name)}


def test_the_page_names_every_member_and_no_other(run):
    load("report", run)
    found = json.loads(load("report", "--json", run).stdout)
    expected = set()
    for path in members(found):
        group = re.match(r"(counts\.(?:ended|outcomes)|times\.\w+"
                         r"|api\.latency)\b", path)
        expected.add(group[1] if group else path)

    text = section("`run.json`")
    table = text[:text.index("Each of `times`")]
    named = {name for cell in re.findall(r"^\| (`[^|]*) \|", table, re.M)
             for name in re.findall(r"`([^`]+)`", cell)}
    assert named == expected

    for name in (*found["times"]["slip"], *found["checks"][0],
                 *found["marks"][0], *ENDS, *OUTCOMES):
        assert f"`{name}`" in text, name
    assert set(found["counts"]["ended"]) == set(ENDS)
    assert set(found["counts"]["outcomes"]) == set(OUTCOMES)


def test_the_page_names_every_column_and_no_other(tmp_path, rng):
    _, shards = parts(tmp_path, rng, 2)
    load("merge", tmp_path / "sum", *shards)
    with open(tmp_path / "sum" / "seconds.csv") as stream:
        rows = list(csv.DictReader(stream))
    named = [name for cell in re.findall(r"^\| (`[^|]*) \|",
                                         section("`seconds.csv`"), re.M)
             for name in re.findall(r"`([^`]+)`", cell)]
    assert named == list(rows[0])
    assert len(rows) == SECONDS and rows[7]["right"] == str(RATE)

    line = json.loads(open(tmp_path / "sum" / "seconds.ndjson").readline())
    assert list(line) == ["second", "target", "counts", "latency"]


def test_the_page_names_every_threshold_and_every_file(tmp_path, rng):
    text = (REPOSITORY / "loadtest" / "result_json.c").read_text()
    names = re.search(r"lp_check_names\[\] = \{(.*?)NULL", text, re.S)[1]
    for name in re.findall(r'"(\w+)"', names):
        assert f"`{name}`" in section("The verdict"), name

    _, shards = parts(tmp_path, rng, 2)
    load("merge", tmp_path / "sum", *shards)
    for path in (tmp_path / "sum").iterdir():
        assert f"| `{path.name}` |" in PAGE
