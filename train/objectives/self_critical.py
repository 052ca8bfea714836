"""Self-critical sequence training: sampled captions that score above a baseline become more probable.

Rennie et al. (2017), "Self-critical Sequence Training for Image Captioning".
"""

import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Categorical

from capmodel.decoding.beam_search import DecodeOptions, beam_search
from capmodel.decoding.tokenizer import END, PAD, START, UNKNOWN, Tokenizer, normalize_caption
from capmodel.model.decoder import Decoder, Memory
from train.fit import Batch
from train.metrics.gender import GenderErrors
from train.objectives.teacher_forcing import drop_cells, set_temperature

END_OF_CAPTION = "<eos>"
BASELINES = ("average", "greedy")

# The scores (B, K) of K captions, as words, of each of B photos, given by number.
Reward = Callable[[Sequence[int], Sequence[Sequence[Sequence[str]]]], np.ndarray]


def with_end(captions: Sequence[str]) -> list[list[str]]:
    """Captions as words, each with its end.

    Without the end among the n-grams, SCST learns captions that stop in the middle ("a dog with a"):
    Hu et al. (2023), "A Request for Clarity over the End of Sequence Token in the Self-Critical
    Sequence Training". It must be in the references and in their statistics too.
    """
    return [[*normalize_caption(caption).split(), END_OF_CAPTION] for caption in captions]


def signature(baseline: str, samples: int, sigma: float) -> str:
    """The signature that Hu et al. (2023) ask to report with a score, as their package SacreEOS 1.0.2 writes it."""
    return f"STANDARD_wInit+Cider-D[n4,s{sigma}]+{baseline}[nspi{samples}]+1.0.2"


def less_gender_errors(reward: Reward, errors: GenderErrors, penalty: float) -> Reward:
    """The reward, less the penalty times the weight of each gender error."""

    def less(photos: Sequence[int], captions: Sequence[Sequence[Sequence[str]]]) -> np.ndarray:
        texts = [[" ".join(words) for words in of_photo] for of_photo in captions]
        return reward(photos, captions) - penalty * errors(photos, texts)

    return less


class SelfCritical(nn.Module):
    """The policy gradient of a reward with a baseline.

    Args:
        reward: such as CIDEr-D over the training references, each `with_end`.
        baseline: what a sampled caption must beat: the photo's "greedy" caption (Rennie et al.), or the
            "average" of the other samples (Luo 2020, "A Better Variant of Self-Critical Sequence
            Training"). Neither biases the gradient. The average leaves less noise in it, because the greedy
            caption scores above most of the sampled ones.
        samples: K, captions sampled per photo, at least 2.
        longest: length limit of samples, in tokens.
        sharpness: captions are sampled from the policy softmax(sharpness * logits), whose best caption is also
            the model's. Label smoothing has left every token some probability, so with a sharpness of 1 most
            sampled captions contain a token that does not belong there, nearly all score below the greedy
            caption, and the gradient is mostly noise.
        temperature: of hard attention.
        cell_dropout: probability of a cell to be hidden from a photo's captions, as in `Regularization`.
    """

    def __init__(
        self,
        decoder: Decoder,
        tokenizer: Tokenizer,
        reward: Reward,
        baseline: str = BASELINES[0],
        samples: int = 5,
        longest: int = 24,
        sharpness: float = 1.5,
        temperature: float = 0.3,
        cell_dropout: float = 0.0,
    ):
        super().__init__()
        self.decoder = decoder
        self.tokenizer = tokenizer
        self.reward = reward
        self.baseline = baseline
        self.samples = samples
        self.longest = longest
        self.sharpness = sharpness
        self.cell_dropout = cell_dropout
        set_temperature(decoder, temperature)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """``batch``: grid (B, L, D) and ``photo`` (B,), the numbers of the photos among the reward's.

        Returns:
            The loss, the mean reward (CIDEr-D: 0..10) of the samples, the mean baseline, and the seconds spent on
            rewards.
        """
        memory = self.decoder.prepare(drop_cells(batch["grid"].float(), self.cell_dropout))
        tokens, logprobs = draw(self.decoder, memory, self.samples, self.longest, self.sharpness)
        captions = [[self._words(row) for row in rows] for rows in tokens.tolist()]
        if self.baseline == "greedy":
            for texts, greedy in zip(captions, self._write(memory), strict=True):
                texts.append(greedy)

        began = time.perf_counter()
        scores = torch.from_numpy(self.reward(batch["photo"].tolist(), captions)).to(logprobs)
        seconds = logprobs.new_tensor(time.perf_counter() - began)

        drawn = scores[:, : self.samples]
        others = (drawn.sum(1, keepdim=True) - drawn) / (self.samples - 1)
        baseline = scores[:, -1:] if self.baseline == "greedy" else others
        # The sum over a caption's tokens, as the gradient of the expected reward is; PAD adds 0.
        loss = -((drawn - baseline) * logprobs.sum(-1)).mean()
        return {"loss": loss, "reward": drawn.mean(), "baseline": baseline.mean(), "reward_seconds": seconds}

    def _write(self, memory: Memory) -> list[list[str]]:
        """Each photo's greedy caption, decoded without dropout."""
        self.decoder.eval()
        found = beam_search(self.decoder, memory, DecodeOptions(beam=1, max_tokens=self.longest, alternatives=0))
        self.decoder.train()
        return [self._words([*hypotheses[0].tokens, END]) for hypotheses in found]

    def _words(self, tokens: Sequence[int]) -> list[str]:
        """The words up to the end, and the end if there is one."""
        ended = END in tokens
        words = self.tokenizer.decode(tokens[: tokens.index(END)] if ended else tokens).split()
        return [*words, END_OF_CAPTION] if ended else words


def draw(
    decoder: Decoder, memory: Memory, captions: int, longest: int, sharpness: float = 1.0
) -> tuple[Tensor, Tensor]:
    """Samples K = `captions` captions for each of B photos from softmax(sharpness * logits).

    Returns:
        Tokens (B, K, T), PAD after the end, and their log-probabilities (B, K, T), 0 after the end, with a gradient.
    """
    state = decoder.start(memory, captions)
    read = torch.full(state.hidden.shape[:2], START, device=memory.grid.device)
    tokens, logprobs = [], []
    going = torch.ones_like(read, dtype=torch.bool)
    for _ in range(longest):
        logits, state, _ = decoder.step(read, state, memory)
        logits = sharpness * logits.float()
        logits[..., [PAD, UNKNOWN, START]] = -torch.inf
        choice = Categorical(logits=logits, validate_args=False)
        read = choice.sample()
        tokens.append(torch.where(going, read, PAD))
        logprobs.append(choice.log_prob(read) * going)
        going = going & (read != END)
        if not going.any():
            break
    return torch.stack(tokens, -1), torch.stack(logprobs, -1)
