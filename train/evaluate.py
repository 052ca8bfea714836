"""Scores a model's captions on a split of a data set.

    pip install -r train/requirements.txt    # and a Java runtime, 8 or newer
    python -m train.evaluate --data flickr8k --split test --json

Several processes share the photos: `torchrun --nproc-per-node 2 -m train.evaluate ...`; the figures are the same.
"""

import argparse
import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
from accelerate.utils import gather_object
from tqdm import tqdm

from capmodel import Captioner, DecodeOptions
from capmodel.model.fast_encoder import PRECISIONS
from train.data.datasets import SPLITS, load_split
from train.fit import make_accelerator
from train.metrics.attention import describe_maps
from train.metrics.captions import count_tails, metric_versions, score_captions
from train.metrics.gender import count_genders

BATCH = 32


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, required=True, help="a captioned data set; layouts: see train/data/datasets.py"
    )
    parser.add_argument("--split", choices=SPLITS, default="test")
    parser.add_argument("--model", default="softmax", help="bundled name, folder or Hub id")
    parser.add_argument("--beam", type=int, default=5)
    parser.add_argument("--length-penalty", type=float, default=DecodeOptions.length_penalty)
    parser.add_argument("--precision", choices=PRECISIONS, default="fp32", help="of the backbone")
    parser.add_argument("--limit", type=int, help="only the first photos of the split")
    parser.add_argument("--captions", type=Path, help="also write the captions to this file, a JSON line a photo")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    options = parser.parse_args(arguments)

    accelerator = make_accelerator()
    examples = load_split(options.data, options.split)[: options.limit]
    captioner = Captioner.from_pretrained(options.model, precision=options.precision)
    captioner.model.to(accelerator.device)
    decode = DecodeOptions(beam=options.beam, length_penalty=options.length_penalty, alternatives=0)

    # Whole batches are dealt out, so that a photo meets the same neighbours however many processes there are.
    batches = [range(first, min(first + BATCH, len(examples))) for first in range(0, len(examples), BATCH)]
    mine = batches[accelerator.process_index :: accelerator.num_processes]
    captions = []
    for batch in tqdm(mine, desc="captions", unit="batch", disable=not accelerator.is_main_process):
        found = captioner([examples[index].photo for index in batch], decode)
        captions += [(index, caption.text, describe_maps(caption)) for index, caption in zip(batch, found, strict=True)]
    _, captions, maps = zip(*sorted(gather_object(captions)), strict=True)
    if not accelerator.is_main_process:
        return

    if options.captions:
        lines = [
            json.dumps({"photo": example.photo.name, "caption": text, "references": example.captions})
            for example, text in zip(examples, captions, strict=True)
        ]
        options.captions.write_text("\n".join(lines) + "\n")
    references = [example.captions for example in examples]
    scores = score_captions(references, captions)
    report = {
        **{name: value if value is None else round(value, 2) for name, value in scores.items()},
        "tails": count_tails(captions),
        "genders": count_genders(references, captions),
        **{name: round(float(value), 3) for name, value in zip(("cells", "entropy"), np.mean(maps, 0), strict=True)},
        "model": options.model,
        "data": options.data.name,
        "split": options.split,
        "photos": len(examples),
        "beam": options.beam,
        "length_penalty": options.length_penalty,
        "precision": options.precision,
        "versions": {**metric_versions(), "torch": version("torch"), "timm": version("timm")},
    }
    if options.json:
        print(json.dumps(report))
    else:
        for name, value in report.items():
            print(f"{name:>15}  {value}")


if __name__ == "__main__":
    main()
