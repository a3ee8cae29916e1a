"""Each part of Leerpoort with its own user of lua-free-conf/users.acl: it may
do all that it has to do, and nothing that it has not."""

import contextlib
import functools
import json
import re
import subprocess
import unittest.mock
import uuid

import pytest

from lib import names
from lib.catalogue import Catalogue, row
from lib.door import Browser, Door, Sso
from lib.lms import Frame, Gate, Lms
from lib.nginx import BUILD
from lib.process import REPOSITORY, eventually
from lib.provider import Provider
from lib.redis import Redis, RedisError
from lib.town import Town
from lib.workers import environment

ACL = REPOSITORY / "lua-free-conf" / "users.acl"
DAY = "2026-11-01"
BOOK, ATLAS = "8717927130834", "atlas"


def users():
    """name: its rules, with the name as password. The default user stays, for
    the tests themselves."""
    found = {}
    for line in ACL.read_text().splitlines():
        _, name, off, *rules = line.split()
        assert off == "off"
        if name != "default":
            found[name] = f"{name} on >{name} {' '.join(rules)}"
    return found


class Guarded(Town):
    """All of Leerpoort, each part under its own name."""

    def __init__(self, folder):
        self.passwords = {}
        for name in users():
            file = folder / f"{name}.password"
            file.touch(0o600)
            file.write_text(name)
            self.passwords[name] = file
        made = Redis

        def guarded(*args, **kwargs):
            return made(*args, **kwargs, users=users().values())

        with unittest.mock.patch("lib.town.Redis", guarded):
            super().__init__(
                user="worker", password_file=self.passwords["worker"],
                edge={"redis_options": "user=edge password_file="
                                       f"{self.passwords['edge']}"})

    def who(self, name):
        return ["--user", name, "--password-file", str(self.passwords[name])]

    def argv(self, name):
        # a dead one is soon replaced
        return super().argv(name) + self.who(name) + (
            ["--lock", "2"] if name == "relay" else [])

    def command(self, *words, given="", code=0, user="operator"):
        run = subprocess.run(
            [BUILD / "leerpoort", *map(str, words), "--redis",
             self.redis.address, *self.who(user)], input=given, text=True,
            capture_output=True, timeout=120, env=environment(self.folder))
        assert run.returncode == code, (words, run.stdout, run.stderr)
        assert "NOPERM" not in run.stdout + run.stderr
        return run.stdout

    def denied(self):
        """What somebody was not allowed: user, command or key."""
        return [dict(zip(one[::2], one[1::2]))
                for one in self.redis("ACL", "LOG")]


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    with Guarded(tmp_path_factory.mktemp("acl")) as town:
        town.school("S1", consent=["usage.dashboard"])
        town.product(BOOK)
        town.product(ATLAS)
        yield town


@pytest.fixture(autouse=True)
def nobody_is_denied(request):
    """Also where the one who was denied made the best of it."""
    yield
    if "town" in request.fixturenames:
        town = request.getfixturevalue("town")
        denied = town.denied()
        town.redis("ACL", "LOG", "RESET")
        assert not denied, [(one["username"], one["reason"], one["object"])
                            for one in denied]


def redeem(town, person, code):
    return town.send("POST", "/activate/code", {"activationCode": code}, {
        "Content-Type": "application/json",
        "Authorization": f"Bearer {person.token()}"})


def test_from_order_to_usage_and_block(town):
    pupil = town.edge.person()
    sold = town.entitlement(pupil)
    assert town.provision(sold)[0] == 202
    town.heard("/entitlements/confirmations", sold["entitlementId"])
    assert pupil.click(f"/go/{BOOK}").outcome == "redirect"
    town.heard("/usage/activation", sold["entitlementId"])

    path = f"/v1/usage/entitlements/{sold['entitlementId']}"
    eventually("the usage is counted", lambda: town.seller("GET", path)[1].get(
        "usage", {}).get("frequencyOfUsage"), 20, 0.05)
    assert town.seller("GET", "/v1/usage/school?orgMasterId=S1")[0] == 200
    assert town.seller("POST", "/v1/usage/school/user", {
        "school": {"organisationMasterIdentifier": "S1"},
        "user": {"userMasterIdentifier": pupil.ids["eckid"][1]}})[0] == 200

    for status in ("blocked", "licensed"):
        assert town.provision({**sold, "entitlementStatus": status,
                               "endDate": DAY})[0] == 202
        eventually("the edge obeys", lambda: (
            pupil.click(f"/go/{BOOK}").outcome == "blocked") == (
                status == "blocked"), 10)


