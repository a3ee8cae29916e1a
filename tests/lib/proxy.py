"""Stands between nginx and Redis and makes the bad moments happen.

The edge has two connections for each worker: one asks for data ("data"), one
waits for invalidations ("link"). What comes back on either can be held, cut,
frozen or spoilt apart from the other, so that a race can be played slowly. A
connection is "new", and left alone, until it has asked for something.
"""

import contextlib
import pathlib
import socket
import threading

KINDS = ("data", "link")


class _Pair:
    """One connection of nginx and its counterpart to Redis."""

    def __init__(self, client, server):
        self.client = client
        self.server = server
        self.kind = "new"           # until it says what it wants
        self.asked = b""
        self.held = b""
        self.passed = 0
        self.armed = False

    def close(self):
        for end in (self.client, self.server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


class Proxy:
    """upstream: the path of Redis' unix socket."""

    def __init__(self, folder, upstream):
        self.path = str(pathlib.Path(folder) / "proxy.sock")
        self.spoil = None           # a function of (kind, bytes) to bytes
        self._upstream = upstream
        self._holding = set()
        self._refusing = set()
        self._pairs = []
        self._changed = threading.Condition()
        self._listener = None

    @property
    def address(self):
        return f"unix:{self.path}"

    def start(self):
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen(64)
        threading.Thread(target=self._accept, args=(self._listener,),
                         daemon=True).start()
        return self

    def stop(self):
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        for kind in KINDS:
            self.release(kind)
        self.cut()

    def hold(self, kind):
        """From now on what Redis says to this kind is kept back."""
        with self._changed:
            self._holding.add(kind)

    def release(self, kind):
        """Passes on, in order, what was kept back, and holds no longer."""
        with self._changed:
            self._holding.discard(kind)
            for pair in self._pairs:
                if pair.kind == kind and pair.held:
                    data, pair.held = pair.held, b""
                    self._pass(pair, data)
            self._changed.notify_all()

    def held(self, kind):
        """The bytes that are kept back now."""
        with self._changed:
            return b"".join(p.held for p in self._pairs if p.kind == kind)

    def await_held(self, kind, text=b"", seconds=10):
        """Returns once something that contains text is kept back."""
        with self._changed:
            assert self._changed.wait_for(
                lambda: any(p.held and text in p.held for p in self._pairs
                            if p.kind == kind),
                seconds), f"nothing with {text!r} was held"

    def passed(self, kind):
        """The number of bytes that Redis' side has said to this kind."""
        with self._changed:
            return sum(p.passed for p in self._pairs if p.kind == kind)

    def await_passed(self, kind, more_than, seconds=10):
        """Returns once more bytes than so many were passed on."""
        with self._changed:
            assert self._changed.wait_for(
                lambda: sum(p.passed for p in self._pairs
                            if p.kind == kind) > more_than, seconds), \
                f"nothing more was passed on to {kind}"

    def links(self):
        """The number of armed invalidation links that are open."""
        with self._changed:
            return sum(p.armed for p in self._pairs)

    def await_links(self, n=1, seconds=10):
        with self._changed:
            assert self._changed.wait_for(
                lambda: sum(p.armed for p in self._pairs) == n, seconds), \
                f"{n} invalidation links expected"

    def cut(self, kind=None):
        """Closes every connection (of a kind); returns how many."""
        with self._changed:
            pairs = [p for p in self._pairs if kind in (None, p.kind)]
            for pair in pairs:
                pair.armed = False
                pair.held = b""
                self._pairs.remove(pair)
        for pair in pairs:
            pair.close()
        return len(pairs)

    def refuse(self, kind):
        """Connections of this kind ("data", "link", "all") are closed as soon
        as they are known for what they are."""
        with self._changed:
            self._refusing.add(kind)

    def welcome(self, kind):
        with self._changed:
            self._refusing.discard(kind)

    def _accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            try:
                if "all" in self._refusing:
                    raise OSError("refused")
                server.connect(self._upstream)
            except OSError:
                client.close()
                server.close()
                continue
            pair = _Pair(client, server)
            with self._changed:
                self._pairs.append(pair)
            for job in (self._upwards, self._downwards):
                threading.Thread(target=job, args=(pair,), daemon=True).start()

    def _upwards(self, pair):
        with contextlib.suppress(OSError):
            while True:
                data = pair.client.recv(65536)
                if not data:
                    break
                self._classify(pair, data)
                if pair.kind in self._refusing:
                    break
                pair.server.sendall(data)
        self._end(pair)

    def _classify(self, pair, data):
        with self._changed:
            pair.asked = (pair.asked + data)[-4096:]
            asked = pair.asked.upper()
            if b"TRACKING" in asked or b"SUBSCRIBE" in asked \
                    or b"\r\nID\r\n" in asked:
                pair.kind = "link"
            elif pair.kind == "new" and b"GET" in asked:
                pair.kind = "data"

    def _downwards(self, pair):
        with contextlib.suppress(OSError):
            while True:
                data = pair.server.recv(65536)
                if not data:
                    break
                if self.spoil is not None:
                    data = self.spoil(pair.kind, data)
                with self._changed:
                    if pair.kind in self._holding or pair.held:
                        pair.held += data
                    else:
                        self._pass(pair, data)
                    self._changed.notify_all()
        self._end(pair)

    def _pass(self, pair, data):
        with contextlib.suppress(OSError):
            pair.client.sendall(data)
        pair.passed += len(data)
        if pair.kind == "link" and b"subscribe" in data:
            pair.armed = True

    def _end(self, pair):
        pair.close()
        with self._changed:
            pair.armed = False
            if pair in self._pairs:
                self._pairs.remove(pair)
            self._changed.notify_all()
