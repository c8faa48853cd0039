# SPDX-License-Identifier: Apache-2.0
"""What is said differently to crun and to runc."""

from __future__ import annotations

import os

import pytest

from krun import backend, kvm, options, state
from krun.backend import Backend
from krun.errors import KrunError

CRUN = Backend("crun", "/usr/bin/crun")
RUNC = Backend("runc", "/usr/sbin/runc")


def words(below: Backend, *given: str) -> list[str]:
    """Return what BELOW gets before the verb for the options GIVEN."""
    found, _ = options.scan(
        list(given), options.GLOBAL_VALUES, options.GLOBAL_LETTERS, in_order=True
    )
    return backend.global_words(below, found, "/r")


def test_log_options_are_the_same_for_both() -> None:
    """What both have is handed on in one form."""
    for below in (CRUN, RUNC):
        assert words(below, "--log", "f", "--log-format=json", "--debug", "--policy", "p") == [
            "--log=f",
            "--log-format=json",
            "--debug",
            "--root=/r",
        ]


@pytest.mark.parametrize(
    ("manager", "wanted"), [("systemd", ["--systemd-cgroup"]), ("disabled", []), ("cgroupfs", [])]
)
def test_cgroup_manager_of_crun_in_words_of_runc(manager: str, wanted: list[str]) -> None:
    """A podman sends `--cgroup-manager` to whatever is called krun, and runc does not know it."""
    given = ["--cgroup-manager", manager]

    assert words(RUNC, *given) == [*wanted, "--root=/r"]
    assert words(CRUN, *given) == [f"--cgroup-manager={manager}", "--root=/r"]


def test_options_of_the_other_backend_are_left_out() -> None:
    """`--criu` is runc's, `--log-level` is crun's."""
    assert words(CRUN, "--criu", "/c", "--log-level=debug") == ["--log-level=debug", "--root=/r"]
    assert words(RUNC, "--criu", "/c", "--log-level=debug") == ["--criu=/c", "--root=/r"]


def test_kvm_comes_after_what_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The descriptors of the caller and of socket activation keep their numbers."""
    environ: dict[bytes, bytes] = {}
    monkeypatch.setattr("posix.environ", environ)
    assert kvm.inherited(None, "runc") == (3, 1)
    assert kvm.inherited("2", "crun") == (5, 3)

    environ[b"LISTEN_FDS"] = b"4"
    assert kvm.inherited("2", "crun") == (9, 3)
    assert kvm.inherited("2", "runc") == (5, 3)
    environ[b"LISTEN_PID"] = str(os.getpid()).encode()
    assert kvm.inherited("2", "runc") == (9, 3)


@pytest.mark.parametrize("number", ["-1", "x", "1000000"])
def test_number_of_descriptors_is_checked(number: str) -> None:
    """A number that is none, or that no process may have open, is refused."""
    with pytest.raises(KrunError, match="cannot count the descriptors"):
        kvm.inherited(number, "crun")


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x", "a b", "ä", "a\n"])
def test_id_must_be_a_plain_name(name: str) -> None:
    """An ID becomes a file name, and so may be nothing else."""
    with pytest.raises(KrunError, match="invalid container ID format"):
        state.check_id(name)


def test_runc_sees_its_bundle_beside_the_root() -> None:
    """For runc, every folder in its root is a container."""
    assert state.shadow_path("/run/krun", "c") == "/run/krun.bundles/c"
