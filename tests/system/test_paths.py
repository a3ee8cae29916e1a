"""Paths and targets: whatever stands in a click, the Location's scheme and
host are those of the catalogue, and the answer has the headers we know."""

import json
import re
import urllib.parse

import pytest

from lib import http, names
from lib.edge import LOGIN, PUBLIC, URL, Edge

HEADERS = {
    "server", "date", "connection", "content-type", "content-length",
    "location", "cache-control", "referrer-policy", "leerpoort-outcome",
    "x-mirror", "x-worker", "www-authenticate", "retry-after",
    "transfer-encoding", "last-modified", "etag", "accept-ranges",
    "leerpoort-code", "content-security-policy", "x-content-type-options",
    "refresh"}
PLAIN = re.compile(rb"[!-~]*\Z")


@pytest.fixture(scope="module")
def edge():
    with Edge() as edge:
        edge.await_armed()
        edge.product("book", url=f"{URL}book",
                     deep=f"{URL}read/book/{{path}}?from=leerpoort")
        edge.product("flat", url=f"{URL}flat")
        edge.product("query", url=f"{URL}query",
                     deep=f"{URL}open?at={{path}}&x=1")
        edge.product("deep-only", deep=f"{URL}deep/{{path}}")
        edge.pupil = edge.person()
        for product in ("book", "flat", "query", "deep-only"):
            edge.pupil.grant(product)
        edge.token = edge.pupil.token()
        yield edge


def location(edge, target):
    """Where a click leads; None for one that leads nowhere."""
    response = edge.click(target, token=edge.token)
    if response.outcome == "redirect":
        assert response.status == 302
        return response.location
    assert response.location is None
    return None


def assert_harmless(edge, target, token):
    """Sends bytes as a request target; looks at every byte of the answer."""
    out = http.raw(edge.port, http.request(target, token=token))
    for one in filter(None, re.split(rb"(?=HTTP/1\.[01] [2-5]\d\d )", out)):
        head = one.partition(b"\r\n\r\n")[0]
        lines = head.split(b"\r\n")
        assert b"\n" not in b"".join(lines) and b"\r" not in b"".join(lines)
        for line in lines[1:]:
            name, colon, value = line.partition(b":")
            assert colon and name.decode().lower() in HEADERS, line
            if name.lower() == b"location":
                assert_location(value.strip())


def assert_location(value):
    assert PLAIN.match(value) and b"\\" not in value, value
    if value.startswith(LOGIN.encode()):
        back = value[len(LOGIN):].decode()
        assert re.fullmatch(r"(?:[A-Za-z0-9._~-]|%[0-9A-F]{2})*", back), back
        back = urllib.parse.unquote(back)
        assert back.startswith(PUBLIC + "/go/"), back
        return
    assert value.startswith(URL.encode()), value
    path = urllib.parse.unquote(
        urllib.parse.urlsplit(value.decode()).path).replace("\\", "/")
    assert ".." not in path.split("/") and "." not in path.split("/"), value


# ---- what works

@pytest.mark.parametrize("target, expected", [
    ("/go/book", "book"),
    ("/go/book/", "book"),
    ("/go/book?utm=1", "book"),
    ("/go/book/?utm=1", "book"),
    ("/go/book/1", "read/book/1?from=leerpoort"),
    ("/go/book/h/1/s/2", "read/book/h/1/s/2?from=leerpoort"),
    ("/go/book/h/1/", "read/book/h/1/?from=leerpoort"),
    ("/go/book/a?b=c&d=/e", "read/book/a?from=leerpoort"),
    ("/go/book/a%20b", "read/book/a%20b?from=leerpoort"),
    ("/go/book/%C3%A9", "read/book/%C3%A9?from=leerpoort"),
    ("/go/book/a;b=c,d@e:f!$&'()*+", None),
    ("/go/book/~x.y-z_", "read/book/~x.y-z_?from=leerpoort"),
    ("/go/book/...", "read/book/...?from=leerpoort"),
    ("/go/book/a..b/..c", "read/book/a..b/..c?from=leerpoort"),
    ("/go/?product=book", "book"),
    ("/go/?x=1&product=book&y=2", "book"),
    ("/go/book?product=flat", "book"),
    ("/go/book/x?product=book", "read/book/x?from=leerpoort"),
    ("/go/query/a", "open?at=a&x=1"),
    ("/go/query/a&b=c", "open?at=a%26b%3Dc&x=1"),
    ("/go/query/a+b;c", "open?at=a%2Bb%3Bc&x=1"),
    ("/go/deep-only/x", "deep/x"),
])
def test_where_a_click_leads(edge, target, expected):
    found = location(edge, target)
    if expected is None:
        assert found in (None, URL + "read/book" + target[8:]
                         + "?from=leerpoort")
    else:
        assert found == URL + expected


