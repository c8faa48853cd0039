# SPDX-License-Identifier: Apache-2.0
"""Compare the images of `kontain image build` with slim ones of the same distribution.

A slim image is what slim images of registries are: the distribution's smallest root with a shell
and its package manager, the language's package without what it only recommends, and no manuals,
documentation, translations and package lists. mmdebstrap makes it here from the same packages.
Sizes are of one uncompressed archive and of it by gzip, as registries show them. Needs root.
"""

import argparse
import gzip
import json
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SLIM = {
    "base": "ca-certificates,netbase,tzdata",
    "dynamic-base": "ca-certificates,netbase,tzdata,openssl,libstdc++6",
    "python3": "ca-certificates,netbase,tzdata,openssl,python3",
    "node": "ca-certificates,netbase,tzdata,openssl,nodejs",
    "java17": "ca-certificates,netbase,tzdata,openssl,openjdk-17-jre-headless",
}
NOT_IN_SLIM = ("man", "doc", "info", "locale", "groff", "lintian", "linda")


@dataclass(frozen=True)
class Sizes:
    """An image and the slim one: bytes by gzip and as they are, and the number of files."""

    image: str
    packed: int
    unpacked: int
    slim_packed: int
    slim_unpacked: int

    def __str__(self) -> str:
        """Return a row of the table, in megabytes."""
        sizes = (self.packed, self.unpacked, self.slim_packed, self.slim_unpacked)
        cells = " | ".join(f"{size / 1e6:.1f}" for size in sizes)
        return f"| {self.image} | {cells} | {self.packed / self.slim_packed:.2f} |"


def ours(names: "list[str]") -> "dict[str, dict[str, int]]":
    """Return the sizes of the images NAMES, built by the command that users have."""
    command = [str(ROOT / "command/bin/kontain"), "image", "build", *names, "--json"]
    command += ["--output", str(ROOT / "build/images")]
    ran = subprocess.run(command, check=False, capture_output=True)
    if ran.returncode:
        raise SystemExit(ran.stderr.decode() or f"{command[0]} ended with {ran.returncode}")
    return {
        one["image"].split("/")[-1].split(":")[0]: one for one in json.loads(ran.stdout)["images"]
    }


def slim(suite: str, packages: str) -> "tuple[int, int]":
    """Return the sizes of a slim image of SUITE with PACKAGES, by gzip and as they are."""
    command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={packages}"]
    command += [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in NOT_IN_SLIM]
    command += ["--aptopt=APT::Install-Recommends false", suite, "-"]
    command += ["--essential-hook=mkdir -p $1/usr/share/man/man1"]  # Java's package fails without
    command += ["--customize-hook=rm -rf $1/var/lib/apt/lists $1/var/cache/apt $1/var/log"]
    made = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return len(gzip.compress(made.stdout, 6)), len(made.stdout)


def main() -> None:
    """Build all, print the table, write the figures."""
    parser = argparse.ArgumentParser(description="Compare images with slim ones; needs root.")
    parser.add_argument("images", nargs="*", help=f"some of {', '.join(SLIM)}")
    parser.add_argument("--suite", default="bookworm", help="the distribution's release")
    parser.add_argument("--output", type=Path, default=ROOT / "build/bench/image-sizes.json")
    options = parser.parse_args()
    names = options.images or list(SLIM)
    images, rows = ours(names), []
    print("| image | packed MB | unpacked MB | slim packed MB | slim unpacked MB | packed ratio |")
    print("|---|---|---|---|---|---|")
    for name in names:
        packed, unpacked = slim(options.suite, SLIM[name])
        rows.append(
            Sizes(
                name, int(images[name]["packed"]), int(images[name]["unpacked"]), packed, unpacked
            )
        )
        print(rows[-1], flush=True)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")


if __name__ == "__main__":
    main()
