# SPDX-License-Identifier: Apache-2.0
"""An engine of the installed host, with an image of the tests' own."""

from __future__ import annotations

import json
import time
from typing import Any

from testinfra.host import Host  # type: ignore[import-untyped]  # it has no types

HELLO = "/opt/kontain/current/share/hello.km"
APPLETS = "cat httpd id sh sleep tail true uname wget"
IMAGE = "localhost/kontain-test"
WAIT_S = 300  # for what takes a second, on an emulated CPU that has to share

MAKE_IMAGE = f"""set -e
root=$(mktemp -d)
mkdir $root/bin $root/tmp
cp {HELLO} $root/hello.km
cp /bin/busybox $root/bin/busybox
for name in {APPLETS}; do ln -s busybox $root/bin/$name; done
tar -C $root -c . | ENGINE import - {IMAGE}
rm -r $root
"""


class Engine:
    """An engine's command line on the host, as the user who is logged in."""

    def __init__(self, host: Host, name: str) -> None:
        """Give it the image."""
        self.host = host
        self.name = name
        host.run_expect([0], MAKE_IMAGE.replace("ENGINE", name))

    def __call__(self, words: str, status: int = 0) -> str:
        """Call it with these words, see how it ends, and return its standard output."""
        done = self.host.run(f"{self.name} {words}")
        assert done.rc == status, f"{words}\n{done.stdout}{done.stderr}"
        return str(done.stdout).strip()

    def run(self, options: str, command: str, status: int = 0) -> str:
        """Run a container of the image under Kontain's runtime."""
        return self(f"run --runtime kontain {options} {IMAGE} {command}", status)

    def inspect(self, container: str) -> dict[str, Any]:
        """Return what it knows of a container."""
        (found,) = json.loads(self(f"inspect {container}"))
        return dict(found)

    def wait_until(self, container: str, fact: str, wanted: str) -> None:
        """Wait until a fact of a container, such as `.State.Status`, is what is wanted."""
        end = time.monotonic() + WAIT_S
        while (found := self(f"inspect --format '{{{{{fact}}}}}' {container}")) != wanted:
            assert time.monotonic() < end, f"{fact} is {found}, wanted {wanted}"
            time.sleep(1)

    def remove(self, *containers: str) -> None:
        """Remove containers, be they running or not."""
        self(f"rm --force {' '.join(containers)}")
