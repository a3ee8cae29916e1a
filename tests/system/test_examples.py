"""Every file in lua-free-conf/ is started, with paths and names replaced."""

import contextlib
import hashlib
import json
import os
import pathlib
import re
import resource
import shutil
import socket
import ssl
import subprocess
import threading
from urllib.parse import quote, urlencode

import pytest

from lib import fastcgi, http, names
from lib.door import Sso
from lib.nginx import (BINARY, BUILD, MODULE, configuration_test, environment,
                       frame)
from lib.process import REPOSITORY, Process, eventually, free_port
from lib.redis import SERVER, Client, Redis, RedisError
from lib.tokens import Issuer
from lib.workers import Workers

EXAMPLES = REPOSITORY / "lua-free-conf"
PASSWORDS = {"edge": "of the edge", "operator": "of the operator",
             "sso": "of the sign-in"}
SITE = "https://toegang.example.nl"
KNOWN = {"README.md", "nginx.conf", "leerpoort_params", "redis.conf", "users.acl",
         "systemd/nginx.service.d/leerpoort.conf",
         "systemd/redis-server.service.d/leerpoort.conf",
         "sysctl.d/leerpoort.conf",
         "parties.json", "pages.json", "leerpoort_page_params",
         "sso.json", "lti.json", "sources.json",
         "systemd/leerpoort-worker.socket",
         "systemd/leerpoort-worker.service", "systemd/leerpoort-apis.socket",
         "systemd/leerpoort-apis.service", "systemd/leerpoort-relay.service",
         "systemd/leerpoort-tally.service", "systemd/leerpoort-sso.socket",
         "systemd/leerpoort-sso.service", "systemd/leerpoort-keys.service"}


def test_every_example_is_tested():
    found = {path.relative_to(EXAMPLES).as_posix()
             for path in EXAMPLES.rglob("*") if path.is_file()}
    assert found == KNOWN


def start_redis(folder):
    """redis-server with the example's configuration and users."""
    acl = (EXAMPLES / "users.acl").read_text()
    for user, password in PASSWORDS.items():
        digest = hashlib.sha256(password.encode()).hexdigest()
        old = acl
        acl = acl.replace(f"user {user} off ", f"user {user} on #{digest} ")
        assert acl != old, f"no user {user} that is off"
    (folder / "users.acl").write_text(acl)
    conf = (EXAMPLES / "redis.conf").read_text()
    for path in ("/run/redis/", "/etc/redis/", "/var/lib/redis",
                 "/var/log/redis/"):
        assert path in conf, path
        conf = conf.replace(path, f"{folder}/" if path.endswith("/")
                            else str(folder))
    (folder / "redis.conf").write_text(conf)
    process = Process([SERVER, str(folder / "redis.conf")], folder / "output")
    path = str(folder / "redis-server.sock")
    eventually("Redis listens", lambda: process.ended() or accepts(path), 10)
    assert not process.ended(), (folder / "output").read_text()
    return process, path


def accepts(path):
    """A socket is there some time before anybody listens to it."""
    try:
        Client(path).close()
    except OSError:
        return False
    return True


@pytest.fixture
def redis(tmp_path):
    process, path = start_redis(tmp_path)
    try:
        yield path
    finally:
        process.destroy()


def as_user(path, user):
    client = Client(path)
    assert client("AUTH", user, PASSWORDS[user]) == "OK"
    return client


def test_redis_lets_nobody_in_without_a_name(redis):
    client = Client(redis)
    for command in (("PING",), ("GET", "x"), ("AUTH", "default", "")):
        with pytest.raises(RedisError):
            client(*command)
    client.close()


def test_redis_user_edge_reads_and_no_more(redis):
    edge = as_user(redis, "edge")
    number = edge("CLIENT", "ID")
    assert edge("HGETALL", "u:{00}:S/x") == []
    assert edge("GET", "a:{00}:BP_ID:1") is None
    assert edge("XADD", "usage:{00}", "*", "p", "x", "n", 0, "b", "y")
    for command in (("HSET", "u:{00}:S/x", "a", "b"), ("DEL", "u:{00}:S/x"),
                    ("XADD", "journal:{00}", "*", "a", "b"),
                    ("GET", "usage:{00}"), ("XADD", "u:{00}:S/x", "*", 1, 2),
                    ("GET", "journal:{00}"), ("KEYS", "*"), ("FLUSHALL",),
                    ("CONFIG", "GET", "*"), ("CLIENT", "LIST"),
                    ("EVAL", "return 1", 0), ("SUBSCRIBE", "other")):
        with pytest.raises(RedisError, match="NOPERM"):
            edge(*command)
    assert edge("CLIENT", "TRACKING", "ON", "REDIRECT", number, "BCAST",
                "PREFIX", "u:") == "OK"
    assert edge("SUBSCRIBE", "__redis__:invalidate")[2] == 1
    edge.close()


