"""Maps are drawn where they are, at the photo's own shape, on an honest scale."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from support.captions import UNIFORM, make_caption, peaked

from capmodel.caption import Evidence
from capmodel.output.animation import save_gif
from capmodel.output.figure import save_figure
from capmodel.output.overlay import (
    AGAINST_COLOR,
    CLEAR,
    HIGHEST_TOP,
    LOWEST_TOP,
    OPACITY,
    OVERLAY_COLOR,
    evidence_top,
    overlay,
    overlay_evidence,
    scale_top,
    smooth_evidence,
    smooth_map,
    times_uniform,
)


@pytest.mark.parametrize(("height", "width"), [(80, 240), (240, 80), (61, 97)])
@pytest.mark.parametrize(("row", "column"), [(0, 0), (1, 6), (7, 3)])
def test_the_hottest_point_lies_in_the_cell(height, width, row, column):
    drawn = smooth_map(peaked(row, column), height, width)
    assert drawn.shape == (height, width)
    top, left = np.unravel_index(drawn.argmax(), drawn.shape)
    assert (int(top * 8 / height), int(left * 8 / width)) == (row, column)


def test_smoothing_keeps_values_and_level():
    np.testing.assert_allclose(smooth_map(UNIFORM, 64, 96), 1, atol=1e-6)
    random = np.random.default_rng(0).dirichlet(np.ones(64)).reshape(8, 8)
    middles = smooth_map(random, 8 * 11, 8 * 11)[5::11, 5::11]
    np.testing.assert_allclose(middles, times_uniform(random), rtol=1e-5)


def test_a_flat_map_looks_flat_beside_a_sharp_one():
    caption = make_caption(UNIFORM, peaked(2, 2))
    top = scale_top(caption)
    assert top == CLEAR
    photo = np.full((64, 64, 3), 200, np.uint8)
    flat = overlay(photo, smooth_map(UNIFORM, 64, 64), top)
    sharp = overlay(photo, smooth_map(peaked(2, 2), 64, 64), top)
    assert flat.std((0, 1)).max() < 1
    assert sharp[20, 20].tolist() == pytest.approx([200] * 3, abs=3)
    assert flat[20, 20].max() < 110


def test_the_scale_ends_at_the_strongest_cell_within_limits():
    assert scale_top(make_caption(UNIFORM, UNIFORM)) == 2  # all flat: not stretched
    weak = 0.9 * UNIFORM + 0.1 * peaked(2, 2)
    assert scale_top(make_caption(UNIFORM, weak)) == pytest.approx(times_uniform(weak).max())
    assert scale_top(make_caption(weak, peaked(2, 2))) == CLEAR  # one sharp word does not leave the others in the dark


def test_no_attention_is_dark_but_visible():
    photo = np.full((16, 16, 3), 250, np.uint8)
    overlaid = overlay(photo, np.zeros((16, 16)), 2.0)
    assert (overlaid.astype(int) > OVERLAY_COLOR.astype(int) + 20).all()
    assert overlaid.max() < 80


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_pixel_is_the_formula(dtype):
    random = np.random.default_rng(0)
    for height, width in ((61, 97), (240, 80), (1, 5)):
        photo = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
        for given in (photo, photo[:, ::-1], photo[::2]):
            heat, top = (9 * random.random(given.shape[:2]) ** 4).astype(dtype), float(random.uniform(2, CLEAR))
            opacity = OPACITY * (1 - (heat / top).clip(0, 1) ** 0.5)[..., None]
            expected = (given * (1 - opacity) + OVERLAY_COLOR * opacity).round().astype(np.uint8)
            given.setflags(write=False)
            np.testing.assert_array_equal(overlay(given, heat, top), expected)


def make_nats(**cells: float) -> np.ndarray:
    """Evidence of one word, (8, 8): `r2c5=1.0` is the cell in row 2 and column 5."""
    nats = np.zeros((8, 8), np.float32)
    for name, value in cells.items():
        nats[int(name[1]), int(name[3])] = value
    return nats


def test_evidence_for_is_clear_and_against_is_tinted():
    photo = np.full((88, 88, 3), 200, np.uint8)
    top = 0.8
    drawn = overlay_evidence(photo, smooth_evidence(make_nats(r1c1=top, r1c6=top / 2, r6c1=-top), 88, 88), top)
    dark = OVERLAY_COLOR * OPACITY + 200 * (1 - OPACITY)

    def at(row, column):
        return drawn[11 * row + 5, 11 * column + 5].astype(float)

    assert at(1, 1) == pytest.approx([200] * 3, abs=2)
    assert at(1, 6) == pytest.approx((dark + 200) / 2, abs=2)
    assert at(6, 1) == pytest.approx(AGAINST_COLOR * OPACITY + 200 * (1 - OPACITY), abs=2)
    assert at(4, 4) == pytest.approx(dark, abs=1)


def test_a_strong_cell_has_no_rim_of_the_other_sign():
    assert smooth_evidence(make_nats(r3c3=1.0), 160, 160).min() == 0
    assert smooth_evidence(make_nats(r3c3=-1.0), 160, 160).max() == 0
    random = np.random.default_rng(0).normal(size=(8, 8)).astype(np.float32)
    middles = smooth_evidence(random, 88, 88)[5::11, 5::11]
    np.testing.assert_allclose(middles, random, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("strongest", "top"), [(0.001, LOWEST_TOP), (0.7, 0.7), (-0.7, 0.7), (5.0, HIGHEST_TOP)])
def test_the_scale_of_evidence_ends_within_limits(strongest, top):
    """A caption for which nothing matters is not stretched until something seems to."""
    nats = np.stack([make_nats(r0c0=strongest), make_nats(r1c1=0.0005)])
    assert evidence_top(Evidence(nats, np.ones(2, np.float32), "grid")) == pytest.approx(top)


def test_the_figure_has_a_second_row_for_evidence(tmp_path):
    photo = np.full((64, 64, 3), 230, np.uint8)
    caption = make_caption(peaked(1, 1), UNIFORM, peaked(6, 7))
    save_figure(photo, caption, tmp_path / "looked.png")
    nats = np.stack([make_nats(r2c2=1.0), make_nats(), make_nats(r2c2=-1.0)])
    evidence = Evidence(nats, np.array([0.5, 1.0, 1.2], np.float32), "grid")
    save_figure(photo, replace(caption, evidence=evidence), tmp_path / "both.png")
    looked, both = (np.asarray(Image.open(tmp_path / name).convert("RGB")) for name in ("looked.png", "both.png"))
    assert both.shape[0] > 1.6 * looked.shape[0]
    orange = (both[..., 0].astype(int) - both[..., 2] > 100).nonzero()
    assert len(orange[0]) > 100
    assert orange[0].min() > both.shape[0] * 0.4  # only in the lower row
    assert not (looked[..., 0].astype(int) - looked[..., 2] > 100).any()


def test_drawing_loads_no_network():
    code = (
        "import sys, numpy as np; import capmodel.output.animation, capmodel.output.figure; from capmodel.output.overlay import overlay; "
        "print('cv2' in sys.modules); overlay(np.zeros((4, 4, 3), np.uint8), np.ones((4, 4)), 2.0); "
        "print('cv2' in sys.modules, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split() == ["False", "True", "False"]


@pytest.mark.parametrize("shape", [(60, 180, 3), (200, 60, 3)])
def test_figure_and_gif_are_written(tmp_path, shape):
    photo = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    caption = make_caption(peaked(1, 1), UNIFORM, peaked(6, 7))
    save_figure(photo, caption, tmp_path / "sheet.png")
    save_gif(photo, caption, tmp_path / "film.gif")
    sheet = np.asarray(Image.open(tmp_path / "sheet.png").convert("RGB"))
    assert sheet.std() > 10
    with Image.open(tmp_path / "film.gif") as film:
        assert film.n_frames == 3 * 4
        assert film.width == shape[1]
        first = np.asarray(film.convert("RGB")).astype(int)
        film.seek(film.n_frames - 1)
        last = np.asarray(film.convert("RGB")).astype(int)
    assert np.abs(first - last).mean() > 2
