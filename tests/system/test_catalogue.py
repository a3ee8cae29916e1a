"""leerpoort catalogue pull: products come in as they are, mistakes stay out,
and what did not change is not touched."""

import json

import pytest

from lib import names
from lib.catalogue import Catalogue, row
from lib.relay import leerpoort


@pytest.fixture
def catalogue():
    catalogue = Catalogue()
    yield catalogue
    catalogue.stop()


def run(catalogue, redis, *options, code=0):
    url = catalogue if isinstance(catalogue, str) else catalogue.url
    answer = leerpoort("catalogue", "pull", url, "--redis", redis.address,
                       *options)
    assert answer.returncode == code, answer.stdout + answer.stderr
    return answer


def pull(catalogue, redis, *options, code=0):
    """The report."""
    return json.loads(run(catalogue, redis, "--json", *options,
                          code=code).stdout)


def product(redis, id_):
    fields = redis("HGETALL", names.product_hash(id_))
    return dict(zip(fields[::2], fields[1::2]))


def writes(redis):
    return redis.calls("hset") + redis.calls("hdel")


def test_a_product_comes_in_with_all_its_fields(catalogue, redis):
    catalogue.rows = [
        row("8717927130834", licensePeriod="year",
            deepLinkTemplate="https://content.example/a/{path}",
            openMaterial=True),
        row("plain", accessUrl=None, licensePeriod=None,
            defaultAccessUrl="https://other.example/p")]
    report = pull(catalogue, redis)
    assert (report["listed"], report["new"], report["refused"]) == (2, 2, 0)
    assert product(redis, "8717927130834") == {
        "name": "Product 8717927130834", "licence": "year", "free": "1",
        "url": "https://content.example/8717927130834",
        "deep": "https://content.example/a/{path}"}
    assert product(redis, "plain") == {"name": "Product plain",
                                       "url": "https://other.example/p"}


def test_what_did_not_change_is_not_written(catalogue, redis):
    catalogue.rows = [row(f"p{i}") for i in range(250)]
    catalogue.rows.append(row("set", bundledProducts=["p1", "p2"]))
    assert pull(catalogue, redis)["new"] == 251
    redis("CONFIG", "RESETSTAT")
    report = pull(catalogue, redis)
    assert (report["unchanged"], report["new"], report["changed"]) == (
        251, 0, 0)
    assert writes(redis) == 0
    catalogue.rows[7]["accessUrl"] = "https://content.example/new"
    report = pull(catalogue, redis)
    assert (report["unchanged"], report["changed"]) == (250, 1)
    assert writes(redis) == 1
    assert product(redis, "p7")["url"] == "https://content.example/new"


def test_what_a_row_does_not_name_stays(catalogue, redis):
    redis("HSET", names.product_hash("p"), "deep", "https://mine.example/{path}",
          "free", "1", "licence", "month", "url", "https://old.example/")
    catalogue.rows = [row("p", licensePeriod=None, name=None)]
    assert pull(catalogue, redis)["changed"] == 1
    assert product(redis, "p") == {
        "deep": "https://mine.example/{path}", "free": "1",
        "licence": "month", "url": "https://content.example/p"}
    catalogue.rows = [row("p", openMaterial=False)]
    pull(catalogue, redis)
    assert "free" not in product(redis, "p")


@pytest.mark.parametrize("how", ["full pages", "capped", "all at once",
                                 "error behind the last", "wrapped"])
def test_every_way_of_paging_gives_every_product(catalogue, redis, how):
    catalogue.rows = [row(f"p{i}") for i in range(60 if how != "full pages"
                                                  else 300)]
    catalogue.cap = 100 if how in ("full pages", "wrapped") else 20
    catalogue.paged = how != "all at once"
    catalogue.wrap = "products" if how == "wrapped" else None
    if how == "error behind the last":
        catalogue.answer = lambda start: (404, b"{}") if start >= 60 else None
    report = pull(catalogue, redis)
    assert report["listed"] == report["new"] == len(catalogue.rows)
    assert len(catalogue.asked) <= 5


def test_a_page_that_fails_leaves_everything_as_it_was(catalogue, redis):
    catalogue.rows = [row(f"p{i}") for i in range(250)]
    for bad in ((500, b""), (200, b"garbage"), (200, b'{"x": 1}'),
                (200, b"[" + b" " * (9 << 20) + b"]"), (302, b"")):
        catalogue.answer = lambda start, b=bad: b if start == 200 else None
        answer = run(catalogue, redis, code=1)
        assert answer.stderr.startswith("leerpoort: ")
        assert "nothing is written" in answer.stderr
        assert redis("DBSIZE") == 0


