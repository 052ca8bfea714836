"""The player: words, maps, cells, playing."""

from math import floor

import numpy as np
import pytest
from playwright.sync_api import expect
from support.samples import PHOTOS
from support.web import canvas, captions, open_page, upload

from capmodel.output.overlay import CLEAR, OPACITY, scale_top, smooth_map

SURFER = PHOTOS / "surfer-standing-on-beach.jpg"
DRAWN = 64  # pixels along a side of the player's drawing, which the browser then stretches over the photo


def test_each_word_shows_its_own_map_where_the_array_says(surfer):
    words = surfer.locator(".words button")
    assert words.all_inner_texts() == [word.text for word in surfer.caption.words]
    before, top = None, scale_top(surfer.caption)
    for index, word in enumerate(surfer.caption.words):
        words.nth(index).click()
        expect(words.nth(index)).to_have_attribute("aria-pressed", "true")
        picture = canvas(surfer)
        clear = np.sqrt((smooth_map(word.weights, DRAWN, DRAWN) / top).clip(0, 1))
        rows, columns = (((np.arange(DRAWN) + 0.5) * side / DRAWN).astype(int) for side in picture.shape)
        np.testing.assert_allclose(picture[np.ix_(rows, columns)], 255 * OPACITY * (1 - clear), rtol=0, atol=6)
        if before is not None:
            assert np.abs(picture - before).max() > 5
        before = picture


def test_one_scale_for_the_whole_caption(surfer):
    """A word whose strongest cell is weak stays dark: no map is stretched to look sharp."""
    strongest = max(float(word.weights.max()) * 64 for word in surfer.caption.words)
    top = min(CLEAR, strongest)
    expect(surfer.locator(".scale .top")).to_have_text(f"{'≥ ' * (strongest > CLEAR)}{top:.1f}×")
    one = surfer.locator(".scale .one").evaluate("mark => parseFloat(mark.style.left)")
    assert one == pytest.approx(100 * (1 / top) ** 0.5, abs=0.1)
    surfer.locator(".raw").click()
    for index, word in enumerate(surfer.caption.words):
        surfer.locator(".words button").nth(index).click()
        expected = 255 * 0.82 * (1 - min(1, 64 * float(word.weights.max()) / top) ** 0.5)
        assert canvas(surfer).min() == pytest.approx(expected, abs=2)


