"""The files that come with the package: models, example photos, the browser's player. `pyproject.toml` lists them."""

from pathlib import Path

_HERE = Path(__file__).parent
# Once installed, they are inside the package; in a checkout, beside it.
ASSETS = _HERE / "assets" if (_HERE / "assets").is_dir() else _HERE.parent / "assets"
MODELS = ASSETS / "models"
PHOTOS = ASSETS / "photos"
