"""The metrics page: what it counts, in which form, summed over workers."""

import re
import time


from lib import http
from lib.edge import Edge
from lib.process import eventually

OUTCOMES = {
    "redirect", "activate", "login", "bad-token", "no-right", "not-yet",
    "ended", "blocked", "unknown-product", "unknown-material", "bad-request",
    "unavailable"}
NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABELS = r'\{(?:[a-z_]+="[^"\\\n]*"(?:,[a-z_]+="[^"\\\n]*")*)?\}'
NUMBER = r"(?:[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?|\+Inf|NaN)"


def parse(text):
    """Prometheus' text format, strictly: {family: (type, {sample: value})}.
    A family's lines stand together: HELP, TYPE, samples."""
    families = {}
    current = None
    for line in text.splitlines():
        if found := re.fullmatch(rf"# HELP ({NAME}) (\S.*)", line):
            assert found[1] not in families, f"{found[1]} twice"
            current = found[1]
            families[current] = [None, {}]
        elif found := re.fullmatch(
                rf"# TYPE ({NAME}) (counter|gauge|histogram)", line):
            assert found[1] == current and families[current][0] is None
            families[current][0] = found[2]
        else:
            found = re.fullmatch(rf"({NAME})({LABELS})? ({NUMBER})", line)
            assert found, f"not Prometheus: {line!r}"
            kind, samples = families[current]
            allowed = {current} if kind != "histogram" else {
                current + end for end in ("_bucket", "_sum", "_count")}
            assert found[1] in allowed, line
            key = found[1] + (found[2] or "")
            assert key not in samples, f"{key} twice"
            samples[key] = float(found[3])
    return families


def page(edge):
    response = edge.click("/metrics")
    assert response.status == 200
    return parse(response.body.decode())


def clicks(edge):
    return {re.search(r'outcome="([^"]+)"', key)[1]: value
            for key, value in page(edge)["leerpoort_clicks_total"][1].items()}


def test_page_is_prometheus_text(edge):
    response = edge.click("/metrics")
    assert response.header("Content-Type").startswith(
        "text/plain; version=0.0.4")
    assert response.body.endswith(b"\n")
    families = parse(response.body.decode())
    for name, (kind, samples) in families.items():
        assert name.startswith("leerpoort_"), name
        assert samples, f"{name} has no samples"
        assert (kind == "counter") == name.endswith("_total"), name
        assert all(value >= 0 for value in samples.values()), name


def test_histograms_are_cumulative(edge):
    edge.person().grant("book").click()
    found = 0
    for name, (kind, samples) in page(edge).items():
        if kind != "histogram":
            continue
        found += 1
        counts = {key.partition("_count")[2]: value for key, value
                  in samples.items() if key.startswith(name + "_count")}
        for labels, count in counts.items():
            inner = labels[1:-1]
            start = name + "_bucket{" + (inner + "," if inner else "")
            buckets = [(float(re.search(r'le="([^"]+)"', key)[1]), value)
                       for key, value in samples.items()
                       if key.startswith(start)]
            bounds, values = zip(*buckets)
            assert list(bounds) == sorted(bounds)
            assert list(values) == sorted(values)
            assert buckets[-1] == (float("inf"), count)
            assert name + "_sum" + labels in samples
    assert found >= 2       # the module's own time, Redis' round trip


