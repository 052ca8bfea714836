"""Several visitors at once: all captions arrive, each where it belongs."""

import json
import subprocess
import sys

import pytest


@pytest.mark.parametrize(("visitors", "photos"), [(3, 4), pytest.param(8, 12, marks=pytest.mark.slow)])
def test_nothing_is_lost_or_swapped_between_visitors(browser, visitors, photos):  # only where there is a browser
    command = [sys.executable, "-m", "tests.soak.load", "--visitors", str(visitors), "--photos", str(photos)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["photos"], result["wrong"]) == (visitors * photos, 0)
    assert result["peak_megabytes"] < 1500
