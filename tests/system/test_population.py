"""leerpoort-load population and mint; and that a real edge, whose rights were
given by somebody else's hand, answers each click as the rehearsal expects."""

import json
import os
import pathlib
import re
import shlex
import signal
import stat
import subprocess
import time

import jwt
import pytest

from lib import http, names
from lib.edge import LOGIN, Edge
from lib.nginx import BUILD
from lib.process import REPOSITORY, alive, children, eventually

PROGRAM = BUILD / "leerpoort-load"
LIBRARIES = ["-lssl", "-lhiredis", "-lcurl", "-lm", "-lcrypto", "-ljansson"]
PAGE = 4096


def run(*words, code=0, limit=None):
    """One run; limit: a function for the child, before it begins."""
    done = subprocess.run([PROGRAM, *map(str, words)], capture_output=True,
                          text=True, timeout=120, preexec_fn=limit,
                          check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def make(folder, *words, pupils=200, **kwargs):
    return run("population", folder, "--pupils", pupils, *words, **kwargs)


def tokens_of(folder, name="tokens.bin"):
    """The tokens, read by the layout's words alone."""
    data = (pathlib.Path(folder) / name).read_bytes()
    slots, size = (int.from_bytes(data[at:at + 4], "little")
                   for at in (28, 32))
    found = []
    for at in range(PAGE, PAGE + slots * size, size):
        length = int.from_bytes(data[at:at + 2], "little")
        found.append(data[at + 2:at + 2 + length].decode())
    return found


def claims_of(folder, token, **kwargs):
    """By another library, with the public keys as they are published."""
    keys = jwt.PyJWKSet.from_json((folder / "jwks.json").read_text())
    key = keys[jwt.get_unverified_header(token)["kid"]]
    return jwt.decode(token, key.key, audience="https://toegang.load.example/",
                      issuer="https://sso.load.example/",
                      algorithms=["ES256", "RS256", "EdDSA"], **kwargs)


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    """A population of every algorithm that nobody changes."""
    folder = tmp_path_factory.mktemp("town") / "p"
    make(folder, "--seed", 3, "--products", 60, "--zipf", "0.5", "--alg",
         "ES256:2,RS256,EdDSA", "--mix", "set:0.15,entitled:0.1,open:0.1,"
         "none:0.1,not-yet:0.08,ended:0.08,blocked:0.08", pupils=1200)
    return folder


# --- the real edge -----------------------------------------------------------

class Believed:
    """The issuer that the population's own issuer.conf makes."""

    def __init__(self, folder):
        self.folder = folder

    def conf(self):
        return f"include {self.folder}/issuer.conf;"


@pytest.fixture(scope="module")
def clicker(tmp_path_factory):
    """The program that says what leerpoort-load would send and expect."""
    program = tmp_path_factory.mktemp("clicker") / "expected_clicks"
    flags = shlex.split((BUILD / "flags").read_text())
    archives = [BUILD / f"libleerpoort-{name}.a"
                for name in ("load", "workers", "core")]
    subprocess.run([*flags, "-I.", "-std=c11", "-o", program,
                    "tests/system/expected_clicks.c", *archives, *LIBRARIES],
                   check=True, cwd=REPOSITORY)

    def clicks(folder, port, login="", by="bearer", each=2):
        lines = subprocess.run(
            [program, folder, f"127.0.0.1:{port}", "/go/", login, by,
             str(each)], check=True, capture_output=True, text=True).stdout
        return [json.loads(line) for line in lines.splitlines()]
    return clicks


RECORDS = {
    "licensed": ("L", "20200101", "20991231"),
    "set": ("L", "20200101", "20991231"),
    "entitled": ("E", "20200101", "20991231"),
    "not-yet": ("E", "20980101", "20991231"),
    "ended": ("L", "20200101", "20200201"),
    "blocked": ("B", "20200101", "20991231"),
}


def give(edge, member):
    """Writes a member's rights, its school's, and the products."""
    if member["alias"]:
        edge.redis("SET", names.alias_key("OIE_CODE", member["alias"]),
                   member["school"])
    user = names.user_key(edge.pepper, member["type"], member["id"])
    for slot in member["slots"]:
        product = slot["product"]
        fields = ["url", slot["url"]]
        if slot["deep"]:
            fields += ["deep", slot["url"] + "/{path}"]
        if slot["free"]:
            fields += ["free", "1"]
        if slot["set"]:
            fields += ["in", slot["set"]]
        edge.redis("HSET", names.product_hash(product), *fields)
        if slot["open"]:
            edge.redis("HSET", names.school_hash(member["school"]), product,
                       names.right("O"))
        if slot["hold"] in RECORDS:
            edge.redis("HSET", names.user_hash(member["school"], user),
                       slot["set"] if slot["hold"] == "set" else product,
                       names.right(*RECORDS[slot["hold"]]))


def activates(edge, headers):
    edge.redis("HSET", names.user_hash(headers["X-School"],
                                       headers["X-User"]),
               headers["X-Product"],
               f"L 20200101 20991231 {headers['X-Entitlement']}")
    return {"X-Accel-Redirect": headers["X-Uri"]}


def raised(folder, **kwargs):
    edge = Edge(issuers=[Believed(folder)],
                click={"content_hosts": "*.load.example"}, timeout="5s",
                worker=lambda headers: activates(edge, headers), **kwargs)
    edge.await_armed()
    return edge


def judge(edge, clicks):
    """Sends the bytes as they are; every difference."""
    wrong = []
    with http.Connection(edge.port) as connection:
        for click in clicks:
            seen = len(edge.worker.seen)
            connection.send(click["request"].encode())
            answer = connection.read()
            location = answer.location or ""
            if click["outcome"] == "login":
                location = location[:len(click["location"])]
            got = (answer.outcome, answer.status, location,
                   len(edge.worker.seen) > seen)
            expected = (click["outcome"], click["status"], click["location"],
                        click["activates"])
            if got != expected:
                wrong.append((click["what"], expected, got,
                              click["request"].split()[1]))
            click["activates"] = False  # the second click of it does not
    return wrong


@pytest.mark.parametrize("by, login", [("bearer", LOGIN), ("cookie", "")])
def test_a_real_edge_answers_as_is_expected(town, clicker, by, login):
    edge = raised(town, login=bool(login))
    try:
        clicks = clicker(town, edge.port, login, by)
        assert {"licensed", "set", "free", "entitled", "open", "none",
                "not-yet", "ended", "blocked", "good", "expired", "forged"
                } <= {click["what"] for click in clicks}
        assert {"redirect", "no-right", "not-yet", "ended", "blocked",
                "login", "bad-token", "unknown-product"
                } == {click["outcome"] for click in clicks}
        assert any("%20" in c["location"] for c in clicks)
        for click in clicks:
            give(edge, click["member"])
        # of one kind after the other, so that each activation is a first one
        first = {}
        for click in clicks:
            slot = (click["member"]["id"], click["request"].split()[1]
                    .split("/")[2])
            if first.setdefault(slot, click) is not click:
                click["activates"] = False
        assert judge(edge, clicks) == []
        assert judge(edge, clicks) == []  # from the mirror
    finally:
        edge.close()


# --- the folder --------------------------------------------------------------

def test_what_is_made_is_complete_and_nobody_else_s(town):
    assert stat.S_IMODE(town.stat().st_mode) == 0o700
    for alg in ("ES256", "RS256", "EdDSA"):
        file = town / "keys" / f"{alg}.jwk"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert "d" in json.loads(file.read_text())
    published = json.loads((town / "jwks.json").read_text())["keys"]
    assert [key["alg"] for key in published] == ["ES256", "RS256", "EdDSA"]
    assert not any("d" in key for key in published)
    assert stat.S_IMODE((town / "tokens.bin").stat().st_mode) == 0o600
    census = json.loads((town / "population.json").read_text())
    assert census["version"] == 1 and census["members"] == 1200 + 48
    assert census["mix"]["set"] == 0.15 and census["zipf"] == 0.5
    assert sorted(file.name for file in town.iterdir()) == [
        "expired.bin", "issuer.conf", "jwks.json", "keys", "population.json",
        "tokens.bin"]


def test_tokens_are_good_by_another_library(town):
    tokens, now = tokens_of(town), time.time()
    assert len(tokens) == len(set(tokens)) == 1248
    algs = [jwt.get_unverified_header(token)["alg"] for token in tokens]
    assert {"ES256", "RS256", "EdDSA"} == set(algs)
    people, kinds = set(), set()
    for member in list(range(0, 1248, 13)) + [1247]:
        claims = claims_of(town, tokens[member])
        assert claims["iat"] - 60 < now < claims["exp"]
        assert claims["exp"] == claims["iat"] + 86400
        assert ("sub" in claims) == (member % 26 == 0)
        assert ("eckid" in claims) == (member % 26 != 0)
        assert ("org" in claims) != ("brin" in claims)
        people.add(claims.get("eckid") or claims["sub"])
        kinds.add("brin" if "brin" in claims else "org")
    assert len(people) == 97 and kinds == {"org", "brin"}
    expired = tokens_of(town, "expired.bin")
    assert len(expired) == 64
    for token in expired:
        with pytest.raises(jwt.ExpiredSignatureError):
            claims_of(town, token)
        claims = claims_of(town, token, options={"verify_exp": False})
        assert 3500 < now - claims["exp"] < 7200


def test_the_same_census_is_the_same_people(tmp_path):
    for name in ("a", "b"):
        make(tmp_path / name, "--seed", 5, "--day", 20260901, "--now",
             2000000000)
    one, other = ((tmp_path / name / "population.json").read_bytes()
                  for name in ("a", "b"))
    assert one == other
    first, second = ([claims_of(tmp_path / name, token, options={
        "verify_exp": False, "verify_iat": False}) for token in tokens_of(
            tmp_path / name)] for name in ("a", "b"))
    assert first == second


def test_the_command_again_changes_nothing(tmp_path):
    make(tmp_path / "p")
    before = {file: file.read_bytes() for file in tmp_path.rglob("*")
              if file.is_file()}
    done = make(tmp_path / "p")
    assert "200 pupils" in done.stdout and done.stderr == ""
    assert before == {file: file.read_bytes() for file in tmp_path.rglob("*")
                      if file.is_file()}


@pytest.mark.once
@pytest.mark.parametrize("words, field", [
    (["--seed", 2], "seed"), (["--products", 501], "products"),
    (["--zipf", "1.1"], "zipf"), (["--day", 20200101], "day"),
    (["--alg", "RS256"], "alg"), (["--mix", "none:0.5"], "mix")])
def test_another_census_is_refused_by_its_field(tmp_path, words, field):
    make(tmp_path / "p")
    done = make(tmp_path / "p", *words, code=1)
    assert f"differs in {field}" in done.stderr
    assert "differs in pupils" in make(tmp_path / "p", pupils=201,
                                       code=1).stderr


def test_the_day_is_kept_by_a_command_of_another_day(tmp_path):
    make(tmp_path / "p", "--day", 20260901)
    make(tmp_path / "p")
    census = json.loads((tmp_path / "p/population.json").read_text())
    assert census["day"] == 20260901


@pytest.mark.once
@pytest.mark.parametrize("words, said", [
    (["--pupils", 0], "from 1 to 20000000"),
    (["--pupils", 20000001], "up to 20000000"),
    (["--pupils", 5, "--products", 19], "products: from 20"),
    (["--pupils", 5, "--zipf", "9"], "zipf"),
    (["--pupils", 5, "--zipf", "x"], "--zipf takes"),
    (["--pupils", 5, "--alg", "HS256"], "of RS256"),
    (["--pupils", 5, "--alg", "ES256:0"], "weights"),
    (["--pupils", 5, "--alg", "E" * 99], "63 characters"),
    (["--pupils", 5, "--mix", "seats:0.1"], "set, entitled, open, none"),
    (["--pupils", 5, "--mix", "none:2"], "from 0 to 1"),
    (["--pupils", 5, "--mix", "none:0.6,ended:0.6"], "more than 1"),
    (["--pupils", 5, "--day", 20260230], "calendar"),
    (["--pupils", 5, "--jobs", 0], "from 1 to"),
    (["--pupils", 5, "--expires-in", 0], "at least 1"),
    (["--pupils", 5, "--now", 10], "too early")])
def test_a_wrong_option_is_named_with_what_is_allowed(tmp_path, words, said):
    done = run("population", tmp_path / "p", *words, code=2)
    assert said in done.stderr, done.stderr
    assert not (tmp_path / "p").exists()


# --- broken off --------------------------------------------------------------

def begun(folder, *words, pupils=12000):
    """A run that has begun to mint, and is slow at it."""
    child = subprocess.Popen(
        [PROGRAM, "population", folder, "--pupils", str(pupils), "--alg",
         "RS512", "--jobs", "1", *words], stderr=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True)
    part = folder / "tokens.bin.part"

    def minted():
        assert child.poll() is None, child.communicate()
        try:
            return sum(1 for token in tokens_of(folder, part.name) if token)
        except (OSError, ZeroDivisionError, ValueError):
            return 0
    eventually("some tokens are minted", minted, 60)
    return child


@pytest.mark.once
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM,
                                    signal.SIGKILL])
