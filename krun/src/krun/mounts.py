# SPDX-License-Identifier: Apache-2.0
"""The container's mounts: the kernel may execute nothing that comes with an image.

Every mount becomes `noexec`. Only the host's own stays executable: km, and programs that its
policy lets run directly. An engine's init is a program like any other, and so runs in the VM. The
root file system is no mount of the list, nor are the bundle's own mounts below it, so a hook
makes them noexec, see `rewrite.noexec_stage`.
"""

from __future__ import annotations

import posix
from _stat import S_ISDIR

from krun import document, state
from krun.errors import KrunError
from krun.rootfs import Rootfs, UnknownTreeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

KM_FOLDER = "/dev/.kontain"
KM = f"{KM_FOLDER}/km"
_OPEN = posix.O_PATH | posix.O_CLOEXEC
_RECURSIVE_SINCE = (5, 12)  # mount_setattr(2)
_EXEC_OPTIONS = ("exec", "rexec", "noexec", "rnoexec")
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")  # that every container has
_WRITTEN = {
    "ro", "nosuid", "nodev", "sync", "dirsync", "mand", "noatime", "nodiratime", "relatime",
    "strictatime", "nosymfollow",
}  # fmt: skip
"""Options that a backend writes on a bind mount, with the others as they are by default."""


def clean(path: str) -> str:
    """Return PATH from the root, without empty names, "." and ".."."""
    names: list[str] = []
    for name in path.split("/"):
        if name == "..":
            del names[-1:]
        elif name not in ("", "."):
            names.append(name)
    return "/" + "/".join(names)


def is_bind(mount: dict[str, Any]) -> bool:
    """Say whether MOUNT shows a file or a directory of the host."""
    options = document.strings(mount, "options", "mounts.")
    return mount.get("type") == "bind" or "bind" in options or "rbind" in options


def tree_of(root_fd: int, bundle_fd: int, mounts: list[dict[str, Any]]) -> Rootfs:
    """Return the tree that a container will see whose root is ROOT_FD and that has MOUNTS."""
    tree = Rootfs(root_fd)
    for mount in mounts:
        place = _canonical(tree, _destination(mount))
        tree.mounts[place] = _source(mount, bundle_fd)
        tree.places.append(place)
    return tree


def _canonical(tree: Rootfs, destination: str) -> str:
    """Return where a mount at DESTINATION will be; the backend makes missing folders."""
    try:
        found = tree.walk(destination)
    except UnknownTreeError:
        return clean(destination)
    except OSError:
        parent, _, name = clean(destination).rpartition("/")
        return f"{_canonical(tree, parent).rstrip('/')}/{name}"
    posix.close(found.fd)
    return found.path


def _source(mount: dict[str, Any], bundle_fd: int) -> int | None:
    source = document.member(mount, "source", str, "mounts.")
    if source is None or not is_bind(mount):
        return None
    try:
        return posix.open(source, _OPEN, dir_fd=bundle_fd)
    except (OSError, ValueError):
        return None  # the backend will say what is wrong with it


def _destination(mount: dict[str, Any]) -> str:
    destination = document.member(mount, "destination", str, "mounts.")
    if not destination or "\0" in destination:
        raise KrunError(
            f"the container's configuration is wrong: mounts.destination is {destination!r}",
            "give each mount a path in the container",
        )
    return destination


def check_namespace(linux: dict[str, Any]) -> None:
    """Refuse a container without a mount namespace of its own: its mounts would be another's.

    Of two namespaces of one type the backends take different ones.
    """
    spaces = document.objects(linux, "namespaces", "linux.")
    types = [str(space.get("type")) for space in spaces]
    twice = [kind for kind in types if types.count(kind) > 1]
    if twice:
        raise KrunError(
            f"the container's configuration is wrong: linux.namespaces has {twice[0]!a} twice",
            "leave out the one that is not meant",
        )
    if not has_own(linux, "mount"):
        raise KrunError(
            "cannot keep the container in its VM: it has no mount namespace of its own",
            'add {"type": "mount"} to linux.namespaces in its configuration',
        )


