"""leerpoort-load seed: a population into Leerpoort, straight and as a seller
sends it: the same either way, and the same each time."""

import http.server
import json
import re
import subprocess
import threading
import time

import pytest

from lib.country import OIN, Country
from lib.process import eventually
from lib.redis import Redis

CALM = {"errors": 0, "missed": 0, "wrong_redirects": 0}


@pytest.fixture(scope="module")
def country():
    with Country() as country:
        yield country


def dump(redis):
    """What belongs to people and schools, as {key: content}."""
    found = {}
    for key in sorted(redis("KEYS", "*")):
        kind = redis("TYPE", key)
        if key.startswith(("u:", "s:", "a:", "p:", "e:", "school:", "x:")):
            if kind == "string":
                found[key] = redis("GET", key)
            else:
                flat = redis("HGETALL", key)
                found[key] = dict(zip(flat[::2], flat[1::2]))
        elif key.startswith("i:"):
            found[key] = sorted(redis("LRANGE", key, 0, -1))
    return found


def test_a_seller_and_the_short_way_lead_to_the_same(country):
    """All that the edge and the workers read is compared, key by key. A seller
    can't send a licence: what is one straight is an entitlement of his."""
    redis = country.town.redis
    said = country.seed("--party", OIN).stdout
    rights = int(re.match(r"(\d+) rights of 104 people", said).group(1))
    assert rights > 600
    straight = dump(redis)

    said = country.sell("--bulk", 150).stdout
    assert int(said.split()[0]) >= rights  # a block is a line of its own
    sold = dump(redis)
    assert straight.keys() == sold.keys()

    licences = 0
    for key, was in straight.items():
        now = sold[key]
        if key.startswith("e:"):
            assert any(name.startswith("#") for name in now), key
            now = {name: value for name, value in now.items()
                   if not name.startswith("#")}
            if was["status"] == "licensed":
                licences += 1
                assert now["status"] == "entitled"
                was = {name: value for name, value in was.items()
                       if name not in ("licensed", "expires", "status")}
                del now["status"]
        if key.startswith("u:"):
            was = {name: right.replace("L", "E", 1) if right[0] == "L"
                   else right for name, right in was.items()}
        assert was == now, key
    assert licences > 200


def outcomes(country, run):
    result = json.loads((run / "run.json").read_text())
    assert result["counts"]["ended"]["right"] == result["counts"]["sent"]
    return result["counts"]["outcomes"]


@pytest.mark.parametrize("way", ["straight", "sold"])
def test_every_member_gets_what_the_population_says(country, way):
    """The run judges each answer by what the member holds."""
    if way == "straight":
        country.seed()
    else:
        country.sell()
    plan = country.plan(seconds=3, rate=300, thresholds=CALM)
    found = outcomes(country, country.run(plan, out=way))
    for outcome in ("redirect", "no-right", "not-yet", "ended", "blocked"):
        assert found[outcome] > 5, found


def test_loading_again_takes_away_what_a_run_made(country):
    redis = country.town.redis
    country.seed("--party", OIN)
    found = []
    for number in range(2):
        run = country.run(country.plan(seconds=1, rate=200),
                          out=f"again-{number}")
        # it waits until all of the run is counted
        country.verify(run, code=None)
        assert any("count" in record for key, record in dump(redis).items()
                   if key.startswith("e:"))
        country.seed("--party", OIN)
        found.append(dump(redis))
    assert not any("count" in record for key, record in found[1].items()
                   if key.startswith("e:"))
    assert found[0] == found[1]


def test_how_it_came_in_is_written_down(country):
    country.seed()
    seeded = json.loads((country.people / "seeded.json").read_text())
    assert seeded["by"] == "redis" and seeded["people"] == 104
    mark = country.town.redis("HGETALL", "rehearsal")
    mark = dict(zip(mark[::2], mark[1::2]))
    assert (mark["seed"], mark["by"], mark["whole"]) == ("5", "redis", "1")


# --- what it refuses ---

@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """A Redis alone."""
    redis = Redis(tmp_path_factory.mktemp("redis"))
    redis.start()
    yield redis
    redis.destroy()


