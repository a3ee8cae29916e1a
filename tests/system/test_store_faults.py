"""Whatever goes wrong between a worker and Redis, at whichever command or byte:
nobody is told of what was not done, and when it is done again it is done once.

Each operation is played undisturbed first; what it leaves in Redis is what it
must leave whenever it was disturbed and repeated.
"""

import collections
import contextlib
import json
import pathlib
import subprocess
import tempfile
import uuid

import pytest

from lib import names
from lib.desk import NOW, PERSON, Desk
from lib.fault import (Faults, half_told, lost, mistyped, refused, silent,
                       unanswered)
from lib.nginx import BUILD
from lib.party import Party
from lib.process import eventually
from lib.redis import Redis
from lib.relay import Keys, Relay, made_uuid
from lib.workers import environment

TIMEOUT = 150               # ms, of the workers
ECK = json.loads(PERSON)["userMasterIdentifier"]
SEALED = ("person", "code")  # a nonce makes each of them another text
ERRORS = ("OOM command not allowed when used memory > 'maxmemory'.",
          "READONLY You can't write against a read only replica.",
          "LOADING Redis is loading the dataset in memory",
          "MISCONF Errors writing to the AOF file",
          "NOREPLICAS Not enough good replicas to write.",
          "NOAUTH Authentication required.",
          "WRONGTYPE Operation against a key holding the wrong kind of value")
# Redis takes these at any time.
ALWAYS_TAKEN = ("MULTI", "WATCH", "UNWATCH")
FREEING = ("XDEL", "XACK", "DEL")  # also where it is full
TYPELESS = ("EXISTS", "EXPIRE")  # these take a key of any type


def pairs(flat):
    return dict(zip(flat[::2], flat[1::2]))


def read_key(redis, key, kind):
    if kind == "hash":
        return pairs(redis("HGETALL", key))
    if kind == "stream":
        entries = [pairs(fields) for _, fields in
                   redis("XRANGE", key, "-", "+")]
        return [{name: "sealed" if name in SEALED else value
                 for name, value in entry.items()} for entry in entries]
    if kind == "list":
        return redis("LRANGE", key, 0, -1)
    if kind == "set":
        return sorted(redis("SMEMBERS", key))
    if key.startswith("readers:"):
        return redis("PFCOUNT", key)
    with contextlib.closing(redis.client()) as client:
        return client.raw("GET", key)


def state(redis, but=()):
    """All that Redis holds, but for keys that begin so; ids of stream entries
    and what was sealed aside."""
    keys = sorted(key for key in redis("KEYS", "*")
                  if not key.startswith(tuple(but)))
    kinds = redis.pipeline([("TYPE", key) for key in keys])
    return {key: read_key(redis, key, kind) for key, kind in zip(keys, kinds)}


class Snapshot:
    """What Redis holds now, to begin from again."""

    def __init__(self, redis):
        self._redis = redis.client()
        self._keys = [(key, self._redis.raw("DUMP", key))
                      for key in redis("KEYS", "*")]

    def restore(self):
        told = self._redis.pipeline(
            [("FLUSHALL",)] + [("RESTORE", key, 0, data)
                               for key, data in self._keys])
        assert told == ["OK"] * len(told)

    def close(self):
        self._redis.close()


class Front:
    """What a Desk takes for its Redis: the workers' is behind the faults."""

    def __init__(self, redis, faults):
        self._redis, self.address = redis, faults.address

    def __call__(self, *args):
        return self._redis(*args)


