"""Which files of a folder are photos: by name, by content, through links, and what is said of the rest."""

import io
import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from random import Random

import numpy as np
import pillow_heif
import pytest
from PIL import Image
from support.samples import PHOTOS

from capmodel.photos import FORMATS, HEIF, PhotoError, load_photo, may_be_photo
from capmodel.photos.folders import (
    OTHER_SUFFIXES,
    PHOTO_SUFFIXES,
    begins_like_photo,
    is_system_folder,
    left_out,
    list_photos,
    read_folder,
    suffix_of,
)

NO_SIGNATURE = {"TGA", "PCX", "ICO", "DIB", "SGI"}  # their beginnings are common in other files, or they have none


def encoded(kind: str, mode: str = "RGB", **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)).convert(mode).save(
        file, kind, **options
    )
    return file.getvalue()


def heic(**options) -> bytes:
    file = io.BytesIO()
    pillow_heif.from_pillow(Image.new("RGB", (64, 48), "green")).save(file, **options)
    return file.getvalue()


JPEG = encoded("JPEG")
MP4 = b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41" + bytes(5000)


def fill(folder: Path, *names: str, content: bytes = JPEG) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def names(folder: Path, **options) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in read_folder(folder, **options).photos]


def test_the_photos_of_the_project():
    assert list_photos(PHOTOS) == sorted(PHOTOS.glob("*.jpg"))
    assert read_folder(PHOTOS)[1:] == (1, [])  # CREDITS.md


@pytest.mark.parametrize(
    "name",
    ["a.jpg", "a.JPG", "a.jpeg", "a.jpe", "a.jfif", "a.pjpeg", "a.pjp", "a.mpo", "a.MPO", "a.png", "a.apng", "a.webp",
     "a.HIF", "a.hif", "a.heic", "a.HEICS", "a.heifs", "a.heif", "a.avif", "a.avifs", "a.tif", "a.TIFF", "a.gif",
     "a.bmp", "a.jp2", "a.ppm", "a.qoi", "two.dots.jpg", "blank .jpg", "émigré.jpg", "photo\n.jpg", "~.jpg"],
)  # fmt: skip
def test_a_name_that_says_photo_is_enough(tmp_path, name):
    (tmp_path / name).write_text("A reader is told of it, instead of the file being left out in silence.")
    assert names(tmp_path) == [name]


def test_every_suffix_is_of_a_format_that_is_read():
    pillow_heif.register_heif_opener()
    Image.init()
    known = {suffix for suffix in PHOTO_SUFFIXES if suffix in Image.registered_extensions()}
    assert {Image.registered_extensions()[suffix] for suffix in known} <= {*FORMATS, HEIF, "MPO"}
    assert PHOTO_SUFFIXES - known == {".pjpeg", ".pjp"}  # Windows and Chrome name JPEGs so
    assert not PHOTO_SUFFIXES & OTHER_SUFFIXES
    assert all(suffix == suffix.lower() == suffix_of("x" + suffix) for suffix in PHOTO_SUFFIXES | OTHER_SUFFIXES)


@pytest.mark.parametrize(
    "name",
    ["IMG_0001", "photo.jpg (1)", "cat.jpg_large", "cat.jpg?w=800&h=600", "photo.", "photo.jpg.", "photo.jpg ",
     "photo.dat", "photo.2024", "FILE0001.CHK", "image.jpg;v=2", "photo.orig.copy", "cat.jpg-large", "photo.bin"],
)  # fmt: skip
def test_content_decides_where_the_name_does_not(tmp_path, name):
    fill(tmp_path, name)
    assert names(tmp_path) == [name]
    (tmp_path / name).write_bytes(MP4)
    assert read_folder(tmp_path) == ([], 1, [])


@pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind not in NO_SIGNATURE])
def test_content_tells_every_format_with_a_signature(tmp_path, kind):
    fill(tmp_path, "photo", content=encoded(kind))
    assert names(tmp_path) == ["photo"]


