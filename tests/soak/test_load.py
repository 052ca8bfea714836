"""Several visitors at once: all captions arrive, each where it belongs. `tests.soak.load` does the same with more."""

import json
import subprocess
import sys

from tests.soak.uploads import run_uploads


def test_nothing_is_lost_or_swapped_between_visitors(browser):  # the fixture: only where there is a browser
    command = [sys.executable, "-m", "tests.soak.load", "--visitors", "3", "--photos", "4"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["photos"], result["wrong"]) == (12, 0)
    assert result["peak_megabytes"] < 1500


def test_many_uploads_at_once_and_an_end_in_the_middle():
    result = run_uploads(12)
    assert (result["captioned"], result["wrong"]) == (12, 0)
    assert result["slowest_look"] < 10  # a second, but for machines that do much else meanwhile
    assert result["peak_megabytes"] < 1600
    assert result["waiting_at_the_end"] > 0
    assert result["status"] == 0
    assert result["left"] == []