class Bench:
    """One worker, and an operation's beginning."""

    def __init__(self, folder, redis):
        self.redis = redis
        self.faults = Faults(folder, redis.path)
        self.desk = Desk(folder, Front(redis, self.faults), n=1,
                         timeout=TIMEOUT)
        # of a type that no record is of
        self.desk.workers.allow.append(r"the record of entitlement \S+ can't "
                                       r"be read, and is not activated$")
        self.desk.workers.start()
        self.pids = self.desk.workers.pids()

    def user(self):
        return names.user_key(self.desk.workers.pepper.read_bytes(), "ECK",
                              ECK)

    def put(self, number):
        """PUT of one of this person's entitlements."""
        return self.desk.put("/v1/entitlements", {
            "entitlementReferenceId": f"ref-{number}",
            "entitlement": {
                "entitlementId": made_uuid(number), "productId": "book",
                "startDate": "2026-08-01",
                "activationUntilDate": f"20{27 + number}-07-31",
                "entitlementType": "school-student",
                "entitlementStatus": "created",
                "school": {"organisationMasterIdentifier": "S1"},
                "user": {"userMasterIdentifier": ECK}}},
            scope="entitlement.licensor").status

    def click(self, **more):
        answer = self.desk.workers.ask(
            "/go/book", LEERPOORT_ROUTE="activate", LEERPOORT_SCHOOL="S1",
            LEERPOORT_USERS=self.user(), LEERPOORT_PRODUCT="book",
            LEERPOORT_PERSON=PERSON, **more)
        return answer.headers.get("leerpoort-outcome", "redirect")

    def click_as_the_edge(self):
        """Which entitlement it will be, it says too."""
        return self.click(
            LEERPOORT_RIGHT="own", LEERPOORT_ENTITLEMENT=names.base64url(
                uuid.UUID(made_uuid(1)).bytes))

    def redeem(self):
        return self.desk.redeem(self.desk.code("codes-1"), self.user()).status


class Operation:
    """A thing that is done to Redis by a worker. done: its answer where it
    succeeded; undone: where it was disturbed; none: where a key of another
    type counts as none; twice: what may be in the journal again, word for
    word."""

    def __init__(self, bench, run, done, undone, none=(), but=(), twice=()):
        self.bench, self.run = bench, run
        self.done, self.undone, self.none = done, undone, none
        self.but, self.twice = but, twice
        self.start = Snapshot(bench.redis)
        self.faults = bench.faults
        run_ = self.disturbed()
        assert run_ == done, run_
        self.commands = list(self.faults.asked)
        self.bytes = self.faults.told
        self.end = self.now()
        assert any(key.startswith("journal:") for key in self.end)
        assert len(self.commands) < 60, self.commands

    def now(self):
        return state(self.bench.redis, self.but)

    def disturbed(self, **fault):
        """The answer of a run from the beginning, during which this happens."""
        self.start.restore()
        self.faults.arm(**fault)
        try:
            return self.run()
        finally:
            if fault:
                self.faults.arm()

    def check(self, typed=True, **fault):
        """Disturbed, then repeated. typed False: what was read may have been of
        another type."""
        answer = self.disturbed(**fault)
        if answer == self.done:
            assert self.settled() == self.end, "a false success"
        else:
            assert answer == self.undone or (
                not typed and answer in self.none), answer
        eventually("the repetition", lambda: self.run() == self.done, 20, 0.01)
        assert self.settled() == self.end
        assert self.bench.desk.workers.pids() == self.bench.pids

    def settled(self):
        """What is there, what may be there twice counted once."""
        found = self.now()
        for key, entries in found.items():
            if key.startswith("journal:"):
                found[key] = [
                    entry for i, entry in enumerate(entries)
                    if entry["kind"] not in self.twice
                    or entry not in entries[:i]]
        return found


@pytest.fixture(scope="module")
def bench():
    with tempfile.TemporaryDirectory(prefix="leerpoort-test-") as folder:
        folder = pathlib.Path(folder)
        redis = Redis(folder)
        bench = None
        try:
            redis.start()
            bench = Bench(folder, redis)
            yield bench
            bench.desk.workers.stop()
        finally:
            if bench is not None:
                bench.desk.workers.destroy()
                bench.faults.stop()
            redis.destroy()


