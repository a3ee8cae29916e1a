"""The relay: what the workers journal reaches the other parties, once, in
order, whatever dies on the way; and nobody else learns of it."""

import datetime
import json
import random
import re
import ssl
import threading
import time
import uuid

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lib import sealing
from lib.party import Party
from lib.process import eventually
from lib.redis import Redis
from lib.relay import (ECK, SCHOOL, SECRET, Keys, Relay, leerpoort, made_uuid,
                       packed)
from lib.stand_in import GARBAGE, HANG_UP

QUICK = ("--retry", "0.1,0.2", "--lock", "0.5")
SOON = 20  # seconds: generous, for a loaded machine


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return Keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def party(keys):
    party = Party(public=keys.public).start()
    yield party
    party.stop()
    assert party.faults == []


@pytest.fixture
def relay(tmp_path, redis, party, keys):
    relay = Relay(tmp_path, redis, [party], keys)
    yield relay
    relay.destroy()
    said = relay.said() if relay.log.exists() else ""
    assert not re.search("runtime error|Sanitizer", said), said
    assert ECK not in said and "c0ffee" not in said


def all_gone(relay, party):
    return lambda: not relay.journaled() and not relay.waiting(party.oin)


# --- what is said ------------------------------------------------------------

def test_a_confirmation_has_edu_v_s_form(relay, party):
    relay.confirm(party, made_uuid(1), "a reference", "licensed",
                  at=1789000000)
    relay.once()
    (message,) = party.messages
    assert message.path == "/entitlements/confirmations"
    receive = message.json.pop("entitlementReceiveId")
    assert str(uuid.UUID(receive)) == receive
    assert message.json == {
        "entitlementReferenceId": "a reference",
        "entitlementId": made_uuid(1), "productId": "8717927130834",
        "processedTimestamp": "2026-09-10T00:26:40Z",
        "newEntitlementStatus": "licensed"}
    assert relay.waiting(party.oin) == relay.journaled() == 0


def test_an_activation_has_edu_v_s_form(relay, party):
    person = {"userMasterIdentifier": ECK}
    relay.activate(party, made_uuid(1), person)
    relay.once()
    (message,) = party.messages
    assert message.path == "/usage/activation"
    assert message.json == {
        "entitlementId": made_uuid(1), "productId": "8717927130834",
        "entitlementType": "school-student",
        "school": {"organisationMasterIdentifier": SCHOOL}, "user": person,
        "usageDate": "2026-09-01", "usageType": "initial-activation",
        "expirationDate": "2027-07-31"}


def test_an_activation_by_code_names_the_code(relay, party):
    person = {"userIds": [{"userId": "jan@example", "userIdType": "NEPPI"}]}
    relay.activate(party, made_uuid(1), person, school=None, code="A-CODE",
                   type_="customer-activationcode")
    relay.once()
    (message,) = party.messages
    assert message.json["activationCode"] == "A-CODE"
    assert message.json["user"] == person
    assert "school" not in message.json


def test_codes_are_made_again_and_sent(relay, party):
    relay.journal(3, kind="codes", party=party.oin, ref="order 7",
                  product="book", quantity=3, at=1789000000)
    relay.journal(3, kind="codes-revoked", party=party.oin, ref="back 7",
                  product="book", at=1789000000)
    relay.once()
    made, revoked = sorted(party.messages, key=lambda m: len(m.path))
    assert made.path == "/activationcodes/confirmations"
    assert revoked.path == "/activationcodes/revoke/confirmations"
    codes = [sealing.code(SECRET, f"{party.oin}|order 7|{i}")
             for i in range(3)]
    assert made.json.pop("activationCodes") == codes
    for message, ref in (made, "order 7"), (revoked, "back 7"):
        assert uuid.UUID(message.json.pop("responseReferenceId"))
        assert message.json == {
            "requestReferenceId": ref, "productId": "book", "success": True,
            "status": 0, "processedTimestamp": "2026-09-10T00:26:40Z"}


