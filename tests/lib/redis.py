"""One redis-server in a folder of its own, and a very small client."""

import os
import pathlib
import signal
import socket

from lib.process import Process, eventually, free_port

SERVER = os.environ.get("LEERPOORT_REDIS_SERVER", "/usr/bin/redis-server")


class RedisError(Exception):
    """An error reply; its text is the reply's."""


class Client:
    """A blocking connection. Arguments are str, bytes or int."""

    def __init__(self, address, timeout=10):
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self._socket = socket.socket(family)
        self._socket.settimeout(timeout)
        self._socket.connect(address)
        self._stream = self._socket.makefile("rb")

    def __call__(self, *args):
        self.send(*args)
        return self.read()

    def send(self, *args):
        self._socket.sendall(encode(*args))

    def read(self):
        line = self._stream.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("Redis closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            raise RedisError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            size = int(rest)
            if size < 0:
                return None
            return self._stream.read(size + 2)[:-2].decode()
        if kind == b"*":
            return None if int(rest) < 0 else [
                self.read() for _ in range(int(rest))]
        raise ConnectionError(f"not RESP: {line!r}")

    def raw(self, *args):
        """One command that answers a string of any bytes; None: nil."""
        self.send(*args)
        size = int(self._stream.readline()[1:])
        return None if size < 0 else self._stream.read(size + 2)[:-2]

    def pipeline(self, commands):
        """Sends all, then reads all; errors are returned, not raised."""
        self._socket.sendall(b"".join(encode(*c) for c in commands))
        replies = []
        for _ in commands:
            try:
                replies.append(self.read())
            except RedisError as error:
                replies.append(error)
        return replies

    def close(self):
        self._stream.close()
        self._socket.close()


def encode(*args):
    """A command as RESP."""
    out = [b"*%d\r\n" % len(args)]
    for arg in args:
        data = arg if isinstance(arg, bytes) else str(arg).encode()
        out.append(b"$%d\r\n%s\r\n" % (len(data), data))
    return b"".join(out)


class Redis:
    """durable: AOF with an fsync for every write, as the design asks.

    tcp: listens on a loopback port as well.
    users: lines of ACL rules, as for the directive "user".
    """

    def __init__(self, folder, tcp=False, durable=True, users=(), options=()):
        self.folder = pathlib.Path(folder)
        self.path = str(self.folder / "redis.sock")
        self.port = free_port() if tcp else 0
        self._durable = durable
        self._users = users
        self._options = options
        self._process = None
        self._client = None
        self._stopped = False

    def start(self):
        lines = [
            f"dir {self.folder}", f"unixsocket {self.path}",
            "unixsocketperm 700", f"port {self.port}", "bind 127.0.0.1",
            "daemonize no", 'save ""', "maxmemory-policy noeviction",
            f"appendonly {'yes' if self._durable else 'no'}",
            "appendfsync always",
            *(f"user {user}" for user in self._users), *self._options]
        conf = self.folder / "redis.conf"
        conf.write_text("\n".join(lines) + "\n")
        pathlib.Path(self.path).unlink(missing_ok=True)
        self._process = Process([SERVER, str(conf)], self.folder / "redis.log")
        self._stopped = False
        try:
            eventually("Redis answers", self._answers, 20)
        except AssertionError:
            self.destroy()
            raise
        return self

    @property
    def pid(self):
        return self._process.pid

    @property
    def address(self):
        """What leerpoort_redis takes."""
        return f"unix:{self.path}"

    @property
    def tcp_address(self):
        return f"127.0.0.1:{self.port}"

    def __call__(self, *args):
        """One command on a connection that is kept open."""
        if self._client is None:
            self._client = self.client()
        return self._client(*args)

    def client(self):
        return Client(self.path)

    def pipeline(self, commands):
        self("PING")
        return self._client.pipeline(commands)

    def calls(self, command):
        """How often a command was called since CONFIG RESETSTAT."""
        for line in self("INFO", "commandstats").splitlines():
            name, _, rest = line.partition(":")
            if name == f"cmdstat_{command}":
                return int(rest.split("calls=")[1].split(",")[0])
        return 0

    def links(self):
        """Connections that wait for invalidations."""
        return sum("sub=1" in line.split()
                   for line in self("CLIENT", "LIST").splitlines())

    def kill(self):
        """kill -9; the data stays for a restart."""
        self._forget()
        self._process.signal(signal.SIGKILL)
        assert self._process.wait(10)

    def freeze(self):
        self._process.signal(signal.SIGSTOP)
        self._stopped = True

    def thaw(self):
        self._process.signal(signal.SIGCONT)
        self._stopped = False

    def restart(self):
        """start() again, with what the AOF holds."""
        self.destroy()
        return self.start()

    def stop(self):
        self.destroy()

    def destroy(self):
        self._forget()
        if self._process is not None:
            self._process.destroy()
            self._process = None

    def _forget(self):
        if self._client is not None:
            self._client.close()
            self._client = None

    def _answers(self):
        if self._process.ended():
            raise AssertionError("redis-server ended at once:\n" + (
                self.folder / "redis.log").read_text(errors="replace")[-2000:])
        try:
            client = self.client()
        except OSError:
            return False
        try:
            return client("PING") == "PONG"
        except (OSError, RedisError) as error:
            return "NOAUTH" in str(error)
        finally:
            client.close()