def test_redis_keeps_what_it_acknowledges(redis):
    operator = as_user(redis, "operator")
    for name, value in (("appendonly", "yes"), ("appendfsync", "always"),
                        ("maxmemory-policy", "noeviction")):
        assert operator("CONFIG", "GET", name) == [name, value]
    operator.close()


def nginx_conf(folder, redis):
    """The example with this folder's paths, ports and files."""
    (folder / "tls").mkdir()
    (folder / "cache").mkdir()
    for name in ("leerpoort_params", "leerpoort_page_params", "pages.json"):
        shutil.copy(EXAMPLES / name, folder)
    (folder / "spool").mkdir(0o700)
    for name, content in (("pepper", b"pepper" * 6),
                          ("redis-edge.password", PASSWORDS["edge"].encode())):
        (folder / name).touch(0o600)
        (folder / name).write_bytes(content)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
         "/CN=toegang.example.nl", "-keyout", folder / "tls/toegang.key",
         "-out", folder / "tls/toegang.crt"], check=True, capture_output=True)
    ports = {"tls": free_port(), "metrics": free_port()}
    text = (EXAMPLES / "nginx.conf").read_text()
    changes = [
        (r"load_module \S+;", f"load_module {MODULE};"),
        (r"\nuser \S+;", "\nuser root;" if os.geteuid() == 0 else "\n"),
        (r"worker_processes \S+;",
         "daemon off;\nworker_processes 2;"),
        (r"/run/nginx\.pid", f"{folder}/nginx.pid"),
        (r"/var/log/nginx/", f"{folder}/"),
        (r"/etc/leerpoort/", f"{folder}/"),
        (r"/var/spool/leerpoort ", f"{folder}/spool "),
        (r"/run/redis/redis-server\.sock", redis),
        (r"/run/leerpoort/", f"{folder}/"),
        (r"/run/leerpoort-keys/", f"{folder}/"),
        (r"/var/lib/leerpoort-keys/", f"{folder}/fetched/"),
        (r"listen 443 ", f"listen 127.0.0.1:{ports['tls']} "),
        (r"listen 127\.0\.0\.1:9145", f"listen 127.0.0.1:{ports['metrics']}"),
        (r"http \{", "http {\n" + "".join(
            f"    {name}_temp_path {folder}/cache/{name};\n" for name in (
                "client_body", "proxy", "fastcgi", "uwsgi", "scgi"))),
        (r"buffer=64k flush=5s", ""),
        (r"worker_rlimit_nofile \d+;", "worker_rlimit_nofile %d;" % (
            resource.getrlimit(resource.RLIMIT_NOFILE)[0])),
        (r"worker_connections \d+;", "worker_connections 512;"),
    ]
    for pattern, replacement in changes:
        text, count = re.subn(pattern, lambda _: replacement, text)
        assert count, f"the example has no {pattern}"
    return text, ports


def for_a_rehearsal(text):
    """The example with what docs/rehearsal.md wants taken out of comments."""
    for pattern, replacement in (
            (r"# (include \S+/rehearsal/issuer\.conf;)", r"\1"),
            (r"( methode\.example\.nl);", r"\1 *.load.example;"),
            (r"# (location = /\.well-known/leerpoort-load \{)\n"
             r" +# ( .*)\n +# ( .*)HASH(.*)\n +# (\})",
             r"\1\n\2\n\g<3>" + "0123456789abcdef" * 4 + r"\4\n\5")):
        text, count = re.subn(pattern, replacement, text)
        assert count == 1, f"the example has no {pattern}"
    return text


def over_tls(port, data):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), 10) as plain:
        with context.wrap_socket(plain, server_hostname="x") as connection:
            connection.sendall(data)
            out = b""
            while part := connection.recv(65536):
                out += part
            return out.decode()


AUDIENCE = {"schoollogin": f"{SITE}/", "api": SITE, "leerpoort": SITE}


def issuer(folder, name, iss, file, **kwargs):
    """An issuer of the example, with its keys in the file that it names."""
    (folder / file).parent.mkdir(exist_ok=True)
    found = Issuer(folder, name, iss, audience=AUDIENCE[name], **{
        "algs": ["RS256", "ES256"], **kwargs})
    found.jwks.rename(folder / file)
    return found


