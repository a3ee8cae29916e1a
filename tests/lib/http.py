"""Clicks over plain sockets: what a test writes is what nginx reads.

The standard library's client refuses the very bytes that matter here.
"""

import concurrent.futures
import dataclasses
import socket
import time


def _bytes(text):
    return text if isinstance(text, bytes) else text.encode("latin-1")


@dataclasses.dataclass
class Response:
    """headers: (name, value) as sent; seconds: from request to last byte."""

    status: int
    headers: list
    body: bytes
    seconds: float = 0.0

    def all(self, name):
        return [v for n, v in self.headers if n.lower() == name.lower()]

    def header(self, name):
        """The header's value; None without one. Two of them are a fault."""
        values = self.all(name)
        assert len(values) <= 1, f"{name} came {len(values)} times"
        return values[0] if values else None

    @property
    def outcome(self):
        return self.header("Leerpoort-Outcome")

    @property
    def location(self):
        return self.header("Location")

    @property
    def mirror(self):
        return self.header("X-Mirror")

    @property
    def worker(self):
        """The pid of the nginx worker that answered."""
        return int(self.header("X-Worker"))


def request(target, token=None, cookie=None, headers=(), method="GET",
            host="portal.example", close=True, version="HTTP/1.1"):
    """The bytes of a request. headers: whole lines or (name, value) pairs."""
    lines = [_bytes(method) + b" " + _bytes(target) + b" " + _bytes(version)]
    if host is not None:
        lines.append(b"Host: " + _bytes(host))
    if token is not None:
        lines.append(b"Authorization: Bearer " + _bytes(token))
    if cookie is not None:
        lines.append(b"Cookie: leerpoort=" + _bytes(cookie))
    for header in headers:
        if isinstance(header, tuple):
            header = _bytes(header[0]) + b": " + _bytes(header[1])
        lines.append(_bytes(header))
    if close:
        lines.append(b"Connection: close")
    return b"\r\n".join(lines) + b"\r\n\r\n"


class Connection:
    """One connection that is kept open, for several requests."""

    def __init__(self, port, timeout=15):
        self._socket = socket.create_connection(("127.0.0.1", port), timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stream = self._socket.makefile("rb")
        self._sent_at = time.monotonic()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def send(self, data):
        self._sent_at = time.monotonic()
        self._socket.sendall(data)

    def click(self, target, close=False, method="GET", **kwargs):
        self.send(request(target, close=close, method=method, **kwargs))
        return self.read(method)

    def read(self, method="GET"):
        """The next response."""
        line = self._stream.readline()
        if not line:
            raise ConnectionError("closed before a response")
        version, _, rest = line.partition(b" ")
        if not version.startswith(b"HTTP/1."):
            raise ConnectionError(f"not HTTP: {line!r}")
        headers = []
        while True:
            line = self._stream.readline()
            if line == b"\r\n":
                break
            if not line.endswith(b"\r\n"):
                raise ConnectionError(f"cut short in a header: {line!r}")
            name, colon, value = line[:-2].partition(b":")
            assert colon, f"not a header line: {line!r}"
            headers.append((name.decode("latin-1"),
                            value.strip().decode("latin-1")))
        response = Response(int(rest[:3]), headers, b"")
        response.body = self._body(response, method)
        response.seconds = time.monotonic() - self._sent_at
        return response

    def at_end(self):
        """True when nothing more comes and nginx closed."""
        return self._stream.read(1) == b""

    def close(self):
        self._stream.close()
        self._socket.close()

    def _body(self, response, method):
        length = response.header("Content-Length")
        if method == "HEAD" or response.status in (204, 304):
            return b""
        if length is not None:
            body = self._stream.read(int(length))
            if len(body) != int(length):
                raise ConnectionError("cut short in the body")
            return body
        if response.header("Transfer-Encoding") == "chunked":
            return b"".join(self._chunks())
        return self._stream.read()

    def _chunks(self):
        while True:
            size = int(self._stream.readline().split(b";")[0], 16)
            chunk = self._stream.read(size)
            self._stream.readline()
            if not size:
                return
            yield chunk


def click(port, target, **kwargs):
    """One click on a connection of its own; nothing may follow the answer."""
    method = kwargs.get("method", "GET")
    with Connection(port) as connection:
        connection.send(request(target, **kwargs))
        response = connection.read(method)
        if kwargs.get("close", True):
            assert connection.at_end(), "bytes after the response"
        return response


def raw(port, data, timeout=15):
    """Sends bytes; returns everything until nginx closes."""
    with socket.create_connection(("127.0.0.1", port), timeout) as connection:
        connection.sendall(data)
        out = b""
        while True:
            part = connection.recv(65536)
            if not part:
                return out
            out += part


def at_once(n, job):
    """Runs job(i) for i < n in n threads; returns the results in order."""
    with concurrent.futures.ThreadPoolExecutor(n) as pool:
        return list(pool.map(job, range(n)))
