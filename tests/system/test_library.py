"""The tests' own tools: an oracle that is wrong would bless what is wrong."""

import socket

import jwt
import pytest

from lib import names
from lib.redis import Client, RedisError
from lib.scripted import LOADING, half_then_close
from lib.tokens import Issuer


def test_shard_is_crc16_xmodem():
    assert names.shard("123456789") == f"{0x31c3 % 64:02d}"


def test_user_key_is_half_an_hmac():
    # printf 'ECK|x' | openssl dgst -sha256 -hmac Jefe -binary |
    #     head -c16 | base64
    assert names.user_key(b"Jefe", "ECK", "x") == "5KvFarU6OxRnuPG3_XGa6A"


def test_redis_keys():
    assert names.user_hash("S1", "k") == f"u:{{{names.shard('S1')}}}:S1/k"
    assert names.user_hash("", "k") == f"u:{{{names.shard('k')}}}:/k"
    assert names.alias_key("BP_ID", "7") == \
        f"a:{{{names.shard('BP_ID:7')}}}:BP_ID:7"


@pytest.mark.parametrize("alg", [
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384",
    "EdDSA", "HS256"])
def test_another_library_verifies_our_tokens(tmp_path, alg):
    issuer = Issuer(tmp_path, algs=[alg])
    key = issuer.keys[alg]
    public = key.private if alg == "HS256" else key.private.public_key()
    assert jwt.decode(issuer.mint(sub="me"), public, [alg],
                      audience="leerpoort")["sub"] == "me"
    parsed = jwt.PyJWK(key.jwk(), algorithm=alg).key
    jwt.decode(issuer.mint(sub="me"), parsed, [alg], audience="leerpoort")


def test_redis_keeps_what_it_acknowledged(redis):
    redis("HSET", "h", "f", "v")
    redis.kill()
    redis.restart()
    assert redis("HGETALL", "h") == ["f", "v"]
    with pytest.raises(RedisError):
        redis("GET", "h")


def test_proxy_holds_one_kind_alone(redis, proxy):
    data, link = Client(proxy.path), Client(proxy.path)
    number = link("CLIENT", "ID")
    link("CLIENT", "TRACKING", "ON", "REDIRECT", number, "BCAST", "PREFIX",
         "u:")
    link("SUBSCRIBE", "__redis__:invalidate")
    proxy.await_links(1)
    proxy.hold("link")
    assert data("SET", "u:1", "x") == "OK"
    proxy.await_held("link", b"u:1")
    proxy.release("link")
    assert link.read() == ["message", "__redis__:invalidate", ["u:1"]]
    assert proxy.cut("link") == 1
    assert data("PING") == "PONG"
    data.close()
    link.close()


def test_scripted_redis_answers_by_script(scripted):
    client = Client(scripted.path)
    scripted.data["h"] = {"f": "v"}
    assert client("HGETALL", "h") == ["f", "v"]
    scripted.dribble = True
    assert client("HGETALL", "h") == ["f", "v"]
    scripted.answers["HGETALL"] = LOADING
    with pytest.raises(RedisError, match="LOADING"):
        client("HGETALL", "h")
    client.close()


def test_scripted_redis_can_stop_half_way(scripted):
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(scripted.path)
        scripted.answers["GET"] = half_then_close(
            b"$6\r\nabcdef\r\n")
        client.sendall(b"*2\r\n$3\r\nGET\r\n$1\r\nx\r\n")
        assert client.recv(100) == b"$6\r\nab"
        assert client.recv(100) == b""