@pytest.mark.parametrize(
    "content",
    [
        encoded("MPO", save_all=True, append_images=[Image.new("RGB", (60, 40))]),
        heic(),
        encoded("PPM", "L"),
        encoded("PPM", "1"),
        encoded("TIFF", big_tiff=True),
        encoded("JPEG2000", no_jp2=True),
        encoded("PNG", "P"),
        b"P6\n# made by hand\n#\n2 1\n255\n......",
        b"P6 2 1 255 ......",
    ],
)
def test_kinds_within_formats(tmp_path, content):
    fill(tmp_path, "photo", content=content)
    assert names(tmp_path) == ["photo"]
    load_photo(content)
    assert may_be_photo(content[:4096]), "the page takes it, too"


@pytest.mark.parametrize(
    "content",
    [
        MP4,
        b"\0\0\0\x14ftypqt  \0\0\2\0qt  " + bytes(100),
        b"\0\0\0\x18ftypM4A \0\0\0\0M4A mp42",
        b"\0\0\0\x18ftypcrx \0\0\0\1crx isom",  # Canon's raw photos
        b"RIFF\0\0\0\0WAVEfmt ",
        b"RIFF\0\0\0\0AVI LIST",
        b"BMW is a maker of cars. " * 9,
        b"Python is a language. " * 9,
        b"P1 is a priority. " * 9,
        b"P6" + b" " * 5000,
        b"\n\5is how no text begins",
        b"\0\0\1\0\1\0\x20\x20",
        b"%PDF-1.7",
        b"PK\3\4",
        b"<html><body>404</body></html>",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"",
        b"\xff",
        bytes(5000),
        np.random.default_rng(1).bytes(5000),
    ],
)
def test_content_that_is_no_photo(tmp_path, content):
    fill(tmp_path, "file", content=content)
    assert read_folder(tmp_path) == ([], 1, [])
    with pytest.raises(PhotoError):
        load_photo(content)


def test_random_bytes_are_no_photo():
    random = np.random.default_rng(2)
    assert not any(begins_like_photo(random.bytes(64)) for _ in range(20_000))


@pytest.mark.parametrize(
    "name",
    ["notes.txt", "table.CSV", "data.json", "film.mp4", "film.MOV", "clip.avi", "song.mp3", "all.zip", "index.html",
     "IMG_1.CR2", "IMG_1.dng", "IMG_1.NEF", "film.THM", "IMG_1.AAE", "IMG_1.jpg.xmp", "icon.ico", "Thumbs.db",
     "a.jpg_original", "a.jpg~", "a.jpg.part", "a.jpg.crdownload", "a.jpg.bak", "a.psd"],
)  # fmt: skip
def test_a_name_that_says_something_else_is_enough(tmp_path, name):
    """Even if it begins like a photo, as raw photos, previews of videos and backups do."""
    fill(tmp_path, name)
    assert read_folder(tmp_path) == ([], 1, [])


def test_no_more_than_the_beginning_of_a_file_is_read(tmp_path, monkeypatch):
    read = []

    class Spy(io.FileIO):
        def read(self, size=-1):
            read.append((Path(self.name).name, size))
            return super().read(size)

    monkeypatch.setattr("capmodel.photos.folders.FileIO", Spy)
    with (tmp_path / "film").open("wb") as film:
        film.write(MP4)
        film.truncate(5 * 10**9)  # takes no room on disk
    fill(tmp_path, "film.mp4", "notes.txt", "photo.jpg", content=MP4)
    assert read_folder(tmp_path)[1] == 3
    assert read == [("film", 4096)]


@pytest.mark.parametrize(
    "path",
    ["._a.jpg", ".hidden.jpg", ".thumbnails/a.jpg", ".Trash/a.jpg", ".Trash-1000/files/a.jpg", ".Trashes/a.jpg",
     "__MACOSX/a.jpg", "__MACOSX/photos/._a.jpg", "@eaDir/a.jpg/SYNOPHOTO_THUMB_XL.jpg", "@EADIR/a.jpg", "@tmp/a.jpg",
     "#recycle/a.jpg", "#snapshot/a.jpg", "$RECYCLE.BIN/S-1-5/$R1.jpg", "RECYCLER/a.jpg", "found.000/a.jpg",
     "System Volume Information/a.jpg", "lost+found/a.jpg", ".git/a.jpg", ".@__thumb/a.jpg", "@Recycle/a.jpg",
     ".picasaoriginals/a.jpg", ".dtrash/files/a.jpg", ".AppleDouble/a.jpg", ".sh_thumbnails/normal/a.png",
     "Lightroom Catalog Previews.lrdata/a.jpg", "CaptureOne/Cache/Thumbnails/a.jpg", "Network Trash Folder/a.jpg",
     "Photos Library.photoslibrary/resources/derivatives/a.jpg", "iPhoto Library.photolibrary/Thumbnails/a.jpg"],
)  # fmt: skip
def test_hidden_files_and_the_folders_of_systems_are_passed_over(tmp_path, path):
    fill(tmp_path, path, "deeper/" + path, "b.jpg", "deeper/c.jpg")
    assert read_folder(tmp_path) == ([tmp_path / "b.jpg", tmp_path / "deeper" / "c.jpg"], 0, [])


