# SPDX-License-Identifier: Apache-2.0
"""The page of what was run, made from what the runs left."""

import json
from typing import Any

from tools.docs import role_readme, support_matrix

TABLE = role_readme.read_yaml(support_matrix.PACKAGES)["__packages_table"]


def a_run(**more: Any) -> dict[str, Any]:
    """Return what tools/vm/scenarios keeps of a run."""
    step = {"name": "verify", "good": True, "seconds": 9, "passed": 5, "skipped": 1, "failed": 0}
    run = {
        "scenario": "install",
        "image": "bullseye",
        "date": "2026-11-26",
        "whole": True,
        "good": True,
        "steps": [step],
        "seconds": 125,
        "versions": {"podman": "3.0.1+dfsg1-3", "docker.io": "1:20.10.5-1", "python3": "3.9.2-3"},
    }
    return {**run, **more}


def test_page_is_made_from_the_record() -> None:
    """The pages in the repository are those that the record gives."""
    kept = support_matrix.RECORD
    record = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    assert support_matrix.PAGE.read_text(encoding="utf-8") == support_matrix.render(record, TABLE)
    performance = support_matrix.PERFORMANCE.read_text(encoding="utf-8")
    assert performance == support_matrix.with_counts(performance, record)


def test_instructions_become_a_table() -> None:
    """A run's counts stand in the page in place of an older run's, and nothing else."""
    page = "a\n<!-- from the record -->\n\n| old | 1 |\n\nb\n"
    run = a_run(figures={"instructions": {"an exit": 12345}})
    made = support_matrix.with_counts(page, {support_matrix.COUNTED: run})
    table = "| what | instructions |\n|---|---|\n| an exit | 12,345 |\n"
    assert made == page.replace("| old | 1 |\n", table)
    assert support_matrix.with_counts(page, {}) == page


def test_a_run_is_a_line_with_its_tests_and_time() -> None:
    """A run shows its release, its tests, its time and its date, and its host's versions."""
    page = support_matrix.render({"install@bullseye": a_run()}, TABLE)
    assert (
        "| `install` | Debian 11 | good | 5 passed, 1 skipped | 2 min 05 s | 2026-11-26 |" in page
    )
    assert "| Debian 11 (bullseye) |  | 3.9.2 | 3.0.1 | 20.10.5 |" in page


def test_a_run_without_a_record_is_shown() -> None:
    """A scenario that was never recorded has a line that says so, and each recorded one has none."""
    page = support_matrix.render({"install@bullseye": a_run()}, TABLE)
    assert "| `pods_on_svm` | Debian 13 | not recorded |" in page
    assert "| `install` | Debian 11 | not recorded |" not in page


def test_what_was_compared_is_shown() -> None:
    """A run that compares programs shows how many, and how often they ran by km and on the host."""
    figures = {"programs": 214, "runs by km": 1200, "runs on the host": 900}
    page = support_matrix.render({"x": a_run(figures=figures)}, TABLE)
    assert "5 passed, 1 skipped: 214 programs, 1,200 runs by km, 900 runs on the host |" in page


def test_a_failed_run_names_its_step() -> None:
    """A run that failed is shown as failed, and where."""
    steps = [{"name": "create", "good": True}, {"name": "converge", "good": False}]
    page = support_matrix.render({"x": a_run(good=False, whole=False, steps=steps)}, TABLE)
    assert "failed in converge | 0 passed, 0 skipped (short set)" in page


def test_other_distributions_are_marked_as_not_run() -> None:
    """Each family of the roles' table is on the page, below a heading that says so."""
    page = support_matrix.render({}, TABLE)
    for name in ("RHEL", "Fedora", "SLES", "Alpine", "Arch", "Ubuntu"):
        assert name in page.partition("## Not run here")[2]
    assert set(TABLE) == {"Debian", *support_matrix.DISTRIBUTIONS}
