"""Scores and counts have known values, and without Java one sentence says what is missing."""

import os
import shutil
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
from accelerate.state import AcceleratorState
from pycocoevalcap.tokenizer import ptbtokenizer

from train.evaluate import main as evaluate
from train.metrics import java
from train.metrics.captions import quick_cider, score_captions
from train.metrics.gender import GenderErrors, count_genders
from train.metrics.java import JavaError, tokenize

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
    with pytest.raises(JavaError, match="need Java"):
        score_captions(REFERENCES, ["a"] * 3)


def test_without_java_no_captions_are_made(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(SystemExit) as end:
        evaluate(["--data", str(tmp_path)])
    said = capsys.readouterr().err
    assert (end.value.code, said.count("\n")) == (2, 1)
    assert "apt install default-jre-headless" in said


CANDIDATES = ["a dog is running on grass", "two men on a mountain", "the child swims in a pool"]


@pytest.mark.usefixtures("java")
def test_scores_are_those_of_pycocoevalcaps_own_wrappers():
    from pycocoevalcap.meteor.meteor import Meteor
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    odd = [*REFERENCES, ["It's a \"dog\", isn't it?", "A caf\u00e9 \u2013 with 2,000 guests (or more)..."]]
    sentences = {index: [{"caption": text} for text in texts] for index, texts in enumerate(odd)}
    assert tokenize(odd) == PTBTokenizer().tokenize(sentences)
    expected, written = tokenize(REFERENCES), tokenize([[text] for text in CANDIDATES])
    assert java.Meteor().compute_score(expected, written) == Meteor().compute_score(expected, written)


@pytest.mark.usefixtures("java")
def test_full_marks_wherever_the_package_lies(tmp_path, monkeypatch):
    """A copy, since Java sees through a link, and one that nobody may write to."""
    source, package = (
        Path(ptbtokenizer.__file__).parents[1],
        tmp_path / "my packages" / "100% caf\u00e9" / "pycocoevalcap",
    )
    shutil.copytree(source, package, copy_function=link_or_copy)
    for module in (java.ptbtokenizer, java.pycocoevalcap_meteor):
        monkeypatch.setattr(module, "__file__", str(package / Path(module.__file__).relative_to(source)))
    monkeypatch.setattr("tempfile.NamedTemporaryFile", None)  # with which a file would be written there
    scores = score_captions(REFERENCES, [texts[0] for texts in REFERENCES])
    assert [scores[f"BLEU-{n}"] for n in range(1, 5)] == pytest.approx([100] * 4)
    assert scores["METEOR"] == pytest.approx(100)
    assert scores["ROUGE-L"] == pytest.approx(100)
    assert "SPICE" not in scores  # nobody has asked for its download


def link_or_copy(source, target):
    try:
        os.link(source, target)
    except OSError:
        shutil.copy(source, target)


@pytest.mark.usefixtures("java")
def test_line_breaks_in_captions_shift_nothing():
    odd = [["a dog\nruns", "b\r\nc"], ["d\u2028e\x85f"], ["", "   "], ["g"]]
    assert tokenize(odd) == {0: ["a dog runs", "b c"], 1: ["d e f"], 2: ["", ""], 3: ["g"]}


@pytest.mark.usefixtures("java")
def test_java_that_fails_is_one_sentence(monkeypatch):
    monkeypatch.setattr(java, "TOKENIZE", "no.such.Program")
    with pytest.raises(JavaError, match="The PTB tokenizer failed: Error: Could not find or load main class"):
        tokenize(REFERENCES)
    monkeypatch.setattr(java.pycocoevalcap_meteor, "METEOR_JAR", "nowhere.jar")
    with pytest.raises(JavaError, match="METEOR failed: Error: Unable to access jarfile nowhere"):
        java.Meteor().compute_score({0: ["a"]}, {0: ["a"]})


def test_spice_is_downloaded_only_if_asked_for_and_before_captions_are_made(monkeypatch, capsys, tmp_path):
    asked = []

    def download(*_, **__):
        asked.append(1)
        raise URLError(OSError(-2, "Name or service not known"))

    monkeypatch.setattr("pycocoevalcap.spice.get_stanford_models.urlretrieve", download)
    monkeypatch.setattr("pycocoevalcap.spice.get_stanford_models.SPICEDIR", str(tmp_path))
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/java")
    AcceleratorState._reset_state(reset_partial_state=True)  # of scripts that ran before
    with pytest.raises(SystemExit) as end:
        evaluate(["--data", str(tmp_path)])  # no data set
    assert "holds no data set" in str(end.value)
    assert not asked
    with pytest.raises(SystemExit) as end:
        evaluate(["--data", str(tmp_path), "--spice"])
    said = capsys.readouterr().err.splitlines()[-1]
    assert (end.value.code, len(asked)) == (2, 1)
    assert said.startswith("SPICE needs Stanford's CoreNLP models (400 MB), which could not be downloaded (")
    assert "Name or service not known" in said


def test_how_to_search_is_checked_first(tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        evaluate(["--data", str(tmp_path), "--hedging", "2"])
    assert (end.value.code, capsys.readouterr().err) == (2, "hedging must be from 0 to 1, not 2.0\n")


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


def test_gender_errors_weigh_as_much_for_all_women_as_for_all_men():
    men, women = ["A man runs .", "A boy .", "A person ."], ["A girl swims .", "She swims .", "A lady ."]
    errors = GenderErrors([men, women, men, ["A man .", "A girl .", "A child ."], men])
    captions = ["a man and his dog", "a woman", "a person", "a man and a woman"]
    found = errors([0, 1, 3], [captions] * 3)
    np.testing.assert_allclose(found, [[0, 2 / 3, 0, 2 / 3], [2, 0, 0, 2], [0, 0, 0, 0]])
    assert errors.mean(["a man", "a man", "a girl", "a girl", "a dog"]) == pytest.approx((2 + 2 / 3) / 5)
    assert not GenderErrors([["A dog ."]])([0], [captions]).any()
