"""Looking for what must not be anywhere: canaries, in every form in which a
careless program would write them."""

import base64
import os
import pathlib
import re
import threading
import time
import urllib.parse

from lib.redis import encode


def _base64(data, altchars):
    """What base64 of a longer text holds of data, at three offsets."""
    found = set()
    for before in range(3):
        text = base64.b64encode(b"\0" * before + data, altchars).rstrip(b"=")
        first = (0, 2, 3)[before]
        last = len(text) - ((before + len(data)) % 3 != 0)
        found.add(text[first:last])
    return found


def forms(data):
    """Plain, percent-encoded, as in JSON, base64, base64url, hex."""
    quoted = {urllib.parse.quote_from_bytes(data, safe=safe).encode()
              for safe in ("", "/", "/:")}
    small = {re.sub(rb"%..", lambda found: found[0].lower(), text)
             for text in quoted}
    hexed = data.hex().encode()
    return {data, data.replace(b"/", b"\\/"), *quoted, *small, hexed,
            hexed.upper(), *_base64(data, b"+/"), *_base64(data, b"-_")}


HEAD = 12   # bytes of a form by which it is looked for


class Canaries:
    """add(name, data): something that must not be found. There are thousands
    of forms, so a text is gone through once, with the heads of all."""

    def __init__(self):
        self._heads = {}    # {head: {form: name}}

    def add(self, name, data):
        data = data.encode() if isinstance(data, str) else data
        assert len(data) >= HEAD, f"{name} is too short to be looked for"
        for form in forms(data):
            self._heads.setdefault(form[:HEAD], {}).setdefault(form, name)

    def add_token(self, name, token):
        """The parts that say or sign something, wherever they are cut."""
        for part in token.split(".")[1:]:
            for piece in (part[:40], part[-40:]):
                if len(piece) >= 24:
                    self.add(name, piece)

    def find(self, text):
        """Names of those that are in the text."""
        heads = self._heads
        return sorted({
            name for at in range(len(text) - HEAD + 1)
            if text[at:at + HEAD] in heads
            for form, name in heads[text[at:at + HEAD]].items()
            if text.startswith(form, at)})

    def __len__(self):
        return sum(map(len, self._heads.values()))


def files(*folders):
    """Everything that lies below: (path, bytes)."""
    for folder in folders:
        for path in sorted(pathlib.Path(folder).rglob("*")):
            if path.is_file() and not path.is_symlink():
                yield path, path.read_bytes()


# --- Redis -------------------------------------------------------------------

READ = {"string": ("GET",), "hash": ("HGETALL",), "set": ("SMEMBERS",),
        "list": ("LRANGE", 0, -1), "stream": ("XRANGE", "-", "+"),
        "zset": ("ZRANGE", 0, -1)}


def dump(redis):
    """Every key with its value, and what Redis remembers of commands."""
    out = b""
    client = redis.client()
    try:
        for key in client("KEYS", "*"):
            name, *rest = READ[client("TYPE", key)]
            out += key.encode() + b"\n" + _raw(client, name, key, *rest)
        for command in (("SLOWLOG", "GET", -1), ("CLIENT", "LIST"),
                        ("CONFIG", "GET", "*")):
            out += _raw(client, *command)
    finally:
        client.close()
    return out


def _raw(client, *command):
    """The bytes of a reply, whatever they are."""
    client.send(*command)
    client._socket.sendall(encode("ECHO", "the end of it"))
    out = b""
    while not out.endswith(b"$13\r\nthe end of it\r\n"):
        part = client._socket.recv(1 << 20)
        assert part, "Redis closed the connection"
        out += part
    return out


class Monitor:
    """All that Redis is asked, from now on; goes on over a restart."""

    def __init__(self, redis):
        self.text = bytearray()
        self._redis, self._ends = redis, False
        self._armed = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._armed.wait(10)

    def _run(self):
        while not self._ends:
            try:
                client = self._redis.client()
                client._socket.settimeout(0.2)
                client._socket.sendall(encode("MONITOR"))
                self._listen(client._socket)
            except OSError:
                time.sleep(0.01)

    def _listen(self, socket):
        while not self._ends:
            try:
                part = socket.recv(1 << 16)
            except TimeoutError:
                continue
            if not part:
                return
            self.text += part
            self._armed.set()

    def stop(self):
        self._ends = True
        self._thread.join(10)
        return bytes(self.text)


# --- processes ---------------------------------------------------------------

class Processes:
    """Command lines and environments of all processes that have one of these
    texts in their command line, for as long as it looks."""

    def __init__(self, *texts):
        self.seen = {}      # (pid, command line): environment
        self.limits = {}    # program: soft limits of core files
        self._texts = [str(text).encode() for text in texts]
        self._own = os.getpid()
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def look(self):
        for entry in os.listdir("/proc"):
            if not entry.isdigit() or int(entry) == self._own:
                continue
            try:
                folder = pathlib.Path("/proc", entry)
                line = (folder / "cmdline").read_bytes()
                if not any(text in line for text in self._texts) \
                        or (entry, line) in self.seen:
                    continue
                self.seen[entry, line] = b""
                self._note(folder, entry, line)
            except OSError:
                pass        # it has ended

    def _note(self, folder, entry, line):
        self.seen[entry, line] = (folder / "environ").read_bytes()
        program = line.split(b"\0")[0].rpartition(b"/")[2].decode()
        for limit in (folder / "limits").read_text().splitlines():
            if limit.startswith("Max core file size"):
                self.limits.setdefault(program, set()).add(limit.split()[4])

    def _run(self):
        while not self._ends.wait(0.01):
            self.look()

    def stop(self):
        self._ends.set()
        self._thread.join(10)
        self.look()
        return b"\n".join(line + b"\n" + environment for (_, line), environment
                          in self.seen.items())