class Example:
    """nginx with the example's configuration, and who signs for it."""

    def __init__(self, folder, redis, change=lambda text: text):
        text, self.ports = nginx_conf(folder, redis)
        text = change(text)
        self.folder = folder
        self.school = issuer(folder, "schoollogin",
                             "https://login.example.nl/",
                             "fetched/schoollogin.jwks.json")
        self.api = issuer(folder, "api", f"{SITE}/oauth", "keys/jwks.json",
                          users=(), schools=())
        self.session = issuer(folder, "leerpoort", SITE, "session-edge.jwks",
                              algs=["HS256"])
        shutil.copy(folder / "session-edge.jwks", folder / "session.jwks")
        code, said = configuration_test(folder, text)
        assert code == 0 and "[warn]" not in said, said
        operator = as_user(redis, "operator")
        operator("HSET", names.product_hash("book"), "url",
                 "https://methode.example.nl/book")
        for user, state in (("me", "L"), ("new", "E")):
            operator("HSET", names.user_hash("S1", names.user_key(
                b"pepper" * 6, "NEPPI", user)), "book", names.right(state))
        operator.close()

    def __enter__(self):
        self._process = Process(
            [BINARY, "-p", str(self.folder), "-c",
             str(self.folder / "nginx.conf")], self.folder / "output",
            environment(self.folder), last_words=15)
        try:
            eventually("nginx listens", lambda: listens(self.ports["tls"]),
                       20)
        except BaseException:
            self._process.destroy()
            raise
        return self

    def __exit__(self, kind, *exc):
        try:
            if kind is None:
                self._process.signal(3)
                assert self._process.wait(20)
        finally:
            self._process.destroy()

    def ask(self, target, body="", headers=(), type_="application/json",
            **kwargs):
        """(status, headers as one text, body that is not chunked)"""
        out = over_tls(self.ports["tls"], http.request(
            target, version="HTTP/1.0",
            headers=[*headers, *([("Content-Length", str(len(body))),
                                  ("Content-Type", type_)] if body else ())],
            **kwargs) + body.encode())
        head, _, rest = out.partition("\r\n\r\n")
        return int(head.split()[1]), head + "\r\n", rest

    def severe(self):
        return [line for line in
                (self.folder / "error.log").read_text().splitlines()
                if re.search(r"\[(alert|emerg|crit|error)\]", line)
                and "intended to send too large body" not in line]


def test_the_first_steps_make_secrets_that_all_take(tmp_path):
    """Those of README.md, run but for what needs root and systemd."""
    text = (EXAMPLES / "README.md").read_text()
    steps = "\n".join(re.findall("^    (.*)$", text.split("Passwords:")[0],
                                 re.MULTILINE))
    assert "pepper" in steps and "seal" in steps and "key rotate" in steps
    assert "session.jwks" in steps and "leerpoort-keys" in steps
    assert "systemctl" not in steps  # nothing starts without its password
    assert text.index("redis-edge.password") < text.index("systemctl enable")
    stubs = tmp_path / "stubs"
    stubs.mkdir()
    for name in ("chown", "chgrp", "adduser", "usermod", "systemctl",
                 "apt-get"):
        (stubs / name).write_text("#!/bin/sh\n")
        (stubs / name).chmod(0o755)
    (stubs / "leerpoort").symlink_to(REPOSITORY / "build" / "leerpoort")
    etc = tmp_path / "etc"
    operations = (REPOSITORY / "docs" / "operations.md").read_text()
    rotation = operations.partition("### The session key")[2]
    rotation = "\n".join(re.findall("^    (.*)$", rotation.partition(
        "\nIf the key leaked")[0], re.MULTILINE))

    def run(text):
        text = re.sub(r" -[og] \S+", "", text.replace(
            "/etc/leerpoort", str(etc)).replace("/var/spool", str(tmp_path))
            .replace("/var/lib", str(tmp_path)))
        subprocess.run(["sh", "-eu", "-c", text], check=True, env=dict(
            os.environ, PATH=f"{stubs}:{os.environ['PATH']}"))

    run(steps)
    before = json.loads((etc / "session.jwks").read_text())["keys"]
    assert len(before) == 1
    run(rotation)
    after = json.loads((etc / "session.jwks").read_text())["keys"]
    assert after[1:] == before and after[0] != before[0]
    assert json.loads((etc / "session-edge.jwks").read_text())["keys"] == after
    for name in ("pepper", "seal", "session.jwks", "session-edge.jwks"):
        assert (etc / name).stat().st_mode & 0o777 == 0o600, name
    assert (etc / "keys").stat().st_mode & 0o777 == 0o711
    assert (etc / "keys" / "jwks.json").stat().st_mode & 0o777 == 0o644
    code, said = configuration_test(tmp_path, frame(
        tmp_path, f"leerpoort_pepper {etc}/pepper;"))
    assert code == 0, said


def test_nginx_example_answers_a_click(tmp_path, redis):
    with Example(tmp_path, redis) as example:
        status, head, _ = example.ask(
            "/go/book", token=example.school.mint(sub="me", org="S1"))
        assert status == 302, head
        assert "\r\nLocation: https://methode.example.nl/book\r\n" in head
        assert "\r\nStrict-Transport-Security: " in head
        assert example.ask("/go/book")[0] != 401
        page = http.click(example.ports["metrics"], "/metrics")
        assert b"leerpoort_" in page.body
    log = (tmp_path / "leerpoort.log").read_text()
    assert '"outcome":"redirect"' in log and '"product":"book"' in log
    assert '"code":""' in log
    assert "127.0.0.1" not in log
    assert not example.severe()


