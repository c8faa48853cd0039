# SPDX-License-Identifier: Apache-2.0
"""The machine that a run measured on, for its JSON file and for the sentence next to its tables."""

from __future__ import annotations

import os
import time
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def facts() -> dict[str, Any]:
    """Return the date, the kernel, the CPU, the number of CPUs, the kind of KVM and the load."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    software = Path("/sys/module/kvm_pvm").exists()
    return {
        "date": time.strftime("%Y-%m-%d"),
        "kernel": ".".join(os.uname().release.split(".")[:2]),
        "cpu": names[0] if names else "unknown",
        "cpus": os.cpu_count(),
        "kvm": "KVM in software (PVM)" if software else "KVM in hardware",
        "load": round(os.getloadavg()[0], 1),
    }


def sentence(run: dict[str, Any]) -> str:
    """Return where and when a run was, from what facts() said at its end."""
    return (
        f"Run of {run['date']}: Linux {run['kernel']}, {run['cpus']} CPUs ({run['cpu']}), "
        f"{run['kvm']}, load {run['load']:g} at the end."
    )