@pytest.fixture(scope="module")
def operations(bench):
    """Each with a beginning that the others don't know."""
    made = {}
    seeds = Snapshot(bench.redis)
    assert bench.put(1) == 202
    made["activation"] = Operation(bench, bench.click, "redirect",
                                   "unavailable",
                                   none=["no-right", "unknown-product"])
    made["activation"].start.restore()
    made["named"] = Operation(bench, bench.click_as_the_edge, "redirect",
                              "unavailable",
                              none=["no-right", "unknown-product"])
    made["named"].start.restore()
    # another one of the same person and product: there is a chain to read
    made["put"] = Operation(bench, lambda: bench.put(2), 202, 503,
                            none=[400], twice=["confirmation"])
    seeds.restore()
    assert bench.desk.order("codes-1", 1).status == 202
    made["redeem"] = Operation(bench, bench.redeem, 200, 503,
                               but=["tries:"])
    yield made
    seeds.close()
    for operation in made.values():
        operation.start.close()


OPERATIONS = pytest.mark.parametrize(
    "name", ["activation", "named", "put", "redeem"])


def told(what, operation, number):
    """What an assertion needs to say."""
    return f"{what} at {number}: {operation.commands[number]}"


@contextlib.contextmanager
def naming(text):
    try:
        yield
    except AssertionError as reason:
        raise AssertionError(f"{text}: {reason}") from None


@OPERATIONS
@pytest.mark.parametrize("fault", [
    lost, unanswered, pytest.param(half_told, marks=pytest.mark.once)],
    ids=["lost", "unanswered", "half_told"])
def test_a_connection_may_end_at_any_command(operations, name, fault):
    operation = operations[name]
    for number in range(len(operation.commands)):
        with naming(told(fault.__name__, operation, number)):
            operation.check(fault=fault, command=number)


@pytest.mark.once
@OPERATIONS
def test_a_connection_may_end_at_any_byte(operations, name):
    """Some twenty bytes of all, others in each operation."""
    operation = operations[name]
    step = operation.bytes // 20 + 1
    for byte in range(len(name), operation.bytes, step):
        with naming(f"byte {byte} of {operation.bytes}"):
            operation.check(byte=byte)


@OPERATIONS
@pytest.mark.parametrize("error", [
    *ERRORS[:3], *(pytest.param(error, marks=pytest.mark.once)
                   for error in ERRORS[3:])], ids=lambda e: e.split()[0])
def test_an_error_at_any_command_is_no_success(operations, name, error):
    operation = operations[name]
    for number, command in enumerate(operation.commands):
        if command not in ALWAYS_TAKEN and not (
                error.startswith("WRONGTYPE") and command in TYPELESS):
            with naming(told(error, operation, number)):
                operation.check(fault=refused(error), command=number,
                                typed=not error.startswith("WRONGTYPE"))


@OPERATIONS
def test_a_transaction_that_is_refused_is_no_success(operations, name):
    operation = operations[name]
    number = operation.commands.index("EXEC")
    operation.check(fault=refused("EXECABORT Transaction discarded because "
                                  "of: MISCONF"), command=number)


@pytest.mark.once
@OPERATIONS
def test_silence_costs_one_timeout(operations, name):
    operation = operations[name]
    numbers = [i for i, command in enumerate(operation.commands)
               if i % 4 == 0 or command == "EXEC"]
    for number in numbers:
        with naming(told("silence", operation, number)):
            operation.check(fault=silent, command=number)


@OPERATIONS
def test_a_reply_of_another_type_is_no_success(operations, name):
    """Redis never says such a thing; a proxy may, or a later version."""
    operation = operations[name]
    for number, command in enumerate(operation.commands):
        if command not in ALWAYS_TAKEN:
            with naming(told("type", operation, number)):
                operation.check(fault=mistyped, command=number, typed=False)


# --- the daemons -------------------------------------------------------------

