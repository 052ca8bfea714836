"""Scores a model's captions on a split of one or more data sets.

    pip install -r train/requirements.txt    # and a Java runtime, 8 or newer
    python -m train.evaluate --data flickr8k --split test --json
    python -m train.evaluate --data flickr8k everyday --split dev    # one report for each

Several processes share the photos, with the same scores: `torchrun --nproc-per-node 2 -m train.evaluate ...`.
"""

import argparse
import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
from accelerate import Accelerator
from accelerate.utils import gather_object
from tqdm import tqdm

from capmodel import Captioner, DecodeOptions
from capmodel.command_line import command, explained, load_captioner, whole_number
from capmodel.decoding.options import MOST_BEAMS
from capmodel.precision import PRECISIONS
from train.data.datasets import Example
from train.data.rows import SPLITS
from train.fit import make_accelerator
from train.metrics.attention import describe_maps
from train.metrics.captions import count_tails, metric_versions, prepare_spice, score_captions
from train.metrics.gender import count_genders
from train.metrics.java import require_java
from train.options import add_data, load_data

BATCH = 32


@command
def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data(parser)
    parser.add_argument("--split", choices=SPLITS, default="test")
    parser.add_argument("--model", default="softmax", help="bundled name, folder or Hub id")
    parser.add_argument("--beam", type=whole_number(1, MOST_BEAMS), default=5)
    parser.add_argument("--length-penalty", type=float, default=DecodeOptions.length_penalty)
    parser.add_argument(
        "--hedging", type=float, default=DecodeOptions.hedging, help="0 never hedges between man and woman"
    )
    parser.add_argument("--precision", choices=PRECISIONS, default="fp32", help="of the backbone")
    parser.add_argument("--limit", type=int, help="only the first photos of the split")
    parser.add_argument("--captions", type=Path, help="also write the captions to this file, a JSON line a photo")
    parser.add_argument("--json", action="store_true", help="print one JSON object a data set instead of a table")
    parser.add_argument("--spice", action="store_true", help="also SPICE, whose models (400 MB) are downloaded once")
    options = parser.parse_args(arguments)
    with explained():
        decode = DecodeOptions(
            beam=options.beam, length_penalty=options.length_penalty, hedging=options.hedging, alternatives=0
        )
    require_java()

    accelerator = make_accelerator()
    if options.spice and accelerator.is_main_process:
        prepare_spice()
    sets = load_data(options, options.split)
    captioner = load_captioner(options.model, precision=options.precision)
    captioner.model.to(accelerator.device)
    if options.captions and accelerator.is_main_process:
        options.captions.write_text("")  # an earlier file is replaced; can it be written at all?
    for data in sets:
        examples = data.examples[: options.limit]
        captions, maps = caption_examples(captioner, examples, decode, accelerator)
        if accelerator.is_main_process:
            if options.captions:
                write_captions(options.captions, data.name, examples, captions)
            print_report(report(data.name, examples, captions, maps, options), as_json=options.json)


def caption_examples(
    captioner: Captioner, examples: Sequence[Example], decode: DecodeOptions, accelerator: Accelerator
) -> tuple[list[str], list[tuple[float, float]]]:
    """The caption of each photo, and what `describe_maps` says of it; the photos are shared by all processes."""
    # Whole batches are dealt out, so that a photo meets the same neighbours however many processes there are.
    batches = [range(first, min(first + BATCH, len(examples))) for first in range(0, len(examples), BATCH)]
    mine = batches[accelerator.process_index :: accelerator.num_processes]
    found = []
    for batch in tqdm(mine, desc="captions", unit="batch", disable=not accelerator.is_main_process):
        captions = captioner([examples[index].photo for index in batch], decode)
        found += [(index, caption.text, describe_maps(caption)) for index, caption in zip(batch, captions, strict=True)]
    _, texts, maps = zip(*sorted(gather_object(found)), strict=True)
    return list(texts), list(maps)


def write_captions(path: Path, name: str, examples: Sequence[Example], captions: Sequence[str]) -> None:
    """Appends a JSON line a photo."""
    with path.open("a", encoding="utf-8") as file:
        for example, text in zip(examples, captions, strict=True):
            line = {"data": name, "photo": example.photo.name, "caption": text, "references": example.captions}
            file.write(json.dumps(line) + "\n")


def report(
    name: str,
    examples: Sequence[Example],
    captions: Sequence[str],
    maps: Sequence[tuple[float, float]],
    options: argparse.Namespace,
) -> dict:
    """The scores, and everything that they depend on."""
    references = [example.captions for example in examples]
    scores = score_captions(references, captions, spice=options.spice)
    return {
        **{metric: round(value, 2) for metric, value in scores.items()},
        "tails": count_tails(captions),
        "genders": count_genders(references, captions),
        **{of: round(float(value), 3) for of, value in zip(("cells", "entropy"), np.mean(maps, 0), strict=True)},
        "model": options.model,
        "data": name,
        "split": options.split,
        "photos": len(examples),
        "beam": options.beam,
        "length_penalty": options.length_penalty,
        "hedging": options.hedging,
        "precision": options.precision,
        "versions": {**metric_versions(), "torch": version("torch"), "timm": version("timm")},
    }


def print_report(values: dict, *, as_json: bool) -> None:
    """Prints one JSON object, or a table."""
    if as_json:
        print(json.dumps(values))
        return
    for name, value in values.items():
        print(f"{name:>15}  {value}")


if __name__ == "__main__":
    main()
