# SPDX-License-Identifier: Apache-2.0
"""How checks are run, and what their report says."""

from __future__ import annotations

import json

import pytest

from kontain_preflight.checks import CHECKS, PROOFS, Check, run_checks, unknown_ids
from kontain_preflight.host import Host
from kontain_preflight.results import (
    CANNOT_RUN,
    FAIL,
    GOOD,
    GOOD_WITH_WARNINGS,
    PASS,
    SKIP,
    WARN,
    Result,
    failed,
    passed,
    warned,
)

from .made_up import MadeUpHost, MadeUpKvm

ALL = CHECKS + PROOFS


def good(_host: Host) -> Result:
    """All is well."""
    return passed("well")


def dubious(_host: Host) -> Result:
    """Something is odd."""
    return warned("odd", "because", "look")


def bad(_host: Host) -> Result:
    """Something is wrong."""
    return failed("wrong", "because", "mend it")


def crash(_host: Host) -> Result:
    """The check has a mistake."""
    raise ZeroDivisionError("what a mistake")


def test_ids_and_titles_are_unique_and_whole() -> None:
    """Each check has an id of its own and a sentence as its title."""
    assert len({check.id for check in ALL}) == len(ALL)
    assert len({check.title for check in ALL}) == len(ALL)
    assert all(check.title.endswith(".") for check in ALL)


def test_what_a_check_needs_stands_before_it() -> None:
    """Needs are ids of earlier checks."""
    for number, check in enumerate(ALL):
        assert set(check.needs) <= {earlier.id for earlier in ALL[:number]}


@pytest.mark.parametrize(
    ("find", "status", "verdict"),
    [
        (good, GOOD, "good"),
        (dubious, GOOD_WITH_WARNINGS, "warnings"),
        (bad, CANNOT_RUN, "refused"),
        (crash, CANNOT_RUN, "refused"),
    ],
)
def test_the_worst_result_is_the_verdict(
    host: MadeUpHost, find: object, status: int, verdict: str
) -> None:
    """The exit status is 0, 1 or 3."""
    assert callable(find)
    report = run_checks(host, [Check("a", good), Check("b", find), Check("c", good)])
    assert report.exit_status == status
    assert report.as_dict()["verdict"] == verdict


def test_a_crash_is_the_failure_of_its_own_check(host: MadeUpHost) -> None:
    """The exception is named, and the checks after it run."""
    report = run_checks(host, [Check("a", crash), Check("b", good)])
    assert [result.status for result in report.results] == [FAIL, PASS]
    assert "ZeroDivisionError: what a mistake" in report.results[0].found
    assert "--ignore a" in report.results[0].fix


def test_a_check_is_skipped_when_what_it_needs_did_not_pass(host: MadeUpHost) -> None:
    """The reason names its need; skipping spreads to those that need the skipped one."""
    checks = [
        Check("a", bad),
        Check("b", good, ("a",)),
        Check("c", good, ("b",)),
        Check("d", good),
    ]
    report = run_checks(host, checks)
    assert [result.status for result in report.results] == [FAIL, SKIP, SKIP, PASS]
    assert "it needs a," in report.results[1].found


def test_an_ignored_result_stays_but_does_not_count(host: MadeUpHost) -> None:
    """Its status is shown, it is marked, and what needs it is skipped all the same."""
    checks = [Check("a", bad), Check("b", dubious), Check("c", good, ("a",))]
    report = run_checks(host, checks, ignore=["a", "b"])
    assert report.exit_status == GOOD
    assert [result.status for result in report.results] == [FAIL, WARN, SKIP]
    assert [result.ignored for result in report.results] == [True, True, False]


def test_unknown_ids_are_found() -> None:
    """An id to ignore must be that of a check."""
    assert unknown_ids(["kernel", "proof-km", "nonsense"]) == ["nonsense"]


def test_a_good_host_with_nothing_installed_has_warnings_only(host: MadeUpHost) -> None:
    """All checks run on a fresh host; the missing engine and backend are what it lacks."""
    report = run_checks(host)
    assert report.exit_status == GOOD_WITH_WARNINGS
    assert {result.check for result in report.having(WARN)} == {"backend", "engines"}
    assert len(report.results) == len(ALL)


def test_on_a_host_where_all_is_wrong_all_checks_run(host: MadeUpHost) -> None:
    """Every problem is reported, not the first."""
    host.machine, host.release_of_kernel, host.space = "aarch64", "4.4.0", (0, 0)
    host.device = None
    host.write("/etc/docker/daemon.json", "{")
    report = run_checks(host)
    failures = {result.check for result in report.having(FAIL)}
    assert failures == {
        "architecture",
        "kernel",
        "kvm-device",
        "prefix-space",
        "var-space",
        "docker-config",
    }
    for result in report.having(FAIL):
        assert result.found
        assert result.cause
        assert result.fix
        assert not result.fix.endswith(".")


def test_a_root_without_any_file_crashes_no_check(host: MadeUpHost) -> None:
    """Even /proc may be missing."""
    for name in ("usr", "proc"):
        (host.folder / name).rename(host.folder / f"no-{name}")
    report = run_checks(host)
    assert not [result for result in report.results if "itself failed" in result.found]


def test_kvm_is_given_back_even_when_a_check_is_interrupted(host: MadeUpHost) -> None:
    """An interruption passes through, and nothing stays open."""
    kvm = host.made_up_kvm = MadeUpKvm(failures={"create_vm": KeyboardInterrupt()})  # type: ignore[dict-item]
    with pytest.raises(KeyboardInterrupt):
        run_checks(host)
    assert kvm.closed


RESULT_KEYS = {
    "status": str,
    "found": str,
    "cause": str,
    "fix": str,
    "details": dict,
    "check": str,
    "title": str,
    "ignored": bool,
    "milliseconds": float,
}


def test_the_json_form_has_its_schema(host: MadeUpHost) -> None:
    """Schema 1: these keys and types, and text that JSON can carry."""
    report = json.loads(json.dumps(run_checks(host, ignore=["backend"]).as_dict()))
    assert list(report) == ["schema", "verdict", "exit_status", "release", "facts", "results"]
    assert (report["schema"], report["verdict"], report["release"]) == (1, "warnings", "")
    assert set(report["facts"]) == {
        "architecture",
        "container",
        "distribution",
        "kernel",
        "python",
        "user",
        "virtualization",
    }
    for result in report["results"]:
        assert {key: type(value) for key, value in result.items()} == RESULT_KEYS
        assert result["status"] in {PASS, WARN, FAIL, SKIP}
    assert [result["check"] for result in report["results"]] == [check.id for check in ALL]