@pytest.fixture(scope="module")
def people(tmp_path_factory, country):
    """Another population of the same size."""
    folder = tmp_path_factory.mktemp("people") / "other"
    country.load("population", folder, "--pupils", 100, "--products", 40,
                 "--seed", 6, "--jobs", 1)
    return folder


def seed_into(country, redis, people, *words, code=1):
    return country.load("seed", people, "--redis", redis.address, "--pepper",
                        country.town.pepper, *words, code=code).stderr


@pytest.mark.parametrize("key", [
    "u:{07}:S1/JOOUVFNgS6SBnwPlm43WeQ", "u:{07}:/JOOUVFNgS6SBnwPlm43WeQ",
    "s:{07}:104A158", "p:{33}:8717927130834", "school:{07}:104A158",
    "i:{07}:104A158", "week:{07}:104A158:2026-W36",
    "code:{07}:JOOUVFNgS6SBnwPlm43WeQ", "p:{01}:l"])
def test_a_redis_of_real_schools_is_refused(country, empty, key):
    empty("FLUSHALL")
    empty("HSET", key, "a", "b")
    assert "this Redis holds other schools" in seed_into(
        country, empty, country.people)
    assert empty("DBSIZE") == 1

    # also where a population came first
    empty("FLUSHALL")
    seed_into(country, empty, country.people, code=0)
    empty("HSET", key, "a", "b")
    assert "this Redis holds other schools" in seed_into(
        country, empty, country.people)


def test_what_idle_workers_leave_is_nobody(country, empty):
    empty("FLUSHALL")
    empty("XGROUP", "CREATE", "journal:{07}", "relay", "$", "MKSTREAM")
    empty("SET", "relay:lock", "somebody")
    empty("HSET", "tally:state", "entries", "1")
    seed_into(country, empty, country.people, code=0)


def test_another_population_is_not_mixed_in(country, empty, people):
    empty("FLUSHALL")
    seed_into(country, empty, people, code=0)
    before = empty("DBSIZE")
    assert "another population (seed 6, 100 pupils)" in seed_into(
        country, empty, country.people)
    assert empty("DBSIZE") == before


def test_a_redis_that_is_away_or_full(country, empty):
    assert "can't be reached" in country.load(
        "seed", country.people, "--redis", "127.0.0.1:1", "--pepper",
        country.town.pepper, code=1).stderr
    empty("FLUSHALL")
    empty("CONFIG", "SET", "maxmemory", "1500000")
    try:
        assert "Redis says OOM" in seed_into(country, empty, country.people)
    finally:
        empty("CONFIG", "SET", "maxmemory", "0")
    assert "was not loaded to its end" in country.load(
        "verify", country.people, "--before", "--redis", empty.address,
        "--pepper", country.town.pepper, code=1).stderr
    seed_into(country, empty, country.people, code=0)


def test_a_tally_that_is_behind_is_waited_for(country, empty):
    """What an earlier run left in the streams is being counted."""
    empty("FLUSHALL")
    redis = empty.client()

    def count():
        redis("HINCRBY", "tally:state", "lines", 1)
        return redis("EXISTS", "rehearsal")

    def tally():
        eventually("seed begins", count, seconds=30)
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            count()

    thread = threading.Thread(target=tally)
    thread.start()
    seed_into(country, empty, country.people, code=None)
    thread.join()
    assert empty("HGET", "rehearsal", "whole") == "1"


@pytest.mark.parametrize("words, said", [
    (["--client", "me"], "go with --api"),
    (["--bulk", "100"], "go with --api"),
    (["--api", "http://127.0.0.1:1"], "--api needs --client and --key"),
    (["--party", "123"], "--party is an OIN, 20 digits"),
    (["--api", "http://127.0.0.1:1", "--client", "a", "--key", "b",
      "--party", OIN], "the party is the client's"),
    (["--api", "http://127.0.0.1:1", "--client", "a", "--key", "b",
      "--bulk", "100001"], "--bulk")])
def test_options_that_do_not_belong_together(country, words, said):
    assert said in country.seed(*words, code=2).stderr


# --- an API that is difficult ---

