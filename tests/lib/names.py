"""User keys, shards, Redis keys and right records, from the design's text.

Written without a look at core/, so that the two can disagree.
"""

import base64
import binascii
import hashlib
import hmac
import uuid

SHARDS = 64


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def shard(text):
    """CRC16/XMODEM modulo 64, two digits."""
    return f"{binascii.crc_hqx(text.encode(), 0) % SHARDS:02d}"


def user_key(pepper, id_type, id_):
    """How Redis knows a person: 22 characters."""
    digest = hmac.new(pepper, f"{id_type}|{id_}".encode(), hashlib.sha256)
    return base64url(digest.digest()[:16])


def user_hash(school, user):
    """The hash with one user's rights; school "" for a private customer."""
    return f"u:{{{shard(school or user)}}}:{school}/{user}"


def school_hash(school):
    return f"s:{{{shard(school)}}}:{school}"


def alias_key(id_type, id_):
    text = f"{id_type}:{id_}"
    return f"a:{{{shard(text)}}}:{text}"


def product_hash(product):
    return f"p:{{{shard(product)}}}:{product}"


def entitlement(name):
    """A uuid's 16 bytes in base64url, always the same for a name."""
    return base64url(uuid.uuid5(uuid.NAMESPACE_URL, name).bytes)


def right(state="L", from_="20200101", until="20991231", name="licence"):
    """A right record; from_ and until may be "-"."""
    return f"{state} {from_} {until} {entitlement(name)}"
