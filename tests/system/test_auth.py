"""leerpoort_auth: who may call an API, before a worker hears of it."""

import json
import re
import time

import pytest

from lib import http
from lib.edge import Edge
from lib.nginx import Nginx, config_error, configuration_test, frame
from lib.process import eventually
from lib.tokens import Issuer, make_key
from lib.worker import Worker

SCOPES = "usage.entitlor usage.seller"


def api_issuer(folder, name="api", iss="https://api.example", **kwargs):
    return Issuer(folder, name, iss, algs=["RS256", "ES256"],
                  audience="https://toegang.example", users=(), schools=(),
                  extra="leeway 2s; max_age 6h;", **kwargs)


def locations(port):
    passed = "\n".join(
        f"proxy_set_header X-{name.title()} ${{leerpoort_{name}}};"
        for name in ("client", "scope", "users", "role", "person", "school",
                     "school_alias", "token_iat", "mirror"))
    return f"""
        proxy_http_version 1.1;
        {passed}
        location = /open {{ leerpoort_auth api;
            proxy_pass http://127.0.0.1:{port}; }}
        location /v1/usage/ {{
            leerpoort_auth api other scope=usage.entitlor,usage.seller;
            proxy_pass http://127.0.0.1:{port};
            location /v1/usage/inner {{
                proxy_pass http://127.0.0.1:{port};
            }}
            location /v1/usage/outer {{
                leerpoort_auth other;
                proxy_pass http://127.0.0.1:{port};
            }}
        }}
        location = /if {{
            leerpoort_auth api;
            if ($arg_x) {{ proxy_pass http://127.0.0.1:{port}; }}
            proxy_pass http://127.0.0.1:{port};
        }}
        location = /cookie {{
            leerpoort_auth api;
            leerpoort_token $http_x_token;
            proxy_pass http://127.0.0.1:{port};
        }}
        location = /activate/code {{ leerpoort_auth school brin;
            proxy_pass http://127.0.0.1:{port}; }}
        location = /page {{
            leerpoort_auth api scope=wanted;
            error_page 401 /own/401;
            error_page 403 @own;
            proxy_pass http://127.0.0.1:{port};
        }}
        location /own/ {{ internal; return 200 "own $leerpoort_client"; }}
        location @own {{ return 403 "own $leerpoort_client"; }}
        location = /any {{
            satisfy any;
            leerpoort_auth api;
            allow all;
            proxy_pass http://127.0.0.1:{port};
        }}
        location = /part {{ internal; leerpoort_auth api scope=wanted;
            proxy_pass http://127.0.0.1:{port}; }}
        location = /whole {{
            auth_request /part;
            auth_request_set $who $leerpoort_client;
            proxy_set_header X-Who $who;
            {passed}
            proxy_pass http://127.0.0.1:{port};
        }}
        location /ssi/ {{ ssi on; ssi_types *; }}
        location = /either {{
            satisfy any;
            leerpoort_auth api;
            deny all;
            proxy_pass http://127.0.0.1:{port};
        }}"""


class Api:
    def __init__(self):
        self.worker = Worker(lambda headers: None)
        self.edge = Edge(
            issuers=lambda folder: [
                Issuer(folder), api_issuer(folder),
                api_issuer(folder, "other", "https://other.example"),
                Issuer(folder, "brin", "https://brin.example",
                       schools=(("brin", "OIE_CODE"),))],
            server=locations(self.worker.port), activate="",
            click={"activate": None})
        self.school, self.api, self.other, self.brin = self.edge.issuers

    def close(self):
        self.worker.stop()
        self.edge.close()

    def call(self, target="/v1/usage/x", token=None, **kwargs):
        """A request; returns it with what the worker got, or None."""
        del self.worker.seen[:]
        response = self.edge.click(target, token=token, **kwargs)
        return response, self.worker.seen[0] if self.worker.seen else None

    def refused(self, *args, **kwargs):
        response, seen = self.call(*args, **kwargs)
        assert seen is None, "the worker heard of it"
        assert response.header("Content-Type") == "application/json"
        assert response.header("API-Version") == "1.0.0"
        assert response.header("Cache-Control") == "no-store"
        body = json.loads(response.body)
        assert set(body) == {"status", "statusMessage"}
        return response, body


