"""Which photos distillation learns from."""

import shutil

import pytest
from support.samples import PHOTOS

from capmodel.photos.folders import list_photos
from train.distill import find_photos, main


def test_photos_of_folders_are_found_by_the_rules_of_all(tmp_path):
    photo = min(PHOTOS.glob("*.jpg"))
    for name in ("a.jfif", "IMG_0001", "notes.txt", ".thumbnails/a.jpg", "@eaDir/a.jpg", "held.jpg"):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(photo, tmp_path / "photos" / name)
    (tmp_path / "photos" / "again").symlink_to(".")
    (tmp_path / "held-out").write_text("held.jpg")
    learned, held = find_photos([], list_photos(tmp_path / "photos"), [tmp_path / "held-out"])
    assert [path.name for path in learned] == ["IMG_0001", "a.jfif"]
    assert [path.name for path in held] == ["held.jpg"]


def test_a_folder_without_photos_is_explained(tmp_path, capsys):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "notes.txt").write_text("no photo")
    with pytest.raises(SystemExit) as end:
        main(["--photos", str(tmp_path / "photos"), str(tmp_path / "nowhere"), "--out", str(tmp_path / "out")])
    assert str(end.value) == "There are no photos to learn from."
    printed = capsys.readouterr()
    nowhere = f"{tmp_path / 'nowhere'}: This folder could not be opened (No such file or directory), so it is left out."
    assert printed.out == f"{nowhere}\n1 other file left out.\n"
