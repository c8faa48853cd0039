# SPDX-License-Identifier: Apache-2.0
"""Java's own form of the trusted certificates, made without Java so that it has no time in it.

The format JKS, version 2, is what `sun.security.provider.JavaKeyStore` of OpenJDK reads: numbers are
big-endian, a text has two bytes of length, and a keyed SHA-1 ends the file. The password protects
nothing; "changeit" is the one that Java itself expects here.
"""

from __future__ import annotations

import hashlib
import re
import ssl
import struct

BUNDLE = "etc/ssl/certs/ca-certificates.crt"

_MAGIC, _VERSION, _TRUSTED = 0xFEEDFEED, 2, 2
_PASSWORD = "changeit"  # noqa: S105  public, as above
_SALT = b"Mighty Aphrodite"
_CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


def make_keystore(bundle: str) -> bytes:
    """Return a keystore that trusts every certificate of BUNDLE, a text of PEM blocks."""
    blocks = [ssl.PEM_cert_to_DER_cert(block) for block in _CERTIFICATE.findall(bundle)]
    body = struct.pack(">III", _MAGIC, _VERSION, len(blocks))
    body += b"".join(_entry(number, block) for number, block in enumerate(blocks, 1))
    keyed = _PASSWORD.encode("utf-16-be") + _SALT + body
    return body + hashlib.sha1(keyed).digest()  # noqa: S324  the format's


def _entry(number: int, certificate: bytes) -> bytes:
    alias, created = _text(f"ca-{number}"), struct.pack(">Q", 0)
    length = struct.pack(">I", len(certificate))
    return struct.pack(">I", _TRUSTED) + alias + created + _text("X.509") + length + certificate


def _text(value: str) -> bytes:
    return struct.pack(">H", len(value)) + value.encode()
