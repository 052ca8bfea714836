"""The benchmarks run, and name what they measured as their goals do; how fast things are is not tested.

By default with few photos and without warming up; `pytest -m slow tests/benchmarks` runs them as they are.
"""

import json
import time

import pytest
from support.commands import run, run_process

from capmodel.model.fast_encoder import has_bfloat16
from capmodel.photos.folders import list_photos
from tests.benchmarks import photos, process, training
from tests.benchmarks.__main__ import GOALS, MEASURES, main
from tests.benchmarks.photos import time_in_turn

SHORT_AND_WHOLE = [False, pytest.param(True, marks=pytest.mark.slow)]


def bench(measure: str, start=run) -> dict:
    return json.loads(start(f"python -m tests.benchmarks --{measure} --rounds 1 --json"))


def goals(*names):
    return {label for label in GOALS if label.startswith(names)}


def time_once(ways, rounds):
    """As `time_in_turn`, without a round to warm up."""
    seconds = {}
    for name, way in ways.items():
        began = time.perf_counter()
        way()
        seconds[name] = time.perf_counter() - began
    return seconds


@pytest.mark.parametrize("whole", SHORT_AND_WHOLE)
def test_captioning(monkeypatch, whole):
    if not whole:
        monkeypatch.setattr(photos, "COUNTS", {"one photo": 1, "twelve photos": 2})
        monkeypatch.setattr(photos, "list_photos", lambda folder: list_photos(folder)[:3])
        monkeypatch.setattr(photos, "time_in_turn", time_once)
    result = bench("photos")
    found = result["photos"]
    expected = {label for label in goals("one photo", "twelve photos") if has_bfloat16() or "bf16" not in label}
    assert expected <= found["ratios"].keys()
    assert min(found["ratios"].values()) > 0
    assert len(found["other_captions"]) < found["photos"]
    assert result["machine"]["cores"] >= 1


@pytest.mark.parametrize("whole", SHORT_AND_WHOLE)
def test_cold_start(monkeypatch, whole):
    if not whole:
        monkeypatch.setattr(process, "time_in_turn", time_once)
    found = bench("cold-start")["cold-start"]
    assert found["ratios"].keys() == goals("cold start")
    assert found["seconds"]["capmodel"] > found["seconds"]["plain forward"]


@pytest.mark.parametrize("whole", SHORT_AND_WHOLE)
def test_training(monkeypatch, whole):
    if not whole:
        monkeypatch.setattr(training, "BATCH", 4)
    found = bench("training")["training"]
    assert found["ratios"].keys() == goals("training")
    assert min(found["captions_a_second"].values()) > 0


@pytest.mark.slow
@pytest.mark.parametrize("measure", ["attentions", "memory", "page", "site"])
def test_the_others(request, measure):
    if measure in ("page", "site"):
        request.getfixturevalue("browser")  # only where there is one
    found = bench(measure, run_process)[measure]
    assert goals(measure) <= found["ratios"].keys()
    assert min(found["ratios"].values()) > 0


def test_something_must_be_chosen(capsys):
    with pytest.raises(SystemExit):
        main([])
    said = capsys.readouterr().err
    assert all(f"--{name}" in said for name in MEASURES)


def test_the_first_round_does_not_count():
    done = []
    times = time_in_turn({"a": lambda: done.append("a"), "b": lambda: done.append("b")}, rounds=2)
    assert done == ["a", "b"] * 3
    assert times.keys() == {"a", "b"}
