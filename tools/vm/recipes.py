# SPDX-License-Identifier: Apache-2.0
"""The sources of the base images of virtual machines: Debian's releases and their packages."""

from dataclasses import dataclass

DISK_SIZE = "12G"  # sparse: what is not written takes no space

BASE_PACKAGES = (
    "ca-certificates",
    "dbus",
    "iproute2",
    "kmod",
    "linux-image-cloud-amd64",
    "openssh-server",
    "procps",
    "python3",
    "systemd-sysv",
    "udev",
)
# Both engines with what they recommend and need for networks, and everything that the roles add.
ENGINE_PACKAGES = (
    "busybox-static",
    "crun",
    "docker.io",
    "g++",
    "gcc",
    "iptables",
    "libc6-dev",
    "make",
    "musl-tools",
    "nftables",
    "podman",
    "python3-venv",
    "runc",
)
# A host of people: they log in, and have containers of their own. krun's tests run on it, too.
USER_PACKAGES = (
    "catatonit",
    "dbus-user-session",
    "libpam-systemd",
    "passwd",
    "perl",
    "python3-pytest",
    "tini",
    "uidmap",
)
# What composes applications, and asks them.
EXAMPLE_PACKAGES = ("curl", "docker-compose", "podman-compose", "wrk")
# What km's corpus of real programs is made of, and the services of its packages, which stay off.
PROGRAM_PACKAGES = (
    "busybox-static",
    "bzip2",
    "curl",
    "default-jre-headless",
    "g++",
    "gcc",
    "git",
    "libc6-dev",
    "make",
    "nginx-light",
    "nodejs",
    "openssh-client",
    "openssl",
    "perl",
    "python3-pytest",
    "redis-server",
    "sqlite3",
    "tmux",
    "xz-utils",
)
SERVICES = '--customize-hook=systemctl --root="$1" mask nginx.service redis-server.service'

# What Bochs boots, all of it in memory: km's tests need a kernel, a shell and Python.
MEMORY_PACKAGES = ("busybox-static", "linux-image-cloud-amd64", "python3")

# podman's networks before and after netavark, root's and users'; docker's client became a package.
OLD_NETWORKS = ("containernetworking-plugins", "slirp4netns")
NEW_NETWORKS = ("aardvark-dns", "netavark", "passt")

# Debian's kernel has AppArmor on, and docker 20.10 then starts no container without its parser.
OLD_DOCKER = ("apparmor",)

# What would run by itself, hold apt's lock or change files between two lists of them.
MASKED_UNITS = (
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "fstrim.timer",
    "systemd-networkd-wait-online.service",
)
# Before the kernel's package makes the initramfs: only the drivers of this one machine, so that
# an emulated CPU has little to unpack.
INITRAMFS_FILES = {
    "etc/initramfs-tools/conf.d/kontain": "MODULES=list\nCOMPRESS=lz4\n",
    "etc/initramfs-tools/modules": "virtio_pci\nvirtio_blk\next4\n",
}
FILES = {
    "etc/hostname": "kontain\n",
    "etc/hosts": "127.0.0.1 localhost\n127.0.1.1 kontain\n",
    "etc/machine-id": "",  # each VM makes its own
    "etc/resolv.conf": "nameserver 10.0.2.3\n",  # QEMU's user network answers there
    "etc/systemd/network/20-wired.network": "[Match]\nName=en* eth*\n\n[Network]\nDHCP=ipv4\n",
}


@dataclass(frozen=True)
class Recipe:
    """The sources of an image."""

    suite: str
    packages: tuple[str, ...]
    options: tuple[str, ...] = ()
    """Of mmdebstrap."""
    disk: bool = True
    """Else the system is an initramfs with the few files that initramfs.py names."""


def _with_engines(suite: str, *more: str, options: tuple[str, ...] = ()) -> Recipe:
    packages = (*BASE_PACKAGES, *ENGINE_PACKAGES, *USER_PACKAGES, *more)
    return Recipe(suite, packages, (*USER, *options))


# An ordinary user, who may use KVM, and whose services run from the boot on.
USER = (
    '--customize-hook=chroot "$1" useradd --create-home --shell /bin/bash --groups kvm user',
    '--customize-hook=mkdir -p "$1/var/lib/systemd/linger"',
    '--customize-hook=touch "$1/var/lib/systemd/linger/user"',
)


# Its security updates have ended, and their list names packages that are no longer there.
WITHOUT_UPDATES = ('--setup-hook=sed -i /security/d "$1/etc/apt/sources.list"',)
# A mirror may stand still for longer than the week for which a list of these is valid.
OF_ANY_AGE = ('--aptopt=Acquire::Check-Valid-Until "false"',)


RECIPES = {
    "bullseye": _with_engines("bullseye", *OLD_NETWORKS, *OLD_DOCKER, options=WITHOUT_UPDATES),
    "bookworm": _with_engines("bookworm", *NEW_NETWORKS, "slirp4netns", *OLD_DOCKER),
    "trixie": _with_engines(
        "trixie", *NEW_NETWORKS, *EXAMPLE_PACKAGES, "docker-cli", "ansible-core"
    ),
    "sid": _with_engines("sid", *NEW_NETWORKS, "docker-cli", options=OF_ANY_AGE),
    "trixie-bare": Recipe("trixie", BASE_PACKAGES),
    "trixie-programs": Recipe("trixie", (*BASE_PACKAGES, *PROGRAM_PACKAGES), (SERVICES,)),
    # Its kernel is the last that is packed with LZ4 and has modules that are not packed.
    "bookworm-memory": Recipe("bookworm", MEMORY_PACKAGES, disk=False),
}
"""The images by their names. Debian 11 to 13 and the next, each with its own engines."""
