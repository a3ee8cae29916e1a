"""A whole conversation over HTTP: seller, portal and publisher, and Leerpoort
between them. Nothing here looks inside."""

import json
import uuid

import pytest

from lib.process import eventually
from lib.town import Town


@pytest.fixture(scope="module")
def town():
    with Town() as town:
        town.school("S1")
        town.product("8717927130834")
        yield town


def test_from_order_to_block(town):
    """provision, confirmation, click, activation, InitialActivation, usage,
    block, refused click."""
    pupil = town.edge.person()
    book = "/go/8717927130834"

    # before there is a right
    assert pupil.click(book).outcome == "no-right"

    # provision, confirmation
    sold = town.entitlement(pupil)
    reference = str(uuid.uuid4())
    status, answer = town.provision(sold, reference)
    assert status == 202, answer
    told = town.heard("/entitlements/confirmations", sold["entitlementId"])
    assert told["entitlementReferenceId"] == reference
    assert told["productId"] == sold["productId"]
    assert told["newEntitlementStatus"] == "entitled"

    # the same message again: the same confirmation again
    assert town.provision(sold, reference)[0] == 202
    again = eventually("the confirmation again", lambda: [
        m.json for m in town.party.of("/entitlements/confirmations")
        if m.entitlement == sold["entitlementId"]][1:2], 20)[0]
    assert again == told

    # click, activation, redirect
    click = pupil.click(book)
    assert (click.status, click.outcome) == (302, "redirect")
    assert click.location == "https://publisher.example/8717927130834"

    # the seller hears who, what and until when
    activation = town.heard("/usage/activation", sold["entitlementId"])
    assert activation["user"]["userMasterIdentifier"] \
        == pupil.ids["eckid"][1]
    assert activation["school"] == sold["school"]
    assert activation["usageType"] == "initial-activation"
    assert activation["expirationDate"].endswith("-07-31")

    # usage
    path = f"/v1/usage/entitlements/{sold['entitlementId']}"
    pupil.click(book)
    used = eventually("the usage is counted", lambda: (
        lambda answer: answer[1] if answer[1].get("usage", {}).get(
            "frequencyOfUsage") == 2 else None)(
                town.seller("GET", path)), 20, 0.05)
    assert used["entitlementStatus"] == "licensed"

    # a licence can't be cancelled
    status, answer = town.provision({
        **sold, "entitlementStatus": "cancelled", "endDate": "2026-11-01"})
    assert status == 400 and answer["status"] == 42, answer
    assert pupil.click(book).outcome == "redirect"

    # it can be blocked, and unblocked
    assert town.provision({**sold, "entitlementStatus": "blocked",
                           "endDate": "2026-11-01"})[0] == 202
    town.heard("/entitlements/confirmations", sold["entitlementId"],
               newEntitlementStatus="blocked")
    eventually("the edge obeys",
               lambda: pupil.click(book).outcome == "blocked", 5)
    assert town.provision({**sold, "entitlementStatus": "licensed"})[0] == 202
    eventually("the edge obeys",
               lambda: pupil.click(book).outcome == "redirect", 5)


def test_cancelled_before_use(town):
    pupil = town.edge.person()
    sold = town.entitlement(pupil)
    assert town.provision(sold)[0] == 202
    assert town.provision({**sold, "entitlementStatus": "cancelled",
                           "endDate": "2026-11-01"})[0] == 202
    town.heard("/entitlements/confirmations", sold["entitlementId"],
               newEntitlementStatus="cancelled")
    assert pupil.click("/go/8717927130834").outcome == "no-right"
    assert not [m for m in town.party.of("/usage/activation")
                if m.entitlement == sold["entitlementId"]]


def test_another_seller_sees_and_changes_nothing(town):
    pupil = town.edge.person()
    sold = town.entitlement(pupil)
    assert town.provision(sold)[0] == 202
    status, answer = town.provision(
        {**sold, "entitlementStatus": "cancelled", "endDate": "2026-11-01"},
        client=town.rival)
    assert status == 400 and answer["status"] == 40, answer
    path = f"/v1/usage/entitlements/{sold['entitlementId']}"
    rival = town.rival.token("usage.seller")
    assert town.rival("GET", path, token=rival)[0] == 404
    assert town.seller("GET", path)[0] == 200
    assert pupil.click("/go/8717927130834").outcome == "redirect"


def test_an_employee_needs_an_entitlement_of_her_own(town):
    teacher = town.edge.person(eck=False, sub=True)
    town.command("right", "set", "--open", "--school", "S1", "--product",
                 "8717927130834", "--state", "O", "--from", "2020-01-01",
                 "--until", "2099-12-31", "--entitlement", str(uuid.uuid4()))
    pupil = town.edge.person()
    eventually("the open right is seen", lambda: pupil.click(
        "/go/8717927130834").outcome == "redirect", 5)
    assert teacher.click("/go/8717927130834").outcome == "no-right"
    assert town.provision(town.entitlement(teacher))[0] == 202
    eventually("her own is seen", lambda: teacher.click(
        "/go/8717927130834").outcome == "redirect", 5)


def test_a_bulk_of_a_megabyte(town):
    """More than lies in the sockets of sender, edge and worker together."""
    first, last = (town.entitlement(town.edge.person()) for _ in range(2))
    wrong = {"entitlementReferenceId": "wrong", "entitlement": {},
             "padding": "x" * 1000}
    lines = [{"entitlementReferenceId": str(uuid.uuid4()), "entitlement": one}
             for one in (first, last)]
    lines[1:1] = [wrong] * 1000
    status, answer = town.seller(
        "POST", "/v1/entitlements/bulk",
        "".join(json.dumps(line) + "\n" for line in lines))
    assert status == 200
    results = [json.loads(line) for line in answer.decode().splitlines()]
    assert [result["line"] for result in results] == list(range(1, 1003))
    assert [result["status"] for result in results[:2] + results[-2:]] == [
        2, 11, 11, 2]
    for sold in (first, last):
        town.heard("/entitlements/confirmations", sold["entitlementId"])
