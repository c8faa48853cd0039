# SPDX-License-Identifier: Apache-2.0
"""A host after everything was undone, or refused."""

from testinfra.host import Host  # type: ignore[import-untyped]  # it has no types


def test_every_file_is_what_it_was(host: Host) -> None:
    """The list of files with hashes is equal before and after, apart from packages and logs."""
    compared = host.run("python3 /run/molecule/snapshot.py compare /run/molecule/before.json")
    assert compared.stdout.strip() == ""
    assert compared.rc == 0
