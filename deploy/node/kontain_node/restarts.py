# SPDX-License-Identifier: Apache-2.0
"""Restart services that read a registration only at their start, but for containerd's own unit.

k3s, RKE2 and k0s start their containerd themselves, MicroK8s' is a unit of a snap; CRI-O takes a file
at a reload. Times tell which of them is pending: that of the file, and the start of the unit.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Optional

from .engine import NODE, PREFIX, on_node

UNITS = {  # by the folder of the files that they read when they start
    "/var/lib/rancher/k3s/agent/etc/containerd": ("k3s", "k3s-agent"),
    "/var/lib/rancher/rke2/agent/etc/containerd": ("rke2-server", "rke2-agent"),
    "/etc/k0s": ("k0scontroller", "k0sworker"),
    "/var/snap/microk8s/current/args": ("snap.microk8s.daemon-containerd",),
}
_KINDS = (".toml", ".tmpl")
_CRIO = "/etc/crio/crio.conf.d/50-kontain.conf"
_MARK = f"{PREFIX}/bin/krun".encode()


def restart_distribution(engine: str) -> str:
    """Bring what is pending into effect; return why that failed, "" where it did not."""
    if engine == "crio":
        return _reload_crio()
    for folder, units in UNITS.items():
        changed = _registered(folder)
        for unit in units if changed else ():
            began = start_of(unit)
            if began is not None and began <= changed:
                done = on_node("systemctl", "restart", unit)
                if done.returncode:
                    return f"systemctl restart {unit}: {done.stderr.strip()}"
    return ""


def _reload_crio() -> str:
    """Let CRI-O read its files again; that changes nothing where it knows them."""
    if not (NODE / _CRIO.lstrip("/")).exists():
        return ""
    done = on_node("systemctl", "reload", "crio")
    return f"systemctl reload crio: {done.stderr.strip()}" if done.returncode else ""


def _registered(folder: str) -> float:
    """Return when the last file with our runtime was made there, 0 where there is none."""
    files = [
        file
        for file in (NODE / folder.lstrip("/")).rglob("*")
        if file.suffix in _KINDS and file.is_file() and _MARK in file.read_bytes()
    ]
    return max((file.stat().st_ctime for file in files), default=0.0)


def start_of(unit: str) -> Optional[float]:
    """Return when a unit's main process began (seconds since 1970), None where it does not run."""
    pid = on_node("systemctl", "show", "--property=MainPID", "--value", unit).stdout.strip()
    if not pid.isdigit() or pid == "0":
        return None
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    ticks = int(fields[19])  # starttime, the 22nd field of proc(5)
    booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    return booted + ticks / os.sysconf("SC_CLK_TCK")
