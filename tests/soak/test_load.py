"""Several visitors at once: all captions arrive, each where it belongs."""

import json
import subprocess
import sys


def test_nothing_is_lost_or_swapped_between_visitors(browser):  # the fixture: only where there is a browser
    command = [sys.executable, "-m", "tests.soak.load", "--visitors", "3", "--photos", "4"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["photos"], result["wrong"]) == (12, 0)
    assert result["peak_megabytes"] < 1500
