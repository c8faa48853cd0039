# SPDX-License-Identifier: Apache-2.0
"""TOML is edited as text: merge and unmerge are exact over real, hostile and random files."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import tomllib
from hypothesis import given, settings
from hypothesis import strategies as st

from kontain_host.engines.toml_edit import Wish, holds, merge, unmerge
from kontain_preflight.toml_text import ARRAY_ITEM, Document, TomlError, dotted, quoted

from .toml_corpus import ALL, BROKEN, DOTTED, HOSTILE, KUBEADM_CONTAINERD, PODMAN, REAL, SCHEMA_3

KRUN = '"/opt/kontain/bin/krun"'
CRI = ("plugins", "io.containerd.grpc.v1.cri", "containerd", "runtimes", "kontain")
CONTAINERD = [
    Wish((*CRI, "runtime_type"), '"io.containerd.runc.v2"'),
    Wish((*CRI, "options", "BinaryName"), KRUN),
]
ENGINE = [Wish(("engine", "runtimes", name), f"[{KRUN}]") for name in ("kontain", "krun")]
IMPORT = [Wish(("imports",), '"/etc/containerd/conf.d/*.toml"', is_item=True)]
WISHES = {"containerd": CONTAINERD, "podman": ENGINE, "import": IMPORT}


def expected(text: str, wishes: list[Wish]) -> dict[str, Any]:
    """Return what a reader of TOML shall find after a merge."""
    value: dict[str, Any] = copy.deepcopy(tomllib.loads(text))
    for wish in wishes:
        table = value
        for part in wish.path[:-1]:
            table = table.setdefault(part, {})
        literal = tomllib.loads(f"x = {wish.value}")["x"]
        if wish.is_item:
            items = table.setdefault(wish.path[-1], [])
            if literal not in items:
                items.append(literal)
        else:
            table[wish.path[-1]] = literal
    return value


def judge(text: str, wishes: list[Wish]) -> None:
    """See that merge does what is wanted and nothing else, and that unmerge takes it back."""
    merged = merge(text, wishes)
    clean = text.removeprefix("\ufeff")
    assert tomllib.loads(merged.removeprefix("\ufeff")) == expected(clean, wishes)
    assert merge(merged, wishes) == merged
    assert all(holds(merged, wish) for wish in wishes)
    assert unmerge(merged, text, wishes) == text
    assert unmerge(text, text, wishes) == text


@pytest.mark.parametrize("name", WISHES)
@pytest.mark.parametrize("text", ALL)
def test_merge_and_unmerge_are_exact_on_the_corpus(text: str, name: str) -> None:
    """TOML readers find the old and ours; twice is once; and back is byte for byte."""
    judge(text, WISHES[name])


@pytest.mark.parametrize("text", BROKEN)
def test_what_is_no_toml_is_refused(text: str) -> None:
    """A broken file is never edited; the line is named."""
    with pytest.raises(TomlError, match=r"^line \d+: .*found "):
        merge(text, ENGINE)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("engine = 1\n", "engine is a value"),
        ("[engine]\nruntimes = { runc = ['/r'] }\n", "engine.runtimes is a value or an inline"),
        ("[[engine]]\na = 1\n", "engine is an array of tables"),
        ("[engine.runtimes.kontain]\na = 1\n", "engine.runtimes.kontain is a table"),
    ],
)
def test_where_toml_has_no_place_it_is_refused(text: str, why: str) -> None:
    """Below a value, or in an array of tables, there is no place for our keys."""
    assert tomllib.loads(text)
    with pytest.raises(TomlError, match=why):
        merge(text, ENGINE)


def test_the_place_is_the_one_that_a_person_would_take() -> None:
    """In a table's end; after the last dotted key; at the file's end; in the array."""
    assert f'  "/usr/sbin/runc",\n]\nkontain = [{KRUN}]\nkrun = [{KRUN}]\n' in merge(
        PODMAN, ENGINE
    )
    assert f"# dotted\nruntimes.kontain = [{KRUN}]\n" in merge(DOTTED, ENGINE)
    assert (
        merge("a = 1", ENGINE)
        == f"a = 1\n\n[engine.runtimes]\nkontain = [{KRUN}]\nkrun = [{KRUN}]\n"
    )
    assert 'certs.toml\', "/etc/containerd/conf.d/*.toml", # first' in merge(SCHEMA_3, IMPORT)
    assert 'imports = ["/etc/containerd/conf.d/*.toml"]\noom' in merge(KUBEADM_CONTAINERD, IMPORT)


EDITS = [
    lambda text: text + "\n[somebody]\nadded = 1\n",
    lambda text: "# somebody's\n" + text,
    lambda text: text.replace("\n", "\r\n") if "\r" not in text else text.replace("\r\n", "\n"),
]


@pytest.mark.parametrize("name", WISHES)
@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("text", [*REAL, "", "a = 1\n"])
def test_edits_of_others_stay(text: str, edit: Any, name: str) -> None:
    """An edit after a merge stays; ours goes as if it had never been."""
    wishes = WISHES[name]
    assert unmerge(edit(merge(text, wishes)), text, wishes) == edit(text)


def test_an_edit_within_ours_costs_only_ours() -> None:
    """A foreign comment or key between our lines stays; our own lines go."""
    lines = merge("", ENGINE).splitlines(keepends=True)
    lines.insert(3, "# theirs\nyouki = ['/y']\n")
    left = unmerge("".join(lines), "", ENGINE)
    assert tomllib.loads(left) == {"engine": {"runtimes": {"youki": ["/y"]}}}
    assert "# theirs" in left


def test_a_value_that_somebody_changed_stays() -> None:
    """A runtime of ours that a user led elsewhere is theirs now."""
    changed = merge(PODMAN, ENGINE).replace(f"kontain = [{KRUN}]", 'kontain = ["/theirs"]')
    left = tomllib.loads(unmerge(changed, PODMAN, ENGINE))
    assert left["engine"]["runtimes"]["kontain"] == ["/theirs"]
    assert "krun" not in left["engine"]["runtimes"]


def test_a_replaced_value_comes_back() -> None:
    """A runtime that ours took the place of is there again, also after an edit elsewhere."""
    text = 'a = 1\n[engine.runtimes]\nkontain = [ "/other" ] # mine\n'
    merged = merge(text, ENGINE)
    assert f"kontain = [{KRUN}] # mine" in merged
    assert unmerge(merged, text, ENGINE) == text
    assert unmerge("b = 2\n" + merged, text, ENGINE) == "b = 2\n" + text


# ---- random files ----

KEYS = st.sampled_from(["a", "b-c", "x.y", "engine", "runtimes", "plugins", "kontain", "", 'q"'])
TEXTS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=8)
SCALARS = st.one_of(
    st.integers(-99, 99).map(str),
    st.sampled_from(["true", "1.5e3", "-inf", "1979-05-27", "''", '"""\n[t]\n"""', "'''\n#'''"]),
    TEXTS.map(quoted),
)
BLANKS = st.sampled_from(["", " ", "\t", "  "])
NOTES = st.sampled_from(["", " # note", "\t#[x]", " # a = 1 ]"])


@st.composite
def values(draw: st.DrawFn, depth: int = 0) -> str:
    """Write a value, with arrays over lines and inline tables."""
    kind = draw(st.integers(0, 5)) if depth < 3 else 0
    if kind == 4:
        inner = draw(st.lists(values(depth + 1), max_size=3))
        gap = draw(st.sampled_from(["", " ", "\n  ", " # c ]\n"]))
        return (
            "[" + ",".join(gap + item for item in inner) + draw(st.sampled_from(["", "\n"])) + "]"
        )
    if kind == 5:
        keys = draw(st.lists(KEYS, max_size=2, unique=True))
        pairs = [f"{dotted((key,))} = {draw(values(9))}" for key in keys]
        return "{ " + ", ".join(pairs) + " }"
    return draw(SCALARS)


@st.composite
def documents(draw: st.DrawFn) -> str:
    """Write lines of TOML; the test drops those that tomllib refuses."""
    lines = []
    for _ in range(draw(st.integers(0, 9))):
        path = dotted(tuple(draw(st.lists(KEYS, min_size=1, max_size=3))))
        indent, note = draw(BLANKS), draw(NOTES)
        kind = draw(st.integers(0, 5))
        if kind == 0:
            lines.append(f"{indent}[{path}]{note}")
        elif kind == 1:
            lines.append(f"{indent}[[{path}]]{note}")
        elif kind == 2:
            lines.append(note)
        else:
            lines.append(f"{indent}{path}{indent}={indent}{draw(values())}{note}")
    end = draw(st.sampled_from(["\n", "\r\n"]))
    text = "\n".join(lines).replace("\n", end)
    return text + draw(st.sampled_from(["", end]))


def parsed(text: str) -> dict[str, Any] | None:
    """Return what tomllib reads, or None when it refuses."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


