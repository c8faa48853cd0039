# SPDX-License-Identifier: Apache-2.0
"""The signed manifest that a bundle ends in: whether these bytes are those that a key signed.

The last 1,024 bytes of a bundle are an empty member of gzip whose comment is the signed manifest:
so the bundle is one file, and every program that reads .tar.gz reads it. The signature is
RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017), by a key of 3,072 bits.

`make dist` puts this file into install.sh too: it needs nothing but the standard library.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import List, Tuple

TRAILER_SIZE = 1024
TRAILER = re.compile(
    rb"\x1f\x8b\x08\x10\0\0\0\0\0\xff"  # RFC 1952: a member with a comment
    rb"(?P<signed>kontain-release 1\nversion (?P<version>[0-9A-Za-z.+-]+)\narchitecture x86_64\n"
    rb"size (?P<size>[0-9]+)\nsha256 (?P<sum>[0-9a-f]{64})\n)"
    rb"signature (?P<signature>[0-9A-Za-z+/]{512})\n *\0\x03\0\0\0\0\0\0\0\0\0"
)
KEY_BYTES = 384
EXPONENT = 65537
_SHA256 = bytes.fromhex("3031300d060960864801650304020105000420")  # RFC 8017, 9.2, note 1
# SubjectPublicKeyInfo (RFC 5280) of an RSA key (RFC 8017) of that size: what is before and after the modulus.
_BEFORE = bytes.fromhex("308201a2300d06092a864886f70d01010105000382018f003082018a0282018100")
_AFTER = bytes.fromhex("0203010001")
AGAIN = "get the bundle again; if that does not help, report it: it may have been tampered with"


class UntrustedError(Exception):
    """A bundle that is not to be trusted: why, and what to do."""

    def __init__(self, why: str, fix: str) -> None:
        """Keep the two; neither ends with a full stop."""
        super().__init__(why, fix)
        self.why = why
        self.fix = fix


def verify(data: bytes, key: str, whose: str) -> str:
    """Return the version of the bundle `data`; raise UntrustedError unless every byte of it is signed by `key`.

    `key` is a public key as PEM or as the base64 of its DER form; `whose` names it in an error.
    """
    found = TRAILER.fullmatch(data[-TRAILER_SIZE:])
    if not found:
        fix = "take a bundle of a release or of `make dist`, and get all of it"
        raise UntrustedError("it does not end in a signed manifest", fix)
    if not _is_signed(found["signed"], base64.b64decode(found["signature"]), modulus(key)):
        raise UntrustedError(f"it is not signed by {whose}", AGAIN)
    body = data[:-TRAILER_SIZE]
    signed = (int(found["size"]), str(found["sum"], "ascii"))
    if (len(body), hashlib.sha256(body).hexdigest()) != signed:
        raise UntrustedError(f"its {len(body)} bytes are not those of the signed bundle", AGAIN)
    return str(found["version"], "ascii")


def require_not_older(version: str, oldest: str, fix: str) -> None:
    """Raise UntrustedError where the release `version` is older than `oldest`, which is installed."""
    if order(version) < order(oldest):
        raise UntrustedError(f"it is the release {version}, and {oldest} is installed", fix)


def order(version: str) -> Tuple[List[int], bool, List[Tuple[bool, int, str]]]:
    """Return what versions compare by, as semver.org has it: a release follows its pre-releases."""
    main, _, before = version.partition("+")[0].partition("-")
    parts = [(not p.isdigit(), int(p) if p.isdigit() else 0, p) for p in before.split(".")]
    try:
        return [int(part) for part in main.split(".")], not before, parts
    except ValueError:
        fix = "install a release whose version is known, with --downgrade"
        raise UntrustedError(f"the version {version[:40]!r} cannot be compared", fix) from None


def modulus(key: str) -> int:
    """Return the modulus of a public key; raise UntrustedError for one that is not RSA of 3,072 bits."""
    lines = [line.strip() for line in key.splitlines() if not line.startswith("-")]
    try:
        der = base64.b64decode("".join(lines), validate=True)
    except (binascii.Error, ValueError):
        der = b""
    number = der[len(_BEFORE) : -len(_AFTER)]
    if der != _BEFORE + number + _AFTER or len(number) != KEY_BYTES or number[0] < 0x80:  # noqa: PLR2004
        fix = "give the file release.pub that was published with the bundle"
        raise UntrustedError(
            f"the key is not an RSA key of {KEY_BYTES * 8} bits with the exponent 65537", fix
        )
    return int.from_bytes(number, "big")


def _is_signed(text: bytes, signature: bytes, number: int) -> bool:
    """Tell whether the signature is the text's: make the whole block again, and compare."""
    signed = int.from_bytes(signature, "big")
    padded = pow(signed, EXPONENT, number).to_bytes(KEY_BYTES, "big")
    digest = _SHA256 + hashlib.sha256(text).digest()
    return (
        signed < number
        and padded == b"\0\1" + b"\xff" * (KEY_BYTES - 3 - len(digest)) + b"\0" + digest
    )