def test_a_place_without_a_record_is_put_right(town):
    sold = town.entitlement(town.edge.person())
    packed = names.base64url(uuid.UUID(sold["entitlementId"]).bytes)
    town.redis("HSET", f"x:{{{names.shard(packed[:3])}}}:{packed[:3]}",
               packed[3:], f"{(int(names.shard('S1')) + 1) % 64:02d}")
    assert town.provision(sold)[0] == 202


def test_bulk(town):
    lines = [json.dumps({"entitlementReferenceId": str(uuid.uuid4()),
                         "entitlement": town.entitlement(town.edge.person())})
             for _ in range(20)]
    status, answer, _ = town.send(
        "POST", "/v1/entitlements/bulk", "\n".join(lines) + "\n",
        {"Content-Type": "application/x-ndjson",
         "Authorization": f"Bearer {town.seller.token()}"})
    assert status == 200
    assert answer.count(b'"status":2,') == 20, answer


def test_codes(town):
    order = {"requestReferenceId": str(uuid.uuid4()), "quantity": 3,
             "productId": BOOK}
    assert town.seller("PUT", "/v1/activationcodes", order)[0] == 202
    code, spare, other = eventually("the codes arrive", lambda: [
        m.json["activationCodes"]
        for m in town.party.of("/activationcodes/confirmations")], 20)[0]
    person = town.edge.person()
    assert redeem(town, person, code)[0] == 200
    assert redeem(town, person, code)[0] == 200
    assert redeem(town, person, spare)[0] == 400    # there is a licence
    guesser = town.edge.person()
    assert [redeem(town, guesser, f"NONE-SUCH-{i:02d}")[0]
            for i in range(12)][-1] == 429
    assert town.seller("PUT", "/v1/activationcodes/revoke", {
        "requestReferenceId": "r", "activationCode": other})[0] == 202
    eventually("that is confirmed", lambda: town.party.of(
        "/activationcodes/revoke/confirmations"), 20)

    # a code of a seller's own, with its entitlement
    sold = town.entitlement(
        town.edge.person(), entitlementType="school-activationcode",
        user=None, activationCode="SELLERS-OWN-23")
    assert town.provision(sold)[0] == 202
    buyer = town.edge.person()
    assert redeem(town, buyer, "SELLERS-OWN-23")[0] == 200
    assert town.provision({**sold, "entitlementStatus": "blocked",
                           "endDate": DAY})[0] == 202
    eventually("the licence is blocked", lambda: buyer.click(
        f"/go/{BOOK}").outcome == "blocked", 10)


def test_an_operator_and_whole_schools(town):
    open_id = str(uuid.uuid4())
    key = ["--school", "S1"]
    town.command("right", "set", *key, "--open", "--product", ATLAS,
                 "--state", "O", "--entitlement", open_id, "--quantity", "5")
    pupil = town.edge.person()
    eventually("the school may", lambda: pupil.click(
        f"/go/{ATLAS}").outcome == "redirect", 10)
    town.command("right", "show", *key, "--open")
    town.command("right", "drop", *key, "--open", "--product", ATLAS)

    person = [*key, "--type", "ECK", "--pepper", town.pepper]
    id_ = town.edge.person().ids["eckid"][1]
    town.command("right", "set", *person, "--product", BOOK, "--state", "E",
                 "--entitlement", str(uuid.uuid4()), given=id_)
    town.command("right", "revoke", *person, given=id_)
    town.command("right", "show", *person, "--json", given=id_)
    town.command("right", "drop", *person, "--tokens", given=id_)
    town.command("right", "drop", *person, "--product", BOOK, given=id_)

    town.command("product", "set", "short", "--url",
                 "https://publisher.example/short", "--licence", "month")
    town.command("product", "show", "short")
    town.command("product", "drop", "short")
    alias = ["--type", "OIE_CODE", "--id", "99ZZ"]
    town.command("school", "set", "--school", "S7", "--name", "Zeven", *alias)
    town.command("school", "show", *alias)
    town.command("school", "drop", *alias)
    consent = ["school", "consent", "--school", "S7", "--scope",
               "usage.dashboard"]
    town.command(*consent)
    town.command(*consent, "--withdraw")


