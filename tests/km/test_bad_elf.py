# SPDX-License-Identifier: Apache-2.0
"""A file that is no program that a VM can run is refused, whatever is wrong with it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from . import elf_file
from .elf_file import PAGE, R, Segment, W, X
from .refusal import CANNOT_RUN, NOT_FOUND, assert_refused, run

IDENT = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
WHOLE = Segment()
LOADER_NAME = b"/no/such/loader\0"
LOADER_AT = elf_file.HEAD_SIZE + 2 * elf_file.PHDR_SIZE + len(elf_file.EXIT_42)


def _with(segment: Segment, tail: bytes = b"") -> bytes:
    return elf_file.make((WHOLE, segment), tail)


def _loader(name: bytes, size: "int | None" = None) -> bytes:
    length = len(name) if size is None else size
    return _with(Segment(elf_file.INTERP, R, LOADER_AT, 0, length, length), name)


REFUSED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "not an ELF file"),
    "text": (b"hello\n", "not an ELF file"),
    "only the magic": (b"\x7fELF", "beyond the end"),
    "32-bit": (elf_file.make(ident=b"\x7fELF\x01\x01\x01".ljust(16, b"\0")), "another machine"),
    "big-endian": (elf_file.make(ident=b"\x7fELF\x02\x02\x01".ljust(16, b"\0")), "machine"),
    "i386": (elf_file.make(machine=3), "machine 3"),
    "arm64": (elf_file.make(machine=183), "machine 183"),
    "relocatable": (elf_file.make(type=1), "not a program"),
    "core dump": (elf_file.make(type=4), "not a program"),
    "no program headers": (elf_file.make(phnum=0), "0 program headers"),
    "too many program headers": (elf_file.make(phnum=65535), "65535 program headers"),
    "small program headers": (elf_file.make(phentsize=32), "of 32 bytes"),
    "headers behind the end": (elf_file.make(phoff=1 << 20), "beyond the end"),
    "headers far away": (elf_file.make(phoff=(1 << 64) - 8), "beyond the end"),
    "nothing to load": (elf_file.make((Segment(type=4),)), "no segment to load"),
    "segment behind the end": (_with(Segment(offset=PAGE, filesz=PAGE)), "beyond the end"),
    "segment offset wraps": (
        _with(Segment(offset=(1 << 64) - PAGE, filesz=2 * PAGE)),
        "beyond the end",
    ),
    "more in the file than in memory": (_with(Segment(filesz=100, memsz=50)), "does not fit"),
    "not congruent": (_with(Segment(offset=8, vaddr=elf_file.BASE, filesz=8)), "does not fit"),
    "huge": (_with(Segment(flags=R | W, memsz=1 << 62)), "not within"),
    "larger than the payload's range": (_with(Segment(memsz=1 << 47)), "not within"),
    "wraps around": (_with(Segment(vaddr=(1 << 64) - PAGE, memsz=2 * PAGE)), "not within"),
    "negative": (_with(Segment(vaddr=1 << 63)), "not within"),
    "in the monitor's memory": (_with(Segment(vaddr=0x7D0000000000)), "not within"),
    "in the monitor's image": (_with(Segment(vaddr=0x7E0000000000)), "not within"),
    "reaches into the monitor": (
        _with(Segment(flags=R | W, vaddr=0x6FFE00000000, memsz=1 << 44)),
        "not within",
    ),
    "at the top": (_with(Segment(vaddr=0x7FFFFFFFF000)), "not within"),
    "at address 0": (_with(Segment(vaddr=0)), "not within"),
    "below what can be mapped": (_with(Segment(vaddr=PAGE)), "not within"),
    "entry in the monitor": (elf_file.make(entry=0x7E0000000000), "entry"),
    "entry in the kernel": (elf_file.make(entry=1 << 63), "entry"),
    "missing loader": (_loader(LOADER_NAME), "/no/such/loader does not exist"),
    "loader's name without an end": (_loader(b"/no/such/loader"), "loader"),
    "loader without a name": (_loader(b"\0"), "loader"),
    "loader's name of a gigabyte": (_loader(LOADER_NAME, 1 << 30), "loader"),
    "loader is a directory": (_loader(b"/etc\0"), "/etc"),
    "loader is a text": (_loader(b"/etc/passwd\0"), "/etc/passwd"),
    "loader is a device": (_loader(b"/dev/zero\0"), "/dev/zero"),
}

BOTH_WAYS: dict[str, bytes] = {
    "the smallest": elf_file.make(),
    "position independent": elf_file.make((Segment(vaddr=0),), type=elf_file.DYN, entry=0x78),
    "not allowed to run": elf_file.make((Segment(flags=R),)),
    "to run only": elf_file.make((Segment(flags=X),)),
    "entry in nothing": elf_file.make(entry=0x600000),
    "entry at 0": elf_file.make(entry=0),
    "twice the same segment": elf_file.make((WHOLE, WHOLE)),
    "zeroes over the code": elf_file.make(
        (WHOLE, Segment(flags=R | W | X, vaddr=elf_file.BASE, filesz=0, memsz=PAGE))
    ),
    "a gigabyte of zeroes": _with(
        Segment(flags=R | W, offset=0, vaddr=0x10000000, filesz=0, memsz=1 << 30)
    ),
    "empty segment": _with(Segment(flags=R | W, vaddr=0x500000, filesz=0, memsz=0)),
    "an odd alignment": elf_file.make((Segment(align=3),)),
}


def _write(folder: Path, content: bytes) -> Path:
    path = folder / "payload"
    path.write_bytes(content)
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("name", REFUSED)
def test_bad_file_is_refused(name: str, tmp_path: Path, km: Path) -> None:
    """A file that cannot be run gives status 126 and says what is wrong with it."""
    content, word = REFUSED[name]
    assert_refused(run([km, _write(tmp_path, content)]), CANNOT_RUN, word)


@pytest.mark.needs_kvm
@pytest.mark.usefixtures("kvm")
@pytest.mark.parametrize("name", BOTH_WAYS)
def test_strange_file_runs_as_natively(name: str, tmp_path: Path, km: Path) -> None:
    """A file that is strange but no error ends as on the host."""
    path = _write(tmp_path, BOTH_WAYS[name])
    assert run([km, path]).returncode == run([path]).returncode


@pytest.mark.needs_kvm
@pytest.mark.usefixtures("kvm")
def test_truncated_file_is_refused_or_runs(
    tmp_path: Path, build: Callable[..., Path], km: Path
) -> None:
    """A file cut off anywhere is refused with status 126, unless nothing that is loaded is lost."""
    whole = build("hello").read_bytes()
    ends = {*range(elf_file.HEAD_SIZE + 2), *range(64, 64 + 16 * 56, 28)}
    for end in sorted({*ends, *range(0, len(whole), 1009), len(whole) - 1}):
        done = run([km, _write(tmp_path, whole[:end])])
        if done.returncode:
            assert_refused(done, CANNOT_RUN, "not an ELF" if end < 4 else "beyond the end")
        else:
            assert (done.stdout, end > len(whole) // 3) == ("hello, world\n", True), end


def test_script_names_its_interpreter(tmp_path: Path, km: Path) -> None:
    """A script whose interpreter does not exist is as a program that does not exist."""
    done = run([km, _write(tmp_path, b"#!/no/such/interpreter\n")])
    assert_refused(done, NOT_FOUND, "/no/such/interpreter")
