"""A gate between a worker and Redis: for tests that let it die, or change what
it has read, after each of its steps in turn."""

import contextlib
import pathlib
import socket
import threading


class Gate:
    """Stands between a worker and Redis, and lets only so many steps pass: a
    step is what one of them says before the other answers."""

    def __init__(self, folder, upstream):
        self.path = str(pathlib.Path(folder) / "gate.sock")
        self.address = f"unix:{self.path}"
        self._upstream = upstream
        self._left = None           # None: any number
        self._resume = False
        self._changed = threading.Condition()
        self._ends = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        self.open()
        for end in [self._listener, *self._ends]:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def close_after(self, steps):
        with self._changed:
            self._left = steps

    def open(self, resume=False):
        """resume: what stands before the gate passes too; else it is lost, as
        whoever waits for it is gone."""
        with self._changed:
            self._left = None
            self._resume = resume
            self._changed.notify_all()

    def let_through(self, asked):
        """Waits: True when asked, a future, is done; False when something
        stands before the closed gate."""
        def wake(_):
            with self._changed:
                self._changed.notify_all()

        asked.add_done_callback(wake)
        with self._changed:
            assert self._changed.wait_for(
                lambda: self._left == -1 or asked.done(), 20)
            return self._left != -1

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                worker, _ = self._listener.accept()
                redis = socket.socket(socket.AF_UNIX)
                redis.connect(self._upstream)
                self._ends += [worker, redis]
                for pair in ((worker, redis), (redis, worker)):
                    threading.Thread(target=self._pass, args=pair,
                                     daemon=True).start()

    def _pass(self, source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 20):
                with self._changed:
                    if self._left is not None:
                        self._left -= 1
                        self._changed.notify_all()
                        stopped = self._left < 0
                        assert self._changed.wait_for(
                            lambda: self._left is None or self._left >= 0, 60)
                        if stopped and not self._resume:
                            break
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)
