"""Several clicks on one HTTP/2 connection, frame by frame.

Only what curl can't be made to do: streams that are cancelled while others on
the same connection go on. Without TLS, by prior knowledge (RFC 9113, 3.3).
"""

import socket
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7
END_STREAM, ACK, END_HEADERS = 1, 1, 4
CANCEL = 8

# Statuses that HPACK has an index for (RFC 7541, appendix A).
INDEXED = {0x88: 200, 0x89: 204, 0x8a: 206, 0x8b: 304, 0x8c: 400, 0x8d: 404,
           0x8e: 500}


class Streams:
    """One connection. statuses: {stream: status} of the answers so far."""

    def __init__(self, port, timeout=15):
        self._socket = socket.create_connection(("127.0.0.1", port), timeout)
        self._stream = self._socket.makefile("rb")
        self.statuses = {}
        self._socket.sendall(PREFACE)
        self._send(SETTINGS, 0, 0)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        self._stream.close()
        self._socket.close()

    def ask(self, stream, target, token, method="GET", body=None, ends=True):
        """A click on a new stream; streams have odd numbers that rise. A body
        is one frame, and ends=False leaves it open."""
        self._send(HEADERS, END_HEADERS | (0 if body else END_STREAM), stream,
                   b"".join(_literal(name, value) for name, value in (
                       (":method", method), (":scheme", "http"),
                       (":path", target), (":authority", "portal.example"),
                       ("authorization", f"Bearer {token}"))))
        if body:
            self._send(DATA, END_STREAM if ends else 0, stream, body)

    def cancel(self, stream):
        self._send(RST_STREAM, 0, stream, struct.pack(">I", CANCEL))

    def status(self, stream):
        """Returns once the stream's answer has come."""
        while stream not in self.statuses:
            self._read()
        return self.statuses[stream]

    def _send(self, kind, flags, stream, payload=b""):
        self._socket.sendall(struct.pack(">I", len(payload))[1:]
                             + struct.pack(">BBI", kind, flags, stream)
                             + payload)

    def _read(self):
        head = self._stream.read(9)
        if len(head) < 9:
            raise ConnectionError("closed between frames")
        size = int.from_bytes(head[:3], "big")
        kind, flags, stream = struct.unpack(">BBI", head[3:])
        payload = self._stream.read(size)
        if kind in (SETTINGS, PING) and not flags & ACK:
            self._send(kind, ACK, 0, payload if kind == PING else b"")
        elif kind == RST_STREAM and stream in self.statuses:
            # answered, and the rest of the body is not wanted: NO_ERROR
            assert payload == bytes(4), f"stream {stream} was reset"
        elif kind in (RST_STREAM, GOAWAY):
            raise ConnectionError(f"frame {kind} on stream {stream}")
        elif kind == HEADERS:
            self.statuses[stream] = _status(payload)


def _literal(name, value):
    """A header field that is not to be indexed, in plain text."""
    return b"\0" + _string(name) + _string(value)


def _string(text):
    size, out = len(text), b""
    if size < 127:
        out = bytes([size])
    else:
        out, size = b"\x7f", size - 127
        while size > 127:
            out += bytes([size & 127 | 128])
            size >>= 7
        out += bytes([size])
    return out + text.encode()


def _status(block):
    """The status stands first, but for a change of the table's size."""
    while block[0] & 0xe0 == 0x20:
        block = block[1:]
    if block[0] in INDEXED:
        return INDEXED[block[0]]
    assert block[:2] == b"\x48\x03", f"not a status: {block[:5]!r}"
    return int(block[2:5])
