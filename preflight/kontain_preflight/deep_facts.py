# SPDX-License-Identifier: Apache-2.0
"""Facts for a report of a problem: more than a check wants, and some of them slow to get.

The packages distro and py-cpuinfo are asked where they can be imported: in an environment that
has them, such as a controller's, or in the private one of install.sh. Elsewhere the readers here
give the same answer; `source` says which of the two it was. py-cpuinfo takes a second.
"""

from __future__ import annotations

import contextlib
import importlib
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Dict, Iterator, List, Optional

from .facts import cpu_flags, os_release, virtualization
from .host import Host

PRIVATE = "/var/lib/kontain/ansible/lib/python{}.{}/site-packages"
"""The packages of install.sh's private environment, by the Python that it was made for."""

_CACHES = "/sys/devices/system/cpu/cpu0/cache"
_CODENAME = re.compile(r"\((\D+)\)|,\s*(\D+)")  # in VERSION, as in '12 (bookworm)'
_READERS = "the readers of kontain"


def collect(host: Host) -> Dict[str, Any]:
    """Return `distribution` and `cpu`; unreadable facts are empty."""
    return {"distribution": distribution(host), "cpu": cpu(host)}


def distribution(host: Host) -> Dict[str, Any]:
    """Return `id`, `like` (a list), `version`, `codename`, `name` of os-release(5), and `source`."""
    library = _library("distro")
    if library is None:
        return read_distribution(host)
    found = library.LinuxDistribution(
        include_lsb=False, include_uname=False, root_dir=host.root if host.root != "/" else None
    )
    return {
        "id": found.os_release_attr("id"),
        "like": found.os_release_attr("id_like").split(),
        "version": found.os_release_attr("version_id"),
        "codename": found.os_release_attr("codename"),
        "name": found.os_release_attr("pretty_name"),
        "source": f"distro {library.__version__}",
    }


def read_distribution(host: Host) -> Dict[str, Any]:
    """Return the same without the package distro."""
    values = os_release(host)
    in_version = _CODENAME.search(values.get("VERSION", ""))
    codename = in_version and (in_version[1] or in_version[2])
    return {
        "id": values.get("ID", ""),
        "like": values.get("ID_LIKE", "").split(),
        "version": values.get("VERSION_ID", ""),
        "codename": values.get("VERSION_CODENAME", values.get("UBUNTU_CODENAME", codename)) or "",
        "name": values.get("PRETTY_NAME", ""),
        "source": _READERS,
    }


def cpu(host: Host) -> Dict[str, Any]:
    """Return `vendor`, `brand`, `family`, `model`, `stepping`, `flags`, `caches` (KiB), `hypervisor`, `source`."""
    found = read_cpu(host)
    library = _library("cpuinfo") if host.root == "/" else None  # it looks at the machine itself
    if library is None:
        return found
    told = library.get_cpu_info()
    return {
        **found,
        "vendor": told.get("vendor_id_raw", ""),
        "brand": told.get("brand_raw", ""),
        "family": told.get("family", 0),
        "model": told.get("model", 0),
        "stepping": told.get("stepping", 0),
        "flags": sorted({*found["flags"], *told.get("flags", [])}),
        "source": f"py-cpuinfo {told.get('cpuinfo_version_string', '')}".rstrip(),
    }


def read_cpu(host: Host) -> Dict[str, Any]:
    """Return the same without the package py-cpuinfo; it has more flags, by CPUID."""
    first = host.read_or("/proc/cpuinfo").split("\n\n", maxsplit=1)[0]
    pairs = (line.partition(":") for line in first.splitlines())
    values = {name.strip(): value.strip() for name, _, value in pairs}
    return {
        "vendor": values.get("vendor_id", ""),
        "brand": values.get("model name", ""),
        "family": _number(values.get("cpu family", "")),
        "model": _number(values.get("model", "")),
        "stepping": _number(values.get("stepping", "")),
        "flags": sorted(cpu_flags(host)),
        "caches": dict(_caches(host)),
        "hypervisor": virtualization(host)["hypervisor"],
        "source": _READERS,
    }


def _caches(host: Host) -> Iterator[Any]:
    for index in host.names(_CACHES):
        if not index.startswith("index"):
            continue
        level, kind, size = (
            host.read_or(f"{_CACHES}/{index}/{name}") for name in ("level", "type", "size")
        )
        letter = {"Data": "d", "Instruction": "i"}.get(kind, "")
        yield f"L{level}{letter}", _number(size.rstrip("K"))


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0


def _library(name: str) -> Optional[ModuleType]:
    """Return a package of this Python, or of install.sh's private environment, or None."""
    with contextlib.suppress(ImportError):
        return importlib.import_module(name)
    private = Path(PRIVATE.format(*sys.version_info[:2]))
    if not private.is_dir() or private.stat().st_uid != 0:
        return None
    before: List[str] = list(sys.path)
    sys.path.append(str(private))
    try:
        with contextlib.suppress(ImportError):
            return importlib.import_module(name)
    finally:
        sys.path[:] = before
    return None
