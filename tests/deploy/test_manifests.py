# SPDX-License-Identifier: Apache-2.0
"""The manifests give each container no more than it needs, and agree with what they are about."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # it has no types

from kontain_node import cluster

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy/kubernetes"
VERSION = subprocess.run(
    [ROOT / "tools/release/version"], capture_output=True, text=True, check=True
).stdout.strip()
IMAGE = f"localhost/kontain/kubernetes:{VERSION}"
PATHS = sorted(path for path in FOLDER.rglob("*.yaml") if path.name != "kustomization.yaml")
FOLDERS = sorted(path.parent for path in FOLDER.rglob("kustomization.yaml"))


def documents() -> Iterator[dict[str, Any]]:
    """Yield every object of every file."""
    for path in PATHS:
        yield from yaml.safe_load_all(path.read_text())


def containers() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield the pod and each container of the DaemonSets and Jobs; patches are none."""
    for one in documents():
        pod = one.get("spec", {}).get("template", {}).get("spec", {})
        for container in [*pod.get("initContainers", []), *pod.get("containers", [])]:
            if "image" in container:
                yield pod, container


def mounts(container: dict[str, Any]) -> set[str]:
    """Return the names of what a container mounts."""
    return {mount["name"] for mount in container.get("volumeMounts", [])}


def test_what_is_privileged_reads_nothing_of_others() -> None:
    """No container without rights on the node may write to a volume of one that has them."""
    shared = 0
    for pod, container in containers():
        if container["securityContext"].get("privileged"):
            continue
        rights = [one for owner, one in containers() if owner == pod and one != container]
        theirs = {
            name
            for one in rights
            if one["securityContext"].get("privileged")
            for name in mounts(one)
        }
        for mount in container.get("volumeMounts", []):
            if mount["name"] in theirs:
                shared += 1
                assert mount.get("readOnly"), (container["name"], mount)
    assert shared


def test_what_is_privileged_has_no_token() -> None:
    """A container with rights on the node has none in the cluster, and the other way round."""
    kinds = set()
    for pod, container in containers():
        security = container["securityContext"]
        assert pod["automountServiceAccountToken"] is False
        kinds.add((bool(security.get("privileged")), "token" in mounts(container)))
        if not security.get("privileged"):
            assert security["runAsNonRoot"]
            assert security["readOnlyRootFilesystem"]
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert security["allowPrivilegeEscalation"] is False
    assert kinds == {(True, False), (False, True), (False, False)}


def test_rights_are_those_that_the_program_uses() -> None:
    """Nodes are read and labelled, events told, pods of the own namespace listed; nothing else."""
    roles = {
        (one["kind"], one["metadata"].get("namespace")): [
            (*rule["resources"], *sorted(rule["verbs"])) for rule in one["rules"]
        ]
        for one in documents()
        if one["kind"].endswith("Role")
    }
    assert roles == {
        ("ClusterRole", None): [("nodes", "get", "patch")],
        ("Role", "kontain-system"): [("pods", "list")],
        ("Role", "default"): [("events", "create")],
    }


def test_names_are_those_of_the_program() -> None:
    """The labels that the program sets are those that the manifests choose nodes by."""
    by_name = {(one["kind"], one["metadata"]["name"]): one for one in documents()}
    runtime = by_name["RuntimeClass", "kontain"]
    assert runtime["handler"] == cluster.HANDLER
    assert runtime["scheduling"]["nodeSelector"] == {cluster.RUNTIME: cluster.HANDLER}
    proof = by_name["DaemonSet", cluster.PROOF]["spec"]["template"]
    assert proof["metadata"]["labels"] == {"app": cluster.PROOF}
    assert proof["spec"]["nodeSelector"] == {cluster.STATE: cluster.PROVING}
    assert ("DaemonSet", cluster.NODE_APP) in by_name


def test_images_are_of_this_version() -> None:
    """Every container runs the node image of the version of this tree."""
    assert {container["image"] for _, container in containers()} == {IMAGE}


def test_a_registry_is_named_by_one_command(tmp_path: Path) -> None:
    """The page's command lets every manifest name the registry's image, those of the Jobs too."""
    page = (ROOT / "docs/how-to/use-kubernetes.md").read_text()
    (command,) = (line for line in page.splitlines() if line.startswith("sed "))
    shutil.copytree(FOLDER, tmp_path / "deploy/kubernetes")
    subprocess.run(["sh", "-ec", command], cwd=tmp_path, check=True)
    files = [tmp_path / path.relative_to(ROOT) for path in PATHS]
    found = {
        line.split()[-1]
        for file in files
        for line in file.read_text().splitlines()
        if "image:" in line
    }
    assert found == {f"registry.example/kontain/kubernetes:{VERSION}"}


def test_a_job_that_rolls_back_says_which_it_is() -> None:
    """The rollback's container has its Job's name of the API server's, which differs each time."""
    (job,) = (one for one in documents() if one["metadata"]["name"] == "kontain-rollback")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    (variable,) = container["env"]
    assert variable["name"] == "KONTAIN_JOB"
    assert variable["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.labels['controller-uid']"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_kustomize_builds_it(folder: Path) -> None:
    """`kubectl kustomize` takes every folder; test_cluster.py has kubectl 1.20 do so."""
    kubectl = shutil.which("kubectl")
    if not kubectl:
        pytest.skip("needs kubectl: install the package kubernetes-client")
    done = subprocess.run(
        [kubectl, "kustomize", str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    objects = list(yaml.safe_load_all(done.stdout))
    assert objects
    if folder.name == "crio":
        (node,) = (
            one
            for one in objects
            if one["metadata"]["name"] == "kontain-node" and one["kind"] == "DaemonSet"
        )
        install = node["spec"]["template"]["spec"]["containers"][0]
        assert install["env"][0] == {"name": "KONTAIN_ENGINE", "value": "crio"}
        assert [one["name"] for one in install["env"]] == ["KONTAIN_ENGINE", "KONTAIN_NODE"]
        assert install["image"] == IMAGE
