"""Trains a decoder to write captions: teacher forcing with cross-entropy on the grids of a frozen backbone.

    pip install -r train/requirements.txt
    python -m train.xe --data flickr8k --backbone runs/resnet26d --out runs/softmax
    python -m train.xe --data flickr8k --init runs/softmax/model --out runs/sparsemax --normalizer sparsemax --epochs 3

The finished model is the folder runs/softmax/model; `python -m capmodel PHOTO --model runs/softmax/model` uses it.
Several data sets: `--data flickr8k everyday --weights 2 3`; each keeps its own splits.
Several processes or GPUs: `torchrun --nproc-per-node 2 -m train.xe ...`; the batch size is that of each process.
"""

import argparse
from pathlib import Path

import torch
from safetensors.torch import load_file

from capmodel.command_line import command, explained, load_captioner
from capmodel.decoding.tokenizer import Tokenizer
from capmodel.model.backbone import GridEncoder
from capmodel.model.caption_model import TOKENIZER, CaptionModel, ModelConfig
from capmodel.model.normalizers import NORMALIZERS
from train.data.batches import CaptionBatches, encode_captions
from train.data.grids import all_views, cached_grids, grids_of_sets
from train.data.tokenizer import train_tokenizer
from train.fit import Batch, FitOptions, fit, made_by_first, make_accelerator
from train.metrics.captions import quick_ciders
from train.objectives.teacher import TeacherGrid
from train.objectives.teacher_forcing import TeacherForcing, anneal
from train.options import add_data, add_grids, add_regularization, add_run, load_data, mixture, regularization
from train.validation import caption_sets


@command
def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data(parser, weights=True)
    beginning = parser.add_mutually_exclusive_group(required=True)
    beginning.add_argument("--backbone", type=Path, help="folder from train.distill, for a new decoder")
    beginning.add_argument(
        "--init", help="a model to start from, with any kind of attention; its backbone stays as it is"
    )
    beginning.add_argument("--teacher", action="store_true", help="train a decoder on the grids of train.distill's teacher, to "
                           "see how far a backbone is from it; its scores are kept, but no model")  # fmt: skip
    add_run(parser, epochs=8, batch_size=32, learning_rate=1.5e-3, ema=0.998)
    add_grids(parser)
    parser.add_argument("--captions", type=int, default=5, help="captions a photo and step")
    add_regularization(parser, dropout=0.3, word_dropout=0.0)
    parser.add_argument("--normalizer", choices=list(NORMALIZERS), default="softmax", help="the kind of attention")
    parser.add_argument(
        "--temperature", type=float, nargs=2, default=(1.0, 0.3), help="of hard attention, at the start and at the end"
    )
    parser.add_argument("--vocabulary", type=int, default=4000)
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--attention-size", type=int, default=256)
    options = parser.parse_args(arguments)

    accelerator = make_accelerator(options.precision)
    torch.manual_seed(options.seed)
    sets, dev = load_data(options, "train"), load_data(options, "dev")
    examples = [example for data in sets for example in data.examples]
    start = load_captioner(options.init) if options.init else None
    with explained():
        encoder = (
            start.model.encoder if start else TeacherGrid() if options.teacher else GridEncoder.load(options.backbone)
        )
    views = all_views(options.crops, mirrored=not options.no_mirror)
    features = options.features or options.out / "features"
    grids = [grids_of_sets(encoder, sets, features, accelerator, view) for view in views]
    dev_grids = [cached_grids(encoder, data.photos, features, accelerator) for data in dev]

    tokenizer_file = options.out / "model" / TOKENIZER
    if start:
        tokenizer = start.tokenizer
    else:
        texts = (text for example in examples for text in example.captions)
        made_by_first(tokenizer_file, lambda: train_tokenizer(texts, tokenizer_file, options.vocabulary), accelerator)
        tokenizer = Tokenizer(tokenizer_file)
    config = ModelConfig(
        backbone=encoder.name,
        image_size=encoder.image_size,
        vocabulary=len(tokenizer),
        hidden=start.model.config.hidden if start else options.hidden,
        attention_size=start.model.config.attention_size if start else options.attention_size,
        normalizer=options.normalizer,
        dropout=options.dropout,
    )
    model = CaptionModel(config, encoder)
    if start:
        model.decoder.load_state_dict(start.model.decoder.state_dict())
    task = TeacherForcing(model.decoder, regularization(options))
    batches = CaptionBatches(
        views=grids,
        captions=[encode_captions(tokenizer, examples, view.mirrored) for view in views],
        batch_size=options.batch_size,
        per_photo=options.captions,
        seed=options.seed,
        process=accelerator.process_index,
        processes=accelerator.num_processes,
        mixture=mixture(options, sets),
    )
    per_epoch = max(1, len(examples) // (options.batch_size * accelerator.num_processes))
    steps = options.epochs * per_epoch

    def batch_at(step: int) -> Batch:
        return {**batches(step), "temperature": anneal(step, steps, *options.temperature)}

    def validate(task: TeacherForcing) -> dict[str, float]:
        return quick_ciders(dev, caption_sets(task.decoder, tokenizer, dev_grids))

    fit(
        task,
        batch_at,
        torch.optim.AdamW(task.parameters(), lr=options.learning_rate, weight_decay=0.01),
        FitOptions(
            steps=steps,
            warmup=min(100, per_epoch),
            ema=options.ema,
            validate_every=per_epoch,
            save_every=min(100, per_epoch),
            seed=options.seed,
        ),
        options.out,
        accelerator,
        validate,
    )
    if accelerator.is_main_process and not options.teacher:
        task.load_state_dict(load_file(options.out / "best.safetensors"))
        model.save(options.out / "model")
        if start:
            tokenizer_file.write_bytes(tokenizer.path.read_bytes())
        accelerator.print(f"The model is in {options.out / 'model'}")


if __name__ == "__main__":
    main()
