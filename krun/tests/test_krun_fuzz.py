# SPDX-License-Identifier: Apache-2.0
"""Whatever a configuration holds, krun refuses it in its own words or makes one that is safe."""

from __future__ import annotations

import copy
import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from krun_support import APPLETS, BUSYBOX

from krun import document, mounts, rewrite, schema
from krun.errors import KrunError
from krun.policy import Policy

WORDS = st.sampled_from([
    "", "/", "..", "bind", "rbind", "exec", "noexec", "tmpfs", "mount", "true", "/bin/true", "nope",
    "/dev", "/dev/", "//dev/./x/..", "/dev/.kontain", "/dev/.kontain/km", "/dev/x/../.kontain/km",
    "/proc/self/exe", "CAP_SYS_ADMIN", "cap_sys_admin", "CAP_KILL", "PATH=/bin", "\0", "\ud800", "ä",
])  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2**70) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
MOUNTS = st.fixed_dictionaries(
    {"destination": WORDS},
    optional={"type": WORDS, "source": WORDS, "options": st.lists(WORDS, max_size=3)},
)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Return descriptors of a bundle and of its root, and a configuration as engines write it."""
    folder = tmp_path_factory.mktemp("bundle")
    (folder / "rootfs" / "bin").mkdir(parents=True)
    (folder / "rootfs" / "bin" / "busybox").write_bytes(BUSYBOX.read_bytes())
    (folder / "rootfs" / "bin" / "busybox").chmod(0o755)
    for applet in APPLETS:
        (folder / "rootfs" / "bin" / applet).symlink_to("busybox")
    subprocess.run(["runc", "spec"], cwd=folder, check=True)
    doc = json.loads((folder / "config.json").read_text())
    doc["process"]["args"] = ["true"]
    fds = [os.open(path, os.O_PATH) for path in (folder, folder / "rootfs")]
    yield fds[0], fds[1], doc
    for fd in fds:
        os.close(fd)


def places(value: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every member of VALUE, at every depth."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for name, below in inner:
        found.append((*above, name))
        if isinstance(below, (dict, list)):
            found += places(below, (*above, name))
    return found


def changed(data: st.DataObject, doc: dict[str, Any]) -> dict[str, Any]:
    """Return DOC with some members replaced or removed, and with some more mounts."""
    doc = copy.deepcopy(doc)
    for _ in range(data.draw(st.integers(0, 3))):
        *above, last = data.draw(st.sampled_from(places(doc)))
        holder: Any = doc
        for name in above:
            holder = holder[name]
        if isinstance(holder, dict) and data.draw(st.booleans()):
            del holder[last]
        else:
            holder[last] = data.draw(VALUES)
    if isinstance(doc.get("mounts"), list):
        doc["mounts"] += data.draw(st.lists(MOUNTS, max_size=2))
    return doc


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_configuration(bundle: tuple[int, int, dict[str, Any]], data: st.DataObject) -> None:
    """A new configuration starts km, keeps the rest, and makes nothing of an image executable."""
    bundle_fd, root_fd, base = bundle
    doc = changed(data, base)
    before = copy.deepcopy(doc)
    policy = Policy()
    policy.sys_admin = data.draw(st.sampled_from(["refuse", "drop"]))
    try:
        known = schema.known(doc, schema.CONFIG)
        tree = mounts.tree_of(root_fd, bundle_fd, document.objects(known, "mounts"))
        rewriter = rewrite.Rewriter(tree, 3, policy)
        new = rewriter.container(
            known, backend="runc", bundle_fd=bundle_fd, rootfs="/r", own=("/km", "/krun")
        )
    except (KrunError, UnicodeError):  # what `cli` tells in two lines
        return
    finally:
        assert doc == before, "the caller's document was changed"
        for fd in tree.mounts.values() if "tree" in locals() else ():
            if fd is not None:
                os.close(fd)
    assert new["process"]["args"][0] == mounts.KM
    ours = [mount for mount in new["mounts"] if mount["destination"] == mounts.KM]
    assert ours == [mounts.of_host("/km")]
    for mount in new["mounts"]:
        assert mount is new["mounts"][-1] or "noexec" in mount["options"]
        assert mount is new["mounts"][-1] or "exec" not in mount["options"]
    assert not sets_hold(new["process"])
    spaces = [space.get("type") for space in new["linux"]["namespaces"]]
    hook = new["hooks"]["createRuntime" if "user" in spaces else "createContainer"][-1]
    assert hook["args"][-2:] == ["/r", mounts.KM]
    changes = {"process", "root", "mounts", "hooks"}
    assert {n: v for n, v in new.items() if n not in changes} == {
        n: v for n, v in known.items() if n not in changes
    }


def sets_hold(process: dict[str, Any]) -> bool:
    """Say whether a capability set of PROCESS that a backend reads has CAP_SYS_ADMIN."""
    sets = process.get("capabilities") or {}
    names = ("bounding", "effective", "inheritable", "permitted", "ambient")
    return any("SYS_ADMIN" in str(cap).upper() for name in names for cap in sets.get(name) or [])


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(["args", "env", "cwd", "capabilities", "user"]), VALUES))
def test_process_document(process: dict[str, Any]) -> None:
    """A process document of any kind is refused in krun's words, or run by km."""
    root = os.open("/", os.O_PATH)
    rewriter = rewrite.Rewriter(mounts.tree_of(root, root, []), 3, Policy())
    try:
        given = {"args": ["true"], "env": ["PATH=/bin"], **process}
        assert rewriter.process(schema.known(given, schema.PROCESS))["args"][0] == mounts.KM
    except (KrunError, UnicodeError):
        return
    finally:
        os.close(root)
