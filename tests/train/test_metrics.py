"""Scores and counts have known values, and without Java one sentence says what is missing."""

import shutil

import pytest

from train.metrics.captions import NoJavaError, quick_cider, score_captions
from train.metrics.gender import count_genders

REFERENCES = [
    ["A dog runs on the grass .", "A brown dog is running ."],
    ["Two men climb a mountain .", "Climbers on a rock ."],
    ["A girl swims in a pool .", "The child is swimming ."],
]


def test_perfect_captions_score_best():
    perfect = [texts[0] for texts in REFERENCES]
    worse = [perfect[1], perfect[2], perfect[0]]
    assert quick_cider(REFERENCES, perfect) > 200
    assert quick_cider(REFERENCES, worse) == pytest.approx(0, abs=20)


def test_without_java_one_sentence_says_so(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(NoJavaError, match="need Java"):
        score_captions(REFERENCES, ["a"] * 3)


@pytest.mark.usefixtures("java")
def test_full_marks(monkeypatch):
    monkeypatch.setattr("pycocoevalcap.spice.spice.get_stanford_models", _no_network)
    scores = score_captions(REFERENCES, [texts[0] for texts in REFERENCES])
    assert [scores[f"BLEU-{n}"] for n in range(1, 5)] == pytest.approx([100] * 4)
    assert scores["METEOR"] == pytest.approx(100)
    assert scores["ROUGE-L"] == pytest.approx(100)
    assert scores["SPICE"] is None


def test_genders_are_counted_where_most_people_agree():
    references = [
        ["A man runs .", "Two men run .", "A woman and a boy ."],
        ["A Girl swims .", "She swims, her hair is wet .", "A child swims ."],
        ["A man .", "A girl .", "A child ."],
    ]
    captions = ["a man and his mother and a woman", "a human in a boat", "a man"]
    assert count_genders(references, captions) == {
        "men": {"men": 0, "women": 0, "both": 1, "neither": 0},
        "women": {"men": 0, "women": 0, "both": 0, "neither": 1},
    }


def _no_network():
    raise OSError("no network")
