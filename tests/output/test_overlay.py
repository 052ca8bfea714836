"""Maps are drawn where they are, at the photo's own shape, on an honest scale."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from support.captions import UNIFORM, make_caption, peaked

from capmodel.output.animation import save_gif
from capmodel.output.figure import save_figure
from capmodel.output.overlay import CLEAR, OPACITY, OVERLAY_COLOR, overlay, scale_top, smooth_map, times_uniform


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
