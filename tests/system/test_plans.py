"""leerpoort-load plan: what is shipped, what is drawn, what is refused; and
docs/plans.md, which lists every field with the source's bounds."""

import json
import os
import re
import subprocess

import pytest

from lib.nginx import BUILD
from lib.process import REPOSITORY

PROGRAM = BUILD / "leerpoort-load"
SHIPPED = ["bad-day", "ceiling", "cold", "rehearsal", "september",
           "worst-morning"]
SOURCE = REPOSITORY / "loadtest" / "plan_fields.c"
PAGE = REPOSITORY / "docs" / "plans.md"


def plan(*args, locale="C", **env):
    return subprocess.run(
        [PROGRAM, "plan", *map(str, args)], capture_output=True, text=True,
        encoding="utf-8", timeout=60,
        env={**os.environ, "LC_ALL": locale, **env})


def shown(*args, **more):
    answer = plan("show", *args, **more)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def as_json(*args):
    return json.loads(shown(*args, "--json"))


def refused(*args, code=1):
    answer = plan("show", *args)
    assert (answer.returncode, answer.stdout) == (code, "")
    return answer.stderr


def test_shipped_plans_are_listed():
    answer = plan("list")
    assert answer.returncode == 0, answer.stderr
    assert [line.split()[0] for line in answer.stdout.splitlines()] == SHIPPED
    listed = {entry["name"]: entry
              for entry in json.loads(plan("list", "--json").stdout)}
    assert sorted(listed) == SHIPPED
    assert round(listed["september"]["peak"]) == 5000
    assert listed["september"]["seconds"] == 1800
    assert listed["worst-morning"]["peak"] == 10000
    assert listed["ceiling"]["peak"] == 40000
    assert listed["cold"]["clicks"] == 1700 * 300


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_plans_tell_all(name, tmp_path):
    text = shown(name)
    assert text.startswith(name + "\n")
    assert all(len(line) <= 80 for line in text.splitlines()), text
    for label in ("clicks", "classes", "of clicks", "tokens", "connections",
                  "passes with", "invalid"):
        assert re.search(f"^{label} ", text, re.M), label
    again = tmp_path / "again.json"
    again.write_text(shown(name, "--json"))
    assert as_json(again) == as_json(name)
    assert not re.search(r"\.\d{9}", again.read_text())  # for people to edit


def curve(text):
    """The lines of the drawing: what is right of the axis."""
    return [line.split("|", 1)[1] for line in text.splitlines()
            if re.match(r"[ 0-9,.]{7}\|", line)]


def test_the_curve_is_drawn():
    september = shown("september")
    assert set("".join(curve(september))) <= set(" .:")
    rows = curve(september)
    assert len(rows) == 10
    # three bursts stand above the bell, whose height is a third of theirs
    assert len(rows[1].split()) == 3
    assert len(rows[8].split()) == 1
    assert len(rows[9]) == 64
    assert re.search(r"^  5,000\|", september, re.M)
    assert "^" not in september
    dots = curve(shown("september", locale="C.UTF-8"))
    assert all(letter == " " or 0x2800 < ord(letter) < 0x2900
               for letter in "".join(dots))
    assert all(len(row) <= 64 for row in dots)
    marks = [line for line in shown("bad-day").splitlines()
             if line.endswith("faults")]
    assert marks[0].count("^") == 4


def test_scale_and_fit():
    whole = as_json("september")
    tenth = as_json("september", "--scale", "0.1", "--fit", "180")
    assert tenth["stages"][0]["peak"] == pytest.approx(170)
    assert tenth["stages"][0]["seconds"] == pytest.approx(180)
    assert tenth["stages"][0]["sigma"] == pytest.approx(24)
    assert tenth["classes"]["seconds"] == pytest.approx(4.5)
    assert tenth["tokens"] == whole["tokens"]
    assert tenth["thresholds"] == whole["thresholds"]


