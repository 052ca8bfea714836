"""The captioner in the browser answers what PyTorch answers, in fp32."""

import base64
import csv
import io
import json

import numpy as np
import pytest
from PIL import Image
from support.captions import assert_same
from support.samples import PHOTOS
from support.servers.engine import ask, assert_caption, maps, open_engine, serve_engine

from capmodel.caption import CaptionedPhoto
from capmodel.decoding.options import DecodeOptions
from capmodel.explain.occlusion import occlude_word
from capmodel.output.export import save_csv
from capmodel.output.player import evidence_item

from .conftest import square_of

DOG = PHOTOS / "dachshund-in-snow.jpg"
ITEM = "const item = await itemOf(sampleOf(file), 'softmax');"


def test_captions_are_pytorchs(engine, captioner, grid_of):
    for photo in (DOG, PHOTOS / "beach-skyline-panorama.jpg"):  # the panorama is reduced before it is squashed
        found = ask(engine, "return engine.caption(sampleOf(file), 'softmax')", file=photo.name)
        assert_caption(found["captions"][0], captioner.describe(grid_of(photo))[0][0], others=False)
        assert found["side"] == 8
        assert found["preview"].startswith("data:image/jpeg;base64,")


@pytest.mark.slow
def test_all_captions_are_pytorchs(engine, captioner, grid_of):
    for photo in sorted(PHOTOS.glob("*.jpg")):
        found = ask(engine, "return engine.caption(sampleOf(file), 'softmax')", file=photo.name)
        assert_caption(found["captions"][0], captioner.describe(grid_of(photo))[0][0], others=False)


def test_other_captions_and_steered_ones_are_pytorchs(engine, captioner, grid_of):
    grid = grid_of(DOG)
    body = f"""{ITEM}
        return [await engine.candidates(item), await engine.steer(item, ['two', 'dogs']),
                await engine.steer(item, ['a', 'dog', '.'])];"""
    candidates, steered, ended = ask(engine, body, file=DOG.name)
    expected = captioner.describe(grid, DecodeOptions(candidates=3))[0]
    for found, other in zip(candidates, expected, strict=True):
        assert_caption(found, other)
    assert_caption(steered, captioner.describe(grid, prefixes=["two dogs"])[0][0])
    tokens = len(captioner.tokenizer.encode("a dog"))
    assert_caption(ended, captioner.describe(grid, DecodeOptions(max_tokens=tokens), ["a dog"])[0][0])


def test_other_words_are_pytorchs(engine, captioner, grid_of):
    found = ask(engine, f"{ITEM} return engine.alternatives(item);", file=DOG.name)
    expected = [word.alternatives for word in captioner.describe(grid_of(DOG))[0][0].words]
    assert [[text for text, _ in each] for each in found] == [[text for text, _ in each] for each in expected]
    np.testing.assert_allclose(
        [share for each in found for _, share in each], [share for each in expected for _, share in each], atol=1.5e-4
    )


def test_other_kinds_of_attention_are_pytorchs(engine, captioners, grid_of):
    grid = grid_of(DOG)
    body = f"{ITEM} return [await engine.attend(item, 'sparsemax'), await engine.attend(item, 'hard')];"
    for found, captioner in zip(ask(engine, body, file=DOG.name), captioners[1:], strict=True):
        assert found["key"].startswith(f"{captioner.attention_kind}-")
        assert_caption(found["captions"][0], captioner.describe(grid)[0][0], others=False)


def test_hidden_cells_change_words_as_in_pytorch(engine, captioner, grid_of):
    words = [word.text for word in captioner.describe(grid_of(DOG))[0][0].words]
    body = f"{ITEM} return engine.occlude(item, words, 2, cells);"
    found = ask(engine, body, file=DOG.name, words=words, cells=[27, 28, 35, 36])
    expected = occlude_word(captioner, square_of(DOG), words, 2, [27, 28, 35, 36])
    for name, value in expected.as_dict().items():
        np.testing.assert_allclose(found[name], value, atol=1e-4)
    assert_caption(found["caption"], expected.caption)