def test_path_of_512_bytes_and_no_more(edge):
    path = "a" * 512
    assert location(edge, f"/go/book/{path}") \
        == f"{URL}read/book/{path}?from=leerpoort"
    response = edge.click(f"/go/book/{path}a", token=edge.token)
    assert (response.status, response.outcome) == (400, "bad-request")


def test_product_id_of_64_characters_and_no_more(edge):
    name = edge.product("p" * 64)
    edge.pupil.grant(name)
    assert location(edge, f"/go/{name}") == URL + name
    response = edge.click(f"/go/{name}p", token=edge.token)
    assert response.outcome == "bad-request"


# ---- what doesn't

BAD = [
    "/go/", "/go/?product=", "/go/?product=%62ook", "/go/?product=a/b",
    "/go/?product=book&product=flat",
    "/go/?other=book", "/go/-book", "/go/.book", "/go/_book", "/go/bo ok",
    "/go/b%6Fok", "/go/book%00", "/go/book%2F1", "/go/b@ok", "/go/bo*k",
    "/go/book/..", "/go/book/../x", "/go/book/x/..", "/go/book/./x",
    "/go/book/.", "/go/book/%2e%2e/x", "/go/book/%2E%2E", "/go/book/.%2e/x",
    "/go/book/%2e./x", "/go/book/%2e", "/go/book/x/%2e/y",
    "/go/book/a%2f..%2fb", "/go/book/a%5c..%5cb", "/go/book/%2f%2e%2e",
    "/go/book/%00", "/go/book/a%00b", "/go/book/%0d%0aX-Evil:%201",
    "/go/book/%0a", "/go/book/%0d", "/go/book/%09", "/go/book/%7f",
    "/go/book/%1f", "/go/book/a\\b", "/go/book/\\evil.example",
    "/go/book/%", "/go/book/%2", "/go/book/%zz", "/go/book/%u0041",
    "/go/book/%-1", "/go/book/a\"b", "/go/book/a<b", "/go/book/a>b",
    "/go/book/a^b", "/go/book/a`b", "/go/book/a{b", "/go/book/a|b",
    "/go/book/a}b", "/go/book/[1]", "/go/book/é", "/go/book/\xff",
    "/go/book/" + "a" * 4096, "/go/" + "a" * 4096, "/go/book/" + "%41" * 1400,
]


@pytest.mark.parametrize("target", BAD)
@pytest.mark.parametrize("with_token", [True, False])
def test_bad_request(edge, target, with_token):
    """Answered before the token is looked at; where nginx itself is
    stricter, it may refuse first or look elsewhere."""
    response = edge.click(target, token=edge.token if with_token else None)
    assert response.location is None
    assert response.outcome in ("bad-request", None)
    assert response.status in ((400,) if response.outcome else (400, 404))
    assert_harmless(edge, target, edge.token if with_token else None)


@pytest.mark.parametrize("target", [
    "/go/book/%2e%2e/x", "/go/book/%0d%0aX-Evil:%201", "/go/book/a\\b",
    "/go/book/" + "a" * 4096, "/go/b%6Fok", "/go/book/[1]", "/go/"])
def test_bad_request_by_its_name(edge, target):
    """Those that nginx lets through reach the module and get its answer."""
    response = edge.click(target)
    assert (response.status, response.outcome) == (400, "bad-request")


@pytest.mark.parametrize("target", [
    "//go/book", "/go//book", "/./go/book", "/x/../go/book", "/%67o/book",
    "/go/%2e/book", "/go/./book", "/go/x/../book", "/go/book//",
    "/go/book//x", "/go/book///evil.example", "/go//evil.example/%2e%2e",
    "http://evil.example/go/book", "http://portal.example/go/book/x",
    "http://evil.example//go/book", "/go/book#x", "/go/book/x#y", "*",
    "/go/book/x?%0d%0aX-Evil:1", "/go/book?product=%0d%0aX-Evil:1",
    "/go/book/%252e%252e/x", "/go/book/%250d%250a", "go/book",
    "/go/book/https://evil.example/", "/go/https://evil.example",
    "/go/book/@evil.example", "/go/book@evil.example/",
    "/go/book;.evil.example/"])
