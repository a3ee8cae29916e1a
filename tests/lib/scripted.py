"""A Redis that answers by script, for what the real one won't do on demand.

Left alone it is a very small Redis: hashes and strings in memory, and an
invalidation link that accepts CLIENT TRACKING and SUBSCRIBE. A test then puts
an answer in the place of a command's, or of everything's.
"""

import contextlib
import pathlib
import socket
import threading
import time

LOADING = b"-LOADING Redis is loading the dataset in memory\r\n"
NOAUTH = b"-NOAUTH Authentication required.\r\n"
WRONGTYPE = (b"-WRONGTYPE Operation against a key holding the wrong kind of "
             b"value\r\n")
# FLUSHALL, as Redis says it to a RESP2 client; other versions, and those that
# speak the protocol after them, say it with a nil array.
INVALIDATE_ALL = (b"*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n"
                  b"$-1\r\n")
INVALIDATE_ALL_ARRAY = INVALIDATE_ALL.replace(b"$-1", b"*-1")


class Close(Exception):
    """Raised by an answer: close the connection. data is sent before."""

    def __init__(self, data=b""):
        super().__init__()
        self.data = data


def silence(link, _args):
    """An answer that never comes; nor does any after it."""
    link.mute = True
    return b""


def unfinished(data):
    """Something that is not yet a reply, then silence."""
    def answer(link, _args):
        link.mute = True
        return data
    return answer


def half_then_silence(reply):
    return unfinished(reply[:len(reply) // 2])


def half_then_close(reply):
    def answer(_link, _args):
        raise Close(reply[:len(reply) // 2])
    return answer


def after(seconds, reply):
    """A reply that takes its time."""
    def answer(_link, _args):
        time.sleep(seconds)
        return reply
    return answer


def bulk(value):
    data = value if isinstance(value, bytes) else str(value).encode()
    return b"$%d\r\n%s\r\n" % (len(data), data)


def array(values):
    return b"*%d\r\n" % len(values) + b"".join(bulk(v) for v in values)


def hash_reply(fields):
    """What HGETALL answers for a dict."""
    return array([part for pair in fields.items() for part in pair])


def invalidation(keys):
    """The message that says that keys have changed."""
    return (b"*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n"
            + array(keys))


class Link:
    """One connection, as an answer sees it."""

    def __init__(self, sock, number):
        self.socket = sock
        self.number = number
        self.subscribed = False
        self.mute = False           # from now on
        self._lock = threading.Lock()

    def send(self, data, dribble=False):
        with self._lock:
            if not dribble:
                self.socket.sendall(data)
                return
            for i in range(len(data)):
                self.socket.sendall(data[i:i + 1])


class ScriptedRedis:
    """answers: command name ("HGETALL", or "*" for every one) to bytes, or to
    a function of (link, args) that returns bytes or raises Close.

    data: key to dict (a hash) or str. dribble: send byte by byte.
    asked: the commands that came, in order; accepted: how many connections.
    """

    def __init__(self, folder):
        self.path = str(pathlib.Path(folder) / "scripted.sock")
        self.answers = {}
        self.data = {}
        self.asked = []
        self.dribble = False
        self._links = set()
        self._changed = threading.Condition()
        self.accepted = 0
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
        """Stops listening and closes every connection."""
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
            pathlib.Path(self.path).unlink(missing_ok=True)
        self.cut()

    def cut(self):
        """Closes every connection; the next ones are welcome."""
        with self._changed:
            links = list(self._links)
        for link in links:
            with contextlib.suppress(OSError):
                link.socket.shutdown(socket.SHUT_RDWR)

    def links(self):
        """The armed invalidation links."""
        with self._changed:
            return [link for link in self._links if link.subscribed]

    def await_links(self, n, seconds=10):
        with self._changed:
            assert self._changed.wait_for(
                lambda: sum(k.subscribed for k in self._links) >= n,
                seconds), "the invalidation link was not armed"

    def await_asked(self, command, n=1, seconds=10):
        """Returns once a command has come n times."""
        with self._changed:
            assert self._changed.wait_for(
                lambda: sum(a[0] == command for a in self.asked) >= n,
                seconds), f"{command} did not come {n} times"

    def push(self, data):
        """Sends bytes to every armed invalidation link."""
        for link in self.links():
            link.send(data, self.dribble)

    def _accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            with self._changed:
                self.accepted += 1
                link = Link(sock, self.accepted)
                self._links.add(link)
            threading.Thread(target=self._serve, args=(link,),
                             daemon=True).start()

    def _serve(self, link):
        stream = link.socket.makefile("rb")
        with contextlib.suppress(OSError, ValueError):
            while self._one(link, stream):
                pass
        stream.close()
        link.socket.close()
        with self._changed:
            self._links.discard(link)
            self._changed.notify_all()

    def _one(self, link, stream):
        """Answers one command; false at the connection's end."""
        line = stream.readline()
        if not line.startswith(b"*"):
            return False
        args = []
        for _ in range(int(line[1:])):
            size = int(stream.readline()[1:])
            args.append(stream.read(size + 2)[:-2].decode("latin-1"))
        args[0] = args[0].upper()
        with self._changed:
            self.asked.append(args)
            self._changed.notify_all()
        if link.mute:
            return True
        answer = self.answers.get(args[0], self.answers.get("*"))
        try:
            if answer is None:
                answer = self._usual(link, args)
            elif callable(answer):
                answer = answer(link, args)
        except Close as end:
            link.send(end.data)
            return False
        link.send(answer, self.dribble)
        return True

    def _usual(self, link, args):
        name = args[0]
        if name == "PING":
            return array(["pong", ""]) if link.subscribed else b"+PONG\r\n"
        if name == "CLIENT" and args[1].upper() == "ID":
            return b":%d\r\n" % link.number
        if name == "SUBSCRIBE":
            with self._changed:
                link.subscribed = True
                self._changed.notify_all()
            return b"".join(
                b"*3\r\n" + bulk("subscribe") + bulk(channel) + b":1\r\n"
                for channel in args[1:])
        if name == "HGETALL":
            return hash_reply(self.data.get(args[1], {}))
        if name == "HMGET":
            fields = self.data.get(args[1], {})
            return b"*%d\r\n" % len(args[2:]) + b"".join(
                bulk(fields[f]) if f in fields else b"$-1\r\n"
                for f in args[2:])
        if name == "GET":
            value = self.data.get(args[1])
            return b"$-1\r\n" if value is None else bulk(value)
        return b"+OK\r\n"
