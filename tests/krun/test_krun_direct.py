# SPDX-License-Identifier: Apache-2.0
"""Programs of the host that its policy lets run directly on `exec`, and nothing else."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from krun import direct

from .support import BUSYBOX, FOREVER, ID, IN_A_VM, PATIENCE, BundleFolder, Runtime, start

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_kvm]

DIRECT = {"busybox": str(BUSYBOX), "/bin/sh": str(BUSYBOX)}
NATIVE = os.uname().release


def policy(krun: Runtime) -> dict[str, object]:
    """Return a policy with direct programs, whose log is the test's own."""
    return {"direct": DIRECT, "log": str(krun.policy.parent / "log" / "krun.log")}


def test_named_program_runs_directly(krun: Runtime, bundle: BundleFolder, tmp_path: Path) -> None:
    """It is the host's file, whatever the image has under its name, in both forms of exec."""
    krun.set_policy(policy(krun))
    (bundle.rootfs / "bin" / "busybox").rename(bundle.rootfs / "bin" / "tools")
    for applet in ("sleep", "uname"):
        (bundle.rootfs / "bin" / applet).unlink()
        (bundle.rootfs / "bin" / applet).symlink_to("tools")
    start(krun, bundle, "sleep", FOREVER)
    path = tmp_path / "process.json"
    path.write_text(json.dumps({**bundle.doc["process"], "args": ["busybox", "uname", "-r"]}))

    assert krun("exec", ID, "busybox", "uname", "-r").stdout == f"{NATIVE}\n"
    assert krun("exec", "--process", str(path), ID).stdout == f"{NATIVE}\n"
    assert krun("exec", ID, "/bin/sh", "-c", "echo $0 $#; exit 3").returncode == 3
    assert krun("exec", ID, "uname", "-r").stdout.endswith(f"{IN_A_VM}\n")


def test_direct_program_runs_nothing_of_the_image(krun: Runtime, bundle: BundleFolder) -> None:
    """A direct shell is refused the image's programs by the kernel."""
    krun.set_policy(policy(krun))
    start(krun, bundle, "sleep", FOREVER)

    done = krun("exec", ID, "/bin/sh", "-c", "/bin/busybox true")
    assert "Permission denied" in done.stderr
    assert done.returncode == 126


def test_environment_of_the_image_does_not_count(
    krun: Runtime, bundle: BundleFolder, tmp_path: Path
) -> None:
    """A direct shell reads no file that the image's ENV names; it gets PATH, and a plain TERM."""
    krun.set_policy(policy(krun))
    env = ["PATH=/bin", "ENV=/evil", "BASH_ENV=/evil", "HOME=/", "LD_PRELOAD=/evil", "A=b"]
    bundle.doc["process"]["env"] = [*env, "TERM=xterm-256color"]
    (bundle.rootfs / "evil").write_text("echo evil ran\n")
    start(krun, bundle, "sleep", FOREVER)
    path = tmp_path / "process.json"
    wanted = {"PATH=/dev/.kontain/direct", "HOME=/dev/null", "TERM=xterm-256color"}

    shown = krun("exec", "--env=ENV=/evil", ID, "busybox", "env")
    assert set(shown.stdout.splitlines()) - {"SHLVL=1"} == wanted, shown.stderr
    path.write_text(json.dumps({**bundle.doc["process"], "args": ["busybox", "env"]}))
    assert set(krun("exec", "--process", str(path), ID).stdout.splitlines()) == wanted
    path.write_text(json.dumps({**bundle.doc["process"], "args": ["/bin/sh", "-i"]}))
    for words in (["--process", str(path), ID], [ID, "/bin/sh", "-i"]):
        done = krun("exec", *words, stdin=None, input="echo env $ENV.; busybox uname -r\n")
        assert "evil ran" not in done.stdout
        assert f"env .\n{NATIVE}\n" in done.stdout, done.stderr


def test_options_of_a_direct_program(krun: Runtime, bundle: BundleFolder) -> None:
    """Its user and folder are known without a process document; the rest is reported."""
    krun.set_policy(policy(krun))
    start(krun, bundle, "sleep", FOREVER)
    script = [ID, "/bin/sh", "-c", "busybox id -u; busybox id -g; busybox pwd"]

    assert krun("exec", "--user=1000:100", "--cwd=/bin", *script).stdout == "1000\n100\n/bin\n"
    assert krun("exec", *script).stdout == "0\n0\n/\n"
    for option in ("--user=root", "--cap=CAP_KILL", "--additional-gids=1"):
        done = krun("exec", option, *script)
        assert (done.returncode, done.stdout) == (125, ""), done.stderr


