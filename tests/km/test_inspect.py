# SPDX-License-Identifier: Apache-2.0
"""km --inspect says what a program's file is, whatever the file holds, and runs nothing of it."""

import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from . import elf_file
from .refusal import CANNOT_RUN, NOT_FOUND, assert_refused, run

ROOT = Path(__file__).resolve().parents[2]

NOTE, DYNAMIC = 4, 2
KONTAIN = struct.pack("<III", 8, 6, 1) + b"Kontain\0" + b"1.2.3\0\0\0"


def write(path: Path, content: bytes) -> Path:
    """Write an executable file."""
    path.write_bytes(content)
    path.chmod(0o755)
    return path


def with_note(note: bytes, size: "int | None" = None) -> bytes:
    """Return a program with one note segment at its end."""
    segments = [elf_file.Segment(), elf_file.Segment(NOTE)]
    offset = len(elf_file.make(segments))
    segments[1] = elf_file.Segment(
        NOTE, offset=offset, filesz=len(note) if size is None else size, memsz=0
    )
    return elf_file.make(segments, tail=note)


def test_payload_of_gcc_kontain_shows_its_version(km: Path) -> None:
    """The hello payload is static, position independent, and of this tree's version; no KVM is used."""
    hello = ROOT / "build" / "hello.km"
    if not hello.exists():
        pytest.skip("build/hello.km is missing: run `make hello`")
    version = subprocess.run(
        [ROOT / "tools/release/version"], check=True, capture_output=True, text=True
    ).stdout.strip()
    done = run([km, "--kvm-fd", "999", "--inspect", hello])
    assert (done.returncode, done.stderr) == (0, "")
    lines = dict(line.split(":", 1) for line in done.stdout.splitlines())
    assert {name: value.strip() for name, value in lines.items() if name != "memory"} == {
        "file": str(hello),
        "program": "static, position independent, x86-64",
        "linked by": f"gcc-kontain {version}",
        "loader": "none",
        "libraries": "none",
    }


def test_dynamic_program_shows_loader_and_libraries(km: Path) -> None:
    """A program of the distribution shows what it needs, and that another compiler linked it."""
    done = run([km, "--inspect", "/bin/sh"])
    assert done.returncode == 0
    assert "program:    dynamic, " in done.stdout
    assert "linked by:  another compiler\n" in done.stdout
    assert "loader:     /lib64/ld-linux-x86-64.so.2\n" in done.stdout
    assert "libraries:  libc.so.6\n" in done.stdout


@pytest.mark.parametrize(
    ("note", "size", "says"),
    [
        (KONTAIN, None, "gcc-kontain 1.2.3"),
        (struct.pack("<III", 4, 4, 3) + b"GNU\0abcd" + KONTAIN, None, "gcc-kontain 1.2.3"),
        (KONTAIN.replace(b"1.2.3", b"\x1b[31m"), None, "gcc-kontain ?[31m"),
        (KONTAIN[:-4], None, "another compiler"),
        (KONTAIN[:11], None, "another compiler"),
        (struct.pack("<III", 0xFFFFFFFF, 0xFFFFFFFF, 1) + b"Kontain\0", None, "another compiler"),
        (struct.pack("<III", 8, 6, 1) + b"Konsole\0" + b"1.2.3\0\0\0", None, "another compiler"),
        (b"", 1 << 62, "another compiler"),
    ],
)
def test_notes_are_read_within_their_bounds(
    km: Path, tmp_path: Path, note: bytes, size: "int | None", says: str
) -> None:
    """The note is found among others; one that is cut or lies about its size is none."""
    done = run([km, "--inspect", write(tmp_path / "program", with_note(note, size))])
    assert (done.returncode, done.stderr) == (0, "")
    assert f"linked by:  {says}\n" in done.stdout


def test_what_cannot_run_is_refused_alike(km: Path, tmp_path: Path) -> None:
    """A missing file, or one that is not a program, has the words and the status of running it."""
    text = write(tmp_path / "text", b"no program\n")
    assert_refused(run([km, "--inspect", text]), CANNOT_RUN, "it is not an ELF file")
    missing = tmp_path / "missing"
    assert_refused(run([km, "--inspect", missing]), NOT_FOUND, "No such file or directory")


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(at=st.integers(0, 4095), byte=st.integers(0, 255))
def test_damaged_program_is_described_or_refused(
    km: Path, tmp_path_factory: pytest.TempPathFactory, at: int, byte: int
) -> None:
    """Any byte of the headers, notes and dynamic section may be wrong: km ends by itself."""
    content = bytearray(Path("/bin/true").read_bytes())
    content[at] = byte
    path = write(tmp_path_factory.mktemp("damaged") / "program", bytes(content))
    assert run([km, "--inspect", path]).returncode in (0, CANNOT_RUN)
