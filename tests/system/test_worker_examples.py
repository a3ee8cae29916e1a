"""The daemons' examples of lua-free-conf/: units, users of Redis, parties."""

import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from lib.door import Sso
from lib.nginx import BUILD
from lib.process import REPOSITORY
from lib.redis import Redis
from lib.tokens import make_key, write_jwks
from lib.workers import Workers, environment, secret

EXAMPLES = REPOSITORY / "lua-free-conf"
DAEMONS = ("worker", "sso", "relay", "tally")


def users():
    """The example's daemons, each with its name as its password."""
    found = []
    for line in (EXAMPLES / "users.acl").read_text().splitlines():
        name = line.split()[1]
        if name in DAEMONS:
            digest = hashlib.sha256(name.encode()).hexdigest()
            found.append(line.removeprefix("user ").replace(
                " off ", f" on #{digest} ", 1))
    assert len(found) == len(DAEMONS)
    return found


@pytest.fixture
def guarded(tmp_path):
    """A Redis with these users, beside the default one."""
    redis = Redis(tmp_path, users=users())
    try:
        yield redis.start()
    finally:
        redis.destroy()


def password(tmp_path, name):
    file = tmp_path / f"{name}.password"
    file.touch(0o600)
    file.write_text(name)
    return file


@pytest.mark.parametrize("name", DAEMONS)
def test_no_daemon_can_empty_or_list_redis(guarded, name):
    client = guarded.client()
    assert client("AUTH", name, name) == "OK"
    for command in (("FLUSHALL",), ("KEYS", "*"), ("CONFIG", "SET", "x", "y"),
                    ("SHUTDOWN",), ("ACL", "LIST"),
                    ("EVAL", "return 1", 0)):
        with pytest.raises(Exception, match="NOPERM"):
            client(*command)
    client.close()


def new_ring(folder):
    """A folder with a key of Leerpoort's own."""
    ring = folder / "ring"
    ring.mkdir()
    subprocess.run([BUILD / "leerpoort", "key", "rotate", "--keys", ring,
                    "--alg", "ES256"], check=True, capture_output=True)
    return ring


def test_the_worker_starts_with_the_example_s_user_and_parties(
        tmp_path, guarded):
    shutil.copy(EXAMPLES / "parties.json", tmp_path)
    with Workers(tmp_path, guarded.address, n=1, user="worker",
                 password_file=password(tmp_path, "worker"),
                 keys=new_ring(tmp_path),
                 parties=tmp_path / "parties.json",
                 allow=["jwks.json cannot be opened"]) as workers:
        assert workers.ask("/none").status == 404
        answer = workers.ask("/v1/entitlements", "PUT", b"{}",
                             LEERPOORT_CLIENT="boekhandel-levering",
                             LEERPOORT_SCOPE="entitlement.licensor")
        assert answer.status == 400, answer


def test_sign_in_starts_with_the_example_s_files(tmp_path, guarded):
    for name in ("sso.json", "lti.json", "pages.json"):
        shutil.copy(EXAMPLES / name, tmp_path)
    write_jwks(tmp_path / "session.jwks", [make_key("HS256", "session")])
    (tmp_path / "session.jwks").chmod(0o600)
    (tmp_path / "secrets").mkdir()
    secret(tmp_path / "secrets" / "regenboog.secret").write_text("secret\n")
    with Sso(tmp_path, guarded.address, n=1, user="sso",
             password_file=password(tmp_path, "sso"), keys=new_ring(tmp_path),
             sso=tmp_path / "sso.json", lti=tmp_path / "lti.json",
             pages=tmp_path / "pages.json", key_files=tmp_path) as workers:
        answer = workers.ask("/sso/login", LEERPOORT_ROUTE="sso")
        assert answer.status == 200, answer
        assert "De Regenboog" in answer.body.decode()


def test_leerpoort_keys_takes_the_example_s_files(tmp_path):
    """It reads them before it looks at the folder, which is not there."""
    run = subprocess.run(
        [BUILD / "leerpoort-keys", "--once", "--key-files", tmp_path / "none",
         *(word for name in ("sso", "lti", "sources")
           for word in (f"--{name}", EXAMPLES / f"{name}.json"))],
        capture_output=True, text=True, timeout=60,
        env=environment(tmp_path), check=False)
    assert run.returncode == 1
    assert run.stderr == (f"leerpoort: can't write into the folder {tmp_path}"
                          "/none: No such file or directory\n")


