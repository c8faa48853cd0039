# SPDX-License-Identifier: Apache-2.0
"""Files are chosen by patterns, links and needs, and what cannot be found is an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from kontain_host.errors import HostError
from kontain_runenv.contents import add_libraries, add_notices, choose
from kontain_runenv.layer import pack_layer
from kontain_runenv.tree import Node, Tree, normalise, resolve

PROGRAM = Path("/bin/ls").read_bytes()
CANDIDATES: Tree = {
    "usr/bin/tool": Node(target="/etc/alternatives/tool", package="tool"),
    "etc/alternatives/tool": Node(target="../../opt/tool", package="tool"),
    "opt/tool": Node(data=b"x", package="tool"),
    "usr/share/tool/data": Node(data=b"y", package="tool"),
    "usr/share/doc/tool": Node(target="other", package="tool"),
    "usr/share/doc/other/copyright": Node(data=b"c", package="other"),
}


def test_paths_are_those_of_a_merged_system() -> None:
    """A package may still name /lib, and its path can neither be absolute nor lead out."""
    assert normalise("./lib/x86_64-linux-gnu/libc.so.6") == "usr/lib/x86_64-linux-gnu/libc.so.6"
    assert normalise("/lib64/ld.so") == "usr/lib64/ld.so"
    assert normalise("./../../etc/passwd") == "etc/passwd"
    assert normalise("./library") == "library"


def test_link_brings_what_it_leads_to() -> None:
    """A link is chosen with every step of its chain, and nothing else is."""
    chosen = choose(CANDIDATES, {}, ("usr/bin/tool",), ())

    assert set(chosen) == {"usr/bin/tool", "etc/alternatives/tool", "opt/tool"}


def test_loop_of_links_ends() -> None:
    """Links that lead to each other are followed once."""
    tree = {"a": Node(target="b"), "b": Node(target="a")}

    assert resolve(tree, "a") == ["a", "b"]


def test_drop_wins_and_the_parent_is_not_repeated() -> None:
    """A file that matches both lists stays out, and so does one that the parent has."""
    parent = {"opt/tool": CANDIDATES["opt/tool"]}
    chosen = choose(CANDIDATES, parent, ("usr/*", "opt/*"), ("usr/share/*",))

    assert set(chosen) == {"usr/bin/tool", "etc/alternatives/tool"}


def test_pattern_without_a_match_is_an_error() -> None:
    """A recipe that does not fit the packages is not built without a part of it."""
    with pytest.raises(HostError, match="none of the image's packages has usr/bin/absent"):
        choose(CANDIDATES, {}, ("usr/bin/absent",), ())


def test_missing_library_is_an_error() -> None:
    """A program whose library no package has is not put into an image."""
    with pytest.raises(HostError, match="needs lib"):
        add_libraries({"usr/bin/ls": Node(data=PROGRAM)}, {}, {})


def test_damaged_program_is_an_error() -> None:
    """A program that is cut off is named."""
    with pytest.raises(HostError, match="cannot read /usr/bin/ls"):
        add_libraries({"usr/bin/ls": Node(data=PROGRAM[:5000])}, {}, {})


def test_notice_of_a_package_may_be_anothers() -> None:
    """The copyright notice of each package is kept, where its folder is a link as well."""
    tree = add_notices({"opt/tool": CANDIDATES["opt/tool"]}, {}, CANDIDATES)

    assert set(tree) == {"opt/tool", "usr/share/doc/tool", "usr/share/doc/other/copyright"}


def test_order_of_files_does_not_count() -> None:
    """The same files give the same layer, in whatever order they came."""
    backwards = dict(reversed(CANDIDATES.items()))

    assert pack_layer(CANDIDATES) == pack_layer(backwards)
