"""Does attention explain? Hides the cells that a word looked at, and sees how much less probable the word becomes.

    pip install -r train/requirements.txt
    python -m train.faithfulness --data flickr8k --model softmax --out runs/faithfulness
    python -m train.faithfulness --data flickr8k --model softmax --model SCST=runs/scst/model --out runs/faithfulness

Writes ``faithfulness.json`` and ``faithfulness.png``. A model measured before with the same settings, weights
and precision is not measured again, so that others can be added to a figure.

What is judged is each model's own best caption (beam 5) of the first photos of the dev split. For every content word,
all cells are ranked, and the first k of a ranking hidden. Cells are hidden for the whole caption: the decoder runs
from its start and reads the same words as before, and the fall of the word's log-probability counts. The rankings:

- attention: the word's map, as the page shows it (the mean over its tokens);
- other_word: the map of another content word of the caption, the mean over all of them (where there is no other, the
  map of a word of another photo, drawn at random). If it does as well, the map says "what is in the photo", not "why
  this word";
- random: the mean of several draws;
- input_x_gradient and integrated_gradients of the word's log-probability, summed over channels;
- evidence: what the word loses when this cell alone is hidden in the grid (`capmodel.explain.evidence`); the mean over
  3 x 3 cells of that, smoothed_evidence; and what it loses when two neighbours or 2 x 2 cells are hidden together, as the
  mean over all such sets with the cell, neighbour_pairs and windows;
- show_one: what the word gains when the cell alone is shown and all others are hidden; and the mean of that and evidence,
  both_ways;
- photo_evidence, in the curves in the photo: as evidence, but with one square hidden in the photo.

All but maps have a sign: cells that speak for the word come first, those against it last. A map cannot tell one from the
other. So rank correlations with it are given for the values and for their sizes. What is computed from the number that
is tested has an advantage in the grid; hidden in the photo, its cells are tested by another number.

Hidden in the grid, a cell's vector becomes the grid's mean (which still holds its share of it, one part in L). Hidden
in the photo, it has the photo's mean colour, and the encoder runs again; since a cell's vector sees far beyond the
cell, only this hides a place. From none to all cells hidden one gets the deletion curve, the other way round the
insertion curve (Petsiuk et al. 2018, "RISE"), after the perturbation curves of Samek et al. (2017), "Evaluating the
Visualization of What a Deep Neural Network Has Learned". Hiding in the photo takes most of the time: k cells are hidden
there in the first photos only (`--in-photo`), and whole curves measured in the first few (`--photo-curves`). Intervals
are 95 % of a bootstrap over photos.

Hard attention has no gradient through the choice of its cell. There, both gradient methods say only how the vectors
of the cells that were chosen, until the word was written, count; all others are 0, and ranked at random.

The debate: Jain & Wallace (2019), "Attention is not Explanation"; Wiegreffe & Pinter (2019), "Attention is not not
Explanation".
"""

import argparse
import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from capmodel import Captioner, DecodeOptions
from capmodel.command_line import command, load_captioner, whole_number
from capmodel.decoding.beam_search import beam_search
from capmodel.words import FUNCTION_WORDS
from train.data.mixture import interleave_longest
from train.metrics.faithfulness_report import draw_report, summarize
from train.metrics.occlusion_curves import DRAWS, Reading, Settings, measure_photo
from train.metrics.photo_curves import measure_curves, summarize_curves
from train.metrics.saliency import PATH_STEPS
from train.options import add_data, load_data

BATCH = 16  # photos captioned at once


@command
def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data(parser)
    parser.add_argument("--model", action="append", help="bundled name, folder or Hub id; NAME=... labels it")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--captions",
        type=whole_number(2),
        default=Settings.captions,
        help="photos of the dev splits, as many from each data set",
    )
    parser.add_argument(
        "--in-photo",
        type=whole_number(0),
        default=Settings.in_photo,
        help="the first photos, in which cells are hidden, too",
    )
    parser.add_argument(
        "--photo-curves",
        type=whole_number(0),
        default=Settings.photo_curves,
        help="the first photos with whole curves in the photo",
    )
    parser.add_argument(
        "--cells", type=whole_number(1), default=Settings.cells, help="k, cells hidden in photo and grid"
    )
    parser.add_argument("--seed", type=int, default=Settings.seed)
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32", help="of the encoder")
    options = parser.parse_args(arguments)

    settings = Settings(options.captions, options.in_photo, options.photo_curves, options.cells, options.seed)
    dev = [data.photos for data in load_data(options, "dev")]
    photos = list(islice(interleave_longest(*dev), settings.captions))
    circumstances = {
        "data": " ".join(folder.name for folder in options.data),
        "split": "dev",
        **asdict(settings),
        "draws": DRAWS,
        "path_steps": PATH_STEPS,
    }
    path = options.out / "faithfulness.json"
    report = json.loads(path.read_text()) if path.exists() else {}
    models = report["models"] if report.get("settings") == circumstances else {}
    options.out.mkdir(parents=True, exist_ok=True)
    sources = {}
    for given in options.model or ["softmax"]:
        label, _, source = given.rpartition("=")
        sources[label or Path(source).name] = source
        load_captioner(source)  # before hours are spent on the first: can all of them be loaded?
    for label, source in sources.items():
        captioner = load_captioner(source, precision=options.precision)
        identity = {"fingerprint": fingerprint(captioner), "encoder_precision": options.precision}
        if identity.items() <= models.get(label, {}).items():
            print(f"{label}: measured before")
            continue
        print(f"{label}: {source}")
        models[label] = {"source": source, **identity, **measure_model(captioner, photos, settings)}
        report = {"settings": circumstances, "versions": versions(), "models": models}
        path.write_text(json.dumps(report, indent=1) + "\n")
    draw_report(json.loads(path.read_text()), options.out / "faithfulness.png")
    print(options.out / "faithfulness.png")


