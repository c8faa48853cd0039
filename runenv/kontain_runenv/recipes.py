# SPDX-License-Identifier: Apache-2.0
"""The recipe of each image: the one place to change its contents.

A pattern is a shell's, matched against a path without its leading slash; `*` crosses slashes.
Every image holds its parent's files, then those of its packages that match `keep` and not `drop`,
then the libraries that any of these need, then the results of its steps.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Callable, Optional

from kontain_host.errors import WRONG_USAGE, HostError

from .apt import Package
from .steps import bundle_certificates, compile_python, link_java, make_accounts
from .tree import Tree, normalise

Step = Callable[[Tree, Tree, "list[Package]"], Tree]
"""Takes the files so far, the parent's and the packages; returns the files."""

LIBRARIES = "usr/lib/x86_64-linux-gnu"


@dataclass(frozen=True)
class Recipe:
    """An image: `title` is its label, `shown` the package whose version is the image's."""

    name: str
    title: str
    shown: str
    packages: tuple[str, ...]
    keep: tuple[str, ...]
    parent: Optional[str] = None
    drop: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    links: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    entrypoint: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


_BASE = Recipe(
    name="base",
    title="Nothing but accounts, certificates and time zones, for a static payload",
    shown="base-files",
    packages=("base-files", "ca-certificates", "netbase", "tzdata"),
    keep=(
        "etc/debian_version",
        "etc/os-release",
        "etc/protocols",
        "etc/services",
        "usr/lib/os-release",
        "usr/share/ca-certificates/*",
        "usr/share/zoneinfo/*",
    ),
    drop=("usr/share/zoneinfo/posix/*", "usr/share/zoneinfo/right/*"),
    steps=(make_accounts, bundle_certificates),
    environment=MappingProxyType(
        {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
        }
    ),
)

_DYNAMIC_BASE = Recipe(
    name="dynamic-base",
    title="The loader, the C and C++ libraries, zlib and OpenSSL, for a dynamic payload",
    shown="libc6",
    parent="base",
    packages=("libc6", "libc-bin", "libgcc-s1", "libstdc++6", "libssl3", "openssl", "zlib1g"),
    keep=(
        "etc/ssl/openssl.cnf",
        f"{LIBRARIES}/ld-linux-x86-64.so.2",
        f"{LIBRARIES}/lib[cm].so.6",
        f"{LIBRARIES}/libcrypto.so.3",
        f"{LIBRARIES}/libdl.so.2",
        f"{LIBRARIES}/libgcc_s.so.1",
        f"{LIBRARIES}/libnss_dns.so.2",
        f"{LIBRARIES}/libnss_files.so.2",
        f"{LIBRARIES}/libpthread.so.0",
        f"{LIBRARIES}/libresolv.so.2",
        f"{LIBRARIES}/librt.so.1",
        f"{LIBRARIES}/libssl.so.3",
        f"{LIBRARIES}/libstdc++.so.6*",
        f"{LIBRARIES}/libutil.so.1",
        f"{LIBRARIES}/libz.so.1*",
        "usr/lib/locale/C.utf8/*",
        "usr/lib/ssl/openssl.cnf",
        "usr/lib64/ld-linux-x86-64.so.2",
    ),
    links=MappingProxyType({"usr/lib/ssl/cert.pem": "/etc/ssl/certs/ca-certificates.crt"}),
)

_PYTHON3 = Recipe(
    name="python3",
    title="Python 3 and its standard library",
    shown="python3",
    parent="dynamic-base",
    packages=("python3", "media-types"),
    keep=(
        "etc/mime.types",
        "etc/python3.*/sitecustomize.py",
        "usr/bin/python3",
        "usr/bin/python3.[0-9]*",
        "usr/lib/python3.*",
    ),
    # What is for building Python and for terminals; Berkeley DB and NIS, with large libraries.
    drop=(
        "usr/bin/python3*-config",
        "usr/lib/python3.*/config-*",
        "usr/lib/python3.*/pydoc_data/*",
        "usr/lib/python3.*/lib-dynload/_curses*",
        "usr/lib/python3.*/lib-dynload/_dbm.*",
        "usr/lib/python3.*/lib-dynload/nis.*",
        "usr/lib/python3.*/lib-dynload/readline.*",
    ),
    links=MappingProxyType({"usr/bin/python": "python3"}),
    steps=(compile_python,),
    entrypoint=("/usr/bin/python3",),
    # The image's own modules are compiled; a container's layer is no place for others.
    environment=MappingProxyType({"PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}),
)

_NODE = Recipe(
    name="node",
    title="Node.js",
    shown="nodejs",
    parent="dynamic-base",
    packages=("nodejs",),
    # Debian's libnode reads these modules from files, at these paths.
    keep=(
        "usr/bin/node",
        "usr/share/nodejs/acorn/dist/acorn.js",
        "usr/share/nodejs/acorn-walk/dist/walk.js",
        "usr/share/nodejs/cjs-module-lexer/dist/lexer.js",
        "usr/share/nodejs/cjs-module-lexer/lexer.js",
        "usr/share/nodejs/undici/undici-fetch.js",
    ),
    entrypoint=("/usr/bin/node",),
    environment=MappingProxyType({"NODE_ENV": "production"}),
)

_JAVA17 = Recipe(
    name="java17",
    title="Java SE 17, a runtime linked from the distribution's JDK",
    shown="openjdk-17-jre-headless",
    parent="dynamic-base",
    packages=("openjdk-17-jdk-headless",),
    keep=(),
    links=MappingProxyType({"usr/bin/java": "../lib/jvm/java-17/bin/java"}),
    steps=(link_java,),
    entrypoint=("/usr/bin/java",),
    environment=MappingProxyType({"JAVA_HOME": "/usr/lib/jvm/java-17"}),
)

_PACKAGE = re.compile(r"(?P<name>[a-z0-9][a-z0-9+.-]+)(?:=(?P<program>/[^\0]+))?")


def package_recipe(words: str) -> Recipe:
    """Return the recipe of one program of one package, which WORDS name as NAME or NAME=PROGRAM.

    Without PROGRAM it is the one that has the package's name.
    """
    found = _PACKAGE.fullmatch(words)
    if not found or found["name"] in RECIPES:
        why = f"--package is {words!r}, wanted a package's name, and not that of an image"
        fix = "write it as redis-server, or as redis-tools=/usr/bin/redis-cli"
        raise HostError("wrong usage", why, fix, WRONG_USAGE)
    program = normalise(found["program"] or f"/usr/bin/{found['name']}")
    return Recipe(
        name=found["name"],
        title=f"/{program} of the package {found['name']}",
        shown=found["name"],
        parent="dynamic-base",
        packages=(found["name"],),
        keep=(glob.escape(program),),
        entrypoint=(f"/{program}",),
    )


RECIPES = {one.name: one for one in (_BASE, _DYNAMIC_BASE, _PYTHON3, _NODE, _JAVA17)}
"""All images by name; a parent stands before its children."""