def test_the_right_to_a_whole_school_is_told_as_a_student_s(relay, party):
    relay.activate(party, made_uuid(1), {"userMasterIdentifier": ECK},
                   type_="school-open")
    relay.once()
    assert party.messages[0].json["entitlementType"] == "school-student"


@pytest.mark.parametrize("alg", ["RS256", "ES256"])
def test_assertions_are_signed_by_the_key_s_algorithm(tmp_path, redis, alg):
    keys = Keys(tmp_path, alg)
    party = Party(public=keys.public).start()
    try:
        relay = Relay(tmp_path, redis, [party], keys)
        relay.confirm(party, made_uuid(1), "one")
        relay.once()
        assert len(party.arrived()) == 1 and party.faults == []
    finally:
        party.stop()


# --- order -------------------------------------------------------------------

def test_order_is_kept_for_each_entitlement_with_eight_in_flight(relay, party):
    most, in_hand, lock = [0], set(), threading.Lock()
    faults = []

    def answer(message):
        with lock:
            if message.entitlement in in_hand:
                faults.append("two of one entitlement at once")
            in_hand.add(message.entitlement)
            most[0] = max(most[0], len(in_hand))
        # the first ones are the slowest: the order is not luck
        time.sleep(0.03 if message.json["entitlementReferenceId"] < "3"
                   else 0.001)
        with lock:
            in_hand.discard(message.entitlement)
        return 200

    party.answer = answer
    for i in range(8):
        for entitlement in range(12):
            relay.confirm(party, made_uuid(entitlement), f"{i}",
                          shard=entitlement)
    relay.start()
    eventually("all arrived", lambda: len(party.arrived()) == 96, SOON)
    assert faults == []
    assert 2 <= most[0] <= 8
    for entitlement in range(12):
        refs = [m.json["entitlementReferenceId"] for m in party.messages
                if m.entitlement == made_uuid(entitlement)]
        assert refs == [str(i) for i in range(8)]


def test_order_is_kept_over_a_failure(relay, party):
    """The second of three fails: the third does not overtake it."""
    failures = [2]

    def answer(message):
        if message.json["entitlementReferenceId"] == "2" and failures[0]:
            failures[0] -= 1
            return 503
        return 200

    party.answer = answer
    for ref in "123":
        relay.confirm(party, made_uuid(1), ref)
    relay.start(*QUICK)
    eventually("all arrived", lambda: len(party.arrived()) == 3, SOON)
    assert [m.json["entitlementReferenceId"] for m in party.messages] == [
        "1", "2", "2", "2", "3"]


# --- bad days of a party -----------------------------------------------------

def test_a_party_that_is_down_gets_all_when_it_is_back(relay, party):
    party.stop()
    for i in range(40):
        relay.confirm(party, made_uuid(i), f"{i}", shard=i)
    relay.start(*QUICK)
    eventually("two failures are known", lambda: int(
        relay.pause(party.oin).get("failures", 0)) >= 2, SOON)
    code, status = relay.status()
    assert code == 1 and not status["ok"] and status["relay"]
    (entry,) = status["parties"]
    assert entry["waiting"] == 40 and entry["failures"] >= 2
    assert entry["oldest"] <= time.time() and entry["dead"] == 0
    assert entry["reason"] == "token endpoint could not be reached"
    party.start()
    eventually("all arrived", lambda: len(party.arrived()) == 40, SOON)
    eventually("no pause", lambda: not relay.pause(party.oin), SOON)
    eventually("nothing waits", all_gone(relay, party), SOON)
    assert relay.status()[0] == 0


def bad_answers():
    return {
        "500": (500, {}, b"oops"), "503": 503, "502": 502,
        "429": (429, {"Retry-After": "1"}, b"{}"), "408": 408,
        "a redirect": (302, {"Location": "http://127.0.0.1:9/"}, b""),
        "206": 206, "garbage": GARBAGE, "hang up": HANG_UP,
        "too long": (200, {}, b"x" * 200000),
    }