def test_evidence_is_pytorchs(engine, captioner, grid_of):
    grid = grid_of(DOG)
    [caption] = captioner.add_evidence(grid, captioner.describe(grid)[0])
    expected = evidence_item(caption)
    body = f"{ITEM} return engine.evidence(item, item.captions[0].words.map(({{ text }}) => text));"
    found = ask(engine, body, file=DOG.name)
    nats = [maps(each["nats"], len(caption.words)) for each in (found, expected)]
    np.testing.assert_allclose(*nats, atol=1e-4)
    assert found["top"] == pytest.approx(expected["top"], abs=1e-4)
    for one, other in zip(found["words"], expected["words"], strict=True):
        assert one["kept"] == pytest.approx(other["kept"], abs=2e-4)
        assert (one["sentence"], one["unplaced"]) == (other["sentence"], other["unplaced"])


def test_wishes_come_before_photos_that_wait(engine):
    body = f"""{ITEM}
        const done = [];
        const photos = files.map(each => engine.caption(sampleOf(each), 'softmax').then(() => done.push(each)));
        const wish = engine.steer(item, ['the']).then(() => done.push('wish'));
        await Promise.all([...photos, wish]);
        return done;"""
    files = [photo.name for photo in sorted(PHOTOS.glob("*.jpg"))[:4]]
    done = ask(engine, body, file=DOG.name, files=files)
    assert [name for name in done if name != "wish"] == files
    assert done.index("wish") <= 1


def test_the_page_does_not_freeze(engine):
    body = f"""{ITEM}
        let longest = 0, last = performance.now(), going = true;
        const tick = () => {{
            const now = performance.now();
            longest = Math.max(longest, now - last);
            last = now;
            if (going) setTimeout(tick, 5);
        }};
        tick();
        const started = performance.now();
        await engine.evidence(item, item.captions[0].words.map(({{ text }}) => text));
        going = false;
        return [longest, performance.now() - started];"""
    longest, whole = ask(engine, body, file=DOG.name)
    assert longest < max(100, whole / 3)


def test_the_download_is_told(engine):
    told = ask(
        engine, "await engine.load(); return [told[0], told.at(-1), engine.can('steer'), engine.can('save-gif')];"
    )
    first, last, *can = told
    assert 0 < first["loaded"] < first["total"]
    assert last["loaded"] == last["total"] > 10_000_000
    assert can == [True, False]


CAPTION_BYTES = (
    "bytes => engine.caption({ file: new File([Uint8Array.from(atob(bytes), c => c.charCodeAt(0))], 'x') }, '')"
)


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def base64_of(files: list[bytes]) -> list[str]:
    return [base64.b64encode(file).decode() for file in files]


def test_photos_are_upright_and_transparency_is_white(engine):
    upright = Image.open(DOG).convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = upright.transpose(Image.Transpose.ROTATE_90)
    alpha = Image.linear_gradient("L").resize(upright.size)
    on_white = Image.new("RGB", upright.size, "white")
    on_white.paste(upright, mask=alpha)
    glass = Image.merge("RGBA", [*upright.split(), alpha])
    files = [
        encoded(turned, "JPEG", quality=95, exif=exif.tobytes()),
        encoded(upright, "JPEG", quality=95),
        encoded(glass, "PNG"),
        encoded(on_white, "PNG"),
    ]
    found = ask(engine, f"return Promise.all(files.map({CAPTION_BYTES}))", files=base64_of(files))
    turned, upright, glass, on_white = (answer["captions"][0] for answer in found)
    for one, other in ((turned, upright), (glass, on_white)):
        assert [word["text"] for word in one["words"]] == [word["text"] for word in other["words"]]
        assert one["score"] == pytest.approx(other["score"], abs=0.05)
    assert upright["score"] != on_white["score"]


def test_what_is_no_photo_is_refused_in_one_sentence(engine):
    files = [
        b"",
        b"hello, this is a text",
        DOG.read_bytes()[:300],
        encoded(Image.new("RGB", (40, 40), "red"), "TIFF"),
        b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
    ]
    body = f"return Promise.all(files.map(each => ({CAPTION_BYTES})(each).then(() => '', error => error.message)))"
    assert ask(engine, body, files=base64_of(files)) == [
        "This file is empty.",
        "This file is not a photo in a format that can be read.",
        "This file is damaged or cut short, so it cannot be read as a photo.",
        "This browser does not read TIFF photos; please save it as JPEG or PNG and add it again.",
        "This browser does not read HEIC photos; please save it as JPEG or PNG and add it again.",
    ]