def test_an_import(town):
    lines = "".join(json.dumps({
        "entitlementReferenceId": str(uuid.uuid4()),
        "entitlement": town.entitlement(town.edge.person())}) + "\n"
        for _ in range(300))
    town.command("import", "entitlements", "-", "--pepper", town.pepper,
                 "--party", town.party.oin, "--confirm", given=lines)
    town.command("import", "schools", "-", given=json.dumps({
        "organisationMasterIdentifier": "S8", "name": "Acht",
        "organisationIds": [{"organisationIdType": "OIE_CODE",
                             "organisationId": "88ZZ"}]}) + "\n")
    assert town.redis("GET", names.alias_key("OIE_CODE", "88ZZ")) == "S8"


def test_a_whole_schools_right_is_imported_and_blocked(town):
    """By the operator; a pupil's licence of it is blocked with it."""
    sold = town.entitlement(town.edge.person(), ATLAS, user=None,
                            entitlementType="school-open", quantity=30)

    def send(**changes):
        town.command("import", "entitlements", "-", "--pepper", town.pepper,
                     "--party", town.party.oin, given=json.dumps({
                         "entitlementReferenceId": str(uuid.uuid4()),
                         "entitlement": {**sold, **changes}}) + "\n")

    send()
    pupil = town.edge.person()
    eventually("the school may", lambda: pupil.click(
        f"/go/{ATLAS}").outcome == "redirect", 10)
    send(entitlementStatus="blocked", endDate=DAY)
    eventually("it may not any more", lambda: pupil.click(
        f"/go/{ATLAS}").outcome == "blocked", 10)


def test_a_catalogue_is_pulled(town):
    catalogue = Catalogue([row("new", openMaterial=True), row("newer")])
    try:
        for rows in (catalogue.rows, catalogue.rows[:1]):
            catalogue.rows = rows
            town.command("catalogue", "pull", catalogue.url)
    finally:
        catalogue.stop()


def all_is_told(town):
    """Nothing is left in the journals, nor in the outbox."""
    return not town.redis("XLEN", f"outbox:{town.party.oin}") and not any(
        town.redis("XLEN", key) for key in town.redis("KEYS", "journal:*"))


def test_dead_letters_and_the_relays_state(town):
    eventually("all is told", lambda: all_is_told(town), 30)
    answer, town.party.answer = town.party.answer, lambda message: 400
    try:
        sold = town.entitlement(town.edge.person())
        assert town.provision(sold)[0] == 202
        eventually("the message is refused", lambda: town.redis(
            "XLEN", f"dead:{town.party.oin}"), 20)
        eventually("all is told", lambda: all_is_told(town), 20)
        assert "1" in town.command("relay", "status", code=1)
    finally:
        town.party.answer = answer
    town.command("relay", "retry", town.party.oin, "--dead")
    eventually("it is not dead any more", lambda: not town.redis(
        "XLEN", f"dead:{town.party.oin}"), 20)
    eventually("all is told", lambda: all_is_told(town), 20)
    # a party that is away: a pause, and an end of it
    town.party.answer = lambda message: 503
    try:
        assert town.provision(town.entitlement(town.edge.person()))[0] == 202
        eventually("the relay pauses", lambda: town.redis(
            "EXISTS", f"relay:{town.party.oin}"), 20)
        town.command("relay", "retry", town.party.oin)
    finally:
        town.party.answer = answer
    eventually("all is told", lambda: all_is_told(town), 20)


def test_a_relay_and_a_tally_that_died_are_replaced(town):
    for name in town.daemons:
        town.kill_daemon(name)
    sold = town.entitlement(town.edge.person())
    assert town.provision(sold)[0] == 202
    town.heard("/entitlements/confirmations", sold["entitlementId"], 40)


def test_a_report(town):
    pupil = town.edge.person().grant(BOOK)
    assert pupil.click(f"/go/{BOOK}").outcome == "redirect"
    eventually("the tally has counted it", lambda: any(
        town.redis("HGETALL", key) for key in town.redis("KEYS", "week:*")),
        20)
    out = town.command("report", "usage", "--running")
    assert BOOK in out


def test_the_check_finds_nothing(town):
    said = json.loads(town.command("check", "--json"))
    assert said["ok"] and not [
        line for line in said["lines"] if line.get("level") == "warn"], said