@pytest.mark.parametrize("name", bad_answers())
def test_a_bad_answer_is_a_pause_and_no_loss(relay, party, name):
    bad = bad_answers()[name]
    answers = [bad]
    party.answer = lambda message: answers.pop() if answers else 200
    relay.confirm(party, made_uuid(1), "one")
    relay.start(*QUICK)
    eventually("it arrived", lambda: len(party.messages) == 2
               and party.messages[1].status == 200, SOON)
    eventually("nothing waits", all_gone(relay, party), SOON)
    first, second = party.messages
    assert first.body == second.body
    assert relay.dead(party.oin) == []
    if name != "hang up":  # which may be an idle connection's end: tried anew
        eventually("it is said", lambda: f"receiver={party.oin} answers again"
                   in relay.said(), SOON)
    if name == "429":
        assert second.began - first.began >= 0.9


def test_a_slow_party_is_not_waited_for_for_ever(relay, party):
    hurry = threading.Event()
    party.answer = lambda message: hurry.wait(30) and 200
    relay.confirm(party, made_uuid(1), "one")
    relay.start(*QUICK, "--patience", "0.3")
    eventually("it is given up", lambda: relay.pause(party.oin).get("reason")
               == "it did not answer in time", SOON)
    hurry.set()
    eventually("nothing waits", all_gone(relay, party), SOON)


def test_one_party_does_not_hold_another_up(tmp_path, redis, keys):
    parties = [Party(str(i) * 20, keys.public).start() for i in (1, 2)]
    hurry = threading.Event()
    parties[0].answer = lambda message: hurry.wait(30) and 200
    relay = Relay(tmp_path, redis, parties, keys)
    try:
        for i in range(20):
            for party in parties:
                relay.confirm(party, made_uuid(i), f"{i}")
        relay.start()
        eventually("the other has all", lambda: len(
            parties[1].arrived()) == 20, SOON)
        assert not parties[0].arrived()
        hurry.set()
        eventually("both have", lambda: len(parties[0].arrived()) == 20, SOON)
    finally:
        hurry.set()
        relay.destroy()
        for party in parties:
            party.stop()


def test_pauses_grow_and_a_restart_keeps_them(relay, party):
    party.answer = lambda message: 503
    relay.confirm(party, made_uuid(1), "one")
    relay.start("--retry", "0.1,3600", "--lock", "0.3")
    eventually("two failures", lambda: relay.pause(party.oin).get(
        "failures") == "2", SOON)
    assert float(relay.pause(party.oin)["next"]) > time.time() + 3000
    before = relay.pause(party.oin)
    relay.kill()
    relay.start("--retry", "0.1,3600", "--lock", "0.3")
    eventually("it works", lambda: relay.status()[1]["relay"], SOON)
    relay.confirm(party, made_uuid(2), "two")
    eventually("it queues", lambda: relay.waiting(party.oin) == 2, SOON)
    assert relay.pause(party.oin) == before
    assert len(party.messages) == 2
    party.answer = lambda message: 200
    assert "now" in relay.retry(party.oin)
    eventually("all arrived", lambda: len(party.arrived()) == 2, SOON)
    assert "not paused" in relay.retry(party.oin)


def test_retry_after_is_honoured_up_to_an_hour(relay, party):
    party.answer = lambda message: (503, {"Retry-After": "1000000"}, b"")
    relay.confirm(party, made_uuid(1), "one")
    relay.once()
    next_try = float(relay.pause(party.oin)["next"]) - time.time()
    assert 3500 < next_try <= 3600


def test_a_message_that_breaks_a_party_holds_others_up_only_for_a_while(
        relay, party):
    """5xx four times for one message, while others arrive: it is set aside.
    While nothing arrives, nothing is."""
    party.answer = lambda message: 500
    relay.confirm(party, made_uuid(0), "poison")
    for i in range(1, 30):
        relay.confirm(party, made_uuid(i), f"{i}")
    relay.start("--retry", "0.05")
    eventually("it failed often", lambda: int(relay.pause(party.oin).get(
        "failures", 0)) >= 8, SOON)
    assert relay.waiting(party.oin) == 30 and not relay.dead(party.oin)
    party.answer = lambda message: 500 if (
        message.json["entitlementReferenceId"] == "poison") else 200
    eventually("all others arrived", lambda: len(party.arrived()) == 29, SOON)
    eventually("it is set aside", lambda: len(relay.dead(party.oin)) == 1,
               SOON)
    (dead,) = relay.dead(party.oin)
    assert dead["ref"] == "poison" and dead["reason"].startswith("5xx again")
    eventually("nothing waits", all_gone(relay, party), SOON)


