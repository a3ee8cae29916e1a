#!/usr/bin/python3
"""An identity provider for make bench that does little else than sign: its
token endpoint alone. A code is the nonce and the number of the pupil, as
nonce.number; who asks for tokens is not looked at.

    provider.py KEY.pem ISSUER-PORT DELAY-SECONDS

Answers a line on standard input with one of JSON: how many asked, and how many
at once at most since the line before. Ends with standard input.
"""

import asyncio
import base64
import json
import sys
import time
import urllib.parse

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

SIGNS = ec.ECDSA(hashes.SHA256())


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


class Signer:
    def __init__(self, pem, issuer):
        self._key = serialization.load_pem_private_key(pem, None)
        self._head = base64url(b'{"alg":"ES256","kid":"bench"}') + b"."
        self._issuer = issuer

    def token(self, nonce, number):
        now = int(time.time())
        text = self._head + base64url(json.dumps({
            "iss": self._issuer, "aud": "leerpoort", "sub": f"sub-{number}",
            "iat": now, "exp": now + 300, "nonce": nonce,
            "eckid": f"https://ketenid.nl/201703/{number:0128x}",
            "org": "S1"}, separators=(",", ":")).encode())
        r, s = utils.decode_dss_signature(self._key.sign(text, SIGNS))
        return text + b"." + base64url(r.to_bytes(32, "big")
                                       + s.to_bytes(32, "big"))


class Counted:
    def __init__(self):
        self.asked = self.now = self.most = 0

    def take(self):
        found = {"asked": self.asked, "at_once": self.most}
        self.asked, self.most = 0, self.now
        return found


class Visit(asyncio.Protocol):
    """A connection that may be kept; one request at a time."""

    def __init__(self, signer, delay, counted):
        self._signer, self._delay, self._counted = signer, delay, counted
        self._data = b""

    def connection_made(self, transport):
        self._transport = transport

    def data_received(self, data):
        self._data += data
        head, end, body = self._data.partition(b"\r\n\r\n")
        at = head.lower().find(b"content-length:")
        if not end or len(body) < int(head[at + 15:].split(b"\r")[0]):
            return
        self._data = b""
        form = urllib.parse.parse_qs(body.decode())
        nonce, _, number = form["code"][0].rpartition(".")
        counted = self._counted
        counted.asked += 1
        counted.now += 1
        counted.most = max(counted.most, counted.now)
        if self._delay:
            asyncio.get_running_loop().call_later(self._delay, self._answer,
                                                  nonce, int(number))
        else:
            self._answer(nonce, int(number))

    def _answer(self, nonce, number):
        self._counted.now -= 1
        body = (b'{"access_token":"a","token_type":"Bearer","id_token":"'
                + self._signer.token(nonce, number) + b'"}')
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body) + body)


async def main(key, port, delay):
    with open(key, "rb") as file:
        signer = Signer(file.read(), f"http://127.0.0.1:{port}")
    counted = Counted()
    loop = asyncio.get_running_loop()
    await loop.create_server(
        lambda: Visit(signer, float(delay), counted), "127.0.0.1", int(port),
        backlog=1024)
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.readline():
        print(json.dumps(counted.take()), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