def has_own(linux: dict[str, Any], kind: str) -> bool:
    """Say whether a container has a new namespace of this KIND, by its member LINUX."""
    spaces = document.objects(linux, "namespaces", "linux.")
    return any(space.get("type") == kind and not space.get("path") for space in spaces)


def has_users(linux: dict[str, Any]) -> bool:
    """Say whether a container has a user namespace, new or another's, by its member LINUX."""
    spaces = document.objects(linux, "namespaces", "linux.")
    return any(space.get("type") == "user" for space in spaces)


def check_read_only(linux: dict[str, Any], mounts: list[dict[str, Any]]) -> None:
    """Refuse `readonlyPaths` of the image's files where they would become executable again.

    crun before 1.8.5 mounts them anew without noexec, after the hook if that begins outside of the
    container.
    """
    kinds = {clean(_destination(mount)): mount.get("type") for mount in mounts}
    for path in document.strings(linux, "readonlyPaths", "linux."):
        place = clean(path)
        while place != "/" and place not in kinds:
            place = place.rpartition("/")[0] or "/"
        if kinds.get(place) not in ("proc", "sysfs"):
            raise KrunError(
                f"cannot keep the container in its VM: linux.readonlyPaths has {path}, whose files "
                "could be executed where a container has users of its own or few processes",
                'leave it out, and give it a mount with "ro" instead',
            )


def check(mounts: list[dict[str, Any]]) -> None:
    """Refuse MOUNTS over which km could not be put where the image cannot reach it."""
    device_trees = [mount for mount in mounts if clean(_destination(mount)) == "/dev"]
    options = document.strings(device_trees[-1], "options", "mounts.") if device_trees else []
    is_empty = "tmpcopyup" not in options and not any(map(is_bind, device_trees))
    if not device_trees or device_trees[-1].get("type") != "tmpfs" or not is_empty:
        raise KrunError(
            "cannot put km into the container: its /dev is not an empty tmpfs of its own",
            'mount a tmpfs at /dev, as engines do, and leave out "-v /dev:/dev"',
        )
    for mount in mounts:
        destination = clean(_destination(mount))
        if destination == KM_FOLDER or destination.startswith(f"{KM_FOLDER}/"):
            raise KrunError(
                f"cannot put km into the container: it has a mount at {destination}",
                f"mount it elsewhere: {KM_FOLDER} is Kontain's",
            )


def absolute(mounts: list[dict[str, Any]], folder: str) -> list[dict[str, Any]]:
    """Return MOUNTS with sources that are absolute: those of the host's may be relative to FOLDER."""
    return [
        {**mount, "source": f"{folder}/{mount['source']}"}
        if is_bind(mount) and mount.get("source", "")[:1] not in ("", "/")
        else mount
        for mount in mounts
    ]


def restrict(mounts: list[dict[str, Any]], bundle_fd: int) -> list[dict[str, Any]]:
    """Return MOUNTS made noexec.

    Sources are relative to the folder that BUNDLE_FD is a descriptor of.
    """
    recursive = _kernel_version() >= _RECURSIVE_SINCE
    return [
        _without_exec(mount, recursive=recursive and _is_folder(mount, bundle_fd))
        for mount in mounts
    ]


def hidden(
    tree: Rootfs, mounts: list[dict[str, Any]], linux: dict[str, Any], backend: str
) -> list[str]:
    """Return where in TREE a mount is noexec only by `restrict` and the hook: its root, of MOUNTS.

    So are those that come along below the root, and those that the BACKEND makes of them, as the
    configuration's member LINUX asks: a path that may be read only is mounted on itself, and a masked
    file is /dev/null.
    """
    found = {"/": not _is_noexec(tree.fd), **_below(tree.fd, "/", {"options": ["rbind"]})}
    for place, mount in zip(tree.places, mounts):
        source = tree.mounts[place] if is_bind(mount) else None
        found[place] = not _is_own_noexec(mount, source, linux)
        if source is not None and _kernel_version() >= _RECURSIVE_SINCE:
            found.update(_below(source, place, mount))
    if backend == "runc" and (has_users(linux) or not state.has_all_users()):
        found.update(_devices(linux))
    for path in document.strings(linux, "readonlyPaths", "linux."):
        found[clean(path)] = found[_covering(found, clean(path))]
    for path in document.strings(linux, "maskedPaths", "linux."):
        found[clean(path)] = found.get("/dev", False)
    return [place for place, is_hidden in found.items() if is_hidden]


