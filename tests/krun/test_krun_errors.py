# SPDX-License-Identifier: Apache-2.0
"""An error is reported once, in two lines, in words that engines understand."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import pytest

from .support import FOREVER, ID, KRUN, PATIENCE, BundleFolder, Runtime, start

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_kvm]


@pytest.mark.parametrize(
    ("args", "status", "words"),
    [
        (["nope"], 127, 'exec: "nope": executable file not found in $PATH'),
        (["/nope"], 127, "no such file or directory"),
        (["/etc"], 126, "permission denied"),
        ([], 125, "process.args is missing or empty"),
    ],
)
def test_missing_payload(
    krun: Runtime, bundle: BundleFolder, args: list[str], status: int, words: str
) -> None:
    """A payload that cannot run is reported at create: once in the log, and on standard error."""
    log = bundle.path / "log"
    (bundle.rootfs / "etc").mkdir()
    words_of_log = ["--log", str(log), "--log-format=json"]

    done = krun(*words_of_log, "run", "-b", bundle.args(*args), ID)
    entry = json.loads(log.read_text())
    assert done.returncode == status
    assert (entry["level"], entry["msg"] + "\n") == ("error", done.stderr)
    assert words in entry["msg"]
    assert not done.stdout
    assert krun("create", "-b", str(bundle.path), ID).returncode == 1
    assert not krun.root.exists() or not list(krun.root.iterdir())


def test_wrong_calls(krun: Runtime, bundle: BundleFolder) -> None:
    """A wrong call gets two lines, with a status that is not 0."""
    (bundle.path / "broken.json").write_text("{")
    for words, text in [
        (["frob"], 'unknown command "frob"'),
        (["create"], "create needs one container ID, found 0"),
        (["create", "-b", str(bundle.path), "a/b"], 'invalid container ID format: "a/b"'),
        (["create", "-b", "/nope", ID], "cannot open the bundle /nope: it does not exist"),
        (["create", "-b", str(bundle.path), "-f", "broken.json", ID], "broken.json: it is not"),
        (["create", "-b", str(bundle.rootfs), ID], "/rootfs/config.json: it does not exist"),
        (["start", "nope"], "container does not exist: nope"),
        (["exec", "nope", "true"], "container does not exist: nope"),
        (["state", "../etc"], "container does not exist: ../etc"),
        (["create", "--bundle"], "option --bundle has no value"),
    ]:
        done = krun(*words)
        assert done.returncode != 0
        assert text in done.stderr
        assert [line.split(":")[0] for line in done.stderr.splitlines()] == ["krun", "To fix"]


def test_no_document_is_waited_for(krun: Runtime, bundle: BundleFolder) -> None:
    """A pipe in the place of a document is refused at once, though nobody writes to it."""
    pipe = bundle.path / "pipe"
    os.mkfifo(pipe)
    start(krun, bundle, "sleep", FOREVER)
    lost = krun.root / "lost"
    lost.mkdir()
    state = lost / {"crun": "status", "runc": "state.json"}[krun.backend]
    of_state = [["list"], ["state", "lost"], ["kill", "lost"], ["exec", "lost", "true"],
                ["delete", "--force", "lost"], ["delete", "lost"], ["diff", "lost"]]  # fmt: skip
    for file, calls in {
        bundle.path / "pipe.json": [["create", "-b", str(bundle.path), "-f", "pipe.json", "new"]],
        pipe: [
            ["exec", "--process", str(pipe), ID],
            ["update", "--resources", str(pipe), ID],
            ["--policy", str(pipe), "create", "-b", str(bundle.path), "new"],
        ],
        state: of_state,
    }.items():
        if not file.exists():
            os.mkfifo(file)
        for words in calls:
            done = krun(*words, timeout=20 * PATIENCE)
            assert done.returncode != 0
            assert f"{file.name}: found prw-" in done.stderr, words
            assert [line.split(":")[0] for line in done.stderr.splitlines()] == ["krun", "To fix"]
    shutil.rmtree(lost)


def test_no_kvm(krun: Runtime, bundle: BundleFolder) -> None:
    """A host without KVM is reported in words that no engine takes for a missing payload."""
    hide = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs none /dev && exec "$@"', "sh"]
    command = [*hide, str(KRUN), *krun.words, "run", "-b", bundle.args("true"), ID]

    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 125
    assert "krun: this host has no KVM: /dev/kvm does not exist" in done.stderr
    assert "no such file" not in done.stderr.lower()