def test_rows_with_a_mistake_are_refused_and_the_rest_comes_in(catalogue,
                                                              redis):
    bad = {
        "url-http": {"accessUrl": "http://content.example/"},
        "url-script": {"accessUrl": "javascript:alert(1)"},
        "url-user": {"accessUrl": "https://user@content.example/"},
        "url-type": {"accessUrl": 7},
        "no-url": {"accessUrl": None},
        "period": {"licensePeriod": "century"},
        "name-long": {"name": "x" * 201},
        "name-lines": {"name": "two\nlines"},
        "deep": {"deepLinkTemplate": "https://content.example/no-path"},
        "open": {"openMaterial": "yes"},
        "bundle": {"bundledProducts": "p1"},
        "bad id": {}, "": {}, "\u001b[31m": {},
    }
    redis("HSET", names.product_hash("period"), "url", "https://old.example/")
    catalogue.rows = [row("good-1"), *(row(id_, **fields) for id_, fields
                                       in bad.items()), "no object",
                      {"name": "no id"}, row("good-2")]
    report = pull(catalogue, redis, code=1)
    assert report["new"] == 2 and report["refused"] == len(bad) + 2
    reasons = {r["product"]: r["reason"] for r in report["refusals"]}
    for id_, field in [
            ("url-http", "accessUrl"), ("url-script", "accessUrl"),
            ("url-user", "accessUrl"), ("url-type", "accessUrl"),
            ("no-url", "accessUrl"), ("period", "licensePeriod"),
            ("name-long", "name"), ("name-lines", "name"),
            ("deep", "deepLinkTemplate"), ("open", "openMaterial"),
            ("bundle", "bundledProducts"), ("bad id", "productId")]:
        assert reasons[id_].startswith(field + ": "), reasons[id_]
    assert product(redis, "good-2") and not product(redis, "no-url")
    assert product(redis, "period") == {"url": "https://old.example/"}
    text = run(catalogue, redis, code=1)
    assert "\x1b" not in text.stdout
    assert "  no-url  accessUrl: is missing" in text.stdout
    assert "  row 14  productId: is not" in text.stdout
    assert "without user name or {path}" in reasons["url-user"]


def test_an_ean_as_a_number_is_an_id(catalogue, redis):
    catalogue.rows = [row("x", productId=8717927130834)]
    pull(catalogue, redis)
    assert product(redis, "8717927130834")


def test_paper_without_a_link_is_passed_over(catalogue, redis):
    catalogue.rows = [row("paper", type="physical", accessUrl=None),
                      row("both", type="physical")]
    report = pull(catalogue, redis)
    assert (report["passedOver"], report["new"]) == (1, 1)
    assert not product(redis, "paper")


def test_parts_learn_which_sets_they_are_in(catalogue, redis):
    redis("HSET", names.product_hash("foreign"), "url", "https://f.example/",
          "in", "their-set")
    catalogue.rows = [
        row("set-a", accessUrl=None,
            bundledProducts=["p1", "p2", "foreign", "nowhere"]),
        row("set-b", bundledProducts=[{"productId": "p1"}, "set-b"]),
        row("p1"), row("p2")]
    pull(catalogue, redis)
    assert product(redis, "p1")["in"] == "set-a,set-b"
    assert product(redis, "p2")["in"] == "set-a"
    assert product(redis, "foreign")["in"] == "their-set,set-a"
    assert "in" not in product(redis, "set-b")
    assert not product(redis, "nowhere")

    catalogue.rows[0]["bundledProducts"] = ["p1"]
    report = pull(catalogue, redis)
    assert report["changed"] == 2
    assert "in" not in product(redis, "p2")
    assert product(redis, "foreign")["in"] == "their-set"
    assert product(redis, "p1")["in"] == "set-a,set-b"

    del catalogue.rows[0]["bundledProducts"]
    catalogue.rows[0]["accessUrl"] = "https://content.example/set"
    pull(catalogue, redis)
    assert product(redis, "p1")["in"] == "set-a,set-b", "not named: as it was"


def test_more_sets_than_a_product_can_be_in_are_refused(catalogue, redis):
    catalogue.rows = [row("p"), *(row(f"s{i}", bundledProducts=["p"])
                                  for i in range(17))]
    report = pull(catalogue, redis, code=1)
    assert report["refused"] == 1 and report["new"] == 18
    assert report["refusals"][0]["product"] == "p"
    assert product(redis, "p")["in"] == ",".join(f"s{i}" for i in range(16))


def test_products_that_are_gone_are_left_and_counted(catalogue, redis):
    catalogue.rows = [row("stays"), row("goes")]
    assert pull(catalogue, redis)["gone"] == 0
    catalogue.rows.pop()
    for _ in range(2):
        assert pull(catalogue, redis)["gone"] == 1
    assert product(redis, "goes")["url"] == "https://content.example/goes"
    redis("DEL", names.product_hash("goes"))
    assert pull(catalogue, redis)["gone"] == 0


def test_a_dry_run_writes_nothing(catalogue, redis):
    catalogue.rows = [row("p")]
    report = pull(catalogue, redis, "--dry-run")
    assert report["dryRun"] and report["new"] == 1
    assert redis("DBSIZE") == 0


@pytest.mark.parametrize("url", [
    "file:///etc/passwd", "ftp://127.0.0.1/x", "http://example.com/",
    "gopher://127.0.0.1/", "/etc/passwd", "https://a.example/#part"])
def test_other_addresses_are_refused(redis, url):
    answer = run(url, redis, code=2)
    assert "root:" not in answer.stdout + answer.stderr


def test_a_catalogue_or_a_redis_that_is_away_is_said(catalogue, redis):
    catalogue.rows = [row("p")]
    url = catalogue.url
    redis.kill()
    assert "Redis" in run(catalogue, redis, code=1).stderr
    redis.restart()
    catalogue.stop()
    assert "could not be reached" in run(url, redis, code=1).stderr


def test_an_address_with_a_query_keeps_it(catalogue, redis):
    catalogue.rows = [row("p")]
    assert pull(catalogue.url + "?publisher=7", redis)["new"] == 1
