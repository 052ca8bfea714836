"""The bundled models as the browser gets them."""

from pathlib import Path

import numpy as np
import pytest
from support.servers.engine import open_engine, serve_engine

from capmodel.captioner import Captioner
from capmodel.photos import load_square


@pytest.fixture(scope="module")
def engine(browser, exported_models):
    with serve_engine(exported_models) as address, open_engine(browser, address) as page:
        yield page


@pytest.fixture(scope="session")
def grid_of(captioner: Captioner):
    """A photo's grid, as the network computes it from the photo's file."""

    def grid(photo: Path):
        return captioner.encode([square_of(photo)])

    return grid


def square_of(photo: Path) -> np.ndarray:
    return load_square(photo, 256)