def test_an_officer_shows_and_erases(town):
    pupil = town.edge.person()
    assert town.provision(town.entitlement(pupil))[0] == 202
    assert pupil.click(f"/go/{BOOK}").outcome == "redirect"
    who = ["--pepper", town.pepper, "--seal", town.seal]
    id_ = pupil.ids["eckid"][1]
    assert BOOK in town.command("privacy", "show", *who, given=id_,
                                user="officer")
    town.command("privacy", "erase", *who, "--yes", "--rewrite", given=id_,
                 user="officer")
    gone = town.edge.person(school=town.school("S6"))
    assert town.provision(town.entitlement(gone))[0] == 202
    assert gone.click(f"/go/{BOOK}").outcome == "redirect"
    town.command("school", "erase", "--school", "S6", "--yes", "--force",
                 user="officer")
    assert gone.hash() not in town.redis("KEYS", "u:*")


# --- the front door ----------------------------------------------------------

@pytest.fixture
def guarded(tmp_path):
    """Who makes a door or a gate meanwhile, makes a guarded one. denied():
    as above."""
    password = tmp_path / "sso.password"
    password.touch(0o600)
    password.write_text("sso")
    made = []

    def redis(*args, **kwargs):
        made.append(Redis(*args, **kwargs, users=users().values()))
        return made[-1]

    sso = functools.partial(Sso, user="sso", password_file=password)
    with contextlib.ExitStack() as stack:
        for name in ("lib.door", "lib.lms"):
            stack.enter_context(unittest.mock.patch(f"{name}.Redis", redis))
            stack.enter_context(unittest.mock.patch(f"{name}.Sso", sso))
        yield lambda: [(one["username"], one["reason"], one["object"])
                       for redis_ in made for one in (
                           dict(zip(entry[::2], entry[1::2]))
                           for entry in redis_("ACL", "LOG"))]


def test_who_signs_in_and_out(guarded, tmp_path):
    with Door(tmp_path) as door:
        door.edge.product("book")
        pupil = door.person(door.edge.person().grant("book"))
        browser = Browser(door).sign_in()
        del browser.jar["__Host-leerpoort"]
        browser.sign_in()       # by its session
        assert browser.sign_out().status == 200
        browser.sign_in()
        token = door.provider.logout_token()
        assert door.post("/sso/backchannel",
                         f"logout_token={token}").status == 200
        assert door.redis("HGET", pupil.hash(), "!")
        assert guarded() == []


def test_launches_and_links(guarded):
    lms, provider = Lms().start(), Provider()
    provider.start()
    try:
        with Gate(lms, [lms.entry(link=True)], provider=provider) as gate:
            pupil = gate.edge.person().grant("book")
            provider.sub = f"sub-{pupil.key()}"
            provider.claims = {"eckid": pupil.ids["eckid"][1],
                               "org": pupil.school}
            lms.person = {"sub": "lms-1"}
            page = Frame(gate, keeps=False).launch(lms).body.decode()
            href = re.search(r'href="(/lti/link/[A-Za-z0-9_-]{43})"', page)[1]
            window = Frame(gate)
            assert Browser(gate, window.jar).follow(
                href, more=True).status == 200
            assert window.post(href, {}).header("Refresh").startswith("0;")
            assert Frame(gate, keeps=False).launch(lms).outcome == "redirect"
            assert guarded() == []
    finally:
        lms.stop()
        provider.stop()


# --- and no more -------------------------------------------------------------

KEYS = {"u": "u:{00}:S/x", "s": "s:{00}:S", "a": "a:{00}:BP_ID:1",
        "p": "p:{00}:x", "e": "e:{00}:x", "x": "x:{00}:abc", "i": "i:{00}:S",
        "school": "school:{00}:S", "code": "code:{00}:x",
        "request": "request:{00}:x", "tries": "tries:{00}:x",
        "jti": "jti:{00}:x", "journal": "journal:{00}", "outbox": "outbox:1",
        "dead": "dead:1", "relay": "relay:1", "catalogue": "catalogue:x",
        "usage": "usage:{00}", "seen": "seen:{00}:x:0", "tally": "tally:{00}",
        "week": "week:{00}:S:2026-W36", "weeks": "weeks:{00}:2026-W36",
        "readers": "readers:{00}:S:2026-W36:x", "report": "report:{00}:x",
        "erased": "erased", "products": "products",
        "parts": "parts:{00}:x", "chapters": "chapters:{00}:x",
        "signin": "signin:{00}:x", "signins": "signins:29847360",
        "session": "session:{00}:x", "subs": "subs:{00}:x",
        "sids": "sids:{00}:x", "signout": "signout:{00}:S/x",
        "launch": "launch:{00}:x", "nonce": "nonce:{00}:x",
        "once": "once:{00}:x", "link": "link:{00}:x"}
