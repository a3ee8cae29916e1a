"""`leerpoort import`: files into Redis, by the same code as the routes'."""

import json
import os
import pty
import select
import subprocess
import uuid

import pytest

from lib import names
from lib.desk import OIN, fresh, pairs
from lib.nginx import BUILD
from lib.process import eventually
from lib.workers import secret

PROGRAM = BUILD / "leerpoort"


class Importer:
    def __init__(self, folder, redis):
        self.folder = folder
        self.redis = redis
        self.pepper = secret(folder / "pepper")

    def __call__(self, kind, lines, *options, code=0, address=None):
        """Imports lines from standard input; returns its answer."""
        run = subprocess.run(
            [PROGRAM, "import", kind, "-", "--redis",
             address or self.redis.address, *self.secrets(kind),
             *map(str, options)],
            input=text(lines), capture_output=True, timeout=120, check=False)
        assert run.returncode == code, run.stdout + run.stderr
        return run.stdout.decode()

    def secrets(self, kind):
        return ["--pepper", self.pepper] if kind == "entitlements" else []

    def user(self, eck):
        return names.user_key(self.pepper.read_bytes(), "ECK", eck)

    def right(self, line):
        wanted = line["entitlement"]
        return self.redis("HGET", names.user_hash(
            "S1", self.user(wanted["user"]["userMasterIdentifier"])), "book")


def text(lines):
    return lines if isinstance(lines, bytes) else b"".join(
        json.dumps(line).encode() + b"\n" for line in lines)


@pytest.fixture
def importer(tmp_path, redis):
    importer = Importer(tmp_path, redis)
    importer("products", [{"productId": "book",
                           "url": "https://publisher.example/book"}])
    importer("schools", [{"organisationMasterIdentifier": "S1"}])
    return importer


def request(**changes):
    return {"entitlementReferenceId": fresh("ref"), "entitlement": {
        "entitlementId": str(uuid.uuid4()), "productId": "book",
        "startDate": "2026-08-01", "activationUntilDate": "2027-07-31",
        "entitlementType": "school-student", "entitlementStatus": "created",
        "school": {"organisationMasterIdentifier": "S1"},
        "user": {"userMasterIdentifier": fresh("https://ketenid.nl/canary")},
        **changes}}


def packed(line):
    return names.base64url(uuid.UUID(
        line["entitlement"]["entitlementId"]).bytes)


def right(line, state="E"):
    return f"{state} 20260801 20270731 {packed(line)}"


# --- entitlements ------------------------------------------------------------

