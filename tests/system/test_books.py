"""My books: what the page says of a book is what the edge does with a click."""

import html
import itertools
import json
import random
import re

import pytest

from lib import names
from lib.edge import Edge
from lib.names import right
from lib.process import REPOSITORY
from lib.redis import Redis
from lib.workers import Workers, secret

PAGE_PARAMS = (REPOSITORY / "lua-free-conf" / "leerpoort_page_params")
SITE = "https://portal.example"
PAST, LONG_PAST, FUTURE = "20200131", "20190801", "20990801"

_count = itertools.count(1)


def fresh(what):
    return f"{what}-{next(_count)}"


class Home:
    """An edge, workers with pages behind it, one Redis."""

    def __init__(self, folder, redis, **options):
        pepper = secret(folder / "pepper")
        (folder / "workers").mkdir()
        self.redis = redis
        self.workers = Workers(folder / "workers", redis.address, n=1,
                               pepper=pepper, **options)
        more = f"leerpoort_auth school; {PAGE_PARAMS.read_text()}"
        self.edge = Edge(redis=redis, pepper=pepper.read_bytes(),
                         activate="""
        location = /activate { internal; return 200 "activate"; }""",
                         server=self.workers.location("/", "page", more))

    def product(self, product=None, **fields):
        product = product or fresh("b")
        fields = fields or {"url": f"https://publisher.example/{product}",
                            "name": f"Name of {product}"}
        for name, value in fields.items():
            self.redis("HSET", names.product_hash(product), name.rstrip("_"),
                       value)
        for set_ in fields.get("in_", "").split(","):
            self.redis("SADD", f"parts:{{{names.shard(set_)}}}:{set_}",
                       product)
        return product

    def page(self, person, target="/", headers=(), **kwargs):
        return self.edge.click(target, token=person.token(), headers=headers,
                               **kwargs)

    def list(self, person):
        answer = self.page(person, headers=["Accept: application/json"])
        assert answer.status == 200, answer
        return {book["productId"]: book for book in json.loads(answer.body)}


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    redis = Redis(tmp_path_factory.mktemp("redis"))
    try:
        yield redis.start()
    finally:
        redis.destroy()


@pytest.fixture(scope="module")
def home(redis, tmp_path_factory):
    home = Home(tmp_path_factory.mktemp("home"), redis, site=SITE)
    with home.workers:
        with home.edge:
            yield home


def rows(answer):
    """Name, link and state of each book on a page; those that have ended in
    a list of their own."""
    text = answer.body.decode()
    found = []
    for part in text.split("<h2>"):
        found.append([
            (html.unescape(name), link or None, html.unescape(state))
            for link, name, state in re.findall(
                r'<li>(?:<a href="([^"]*)">|<strong>)(.*?)</(?:a|strong)>'
                r'<br>\n<span class="soft">(.*?)</span></li>', part)])
    return (found + [[]])[:2]


# --- page and edge agree -----------------------------------------------------

def some_right(random_, own):
    if random_.random() < 0.05:
        return "nonsense"
    state = random_.choice("ELLEB" if own else "OOOB")
    from_, until = random_.choice([
        ("20200101", "20991231"), ("-", "-"), (LONG_PAST, PAST),
        (FUTURE, "20991231"), ("-", PAST), (FUTURE, "-"), (LONG_PAST, "-")])
    return right(state, from_, until, fresh("right"))


def stock(home, random_):
    """Products and sets, some with links, some free, some not there at all."""
    sets = [fresh("set") for _ in range(4)]
    for set_ in sets[:2]:
        home.product(set_, name=set_)
    home.product(sets[2], name=sets[2], url="https://publisher.example/")
    found = []
    for _ in range(24):
        fields = {"name": fresh("Title"),
                  "url": "https://publisher.example/"}
        inside = random_.sample(sets, random_.choice([0, 0, 1, 2]))
        if inside:
            fields["in_"] = ",".join(inside)
        if random_.random() < 0.1:
            fields["free"] = "1"
        if random_.random() < 0.1:
            del fields["url"]
        found.append(home.product(**fields))
    return sets, found, found + sets + [fresh("unknown")]