def test_saved_numbers_are_pythons(engine, captioner, grid_of, tmp_path):
    grid = grid_of(DOG)
    captions = captioner.add_evidence(grid, captioner.describe(grid, DecodeOptions(candidates=3))[0][:1])
    photo = CaptionedPhoto("x", np.zeros((2, 2, 3), np.uint8), captions)
    body = f"""{ITEM}
        const read = async (kind, evidence) => {{
            const {{ url, name }} = await engine.save(kind, [item], evidence, () => {{}});
            return [name, await (await fetch(url)).text()];
        }};
        return [await read('json', true), await read('csv', false), (await read('png', true))[1].slice(1, 4)];"""
    (json_name, told), (csv_name, table), png = ask(engine, body, file=DOG.name)
    assert (json_name, csv_name, png) == ("captions.json", "captions.csv", "PNG")
    [found] = json.loads(told)
    expected = captions[0].as_dict()
    assert found["photo"] == "x"
    assert len(found["candidates"]) == 2
    assert_same(found, expected)
    for one, other in zip(found["words"], expected["words"], strict=True):
        assert list(one) == list(other)
        np.testing.assert_allclose(one["evidence"], other["evidence"], atol=2e-4)
    file = tmp_path / "captions.csv"
    save_csv([photo], file)
    rows = [list(csv.reader(io.StringIO(text.lstrip("\ufeff")))) for text in (table, file.read_text("utf-8"))]
    assert rows[0][0] == rows[1][0]
    assert [row[:4] + row[6:9] for row in rows[0]] == [row[:4] + row[6:9] for row in rows[1]]


def test_a_model_that_is_not_there_is_told_and_may_come_later(browser, tmp_path):
    with serve_engine(tmp_path) as address:
        page = browser.new_page()
        page.goto(address)
        page.wait_for_function("window.engine")
        said = [page.evaluate("engine.load().catch(error => error.message)") for _ in range(2)]
        page.close()
    assert said == ["The captioner could not be downloaded; please check the network and try again."] * 2


def test_frames_of_a_camera_are_captioned_and_forgotten(engine, captioner):
    body = """
        const canvas = Object.assign(document.createElement('canvas'), { width: 256, height: 256 });
        const context = canvas.getContext('2d');
        const alive = new AbortController();
        const frames = [];
        for (const file of files) {
            const photo = new Image();
            photo.src = 'photos/' + file;
            await photo.decode();
            context.drawImage(photo, 0, 0, 256, 256);
            const png = canvas.toDataURL('image/png').split(',')[1];
            frames.push({ png, ...await engine.live(canvas, 'softmax', alive.signal) });
        }
        const late = new AbortController();
        const [photo, refused] = [engine.caption(sampleOf(files[0]), ''), engine.live(canvas, '', late.signal)];
        late.abort();
        return { can: engine.can('live'), frames, late: await refused.catch(error => error.name), key: (await photo).key };
    """
    found = ask(engine, body, files=[DOG.name, "soccer-players.jpg"])
    assert found["can"]
    for frame in found["frames"]:
        [expected] = captioner([base64.b64decode(frame["png"])])  # as the server does
        assert_caption(frame["captions"][0], expected, others=False)
        assert (frame["key"], frame["side"], "preview" in frame) == ("", 8, False)
    assert found["late"] == "AbortError"
    assert found["key"].startswith("softmax-")


@pytest.mark.slow
def test_threads_change_nothing(browser, exported_models, captioner, grid_of):
    with serve_engine(exported_models, isolated=True) as address, open_engine(browser, address) as page:
        assert page.evaluate("self.crossOriginIsolated")
        found = ask(page, "return engine.caption(sampleOf(file), 'softmax')", file=DOG.name)
        assert_caption(found["captions"][0], captioner.describe(grid_of(DOG))[0][0], others=False)