@settings(max_examples=400, deadline=None)
@given(documents(), st.sampled_from(sorted(WISHES)))
def test_random_files(text: str, name: str) -> None:
    """Text that tomllib reads is merged exactly or refused as it is; never something else."""
    if parsed(text) is None:
        return
    try:
        merge(text, WISHES[name])
    except TomlError as error:
        assert "is a value" in str(error) or "is a table" in str(error) or "array" in str(error)  # noqa: PT017
        return
    judge(text, WISHES[name])


@settings(max_examples=300, deadline=None)
@given(documents())
def test_the_reader_finds_what_tomllib_finds(text: str) -> None:
    """Each statement's path exists for tomllib, and plain values are the same."""
    value = parsed(text)
    if value is None:
        return
    document = Document(text)
    for statement in document.statements:
        if ARRAY_ITEM in statement.path:
            continue
        found: Any = value
        for part in statement.path:
            found = found[part]
        plain = document.value(statement.path)
        if isinstance(plain, (str, int)):
            assert plain == found


@pytest.mark.parametrize("text", ALL)
def test_all_values_are_read_as_tomllib_reads_them(text: str) -> None:
    """Inline tables, arrays over lines with comments, dotted keys and long strings are values."""
    assert _only_plain(tomllib.loads(text.lstrip("\ufeff"))) == _only_plain(Document(text).tree())


def _only_plain(value: Any) -> Any:
    """Return a value without dates, floats, numbers in other bases, and arrays of tables."""
    if isinstance(value, dict):
        plain = {key: _only_plain(one) for key, one in value.items()}
        return {key: one for key, one in plain.items() if one not in (None, {}, [])}
    if isinstance(value, list):
        plain_items = [_only_plain(one) for one in value if not isinstance(one, dict)]
        return [one for one in plain_items if one not in (None, [])]
    return value if isinstance(value, (str, bool)) or value in range(100) else None


@settings(max_examples=400, deadline=None)
@given(
    st.text(max_size=60)
    | st.sampled_from(HOSTILE + REAL).flatmap(
        lambda text: st.integers(0, len(text)).map(lambda at: text[:at])
    )
)
def test_cut_and_random_text_never_breaks_the_reader(text: str) -> None:
    """A text is TOML for us, or a TomlError; nothing else is raised, whatever it is."""
    try:
        Document(text)
    except TomlError:
        assert parsed(text) is None