def test_what_is_broken_off_goes_on(tmp_path, number):
    folder = tmp_path / "p"
    child = begun(folder)
    forked = children(child.pid)
    child.send_signal(number)
    _, said = child.communicate(timeout=60)
    eventually("nobody is left", lambda: not any(
        alive(pid) for pid in forked), 20)
    assert not (folder / "tokens.bin").exists()
    before = {i: token for i, token in enumerate(
        tokens_of(folder, "tokens.bin.part")) if token}
    assert 0 < len(before) < 12480
    if number != signal.SIGKILL:
        assert child.returncode == 1
        assert (f"broken off: {len(before)} of 12480 tokens are minted"
                in said), said
    again = make(folder, "--alg", "RS512", pupils=12000)
    assert f"{len(before)} tokens are there already" in again.stderr
    tokens = tokens_of(folder)
    assert all(tokens) and {i: tokens[i] for i in before} == before
    assert not (folder / "tokens.bin.part").exists()


@pytest.mark.once
def test_two_at_once_do_not_mix(tmp_path):
    folder = tmp_path / "p"
    child = begun(folder)
    try:
        for words in (["population", folder, "--pupils", 12000, "--alg",
                       "RS512"], ["mint", folder]):
            assert "another leerpoort-load" in run(*words, code=1).stderr
    finally:
        child.kill()
        child.communicate()


