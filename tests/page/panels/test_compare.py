"""The same photo with several kinds of attention, in step, and the choice of one for all photos."""

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from support.samples import PHOTOS
from support.web import captions, overlays, upload

TWO = [PHOTOS / "surfer-on-big-wave.jpg", PHOTOS / "two-dogs-playing-on-grass.jpg"]
WAYS = ".way canvas"
NAMES = ["softmax", "sparsemax", "hard"]


@pytest.fixture
def compared(page: Page) -> Page:
    upload(page, TWO)
    captions(page, 2)
    page.locator(".tools button", has_text="Ways").click()
    expect(page.locator(".way")).to_have_count(3)
    page.wait_for_function("[...document.querySelectorAll('.way img')].every(each => each.naturalWidth)")
    return page


def cells_of(overlay: np.ndarray) -> np.ndarray:
    """Its opacity at the middle of each cell: (8, 8)."""
    rows, columns = (((np.arange(8) + 0.5) * size / 8).astype(int) for size in overlay.shape)
    return overlay[np.ix_(rows, columns)]


def current(page: Page) -> list[str]:
    return page.locator(".way .now").all_inner_texts()


def test_each_attention_has_its_caption_and_its_map(compared, captioners):
    assert compared.locator(".way h3").all_inner_texts() == NAMES
    expected = [captioner(TWO[:1])[0] for captioner in captioners]
    said = [" ".join(text.split()) for text in compared.locator(".way .said").all_inner_texts()]
    assert said == [caption.text for caption in expected]
    compared.locator(".words button").nth(1).click()
    assert current(compared) == [caption.words[1].text for caption in expected]
    for overlay, caption in zip(overlays(compared, WAYS), expected):
        middles = cells_of(overlay)
        weights = caption.words[1].weights
        assert middles.flat[weights.argmax()] <= middles.min() + 1  # two cells may look alike on the common scale
        assert middles.flat[weights.argmin()] >= middles.max() - 1
        assert middles.max() > middles.min() + 10
    spread = compared.locator(".spread").all_inner_texts()
    one_token = len(captioners[2].tokenizer.encode(expected[2].words[1].text)) == 1
    assert not one_token or spread[2] == "spread over 1.0 cells"
    flattest = int(np.argmin([word.weights.max() for word in expected[0].words]))
    compared.locator(".words button").nth(flattest).click()
    assert (
        overlays(compared, WAYS)[0].min() > overlays(compared, WAYS)[2].min()
    )  # one scale: what is spread looks spread


def test_played_in_step(compared, captioners):
    texts = [captioner(TWO[:1])[0].text.split() for captioner in captioners]
    compared.locator(".speed").select_option("2")
    compared.locator(".together").click()
    for step in range(max(map(len, texts))):
        shown = [text[min(step, len(text) - 1)] for text in texts]
        expect(compared.locator(".way .now")).to_have_text(shown, timeout=5_000)
    expect(compared.locator(".together")).to_have_text("Play together", timeout=5_000)


def test_raw_cells_and_the_player_comes_back(compared):
    smooth = overlays(compared, WAYS)
    compared.locator(".raw").click()
    compared.wait_for_timeout(100)
    assert all(np.abs(one - other).max() > 5 for one, other in zip(smooth, overlays(compared, WAYS)))
    compared.locator(".tools button", has_text="Ways").click()
    expect(compared.locator(".way").first).to_be_hidden()
    assert compared.locator(".player .frame canvas").bounding_box()["height"] > 100


def test_one_attention_for_all_photos(compared, captioners):
    compared.locator(".choose-attention button", has_text="hard").click()
    hard = captioners[2]
    expect(compared.locator(".card p")).to_have_text([caption.text for caption in hard(TWO)])
    assert " ".join(compared.locator(".words button").all_inner_texts()) == hard(TWO[:1])[0].text
    third = PHOTOS / "dachshund-in-snow.jpg"
    upload(compared, third)
    assert captions(compared, 3)[2] == hard([third])[0].text
    compared.locator(".tools button", has_text="Other words").click()  # asks about the caption of this attention
    compared.locator(".words button").nth(1).click()
    alternative = hard(TWO[:1])[0].words[1].alternatives[0][0]
    expect(compared.locator(".chips button.chip span").first).to_have_text(alternative)
    compared.locator(".chips button.chip").first.click()
    expect(compared.locator(".words button").nth(1)).to_have_text(alternative)
    grid = hard.encode([hard.load_square(TWO[0])])
    prefix = f"{hard(TWO[:1])[0].words[0].text} {alternative}"
    assert (
        " ".join(compared.locator(".words button").all_inner_texts())
        == hard.describe(grid, prefixes=[prefix])[0][0].text
    )


def test_opened_while_other_captions_are_searched(page):
    upload(page, TWO[:1])
    captions(page, 1)
    expect(page.locator(".words button").first).to_be_visible()  # a script could click before a person can
    page.evaluate("""() => {   // both clicks before any answer
        const click = text => [...document.querySelectorAll('.tools button')].find(each => each.textContent === text).click();
        click('Other captions');
        click('Ways to attend');
    }""")
    expect(page.locator(".way")).to_have_count(3)
    expect(page.locator(".tools button", has_text="Other captions")).to_be_enabled()  # its answer has come too
    expect(page.locator(".way")).to_have_count(3)
