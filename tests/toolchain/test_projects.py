# SPDX-License-Identifier: Apache-2.0
"""Projects that people have build with gcc-kontain, and pass their own tests under km."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolchain.sources import fetch, projects


@pytest.mark.needs_kvm
@pytest.mark.slow
@pytest.mark.parametrize("name", ["zlib", "lua5.1"])
def test_project_passes_its_own_tests_under_km(
    toolchain: Path, km: Path, tmp_path: Path, name: str
) -> None:
    """A project of the distribution's sources builds unchanged, and its tests pass in VMs."""
    assert (toolchain, km) == (projects.TOOLCHAIN, projects.KM)
    try:
        sources = fetch.Sources(Path.home() / ".cache/kontain/sources")
    except fetch.FetchError as problem:
        pytest.skip(f"no sources can be had: {problem}")
    result = projects.prove(projects.PROJECTS[name], sources, tmp_path)
    assert result.built, result.said
    assert result.passed, result.said