class Moody(http.server.BaseHTTPRequestHandler):
    """Answers bulks as .server.moods says, one after another; then well."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server = self.server
        with server.lock:
            if self.path == "/oauth/token":
                server.tokens += 1
                return self.answer(200, json.dumps({
                    "access_token": f"token-{server.tokens}",
                    "token_type": "Bearer", "expires_in": server.life}))
            mood = server.moods.pop(0) if server.moods else None
            server.bulks.append((self.headers["Authorization"], body, mood))
        if mood == 503:
            return self.answer(503, "{}", {"Retry-After": "1"})
        if mood == "ages":
            return self.answer(503, "{}", {"Retry-After": str(10 ** 16)})
        if mood in (401, 403):
            return self.answer(mood, "{}")
        if mood == "drop":
            self.close_connection = True
            return None
        lines = body.decode().splitlines()
        answers = [{"line": i, "status": 2, "statusMessage": "Accepted"}
                   for i in range(1, len(lines) + 1)]
        if mood == "half":
            answers = answers[:len(lines) // 2] + [
                {"status": 99, "statusMessage": "not available for a moment"}]
        if mood == "short":
            answers = answers[:-1]
        if mood == "refuse":
            answers[0] = {"line": 1, "status": 9, "statusMessage":
                          "entitlement.school: is unknown\x1b[2J"}
        return self.answer(200, "".join(
            json.dumps(answer) + "\n" for answer in answers))

    def answer(self, status, text, headers=()):
        body = text.encode()
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def moody(country, empty):
    empty("FLUSHALL")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Moody)
    server.daemon_threads = True
    server.lock = threading.Lock()
    server.moods, server.bulks, server.tokens = [], [], 0
    server.life = 3600
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def sell_to(country, redis, moody, *words, **how):
    return country.load(
        "seed", country.people, "--redis", redis.address, "--pepper",
        country.town.pepper, "--api",
        f"http://127.0.0.1:{moody.server_port}", "--client", "seller-1",
        "--key", country.town.seller.key, *words, **how)


def test_what_was_not_answered_is_sent_again(country, empty, moody):
    """The same bytes, as often as it takes; each line is accepted once."""
    moody.moods = [503, "half", "drop", 401, "short"]
    said = sell_to(country, empty, moody, "--bulk", 400).stdout
    good = [body for _, body, mood in moody.bulks if mood is None]
    lines = [line for body in good for line in body.splitlines()]
    references = [json.loads(line)["entitlementReferenceId"]
                  for line in lines]
    assert len(set(references)) == len(references)
    assert said.startswith(f"{len(lines)} rights of 104 people")
    for _, body, _ in moody.bulks:
        assert body in good
    assert moody.tokens >= 2  # after the 401


@pytest.mark.once
def test_an_api_that_wants_ages_is_not_asked_at_once(country, empty, moody):
    moody.moods = ["ages"]
    with pytest.raises(subprocess.TimeoutExpired):
        sell_to(country, empty, moody, timeout=4)
    assert len(moody.bulks) == 1


def test_bulks_are_as_long_as_asked(country, empty, moody):
    sell_to(country, empty, moody, "--bulk", 100)
    sizes = [len(body.splitlines()) for _, body, _ in moody.bulks]
    assert max(sizes) <= 100 and len(sizes) >= 10


def test_refusals_are_counted_and_told(country, empty, moody):
    moody.moods = ["refuse", "refuse"]
    run = sell_to(country, empty, moody, "--bulk", 300, code=1)
    assert "2 lines were refused" in run.stderr
    assert "2 times: entitlement.school: is unknown" in run.stderr
    assert "\x1b" not in run.stderr
    # it can't be compared with what was not taken
    assert empty("HGET", "rehearsal", "whole") == "0"


def test_a_client_that_may_not_is_told_so(country, empty, moody):
    moody.moods = [403] * 8
    run = sell_to(country, empty, moody, code=1)
    assert "may this client do entitlement.licensor" in run.stderr


def test_the_wrong_client_gets_no_token(country):
    run = country.load(
        "seed", country.people, *country.redis(), "--api", country.url,
        "--client", "nobody", "--key", country.town.seller.key, code=1)
    assert "no access token" in run.stderr and "401" in run.stderr