def _is_own_noexec(mount: dict[str, Any], source: int | None, linux: dict[str, Any]) -> bool:
    """Say whether the backend would make MOUNT noexec by itself.

    A bind mount is what its SOURCE is, but for options that the backend writes on it. In a user
    namespace the kernel does not let those undo noexec.
    """
    options = document.strings(mount, "options", "mounts.")
    own = [option for option in options if option in _EXEC_OPTIONS]
    if own:
        return own[-1] in ("noexec", "rnoexec")
    if source is None or not _is_noexec(source):
        return False
    return not _WRITTEN.intersection(options) or has_users(linux) or not state.has_all_users()


def _devices(linux: dict[str, Any]) -> dict[str, bool]:
    """Return where runc mounts the host's devices because a user namespace may not make any.

    For each it says whether it is not noexec on the host. crun makes them noexec itself.
    """
    more = [device.get("path", "") for device in document.objects(linux, "devices", "linux.")]
    paths = [path for path in [f"/dev/{name}" for name in _DEVICES] + more if state.exists(path)]
    return {clean(path): not posix.statvfs(path).f_flag & posix.ST_NOEXEC for path in paths}


def _covering(places: dict[str, bool], path: str) -> str:
    """Return which of PLACES the file at PATH lies below."""
    while path and path not in places:
        path = path.rpartition("/")[0]
    return path or "/"


def _is_noexec(fd: int) -> bool:
    return bool(posix.fstatvfs(fd).f_flag & posix.ST_NOEXEC)


def _below(source: int, place: str, mount: dict[str, Any]) -> dict[str, bool]:
    """Return where below PLACE a mount comes along with MOUNT from below the folder SOURCE.

    For each it says whether it is not noexec on the host; proc_pid_mountinfo(5).
    """
    options = document.strings(mount, "options", "mounts.")
    comes_along = "rbind" in options and "rnoexec" not in options
    if not comes_along or not S_ISDIR(posix.fstat(source).st_mode):
        return {}
    folder = posix.readlink(f"/proc/self/fd/{source}").rstrip("/")
    found = {}
    table = document.read("/proc/self/mountinfo").decode(errors="surrogateescape")
    for line in table.splitlines():
        point, flags = line.split(" ")[4:6]
        point = _plain(point)
        if point.startswith(f"{folder}/") and point != "/":
            below = point[len(folder) :]
            found[f"{place.rstrip('/')}{below}"] = "noexec" not in flags.split(",")
    return found


def _plain(point: str) -> str:
    """Return POINT without the escapes of mountinfo: a backslash and three octal digits."""
    first, *others = point.split("\\")
    return first + "".join(chr(int(part[:3], 8)) + part[3:] for part in others)


def of_host(source: str, destination: str = KM) -> dict[str, Any]:
    """Return the mount that shows the host's program SOURCE in the container, by default km."""
    return {
        "destination": destination,
        "type": "bind",
        "source": source,
        "options": ["bind", "ro", "nosuid", "nodev", "rprivate"],
    }


def _without_exec(mount: dict[str, Any], *, recursive: bool) -> dict[str, Any]:
    options = document.strings(mount, "options", "mounts.")
    kept = [option for option in options if option not in _EXEC_OPTIONS]
    kept.append("noexec")
    if recursive:
        kept.append("rnoexec")
    return {**mount, "options": kept}


def _is_folder(mount: dict[str, Any], bundle_fd: int) -> bool:
    """Say whether MOUNT shows a directory of the host, with what is mounted below it or without.

    In a user namespace crun 1.8 makes no bind mount noexec but by the recursive option. That one
    fails there for a file.
    """
    fd = _source(mount, bundle_fd)
    if fd is None:
        return False
    is_directory = S_ISDIR(posix.fstat(fd).st_mode)
    posix.close(fd)
    return is_directory


def _kernel_version() -> tuple[int, int]:
    major, minor = posix.uname().release.split(".")[:2]
    return int(major), int("".join(c for c in minor if c.isdigit()) or 0)
