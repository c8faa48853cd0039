# SPDX-License-Identifier: Apache-2.0
"""A backend is given members that krun knows, and values that every parser reads alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from krun import document, mounts, schema
from krun.errors import KrunError

from .support import FOREVER, ID, BundleFolder, Runtime, start


def every_member(kind: Any) -> Any:
    """Return a value that has every member of KIND."""
    if isinstance(kind, dict):
        return {name: every_member(inner) for name, inner in kind.items()}
    if isinstance(kind, list):
        return [every_member(kind[0])]
    return {str: "x", bool: True}[kind] if isinstance(kind, type) else kind[-1]


def places(value: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every named member of VALUE, at every depth."""
    found: list[tuple[Any, ...]] = []
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for name, below in inner:
        found += [(*above, name)] if isinstance(value, dict) else []
        found += places(below, (*above, name)) if isinstance(below, (dict, list)) else []
    return found


WHOLE = every_member(schema.CONFIG)
FREE = ("annotations", "sysctl", "unified", "rdma", "netDevices")
NAMED = [place for place in places(WHOLE) if place[-1] != "*"]


def at(doc: Any, above: tuple[Any, ...]) -> Any:
    """Return what DOC has at the path ABOVE."""
    for name in above:
        doc = doc[name]
    return doc


def test_what_is_known_is_kept() -> None:
    """A document of every member of the specification is handed on as it is."""
    assert schema.known(WHOLE, schema.CONFIG) == WHOLE


def test_what_runc_proposes_is_kept(bundle: BundleFolder) -> None:
    """Nothing of `runc spec` is left out or refused."""
    assert schema.known(bundle.doc, schema.CONFIG) == bundle.doc


def test_what_is_unknown_is_left_out() -> None:
    """At every depth, members for other systems and for later versions do not reach a backend."""
    doc = json.loads(json.dumps(WHOLE))
    for *above, _ in NAMED:
        holder = at(doc, tuple(above))
        if "*" not in holder:
            holder.update(windows={"x": [1.5]}, futureMember="\0", nothing=None)
    assert schema.known(doc, schema.CONFIG) == WHOLE


@pytest.mark.parametrize("place", NAMED, ids=lambda place: ".".join(map(str, place)))
def test_another_case_of_a_known_name_is_refused(place: tuple[Any, ...]) -> None:
    """Every name of the specification, in capitals or with a letter that folds to ASCII."""
    *above, name = place
    variants = {
        name.upper(),
        name.capitalize(),
        name.replace("s", "\u017f"),
        name.replace("k", "\u212a"),
    }
    for variant in variants - {name}:
        values: tuple[Any, ...] = ({}, [], None, 0)
        for value in values:
            doc = json.loads(json.dumps(WHOLE))
            at(doc, tuple(above))[variant] = value
            with pytest.raises(KrunError, match=f"is {name} but for the case"):
                schema.known(doc, schema.CONFIG)


@pytest.mark.parametrize("place", NAMED, ids=lambda place: ".".join(map(str, place)))
def test_value_of_another_kind_is_refused(place: tuple[Any, ...]) -> None:
    """No value is read as one of another type, and null is as good as nothing."""
    *above, name = place
    doc = json.loads(json.dumps(WHOLE))
    given = at(doc, place)
    for value in (
        "x",
        True,
        0,
        1.0,
        1e3,
        -(2**63) - 1,
        2**64,
        [None],
        {"*": None},
        ["a\0"],
        "\ud800",
    ):
        fits = type(value) is type(given) and value in ("x", True, 0)
        if fits or (value == {"*": None} and isinstance(given, dict) and "*" not in given):
            continue
        at(doc, tuple(above))[name] = value
        with pytest.raises(KrunError, match="must be"):
            schema.known(doc, schema.CONFIG)
    at(doc, tuple(above))[name] = None
    if name not in FREE and "*" not in at(doc, tuple(above)):
        assert name not in at(schema.known(doc, schema.CONFIG), tuple(above))


@pytest.mark.parametrize(
    "text",
    ['{"a":1,"a":1}', '{"x":[{"a":1,"\\u0061":2}]}', '{"a":{},"b":1,"a":null}'],
)
def test_name_that_is_there_twice_is_refused(text: str) -> None:
    """Wherever it is and however it is written: readers differ in which one counts."""
    with pytest.raises(KrunError, match="one object has 'a' twice"):
        document.parse(text.encode(), "config.json")


