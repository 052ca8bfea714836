"""The words that the model might have written instead.

At each word beam search notes the most probable first tokens. Some of them are whole words, others
only begin one ("sk"). These are completed here, for all words of all captions at once.
"""

from collections import defaultdict
from collections.abc import Sequence

import torch
from torch.nn.utils.rnn import pad_sequence

from .decoder import Decoder, Memory, State
from .decoding import Hypothesis
from .tokenizer import END, PAD, START, UNKNOWN, Tokenizer

END_WORD = "."  # how the end of the caption is shown among the alternatives
MAX_PIECES = 8  # of one word

Alternatives = list[tuple[str, float]]


@torch.inference_mode()
def word_alternatives(
    decoder: Decoder,
    tokenizer: Tokenizer,
    memory: Memory,
    found: Sequence[Sequence[Hypothesis]],
    count: int,
) -> list[list[list[Alternatives]]]:
    """The most probable other words at each word of each caption.

    Args:
        memory: of B photos.
        found: the captions of each photo.
        count: how many alternatives to give, at most.

    Returns:
        For each photo, caption and word: pairs of another word and its probability there, best
        first. `END_WORD` stands for the end of the caption.
    """
    spans = [[tokenizer.word_spans(hypothesis.tokens) for hypothesis in captions] for captions in found]
    # Every beginning of a word is a row: (caption, word) is its place, its photo the batch axis.
    places, tokens, logprobs, states = [], [], [], []
    for captions, caption_spans in zip(found, spans, strict=True):
        rows = [
            ((caption, word), token, logprob, hypothesis.states.hidden[start], hypothesis.states.cell[start])
            for caption, hypothesis in enumerate(captions)
            for word, (_, start, _) in enumerate(caption_spans[caption])
            for token, logprob in zip(*(values[start].tolist() for values in hypothesis.rivals), strict=True)
            if token not in (PAD, UNKNOWN, START) and tokenizer.begins_word(token)
        ]
        place, token, logprob, hidden, cell = zip(*rows, strict=True)
        places.append(place)
        tokens.append(torch.tensor(token))
        logprobs.append(torch.tensor(logprob))
        states.append((torch.stack(hidden), torch.stack(cell)))
    hidden, cell = (pad_sequence(values, batch_first=True) for values in zip(*states, strict=True))
    tokens = pad_sequence(tokens, batch_first=True, padding_value=END).to(hidden.device)  # (B, rows)
    logprobs = pad_sequence(logprobs, batch_first=True)
    words = _complete(decoder, tokenizer, memory, State(hidden, cell), tokens, logprobs)

    results = []
    for photo, caption_spans in enumerate(spans):
        by_place = defaultdict(list)
        for row, place in enumerate(places[photo]):  # the padding has no place
            pieces = words[photo][row]
            text = END_WORD if pieces == [END] else tokenizer.decode(pieces)
            if text != caption_spans[place[0]][place[1]][0]:
                by_place[place].append((text, logprobs[photo, row].exp().item()))
        results.append(
            [
                [sorted(by_place[caption, word], key=lambda pair: -pair[1])[:count] for word in range(len(spans_))]
                for caption, spans_ in enumerate(caption_spans)
            ]
        )
    return results


def _complete(
    decoder: Decoder,
    tokenizer: Tokenizer,
    memory: Memory,
    state: State,
    tokens: torch.Tensor,
    logprobs: torch.Tensor,
) -> list[list[list[int]]]:
    """Writes on after the tokens (B, rows) as long as the most probable token continues the word.

    Returns the tokens of each word; adds the log-probabilities of the added ones to `logprobs`.
    """
    words = [[[token] for token in row] for row in tokens.tolist()]
    going = tokens != END
    continues = torch.tensor(tokenizer.continues, device=tokens.device)
    for _ in range(MAX_PIECES - 1):
        if not going.any():
            break
        logits, state, _ = decoder.step(tokens, state, memory)
        best, tokens = logits.float().log_softmax(-1).max(-1)
        going &= continues[tokens]
        for photo, row in going.nonzero().tolist():
            words[photo][row].append(tokens[photo, row].item())
            logprobs[photo, row] += best[photo, row].item()
    return words
