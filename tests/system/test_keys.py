"""leerpoort-keys: what it writes, what it never writes, and whom it bothers."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import threading
import time

import pytest

from lib.edge import URL, Edge
from lib.fetching import Keys, make_certificate, source
from lib.process import REPOSITORY, alive, eventually
from lib.provider import Provider
from lib.stand_in import GARBAGE, HALF, HANG_UP
from lib.tokens import Issuer, make_key, replace


@pytest.fixture
def provider():
    with Provider("school") as provider:
        yield provider


@pytest.fixture
def keys(tmp_path, provider):
    return Keys(tmp_path, [provider])


def current(provider):
    return {key.kid for key in provider.keys}


def as_set(*jwks):
    return 200, {}, json.dumps({"keys": list(jwks)}).encode()


# -- what is written ---------------------------------------------------------------

def test_metadata_and_keys_are_there_for_all_to_read(keys, provider):
    code, said = keys.once()
    assert (code, said) == (0, "leerpoort: school: 1 new keys\n")
    assert json.loads(keys.discovery("school").read_text()) == \
        provider.discovery()
    assert keys.kids("school") == current(provider)
    for file in (keys.discovery("school"), keys.jwks("school")):
        assert file.stat().st_mode & 0o777 == 0o644
    assert sorted(os.listdir(keys.files)) == [
        ".lock", "school.discovery.json", "school.jwks.json", "status.json"]

    code, said = keys.status()
    assert code == 0
    assert said.startswith("school: 1 key, fetched ")


def test_files_that_would_hold_the_same_are_left_alone(keys, provider):
    keys.once()
    before = [file.stat().st_ino for file in (keys.discovery("school"),
                                              keys.jwks("school"))]
    assert keys.once() == (0, "")
    assert before == [file.stat().st_ino for file in (
        keys.discovery("school"), keys.jwks("school"))]
    provider.rotate()
    assert keys.once()[0] == 0
    assert keys.kids("school") == current(provider)
    assert before[0] == keys.discovery("school").stat().st_ino
    assert provider.asked["/jwks"] == 3


def test_no_secret_of_a_provider_is_written(keys, provider):
    shared = make_key("HS256", "shared").jwk()
    private = {**provider.key().jwk(), "d": "c2VjcmV0", "x5c": ["AAAA"]}
    provider.faults["jwks"] = as_set(shared, private, {"kty": "new"})
    code, said = keys.once()
    assert code == 0
    assert "1 new keys, and 2 left out, the first because" in said
    assert shared["k"] not in said
    assert json.loads(keys.jwks("school").read_text()) == {
        "keys": [provider.key().jwk()]}
    assert "2 keys were left out" in keys.status()[1]


def test_where_the_metadata_are_is_said_or_implied(tmp_path, provider):
    """An issuer that ends with a slash; an address with a query; none."""
    issuer = provider.issuer + "/tenant/"
    provider.metadata = {"issuer": issuer}
    keys = Keys(tmp_path, [
        {"name": "implied", "issuer": issuer},
        {"name": "said", "issuer": issuer, "discovery":
         provider.issuer + "/x/openid-configuration?appid=7"},
        {"name": "keys-alone", "issuer": "a-name",
         "jwksUri": provider.issuer + "/jwks?appid=7"}])
    code, said = keys.once()
    assert code == 0, said
    assert provider.asked == {
        "/tenant/.well-known/openid-configuration": 1,
        "/x/openid-configuration": 1, "/jwks": 3}
    assert keys.kids("keys-alone") == keys.kids("said") == \
        keys.kids("implied") == current(provider)
    assert not keys.discovery("keys-alone").exists()


BAD_ANSWERS = [500, 404, HANG_UP, GARBAGE, HALF, (200, {}, b""),
               (200, {}, b"not json"), (200, {}, b"[]"), (200, {}, b"{}"),
               (302, {"Location": "/jwks"}, b""),
               (200, {}, b'{"keys": [' + b" " * 300000 + b"]}")]


@pytest.mark.parametrize("answer", [
    *BAD_ANSWERS, (200, {}, b'{"keys": []}'),
    as_set(make_key("HS256", "shared").jwk()),
], ids=lambda answer: str(answer)[:40])
def test_keys_that_are_no_keys_leave_the_old_ones(keys, provider, answer):
    keys.once()
    before = keys.jwks("school").read_bytes()
    provider.rotate(keep=False)
    provider.faults["jwks"] = answer
    code, said = keys.once()
    assert code == 1
    assert "leerpoort: school: keys: " in said
    assert said.endswith("; what was fetched before stays\n")
    assert keys.jwks("school").read_bytes() == before
    code, said = keys.status()
    assert code == 0
    assert "failed 1 times: keys: " in said


@pytest.mark.parametrize("answer", [
    *BAD_ANSWERS,
    lambda form: (200, {}, b'{"issuer": "https://evil.example", '
                           b'"jwks_uri": "https://evil.example/keys"}'),
    (200, {}, b'{"issuer": "x", "issuer": "y"}'),
    (200, {}, b'{"x": "' + b"x" * 66000 + b'"}'),
], ids=lambda answer: str(answer)[:40])
def test_metadata_that_are_wrong_leave_the_old_ones(keys, provider, answer):
    """The keys are fetched all the same, from where they were."""
    keys.once()
    before = keys.discovery("school").read_bytes()
    provider.rotate(keep=False)
    provider.faults["discovery"] = answer
    code, said = keys.once()
    assert code == 1
    assert "leerpoort: school: metadata: " in said
    assert keys.discovery("school").read_bytes() == before
    assert keys.kids("school") == current(provider)


def test_the_operator_is_told_why_no_key_is_taken(keys, provider):
    twins = [make_key("ES256", "twin", index).jwk() for index in (0, 1)]
    provider.faults["jwks"] = as_set(*twins)
    said = ("school: keys: The set holds no key that may be used, the first "
            "because: Another key of the set has the same kid; what was "
            "fetched before stays\n")
    assert keys.once() == (1, f"leerpoort: {said}")
    assert not keys.jwks("school").exists()
    provider.faults["jwks"] = as_set(*(
        {"kty": "EC", "kid": str(i)} for i in range(65)))
    assert "The set holds more than 64 keys; what" in keys.once()[1]


@pytest.mark.parametrize("name", ["token_endpoint", "jwks_uri"])
def test_metadata_lead_nowhere_without_tls(keys, provider, name):
    provider.metadata = {name: "http://op.example/x"}
    code, said = keys.once()
    assert code == 1
    assert f"metadata: its {name} is no https URL" in said
    assert not keys.discovery("school").exists()
    assert not keys.jwks("school").exists()
    assert keys.status()[0] == 1


def test_keys_that_move_to_another_host_are_told(keys, provider):
    keys.once()
    provider.metadata = {
        "jwks_uri": f"http://localhost:{provider.port}/jwks"}
    provider.rotate()
    code, said = keys.once()
    assert code == 0
    assert (f"school: its keys are at localhost:{provider.port} now, no longer "
            f"at 127.0.0.1:{provider.port}") in said
    assert keys.kids("school") == current(provider)
    assert "now" not in keys.once()[1]


def test_a_provider_is_who_its_certificate_says(tmp_path):
    certificate = make_certificate(tmp_path)
    with Provider("tls", certificate=certificate) as provider:
        keys = Keys(tmp_path, [provider])
        code, said = keys.once()
        assert code == 1
        assert "metadata: the host could not be trusted (TLS)" in said
        assert not keys.discovery("tls").exists()
        code, said = keys.once(ca=certificate[0])
        assert code == 0, said
        assert keys.kids("tls") == current(provider)


# -- one does not hold up another ---------------------------------------------------

@contextlib.contextmanager
def dripping():
    """A host that sends a byte now and then, for ever; yields its port."""
    stop = threading.Event()

    def drip(connection):
        with connection, contextlib.suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n{")
            while not stop.wait(0.05):
                connection.sendall(b" ")

    def accept(listener):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=drip, args=(listener.accept()[0],),
                                 daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1]
        stop.set()
        listener.shutdown(socket.SHUT_RDWR)


def test_the_slow_hold_up_nobody_and_are_not_waited_for(tmp_path, provider):
    with Provider("silent") as silent, dripping() as port:
        silent.gate["discovery"].clear()
        keys = Keys(tmp_path, [
            silent, {"name": "drip", "issuer": f"http://127.0.0.1:{port}"},
            provider], timeout="3s")
        with keys:
            eventually("the good one's keys", lambda: keys.kids("school"), 20)
            for name in ("silent", "drip"):
                row = eventually(f"{name} is late", lambda name=name: (
                    lambda row: row and row["error"] and row)(
                        keys.row(name)), 20)
                assert row["error"] == \
                    "metadata: the host did not answer in time"
            assert keys.row("school")["error"] == ""


def test_two_work_not_in_one_folder(keys, provider):
    with keys:
        eventually("keys", lambda: keys.kids("school"), 20)
        code, said = keys.once()
        assert code == 1
        assert said == ("leerpoort: another leerpoort-keys writes into "
                        f"{keys.files}\n")
        # asking how it is locks nobody out
        assert "no leerpoort-keys works" not in keys.status()[1]
        keys.ask(provider.issuer)
    assert "no leerpoort-keys works" in keys.status()[1]
    assert keys.once()[0] == 0


# -- who asks -----------------------------------------------------------------------

def fetched(provider):
    return provider.asked.get("/jwks", 0)


def test_many_who_ask_cost_one_fetch_in_half_a_minute(keys, provider):
    with keys:
        eventually("keys", lambda: keys.kids("school"), 20)
        for _ in range(200):
            keys.ask(provider.issuer)
        for stranger in ("https://stranger.example", "", "\0", "x" * 512,
                         "x" * 513, provider.issuer + "/",
                         provider.issuer + "\0"):
            keys.ask(stranger)
        # the schedule's fetch of a moment ago does not count
        eventually("a fetch", lambda: fetched(provider) == 2, 20)
        for _ in range(200):
            keys.ask(provider.issuer)
        # the operator's wish is served after those, and at once
        keys.signal(signal.SIGHUP)
        eventually("the operator's fetch", lambda: fetched(provider) == 3, 20)
        for _ in range(200):
            keys.ask(provider.issuer)
        keys.signal(signal.SIGUSR1)
        eventually("another", lambda: fetched(provider) == 4, 20)


def test_who_asked_too_soon_is_served_when_it_is_time(keys, provider):
    keys.options["again"] = "1s"
    with keys:
        eventually("keys", lambda: keys.kids("school"), 20)
        provider.rotate()
        keys.ask(provider.issuer)
        eventually("new keys", lambda: keys.kids("school") == current(provider),
                   20)


def test_a_new_key_opens_at_the_edge_soon_after_the_first_click(
        tmp_path, provider):
    keys = Keys(tmp_path, [provider], again="1s")
    with keys:
        eventually("keys", lambda: keys.kids("school"), 20)

        def issuers(folder):
            issuer = Issuer(folder, "school", provider.issuer, ["ES256"])
            issuer.jwks.unlink()
            issuer.jwks = keys.jwks("school")
            issuer.keys["ES256"] = provider.key()
            return [issuer]

        with Edge(issuers=issuers,
                  http=f"leerpoort_key_socket unix:{keys.socket};") as edge:
            edge.product()
            person = edge.person().grant("book")
            assert person.click().location == URL + "book"
            provider.rotate()
            token = person.token(key=provider.key())
            assert person.click(token=token).outcome == "bad-token"
            eventually("the new key opens", lambda: person.click(
                token=token).location == URL + "book", 20, pause=0.05)
            assert person.click().location == URL + "book"
            provider.rotate(keep=False)
            newest = person.token(key=provider.key())
            eventually("the newest key opens", lambda: person.click(
                token=newest).location == URL + "book", 20, pause=0.05)
            assert person.click(token=token).outcome == "bad-token"


def test_who_comes_back_is_found_when_somebody_asks(keys, provider):
    provider.faults["discovery"] = 503
    keys.options["again"] = "1s"
    with keys:
        row = eventually("it failed", lambda: (
            lambda row: row and row["failures"] and row)(keys.row("school")),
            20)
        assert row["nextAt"] - time.time() < 40
        del provider.faults["discovery"]
        keys.ask(provider.issuer)
        eventually("keys", lambda: keys.kids("school"), 20)
        eventually("its status", lambda: not keys.row("school")["error"], 20)
    assert keys.said().splitlines() == [
        "leerpoort: school: metadata: the host answered 503; what was fetched "
        "before stays", "leerpoort: school: 1 new keys",
        "leerpoort: school: fetched again"]


def test_once_with_retry_waits_for_all(tmp_path, provider):
    provider.faults["jwks"] = 500
    keys = Keys(tmp_path, [provider])
    keys.start(once="", retry="")
    eventually("it failed", lambda: keys.row("school"), 20)
    assert not keys.ended()
    del provider.faults["jwks"]
    keys.signal(signal.SIGHUP)
    eventually("it ends", keys.ended, 20)
    assert keys.kids("school") == current(provider)


# -- the process --------------------------------------------------------------------

def test_sigterm_ends_it_in_the_middle_of_a_fetch(keys, provider):
    provider.gate["jwks"].clear()
    with keys:
        eventually("it waits", lambda: provider.waiting == 1, 20)
        assert keys.socket.stat().st_mode & 0o777 == 0o660
        keys.stop(seconds=5)
        assert not keys.socket.exists()
        keys.start()
        eventually("it waits again", lambda: provider.waiting == 2, 20)
    assert not keys.socket.exists()


def test_a_socket_of_the_dead_is_replaced_and_no_other(keys, provider):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as dead:
        dead.bind(str(keys.socket))
    keys.start()
    eventually("it asks at its socket", lambda: fetched(provider) == 1, 20)
    keys.ask(provider.issuer)
    keys.stop()

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as living:
        living.bind(str(keys.socket))
        run = keys.run(**{"key-socket": keys.socket})
        assert run.returncode == 1
        assert "can't listen at" in run.stderr
        assert keys.socket.exists()
    keys.socket.unlink()
    keys.socket.write_text("precious")
    assert keys.run(**{"key-socket": keys.socket}).returncode == 1
    assert keys.socket.read_text() == "precious"


def test_a_killed_one_leaves_nothing_in_the_way(keys, provider):
    keys.start()
    eventually("keys", lambda: keys.kids("school"), 20)
    pid = keys.pid
    keys.signal(signal.SIGKILL)
    eventually("it is dead", lambda: not alive(pid), 20)
    provider.rotate()
    with keys:
        eventually("new keys", lambda: keys.kids("school") == current(provider),
                   20)
        keys.ask(provider.issuer)


# -- what is to be fetched ----------------------------------------------------------

def sso_json(folder, *entries):
    path = folder / "sso.json"
    replace(path, json.dumps({
        "publicUrl": "https://toegang.example", "clickPrefix": "/go/",
        "session": {"keyFile": "session.jwks"}, "providers": list(entries)}))
    return path


def lti_json(folder, *platforms):
    path = folder / "lti.json"
    replace(path, json.dumps({"platforms": list(platforms)}))
    return path


def platform(name, provider, client):
    return {"name": name, "title": name, "issuer": provider.issuer,
            "clientId": client,
            "authorizationEndpoint": provider.issuer + "/authorize",
            "jwksUri": provider.issuer + "/lms/jwks",
            "deployments": [{"id": "1", "school": "S1"}], "link": True}


def test_providers_and_platforms_are_fetched(tmp_path, provider):
    """Two platforms in one place are asked once, and have a file each."""
    with Provider("known") as known:
        sso = sso_json(
            tmp_path, provider.entry(tmp_path),
            known.entry(tmp_path, authorizationEndpoint=known.issuer + "/a",
                        tokenEndpoint=known.issuer + "/t",
                        jwksUri=known.issuer + "/jwks"))
        lti = lti_json(tmp_path, platform("lms-a", provider, "a"),
                       platform("lms-b", provider, "b"))
        keys = Keys(tmp_path, sso=sso, lti=lti)
        code, said = keys.once()
        assert code == 0, said
        assert known.asked == {"/jwks": 1}
        assert provider.asked["/lms/jwks"] == 1
        assert keys.kids("lms-a") == keys.kids("lms-b") == current(provider)
        assert sorted(path.name for path in keys.files.glob("*.json")) == [
            "known.jwks.json", "lms-a.jwks.json", "lms-b.jwks.json",
            "school.discovery.json", "school.jwks.json", "status.json"]
        assert len(keys.status()[1].splitlines()) == 5


@pytest.mark.parametrize("where", ["sso", "lti", "sources"])
def test_one_name_is_one_source(tmp_path, provider, where):
    files = {"sso": sso_json(tmp_path, provider.entry(tmp_path))}
    rows = []
    if where == "lti":
        files["lti"] = lti_json(tmp_path, platform("school", provider, "a"))
    else:
        rows = [source(provider)]
    keys = Keys(tmp_path, rows, **files)
    code, said = keys.once()
    assert code == 1
    assert said == ("leerpoort: two providers, platforms or sources have the "
                    "name school: their files would be the same\n")


def test_files_are_read_again(keys, provider):
    with Provider("second") as second, keys:
        eventually("keys", lambda: keys.kids("school"), 20)
        keys.list(provider, second)
        eventually("keys of the second", lambda: keys.kids("second"), 20)
        assert fetched(provider) == 1

        replace(keys.conf, '{"sources": [{"name": "second"}]}')
        eventually("a complaint", lambda: (
            "sources[0].issuer: it is missing; the sources stay as they were"
            in keys.said()), 20)
        second.rotate()
        keys.signal(signal.SIGHUP)
        eventually("new keys", lambda: keys.kids("second") == current(second),
                   20)

        keys.list(provider)
        eventually("it is gone", lambda: keys.row("second") is None, 20)
        assert keys.kids("second") == current(second)


@pytest.mark.parametrize("row, complaint", [
    ({}, "sources[0].name: it is missing"),
    ({"name": "A", "issuer": "x"}, "sources[0].name: a-z 0-9 and -"),
    ({"name": "../a", "issuer": "x"}, "sources[0].name: a-z 0-9 and -"),
    ({"name": "a", "issuer": "x"}, "sources[0].jwksUri: it is missing"),
    ({"name": "a", "issuer": "http://op.example"},
     "sources[0].jwksUri: it is missing"),
    ({"name": "a", "issuer": "x", "jwksUri": "http://op.example/keys"},
     "sources[0].jwksUri: an https:// URL"),
    ({"name": "a", "issuer": "x", "jwksuri": "https://op.example/keys"},
     "sources[0].jwksuri: there is no such member"),
])
def test_wrong_sources_are_refused(tmp_path, row, complaint):
    keys = Keys(tmp_path, [row])
    code, said = keys.once()
    assert code == 1
    assert f"{keys.conf}: {complaint}" in said


@pytest.mark.parametrize("option, value", [
    ("every", "0"), ("every", "25h"), ("every", "15 m"), ("again", "1.5s"),
    ("again", ""), ("timeout", "-1s"), ("timeout", "99999999999999999999s"),
])
def test_wrong_times_are_refused(keys, option, value):
    run = keys.run(**{option: "0x" if value == "" else value}, once="")
    assert run.returncode == 2
    assert f"--{option} takes a time from 1s to 24h" in run.stderr


def test_nobody_to_fetch_from_is_a_mistake(keys):
    run = keys.run(sso=None, lti=None, sources=None, once="")
    assert run.returncode == 2
    assert "--sso, --lti or --sources is missing" in run.stderr


def test_status_is_bad_after_a_day_without_success(keys, provider):
    code, said = keys.status()
    assert code == 1 and "status.json cannot be opened" in said
    keys.once()
    status = json.loads((keys.files / "status.json").read_text())
    assert status["sources"][0]["keys"] == 1
    assert 0 <= time.time() - status["sources"][0]["fetchedAt"] < 60
    status["sources"][0]["fetchedAt"] -= 86400 + 60
    replace(keys.files / "status.json", json.dumps(status))
    code, said = keys.status()
    assert code == 1
    assert "fetched 1 day ago" in said

    # it is known over the end of a process, also where a fetch fails
    provider.faults["discovery"] = provider.faults["jwks"] = 500
    keys.once()
    assert keys.row("school")["fetchedAt"] == status["sources"][0]["fetchedAt"]
    assert keys.status()[0] == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two users")
def test_what_root_tried_is_the_service_s(keys):
    """leerpoort-keys --once as root, and then the service as its own user."""
    shutil.chown(keys.files, "nobody", "nogroup")
    assert keys.once()[0] == 0
    written = sorted(keys.files.iterdir())
    assert len(written) == 4
    for file in written:
        assert (file.owner(), file.group()) == ("nobody", "nogroup"), file
    # what stands there under that name is not given away
    own = keys.files / ".lock"
    shutil.chown(own, "root", "root")
    assert keys.once()[0] == 0 and own.owner() == "root"


def test_a_folder_that_is_not_there_is_said(tmp_path, provider):
    keys = Keys(tmp_path, [provider])
    keys.options["key-files"] = tmp_path / "none"
    code, said = keys.once()
    assert code == 1
    assert "can't write into the folder" in said


def test_document_has_every_option_and_no_other(keys):
    text = (REPOSITORY / "docs" / "operations.md").read_text()
    section = text.partition("## leerpoort-keys")[2].partition("\n## ")[0]
    listed = re.findall(r"`--([a-z-]+)", "".join(
        re.findall(r"^\| (`--.*?) \|", section, re.M)))
    help_ = keys.run(help="").stdout
    assert sorted(listed) == sorted(set(re.findall(
        r"^  --([a-z-]+)", help_, re.M)) - {"help"})
    for line in help_.splitlines():
        assert len(line) <= 80, line
    for name, default in re.findall(r"^  --([a-z]+) TIME .*\((\w+)\)$", help_,
                                    re.M):
        assert re.search(rf"`--{name} TIME`.*Default {default}", section), name
    keys.once()
    for member in keys.row("school"):
        assert f'"{member}"' in section, member
