"""What the browser's player is given: the grid's side, the numbers that it draws with, and its scripts."""

import base64
import json
import re

import numpy as np
import pytest
from support.captions import make_caption
from support.web import canvas, open_page

from capmodel.caption import END_WORD, Caption, CaptionedPhoto, Word
from capmodel.output.offline_page import import_map, save_html
from capmodel.output.overlay import AGAINST_COLOR, CLEAR, OPACITY, OVERLAY_COLOR
from capmodel.output.player import FILES, PLAYER, player_constants, player_files, player_item
from capmodel.words import FUNCTION_WORDS, GENDERED_WORDS


def peaked(side: int, cell: int) -> np.ndarray:
    share = min(0.5, 6 / side**2)  # no more than the scale shows
    weights = np.full((side, side), (1 - share) / side**2, np.float32)
    weights.flat[cell] += share
    return weights


@pytest.mark.parametrize("side", [2, 8, 10])
def test_an_item_says_how_its_maps_are_laid_out(side):
    maps = [peaked(side, 1), peaked(side, side * side - 1)]
    item = player_item("k", "x.jpg", [make_caption(*maps), make_caption(maps[0])])
    assert item["side"] == side
    for caption, expected in zip(item["captions"], (maps, maps[:1]), strict=True):
        numbers = np.frombuffer(base64.b64decode(caption["weights"]), "<f4")
        np.testing.assert_array_equal(numbers.reshape(len(caption["words"]), side, side), expected)


def test_an_item_of_a_real_model(tiny_captioner):
    grid = tiny_captioner.encode([np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)])
    assert player_item("k", "x.jpg", tiny_captioner.describe(grid)[0])["side"] == 2


def test_the_player_draws_with_the_numbers_of_python():
    constants = json.loads(json.dumps(player_constants()))
    assert constants["overlay_color"] == OVERLAY_COLOR.tolist()
    assert constants["against_color"] == AGAINST_COLOR.tolist()
    assert (constants["opacity"], constants["clear"], constants["end_word"]) == (OPACITY, CLEAR, END_WORD)
    assert set(constants["function_words"]) == FUNCTION_WORDS
    assert [tuple(words) for words in constants["gendered_words"]] == list(GENDERED_WORDS)
    declared = re.search(r"interface Constants \{(.*?)\n\}", (PLAYER / "types.d.ts").read_text(), re.DOTALL)[1]
    assert set(re.findall(r"^  (\w+):", declared, re.MULTILINE)) == set(constants)


def test_what_is_for_developers_is_not_shipped():
    shipped = {path.relative_to(PLAYER).as_posix() for pattern in FILES for path in PLAYER.glob(pattern)}
    assert {"player.html", "player.css", "page.html", "main.js", "core/store.js"} <= shipped
    assert set(player_files().scripts) == {path for path in shipped if path.endswith(".js")}
    assert not [path for path in shipped if re.search("test|node_modules|json|types", path)]


def test_another_script_is_another_version(monkeypatch, tmp_path):
    for name in ("player.html", "player.css", "main.js"):
        (tmp_path / name).write_text(name)
    monkeypatch.setattr("capmodel.output.player.PLAYER", tmp_path)
    before = player_files().version
    assert player_files().version == before
    (tmp_path / "main.js").write_text("main.js ")
    assert player_files().version != before


def test_modules_become_data_urls_that_find_each_other():
    scripts = {
        "main.js": "import { a } from './core/a.js';\nimport {\n  b,\n} from './views/b.js';\nconst x = './core/a.js';",
        "core/a.js": "/** @import { A } from '../types.d.ts' */\nexport const a = (path) => path + './x.js';",
        "views/b.js": "import { a } from '../core/a.js';\nexport { a as c } from '../core/a.js';\nexport const b = a;",
    }
    found = import_map(scripts)
    assert set(found) == {"player/main.js", "player/core/a.js", "player/views/b.js"}
    kind, _, data = found["player/main.js"].partition(",")
    assert kind == "data:text/javascript;base64"
    assert base64.b64decode(data).decode() == (
        "import { a } from 'player/core/a.js';\nimport {\n  b,\n} from 'player/views/b.js';\nconst x = './core/a.js';"
    )
    assert base64.b64decode(found["player/core/a.js"].partition(",")[2]).decode() == scripts["core/a.js"]
    rewritten = base64.b64decode(found["player/views/b.js"].partition(",")[2]).decode()
    assert rewritten.count("'player/core/a.js'") == 2
    with pytest.raises(ValueError, match=r"main\.js imports \./gone\.js"):
        import_map({"main.js": "import { a } from './gone.js';"})


@pytest.mark.parametrize("side", [2, 10])
def test_a_saved_page_draws_maps_of_another_grid(browser, tmp_path, side):
    cells = [0, side + 1, side * side - 1]
    photo = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    caption = make_caption(*(peaked(side, cell) for cell in cells))
    save_html([CaptionedPhoto("x.jpg", photo, [caption])], tmp_path / "x.html")
    with open_page(browser, (tmp_path / "x.html").as_uri(), reduced_motion="reduce") as page:
        page.wait_for_function("document.querySelector('.frame img').naturalWidth > 0")
        for index, cell in enumerate(cells):
            page.locator(".words button").nth(index).click()
            seen = canvas(page)
            top, left = np.unravel_index(seen.argmin(), seen.shape)
            assert int(top * side / seen.shape[0]) * side + int(left * side / seen.shape[1]) == cell
        page.locator(".raw").click()
        expected = [f"{side**2 * value:.1f}" for value in peaked(side, cells[-1]).flat]
        assert page.locator(".cells button").all_inner_texts() == expected
        assert page.locator(".raw").inner_text() == f"{side}×{side} cells"


@pytest.mark.parametrize(
    ("word", "alternatives", "explained"),
    [
        (
            "person",
            [("man", 0.3), ("woman", 0.2), ("dog", 0.1)],
            "“man” and “woman” … the 20 % that both have … 50 % for “person” … 10 % for “man”.",
        ),
        (
            "person",
            [("woman", 0.7), ("man", 0.05)],
            "“woman” and “man” … the 5 % that both have … 20 % for “person” … 65 % for “woman”.",
        ),
        (
            "their",
            [("his", 0.1), ("a", 0.1), ("her", 0.1)],
            "“his” and “her” … the 10 % that both have … 30 % for “their” … under 1 % for “his”.",
        ),
        ("person", [("man", 0.7), ("woman", 0.004)], None),
        ("person", [("man", 0.3), ("girl", 0.2)], None),
        ("dog", [("man", 0.3), ("woman", 0.2)], None),
    ],
)
def test_a_saved_page_says_why_a_word_is_more_general(browser, tmp_path, word, alternatives, explained):
    caption = Caption(word, [Word(word, 0.1, peaked(8, 0), alternatives)], -1.0)
    save_html([CaptionedPhoto("x.jpg", np.zeros((300, 400, 3), np.uint8), [caption])], tmp_path / "x.html")
    with open_page(browser, (tmp_path / "x.html").as_uri(), reduced_motion="reduce") as page:
        page.locator(".tools button", has_text="Other words").click()
        said = page.locator(".panel p").all_inner_texts()
        assert len(said) == (2 if explained else 1)
        if explained:
            assert re.fullmatch(".*".join(map(re.escape, explained.split(" … "))), said[0])