@pytest.fixture(scope="module")
def api():
    found = Api()
    yield found
    found.close()


def test_a_good_token_passes_with_client_and_scope(api):
    token = api.api.mint(azp="seller-1", client_id="x", sub="y",
                         scope=SCOPES)
    response, seen = api.call(token=token)
    assert response.status == 200
    assert seen["X-Client"] == "seller-1"
    assert seen["X-Scope"] == SCOPES
    assert seen["X-Token_Iat"].isdigit()
    for name in ("X-Users", "X-Role", "X-Person", "X-School",
                 "X-School_Alias", "X-Mirror"):
        assert name not in seen, name
    assert response.header("WWW-Authenticate") is None


@pytest.mark.parametrize("claims, client", [
    ({"client_id": "c", "sub": "s"}, "c"), ({"sub": "s"}, "s"),
    ({}, None), ({"azp": 1, "client_id": "c"}, None),
    ({"azp": "a\nb", "client_id": "c"}, None),
    ({"azp": "a" * 256}, "a" * 256), ({"azp": "a" * 257, "sub": "s"}, None),
    ({"azp": ""}, None)])
def test_client_is_azp_then_client_id_then_sub(api, claims, client):
    _, seen = api.call("/open", token=api.api.mint(**claims))
    assert seen.get("X-Client") == client


@pytest.mark.parametrize("scope, seen", [
    ("a b", "a b"), (["a", "b"], "a b"), (["a", 1, "b c", None, "d"], "a d"),
    (7, None), ({"a": 1}, None), (None, None), ("a\nb", None), ('"', None),
    ([], None), ("x" * 2048, "x" * 2048), ("x" * 2049, None),
    (["x" * 1500, "y" * 1500], "x" * 1500)])
def test_scope_may_be_a_string_or_an_array(api, scope, seen):
    _, got = api.call("/open", token=api.api.mint(scope=scope))
    assert got.get("X-Scope") == seen


@pytest.mark.parametrize("scope, passes", [
    ("usage.seller", True), ("usage.entitlor", True),
    ("x usage.seller y", True), (["x", "usage.seller"], True),
    ("usage.sellers", False), ("usage", False), ("USAGE.SELLER", False),
    ("usage.entitlor,usage.seller", False), ("", False), (None, False)])
def test_any_of_the_scopes_is_enough(api, scope, passes):
    token = api.api.mint(scope=scope, sub="c")
    if passes:
        assert api.call(token=token)[0].status == 200
        return
    response, body = api.refused(token=token)
    assert response.status == 403
    assert response.header("WWW-Authenticate") == (
        'Bearer error="insufficient_scope", scope="usage.entitlor '
        'usage.seller"')
    assert body["status"] == 21
    assert body["statusMessage"].endswith("usage.entitlor usage.seller")


def test_without_a_token(api):
    for headers in ((), (("Authorization", "Basic eDp5"),)):
        response, body = api.refused(headers=headers)
        assert response.status == 401
        assert response.header("WWW-Authenticate") == "Bearer"
        assert body["status"] == 21


def test_bad_tokens_are_told_in_classes(api):
    now = int(time.time())
    stranger = make_key("RS256", api.api.keys["RS256"].kid, 1)
    good = api.api.mint(scope=SCOPES)
    head, payload, signature = good.split(".")
    tampered = signature[:9] + ("A" if signature[9] != "A" else "B") \
        + signature[10:]
    classes = {
        "expired": [api.api.mint(iat=now - 60, exp=now - 30),
                    api.api.mint(iat=now - 7 * 3600, exp=now + 60)],
        "not valid yet": [api.api.mint(nbf=now + 60),
                          api.api.mint(iat=now + 60)],
        "audience": [api.api.mint(aud="x"), api.api.mint(aud=None)],
        "invalid": ["x", "", "a.b.c", api.school.mint(sub="p"),
                    api.api.mint(key=stranger), api.api.mint(iss="https://x"),
                    f"{head}.{payload}.{tampered}",
                    api.api.mint(header={"alg": "none"}),
                    api.api.mint(exp=None), "x" * 9000]}
    for name, tokens in classes.items():
        answers = set()
        for token in tokens:
            response, body = api.refused(token=token)
            assert response.status == 401 and body["status"] == 21
            assert response.header("WWW-Authenticate") == (
                f'Bearer error="invalid_token", error_description="{name}"')
            answers.add(body["statusMessage"])
        assert len(answers) == 1, "forgers are told apart"


