"""Entitlements in: import, bulk, what they take of Redis; and the tally.

import   leerpoort import entitlements with AOF always, each confirmed as the
         API would; then redis-cli --pipe of what Redis wrote for it, into
         another Redis that is as empty as the first one was.
bulk     the same file as one request to the edge.
tally    streams as the edges make them, 100 clicks a batch.
records  used_memory before and after, the journal left out.
"""

import contextlib
import http.client
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import tempfile
import time

import legs
import sales
import writes
from activation import spent
from lib import names
from lib.nginx import BUILD
from lib.redis import Redis
from lib.town import Town
from lib.workers import secret

LINES = 100         # clicks of a batch of usage
BATCH = 200         # commands at once, where we write ourselves


@contextlib.contextmanager
def folder():
    path = pathlib.Path(tempfile.mkdtemp(prefix="leerpoort-bench-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def empty_redis(sold, durable=True):
    """A Redis that knows the products and schools alone."""
    with folder() as path:
        redis = Redis(path, durable=durable, options=sales.REDIS)
        try:
            sold.found(redis.start())
            yield redis
        finally:
            redis.destroy()


def pour(redis, commands):
    client = redis.client()
    batch = []
    for command in commands:
        batch.append(command)
        if len(batch) == BATCH:
            check(client.pipeline(batch))
            batch = []
    if batch:
        check(client.pipeline(batch))
    client.close()


def check(replies):
    for reply in replies:
        if isinstance(reply, Exception):
            raise legs.Failed(str(reply))


# --- import and bulk ----------------------------------------------------------

def import_once(sold, file, pepper):
    """(seconds, what Redis wrote)"""
    with empty_redis(sold) as redis:
        written = writes.Writes(redis)
        began = time.monotonic()
        sales.bring_in(redis, file, pepper, "--confirm")
        took = time.monotonic() - began
        return took, written.take()


def pipe_once(sold, file):
    """Seconds in which redis-cli sends the file and has read all replies."""
    with empty_redis(sold) as redis, open(file, "rb") as data:
        began = time.monotonic()
        run = subprocess.run(["redis-cli", "-s", redis.path, "--pipe"],
                             stdin=data, capture_output=True, text=True,
                             timeout=300, check=False)
        took = time.monotonic() - began
        if run.returncode != 0 or "errors: 0" not in run.stdout:
            raise legs.Failed(run.stdout + run.stderr)
        return took


def imports(plan):
    sold = sales.Sales(plan.entitlements)
    rounds = []
    with folder() as path:
        pepper = secret(path / "pepper")
        file = sold.write(path / "sold")
        for _ in range(plan.rounds):
            took, written = import_once(sold, file, pepper)
            (path / "writes").write_bytes(written)
            rounds.append((sold.count / took, sold.count / pipe_once(
                sold, path / "writes")))
    return {"entitlements": sold.count, "bytes_written": len(written),
            "ratio": statistics.median(ours / pipe for ours, pipe in rounds),
            "import_per_s": statistics.median(ours for ours, _ in rounds),
            "pipe_per_s": statistics.median(pipe for _, pipe in rounds),
            "rounds": rounds}


def bulk(plan):
    """A seller sends all in one request; each round others."""
    lots = [sales.Sales(plan.entitlements, first=i * plan.entitlements)
            for i in range(plan.rounds)]
    rates = []
    with Town(workers=8, daemons=(), server="access_log off;",
              edge={"level": "error", "timeout": "500ms"}) as town:
        for option in sales.REDIS:
            town.redis("CONFIG", "SET", *option.split())
        lots[0].found(town.redis)
        for lot in lots:
            file = lot.write(town.folder / "sold")
            rates.append(lot.count / send(town, file, lot.count))
    return {"entitlements": lots[0].count,
            "per_s": statistics.median(rates), "rounds": rates}


def send(town, file, count):
    """Seconds for one bulk request with its answer, a line for each."""
    token = town.seller.token()
    connection = http.client.HTTPConnection("127.0.0.1", town.edge.port,
                                            timeout=300)
    began = time.monotonic()
    with open(file, "rb") as body:
        connection.request("POST", "/v1/entitlements/bulk", body, {
            "Content-Type": "application/x-ndjson",
            "Content-Length": str(os.path.getsize(file)),
            "Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        text = answer.read()
    took = time.monotonic() - began
    connection.close()
    good = text.count(b'"status":2,')
    if answer.status != 200 or good != count:
        raise legs.Failed(f"bulk: {answer.status}, {good} of {count}: "
                          f"{text[-300:]}")
    return took


# --- the tally ----------------------------------------------------------------

def batches(sold, pepper, clicks, began):
    """XADDs as the edge makes them; the same every time but for the hour."""
    chosen = random.Random(1)
    keys = {}
    schools = {}
    for pupil in range(sold.pupils):
        schools.setdefault(names.shard(sold.school(pupil)), []).append(pupil)
    shards = sorted(schools)
    for n in range(clicks // LINES):
        shard = shards[n % len(shards)]
        lines = []
        for _ in range(LINES):
            pupil = chosen.choice(schools[shard])
            book = chosen.randrange(sales.EACH)
            if pupil not in keys:
                keys[pupil] = names.user_key(pepper, "ECK", sold.eck(pupil))
            lines.append(f"{began} {sold.school(pupil)} "
                         f"{sales.product(book)} {keys[pupil]} "
                         f"{sold.packed(pupil, book)}\n")
        yield ["XADD", f"usage:{{{shard}}}", "*", "p", f"{began:016x}", "n",
               n // len(shards), "b", "".join(lines)]


def tally_once(redis):
    """(seconds, microseconds of the tally's CPU, of Redis')"""
    before = spent(redis.pid)
    own = os.times()
    began = time.monotonic()
    run = subprocess.run([BUILD / "leerpoort-tally", "--once", "--redis",
                          redis.address], capture_output=True, text=True,
                         timeout=600, check=False)
    took = time.monotonic() - began
    after = os.times()
    if run.returncode != 0:
        raise legs.Failed(run.stderr)
    return (took, 1e6 * (after.children_user - own.children_user
                         + after.children_system - own.children_system),
            spent(redis.pid) - before)


def tally(plan):
    sold = sales.Sales(plan.entitlements)
    clicks = plan.clicks // LINES * LINES
    rounds = []
    with folder() as path, empty_redis(sold) as redis:
        pepper = secret(path / "pepper")
        sales.bring_in(redis, sold.write(path / "sold"), pepper)
        for i in range(plan.rounds):
            pour(redis, batches(sold, pepper.read_bytes(), clicks,
                                int(time.time()) - 3600 + i))
            took, cpu, redis_cpu = tally_once(redis)
            rounds.append((clicks / took, cpu / clicks, redis_cpu / clicks))
        counted = int(redis("HGET", "tally:state", "lines"))
    if counted != clicks * plan.rounds:
        raise legs.Failed(f"{counted} clicks were counted, not "
                          f"{clicks * plan.rounds}")
    rate, cpu, redis_cpu = (statistics.median(column)
                            for column in zip(*rounds))
    return {"events": clicks, "per_s": rate, "cpu_us": cpu,
            "redis_cpu_us": redis_cpu, "rounds": rounds}


# --- what an entitlement takes of Redis ---------------------------------------

def kinds(redis, sample):
    """Bytes of the keys of each kind, by MEMORY USAGE of some of them."""
    found = {}
    for key in sample:
        found.setdefault(key.partition(":")[0], []).append(
            redis("MEMORY", "USAGE", key, "SAMPLES", 0))
    return {kind: statistics.mean(sizes) for kind, sizes in found.items()}


def used(redis):
    for line in redis("INFO", "memory").splitlines():
        if line.startswith("used_memory:"):
            return int(line.partition(":")[2])
    raise legs.Failed("INFO memory says nothing")


def table(keys):
    """Bytes of Redis' table of keys: a power of two of pointers."""
    return 8 << max(2, (keys - 1).bit_length()) if keys else 0


def net(redis):
    """used_memory without the table, which grows by doubling."""
    return used(redis) - table(redis("DBSIZE"))


def licensed(sold):
    """What an activation and the tally add to each entitlement, and to the
    right that its pupil has."""
    for pupil in range(sold.pupils):
        for number in range(sales.EACH):
            shard = names.shard(sold.school(pupil))
            yield ["HSET", f"e:{{{shard}}}:{sold.packed(pupil, number)}",
                   "status", "licensed", "licensed", "20260901", "expires",
                   "20270731", "first", "20260901", "last", "20270301",
                   "count", 40 + pupil % 100]


def records(plan):
    sold = sales.Sales(plan.entitlements)
    with folder() as path, empty_redis(sold, durable=False) as redis:
        pepper = secret(path / "pepper")
        file = sold.write(path / "sold")
        before, keys = net(redis), redis("DBSIZE")
        sales.bring_in(redis, file, pepper)
        raw = {"entitlements": sold.count, "sold": shares(
            redis, sold, before)}
        pour(redis, licensed(sold))
        raw["used"] = shares(redis, sold, before)
        each = (redis("DBSIZE") - keys) / sold.count
        raw["keys"] = each
        raw["encodings"] = encodings(redis)
    country = (raw["used"]["bytes"] * sales.COUNTRY
               + table(round(each * sales.COUNTRY)))
    return {**raw, "country_bytes": country, "country_gb": country / 1e9}


def shares(redis, sold, before):
    """Bytes of an entitlement, and in which keys they are."""
    return {"bytes": (net(redis) - before) / sold.count,
            "of_key": kinds(redis, some_keys(redis))}


def some_keys(redis, each=300):
    """Some of each kind that entitlements have."""
    found = []
    for kind in "euxi":
        cursor, more = "0", []
        while len(more) < each:
            cursor, keys = redis("SCAN", cursor, "MATCH", f"{kind}:*",
                                 "COUNT", 5000)
            more += keys
            if cursor == "0":
                break
        found += more[:each]
    return found


def encodings(redis):
    """{"e": "listpack"}; more than one word where keys differ."""
    found = {}
    for key in some_keys(redis):
        found.setdefault(key.partition(":")[0], set()).add(
            redis("OBJECT", "ENCODING", key))
    return {kind: "/".join(sorted(words)) for kind, words in found.items()}
