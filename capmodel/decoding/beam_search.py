"""Beam search for many photos and all their beams, with one matrix product per step."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from capmodel.decoding.hedging import hedge
from capmodel.decoding.lexicon import Lexicon
from capmodel.decoding.options import DecodeOptions
from capmodel.decoding.tokenizer import END, PAD, START, UNKNOWN
from capmodel.model.decoder import Decoder, Memory, State
from capmodel.model.fast_decoder import FastDecoder


@dataclass(frozen=True)
class Hypothesis:
    """One caption as T tokens, without start and end.

    Attributes:
        tokens: the T token ids.
        score: the log-probability, with words hedged and less what repetition cost, normalised by length: by it,
            captions are ranked.
        logprobs: of each token, then of the end, as the model gives them: (T + 1,).
        weights: where the decoder looked to choose each token, rows summing to 1: (T, L).
        top_k: the most probable tokens at each step, which may include the chosen one, as ids and
            log-probabilities: (T, R) each.
        states: the decoder's state from which each token was chosen: (T, H) each.
    """

    tokens: list[int]
    score: float
    logprobs: Tensor
    weights: Tensor
    top_k: tuple[Tensor, Tensor]
    states: State


class _End(NamedTuple):
    """A finished caption: the tokens of one beam up to a step, then the end."""

    score: float
    step: int
    beam: int
    logprob: float  # of the end token


class _Continuation(NamedTuple):
    """A caption so far, with one more token."""

    total: float  # its log-probability, hedged and less what repetition cost
    parent: int  # the beam that it continues
    token: int
    logprob: float  # the token's


@dataclass
class _Step:
    """The state and choices of the K beams of B photos at one step, kept for tracing captions back."""

    rows: dict[int, int]  # photo -> its row
    weights: Tensor  # (B, K, L), where they looked
    states: State  # (B, K, H), from which they chose
    top_k: tuple[Tensor, Tensor]  # (B, K, R), ids and log-probabilities
    kept: list[list[_Continuation]]  # for each row, the beams after this step


@torch.inference_mode()
def beam_search(
    decoder: Decoder | FastDecoder,
    memory: Memory,
    options: DecodeOptions = DecodeOptions(),
    prefixes: Sequence[Sequence[int]] | None = None,
    lexicon: Lexicon | None = None,
) -> list[list[Hypothesis]]:
    """Searches for the most probable captions of B photos.

    Args:
        decoder: in eval mode.
        memory: of the photos, from `decoder.prepare`.
        prefixes: for each photo, the tokens with which its captions must begin (may be empty).
        lexicon: of the V tokens; without it, repetition costs nothing and nothing is hedged.

    Returns:
        For each photo, its finished captions, best first: `options.candidates` of them, or fewer
        if there are not that many.

    Raises:
        ValueError: a prefix is longer than `options.max_tokens`.
    """
    photos, beam, device = len(memory.grid), options.beam, memory.grid.device
    prefixes = prefixes or [()] * photos
    if max(map(len, prefixes), default=0) > options.max_tokens:
        raise ValueError(f"a prefix is longer than max_tokens ({options.max_tokens})")
    if lexicon is not None:
        lexicon = lexicon.to(device)
    # All captions begin alike: K is 1 in the first step, and the beam in the others.
    state = decoder.start(memory, 1)
    tokens = torch.full((photos, 1), START, device=device)
    history = tokens[..., None]  # (B, K, tokens so far)
    totals = torch.zeros((photos, 1), device=device)  # log-probability so far, hedged and less what repetition cost
    steps: list[_Step] = []
    ends: list[list[_End]] = [[] for _ in range(photos)]
    searched = list(range(photos))  # the photo of each row

    for length in range(options.max_tokens + 1):
        logits, state, weights = decoder.step(tokens, state, memory)
        logprobs = logits.float().log_softmax(-1)  # (B, K, V)
        top_k = logprobs.topk(min(options.top_k, logprobs.shape[-1]))
        forced = _forced([prefixes[photo] for photo in searched], length, options)
        ranked = _ranked(logprobs, history, forced, lexicon, options)
        # Twice the beam: even if the best `beam` tokens all end captions, a full beam continues.
        likely = ranked.topk(min(2 * beam, ranked.shape[-1]))
        count = likely.values.shape[-1]
        best, flat = (totals[..., None] + likely.values).flatten(1).topk(min(2 * beam, totals.shape[1] * count))
        parents = flat // count
        chosen = logprobs.gather(-1, likely.indices)
        tokens, chosen = (part.flatten(1).gather(1, flat) for part in (likely.indices, chosen))
        totals, order = best.masked_fill(tokens == END, -torch.inf).topk(min(beam, tokens.shape[1]))

        # Lists, because single elements of tensors are slow to read, and a GPU is waited for only once in each step.
        found = [[_Continuation(*each) for each in zip(*row)] for row in _lists(best, parents, tokens, chosen)]
        for row, photo in enumerate(searched):
            ends[photo] += _ends(found[row][:beam], length, options)
        kept = [[row[rank] for rank in ranks] for row, ranks in zip(found, order.tolist(), strict=True)]
        rows = {photo: row for row, photo in enumerate(searched)}
        steps.append(_Step(rows, weights, state, (top_k.indices, top_k.values), kept))
        going = [
            row
            for row, (photo, total) in enumerate(zip(searched, totals[:, 0].tolist(), strict=True))
            if not _is_done(ends[photo], total, length + 1, options)
        ]
        if not going:
            break
        if len(going) < len(searched):  # a photo's captions do not depend on those beside it
            searched = [searched[row] for row in going]
            memory, totals = Memory(*(part[going] for part in memory)), totals[going]
        parents, tokens = parents.gather(1, order)[going], tokens.gather(1, order)[going]
        before = torch.tensor(going, device=device)[:, None], parents
        state = State(state.hidden[before], state.cell[before])
        history = torch.cat([history[before], tokens[..., None]], -1)

    best_ends = [sorted(found, reverse=True)[: options.candidates] for found in ends]
    return [[_trace(steps, photo, end) for end in found] for photo, found in enumerate(best_ends)]


def _forced(prefixes: Sequence[Sequence[int]], length: int, options: DecodeOptions) -> dict[int, int]:
    """Rows with a forced next token, and that token: the next of the prefix, or the end at the maximum length."""
    if length == options.max_tokens:
        return dict.fromkeys(range(len(prefixes)), END)
    return {row: prefix[length] for row, prefix in enumerate(prefixes) if length < len(prefix)}


def _ranked(
    logprobs: Tensor, history: Tensor, forced: dict[int, int], lexicon: Lexicon | None, options: DecodeOptions
) -> Tensor:
    """What each token adds to a caption's total, given the history (B, K, 1 + tokens so far).

    That is its log-probability (B, K, V), hedged, less the cost of a content token that is there already. Tokens that
    must not come next have -inf; in forced rows, all but one.
    """
    if lexicon is not None:
        ranked = hedge(logprobs, lexicon.gendered, options.hedging)
        ranked.scatter_(-1, history, ranked.gather(-1, history) - options.repetition_cost * lexicon.content[history])
    else:
        ranked = logprobs.clone()
    for token in (PAD, UNKNOWN, START):
        ranked[..., token] = -torch.inf
    length = history.shape[-1] - 1
    if length == 0:
        ranked[..., END] = -torch.inf  # a caption has at least one token
    if options.no_repeated_trigram and length >= 3:
        again = (history[..., :-2] == history[..., -2, None]) & (history[..., 1:-1] == history[..., -1, None])
        # Where the last two tokens occurred before: the token that followed. Elsewhere START, ruled out anyway.
        ranked.scatter_(-1, torch.where(again, history[..., 2:], START), -torch.inf)
    for row, token in forced.items():
        ranked[row] = -torch.inf
        ranked[row, :, token] = logprobs[row, :, token]
    return ranked


def _lists(*parts: Tensor) -> Iterator[tuple[list, ...]]:
    """The rows of tensors of the same length, side by side, as lists."""
    return zip(*(part.tolist() for part in parts), strict=True)


def _ends(best: Sequence[_Continuation], length: int, options: DecodeOptions) -> list[_End]:
    """Those of a photo's `beam` best continuations that end the caption."""
    normalizer = (length + 1) ** options.length_penalty  # the end is a token too
    return [
        _End(total / normalizer, length, parent, logprob)
        for total, parent, token, logprob in best
        if token == END and total > -torch.inf
    ]