@pytest.mark.parametrize("term", ["", "/x", "a/../b", "x" * 65, "a b", "ä", "$(id)"])
def test_kind_of_terminal_is_a_plain_name(term: str) -> None:
    """A word that could be a path, or a command, is not a kind of terminal."""
    env = direct.environment(["TERM=xterm", f"TERM={term}"])
    assert env == [f"PATH={direct.FOLDER}", "HOME=/dev/null"]


def test_only_exec_only_by_name_only_while_allowed(krun: Runtime, bundle: BundleFolder) -> None:
    """An entry point, another spelling, and what the policy no longer names run in a VM."""
    krun.set_policy(policy(krun))
    done = krun("run", "-b", bundle.args("busybox", "uname", "-r"), "entry")
    assert done.stdout.endswith(f"{IN_A_VM}\n")
    start(krun, bundle, "sleep", FOREVER)
    for name in ("/bin/busybox", "/bin/../bin/busybox"):
        assert krun("exec", ID, name, "uname", "-r").stdout.endswith(f"{IN_A_VM}\n")
    krun.set_policy({})
    assert krun("exec", ID, "busybox", "uname", "-r").stdout.endswith(f"{IN_A_VM}\n")


def test_container_made_before_the_policy(krun: Runtime, bundle: BundleFolder) -> None:
    """A container that has not the host's program runs the image's, in a VM."""
    start(krun, bundle, "sleep", FOREVER)
    krun.set_policy(policy(krun))

    assert krun("exec", ID, "busybox", "uname", "-r").stdout.endswith(f"{IN_A_VM}\n")


def test_what_ran_directly_is_told(krun: Runtime, bundle: BundleFolder) -> None:
    """The log and `krun list` have the program, and by which line it could run."""
    krun.set_policy(policy(krun))
    start(krun, bundle, "sleep", FOREVER)
    assert "DIRECT" not in krun("list").stdout
    krun("exec", ID, "busybox", "true")
    krun("exec", ID, "/bin/sh", "-c", ":\n")

    lines = (krun.policy.parent / "log" / "krun.log").read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    assert [entry["args"] for entry in entries] == [["busybox", "true"], ["/bin/sh", "-c", ":\n"]]
    assert entries[0]["by"] == f"{krun.policy}: direct.busybox"
    table = krun("list").stdout.splitlines()
    assert table[0].endswith("DIRECT")
    assert table[1].endswith("/bin/sh(1),busybox(1)")
    (listed,) = json.loads(krun("list", "--format", "json").stdout)
    assert [run["args"][0] for run in listed["direct"]] == ["busybox", "/bin/sh"]
    assert krun("list", "-q").stdout == f"{ID}\n"
    krun("delete", "--force", ID)
    assert not list(krun.root.with_name("state.bundles").iterdir())


def test_no_direct_run_without_a_log(krun: Runtime, bundle: BundleFolder) -> None:
    """A run that cannot be recorded does not happen: in a folder, or a pipe that nobody reads."""
    pipe = bundle.path / "pipe"
    os.mkfifo(pipe)
    krun.set_policy(policy(krun))
    start(krun, bundle, "sleep", FOREVER)
    for log in (krun.policy.parent, pipe):
        krun.set_policy({**policy(krun), "log": str(log)})
        done = krun("exec", ID, "busybox", "true", timeout=20 * PATIENCE)
        assert "cannot run busybox directly: it cannot be written to" in done.stderr
        assert done.returncode == 125


def test_annotation_selects_direct_programs(krun: Runtime, bundle: BundleFolder) -> None:
    """Only the container that asks for what the host offers has it, at create and at exec."""
    offer = {"choices": {"tools": policy(krun)}}
    krun.set_policy({**offer, "annotations": ["app.kontain.*"]})
    start(krun, bundle, "sleep", FOREVER)
    assert krun("exec", ID, "busybox", "uname", "-r").stdout.endswith(f"{IN_A_VM}\n")
    krun("delete", "--force", ID)
    bundle.doc["annotations"] = {"app.kontain.policy": "tools"}
    start(krun, bundle, "sleep", FOREVER)
    assert krun("exec", ID, "busybox", "uname", "-r").stdout == f"{NATIVE}\n"
    bundle.doc["annotations"] = {"app.kontain.policy": "all"}
    done = krun("create", "-b", bundle.args("true"), "other")
    assert "asks for 'all', and this host offers tools" in done.stderr
    bundle.doc["annotations"] = {"app.kontain.policy": "tools"}
    krun.set_policy(offer)
    for words in (["create", "-b", bundle.args("true"), "other"], ["exec", ID, "true"]):
        assert "this host lets no annotation choose" in krun(*words).stderr
