"""The bundled models as the browser gets them."""

from pathlib import Path

import numpy as np
import pytest
from support.exported import Exported
from support.samples import PHOTOS

from capmodel.captioner import Captioner

ALL_PHOTOS = sorted(PHOTOS.glob("*.jpg"))


@pytest.fixture(scope="session")
def exported(exported_models: Path) -> Exported:
    return Exported(exported_models)


@pytest.fixture(scope="session")
def squares(captioner: Captioner) -> np.ndarray:
    """The example photos as the model sees them: (28, S, S, 3)."""
    return np.stack([captioner.load_square(photo) for photo in ALL_PHOTOS])


@pytest.fixture(scope="session")
def grid(captioner: Captioner, squares: np.ndarray) -> np.ndarray:
    """Theirs, from PyTorch."""
    return captioner.encode(list(squares)).numpy()
