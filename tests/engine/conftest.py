"""The bundled models as the browser gets them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.engine import open_engine, serve_engine

from capmodel.captioner import Captioner
from capmodel.photos import squash


@pytest.fixture(scope="module")
def engine(browser, exported_models):
    with serve_engine(exported_models) as address, open_engine(browser, address) as page:
        yield page


@pytest.fixture(scope="session")
def grid_of(captioner: Captioner):
    """A photo's grid, from pixels that were decoded in full: JPEG's draft mode, which browsers lack, changes them."""

    def grid(photo: Path):
        return captioner.encode([square_of(photo)])

    return grid


def square_of(photo: Path) -> np.ndarray:
    image = Image.open(photo).convert("RGB")
    factor = min(image.size) // 256
    return squash(np.asarray(image.reduce(factor) if factor > 1 else image), 256)
