"""Two messages at once about one entitlement, each of another school: it has
one home, and one record."""

import concurrent.futures
import json
import uuid

import pytest

from lib import names
from lib.desk import OIN, Desk, own_redis
from test_activation import Gate


class Guarded(Desk):
    """One worker behind a gate, and one beside it."""

    def __init__(self, folder, redis):
        (folder / "gated").mkdir()
        (folder / "free").mkdir()
        self.gate = Gate(folder, redis.path)
        super().__init__(folder / "gated", redis, n=1)
        self.workers._options["redis"] = self.gate.address
        self.free = Desk(folder / "free", redis, n=1)

    def send(self, id_, school, desk=None):
        answer = (desk or self).put("/v1/entitlements", {
            "entitlementReferenceId": str(uuid.uuid4()), "entitlement": {
                "entitlementId": id_, "productId": "book",
                "deliveryOrderId": "order", "startDate": "2026-08-01",
                "activationUntilDate": "2027-07-31",
                "entitlementType": "school-student",
                "entitlementStatus": "created",
                "school": {"organisationMasterIdentifier": school},
                "user": {"userMasterIdentifier": "https://ketenid.nl/x"}}},
            scope="entitlement.licensor")
        return answer.status, json.loads(answer.body)["status"]


@pytest.fixture(scope="module")
def desk():
    with own_redis() as (folder, redis):
        desk = Guarded(folder, redis)
        with desk.workers, desk.free.workers:
            yield desk
        desk.gate.stop()


def test_an_entitlement_has_one_home(desk):
    """The other message comes after each question and each answer in turn."""
    asker = concurrent.futures.ThreadPoolExecutor(1)
    assert desk.send(str(uuid.uuid4()), "S1") == (202, 2)
    for steps in range(20):
        id_ = str(uuid.uuid4())
        packed = names.base64url(uuid.UUID(id_).bytes)
        desk.gate.close_after(steps)
        asked = asker.submit(desk.send, id_, "S1")
        try:
            finished = desk.gate.let_through(asked)
            other = desk.send(id_, "S2", desk.free)
        finally:
            desk.gate.open(resume=True)
        answers = [asked.result(20), other]
        [record] = desk.redis("KEYS", f"e:*:{packed}")
        place = desk.redis("HGET", f"x:{{{names.shard(packed[:3])}}}:"
                           f"{packed[:3]}", packed[3:])
        assert record[3:5] == place
        assert sorted(answers) == [(202, 2), (400, 99)]
        told = [entry for entry in desk.journal(entitlement=packed)
                if entry["party"] == OIN]
        assert len(told) == 1
        if finished:
            break
    assert 4 <= steps < 20
    asker.shutdown()
