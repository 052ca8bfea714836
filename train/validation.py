"""How well a decoder captions the dev splits while it learns."""

from collections.abc import Sequence

import numpy as np
import torch

from capmodel.decoding.beam_search import DecodeOptions, beam_search
from capmodel.decoding.lexicon import Lexicon
from capmodel.decoding.tokenizer import Tokenizer
from capmodel.model.decoder import Decoder
from capmodel.model.fast_decoder import FastDecoder


@torch.inference_mode()
def caption_grids(
    decoder: Decoder, tokenizer: Tokenizer, grids: np.ndarray, beam: int = DecodeOptions.beam
) -> list[str]:
    """The best caption of each of N grids (N, L, D)."""
    device, quick = decoder.output_bias.device, FastDecoder(decoder.eval())
    options = DecodeOptions(beam=beam, alternatives=0)
    batch_size = 50 if device.type == "cpu" else 500  # a GPU waits for the next step rather than for the photos
    lexicon, captions = Lexicon.of(tokenizer), []
    for first in range(0, len(grids), batch_size):
        grid = torch.from_numpy(grids[first : first + batch_size].astype(np.float32)).to(device)
        found = beam_search(quick, quick.prepare(grid), options, lexicon=lexicon)
        captions += [tokenizer.decode(hypotheses[0].tokens) for hypotheses in found]
    return captions


def caption_sets(
    decoder: Decoder, tokenizer: Tokenizer, grids: Sequence[np.ndarray], beam: int = DecodeOptions.beam
) -> list[list[str]]:
    """`caption_grids` for each of several data sets."""
    return [caption_grids(decoder, tokenizer, of_set, beam) for of_set in grids]