@pytest.mark.parametrize("seed", range(4))
def test_page_and_edge_agree_on_random_rights(home, seed):
    random_ = random.Random(seed)
    person = home.edge.person(school=fresh("S"), eck=seed != 3, sub=seed > 1)
    sets, books, all_ = stock(home, random_)
    hashes = [person.hash(claim) for claim in person.ids]
    hashes += [person.private_hash(claim) for claim in person.ids]
    for own, hash_ in [(True, h) for h in hashes] + [
            (False, names.school_hash(person.school))]:
        for product in all_:
            if random_.random() < 0.3:
                home.redis("HSET", hash_, product, some_right(random_, own))
            if random_.random() < 0.2:
                home.redis("HSET", hash_, product + "+",
                           some_right(random_, own))
    listed = home.list(person)
    told = {}
    for product in all_:
        click = person.click(f"/go/{product}")
        outcome = click.outcome or {302: "redirect", 200: "activate"}[
            click.status]
        book = listed.get(product)
        told[product] = (outcome, book)
        if outcome in ("unknown-product", "no-right"):
            assert book is None, told[product]
        elif outcome == "unknown-material":
            assert book is None or "url" not in book, told[product]
        elif outcome in ("not-yet", "ended", "blocked") and book is None:
            # a set without a link, of which a part is listed
            assert product in sets[:2] + sets[3:], told[product]
        elif book is None:
            # open to everybody: no right of the person leads to it
            assert outcome == "redirect" and product in books, told[product]
            assert home.redis("HGET", names.product_hash(product),
                              "free") == "1"
        elif outcome == "activate" and book["outcome"] == "ended":
            # only a worker knows whether a third follows: the page lets ask
            assert book["url"] == f"/go/{product}"
        else:
            assert book["outcome"] == outcome, told[product]
            assert ("url" in book) == (outcome in ("redirect", "activate"))
    assert set(listed) <= set(all_)
    assert len({outcome for outcome, _ in told.values()}) >= 5, "too easy"


# --- what the page says ------------------------------------------------------

DUTCH = ["Accept-Language: nl"]
ENGLISH = ["Accept-Language: en-GB,en;q=0.8"]


def test_states_in_words_of_two_languages(home):
    person = home.edge.person(school=fresh("S"))
    books = {}
    for what, record in {
            "a open": right("L", "20200101", "20990731"),
            "b click": right("E", "20200101", "20990930"),
            "c later": right("E", "20990901", "-"),
            "d over": right("L", "20190801", "20200731"),
            "e shut": right("B", "-", "-"),
            "f always": right("L", "-", "-"),
            "g unused": right("E", "-", "20200131")}.items():
        books[what] = home.product(url="https://publisher.example/",
                                   name=what)
        person.grant(books[what], record)
    go = {what: f"/go/{product}" for what, product in books.items()}
    assert rows(home.page(person, headers=DUTCH)) == [[
        ("a open", go["a open"], "Open tot en met 31 juli 2099"),
        ("b click", go["b click"], "Gaat open bij je eerste klik, "
                                   "tot en met 30 september 2099"),
        ("c later", None, "Open vanaf 1 september 2099"),
        ("e shut", None, "Geblokkeerd: vraag het aan je school"),
        ("f always", go["f always"], "Open")], [
        ("d over", None, "Afgelopen na 31 juli 2020"),
        ("g unused", None, "Afgelopen na 31 januari 2020")]]
    answer = home.page(person, headers=ENGLISH)
    assert rows(answer)[0][:3] == [
        ("a open", go["a open"], "Open until the end of 31 July 2099"),
        ("b click", go["b click"], "Opens at your first click, until "
                                   "the end of 30 September 2099"),
        ("c later", None, "Opens from 1 September 2099")]
    assert rows(answer)[1][0][2] == "Ended after 31 July 2020"
    text = answer.body.decode()
    assert '<html lang="en">' in text and "<script" not in text
    assert 'href="/sso/logout"' in text and 'href="/code"' in text
    assert answer.header("Cache-Control") == "no-store"
    assert "default-src 'none'" in answer.header("Content-Security-Policy")
    assert home.list(person)[books["b click"]] == {
        "productId": books["b click"], "name": "b click",
        "entitlementStatus": "entitled", "outcome": "activate",
        "activationUntilDate": "2099-09-30", "url": go["b click"]}


