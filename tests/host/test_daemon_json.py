# SPDX-License-Identifier: Apache-2.0
"""An edit of daemon.json touches our runtimes and not one other byte."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kontain_host.engines.daemon_json import Document
from kontain_host.errors import HostError

PATH = "/etc/docker/daemon.json"
OURS = {"kontain": {"path": "/opt/kontain/bin/krun"}, "krun": {"path": "/opt/kontain/bin/krun"}}

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FOREIGN = st.dictionaries(st.text() | st.sampled_from(["debug", "hosts", "dns"]), VALUES)
RUNTIMES = st.dictionaries(
    st.text(min_size=1) | st.sampled_from(["runsc", "nvidia"]), VALUES, max_size=3
)


@st.composite
def configurations(draw: st.DrawFn) -> str:
    """Return the text of a daemon.json in one of many styles, without our runtimes."""
    value: dict[str, Any] = draw(FOREIGN)
    value.pop("runtimes", None)
    if draw(st.booleans()):
        value["runtimes"] = {
            name: item for name, item in draw(RUNTIMES).items() if name not in OURS
        }
        order = draw(st.permutations(sorted(value)))
        value = {key: value[key] for key in order}
    indent = draw(st.sampled_from([None, 0, 1, 2, 4, "\t"]))
    separators = draw(st.sampled_from([None, (",", ":"), (" , ", " : ")]))
    text = json.dumps(
        value, indent=indent, separators=separators, ensure_ascii=draw(st.booleans())
    )
    if draw(st.booleans()):
        text = text.replace("\n", "\r\n")
    before = draw(st.sampled_from(["", "\ufeff", "\n", "  "]))
    return before + text + draw(st.sampled_from(["", "\n", "\n\n", " \t\r\n"]))


def _is_empty_somewhere(text: str) -> bool:
    value = json.loads(text.lstrip("\ufeff"))
    return not value or value.get("runtimes", True) == {}


@given(configurations())
def test_unmerge_is_the_inverse_of_merge(text: str) -> None:
    """Registered and removed, the text is the same to the byte, wherever an object had members."""
    assume(not _is_empty_somewhere(text))
    original = Document(text, PATH)
    document = original.with_runtimes(OURS).without_runtimes(list(OURS))
    if not original.has_runtimes:
        document = document.without_key("runtimes")
    assert document.text == text


@given(configurations())
def test_a_merge_adds_our_runtimes_and_nothing_else(text: str) -> None:
    """As JSON, the merge is the old value with our runtimes last; foreign keys keep their order."""
    old = json.loads(text.lstrip("\ufeff"))
    new = json.loads(Document(text, PATH).with_runtimes(OURS).text.lstrip("\ufeff"))
    assert list(new.pop("runtimes").items()) == [*old.pop("runtimes", {}).items(), *OURS.items()]
    assert list(new.items()) == list(old.items())


@given(configurations())
def test_a_merge_keeps_the_old_text_around_the_new(text: str) -> None:
    """The merge is an insertion: taking one piece out of the new text gives the old one."""
    assume(not _is_empty_somewhere(text))
    new = Document(text, PATH).with_runtimes(OURS).text
    same = next(
        (place for place, (a, b) in enumerate(zip(text, new)) if a != b), min(len(text), len(new))
    )
    assert new.endswith(text[same:])


@given(configurations())
def test_a_merge_is_idempotent(text: str) -> None:
    """Every runtime asked for is registered."""
    once = Document(text, PATH).with_runtimes(OURS)
    assert once.with_runtimes(OURS).text == once.text


@given(configurations(), st.text(min_size=1))
def test_an_edit_between_survives(text: str, name: str) -> None:
    """A runtime that an operator adds after ours stays when ours go."""
    assume(name not in OURS)
    theirs = {name: {"path": "/their/runtime"}}
    document = Document(text, PATH).with_runtimes(OURS).with_runtimes(theirs)
    left = document.without_runtimes(list(OURS))
    assert left.runtime(name) == theirs[name]
    assert left.runtime("kontain") is None


STYLES = [
    (
        '{\n  "debug": true\n}\n',
        '{\n  "debug": true,\n  "runtimes": {\n    "kontain": {\n      "path": "/k"\n    }\n  }\n}\n',
    ),
    (
        '{\n\t"debug": true\n}',
        '{\n\t"debug": true,\n\t"runtimes": {\n\t\t"kontain": {\n\t\t\t"path": "/k"\n\t\t}\n\t}\n}',
    ),
    ('{"a":1, "b":2}', '{"a":1, "b":2, "runtimes": {"kontain": {"path": "/k"}}}'),
    (
        '{\n  "runtimes": {\n    "runsc": { "path": "/r" }\n  },\n  "dns": ["1.1.1.1"]\n}\n',
        '{\n  "runtimes": {\n    "runsc": { "path": "/r" },\n    "kontain": {\n      "path": "/k"\n    }\n  },\n  "dns": ["1.1.1.1"]\n}\n',
    ),
    (
        "",
        '{\n    "runtimes": {\n        "kontain": {\n            "path": "/k"\n        }\n    }\n}\n',
    ),
    (
        '{\n  "runtimes": {}\n}',
        '{\n  "runtimes": {\n    "kontain": {\n      "path": "/k"\n    }\n  }\n}',
    ),
]


@pytest.mark.parametrize(("old", "new"), STYLES)
def test_a_merge_writes_in_the_style_of_the_file(old: str, new: str) -> None:
    """Blanks, tabs and lines are as the operator writes them."""
    assert Document(old, PATH).with_runtimes({"kontain": {"path": "/k"}}).text == new


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "it is not JSON"),
        ("// a comment\n{}", "it is not JSON"),
        ('{"a": 1,}', "it is not JSON"),
        ("[]", "its outermost value is not an object"),
        ("null", "its outermost value is not an object"),
        ('{"runtimes": []}', '"runtimes" is not an object'),
        ('{"runtimes": null}', '"runtimes" is not an object'),
        ('{"debug": true, "debug": false}', 'it has the key "debug" twice'),
        ('{"runtimes": {"a": {}, "a": {}}}', 'it has the key "a" twice'),
        ("[" * 100_000, "it is not JSON"),
    ],
)
def test_what_cannot_be_edited_is_refused(text: str, why: str) -> None:
    """A file that dockerd would not read, or that is ambiguous, is refused with what is wrong."""
    with pytest.raises(HostError, match=why) as caught:
        Document(text, PATH)
    assert f"To fix: repair {PATH}" in str(caught.value)


def test_a_file_in_another_encoding_is_refused() -> None:
    """UTF-16 and Latin-1 are named as what they are not."""
    for content in ('{"a": "ä"}'.encode("latin-1"), "{}".encode("utf-16")):
        with pytest.raises(HostError, match="it is not UTF-8"):
            Document.decode(content, PATH)
