"""Photos of every kind become plain pixels, or one plain sentence that says why not."""

import io
import struct
import subprocess
import zlib

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image, ImageCms
from support.photos import GRAY, QUARTERS, assert_quarters, corners, encoded, heic, png, rgb

from capmodel.photos import FORMATS, PhotoError, load_photo, loading, squash


def rotated_by_exif() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned clockwise by a quarter
    return encoded(rgb().transpose(Image.Transpose.ROTATE_90), "JPEG", quality=95, exif=exif)


def animated() -> bytes:
    return encoded(rgb(), "GIF", save_all=True, append_images=[Image.new("RGB", (60, 40), "black")])


def transparent() -> bytes:
    image = rgb().convert("RGBA")
    image.paste((0, 0, 0, 0), (30, 20, 60, 40))  # the white quarter, now black but invisible
    return encoded(image, "PNG")


def transparent_palette() -> bytes:
    image = Image.fromarray(np.kron([[0, 1], [2, 3]], np.ones((20, 30))).astype(np.uint8), "P")
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0])
    return encoded(image, "PNG", transparency=3)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(lambda: encoded(rgb(), "JPEG", quality=95), id="jpeg"),
        pytest.param(lambda: encoded(rgb(), "JPEG", quality=95, progressive=True), id="progressive jpeg"),
        pytest.param(lambda: encoded(rgb().convert("CMYK"), "JPEG", quality=95), id="cmyk jpeg"),
        pytest.param(lambda: encoded(rgb(), "PNG"), id="png"),
        pytest.param(lambda: encoded(rgb().quantize(8), "PNG"), id="palette"),
        pytest.param(transparent, id="alpha on white"),
        pytest.param(transparent_palette, id="transparent palette"),
        pytest.param(rotated_by_exif, id="exif orientation"),
        pytest.param(animated, id="animated gif: first frame"),
        pytest.param(lambda: encoded(rgb(), "WEBP", quality=95), id="webp"),
        pytest.param(lambda: encoded(rgb(), "TIFF"), id="tiff"),
        pytest.param(lambda: encoded(rgb(), "BMP"), id="bmp"),
        pytest.param(lambda: encoded(rgb(), "AVIF", quality=95), id="avif"),
        pytest.param(heic, id="heic"),
    ],
)
def test_colours_and_orientation_survive(data):
    photo = load_photo(data())
    assert photo.shape == (40, 60, 3)
    assert_quarters(photo)


@pytest.mark.parametrize("kind", [*FORMATS, "MPO"])
def test_every_format_is_read(kind):
    several = {"save_all": True, "append_images": [Image.new("RGB", (60, 40))]} if kind == "MPO" else {}
    data = encoded(rgb(), kind, **several)
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        assert image.format == kind
    assert_quarters(load_photo(data))


def test_sixteen_bit_colour():
    assert_quarters(load_photo(png(pixels=QUARTERS.astype(">u2") * 257, depth=16)), tolerance=2)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(lambda: encoded(Image.fromarray(GRAY), "PNG"), id="8 bit"),
        pytest.param(lambda: encoded(Image.fromarray(GRAY.astype(np.uint16) * 257), "PNG"), id="16 bit png"),
        pytest.param(lambda: encoded(Image.fromarray(GRAY.astype(np.uint16) * 257), "TIFF"), id="16 bit tiff"),
        pytest.param(lambda: encoded(Image.fromarray(GRAY.astype(np.float32) / 255), "TIFF"), id="float tiff"),
        pytest.param(lambda: encoded(Image.fromarray(GRAY).convert("LA"), "PNG"), id="grey with alpha"),
    ],
)
def test_grey(data):
    np.testing.assert_allclose(load_photo(data()), np.repeat(GRAY[..., None], 3, 2), atol=2)


def test_black_and_white():
    photo = load_photo(encoded(Image.fromarray(GRAY).convert("1", dither=Image.Dither.NONE), "PNG"))
    assert photo[0, 0].tolist() == [0, 0, 0]
    assert photo[0, -1].tolist() == [255, 255, 255]


@pytest.mark.parametrize(
    "array",
    [
        QUARTERS,
        QUARTERS.astype(np.uint16) * 257,
        (QUARTERS / 255).astype(np.float32),
        np.dstack([QUARTERS, np.full((40, 60), 255, np.uint8)]),
    ],
    ids=["uint8", "uint16", "float", "rgba"],
)
def test_arrays(array):
    assert_quarters(load_photo(array), tolerance=1)
    assert_quarters(load_photo(Image.fromarray(QUARTERS)), tolerance=0)


def test_icc_colours_become_srgb():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert_quarters(load_photo(encoded(rgb(), "PNG", icc_profile=profile)), tolerance=2)
    # In a profile whose first primary is green and whose second is red, red and green change places.
    swapped = profile.replace(b"rXYZ", b"?").replace(b"gXYZ", b"rXYZ").replace(b"?", b"gXYZ")
    photo = load_photo(encoded(rgb(), "PNG", icc_profile=swapped))
    np.testing.assert_allclose(corners(photo).astype(int), corners(QUARTERS)[[1, 0, 2, 3]].astype(int), atol=2)


def test_a_broken_icc_profile_is_ignored():
    assert_quarters(load_photo(encoded(rgb(), "PNG", icc_profile=b"no profile at all")))


