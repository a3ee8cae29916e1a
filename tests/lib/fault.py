"""A Redis that is real, with a moment at which something goes wrong.

Stands between a client and Redis and passes one command, then its reply, then
the next command: so the n-th command of an operation, and the n-th byte that
comes back, are the same each time. UNWATCH is not counted: whether one goes
before an operation is decided by what was done before it.
"""

import contextlib
import pathlib
import socket
import threading


class Cut(Exception):
    """Close the connection; data is sent before."""

    def __init__(self, data=b""):
        super().__init__()
        self.data = data


# What may happen to a command: a function of ask(), which has it done and gives
# the reply, to what is told instead.

def lost(_ask):
    """The connection ends before Redis sees the command."""
    raise Cut()


def unanswered(ask):
    """It is done, and nobody is told."""
    ask()
    raise Cut()


def half_told(ask):
    reply = ask()
    raise Cut(reply[:len(reply) // 2])


def silent(ask):
    """It is done, and neither this reply nor any other ever comes."""
    ask()
    return None


def mistyped(ask):
    """It is done, and answered by what no such command answers."""
    return b"$3\r\nxyz\r\n" if ask().startswith(b":") else b":7\r\n"


def refused(error):
    """It is not done; error: Redis' words. In a transaction, EXEC then says
    what it would."""
    return b"-" + error.encode() + b"\r\n"


class Faults:
    """upstream: the path of Redis' unix socket. asked: names of the commands
    since arm(), of all connections; told: bytes of their replies."""

    def __init__(self, folder, upstream):
        self.path = str(pathlib.Path(folder) / "fault.sock")
        self._upstream = upstream
        self._lock = threading.Lock()
        self._ends = set()
        self.arm()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen(16)
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self):
        return f"unix:{self.path}"

    def arm(self, fault=None, command=None, byte=None):
        """fault: what happens to the command of this number, from 0. byte: the
        connection ends once so many bytes of replies were told."""
        with self._lock:
            self.asked = []
            self.told = 0
            self._fault, self._command, self._byte = fault, command, byte

    def stop(self):
        with self._lock:
            ends = [self._listener, *self._ends]
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,),
                                 daemon=True).start()

    def _serve(self, client):
        redis = socket.socket(socket.AF_UNIX)
        with self._lock:
            self._ends |= {client, redis}
        try:
            redis.connect(self._upstream)
            _Link(self, client, redis).run()
        except Cut as cut:
            with contextlib.suppress(OSError):
                client.sendall(cut.data)
        except (OSError, ValueError):
            pass
        finally:
            for end in (client, redis):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()
            with self._lock:
                self._ends -= {client, redis}

    def fault_of(self, name):
        """What happens to the command that comes now."""
        with self._lock:
            if name == "UNWATCH":
                return None
            self.asked.append(name)
            return (self._fault if self._command == len(self.asked) - 1
                    else None)

    def tell(self, client, reply):
        with self._lock:
            before, self.told = self.told, self.told + len(reply)
            ends = self._byte is not None and self._byte <= self.told
            if ends:
                reply, self._byte = reply[:self._byte - before], None
        if ends:
            raise Cut(reply)
        client.sendall(reply)


class _Link:
    """One connection."""

    def __init__(self, faults, client, redis):
        self.faults, self.client, self.redis = faults, client, redis
        self.from_client = client.makefile("rb")
        self.from_redis = redis.makefile("rb")
        self.spoilt = False         # a transaction that EXEC will refuse
        self.queueing = False

    def run(self):
        with self.from_client, self.from_redis:
            while command := read(self.from_client):
                name = command.split(b"\r\n", 3)[2].decode().upper()
                fault = self.faults.fault_of(name)
                reply = self._answer(name, command, fault)
                if reply is None:
                    while self.from_client.read(65536):
                        pass
                    return
                self.faults.tell(self.client, reply)

    def _answer(self, name, command, fault):
        if isinstance(fault, bytes):
            if name == "EXEC":
                return self._discard(fault)
            self.spoilt = self.queueing
            return fault
        if name == "EXEC" and self.spoilt:
            return self._discard(refused(
                "EXECABORT Transaction discarded because of previous errors."))
        if name in ("MULTI", "EXEC", "DISCARD"):
            self.queueing = name == "MULTI"
        return fault(lambda: self._ask(command)) if fault else self._ask(
            command)

    def _discard(self, reply):
        self.spoilt = self.queueing = False
        self._ask(b"*1\r\n$7\r\nDISCARD\r\n")
        return reply

    def _ask(self, command):
        self.redis.sendall(command)
        reply = read(self.from_redis)
        if not reply:
            raise Cut()
        return reply


def read(stream):
    """The bytes of one value of RESP, whole; b"" at the end."""
    line = stream.readline()
    size = int(line[1:]) if line[:1] in b"$*" and line else -1
    if line[:1] == b"$" and size >= 0:
        return line + stream.read(size + 2)
    if line[:1] == b"*":
        return line + b"".join(read(stream) for _ in range(size))
    return line
