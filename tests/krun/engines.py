# SPDX-License-Identifier: Apache-2.0
"""A podman and a docker of the tests' own, which share nothing with the host's."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .images import write_busybox, write_debian
from .support import KRUN, PATIENCE

IMAGE = "krun-test:1"
DEBIAN = "krun-debian:1"
START_TIMEOUT_S = 60 * PATIENCE

# A /run and a network of its own keep the host's sockets, state, bridges and firewall out of reach,
# and what is written to its /etc is seen by nobody else; crun wants no hybrid cgroups.
PRIVATE = """set -e
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/upper /run/work "${XDG_RUNTIME_DIR:-/run}"
mount -t overlay -o lowerdir=/etc,upperdir=/run/upper,workdir=/run/work overlay /etc
mkdir -p /etc/kontain
ip link set lo up
"""
WITHOUT_HYBRID = "umount /sys/fs/cgroup/unified 2>/dev/null || true\n"


class PrivateHost:
    """This machine with a mount and a network namespace, where krun's policy names the backend."""

    def __init__(self, backend: str) -> None:
        """Make the namespace and keep it by a process in it; BACKEND may be krun's own choice, "auto"."""
        self.backend = backend
        script = self.script() + (WITHOUT_HYBRID if backend == "crun" else "")
        unshare = ["unshare", "--mount", "--net", "--propagation", "private"]
        self.holder = subprocess.Popen(
            [*unshare, "sh", "-c", f"{script}echo; exec sleep 3600"],
            stdout=subprocess.PIPE,
        )
        assert self.holder.stdout is not None
        assert self.holder.stdout.readline(), "the namespaces cannot be made"
        self.set_policy({})

    def script(self) -> str:
        """Return what makes the namespace private."""
        return PRIVATE

    def command(self, *words: str) -> list[str]:
        """Return the command that runs WORDS in the namespace."""
        enter = ["nsenter", "--mount", "--net", "--target", str(self.holder.pid), "--wdns=/"]
        return [*enter, "--", *words]

    def set_policy(self, policy: dict[str, object]) -> None:
        """Make POLICY, over the same backend, the one at krun's own path in the namespace."""
        path = Path(f"/proc/{self.holder.pid}/root/etc/kontain/krun.json")
        path.write_text(json.dumps({"backend": self.backend, **policy}))
        path.chmod(0o644)

    def close(self) -> None:
        """End it; its mounts end with it."""
        self.holder.kill()
        self.holder.wait()


class PrivateRoot(PrivateHost):
    """The same with another system's root, below which the folders SHARED are this machine's."""

    def __init__(self, backend: str, root: Path, *shared: Path) -> None:
        """Make ROOT, which is nobody else's, the root of the namespace."""
        self.root = root
        self.shared = (*map(Path, ("/proc", "/sys", "/dev")), *shared)
        super().__init__(backend)

    def script(self) -> str:
        """Return what makes the namespace private, and its root another one."""
        binds = [f"mkdir -p .{path}; mount --rbind {path} .{path}" for path in self.shared]
        return (
            "set -e; ip link set lo up\n"
            f"mount --bind {self.root} {self.root}; cd {self.root}\n"
            + "\n".join(binds)
            + "\nmount -t tmpfs tmpfs run; mkdir -p etc/kontain\n"
            "pivot_root . mnt; cd /; umount -l mnt\n"
        )


class Engine:
    """An engine with a folder of its own, to which krun is known as "kontain"."""

    def __init__(self, folder: Path, host: PrivateHost) -> None:
        """Keep where it lives."""
        self.folder = folder
        self.host = host

    def words(self, runtime: str) -> list[str]:
        """Return how the engine is called so that it uses RUNTIME."""
        raise NotImplementedError

    def __call__(self, *words: str, runtime: str = "kontain") -> subprocess.CompletedProcess[str]:
        """Call the engine's command line with WORDS."""
        return subprocess.run(
            self.host.command(*self.words(runtime), *words),
            capture_output=True,
            text=True,
            timeout=300 * PATIENCE,
            stdin=subprocess.DEVNULL,
            check=False,
        )

    def container(
        self, verb: str, *words: str, runtime: str = "kontain"
    ) -> subprocess.CompletedProcess[str]:
        """Call VERB, `run` or `create`, for a container of RUNTIME without a network."""
        return self(verb, "--net=none", *words, runtime=runtime)

    def load(self) -> None:
        """Make the tests' images known."""
        for name, write in ((IMAGE, write_busybox), (DEBIAN, write_debian)):
            path = self.folder / f"{write.__name__}.tar"
            write(path, self.folder / write.__name__)
            done = self("import", str(path), name)
            assert done.returncode == 0, done.stderr

    def close(self) -> None:
        """Remove the containers and end the engine."""
        for name in self("ps", "-aq").stdout.split():
            self("rm", "--force", name)


