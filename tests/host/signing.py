# SPDX-License-Identifier: Apache-2.0
"""A key for the tests, and what it signs: a bundle as `make dist` makes it, without openssl."""

from __future__ import annotations

import base64
import hashlib

from kontain_host import signature

_MODULUS = int(
    "a5a1a1c29369e781387bbd0e44510eb431fecaa44047bd831e22ec45c247e7175abe7d1c8d01c4d672955f85"
    "a5fe6d10983b7bc9e1746cbf6b6135606b631ce8c097aa5492d5302255deec09d0321a087b488664ecfabeaa"
    "7bbd4cee88e04132d93bd019bec83d8b15e9cd1abf33552f13c18e1904793ac2bfefc7dc7be2631fdee8e6b3"
    "87bc37b7abc261e86e95e3c72d94c38daa4d982f9aae2cf790b5b995328c652ab4e772cf20c41509579ab2f3"
    "bdc37af993825cac66777cbbf19aa23dd2e67c4b2b7abbb592649ac573768315ca46eb4a63dfc4383ad3c8e6"
    "2ca321fbf25ad8e36ef62d3e41dfdce77af7aae8c36df639de01ae5d5517ec62ee7ab803e7957a49c4771283"
    "6800fb4a0b1fdcea4592772cde018b05e0e10fbae952f69328c19571bd7d2ba8b20c36d1fb7e29e303e4c0cb"
    "a4daffb217e999740d5b79d4f4790cbe8a6b64506623a920afadec9d5db724643b5e76e605e4822560e6945b"
    "be793c5e600fd5d94f144a3c972111c0a856c3e9df8687f05a5727b8d1eb7b31",
    16,
)
_PRIVATE = int(
    "172c8db6ed2c30a56e5335c8f4bb089d22af9d07ad2cbc71c77a2867bc3e963138d3952ab4f9ede1f9473805"
    "b98b67141ed097c9cfbf1be60e6e9beac12bad644d6a0afd694be5bfb017101c7162492d2d9ea09b27630fe1"
    "478ddd61348a77e4d6eb1cfb352bcc1c9534d0ab30dc4c4b596ec7e46d314f0ce790f37c406314ee65205e02"
    "f97756ae5e9c4459a27b5b52c7685c920a2570291cf1c8bddca3e872dd0f32aa6e84419684659af1e32d7463"
    "510634430e25fbb46d63c3728263d9d625f4ef4aeda64323740a7c9ff753307fef260faf29fe6b86d3065dc9"
    "f080a235a440958a7a73d9b4b6f8d422783ecdb4fcacdc88f522d4faaf06443bd7e6b20557fb05259c7c2090"
    "736de5e680c0c0259fcb175712f87f04df78e2039508ca04488a9fbc1edeb61d8ee254cc9148c69a6faa51c6"
    "854b058404a5a67612baba7b51f5e60bc03dd81b1cb2f451ebb8c4621191b1893b6692504098095ffaf75c8a"
    "edf5aa6f6fac73b1772646854d1a81c1004d0cf966c752dfd0a23299c22ca3af",
    16,
)
_SHA256 = bytes.fromhex("3031300d060960864801650304020105000420")
_DER = (
    bytes.fromhex("308201a2300d06092a864886f70d01010105000382018f003082018a0282018100")
    + _MODULUS.to_bytes(signature.KEY_BYTES, "big")
    + bytes.fromhex("0203010001")
)
PUBLIC = base64.b64encode(_DER).decode()
OTHER = base64.b64encode(_DER[:-300] + _DER[-299:-5] + b"\x77" + _DER[-5:]).decode()
"""The public key of somebody else."""


def sign(text: bytes) -> bytes:
    """Return the signature of a text."""
    block = _SHA256 + hashlib.sha256(text).digest()
    padded = b"\0\1" + b"\xff" * (signature.KEY_BYTES - 3 - len(block)) + b"\0" + block
    number = pow(int.from_bytes(padded, "big"), _PRIVATE, _MODULUS)
    return number.to_bytes(signature.KEY_BYTES, "big")


def signed(body: bytes, version: str) -> bytes:
    """Return a bundle's bytes with the signed manifest at their end."""
    text = (
        f"kontain-release 1\nversion {version}\narchitecture x86_64\n"
        f"size {len(body)}\nsha256 {hashlib.sha256(body).hexdigest()}\n"
    ).encode()
    comment = text + b"signature " + base64.b64encode(sign(text)) + b"\n"
    head, tail = b"\x1f\x8b\x08\x10\0\0\0\0\0\xff", b"\0\x03\0" + bytes(8)
    return body + head + comment.ljust(1024 - len(head) - len(tail)) + tail
