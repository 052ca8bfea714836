"""What mattered, beside where it looked: the switch, the signed scale, the sentence."""

import base64
import dataclasses
import io
import itertools
import re

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from support.access import serious
from support.captions import UNIFORM, make_caption, peaked
from support.samples import PHOTOS
from support.web import captions, count_changes, open_page, overlays, upload

from capmodel.caption import CaptionedPhoto, Evidence
from capmodel.explain.agreement import Answer
from capmodel.output.export import export
from capmodel.output.overlay import AGAINST_COLOR, OPACITY, OVERLAY_COLOR, evidence_top
from capmodel.output.sentences import agreements, sentence
from capmodel.serving.errors import Refused
from capmodel.serving.service import CaptionService

SURFER = PHOTOS / "surfer-standing-on-beach.jpg"
MAIN, TWIN = ".player .frame canvas", ".player .twin canvas"


def show(page: Page, view: str) -> None:
    page.locator(f".views .{view}").click()
    expect(page.locator(f".views .{view}")).to_have_attribute("aria-pressed", "true")
    if view != "looked":
        expect(page.locator(".signed")).to_be_visible()  # it is measured


def colors(page: Page, selector: str) -> np.ndarray:
    """Red, green, blue, opacity at the middle of each cell of a canvas: (8, 8, 4)."""
    url = page.locator(selector).evaluate("canvas => canvas.toDataURL('image/png')")
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGBA")).astype(int)
    rows, columns = (((np.arange(8) + 0.5) * size / 8).astype(int) for size in picture.shape[:2])
    return picture[np.ix_(rows, columns)]


def expected_color(nats: float, top: float) -> list[float]:
    strength = min(1.0, abs(nats) / top)
    if nats > 0:
        return [*OVERLAY_COLOR, 255 * OPACITY * (1 - strength)]
    return [*(OVERLAY_COLOR + strength * (AGAINST_COLOR - OVERLAY_COLOR)), 255 * OPACITY]


def assert_evidence(found: np.ndarray, nats: np.ndarray, top: float) -> None:
    """That each cell has its color. A transparent pixel has no color, and a nearly transparent one a coarse one."""
    for cell in np.ndindex(8, 8):
        *color, opacity = expected_color(float(nats[cell]), top)
        assert found[cell][3] == pytest.approx(opacity, abs=2), cell
        if opacity > 60:
            assert found[cell][:3] == pytest.approx(color, abs=4), cell


def test_each_cell_has_its_place_on_the_signed_scale(surfer, measured):
    top = evidence_top(measured.evidence)
    show(surfer, "mattered")
    surfer.locator(".raw").click()
    order = np.argsort([nats.max() - nats.min() for nats in measured.evidence.nats])
    for index in map(int, order[-2:]):  # the words for which places mattered most
        surfer.locator(".words button").nth(index).click()
        nats = measured.evidence.nats[index]
        assert nats.min() < 0 < nats.max()
        assert_evidence(colors(surfer, MAIN), nats, top)
        shown = [float(text) for text in surfer.locator(".cells button").all_inner_texts()]
        assert shown == pytest.approx(np.exp(nats).flatten().round(2), abs=0.011)


def test_a_scale_of_times_less_probable(surfer, measured):
    expect(surfer.locator(".signed")).to_be_hidden()
    show(surfer, "mattered")
    most = np.exp(evidence_top(measured.evidence))
    told = f"{most:.2f}×" if most < 1.995 else f"{most:.1f}×"
    expect(surfer.locator(".signed .for")).to_have_text(f"{told} less")
    expect(surfer.locator(".signed .against")).to_have_text(f"{told} more")
    expect(surfer.locator(".scale")).to_be_hidden()
    show(surfer, "both")
    expect(surfer.locator(".scale")).to_be_visible()
    show(surfer, "looked")
    expect(surfer.locator(".signed")).to_be_hidden()


