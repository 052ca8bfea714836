"""Whatever people give as a photo is read, or named in one sentence."""

import io
import os
import socket
import subprocess
import sys
import tempfile
import threading
import warnings
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from support.photos import QUARTERS, assert_quarters, encoded, rgb

from capmodel.photos import PhotoError, each_photo, is_one_photo, load_photo, read_file, sources

DATA = encoded(rgb(), "PNG")
ACCEPTED = "give a path, the content of a file, a file open in binary mode, a PIL image, an array or a tensor"


@pytest.fixture
def path(tmp_path):
    (tmp_path / "photo.png").write_bytes(DATA)
    return tmp_path / "photo.png"


class OtherLibrary:
    """An array of another library, as NumPy sees it."""

    shape, dtype = QUARTERS.shape, QUARTERS.dtype

    def __array__(self, dtype=None, copy=None):
        return QUARTERS


class Download(io.RawIOBase):
    """Gives a few bytes at a time, and cannot go back, like the answer of a server."""

    def __init__(self, data: bytes):
        self.rest = data

    def readable(self):
        return True

    def read(self, size=-1):
        piece, self.rest = self.rest[: min(7, size)], self.rest[min(7, size) :]
        return piece


def at_its_end() -> io.BytesIO:
    file = io.BytesIO()
    rgb().save(file, "PNG")
    return file


TENSOR = torch.from_numpy(QUARTERS)

ONE_PHOTO = {
    "text": lambda path: str(path),
    "path": lambda path: path,
    "path as bytes in a path": lambda path: next(os.scandir(path.parent)),
    "bytes": lambda _: DATA,
    "bytearray": lambda _: bytearray(DATA),
    "memoryview": lambda _: memoryview(DATA),
    "BytesIO": lambda _: io.BytesIO(DATA),
    "BytesIO at its end": lambda _: at_its_end(),
    "open file": lambda path: path.open("rb"),
    "unbuffered file": lambda path: path.open("rb", buffering=0),
    "temporary file": lambda _: written(tempfile.NamedTemporaryFile()),  # noqa: SIM115
    "spooled file": lambda _: written(tempfile.SpooledTemporaryFile()),  # noqa: SIM115
    "file in an archive": lambda path: archived(path).open("photo.png"),
    "download": lambda _: Download(DATA),
    "PIL image": lambda _: rgb(),
    "PIL file": lambda path: Image.open(path),
    "array": lambda _: QUARTERS,
    "array of 16 bits": lambda _: QUARTERS.astype(np.uint16) * 257,
    "array of signed numbers": lambda _: QUARTERS.astype(np.int64),
    "array of real numbers": lambda _: QUARTERS / 255,
    "array with alpha": lambda _: np.dstack([QUARTERS, np.full((40, 60), 255, np.uint8)]),
    "array, channels first": lambda _: QUARTERS.transpose(2, 0, 1),
    "array, upside down and back": lambda _: QUARTERS[::-1].copy()[::-1],
    "read-only array": lambda _: np.frombuffer(QUARTERS.tobytes(), np.uint8).reshape(QUARTERS.shape),
    "tensor": lambda _: TENSOR.permute(2, 0, 1),
    "tensor, channels last": lambda _: TENSOR,
    "tensor of real numbers": lambda _: TENSOR.permute(2, 0, 1) / 255,
    "tensor of bfloat16": lambda _: (TENSOR / 255).bfloat16(),
    "tensor of half": lambda _: (TENSOR / 255).half(),
    "tensor with gradient": lambda _: (TENSOR / 255).requires_grad_(),
    "array of another library": lambda _: OtherLibrary(),
}


def written(file):
    file.write(DATA)
    return file


def archived(path: Path) -> zipfile.ZipFile:
    archive = zipfile.ZipFile(path.parent / "photos.zip", "w")
    archive.write(path, "photo.png")
    return archive


@pytest.mark.parametrize("kind", ONE_PHOTO)
def test_one_photo(kind, path):
    source = ONE_PHOTO[kind](path)
    assert is_one_photo(source)
    assert list(each_photo(source)) == [source] if "array" not in kind and "tensor" not in kind else True
    assert_quarters(load_photo(source), tolerance=1)


@pytest.mark.parametrize("kind", ["open file", "BytesIO", "temporary file"])
def test_an_open_file_stays_open(kind, path):
    file = ONE_PHOTO[kind](path)
    assert_quarters(load_photo(file), tolerance=0)
    assert_quarters(load_photo(file), tolerance=0)
    assert not file.closed


