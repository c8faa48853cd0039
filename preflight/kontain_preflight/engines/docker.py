# SPDX-License-Identifier: Apache-2.0
"""docker, as a check sees it: its daemon, daemon.json, and a container from an image made for it."""

from __future__ import annotations

import contextlib
import os
import re
from typing import Callable, Dict, Iterator, List, Tuple

from ..host import HELLO, Host
from ..programs import Output
from ..results import Result, failed, passed, skipped, warned
from .engine import RUNTIME, Engine, judge_name

CONFIG = "/etc/docker/daemon.json"
SOCKETS = ("/var/run/docker.sock", "/run/docker.sock")
_USERS = "/run/user"


class Docker(Engine):
    """docker, whose daemon is its own; the command of that name may also be podman's."""

    name = label = client = "docker"
    program = "dockerd"
    socket = SOCKETS[1]
    oldest, reason = (1, 12), "it reads runtimes of daemon.json"
    needs_root = False
    loads_images = True
    configurations = (CONFIG,)
    mark = "/.dockerenv"

    def quick_program(self, host: Host) -> str:
        """Return the client: the daemon takes 50 ms to say it, and packages keep both at one version."""
        return host.which(self.client) or host.which(self.program)

    def daemon_version(self, host: Host) -> str:
        """Return the version of the daemon itself."""
        answer = host.get(self.socket_path(), "/version")
        found = re.search(r'"Version":\s*"([^"]+)"', answer)
        return found.group(1) if found else ""

    def socket_path(self) -> str:
        """Return the path of the socket; DOCKER_HOST may name another docker's of this host."""
        scheme, _, path = os.environ.get("DOCKER_HOST", "").partition("://")
        return path if scheme == "unix" else self.socket

    def programs(self, host: Host) -> List[str]:
        """Return the path of the runtime in daemon.json."""
        path = runtimes(host).get(RUNTIME)
        return [] if path is None else [path]

    def checks(self) -> Tuple[Tuple[str, Callable[[Host], Result]], ...]:
        """Return the checks of daemon.json, of a snap, and of users' own dockers."""
        return (
            ("docker-config", check_config),
            ("docker-snap", check_snap),
            ("docker-rootless", check_rootless),
        )

    def run(self, host: Host) -> Output:
        """Run the payload from an image that is made for this and removed."""
        from .. import containers  # noqa: PLC0415  # 20 ms that only proofs need pay

        with containers.workplace(host) as place:
            # A configuration of its own: the user's may point to another host.
            docker = [host.which(self.client), "--config", f"{place}/config"]
            docker += ["--host", f"unix://{self.socket_path()}"]
            name = containers.unique_name()
            with _archive(f"{place}/rootfs") as archive:
                output = host.run(*docker, "import", "-", name, stdin=archive)
            if output.status != 0:
                return output
            options = ["--rm", "--name", name, "--network", "none", "--runtime", RUNTIME]
            words = [*docker, "run", *options, name, f"/{HELLO}"]
            try:
                return host.run(*words, limit_s=containers.RUN_LIMIT_S)
            finally:
                for verb in ("rm", "rmi"):
                    words = [*docker, verb, "--force", name]
                    host.run(*words, limit_s=containers.CLEANUP_LIMIT_S)


DOCKER = Docker()


def runtimes(host: Host) -> Dict[str, str]:
    """Return the paths of the runtimes in daemon.json by name; {} without such a file.

    Raises ValueError, with a text that says where, when docker could not read the file either.
    """
    try:
        text = host.read(CONFIG)
    except FileNotFoundError:
        return {}
    import json  # noqa: PLC0415  # 10 ms that hosts without the file need not pay

    text = text.lstrip("\ufeff")  # dockerd 23.0 and newer take a byte order mark
    document = json.loads(text) if text.strip() else {}
    found = document.get("runtimes", {}) if isinstance(document, dict) else None
    if not isinstance(found, dict):
        raise ValueError("wanted a JSON object, with an object `runtimes` in it")  # noqa: TRY004  # as json's own
    return {
        name: str(entry.get("path", "")) if isinstance(entry, dict) else ""
        for name, entry in found.items()
    }


def users_dockers(host: Host) -> Dict[str, bool]:
    """Return the user ids whose own docker runs, and whether it knows the runtime of this prefix."""
    program = f'"{host.prefix}/bin/krun"'
    found = {}
    for uid in host.names(_USERS):
        path = f"{_USERS}/{uid}/docker.sock"
        if host.is_socket(path):
            found[uid] = program in host.get(path, "/info")
    return found


def check_config(host: Host) -> Result:
    """The daemon.json of docker can be read, and gives the name of Kontain's runtime to nothing else."""
    try:
        paths = DOCKER.programs(host)
    except PermissionError:
        return skipped(f"{CONFIG} may not be read by user {host.user().name}", "use sudo")
    except ValueError as error:
        return failed(
            f"{CONFIG}: {error}",
            "dockerd would not start with it",
            f"repair that place of {CONFIG}; `python3 -m json.tool {CONFIG}` names it, too",
        )
    return judge_name(host, CONFIG, paths)


def check_snap(host: Host) -> Result:
    """Docker was not installed as a snap."""
    if not host.exists("/snap/docker/current"):
        return passed("there is no snap of docker")
    return warned(
        "docker is installed as a snap",
        f"a snap sees only its own files: neither the prefix nor {CONFIG}",
        "install docker.io or docker-ce in its place, after you have saved the images and volumes "
        "of the snap: `snap remove docker` removes them with it",
    )


def check_rootless(host: Host) -> Result:
    """Each docker of a user's own, which has a configuration of its own, knows the runtime."""
    dockers = users_dockers(host)
    if not dockers:
        return passed("no docker runs rootless")
    without = [uid for uid, knows in dockers.items() if not knows]
    if not without:
        return passed(f"known to docker of uid {', '.join(dockers)}", users=list(dockers))
    return warned(
        f"docker runs rootless for uid {', '.join(without)}, without the runtime {RUNTIME}",
        "such a docker reads ~/.config/docker/daemon.json, which is for its user to change",
        f"as that user, run `{host.prefix}/bin/kontain register docker`",
        users=without,
    )


@contextlib.contextmanager
def _archive(rootfs: str) -> Iterator[int]:
    """Give a descriptor of a tar archive of a rootfs."""
    import tarfile  # noqa: PLC0415  # likewise
    import tempfile  # noqa: PLC0415  # likewise

    with tempfile.TemporaryFile(dir=os.path.dirname(rootfs)) as file:  # noqa: PTH120  loaded in 5 ms
        with tarfile.open(fileobj=file, mode="w") as archive:
            archive.add(f"{rootfs}/{HELLO}", HELLO)
        file.seek(0)
        yield file.fileno()
