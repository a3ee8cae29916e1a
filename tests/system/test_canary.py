"""No id of a person, token, code or secret is left anywhere: not in a log, a
command line, an error, a file, nor in Redis.

A whole town is driven through every route, through refusals, failing parties
and killed processes, with ids that are marked; then everything that it wrote
is searched for the marks, in each form in which they could have been written.
"""

import base64
import itertools
import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.parse
import uuid

import pytest

from lib.canary import Canaries, Monitor, Processes, dump, files, forms
from lib.nginx import BUILD
from lib.process import REPOSITORY, eventually
from lib.tokens import compact
from lib.town import ENDPOINT, Town
from lib.workers import environment

MARK = "canary5b1cd2e8f3"   # letters and digits: codes have no others
BOOK, ATLAS = "8717927130834", "8717927130835"
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
# As lua-free-conf/nginx.conf has it: bodies stay in memory.
BUFFER = "client_body_buffer_size 64k; client_max_body_size 64k;"

_count = itertools.count(1)


# --- the search itself -------------------------------------------------------

@pytest.mark.parametrize("before", ["", "x", "xy", "xyz"])
def test_the_search_finds_every_form(before):
    canaries = Canaries()
    canaries.add("it", f"https://ketenid.nl/000000/{MARK}-7")
    whole = f"{before}https://ketenid.nl/000000/{MARK}-7 and more"
    data = whole.encode()
    for written in (
            data, data.hex().encode(), data.hex().upper().encode(),
            base64.b64encode(data), base64.urlsafe_b64encode(data),
            urllib.parse.quote(whole, safe="").encode(),
            urllib.parse.quote(whole).encode(),
            urllib.parse.quote_plus(whole).encode(),
            json.dumps(whole).replace("/", "\\/").encode()):
        assert canaries.find(b"12 " + written + b" \xff") == ["it"], written
    assert canaries.find(data.replace(b"b1c", b"b2c")) == []
    assert canaries.find(b"") == []
    assert len(forms(bytes(range(250, 256)) * 4)) >= 9


# --- the town ----------------------------------------------------------------