@pytest.mark.parametrize(
    "path",
    ["originals/a.jpg", "resources/a.jpg", "Trash/a.jpg", "thumbnails of my life/a.jpg", "my@eaDir/a.jpg", "lost/a.jpg",
     "Photos Library.photoslibrary/originals/0/a.heic", "iPhoto Library.photolibrary/Masters/2012/a.jpg",
     "$RECYCLE/a.jpg", "recycled art/a.jpg", "a.jpg/b.jpg", "#1/a.jpg", "@home/a.jpg", "my.photos/summer/a.jpg"],
)  # fmt: skip
def test_folders_of_people_are_read(tmp_path, path):
    fill(tmp_path, path)
    assert names(tmp_path) == [path]


@pytest.mark.parametrize("name", [".photos", "@eaDir", ".Trash-1000", "__MACOSX", ".photos/x.lrdata"])
def test_only_what_is_below_the_given_folder_is_judged(tmp_path, name):
    fill(tmp_path / name, "summer/a.jpg", "b.jpg")
    assert names(tmp_path / name) == ["b.jpg", "summer/a.jpg"]


def test_the_library_itself_may_be_given(tmp_path, monkeypatch):
    library = tmp_path / "Photos Library.photoslibrary"
    fill(library, "resources/derivatives/a.jpg", "originals/0/a.jpg")
    assert names(library) == ["originals/0/a.jpg"]
    monkeypatch.chdir(library)
    assert list_photos(Path()) == [Path("originals/0/a.jpg")]


def test_patterns_of_folders_need_the_whole_name():
    assert is_system_folder("photos", "LOST+FOUND")
    assert not is_system_folder(".photos", "summer")
    assert not is_system_folder("@eaDir", "summer")


def test_the_order_is_that_of_sorted_paths(tmp_path):
    fill(
        tmp_path, "a/b.jpg", "a.jpg", "a-b/c.jpg", "a b.jpg", "A.jpg", "a/b/c.jpg", "ä.jpg", "10.jpg", "9.jpg", "a!.jpg"
    )
    found = read_folder(tmp_path).photos
    assert found == sorted(tmp_path.rglob("*.jpg"))
    assert len(found) == 10


def test_a_relative_folder_gives_relative_paths(tmp_path, monkeypatch):
    fill(tmp_path, "in/a.jpg", "b.jpg")
    monkeypatch.chdir(tmp_path)
    assert list_photos(Path("in")) == [Path("in/a.jpg")]
    assert list_photos(Path()) == [Path("b.jpg"), Path("in/a.jpg")]


