"""The page with a model whose grid is not 8 by 8: its maps are drawn, chosen and guessed where they are."""

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from support.samples import PHOTOS
from support.servers.here import serve_here
from support.web import canvas, captions, open_page, upload

SIDE = 2
SURFER = PHOTOS / "surfer-standing-on-beach.jpg"


@pytest.fixture
def small(browser, tiny_captioner):
    """The page of a model that looks at 2 by 2 cells, at some of them more than at others; with one photo."""
    attention = tiny_captioner.model.requires_grad_(False).decoder.attention
    attention.linear_e.weight *= 60
    attention.linear_out.weight *= 6
    with (
        serve_here([tiny_captioner], remarks=False) as address,
        open_page(browser, address, reduced_motion="reduce") as page,
    ):
        upload(page, SURFER)
        captions(page, 1)
        page.wait_for_function("document.querySelector('.frame img').naturalWidth > 0")
        page.caption = tiny_captioner([SURFER])[0]
        yield page


def brightest(page: Page) -> tuple[int, int]:
    seen = canvas(page)
    top, left = np.unravel_index(seen.argmin(), seen.shape)
    return int(top * SIDE / seen.shape[0]), int(left * SIDE / seen.shape[1])


def test_the_brightest_place_is_where_the_map_says(small):
    words = small.locator(".words button")
    places = set()
    for index, word in enumerate(small.caption.words):
        assert word.weights.shape == (SIDE, SIDE)
        words.nth(index).click()
        ordered = np.sort(word.weights.flatten())
        if ordered[-1] > ordered[-2] + 0.05:  # or else two places look alike
            places.add(brightest(small))
            assert brightest(small) == np.unravel_index(word.weights.argmax(), word.weights.shape)
    assert places
    expect(small.locator(".raw")).to_have_text("2×2 cells")
    small.locator(".raw").click()
    words.first.click()
    shown = small.locator(".cells button").all_inner_texts()
    assert shown == [f"{SIDE**2 * value:.1f}" for value in small.caption.words[0].weights.flat]


def test_cells_are_where_one_points(small):
    weights = small.caption.words[0].weights
    box = small.locator(".frame").bounding_box()
    for row, column in np.ndindex(SIDE, SIDE):
        x, y = (column + 0.5) * box["width"] / SIDE, (row + 0.5) * box["height"] / SIDE
        small.mouse.move(box["x"] + x, box["y"] + y)
        lit = small.locator(".words button").first.evaluate("word => word.classList.contains('lit')")
        assert lit == (SIDE**2 * float(weights[row, column]) >= 1.5)
    small.locator(".raw").click()
    cells = small.locator(".cells button")
    expect(cells).to_have_count(SIDE**2)
    cells.nth(1).focus()
    small.keyboard.press("ArrowRight")  # past the edge
    expect(cells.nth(0)).to_be_focused()
    small.keyboard.press("ArrowDown")
    expect(cells.nth(2)).to_be_focused()


def test_a_quarter_of_the_cells_is_hidden(small):
    small.locator(".tools button", has_text="Did it really look there?").click()
    strongest = int(small.caption.words[0].weights.argmax())
    chosen = small.locator(".cells button").evaluate_all(
        "all => all.flatMap((each, k) => each.classList.contains('chosen') ? [k] : [])"
    )
    assert chosen == [strongest]
    other = small.locator(".cells button").nth((strongest + 1) % SIDE**2)
    other.click()
    expect(small.locator(".panel .hide")).to_have_text("Hide 2 cells and ask again")
    small.locator(".panel .hide").click()
    expect(small.locator(".verdict")).to_be_visible(timeout=20_000)


def test_the_game(small):
    small.locator(".tools button", has_text="Guess where").click()
    asked = small.locator(".question b").inner_text()
    weights = next(word.weights for word in small.caption.words if word.text == asked)
    small.locator(".cells button").nth(2).click()
    expect(small.locator(".score")).to_contain_text(f"You tapped {SIDE**2 * float(weights.flat[2]):.1f}×")
