# SPDX-License-Identifier: Apache-2.0
"""JSON that is read and written as the package `json` does, and hostile documents."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from krun import document
from krun.errors import KrunError

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES)
def test_round_trip_keeps_every_value(value: object) -> None:
    """All members of a document, known or not, are in the new document as they were."""
    assert document.loads(document.dumps(value)) == value
    assert json.loads(document.dumps(value)) == value
    assert document.loads(json.dumps(value, indent=1)) == value


@given(st.text())
def test_text_is_json_or_a_value_error(text: str) -> None:
    """Both readers agree on what is JSON."""
    try:
        wanted = json.loads(text, parse_constant=document._Scanning.parse_constant)
    except ValueError:
        with pytest.raises(ValueError):  # noqa: PT011 - its words are those of `json`
            document.loads(text)
    else:
        assert document.loads(text) == wanted


@pytest.mark.parametrize("text", ["", "{", "{}x", "[1,]", "[" * 100_000, '{"a":NaN}', "nul"])
def test_what_is_not_json_is_refused(tmp_path: Path, text: str) -> None:
    """A broken file gets an error that names it."""
    path = tmp_path / "config.json"
    path.write_text(text)

    with pytest.raises(KrunError, match=r"config\.json: it is not JSON"):
        document.load(str(path))


def test_document_must_be_an_object(tmp_path: Path) -> None:
    """A list is JSON but no configuration."""
    path = tmp_path / "config.json"
    path.write_text("[]")

    with pytest.raises(KrunError, match="no JSON object"):
        document.load(str(path))


def test_only_a_callers_own_pipe_is_read(tmp_path: Path) -> None:
    """It gives a document where its reader takes one; a pipe with a name is refused, also a held one."""
    reader, writer = os.pipe()
    os.write(writer, b'{"a": 1}')
    os.close(writer)
    assert document.load(f"/proc/self/fd/{reader}", pipe=True) == {"a": 1}
    with pytest.raises(KrunError, match=r"found p.*, wanted a regular file"):
        document.load(f"/proc/self/fd/{reader}")
    os.mkfifo(tmp_path / "named")
    held = os.open(tmp_path / "named", os.O_RDWR)
    with pytest.raises(KrunError, match=r"named: found p.*, wanted a regular file"):
        document.load(str(tmp_path / "named"), pipe=True)
    for fd in (reader, held):
        os.close(fd)


def test_huge_document_is_refused(tmp_path: Path) -> None:
    """A file beyond every use is not read into memory."""
    path = tmp_path / "config.json"
    with path.open("wb") as file:
        file.truncate(document.LARGEST_DOCUMENT + 1)

    with pytest.raises(KrunError, match="larger than 16 MiB"):
        document.load(str(path))


def test_wrong_type_names_the_member() -> None:
    """The error has the path, what is wanted, and what was found."""
    with pytest.raises(KrunError, match=r"process\.args must be a list, found 3"):
        document.strings({"args": 3}, "args", "process.")
    with pytest.raises(KrunError, match="without NUL"):
        document.strings({"args": ["a\0b"]}, "args")
    with pytest.raises(KrunError, match=r"hooks\.poststop must be a list of objects"):
        document.objects({"poststop": [1]}, "poststop", "hooks.")
