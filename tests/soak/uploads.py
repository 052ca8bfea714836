"""Many uploads of 12 megapixels at once: the page answers meanwhile, every photo is captioned, and SIGTERM leaves nothing."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from subprocess import PIPE, Popen
from tempfile import TemporaryDirectory

import httpx

from capmodel import Captioner
from tests.benchmarks.page import make_photos
from tests.support.servers import http
from tests.support.servers.page import serve_page

PATIENCE = 600.0  # seconds for an upload to be answered
PERIOD = 0.25  # seconds between two looks at the page
IDLE = 3.0  # seconds of looks while nothing else happens
LOOK = """
import select, sys, time, urllib.request
print(flush=True)
while True:
    began = time.monotonic()
    urllib.request.urlopen(sys.argv[1]).read()
    print(time.monotonic() - began, flush=True)
    if select.select([sys.stdin], [], [], float(sys.argv[2]))[0]:
        break
"""


def run_uploads(count: int) -> dict:
    """Sends `count` different photos at once, and again as many, in the middle of which the server is told to end.

    Returns what `measure_uploads` and `end_in_the_middle` found, and with which files in the server's temporary folder
    it ended (``left``).
    """
    with TemporaryDirectory() as folder:
        temporary, sources = Path(folder, "tmp"), make_photos(Path(folder, "photos"), 0)
        temporary.mkdir()
        environment = {key: value for key, value in os.environ.items() if not key.startswith("GRADIO_")}
        with serve_page(environment={**environment, "TMPDIR": str(temporary)}) as (address, server):
            found = measure_uploads(address, server, sources, count)
            found |= end_in_the_middle(address, server, sources, count)
        return found | {"left": sorted(str(path.relative_to(temporary)) for path in temporary.rglob("*"))}


def measure_uploads(address: str, server: Popen, sources: list[Path], count: int) -> dict:
    """Sends photos at once, and looks at the page all the while: slowest answers in seconds, memory in megabytes."""
    expected = [caption.text for caption in Captioner.from_pretrained(precision="fp32")(sources)]
    with looking(address) as idle:
        time.sleep(IDLE)
    with looking(address) as looks:
        began = time.monotonic()
        with sending(address, sources, count, "first") as answers:
            found = [answer.result() for answer in answers]
        seconds = time.monotonic() - began
    texts = [_text(answer) for answer in found]
    return {
        "uploads": count,
        "captioned": sum(text is not None for text in texts),
        "wrong": sum(text != expected[number % len(sources)] for number, text in enumerate(texts)),
        "seconds": round(seconds, 1),
        "looks": len(looks),
        "slowest_look": round(max(looks), 2),
        "looks_over_a_second": sum(each > 1 for each in looks),
        "idle_look": round(median(idle), 2),
        "median_look": round(median(looks), 2),
        "peak_megabytes": round(peak_memory(server.pid) / 1e6),
    }


def end_in_the_middle(address: str, server: Popen, sources: list[Path], count: int) -> dict:
    """Sends as many, ends the server with SIGTERM when the first are answered, and waits for it.

    There is also a photo that came through the API and was not asked about.
    """
    upload = {"files": ("api.jpg", _variant(sources[0], "through the API"))}
    http.post(f"{address}gradio_api/upload", files=upload, timeout=PATIENCE).raise_for_status()
    with sending(address, sources, count, "second") as answers:
        while not any(answer.done() for answer in answers):
            time.sleep(0.05)
        waiting = sum(not answer.done() for answer in answers)
        began = time.monotonic()
        server.send_signal(signal.SIGTERM)
        status = server.wait(60)
    return {"waiting_at_the_end": waiting, "ended_after": round(time.monotonic() - began, 1), "status": status}


@contextmanager
def looking(address: str) -> Iterator[list[float]]:
    """Opens the page again and again; the list has, in the end, the seconds that each answer took."""
    found: list[float] = []
    # A process of its own: in this one, a hundred threads would keep it waiting.
    with Popen([sys.executable, "-c", LOOK, address, str(PERIOD)], stdin=PIPE, stdout=PIPE, text=True) as looker:
        assert looker.stdout
        looker.stdout.readline()  # it is there
        yield found
        found += [float(line) for line in looker.communicate("\n")[0].split()]


@contextmanager
def sending(address: str, sources: list[Path], count: int, what: str) -> Iterator[list[Future]]:
    """Uploads that are on their way, each in a thread: their answers, {} where the server left without one."""

    def send(number: int) -> dict:
        content = _variant(sources[number % len(sources)], f"{what} {number}")
        try:
            return http.post(f"{address}photo", content=content, timeout=PATIENCE).json()
        except httpx.HTTPError:
            return {}

    with ThreadPoolExecutor(count) as pool:
        yield [pool.submit(send, number) for number in range(count)]


def _variant(photo: Path, comment: str) -> bytes:
    """Another file of the same photo: a JPEG with a comment after its first two bytes."""
    data, text = photo.read_bytes(), comment.encode()
    return data[:2] + b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text + data[2:]


def _text(answer: dict) -> str | None:
    return " ".join(word["text"] for word in answer["captions"][0]["words"]) if "captions" in answer else None


def peak_memory(process: int) -> int:
    """The most memory that a process has had, in bytes (Linux)."""
    [line] = [line for line in Path(f"/proc/{process}/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024
