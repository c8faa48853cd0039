# SPDX-License-Identifier: Apache-2.0
"""A host whose CPU cannot do KVM is refused, by install.sh and by the playbook."""

import os
import subprocess
from pathlib import Path

import pytest
from testinfra.host import Host  # type: ignore[import-untyped]  # it has no types

INSTALL_SH = "/root/kontain/install.sh"
PROBLEM = "there is no /dev/kvm"
FIX = "turn on nested virtualization for this virtual machine"


def test_host_has_no_kvm(host: Host) -> None:
    """The scenario shows what it says."""
    assert not host.file("/dev/kvm").exists
    assert "svm" not in host.file("/proc/cpuinfo").content_string.split()


@pytest.mark.parametrize("options", ["", "--dry-run"])
def test_install_sh_refuses_the_host(host: Host, options: str) -> None:
    """The script says what is missing and what to do, and ends with status 3."""
    done = host.run(f"{INSTALL_SH} {options}")
    assert done.rc == 3
    said = done.stdout + done.stderr
    assert PROBLEM in said
    assert FIX in said


def test_install_sh_wants_root(host: Host) -> None:
    """Another user than root gets status 4, before anything else."""
    done = host.run(f"setpriv --reuid=nobody --clear-groups sh < {INSTALL_SH}")
    assert done.rc == 4
    assert "To fix: run 'sudo ./install.sh'" in done.stderr


def test_install_sh_refuses_an_unknown_option(host: Host) -> None:
    """An option that does not exist ends the script with status 2."""
    done = host.run(f"{INSTALL_SH} --no-such-option")
    assert done.rc == 2
    assert "there is no option '--no-such-option'" in done.stderr


@pytest.mark.usefixtures("host")
def test_playbook_refuses_the_host() -> None:
    """The playbook fails with the same words, before any task that changes something."""
    scenario = Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"])
    shared = scenario.parent / "shared/inventory.yml"
    hosts = ["-i", str(shared), "-i", str(scenario / "hosts.yml")]
    command = ["ansible-playbook", *hosts, "kontain.platform.install"]
    plain = {**os.environ, "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_NOCOLOR": "1"}
    done = subprocess.run(command, env=plain, capture_output=True, text=True, check=False)
    said = " ".join((done.stdout + done.stderr).split())  # lines are folded anywhere
    assert done.returncode == 2
    assert PROBLEM in said
    assert FIX in said
    assert "changed=0" in said
