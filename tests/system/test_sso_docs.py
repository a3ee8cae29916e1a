"""The recipes in docs/sso.md are entries that Leerpoort reads."""

import json
import re
import subprocess

import pytest

from lib.nginx import BUILD
from lib.process import REPOSITORY

SITE = {"publicUrl": "https://toegang.example.nl",
        "session": {"keyFile": "session.jwks"}}


def blocks(document):
    """Every indented block of JSON."""
    text = (REPOSITORY / "docs" / document).read_text()
    found = []
    for block in re.findall(r"(?:^    .*\n)+", text, re.M):
        if block.lstrip().startswith("{"):
            found.append(json.loads(block))
    return found


def fetch(folder, *providers):
    """What leerpoort-keys says of an sso.json, on a port where nobody is."""
    path = folder / "sso.json"
    path.write_text(re.sub(r"https://[^/\"]+", "http://127.0.0.1:9",
                           json.dumps({**SITE, "providers": providers})))
    return subprocess.run(
        [BUILD / "leerpoort-keys", "--key-files", folder, "--once", "--sso",
         path], capture_output=True, text=True, timeout=20)


PROVIDERS = [entry for entry in blocks("sso.md") if "clientId" in entry]


def test_there_is_a_recipe_for_each():
    assert [entry["name"] for entry in PROVIDERS] == [
        "entree", "surfconext", "school-x", "samenwerkende-scholen"]


@pytest.mark.parametrize("entry", PROVIDERS, ids=lambda one: one["name"])
def test_a_recipe_is_read(tmp_path, entry):
    done = fetch(tmp_path, entry)
    assert f"{entry['name']}: " in done.stderr, done.stderr
    assert "could not be reached" in done.stderr, done.stderr


def test_a_misspelt_member_is_named(tmp_path):
    """So that the test above means something."""
    entry = {**PROVIDERS[0], "clientID": "x"}
    done = fetch(tmp_path, entry)
    assert done.returncode != 0 and "clientID" in done.stderr