def test_the_bare_cells_and_their_numbers(surfer):
    surfer.locator(".raw").click()
    surfer.locator(".words button").nth(1).click()
    shown = surfer.locator(".cells button").all_inner_texts()
    assert shown == [f"{64 * value:.1f}" for value in surfer.caption.words[1].weights.flatten()]
    picture = canvas(surfer)
    rows, columns = (np.arange(8) * side // 8 + side // 16 for side in picture.shape)
    middles, corners = picture[np.ix_(rows, columns)], picture[np.ix_(rows - 20, columns - 20)]
    assert np.abs(middles - corners).max() <= 2  # the same all over a cell


def test_keys_move_along_the_words(surfer):
    words = surfer.locator(".words button")
    words.first.focus()
    surfer.keyboard.press("ArrowRight")
    expect(words.nth(1)).to_be_focused()
    surfer.keyboard.press("End")
    expect(words.last).to_have_attribute("aria-pressed", "true")
    surfer.keyboard.press("Home")
    expect(words.first).to_be_focused()
    words.nth(3).hover()
    expect(words.nth(3)).to_have_attribute("aria-pressed", "true")


def test_a_photo_with_a_shorter_caption(page, captioner):
    """Chosen at the last word of a longer one, which it has not: nobody may look for it there."""
    photos = sorted(PHOTOS.glob("*.jpg"))[:8]
    texts = [caption.text for caption in captioner(photos)]
    lengths = [len(text.split()) for text in texts]
    short, long = lengths.index(min(lengths)), lengths.index(max(lengths))
    assert lengths[short] < lengths[long]
    upload(page, [photos[short], photos[long]])
    captions(page, 2)
    page.locator(".tools button", has_text="Other words").click()  # both show what belongs to the word
    page.locator(".raw").click()
    page.locator(".card .pick").nth(1).click()
    page.locator(".words button").last.click()
    page.locator(".card .pick").nth(0).click()
    assert " ".join(page.locator(".words button").all_inner_texts()) == texts[short]
    expect(page.locator(".words button").first).to_have_attribute("aria-pressed", "true")
    page.locator(".card .pick").nth(1).click()
    page.locator(".words button").last.click()
    page.locator(".card .remove").nth(1).click()  # then the other one takes its place
    assert " ".join(page.locator(".words button").all_inner_texts()) == texts[short]


def test_it_plays_to_the_end_pauses_and_keeps_its_pace(browser, address):
    with open_page(browser, address) as page:  # here motion is welcome
        upload(page, PHOTOS / "silhouette-at-aquarium.jpg")
        captions(page, 1)
        count = page.locator(".words button").count()
        page.evaluate("""() => {   // 25 ms a frame, however long a frame takes on a busy machine
            let now = performance.now();
            performance.now = () => now;
            const tick = () => { now += 25; requestAnimationFrame(tick); };
            tick();
            window.steps = [];
            new MutationObserver(changes => changes.forEach(change => {
                if (change.target.getAttribute('aria-pressed') === 'true') window.steps.push(performance.now());
            })).observe(document.querySelector('.words'), { subtree: true, attributeFilter: ['aria-pressed'] });
        }""")
        pace = []
        for speed in ("2", "1"):
            page.locator(".speed").select_option(speed)
            page.evaluate("window.steps = []")
            page.locator(".play").click()
            expect(page.locator(".play")).to_have_attribute("aria-label", "Pause")
            expect(page.locator(".words button").last).to_have_attribute("aria-pressed", "true", timeout=20_000)
            expect(page.locator(".play")).to_have_attribute("aria-label", "Play", timeout=5_000)
            pace.append(np.diff(page.evaluate("window.steps")).mean())
        assert len(page.evaluate("window.steps")) >= count
        assert 1.8 < pace[1] / pace[0] < 2.2
        page.locator(".play").click()
        page.locator(".play").click()
        pressed = page.locator(".words [aria-pressed=true]").inner_text()
        page.wait_for_timeout(1600)
        assert page.locator(".words [aria-pressed=true]").inner_text() == pressed


@pytest.mark.parametrize("meanwhile", ["", "document.querySelector('.frame img').dispatchEvent(new Event('load'))"])
def test_the_map_glides_from_word_to_word(browser, address, meanwhile):
    with open_page(browser, address) as page:
        upload(page, SURFER)
        captions(page, 1)
        # The sharp picture may have another size than the preview, by a fraction of a pixel.
        page.wait_for_function(
            "(image => image.src.startsWith('blob:') && image.complete)(document.querySelector('.frame img'))"
        )
        page.wait_for_timeout(100)
        # The overlay every 50 ms, by a clock that does not hurry on a busy machine. A picture is loaded meanwhile.
        looks = page.evaluate(
            """async (meanwhile) => {
                const canvas = document.querySelector('.player canvas'), looks = [];
                let now = Math.ceil(performance.now());  // whole numbers add up exactly
                performance.now = () => now;
                document.querySelectorAll('.words button')[1].click();
                for (let step = 0; step < 10; step++, now += 50) {
                    await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
                    if (step === 2) eval(meanwhile);
                    looks.push(canvas.toDataURL());
                }
                delete performance.now;
                return looks;
            }""",
            meanwhile,
        )
        assert len(set(looks[:7])) == 7  # it glides for 350 ms
        assert len(set(looks[7:])) == 1  # and has come to rest


def test_a_photo_is_removed_while_its_map_glides(browser, address):
    with open_page(browser, address) as page:
        upload(page, SURFER)
        captions(page, 1)
        page.wait_for_selector(".words button")  # the player opens after the card
        page.evaluate(
            """() => {
                document.querySelectorAll('.words button')[2].click();
                document.querySelector('.card .remove').click();
            }"""
        )
        expect(page.locator(".player")).to_be_hidden()
        page.wait_for_timeout(500)  # what still glides does so by now; errors are seen when the page is left


def test_pointing_at_a_place_lights_the_words_that_looked_there(surfer):
    box = surfer.locator(".frame").bounding_box()
    for index in (0, 1, 4):
        row, column = divmod(int(surfer.caption.words[index].weights.argmax()), 8)
        surfer.mouse.move(box["x"] + (column + 0.5) * box["width"] / 8, box["y"] + (row + 0.5) * box["height"] / 8)
        lit = surfer.locator(".words button").evaluate_all("all => all.map(each => each.classList.contains('lit'))")
        assert lit == [64 * float(word.weights[row, column]) >= 1.5 for word in surfer.caption.words]
        assert lit[index]


def test_f_fills_the_screen(surfer):
    surfer.locator("body").press("f")
    expect(surfer.locator(".player.fills")).to_be_visible()
    box = surfer.locator(".player").bounding_box()
    assert (box["x"], box["y"], box["width"]) == (0, 0, 1280)
    size = surfer.locator(".words button").first.evaluate("word => parseFloat(getComputedStyle(word).fontSize)")
    assert size > 30
    surfer.locator("body").press("f")
    expect(surfer.locator(".player.fills")).to_have_count(0)


def test_words_are_tinted_by_their_probability(surfer):
    tints = surfer.locator(".words button").evaluate_all(
        "all => all.map(each => Number(getComputedStyle(each).getPropertyValue('--sure')))"
    )
    assert tints == pytest.approx([word.probability for word in surfer.caption.words], abs=1e-3)
    order = np.argsort(tints[1:]) + 1  # the first word is the chosen one
    surest, least = (surfer.locator(".words button").nth(int(index)) for index in (order[-1], order[0]))
    look = "each => getComputedStyle(each).backgroundColor"
    assert surest.evaluate(look) != least.evaluate(look)


def percent(probability: float) -> str:
    """As the page writes a number of four decimals: halves are rounded up."""
    share = round(probability, 4)
    return "under 1 %" if share < 0.01 else f"{floor(100 * share + 0.5)} %"


def test_alternatives_and_their_probabilities(surfer):
    surfer.locator(".tools button", has_text="Other words").click()
    surfer.locator(".words button").nth(4).click()
    word = surfer.caption.words[4]
    expect(surfer.locator(".about")).to_contain_text(f"{word.text} — {percent(word.probability)}")
    shown = surfer.locator(".chips .chip").all_inner_texts()
    assert len(shown) == 5
    expected = [f"{other.replace('.', 'end here')}\n{percent(probability)}" for other, probability in word.alternatives]
    assert shown == expected


def test_the_three_best_captions_have_their_own_maps(surfer):
    surfer.locator(".tools button", has_text="Other captions").click()
    choices = surfer.locator(".choices button")
    expect(choices).to_have_count(3, timeout=10_000)
    texts = choices.all_inner_texts()
    assert len(set(texts)) == 3
    assert texts[0] == surfer.caption.text
    before = canvas(surfer)
    for index in (1, 2):
        choices.nth(index).click()
        expect(choices.nth(index)).to_have_attribute("aria-pressed", "true")
        assert " ".join(surfer.locator(".words button").all_inner_texts()) == texts[index]
    surfer.locator(".words button").nth(4).click()
    assert np.abs(canvas(surfer) - before).max() > 5
