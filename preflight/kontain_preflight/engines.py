# SPDX-License-Identifier: Apache-2.0
"""What is known of the container engines and backends of a host, without changing anything."""

from __future__ import annotations

import contextlib
import os
import re
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from .host import Host

RUNTIME = "kontain"  # the name that engines know krun by


class Engine(NamedTuple):
    """A container engine: its program, its socket when it is a daemon, and what we ask of it."""

    name: str
    program: str  # that is there exactly when the engine is, whatever its clients
    socket: str  # "" for an engine that has no daemon
    oldest: Tuple[int, int]
    reason: str  # why it must be that new


DOCKER = Engine(
    "docker", "dockerd", "/run/docker.sock", (1, 12), "it reads runtimes of daemon.json"
)
PODMAN = Engine("podman", "podman", "", (2, 0), "it reads containers.conf")
CONTAINERD = Engine(
    "containerd",
    "containerd",
    "/run/containerd/containerd.sock",
    (1, 3),
    "it has the runc shim v2",
)
CRIO = Engine("crio", "crio", "/run/crio/crio.sock", (1, 18), "it reads files below crio.conf.d")
ENGINES = (DOCKER, PODMAN, CONTAINERD, CRIO)
BACKENDS = ("crun", "runc")

_RANCHER_CONFIG = "/var/lib/rancher/{}/agent/etc/containerd/config.toml"
RANCHERS = {"k3s": "k3s or k3s-agent", "rke2": "rke2-server or rke2-agent"}
"""Kubernetes that brings a containerd of its own: name → its services."""

_BINARY_NAME = ("containerd", "runtimes", RUNTIME, "options", "BinaryName")
_SCHEMA = re.compile(r"^[ \t]*version[ \t]*=[ \t]*(\d+)", re.MULTILINE)
_MISPLACED = re.compile(r"\.slice:cri-containerd:", re.MULTILINE)
_VERSION = re.compile(r"\bv?(\d+\.\d+(?:\.\d+)?)")


def _version_program(host: Host, engine: Engine) -> str:
    # `dockerd --version` takes 50 ms, its client 10; packages keep the two at one version.
    client = host.which("docker") if engine is DOCKER else ""
    return client or host.which(engine.program)


def start_version_queries(host: Host) -> None:
    """Let all programs tell their versions at once, while the checks do other things."""
    programs = [_version_program(host, engine) for engine in ENGINES if host.which(engine.program)]
    for program in programs + [host.which(name) for name in BACKENDS]:
        if program:
            host.start(program, "--version")


def program_version(host: Host, program: str) -> str:
    """Return the version that `PROGRAM --version` prints, "" when it prints none."""
    output = host.run(program, "--version")
    found = _VERSION.search(output.stdout)
    return found.group(1) if found else ""


def describe(host: Host, engine: Engine) -> Optional[Dict[str, Any]]:
    """Return an engine's `program`, `version` and whether it is `running`; None without it."""
    program = host.which(engine.program)
    if not program:
        return None
    details: Dict[str, Any] = {"program": program, "version": ""}
    if engine.socket:
        details["running"] = answers(host, socket_of(engine))
    if engine is DOCKER and details["running"]:
        details["version"] = _daemon_version(host, socket_of(engine))
    details["version"] = details["version"] or program_version(
        host, _version_program(host, engine)
    )
    return details


def answers(host: Host, path: str) -> bool:
    """Return whether a daemon that this user may talk to listens on the socket `path`."""
    return host.listens(path)


def _daemon_version(host: Host, path: str) -> str:
    """Return the version of the docker daemon itself, which may be another than its client's."""
    found = re.search(r'"Version":\s*"([^"]+)"', host.get(path, "/version"))
    return found.group(1) if found else ""


def socket_of(engine: Engine) -> str:
    """Return the path of an engine's socket.

    DOCKER_HOST may name another docker's of this host, and CONTAINERD_ADDRESS another containerd's.
    """
    if engine is CONTAINERD:  # as ctr(8) has it
        return os.environ.get("CONTAINERD_ADDRESS") or engine.socket
    scheme, _, path = os.environ.get("DOCKER_HOST", "").partition("://")
    return path if engine is DOCKER and scheme == "unix" else engine.socket


def has_rancher(host: Host, name: str) -> bool:
    """Return whether k3s or RKE2 has started once on this host."""
    return host.exists(_RANCHER_CONFIG.format(name))


def rootless_dockers(host: Host) -> Dict[str, bool]:
    """Return the user ids whose own docker runs, and whether it knows the runtime of this prefix."""
    folder, program = "/run/user", f'"{host.prefix}/bin/krun"'
    found = {}
    for uid in host.names(folder):
        path = f"{folder}/{uid}/docker.sock"
        if host.is_socket(path):
            found[uid] = program in host.get(path, "/info")
    return found


def docker_runtimes(host: Host) -> Dict[str, str]:
    """Return the paths of the runtimes in daemon.json by name; {} without such a file.

    Raises ValueError, with a text that says where, when docker could not read the file either.
    """
    path = "/etc/docker/daemon.json"
    try:
        text = host.read(path)
    except FileNotFoundError:
        return {}
    import json  # noqa: PLC0415  # 10 ms that hosts without the file need not pay

    text = text.lstrip("\ufeff")  # dockerd 23.0 and newer take a byte order mark
    document = json.loads(text) if text.strip() else {}
    runtimes = document.get("runtimes", {}) if isinstance(document, dict) else None
    if not isinstance(runtimes, dict):
        raise ValueError("wanted a JSON object, with an object `runtimes` in it")  # noqa: TRY004  # as json's own
    return {
        name: str(entry.get("path", "")) if isinstance(entry, dict) else ""
        for name, entry in runtimes.items()
    }