def test_sorted_as_people_read_and_escaped(home):
    person = home.edge.person(school=fresh("S"))
    for name in ("zebra", "École", "Eten", "<b>&'\"", "appel", "Zoö"):
        person.grant(home.product(url="https://publisher.example/",
                                  name=name))
    answer = home.page(person)
    assert [row[0] for row in rows(answer)[0]] == [
        "<b>&'\"", "appel", "École", "Eten", "zebra", "Zoö"]
    assert b"<b>&" not in answer.body


def test_a_name_that_nobody_sees_is_none(home):
    person = home.edge.person(school=fresh("S"))
    book = home.product(url="https://publisher.example/", name=" \t ")
    person.grant(book)
    assert [row[0] for row in rows(home.page(person))[0]] == [book]


def test_a_set_shows_its_parts_and_itself_where_it_has_none(home):
    person = home.edge.person(school=fresh("S"))
    full, empty, linked = fresh("set"), fresh("set"), fresh("set")
    home.product(full, name="Full")
    home.product(empty, name="Empty")
    home.product(linked, name="Linked", url="https://publisher.example/")
    parts = [home.product(url="https://publisher.example/", in_=in_,
                          name=f"Part {i}")
             for i, in_ in enumerate((full, f"{full},{linked}", linked))]
    for set_ in (full, empty, linked):
        person.grant(set_)
    names_ = [(name, link) for name, link, _ in rows(home.page(person))[0]]
    assert names_ == [("Empty", None), ("Linked", f"/go/{linked}"),
                      *[(f"Part {i}", f"/go/{part}")
                        for i, part in enumerate(parts)]]
    # the list of parts is a hint, and the product is right
    home.redis("HSET", names.product_hash(parts[0]), "in", "other")
    home.redis("HDEL", names.product_hash(parts[1]), "in")
    assert [row[0] for row in rows(home.page(person))[0]] == [
        "Empty", "Full", "Linked", "Part 2"]


def test_pupils_have_the_schools_open_rights_and_teachers_their_own(home):
    school = fresh("S")
    open_, own, private = (home.product() for _ in range(3))
    home.redis("HSET", names.school_hash(school), open_, right("O"))
    pupil = home.edge.person(school=school)
    teacher = home.edge.person(school=school, eck=False, sub=True)
    for person in (pupil, teacher):
        person.grant(own)
        home.redis("HSET", person.private_hash(), private, right("L"))
    assert set(home.list(pupil)) == {open_, own, private}
    assert set(home.list(teacher)) == {own, private}
    other = home.edge.person(school=fresh("S"))
    assert home.list(other) == {}
    alone = home.edge.person(school="")
    home.redis("HSET", alone.private_hash(), private, right("E"))
    assert set(home.list(alone)) == {private}


def test_the_language_is_kept_by_a_cookie(home):
    answer = home.page(home.edge.person(school=fresh("S")), "/?lang=en")
    cookie = ("leerpoort_lang=en; Path=/; Max-Age=31536000; SameSite=Lax; "
              "HttpOnly")
    assert answer.header("Set-Cookie") == cookie
    answer = home.workers.ask("/?lang=en", LEERPOORT_ROUTE="page", HTTPS="on",
                              LEERPOORT_SCHOOL="S1", LEERPOORT_USERS="x" * 22)
    assert answer.headers["set-cookie"] == f"{cookie}; Secure"


def test_nothing_yet_is_said_kindly(home):
    answer = home.page(home.edge.person(school=fresh("S")), headers=DUTCH)
    assert answer.status == 200
    assert "Je hebt hier nog geen boeken" in answer.body.decode()
    assert "<h2>" not in answer.body.decode()


def test_a_withdrawn_token_signs_in_anew(home):
    person = home.edge.person(school=fresh("S"))
    person.grant(home.product())
    for hash_ in (person.hash(), person.private_hash()):
        for since in ("9999999999", "nonsense"):
            home.redis("HSET", hash_, "!", since)
            answer = home.page(person)
            assert (answer.status, answer.location) == (
                303, "/sso/login?return=%2F")
            machine = home.page(person, headers=["Accept: application/json"])
            assert machine.status == 401
            assert json.loads(machine.body)["status"] == 21
        home.redis("HDEL", hash_, "!")
    home.redis("HSET", person.hash(), "!", "1")
    assert home.page(person).status == 200


