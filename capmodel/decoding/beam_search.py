"""Beam search for many photos and all their beams, with one matrix product per step."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from capmodel.decoding.options import DecodeOptions
from capmodel.decoding.tokenizer import END, PAD, START, UNKNOWN
from capmodel.model.decoder import Decoder, Memory, State
from capmodel.model.fast_decoder import FastDecoder


@dataclass(frozen=True)
class Hypothesis:
    """One caption as T tokens, without start and end.

    Attributes:
        tokens: the T token ids.
        score: the log-probability, less what repetition cost, normalised by length: by it, captions are ranked.
        logprobs: of each token, then of the end: (T + 1,).
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


@dataclass
class _Step:
    """The state and choices of the K beams of B photos at one step, kept for tracing captions back."""

    rows: dict[int, int]  # photo -> its row
    weights: Tensor  # (B, K, L), where they looked
    states: State  # (B, K, H), from which they chose
    top_k: tuple[Tensor, Tensor]  # (B, K, R), ids and log-probabilities
    parents: Tensor  # (B, K), the beam that each beam after this step continues
    tokens: Tensor  # (B, K), the token that it adds
    logprobs: Tensor  # (B, K), the token's log-probability


@torch.inference_mode()
def beam_search(
    decoder: Decoder | FastDecoder,
    memory: Memory,
    options: DecodeOptions = DecodeOptions(),
    prefixes: Sequence[Sequence[int]] | None = None,
    content: Sequence[bool] | None = None,
) -> list[list[Hypothesis]]:
    """Searches for the most probable captions of B photos.

    Args:
        decoder: in eval mode.
        memory: of the photos, from `decoder.prepare`.
        prefixes: for each photo, the tokens with which its captions must begin (may be empty).
        content: for each of the V tokens, whether it begins a content word (`Tokenizer.begins_content`); without it,
            repetition costs nothing.

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
    is_content = torch.tensor(content, device=device) if content and options.repetition_cost else None
    state = decoder.start(memory, beam)
    tokens = torch.full((photos, beam), START, device=device)
    history = tokens[..., None]  # (B, K, tokens so far)
    totals = torch.full((photos, beam), -torch.inf, device=device)  # log-probability so far, less what repetition cost
    totals[:, 0] = 0  # at the start all beams are equal, so only one counts
    steps: list[_Step] = []
    ends: list[list[_End]] = [[] for _ in range(photos)]
    searched = list(range(photos))  # the photo of each row

    for length in range(options.max_tokens + 1):
        logits, state, weights = decoder.step(tokens, state, memory)
        logprobs = logits.float().log_softmax(-1)  # (B, K, V)
        # Twice the beam: even if the best `beam` tokens all end captions, a full beam continues. The extra tokens are
        # the most that can be forbidden or cost something: four, and those that the caption already has.
        count = min(max(options.top_k, 2 * beam + 4 + length), logprobs.shape[-1])
        likely = logprobs.topk(count)
        top_k = likely.indices[..., : options.top_k], likely.values[..., : options.top_k]
        forced = _forced([prefixes[photo] for photo in searched], length, options)
        if forced:
            for row, token in forced.items():
                logprobs[row, :, :token] = logprobs[row, :, token + 1 :] = -torch.inf
            likely = logprobs.topk(count)
        forbidden = _forbidden(likely.indices, history, forced, options)
        added = likely.values.masked_fill(forbidden, -torch.inf)
        if is_content is not None:
            again = _is_there(likely.indices, history, forced) & is_content[likely.indices]
            added = added - options.repetition_cost * again
        best, flat = (totals[..., None] + added).flatten(1).topk(min(2 * beam, beam * count))
        parents = flat // count
        tokens, chosen = (part.flatten(1).gather(1, flat) for part in (likely.indices, likely.values))
        _note_ends([ends[photo] for photo in searched], best, parents, tokens, chosen, length, options)

        totals, order = best.masked_fill(tokens == END, -torch.inf).topk(beam)
        parents, tokens, chosen = parents.gather(1, order), tokens.gather(1, order), chosen.gather(1, order)
        steps.append(
            _Step({photo: row for row, photo in enumerate(searched)}, weights, state, top_k, parents, tokens, chosen)
        )
        going = [
            row
            for row, (photo, total) in enumerate(zip(searched, totals[:, 0].tolist(), strict=True))
            if not _is_done(ends[photo], total, length + 1, options)
        ]
        if not going:
            break
        if len(going) < len(searched):  # a photo's captions do not depend on those beside it
            searched = [searched[row] for row in going]
            memory, totals, tokens = Memory(*(part[going] for part in memory)), totals[going], tokens[going]
        rows = torch.tensor(going, device=device)[:, None]
        parents = parents[going]
        state = State(state.hidden[rows, parents], state.cell[rows, parents])
        history = torch.cat([history[rows, parents], tokens[..., None]], -1)

    best_ends = [sorted(found, reverse=True)[: options.candidates] for found in ends]
    return [[_trace(steps, photo, end) for end in found] for photo, found in enumerate(best_ends)]


def _forced(prefixes: Sequence[Sequence[int]], length: int, options: DecodeOptions) -> dict[int, int]:
    """Rows with a forced next token, and that token: the next of the prefix, or the end at the maximum length."""
    if length == options.max_tokens:
        return dict.fromkeys(range(len(prefixes)), END)
    return {row: prefix[length] for row, prefix in enumerate(prefixes) if length < len(prefix)}


def _forbidden(tokens: Tensor, history: Tensor, forced: Collection[int], options: DecodeOptions) -> Tensor:
    """Which of C tokens (B, K, C) must not come next: bool (B, K, C), given the history (B, K, 1 + tokens so far)."""
    forbidden = (tokens == PAD) | (tokens == UNKNOWN) | (tokens == START)
    length = history.shape[-1] - 1
    if length == 0:
        forbidden |= tokens == END  # a caption has at least one token
    if options.no_repeated_trigram and length >= 3:
        again = (history[..., :-2] == history[..., -2, None]) & (history[..., 1:-1] == history[..., -1, None])
        # Where the last two tokens occurred before: the token that followed. Elsewhere START, forbidden anyway.
        followed = torch.where(again, history[..., 2:], START)
        forbidden |= (tokens[..., None] == followed[..., None, :]).any(-1)
    if forced:
        forbidden[list(forced)] = False
    return forbidden


def _is_there(tokens: Tensor, history: Tensor, forced: Collection[int]) -> Tensor:
    """Which of C tokens (B, K, C) the history (B, K, 1 + tokens so far) already has: bool. None in forced rows."""
    there = (tokens[..., None] == history[..., None, :]).any(-1)
    if forced:
        there[list(forced)] = False
    return there


def _note_ends(
    ends: list[list[_End]],
    best: Tensor,
    parents: Tensor,
    tokens: Tensor,
    logprobs: Tensor,
    length: int,
    options: DecodeOptions,
) -> None:
    """Adds captions that end at this step among a row's `beam` best continuations. All tensors are (B, 2K)."""
    normalizer = (length + 1) ** options.length_penalty  # the end is a token too
    is_end = (tokens == END) & best.isfinite()
    for row, rank in is_end[:, : options.beam].nonzero().tolist():
        score = best[row, rank].item() / normalizer
        ends[row].append(_End(score, length, int(parents[row, rank]), float(logprobs[row, rank])))


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
    path = [end.beam]  # the beam to read at each step, from last to first
    for step in reversed(steps[: end.step]):
        path.append(int(step.parents[step.rows[photo], path[-1]]))
    path.reverse()
    walked = list(zip(steps[: end.step], path[:-1], path[1:], strict=True))
    tokens = [int(step.tokens[step.rows[photo], after]) for step, _, after in walked]
    logprobs = [float(step.logprobs[step.rows[photo], after]) for step, _, after in walked]

    def read(pick: Callable[[_Step], Tensor]) -> Tensor:
        return torch.stack([pick(step)[step.rows[photo], before] for step, before, _ in walked])

    return Hypothesis(
        tokens=tokens,
        score=end.score,
        logprobs=torch.tensor([*logprobs, end.logprob]),
        weights=read(lambda step: step.weights),
        top_k=(read(lambda step: step.top_k[0]), read(lambda step: step.top_k[1])),
        states=State(read(lambda step: step.states.hidden), read(lambda step: step.states.cell)),
    )
