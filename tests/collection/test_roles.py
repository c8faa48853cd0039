# SPDX-License-Identifier: Apache-2.0
"""The roles as data: their promises, and the packages of each distribution."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.sources import ROOT
from tools.docs import role_readme

ROLES = sorted((ROOT / "roles").iterdir())
TABLE = role_readme.read_yaml(ROOT / "roles/packages/vars/main.yml")["__packages_table"]
FAMILIES = ("Debian", "RedHat", "Suse", "Alpine", "Archlinux")  # os_family, as Ansible calls them


@pytest.fixture(params=ROLES, ids=lambda role: role.name)
def role(request: pytest.FixtureRequest) -> Path:
    """Each role."""
    folder: Path = request.param
    return folder


def test_readme_is_the_argument_spec(role: Path) -> None:
    """A role's README says what its argument spec says: run `python3 -m tools.docs.role_readme`."""
    assert (role / "README.md").read_text(encoding="utf-8") == role_readme.readme(role)


def test_variables_are_specified_and_prefixed(role: Path) -> None:
    """Every variable has a default or is required, and the role's name before it."""
    options = role_readme.read_yaml(role / "meta/argument_specs.yml")["argument_specs"]["main"]
    defaults_file = role / "defaults/main.yml"
    defaults = role_readme.read_yaml(defaults_file) if defaults_file.exists() else {}
    optional = {name for name, option in options["options"].items() if not option.get("required")}

    assert set(defaults) == optional
    assert all(name.startswith(f"{role.name}_") for name in options["options"])
    for name, option in options["options"].items():
        if name in optional and "{{" not in str(defaults[name]):
            assert option["default"] == defaults[name]


def test_roles_leave_the_work_to_modules(role: Path) -> None:
    """No task runs a shell, and a command only where a release is built from its sources."""
    used = {
        (path.name, action)
        for path in (role / "tasks").glob("*.yml")
        for task in role_readme.read_yaml(path)
        for action in task
    }

    assert not {name for name, action in used if action.endswith((".shell", ".raw", ".script"))}
    assert {name for name, action in used if action.endswith(".command")} <= {"build.yml"}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_has_every_program(family: str) -> None:
    """The table knows each program for each family, also programs that a distribution lacks."""
    assert list(TABLE[family]) == list(TABLE["Debian"])
    for program, packages in TABLE[family].items():
        assert all(re.fullmatch(r"[a-z0-9][a-z0-9.+-]*", name) for name in packages), program


def test_every_program_that_roles_ask_for_is_in_the_table() -> None:
    """Each program that krun, toolchain, podman, docker and km ask for has packages."""
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "roles").glob("*/tasks/*.yml")]
    lists = re.findall(r"packages_programs: \[([^]{\"]*)\]", "\n".join(texts))
    asked = {name.strip() for names in lists for name in names.split(",")}
    specs = [role_readme.read_yaml(ROOT / f"roles/{r}/meta/argument_specs.yml") for r in _ASKING]
    chosen = [spec["argument_specs"]["main"]["options"] for spec in specs]

    assert asked | {"gcc", "g++", "musl-gcc", "crun", "runc"} == set(TABLE["Debian"])
    assert chosen[0]["krun_backend"]["choices"] == ["crun", "runc"]
    assert chosen[1]["toolchain_programs"]["choices"] == ["gcc", "g++", "musl-gcc"]


_ASKING = ("krun", "toolchain")


@pytest.mark.parametrize(
    ("manager", "family"),
    [
        ("apt-get", "Debian"),
        ("dnf", "RedHat"),
        ("zypper", "Suse"),
        ("apk", "Alpine"),
        ("pacman", "Archlinux"),
    ],
)
def test_install_sh_knows_the_same_packages(manager: str, family: str) -> None:
    """install.sh, which starts without Ansible, names the packages that the roles name."""
    functions = (ROOT / "install.sh").read_text(encoding="utf-8").removesuffix('{ main "$@"; }\n')
    for program in ("make", "gcc", "musl-gcc"):
        script = f"{functions}\nMANAGER={manager}\npackage_of {program}\n"
        said = subprocess.run(
            ["sh", "-s"], input=script, check=True, capture_output=True, text=True
        )
        assert said.stdout.split(), program
        assert set(said.stdout.split()) <= set(TABLE[family][program]), program
