"""Files are checked before any work: no photo is overwritten, no work is done for a file that cannot be written."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.captions import UNIFORM, make_caption, peaked

from capmodel.output.destinations import (
    SUFFIXES,
    Destination,
    DestinationError,
    check_destinations,
    numbered,
)
from capmodel.output.figure import save_figure

OPTIONS = {"png": "--figure", "gif": "--gif", "mp4": "--mp4", "html": "--html"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working folder, with a photo."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo.jpg").write_bytes(b"a photo")
    (tmp_path / "sub").mkdir()
    return tmp_path


def refusal(folder, *files: tuple[str, str], photos=("photo.jpg",)) -> str:
    """The message, with what it says of each file: (kind, name)."""
    destinations = [Destination(OPTIONS[kind], kind, folder / name) for kind, name in files]
    with pytest.raises(DestinationError) as told:
        check_destinations(destinations, [folder / photo for photo in photos])
    assert str(told.value).count("\n") == 0
    return str(told.value)


def test_new_files_and_old_ones_that_are_no_photos_are_fine(folder):
    (folder / "old.gif").write_bytes(b"an earlier one")
    (folder / "link.mp4").symlink_to("sub/new.mp4")
    given = {"png": "sub/new.png", "gif": "old.gif", "mp4": "link.mp4", "html": "photos.HTM"}
    check_destinations([Destination("--x", kind, Path(name)) for kind, name in given.items()], [folder / "photo.jpg"])


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("png", "nowhere/out.png", "there is no folder nowhere; create it first"),
        ("png", "photo.jpg/out.png", "there is no folder photo.jpg"),
        ("png", "sub", "this is a folder"),
        ("png", "out", "must end in .png, .jpg, .jpeg, .webp, .tif, .tiff, .pdf or .svg"),
        ("png", "out.gif", "must end in .png"),
        ("gif", "out.png", "the name must end in .gif"),
        ("gif", ".gif", "the name must end in .gif"),
        ("mp4", "out.avi", "the name must end in .mp4 or .m4v"),
        ("html", "out.htmlx", "the name must end in .html or .htm"),
        ("png", "o" * 252 + ".png", "too long"),
        ("png", "ö" * 126 + ".png", "too long"),
    ],
)
def test_what_cannot_be_written_is_refused(folder, kind, name, message):
    said = refusal(folder, (kind, name)).replace(f"{folder}/", "")
    assert said.startswith(f"{OPTIONS[kind]} {name}: ")
    assert message in said


def test_a_photo_is_never_overwritten_under_any_name(folder):
    (folder / "link.jpg").symlink_to("photo.jpg")
    (folder / "hard.jpg").hardlink_to(folder / "photo.jpg")
    (folder / "chain.png").symlink_to("link.jpg")
    (folder / "other").symlink_to("sub")
    for name in ("photo.jpg", "link.jpg", "hard.jpg", "chain.png", "sub/../photo.jpg", "other/../photo.jpg"):
        assert "would overwrite the photo" in refusal(folder, ("png", name)), name
    # The photo itself may be given as a link.
    assert "would overwrite the photo" in refusal(folder, ("png", "photo.jpg"), photos=["link.jpg"])
    assert (folder / "photo.jpg").read_bytes() == b"a photo"


def test_two_outputs_are_never_the_same_file(folder):
    (folder / "a.gif").symlink_to("b.mp4")  # which does not exist
    assert "another option" in refusal(folder, ("gif", "a.gif"), ("mp4", "b.mp4"))
    (folder / "b.mp4").touch()
    assert "another option" in refusal(folder, ("gif", "a.gif"), ("mp4", "b.mp4"))


def test_links_to_nowhere(folder):
    (folder / "a.gif").symlink_to("nowhere/b.gif")
    (folder / "round.gif").symlink_to("round.gif")
    assert "a folder that does not exist" in refusal(folder, ("gif", "a.gif"))
    assert "a link to itself" in refusal(folder, ("gif", "round.gif"))


@pytest.mark.parametrize("stem", ["dog", "x" * 300, "ö" * 200, "犬" * 90, "\udcff" * 260, "🐕" * 70])
def test_numbered_names_fit_and_differ(folder, stem):
    names = [numbered(folder / "out.png", number, Path("elsewhere", f"{stem}.jpg")).name for number in (1, 2, 12)]
    assert len(set(names)) == 3
    for number, name in zip((1, 2, 12), names):
        assert name.startswith(f"out-{number}-{stem[:3]}")
        assert name.endswith(".png")
        (folder / name).touch()  # the file system takes it


@pytest.mark.parametrize("suffix", SUFFIXES["png"])
def test_each_kind_of_picture_is_what_its_name_says(tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    save_figure(np.zeros((8, 8, 3), np.uint8), make_caption(peaked(1, 1), UNIFORM), path)
    if suffix in (".pdf", ".svg"):
        assert path.read_bytes().startswith({".pdf": b"%PDF", ".svg": b"<?xml"}[suffix])
    else:
        with Image.open(path) as picture:
            assert picture.format == Image.registered_extensions()[suffix]
