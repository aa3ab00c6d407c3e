"""What processes of others use: CPU and memory, as the kernel counts them."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

import psutil


def cpu_until_gone(process_id: int) -> float:
    """CPU seconds of a process that is not our child, read until it has ended.

    Read every 2 ms in nanoseconds, so at most its last 2 ms are missing.
    """
    used_ns: dict[str, int] = {}
    tasks = Path(f"/proc/{process_id}/task")
    while tasks.exists():
        try:
            for task in tasks.iterdir():
                spent = int((task / "schedstat").read_text().split()[0])
                used_ns[task.name] = max(spent, used_ns.get(task.name, 0))
        except OSError:
            break
        time.sleep(0.002)
    return sum(used_ns.values()) / 1e9


def cpu_seconds(process_ids: Iterable[int]) -> float:
    """CPU seconds used so far by those that are there."""
    total = 0.0
    for process_id in process_ids:
        try:
            times = psutil.Process(process_id).cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


def private_mb(process_ids: Iterable[int]) -> list[float]:
    """Memory that ends with each process (USS), in MB."""
    return [psutil.Process(process_id).memory_full_info().uss / 2**20 for process_id in process_ids]
