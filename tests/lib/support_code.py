"""Support codes, from the words of core/support_code.c: written here anew, so
that the two can disagree."""

import functools
import json
import subprocess

from lib.nginx import BUILD

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
FIRST = 1767225600      # 2026-01-01

# All pages of problems by the numbers that codes have for them.
PROBLEMS = dict(enumerate((
    "activate", "login", "bad-token", "no-right", "not-yet", "ended",
    "blocked", "unknown-product", "unknown-material", "bad-request",
    "unavailable"), 1)) | dict(enumerate((
        "no-cookies", "sign-in-old", "sign-in-other", "sign-in-refused",
        "sign-in-wrong", "provider-down", "busy", "unknown-school", "nobody",
        "session-expired", "bad-return", "unknown-provider", "launch-old",
        "launch-other", "launch-wrong", "launch-unknown", "launch-no-book",
        "teachers-only", "link-old", "bad-form", "not-found", "off",
        "too-long"), 32))


def support_code(problem, at=FIRST, reason=0, salt=0):
    """The code of a page: its name."""
    number = next(n for n, name in PROBLEMS.items() if name == problem)
    bits = number << 37 | reason << 31 | (at - FIRST) // 60 << 8 | salt
    values = [bits >> shift & 31 for shift in range(40, -5, -5)]
    check = 0
    for value in [*values, 0]:
        check <<= 1
        if check & 32:
            check ^= 0b100101       # x^5 + x^2 + 1
        check ^= value
    text = "".join(ALPHABET[value] for value in [*values, check])
    return f"{text[:5]}-{text[5:]}"


@functools.lru_cache(maxsize=None)
def title(problem, language="nl"):
    """The heading of its page, as `leerpoort explain` says."""
    said = subprocess.run([BUILD / "leerpoort", "explain", "--json",
                           support_code(problem)], capture_output=True,
                          check=True)
    found = json.loads(said.stdout)
    assert found["problem"] == problem
    return found[language]["title"]
