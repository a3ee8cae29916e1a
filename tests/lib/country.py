"""A population of leerpoort-load, and a town whose edge knows its tokens."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

from lib.nginx import BUILD
from lib.town import Town
from lib.workers import environment

OIN = "00000003123456780000"  # the town's seller
PROGRAM = BUILD / "leerpoort-load"
MIX = ("set:0.12,entitled:0.2,open:0.12,none:0.1,not-yet:0.06,ended:0.06,"
       "blocked:0.06")


class Country:
    """pupils: about so many of them. town: for Town()."""

    def __init__(self, pupils=100, seed=5, products=40, mix=MIX, **town):
        self.folder = pathlib.Path(tempfile.mkdtemp(
            prefix="leerpoort-country-"))
        self.people = self.folder / "people"
        self.town = None
        try:
            self.load("population", self.people, "--pupils", pupils, "--seed",
                      seed, "--products", products, "--mix", mix, "--jobs", 1)
            self.town = Town(
                http=f"include {self.people}/issuer.conf;",
                # no click fails because a disk was slow for a moment
                edge={"login": False, "timeout": "5s",
                      "click": {"content_hosts": None}},
                **town)
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        try:
            self.town.__exit__(*exc)
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.town.edge.port}"

    def load(self, *words, code=0, given=None, timeout=120):
        """leerpoort-load; what it wrote."""
        run = subprocess.run(
            [PROGRAM, *map(str, words)], input=given, capture_output=True,
            text=True, timeout=timeout, env=environment(self.folder))
        assert code is None or run.returncode == code, (
            words, run.returncode, run.stdout, run.stderr)
        return run

    def redis(self, *words):
        """The options of a command that uses Redis."""
        return (*words, "--redis", self.town.redis.address, "--pepper",
                self.town.pepper)

    def seed(self, *words, **how):
        return self.load("seed", self.people, *self.redis(), *words, **how)

    def seller(self):
        """The options of the town's seller. Its token endpoint is where the
        edge is now."""
        endpoint = f"{self.url}/oauth/token"
        parties = json.loads(self.town.parties.read_text())
        if parties["tokenEndpoint"] != endpoint:
            new = self.town.parties.with_suffix(".new")
            new.write_text(json.dumps({**parties, "tokenEndpoint": endpoint}))
            os.replace(new, self.town.parties)
            # each worker looks once a second, and only when it is asked
            time.sleep(2.1)
        return ("--client", self.town.seller.client_id, "--key",
                self.town.seller.key)

    def sell(self, *words, **how):
        """seed through the API."""
        return self.seed("--api", self.url, *self.seller(), *words, **how)

    def plan(self, seconds=2, rate=150, name="plan", **more):
        """A plan in which anybody clicks on anything."""
        file = self.folder / f"{name}.json"
        file.write_text(json.dumps({
            "name": name, "seed": 3,
            "stages": [{"shape": "constant", "seconds": seconds,
                        "rate": rate}],
            "clicks": {"spread": 1.0, "activations": 0.2},
            "connections": {"most": 500, "answer_s": 30},
            "honesty": {"slip_p99_ms": 10000},
            "thresholds": {"errors": 0, "missed": 0, "wrong_redirects": 0},
            **more}))
        return file

    def run(self, plan, *words, out="run", **how):
        """A run; its folder."""
        folder = self.folder / out
        self.load("run", plan, self.people, "--target", self.url, "--out",
                  folder, "--plain", *words, **how)
        return folder

    def verify(self, run, *words, code=0):
        """What verify says, as JSON."""
        answer = self.load("verify", self.people, "--run", run, "--json",
                           *self.redis(), *words, code=code)
        return json.loads(answer.stdout)
