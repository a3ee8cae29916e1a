"""kill -9 of every kind of process, two hundred times while pupils click and a
seller sells: afterwards what was acknowledged is stored and told, each once.
"""

import collections
import http.client
import os
import queue
import random
import signal
import threading
import time
import uuid

import pytest

from lib.process import eventually
from lib.town import Town

pytestmark = pytest.mark.once

KILLS = 200
SEED = 20260901
PRODUCTS = [f"87179271{n:05d}" for n in range(6)]
VICTIMS = ["worker"] * 9 + ["relay"] * 4 + ["tally"] * 2 + ["redis"] * 2 \
    + ["nginx"] * 3
GONE = (OSError, http.client.HTTPException, AssertionError)


class Sale:
    """One entitlement, and what its people were promised."""

    def __init__(self, town, person, product):
        self.person, self.product = person, product
        self.token = person.token()
        self.body = town.entitlement(person, product)
        self.id = self.body["entitlementId"]
        self.reference = str(uuid.uuid4())


class Load:
    """Threads that provision and click until they are told to finish."""

    def __init__(self, town):
        self.town = town
        self.sales = []
        self.to_click = queue.Queue()
        self.perhaps = collections.Counter()  # redirects, seen or cut off
        self.wrong = []          # answers that no bad day explains
        self.token = town.seller.token()
        self.ending = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._sell)] + [
            threading.Thread(target=self._click) for _ in range(3)]

    def start(self):
        for thread in self._threads:
            thread.start()

    def finish(self):
        """No new sales; every one that was made is clicked to its end."""
        self.ending.set()
        self._threads[0].join(60)
        for _ in self._threads[1:]:
            self.to_click.put(None)
        for thread in self._threads[1:]:
            thread.join(60)
        assert not any(t.is_alive() for t in self._threads)

    def _sell(self):
        person = None
        for number in range(100000):
            if self.ending.is_set():
                return
            # so many that something is always under way, and so few that the
            # seller has read all of them soon after
            time.sleep(0.02)
            if self.to_click.qsize() > 30:
                continue
            if person is None or number % len(PRODUCTS) == 0:
                person = self.town.edge.person()
            sale = Sale(self.town, person, PRODUCTS[number % len(PRODUCTS)])
            self._insist(lambda: self._provision(sale))
            self.sales.append(sale)
            self.to_click.put(sale)

    def _provision(self, sale):
        status, answer = self.town.seller("PUT", "/v1/entitlements", {
            "entitlementReferenceId": sale.reference,
            "entitlement": sale.body}, token=self.token)
        if status not in (202, 502, 503, 504, 500):
            self.wrong.append((status, answer))
        return status == 202

    def _click(self):
        random_ = random.Random(threading.get_ident())
        while True:
            sale = self.to_click.get()
            if sale is None:
                return
            self._insist(lambda: self._one_click(sale))
            if random_.random() < 0.3:
                self._insist(lambda: self._one_click(sale))

    def _one_click(self, sale):
        with self._lock:
            self.perhaps[sale.id] += 1
        answer = self.town.edge.click(f"/go/{sale.product}", token=sale.token)
        if answer.outcome == "redirect":
            if answer.location != f"https://publisher.example/{sale.product}":
                self.wrong.append((sale.product, answer.location))
            return True
        with self._lock:
            self.perhaps[sale.id] -= 1
        # what was sold a moment ago may take milliseconds to reach the edge
        if answer.outcome not in ("unavailable", "no-right"):
            self.wrong.append((answer.status, answer.outcome))
        return False

    @staticmethod
    def _insist(step):
        """As people do: again, until it works."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                if step():
                    return
            except GONE:
                pass
            time.sleep(0.005)
        raise AssertionError("a minute without success")


def kill_one(town, victim):
    """One kill -9; whoever looks after the victim starts another."""
    if victim == "worker":
        pids = town.workers.pids()
        if pids:
            os.kill(random.choice(pids), signal.SIGKILL)
    elif victim == "nginx":
        pids = town.edge.nginx.worker_pids()
        if len(pids) == town.edge.nginx.workers:
            town.edge.nginx.strike(random.choice(pids))
    elif victim == "redis":
        town.redis.kill()
        town.redis.start()
    else:
        town.kill_daemon(victim)


def streams(town, *names):
    return sum(town.redis("XLEN", name) for name in names)


def undelivered(town):
    journals = [f"journal:{{{shard:02d}}}" for shard in range(64)]
    return streams(town, f"outbox:{town.party.oin}", *journals)


@pytest.fixture
def town():
    with Town(workers=4, nginx_workers=2, retry="1,1,1,1",
              allow=(r"[Cc]hild|Spawning|Redis|connect",),
              allow_nginx=(r"leerpoort", r"upstream|connect\(\)|recv\(\)")) as town:
        town.school("S1")
        for product in PRODUCTS:
            town.product(product)
        yield town


def test_acknowledged_is_stored_and_told_once(town):
    random.seed(SEED)
    load = Load(town)
    load.start()
    killed = collections.Counter()
    try:
        for _ in range(KILLS):
            victim = random.choice(VICTIMS)
            kill_one(town, victim)
            killed[victim] += 1
            time.sleep(random.uniform(0.0, 0.12))
    finally:
        load.finish()

    assert not load.wrong, load.wrong[:5]
    assert len(load.sales) > KILLS // 2, "too little happened between the kills"
    try:
        eventually("everything is told", lambda: undelivered(town) == 0, 60,
                   0.05)
    except AssertionError as reason:
        raise AssertionError(f"{reason}: {undelivered(town)} wait\n"
                             + town.said("relay")[-2000:]) from None
    assert streams(town, f"dead:{town.party.oin}") == 0

    told = collections.defaultdict(list)
    for message in town.party.arrived():
        told[message.path, message.entitlement].append(message.json)

    doubles = 0
    for sale in load.sales:
        record = town.record(sale.id)
        assert record["status"] == "licensed", sale.id
        right = town.redis("HGET", sale.person.hash(), sale.product)
        assert right.startswith("L ")

        confirmations = told["/entitlements/confirmations", sale.id]
        assert {c["entitlementReferenceId"] for c in confirmations} \
            == {sale.reference}
        assert len({c["entitlementReceiveId"] for c in confirmations}) == 1

        activations = told["/usage/activation", sale.id]
        assert len({str(sorted(a.items())) for a in activations}) == 1
        doubles += len(activations) - 1

        # no use is counted that was not there
        assert int(record.get("count", 0)) <= load.perhaps[sale.id]

    # only what was in flight when the relay died can have come twice
    assert doubles <= 16 * (killed["relay"] + killed["redis"] + 1)
    assert len([key for key in told if key[0] == "/usage/activation"]) \
        == len(load.sales)
