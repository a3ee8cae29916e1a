#!/usr/bin/python3
"""Pupils in their browsers, for make bench: they sign in, or they have.

    pupils.py loop PORT SECONDS AT-ONCE     one signs in when another is in
    pupils.py storm PORT SECONDS PUPILS     so many begin within so long, evenly
    pupils.py clicks PORT SECONDS RATE      on standard input: a Cookie header

A sign-in is two requests of a browser on a connection of its own: /sso/login,
and /sso/callback with what a provider would have given (bench/provider.py). In
a storm the click to which it leads is made as well, and a page that says when
to try again is obeyed, as browsers do by themselves; a pupil who gets a page
without that, or an error, is lost.

Prints one line of JSON.
"""

import asyncio
import http.client
import json
import sys
import time
import urllib.parse

CLICK = "/go/book"
LOGIN = "/sso/login?return=" + urllib.parse.quote(CLICK, "")
BOOK = "https://publisher.example/book"
TRIES = 20
REDIRECTS = 8


class Answer:
    def __init__(self, head, body):
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split(" ", 2)[1])
        self.headers = [line.split(": ", 1) for line in lines[1:]]
        self.body = body

    def get(self, name):
        return next((v for n, v in self.headers if n == name), "")


class Connection(asyncio.Protocol):
    """Kept open; ask() gives what one request is answered with."""

    @classmethod
    async def open(cls, port):
        _, self = await asyncio.get_running_loop().create_connection(
            cls, "127.0.0.1", port)
        return self

    def connection_made(self, transport):
        self._transport = transport
        self._answer = None

    def ask(self, target, cookies):
        self._data = b""
        self._answer = asyncio.get_running_loop().create_future()
        cookie = "; ".join(f"{name}={v}" for name, v in cookies.items())
        self._transport.write((
            f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Accept: text/html\r\nCookie: {cookie}\r\n\r\n").encode())
        return self._answer

    def data_received(self, data):
        self._data += data
        head, end, body = self._data.partition(b"\r\n\r\n")
        if not end:
            return
        low = head.lower()
        if b"transfer-encoding: chunked" in low:
            whole = body.endswith(b"0\r\n\r\n")
        else:
            at = low.find(b"content-length:")
            whole = at != -1 and len(body) >= int(
                low[at + 15:].split(b"\r")[0])
        if whole:
            self._answer.set_result(Answer(head, body))

    def connection_lost(self, reason):
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError(str(reason)))

    def close(self):
        self._transport.close()


class Pupil:
    """pages: how often which page was in the way."""

    def __init__(self, port, number):
        self._port, self._number = port, number
        self.cookies, self.tries, self.pages = {}, 0, {}

    async def sign_in(self, way=LOGIN, click=False):
        """The last answer; with click that of the click, if it came to it."""
        self.tries += 1
        connection = await Connection.open(self._port)
        try:
            for _ in range(REDIRECTS):
                answer = await self._ask(connection, way)
                way = self._next(answer)
                if way is None or (way == CLICK and not click):
                    break
            return answer
        finally:
            connection.close()

    def _next(self, answer):
        """Where a redirect leads: at the provider they are known already."""
        way = answer.get("Location")
        if answer.status not in (302, 303) or way == BOOK:
            return None
        url = urllib.parse.urlsplit(way)
        if url.path != "/authorize":
            return urllib.parse.urlunsplit(url._replace(scheme="", netloc=""))
        sent = dict(urllib.parse.parse_qsl(url.query))
        return "/sso/callback?" + urllib.parse.urlencode({
            "code": f"{sent['nonce']}.{self._number}",
            "state": sent["state"]})

    async def _ask(self, connection, target):
        answer = await connection.ask(target, self.cookies)
        for name, line in answer.headers:
            if name == "Set-Cookie":
                pair, *marks = line.split("; ")
                name, _, value = pair.partition("=")
                self.cookies[name] = value
                if "Max-Age=0" in marks:
                    del self.cookies[name]
        return answer

    async def arrive(self):
        """Signs in and clicks, as often as it takes; False: lost."""
        way = LOGIN
        while self.tries < TRIES:
            answer = await self.sign_in(way, click=True)
            if answer.status == 302:
                return answer.get("Location") == BOOK
            outcome = answer.get("Leerpoort-Outcome")
            self.pages[outcome] = self.pages.get(outcome, 0) + 1
            seconds, _, way = answer.get("Refresh").partition("; url=")
            if not way:
                return False
            await asyncio.sleep(int(seconds))
        return False


async def loop(port, seconds, at_once):
    numbers, done = iter(range(1, 1 << 30)), []
    until = time.monotonic() + seconds

    async def one():
        while time.monotonic() < until:
            began = time.monotonic()
            answer = await Pupil(port, next(numbers)).sign_in()
            if answer.status != 303 or answer.get("Location") != CLICK:
                raise SystemExit(f"{answer.status} {answer.headers}")
            done.append(time.monotonic() - began)

    began = time.monotonic()
    await asyncio.gather(*(one() for _ in range(at_once)))
    return {"sign_ins": len(done), "seconds": time.monotonic() - began,
            **quantiles(done)}


async def storm(port, seconds, pupils):
    took, lost = [], []
    again, pages = 0, {}

    async def one(number):
        began = time.monotonic()
        pupil = Pupil(port, number)
        try:
            arrived = await pupil.arrive()
        except (OSError, KeyError) as error:
            arrived = False
            pupil.pages[repr(error)] = 1
        if arrived:
            took.append(time.monotonic() - began)
        else:
            lost.append(pupil.pages)
        return pupil

    began, tasks = time.monotonic(), []
    for number in range(pupils):
        wait = began + number * seconds / pupils - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)
        tasks.append(asyncio.create_task(one(number)))
    for task in tasks:
        pupil = await task
        again += pupil.tries > 1
        for name, n in pupil.pages.items():
            pages[name] = pages.get(name, 0) + n
    return {"pupils": pupils, "arrived": len(took), "lost": len(lost),
            "why_lost": lost[:5], "tried_again": again, "pages": pages,
            "seconds": time.monotonic() - began, **quantiles(took)}


def clicks(port, seconds, rate):
    """One after another. A click that is late because of the one before it
    counts from when it was due."""
    headers = {"Cookie": sys.stdin.readline().strip()}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    took, began, n = [], time.monotonic(), 0
    while n < seconds * rate:
        due = began + n / rate
        now = time.monotonic()
        if now < due:
            time.sleep(due - now)
            due = time.monotonic()
        connection.request("GET", CLICK, headers=headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 302:
            raise SystemExit(f"a click with a session: {answer.status}")
        took.append(time.monotonic() - due)
        n += 1
    return {"clicks": n, "took_ms": [round(s * 1000, 4) for s in took]}


def quantiles(seconds):
    found = sorted(seconds) or [0.0]
    return {f"p{q}_ms": 1000 * found[min(len(found) - 1,
                                         len(found) * q // 100)]
            for q in (50, 99)}


def main(what, port, seconds, count):
    port, seconds, count = int(port), float(seconds), int(count)
    if what == "clicks":
        return clicks(port, seconds, count)
    return asyncio.run({"loop": loop, "storm": storm}[what](port, seconds,
                                                            count))


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