class Podman(Engine):
    """podman, with storage, configuration and locks of its own."""

    def __init__(self, folder: Path, host: PrivateHost) -> None:
        """Write its configuration below FOLDER."""
        super().__init__(folder, host)
        self.configuration = folder / "containers.conf"
        # Raising a limit needs CAP_SYS_RESOURCE, which a development machine may lack.
        self.configuration.write_text(
            "[containers]\n"
            'log_driver = "k8s-file"\n'  # the private /run hides the journal's socket
            'default_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]\n'
            "[engine]\n"
            'cgroup_manager = "cgroupfs"\n'
            'events_logger = "file"\n'
            'lock_type = "file"\n'
            'runtime_supports_json = ["crun", "kontain", "runc"]\n'
            'runtime_supports_nocgroup = ["crun", "kontain"]\n'
            "[engine.runtimes]\n"
            f'kontain = ["{KRUN}"]\n'
        )
        self.load()

    def words(self, runtime: str) -> list[str]:
        """Return how podman is called so that it uses RUNTIME."""
        places = [f"--{name}={self.folder / name}" for name in ("root", "runroot", "tmpdir")]
        environment = ["env", f"CONTAINERS_CONF={self.configuration}"]
        return [
            *environment,
            "podman",
            *places,
            f"--storage-driver={storage(self.folder)}",
            f"--runtime={runtime}",
        ]


class Docker(Engine):
    """docker, with a daemon of its own whose default runtime is krun."""

    def __init__(self, folder: Path, host: PrivateHost) -> None:
        """Start its daemon and wait until it answers."""
        super().__init__(folder, host)
        configuration = {
            "runtimes": {"kontain": {"path": str(KRUN)}},
            "default-runtime": "kontain",
            "data-root": str(folder / "data"),
            "exec-root": str(folder / "exec"),
            "pidfile": str(folder / "pid"),
            "hosts": [self.socket],
            "storage-driver": storage(folder).replace("overlay", "overlay2"),
            "ip6tables": False,
        }
        path = folder / "daemon.json"
        path.write_text(json.dumps(configuration))
        command = host.command("dockerd", f"--config-file={path}")
        self.daemon = self._start(command)
        end = time.monotonic() + START_TIMEOUT_S
        while self("info").returncode != 0:
            if self.daemon.poll() is not None:
                said = (folder / "log").read_text()
                # It gives its containerd 15 s, on whatever CPU; the next one finds that running.
                assert "timeout waiting for containerd" in said, said
                self.daemon = self._start(command)
            assert time.monotonic() < end, "dockerd does not answer"
            time.sleep(0.2)
        self.load()

    def _start(self, command: list[str]) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("w") as log:
            return subprocess.Popen(command, stdout=log, stderr=log)

    @property
    def socket(self) -> str:
        """Return its address."""
        return f"unix://{self.folder}/socket"

    def words(self, runtime: str) -> list[str]:
        """Return how docker is called; RUNTIME is an option of its containers."""
        del runtime
        return ["docker", "--host", self.socket]

    def container(
        self, verb: str, *words: str, runtime: str = "kontain"
    ) -> subprocess.CompletedProcess[str]:
        """Call VERB for a container of RUNTIME without a network."""
        return self(verb, "--net=none", f"--runtime={runtime}", *words)

    def close(self) -> None:
        """Remove the containers and stop the daemon."""
        super().close()
        self.daemon.terminate()
        self.daemon.wait(60 * PATIENCE)


@contextmanager
def engine_with(
    kind: type[Engine], host: PrivateHost, folder: Path, archive: Path, image: str
) -> Iterator[Engine]:
    """Run an engine of this KIND on HOST, below FOLDER, that has ARCHIVE as IMAGE; end both."""
    try:
        engine = kind(folder, host)
        done = engine("import", str(archive), image)
        assert done.returncode == 0, done.stderr
        yield engine
        engine.close()
    finally:
        host.close()


def storage(folder: Path) -> str:
    """Return how images are best kept below FOLDER: by copies only where overlays cannot stack."""
    command = ["stat", "--file-system", "--format=%T", str(folder)]
    kind = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return "vfs" if kind == "overlayfs" else "overlay"
