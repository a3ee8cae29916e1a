"""Ctrl-Z stops what is shown of a run, not the run."""

import json
import os
import pathlib
import signal
import subprocess

from lib.bad_target import BadTarget
from lib.process import eventually
from test_engine import RIGHT, command, people, plan, serve  # noqa: F401


def state_of(pid):
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][1]


def children_of(pid):
    return pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def test_clicks_go_on_while_nobody_watches(tmp_path, people):
    out = tmp_path / "out"
    with BadTarget(serve(RIGHT)) as target:
        run = subprocess.Popen(
            command(people, target.port, plan(tmp_path, rate=50, seconds=3),
                    out), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            process_group=0)
        try:
            eventually("a click", lambda: target.visits > 0, 30)
            engines = children_of(run.pid)
            os.killpg(run.pid, signal.SIGTSTP)
            eventually("that it stands still",
                       lambda: state_of(run.pid) == "T", 30)
            assert engines and all(state_of(pid) != "T" for pid in engines)
            # until they have ended, and nobody has asked them how
            eventually("the engines' end", lambda: all(
                state_of(pid) == "Z" for pid in engines), 60)
        finally:
            os.killpg(run.pid, signal.SIGCONT)
        assert run.wait(60) == 0
    counts = json.loads((out / "run.json").read_text())["counts"]
    assert counts["ended"]["right"] == counts["scheduled"] == 150
