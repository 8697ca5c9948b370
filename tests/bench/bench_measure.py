"""What the bench reads of processes, and small arithmetic."""

import os
import re
import statistics


def cpu_seconds(pid):
    """User and system time of all threads that live, in seconds. By the scheduler's own count (nanoseconds) where the
    kernel tells it; else by clock ticks."""
    total = 0
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as f:
                total += int(f.read().split()[0])
        if total:
            return total / 1e9
    except FileNotFoundError:
        pass  # no such file in this kernel, or a thread that just ended
    return sum(cpu_parts(pid))


def cpu_parts(pid):
    """(user, system) seconds by clock ticks, ended threads included."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    ticks = os.sysconf("SC_CLK_TCK")
    return int(fields[11]) / ticks, int(fields[12]) / ticks


def memory_kib(pid):
    """{"Pss": KiB, "Rss": …, "Private_Dirty": …, …} of a process."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
        return {name: int(value) for name, value in re.findall(r"^(\w+): +(\d+) kB$", f.read(), re.MULTILINE)}


def threads(pid):
    return len(os.listdir(f"/proc/{pid}/task"))


def busy_share(before, after):
    """How busy this machine's processors were between two /proc/stat readings, by whoever: 0 to 1."""
    total = sum(after) - sum(before)
    idle = after[3] + after[4] - before[3] - before[4]
    return 1 - idle / total if total else 0.0


def machine_ticks():
    with open("/proc/stat", encoding="ascii") as f:
        return [int(word) for word in f.readline().split()[1:9]]


def spread(values):
    """The best and the middle of several rounds."""
    return {"best": min(values), "median": statistics.median(values), "rounds": len(values)}