def test_support_code_of_a_page_finds_its_line_of_the_log(tmp_path, redis):
    with Example(tmp_path, redis) as example:
        status, head, page = example.ask(
            "/go/nothing-here", token=example.school.mint(
                sub="me", org="regenboog-0412"))
        assert status == 404 and "De Regenboog" in page
        code = re.search(r"\r\nLeerpoort-Code: (\S+)\r\n", head)[1]
        id_ = re.search(r"\r\nX-Request-Id: (\S+)\r\n", head)[1]
    said = subprocess.run(
        [BUILD / "leerpoort", "explain", code.lower(), "--json", "--log",
         tmp_path / "leerpoort.log"], check=True, capture_output=True)
    answer = json.loads(said.stdout)
    assert answer["problem"] == "unknown-product"
    assert [(line["product"], line["school"], line["outcome"], line["id"])
            for line in answer["lines"]] == [
        ("nothing-here", "regenboog-0412", "unknown-product", id_)]


def test_nginx_example_agrees_to_no_rehearsal_but_when_it_is_told(tmp_path,
                                                                redis):
    with Example(tmp_path, redis) as example:
        assert example.ask("/.well-known/leerpoort-load")[0] == 404


def test_nginx_example_can_be_opened_for_a_rehearsal(tmp_path, redis):
    """With the issuer that `leerpoort-load population` writes."""
    (tmp_path / "rehearsal").mkdir()
    load = Issuer(tmp_path, "load", "https://sso.load.example/",
                  audience="https://toegang.load.example/")
    (tmp_path / "rehearsal" / "issuer.conf").write_text(load.conf())
    operator = as_user(redis, "operator")
    operator("HSET", names.product_hash("load-000001"), "url",
             "https://p000001.load.example/", "free", "1")
    operator.close()
    with Example(tmp_path, redis, for_a_rehearsal) as example:
        status, head, body = example.ask("/.well-known/leerpoort-load")
        assert status == 200 and "Content-Type: text/plain" in head
        assert re.fullmatch(r"leerpoort-load sha256:[0-9a-f]{64} "
                            r"until:\d{8}\n", body), body
        status, head, _ = example.ask("/go/load-000001",
                                      token=load.mint(sub="teacher"))
        assert status == 302, head
        assert "\r\nLocation: https://p000001.load.example/\r\n" in head
        assert not example.severe()


def sign_in_workers(folder, redis):
    """leerpoort-sso with the example's files, and its own user of Redis."""
    for name in ("sso.json", "lti.json"):
        shutil.copy(EXAMPLES / name, folder)
    own, ring = folder / "sso", folder / "ring"
    own.mkdir()
    ring.mkdir(0o700)
    subprocess.run([BUILD / "leerpoort", "key", "rotate", "--keys", ring],
                   check=True, capture_output=True)
    (folder / "secrets").mkdir(0o700)
    password = own / "password"
    for path, text in ((password, PASSWORDS["sso"]),
                       (folder / "secrets/regenboog.secret", "secret\n")):
        path.touch(0o600)
        path.write_text(text)
    workers = Sso(own, f"unix:{redis}", n=1, pepper=folder / "pepper",
                  user="sso", password_file=password,
                  sso=folder / "sso.json", lti=folder / "lti.json",
                  pages=folder / "pages.json", keys=ring,
                  key_files=folder / "fetched",
                  key_socket=folder / "keys.sock")
    (folder / "sso.sock").symlink_to(workers.path)
    return workers


def test_nginx_example_leads_in_by_the_front_door(tmp_path, redis):
    with Example(tmp_path, redis) as example:
        with sign_in_workers(tmp_path, redis):
            status, head, _ = example.ask("/go/book")
            assert status == 302
            login = re.search(r"\r\nLocation: (\S+)\r\n", head)[1]
            assert login.removeprefix(SITE) == \
                f"/sso/login?return={quote(f'{SITE}/go/book', '')}"
            status, head, body = example.ask(login.removeprefix(SITE))
            assert status == 200, head
            assert "Met je schoolaccount" in body and "De Regenboog" in body
            assert "\r\nContent-Security-Policy: default-src 'none'" in head
            assert "\r\nStrict-Transport-Security: " in head

            status, head, _ = example.ask("/lti/login?" + urlencode({
                "iss": "https://elo.regenboog.example.nl", "login_hint": "x",
                "target_link_uri": f"{SITE}/go/book"}))
            assert status == 302
            assert "\r\nLocation: https://elo.regenboog.example.nl/lti/auth?" \
                in head
            assert example.ask("/lti/click", headers=[
                ("Leerpoort-Click", "book")])[0] == 404
            status, _, body = example.ask(
                "/lti/launch", "state=x&id_token=y", method="POST",
                type_="application/x-www-form-urlencoded")
            assert status == 400 and "<html" in body
            status, _, body = example.ask("/lti/launch", "x" * 70000,
                                          method="POST")
            assert status == 413 and "<html" in body
            assert example.ask("/problem?code=K7QM2-4XW9T")[0] in (404, 200)
        assert "secret" not in (tmp_path / "leerpoort.log").read_text()


