"""Each mistake stops nginx -t with one clear line that names file and line."""

import json
import os
import re

import pytest

from lib.names import base64url
from lib.nginx import config_error, configuration_test, frame
from lib.process import free_port
from lib.tokens import Issuer, Key, make_key, rsa_private, write_jwks

GOOD = """
    leerpoort_zone leerpoort:8m;
    leerpoort_redis unix:@FOLDER@/redis.sock timeout=50ms;
    leerpoort_pepper @FOLDER@/pepper;
    leerpoort_issuer school {
        issuer https://sso.example;
        jwks @FOLDER@/school.jwks.json;
        audience leerpoort other;
        algorithms RS256 ES256 EdDSA;
        user eckid ECK;
        user sub NEPPI;
        school org MASTER;
        leeway 60s;
        max_age 8h;
    }
    server {
        listen 127.0.0.1:@PORT@;
        leerpoort_public_url https://toegang.example;
        leerpoort_login https://login.example/?return=$leerpoort_return;
        location /go/ {
            leerpoort_click;
            leerpoort_token $http_x_token;
            leerpoort_content_hosts publisher.example *.uitgever.example;
            leerpoort_activate /activate;
            leerpoort_token_time 5m;
            leerpoort_mirror_time 60s;
            leerpoort_stale 1h;
        }
        location /metrics { leerpoort_metrics; }
    }"""


@pytest.fixture
def folder(tmp_path):
    issuer = Issuer(tmp_path)
    issuer.write()
    (tmp_path / "pepper").touch(0o600)
    (tmp_path / "pepper").write_bytes(b"pepper" * 6)
    write_jwks(tmp_path / "hs.jwks.json", [make_key("HS256", "hs")])
    write_jwks(tmp_path / "open.jwks.json", [make_key("HS256", "hs")])
    os.chmod(tmp_path / "open.jwks.json", 0o644)
    write_jwks(tmp_path / "weak.jwks.json", [
        Key("RS256", "weak", rsa_private(1024))])
    (tmp_path / "none.jwks.json").write_text('{"keys":[]}')
    (tmp_path / "broken.jwks.json").write_text('{"keys":[')
    (tmp_path / "empty").touch(0o600)
    (tmp_path / "world").touch(0o600)
    (tmp_path / "world").write_bytes(b"pepper" * 6)
    os.chmod(tmp_path / "world", 0o644)
    (tmp_path / "group").touch(0o600)
    (tmp_path / "group").write_bytes(b"pepper" * 6)
    os.chmod(tmp_path / "group", 0o640)
    (tmp_path / "password").touch(0o600)
    (tmp_path / "password").write_text("secret\n")
    return tmp_path


def configuration(folder, old="", new="", base=GOOD):
    """The good configuration with one stretch of text exchanged; the lines
    of what is new: (text, first line, last line)."""
    assert old in base, old
    http = base.replace(old, new, 1) if old else base + new
    text = frame(folder, http.replace("@FOLDER@", str(folder)).replace(
        "@PORT@", str(free_port())))
    before = text.partition(new.replace("@FOLDER@", str(folder)))[0] \
        if new else text
    first = before.count("\n") + 1
    return text, first, first + new.count("\n")


def test_good_configuration_is_good(folder):
    code, said = configuration_test(folder, configuration(folder)[0])
    assert code == 0, said
    assert "[warn]" not in said and "[error]" not in said, said


@pytest.mark.parametrize("address", [
    "127.0.0.1", "127.0.0.1:6379", "localhost:6379", "[::1]:6379",
    "unix:/tmp/x.sock user=edge password_file=@FOLDER@/password",
    "127.0.0.1:6379 timeout=1s"])
def test_good_addresses(folder, address):
    code, said = configuration_test(folder, configuration(
        folder, "unix:@FOLDER@/redis.sock timeout=50ms", address)[0])
    assert code == 0, said


@pytest.mark.parametrize("change", [
    ("leerpoort_zone leerpoort:8m", "leerpoort_zone name:1024k"),
    ("max_age 8h;", ""), ("leeway 60s;", ""), ("leeway 60s;", "leeway 0;"),
    ("school org MASTER;", ""), ("school org MASTER;", "school b OIE_CODE;"),
    ("algorithms RS256 ES256 EdDSA;",
     "algorithms RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 EdDSA;"),
    ("leerpoort_mirror_time 60s", "leerpoort_mirror_time 0"),
    ("leerpoort_content_hosts publisher.example *.uitgever.example;", ""),
    ("leerpoort_token $http_x_token;", ""),
    ("leerpoort_stale 1h", "leerpoort_stale 0")])
def test_good_choices(folder, change):
    code, said = configuration_test(folder, configuration(
        folder, *change)[0])
    assert code == 0, said


