# SPDX-License-Identifier: Apache-2.0
"""Roots as Debian's own packages make them, as archives: with services, a newer docker, a containerd."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
from pathlib import Path

SERVICES = (
    "apache2", "bind9", "bind9-dnsutils", "cron", "dovecot-imapd", "haproxy", "ldap-utils",
    "mariadb-server", "memcached", "mosquitto", "mosquitto-clients", "nginx-light",
    "openssh-client", "openssh-server", "postfix", "postgresql", "rabbitmq-server",
    "redis-server", "rsyslog", "slapd", "supervisor", "systemd", "systemd-sysv",
)  # fmt: skip
TOOLS = (
    "ca-certificates", "curl", "g++", "gcc", "git", "libc6-dev", "make", "netcat-openbsd",
    "nodejs", "npm", "procps", "python3-dev", "python3-pip", "python3-setuptools",
    "python3-venv", "python3-wheel",
)  # fmt: skip
INSTALLED_LATER = ("hello", "devscripts", "ruby-rails")
"""What a container installs, with what it needs: more than a hundred packages."""
SOURCE = "bzip2"
"""A program that a container compiles."""
SUITE = "bookworm"
NEWER_SUITE = "trixie"
"""Its docker is old enough to be Debian's, and young enough to take a runtime for builds."""
DOCKER = (
    "ca-certificates",
    "containerd",
    "docker-buildx",
    "docker-cli",
    "docker.io",
    "iptables",
    "python3",
    "runc",
)
BROWSER = ("chromium", "fonts-dejavu-core")
CONTAINERD = ("containerd", "python3", "runc")

# Certificates and postfix ask for the machine's full name, which no name server may know.
_NAMED = '--essential-hook=echo "127.0.0.1 localhost $(hostname)" >"$1/etc/hosts"'
_FETCH = f"""--customize-hook=chroot "$1" sh -ec '
    echo "deb-src http://deb.debian.org/debian {SUITE} main" >>/etc/apt/sources.list
    apt-get update
    mkdir -p /packages/partial /sources
    apt-get --yes -o Dir::Cache::archives=/packages --download-only install {" ".join(INSTALLED_LATER)}
    rm -rf /packages/partial /packages/lock
    cd /sources
    apt-get source --download-only {SOURCE}'"""


def write_distribution() -> Path:
    """Return the archive of a root with services, compilers and package managers."""
    return _archive(
        "services",
        f"--include={','.join((*SERVICES, *TOOLS))}",
        *(_NAMED, _FETCH, SUITE),
    )


def write_base() -> Path:
    """Return the archive of a root with the distribution's base system and no more."""
    return _archive("base", SUITE)


def write_newer_docker() -> Path:
    """Return the archive of a root with a docker whose BuildKit takes a runtime."""
    return _archive("docker", f"--include={','.join(DOCKER)}", NEWER_SUITE)


def write_browser() -> Path:
    """Return the archive of a root with Debian's Chromium."""
    return _archive("browser", f"--include={','.join(BROWSER)}", SUITE)


def write_containerd(suite: str) -> Path:
    """Return the archive of a root with the containerd and the runc of a suite."""
    # A mirror may stand still for longer than the week for which a list of a suite to come is valid.
    of_any_age = '--aptopt=Acquire::Check-Valid-Until "false"'
    return _archive("containerd", f"--include={','.join(CONTAINERD)}", of_any_age, suite)


def _archive(kind: str, *options: str) -> Path:
    """Make an archive once, and keep it in the user's cache."""
    command = [
        # Whatever ends it, no process and no mount of it stays.
        *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
        *("mmdebstrap", "--mode=root", "--variant=minbase"),
        *("--aptopt=APT::Install-Recommends false", '--aptopt=Acquire::Retries "3"'),
        *("--dpkgopt=force-unsafe-io", *options),
    ]
    name = hashlib.sha256("\0".join(command).encode()).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kontain/images"
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = cache / f"{kind}-{name}.tar"
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            work = path.with_suffix(".new.tar")
            subprocess.run([*command, work], check=True)
            work.rename(path)
    return path