MANY = {
    "list": [DATA, DATA],
    "tuple": (DATA, rgb()),
    "generator": (data for data in [DATA, DATA]),
    "map": map(bytes, [DATA, DATA]),
    "keys of a dict": dict.fromkeys(["a.png", "b.png"]).keys(),
    "array": np.stack([QUARTERS, QUARTERS]),
    "tensor": torch.stack([TENSOR.permute(2, 0, 1)] * 2),
    "array of names": np.array(["a.png", "b.png"]),
    "array of paths": np.array([Path("a.png"), Path("b.png")]),
}


@pytest.mark.parametrize("kind", MANY)
def test_many_photos(kind):
    assert not is_one_photo(MANY[kind])
    photos = list(each_photo(MANY[kind]))
    assert len(photos) == 2
    if kind in ("array", "tensor"):
        for photo in photos:
            assert_quarters(load_photo(photo), tolerance=0)


def test_a_column_of_names_is_many_photos():
    import pandas

    table = pandas.DataFrame({"photo": ["a.png", "b.png"]})
    assert list(each_photo(table["photo"])) == ["a.png", "b.png"]


def test_none_of_many():
    assert list(each_photo([])) == list(each_photo(iter(()))) == []
    assert list(each_photo(np.zeros((0, 4, 4, 3), np.uint8))) == []


@pytest.mark.parametrize("array", [np.zeros((3, 3, 3), np.uint8), np.zeros((3, 4, 3), np.uint8)])
def test_if_both_are_possible_the_library_decides(array):
    array[0] = 255  # the top row of an array, the red channel of a tensor
    assert load_photo(array)[0].min() == 255
    assert load_photo(torch.from_numpy(array))[..., 0].min() == 255
    assert load_photo(torch.from_numpy(array))[..., 1:].max() == 0


NO_PHOTO = {
    "None": None,
    "int": 5,
    "float": 1.5,
    "dict": {"image": DATA},
    "list": [[0, 0, 0]],
    "tuple": ("a.jpg", "b.jpg"),
    "set": {"a.jpg"},
    "object": object(),
    "generator": (number for number in []),
    "function": load_photo,
    "type": Image.Image,
}


@pytest.mark.parametrize("kind", NO_PHOTO)
def test_other_types_are_named(kind):
    with pytest.raises(PhotoError) as caught:
        load_photo(NO_PHOTO[kind])
    name = type(NO_PHOTO[kind]).__name__
    assert str(caught.value) == f"A photo cannot be read from a value of type {name}; {ACCEPTED}."


ARRAYS = {
    "two channels": (np.zeros((4, 4, 2)), r"An array of shape \(4, 4, 2\) is not a photo; \(height, width, 3\) is\."),
    "five channels": (np.zeros((5, 9, 6)), r"shape \(5, 9, 6\) is not"),
    "a row": (np.zeros(5), r"shape \(5,\) is not"),
    "a number": (np.array(5), r"shape \(\) is not"),
    "many": (np.zeros((2, 4, 4, 3)), r"shape \(2, 4, 4, 3\) is not"),
    "empty": (np.zeros((0, 4, 3)), r"shape \(0, 4, 3\) is not"),
    "no channels": (np.zeros((4, 4, 0)), r"shape \(4, 4, 0\) is not"),
    "a tensor": (torch.zeros(2, 5, 5), r"A Tensor of shape \(2, 5, 5\) is not"),
    "names": (np.array([["a.jpg"]]), r"^An array of <U5 is not a photo; uint8 is\.$"),
    "a tensor without values": (torch.zeros(4, 4, 3, device="meta"), r"^This array cannot be read; give one of NumPy"),
    "complex": (np.zeros((4, 4), complex), r"An array of complex128 is not a photo; uint8 is\."),
    "dates": (np.zeros((4, 4), "datetime64[s]"), r"An array of datetime64\[s\] is not a photo"),
    "normalized": (
        torch.full((3, 4, 4), -2.1),
        r"This array has values from -2\.1 to -2\.1, so it is not a photo; undo its normalization, for values from 0",
    ),
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_arrays_that_are_no_photo(kind):
    array, message = ARRAYS[kind]
    with pytest.raises(PhotoError, match=message):
        load_photo(array)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[-1, 0, 255]]), [0, 0, 255]),
        (np.array([[-5, 65535, 70_000]]), [0, 255, 255]),
        (np.array([[0, np.nan, 1]]), [0, 0, 255]),
        (np.array([[0, -0.1, 1]]), [0, 0, 255]),  # what resizing does
        (np.array([[0, 127.5, 255]]), [0, 128, 255]),
        (np.array([[False, True]]), [0, 255]),
        (np.array([[0, 1, 2]], np.uint8), [0, 1, 2]),
        (np.array([[0, 256]], ">u2"), [0, 1]),
    ],
)
def test_values_of_arrays(values, expected):
    assert load_photo(values)[0, :, 0].tolist() == expected