class Daemon:
    """A daemon with --once, from the same beginning each time. changing:
    commands that change what waits."""

    def __init__(self, folder, redis, argv, env, changing=("EXEC",)):
        self.redis, self.env, self.changing = redis, env, changing
        self.faults = Faults(folder, redis.path)
        self.argv = [BUILD / argv[0], *argv[1:], "--once", "--redis",
                     self.faults.address]
        self.start = None
        self.commands = []

    def run(self):
        """Its exit code."""
        run = subprocess.run(self.argv, env=self.env, timeout=60, check=False,
                             capture_output=True, text=True)
        assert run.returncode in (0, 1), (run.returncode, run.stderr)
        assert "canary" not in run.stderr
        return run.returncode

    def begin(self):
        """What Redis holds now is the beginning; plays it undisturbed."""
        self.start = Snapshot(self.redis)
        self.faults.arm()
        assert self.run() == 0
        self.commands = list(self.faults.asked)
        return state(self.redis)

    def disturb(self, fault, number):
        """Disturbed, then again until it is content."""
        self.start.restore()
        self.faults.arm(fault, number)
        self.run()
        self.faults.arm()
        eventually("the repetition", lambda: self.run() == 0, 30, 0.01)
        return state(self.redis)

    def some(self, n, fault):
        """Numbers of some n commands at which this may happen, and of all that
        change what waits."""
        step = max(1, len(self.commands) // n)
        return [i for i, command in enumerate(self.commands)
                if (i % step == 0 or command in self.changing)
                and not (isinstance(fault, bytes) and command in FREEING)]

    def close(self):
        self.faults.stop()
        self.start.close()


DAEMON_FAULTS = pytest.mark.parametrize("fault", [
    lost, unanswered, refused(ERRORS[0])], ids=["lost", "unanswered", "OOM"])


@pytest.mark.once
@DAEMON_FAULTS
def test_a_click_is_counted_once(tmp_path, redis, fault):
    licence = names.entitlement("licence")
    shard = names.shard("S1")
    redis("HSET", f"e:{{{shard}}}:{licence}", "type", "school-student",
          "status", "licensed", "product", "book", "school", "S1")
    for number in range(2):
        redis("XADD", f"usage:{{{shard}}}", "*", "p", "00112233445566aa", "n",
              number, "b", f"{NOW} S1 book {'A' * 22} {licence}\n"
                           f"{NOW} S1 atlas - -\n")
    tally = Daemon(tmp_path, redis, ["leerpoort-tally"],
                   environment(tmp_path, NOW + 60), ("EXEC", "XACK", "XDEL"))
    try:
        end = counted(tally.begin())
        assert end[f"e:{{{shard}}}:{licence}"]["count"] == "2"
        for number in tally.some(12, fault):
            with naming(f"{number}: {tally.commands[number]}"):
                assert counted(tally.disturb(fault, number)) == end
    finally:
        tally.close()


def counted(found):
    """Without what the tally knows of its own repetitions."""
    found["tally:state"].pop("repeated", None)
    return {key: value for key, value in found.items()
            if not key.startswith("tally:{")}


@pytest.mark.once
@DAEMON_FAULTS
def test_a_message_is_delivered_and_every_repetition_is_the_same(
        tmp_path, redis, fault):
    keys = Keys(tmp_path)
    party = Party(public=keys.public).start()
    relay = Relay(tmp_path, redis, [party], keys)
    relay.confirm(party, made_uuid(1), "ref-1")
    relay.activate(party, made_uuid(1), json.loads(PERSON))
    daemon = Daemon(tmp_path, redis, [
        "leerpoort-relay", "--seal", relay.seal, "--parties", relay.parties,
        "--retry", "0.05,0.05", "--lock", "0.2"], Relay.env())
    try:
        end = settled(daemon.begin())
        said = heard(party)
        assert sorted(said.values()) == [1, 1]
        for number in daemon.some(5, fault):
            party.messages.clear()
            with naming(f"{number}: {daemon.commands[number]}"):
                assert settled(daemon.disturb(fault, number)) == end
                assert set(heard(party)) == set(said)
                assert max(heard(party).values()) <= 3
    finally:
        daemon.close()
        party.stop()
    assert not party.faults


def heard(party):
    """How often each message came."""
    return collections.Counter(
        (message.path, json.dumps(message.json, sort_keys=True))
        for message in party.messages)


def settled(found):
    """What waits for the other party; what is said of it by the clock aside."""
    return {key: entries for key, entries in found.items()
            if key.startswith(("journal:", "outbox:", "dead:"))}