def podman_runtimes(host: Host) -> Dict[str, List[str]]:
    """Return the candidate paths of the runtimes in containers.conf(5) by name, the last file wins.

    It reads the table of the runtimes as people write it: with a header, inline, or by dotted keys;
    an array may go over lines with comments.
    """
    folder = "/etc/containers/containers.conf.d"
    files = ["/usr/share/containers/containers.conf", "/etc/containers/containers.conf"]
    files += [f"{folder}/{name}" for name in host.names(folder) if name.endswith(".conf")]
    runtimes: Dict[str, List[str]] = {}
    for path in files:
        runtimes.update(_runtimes_of_toml(host.read_or(path)))
    return runtimes


def containerd_runtime(host: Host) -> str:
    """Return the program of Kontain's runtime in containerd's configuration, "" where it has none.

    containerd says itself what it makes of its files; where it cannot, the usual files are read.
    """
    with contextlib.suppress(OSError):
        dump = host.run(host.which(CONTAINERD.program), "config", "dump")
        if dump.status == 0:
            return _string_of([dump.stdout], _BINARY_NAME)
    files = ["/etc/containerd/config.toml", *_files(host, "/etc/containerd/conf.d", ".toml")]
    return _string(host, files, _BINARY_NAME)


def outside_of_slices(host: Host) -> List[str]:
    """Return the ids of processes whose control group has the name that systemd should have had.

    The kubelet's driver systemd names a group `SLICE:cri-containerd:ID`, which a runtime that is not
    told of systemd takes for a folder: it lies outside of the slice of its pod, without its limits.
    """
    return [
        pid
        for pid in host.names("/proc")
        if pid.isdigit() and _MISPLACED.search(host.read_or(f"/proc/{pid}/cgroup"))
    ]


def rancher_runtime(host: Host, name: str, *, loaded: bool = False) -> str:
    """Return the program of Kontain's runtime in what k3s' or RKE2's containerd is made of, or "".

    With `loaded`, in the configuration that was made of it at the last start.
    """
    config = _RANCHER_CONFIG.format(name)
    schema = _SCHEMA.search(host.read_or(config))
    is_v3 = bool(schema and int(schema[1]) > 2)  # noqa: PLR2004
    template = config.replace(
        "config.toml", "config-v3.toml.tmpl" if is_v3 else "config.toml.tmpl"
    )
    file = config if loaded else template
    return _string(host, [file], _BINARY_NAME) or _rancher_drop_in(host, config, loaded=loaded)


def _rancher_drop_in(host: Host, config: str, *, loaded: bool) -> str:
    """Return the program in a file of the folder that the configuration imports, "" where there is none.

    It is loaded when the configuration, which is made at each start, is newer.
    """
    file = config.replace("config.toml", "config-v3.toml.d/kontain.toml")
    if not host.exists(file) or "/config-v3.toml.d/" not in host.read_or(config):
        return ""
    if loaded and host.stat(file).st_mtime > host.stat(config).st_mtime:
        return ""
    return _string(host, [file], _BINARY_NAME)


def crio_runtime(host: Host) -> str:
    """Return the program of Kontain's runtime in CRI-O's configuration, "" where it has none."""
    files = ["/etc/crio/crio.conf", *_files(host, "/etc/crio/crio.conf.d", "")]
    return _string(host, files, ("crio", "runtime", "runtimes", RUNTIME, "runtime_path"))


def _files(host: Host, folder: str, ending: str) -> List[str]:
    return [f"{folder}/{name}" for name in host.names(folder) if name.endswith(ending)]


def _string(host: Host, files: List[str], ending: Tuple[str, ...]) -> str:
    """Return the string whose key ends so, of the last of the files that has it."""
    return _string_of([host.read_or(path) for path in files], ending)


def _string_of(texts: List[str], ending: Tuple[str, ...]) -> str:
    from .toml_strings import strings  # noqa: PLC0415  # hosts without these engines need not pay

    found = ""
    for text in texts:
        for key, value in strings(text).items():
            if key[-len(ending) :] == ending:
                found = value
    return found


_COMMENT = re.compile(r"""("[^"\n]*"|'[^'\n]*')|#[^\n]*""")
_TABLE = r"""^[ \t]*\[[ \t]*{}[ \t]*\][^\n]*\n(.*?)(?=^[ \t]*\[|\Z)"""
_ENGINE = re.compile(_TABLE.format(r"""["']?engine["']?"""), re.MULTILINE | re.DOTALL)
_RUNTIMES = re.compile(
    _TABLE.format(r"""["']?engine["']?[ \t]*\.[ \t]*["']?runtimes["']?"""),
    re.MULTILINE | re.DOTALL,
)
_INLINE = re.compile(r"""^[ \t]*["']?runtimes["']?[ \t]*=[ \t]*\{([^}\n]*)\}""", re.MULTILINE)
_DOTTED = re.compile(r"""^[ \t]*["']?runtimes["']?[ \t]*\.[ \t]*(.*)$""", re.MULTILINE)
_ARRAY = re.compile(r"""(?:^|,)[ \t]*["']?([\w.-]+)["']?[ \t]*=[ \t]*\[([^\]]*)\]""", re.MULTILINE)


def _runtimes_of_toml(text: str) -> Dict[str, List[str]]:
    text = _COMMENT.sub(lambda match: match[1] or "", text)
    tables = _RUNTIMES.findall(text)
    for engine in _ENGINE.findall(text):
        tables += _INLINE.findall(engine) + _DOTTED.findall(engine)
    found: Dict[str, List[str]] = {}
    for table in tables:
        for name, paths in _ARRAY.findall(table):
            found[name] = re.findall(r"[\"']([^\"'\n]*)[\"']", paths)
    return found
