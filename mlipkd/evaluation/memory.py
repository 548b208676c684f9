"""Memory: how much there is, and how much a process took at its peak.

On a GPU that is the device's memory, and what the allocator handed out at most; else the memory
that the machine makes available to the process, and the part of its own that was resident.
"""

import os
import resource
import sys
from pathlib import Path

import torch

#: Where control groups are found, and their limit, what they use, and the part of that in files
#: that can be read again: of version 2, and of version 1.
GROUPS = (
    ("", "", "memory.max", "memory.current", "inactive_file"),
    ("memory", "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


def available(device: torch.device) -> float:
    """The memory there is to take, bytes: all of a GPU's; else what the machine has left, or a
    control group's limit leaves (https://docs.kernel.org/admin-guide/cgroup-v2.html)."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    if sys.platform != "linux":
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    left = 1024 * _number(Path("/proc/meminfo"), "MemAvailable:")
    return min([left, *left_by_groups(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup"))])


def left_by_groups(own: Path, root: Path) -> list[float]:
    """What each limit on the control groups of a process leaves, bytes.

    Args:
        own: names the groups of the process, ``/proc/self/cgroup``.
        root: where their files are, ``/sys/fs/cgroup``.
    """
    names = dict(line.split(":", 2)[1:] for line in own.read_text().splitlines())
    left: list[float] = []
    for controller, folder, limit, used, files in GROUPS:
        group = root / folder / names.get(controller, "").strip("/")
        # A container may not see its own group's name, but always sees the top.
        for place in (group, *group.parents):
            if not place.is_relative_to(root / folder):
                break
            if (place / limit).is_file() and (most := (place / limit).read_text().strip()) != "max":
                taken = int((place / used).read_text()) - _number(place / "memory.stat", files)
                left.append(int(most) - taken)
    return left


def peak(device: torch.device) -> float:
    """The most memory in use so far, bytes."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if sys.platform == "linux":
        # ru_maxrss of a new process begins with its parent's; the high-water mark does not.
        return 1024 * _number(Path("/proc/self/status"), "VmHWM:")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def forget_peak(device: torch.device) -> None:
    """Let the peak be what is in use now, where the system can."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif sys.platform == "linux":
        Path("/proc/self/clear_refs").write_text("5")


def _number(file: Path, name: str) -> int:
    """The number that stands behind a name."""
    return int(file.read_text().partition(name)[2].split()[0])
