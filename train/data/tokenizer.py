"""Trains the sub-words on captions."""

import io
from collections.abc import Iterable
from pathlib import Path

import sentencepiece

from capmodel.decoding.tokenizer import END, PAD, START, UNKNOWN, Tokenizer, normalize_caption


def train_tokenizer(captions: Iterable[str], path: Path, vocabulary: int = 4000) -> Tokenizer:
    """Trains a byte-pair encoding of at most `vocabulary` pieces and saves it at `path`.

    Fewer captions than it takes to fill the vocabulary make a smaller one.
    """
    texts = [normalize_caption(caption) for caption in captions]
    try:
        model = _train(texts, vocabulary)
    except RuntimeError as error:  # "Vocabulary size too high (4000). Please set it to a value <= 1234."
        if "too high" not in str(error):
            raise
        model = _train(texts, int(str(error).rpartition("<= ")[2].rstrip(".")))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model)
    return Tokenizer(path)


def _train(texts: list[str], vocabulary: int) -> bytes:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=model,
        model_type="bpe",
        vocab_size=vocabulary,
        character_coverage=1.0,
        pad_id=PAD,
        unk_id=UNKNOWN,
        bos_id=START,
        eos_id=END,
        minloglevel=2,
    )
    return model.getvalue()