def test_a_file_of_entitlements_is_stored_and_counted(importer):
    lines = [request() for _ in range(1000)]
    path = importer.folder / "lines"
    path.write_bytes(text(lines))
    run = subprocess.run(
        [PROGRAM, "import", "entitlements", path, "--pepper", importer.pepper,
         "--redis", importer.redis.address, "--party", OIN], timeout=120,
        capture_output=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith(b"1000 lines: 1000 applied, 0 repeated, "
                                 b"0 stale, 0 refused; ")
    assert run.stderr == b""
    for line in (lines[0], lines[255], lines[256], lines[999]):
        assert importer.right(line) == right(line)
    held = importer.redis("LRANGE", f"i:{{{names.shard('S1')}}}:S1", 0, -1)
    assert held == [packed(line) for line in lines]
    assert not importer.redis("KEYS", "journal:*")


def test_to_import_again_changes_nothing(importer):
    lines = [request() for _ in range(300)]
    importer("entitlements", lines, "--party", OIN)
    before = {key: importer.redis("HGETALL", key)
              for key in importer.redis("KEYS", "[eu]:*")}
    again = importer("entitlements", lines, "--party", OIN)
    assert again.startswith("300 lines: 0 applied, 300 repeated, ")
    assert before == {key: importer.redis("HGETALL", key)
                      for key in importer.redis("KEYS", "[eu]:*")}


def test_refusals_are_counted_by_reason_and_listed(importer):
    lines = [request() for _ in range(20)]
    for i in (2, 4, 6, 8, 10, 12):
        lines[i]["entitlement"]["productId"] = "no-such"
    del lines[15]["entitlement"]["startDate"]
    body = text(lines[:18]) + b"no json\n" + text(lines[18:])
    errors = importer.folder / "errors"
    said = importer("entitlements", body, "--errors", errors, code=1)
    first, *rest = said.splitlines()
    assert first.startswith("21 lines: 13 applied, 0 repeated, 0 stale, "
                            "8 refused; ")
    assert rest[0] == ("       6  entitlement.productId: is unknown "
                       "(lines 3, 5, 7, 9, 11 ...)")
    assert sorted(rest[1:]) == [
        "       1  entitlement.startDate: is missing (line 16)",
        "       1  the line is no JSON object (line 19)"]
    listed = [json.loads(line) for line in errors.read_text().splitlines()]
    assert [entry["line"] for entry in listed] == [3, 5, 7, 9, 11, 13, 16, 19]
    assert listed[6] == {"line": 16, "status": 11,
                         "statusMessage": "entitlement.startDate: is missing"}
    assert importer.right(lines[19]) == right(lines[19])
    assert "canary" not in said + errors.read_text()


def test_it_goes_on_from_a_line(importer):
    lines = [request() for _ in range(10)]
    said = importer("entitlements", lines, "--from", 8)
    assert said.startswith("3 lines: 3 applied, ")
    assert importer.right(lines[6]) is None
    assert importer.right(lines[7]) == right(lines[7])


def test_confirmations_are_written_where_they_are_asked_for(importer):
    line = request()
    importer("entitlements", [line], "--party", OIN, "--confirm")
    [key] = importer.redis("KEYS", "journal:*")
    [[_, fields]] = importer.redis("XRANGE", key, "-", "+")
    assert pairs(fields)["ref"] == line["entitlementReferenceId"]
    assert pairs(fields)["status"] == "entitled"


@pytest.mark.parametrize("options, why", [
    (["--party", "7"], "--party is an OIN"),
    (["--confirm"], "--confirm needs --party"),
    (["--until", "maybe"], "--until takes"),
    (["--from", "-1"], "--from takes a whole number"),
])
def test_options_that_can_t_be_meant_are_refused(importer, options, why):
    run = subprocess.run(
        [PROGRAM, "import", "entitlements", "-", "--pepper", importer.pepper,
         "--redis", importer.redis.address, *options], input=b"", timeout=60,
        capture_output=True, check=False)
    assert run.returncode == 2 and why in run.stderr.decode()


def test_a_restart_of_redis_is_only_a_pause(importer):
    """What is written twice is written once."""
    lines = [request() for _ in range(2000)]
    reader, writer = os.pipe()
    with subprocess.Popen(
            [PROGRAM, "import", "entitlements", "-", "--pepper",
             importer.pepper, "--redis", importer.redis.address, "--party",
             OIN], stdin=reader, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE) as process:
        os.close(reader)
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(text(lines[:1000]))
            pipe.flush()
            eventually("some are stored", lambda: importer.redis(
                "LLEN", f"i:{{{names.shard('S1')}}}:S1") >= 256)
            importer.redis.kill()
            importer.redis.restart()
            pipe.write(text(lines[1000:]))
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert b" 0 refused" in out
    held = importer.redis("LRANGE", f"i:{{{names.shard('S1')}}}:S1", 0, -1)
    assert sorted(held) == sorted(packed(line) for line in lines)


@pytest.mark.once
def test_where_redis_stays_away_it_says_where_to_go_on(importer):
    lines = [request() for _ in range(1000)]
    reader, writer = os.pipe()
    with subprocess.Popen(
            [PROGRAM, "import", "entitlements", "-", "--pepper",
             importer.pepper, "--redis", importer.redis.address],
            stdin=reader, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE) as process:
        os.close(reader)
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(text(lines[:600]))
            pipe.flush()
            eventually("some are stored", lambda: importer.redis(
                "LLEN", f"i:{{{names.shard('S1')}}}:S1") >= 512)
            importer.redis.kill()
            pipe.write(text(lines[600:]))
            out, err = process.communicate(timeout=120)
    assert process.returncode == 1, out
    assert b"Redis can't be written to" in err
    line = int(err.split(b"--from ")[1])
    importer.redis.restart()
    importer("entitlements", lines, "--from", line)
    held = importer.redis("LRANGE", f"i:{{{names.shard('S1')}}}:S1", 0, -1)
    assert sorted(held) == sorted(packed(line) for line in lines)


def test_a_terminal_sees_how_far_it_is(importer):
    """The bar is drawn on a terminal alone, and over itself."""
    master, slave = pty.openpty()
    os.set_blocking(master, False)
    pipe_in, pipe_out = os.pipe()
    with subprocess.Popen(
            [PROGRAM, "import", "entitlements", "-", "--pepper",
             importer.pepper, "--redis", importer.redis.address],
            stdin=pipe_in, stdout=subprocess.PIPE, stderr=slave) as process:
        os.close(pipe_in)
        os.close(slave)
        seen = b""
        with os.fdopen(pipe_out, "wb") as pipe:
            def drawn():
                nonlocal seen
                pipe.write(text([request() for _ in range(256)]))
                pipe.flush()
                if select.select([master], [], [], 0.3)[0]:
                    seen += os.read(master, 4096)
                return b"\r" in seen and b" lines, 0 refused" in seen
            eventually("the bar is drawn", drawn)
        assert process.wait(60) == 0
        process.stdout.read()
    os.close(master)


# --- products and schools ----------------------------------------------------

def test_products_are_stored_as_product_set_would(importer):
    importer("products", [
        {"productId": "atlas", "url": "https://a.example/",
         "deep": "https://a.example/{path}", "name": "Atlas één",
         "licence": "year", "free": False, "in": ["set-a", "set-b"],
         "ticket": "atlas", "unknown": 7},
        {"productId": "book", "free": True}])
    assert pairs(importer.redis("HGETALL", names.product_hash("atlas"))) == {
        "url": "https://a.example/", "deep": "https://a.example/{path}",
        "name": "Atlas één", "licence": "year", "free": "0",
        "in": "set-a,set-b", "ticket": "atlas"}
    assert pairs(importer.redis("HGETALL", names.product_hash("book"))) == {
        "url": "https://publisher.example/book", "free": "1"}
    importer("products", [{"productId": "atlas", "deep": None, "name": ""}])
    assert {"deep", "name"}.isdisjoint(
        pairs(importer.redis("HGETALL", names.product_hash("atlas"))))


@pytest.mark.parametrize("line, why", [
    ({"url": "https://a.example/"}, "productId: is missing"),
    ({"productId": "a b", "url": "https://a.example/"}, "productId: is 1 to"),
    ({"productId": "x"}, "the line names no field of a product"),
    ({"productId": "x", "url": "http://a.example/"}, "url: "),
    ({"productId": "x", "deep": "https://a.example/"}, "deep: "),
    ({"productId": "x", "free": 1}, "free: is of another type"),
    ({"productId": "x", "in": ["a", "b c"]}, "in: takes up to 16"),
    ({"productId": "x", "in": ["a"] * 17}, "in: takes up to 16"),
    ({"productId": "x", "in": ["a" * 600, "b" * 600]}, "in: is of another"),
    ({"productId": "x", "licence": "week"}, "licence: is schoolyear"),
    ({"productId": "x", "name": "x" * 201}, "name: is text in UTF-8"),
    ({"productId": "x", "ticket": "a b"}, "ticket: is 1 to 256 characters"),
])
def test_a_wrong_product_is_refused(importer, line, why):
    said = importer("products", [line, {"productId": "good", "free": True}],
                    code=1)
    assert f"       1  {why}" in said
    assert not importer.redis("EXISTS", names.product_hash("x"))
    assert importer.redis("EXISTS", names.product_hash("good"))


def school_key(school):
    return f"school:{{{names.shard(school)}}}:{school}"


def test_schools_get_their_names_ids_and_consent(importer):
    importer("schools", [
        {"organisationMasterIdentifier": "S2", "name": "De Brug",
         "organisationIds": [
             {"organisationId": "11ZZ", "organisationIdType": "OIE_CODE"},
             {"organisationId": "4711", "organisationIdType": "BP_ID"}],
         "consent": ["usage.dashboard"]}])
    assert pairs(importer.redis("HGETALL", school_key("S2"))) == {
        "name": "De Brug", "consent:usage.dashboard": "1"}
    assert importer.redis("GET", names.alias_key("OIE_CODE", "11ZZ")) == "S2"
    assert importer.redis("GET", names.alias_key("BP_ID", "4711")) == "S2"

    importer("schools", [{"organisationMasterIdentifier": "S2"}])
    assert importer.redis("HGET", school_key("S2"), "name") == "De Brug"
    importer("schools", [{"organisationMasterIdentifier": "S2",
                          "consent": []}])
    assert pairs(importer.redis("HGETALL", school_key("S2"))) == {
        "name": "De Brug"}
    assert pairs(importer.redis("HGETALL", school_key("S1"))) == {"name": ""}


@pytest.mark.parametrize("line, why", [
    ({"name": "x"}, "organisationMasterIdentifier: is missing"),
    ({"organisationMasterIdentifier": "a/b"}, "organisationMasterIdentifier: "),
    ({"organisationMasterIdentifier": "X", "name": 7}, "name: is text"),
    ({"organisationMasterIdentifier": "X", "consent": ["all"]},
     "consent: names something else"),
    ({"organisationMasterIdentifier": "X", "organisationIds": [
        {"organisationId": "1", "organisationIdType": "MASTER"}]},
     "organisationIds.organisationIdType: is none of"),
    ({"organisationMasterIdentifier": "X", "organisationIds": [
        {"organisationIdType": "BP_ID"}]},
     "organisationIds.organisationId: is not 1 to 64"),
])
def test_a_wrong_school_is_refused(importer, line, why):
    said = importer("schools", [line], code=1)
    assert f"       1  {why}" in said
    assert not importer.redis("EXISTS", school_key("X"))


@pytest.mark.parametrize("options, stored", [
    (["--name", "De Brug"], "De Brug"), ([], ""),
    (["--type", "BP_ID", "--id", "12"], "")])
def test_school_set_makes_a_school_known(importer, options, stored):
    run = subprocess.run(
        [PROGRAM, "school", "set", "--redis", importer.redis.address,
         "--school", "S3", *options], timeout=60, check=False)
    assert run.returncode == 0
    assert importer.redis("HGET", school_key("S3"), "name") == stored
    if "--id" in options:
        assert importer.redis("GET", names.alias_key("BP_ID", "12")) == "S3"