MODES = [
    "1",
    "L",
    "LA",
    "La",
    "P",
    "PA",
    "RGB",
    "RGBA",
    "RGBa",
    "RGBX",
    "CMYK",
    "YCbCr",
    "HSV",
    "I",
    "F",
    "I;16",
    "LAB",
]


@pytest.mark.parametrize("mode", MODES)
def test_pil_images_of_every_mode(mode):
    gray = Image.new("L", (6, 4), 200)
    if mode == "LAB":
        image = Image.new("LAB", (6, 4), (200, 128, 128))
    elif mode in ("La", "RGBa", "PA"):
        between = {"La": "LA", "RGBa": "RGBA", "PA": "P"}[mode]
        image = gray.convert("RGB").convert(between).convert(mode) if mode != "La" else gray.convert("LA").convert("La")
    elif mode == "I;16":
        image = Image.fromarray(np.full((4, 6), 200 * 257, np.uint16))
    else:
        image = gray.convert("RGB").convert(mode)
    assert image.mode == mode
    before = image.copy()
    for at_least in (None, 2):
        photo = load_photo(image, at_least)
        expected = 255 if mode == "1" and photo.max() == 255 else 200
        np.testing.assert_allclose(photo.astype(int), expected, atol=255 if mode == "1" else 8)
    assert image.mode == mode
    assert image == before


def test_images_without_pixels_or_file_are_refused(path):
    with pytest.raises(PhotoError, match=r"^This image has no pixels\.$"):
        load_photo(Image.new("RGB", (0, 5)))
    with Image.open(path) as image:
        pass
    with pytest.raises(PhotoError, match=r"^This image cannot be read; it may be closed\.$"):
        load_photo(image)


