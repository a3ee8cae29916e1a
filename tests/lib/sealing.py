"""Sealed ids and activation codes, from the words of workers/seal.h.

Written without a look at how the C does it, so that the two can disagree.
"""

import hashlib
import hmac
import os

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lib.names import base64url

CODE_CHARS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


def _mac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def seal(secret, what, text):
    """What the workers write into the journal."""
    nonce = os.urandom(12)
    box = AESGCM(_mac(secret, "leerpoort seal"))
    return base64url(nonce + box.encrypt(nonce, text.encode(), what.encode()))


def code(secret, name):
    """Five groups of five characters."""
    number = int.from_bytes(
        _mac(_mac(secret, "leerpoort codes"), name), "big") >> 131
    chars = "".join(CODE_CHARS[number >> shift & 31]
                    for shift in range(120, -5, -5))
    return "-".join(chars[i:i + 5] for i in range(0, 25, 5))
