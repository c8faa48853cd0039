# SPDX-License-Identifier: Apache-2.0
"""For any configuration, krun refuses it in its own words or makes one that is safe."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from krun import document, helpers, mounts, rewrite, schema
from krun.errors import KrunError
from krun.policy import Policy

from .support import APPLETS, BUSYBOX, FOREVER, ID, PATIENCE, BundleFolder, Runtime

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
NAME_PROGRAMS = tuple(f"/{name}" for names in helpers.FILES.values() for name in names)
TOUCH = ["/bin/busybox", "touch", "/reached"]
HOSTILE: st.SearchStrategy[Any] = st.sampled_from([
    None, True, 1.0, 1e3, -0.0, 2**64, [], {}, [None], {"args": TOUCH}, {"path": TOUCH[0], "args": TOUCH},
    [{"path": TOUCH[0], "args": TOUCH}], {"createContainer": [], "createRuntime": []},
    ["CAP_SYS_ADMIN"], {"effective": ["CAP_SYS_ADMIN"]}, [{"type": "mount", "path": "/proc/1/ns/mnt"}],
    {"run.oci.hooks.stdout": "/reached", "app.kontain.policy": "x"}, ["exec"], "a\0b", "\ud800",
]).map(copy.deepcopy)  # fmt: skip
"""Each its own: one that was in two places, or in itself, would change all that follow."""
MOUNTS = st.fixed_dictionaries(
    {"destination": WORDS},
    optional={"type": WORDS, "source": WORDS, "options": st.lists(WORDS, max_size=3)},
)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int, dict[str, Any]]]:
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


SPELLINGS: list[Callable[[str], str]] = [
    str,
    str.upper,
    str.capitalize,
    str.swapcase,
    lambda name: name.replace("s", "\u017f"),
    lambda name: name.replace("k", "\u212a"),
    lambda name: f"{name} ",
    lambda name: f"{name}\0",
    lambda name: f"\ufeff{name}",
    lambda name: f"{name}s",
]
"""A name as it is, and as some reader may take for it."""


def judge_linux(new: dict[str, Any], known: dict[str, Any]) -> None:
    """Assert that nothing of it differs but more paths that are read-only, of helpers.FILES."""
    path = "readonlyPaths"
    paths, before = new.get(path) or [], known.get(path) or []
    assert paths[: len(before)] == before
    assert all(more.endswith(NAME_PROGRAMS) for more in paths[len(before) :])
    assert {**new, path: before} == {**known, path: before}


def as_text(data: st.DataObject, doc: dict[str, Any]) -> str:
    """Return DOC as JSON with some members more: unknown ones, in other letters, or twice."""
    marks: dict[str, str] = {}
    doc = copy.deepcopy(doc)
    for number in range(data.draw(st.integers(0, 3))):
        *above, last = data.draw(st.sampled_from(places(doc)))
        holder: Any = doc
        for name in above:
            holder = holder[name]
        if isinstance(holder, dict):
            mark = f"mark-{number}"
            holder[mark] = data.draw(HOSTILE | VALUES)
            marks[mark] = data.draw(st.sampled_from(SPELLINGS))(str(last))
    text = json.dumps(doc)
    for mark, name in marks.items():  # now a name can be there twice, before or after the first
        text = text.replace(json.dumps(mark), json.dumps(name))
    return text


def as_go(value: Any, kind: Any) -> Any:
    """Return VALUE as a reader has it that is blind to case, where KIND names the members."""
    if isinstance(kind, list):
        return [as_go(item, kind[0]) for item in value]
    if not isinstance(kind, dict) or "*" in kind:
        return value
    names = {name.casefold(): name for name in kind}
    found = {}
    for name, below in value.items():
        meant = names[name.casefold()]  # a KeyError for what krun should not have handed on
        assert meant not in found
        found[meant] = as_go(below, kind[meant])
    return found


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_configuration(opened: tuple[int, int, dict[str, Any]], data: st.DataObject) -> None:
    """A new configuration starts km, keeps the rest, and makes nothing of an image executable."""
    bundle_fd, root_fd, base = opened
    text = as_text(data, changed(data, base))
    policy = Policy()
    policy.sys_admin = data.draw(st.sampled_from(["refuse", "drop"]))
    try:
        doc = document.parse(text.encode(), "config.json")
        before = copy.deepcopy(doc)
        known = schema.known(doc, schema.CONFIG)
        tree = mounts.tree_of(root_fd, bundle_fd, document.objects(known, "mounts"))
        rewriter = rewrite.Rewriter(tree, 3, policy)
        new = rewriter.container(
            known, backend="runc", bundle_fd=bundle_fd, rootfs="/r", own=("/km", "/krun")
        )
    except (KrunError, UnicodeError):  # what `cli` tells in two lines
        return
    finally:
        for fd in tree.mounts.values() if "tree" in locals() else ():
            if fd is not None:
                os.close(fd)
    assert doc == before, "the caller's document was changed"
    written = document.dumps(new)
    assert as_go(json.loads(written), schema.CONFIG) == new
    assert "\\u0000" not in written
    assert not any(name.startswith(("run.", "app.")) for name in new.get("annotations") or {})
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
    judge_linux(new["linux"], known["linux"])
    changes = {"process", "root", "mounts", "hooks", "annotations", "linux"}
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


def is_restricted(pid: int) -> bool:
    """Say whether process PID is km, without CAP_SYS_ADMIN, and what it sees is noexec."""
    table = Path(f"/proc/{pid}/mountinfo").read_text().splitlines()
    mounted = {line.split(" ")[4]: line.split(" ")[5].split(",") for line in table}
    status = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    return (
        Path(f"/proc/{pid}/exe").readlink() == Path(mounts.KM)
        and not any(int(status[name], 16) & 1 << 21 for name in ("CapEff", "CapPrm", "CapBnd"))
        and all(
            "noexec" in options or place == mounts.KM or place.startswith(("/proc/", "/sys/"))
            for place, options in mounted.items()
        )
    )


@pytest.mark.needs_root
@pytest.mark.needs_kvm
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_what_backends_read(krun: Runtime, bundle: BundleFolder, data: st.DataObject) -> None:
    """With anything added to a configuration, either backend starts km, restricted, or nothing."""
    config = bundle.path / "config.json"
    bundle.args("sleep", FOREVER)
    config.write_text(as_text(data, bundle.doc), errors="surrogateescape")
    try:
        if krun.create("-b", str(bundle.path), ID) == 0:
            started = krun("start", ID).returncode == 0
            pid = krun.state(ID)["pid"]
            assert not started or wait_until(lambda: is_restricted(pid))
    finally:
        krun("delete", "--force", ID)
    assert not list(bundle.path.rglob("reached"))
    assert not Path("/reached").exists()


def wait_until(holds: Callable[[], bool]) -> bool:
    """Say whether what HOLDS does so soon."""
    end = time.monotonic() + 10 * PATIENCE
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True
