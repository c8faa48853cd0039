# SPDX-License-Identifier: Apache-2.0
"""gcc-kontain in the hands of build systems, and its programs that are not static."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]

HOST = """
#include <dlfcn.h>
#include <stdio.h>
int main(void)
{
    void *module = dlopen("./module.so", RTLD_NOW);
    int (*answer)(void) = module ? (int (*)(void))dlsym(module, "answer") : 0;
    return answer ? answer() : 1;
}
"""
MODULE = "static int n = 41;\nint *where(void) { return &n; }\nint answer(void) { return ++*where(); }\n"

# A library in C, a program in C++ that throws through it, and a test that is the program.
PART_C = "int twice(int n) { return 2 * n; }\n"
PART_CXX = """
#include <sys/utsname.h>
#include <cstring>
#include <iostream>
#include <stdexcept>
extern "C" int twice(int n);
int main()
{
    try {
        throw std::runtime_error("thrown");
    } catch (const std::exception &) {
        utsname system;
        uname(&system);
        std::cout << twice(21) << " " << (std::strstr(system.release, ".kontain.KVM") ? "vm" : "native") << "\\n";
    }
    return 0;
}
"""
CMAKE = """
cmake_minimum_required(VERSION 3.16)
project(both C CXX)
find_package(Threads REQUIRED)
add_library(part part.c)
add_executable(program main.cc)
target_link_libraries(program part Threads::Threads)
enable_testing()
add_test(NAME program COMMAND program)
set_tests_properties(program PROPERTIES PASS_REGULAR_EXPRESSION "42 vm")
"""
MESON = """
project('both', 'c', 'cpp')
part = library('part', 'part.c')
program = executable('program', 'main.cc', link_with: part, dependencies: dependency('threads'))
test('program', program)
"""
CONFIGURE = """
AC_INIT([both], [1])
AM_INIT_AUTOMAKE([foreign])
AC_PROG_CC
AC_CHECK_SIZEOF([long])
AC_SEARCH_LIBS([sqrt], [m])
AC_CONFIG_FILES([Makefile])
AC_OUTPUT
"""


def need(*programs: str) -> None:
    """Skip a test on a machine without `programs`."""
    for program in programs:
        if not shutil.which(program):
            pytest.skip(f"{program} is missing: run `make deps`")


def must(*command: "str | Path", folder: Path) -> str:
    """Run a command of a build in `folder`, which has to be good, and return what it printed."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def interpreter(program: Path) -> str:
    """Return the loader that `program` asks for, or nothing."""
    command = ["readelf", "--wide", "--program-headers", str(program)]
    headers = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = re.search(r"interpreter: (\S+)\]", headers)
    return found[1] if found else ""


@pytest.mark.needs_kvm
@pytest.mark.parametrize("libc", ["musl", "glibc"])
def test_dynamic_program_loads_its_module_in_a_vm(
    run: Run, km: Path, tmp_path: Path, libc: str
) -> None:
    """-dynamic makes a program of that libc's loader, -shared its module; the two work under km."""
    (tmp_path / "host.c").write_text(HOST)
    (tmp_path / "module.c").write_text(MODULE)
    made = run("gcc-kontain", f"--libc={libc}", "-dynamic", "host.c", "-o", "host")
    assert (made.returncode, made.stderr) == (0, "")
    made = run("gcc-kontain", f"--libc={libc}", "-shared", "module.c", "-o", "module.so")
    assert (made.returncode, made.stderr) == (0, "")
    assert ("musl" in interpreter(tmp_path / "host")) == (libc == "musl")
    assert run("./host").returncode == 42
    ran = subprocess.run([km, "./host"], cwd=tmp_path, check=False)
    assert ran.returncode == 42
    inspected = must(km, "--inspect", "host", folder=tmp_path)
    assert f"loader:     {interpreter(tmp_path / 'host')}\n" in inspected


