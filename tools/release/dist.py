# SPDX-License-Identifier: Apache-2.0
"""Make a release in build/dist: `python3 -m tools.release.dist VERSION COLLECTION`, after `make bundle`.

It holds the bundle with its signed manifest, the install.sh that trusts its key, the collection's
tarball, a bill of materials, and SHA256SUMS over these with its signature. The same sources and the
same key make the same bytes: RSA with PKCS #1 v1.5 uses no random numbers.

RELEASE_KEY is the file of the private key (`openssl genpkey -algorithm RSA -pkeyopt
rsa_keygen_bits:3072`). Without it, a development key is made in build/, which nobody but this
checkout and its own releases trusts. RELEASE_URL is where install.sh shall fetch the bundle.
"""

import base64
import hashlib
import os
import subprocess
import sys
import tarfile
from pathlib import Path

from kontain_host.signature import KEY_BYTES, TRAILER, TRAILER_SIZE

from .bundle import (
    BUILD,
    ROOT,
    BundleError,
    make_bundle,
    pack,
    read_release,
    repack,
    tree_members,
    write,
)
from .manpage import ManError
from .sbom import sbom, time_of_sources

DIST = BUILD / "dist"
DEVELOPMENT_KEY = BUILD / "development-key.pem"
INCLUDE = 'PYTHONPATH=$LIBRARY "$PYTHON" -s "$TREE/tools/release/take_bundle.py" "$@"'
INCLUDED = '"$PYTHON" -I - "$@" <<\'END\'\n{}END'
IMPORT = "from kontain_host.signature import AGAIN, UntrustedError, require_not_older, verify\n"


class Key:
    """The private key that a release is signed with."""

    def __init__(self, path: Path) -> None:
        """Read the key; raise BundleError where it is none that hosts could use."""
        self.path = path
        der = self.openssl("pkey", "-pubout", "-outform", "DER", "-in", path)
        self.public = base64.b64encode(der).decode()
        if len(self.sign(b"")) != KEY_BYTES:
            raise BundleError(f"{path} is not an RSA key of {KEY_BYTES * 8} bits")

    @staticmethod
    def openssl(*arguments: "str | Path", text: bytes = b"") -> bytes:
        """Return what openssl says."""
        try:
            ran = subprocess.run(
                ["openssl", *arguments], input=text, check=True, capture_output=True
            )
        except subprocess.CalledProcessError as problem:
            raise BundleError(f"openssl: {problem.stderr.decode().strip()}") from problem
        return ran.stdout

    def sign(self, text: bytes) -> bytes:
        """Return the signature of `text`."""
        return self.openssl("dgst", "-sha256", "-sign", self.path, text=text)

    def pem(self) -> bytes:
        """Return the public key."""
        return self.openssl("pkey", "-pubout", "-in", self.path)


def release_key() -> Key:
    """Return the key of RELEASE_KEY, or the development key."""
    if os.environ.get("RELEASE_KEY"):
        return Key(Path(os.environ["RELEASE_KEY"]).absolute())
    if not DEVELOPMENT_KEY.exists():
        make = ["genpkey", "-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{KEY_BYTES * 8}"]
        made = Key.openssl(*make)
        DEVELOPMENT_KEY.touch(mode=0o600)
        DEVELOPMENT_KEY.write_bytes(made)
    print(f"signed with {DEVELOPMENT_KEY.relative_to(ROOT)}: for tests, not for a release")
    return Key(DEVELOPMENT_KEY)


def trailer(body: bytes, version: str, key: Key) -> bytes:
    """Return the signed manifest of a bundle: an empty member of gzip with a comment."""
    text = (
        f"kontain-release 1\nversion {version}\narchitecture x86_64\n"
        f"size {len(body)}\nsha256 {hashlib.sha256(body).hexdigest()}\n"
    ).encode()
    comment = text + b"signature " + base64.b64encode(key.sign(text)) + b"\n"
    head, tail = b"\x1f\x8b\x08\x10\0\0\0\0\0\xff", b"\0\x03\0" + bytes(8)
    made = head + comment.ljust(TRAILER_SIZE - len(head) - len(tail)) + tail
    if not TRAILER.fullmatch(made):
        raise BundleError(f"{version!r} is not a version")
    return made


def take_program() -> str:
    """Return the program that takes a bundle, of one piece."""
    signature = (ROOT / "host/kontain_host/signature.py").read_text(encoding="ascii")
    program = (ROOT / "tools/release/take_bundle.py").read_text(encoding="ascii")
    if program.count(IMPORT) != 1:
        raise BundleError("take_bundle.py does not import what install.sh puts before it")
    return signature + program.replace(IMPORT, "")


def install_script(version: str, key: str, url: str) -> bytes:
    """Return install.sh with all that it needs when it is alone."""
    text = (ROOT / "install.sh").read_text(encoding="ascii")
    changes = {
        "RELEASE_VERSION=''": f"RELEASE_VERSION='{version}'",
        "RELEASE_KEY=''": f"RELEASE_KEY='{key}'",
        INCLUDE: INCLUDED.format(take_program()),
    }
    for before, after in changes.items():
        if text.count(before) != 1:
            raise BundleError(f"install.sh has not one place for {before}")
        text = text.replace(before, after)
    if url:
        lines = [
            f"RELEASE_URL='{url}'" if line.startswith("RELEASE_URL=") else line
            for line in text.splitlines()
        ]
        text = "\n".join(lines) + "\n"
    return text.encode()


def make_dist(version: str, collection: Path, key: Key, url: str) -> "dict[str, bytes]":
    """Return name and contents of each file of a release."""
    script = install_script(version, key.public, url)
    public = key.pem()
    tree = make_bundle(ROOT, version, [collection], public)
    tree[f"kontain-{version}/install.sh"] = (script, 0o755)
    body = pack(tree_members(tree))
    bundle = body + trailer(body, version, key)
    files = {
        f"kontain-{version}-x86_64.tar.gz": bundle,
        collection.name: repack(collection, public),
        "install.sh": script,
        f"kontain-{version}.spdx.json": sbom(
            read_release(ROOT, version, public),
            version,
            time_of_sources(ROOT),
            bundle,
        ),
        "release.pub": public,
    }
    sums = [f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files)]
    files["SHA256SUMS"] = "".join(sums).encode()
    files["SHA256SUMS.sig"] = key.sign(files["SHA256SUMS"])
    return files


def main() -> int:
    """Make the release of the version and collection that the command line names."""
    version, collection = sys.argv[1:]
    try:
        files = make_dist(
            version, Path(collection), release_key(), os.environ.get("RELEASE_URL", "")
        )
        DIST.mkdir(parents=True, exist_ok=True)
        for old in DIST.iterdir():
            old.unlink()
        for name, contents in files.items():
            write(DIST / name, contents)
        (DIST / "install.sh").chmod(0o755)
    except (BundleError, ManError, OSError, tarfile.TarError) as problem:
        print(f"dist.py: cannot make a release: {problem}.", file=sys.stderr)
        print(
            "To fix: see the head of tools/release/dist.py, and run `make dist`.", file=sys.stderr
        )
        return 1
    for name in files:
        print(f"{(DIST / name).relative_to(ROOT)}: {len(files[name])} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