@pytest.mark.parametrize("args, code, why", [
    (["--scale", "100"], 1, "scaled by 100: stages[0].to: is 4000000; "
                            "allowed: a number from 0 to 1000000"),
    (["--scale", "0"], 2, "--scale takes a number above 0"),
    (["--scale", "-1"], 2, "--scale takes a number above 0"),
    (["--scale", "nan"], 2, "--scale takes a number above 0"),
    (["--scale", "inf"], 2, "--scale takes a number above 0"),
    (["--scale", "2x"], 2, "--scale takes a number above 0"),
    (["--fit", "0"], 2, "--fit takes at least 1 second"),
])
def test_scale_and_fit_are_bounded(args, code, why):
    assert why in refused("ceiling", *args, code=code)


def test_broken_plans_are_refused(tmp_path):
    file = tmp_path / "p.json"
    file.write_text('{"name": "p",\n "stages": [{"shape": "bell", "rate": 1,'
                    ' "peak": 2, "at": 3, "sigma": 0, "seconds": 9}]}')
    assert ("stages[0].sigma: is 0; allowed: a number from 0.001 to 86400"
            in refused(file))
    file.write_text('{"name": "p",\n')
    assert "line 2, column " in refused(file)
    assert ("there is no plan nothing; shipped are: bad-day, ceiling, cold, "
            in refused("nothing"))
    assert "No such file" in refused(tmp_path / "gone.json")
    assert "is a folder, and no file" in refused(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert "is no file, but a pipe" in refused(tmp_path / "pipe")
    file.write_text(" " * (1024 * 1024 + 1))
    assert "larger than 1048576 bytes" in refused(file)
    answer = plan("list", LEERPOORT_PLANS=str(tmp_path / "gone"))
    assert answer.returncode == 1
    assert "LEERPOORT_PLANS" in answer.stderr


def test_installed_plans_are_found(tmp_path):
    prefix = tmp_path / "usr" / "local"
    folder = prefix / "share" / "leerpoort" / "plans"
    folder.mkdir(parents=True)
    program = prefix / "bin" / "leerpoort-load"
    program.parent.mkdir()
    program.write_bytes(PROGRAM.read_bytes())
    program.chmod(0o755)
    (folder / "own.json").write_text(
        '{"name": "own", "stages": [{"shape": "constant", "rate": 2.5,'
        ' "seconds": 4}]}')
    answer = subprocess.run([program, "plan", "list"], capture_output=True,
                            text=True, timeout=60)
    assert answer.stdout.split() == ["own", "0:04", "10", "clicks,", "at",
                                     "most", "2.5", "a", "second"]


def rows_of_source():
    rows = re.findall(
        r"^    (?:NUMBER|OR_NONE|COUNT|WHOLE|RATE|HELD|TIME)"
        r"\((\w+), (\w+), ([-\d.]+), ([-\d.]+), ([-\d.]+)\)",
        SOURCE.read_text(), re.M)
    return {f"{group}.{name}": bounds for group, name, *bounds in rows}


def test_the_page_lists_every_field():
    page = {}
    for line in PAGE.read_text().splitlines():
        match = re.match(r"\| `(\w+\.\w+)` \|", line)
        if match:
            page[match[1]] = [cell.strip() for cell in line.split("|")[4:7]]
    source = rows_of_source()
    assert page == source
    # all that a plan has, written out by the program itself
    whole = as_json("september")
    groups = {name for name, value in whole.items() if isinstance(value, dict)}
    assert ({f"{group}.{name}" for group in groups for name in whole[group]}
            == set(source) | {"tokens.in"})
    for name in whole:
        assert f"`{name}`" in PAGE.read_text(), name


def test_the_pages_example_is_a_plan(tmp_path):
    example = re.search(r"```json\n(.*?)```", PAGE.read_text(), re.S)[1]
    file = tmp_path / "monday.json"
    file.write_text(example)
    assert shown(file).startswith("monday\n")
    broken = example.replace('"sigma": 180', '"sigma": -3')
    file.write_text(broken)
    assert refused(file).rstrip().endswith(
        "stages[0].sigma: is -3; allowed: a number from 0.001 to 86400")