# --- mint --------------------------------------------------------------------

def test_mint_gives_all_members_new_tokens(tmp_path):
    folder = tmp_path / "p"
    make(folder, "--now", 1700000000)
    old = tokens_of(folder)
    keys = (folder / "jwks.json").read_bytes()
    assert "expired" in make(folder).stdout  # long ago
    run("mint", folder, "--expires-in", 600)
    new = tokens_of(folder)
    assert len(new) == len(old) and not set(new) & set(old)
    for before, after in zip(old[::40], new[::40]):
        claims = claims_of(folder, after)
        assert abs(claims["iat"] - time.time()) < 60
        assert claims["exp"] == claims["iat"] + 600
        stale = claims_of(folder, before, options={"verify_exp": False})
        for name in ("eckid", "sub", "org", "brin"):
            assert claims.get(name) == stale.get(name)
    assert (folder / "jwks.json").read_bytes() == keys
    assert "no population" in run("mint", tmp_path, code=1).stderr


# --- damaged folders ---------------------------------------------------------

@pytest.fixture
def folder(tmp_path):
    make(tmp_path / "p")
    return tmp_path / "p"


def test_lost_keys_are_made_anew_with_their_tokens(folder):
    old = tokens_of(folder)
    (folder / "keys/ES256.jwk").unlink()
    make(folder)
    assert not set(tokens_of(folder)) & set(old)
    claims_of(folder, tokens_of(folder)[5])