# --- access tokens -----------------------------------------------------------

def test_one_token_serves_many_messages(relay, party):
    for i in range(30):
        relay.confirm(party, made_uuid(i), f"{i}")
    relay.once()
    assert len(party.arrived()) == 30 and party.asked == 1


def test_an_expired_token_is_replaced_without_a_pause(relay, party):
    relay.start("--retry", "3600")
    relay.confirm(party, made_uuid(0), "first")
    eventually("it arrived", lambda: len(party.arrived()) == 1, SOON)
    party.revoke_tokens()
    for i in range(20):
        relay.confirm(party, made_uuid(i), f"{i}")
    eventually("all arrived", lambda: len(party.arrived()) == 21, SOON)
    assert party.asked == 2 and 1 <= party.denied <= 8
    assert not relay.pause(party.oin)


def test_a_token_is_not_used_when_its_time_is_over(relay, party):
    party.expires_in = 0
    relay.start("--retry", "3600")
    relay.confirm(party, made_uuid(0), "first")
    eventually("it was asked for", lambda: party.asked > 1, SOON)
    party.expires_in = 600
    eventually("it arrived", lambda: party.arrived(), SOON)
    assert party.denied == 0


def test_401_even_with_a_fresh_token_is_a_pause(relay, party):
    party.answer = lambda message: 401
    relay.confirm(party, made_uuid(1), "one")
    relay.once()
    assert relay.pause(party.oin)["reason"] == "status 401"
    assert party.asked == 2 and len(party.messages) == 2
    assert relay.waiting(party.oin) == 1 and not relay.dead(party.oin)


@pytest.mark.parametrize("answer, reason", [
    (400, "token endpoint: status 400"), (500, "token endpoint: status 500"),
    ((200, {}, b"not json"), "token endpoint answered with garbage"),
    ((200, {}, b'{"access_token": "a b"}'),
     "token endpoint answered with garbage"),
    ((200, {}, b'{"access_token": "x", "token_type": "mac"}'),
     "token endpoint answered with garbage"),
    (HANG_UP, "token endpoint answered with garbage")])
def test_a_token_endpoint_that_fails_is_a_pause(relay, party, answer, reason):
    party.token_answer = lambda form: answer
    relay.confirm(party, made_uuid(1), "one")
    relay.once()
    assert relay.pause(party.oin)["reason"] == reason
    assert party.messages == []


def test_a_key_that_is_gone_is_a_pause(relay, party, keys):
    relay.set_parties([{**party.entry(keys.file),
                        "keyFile": str(relay.folder / "none.jwk")}])
    relay.confirm(party, made_uuid(1), "one")
    relay.once()
    assert relay.pause(party.oin)["reason"].startswith("token: our key")


# --- dead letters ------------------------------------------------------------

@pytest.mark.parametrize("status", [400, 403, 404, 405, 409, 422])
def test_a_refused_message_is_set_aside_and_the_rest_goes_on(relay, party,
                                                             status):
    canary = "user c0ffee00c0ffee00c0ffee is unknown to Jan Jansen"
    party.answer = lambda message: (status, {}, json.dumps(
        {"status": 11, "statusMessage": canary}).encode()) if (
            message.json["entitlementReferenceId"] == "2") else 200
    for i in range(4):
        relay.confirm(party, made_uuid(1), f"{i}")
    relay.once()
    assert [m.json["entitlementReferenceId"] for m in party.messages] == list(
        "0123")
    (dead,) = relay.dead(party.oin)
    assert dead["ref"] == "2" and dead["entitlement"] == packed(made_uuid(1))
    assert dead["reason"] == f"refused: status {status}, code 11"
    assert relay.waiting(party.oin) == 0 and not relay.pause(party.oin)
    assert "Jan Jansen" not in relay.said()
    code, state = relay.status()
    assert code == 1 and state["parties"][0]["dead"] == 1


