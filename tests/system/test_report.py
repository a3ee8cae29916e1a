"""leerpoort report usage and leerpoort school consent: what is told of a week,
what is hidden, and that it stays as it is."""

import csv
import io
import json
import os
import subprocess

import pytest

from lib import names
from lib.nginx import BUILD

PROGRAM = BUILD / "leerpoort"
NOW = 1788854400  # Tuesday 2026-09-08 10:00 in Amsterdam: week 37
WEEK = "2026-W36"


def leerpoort(redis, *words, now=NOW, code=0):
    run = subprocess.run(
        [PROGRAM, *words, "--redis", redis.address], capture_output=True,
        timeout=60, check=False, env={**os.environ,
                                      "LEERPOORT_NOW": str(now)})
    assert run.returncode == code, run.stderr.decode()
    if code:
        assert run.stdout == b""
        assert run.stderr.startswith(b"leerpoort: ")
    return run.stdout if code == 0 else run.stderr.decode()


def report(redis, *options, **how):
    return leerpoort(redis, "report", "usage", *options, **how)


def as_json(redis, *options, **how):
    return json.loads(report(redis, "--format", "json", *options, **how))


def rows(redis, *options, **how):
    text = report(redis, *options, **how).decode()
    assert text.endswith("\r\n") and "\n" not in text.replace("\r\n", "")
    head, *lines = csv.reader(io.StringIO(text, newline=""))
    assert head == ["week", "school", "product", "clicks", "readers"]
    return lines


def count(redis, school, product, clicks, readers, week=WEEK, known=True):
    """As the tally leaves it; known: who they were is not forgotten yet."""
    shard = names.shard(school)
    redis("SADD", f"weeks:{{{shard}}}:{week}", school)
    redis("HSET", f"week:{{{shard}}}:{school}:{week}", product, clicks,
          f"{product}|r", 0 if known else readers)
    if known and readers:
        redis("PFADD", f"readers:{{{shard}}}:{school}:{week}:{product}",
              *(f"{school}{i}" for i in range(readers)))


def country(redis, **how):
    """Six schools with a book, one with something else as well."""
    for i, readers in enumerate((3, 12, 15, 30, 40, 50)):
        count(redis, f"S{i}", "book", 10 * readers, readers, **how)
    count(redis, "S5", "atlas", 41, 4, **how)
    count(redis, "S4", "globe", 220, 22, **how)


@pytest.mark.parametrize("known", [True, False])
def test_few_readers_are_hidden_and_what_gives_them_away(redis, known):
    country(redis, known=known)
    assert rows(redis, "--week", WEEK) == [[WEEK, *row] for row in (
        ["S0", "book", "hidden", "hidden"], ["S0", "", "hidden", ""],
        ["S1", "book", "hidden", "hidden"], ["S1", "", "hidden", ""],
        ["S2", "book", "hidden", "hidden"], ["S2", "", "hidden", ""],
        ["S3", "book", "300", "30"], ["S3", "", "300", ""],
        ["S4", "book", "400", "40"], ["S4", "globe", "220", "22"],
        ["S4", "", "620", ""],
        ["S5", "atlas", "hidden", "hidden"], ["S5", "book", "500", "50"],
        ["S5", "", "hidden", ""],
        ["", "atlas", "hidden", ""], ["", "book", "1500", ""],
        ["", "globe", "220", ""], ["", "", "hidden", ""])]


def test_json_says_the_same(redis):
    country(redis)
    told = as_json(redis)
    assert (told["week"], told["hide"], told["preliminary"],
            told["clicks"]) == (WEEK, 10, False, None)
    assert told["products"] == [{"product": "atlas", "clicks": None},
                                {"product": "book", "clicks": 1500},
                                {"product": "globe", "clicks": 220}]
    assert [s["school"] for s in told["schools"]] == [
        f"S{i}" for i in range(6)]
    assert told["schools"][4] == {
        "school": "S4", "clicks": 620, "products": [
            {"product": "book", "clicks": 400, "readers": 40},
            {"product": "globe", "clicks": 220, "readers": 22}]}
    assert told["schools"][0]["products"][0]["clicks"] is None


def test_a_school_gets_its_own_rows_alone(redis):
    country(redis)
    assert [row[1] for row in rows(redis, "--school", "S4")] == ["S4"] * 3
    told = as_json(redis, "--school", "S4")
    assert "products" not in told and "clicks" not in told
    assert [s["school"] for s in told["schools"]] == ["S4"]
    assert "used nothing" in report(redis, "--school", "S9", code=1)