def test_nginx_example_goes_on_for_who_has_a_session(tmp_path, redis):
    """Without leerpoort-sso, and without a worker."""
    with Example(tmp_path, redis) as example:
        session = example.session.mint({
            **example.session.claims(), "NEPPI": "me", "MASTER": "S1",
            "role": "student"})
        cookie = [("Cookie", f"a=b; __Host-leerpoort={session}")]
        status, head, _ = example.ask("/go/book", headers=cookie)
        assert status == 302
        assert "\r\nLocation: https://methode.example.nl/book\r\n" in head

        for target in ("/sso/login?return=%2F", "/lti/login?iss=x",
                       "/problem?code=x"):
            status, head, body = example.ask(target)
            assert status == 503 and "\r\nRetry-After: " in head, target
            assert "\r\nRefresh: " in head and "<html" in body
        status, head, body = example.ask("/", headers=cookie)
        assert status == 503 and "<html" in body
        for target, redirect, back in (
                ("/", 303, "/"), ("/code", 307, "/code%3Fproduct%3D"),
                ("/code?lang=en&product=book&x", 307,
                 "/code%3Fproduct%3Dbook")):
            status, head, _ = example.ask(target)
            assert status == redirect
            assert f"\r\nLocation: {SITE}/sso/login?return={back}\r\n" \
                in head
        status, _, body = example.ask("/mistyped")
        assert status == 404 and "<html" in body
    log = (tmp_path / "leerpoort.log").read_text()
    codes = re.findall(r'"status":503.*"code":"([0-9A-Z-]+)"', log)
    assert len(codes) == 4
    assert session[-32:] not in log


def test_nginx_example_shows_my_books(tmp_path, redis):
    (tmp_path / "own").mkdir()
    own = Redis(tmp_path / "own")
    own.start()
    workers = Workers(tmp_path, own.address, n=1,
                      pages=EXAMPLES / "pages.json", site=SITE)
    workers.start()
    try:
        with Example(tmp_path, redis) as example:
            session = example.session.mint({
                **example.session.claims(), "NEPPI": "me", "MASTER": "S1",
                "role": "student"})
            cookie = [("Cookie", f"__Host-leerpoort={session}")]
            for target in ("/", "/code"):
                status, head, body = example.ask(target, headers=cookie)
                assert status == 200, (target, head)
                assert "<html" in body
            assert not example.severe()
        workers.stop()
    finally:
        workers.destroy()
        own.destroy()


def test_nginx_example_slows_one_browser_down_and_no_school(tmp_path, redis):
    """Visits without a cookie are nobody's; those of one browser count."""
    with Example(tmp_path, redis) as example:
        with sign_in_workers(tmp_path, redis):
            browser = [("Cookie", "__Host-leerpoort-browser=" + "a" * 43)]

            def tries(**kwargs):
                return [example.ask("/sso/login", **kwargs)[0]
                        for _ in range(60)]

            assert set(tries()) == {200}
            answers = tries(headers=browser)
            assert answers[:20] == [200] * 20
            assert 503 in answers and set(answers) == {200, 503}


API = [("PUT", "/v1/entitlements", "entitlement.licensor"),
       ("POST", "/v1/entitlements/bulk", "entitlement.licensor"),
       ("PUT", "/v1/activationcodes", "activationcode"),
       ("PUT", "/v1/activationcodes/revoke", "activationcode"),
       ("GET", "/v1/usage/school?school=S1", "usage.seller"),
       ("POST", "/v1/usage/school/user", "usage.dashboard")]


