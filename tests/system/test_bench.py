"""make bench still runs: its new parts at their smallest. What they measure
here says nothing."""

import json
import subprocess

import pytest

from lib.process import REPOSITORY

BENCH = REPOSITORY / "bench" / "bench.py"
PARTS = ["activation", "import", "bulk", "tally", "records"]


@pytest.mark.once
def test_every_part_with_a_town_of_its_own_runs(tmp_path):
    out = tmp_path / "bench.json"
    run = subprocess.run(
        ["/usr/bin/python3", "-B", BENCH, "--tiny",
         "--only", ",".join(PARTS), "--json", out], capture_output=True,
        text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    found = json.loads(out.read_text())
    assert set(found["raw"]) == set(PARTS)
    assert all(row["figure"] > 0 for row in found["rows"])
    # the target is the workers', the whole way stands beside it
    assert [row["what"] for row in found["rows"]
            if row["what"].startswith(("workers'", "through the edge"))
            and row["target"]] == ["workers' activations, of redis-benchmark's"]
    assert found["raw"]["records"]["encodings"] == {
        "e": "listpack", "u": "listpack", "x": "listpack", "i": "quicklist"}


@pytest.mark.once
def test_a_missing_tool_is_named(tmp_path):
    run = subprocess.run(
        ["/usr/bin/python3", "-B", BENCH, "--tiny", "--only", "ticket"],
        capture_output=True, text=True, timeout=60, check=False,
        env={"PATH": str(tmp_path)})
    assert run.returncode == 1
    assert run.stderr.startswith("bench: gcc, redis-benchmark, ")
    assert "wrk" in run.stderr and "make bench" in run.stderr
    assert run.stdout == ""


@pytest.mark.once
def test_the_front_door_s_clicks_are_measured(tmp_path):
    """Session clicks come from a cookie, and every ticket was signed."""
    out = tmp_path / "bench.json"
    run = subprocess.run(
        ["/usr/bin/python3", "-B", BENCH, "--tiny",
         "--only", "session,ticket", "--json", out], capture_output=True,
        text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    raw = json.loads(out.read_text())["raw"]
    assert set(raw) == {"session", "session_varied", "ticket"}
    assert all(raw[name]["cpu_ratio"] > 0 for name in raw)
    seen = raw["ticket"]["metrics_of_side"]
    assert seen['leerpoort_tickets_total{result="signed"}'] == \
        seen['leerpoort_clicks_total{outcome="redirect"}']
    assert raw["ticket"]["medians"]["verify_us"] > 0
    assert raw["ticket"]["without"]["cpu_us"] > 0


@pytest.mark.once
def test_sign_ins_and_a_storm_of_them_are_measured(tmp_path):
    """By one process and by two; a storm in which everybody gets in."""
    out = tmp_path / "bench.json"
    run = subprocess.run(
        ["/usr/bin/python3", "-B", BENCH, "--tiny",
         "--only", "signins", "--json", out], capture_output=True,
        text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    document = json.loads(out.read_text())
    found, plan = document["raw"]["signins"], document["plan"]
    for n in ("1", "2"):
        rate, storm = found["rate"][n], found["storm"][n]
        assert set(rate["cpu_us"]) == {"nginx", "leerpoort-sso", "redis",
                                       "provider", "pupils"}
        assert all(us > 0 for us in rate["cpu_us"].values())
        assert rate["per_s"] > 0 and rate["per_s_and_core"] > 0
        [one] = storm["storms"]
        assert one["arrived"] == plan["storm"] and one["lost"] == 0
        assert one["asked"] >= plan["storm"] >= one["at_once"] > 1
        # the provider was slow, and was waited for
        assert one["p50_ms"] > 1000 * plan["storm_delay"]
        assert storm["memory"] >= storm["memory_before"] > 0
        assert storm["quiet"]["clicks"] > 0 < storm["meanwhile"]["clicks"]


@pytest.mark.once
def test_the_rehearsal_tool_is_measured(tmp_path):
    """All figures are there, and the tool judged what it measured."""
    out = tmp_path / "bench.json"
    run = subprocess.run(
        ["/usr/bin/python3", "-B", BENCH, "--tiny",
         "--only", "load,country", "--json", out], capture_output=True,
        text=True, timeout=500, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    found = json.loads(out.read_text())
    load, country = found["raw"]["load"], found["raw"]["country"]
    assert load["same"]["ratio"] > 0 and load["varied"]["ratio"] > 0
    assert load["held"]["connections"] >= found["plan"]["connections"]
    sides = country["ratios"]
    assert all(sides[side]["cpu_ratio"] > 0
               for side in ("hit", "new", "first", "miss"))
    # the sides were what they are called
    assert sides["hit"]["misses"] < 0.1 and sides["hit"]["new_tokens"] < 0.1
    assert sides["new"]["new_tokens"] > 0.99 and sides["miss"]["misses"] > 0.99
    assert set(country["knees"]) == {"kept", "kept_tls", "fresh", "fresh_full",
                                     "fresh_resumed"}
    assert all(knee["tried"] for knee in country["knees"].values())
    assert country["activations"]["tried"]