def test_odd_target_is_harmless(edge, target):
    assert_harmless(edge, target, edge.token)
    assert_harmless(edge, target, None)


def test_absolute_form_never_moves_the_way_back(edge):
    response = edge.click("http://evil.example/go/book", host="evil.example")
    assert response.outcome == "login"
    assert response.location == LOGIN + urllib.parse.quote(
        f"{PUBLIC}/go/book", safe="")


@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/1.1"])
def test_host_header_is_never_trusted(edge, version):
    for host in ("evil.example", "evil.example:80", "[::1]", None):
        out = http.raw(edge.port, http.request(
            "/go/book/x", host=host, version=version))
        assert b"evil" not in out
        if host is None and version == "HTTP/1.1":
            assert out.startswith(b"HTTP/1.1 400")
        else:
            assert (LOGIN + urllib.parse.quote(
                f"{PUBLIC}/go/book/x", safe="")).encode() in out


# ---- the way back

@pytest.mark.parametrize("target", [
    "/go/book", "/go/book/a%20b", "/go/book/h/1?x=1&y=a%26b", "/go/book?a+b",
    "/go/?product=book", "/go/book/a;b=c,d@e:f!$&'()*+~", "/go/book?q=%C3%A9",
])
def test_way_back_is_the_click_itself_percent_encoded(edge, target):
    response = edge.click(target)
    assert response.outcome == "login"
    assert response.location.startswith(LOGIN)
    back = response.location[len(LOGIN):]
    assert re.fullmatch(r"(?:[A-Za-z0-9._~-]|%[0-9A-F]{2})*", back)
    assert urllib.parse.unquote(back) == PUBLIC + target


def test_way_back_with_bytes_that_are_no_url(edge):
    """The query is not the module's, but its bytes end in a header."""
    for query in ("é", "\xff", '"<>', "a\\b", "%", "%zz", "a b", "'`{|}"):
        assert_harmless(edge, f"/go/book?{query}", None)


# ---- products

