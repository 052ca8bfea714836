"""Whether a word looked where it mattered: known maps, known answers."""

import subprocess
import sys

import numpy as np
import pytest
from support.captions import UNIFORM, peaked

from capmodel.explain.agreement import Answer, compare_maps, place, strongest


def spots(*cells: tuple[int, int], value: float = 0.5) -> np.ndarray:
    found = np.zeros((8, 8), np.float32)
    for cell in cells:
        found[cell] = value
    return found


def test_the_same_place():
    found = compare_maps(peaked(1, 1), spots((1, 1)), kept=0.5)
    assert found.answer == Answer.SAME_PLACE
    assert found.looked == found.mattered == ("top", "left")
    row = [(4, column) for column in range(8)]
    half = compare_maps(spots(*row, value=1 / 8), spots(*row[:4], (0, 0), (0, 1), (0, 2), (0, 3)), kept=0.5)
    assert half.overlap == 0.5
    assert half.answer == Answer.SAME_PLACE


def test_another_place():
    found = compare_maps(spots((6, 0), (7, 1), value=0.5), spots((3, 4), (4, 4)), kept=0.5)
    assert found.answer == Answer.OTHER_PLACE
    assert found.overlap == 0
    assert (found.looked, found.mattered) == (("bottom", "left"), ("middle", "centre"))


@pytest.mark.parametrize("nats", [np.zeros((8, 8)), spots((3, 3), value=0.02), -spots((3, 3)), spots((3, 3)) - 1])
def test_no_place(nats):
    """Where nothing speaks for the word, what speaks against it does not count as a place it hung on."""
    assert compare_maps(peaked(3, 3), nats, kept=0.97).answer == Answer.NO_PLACE
    assert compare_maps(peaked(3, 3), nats, kept=1.4).answer == Answer.NO_PLACE
    found = compare_maps(peaked(3, 3), nats, kept=0.2)
    assert found.answer == Answer.WHOLE_PHOTO
    assert (found.mattered is None) == (nats.max() <= 0)


def test_many_weak_cells_are_a_place_together():
    weak = spots(*((row, column) for row in (5, 6) for column in range(4)), value=0.03)
    found = compare_maps(peaked(0, 7), weak, kept=1.0)
    assert found.answer == Answer.OTHER_PLACE
    assert found.mattered == ("bottom", "left")


def test_a_strong_cell_counts_though_the_word_keeps_all():
    """Cells for and against the word may cancel out when all are hidden."""
    assert compare_maps(peaked(3, 3), spots((3, 3)), kept=1.0).answer == Answer.SAME_PLACE


def test_hard_attention_looked_at_one_cell():
    one = spots((2, 5), value=1.0)
    assert compare_maps(one, spots((2, 5), (0, 0)), 0.5).overlap == 1
    assert compare_maps(one, spots((0, 0)), 0.5).overlap == 0


@pytest.mark.parametrize("side", [1, 2, 3, 7, 8, 10])
def test_any_grid(side):
    random = np.random.default_rng(side)
    weights, nats = random.dirichlet(np.ones(side**2)).reshape(side, side), random.normal(size=(side, side))
    nats[0, 0] = 9
    found = compare_maps(weights, nats, 0.5)
    assert found.answer in (Answer.SAME_PLACE, Answer.OTHER_PLACE)
    assert 0 <= found.overlap <= 1
    assert strongest(weights).sum() == max(1, round(side**2 / 8))


def test_places_are_thirds():
    rows = [place(spots((row, 0)))[0] for row in range(8)]
    assert rows == ["top"] * 3 + ["middle"] * 2 + ["bottom"] * 3
    assert place(spots((7, 7))) == ("bottom", "right")
    assert place(spots((0, 0), value=0.4) + spots((6, 6), (7, 7), value=0.3)) == (
        "bottom",
        "right",
    )  # most, not the peak


def test_unrelated_maps_overlap_by_an_eighth():
    random = np.random.default_rng(0)
    found = [compare_maps(*random.random((2, 8, 8)), 0.5).overlap for _ in range(2000)]
    assert np.mean(found) == pytest.approx(1 / 8, abs=0.01)
    assert np.mean(np.array(found) >= 3 / 8) == pytest.approx(0.05, abs=0.02)


def test_a_flat_map_is_no_surprise():
    assert compare_maps(UNIFORM, spots((4, 4)), 0.5).answer in Answer


def test_needs_no_pytorch():
    code = "import sys, capmodel.explain.agreement; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "False"
