"""Sub-words there and back."""

import pytest
from support.samples import CAPTIONS

from capmodel.decoding.tokenizer import END, Tokenizer, normalize_caption
from capmodel.words import GENDERED_WORDS
from train.data.tokenizer import train_tokenizer


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A child in a pink dress .", "a child in a pink dress"),
        ("The woman 's hat , which is BLUE !", "the woman's hat which is blue"),
        ('A black-and-white dog "sits"', "a black-and-white dog sits"),
        ("  two   dogs\n", "two dogs"),
        ("3 men's bikes", "3 men's bikes"),
        (" . ", ""),
    ],
)
def test_normalizes(text, expected):
    assert normalize_caption(text) == expected


def test_captions_survive(tokenizer):
    for caption in CAPTIONS:
        assert tokenizer.decode(tokenizer.encode(caption)) == normalize_caption(caption)


def test_spans_cover_all_tokens_and_join_pieces(tokenizer):
    tokens = tokenizer.encode("a skateboarder climbs mountains")
    spans = tokenizer.word_spans(tokens)
    assert [word for word, _, _ in spans] == ["a", "skateboarder", "climbs", "mountains"]
    assert [index for _, start, stop in spans for index in range(start, stop)] == list(range(len(tokens)))
    assert any(stop - start > 1 for _, start, stop in spans)  # some word has several pieces


def test_ends_and_beginnings_of_words(tokenizer):
    assert tokenizer.begins_word(END)
    pieces = tokenizer.encode("climbs")
    assert [tokenizer.begins_word(piece) for piece in pieces] == [True] + [False] * (len(pieces) - 1)


def test_pieces_that_begin_content_words(captioner):
    tokenizer = captioner.tokenizer

    def begins_content(word):
        return tokenizer.begins_content[tokenizer.encode(word)[0]]

    assert all(map(begins_content, ["dog", "red", "two", "running"]))
    assert not any(map(begins_content, ["a", "the", "of", "is"]))
    assert not any(tokenizer.begins_content[token] for token in range(END + 1))
    continued = tokenizer.encode("saxophonists")[1:]
    assert continued
    assert not any(tokenizer.begins_content[token] for token in continued)


def test_tokens_of_words_for_men_women_and_either(captioner, tmp_path):
    tokenizer = captioner.tokenizer
    assert [tuple(map(tokenizer.decode, zip(row))) for row in tokenizer.gendered] == list(GENDERED_WORDS)
    small = train_tokenizer(["a man", "a woman", "a person", "his her"] * 50, tmp_path / "small.model", 4000)
    assert [[small.decode([token]) for token in row] for row in small.gendered] == [["man", "woman", "person"]]


def test_too_few_captions_make_a_smaller_vocabulary(tmp_path):
    tokenizer = train_tokenizer(CAPTIONS, tmp_path / "small.model", 4000)
    assert 20 < len(tokenizer) < 4000


def test_a_tokenizer_with_other_special_tokens_is_refused(tmp_path):
    import sentencepiece

    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CAPTIONS), model_prefix=str(tmp_path / "other"), vocab_size=60, minloglevel=2
    )
    with pytest.raises(ValueError, match="pad, unknown, start and end"):
        Tokenizer(tmp_path / "other.model")
