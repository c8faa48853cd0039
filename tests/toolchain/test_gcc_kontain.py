# SPDX-License-Identifier: Apache-2.0
"""gcc-kontain and g++-kontain with real programs, and their words when they fail."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]

HELLO = """
#include <stdio.h>
int main(void) { puts("hello"); return 7; }
"""
FEATURES = """
#include <iostream>
#include <stdexcept>
#include <thread>
struct Static { Static() { std::cout << "made\\n"; } ~Static() { std::cout << "gone\\n"; } } object;
int main()
{
    try {
        throw std::runtime_error("thrown");
    } catch (const std::exception &e) {
        std::cout << "caught " << e.what() << "\\n";
    }
    std::thread([] { std::cout << "thread\\n"; }).join();
    return 3;
}
"""


def elf(path: Path) -> str:
    """Return what readelf knows of a program's header, segments and notes."""
    command = ["readelf", "--wide", "--file-header", "--program-headers", "--notes", str(path)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize(
    ("options", "kind", "libc"),
    [
        ([], "DYN", "musl"),
        (["-static-pie"], "DYN", "musl"),
        (["-pie"], "DYN", "musl"),
        (["-static"], "EXEC", "musl"),
        (["-no-pie"], "EXEC", "musl"),
        (["-static", "-pie"], "EXEC", "musl"),
        (["--libc=glibc"], "DYN", "glibc"),
        (["-O2", "--libc=glibc", "-static"], "EXEC", "glibc"),
        (["-g", "-pthread", "-Wl,--gc-sections"], "DYN", "musl"),
    ],
)
def test_program_is_static_and_carries_the_note(
    run: Run, tmp_path: Path, options: list[str], kind: str, libc: str
) -> None:
    """A linked program is static, of the libc that was asked for, runs, and carries our note."""
    (tmp_path / "hello.c").write_text(HELLO)
    made = run("gcc-kontain", *options, "hello.c", "-o", "a payload")
    assert (made.returncode, made.stderr) == (0, "")
    headers = elf(tmp_path / "a payload")
    assert f"Type:                              {kind}" in headers
    assert "INTERP" not in headers
    assert "Kontain" in headers
    assert ("NT_GNU_ABI_TAG" in headers) == (libc == "glibc")
    ran = run("./a payload")
    assert (ran.stdout, ran.returncode) == ("hello\n", 7)


@pytest.mark.parametrize("options", [[], ["-static"], ["-O2", "-s"]])
def test_cxx_program_works_whole(run: Run, tmp_path: Path, options: list[str]) -> None:
    """A C++ program has its exceptions, threads, streams, and static constructors."""
    (tmp_path / "features.cc").write_text(FEATURES)
    assert run("g++-kontain", *options, "features.cc", "-o", "features").returncode == 0
    assert "INTERP" not in elf(tmp_path / "features")
    ran = run("./features")
    assert ran.stdout == "made\ncaught thrown\nthread\ngone\n"
    assert ran.returncode == 3


def test_steps_apart_link_as_one(run: Run, tmp_path: Path) -> None:
    """The steps -E, -S, -c, -r and the link, each on its own, make the program that one step makes."""
    (tmp_path / "main.c").write_text("int seven(void);\nint main(void) { return seven(); }\n")
    (tmp_path / "seven.c").write_text(
        "#ifndef __PIE__\n#error\n#endif\nint seven(void) { return 7; }\n"
    )
    assert run("gcc-kontain", "-E", "seven.c", "-o", "seven.i").returncode == 0
    assert run("gcc-kontain", "-S", "seven.i", "-o", "seven.s").returncode == 0
    assert run("gcc-kontain", "-c", "seven.s").returncode == 0
    assert run("gcc-kontain", "-c", "-fPIC", "main.c").returncode == 0
    assert run("gcc-kontain", "-r", "main.o", "seven.o", "-o", "both.o").returncode == 0
    assert run("gcc-kontain", "both.o", "-o", "program").returncode == 0
    assert run("./program").returncode == 7


def test_makefile_project_builds_with_cc(run: Run, toolchain: Path, tmp_path: Path) -> None:
    """A project with a Makefile and a static library builds by CC= alone."""
    (tmp_path / "Makefile").write_text(
        "CFLAGS = -O2 -MMD\nprogram: program.o libx.a\n\t$(CC) $(LDFLAGS) $^ -lm -o $@\n"
        "libx.a: x.o\n\t$(AR) rcs $@ $^\n"
    )
    (tmp_path / "program.c").write_text(
        '#include <stdio.h>\ndouble x(void);\nint main(void) { printf("%.1f\\n", x()); }\n'
    )
    (tmp_path / "x.c").write_text(
        "#include <math.h>\nvolatile double two = 2;\ndouble x(void) { return pow(two, 3); }\n"
    )
    compiler = toolchain / "bin" / "gcc-kontain"
    subprocess.run(["make", "-s", "-C", tmp_path, f"CC={compiler}"], check=True)
    assert run("./program").stdout == "8.0\n"
    assert "INTERP" not in elf(tmp_path / "program")


def test_standard_input_and_response_files_work(run: Run, tmp_path: Path) -> None:
    """A source on standard input and options in a response file are as gcc's."""
    (tmp_path / "options").write_text("-x c - -o 'a program' -DSTATUS=5")
    assert (
        run("gcc-kontain", "@options", input="int main(void) { return STATUS; }").returncode == 0
    )
    assert run("./a program").returncode == 5


def test_statuses_and_messages_are_those_of_gcc(run: Run, tmp_path: Path) -> None:
    """A refusal of gcc's has its words and its status; nothing is made."""
    (tmp_path / "wrong.c").write_text("int main(void) { return nothing; }\n")
    made = run("gcc-kontain", "wrong.c", "-o", "wrong")
    assert made.returncode == 1
    assert "wrong.c:1:25: error:" in made.stderr
    assert not (tmp_path / "wrong").exists()
    assert "no input files" in run("gcc-kontain").stderr


def test_version_is_that_of_gcc(run: Run) -> None:
    """Configure scripts learn the version of gcc."""
    native = subprocess.run(["gcc", "--version"], check=True, capture_output=True, text=True)
    assert run("gcc-kontain", "--version").stdout == native.stdout


@pytest.mark.parametrize("name", ["gcc-kontain", "g++-kontain", "kontain-gcc", "kontain-g++"])
def test_help_names_options_and_documentation(run: Run, name: str) -> None:
    """--help prints the options that are ours, and where the documentation is."""
    told = run(name, "--help", "-c", "x.c")
    assert (told.returncode, told.stderr) == (0, "")
    assert "--libc=musl" in told.stdout
    assert "https://" in told.stdout.splitlines()[-1]
    assert "#" not in told.stdout


def test_kv_prints_a_command_that_a_shell_can_run(run: Run, tmp_path: Path) -> None:
    """The command that -kv prints makes the same program."""
    (tmp_path / "hello.c").write_text("#include <stdio.h>\nint main(void) { puts(TEXT); }\n")
    shown = run("gcc-kontain", "-kv", """-DTEXT="it's a $HOME `x`" """, "hello.c", "-o", "first")
    first = (tmp_path / "first").read_bytes()
    (tmp_path / "first").unlink()
    subprocess.run(["sh", "-c", shown.stderr], check=True, cwd=tmp_path)
    assert (tmp_path / "first").read_bytes() == first
    assert run("./first").stdout == "it's a $HOME `x`\n"


@pytest.mark.parametrize(
    ("command", "found", "wanted"),
    [
        ("gcc-kontain --libc=bionic x.c", "--libc=bionic is not known", "--libc=musl"),
        ("gcc-kontain --libc= x.c", "--libc= is not known", "--libc=musl"),
        ("g++-kontain --libc=musl x.cc", "musl-gcc has no libstdc++", "leave --libc=musl"),
    ],
)
def test_refusals_say_why_and_what_to_do(run: Run, command: str, found: str, wanted: str) -> None:
    """An impossible program is refused before gcc starts, in two lines and with status 1."""
    made = run(*command.split())
    happened, fix, *more = made.stderr.splitlines()
    assert (made.returncode, more) == (1, [])
    assert happened.startswith(f"{command.split(maxsplit=1)[0]}: ")
    assert found in happened
    assert fix.startswith("To fix: ")
    assert wanted in fix


@pytest.mark.parametrize(
    ("present", "arguments", "found"),
    [
        ([], ["x.c"], "cannot compile: gcc is not in PATH"),
        (["gcc"], ["-c", "x.c"], "cannot compile for musl: musl-gcc is not in PATH"),
    ],
)
def test_missing_compilers_are_named(
    run: Run, tmp_path: Path, present: list[str], arguments: list[str], found: str
) -> None:
    """Without gcc or without musl the message names the package to install."""
    made = run("gcc-kontain", *arguments, env={"PATH": str(folder_of(tmp_path, present))})
    assert made.returncode == 1
    happened, fix = made.stderr.splitlines()
    assert found in happened
    assert "install the package" in fix


def test_missing_static_glibc_is_named(run: Run, tmp_path: Path) -> None:
    """Without the static glibc a link for glibc says which package has it; compiling needs it not."""
    tools = folder_of(tmp_path, [])
    (tools / "gcc").write_text("#!/bin/sh\necho libc.a\n")
    (tools / "gcc").chmod(0o755)
    linked = run("gcc-kontain", "--libc=glibc", "x.o", env={"PATH": str(tools)})
    assert linked.returncode == 1
    assert "finds no libc.a" in linked.stderr
    assert (
        run("gcc-kontain", "--libc=glibc", "-c", "x.c", env={"PATH": str(tools)}).returncode == 0
    )


def test_a_distribution_of_musl_needs_no_musl_gcc(run: Run, tmp_path: Path) -> None:
    """Where gcc itself compiles for musl, it is taken as it is."""
    tools = folder_of(tmp_path, [])
    (tools / "gcc").write_text(
        '#!/bin/sh\n[ "$1" = -dumpmachine ] && echo x86_64-alpine-linux-musl || echo "$@"\n'
    )
    (tools / "gcc").chmod(0o755)
    made = run("gcc-kontain", "x.c", env={"PATH": str(tools)})
    assert made.stdout.split()[:2] == ["-fPIE", "x.c"]
    assert made.stdout.split()[-1] == "-static-pie"
    assert made.returncode == 0


def folder_of(tmp_path: Path, programs: list[str]) -> Path:
    """Return a folder for PATH that has `programs` and what the script itself needs."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for program in [*programs, "readlink"]:
        found = shutil.which(program)
        assert found
        (folder / program).symlink_to(found)
    return folder


def test_hello_tells_that_it_is_not_in_a_vm(toolchain: Path) -> None:
    """The proof payload proves nothing outside a VM, says so, and fails."""
    ran = subprocess.run(
        [str(toolchain.parent / "hello.km")], check=False, capture_output=True, text=True
    )
    assert ran.stdout == f"Hello, but not from a Kontain VM: {' '.join(os.uname()[0:5:2])}\n"
    assert ran.returncode == 1


@pytest.mark.needs_kvm
def test_hello_tells_that_it_is_in_a_vm(toolchain: Path, km: Path) -> None:
    """The proof payload says in a VM of km that it is in one."""
    ran = subprocess.run(
        [km, toolchain.parent / "hello.km"], check=False, capture_output=True, text=True
    )
    assert ran.stdout.startswith("Hello from a Kontain VM: Linux ")
    assert ran.stdout.endswith(".kontain.KVM x86_64\n")
    assert ran.returncode == 0
