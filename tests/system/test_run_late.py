"""A run that is told when to start starts then, or not at all."""

import subprocess
import time

import pytest

from lib.bad_target import BadTarget
from test_engine import command, people, plan  # noqa: F401


@pytest.mark.once
def test_a_start_that_passed_meanwhile_is_refused(tmp_path, people):
    """The target takes its time: it is waited for before a run, not long."""
    out = tmp_path / "out"
    with BadTarget(lambda visit: visit.request()) as target:
        run = subprocess.run(
            command(people, target.port, plan(tmp_path), out, "--start-at",
                    str(int(time.time()) + 2), "--insecure", scheme="https"),
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=60, check=False)
    assert run.returncode == 2 and "later one" in run.stderr, run.stderr
    assert not out.exists()