class TestLinks:
    def test_links_to_folders_are_followed(self, tmp_path):
        fill(tmp_path, "far/x/a.jpg", "photos/b.jpg")
        (tmp_path / "photos" / "away").symlink_to(tmp_path / "far")
        assert names(tmp_path / "photos") == ["away/x/a.jpg", "b.jpg"]

    @pytest.mark.parametrize("target", [".", "..", "../..", "../../photos"])
    def test_loops_end(self, tmp_path, target):
        fill(tmp_path, "photos/in/a.jpg")
        (tmp_path / "photos" / "in" / "loop").symlink_to(target)
        assert names(tmp_path / "photos") == ["in/a.jpg"]

    def test_two_folders_that_lead_to_each_other(self, tmp_path):
        fill(tmp_path, "photos/a.jpg", "far/b.jpg")
        (tmp_path / "photos" / "far").symlink_to(tmp_path / "far")
        (tmp_path / "far" / "back").symlink_to(tmp_path / "photos")
        assert names(tmp_path / "photos") == ["a.jpg", "far/b.jpg"]

    def test_a_folder_reached_twice_is_listed_under_its_own_path(self, tmp_path):
        """So that a new link does not change the keys of photos, which `capmodel.bulk` resumes by."""
        fill(tmp_path, "z/a.jpg", "z/deep/b.jpg")
        before = names(tmp_path)
        (tmp_path / "a").symlink_to("z")
        (tmp_path / "b").symlink_to("z/deep")
        assert names(tmp_path) == before == ["z/a.jpg", "z/deep/b.jpg"]

    def test_of_two_links_the_first_counts(self, tmp_path):
        fill(tmp_path, "far/a.jpg")
        for link in ("2", "1", "3"):
            (tmp_path / "photos").mkdir(exist_ok=True)
            (tmp_path / "photos" / link).symlink_to(tmp_path / "far")
        assert names(tmp_path / "photos") == ["1/a.jpg"]

    def test_links_behind_links(self, tmp_path):
        fill(tmp_path, "one/a.jpg", "two/b.jpg", "photos/c.jpg")
        (tmp_path / "one" / "two").symlink_to(tmp_path / "two")
        (tmp_path / "photos" / "one").symlink_to(tmp_path / "one")
        assert names(tmp_path / "photos") == ["c.jpg", "one/a.jpg", "one/two/b.jpg"]

    def test_links_to_photos(self, tmp_path):
        fill(tmp_path, "far.jpg", "photos/own.jpg", "far without suffix")
        photos = tmp_path / "photos"
        (photos / "again.jpg").symlink_to("own.jpg")
        (photos / "first.jpg").symlink_to(tmp_path / "far.jpg")
        (photos / "second.jpg").symlink_to(tmp_path / "far.jpg")
        (photos / "third").symlink_to(tmp_path / "far without suffix")
        (photos / "notes.txt").symlink_to(tmp_path / "far.jpg")
        assert names(photos) == ["first.jpg", "own.jpg", "third"]
        assert read_folder(photos).others == 1

    def test_hard_links_are_files_of_their_own(self, tmp_path):
        fill(tmp_path, "a.jpg")
        (tmp_path / "b.jpg").hardlink_to(tmp_path / "a.jpg")
        assert names(tmp_path) == ["a.jpg", "b.jpg"]

    def test_links_that_lead_nowhere_are_told(self, tmp_path):
        fill(tmp_path, "a.jpg")
        (tmp_path / "gone.jpg").symlink_to("nowhere.jpg")
        (tmp_path / "self").symlink_to("self")
        (tmp_path / ".#lock").symlink_to("emacs@host:1")
        (tmp_path / "notes.txt").symlink_to("nowhere.txt")
        found = read_folder(tmp_path)
        assert found.others == 1
        assert found.photos == [tmp_path / "a.jpg"]
        assert found.problems == [
            f"{tmp_path / 'gone.jpg'}: This link leads nowhere, so it is left out.",
            f"{tmp_path / 'self'}: This link leads nowhere, so it is left out.",
        ]

    @pytest.mark.parametrize("seed", range(20))
    def test_every_photo_once_in_any_tangle(self, tmp_path, seed):
        random = Random(seed)
        folders = [tmp_path / "photos", tmp_path / "far"]
        for number in range(12):
            folders.append(random.choice(folders) / f"f{number}")
        for folder in folders:
            folder.mkdir(exist_ok=True)
            fill(folder, *(f"{random.randrange(9)}{random.choice(['.jpg', '', '.MPO'])}" for _ in range(3)))
        photos = [path for path in tmp_path.rglob("*") if path.is_file()]
        for number in range(25):
            link = random.choice(folders) / f"link {number}"
            link.symlink_to(random.choice([*folders, *photos]))
        found = list_photos(tmp_path / "photos")
        assert found == sorted(found)
        reached, visited, waiting = set(), set(), {os.path.realpath(tmp_path / "photos")}
        while waiting:
            folder = waiting.pop()
            visited.add(folder)
            targets = {os.path.realpath(path) for path in Path(folder).iterdir()}
            reached |= {target for target in targets if Path(target).is_file()}
            waiting |= {target for target in targets if Path(target).is_dir()} - visited
        assert sorted(map(os.path.realpath, found)) == sorted(reached)
        own = {path for path in photos if path.is_relative_to(tmp_path / "photos")}
        assert own <= set(found), "links rename no photo"

    def test_a_link_to_a_hidden_folder_and_a_hidden_link(self, tmp_path):
        fill(tmp_path, ".all/a.jpg", "far/b.jpg")
        (tmp_path / "shown").symlink_to(".all")
        (tmp_path / ".hidden").symlink_to("far")
        (tmp_path / "@eaDir").symlink_to("far")
        assert names(tmp_path) == ["far/b.jpg", "shown/a.jpg"]

    def test_the_given_folder_may_be_a_link(self, tmp_path):
        fill(tmp_path, "far/a.jpg")
        (tmp_path / "photos").symlink_to("far")
        assert names(tmp_path / "photos") == ["a.jpg"]