def test_own_issuer_may_use_hs256(folder):
    code, said = configuration_test(folder, configuration(
        folder, "    server {", """    leerpoort_issuer leerpoort {
        issuer https://toegang.example; jwks @FOLDER@/hs.jwks.json;
        audience leerpoort; algorithms HS256; user sub NEPPI;
    }
    server {""")[0])
    assert code == 0, said


JWKS = "jwks @FOLDER@/school.jwks.json;"
ALGS = "algorithms RS256 ES256 EdDSA;"
REDIS = "leerpoort_redis unix:@FOLDER@/redis.sock timeout=50ms;"
ZONE = "leerpoort_zone leerpoort:8m;"
PEPPER = "leerpoort_pepper @FOLDER@/pepper;"
OWN = """    leerpoort_issuer leerpoort {
        issuer https://toegang.example; jwks @FOLDER@/open.jwks.json;
        audience leerpoort; algorithms HS256; user sub NEPPI;
    }
"""
ISSUER = GOOD[GOOD.index("    leerpoort_issuer"):GOOD.index("    server {")]
EMPTY_ISSUER = "leerpoort_issuer school {"

# name: (text, what stands in its place, words that the line has)
MISTAKES = {
    "another handler in the click's location": (
        "leerpoort_click;", "leerpoort_click; proxy_pass http://127.0.0.1:1;",
        ["another directive answers", "leerpoort_click"]),
    "metrics in the click's location": (
        "leerpoort_click;", "leerpoort_click; leerpoort_metrics;",
        ["another directive answers"]),
    "login that is no URL": (
        "leerpoort_click;", "leerpoort_click; leerpoort_login javascript:x;",
        ["leerpoort_login", "javascript:x"]),
    "leeway twice": ("leeway 60s;", "leeway 60s; leeway 30s;",
                     ["duplicate", "leeway"]),
    "leeway of days": ("leeway 60s;", "leeway 10d;", ["leeway", "3600"]),
    "user claim twice": ("user eckid ECK;", "user eckid ECK; user eckid ECK;",
                         ["duplicate", "eckid"]),
    "sentinel": ("leerpoort_redis unix:@FOLDER@/redis.sock timeout=50ms;",
                 "leerpoort_redis sentinel:a:1;", ["sentinel"]),
    "JWKS file missing": (JWKS, "jwks @FOLDER@/nowhere.json;",
                          ["nowhere.json", "No such file"]),
    "JWKS without a key": (JWKS, "jwks @FOLDER@/none.jwks.json;",
                           ["none.jwks.json"]),
    "JWKS with only weak keys": (JWKS, "jwks @FOLDER@/weak.jwks.json;",
                                 ["weak.jwks.json"]),
    "JWKS that is no JSON": (JWKS, "jwks @FOLDER@/broken.jwks.json;",
                             ["broken.jwks.json"]),
    "JWKS that is a folder": (JWKS, "jwks @FOLDER@;", ["jwks|JWKS"]),
    "JWKS with a secret for a foreign issuer": (
        JWKS, "jwks @FOLDER@/hs.jwks.json;", ["hs.jwks.json"]),
    "JWKS with a secret that all may read": (
        "    server {", OWN + "    server {", ["open.jwks.json"]),
    "pepper missing": (PEPPER, "leerpoort_pepper @FOLDER@/nowhere;",
                       ["nowhere", "No such file"]),
    "pepper readable by all": (PEPPER, "leerpoort_pepper @FOLDER@/world;",
                               ["world"]),
    "pepper readable by a group": (
        PEPPER, "leerpoort_pepper @FOLDER@/group;", ["group"]),
    "pepper empty": (PEPPER, "leerpoort_pepper @FOLDER@/empty;", ["empty"]),
    "pepper a folder": (PEPPER, "leerpoort_pepper @FOLDER@;", ["pepper"]),
    "pepper twice": (PEPPER, PEPPER + PEPPER, ["leerpoort_pepper",
                                               "duplicate"]),
    "no pepper": (PEPPER, "", ["leerpoort_pepper"]),
    "unknown algorithm": (ALGS, "algorithms RS256 RS257;", ["RS257"]),
    "algorithm none": (ALGS, "algorithms none;", ["none"]),
    "algorithm twice": (ALGS, "algorithms ES256 ES256;", ["ES256"]),
    "algorithm in lower case": (ALGS, "algorithms rs256;", ["rs256"]),
    "ES512 for tokens": (ALGS, "algorithms ES512;", ["ES512"]),
    "HS256 for a foreign issuer": (ALGS, "algorithms RS256 HS256;",
                                   ["HS256"]),
    "no zone": (ZONE, "", ["leerpoort_zone"]),
    "zone too small": (ZONE, "leerpoort_zone leerpoort:8k;",
                       ["leerpoort", "small"]),
    "zone without a size": (ZONE, "leerpoort_zone leerpoort;",
                            ["leerpoort"]),
    "zone of a bad size": (ZONE, "leerpoort_zone leerpoort:8x;",
                           ["leerpoort"]),
    "zone of a negative size": (ZONE, "leerpoort_zone leerpoort:-8m;",
                                ["leerpoort"]),
    "zone without a name": (ZONE, "leerpoort_zone :8m;",
                            ["leerpoort_zone|zone"]),
    "zone twice": (ZONE, ZONE + ZONE, ["leerpoort_zone", "duplicate"]),
    "no Redis": (REDIS, "", ["leerpoort_redis"]),
    "Redis twice": (REDIS, REDIS + REDIS, ["leerpoort_redis", "duplicate"]),
    "Redis without an address": (REDIS, "leerpoort_redis timeout=50ms;",
                                 ["address"]),
    "Redis with two addresses": (REDIS, "leerpoort_redis unix:/x unix:/y;",
                                 ["unix:/y"]),
    "Redis with a bad port": (REDIS, "leerpoort_redis 127.0.0.1:77777;",
                              ["77777"]),
    "Redis without a path": (REDIS, "leerpoort_redis unix:;", ["unix:"]),
    "Redis on an unknown host": (
        REDIS, "leerpoort_redis nowhere.invalid:6379;",
        ["nowhere.invalid"]),
    "Redis with a bad timeout": (
        REDIS, "leerpoort_redis unix:/tmp/x timeout=fast;", ["timeout"]),
    "Redis with a timeout of 0": (
        REDIS, "leerpoort_redis unix:/tmp/x timeout=0;", ["timeout"]),
    "Redis with an unknown parameter": (
        REDIS, "leerpoort_redis unix:/tmp/x retries=3;", ["retries"]),
    "Redis password file missing": (
        REDIS, "leerpoort_redis unix:/tmp/x password_file=@FOLDER@/nowhere;",
        ["nowhere", "No such file"]),
    "Redis user without a password": (
        REDIS, "leerpoort_redis unix:/tmp/x user=edge;", ["password_file"]),
    "Redis password readable by all": (
        REDIS, "leerpoort_redis unix:/tmp/x password_file=@FOLDER@/world;",
        ["world"]),
    "Redis password empty": (
        REDIS, "leerpoort_redis unix:/tmp/x password_file=@FOLDER@/empty;",
        ["empty"]),
    "no issuer": (ISSUER, "", ["leerpoort_issuer"]),
    "issuer twice": ("    server {", ISSUER + "    server {", ["school"]),
    "issuer's iss twice": (
        "    server {", ISSUER.replace("leerpoort_issuer school",
                                       "leerpoort_issuer second")
        + "    server {", ["sso.example"]),
    "issuer without a name": (EMPTY_ISSUER, "leerpoort_issuer {",
                              ["leerpoort_issuer"]),
    "issuer without issuer": ("issuer https://sso.example;", "", ["issuer"]),
    "issuer with two issuers": (
        "issuer https://sso.example;",
        "issuer https://sso.example; issuer https://b.example;", ["issuer"]),
    "issuer without jwks": (JWKS, "", ["jwks"]),
    "issuer without audience": ("audience leerpoort other;", "",
                                ["audience"]),
    "issuer without a user": ("user eckid ECK;\n        user sub NEPPI;", "",
                              ["user"]),
    "user without a type": ("user eckid ECK;", "user eckid;", ["user"]),
    "user of a type that is too long": (
        "user eckid ECK;", f"user eckid {'E' * 17};", ["E" * 17]),
    "user of a type with a dash": ("user eckid ECK;", "user eckid E-K;",
                                  ["E-K"]),
    "school of an unknown type": ("school org MASTER;", "school org BRIN;",
                                  ["BRIN"]),
    "school of a user's type": ("school org MASTER;", "school org ECK;",
                                ["ECK"]),
    "bad leeway": ("leeway 60s;", "leeway soon;", ["leeway"]),
    "negative leeway": ("leeway 60s;", "leeway -1s;", ["leeway"]),
    "bad max_age": ("max_age 8h;", "max_age 8y2z;", ["max_age"]),
    "unknown line in an issuer": ("leeway 60s;", "leewey 60s;", ["leewey"]),
    "block in an issuer": ("leeway 60s;", "leeway { }", ["{"]),
    "click in a regex location": ("location /go/ {", "location ~ ^/go/ {",
                                  ["leerpoort_click"]),
    "click in a named location": ("location /go/ {", "location @go {",
                                  ["leerpoort_click"]),
    "click twice": ("leerpoort_click;", "leerpoort_click; leerpoort_click;",
                    ["leerpoort_click", "duplicate"]),
    "click with two values": ("leerpoort_click;", "leerpoort_click a b;",
                              ["leerpoort_click"]),
    "click outside a location": (
        "leerpoort_public_url https://toegang.example;",
        "leerpoort_public_url https://toegang.example; leerpoort_click;",
        ["leerpoort_click"]),
    "return without public url": (
        "leerpoort_public_url https://toegang.example;", "",
        ["leerpoort_public_url"]),
    "public url without a scheme": (
        "leerpoort_public_url https://toegang.example;",
        "leerpoort_public_url toegang.example;", ["toegang.example"]),
    "public url with a query": (
        "leerpoort_public_url https://toegang.example;",
        "leerpoort_public_url https://toegang.example/x?y;",
        ["toegang.example"]),
    "bad token time": ("leerpoort_token_time 5m", "leerpoort_token_time 5q",
                       ["leerpoort_token_time"]),
    "bad mirror time": ("leerpoort_mirror_time 60s",
                        "leerpoort_mirror_time x", ["leerpoort_mirror_time"]),
    "bad stale": ("leerpoort_stale 1h", "leerpoort_stale -1",
                  ["leerpoort_stale"]),
    "stale twice": ("leerpoort_stale 1h;",
                    "leerpoort_stale 1h; leerpoort_stale 2h;",
                    ["leerpoort_stale", "duplicate"]),
    "bad host": ("leerpoort_content_hosts publisher.example",
                 "leerpoort_content_hosts https://publisher.example",
                 ["https://publisher.example"]),
    "host with a star inside": (
        "leerpoort_content_hosts publisher.example",
        "leerpoort_content_hosts a*.example", ["a*.example"]),
    "host *": ("leerpoort_content_hosts publisher.example",
               "leerpoort_content_hosts *", ["*"]),
    "activation without a slash": ("leerpoort_activate /activate",
                                   "leerpoort_activate activate",
                                   ["activate"]),
    "metrics with a value": ("leerpoort_metrics;", "leerpoort_metrics on;",
                             ["leerpoort_metrics"]),
    "an employee without a value": ("leeway", "employee role; leeway",
                                    ["arguments", "employee"]),
    "an employee twice": ("leeway", "employee role x y; employee role y; "
                          "leeway", ["duplicate", "employee", '"y"']),
    "an employee of nothing": ("leeway", "employee '' x; leeway",
                               ["empty", "employee"]),
    "too many values of employees": (
        "leeway", "employee role 1 2 3 4 5 6 7 8 9; "
        "employee kind 1 2 3 4 5 6 7 8; leeway", ["16", "employee"]),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake_stops_nginx_with_one_clear_line(folder, name):
    old, new, words = MISTAKES[name]
    text, first, last = configuration(folder, old, new)
    line = config_error(folder, text)
    found = re.search(r" in (\S+/nginx\.conf):(\d+)$", line)
    assert found, f"no file and line: {line}"
    assert found[1] == str(folder / "nginx.conf")
    if new:
        # what is wrong as a whole is noticed where its block ends
        assert first <= int(found[2]) <= max(last, closing(text, first)), line
    for word in words:
        assert any(w in line for w in word.split("|")), line


def closing(text, line):
    """The line where the block that holds a line ends."""
    depth = 0
    for number, content in enumerate(text.splitlines()[line - 1:], line):
        depth += content.count("{") - content.count("}")
        if depth < 0:
            return number
    return line


def test_mistake_says_nothing_secret(folder):
    secret = base64url(os.urandom(32))
    (folder / "broken.jwks.json").write_text(json.dumps(
        {"keys": [{"kty": "oct", "k": secret, "kid": secret}]}))
    text, *_ = configuration(folder, JWKS, "jwks @FOLDER@/broken.jwks.json;")
    code, said = configuration_test(folder, text)
    assert code != 0
    assert secret not in said


def test_key_that_does_not_count_is_a_warning(folder):
    """One bad key among good ones: nginx starts and says which is out."""
    good = make_key("ES256", "good")
    write_jwks(folder / "school.jwks.json", [
        good, Key("RS256", "weak", rsa_private(1024))])
    code, said = configuration_test(folder, configuration(folder)[0])
    assert code == 0, said
    assert "[warn]" in said and "school.jwks.json" in said


def test_configuration_without_leerpoort_needs_nothing(folder):
    http = f"server {{ listen 127.0.0.1:{free_port()}; return 200; }}"
    code, said = configuration_test(folder, frame(folder, http))
    assert code == 0, said
