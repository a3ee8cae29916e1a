"""What sellers have sold: schools, products, pupils with 20 entitlements each.

As many schools belong to so many pupils as in the country. The index of
entitlements (x:) has a fixed number of hashes; so ids begin with as few
different characters as make those that are used as full as the country's.
"""

import hashlib
import json
import subprocess
import uuid

from lib import names
from lib.nginx import BUILD

COUNTRY = 48_000_000    # entitlements
PUPILS_OF_SCHOOL = 267  # 2.4 million pupils, 9,000 schools
EACH = 20               # entitlements of a pupil, one of each product
PLACES = 64 ** 3        # hashes of the index
OIN = "00000001234567890000"
HOST = "https://publisher.example"

# As in lua-free-conf/redis.conf; and no rewriting while something is measured.
REDIS = ("hash-max-listpack-entries 512", "hash-max-listpack-value 72",
         "auto-aof-rewrite-percentage 0")


def product(number):
    return f"97890{number:08d}"


class Sales:
    """first: the number of the first entitlement: another lot, of other pupils
    at the same schools."""

    def __init__(self, entitlements, first=0):
        self.pupils = max(1, entitlements // EACH)
        self.count = self.pupils * EACH
        self.schools = max(1, self.pupils // PUPILS_OF_SCHOOL)
        self.first = first
        self._prefixes = max(1, self.count * PLACES // COUNTRY)

    def school(self, pupil):
        return f"{pupil % self.schools + 1000}A158"

    def eck(self, pupil):
        number = self.first // EACH + pupil
        mark = hashlib.sha512(b"sold to %d" % number).hexdigest()
        return f"https://ketenid.nl/201703/{mark}"

    def id(self, pupil, number):
        """The uuid of the pupil's entitlement to that product."""
        at = self.first + pupil * EACH + number
        tail = hashlib.sha256(b"entitlement %d" % at).digest()[:16]
        prefix = at % self._prefixes << 6 | tail[0] & 63
        return uuid.UUID(bytes=prefix.to_bytes(3, "big") + tail[3:],
                         version=4)

    def packed(self, pupil, number):
        """As it stands in Redis."""
        return names.base64url(self.id(pupil, number).bytes)

    def line(self, pupil, number):
        return json.dumps({
            "entitlementReferenceId": str(uuid.uuid5(
                uuid.NAMESPACE_URL, f"{self.first} {pupil} {number}")),
            "entitlement": {
                "entitlementId": str(self.id(pupil, number)),
                "productId": product(number),
                "deliveryOrderId": f"2026-{pupil:08d}",
                "startDate": "2020-08-01",
                "activationUntilDate": "2099-07-31",
                "entitlementType": "school-student",
                "entitlementStatus": "created",
                "school": {"organisationMasterIdentifier":
                           self.school(pupil)},
                "user": {"userMasterIdentifier": self.eck(pupil)}}})

    def write(self, path):
        """NDJSON, pupil by pupil as an order comes in."""
        with open(path, "w") as file:
            for pupil in range(self.pupils):
                for number in range(EACH):
                    file.write(self.line(pupil, number) + "\n")
        return path

    def found(self, redis):
        """The products and schools that the entitlements are about."""
        leerpoort(redis, "import", "products", "-", given="".join(
            json.dumps({"productId": product(n), "name": f"Boek {n}",
                        "url": f"{HOST}/boek/{product(n)}",
                        "licence": "schoolyear"}) + "\n"
            for n in range(EACH)))
        leerpoort(redis, "import", "schools", "-", given="".join(
            json.dumps({"organisationMasterIdentifier": self.school(n),
                        "name": f"School {n}", "consent": []}) + "\n"
            for n in range(self.schools)))


def leerpoort(redis, *words, given=None):
    run = subprocess.run(
        [BUILD / "leerpoort", *map(str, words), "--redis", redis.address],
        input=given, capture_output=True, text=True, timeout=600,
        check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def bring_in(redis, path, pepper, *options):
    """leerpoort import entitlements, as a seller's, confirmed or not."""
    leerpoort(redis, "import", "entitlements", path, "--pepper", pepper,
              "--party", OIN, *options)