def _is_done(ends: list[_End], total: float, length: int, options: DecodeOptions) -> bool:
    """Whether a photo has `beam` finished captions, none worse than the best unfinished one."""
    if total == -torch.inf:
        return True
    if len(ends) < options.beam:
        return False
    worst_kept = sorted((end.score for end in ends), reverse=True)[options.beam - 1]
    return worst_kept >= total / length**options.length_penalty


def _trace(steps: list[_Step], photo: int, end: _End) -> Hypothesis:
    """Follows a finished caption back to its start."""
    beam, walked = end.beam, []  # from last to first: a step, the beam that it read, and what that wrote
    for step in reversed(steps[: end.step]):
        written = step.kept[step.rows[photo]][beam]
        beam = written.parent
        walked.append((step, beam, written))
    walked.reverse()

    def read(pick: Callable[[_Step], Tensor]) -> Tensor:
        return torch.stack([pick(step)[step.rows[photo], beam] for step, beam, _ in walked])

    return Hypothesis(
        tokens=[written.token for *_, written in walked],
        score=end.score,
        logprobs=torch.tensor([*(written.logprob for *_, written in walked), end.logprob]),
        weights=read(lambda step: step.weights),
        top_k=(read(lambda step: step.top_k[0]), read(lambda step: step.top_k[1])),
        states=State(read(lambda step: step.states.hidden), read(lambda step: step.states.cell)),
    )
