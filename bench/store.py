"""Redis: how soon a revocation is obeyed, how much memory a country takes."""

import base64
import itertools
import math
import os
import pathlib
import shutil
import tempfile
import time

from bed import pin, product
from lib import http, names
from lib.process import eventually
from lib.redis import Redis

COUNTRY = 2_400_000     # pupils
SCHOOLS = 9_000         # of the country
PRODUCTS = 20_000       # whole, whatever the number of pupils
RIGHTS = 20             # of a pupil
OPEN_RIGHTS = 5         # of a school
BATCH = 500             # pupils in one write


def percentile(values, q):
    """The smallest value that q of all do not exceed."""
    return sorted(values)[max(0, math.ceil(q * len(values)) - 1)]


def revocation(bed, times):
    """Milliseconds from sending HDEL until a refusal has come, each time.

    One connection clicks without a pause meanwhile. The time includes Redis'
    fsync of the change (appendfsync always) and the last click itself.
    """
    pupil = bed.pupils[0]
    token = pupil.token()
    grant = ["HSET", pupil.hash, pupil.product, names.right("L")]
    client = bed.redis.client()
    delays = []
    with http.Connection(bed.ports["watched"]) as connection:

        def click():
            return connection.click(pupil.target, token=token)

        for _ in range(times):
            client(*grant)
            eventually("the mirror has the right", lambda: (
                lambda a: a.status == 302 and a.mirror == "HIT")(click()),
                pause=0)
            began = time.monotonic()
            client.send("HDEL", pupil.hash, pupil.product)
            while click().status != 403:
                assert time.monotonic() - began < 5, "never refused"
            delays.append((time.monotonic() - began) * 1000)
            assert client.read() == 1
    client(*grant)
    client.close()
    return delays


def _names():
    """Endless names of 22 characters, base64url, without a pattern."""
    while True:
        text = base64.urlsafe_b64encode(os.urandom(3 * 2**18))
        for at in range(0, len(text) - 21, 22):
            yield text[at:at + 22]


def _school(number):
    return f"{number + 1000}A158"


def _products():
    for n in range(PRODUCTS):
        url = f"https://publisher.example/boek/{product(n)}"
        yield ["HSET", names.product_hash(product(n)), "url", url,
               "deep", url + "/{path}", "name", f"Een boek, deel {n}",
               "in", f"reeks-{n % 700}", "licence", "schoolyear"]


def _schools(count):
    for n in range(count):
        yield ["HSET", names.school_hash(_school(n)), *(
            part for i in range(OPEN_RIGHTS)
            for part in (f"open-{i}", names.right("O", name=str(n))))]


def _pupils(count, schools):
    random = _names()
    fields = [product(n).encode() for n in range(PRODUCTS)]
    for n in range(count):
        user = next(random).decode()
        command = [b"HSET", names.user_hash(_school(n % schools), user)]
        for i in range(RIGHTS):
            command.append(fields[(n * 31 + i * 997) % PRODUCTS])
            command.append(b"L 20260901 20270731 " + next(random))
        yield command


def _load(client, commands):
    """Bytes that Redis uses for them, without its table of keys."""
    before = _used(client)
    commands = iter(commands)
    while batch := list(itertools.islice(commands, BATCH)):
        for reply in client.pipeline(batch):
            assert isinstance(reply, int), reply
    return _used(client) - before


def _used(client):
    """used_memory less the table of keys, which grows by doubling."""
    info = client("INFO", "memory")
    used = int(info.split("used_memory:")[1].split()[0])
    return used - _table(client("DBSIZE"))


def _table(keys):
    """Bytes of the table: a power of two of pointers."""
    return 8 << max(2, (keys - 1).bit_length()) if keys else 0


def memory(core, pupils):
    """Loads so many pupils, and what of the country belongs to them."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="leerpoort-bench-"))
    redis = Redis(folder, durable=False)
    try:
        redis.start()
        pin(redis.pid, core)
        client = redis.client()
        schools = max(1, SCHOOLS * pupils // COUNTRY)
        empty = _used(client)
        catalogue = _load(client, _products())
        each_school = _load(client, _schools(schools)) / schools
        each_pupil = _load(client, _pupils(pupils, schools)) / pupils
        measured = _used(client) + _table(client("DBSIZE"))
        client.close()
        pupil = next(key for key in redis("SCAN", 0, "MATCH", "u:*", "COUNT",
                                          10000)[1])
        encoding = redis("OBJECT", "ENCODING", pupil)
    finally:
        redis.destroy()
        shutil.rmtree(folder, ignore_errors=True)
    country = (empty + catalogue + each_school * SCHOOLS
               + each_pupil * COUNTRY + _table(COUNTRY + SCHOOLS + PRODUCTS))
    return {"pupils": pupils, "rights": RIGHTS, "schools": schools,
            "products": PRODUCTS, "encoding": encoding,
            "used_memory": measured, "bytes_empty": empty,
            "bytes_catalogue": catalogue, "bytes_per_school": each_school,
            "bytes_per_pupil": each_pupil, "country_bytes": country,
            "country_gb": country / 1e9}