def versions() -> dict[str, str]:
    """Of the packages that the numbers depend on."""
    return {name: version(name) for name in ("torch", "timm", "captum", "numpy")}


def fingerprint(captioner: Captioner) -> str:
    """Of a model's configuration and weights."""
    digest = hashlib.sha256(repr(captioner.model.config).encode())
    for value in captioner.model.state_dict().values():
        digest.update(value.contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def measure_model(captioner: Captioner, photos: Sequence[Path], settings: Settings) -> dict:
    """All numbers of one model, as they stand in the JSON file."""
    began = time.monotonic()
    captioner.model.requires_grad_(False)  # gradients are asked for the grid only
    captioner.model.to(torch.accelerator.current_accelerator() or "cpu")
    cells = captioner.model.encoder.grid_size**2
    counts = hidden_counts(cells, settings.cells)
    readings = read_photos(captioner, photos)
    table = measure(captioner, readings, counts, settings)
    curves = measure_curves(captioner, readings[: settings.photo_curves], settings.seed)
    return {
        "attention": captioner.model.config.normalizer,
        **summarize(table, counts, settings.cells, settings.seed),
        "photo_curves": curves and summarize_curves(curves, cells, settings.seed),
        "seconds": round(time.monotonic() - began),
    }


def hidden_counts(cells: int, wanted: int) -> list[int]:
    """How many of a grid's cells are hidden along a curve: 0, the powers of two, all, and the number wanted."""
    if not 0 < wanted < cells:
        raise SystemExit(f"--cells must be some, but not all, of the grid's {cells}, not {wanted}.")
    return sorted({0, wanted, cells, *(2**n for n in range(cells.bit_length()) if 2**n < cells)})


@torch.inference_mode()
def read_photos(captioner: Captioner, photos: Sequence[Path]) -> list[Reading]:
    """Captions photos as the page does, and keeps what is needed to ask again."""
    readings = []
    for first in tqdm(range(0, len(photos), BATCH), desc="captions", unit="batch"):
        squares = [captioner.load_square(photo) for photo in photos[first : first + BATCH]]
        grids = captioner.encode(squares)
        memory = captioner.decoder.prepare(grids)
        found = beam_search(captioner.decoder, memory, DecodeOptions(), lexicon=captioner.lexicon)
        for square, grid, [caption] in zip(squares, grids, found, strict=True):
            spans = captioner.tokenizer.word_spans(caption.tokens)
            words = [span for span in spans if span[0] not in FUNCTION_WORDS]
            maps = [caption.weights[start:stop].mean(0).cpu().numpy() for _, start, stop in words]
            readings.append(Reading(square, grid, caption.tokens, words, np.array(maps)))
    return readings


def measure(
    captioner: Captioner, readings: Sequence[Reading], counts: Sequence[int], settings: Settings
) -> dict[str, np.ndarray]:
    """The numbers of each of N content words: ``photo`` (N,), which one it is of, and those of `measure_photo`."""
    spoken = [(index, reading) for index, reading in enumerate(readings) if reading.words]
    if len(spoken) < 2:
        raise SystemExit(f"Of {len(readings)} captions, {len(spoken)} have a content word; at least 2 are needed.")
    tables = []
    for place, (index, reading) in enumerate(tqdm(spoken, desc="hiding", unit="photo")):
        random = np.random.default_rng((settings.seed, index))  # its own, whatever is measured beside it
        _, other = spoken[(place + random.integers(1, len(spoken))) % len(spoken)]
        stranger, in_photo = random.choice(other.maps), place < settings.in_photo
        numbers = measure_photo(captioner, reading, stranger, counts, settings, random, in_photo)
        tables.append({"photo": np.full(len(reading.words), index), **numbers})
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}


if __name__ == "__main__":
    main()