def test_only_the_named_issuers_count(api):
    for target, status in (("/open", 401), ("/v1/usage/x", 200),
                           ("/v1/usage/outer", 200)):
        token = api.other.mint(scope=SCOPES)
        assert api.call(target, token=token)[0].status == status
    assert api.refused("/v1/usage/outer",
                       token=api.api.mint(scope=SCOPES))[0].status == 401


def test_locations_inside_are_checked_as_well(api):
    api.refused("/v1/usage/inner")
    assert api.refused("/v1/usage/inner",
                       token=api.api.mint())[0].status == 403
    assert api.call("/v1/usage/inner",
                    token=api.api.mint(scope="usage.seller"))[0].status == 200
    for query in ("", "?x=1"):
        api.refused("/if" + query)
        assert api.call("/if" + query,
                        token=api.api.mint())[0].status == 200


def test_the_token_is_where_leerpoort_token_says(api):
    api.refused("/cookie", token=api.api.mint())
    response, seen = api.call("/cookie", headers=[
        ("X-Token", "Bearer " + api.api.mint(sub="c"))])
    assert response.status == 200 and seen["X-Client"] == "c"


def test_an_expired_token_is_refused_the_second_time(api):
    """What was checked a moment ago is checked again."""
    token = api.api.mint(iat=int(time.time()), exp=int(time.time()) + 1)
    assert api.call("/open", token=token)[0].status == 200
    eventually("the token expires",
               lambda: api.call("/open", token=token)[0].status == 401, 15,
               0.1)


def test_a_person_s_token_tells_the_worker_who_it_is(api):
    person = api.edge.person(sub=True)
    token = person.token(azp="portal")
    response, seen = api.call("/activate/code", token=token, method="POST",
                              headers=[("Content-Length", "0")])
    assert response.status == 200
    assert seen["X-Users"] == f"{person.key('eckid')},{person.key('sub')}"
    assert seen["X-School"] == "S1" and seen["X-Role"] == "student"
    assert "X-School_Alias" not in seen
    assert seen["X-Client"] == "portal"
    assert json.loads(seen["X-Person"]) == {
        "userMasterIdentifier": person.ids["eckid"][1],
        "userIds": [{"userId": person.ids["sub"][1], "userIdType": "NEPPI"}]}
    # the second time the same, though the token is known
    assert api.call("/activate/code", token=token)[1]["X-Person"] \
        == seen["X-Person"]


def test_a_person_s_sub_is_no_client(api):
    _, seen = api.call("/activate/code", token=api.school.mint(sub="me@x"))
    assert "X-Client" not in seen
    assert seen["X-Role"] == "employee"


def test_ids_are_escaped(api):
    odd = 'a"b\\c\u00e9\u2028</script>'
    _, seen = api.call("/activate/code", token=api.school.mint(sub=odd))
    assert json.loads(seen["X-Person"].encode("latin-1")) == {
        "userIds": [{"userId": odd, "userIdType": "NEPPI"}]}


def test_a_school_s_alias_is_left_to_the_worker(api):
    _, seen = api.call("/activate/code",
                       token=api.brin.mint(sub="x", brin="11ZZ"))
    assert seen["X-School_Alias"] == "OIE_CODE:11ZZ"
    assert "X-School" not in seen
    _, seen = api.call("/activate/code", token=api.brin.mint(sub="x"))
    assert "X-School_Alias" not in seen and "X-School" not in seen


def test_a_click_with_a_token_for_apis_is_a_bad_token(api):
    api.edge.product()
    for issuer in (api.api, api.other):
        response = api.edge.click(token=issuer.mint(sub="x", eckid="y",
                                                    org="S1"))
        assert (response.outcome, response.status) == ("bad-token", 401)


def test_bodies_are_refused_unread_and_the_connection_goes_on(api):
    with http.Connection(api.edge.port) as connection:
        for size in (1, 100, 60_000):
            head = [("Content-Length", str(size))]
            connection.send(http.request("/open", close=False, method="PUT",
                                         headers=head) + b"x" * size)
            assert connection.read().status == 401
        connection.send(http.request(
            "/open", close=False, method="PUT",
            headers=[("Transfer-Encoding", "chunked")])
            + b"5\r\nhello\r\n0\r\n\r\n")
        assert connection.read().status == 401
        response = connection.click("/open", token=api.api.mint())
        assert response.status == 200


