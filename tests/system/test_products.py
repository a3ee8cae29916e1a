"""The lists by which the catalogue is searched: kept by whoever writes a
product, made anew by a command, and never believed more than the product."""

import json
import subprocess

import pytest

from lib import names
from lib.catalogue import Catalogue, row
from lib.nginx import BUILD
from lib.redis import Redis
from lib.workers import environment


class Shelf:
    def __init__(self, redis, folder):
        self.redis = redis
        self.folder = folder

    def run(self, *words, given=""):
        return subprocess.run(
            [BUILD / "leerpoort", *map(str, words), "--redis",
             self.redis.address], input=given, text=True, capture_output=True,
            timeout=120, env=environment(self.folder))

    def __call__(self, *words, given="", code=0):
        run = self.run(*words, given=given)
        assert run.returncode == code, (words, run.stdout, run.stderr)
        return run.stdout if code == 0 else run.stderr

    def products(self):
        found = self.redis("HGETALL", "products")
        return dict(zip(found[::2], found[1::2]))

    def parts(self, set_):
        return set(self.redis("SMEMBERS",
                              f"parts:{{{names.shard(set_)}}}:{set_}"))

    def chapters(self, product):
        return self.redis(
            "LRANGE", f"chapters:{{{names.shard(product)}}}:{product}", "0",
            "-1")

    def line(self, level):
        lines = json.loads(self("check", "--json"))["lines"]
        return [line["text"] for line in lines if line["level"] == level
                and line["text"].startswith("products: ")]


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    redis = Redis(tmp_path_factory.mktemp("products"))
    try:
        yield redis.start()
    finally:
        redis.destroy()


@pytest.fixture
def shelf(redis, tmp_path):
    redis("FLUSHALL")
    return Shelf(redis, tmp_path)


def test_a_product_is_listed_from_its_first_write(shelf):
    shelf("product", "set", "book", "--url", "https://a.example/", "--in",
          "s1,s2")
    assert shelf.products() == {"book": ""}
    assert shelf.parts("s1") == shelf.parts("s2") == {"book"}
    shelf("product", "set", "book", "--name", "Boek é")
    assert shelf.products() == {"book": "Boek é"}
    shelf("product", "set", "book", "--url", "https://b.example/")
    assert shelf.products() == {"book": "Boek é"}
    shelf("product", "set", "book", "--name", "")
    assert shelf.products() == {"book": ""}
    assert shelf.line("ok")


def test_a_dropped_product_takes_its_chapters_along(shelf):
    shelf("product", "set", "book", "--deep", "https://a.example/{path}")
    shelf("product", "chapters", "book", given="h1 Een\n")
    shelf("product", "drop", "book")
    assert (shelf.products(), shelf.chapters("book")) == ({}, [])
    shelf("product", "drop", "book", code=1)


def test_an_import_lists(shelf, tmp_path):
    file = tmp_path / "products"
    file.write_text("\n".join(json.dumps(line) for line in (
        {"productId": "a", "name": "A", "url": "https://a.example/",
         "in": ["s1"]},
        {"productId": "b", "url": "https://b.example/"},
        {"productId": "wrong", "url": "ftp://b.example/"})) + "\n")
    shelf("import", "products", file, code=1)
    assert shelf.products() == {"a": "A", "b": ""}
    assert shelf.parts("s1") == {"a"}
    file.write_text(json.dumps({"productId": "a", "name": None}) + "\n")
    shelf("import", "products", file)
    assert shelf.products() == {"a": "", "b": ""}


def test_a_catalogue_lists_its_products_and_the_parts_of_its_sets(shelf):
    catalogue = Catalogue([row("set", name="Set", bundledProducts=["part"]),
                           row("part", name="Part")])
    try:
        shelf("catalogue", "pull", catalogue.url, "--dry-run")
        assert shelf.products() == {}
        shelf("catalogue", "pull", catalogue.url)
    finally:
        catalogue.stop()
    assert shelf.products() == {"set": "Set", "part": "Part"}
    assert shelf.parts("set") == {"part"}