def test_dead_letters_can_be_put_back(relay, party):
    party.answer = lambda message: (400, {}, b"no json")
    for i in range(250):
        relay.confirm(party, made_uuid(i), f"{i}", shard=i % 64)
    relay.once()
    assert len(relay.dead(party.oin)) == 250
    assert {d["reason"] for d in relay.dead(party.oin)} == {
        "refused: status 400"}
    party.answer = lambda message: 200
    assert "dead letters put back: 250" in relay.retry(party.oin, "--dead")
    assert relay.dead(party.oin) == []
    relay.once()
    assert len(party.arrived()) == 250 and relay.status()[0] == 0
    bodies = {}
    for message in party.messages:
        bodies.setdefault(message.entitlement, set()).add(message.body)
    assert all(len(same) == 1 for same in bodies.values())


@pytest.mark.parametrize("entry, reason", [
    (None, "parties.json does not have it"),
    ("no url", "parties.json gives it no baseUrl")])
def test_a_party_without_an_address_gets_dead_letters(relay, party, entry,
                                                      reason, keys):
    plain = {"oin": party.oin, "name": "A seller"}
    relay.set_parties([plain] if entry else [])
    relay.confirm(party, made_uuid(1), "one")
    relay.once()
    (dead,) = relay.dead(party.oin)
    assert dead["reason"] == reason
    relay.set_parties([party])
    relay.retry(party.oin, "--dead")
    relay.once()
    assert len(party.arrived()) == 1


def test_what_another_key_sealed_is_set_aside(relay, party):
    relay.activate(party, made_uuid(1), {"userMasterIdentifier": ECK},
                   secret=b"quite another secret of 32 bytes")
    relay.confirm(party, made_uuid(2), "two")
    relay.once()
    (dead,) = relay.dead(party.oin)
    assert "sealed" in dead["reason"]
    assert len(party.arrived()) == 1


def test_entries_that_nobody_understands_are_set_aside(relay, party):
    relay.journal(1, some="thing")
    relay.journal(1, kind="confirmation", party="not an OIN")
    relay.journal(2, kind="surprise", party=party.oin)
    relay.journal(2, kind="confirmation", party=party.oin, entitlement="short")
    relay.confirm(party, made_uuid(2), "two")
    relay.once()
    assert len(relay.dead("unknown")) == 2
    assert len(relay.dead(party.oin)) == 2
    assert len(party.arrived()) == 1 and relay.journaled() == 0
    code, state = relay.status()
    assert code == 1
    assert [p["oin"] for p in state["parties"]] == [party.oin, "unknown"]


# --- privacy -----------------------------------------------------------------

def test_a_person_is_never_readable_in_redis_or_in_a_log(relay, party):
    person = {"userMasterIdentifier": ECK}
    party.stop()
    relay.activate(party, made_uuid(1), person)
    relay.once("--retry", "0.01")
    assert relay.waiting(party.oin) == 1
    party.start()
    party.answer = lambda message: 400
    eventually("the pause is over", lambda: time.time() > float(
        relay.pause(party.oin)["next"]), SOON)
    relay.once()
    assert len(relay.dead(party.oin)) == 1
    party.answer = lambda message: 200
    relay.retry(party.oin, "--dead")
    relay.once()
    assert party.messages[-1].json["user"] == person
    tokens = {message.token for message in party.messages}
    kept = b"".join(path.read_bytes() for path in relay.folder.rglob("*")
                    if path.is_file())
    assert b"outbox:" in kept, "the append-only file was not read"
    for canary in (ECK, "c0ffee", *tokens):
        assert canary.encode() not in kept
    shown = leerpoort("relay", "status", "--redis", relay.redis.address).stdout
    assert "c0ffee" not in shown


