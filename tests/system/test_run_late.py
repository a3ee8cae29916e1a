"""A run that is told when to start starts then, or not at all."""

import os
import subprocess
import time

import pytest

from lib.bad_target import BadTarget
from lib.process import eventually
from test_engine import RIGHT, command, people, plan, serve  # noqa: F401


@pytest.mark.once
def test_a_start_that_passed_meanwhile_is_refused(tmp_path, people):
    """The plan comes from where it takes its time."""
    pipe, out = tmp_path / "slow.json", tmp_path / "out"
    text = plan(tmp_path).read_text()
    os.mkfifo(pipe)
    with BadTarget(serve(RIGHT)) as target:
        at = int(time.time()) + 5
        run = subprocess.Popen(
            command(people, target.port, pipe, out, "--start-at", str(at)),
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        eventually("the moment to be over", lambda: time.time() > at, 30)
        try:
            with open(pipe, "w", encoding="ascii") as stream:
                stream.write(text)
            _, said = run.communicate(timeout=30)
        finally:
            run.kill()
        assert run.returncode == 2 and "later one" in said
        assert not out.exists() and target.visits == 0