def test_the_sentence_of_each_word(surfer, measured):
    expect(surfer.locator(".agreement")).to_be_hidden()
    show(surfer, "mattered")
    answers = agreements(measured)
    for index, agreement in enumerate(answers):
        surfer.locator(".words button").nth(index).click()
        expect(surfer.locator(".agreement")).to_have_text(sentence(agreement, first=index == 0))
        heard = f"{measured.words[index].text}: {sentence(agreement, first=index == 0)}"
        expect(surfer.locator(".live")).to_have_text(heard)
    marked = surfer.locator(".words button").evaluate_all("all => all.map(each => each.classList.contains('unplaced'))")
    assert marked == [agreement.answer == Answer.NO_PLACE for agreement in answers]
    expect(surfer.locator(".dotted")).to_be_visible(visible=any(marked))


def test_both_play_in_step(surfer, measured):
    show(surfer, "both")
    expect(surfer.locator(".twin")).to_be_visible()
    surfer.locator(".raw").click()
    top = evidence_top(measured.evidence)
    surfer.locator(".speed").select_option("2")
    surfer.locator(".play").click()
    for index in (1, 2):
        expect(surfer.locator(".words button").nth(index)).to_have_attribute("aria-pressed", "true", timeout=10_000)
    surfer.locator(".play").click()
    index = int(
        surfer.evaluate("[...document.querySelectorAll('.words button')].findIndex(e => e.ariaPressed === 'true')")
    )
    assert index >= 2
    assert_evidence(colors(surfer, TWIN), measured.evidence.nats[index], top)
    looked = colors(surfer, MAIN)[..., 3]
    weights = measured.words[index].weights
    assert looked.flat[weights.argmax()] == looked.min()
    left, right = (surfer.locator(each).bounding_box() for each in (".frame", ".twin"))
    assert left["y"] == right["y"]
    assert left["x"] + left["width"] <= right["x"]


def test_pointing_at_a_place_lights_the_words_for_which_it_mattered(surfer, measured):
    show(surfer, "mattered")
    nats = measured.evidence.nats
    box = surfer.locator(".frame").bounding_box()
    row, column = divmod(int(nats.max(0).argmax()), 8)
    surfer.mouse.move(box["x"] + (column + 0.5) * box["width"] / 8, box["y"] + (row + 0.5) * box["height"] / 8)
    lit = surfer.locator(".words button").evaluate_all("all => all.map(each => each.classList.contains('lit'))")
    assert lit == [float(each[row, column]) >= np.log(1.2) for each in nats]
    assert any(lit)


def test_m_changes_the_map(surfer):
    for view in ("mattered", "both", "looked", "mattered"):
        surfer.locator("body").press("m")
        expect(surfer.locator(f".views .{view}")).to_have_attribute("aria-pressed", "true")
    surfer.locator("body").press("f")
    surfer.locator("body").press("M")
    expect(surfer.locator(".player.fills .twin")).to_be_visible()


def test_it_is_measured_once_and_for_steered_captions_too(page, monkeypatch, captioner):
    asked = []
    real = CaptionService.with_evidence

    async def with_evidence(self, photo, kind, words=None):
        asked.append(words)
        return await real(self, photo, kind, words)

    monkeypatch.setattr(CaptionService, "with_evidence", with_evidence)
    upload(page, SURFER)
    captions(page, 1)
    words = page.locator(".words button")
    expect(words.first).to_be_visible()
    texts = words.all_inner_texts()
    page.wait_for_timeout(300)
    assert asked == []
    for view in ("mattered", "looked", "both", "mattered"):
        show(page, view)
    assert asked == [texts]
    page.locator(".tools button", has_text="Other words").click()
    words.nth(1).click()
    page.locator(".chips button.chip").first.click()
    expect(page.locator(".undo")).to_be_visible()
    told = re.compile(r"^(It looked|No )")
    expect(page.locator(".agreement")).to_have_text(told)
    steered = words.all_inner_texts()
    assert asked == [texts, steered]
    page.locator(".undo").click()
    expect(page.locator(".agreement")).to_have_text(told)
    assert asked == [texts, steered]