def test_five_hundred_books_and_no_more(home):
    person = home.edge.person(school=fresh("S"))
    many = {fresh("m"): right("L") for _ in range(520)}
    for product in many:
        home.redis("HSET", names.product_hash(product), "url",
                   "https://publisher.example/", "name", "n" * 190 + "<&>\"'")
    home.redis("HSET", person.hash(), *itertools.chain(*many.items()))
    answer = home.page(person, headers=ENGLISH)
    assert len(rows(answer)[0]) == 500
    assert "more than this page can show" in answer.body.decode()
    for product in list(many)[500:]:
        home.redis("HDEL", person.hash(), product)
    answer = home.page(person, headers=ENGLISH)
    assert len(rows(answer)[0]) == 500
    assert "more than this page" not in answer.body.decode()


def test_other_paths_and_methods(home):
    person = home.edge.person(school=fresh("S"))
    assert home.page(person, "/nothing").status == 404
    for method in ("PUT", "POST"):
        answer = home.page(person, method=method, headers=ENGLISH)
        assert (answer.status, answer.header("Allow")) == (405, "GET, HEAD")
        assert b"This link is not right" in answer.body
        assert answer.header("Leerpoort-Code").encode() in answer.body
        answer = home.page(person, method=method,
                           headers=["Accept: application/json"])
        assert answer.status == 405 and json.loads(answer.body)["status"]
    answer = home.page(person, method="HEAD")
    assert (answer.status, answer.body) == (200, b"")
    # past the edge: nobody is signed in
    answer = home.workers.ask("/", LEERPOORT_ROUTE="page")
    assert (answer.status, answer.headers["location"]) == (
        303, "/sso/login?return=%2F")


def test_a_key_of_another_type_counts_as_none(home):
    school = fresh("S")
    person = home.edge.person(school=school)
    book = home.product()
    home.redis("SET", names.school_hash(school), "taken")
    home.redis("SET", f"parts:{{{names.shard(book)}}}:{book}", "taken")
    person.grant(book)
    assert set(home.list(person)) == {book}


def test_the_house_style_of_the_school(tmp_path, redis):
    pages = tmp_path / "pages.json"
    house = {"default": {"name": "Gewoon"}, "schools": {"S7": {
        "name": "De Regenboog"}}}
    pages.write_text(json.dumps(house))
    home = Home(tmp_path, redis, pages=pages)
    with home.workers, home.edge:
        ours = home.edge.person(school="S7")
        assert b"De Regenboog" in home.page(ours).body
        assert b"Gewoon" in home.page(home.edge.person(school="S8")).body
        assert b'href="/code"' not in home.page(ours).body
        # without --site nobody can tell where a form comes from
        assert home.page(ours, "/code").status == 404


def test_redis_is_away(tmp_path):
    redis = Redis(tmp_path)
    try:
        workers = Workers(tmp_path, redis.start().address, n=1, site=SITE,
                          allow=["Redis"])
        with workers:
            who = {"LEERPOORT_ROUTE": "page", "LEERPOORT_SCHOOL": "S1",
                   "LEERPOORT_USERS": names.user_key(b"x" * 16, "ECK", "a")}
            assert workers.ask("/", **who).status == 200
            redis.kill()
            for target, more in (("/", "?lang=en"),
                                 ("/code?product=book", "&lang=en&x=y")):
                answer = workers.ask(target + more, **who)
                assert answer.status == 503, answer
                assert answer.headers["content-type"].startswith("text/html")
                assert answer.headers["leerpoort-code"]
                assert int(answer.headers["retry-after"]) >= 5
                assert answer.headers["refresh"].endswith(f"; url={target}")
            answer = workers.ask("/", HTTP_ACCEPT="application/json", **who)
            assert answer.status == 503
            assert json.loads(answer.body)["status"] == 99
    finally:
        redis.destroy()