@pytest.mark.parametrize(
    "text",
    [b"\xef\xbb\xbf{}", b'{"a":"\xff"}', b'{"a":"\xed\xa0\x80"}', b"{}{}", b'{"a":-Infinity}',
     b'{"a":01}', b'{"a":1.}', b'{"a":"\n"}', b'{"a":1,}', b"{/**/}", b"{'a':1}",
     b'{"a":' * 100_000],
)  # fmt: skip
def test_what_only_some_parsers_take_is_refused(text: bytes) -> None:
    """A byte order mark, broken UTF-8, comments, and what follows the document."""
    with pytest.raises(KrunError, match="it is not JSON"):
        document.parse(text, "config.json")


@pytest.mark.parametrize("kind", ["mount", "pid"])
def test_namespace_that_is_there_twice_is_refused(kind: str) -> None:
    """A second one with a path could be the one that a backend joins."""
    spaces = [{"type": "mount"}, {"type": "pid"}, {"type": kind, "path": "/proc/1/ns/x"}]
    with pytest.raises(KrunError, match=f"namespaces has '{kind}' twice"):
        mounts.check_namespace({"namespaces": spaces})


NATIVE: dict[str, Any] = {
    "process": {"PROCESS": {"args": ["/bin/busybox", "touch", "/reached"]}},
    "long s": {"proce\u017f\u017f": {"args": ["/bin/busybox", "touch", "/reached"]}},
    "hooks": {"HOOKS": {"createContainer": [], "createRuntime": []}},
    "linux": {"Linux": {"namespaces": []}},
}


@pytest.mark.needs_root
@pytest.mark.needs_kvm
@pytest.mark.parametrize("name", NATIVE)
def test_no_second_document_in_other_letters(
    krun: Runtime, bundle: BundleFolder, name: str
) -> None:
    """A member that a case-blind parser would read over krun's own words makes no container."""
    bundle.doc["root"]["readonly"] = False
    bundle.doc.update(NATIVE[name])

    done = krun("run", "-b", bundle.args("true"), ID)
    assert "but for the case of its letters" in done.stderr
    assert done.returncode == 125
    assert not (bundle.rootfs / "reached").exists()


@pytest.mark.needs_root
@pytest.mark.needs_kvm
def test_capabilities_in_other_letters(
    krun: Runtime, bundle: BundleFolder, tmp_path: Path
) -> None:
    """Neither a container nor an exec gets CAP_SYS_ADMIN by a name that only Go reads."""
    start(krun, bundle, "sleep", FOREVER)
    caps = {name: ["CAP_SYS_ADMIN"] for name in ("bounding", "effective", "permitted")}
    path = tmp_path / "process.json"
    for process in ({"Capabilities": caps}, {"capabilities": {"Bounding": ["CAP_SYS_ADMIN"]}}):
        path.write_text(json.dumps({**bundle.doc["process"], **process}))
        done = krun("exec", "--process", str(path), ID)
        assert "but for the case of its letters" in done.stderr
        assert done.returncode == 125
    bundle.doc["process"]["Capabilities"] = caps
    done = krun("run", "-b", bundle.args("cat", "/proc/self/status"), "d")
    assert (done.returncode, done.stdout) == (125, "")


@pytest.mark.needs_root
@pytest.mark.needs_kvm
def test_limits_of_an_update(krun: Runtime, bundle: BundleFolder, tmp_path: Path) -> None:
    """Limits from a file and from standard input reach the backend, and are read as strictly."""
    start(krun, bundle, "sleep", FOREVER)
    path = tmp_path / "limits.json"
    path.write_text('{"pids":{"limit":50},"unknown":1}')

    assert krun("update", "--resources", str(path), ID).returncode == 0
    with path.open() as file:
        assert krun("update", "--resources=-", ID, stdin=file).returncode == 0
    path.write_text('{"pids":{"limit":50,"Limit":-1}}')
    done = krun("update", "-r", str(path), ID)
    assert "pids.Limit' is limit but for the case" in done.stderr
    assert done.returncode == 1