NAMES = {
    "https://example.org/dog.jpg": "This is an address, not a path; download the photo first, then give its path.",
    "s3://photos/dog.jpg": "This is an address, not a path; download the photo first, then give its path.",
    "FILE:///home/me/dog.jpg": "This is an address, not a path; download the photo first, then give its path.",
    "data:image/png;base64,iVBORw0KGgo=": "This is a data URL, not a path; decode it and give its bytes.",
    "data:image/png;base64," + "iVBORw0KGgo/" * 1000: "This is a data URL, not a path; decode it and give its bytes.",
    "iVBORw0KGgo" * 1000: "This text is too long for the name of a file; give the path of a photo.",
    "é" * 200 + ".jpg": "This text is too long for the name of a file; give the path of a photo.",
    "none.jpg": "This file does not exist.",
    "none/none.jpg": "This file does not exist.",
    "~/none.jpg": "This file does not exist.",
    "~nobody-of-this-name/none.jpg": "This file does not exist.",
    "photo\0.jpg": "This file does not exist.",
    "photo\udcff.jpg": "This file does not exist.",
    "": "This is a folder, not a photo.",
    ".": "This is a folder, not a photo.",
    "~": "This is a folder, not a photo.",
}


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:40])
def test_names_without_a_photo(name, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for source in (name, Path(name)) if "data:" not in name else (name,):
        with pytest.raises(PhotoError) as caught:
            load_photo(source)
        assert str(caught.value) == NAMES[name]


def test_a_file_below_a_photo_does_not_exist(path):
    with pytest.raises(PhotoError, match=r"^This file does not exist\.$"):
        load_photo(path / "none.jpg")


def test_home_is_known(path, monkeypatch):
    monkeypatch.setenv("HOME", str(path.parent))
    assert_quarters(load_photo("~/photo.png"), tolerance=0)
    assert_quarters(load_photo(Path("~/photo.png")), tolerance=0)


def test_links_lead_to_the_photo(path):
    link = path.with_name("link.png")
    link.symlink_to(path)
    assert_quarters(load_photo(link), tolerance=0)
    circle = path.with_name("circle.png")
    circle.symlink_to(circle)
    with pytest.raises(PhotoError, match=r"^This file could not be opened for reading\.$"):
        load_photo(circle)


def test_files_of_odd_kinds(tmp_path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        with pytest.raises(PhotoError, match=r"^This is a socket, not a photo\.$"):
            load_photo(tmp_path / "s")
    for device in ("/dev/null", "/dev/zero"):
        with pytest.raises(PhotoError, match=r"^This is a device, not a photo\.$"):
            load_photo(device)


@pytest.mark.parametrize("error", [PermissionError, TimeoutError, InterruptedError])
def test_a_file_that_may_not_be_read(path, monkeypatch, error):
    monkeypatch.setattr(Path, "open", lambda *_: (_ for _ in ()).throw(error()))
    with pytest.raises(PhotoError, match=r"^This file could not be opened for reading\.$"):
        load_photo(path)


def test_open_files_that_give_no_bytes(path, tmp_path):
    text = tmp_path / "letter.txt"
    text.write_text("Dear reader")
    with text.open() as file, pytest.raises(PhotoError, match=r'^This file is open in text mode; .* mode "rb"\.$'):
        load_photo(file)
    with pytest.raises(PhotoError, match="text mode"):
        load_photo(io.StringIO("Dear reader"))
    with path.open("rb") as closed:
        pass
    with pytest.raises(PhotoError, match=r"^This file is closed; open it, or give its path\.$"):
        load_photo(closed)
    with path.open("ab") as writing, pytest.raises(PhotoError, match=r"^This file could not be read\.$"):
        load_photo(writing)
    for gives, name in (("text", "str"), (None, "NoneType")):
        file = type("File", (), {"read": lambda self, size, gives=gives: gives})()
        with pytest.raises(PhotoError, match=rf'^This file gives {name} instead of bytes; open it with mode "rb"\.$'):
            load_photo(file)
    for empty in (b"", bytearray(), memoryview(b""), io.BytesIO()):
        with pytest.raises(PhotoError, match=r"^This file is empty\.$"):
            load_photo(empty)


def test_pipes_are_read_to_their_end(tmp_path):
    data = encoded(Image.effect_noise((500, 500), 99), "PNG")
    assert len(data) > 200_000  # more than a pipe holds
    os.mkfifo(tmp_path / "pipe")
    for content, message in ((data, None), (b"", "empty"), (b"Dear reader, " * 9, "not a photo"), (data[:9999], "cut")):
        writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=[content])
        writer.start()
        if message:
            with pytest.raises(PhotoError, match=message):
                load_photo(tmp_path / "pipe")
        else:
            assert load_photo(tmp_path / "pipe").shape == (500, 500, 3)
        writer.join()


LOAD = "import sys; from capmodel.photos import load_photo; print(load_photo(sys.argv[1]).shape)"


@pytest.mark.parametrize(
    "how", ["cat {} | {} /dev/stdin", "{1} /dev/stdin < {0}", "{1} <(cat {0})", "{1} /dev/fd/7 7< {0}"]
)
def test_pipes_of_the_shell(how, path):
    python = f"'{sys.executable}' -c '{LOAD}'"
    done = subprocess.run(["bash", "-c", how.format(f"'{path}'", python)], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("(40, 60, 3)\n", "")


def test_an_endless_pipe_ends():
    python = f"'{sys.executable}' -c '{LOAD}'"
    done = subprocess.run(["bash", "-c", f"yes | {python} /dev/stdin"], capture_output=True, text=True, timeout=60)
    assert done.stderr.endswith("PhotoError: This file is not a photo in a format that can be read.\n")


def test_files_have_a_largest_size(monkeypatch, path, tmp_path):
    monkeypatch.setattr(sources, "MAX_BYTES", 2_000_000_000)
    sparse = tmp_path / "large.png"
    with sparse.open("wb") as file:
        file.write(DATA)
        file.truncate(2_000_000_001)
    with pytest.raises(PhotoError, match=r"^This file is larger than 2 GB; please make it smaller\.$"):
        load_photo(sparse)
    monkeypatch.setattr(sources, "MAX_BYTES", 3_000_000)

    class Endless:
        read_bytes = 0

        def read(self, size):
            self.read_bytes += size
            return DATA.ljust(size, b"\0")

    endless = Endless()
    with pytest.raises(PhotoError, match="larger than"):
        read_file(endless)
    assert endless.read_bytes < 6_000_000


def test_pillow_says_nothing(recwarn):
    """About EXIF data and sizes that it finds odd; and what warned before warns again afterwards."""
    before = list(warnings.filters)
    large = Image.new("1", (9500, 9500))  # more than Pillow likes, less than is too much
    assert load_photo(encoded(large, "PNG"), at_least=64).shape[2] == 3
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\xff\xff\xff\x0f\0\0\0\0"
    assert_quarters(load_photo(encoded(rgb(), "JPEG", quality=95, exif=exif)))
    assert [str(warning.message) for warning in recwarn] == []
    assert list(warnings.filters) == before
    with pytest.warns(Image.DecompressionBombWarning):
        Image.open(io.BytesIO(encoded(large, "PNG")))


def test_threads_leave_the_warnings_as_they_were():
    before = list(warnings.filters)
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\xff\xff\xff\x0f\0\0\0\0"
    photos = [DATA, encoded(rgb(), "JPEG", exif=exif), b"no photo"] * 100
    with warnings.catch_warnings(record=True) as told, ThreadPoolExecutor(8) as pool:
        warnings.simplefilter("always")
        within = list(warnings.filters)
        failed = list(pool.map(fails, photos))
        assert list(warnings.filters) == within
    assert (sum(failed), told) == (100, [])
    assert list(warnings.filters) == before


def fails(photo: bytes) -> bool:
    try:
        load_photo(photo)
    except PhotoError:
        return True
    return False
