# SPDX-License-Identifier: Apache-2.0
"""The differences between words for crun and for runc."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from krun import backend, features, kvm, options, state
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
    """Common words are handed on in one form."""
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


@pytest.mark.parametrize("enabled", [True, False])
def test_user_namespaces_of_pods_are_as_the_backend_has_them(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], *, enabled: bool
) -> None:
    """A containerd 2 reads in `features` whether volumes can be mapped to a pod's users."""
    program = tmp_path / "runc"
    idmap = {"enabled": enabled}
    said = {"ociVersionMax": "1.2.0", "linux": {"mountExtensions": {"idmap": idmap}}}
    program.write_text(f"#!/bin/sh\necho '{json.dumps(said)}'\n")
    program.chmod(0o755)

    assert features.show(Backend("runc", str(program))) == 0
    assert json.loads(capfd.readouterr().out)["linux"]["mountExtensions"]["idmap"] == idmap


def test_crun_before_1_9_maps_no_mounts(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A crun of 1.8.1 loses the map of a mount and has no `features`: it is said not to have them."""
    program = tmp_path / "crun"
    program.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "crun version 1.8.1 +SECCOMP"\n')
    program.chmod(0o755)

    assert features.show(Backend("crun", str(program))) == 0
    known = json.loads(capfd.readouterr().out)
    assert known["linux"]["mountExtensions"] == {"idmap": {"enabled": False}}


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
