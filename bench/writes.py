"""What Redis wrote: its append-only file is what was sent to it, as RESP."""

import pathlib


class Writes:
    """The writes of a Redis from now on; it must not rewrite its file."""

    def __init__(self, redis):
        [self._path] = (redis.folder / "appendonlydir").glob("*.incr.aof")
        self._at = self._path.stat().st_size

    def take(self):
        """The bytes since the last call."""
        with open(self._path, "rb") as file:
            file.seek(self._at)
            data = file.read()
        self._at += len(data)
        return data


def commands(data):
    """Lists of words, from bytes that end with a whole command."""
    at = 0
    while at < len(data):
        end = data.index(b"\r\n", at)
        assert data[at:at + 1] == b"*", data[at:at + 40]
        words = []
        count, at = int(data[at + 1:end]), end + 2
        for _ in range(count):
            end = data.index(b"\r\n", at)
            size, at = int(data[at + 1:end]), end + 2
            words.append(data[at:at + size])
            at += size + 2
        yield words


def transactions(data):
    """The transactions among them, each from MULTI to EXEC."""
    found = None
    for words in commands(data):
        if words[0].upper() == b"MULTI":
            found = []
        if found is not None:
            found.append(words)
            if words[0].upper() == b"EXEC":
                yield found
                found = None


def resp(words):
    return b"*%d\r\n" % len(words) + b"".join(
        b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def write_file(path, found):
    """For bench/transactions.c. An entry gets its number when it is written:
    they come over several connections, in any order."""
    with open(path, "wb") as file:
        for transaction in found:
            sent = b"".join(
                resp(words[:2] + [b"*"] + words[3:]
                     if words[0].upper() == b"XADD" else words)
                for words in transaction)
            file.write(b"%d %d\n" % (len(transaction), len(sent)) + sent)
    return pathlib.Path(path)
