"""Steering a caption, asking whether it really looked there, and the game."""

import numpy as np
import pytest
from playwright.sync_api import expect
from support.samples import PHOTOS
from support.web import canvas, captions, upload

from capmodel.decoding.alternatives import END_WORD
from capmodel.explain.occlusion import occlude_word

SURFER = PHOTOS / "surfer-standing-on-beach.jpg"


def written(page) -> str:
    return " ".join(page.locator(".words button").all_inner_texts())


def test_another_word_writes_the_rest_anew(surfer, captioner):
    surfer.locator(".tools button", has_text="Other words").click()
    surfer.locator(".words button").nth(4).click()
    before, overlay = written(surfer), canvas(surfer)
    other = surfer.caption.words[4].alternatives[0][0]
    surfer.locator(".chips button.chip").first.click()
    expect(surfer.locator(".undo")).to_be_visible()
    prefix = " ".join([word.text for word in surfer.caption.words[:4]] + [other])
    grid = captioner.encode([captioner.load_square(SURFER)])
    expected = captioner.describe(grid, prefixes=[prefix])[0][0]
    assert written(surfer) == expected.text
    assert expected.text.startswith(prefix)
    surfer.locator(".words button").nth(5).click()
    assert np.abs(canvas(surfer) - overlay).max() > 5  # its own maps
    surfer.locator(".undo").click()
    assert written(surfer) == before


def test_the_caption_can_end_here(page, captioner):
    photo, index = next(
        (photo, index)
        for photo in sorted(PHOTOS.glob("*.jpg"))
        for index, word in enumerate(captioner([photo])[0].words)
        if index and END_WORD in [text for text, _ in word.alternatives]
    )
    upload(page, photo)
    captions(page, 1)
    page.locator(".tools button", has_text="Other words").click()
    words = page.locator(".words button")
    before = words.all_inner_texts()
    words.nth(index).click()
    page.locator(".chips button", has_text="end here").click()
    expect(page.locator(".undo")).to_be_visible()
    assert words.all_inner_texts() == before[:index]


def test_hiding_what_it_looked_at(surfer, captioner):
    surfer.locator(".words button").nth(1).click()
    surfer.locator(".tools button", has_text="Did it really look there?").click()
    word = surfer.caption.words[1]
    chosen = surfer.locator(".cells button").evaluate_all(
        "all => all.flatMap((each, k) => each.classList.contains('chosen') ? [k] : [])"
    )
    assert int(word.weights.argmax()) in chosen
    assert sorted(chosen) == sorted(np.argsort(-word.weights.flatten(), kind="stable")[: len(chosen)])
    assert word.weights.flatten()[chosen].sum() >= 0.5 or len(chosen) == 16
    surfer.locator(".panel .hide").click()
    expect(surfer.locator(".verdict")).to_be_visible(timeout=20_000)
    texts = [each.text for each in surfer.caption.words]
    expected = occlude_word(captioner, captioner.load_square(SURFER), texts, 1, chosen)
    bars = surfer.locator(".measure").evaluate_all(
        "all => all.map(each => Number(each.style.getPropertyValue('--value')))"
    )
    values = [expected.before, expected.after, np.mean(expected.elsewhere), expected.blind]
    assert bars == pytest.approx(values, rel=1e-3)
    assert surfer.locator(".panel dd").all_inner_texts() == [surfer.caption.text, expected.caption.text]


def test_other_cells_are_chosen_by_dragging_or_with_keys(surfer):
    surfer.locator(".tools button", has_text="Did it really look there?").click()
    cells = surfer.locator(".cells button")
    free = cells.evaluate_all(
        "all => all.findIndex((each, k) => k % 8 < 5 && [0, 1, 2].every(i => !all[k + i].classList.contains('chosen')))"
    )
    cells.nth(free).scroll_into_view_if_needed()  # the mouse goes by what is seen
    first, last = cells.nth(free).bounding_box(), cells.nth(free + 2).bounding_box()
    before = surfer.locator(".cells .chosen").count()
    surfer.mouse.move(first["x"] + 5, first["y"] + 5)
    surfer.mouse.down()
    surfer.mouse.move(last["x"] + 5, last["y"] + 5, steps=12)
    surfer.mouse.up()
    expect(surfer.locator(".cells .chosen")).to_have_count(before + 3)
    expect(surfer.locator(".panel .hide")).to_contain_text(f"Hide {before + 3} cells")
    cells.first.focus()
    pressed = cells.nth(1).get_attribute("aria-pressed")
    surfer.keyboard.press("ArrowRight")
    expect(cells.nth(1)).to_be_focused()
    surfer.keyboard.press("Enter")
    assert cells.nth(1).get_attribute("aria-pressed") != pressed


def test_the_game(surfer):
    opaque = "canvas => getComputedStyle(canvas).visibility"
    surfer.locator(".tools button", has_text="Guess where").click()
    scores = []
    for _ in range(len(surfer.caption.words)):
        assert surfer.locator(".player canvas").first.evaluate(opaque) == "hidden"
        index = surfer.locator(".words button").evaluate_all(
            "all => all.findIndex(each => each.getAttribute('aria-pressed') === 'true')"
        )
        word = surfer.caption.words[index]
        expect(surfer.locator(".question b")).to_have_text(word.text)
        surfer.locator(".cells button").nth(45).click()
        score = 64 * float(word.weights.flatten()[45])
        expect(surfer.locator(".score")).to_contain_text(f"You tapped {score:.1f}×")
        expect(surfer.locator(".score")).to_contain_text(f"{64 * float(word.weights.max()):.1f}×")
        assert surfer.locator(".player canvas").first.evaluate(opaque) == "visible"  # then the map appears
        scores.append(score)
        if surfer.get_by_role("button", name="Again").count():
            break
        surfer.get_by_role("button", name="Next word").click()
    assert len(scores) >= 3
    expect(surfer.locator(".panel")).to_contain_text(f"{np.mean(scores):.1f}× on average")
    surfer.locator(".tools button", has_text="Guess where").click()
    expect(surfer.locator(".cells")).to_be_hidden()