def test_a_server_that_cannot_measure_says_so(surfer, monkeypatch):
    async def with_evidence(*_):
        raise Refused("The server is shutting down.")

    with monkeypatch.context() as patch:
        patch.setattr(CaptionService, "with_evidence", with_evidence)
        surfer.locator(".views .mattered").click()
        expect(surfer.locator(".agreement")).to_have_text("The server is shutting down.")
        assert overlays(surfer, MAIN)[0].max() == 0  # the bare photo: nothing is claimed
    show(surfer, "looked")
    assert overlays(surfer, MAIN)[0].max() > 100
    show(surfer, "mattered")  # it may be asked again


def test_each_way_to_attend_has_its_own_evidence(page, captioners):
    upload(page, SURFER)
    captions(page, 1)
    show(page, "mattered")
    page.locator(".raw").click()
    page.locator(".tools button", has_text="Ways").click()
    expect(page.locator(".way")).to_have_count(3)
    page.wait_for_function("[...document.querySelectorAll('.way img')].every(each => each.naturalWidth)")
    found = [captioner([SURFER], evidence=True)[0] for captioner in captioners]
    index = 1
    page.locator(".words button").nth(index).click()
    said = [sentence(agreements(caption)[index]) for caption in found]
    expect(page.locator(".way .agrees")).to_have_text(said)
    top = max(evidence_top(caption.evidence) for caption in found)
    for place, caption in enumerate(found):
        canvas = f".way:nth-child({place + 1}) canvas"
        assert_evidence(colors(page, canvas), caption.evidence.nats[index], top)
    show(page, "both")
    expect(page.locator(".way canvas")).to_have_count(6)
    show(page, "looked")
    expect(page.locator(".way canvas")).to_have_count(3)
    expect(page.locator(".way .agrees").first).to_be_hidden()


def test_the_game_against_what_mattered(surfer, measured):
    show(surfer, "mattered")
    surfer.locator(".tools button", has_text="Guess").click()
    expect(surfer.locator(".question")).to_contain_text("Which place mattered most for")
    expect(surfer.locator(".agreement")).to_have_text("")  # it would give the answer away
    assert overlays(surfer, MAIN)[0].max() == 0
    word = surfer.locator(".question b").inner_text()
    index = [each.text for each in measured.words].index(word)
    best = int(measured.evidence.nats[index].argmax())
    surfer.locator(".cells button").nth(best).click()
    factor = np.exp(measured.evidence.nats[index].max())
    told = f"{factor:.2f}×" if factor < 1.995 else f"{factor:.1f}×"
    expect(surfer.locator(".score")).to_have_text(
        f"Without the cell that you tapped the word is {told} less probable; "
        f"without its strongest cell, {told} less probable."
    )
    expect(surfer.locator(".agreement")).not_to_have_text("")


# ---- the page that plays offline ----


def photo_with_evidence(name: str, evidence: bool = True) -> CaptionedPhoto:
    nats = np.zeros((3, 8, 8), np.float32)
    nats[1, 1, 1], nats[1, 6, 2], nats[2, 4, 4] = 0.5, -0.25, 1.0
    measured = Evidence(nats, np.float32([1.0, 0.5, 0.4]), "grid") if evidence else None
    caption = dataclasses.replace(make_caption(UNIFORM, peaked(1, 1), peaked(7, 0)), evidence=measured)
    return CaptionedPhoto(name, np.full((240, 320, 3), 200, np.uint8), [caption])