READ = {
    "edge": "u s a p",
    "operator": "u s a p e x i school code journal outbox dead relay "
                "catalogue usage week weeks readers report products parts "
                "chapters",
    "worker": "u s a p e x i school code request tries jti parts",
    "sso": "u s a p school jti products parts chapters signin signins "
           "session subs sids signout launch nonce once link",
    "relay": "journal outbox dead relay",
    "tally": "e x usage seen tally week weeks readers",
    "officer": " ".join(KEYS)}
WRITE = {
    "edge": "usage",
    "operator": "u s a p e x i school code journal outbox dead relay "
                "catalogue report products parts chapters",
    "worker": "u s e x i code request tries jti journal",
    "sso": "u jti signin signins session subs sids signout launch nonce "
           "once link",
    "relay": "journal outbox dead relay",
    "tally": "e usage seen tally week weeks readers",
    "officer": " ".join(KEYS)}
NOBODY = [("FLUSHALL",), ("KEYS", "*"), ("CONFIG", "SET", "maxmemory", "1"),
          ("SHUTDOWN",), ("ACL", "LIST"), ("EVAL", "return 1", 0),
          ("MONITOR",), ("CLIENT", "LIST"), ("LATENCY", "RESET"),
          ("RESTORE", "u:{00}:S/x", 0, "x"), ("SLOWLOG", "GET"),
          ("REPLICAOF", "NO", "ONE"), ("SAVE",)]


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    redis = Redis(tmp_path_factory.mktemp("acl"), users=users().values())
    try:
        yield redis.start()
    finally:
        redis.destroy()


def test_every_kind_of_key_is_listed():
    text = (REPOSITORY / "docs" / "data-model.md").read_text()
    for kind in KEYS:
        assert f"`{kind}:" in text or f"`{kind}`" in text, kind


@pytest.mark.parametrize("name", READ)
def test_a_user_has_its_own_keys_alone(bare, name):
    reads = "HGET" if name == "tally" else "HGETALL"
    writes = "XADD" if name in ("edge", "officer") else "HSET"
    for kind, key in KEYS.items():
        said = bare("ACL", "DRYRUN", name, reads, key, *(
            ["a"] if reads == "HGET" else []))
        assert "command" not in said, said
        assert (said == "OK") == (kind in READ[name].split()), (kind, said)
        said = bare("ACL", "DRYRUN", name, writes, key, *(
            ["*"] if writes == "XADD" else []), "a", "b")
        assert "command" not in said, said
        assert (said == "OK") == (kind in WRITE[name].split()), (kind, said)


@pytest.mark.parametrize("name", READ)
def test_nobody_may_look_at_all_or_throw_it_away(bare, name):
    client = bare.client()
    assert client("AUTH", name, name) == "OK"
    for command in NOBODY:
        with pytest.raises(RedisError, match="NOPERM"):
            client(*command)
    client.close()


def test_a_restart_loses_no_transaction(tmp_path):
    """Redis does the append-only file again in the default user's name, and
    leaves out the transactions that it may not do."""
    file = tmp_path / "users.acl"
    file.write_text(ACL.read_text().replace(" off ", " on >worker ").replace(
        "user default on >worker", "user default off"))
    redis = Redis(tmp_path, options=[f"aclfile {file}"])
    try:
        redis.start()
        for again in range(2):
            client = redis.client()
            with pytest.raises(RedisError, match="NOAUTH"):
                client("GET", "u:{00}:x")
            with pytest.raises(RedisError, match="WRONGPASS"):
                client("AUTH", "default", "worker")
            client("AUTH", "worker", "worker")
            if again == 0:
                assert client.pipeline([
                    ("MULTI",), ("HSET", "e:{00}:x", "status", "licensed"),
                    ("XADD", "journal:{00}", "*", "kind", "activation"),
                    ("EXEC",)])[-1][0] == 1
                client.close()
                redis.kill()
                redis.start()
        status, = eventually("Redis has loaded", lambda: [
            said for said in client.pipeline([("HGET", "e:{00}:x", "status")])
            if "LOADING" not in str(said)])
        assert status == "licensed"
    finally:
        redis.destroy()
