"""A long soak of the page: several browsers do what people do, in random order, and nothing may pile up or break.

    python -m tests.soak --minutes 60                  # four browsers
    python -m tests.soak --minutes 3 --browsers 1 --seed 7 --json
    python -m tests.soak --minutes 60 --out runs/soak  # keeps the server's log and all samples

The server is app.py, in a process and with a temporary folder of its own. It keeps photos for 1 minute here, not for
45: so within the hour what comes and what is deleted are in balance for most of the time. A visitor is a browser that
reads, clicks, brings new photos, saves, reloads, leaves and comes back as somebody else (tests/soak/actions.py), with
up to three seconds between two actions. When the time is over all leave, and what they brought must be deleted.

Its limits, each checked (tests/soak/report.py); the exit status is 1 where one is broken:

- no exception in the server's log, no error in a page, no action that fails;
- the server's memory (resident, with child processes) climbs by less than 20 MB/h after the first third of the time,
  which is for models and caches to fill. Every 5 minutes all visitors leave until what they brought is deleted, and it
  is read then: while they are busy it goes up and down by hundreds of megabytes, and with the photos that are there by
  dozens, under which nothing so small could be seen. A line goes through these values by least squares; a run with
  fewer than six of them (45 minutes) does not tell;
- the temporary folder is on average no more than a quarter larger in the last third of the time than in the middle
  third, and after the visitors left no larger than before they came.

Linux only, for memory is read in /proc.
"""

import argparse
import csv
import json
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import astuple
from pathlib import Path
from subprocess import Popen
from tempfile import TemporaryDirectory

from tests.soak.report import Sample, Schedule, Tally, as_text, memory_of, size_of, summarize
from tests.soak.visitor import visit
from tests.support.servers.page import serve_page

RETENTION_MINUTES = 1.0
REST_EVERY = 300.0  # seconds; more where photos are kept for so long that visitors would be away for most of the time
REST = 20.0  # seconds, besides those until everything is deleted: for what was begun before
PERIOD = 3.0  # seconds between two samples
FINISH = 120.0  # seconds for files that are in the making when the visitors leave
LEAST = 6  # samples, fewer of which tell nothing


def watch(server: Popen, temporary: Path, began: float, until: float, period: float) -> Iterator[Sample]:
    """What the server holds, again and again between two moments of `time.monotonic()`.

    Raises:
        RuntimeError: the server ended.
    """
    while time.monotonic() < until:
        if server.poll() is not None:
            raise RuntimeError(f"the server ended with status {server.returncode}")
        yield Sample(time.monotonic() - began, memory_of(server.pid), size_of(temporary))
        time.sleep(period)


def soak(minutes: float, browsers: int, seed: int, retention_minutes: float, folder: Path) -> dict:
    """Runs it; leaves ``server.log`` and ``samples.csv`` in a folder, and returns what `summarize` found."""
    temporary, log = folder / "tmp", folder / "server.log"
    temporary.mkdir(parents=True)
    # The server sweeps photos away, and gives memory back, every tenth of the time that it keeps them, or every minute.
    sweep = min(60, 6 * retention_minutes)
    away = 60 * retention_minutes + sweep + REST
    schedule = Schedule(every=max(REST_EVERY, 2 * away), rest=away)
    own = {"TMPDIR": str(temporary), "PYTHONUNBUFFERED": "1"}
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GRADIO_")} | own
    with ExitStack() as stack:
        printed = stack.enter_context(log.open("w"))
        table = stack.enter_context((folder / "samples.csv").open("w", newline="", buffering=1))
        arguments = ("--retention-minutes", str(retention_minutes))
        address, server = stack.enter_context(serve_page(*arguments, environment=environment, log=printed))
        before, began = size_of(temporary), time.monotonic()
        until = began + 60 * minutes
        pool = stack.enter_context(ThreadPoolExecutor(browsers))  # Playwright wants a thread a browser
        visits = [pool.submit(visit, address, began, until, schedule, f"{seed}-{number}") for number in range(browsers)]
        samples, rows = [], csv.writer(table)
        rows.writerow(["seconds", "memory", "temporary"])
        for sample in watch(server, temporary, began, until, min(PERIOD, 60 * minutes / LEAST / 2)):
            samples.append(sample)
            rows.writerow(astuple(sample))
        wait(visits)
        tally = sum((visit.result() for visit in visits), Tally())
        deadline = time.monotonic() + 60 * retention_minutes + sweep + FINISH
        while (after := size_of(temporary)) > before and time.monotonic() < deadline:
            time.sleep(1)
        time.sleep(sweep)
        rest = memory_of(server.pid)
    return summarize(samples, schedule, tally, log.read_text(errors="replace"), before, after, rest)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--browsers", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0, help="of what the visitors do")
    parser.add_argument(
        "--retention-minutes", type=float, default=RETENTION_MINUTES, help="then the server deletes photos"
    )
    parser.add_argument("--out", type=Path, help="a new folder for the server's log and all samples")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)

    with TemporaryDirectory(prefix="soak-") as temporary:
        folder = (options.out or Path(temporary)).resolve()  # the server has a working folder of its own
        found = soak(options.minutes, options.browsers, options.seed, options.retention_minutes, folder)
    print(json.dumps(found, indent=1) if options.json else as_text(found))
    sys.exit(1 if found["broken"] else 0)


if __name__ == "__main__":
    main()