def test_examples_name_one_another_s_files():
    """What nginx.conf and parties.json read is what sources.json fetches."""
    sources = {row["name"] for row in json.loads(
        (EXAMPLES / "sources.json").read_text())["sources"]}
    read = set()
    for name in ("nginx.conf", "parties.json"):
        read |= set(re.findall(r"/leerpoort-keys/([a-z-]+)\.jwks\.json",
                               (EXAMPLES / name).read_text()))
    assert read == sources
    unit = (EXAMPLES / "systemd" / "leerpoort-keys.service").read_text()
    sso = (EXAMPLES / "systemd" / "leerpoort-sso.service").read_text()
    socket = re.search(r"--key-socket (\S+)", unit)[1]
    assert socket in sso
    assert f"unix:{socket};" in (EXAMPLES / "nginx.conf").read_text()
    assert re.search(r"--key-files (\S+)", unit)[1] == re.search(
        r"--key-files (\S+)", sso)[1]


@pytest.mark.parametrize("name", ["relay", "tally"])
def test_the_others_run_once_with_the_example_s_user(tmp_path, guarded, name):
    argv = [BUILD / f"leerpoort-{name}", "--redis", guarded.address, "--user",
            name, "--password-file", password(tmp_path, name), "--once"]
    if name == "relay":
        parties = tmp_path / "parties.json"
        parties.write_text("{}")
        argv += ["--seal", secret(tmp_path / "seal"), "--parties", parties]
    run = subprocess.run(argv, capture_output=True, text=True, timeout=60,
                         env=environment(tmp_path), check=False)
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("name", ["relay", "tally"])
def test_a_password_that_can_not_be_read_is_no_redis_that_is_away(
        tmp_path, guarded, name):
    argv = [BUILD / f"leerpoort-{name}", "--redis", guarded.address, "--user",
            name, "--password-file", tmp_path / "none.password"]
    if name == "relay":
        parties = tmp_path / "parties.json"
        parties.write_text("{}")
        argv += ["--seal", secret(tmp_path / "seal"), "--parties", parties]
    run = subprocess.run(argv, capture_output=True, text=True, timeout=60,
                         env=environment(tmp_path), check=False)
    assert run.returncode == 1
    assert "none.password cannot be opened" in run.stderr


@pytest.mark.once
@pytest.mark.parametrize("unit", [
    "leerpoort-worker.socket", "leerpoort-worker.service",
    "leerpoort-apis.socket", "leerpoort-apis.service",
    "leerpoort-sso.socket", "leerpoort-sso.service", "leerpoort-keys.service",
    "leerpoort-relay.service", "leerpoort-tally.service"])
def test_systemd_reads_the_units(tmp_path, unit):
    if not pathlib.Path("/usr/bin/systemd-analyze").exists():
        pytest.skip("systemd-analyze is not installed")
    for path in (EXAMPLES / "systemd").glob("leerpoort-*"):
        text = re.sub(r"/usr/(local/bin/leerpoort-\w+|bin/multiwatch)",
                      "/bin/true", path.read_text())
        (tmp_path / path.name).write_text(text)
    run = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / unit)],
        capture_output=True, text=True, timeout=60,
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"})
    complaints = [line for line in run.stderr.splitlines()
                  if "leerpoort" in line and "Unit" not in line]
    assert not complaints, run.stderr


@pytest.mark.parametrize("name", [*DAEMONS, "keys"])
def test_the_units_options_are_the_programs(name):
    text = (EXAMPLES / "systemd" / f"leerpoort-{name}.service").read_text()
    given = re.findall(r"--([a-z-]+) ", text.partition(
        f"/usr/local/bin/leerpoort-{name}")[2])
    help_ = subprocess.run([BUILD / f"leerpoort-{name}", "--help"],
                           capture_output=True, text=True, check=True).stdout
    assert given and set(given) <= set(re.findall(r"^  --([a-z-]+)", help_,
                                                  re.M))