def test_the_saved_page_shows_evidence_without_a_server(browser, tmp_path):
    photo = photo_with_evidence("x.jpg")
    export([photo, photo_with_evidence("y.jpg", evidence=False)], "html", tmp_path / "x.html")
    with open_page(browser, (tmp_path / "x.html").as_uri(), reduced_motion="reduce") as page:
        page.wait_for_function("document.querySelector('.frame img').naturalWidth > 0")
        show(page, "mattered")
        page.locator(".raw").click()
        for index, said in enumerate(
            [
                "No place mattered: it would have begun like this anyway.",
                "It looked where it mattered.",
                "It looked at the lower left, but the centre mattered.",
            ]
        ):
            page.locator(".words button").nth(index).click()
            expect(page.locator(".agreement")).to_have_text(said)
            assert_evidence(colors(page, MAIN), photo.captions[0].evidence.nats[index], 1.0)
        assert page.locator(".words .unplaced").all_inner_texts() == ["word0"]
        page.locator(".card .pick").nth(1).click()  # which comes without
        expect(page.locator(".views")).to_be_hidden()
        expect(page.locator(".scale")).to_be_visible()
        page.locator("body").press("m")
        expect(page.locator(".agreement")).to_be_hidden()
        page.locator(".card .pick").first.click()
        expect(page.locator(".views")).to_be_visible()


def test_the_command_line_saves_a_page_with_evidence(browser, tmp_path, measured):
    from capmodel.__main__ import main

    page_file = tmp_path / "x.html"
    assert main(["--evidence", "--precision", "fp32", "--html", str(page_file), str(SURFER)]) == 0
    with open_page(browser, page_file.as_uri(), reduced_motion="reduce") as page:
        show(page, "both")
        for index, agreement in enumerate(agreements(measured)):
            page.locator(".words button").nth(index).click()
            expect(page.locator(".agreement")).to_have_text(sentence(agreement, first=index == 0))


def test_a_file_of_the_page_has_what_is_shown(page, browser, tmp_path):
    upload(page, SURFER)
    captions(page, 1)
    show(page, "mattered")
    page.locator(".tools button", has_text="Save").click()
    expect(page.locator(".with-evidence input")).to_be_checked()
    with page.expect_download(timeout=60_000) as download:
        page.locator(".save-html").click()
    saved = tmp_path / "photos.html"
    saved.write_bytes(download.value.path().read_bytes())
    with open_page(browser, saved.as_uri(), reduced_motion="reduce") as alone:
        alone.locator(".tools button", has_text="Other captions").click()
        alone.locator(".choices button").nth(1).click()
        show(alone, "mattered")
        expect(alone.locator(".agreement")).not_to_have_text("")


# ---- for everyone ----


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser, address, theme):
    with open_page(browser, f"{address}?__theme={theme}", reduced_motion="reduce", color_scheme=theme) as page:
        upload(page, SURFER)
        captions(page, 1)
        for view in ("mattered", "both"):
            show(page, view)
            for name in (None, "Guess", "Ways", "Save"):
                if name:
                    page.locator(".tools button", has_text=name).click()
                if name == "Ways":
                    expect(page.locator(".way .agrees").first).not_to_have_text("")
                assert serious(page) == [], (view, name)


@pytest.mark.parametrize("width", [360, 390, 768, 1280, 1920])
@pytest.mark.parametrize("photo", ["beach-skyline-panorama.jpg", "silhouette-at-aquarium.jpg"])
def test_both_fit_on_the_screen(page, width, photo):
    page.set_viewport_size({"width": width, "height": 844 if width < 500 else 900})
    upload(page, PHOTOS / photo)
    captions(page, 1)
    show(page, "both")
    page.wait_for_function("[...document.querySelectorAll('.frame img, .twin img')].every(each => each.naturalWidth)")
    for full in (False, True):
        if full:
            page.locator("body").press("f")
            expect(page.locator(".player.fills")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        one, other = (page.locator(each).bounding_box() for each in (".frame", ".twin"))
        assert (one["width"], one["height"]) == pytest.approx((other["width"], other["height"]), abs=1)
        assert one["height"] + (other["y"] - one["y"]) < 0.75 * page.viewport_size["height"]
        texts = page.locator(".bar, .agreement, .about, .legend").evaluate_all(
            "all => all.map(each => each.getBoundingClientRect()).map(({ top, bottom }) => [top, bottom])"
        )
        assert all(below[0] >= above[1] - 0.5 for above, below in itertools.pairwise(texts))  # no line over another


def test_nothing_moves_for_those_who_prefer_that(surfer):
    show(surfer, "both")
    assert count_changes(surfer, ".twin canvas") <= 2
