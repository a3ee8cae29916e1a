"""Packages of npm that tests compare with: fetched into build/npm, once;
nothing of them is in the repository."""

import fcntl
import json
import re
import shutil
import subprocess

import pytest

from lib.process import REPOSITORY

NPM = REPOSITORY / "build" / "npm"


def npm_package(name, version):
    """The folder of the package; a skip where there is no npm, or no way to
    its registry."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("node and npm are not installed")
    folder = NPM / "node_modules" / name
    NPM.mkdir(parents=True, exist_ok=True)
    with open(NPM / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            found = json.loads((folder / "package.json").read_text())
        except (OSError, ValueError):
            found = {}
        if found.get("version") != version:
            _fetch(name, version)
    return folder


def _fetch(name, version):
    try:
        done = subprocess.run(
            ["npm", "install", "--prefix", NPM, "--ignore-scripts",
             "--no-audit", "--no-fund", f"{name}@{version}"], cwd=NPM,
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=90)
    except subprocess.TimeoutExpired:
        pytest.skip("npm install took more than 90 s")
    if done.returncode != 0:
        reason = re.sub(r"\s+", " ", done.stderr)[:200]
        pytest.skip(f"npm install {name}@{version}: {reason}")
