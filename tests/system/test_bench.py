"""make bench still runs: its new parts at their smallest. What they measure
here says nothing."""

import json
import subprocess

import pytest

from lib.process import REPOSITORY

PARTS = ["activation", "import", "bulk", "tally", "records"]


@pytest.mark.once
def test_every_part_with_a_town_of_its_own_runs(tmp_path):
    out = tmp_path / "bench.json"
    run = subprocess.run(
        ["/usr/bin/python3", "-B", REPOSITORY / "bench" / "bench.py", "--tiny",
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
