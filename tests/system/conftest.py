"""Fixtures that the system tests share."""

import os
import pathlib
import tempfile

import pytest

from lib.desk import Desk, own_redis
from lib.edge import Edge
from lib.process import REPOSITORY
from lib.proxy import Proxy
from lib.redis import Redis
from lib.scripted import ScriptedRedis


@pytest.fixture(scope="module")
def edge():
    """An edge with the usual configuration, shared by a file's tests; each
    test brings its own people."""
    with Edge() as edge:
        edge.await_armed()
        edge.product("book")
        yield edge


@pytest.fixture(scope="module")
def desk():
    """Workers behind which two parties are, shared by a file's tests; each
    test brings its own people."""
    with own_redis() as (folder, redis):
        desk = Desk(folder, redis)
        with desk.workers:
            yield desk


@pytest.fixture
def tmp_path():
    """A folder that is gone afterwards, with a name short enough for sockets
    (pytest's own would stay, and be too long)."""
    with tempfile.TemporaryDirectory(prefix="leerpoort-test-") as folder:
        yield pathlib.Path(folder)


@pytest.fixture
def redis(tmp_path):
    """A real Redis that the test may kill."""
    redis = Redis(tmp_path)
    try:
        yield redis.start()
    finally:
        redis.destroy()


@pytest.fixture
def proxy(tmp_path, redis):
    """A proxy before that Redis."""
    proxy = Proxy(tmp_path, redis.path)
    try:
        yield proxy.start()
    finally:
        proxy.stop()


@pytest.fixture
def scripted(tmp_path):
    """A Redis that answers by script."""
    scripted = ScriptedRedis(tmp_path)
    try:
        yield scripted.start()
    finally:
        scripted.stop()


@pytest.fixture(scope="session")
def vectors():
    """The folder of public test data; a test that needs it is skipped where
    it is absent."""
    folder = pathlib.Path(os.environ.get(
        "LEERPOORT_VECTORS", REPOSITORY.parent / "shared" / "vectors"))
    if not folder.is_dir():
        pytest.skip(f"no test vectors at {folder}")
    return folder