# --- bad days of ours --------------------------------------------------------

@pytest.mark.once
def test_kill_9_at_any_moment_loses_nothing(relay, party):
    """Thirty kills while three hundred messages go out: each arrives, and one
    that arrives twice is the same message."""
    chance = random.Random(1)
    party.answer = lambda message: time.sleep(0.01) or 200
    sent = 0
    for _ in range(30):
        for _ in range(10):
            relay.confirm(party, made_uuid(sent), f"{sent}", shard=sent % 64)
            sent += 1
        relay.start("--retry", "0.05", "--lock", "0.15")
        had = len(party.messages)
        eventually("something happens", lambda h=had: len(party.messages) > h
                   or not relay.journaled(), SOON)
        time.sleep(chance.random() * 0.06)
        relay.kill()
    relay.start("--retry", "0.05", "--lock", "0.15")
    eventually("nothing waits", all_gone(relay, party), 60)
    bodies = {}
    for message in party.arrived():
        bodies.setdefault(message.json["entitlementReferenceId"], set()).add(
            message.body)
    assert sorted(bodies, key=int) == [str(i) for i in range(300)]
    assert all(len(same) == 1 for same in bodies.values())
    assert relay.dead(party.oin) == []


def test_a_second_relay_waits_and_takes_over(tmp_path, relay, party):
    """What the first sent and had not yet written down may come twice."""
    relay.start("--lock", "0.5")
    eventually("it works", lambda: relay.status()[1]["relay"], SOON)
    other = Relay(tmp_path, relay.redis, [party], relay.keys)
    other.log = tmp_path / "other.log"
    try:
        other.start("--lock", "0.5")
        eventually("it waits", lambda: "another relay" in other.said(), SOON)
        relay.confirm(party, made_uuid(1), "one")
        eventually("it arrived", lambda: len(party.messages) == 1, SOON)
        relay.kill()
        relay.confirm(party, made_uuid(2), "two")
        eventually("it took over",
                   lambda: "two" in [m.json["entitlementReferenceId"]
                                     for m in party.arrived()], SOON)
        eventually("nothing waits", all_gone(relay, party), SOON)
        other.terminate()
        assert relay.redis("EXISTS", "relay:lock") == 0
    finally:
        other.destroy()


def test_a_relay_that_slept_does_not_write_beside_its_successor(relay, party):
    """Its lock is another's now: what it has in hand it forgets."""
    entered, hurry = threading.Event(), threading.Event()

    def answer(message):
        entered.set()
        hurry.wait(30)
        return 200

    party.answer = answer
    relay.confirm(party, made_uuid(1), "one")
    relay.start("--lock", "0.3")
    assert entered.wait(SOON)
    relay.redis("SET", "relay:lock", "somebody else", "PX", "1500")
    eventually("it notices", lambda: "lost=lock" in relay.said(), SOON)
    assert relay.waiting(party.oin) == 1
    hurry.set()
    eventually("it is sent again", lambda: len(party.messages) == 2, SOON)
    eventually("nothing waits", all_gone(relay, party), SOON)
    assert party.messages[0].body == party.messages[1].body


def test_sigterm_finishes_what_is_on_its_way(relay, party):
    entered = threading.Event()

    def answer(message):
        entered.set()
        time.sleep(0.4)
        return 200

    party.answer = answer
    relay.confirm(party, made_uuid(1), "one")
    relay.confirm(party, made_uuid(1), "two")
    relay.start()
    assert entered.wait(SOON)
    relay.terminate()
    assert len(party.messages) == 1 and relay.waiting(party.oin) == 1
    assert relay.redis("EXISTS", "relay:lock") == 0
    relay.once()
    assert len(party.messages) == 2


def test_once_ends_and_says_when_another_works(relay, party):
    relay.once()
    relay.redis("SET", "relay:lock", "somebody else")
    relay.confirm(party, made_uuid(1), "one")
    assert "another relay" in relay.once("--lock", "0.1", code=1)
    assert party.messages == []


