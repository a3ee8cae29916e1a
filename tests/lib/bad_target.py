"""A target that is sick on purpose: what nginx would never do."""

import socket
import threading

# What a click on a product that no catalogue has must get.
RIGHT = (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n"
         b"Leerpoort-Outcome: unknown-product\r\n\r\n")


class Visit:
    """One connection as the script sees it."""

    def __init__(self, connection, peer, count):
        self._connection = connection
        self._count = count
        self._rest = b""
        self.peer = peer  # its address
        self.number = 0   # once it asked for something: 1 for the first

    def request(self):
        """The next request, or b"" at the end."""
        while b"\r\n\r\n" not in self._rest:
            more = self._connection.recv(65536)
            if not more:
                return b""
            self._rest += more
            self.number = self.number or self._count()
        request, _, self._rest = self._rest.partition(b"\r\n\r\n")
        return request

    def send(self, answer):
        self._connection.sendall(answer)

    def reset(self):
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                    b"\1\0\0\0\0\0\0\0")


class BadTarget:
    """Runs script(visit) for each connection, in a thread of its own; the
    connection is closed when it returns. accepts: so many connections, and
    then there is no target any more; 0: nobody ever takes one. shared: several
    targets may have the port.

    visits: connections that asked for something; most: at once.
    """

    def __init__(self, script, backlog=1024, accepts=1_000_000,
                 port=0, shared=False):
        self._script = script
        self._listener = socket.socket()
        if shared:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT,
                                      1)
        self._listener.bind(("127.0.0.1", port))
        self._listener.listen(backlog)
        self.port = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._open = set()
        self.visits = 0
        self.most = 0
        if accepts:
            threading.Thread(target=self._accept, args=(accepts,),
                             daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self._vanish()
        with self._lock:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def _vanish(self):
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()

    def _accept(self, times):
        for _ in range(times):
            try:
                connection, peer = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._open.add(connection)
                self.most = max(self.most, len(self._open))
            visit = Visit(connection, peer[0], self._count)
            threading.Thread(target=self._visit, args=(connection, visit),
                             daemon=True).start()
        self._vanish()

    def _count(self):
        with self._lock:
            self.visits += 1
            return self.visits

    def _visit(self, connection, visit):
        try:
            self._script(visit)
        except OSError:
            pass
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()