def test_tokens_of_another_seed_are_refused(folder, tmp_path, clicker):
    make(tmp_path / "q", "--seed", 2)
    (folder / "tokens.bin").write_bytes(
        (tmp_path / "q/tokens.bin").read_bytes())
    with pytest.raises(subprocess.CalledProcessError) as error:
        clicker(folder, 1)
    assert "tokens of another seed: 2, and the population's is 1" in (
        error.value.stderr)


def test_tokens_of_other_keys_are_refused(folder, tmp_path, clicker):
    make(tmp_path / "q")
    (folder / "tokens.bin").write_bytes(
        (tmp_path / "q/tokens.bin").read_bytes())
    with pytest.raises(subprocess.CalledProcessError) as error:
        clicker(folder, 1)
    assert "with other keys" in error.value.stderr


@pytest.mark.parametrize("size, said", [
    (0, "no file of tokens"), (100, "no file of tokens"),
    (PAGE, "is damaged"), (-1, "is damaged")])
def test_cut_tokens_are_refused(folder, size, said, clicker):
    file = folder / "tokens.bin"
    os.truncate(file, size if size >= 0 else file.stat().st_size - 1)
    with pytest.raises(subprocess.CalledProcessError) as error:
        clicker(folder, 1)
    assert said in error.value.stderr
    assert said in make(folder, code=1).stderr


