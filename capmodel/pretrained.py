"""Finds models: bundled with the package, in a folder, or on the Hugging Face Hub."""

from pathlib import Path

from capmodel.card import CARD
from capmodel.model.caption_model import CONFIG, WEIGHTS, base_folder
from capmodel.resources import MODELS


def find(source: str | Path) -> Path:
    """The folder of a model: a bundled one by name, else a folder, else one on the Hub by its id ``"owner/name"``.

    Raises:
        FileNotFoundError: no such model was found, or the download failed; the message lists the bundled names.
    """
    bundled = {path.name: path for path in sorted(MODELS.iterdir())} if MODELS.is_dir() else {}
    if str(source) in bundled:
        return bundled[str(source)]
    if Path(source).is_dir():
        return Path(source)
    if Path(source).is_file():
        raise FileNotFoundError(
            f"{source} is a file; a model is a folder with {CONFIG} and {WEIGHTS}: give the folder."
        )
    names = ", ".join(bundled) or "there is none"
    message = f"There is no model {str(source)!r}: it is neither a bundled model ({names}) nor a folder"
    if str(source).count("/") != 1:
        raise FileNotFoundError(f"{message} nor a Hub id such as 'owner/name'.")
    from capmodel import hub  # imported here because it loads slowly

    try:
        return hub.download(str(source), ["*.json", "*.safetensors", "*.model", CARD])
    except hub.HubError as error:
        raise FileNotFoundError(f"{message}, and downloading it from the Hugging Face Hub failed: {error}.") from error


def siblings(folder: Path) -> list[Path]:
    """The models beside a model that share its backbone, sorted by name."""
    return [other for other in sorted(folder.parent.iterdir()) if _share_backbone(folder, other)]


def _share_backbone(folder: Path, other: Path) -> bool:
    """Whether the other folder holds a model with the same backbone."""
    if other == folder or not (other / CONFIG).is_file():
        return False
    try:
        return base_folder(other) == base_folder(folder)
    except (ValueError, AttributeError):  # not one of our models
        return False
