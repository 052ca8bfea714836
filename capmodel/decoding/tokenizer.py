"""Captions as sub-words: encodes with sentencepiece BPE, decodes to whole words."""

import re
from itertools import pairwise
from os import PathLike
from pathlib import Path

import sentencepiece

from capmodel.words import FUNCTION_WORDS, GENDERED_WORDS

PAD, UNKNOWN, START, END = range(4)
_SPACE = "▁"  # sentencepiece's mark for "a word begins here"
_WORD = re.compile(r"\w+(?:['’-]\w+)*")


def normalize_caption(text: str) -> str:
    """Lower case, words only, single spaces: the form that the model learns and writes."""
    return " ".join(_WORD.findall(text.lower().replace(" 's", "'s")))


class Tokenizer:
    """Sub-words by byte-pair encoding.

    Sennrich et al. (2016), "Neural Machine Translation of Rare Words with Subword Units";
    Kudo & Richardson (2018), "SentencePiece".

    Args:
        path: a sentencepiece model file from `train.data.tokenizer`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, or has other special tokens than this project.
    """

    def __init__(self, path: str | PathLike):
        self.path = Path(path)
        if not self.path.is_file():
            raise FileNotFoundError(f"There is no tokenizer {path}.")
        try:
            self._pieces = sentencepiece.SentencePieceProcessor(model_file=str(path))
        except RuntimeError as error:
            message = (
                f"{path} is not a complete sentencepiece model: it is damaged or truncated; copy or download it again."
            )
            raise ValueError(message) from error
        special = tuple(getattr(self._pieces, f"{name}_id")() for name in ("pad", "unk", "bos", "eos"))
        if special != (PAD, UNKNOWN, START, END):
            raise ValueError(f"{path}: its pad, unknown, start and end tokens are {special}, not 0, 1, 2 and 3.")
        names = [self._pieces.id_to_piece(token) for token in range(len(self))]
        # For each token, whether it continues the word before it.
        self.continues = [token > END and not name.startswith(_SPACE) for token, name in enumerate(names)]
        # Whether it begins a content word. A single letter says too little of how the word goes on.
        self.begins_content = [
            name.startswith(_SPACE) and len(name) > 2 and name.removeprefix(_SPACE) not in FUNCTION_WORDS
            for name in names
        ]
        # The tokens of words for men, for women and for either, where each is one token.
        tokens = {name: token for token, name in enumerate(names)}
        rows = ([tokens.get(_SPACE + word, UNKNOWN) for word in words] for words in GENDERED_WORDS)
        self.gendered = [row for row in rows if UNKNOWN not in row]

    def __len__(self) -> int:
        """V, the number of pieces."""
        return len(self._pieces)

    def pieces(self) -> tuple[list[str], list[float]]:
        """The text of each token, and how early it is merged when a word is encoded: the greatest score first."""
        tokens = range(len(self))
        return [self._pieces.id_to_piece(token) for token in tokens], [
            self._pieces.get_score(token) for token in tokens
        ]

    def encode(self, text: str) -> list[int]:
        """Text -> token ids, without start and end."""
        return self._pieces.encode(normalize_caption(text))

    def decode(self, tokens: list[int]) -> str:
        """Token ids -> text."""
        return " ".join(word for word, _, _ in self.word_spans(tokens))

    def begins_word(self, token: int) -> bool:
        """Whether this token begins a new word. The end token does, since it ends the word before it."""
        return not self.continues[token]

    def word_spans(self, tokens: list[int]) -> list[tuple[str, int, int]]:
        """The words in order, each with the half-open range of its tokens: (word, start, stop)."""
        starts = [i for i, token in enumerate(tokens) if i == 0 or self.begins_word(token)]
        return [(self._text(tokens[start:stop]), start, stop) for start, stop in pairwise([*starts, len(tokens)])]

    def _text(self, tokens: list[int]) -> str:
        return "".join(self._pieces.id_to_piece(token) for token in tokens).replace(_SPACE, "")
