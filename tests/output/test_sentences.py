"""One plain sentence for each word, from its two maps."""

import base64
from dataclasses import replace

import numpy as np
import pytest
from support.captions import UNIFORM, make_caption, peaked

from capmodel.caption import Evidence
from capmodel.explain.agreement import COLUMNS, ROWS, Agreement, Answer
from capmodel.output.player import evidence_item, player_item
from capmodel.output.sentences import agreements, name, sentence


def with_evidence(maps, nats, kept):
    return replace(make_caption(*maps), evidence=Evidence(np.float32(nats), np.float32(kept), "grid"))


def spot(row: int, column: int, nats: float = 0.5) -> np.ndarray:
    found = np.zeros((8, 8), np.float32)
    found[row, column] = nats
    return found


NOTHING = np.zeros((8, 8), np.float32)
TOLD = with_evidence(
    [UNIFORM, peaked(1, 1), peaked(7, 0), peaked(3, 3), peaked(3, 3)],
    [NOTHING, spot(1, 1), spot(4, 4), NOTHING, NOTHING],
    [0.9, 0.5, 0.5, 1.2, 0.3],
)
SENTENCES = [
    "No place mattered: it would have begun like this anyway.",
    "It looked where it mattered.",
    "It looked at the lower left, but the centre mattered.",
    "No place mattered: the words before it were enough.",
    "No single place mattered, but the photo as a whole did.",
]


def test_what_is_said_of_each_word():
    found = evidence_item(TOLD)
    assert [word["sentence"] for word in found["words"]] == SENTENCES
    assert [word["unplaced"] for word in found["words"]] == [True, False, False, True, False]
    assert [word["kept"] for word in found["words"]] == pytest.approx([0.9, 0.5, 0.5, 1.2, 0.3])


def test_evidence_is_laid_out_like_attention():
    found = evidence_item(TOLD)
    numbers = np.frombuffer(base64.b64decode(found["nats"]), "<f4").reshape(5, 8, 8)
    np.testing.assert_array_equal(numbers, TOLD.evidence.nats)
    assert found["top"] == pytest.approx(0.5)
    assert evidence_item(with_evidence([UNIFORM], [NOTHING], [1]))["top"] == pytest.approx(np.log(1.1))  # flat


def test_a_caption_has_evidence_in_the_player_only_if_it_was_measured():
    plain, told = player_item("k", "x.jpg", [make_caption(UNIFORM), TOLD])["captions"]
    assert "evidence" not in plain
    assert told["evidence"] == evidence_item(TOLD)
    with pytest.raises(ValueError, match="without evidence"):
        agreements(make_caption(UNIFORM))


def test_each_place_has_its_name():
    names = [[name((row, column)) for column in COLUMNS] for row in ROWS]
    assert names == [
        ["upper left", "top", "upper right"],
        ["left side", "centre", "right side"],
        ["lower left", "bottom", "lower right"],
    ]


@pytest.mark.parametrize("answer", Answer)
@pytest.mark.parametrize("first", [True, False])
def test_every_answer_has_a_sentence(answer, first):
    said = sentence(Agreement(answer, 0.5, ("top", "left"), ("bottom", "centre")), first)
    assert said.endswith(".")
    assert said.count(".") == 1
