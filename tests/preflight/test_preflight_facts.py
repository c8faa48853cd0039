# SPDX-License-Identifier: Apache-2.0
"""The facts of a report are the same by the packages distro and py-cpuinfo as without them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kontain_preflight import deep_facts
from kontain_preflight.facts import distribution
from kontain_preflight.host import Host

from .made_up import MadeUpHost

CORPUS = Path(__file__).parent / "os_release.txt"
"""The os-release of many distributions: a line `== NAME` before each."""
RELEASES = dict(
    part.split("\n", 1) for part in CORPUS.read_text(encoding="utf-8").split("== ")[1:]
)


def without_source(facts: dict[str, Any]) -> dict[str, Any]:
    """Return facts without where they come from."""
    return {name: value for name, value in facts.items() if name != "source"}


@pytest.mark.parametrize("name", RELEASES)
def test_both_readers_of_os_release_agree(host: MadeUpHost, name: str) -> None:
    """ID, ID_LIKE, version, codename and name of each distribution are read alike."""
    pytest.importorskip("distro", reason="needs the package distro: run `make venv`")
    host.write("/etc/os-release", RELEASES[name])

    by_library = deep_facts.distribution(host)

    assert by_library["source"].startswith("distro ")
    assert without_source(by_library) == without_source(deep_facts.read_distribution(host))
    assert by_library["id"]
    assert {**distribution(host)}.items() <= by_library.items()


@pytest.mark.slow
def test_both_readers_of_the_cpu_agree() -> None:
    """Vendor, brand, family, model and stepping of this CPU are the same, and no flag is lost."""
    pytest.importorskip("cpuinfo", reason="needs the package py-cpuinfo: run `make venv`")
    by_library, by_reader = deep_facts.cpu(Host()), deep_facts.read_cpu(Host())

    assert by_library["source"].startswith("py-cpuinfo")
    assert set(by_reader["flags"]) <= set(by_library["flags"])
    for facts in (by_library, by_reader):
        del facts["source"], facts["flags"]
    assert by_library == by_reader
    assert by_reader["vendor"]
    assert by_reader["caches"]


def test_without_the_packages_the_readers_answer(
    host: MadeUpHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where neither can be imported, the facts are there all the same, and say from where."""
    monkeypatch.setattr(deep_facts, "_library", lambda _: None)
    host.write("/etc/os-release", RELEASES["Debian 12"])
    host.cpu("svm avx2")

    facts = deep_facts.collect(host)

    assert facts["distribution"]["codename"] == "bookworm"
    assert facts["cpu"]["flags"] == ["avx2", "fpu", "svm"]
    assert {each["source"] for each in facts.values()} == {"the readers of kontain"}
    json.dumps(facts)