def test_a_report_once_issued_stays_as_it_is(redis):
    country(redis)
    before = report(redis), report(redis, "--format", "json")
    count(redis, "S3", "book", 999, 99)
    count(redis, "S8", "book", 999, 99)
    redis("DEL", f"week:{{{names.shard('S5')}}}:S5:{WEEK}")
    assert (report(redis), report(redis, "--format", "json")) == before
    assert report(redis, now=NOW + 300 * 86400, *("--week", WEEK)) == before[0]
    # another threshold would show in one what the other hides
    assert "--hide 10" in report(redis, "--hide", "5", code=1)
    assert report(redis, "--hide", "10") == before[0]
    [key] = redis("KEYS", "report:*")
    assert redis("TTL", key) == -1


def test_nothing_of_what_is_hidden_is_kept_with_the_report(redis):
    count(redis, "S1", "book", 7654321, 3)
    report(redis)
    [key] = redis("KEYS", "report:*")
    assert "7654321" not in "".join(redis("HGETALL", key))


def test_the_threshold_has_a_floor(redis):
    count(redis, "S1", "book", 60, 6)
    for hide in ("4", "0", "1001", "x", "-5"):
        report(redis, "--hide", hide, code=2)
    assert redis("KEYS", "report:*") == []
    assert rows(redis, "--hide", "6")[0] == [WEEK, "S1", "book", "60", "6"]


def test_a_week_that_is_not_over_is_refused_or_coarse(redis):
    this = "2026-W37"
    count(redis, "S1", "book", 259, 25, week=this)
    count(redis, "S2", "book", 5, 5, week=this)
    assert "not over" in report(redis, "--week", this, code=1)
    assert rows(redis, "--running") == [[this, *row] for row in (
        ["S1", "book", "250", "20"], ["S1", "", "hidden", ""],
        ["S2", "book", "hidden", "hidden"], ["S2", "", "hidden", ""],
        ["", "book", "hidden", ""], ["", "", "hidden", ""])]
    told = as_json(redis, "--running", "--week", this)
    assert told["preliminary"] is True

    # once a day: who asks twice learns nothing from the difference
    before = report(redis, "--running")
    count(redis, "S1", "book", 459, 45, week=this)
    assert report(redis, "--running") == before
    assert report(redis, "--running", now=NOW + 86400) != before
    for key in redis("KEYS", "report:*"):
        assert 0 < redis("TTL", key) <= 14 * 86400

    # when it is over, it is told as it was
    later = rows(redis, "--week", this, now=NOW + 7 * 86400)
    assert later[0] == [this, "S1", "book", "459", "45"]


def test_a_week_with_clicks_to_count_is_not_issued(redis):
    count(redis, "S1", "book", 300, 30)
    redis("XADD", "usage:{07}", "1788700000000-0", "p", "0" * 16)
    assert "leerpoort-tally" in report(redis, "--week", WEEK, code=1)
    assert redis("KEYS", "report:*") == []
    # clicks of this week may wait
    redis("DEL", "usage:{07}")
    redis("XADD", "usage:{07}", f"{NOW}000-0", "p", "0" * 16)
    assert report(redis)


@pytest.mark.parametrize("week", [
    "2026-36", "2026-W00", "2026-W54", "2025-W53", "2026-W6", "w", "",
    "2026-W36 ", "1999-W01"])
def test_a_week_that_does_not_exist_is_refused(redis, week):
    report(redis, "--week", week, code=2)


def test_weeks_without_use_to_come_or_over_are_refused(redis):
    assert "nothing was used" in report(redis, code=1)
    assert "nothing was used" in report(redis, "--week", "2020-W53", code=1)
    assert "not begun" in report(redis, "--week", "2026-W38", code=1)
    assert "is over" in report(redis, "--running", "--week", WEEK, code=1)
    assert redis("KEYS", "report:*") == []
    report(redis, "--format", "xml", code=2)
    report(redis, "--school", "a b", code=2)


def test_a_name_is_no_formula(redis):
    count(redis, "-1.2", "book", 300, 30)
    assert report(redis).split(b"\r\n")[1].split(b",")[1] == b"'-1.2"


def test_without_redis_it_is_a_no(redis):
    redis.stop()
    report(redis, code=1)
    leerpoort(redis, "school", "consent", "--school", "S1", "--scope",
              "usage.dashboard", code=1)


# --- consent -----------------------------------------------------------------

def consent(redis, *more, school="S1", scope="usage.dashboard", **how):
    return leerpoort(redis, "school", "consent", "--school", school,
                     "--scope", scope, *more, **how)


def test_a_school_consents_and_takes_it_back(redis):
    key = f"school:{{{names.shard('S1')}}}:S1"
    assert "not known" in consent(redis, code=1)
    assert redis("EXISTS", key) == 0
    redis("HSET", key, "name", "School 1")
    consent(redis)
    consent(redis)
    assert redis("HGETALL", key) == ["name", "School 1",
                                     "consent:usage.dashboard", "1"]
    consent(redis, "--withdraw")
    assert redis("HGETALL", key) == ["name", "School 1"]
    assert "not consented" in consent(redis, "--withdraw", code=1)
    consent(redis, scope="usage.seller", code=2)
    consent(redis, school="a b", code=2)