def test_nginx_example_leads_to_the_workers(tmp_path, redis):
    """Their Redis is another, and empty: they know nothing and say so."""
    (tmp_path / "own").mkdir()
    own = Redis(tmp_path / "own")
    own.start()
    workers = Workers(tmp_path, own.address)
    workers.start()
    (tmp_path / "apis.sock").symlink_to(workers.path)
    try:
        with Example(tmp_path, redis) as example:
            for method, target, scope in API:
                for token, expected in (
                        (None, {401}), (example.api.mint(scope="x"), {403}),
                        (example.school.mint(sub="me"), {401}),
                        (example.api.mint(sub="c", scope=scope),
                         {400, 403, 404})):
                    status, head, body = example.ask(
                        target, method=method, token=token,
                        body="{}" if method != "GET" else "")
                    assert status in expected, (target, status, body)
                    assert "\r\nAPI-Version: 1.0.0\r\n" in head, target
                    assert "\r\nCache-Control: no-store\r\n" in head
                    assert set(json.loads(body)) == {"status",
                                                     "statusMessage"}
            status, head, body = example.ask("/v1/entitlement", method="PUT")
            assert status == 404 and json.loads(body)["status"] == 99
            assert "\r\nAPI-Version: 1.0.0\r\n" in head
            long = " " * 100_000
            token = example.api.mint(
                sub="c", scope="entitlement.licensor activationcode")
            status, head, body = example.ask("/v1/entitlements", long,
                                             method="PUT", token=token)
            assert status == 413 and json.loads(body)["status"] == 11
            assert "\r\nAPI-Version: 1.0.0\r\n" in head
            assert example.ask("/v1/entitlements/bulk", long, method="POST",
                               token=token)[0] != 413
            person = example.school.mint(sub="new", org="S1")
            assert example.ask("/activate/code", "{}", method="POST"
                               )[0] == 401
            assert example.ask("/activate/code", "{}", method="POST",
                               token=person)[0] in (400, 403, 404)
            assert 400 <= example.ask("/oauth/token", "{}", method="POST"
                                      )[0] < 500
            status, head, body = example.ask("/.well-known/jwks.json")
            assert status == 200 and len(json.loads(body)["keys"]) == 2
            assert "application/jwk-set+json" in head
            assert example.ask("/activate")[0] == 404

            status, head, _ = example.ask("/go/book", token=person)
            assert "\r\nLeerpoort-Outcome: unknown-product\r\n" in head, head
            assert not example.severe()

            workers.stop()
            status, head, _ = example.ask("/go/book", token=person)
            assert (status, "\r\nRetry-After: " in head) == (503, True)
            assert "\r\nLeerpoort-Outcome: unavailable\r\n" in head
            status, head, body = example.ask("/v1/entitlements", "{}",
                                             method="PUT", token=token)
            assert (status, "Retry-After: 5" in head) == (503, True)
            assert json.loads(body)["status"] == 99
        log = (tmp_path / "leerpoort.log").read_text()
        assert '"client":"c"' in log and "new" not in log
    finally:
        workers.destroy()
        own.destroy()


