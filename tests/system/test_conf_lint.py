"""No configuration that we hand out leaks or splits headers."""

import pytest

from lib.conf_lint import findings
from lib.process import REPOSITORY

pytestmark = pytest.mark.once

FILES = sorted([*REPOSITORY.glob("lua-free-conf/**/nginx*.conf"),
                *REPOSITORY.glob("demo/*.conf")])


def test_there_is_something_to_read():
    assert len(FILES) >= 3


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_conf_is_clean(path):
    assert findings(path.read_text()) == []


@pytest.mark.parametrize("text, finding", [
    ("return 302 https://x.example$uri;", "what the client chose"),
    ("return 301 'https://x.example/${arg_next}';", "what the client chose"),
    ("return https://$host/;", "what the client chose"),
    ("rewrite ^ https://x.example$request_uri permanent;",
     "what the client chose"),
    ("add_header Location $document_uri;", "what the client chose"),
    ("leerpoort_login https://x.example/?return=$arg_return;",
     "what the client chose"),
    ("log_format a '$request_uri';", "in a log"),
    ("log_format a '$time_iso8601 \"$request\" $status';", "in a log"),
    ("log_format a $remote_addr;", "in a log"),
    ("log_format a '$http_authorization';", "in a log"),
    ("log_format a '$cookie_leerpoort';", "in a log"),
    ("log_format a '$leerpoort_user';", "in a log"),
    ("log_format a '$leerpoort_session';", "in a log"),
    ("http { server { listen 80; } }", "no access_log"),
    ("http { access_log /var/log/a.log; }", "nginx's own format"),
    ("http { access_log /var/log/a.log combined; }", "nginx's own format"),
    ("limit_req_zone $binary_remote_addr zone=a:1m rate=1r/s;",
     "a school has one"),
    ("content_by_lua_block { ngx.say(1) }", "no scripts"),
    ("js_content main.hello;", "no scripts"),
    ("load_module modules/ndk_http_module.so;", "not ours"),
])
def test_lint_finds(text, finding):
    assert [what for _, what in findings(text) if finding in what]


@pytest.mark.parametrize("text", [
    "# return 302 $uri;\nreturn 302 /fixed;",
    "return 404 '$uri';",
    "log_format a '$time_iso8601 $status $request_time $request_id';",
    "http { log_format a '$status'; access_log /var/log/a.log a; }",
    "http { access_log off; }",
])
def test_lint_lets_pass(text):
    assert findings(text) == []