@pytest.mark.parametrize("at_least", [64, 256])
def test_large_photos_shrink(at_least):
    large = encoded(Image.fromarray(QUARTERS).resize((1800, 1200), Image.Resampling.NEAREST), "JPEG")
    photo = load_photo(large, at_least=at_least)
    assert at_least <= min(photo.shape[:2]) < 2.5 * at_least
    assert photo.shape[1] / photo.shape[0] == pytest.approx(1.5, rel=0.02)
    assert_quarters(photo)


@pytest.mark.parametrize(("width", "drafted"), [(6248, False), (6256, True)])
def test_only_huge_jpegs_are_shrunk_while_they_are_decoded(width, drafted):
    assert (4000 * width > loading.DRAFT_ABOVE) == drafted
    pattern = np.random.default_rng(0).integers(0, 256, (80, 8, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(np.tile(pattern, (50, width // 8, 1))), "JPEG")
    factor = 4000 // 256
    decoded = Image.open(io.BytesIO(data))
    if drafted:
        decoded.draft(None, (256, 256))
        factor //= 8
    expected = decoded.reduce(factor) if factor > 1 else decoded
    np.testing.assert_array_equal(load_photo(data, at_least=256), np.asarray(expected))


def huge() -> bytes:
    """A PNG that claims 12,000 x 12,000 pixels, in a few bytes."""
    data = bytearray(encoded(Image.new("L", (8, 8)), "PNG"))
    data[16:24] = struct.pack(">II", 12_000, 12_000)
    data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
    return bytes(data)


BAD = {
    "empty": (lambda: b"", "empty"),
    "text": (lambda: b"This is a letter, not a photo." * 10, "not a photo"),
    "html": (lambda: b"<!DOCTYPE html><html></html>", "not a photo"),
    "pdf": (lambda: b"%PDF-1.7\n1 0 obj\n", "not a photo"),
    "truncated jpeg": (lambda: encoded(rgb().resize((600, 400)), "JPEG")[:2000], "damaged or cut short"),
    "truncated png": (lambda: encoded(Image.effect_noise((300, 300), 90), "PNG")[:2000], "damaged or cut short"),
    "truncated webp": (lambda: encoded(Image.effect_noise((300, 300), 90), "WEBP")[:2000], "photo"),
    "truncated heic": (lambda: heic()[:200], "photo"),
    "only a header": (lambda: encoded(rgb(), "JPEG")[:20], "photo"),
    "noise after a header": (lambda: encoded(rgb(), "PNG")[:40] + bytes(range(256)), "photo"),
    "144 million pixels": (huge, "more than 100 million pixels"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_files_are_refused_in_one_sentence(kind, tmp_path):
    make, reason = BAD[kind]
    path = tmp_path / "photo.jpg"
    path.write_bytes(make())
    for source in (path, str(path), path.read_bytes()):
        with pytest.raises(PhotoError, match=reason) as caught:
            load_photo(source)
        message = str(caught.value)
        assert message.endswith(".")
        assert message.count(". ") == 0
        assert str(tmp_path) not in message


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "JPEG2000"])
def test_damaged_files_never_end_in_another_error(kind):
    whole, random = encoded(rgb(), kind), np.random.default_rng(0)
    outcomes = set()
    for _ in range(60):
        damaged = np.frombuffer(whole, np.uint8).copy()
        places = random.integers(len(damaged), size=random.integers(1, 12))
        damaged[places] = random.integers(256, size=len(places))
        try:
            outcomes.add(load_photo(damaged.tobytes(), at_least=16).shape[2])
        except PhotoError:
            outcomes.add("refused")
    assert "refused" in outcomes


def psd() -> bytes:
    return (
        struct.pack(">4sH6xHIIHH", b"8BPS", 1, 3, 40, 60, 8, 3) + bytes(12 + 2) + QUARTERS.transpose(2, 0, 1).tobytes()
    )


def fits() -> bytes:
    settings = {"SIMPLE": "T", "BITPIX": 8, "NAXIS": 2, "NAXIS1": 60, "NAXIS2": 40}
    lines = [f"{name:8}= {value:>20}".ljust(80) for name, value in settings.items()]
    return "".join([*lines, "END"]).ljust(2880).encode() + QUARTERS[..., 0].tobytes().ljust(2880, b"\0")


OTHERS = {"EPS": lambda: encoded(rgb(), "EPS"), "PSD": psd, "FITS": fits, "DDS": lambda: encoded(rgb(), "DDS")}


@pytest.mark.parametrize("kind", OTHERS)
def test_other_formats_are_refused_and_no_program_is_started(kind, monkeypatch):
    data, started = OTHERS[kind](), []
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == kind  # Pillow would read it
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *_, **__: started.append("gs"))
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: started.append("a program"))
    with pytest.raises(PhotoError, match=r"^This file is not a photo in a format that can be read\.$"):
        load_photo(data)
    assert started == []


def test_missing_files_and_folders_are_refused(tmp_path):
    with pytest.raises(PhotoError, match="does not exist"):
        load_photo(tmp_path / "none.jpg")
    with pytest.raises(PhotoError, match="folder"):
        load_photo(tmp_path)


@pytest.mark.parametrize("array", [np.zeros((4, 4, 2), np.uint8), np.zeros(5, np.uint8), np.zeros((4, 4), complex)])
def test_arrays_that_are_no_photo_are_refused(array):
    with pytest.raises(PhotoError, match="is not a photo"):
        load_photo(array)


def test_squash_keeps_the_whole_photo():
    square = squash(QUARTERS, 32)
    assert square.shape == (32, 32, 3)
    assert_quarters(square)
