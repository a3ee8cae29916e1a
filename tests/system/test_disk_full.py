"""The disk under Redis' append-only file fills up: nothing new is acknowledged,
who had a licence goes on, and nothing that was acknowledged is gone after."""

import contextlib
import http.client
import os
import subprocess

import pytest

from lib.process import eventually
from lib.town import Town

pytestmark = pytest.mark.once

BOOK = "8717927130834"


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a file system of 3 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m,mode=0700",
                           "tmpfs", str(folder)], capture_output=True)
    if os.geteuid() != 0 or done.returncode != 0:
        pytest.skip("no file system may be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder):
    """A file that takes all that is left."""
    path = folder / "filler"
    with open(path, "wb", buffering=0) as stream, \
            contextlib.suppress(OSError):
        while stream.write(b"\0" * 4096):
            pass
    return path


def test_a_full_disk_refuses_the_new_and_keeps_the_old(small_disk):
    with Town(redis_folder=small_disk, allow=(r"Redis",),
              allow_nginx=(r"leerpoort",)) as town:
        town.school("S1")
        town.product(BOOK)
        licensed, *others = (town.edge.person() for _ in range(40))
        waiting = iter(others)
        for person in (licensed, *others):
            assert town.provision(town.entitlement(person))[0] == 202
        assert licensed.click(f"/go/{BOOK}").outcome == "redirect"
        eventually("the mirror has it", lambda: licensed.click(
            f"/go/{BOOK}").mirror == "HIT", 10)

        # the file's last page may have room for some more
        filler = fill(small_disk)
        late = []

        def refusal():
            late.append(next(waiting))
            answer = late[-1].click(f"/go/{BOOK}")
            return answer if answer.status == 503 else None

        refused = eventually("an activation is refused", refusal, 20)
        assert refused.outcome == "unavailable"
        assert int(refused.header("Retry-After")) > 0
        with contextlib.suppress(http.client.HTTPException):
            status, _ = town.provision(town.entitlement(town.edge.person()))
            assert status == 503
        for _ in range(20):
            assert licensed.click(f"/go/{BOOK}").outcome == "redirect"

        filler.unlink()
        town.redis.restart()
        eventually("it activates again", lambda: late[-1].click(
            f"/go/{BOOK}").outcome == "redirect", 20)
        for person in (licensed, *late):
            assert town.redis("HGET", person.hash(), BOOK).startswith("L ")