def test_a_body_that_never_comes_is_not_waited_for(api):
    with http.Connection(api.edge.port) as connection:
        connection.send(http.request(
            "/open", close=False, method="POST",
            headers=[("Content-Length", "1000"),
                     ("Expect", "100-continue")]))
        assert connection.read().status == 401   # and no 100 before it


def test_head_and_options_are_checked_too(api):
    response, seen = api.call("/open", method="HEAD")
    assert (response.status, seen, response.body) == (401, None, b"")
    assert api.refused("/open", method="OPTIONS")[0].status == 401


def test_error_pages_take_its_place(api):
    response, seen = api.call("/page")
    assert (response.status, response.body, seen) == (401, b"own ", None)
    assert response.header("WWW-Authenticate") == "Bearer"
    assert response.header("Cache-Control") == "no-store"
    response, seen = api.call("/page", token=api.api.mint(sub="c1"))
    assert (response.status, response.body, seen) == (403, b"own c1", None)


def test_error_pages_are_for_people(api):
    """An error_page may lead to a sign-in, where a program can do nothing."""
    for accept in ("application/json", "application/json, text/html;q=0.5"):
        response, seen = api.call("/page", headers=[("Accept", accept)])
        assert (response.status, seen) == (401, None)
        assert set(json.loads(response.body)) == {"status", "statusMessage"}
    response, seen = api.call("/page", headers=[
        ("Accept", "text/html,application/json;q=0.9")])
    assert response.body == b"own "


def test_satisfy_any_lets_others_decide(api):
    response, seen = api.call("/any")
    assert response.status == 200 and seen is not None
    assert response.header("WWW-Authenticate") is None
    assert api.call("/either", token=api.api.mint())[0].status == 200
    response, seen = api.call("/either")
    assert response.status == 401 and seen is None
    assert response.header("WWW-Authenticate") == "Bearer"


def test_parts_of_other_requests_are_checked(api):
    """nginx itself lets subrequests pass every access check."""
    for token, status in ((None, 401), ("x", 401), (api.api.mint(), 403),
                          (api.other.mint(scope="wanted"), 401)):
        response, seen = api.call("/whole", token=token)
        assert (response.status, seen) == (status, None)
        assert (response.header("WWW-Authenticate") is None) == (
            status == 403)
    response, part = api.call("/whole", token=api.api.mint(
        sub="c1", scope="wanted"))
    whole = api.worker.seen[1]
    assert response.status == 200 and part["X-Client"] == "c1"
    assert whole["X-Who"] == "c1"
    assert "X-Client" not in whole      # nobody has checked the whole itself


def test_nothing_is_included_that_may_not_be_seen(api):
    html = api.edge.folder / "nginx" / "html" / "ssi"
    html.mkdir(parents=True, exist_ok=True)
    (html / "page").write_text('<!--# include virtual="/part" -->')
    response, seen = api.call("/ssi/page")
    assert response.status == 200 and seen is None
    assert b"401 Authorization Required" in response.body
    response, seen = api.call("/ssi/page", token=api.api.mint(scope="wanted"))
    assert response.status == 200 and seen is not None


def test_requests_are_counted_and_not_logged(api):
    def counts():
        return {re.search(r'"(.*)"', name)[1]: n
                for name, n in api.edge.metrics().items()
                if name.startswith("leerpoort_api_requests_total")}

    before, log = counts(), api.edge.nginx.log()
    now = int(time.time())
    api.call("/open", token=api.api.mint())
    api.call("/open")
    api.call("/open", token="x")
    api.call("/open", token=api.api.mint(iat=now - 90, exp=now - 60))
    api.call(token=api.api.mint())
    after = counts()
    assert {name: after[name] - before[name] for name in after} == {
        "passed": 1, "no-token": 1, "bad-token": 1, "expired": 1,
        "no-scope": 1, "unavailable": 0}
    assert "leerpoort" not in api.edge.nginx.log()[len(log):]


