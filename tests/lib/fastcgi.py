"""A small FastCGI client: requests straight to a worker's socket, good ones
and malformed ones (FastCGI 1.0, section 3.3). And a small FastCGI application,
where a test plays a worker that nginx asks."""

import pathlib
import socket
import struct
import threading

BEGIN, ABORT, END, PARAMS, STDIN, STDOUT, STDERR = 1, 2, 3, 4, 5, 6, 7
RESPONDER = 1


def record(kind, content=b"", request=1, version=1, length=None, padding=0):
    """One record; length: what its header says, where that is a lie."""
    length = len(content) if length is None else length
    return struct.pack("!BBHHBx", version, kind, request, length,
                       padding) + content + b"\0" * padding


def begin(role=RESPONDER, keep=False, request=1):
    return record(BEGIN, struct.pack("!HB5x", role, keep), request)


def pairs(params):
    """Names and values as FCGI_PARAMS holds them."""
    out = bytearray()
    for name, value in params.items():
        name, value = (v if isinstance(v, bytes) else str(v).encode()
                       for v in (name, value))
        for length in (len(name), len(value)):
            out += (bytes([length]) if length < 128
                    else struct.pack("!I", length | 1 << 31))
        out += name + value
    return bytes(out)


def stream(kind, content, size=65535):
    """A whole stream: records of at most size, and the empty one."""
    out = b"".join(record(kind, content[i:i + size])
                   for i in range(0, len(content), size))
    return out + record(kind)


def params(path, method="GET", body=None, **changes):
    """What the edge sends for an API request; a change to None leaves one
    out."""
    path, _, query = path.partition("?")
    found = {"REQUEST_METHOD": method, "DOCUMENT_URI": path,
             "REQUEST_URI": path + ("?" + query if query else ""),
             "QUERY_STRING": query, "CONTENT_TYPE": "application/json",
             "CONTENT_LENGTH": "" if body is None else len(body),
             "REQUEST_ID": "0" * 32, "LEERPOORT_ROUTE": "api",
             "LEERPOORT_USERS": "", "LEERPOORT_SCHOOL": "",
             "LEERPOORT_SCHOOL_ALIAS": "", "LEERPOORT_PRODUCT": "",
             "LEERPOORT_PERSON": "", "LEERPOORT_ROLE": "student",
             "LEERPOORT_CLIENT": "", "LEERPOORT_SCOPE": ""}
    found.update(changes)
    return {name: v for name, v in found.items() if v is not None}


class Answer:
    """status, headers (lower-case names), body. Only Set-Cookie may be there
    more than once: cookies has all of them, headers the first."""

    def __init__(self, data):
        head, _, self.body = data.partition(b"\r\n\r\n")
        self.headers = {}
        self.cookies = []
        for line in head.decode().split("\r\n"):
            name, _, value = line.partition(": ")
            if name.lower() == "set-cookie":
                self.cookies.append(value)
                self.headers.setdefault("set-cookie", value)
                continue
            assert name.lower() not in self.headers, line
            self.headers[name.lower()] = value
        self.status = int(self.headers.pop("status", "200"))

    def __repr__(self):
        return f"<{self.status} {self.headers} {self.body[:200]!r}>"


def connect(path, timeout=30):
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(timeout)
    connection.connect(str(path))
    return connection


def read_all(connection):
    """All that comes until the worker closes."""
    out = bytearray()
    try:
        while part := connection.recv(65536):
            out += part
    except ConnectionResetError:
        pass
    return bytes(out)


def parse(data):
    """(stdout, whether the request was ended) of what a worker sent."""
    out, ended, at = bytearray(), False, 0
    while len(data) - at >= 8:
        _, kind, _, length, padding = struct.unpack_from("!BBHHBx", data, at)
        if kind == STDOUT:
            out += data[at + 8:at + 8 + length]
        ended = ended or kind == END
        at += 8 + length + padding
    return bytes(out), ended


def raw(path, data, close=False):
    """Sends bytes; returns what came back. close: says at once that no more
    will come."""
    with connect(path) as connection:
        try:
            connection.sendall(data)
            if close:
                connection.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return read_all(connection)


def message(sent, body=b"", record_size=65535):
    """The bytes of one request."""
    return (begin() + stream(PARAMS, pairs(sent))
            + stream(STDIN, body, record_size))


def ask(path, target, method="GET", body=None, **changes):
    """One request to the worker behind the socket; changes: parameters."""
    sent = params(target, method, body, **changes)
    out, ended = parse(raw(path, message(sent, body or b"")))
    assert ended, "the worker left without an answer"
    return Answer(out)


class Application:
    """Answers every request with what answer(params, body) returns: headers,
    with "Status" where it is not 200. seen: (params, body) of each."""

    def __init__(self, path, answer):
        self.path = pathlib.Path(path)
        self.answer = answer
        self.seen = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def location(self, uri, more=""):
        return f"""
        location {uri} {{
            fastcgi_pass unix:{self.path};
            fastcgi_pass_request_headers off;
            fastcgi_param REQUEST_METHOD $request_method;
            fastcgi_param REQUEST_URI $request_uri;
            fastcgi_param CONTENT_LENGTH $content_length;
            {more}
        }}"""

    def stop(self):
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,),
                             daemon=True).start()

    def _serve(self, connection):
        with connection, connection.makefile("rb") as stream:
            streams = {PARAMS: bytearray(), STDIN: bytearray()}
            while True:
                head = stream.read(8)
                if len(head) < 8:
                    return
                _, kind, _, length, padding = struct.unpack("!BBHHBx", head)
                content = stream.read(length + padding)[:length]
                if kind in streams:
                    streams[kind] += content
                if kind == STDIN and not content:
                    break
            sent = (unpairs(bytes(streams[PARAMS])), bytes(streams[STDIN]))
            self.seen.append(sent)
            out = "".join(f"{name}: {value}\r\n" for name, value in
                          self.answer(*sent).items()) + "\r\n"
            connection.sendall(stream_of(out.encode()))


def stream_of(out):
    """A whole answer."""
    return stream(STDOUT, out) + record(END, struct.pack("!IB3x", 0, 0))


def unpairs(data):
    """What pairs() wrote."""
    found, at = {}, 0

    def length():
        nonlocal at
        size = 1 if data[at] < 128 else 4
        value = int.from_bytes(data[at:at + size], "big") & 0x7fffffff
        at += size
        return value

    while at < len(data):
        name, value = length(), length()
        found[data[at:at + name].decode()] = data[
            at + name:at + name + value].decode("latin-1")
        at += name + value
    return found
