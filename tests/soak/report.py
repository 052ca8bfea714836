"""What a long soak found: whether memory and the temporary folder stayed flat, and whether anything went wrong."""

import os
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, median

import numpy as np

WARM_UP = 1 / 3  # of the time: until then models and caches fill, and photos have begun to be deleted
STEEPEST = 20.0  # MB/h of memory after the warm-up
FEWEST = 6  # rests, fewer of which do not tell memory's slope
SWELLING = 1.25  # mean size of the temporary folder in the last third of the time, by that of the middle third
MEGABYTE = 1e6


@dataclass(frozen=True)
class Sample:
    """What the server held at a moment: `seconds` since the visitors came, `memory` and `temporary` in bytes."""

    seconds: float
    memory: int
    temporary: int


@dataclass(frozen=True)
class Schedule:
    """When the visitors act and when all are away, so that memory can be read without what is in use for a while.

    Attributes:
        every: seconds from the end of one rest to the end of the next.
        rest: seconds of them that are rest, at their end.
        read: seconds at the end of a rest in which memory is read.
    """

    every: float
    rest: float
    read: float = 8.0

    def left_of_rest(self, seconds: float) -> float:
        """Seconds until the rest is over that a moment lies in; 0 if it lies in none."""
        left = self.every - seconds % self.every
        return left if left <= self.rest else 0.0

    def until_rest(self, seconds: float) -> float:
        """Seconds until the next rest begins; 0 in a rest."""
        return max(0.0, self.every - self.rest - seconds % self.every)

    def at_rest(self, samples: Sequence[Sample]) -> list[Sample]:
        """One sample a rest, the one with the median memory."""
        rests = defaultdict(list)
        for sample in samples:
            if 0 < self.left_of_rest(sample.seconds) <= self.read:
                rests[sample.seconds // self.every].append(sample)
        return [sorted(rest, key=lambda sample: sample.memory)[len(rest) // 2] for rest in rests.values()]


@dataclass
class Tally:
    """What a visitor did: how often each action was `done`, `skipped` (it was not possible then) or `failed`.

    `failures` and `page_errors` say what was wrong, in words.
    """

    done: Counter = field(default_factory=Counter)
    skipped: Counter = field(default_factory=Counter)
    failed: Counter = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    page_errors: list[str] = field(default_factory=list)

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))


def slope_per_hour(seconds: Sequence[float], values: Sequence[float]) -> float:
    """How fast values climb, by least squares, in their unit per hour.

    Raises:
        ValueError: there are fewer than two moments.
    """
    if len(set(seconds)) < 2:
        raise ValueError("a slope needs two moments")
    hours = np.asarray(seconds, float) / 3600
    hours -= hours.mean()
    return float(hours @ np.asarray(values, float) / (hours @ hours))


def swelling(values: Sequence[float]) -> float:
    """The mean of the last third by the mean of the middle third: 1 for what is flat. Needs three values, above 0."""
    third = len(values) // 3
    return fmean(values[-third:]) / fmean(values[-2 * third : -third])


def problems_of(log: str) -> list[str]:
    """The exceptions in a log: of each traceback its last line, and every other line that tells of an error.

    Tracebacks that are printed together (one "during handling of" the other) count one by one.
    """
    found, inside = [], False
    for line in log.splitlines():
        if line.startswith("Traceback (most recent call last)"):
            inside = True
        elif inside:
            if line and not line.startswith((" ", "\t")):  # the exception itself ends a traceback
                found.append(line)
                inside = False
        elif re.match(r"\s*(ERROR|CRITICAL|Exception|Fatal|Segmentation)|\w+(\.\w+)*(Error|Exception)\b", line):
            found.append(line)
    return found + ["a traceback without an end"] * inside


def memory_of(process: int) -> int:
    """Resident bytes of a process and all that descend from it (Linux); pages that they share count for each."""
    parents, pages = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()  # its name may hold anything
        except (FileNotFoundError, ProcessLookupError):  # it ended in this moment
            continue
        parents[int(folder.name)], pages[int(folder.name)] = int(fields[1]), int(fields[21])
    family = {process}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    return sum(pages.get(member, 0) for member in family) * os.sysconf("SC_PAGE_SIZE")


def size_of(folder: Path) -> int:
    """Bytes of all files below a folder that others write to and delete from."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                total += Path(place, name).lstat().st_size
    return total


def summarize(
    samples: Sequence[Sample], schedule: Schedule, tally: Tally, log: str, before: int, after: int, rest: int = 0
) -> dict:
    """All that was found, as one JSON object; ``broken`` names the limits that were broken.

    ``memory_slope``, in MB/h, is None where there were too few rests to tell.

    Args:
        samples: while there were visitors, at least six, in order.
        before, after: bytes in the temporary folder before the first visitor came, and when all had left and
            what they brought should have been deleted.
        rest: bytes of memory at that time.
    """
    warm = [sample for sample in samples if sample.seconds >= WARM_UP * samples[-1].seconds]
    rests = schedule.at_rest(samples)
    warm_rests = [sample for sample in rests if sample in warm]
    slope = _memory_slope(warm_rests) if len(warm_rests) >= FEWEST else None
    temporary = [sample.temporary / MEGABYTE for sample in samples]
    swollen = swelling(temporary)
    problems = problems_of(log)
    broken = {
        f"memory climbs by more than {STEEPEST:g} MB/h": slope is not None and slope >= STEEPEST,
        f"the temporary folder swells by more than {SWELLING - 1:.0%}": swollen > SWELLING,
        "something stays in the temporary folder": after > before,
        "exceptions in the server's log": bool(problems),
        "errors in the page": bool(tally.page_errors),
        "actions failed": bool(tally.failed),
    }
    return {
        "minutes": round(samples[-1].seconds / 60, 1),
        "actions": tally.done.total(),
        "done": dict(tally.done.most_common()),
        "skipped": dict(tally.skipped.most_common()),
        "failed": dict(tally.failed.most_common()),
        "failures": tally.failures,
        "page_errors": tally.page_errors,
        "exceptions": dict(Counter(problems).most_common()),
        "memory_slope": slope and round(slope, 1),
        "memory_at_rest": [round(sample.memory / MEGABYTE, 1) for sample in rests],
        "memory_slope_of_all": round(_memory_slope(warm), 1),
        "memory_after": round(rest / MEGABYTE, 1),
        "memory": _by_tenths([sample.memory / MEGABYTE for sample in samples]),
        "temporary_swelling": round(swollen, 2),
        "temporary": _by_tenths(temporary),
        "temporary_before": round(before / MEGABYTE, 2),
        "temporary_after": round(after / MEGABYTE, 2),
        "broken": [name for name, is_so in broken.items() if is_so],
    }


def _memory_slope(samples: Sequence[Sample]) -> float:
    return slope_per_hour([sample.seconds for sample in samples], [sample.memory / MEGABYTE for sample in samples])


def _by_tenths(values: Sequence[float]) -> list[float]:
    """The median of each tenth of the time, or all values if they are few."""
    parts = np.array_split(np.asarray(values), min(10, len(values)))
    return [round(median(part.tolist()), 1) for part in parts]


def as_text(found: dict) -> str:
    """What `summarize` found, to be read."""
    lines = [f"{found['minutes']} minutes, {found['actions']} actions done:"]
    names = sorted({*found["done"], *found["skipped"], *found["failed"]}, key=lambda name: -found["done"].get(name, 0))
    for name in names:
        counts = [found[what].get(name, 0) for what in ("done", "skipped", "failed")]
        lines.append(f"  {name:<24}{counts[0]:>6} done{counts[1]:>6} skipped{counts[2]:>6} failed")
    for title in ("exceptions", "page_errors", "failures"):
        lines.append(f"{title.replace('_', ' ')}: {len(found[title]) or 'none'}")
        lines += [f"  {each}" for each in found[title]]
    slope = "too few rests to tell" if found["memory_slope"] is None else f"{found['memory_slope']:+} MB/h"
    lines.append(f"memory at each rest, MB: {' '.join(map(str, found['memory_at_rest']))}")
    lines.append(f"after the first third: {slope}; when all was over {found['memory_after']} MB")
    lines.append(f"memory, median of each tenth of the time, MB: {' '.join(map(str, found['memory']))}")
    lines.append(f"all samples after the first third: {found['memory_slope_of_all']:+} MB/h")
    lines.append(f"temporary folder, MB: {' '.join(map(str, found['temporary']))}")
    lines.append(f"its last third by its middle third: {found['temporary_swelling']}")
    lines.append(f"at first {found['temporary_before']} MB, when all was over {found['temporary_after']} MB")
    return "\n".join([*lines, *(f"BROKEN: {limit}" for limit in found["broken"] or [])])
