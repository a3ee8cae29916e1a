"""Percentiles agree with HdrHistogram's: npm's hdr-histogram-js records the
same values. The package is fetched into build/npm, once; nothing of it is in
the repository."""

import json
import random
import re
import subprocess

import pytest

from lib.nginx import BUILD
from lib.npm import npm_package

PACKAGE = "hdr-histogram-js"
VERSION = "3.0.1"
VALUES = 20_000
HIGHEST = 3_600_000_000

SCRIPT = """
const hdr = require(process.argv[1]);
const { digits, values, percentiles } =
    JSON.parse(require("fs").readFileSync(0, "utf8"));
const histogram = hdr.build({ lowestDiscernibleValue: 1,
    highestTrackableValue: 3600000000,
    numberOfSignificantValueDigits: digits, bitBucketSize: 64,
    autoResize: false, useWebAssembly: false });
for (const value of values)
    histogram.recordValue(value);
console.log(JSON.stringify({
    percentiles: percentiles.map(p => [p, histogram.getValueAtPercentile(p)]),
    mean: histogram.mean, deviation: histogram.getStdDeviation(),
    hgrm: histogram.outputPercentileDistribution(5, 1) }));
"""


@pytest.fixture(scope="module")
def package():
    return npm_package(PACKAGE, VERSION)


def uniform(rng):
    return rng.randrange(1, 200_000)


def normal(rng):
    return max(0, int(rng.gauss(12_000, 2_500)))


def heavy_tail(rng):
    return min(HIGHEST, int(800 * rng.paretovariate(0.6)))


def two_humps(rng):
    return int(rng.gauss(900, 60) if rng.random() < 0.97
               else rng.gauss(1_000_000, 9_000))


def small(rng):
    return rng.randrange(0, 2_100)


def ties(rng):
    return rng.choice([0, 1, 255, 256, 2047, 2048, 4095, 4096, HIGHEST])


def theirs(package, digits, values, percentiles):
    done = subprocess.run(
        ["node", "-e", SCRIPT, package], text=True, capture_output=True,
        timeout=120, check=True, input=json.dumps(
            {"digits": digits, "values": values, "percentiles": percentiles}))
    return json.loads(done.stdout)


def ours(digits, values):
    done = subprocess.run(
        [BUILD / "tests" / "test_histogram", str(digits)], text=True,
        capture_output=True, timeout=120, check=True,
        input="\n".join(map(str, values)))
    table, head, hgrm = done.stdout.partition("       Value")
    return ([(float(share), int(value)) for share, value in
             (line.split() for line in table.splitlines())], head + hgrm)


def parts(hgrm, unit):
    """The table's rows and the footer's figures, both in us. The last decimal
    of a percentile is rounded half up by one, half to even by the other."""
    rows = [(round(float(value) * unit), round(float(percentile), 10), *rest)
            for value, percentile, *rest in (
                line.split() for line in hgrm.splitlines()[2:]
                if line and not line.startswith("#"))]
    footer = [float(n) for n in re.findall(r"= +([0-9.]+)", hgrm)]
    return rows, [n * unit for n in footer[:3]], footer[3:]


@pytest.mark.parametrize("digits", [3, 2])
@pytest.mark.parametrize("draw", [uniform, normal, heavy_tail, two_humps,
                                  small, ties])
def test_percentiles_are_those_of_hdrhistogram(package, draw, digits):
    rng = random.Random(f"{draw.__name__} {digits}")
    values = [draw(rng) for _ in range(VALUES)]

    mine, hgrm = ours(digits, values)
    other = theirs(package, digits, values, [share for share, _ in mine])

    assert len(mine) == len(other["percentiles"]) > 10
    for (share, value), (_, expected) in zip(mine, other["percentiles"]):
        # ours is never beyond the highest value that there was
        assert value == min(expected, max(values)), share

    rows, (mean, deviation, most), sizes = parts(hgrm, 1000)
    expected, _, expected_sizes = parts(other["hgrm"], 1)
    assert rows == expected
    assert sizes == expected_sizes
    # ours are of the values themselves, theirs of the buckets
    assert most == pytest.approx(max(values))
    error = 10 ** -digits
    assert mean == pytest.approx(other["mean"], rel=error, abs=1)
    assert deviation == pytest.approx(other["deviation"], rel=error, abs=1)
