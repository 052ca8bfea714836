"""Several visitors at once: all captions arrive, each where it belongs. `tests.soak.load` does the same with more."""

import json
import subprocess
import sys

import pytest

from tests.soak.uploads import run_uploads


@pytest.mark.parametrize(("visitors", "photos"), [(3, 4), pytest.param(8, 12, marks=pytest.mark.slow)])
def test_nothing_is_lost_or_swapped_between_visitors(browser, visitors, photos):  # only where there is a browser
    command = [sys.executable, "-m", "tests.soak.load", "--visitors", str(visitors), "--photos", str(photos)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["photos"], result["wrong"]) == (visitors * photos, 0)
    assert result["peak_megabytes"] < 1500


def test_many_uploads_at_once_and_an_end_in_the_middle():
    result = run_uploads(12)
    assert (result["captioned"], result["wrong"]) == (12, 0)
    assert result["looks"] >= 3  # the page was there while photos waited
    assert result["peak_megabytes"] < 1600
    assert result["waiting_at_the_end"] > 0
    assert result["status"] == 0
    assert result["left"] == []