class Drive:
    """Everything that somebody can do to a town, with marked ids."""

    def __init__(self, town, spool):
        self.town, self.spool = town, spool
        self.spooled = b""              # what lay there meanwhile
        self.nowhere = Canaries()       # may be nowhere
        self.inside = Canaries()        # may be in Redis and the spool alone
        self.said = b""                 # what commands wrote
        self.nowhere.add("an id", MARK)
        self.nowhere.add("a code of a seller", MARK.upper())
        self._secrets()

    def _secrets(self):
        town = self.town
        self.files = {town.pepper, town.seal, town.edge.folder / "pepper",
                      *town.folder.glob("*.jwk"), *town.keys.glob("*.jwk")}
        for path in self.files:
            data = path.read_bytes()
            if path.suffix != ".jwk":
                self.nowhere.add(path.name, data)
                continue
            for member in ("d", "p", "q", "dp", "dq", "qi"):
                value = json.loads(data).get(member)
                if value is not None:
                    self.nowhere.add(f"{path.name}: {member}", value)

    def person(self, school="S1", employee=False):
        number = next(_count)
        person = self.town.edge.person(school=school, eck=not employee,
                                       sub=employee)
        if employee:
            person.ids["sub"] = ("NEPPI", f"{MARK}-{number}@example")
        else:
            person.ids["eckid"] = ("ECK", "https://ketenid.nl/000000/"
                                          f"{MARK}-{number}")
        self.inside.add("a user key", person.key())
        return person

    def token(self, person, **changes):
        token = person.token(**changes)
        self.nowhere.add_token("a person's token", token)
        return token

    def tokens(self, person):
        """One that is good, and bad ones of all kinds."""
        now = int(time.time())
        good = self.token(person)
        bad = [self.token(person, alg="ES256"),
               self.token(person, exp=now - 400, iat=now - 500),
               self.token(person, aud="wrong"), self.token(person, org=7),
               good[:-4] + "AAAA", good + ".x", good + "." + good,
               compact({"alg": "none"}, person.claims(), lambda _: b"")]
        return good, bad

    def api(self, method, path, body=None, token=None, headers=None):
        """A request of the seller; its answer is searched by expect()."""
        token = token or self.town.seller.token()
        self.nowhere.add_token("an access token", token)
        return self.town.send(method, path, body, {
            **JSON, "Authorization": f"Bearer {token}", **(headers or {})})

    def sale(self, person, **changes):
        return self.town.entitlement(person, **changes)

    def put(self, sold, http=202, **more):
        status, answer, _ = self.api("PUT", "/v1/entitlements", {
            "entitlementReferenceId": str(uuid.uuid4()),
            "entitlement": sold, **more})
        assert status == http, answer
        assert not self.nowhere.find(json.dumps(answer).encode()), answer

    def command(self, *words, given="", redis=True):
        """The command with ids on its standard input; any exit code."""
        if redis:
            words += ("--redis", self.town.redis.address)
        run = subprocess.run([BUILD / "leerpoort", *map(str, words)],
                             input=given.encode(), capture_output=True,
                             timeout=120, env=environment(self.town.folder))
        assert run.returncode in (0, 1), (words, run.stderr)
        assert not any(MARK in str(word) for word in words)
        self.said += run.stderr
        if words[:2] not in (("token", "verify"), ("jws", "verify")):
            self.said += run.stdout    # those two show what was asked for
        return run

    # --- what is done ---

    def clicks(self, *people):
        for person in people:
            good, bad = self.tokens(person)
            for token in (good, *bad):
                for target in (f"/go/{BOOK}", f"/go/{BOOK}/x?y=1", "/go/none",
                               f"/go/{BOOK}/../x"):
                    self.town.edge.click(target, token=token)
                self.town.edge.click(f"/go/{BOOK}", cookie=token)
                self.town.edge.click(f"/go/{BOOK}", token=token,
                                     method="POST")

    def assertions(self):
        """The token endpoint: good, used twice, bad."""
        seller = self.town.seller
        now = int(time.time())
        good = seller.assertion()
        for assertion in (good, good, seller.assertion(exp=now - 60),
                          seller.assertion(aud="x"), good[:-4] + "AAAA",
                          seller.assertion(jti=MARK * 2),
                          seller.assertion(sub=MARK),
                          seller.assertion(iss=MARK, sub=MARK)):
            self.nowhere.add_token("an assertion", assertion)
            for fields in ({}, {"scope": MARK}, {"client_id": MARK},
                           {"client_secret": MARK}, {MARK: MARK}):
                status, answer, _ = self.town.send(
                    "POST", "/oauth/token", urllib.parse.urlencode({
                        "grant_type": "client_credentials",
                        "client_assertion_type": "urn:ietf:params:oauth:"
                        "client-assertion-type:jwt-bearer",
                        "client_assertion": assertion, **fields}), FORM)
                assert status in (200, 400, 401), answer
                if status == 200:
                    self.nowhere.add_token("an access token",
                                           answer["access_token"])
        assert ENDPOINT.encode() not in self.said

    def refused_entitlements(self, person):
        sold = self.sale(person)
        # two are looked up or kept as they stand; they are no person's
        for name in sold.keys() - {"deliveryOrderId", "productId"}:
            for value in (MARK, MARK * 60, 7, None, [MARK], {MARK: MARK}):
                self.api("PUT", "/v1/entitlements", {
                    "entitlementReferenceId": str(uuid.uuid4()),
                    "entitlement": {**sold, name: value}
                    | ({name: {"userIds": value}} if name == "user" else {})})
        for body in (json.dumps(sold)[:-3], f'"{MARK}"', MARK,
                     f'{{"{MARK}": 1, "{MARK}": 2}}', "[" * 40 + f'"{MARK}',
                     json.dumps({MARK: MARK * 3000}),      # 50 kB
                     json.dumps({MARK: MARK * 5000})):     # too much
            status, _, _ = self.api("PUT", "/v1/entitlements", body)
            assert 400 <= status < 500

    def bulk(self, *people):
        lines = [json.dumps({"entitlementReferenceId": str(uuid.uuid4()),
                             "entitlement": self.sale(person)})
                 for person in people]
        lines += [lines[0][:-9], MARK, f'{{"{MARK}": "{MARK}"}}',
                  f'"{MARK * 5000}"', lines[0].replace(":", ": 7, ")]
        status, answer, _ = self.api(
            "POST", "/v1/entitlements/bulk", "\n".join(lines) + "\n",
            headers={"Content-Type": "application/x-ndjson"})
        assert status == 200 and answer.count(b"\n") == len(lines)
        assert not self.nowhere.find(answer)

    def codes(self, *people):
        """Made, revoked, redeemed, guessed."""
        self.api("PUT", "/v1/activationcodes", {
            "requestReferenceId": f"req-{next(_count)}", "productId": BOOK,
            "quantity": 3})
        made = eventually("the codes come", lambda: [
            code for m in self.town.party.of("/activationcodes/confirmations")
            for code in m.json["activationCodes"]], 20, 0.02)
        own = f"{MARK.upper()}{next(_count):04d}"
        self.put(self.sale(people[0], entitlementType="school-activationcode",
                           user=None, activationCode=own))
        for code in (*made, own):
            for text in (code, code.replace("-", ""), code.lower(),
                         code.replace("-", "").lower()):
                self.nowhere.add("a code", text)
        self.api("PUT", "/v1/activationcodes/revoke", {
            "requestReferenceId": "rev-1", "activationCode": made[0]})
        self.api("PUT", "/v1/activationcodes/revoke", {
            "requestReferenceId": "rev-2", "activationCode": MARK * 2})
        for person, code in zip(people, (made[1], own)):
            good, bad = self.tokens(person)
            for token in (*bad, good, good):
                for text in (made[0], MARK * 2, MARK * 9, code):
                    self.town.send(
                        "POST", "/activate/code", {"activationCode": text},
                        {**JSON, "Authorization": f"Bearer {token}"})
            self.town.send("POST", "/activate/code?" + "code=7",
                           f"activationCode={code}",
                           {**FORM, "Authorization": f"Bearer {good}"})
        person = people[-1]
        for _ in range(12):     # until guessing is slowed down
            status, _, _ = self.town.send(
                "POST", "/activate/code", {"activationCode": MARK * 2},
                {**JSON, "Authorization": f"Bearer {self.token(person)}"})
        assert status == 429
        return made[2]

    def usage(self, *people):
        for person in people:
            kind, id_ = next(iter(person.ids.values()))
            user = ({"userMasterIdentifier": id_} if kind == "ECK" else
                    {"userIds": [{"userIdType": kind, "userId": id_}]})
            for body in ({"user": user, "school": {
                    "organisationMasterIdentifier": person.school or "S1"}},
                    {"user": user}, {"user": {"userIds": [user]}},
                    {"user": user, "school": {MARK: MARK}},
                    {"user": {"userMasterIdentifier": id_ * 20}}):
                _, answer, _ = self.api("POST", "/v1/usage/school/user", body)
                assert not self.nowhere.find(json.dumps(answer).encode())
        for path in ("/v1/usage/school?orgMasterId=S1",
                     "/v1/usage/school?orgMasterId=S9",
                     "/v1/usage/entitlements/x",
                     f"/v1/usage/entitlements/{uuid.uuid4()}"):
            self.api("GET", path)

    def doors(self, person):
        """Tokens at routes that do not want them."""
        good, bad = self.tokens(person)
        for token in (good, *bad, self.town.rival.token("usage.seller"),
                      MARK * 3):
            if token.count("."):
                self.nowhere.add_token("an access token", token)
            for method, path in (
                    ("PUT", "/v1/entitlements"),
                    ("POST", "/v1/entitlements/bulk"),
                    ("PUT", "/v1/activationcodes"),
                    ("GET", "/v1/usage/school?orgMasterId=S1"),
                    ("POST", "/v1/usage/school/user")):
                self.api(method, path, MARK if method != "GET" else None,
                         token)

    def failing_party(self, person):
        """A party that repeats what it got: refuses, fails, works."""
        party, town = self.town.party, self.town
        answers = iter([
            lambda m: (400, {}, m.body), lambda m: (503, {}, m.body),
            lambda m: (302, {"Location": "/" + MARK}, m.body),
            lambda m: (200, {}, b"x" * 100000)])
        party.answer = lambda message: next(answers, lambda m: 200)(message)
        party.revoke_tokens()
        for _ in range(4):
            other = self.person()
            self.put(self.sale(other))
            self.clicks(other)
        oin = party.oin
        eventually("a dead letter", lambda: town.redis(
            "XLEN", f"dead:{oin}"), 20, 0.02)
        self.command("relay", "status")
        self.command("relay", "retry", oin, "--dead")
        eventually("all is told", self.told, 30, 0.05)
        self.put(self.sale(person))

    def told(self):
        redis, oin = self.town.redis, self.town.party.oin
        return sum(redis("XLEN", key) for key in (
            f"outbox:{oin}", f"dead:{oin}",
            *(f"journal:{{{shard:02d}}}" for shard in range(64)))) == 0

    def kills(self, *people):
        """Each process, in the middle of things."""
        town = self.town
        for number in (signal.SIGKILL, signal.SIGABRT):
            self.clicks(people[0])
            town.workers.kill(number=number)
        self.body_in_hand()
        for name in ("relay", "tally"):
            self.put(self.sale(people[1]))
            town.kill_daemon(name)
        town.redis.kill()
        for person in people:   # into the spool, and at closed doors
            self.clicks(person)
            self.api_without_redis(person)

        def spooled():
            return b"".join(data for _, data in files(self.spool))
        eventually("clicks are spooled",
                   lambda: people[0].key().encode() in spooled(), 10, 0.02)
        self.spooled = spooled()
        town.redis.start()
        eventually("the edge is back", lambda: people[0].click(
            f"/go/{BOOK}").outcome == "redirect", 20, 0.05)

    def body_in_hand(self):
        """nginx dies while it reads a body."""
        nginx = self.town.edge.nginx
        with socket.create_connection(("127.0.0.1", nginx.port)) as client:
            client.sendall(
                b"PUT /v1/entitlements HTTP/1.1\r\nHost: x\r\n"
                b"Authorization: Bearer " + self.access.encode() + b"\r\n"
                b"Content-Type: application/json\r\n"
                b"Content-Length: 60000\r\n\r\n" + MARK.encode() * 3000)
            eventually("nginx reads the body", lambda: int(re.search(
                r"Reading: (\d+) Writing: (\d+)", self.town.edge.click(
                    "/status").body.decode())[2]) > 1, 10)
            nginx.kill_worker(nginx.worker_pids()[0])

    def api_without_redis(self, person):
        token = self.access
        for method, path, body in (
                ("PUT", "/v1/entitlements", {
                    "entitlementReferenceId": "r",
                    "entitlement": self.sale(person)}),
                ("PUT", "/v1/activationcodes/revoke", {
                    "requestReferenceId": "r", "activationCode": MARK * 2}),
                ("POST", "/v1/usage/school/user", {
                    "user": {"userMasterIdentifier": MARK * 2}})):
            status, answer, _ = self.api(method, path, body, token)
            assert status == 503, answer
        status, _, _ = self.town.send(
            "POST", "/activate/code", {"activationCode": MARK * 2},
            {**JSON, "Authorization": f"Bearer {self.token(person)}"})
        assert status == 503
        assertion = self.town.seller.assertion()
        self.nowhere.add_token("an assertion", assertion)
        status, _, _ = self.town.send(
            "POST", "/oauth/token", urllib.parse.urlencode({
                "grant_type": "client_credentials",
                "client_assertion_type": "urn:ietf:params:oauth:"
                "client-assertion-type:jwt-bearer",
                "client_assertion": assertion}), FORM)
        assert status == 503

    def commands(self, pupil, teacher):
        town = self.town
        kind, id_ = pupil.ids["eckid"]
        who = ("--school", "S1", "--type", kind, "--pepper", town.pepper)
        self.command("right", "show", *who, given=id_)
        self.command("right", "set", "--product", ATLAS, "--state", "E",
                     "--entitlement", uuid.uuid4(), *who, given=id_)
        self.command("right", "drop", "--product", ATLAS, *who, given=id_)
        self.command("right", "show", *who, given=MARK * 40)
        lines = [json.dumps({"entitlementReferenceId": str(uuid.uuid4()),
                             "entitlement": self.sale(p)})
                 for p in (pupil, teacher, self.person())]
        lines += [MARK, lines[0].replace("S1", f"{MARK}/"), lines[0][:-4],
                  lines[0].replace("school-student", MARK)]
        errors = town.folder / "errors.ndjson"
        run = self.command(
            "import", "entitlements", "-", "--pepper", town.pepper,
            "--party", town.party.oin, "--confirm", "--errors", errors,
            given="\n".join(lines))
        assert run.returncode == 1 and errors.stat().st_size > 0
        token = self.token(pupil)
        keys = next(town.edge.folder.glob("*.json"), town.seller.jwks)
        for words in (("token", "explain", "--jwks", keys),
                      ("token", "verify", "--jwks", keys, "--iss", "i",
                       "--aud", "a"), ("jws", "verify", "--jwks", keys)):
            for text in (token, token[:-3], MARK, self.access):
                self.command(*words, given=text, redis=False)
        self.command("key", "rotate", "--keys", town.keys, redis=False)
        self.files |= set(town.keys.glob("*.jwk"))
        self.command("key", "list", "--keys", town.keys, redis=False)
        self.command("report", "usage")
        self.command("check")
        for person in (pupil, teacher):
            kind, id_ = next(iter(person.ids.values()))
            who = ("--type", kind, "--pepper", town.pepper, "--seal",
                   town.seal)
            for words in (("show",), ("show", "--json"), ("erase", "--yes"),
                          ("show",)):
                self.command("privacy", *words, *who, given=id_)

    def run(self):
        town = self.town
        pupil, other, third, last = (self.person() for _ in range(4))
        teacher, private = self.person(employee=True), self.person(school="")
        self.access = town.seller.token()
        self.assertions()
        self.clicks(pupil)
        for person in (pupil, other, teacher):
            self.put(self.sale(person), created="2026-08-20T09:30:00Z")
        self.put(self.sale(private, entitlementType="customer-student",
                           school=None))
        self.refused_entitlements(other)
        self.bulk(third, last)
        self.clicks(pupil, teacher, private)
        sold = self.sale(other)
        self.put(sold)
        self.put({**sold, "entitlementStatus": "blocked",
                  "endDate": "2026-11-01"})
        self.put({**sold, "entitlementStatus": "cancelled",
                  "endDate": "2026-11-01"})
        self.put(sold, 400)
        self.codes(third, last)
        self.usage(pupil, teacher, private)
        self.doors(pupil)
        self.failing_party(other)
        self.kills(pupil, other, teacher)
        self.commands(other, teacher)
        eventually("all is told", self.told, 30, 0.05)
        for token in town.party.tokens:
            self.nowhere.add("a party's token", token)