@pytest.fixture
def open_to_all():
    """A folder that every user may look into."""
    with tempfile.TemporaryDirectory(prefix="capmodel-tests-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@contextmanager
def unprivileged():
    """Root may read everything, so it becomes another user for a while."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    yield
    os.seteuid(user)


def test_what_may_not_be_read_is_told_and_the_rest_is_listed(open_to_all):
    fill(open_to_all, "a.jpg", "closed/b.jpg", "secret", "z/c.jpg")
    closed, secret = open_to_all / "closed", open_to_all / "secret"
    closed.chmod(0)
    secret.chmod(0)
    try:
        with unprivileged():
            found = read_folder(open_to_all)
    finally:
        closed.chmod(0o755)
    assert found.photos == [open_to_all / "a.jpg", open_to_all / "z" / "c.jpg"]
    assert left_out([found]) == [
        f"{closed}: This folder could not be opened (Permission denied), so it is left out.",
        f"{secret}: This file could not be opened (Permission denied), so it is left out.",
    ]


def test_a_folder_that_is_not_there(tmp_path):
    nowhere = tmp_path / "nowhere"
    problem = f"{nowhere}: This folder could not be opened (No such file or directory), so it is left out."
    assert read_folder(nowhere) == ([], 0, [problem])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes here")
def test_pipes_and_sockets_are_not_waited_for(tmp_path):
    for name in ("pipe", "pipe.jpg"):
        os.mkfifo(tmp_path / name)
    fill(tmp_path, "a.jpg")
    assert names(tmp_path) == ["a.jpg"]


def test_a_name_that_is_not_text(tmp_path):
    name = os.fsdecode(b"caf\xe9.jpg")
    fill(tmp_path, name)
    assert [path.name for path in list_photos(tmp_path)] == [name]


def test_very_deep_folders(tmp_path):
    folders = [tmp_path]
    for _ in range(1200):
        folders.append(folders[-1] / "d")
        folders[-1].mkdir()
    deepest = folders[-1] / "a.jpg"
    deepest.write_bytes(JPEG)
    assert list_photos(tmp_path) == [deepest]
    deepest.unlink()  # else pytest, which cleans up, would recurse too deep
    for folder in folders[:0:-1]:
        folder.rmdir()


def test_other_files_may_be_asked_for_and_a_folder_be_left_out(tmp_path):
    fill(tmp_path, "a.jpg", "b.tar", "c.PARQUET", "d.zip", "out/e.jpg", "in/out/f.jpg")
    (tmp_path / "link").symlink_to("out")
    wanted = {"also": (".tar", ".parquet"), "without": tmp_path / "out"}
    assert names(tmp_path, **wanted) == ["a.jpg", "b.tar", "c.PARQUET", "in/out/f.jpg"]
    assert read_folder(tmp_path, **wanted).others == 1
    assert names(tmp_path, without=tmp_path / "not yet") == ["a.jpg", "in/out/f.jpg", "out/e.jpg"]


def test_what_is_left_out_is_told_in_one_line_for_all_folders(tmp_path):
    fill(
        tmp_path,
        *(f"{folder}/notes {n}.txt" for folder in ("one", "two") for n in range(6)),
        "three/a.txt",
        "four/a.jpg",
    )
    one, two, three, four = (read_folder(tmp_path / folder) for folder in ("one", "two", "three", "four"))
    assert left_out([one, two]) == ["12 other files left out."]
    assert left_out([three]) == ["1 other file left out."]
    assert left_out([four]) == left_out([]) == []
    assert left_out([one._replace(others=1234)]) == ["1,234 other files left out."]


def test_the_search_needs_no_torch():
    code = "import sys, capmodel.photos.folders; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "False\n", done.stderr