def test_page_takes_get_and_head_only(edge):
    head = edge.click("/metrics", method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert edge.click("/metrics", method="POST", headers=[
        "Content-Length: 0"]).status == 405


def test_every_outcome_is_there_from_the_start(edge):
    assert set(clicks(edge)) == OUTCOMES


def test_each_click_counts_once_under_its_outcome(edge):
    edge.product("nowhere", name="no url")
    person = edge.person().grant("book").grant("nowhere")
    due = edge.person().grant("book", "E")
    plan = {
        "redirect": lambda: person.click(),
        "activate": lambda: due.click(),
        "login": lambda: edge.click("/go/book"),
        "bad-token": lambda: edge.click("/go/book", token="x"),
        "no-right": lambda: edge.person().click(),
        "not-yet": lambda: edge.person().grant(
            "book", "E 20980101 - " + "A" * 22).click(),
        "ended": lambda: edge.person().grant(
            "book", "E - 20200101 " + "A" * 22).click(),
        "blocked": lambda: edge.person().grant("book", "B").click(),
        "unknown-product": lambda: person.click("/go/none"),
        "unknown-material": lambda: person.click("/go/nowhere"),
        "bad-request": lambda: edge.click("/go/-"),
    }
    for outcome, click in plan.items():
        before = clicks(edge)
        for _ in range(3):
            click()
        after = clicks(edge)
        assert {o: after[o] - before[o] for o in after
                if after[o] != before[o]} == {outcome: 3}


def test_unavailable_counts(redis):
    with Edge(redis=redis) as edge:
        redis.kill()
        before = clicks(edge)["unavailable"]
        edge.person().click()
        assert clicks(edge)["unavailable"] == before + 1


def by_words(families, *words):
    """The samples whose name and labels have all the words."""
    return {key: value for _, samples in families.values()
            for key, value in samples.items()
            if all(word in key for word in words)}


def total(edge, *words):
    found = by_words(page(edge), *words)
    assert found, f"no metric with {words}"
    return sum(found.values())


def test_mirror_and_tokens_are_counted(edge):
    person = edge.person().grant("book")
    token = person.token()
    edge.await_armed()
    words = {"hit": ("mirror", '"hit"'), "miss": ("mirror", '"miss"'),
             "token": ("token", '"hit"')}
    before = {name: total(edge, *w) for name, w in words.items()}
    assert edge.click("/go/book", token=token).mirror == "MISS"
    for _ in range(4):
        assert edge.click("/go/book", token=token).mirror == "HIT"
    after = {name: total(edge, *w) for name, w in words.items()}
    assert after["token"] - before["token"] == 4
    assert after["hit"] - before["hit"] >= 4
    assert after["miss"] - before["miss"] >= 1


def test_invalidations_are_counted(edge):
    person = edge.person().grant("book")
    edge.settled(person)
    before = total(edge, "invalidations")
    person.revoke("book")
    eventually("the invalidation is counted",
               lambda: total(edge, "invalidations") > before, 1)


def test_counters_are_summed_over_workers_and_survive_a_reload():
    with Edge(workers=2) as edge:
        edge.await_armed()
        edge.product("book")
        person = edge.person().grant("book")
        token = person.token()
        workers = edge.to_each_worker()
        for connection in workers.values():
            for _ in range(5):
                assert connection.click(
                    "/go/book", token=token).outcome == "redirect"
        for connection in workers.values():
            text = connection.click("/metrics").body.decode()
            samples = parse(text)["leerpoort_clicks_total"][1]
            assert sum(v for k, v in samples.items()
                       if '"redirect"' in k) == 10
            connection.close()
        edge.nginx.reload()
        assert clicks(edge)["redirect"] == 10
        edge.nginx.kill_worker(edge.nginx.worker_pids()[0])
        assert clicks(edge)["redirect"] == 10


def test_redis_state_and_epoch_show_a_bad_day(redis):
    with Edge(redis=redis) as edge:
        edge.await_armed()
        edge.product("book")
        edge.settled(edge.person().grant("book"))
        up = page(edge)
        redis.kill()
        eventually("the page shows it", lambda: _gauges(page(edge))
                   != _gauges(up), 3)
        redis.restart()
        epoch = sum(by_words(up, "epoch").values())
        eventually("the epoch has risen", lambda: sum(by_words(
            page(edge), "epoch").values()) > epoch, 3)


def _gauges(families):
    return {key: value for kind, samples in families.values()
            if kind == "gauge" for key, value in samples.items()
            if "redis" in key or "link" in key}


def test_no_label_comes_from_a_user(edge):
    mark = "zzmark"
    person = edge.person(school=f"S-{mark}")
    for target in (f"/go/{mark}", f"/go/book/{mark}", f"/go/?product={mark}",
                   f"/go/book?{mark}", f"/go/-{mark}"):
        person.click(target, headers=[("User-Agent", mark)])
        edge.click(target, token=mark)
    edge.click("/go/book", token=person.token(iss=f"https://{mark}"))
    http.raw(edge.port, f"{mark.upper()} /go/book HTTP/1.1\r\nHost: x\r\n"
             "Connection: close\r\n\r\n".encode())
    assert mark not in edge.click("/metrics").body.decode().lower()


def test_page_is_as_large_after_many_products_as_before(edge):
    before = set(by_words(page(edge)))
    person = edge.person()
    for i in range(50):
        person.click(f"/go/series-{i}")
    assert set(by_words(page(edge))) == before


def test_own_time_is_measured(edge):
    count = 100
    person = edge.person().grant("book")
    token = edge.settled(person) and person.token()
    name = 'leerpoort_own_time_us_count{mirror="hit"}'
    before = page(edge)["leerpoort_own_time_us"][1][name]
    started = time.monotonic()
    with http.Connection(edge.port) as connection:
        for _ in range(count):
            connection.click("/go/book", token=token)
    spent = time.monotonic() - started
    assert page(edge)["leerpoort_own_time_us"][1][name] - before == count
    assert spent < 5