def test_a_location_of_the_worker_s_may_be_checked_too():
    """A click goes through it: the token counts there as well."""
    worker = Worker(lambda headers: {"X-Accel-Redirect": headers["X-Uri"]})
    try:
        with Edge(activate=worker.location().replace(
                "internal;", "internal; leerpoort_auth school;")) as edge:
            edge.product()
            response = edge.person().grant("book", "E").click()
            assert response.outcome == "unavailable"
            assert len(worker.seen) == 1 and worker.seen[0]["X-User"]
    finally:
        worker.stop()


def test_new_keys_count_without_clicks(tmp_path):
    """nginx has no link to Redis here that would look at the files."""
    issuer = api_issuer(tmp_path)
    http_block = f"""
    leerpoort_zone z:1m;
    {issuer.conf()}
    server {{
        listen 127.0.0.1:@PORT@;
        location / {{ leerpoort_auth api; root {tmp_path}; }}
    }}"""
    (tmp_path / "file").write_text("here")
    (tmp_path / "n").mkdir()
    nginx = Nginx(tmp_path / "n", http_block)
    nginx.start()
    try:
        assert http.click(nginx.port, "/file",
                          token=issuer.mint()).body == b"here"
        issuer.keys = {"RS256": make_key("RS256", "new", 2)}
        fresh = issuer.mint()
        assert http.click(nginx.port, "/file", token=fresh).status == 401
        issuer.write()
        eventually("the new key counts", lambda: http.click(
            nginx.port, "/file", token=fresh).status == 200, 10, 0.05)
        nginx.stop()
    finally:
        nginx.destroy()


# ---- configuration

GOOD = """
    leerpoort_zone z:1m;
    {issuer}
    server {{
        listen 127.0.0.1:1;
        location / {{ leerpoort_auth api scope=a,b; return 204; }}
    }}"""

MISTAKES = {
    "unknown issuer": ("_auth api", "_auth ap", ['"ap"', "leerpoort_issuer"]),
    "no issuer": ("_auth api", "_auth", ["names no issuer"]),
    "no argument": ("_auth api scope=a,b", "_auth", ["arguments"]),
    "empty scope": ("scope=a,b", "scope=", ["scope", "empty"]),
    "empty among scopes": ("scope=a,b", "scope=a,,b", ["scope", "empty"]),
    "comma at the end": ("scope=a,b", "scope=a,", ["scope", "empty"]),
    "a quote in it": ("scope=a,b", "'scope=a\"b'", ["scope", "invalid"]),
    "a blank in it": ("scope=a,b", "'scope=a b'", ["scope", "invalid"]),
    "two scopes": ("scope=a,b", "scope=a scope=b", ["second"]),
    "two lines": ("scope=a,b;", "scope=a,b; leerpoort_auth api;",
                  ["duplicate"]),
    "twice the issuer": ("_auth api", "_auth api api", ["duplicate", '"api"']),
    "no zone": ("leerpoort_zone z:1m;", "", ["leerpoort_zone"]),
    "in a server": ("location / {", "leerpoort_auth api; location / {",
                    ["not allowed here"]),
    "nobody names it": ("leerpoort_auth api scope=a,b;", "",
                        ['no "user"', '"api"']),
    "a user, no pepper": ("audience", "user sub NEPPI; audience",
                          ["leerpoort_pepper"]),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_one_clear_line(tmp_path, name):
    old, new, expected = MISTAKES[name]
    good = GOOD.format(issuer=api_issuer(tmp_path).conf())
    assert old in good
    line = config_error(tmp_path, frame(tmp_path, good.replace(old, new, 1)))
    for text in expected:
        assert text in line, line
    assert re.search(r"in \S+nginx.conf:\d+", line), line


def test_an_issuer_may_stand_below_its_location(tmp_path):
    issuer = api_issuer(tmp_path).conf()
    text = GOOD.format(issuer="") + "\n" + issuer
    assert configuration_test(tmp_path, frame(tmp_path, text))[0] == 0


def test_clicks_check_themselves(tmp_path):
    text = GOOD.format(issuer=api_issuer(tmp_path).conf()).replace(
        "return 204;", "location /go/ { leerpoort_click; }")
    line = config_error(tmp_path, frame(tmp_path, text))
    assert "checks its tokens itself" in line and "nginx.conf:" in line
