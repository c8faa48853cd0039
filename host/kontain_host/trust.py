# SPDX-License-Identifier: Apache-2.0
"""Trust in a bundle: by the installed release's key, or by the operator's word."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional

from .signature import AGAIN, UntrustedError, require_not_older, verify

if TYPE_CHECKING:
    from .host import Host

KEY = "share/release.pub"
"""The public key of a release, in its tree: the next release must be signed by it."""

_NO_KEY = (
    "give --key FILE (release.pub, published with the bundle), --sha256 SUM of a bundle "
    "that you built or checked, or --unsigned"
)


@dataclass(frozen=True)
class Trust:
    """The word of the operator, or of the installer, about the bundle of this run.

    `key` is a public key (PEM, or the base64 of its DER form) that the operator names; it is
    believed rather than that of the installed release. `brought` is one that came with what
    installs; it is believed where no release with a key is installed. `sha256` is that of the
    bundle's file, in hexadecimal, as whoever has built or judged it says. `unsigned` and
    `downgrade` allow what they say.
    """

    key: str = ""
    brought: str = ""
    sha256: str = ""
    unsigned: bool = False
    downgrade: bool = False

    def require(self, host: Host, data: bytes) -> Optional[str]:
        """Return the version that a bundle's signature says; raise UntrustedError for one not to be trusted.

        None is returned where nobody asks for a signature, and where there is no key: then the
        bundle is good only if the host has that release already (`require_known`).
        """
        if self.sha256:
            found = hashlib.sha256(data).hexdigest()
            if found != self.sha256.lower():
                raise UntrustedError(f"its SHA-256 is {found}, wanted {self.sha256[:80]}", AGAIN)
            return None
        if self.unsigned:
            return None
        if self.key:
            return verify(data, self.key, "the key that was given")
        installed = read_installed(host, KEY)
        if installed:
            return verify(data, installed, "the key of the installed release")
        return verify(data, self.brought, "the installer's key") if self.brought else None

    def require_known(
        self, host: Host, version: str, manifest: bytes, signed: Optional[str]
    ) -> None:
        """Raise UntrustedError where a bundle is another version than signed, is older, or is known to nobody.

        `manifest` is its MANIFEST: by the sums in it, the release that the host has brings nothing new.
        """
        if signed is not None and signed != version:
            raise UntrustedError(f"it is the release {version}, and {signed} was signed", AGAIN)
        if signed is None and not (self.sha256 or self.unsigned):
            here = host.path(f"{host.prefix}/current/MANIFEST")
            if not here.is_file() or here.read_bytes() != manifest:
                raise UntrustedError("there is no key to judge it by", _NO_KEY)
        oldest = read_installed(host, "VERSION")
        if oldest and not self.downgrade:
            require_not_older(version, oldest, "take a newer one, or give --downgrade")


NOTHING_SAID = Trust()


def read_installed(host: Host, name: str) -> str:
    """Return the text of a file of the installed release, "" where there is none."""
    try:
        return host.path(f"{host.prefix}/current/{name}").read_text(errors="replace").strip()
    except OSError:
        return ""