def test_redis_killed_in_the_middle_loses_nothing(relay, party):
    party.answer = lambda message: time.sleep(0.005) or 200
    for i in range(150):
        relay.confirm(party, made_uuid(i), f"{i}", shard=i % 64)
    relay.start("--retry", "0.1")
    eventually("some arrived", lambda: len(party.arrived()) > 20, SOON)
    relay.redis.kill()
    eventually("it is said", lambda: "Redis fails" in relay.said(), SOON)
    relay.redis.restart()
    eventually("nothing waits", all_gone(relay, party), 30)
    refs = {m.json["entitlementReferenceId"] for m in party.arrived()}
    assert refs == {str(i) for i in range(150)}


def test_a_full_redis_holds_nothing_up_that_was_sent(relay, party):
    """Writing is refused, removing is not: messages go out and are gone."""
    for i in range(20):
        relay.confirm(party, made_uuid(i), f"{i}")
    party.stop()
    relay.once("--retry", "0.01")
    assert relay.waiting(party.oin) == 20
    party.start()
    relay.redis("CONFIG", "SET", "maxmemory", "1")
    relay.start("--retry", "0.1")
    eventually("Redis' refusal is said or all arrived",
               lambda: "OOM" in relay.said() or len(party.arrived()) == 20,
               SOON)
    relay.redis("CONFIG", "SET", "maxmemory", "0")
    eventually("nothing waits", all_gone(relay, party), SOON)
    assert len({m.body for m in party.arrived()}) == 20


def test_a_redis_that_forgets_is_refused(tmp_path, keys, party):
    folder = tmp_path / "other"
    folder.mkdir()
    redis = Redis(folder, durable=False)
    try:
        redis.start()
        relay = Relay(tmp_path, redis, [party], keys)
        assert "append" in relay.once(code=1).lower()
        relay.once("--unsafe-redis")
    finally:
        redis.destroy()


# --- TLS and the command line ------------------------------------------------

def self_signed(folder):
    """A certificate for 127.0.0.1 that nobody but its own file vouches for."""
    import ipaddress
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.utcnow()
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name)
        .public_key(key.public_key()).serial_number(7)
        .not_valid_before(now - datetime.timedelta(days=2))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName(
            [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(True, None), True)
        .sign(key, hashes.SHA256()))
    paths = folder / "cert.pem", folder / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(
        serialization.Encoding.PEM))
    paths[1].write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption()))
    return paths


def test_a_peer_that_nobody_vouches_for_is_refused(tmp_path, redis):
    certificate = self_signed(tmp_path)
    party = Party(certificate=certificate).start()
    relay = Relay(tmp_path, redis, [party])
    try:
        relay.confirm(party, made_uuid(1), "one")
        relay.once("--retry", "0.01")
        assert "TLS" in relay.pause(party.oin)["reason"]
        assert party.messages == []
        eventually("its pause is over", lambda: time.time() > float(
            relay.pause(party.oin)["next"]), SOON)
        relay.once("--ca", certificate[0])
        assert len(party.arrived()) == 1
        assert ssl.OPENSSL_VERSION
    finally:
        party.stop()


@pytest.mark.parametrize("options", [
    ("--retry", ""), ("--retry", "1,,2"), ("--retry", "-1"),
    ("--retry", "1,2,3,4,5,6,7,8,9"), ("--retry", "nan"), ("--lock", "0"),
    ("--patience", "x"), ("--nonsense",)])
def test_options_that_make_no_sense_are_refused(relay, options):
    assert relay.once(*options, code=2).startswith("leerpoort: ")


def test_retry_of_nobody_is_refused(relay, redis):
    for oin, code in ("123", 2), ("9" * 20, 1):
        run = leerpoort("relay", "retry", oin, "--redis", redis.address)
        assert run.returncode == code and run.stderr.startswith("leerpoort: ")


def test_messages_without_a_relay_are_stuck(relay, party):
    relay.confirm(party, made_uuid(1), "one")
    code, status = relay.status()
    assert code == 1 and not status["relay"] and status["journal"] == 1
    relay.once()
    assert relay.status()[0] == 0