def test_nginx_example_lets_no_pupil_wait_for_other_parties(tmp_path, redis):
    """Requests of APIs that last for ever take no worker of the clicks."""
    (tmp_path / "own").mkdir()
    own = Redis(tmp_path / "own")
    own.start()
    workers = Workers(tmp_path, own.address, n=1)
    apis = socket.socket(socket.AF_UNIX)
    apis.bind(str(tmp_path / "apis.sock"))
    apis.listen(16)
    apis.settimeout(20)
    pending = []
    try:
        workers.start()
        with Example(tmp_path, redis) as example:
            for method, target, scope in API:
                plain = socket.create_connection(
                    ("127.0.0.1", example.ports["tls"]), 20)
                context = ssl._create_unverified_context()
                pending.append(context.wrap_socket(plain))
                pending[-1].sendall(http.request(
                    target, method=method, headers=[("Content-Length", "2")],
                    token=example.api.mint(sub="c", scope=scope)) + b"{}")
                pending.append(apis.accept()[0])
            status, head, _ = example.ask(
                "/go/book", token=example.school.mint(sub="new", org="S1"))
            assert "\r\nLeerpoort-Outcome: unknown-product\r\n" in head, head
            for connection in pending:
                connection.close()
            workers.stop()
    finally:
        apis.close()
        workers.destroy()
        own.destroy()


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("unit", ["nginx", "redis-server"])
def test_systemd_reads_what_the_example_adds(tmp_path, unit):
    """The drop-in with a unit of that name, for systemd's own reader."""
    if not pathlib.Path("/usr/bin/systemd-analyze").exists():
        pytest.skip("systemd-analyze is not installed")
    (tmp_path / f"{unit}.service").write_text(
        "[Service]\nType=simple\nExecStart=/bin/true\n")
    drop_in = tmp_path / f"{unit}.service.d"
    drop_in.mkdir()
    (drop_in / "leerpoort.conf").write_text((
        EXAMPLES / "systemd" / f"{unit}.service.d" / "leerpoort.conf"
        ).read_text())
    run = subprocess.run(
        ["systemd-analyze", "verify", "--man=no",
         str(tmp_path / f"{unit}.service")], capture_output=True, text=True,
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"}, timeout=60)
    complaints = [line for line in run.stderr.splitlines()
                  if "leerpoort.conf" in line]
    assert not complaints, run.stderr


def test_sysctls_exist_with_such_values():
    text = (EXAMPLES / "sysctl.d" / "leerpoort.conf").read_text()
    lines = [line for line in text.splitlines()
             if line.strip() and not line.startswith("#")]
    assert lines
    for line in lines:
        name, _, value = (part.strip() for part in line.partition("="))
        assert re.fullmatch(r"\d+( \d+)?", value), line
        file = pathlib.Path("/proc/sys") / name.replace(".", "/")
        if file.parent.is_dir() and name != "net.core.somaxconn":
            assert file.exists(), name


def test_nothing_in_the_examples_is_lua():
    for path in EXAMPLES.rglob("*"):
        if path.is_file() and path.suffix != ".md":
            assert not re.search(r"\blua\b", path.read_text(), re.I), path


SECRETS = ["the-code-of-a-sign-in", "the-state-of-a-sign-in",
           "the-secret-of-a-link", "a-pupil-by-hint"]
SECRET_TARGETS = [
    f"/sso/callback?code={SECRETS[0]}&state={SECRETS[1]}",
    f"/sso/login?return=%2Flti%2Flink%2F{SECRETS[2]}",
    f"/lti/link/{SECRETS[2]}", f"/lti/open/{SECRETS[2]}",
    f"/lti/login?iss=x&login_hint={SECRETS[3]}"]


def test_nginx_example_logs_no_code_of_a_sign_in_when_things_go_wrong(
        tmp_path, redis):
    """nginx' error log shows the request line of what fails: leerpoort-sso is
    not there, is there no more, says nothing, or rubbish."""
    with Example(tmp_path, redis) as example:
        place = tmp_path / "sso.sock"

        def ask_all():
            for target in SECRET_TARGETS:
                status, _, body = example.ask(target)
                assert status == 503 and "<html" in body, (target, status)

        ask_all()
        with socket.socket(socket.AF_UNIX) as gone:
            gone.bind(str(place))
            ask_all()
        place.unlink()
        for says in (b"", fastcgi.stream_of(b"no header at all")):
            with socket.socket(socket.AF_UNIX) as broken:
                broken.bind(str(place))
                broken.listen(16)
                answering = threading.Thread(
                    target=answer_each, args=(broken, says), daemon=True)
                answering.start()
                ask_all()
                broken.shutdown(socket.SHUT_RDWR)
                answering.join(10)
            place.unlink()
        browser = [("Cookie", "__Host-leerpoort-browser=" + "a" * 43)]
        for _ in range(40):
            example.ask(SECRET_TARGETS[0], headers=browser)
    for log in ("error.log", "leerpoort.log", "output"):
        text = (tmp_path / log).read_text()
        assert not [one for one in SECRETS if one in text], log


def answer_each(listener, says):
    """Takes what comes, says that and hangs up."""
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(says)


def test_nginx_example_lets_no_address_take_all_sign_ins(tmp_path, redis):
    """signInsPerMinute is for everybody together, and who comes without a
    cookie is known by the address alone: a large school is one. Here with
    measures that a test can fill."""
    def smaller(text):
        for old, new in (("rate=100r/s", "rate=1r/m"),
                         ("zone=beginners burst=1000",
                          "zone=beginners burst=30")):
            assert old in text
            text = text.replace(old, new)
        return text

    with Example(tmp_path, redis, smaller) as example:
        with sign_in_workers(tmp_path, redis):
            answers = [example.ask("/sso/login")[0] for _ in range(40)]
            assert answers[:31] == [200] * 31 and answers[-1] == 503, answers
            status, _, body = example.ask("/lti/login?iss=x")
            assert status == 503 and "<html" in body
            # what has begun goes on
            assert example.ask("/sso/callback?state=x")[0] == 400
            assert example.ask("/sso/logout")[0] == 200


def test_nginx_example_takes_a_session_from_nobody_else(tmp_path, redis):
    """Any host below the same domain can set a cookie for this one, but none
    with the prefix: else somebody could have a pupil be signed in as himself,
    and give his code away on the page for codes."""
    with Example(tmp_path, redis) as example:
        session = example.session.mint({
            **example.session.claims(), "NEPPI": "me", "MASTER": "S1",
            "role": "student"})
        own, tossed = ([("Cookie", f"{name}={session}")]
                       for name in ("__Host-leerpoort", "leerpoort"))
        assert example.ask("/go/book", headers=own)[0] == 302
        for _ in range(3):      # also where the token is known already
            status, head, _ = example.ask("/go/book", headers=tossed)
            assert status == 302
            assert "/sso/login?return=" in head
        for target in ("/", "/code"):
            assert example.ask(target, headers=own)[0] == 503  # no worker
            status, head, _ = example.ask(target, headers=tossed)
            assert status in (303, 307)
            assert f"\r\nLocation: {SITE}/sso/login?return={target}" in head
        # a portal's token is the portal's to give
        status, head, _ = example.ask("/go/book", headers=[
            ("Cookie", "leerpoort=" + example.school.mint(sub="me",
                                                          org="S1"))])
        assert "\r\nLocation: https://methode.example.nl/book\r\n" in head


def test_nginx_example_takes_each_token_where_it_belongs(tmp_path, redis):
    with Example(tmp_path, redis) as example:
        session = example.session.mint({
            **example.session.claims(), "NEPPI": "me", "MASTER": "S1",
            "role": "student", "scope": "entitlement.licensor usage.seller "
            "usage.dashboard activationcode"})
        for method, target, _ in API:
            for how in ({"token": session}, {"headers": [
                    ("Cookie", f"__Host-leerpoort={session}")]}):
                assert example.ask(target, method=method, **how)[0] == 401
        program = example.api.mint(sub="c", scope="entitlement.licensor")
        status, head, _ = example.ask("/go/book", token=program)
        assert status == 401
        assert example.ask("/", headers=[
            ("Cookie", f"__Host-leerpoort={program}")])[0] == 303


BROKEN = [  # request, status, outcome, language, the link to the other one
    (f"GET /go/book HTTP/1.1\r\nAccept-Language: en\r\nX: {'x' * 17000}",
     431, "too-long", "en", "?lang=nl"),
    ("GET /go/book HTTP/1.1\r\n" + "\r\n".join(
        [f"Cookie: {'x' * 9000}"] * 12), 431, "too-long", "nl", "?lang=en"),
    (f"GET /go/{'x' * 17000} HTTP/1.1", 414, "bad-request", "nl",
     "/page/bad-request?lang=en"),
    ("GET /go/100% HTTP/1.1\r\nAccept-Language: en", 400, "bad-request", "nl",
     "/page/bad-request?lang=en"),
    ("POST /go/%zz HTTP/1.1", 400, "bad-request", "nl",
     "/page/bad-request?lang=en"),
    ("\x01\x02", 400, "bad-request", "nl", "/page/bad-request?lang=en"),
    ("GET / HTTP/1.1", 400, "bad-request", "nl", "?lang=en"),
    ("GET /page/bad-request?lang=en HTTP/1.0", 400, "bad-request", "en",
     "?lang=nl")]


def test_nginx_example_has_pages_for_what_nginx_can_t_read(tmp_path, redis):
    with Example(tmp_path, redis) as example:
        port = example.ports["tls"]
        for sent, status, outcome, language, switch in BROKEN:
            head, _, body = over_tls(
                port, sent.encode() + b"\r\n\r\n").partition("\r\n\r\n")
            assert head.split()[1] == str(status), sent
            for name in ("Leerpoort-Outcome", "Leerpoort-Code",
                         "Cache-Control", "Content-Security-Policy"):
                assert head.count(f"\r\n{name}: ") == 1, (sent, name)
            assert f"\r\nLeerpoort-Outcome: {outcome}" in head
            assert f'<html lang="{language}">' in body, sent
            assert f'<a href="{switch}" lang=' in body, sent
            assert "nginx" not in body
        assert example.ask("/go/book", method="HEAD", headers=[
            ("X", "x" * 17000)])[::2] == (431, "")
        status, head, body = example.ask("/go/book", headers=[
            ("Accept", "application/json"), ("X", "x" * 17000)])
        assert status == 431 and json.loads(body)["status"] == 11
        assert "\r\nX-Content-Type-Options: nosniff\r\n" in head
        token = example.school.mint(sub="me", org="S1")
        for target in ("/go/book", "/lti/launch", "/sso/login", "/problem",
                       "/", "/code", "/nothing"):
            status, head, body = example.ask(
                target, "x" * 70000, method="POST", token=token)
            assert status == 413 and "<h1>Dit formulier" in body, target
        assert not example.severe()


def test_nginx_example_slows_down_who_clicks_without_end(tmp_path, redis):
    """By a page that tries again, or for programs in their form."""
    with Example(tmp_path, redis) as example:
        token = example.school.mint(sub="me", org="S1")
        for target, method, accept, status in (
                ("/go/book", "GET", "text/html", 503),
                ("/activate/code", "POST", "*/*", 429)):
            found = None
            for _ in range(100):
                found = example.ask(target, method=method, token=token,
                                    headers=[("Accept", accept)])
                if found[0] == status:
                    break
            assert found[0] == status, found
            assert "\r\nRetry-After: " in found[1]
            if method == "POST":
                assert json.loads(found[2])["status"] == 99
            else:
                assert "\r\nLeerpoort-Outcome: busy\r\n" in found[1]
                assert "; url=/go/book\r\n" in found[1]