def logs(town):
    """Files that hold neither secrets nor data."""
    return ("error.log", "access.log", "output", "worker.log", "relay.log",
            "tally.log", "redis.log")


def test_the_example_keeps_bodies_in_memory():
    conf = (REPOSITORY / "lua-free-conf" / "nginx.conf").read_text()
    sizes = {name: set(re.findall(rf"^ *client_{name} (\w+);", conf, re.M))
             for name in ("body_buffer_size", "max_body_size")}
    assert sizes["body_buffer_size"] == {"64k"}
    # 0: the bulk route, whose body is passed on as it comes
    assert sizes["max_body_size"] <= {"1k", "16k", "64k", "0"}
    assert "fastcgi_request_buffering off;" in conf


@pytest.mark.once
def test_nothing_of_it_is_left_anywhere(tmp_path):
    spool = tmp_path / "spool"
    spool.mkdir(0o700)
    processes = Processes(BUILD, "nginx", "leerpoort-town-")
    with Town(workers=2, retry="0.2,0.2,0.2",
              usage=f"on spool={spool}", server=BUFFER,
              allow=(r"Child|child|Spawning|Redis|connect",),
              allow_nginx=(r"exited on signal", r"upstream|connect\(\)")
              ) as town:
        monitor = Monitor(town.redis)
        town.school("S1", consent=["usage.dashboard"])
        town.product(BOOK)
        town.product(ATLAS)
        drive = Drive(town, spool)
        drive.run()
        asked = monitor.stop()
        held = dump(town.redis)
        lines = processes.stop()
        assert len(drive.nowhere) > 1000

        folders = town.folder, town.edge.folder, spool
        kept = {path: data for path, data in files(*folders)
                if path not in drive.files}
        named = {path.name for path in kept}
        assert set(logs(town)) - {"output"} <= named
        assert any(path.suffix == ".aof" for path in kept)

        def search():
            """{place: what is there but must not be}."""
            found = {str(path): drive.nowhere.find(data)
                     for path, data in kept.items()}
            for path, data in kept.items():
                if path.name in logs(town) or path.suffix == ".ndjson":
                    found[str(path)] += drive.inside.find(data)
            for place, text in (("commands", drive.said),
                                ("command lines", lines)):
                found[place] = drive.nowhere.find(text) \
                    + drive.inside.find(text)
            for place, text in (("Redis", held), ("asked of Redis", asked),
                                ("the spool", drive.spooled)):
                found[place] = drive.nowhere.find(text)
            return {place: what for place, what in found.items() if what}

        assert search() == {}

        # there was something to be found, and the places are the right ones
        assert len(asked) > 100_000 and len(held) > 10_000
        assert drive.inside.find(held) and drive.inside.find(asked)
        # a command may be gone before anybody looks
        for program in (b"leerpoort-worker", b"leerpoort-relay",
                        b"leerpoort-tally", b"nginx"):
            assert program in lines
        assert [m for m in town.party.arrived() if MARK in str(m.json)]

        # no core files: nobody of ours may write one
        for program in ("leerpoort-worker", "leerpoort-relay",
                        "leerpoort-tally"):
            assert "0" in processes.limits[program], program
        assert not [path for path in kept if path.name.startswith("core")]
        assert not [name for name in os.listdir() if name.startswith("core")
                    and os.path.isfile(name)]

        # one that is planted is found, in a log and in Redis
        town.send("GET", f"/nothing/{MARK}")
        town.redis("SET", "planted", base64.b64encode(f"x{MARK}".encode()))
        kept = {path: data for path, data in files(*folders)
                if path not in drive.files}
        held = dump(town.redis)
        found = search()
        names = {place.rpartition("/")[2]: what
                 for place, what in found.items()}
        assert names.pop("access.log") == ["an id"]
        assert names.pop("Redis") == ["an id"]
        assert [name for name in names if name.endswith(".aof")]
        assert all(name == "error.log" or name.endswith(".aof")
                   for name in names), names