def test_debug_symbols_stay(run: Run, tmp_path: Path) -> None:
    """-g puts debug information into the program: the debugger finds the source's lines."""
    (tmp_path / "main.c").write_text("int main(void)\n{\n    return 0;\n}\n")
    assert run("gcc-kontain", "-g", "main.c", "-o", "main").returncode == 0
    lines = must("readelf", "--debug-dump=decodedline", "main", folder=tmp_path)
    assert re.search(r"^main\.c +3 ", lines, re.MULTILINE)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with sources in C and C++."""
    (tmp_path / "part.c").write_text(PART_C)
    (tmp_path / "main.cc").write_text(PART_CXX)
    return tmp_path


@pytest.mark.needs_kvm
@pytest.mark.parametrize("dynamic", ["OFF", "ON"])
def test_cmake_builds_and_tests_in_vms(
    toolchain: Path, km: Path, project: Path, dynamic: str
) -> None:
    """A project of C and C++ builds by the toolchain file, and ctest runs its program under km."""
    need("cmake", "ctest")
    (project / "CMakeLists.txt").write_text(CMAKE)
    file = toolchain / "lib/toolchain/kontain.cmake"
    settings = [f"-DCMAKE_TOOLCHAIN_FILE={file}", f"-DCMAKE_CROSSCOMPILING_EMULATOR={km}"]
    must("cmake", "-B", "build", *settings, f"-DKONTAIN_DYNAMIC={dynamic}", folder=project)
    must("cmake", "--build", "build", folder=project)
    must("ctest", "--test-dir", "build", "--output-on-failure", folder=project)
    assert bool(interpreter(project / "build/program")) == (dynamic == "ON")


@pytest.mark.needs_kvm
def test_meson_builds_and_tests_in_vms(toolchain: Path, km: Path, project: Path) -> None:
    """A project of C and C++ builds by the cross file, and `meson test` runs its program under km."""
    need("meson", "ninja")
    (project / "meson.build").write_text(MESON)
    (project / "bin").mkdir()
    for program in [km, *(toolchain / "bin").iterdir()]:
        (project / "bin" / program.name).symlink_to(program)
    (project / "here.ini").write_text(f"[constants]\nbin = '{project}/bin'\n")
    file = toolchain / "lib/toolchain/kontain-meson.ini"
    must(
        "meson", "setup", "--cross-file", file, "--cross-file", "here.ini", "build", folder=project
    )
    must("meson", "test", "-C", "build", folder=project)
    assert interpreter(project / "build/program") == ""
    log = (project / "build/meson-logs/testlog.txt").read_text()
    assert "42 vm" in log


@pytest.mark.needs_kvm
def test_configure_script_builds_with_cc(toolchain: Path, km: Path, project: Path) -> None:
    """`CC=gcc-kontain ./configure && make` works, and what it made runs under km."""
    need("autoreconf", "automake")
    (project / "configure.ac").write_text(CONFIGURE)
    (project / "Makefile.am").write_text(
        "bin_PROGRAMS = program\nprogram_SOURCES = program.c\nprogram_LDADD = libpart.a\n"
        "noinst_LIBRARIES = libpart.a\nlibpart_a_SOURCES = part.c\n"
    )
    text = (
        (project / "configure.ac")
        .read_text()
        .replace("AC_PROG_CC", "AC_PROG_CC\nAC_PROG_RANLIB\nAM_PROG_AR")
    )
    (project / "configure.ac").write_text(text)
    (project / "program.c").write_text("int twice(int n);\nint main(void) { return twice(3); }\n")
    must("autoreconf", "--install", folder=project)
    must("./configure", f"CC={toolchain}/bin/gcc-kontain", folder=project)
    assert "ac_cv_sizeof_long=8" in (project / "config.log").read_text()
    must("make", "-s", folder=project)
    assert interpreter(project / "program") == ""
    assert subprocess.run([km, project / "program"], check=False).returncode == 6
