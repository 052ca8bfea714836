"""The benchmarks run, and name what they measured as their goals do; how fast things are is not tested."""

import json
import subprocess
import sys

import pytest
from support.samples import ROOT

from capmodel.model.fast_encoder import has_bfloat16
from tests.benchmarks.__main__ import GOALS, MEASURES, main
from tests.benchmarks.photos import time_in_turn


def run(capsys, *arguments):
    main([*arguments, "--rounds", "1", "--json"])
    return json.loads(capsys.readouterr().out)


def goals(*names):
    return {label for label in GOALS if label.startswith(names)}


def test_captioning(capsys):
    result = run(capsys, "--photos")
    found = result["photos"]
    expected = {label for label in goals("one photo", "twelve photos") if has_bfloat16() or "bf16" not in label}
    assert expected <= found["ratios"].keys()
    assert min(found["ratios"].values()) > 0
    assert len(found["other_captions"]) < found["photos"]
    assert result["machine"]["cores"] >= 1


def test_cold_start(capsys):
    found = run(capsys, "--cold-start")["cold-start"]
    assert found["ratios"].keys() == goals("cold start")
    assert found["seconds"]["capmodel"] > found["seconds"]["plain forward"]


def test_training():
    # In a process of its own, since Accelerate keeps its precision for as long as a process lives.
    command = [sys.executable, "-m", "tests.benchmarks", "--training", "--rounds", "1", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)["training"]
    assert found["ratios"].keys() == goals("training")
    assert min(found["captions_a_second"].values()) > 0


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