PRODUCTS = {
    "no-fields": ({"name": "Nothing"}, "unknown-material", None),
    "http": ({"url": "http://publisher.example/x"}, "unknown-material", None),
    "ftp": ({"url": "ftp://publisher.example/x"}, "unknown-material", None),
    "javascript": ({"url": "javascript:alert(1)"}, "unknown-material", None),
    "relative": ({"url": "/x"}, "unknown-material", None),
    "no-scheme": ({"url": "//publisher.example/x"}, "unknown-material", None),
    "empty": ({"url": ""}, "unknown-material", None),
    "other-host": ({"url": "https://evil.example/x"}, "unknown-material",
                   None),
    "host-prefix": ({"url": "https://publisher.example.evil/x"},
                    "unknown-material", None),
    "host-suffix": ({"url": "https://evilpublisher.example/x"},
                    "unknown-material", None),
    "user-info": ({"url": "https://publisher.example@evil.example/x"},
                  "unknown-material", None),
    "user-info-2": ({"url": "https://evil@publisher.example/x"},
                    "unknown-material", None),
    "backslash": ({"url": "https://evil.example\\@publisher.example/x"},
                  "unknown-material", None),
    "newline": ({"url": "https://publisher.example/x\r\nX-Evil: 1"},
                "unknown-material", None),
    "tab": ({"url": "https://publisher.example/\tx"}, "unknown-material",
            None),
    "space": ({"url": "https://publisher.example/a b"}, "unknown-material",
              None),
    "not-ascii": ({"url": "https://publisher.example/é"}, "unknown-material",
                  None),
    "long": ({"url": "https://publisher.example/" + "x" * 2100},
             "unknown-material", None),
    "wild-itself": ({"url": "https://uitgever.example/x"},
                    "unknown-material", None),
    "wild": ({"url": "https://leer.uitgever.example/x"}, "redirect",
             "https://leer.uitgever.example/x"),
    "capitals": ({"url": "https://PUBLISHER.example/x"}, "redirect",
                 "https://PUBLISHER.example/x"),
    "port": ({"url": "https://publisher.example:8443/x"}, "redirect",
             "https://publisher.example:8443/x"),
    "loopback": ({"url": "http://127.0.0.1:8080/x"}, "redirect",
                 "http://127.0.0.1:8080/x"),
    "fragment": ({"url": "https://publisher.example/x?y=1#z"}, "redirect",
                 "https://publisher.example/x?y=1#z"),
    "no-slash": ({"url": "https://publisher.example"}, "redirect",
                 "https://publisher.example"),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_target_of_a_product(edge, name):
    fields, outcome, expected = PRODUCTS[name]
    edge.product(name, **fields)
    edge.pupil.grant(name)
    person = edge.person().grant(name)
    response = edge.click(f"/go/{name}", token=person.token())
    assert response.outcome == outcome
    assert response.status == (302 if expected else 404)
    assert response.location == expected


@pytest.mark.parametrize("deep", [
    "https://publisher.example/x", "https://{path}/x",
    "https://publisher.example{path}", "https://evil.example/{path}",
    "https://publisher.example/{path}/{path}",
    "http://publisher.example/{path}",
    "{path}", "https://{path}.uitgever.example/", ""])
def test_template_that_is_none(edge, deep):
    name = f"deep-{names.shard(deep)}{len(deep)}"
    edge.product(name, url=f"{URL}x", deep=deep)
    person = edge.person().grant(name)
    response = edge.click(f"/go/{name}/evil.example", token=person.token())
    assert (response.status, response.outcome) == (404, "unknown-material")
    assert edge.click(f"/go/{name}", token=person.token()).location \
        == f"{URL}x"


def test_path_where_the_product_has_no_deep(edge):
    response = edge.click("/go/flat/1", token=edge.token)
    assert (response.status, response.outcome) == (404, "unknown-material")


def test_no_path_where_the_product_has_no_url(edge):
    response = edge.click("/go/deep-only", token=edge.token)
    assert (response.status, response.outcome) == (404, "unknown-material")


def test_target_is_looked_at_after_the_right(edge):
    edge.product("hidden", url="https://evil.example/x")
    assert edge.person().click("/go/hidden").outcome == "no-right"


def test_target_is_looked_at_before_the_activation(edge):
    edge.product("unreachable", url="https://evil.example/x")
    person = edge.person().grant("unreachable", "E")
    assert person.click("/go/unreachable").outcome == "unknown-material"
    assert person.click("/go/unreachable").mirror in ("HIT", "MISS")


# ---- published lists

def test_open_redirect_payloads(edge, vectors):
    seen = 0
    for file in sorted(vectors.glob("open-redirect/*.txt")):
        for line in file.read_bytes().splitlines():
            payload = line.strip()
            if not payload or b" " in payload:
                continue
            for target in (b"/go/book/" + payload, b"/go/book" + payload,
                           b"/go/query/" + payload,
                           b"/go/?product=" + payload,
                           b"/go/book?next=" + payload):
                assert_harmless(edge, target, edge.token)
            assert_harmless(edge, b"/go/book/x?u=" + payload, None)
            assert_harmless(edge, payload, edge.token)
            seen += 1
    assert seen > 100


def test_naughty_strings(edge, vectors):
    strings = json.loads((vectors / "blns" / "blns.json").read_text())
    assert len(strings) > 400
    for text in strings:
        quoted = urllib.parse.quote(text, safe="")
        as_sent = text.encode().replace(b"\r", b"").replace(b"\n", b"")
        for target in (f"/go/book/{quoted}".encode(),
                       f"/go/{quoted}".encode(),
                       f"/go/?product={quoted}".encode(),
                       b"/go/book/" + as_sent.replace(b" ", b"")):
            assert_harmless(edge, target, edge.token)


def test_browser_reads_the_host_that_we_meant(edge, vectors):
    """WHATWG's cases, as the paths of clicks and as the urls of products."""
    cases = json.loads((vectors / "url" / "urltestdata.json").read_text())
    token, seen = edge.token, 0
    commands = []
    inputs = sorted({c["input"] for c in cases if isinstance(c, dict)})
    for number, text in enumerate(inputs):
        commands.append(("HSET", names.product_hash(f"url-{number}"),
                         "free", "1", "url", encodable(text)))
    replies = edge.redis.pipeline(commands)
    assert not [r for r in replies if isinstance(r, Exception)]
    with http.Connection(edge.port) as connection:
        for number, text in enumerate(inputs):
            response = connection.click(f"/go/url-{number}", token=token)
            assert response.outcome in ("redirect", "unknown-material")
            if response.outcome == "redirect":
                host = urllib.parse.urlsplit(response.location).hostname
                assert host == "publisher.example" or host == "127.0.0.1" \
                    or host.endswith(".uitgever.example"), text
            seen += 1
    for text in inputs:
        data = encodable(text).replace(b" ", b"%20")
        if not set(data) & set(b"\r\n\0"):
            assert_harmless(edge, b"/go/book/" + data, token)
    assert seen > 500


def encodable(text):
    return text.encode("utf-8", "surrogatepass")