@pytest.mark.parametrize("change, said", [
    ("", "not one JSON object"), ("[]", "not one JSON object"),
    ('{"version": 2}', "another version"),
    (lambda c: c.update(pupils="many"), '"pupils"'),
    (lambda c: c.update(pupils=-1), '"pupils"'),
    (lambda c: c.update(products=3), "products: from 20"),
    (lambda c: c["mix"].pop("none"), '"mix"'),
    (lambda c: c["mix"].update(none=7), "mix"),
    (lambda c: c.update(alg=""), '"alg"'),
    (lambda c: c.update(alg="none"), "alg: "),
    (lambda c: c.update(schools=1), "another version made it")])
def test_a_broken_population_file_is_refused(folder, change, said, clicker):
    file = folder / "population.json"
    if callable(change):
        census = json.loads(file.read_text())
        change(census)
        file.write_text(json.dumps(census))
    else:
        file.write_text(change)
    with pytest.raises(subprocess.CalledProcessError) as error:
        clicker(folder, 1)
    assert said in error.value.stderr


@pytest.mark.parametrize("name, words, said", [
    ("population.json", ["mint"], "is no file, but a pipe"),
    ("jwks.json", ["mint"], "is no file, but a pipe"),
    ("tokens.bin", ["population", "--pupils", 200], "no file of tokens")])
def test_a_pipe_is_refused_and_not_waited_for(folder, name, words, said):
    (folder / name).unlink()
    os.mkfifo(folder / name)
    done = run(*words, folder, code=1)
    assert name in done.stderr and said in done.stderr


def test_a_full_disk_is_said_with_what_is_needed(tmp_path):
    """A file may not be longer than this: as a quota would have it."""
    import resource

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100000, 100000))

    done = make(tmp_path / "p", pupils=5000, code=1, limit=limit)
    assert re.search(r"tokens\.bin\.part needs \d{7} bytes", done.stderr)
    assert not (tmp_path / "p/tokens.bin.part").exists()
    make(tmp_path / "p", pupils=5000)
    assert all(tokens_of(tmp_path / "p"))


def test_nothing_said_holds_a_token_or_a_person(folder):
    done = make(folder)
    for text in (done.stdout, done.stderr):
        assert "eyJ" not in text and "ketenid" not in text