def test_a_store_from_before_is_listed_by_the_index(shelf):
    for i in range(300):
        shelf.redis("HSET", names.product_hash(f"b{i}"), "url",
                    "https://a.example/", "name", f"Book {i}", "in", "s1")
    shelf.redis("SET", names.product_hash("taken"), "by somebody")
    [said] = shelf.line("warn")
    assert "leerpoort product index" in said
    shelf.redis("HSET", "products", "gone", "Gone")
    shelf.redis("SADD", f"parts:{{{names.shard('s1')}}}:s1", "gone")
    shelf.redis("SADD", f"parts:{{{names.shard('s2')}}}:s2", "b1")
    assert shelf("product", "index").endswith(" 3 names taken out\n")
    assert shelf.products() == {f"b{i}": f"Book {i}" for i in range(300)}
    assert shelf.parts("s1") == {f"b{i}" for i in range(300)}
    assert shelf.parts("s2") == set()
    assert shelf.redis("GET", names.product_hash("taken")) == "by somebody"
    before = shelf.products()
    assert shelf("product", "index").endswith(" 0 names taken out\n")
    assert shelf.products() == before
    shelf.redis("DEL", names.product_hash("taken"))
    assert shelf.line("ok")
    shelf.redis("HSET", "products", *"abcd")
    assert "names 302, and there are 300" in shelf.line("warn")[0]


GOOD = "h1 Hoofdstuk één\nh2\n\nh3/a%20b \"Drie\" & <vier>\n"


def test_chapters_are_set_shown_and_removed(shelf):
    shelf("product", "set", "book", "--name", "Boek")
    assert "--deep" in shelf("product", "chapters", "book", given=GOOD,
                             code=1)
    shelf("product", "set", "book", "--deep", "https://a.example/{path}")
    shelf("product", "chapters", "book", given=GOOD)
    lines = [line for line in GOOD.splitlines() if line]
    assert shelf.chapters("book") == lines
    shown = json.loads(shelf("product", "show", "book", "--json"))
    assert shown["chapters"] == [
        {"path": "h1", "title": "Hoofdstuk één"},
        {"path": "h2", "title": "h2"},
        {"path": "h3/a%20b", "title": '"Drie" & <vier>'}]
    assert 'chapter  "h1 Hoofdstuk één"' in shelf("product", "show", "book")
    shelf("product", "chapters", "book", given="h9 Negen\n")
    assert shelf.chapters("book") == ["h9 Negen"]
    shelf("product", "chapters", "book", given="")
    assert shelf.chapters("book") == []
    assert "chapters" not in shelf("product", "show", "book", "--json")


@pytest.mark.parametrize("line", [
    "../up Omhoog", "a/%2e%2e/b Weg", "h1?q=1 Vraag", "h1#x Hek", "%zz Fout",
    " Zonder pad", "a\x01b Raar", "h1 Titel\x7f", "h1 " + "x" * 201,
    "p" * 513 + " Lang"])
def test_a_chapter_that_no_click_could_reach_is_refused_with_all(shelf, line):
    shelf("product", "set", "book", "--deep", "https://a.example/{path}")
    shelf("product", "chapters", "book", given="h1 Een\n")
    said = shelf("product", "chapters", "book", given=f"h2 Twee\n{line}\n",
                 code=1)
    assert "line 2 " in said
    assert shelf.chapters("book") == ["h1 Een"]


def test_chapters_are_bounded(shelf):
    shelf("product", "set", "book", "--deep", "https://a.example/{path}")
    lines = "".join(f"h{i} Hoofdstuk {i}\n" for i in range(200))
    shelf("product", "chapters", "book", given=lines)
    assert len(shelf.chapters("book")) == 200
    assert "more than 200" in shelf("product", "chapters", "book",
                                    given=lines + "h Nog een\n", code=1)
    assert "bytes" in shelf("product", "chapters", "book", given="x" * 150000,
                            code=1)
    assert shelf.run("product", "chapters", "a/b").returncode == 2
