"""A rehearsal notices an edge that sends one click in 10,000 elsewhere.

build/mutant/ holds such an edge, made on purpose (see LEERPOORT_MUTANT in
ngx_module/): the verdict on it must be FAIL, for its wrong redirects and
nothing else, and PASS on the true one.
"""

import json
import pathlib
import subprocess
import tempfile

import pytest

from lib.edge import Edge
from lib.nginx import BUILD
from lib.process import REPOSITORY

pytestmark = pytest.mark.once

MUTANT = REPOSITORY / "build/mutant/ngx_http_leerpoort_module.so"
LOAD = BUILD / "leerpoort-load"
PUPILS = 500

# 22,500 clicks by good tokens, all of them redirected by the only worker: its
# 10,000th and 20,000th redirect are wrong. How fast they are answered is not
# what is asked here.
PLAN = {
    "name": "mutant", "seed": 1, "arrivals": "even",
    "stages": [{"shape": "constant", "rate": 4500, "seconds": 5}],
    "classes": {"share": 0},
    "clicks": {"denied": 0, "paths": 0.2},
    "tokens": {"reuse": 4, "think_s": 1},
    "connections": {"most": 200, "connect_s": 30, "answer_s": 30},
    "honesty": {"slip_p99_ms": 10000},
    "thresholds": {"wrong_redirects": 0, "errors": 0.001, "missed": 0.0},
}


class Country:
    """What an Edge takes for an issuer: that of a population."""

    def __init__(self, folder):
        self.folder = folder

    def conf(self):
        return f"include {self.folder}/issuer.conf;"


def load(*words):
    return subprocess.run([LOAD, *map(str, words)], capture_output=True,
                          text=True, timeout=120)


@pytest.fixture(scope="module")
def country():
    with tempfile.TemporaryDirectory(prefix="leerpoort-test-") as parent:
        folder = pathlib.Path(parent) / "population"
        run = load("population", folder, "--pupils", PUPILS, "--products", 50,
                   "--mix", "entitled:0,open:0")
        assert run.returncode == 0, run.stderr
        yield folder


def rehearse(country, folder):
    """Against an edge of its own: (run, its result)."""
    with Edge(issuers=[Country(country)], login=False,
              click={"content_hosts": "*.load.example"},
              timeout="10s", level="notice") as edge:
        seeded = load("seed", country, "--redis", edge.redis.address,
                      "--pepper", edge.folder / "pepper")
        assert seeded.returncode == 0, seeded.stderr
        edge.await_armed()
        plan = folder / "plan.json"
        plan.write_text(json.dumps(PLAN))
        out = folder / "out"
        run = load("run", plan, country, "--target",
                   f"http://127.0.0.1:{edge.port}", "--out", out, "--plain")
        assert (out / "run.json").exists(), run.stdout + run.stderr
    return run, json.loads((out / "run.json").read_text())


def test_a_true_edge_passes(country, tmp_path):
    run, result = rehearse(country, tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    assert result["verdict"] == "pass"
    assert result["counts"]["ended"]["wrong-redirect"] == 0
    assert result["counts"]["outcomes"]["redirect"] == 22_500


def test_a_mutated_edge_is_caught(country, tmp_path, monkeypatch):
    assert MUTANT.exists(), f"make {MUTANT.relative_to(REPOSITORY)}"
    monkeypatch.setattr("lib.nginx.MODULE", MUTANT)
    run, result = rehearse(country, tmp_path)
    assert run.returncode == 1, run.stdout + run.stderr
    ends = result["counts"]["ended"]
    assert ends["wrong-redirect"] == 2
    assert {name for name, n in ends.items() if n} == {
        "right", "wrong-redirect"}
    assert [check["name"] for check in result["checks"]
            if check["broken"]] == ["wrong_redirects"]
    assert result["sentence"].startswith("FAIL: 2 pupils were sent")
