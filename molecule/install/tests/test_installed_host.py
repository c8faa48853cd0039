# SPDX-License-Identifier: Apache-2.0
"""A host after the playbook install."""

from testinfra.host import Host  # type: ignore[import-untyped]  # it has no types


def test_km_runs_a_payload(host: Host) -> None:
    """A payload of km runs in a VM."""
    done = host.run("/opt/kontain/bin/km /opt/kontain/current/share/hello.km")
    assert done.rc == 0
    assert ".kontain.KVM" in done.stdout
