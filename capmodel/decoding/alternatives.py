"""The words that the model might have written instead.

For each word, beam search keeps the most probable first tokens. Some of them are whole words; others
only begin one ("sk"). They are completed here, for all words of all captions at once.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import torch
from torch import Tensor

from capmodel.caption import END_WORD
from capmodel.decoding.beam_search import Hypothesis
from capmodel.decoding.tokenizer import END, PAD, START, UNKNOWN, Tokenizer
from capmodel.model.decoder import Memory
from capmodel.model.fast_decoder import FastDecoder

MAX_PIECES = 8  # tokens in one word

Alternatives = list[tuple[str, float]]


class _Beginning(NamedTuple):
    """The first token of an alternative word, and the decoder's state before it."""

    photo: int
    caption: int
    word: int
    token: int
    logprob: float
    hidden: Tensor  # (H,)
    cell: Tensor  # (H,)


@torch.inference_mode()
def word_alternatives(
    decoder: FastDecoder,
    tokenizer: Tokenizer,
    memory: Memory,
    found: Sequence[Sequence[Hypothesis]],
    count: int,
) -> list[list[list[Alternatives]]]:
    """The most probable other words at each word of each caption.

    Args:
        memory: of B photos, from `decoder.prepare`.
        found: the captions of each photo.
        count: the most alternatives to return for a word.

    Returns:
        For each photo, caption and word: pairs of another word and its probability there, best
        first. `END_WORD` stands for the end of the caption.
    """
    spans = [[tokenizer.word_spans(hypothesis.tokens) for hypothesis in captions] for captions in found]
    beginnings = [
        _Beginning(photo, caption, word, *first, hypothesis.states.hidden[start], hypothesis.states.cell[start])
        for photo, captions in enumerate(found)
        for caption, hypothesis in enumerate(captions)
        for word, (_, start, _) in enumerate(spans[photo][caption])
        for first in _first_tokens(tokenizer, hypothesis, start, count + 1 if count else 0)
    ]
    others = defaultdict(list)
    for at, (tokens, logprob) in zip(beginnings, _complete(decoder, tokenizer, memory, beginnings), strict=True):
        text = END_WORD if tokens == [END] else tokenizer.decode(tokens)
        if text != spans[at.photo][at.caption][at.word][0]:
            others[at.photo, at.caption, at.word].append((text, logprob.exp().item()))
    return [
        [
            [sorted(others[photo, caption, word], key=_by_probability)[:count] for word in range(len(words))]
            for caption, words in enumerate(captions)
        ]
        for photo, captions in enumerate(spans)
    ]


def _by_probability(alternative: tuple[str, float]) -> float:
    return -alternative[1]


def _first_tokens(tokenizer: Tokenizer, hypothesis: Hypothesis, step: int, count: int) -> Iterator[tuple[int, float]]:
    """At one step, the `count` most probable tokens that begin a word, with their log-probabilities."""
    pairs = zip(*(values[step].tolist() for values in hypothesis.top_k), strict=True)
    usable = (pair for pair in pairs if pair[0] not in (PAD, UNKNOWN, START) and tokenizer.begins_word(pair[0]))
    return islice(usable, count)


def _complete(
    decoder: FastDecoder, tokenizer: Tokenizer, memory: Memory, beginnings: Sequence[_Beginning]
) -> list[tuple[list[int], Tensor]]:
    """Extends each beginning for as long as the most probable token continues the word.

    Returns each word's tokens and log-probability.
    """
    if not beginnings:
        return []
    # The decoder takes the same number of rows for each photo; unused rows hold the end token.
    columns, width = [], defaultdict(int)
    for beginning in beginnings:
        columns.append(width[beginning.photo])
        width[beginning.photo] += 1
    rows = ([beginning.photo for beginning in beginnings], columns)
    state = decoder.start(memory, max(width.values()))
    state.hidden[rows] = torch.stack([beginning.hidden for beginning in beginnings])
    state.cell[rows] = torch.stack([beginning.cell for beginning in beginnings])
    first = torch.tensor([beginning.token for beginning in beginnings], device=memory.grid.device)
    tokens = torch.full(state.hidden.shape[:2], END, device=memory.grid.device)
    tokens[rows] = first

    continues = torch.tensor(tokenizer.continues, device=first.device)
    words = [[token] for token in first.tolist()]
    logprobs = torch.tensor([beginning.logprob for beginning in beginnings], device=first.device)
    going = first != END
    for _ in range(MAX_PIECES - 1):
        if not going.any():
            break
        logits, state, _ = decoder.step(tokens, state, memory)
        best, tokens = logits.float().log_softmax(-1).max(-1)
        chosen = tokens[rows]
        going &= continues[chosen]
        logprobs += best[rows] * going
        for row in going.nonzero().flatten().tolist():
            words[row].append(chosen[row].item())
    return list(zip(words, logprobs, strict=True))
