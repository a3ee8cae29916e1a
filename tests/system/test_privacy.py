"""Nothing that names a person stays anywhere: not in a log, not in a command
line, not in Redis, not on the metrics page."""

import json
import pathlib
import subprocess
import time

from lib import names
from lib.edge import Edge
from lib.nginx import BUILD
from lib.process import children
from lib.tokens import compact

MARK = "canary5b1c"     # in every id of the session


def test_no_token_id_or_user_key_stays_anywhere(redis):
    with Edge(redis=redis) as edge:
        edge.await_armed()
        edge.product("book")
        canaries = {MARK}
        people = []
        for i in range(5):
            person = edge.person(sub=True)
            person.ids["eckid"] = (
                "ECK", f"https://ketenid.nl/000000/{MARK}-eck-{i}")
            person.ids["sub"] = ("NEPPI", f"{MARK}-portal-{i}")
            person.grant("book", names.right("EL"[i % 2]))
            people.append(person)
            canaries |= {person.key("eckid"), person.key("sub")}
        tokens = []
        for person in people:
            now = int(time.time())
            good = person.token()
            tokens += [good, person.token(alg="ES256"),
                       person.token(exp=now - 400, iat=now - 500),
                       person.token(aud="wrong"), person.token(org=7),
                       good[:-4] + "AAAA", good + ".x",
                       compact({"alg": "none"}, person.claims(),
                               lambda _: b"")]
        for token in tokens:
            # the parts that hold something: a payload and a signature
            canaries |= {part for part in token.split(".")[1:]
                         if len(part) > 8}
            edge.click("/go/book", token=token)
            edge.click("/go/book/x?y=1", cookie=token)
            edge.click("/go/none", token=token)
        # unreadable records are logged, but not whose they are
        people[0].grant("book", "rubbish")
        edge.click("/go/book", token=people[0].token(jti="again"))
        # Redis goes away: nor do its errors name anybody
        metrics = edge.click("/metrics").body.decode()
        keys = redis("KEYS", "*")
        cmdlines = [pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode()
                    for pid in (edge.nginx.pid, *children(edge.nginx.pid))]
        redis.kill()
        for token in tokens:
            edge.click("/go/book", token=token)
        edge.nginx.stop()
        places = {"metrics": metrics, "cmdline": "\n".join(cmdlines)}
        for name in ("error.log", "access.log", "output"):
            places[name] = (edge.nginx.folder / name).read_text(
                errors="replace")
        for place, text in places.items():
            for canary in canaries:
                assert canary not in text, f"{canary!r} in {place}"
        assert places["access.log"]
        # Redis knows user keys, and no id
        assert any(people[0].key("eckid") in key for key in keys)
        assert not [key for key in keys if MARK in key]
        aof = b"".join(p.read_bytes() for p in redis.folder.rglob("*.aof"))
        assert MARK.encode() not in aof and aof


def test_user_key_is_not_in_the_answer(edge):
    person = edge.person().grant("book")
    for target in ("/go/book", "/go/none", "/go/book/x", "/go/-"):
        response = person.click(target)
        text = repr(response.headers) + response.body.decode()
        assert person.key() not in text
        assert person.ids["eckid"][1] not in text
        assert "S1" not in text


def test_refusal_names_no_reason_to_a_stranger(edge):
    """All bad tokens get the same page: no oracle for forgers."""
    person = edge.person().grant("book")
    tokens = [person.token(aud="x"), person.token(iss="https://every.example"),
              person.token()[:-8] + "AAAAAAAA", "a.b.c",
              person.token(header={"kid": "none"})]
    answers, reasons = set(), []
    for token in tokens:
        response = edge.click("/go/book", token=token)
        code = response.header("Leerpoort-Code")
        spelled = ", ".join(" ".join(half) for half in code.split("-"))
        answers.add((response.status, response.header("WWW-Authenticate"),
                     response.body.decode().replace(code, "").replace(
                         spelled, "")))
        reasons.append(json.loads(subprocess.run(
            [BUILD / "leerpoort", "explain", code, "--json"], check=True,
            capture_output=True).stdout)["reason"])
    assert len(answers) == 1
    # the first is one that the issuer did sign
    assert reasons == ["aud-wrong", None, None, None, None]
