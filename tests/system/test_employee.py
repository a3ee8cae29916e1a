"""Employees of a school: who they are, and that open rights are not theirs."""

import pytest

from lib import names
from lib.edge import Edge
from lib.names import right
from lib.tokens import Issuer

SHOW = """
        location = /activate {
            internal;
            return 200 "$leerpoort_role $leerpoort_users";
        }"""


@pytest.fixture(scope="module")
def edge():
    def issuers(folder):
        return [
            Issuer(folder),
            Issuer(folder, "marked", "https://marked.example", extra=(
                "employee role employee staff; employee kind 'is docent';")),
            Issuer(folder, "plain", "https://plain.example",
                   users=(("sub", "NEPPI"),))]

    with Edge(issuers=issuers, activate=SHOW) as edge:
        edge.product()
        edge.redis("HSET", names.school_hash("S1"), "book", right("O"))
        yield edge


def role(edge, issuer=0, person=None, **claims):
    """The role of one who may open the book by a right of their own; the open
    right is not enough for an employee."""
    person = edge.person(**(person or {}))
    token = person.token(issuer=edge.issuers[issuer], **claims)
    before = [edge.click(token=token) for _ in range(2)]
    person.grant("book", right("E", name="own"))
    found = {edge.click(token=token).body.decode().split()[0]
             for _ in range(2)}
    assert len(found) == 1
    found = found.pop()
    assert {r.outcome or "activate" for r in before} == {
        "no-right" if found == "employee" else "activate"}
    return found


def test_an_eck_id_makes_a_pupil(edge):
    assert role(edge) == "student"
    assert role(edge, person={"sub": True}) == "student"


def test_no_eck_id_makes_an_employee(edge):
    assert role(edge, person={"eck": False, "sub": True}) == "employee"
    assert role(edge, person={"eck": False, "sub": True}, eckid="") \
        == "employee"


def test_an_issuer_without_eck_ids_can_not_tell(edge):
    assert role(edge, person={"eck": False, "sub": True}, issuer=2) \
        == "student"


@pytest.mark.parametrize("claims, eck, expected", [
    ({"role": "employee"}, True, "employee"),
    ({"role": "staff"}, False, "employee"),
    ({"role": "student"}, True, "student"),
    ({"role": "student"}, False, "student"),   # no ECK iD yet
    ({"role": ["student", "staff"]}, True, "employee"),
    ({"role": []}, False, "student"),
    ({"role": "student", "kind": "is docent"}, True, "employee"),
    ({"kind": "is"}, True, "student"),
    ({"role": None}, False, "employee"),
    ({}, False, "employee"), ({}, True, "student"),
    ({"role": 1, "kind": {"employee": "employee"}}, True, "student")])
def test_a_claim_tells_employees(edge, claims, eck, expected):
    assert role(edge, issuer=1, person={"eck": eck, "sub": True},
                **claims) == expected


def test_an_employee_s_own_licence_opens_the_book(edge):
    teacher = edge.person(eck=False, sub=True).grant("book")
    for _ in range(2):
        assert teacher.click().outcome == "redirect"


def test_an_employee_s_private_right_counts(edge):
    teacher = edge.person(eck=False, sub=True)
    edge.redis("HSET", teacher.private_hash(), "book", right("L"))
    assert teacher.click().outcome == "redirect"


def test_all_ids_reach_the_worker(edge):
    person = edge.person(sub=True).grant("book", "E")
    assert person.click().body.decode() == (
        f"student {person.key('eckid')},{person.key('sub')}")


def test_a_school_known_by_an_alias():
    def issuers(folder):
        return [Issuer(folder, schools=(("brin", "OIE_CODE"),))]

    show = SHOW.replace('"$', '"[$leerpoort_school][$leerpoort_school_alias]$')
    with Edge(issuers=issuers, activate=show) as edge:
        edge.product()
        edge.redis("SET", names.alias_key("OIE_CODE", "11ZZ"), "S1")
        edge.redis("HSET", names.school_hash("S1"), "book", right("O"))
        pupil, teacher = edge.person(), edge.person(eck=False, sub=True)
        assert pupil.click(token=pupil.token(brin="11ZZ")).body.decode() \
            .startswith("[S1][]student ")
        token = teacher.token(brin="11ZZ")
        assert edge.click(token=token).outcome == "no-right"
        teacher.grant("book", "E")
        assert edge.click(token=token).body.decode() \
            .startswith("[S1][]employee ")
        # an alias that nobody has told us of
        edge.redis("HSET", pupil.private_hash(), "book", right("E"))
        assert edge.click(token=pupil.token(brin="99ZZ")).body.decode() \
            .startswith("[][OIE_CODE:99ZZ]student ")


def test_a_token_that_is_known_is_judged_by_the_setting_of_now():
    def issuers(folder):
        return [Issuer(folder, extra="leeway 60s; employee role none;")]

    with Edge(issuers=issuers, activate=SHOW, timeout="2s") as edge:
        edge.product()
        edge.redis("HSET", names.school_hash("S1"), "book", right("O"))
        token = edge.person().token(role="staff")
        assert edge.click(token=token).status == 200

        for setting, status in (("role none staff", 403),
                                ("role none;employee rol staff", 200),
                                ("role staff", 403), ("staff role", 200)):
            block = edge.http_block()
            assert block.count("role none") == 1
            edge.nginx.write(block.replace("role none", setting))
            edge.nginx.reload()
            for _ in range(2):
                assert edge.click(token=token).status == status, setting


PERSON = SHOW.replace('"$leerpoort_role $leerpoort_users"',
                      "'$leerpoort_person'")


def test_ids_are_in_no_log():
    with Edge(activate=PERSON) as edge:
        edge.product()
        person = edge.person(sub=True).grant("book", "E")
        for _ in range(3):
            body = person.click().body.decode()
        assert all(id_ in body for _, id_ in person.ids.values())
        edge.click(token=person.token(exp=1))
        for _, id_ in person.ids.values():
            assert id_ not in edge.nginx.log()
            assert id_ not in edge.nginx.access_log.read_text()


def test_a_token_elsewhere_is_read_there():
    """The location of the worker has no leerpoort_token of its own."""
    with Edge(activate=PERSON, click={
            "token": "$http_x_token $cookie_other"}) as edge:
        edge.product()
        person = edge.person().grant("book", "E")
        for headers in ([("X-Token", person.token())],
                        [("Cookie", "other=Bearer " + person.token())]):
            response = edge.click(headers=headers,
                                  token=edge.person().token())
            assert person.ids["eckid"][1] in response.body.decode()
