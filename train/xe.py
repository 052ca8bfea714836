"""Teaches the decoder to write captions: teacher forcing with cross-entropy on the grids of a frozen backbone.

    pip install -r train/requirements.txt
    python -m train.xe --data flickr8k --backbone runs/resnet26d --out runs/softmax
    python -m train.xe --data flickr8k --init runs/softmax/model --out runs/sparsemax --normalizer sparsemax --epochs 3

The finished model is the folder runs/softmax/model; `python -m capmodel PHOTO --model runs/softmax/model` uses it.
Several processes or GPUs: `torchrun --nproc-per-node 2 -m train.xe ...`; the batch size is of each process.
"""

import argparse
from pathlib import Path

import torch
from safetensors.torch import load_file

from capmodel import Captioner
from capmodel.decoding.beam_search import DecodeOptions
from capmodel.decoding.tokenizer import Tokenizer
from capmodel.model.backbone import GridEncoder
from capmodel.model.caption_model import TOKENIZER, CaptionModel, ModelConfig
from capmodel.model.normalizers import NORMALIZERS
from train.data.batches import CaptionBatches, caption_grids, encode_captions
from train.data.datasets import load_sets
from train.data.grids import all_views, cached_grids, grids_of_sets
from train.data.mixture import Mixture
from train.data.tokenizer import train_tokenizer
from train.fit import MIXED_PRECISIONS, Batch, FitOptions, fit, made_by_first, make_accelerator
from train.metrics.captions import quick_ciders
from train.objectives.teacher import TeacherGrid
from train.objectives.teacher_forcing import Regularization, TeacherForcing, anneal
from train.options import add_data


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data(parser, weights=True)
    beginning = parser.add_mutually_exclusive_group(required=True)
    beginning.add_argument("--backbone", type=Path, help="folder from train.distill, for a new decoder")
    beginning.add_argument("--init", help="a model to go on from, whatever its attention; its backbone stays as it is")
    beginning.add_argument("--teacher", action="store_true", help="train.distill's teacher, to see how far a backbone is "
                           "from it: a new decoder whose scores are kept, but no model")  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, help="folder for the model and the checkpoint")
    parser.add_argument("--features", type=Path, help="folder for the cached grids (default: in --out)")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--batch-size", type=int, default=32, help="photos a step and process")
    parser.add_argument("--captions", type=int, default=5, help="captions a photo and step")
    parser.add_argument("--learning-rate", type=float, default=1.5e-3)
    parser.add_argument("--dropout", type=float, default=0.3)
    parser.add_argument("--label-smoothing", type=float, default=Regularization.label_smoothing)
    parser.add_argument("--doubly-stochastic", type=float, default=0.0, help="weight of the penalty on neglected cells")
    parser.add_argument("--entropy", type=float, default=0.0, help="weight of the penalty on flat maps")
    parser.add_argument("--cell-dropout", type=float, default=0.0, help="probability of a cell to be hidden")
    parser.add_argument("--word-dropout", type=float, default=0.0, help="probability of a token to be read as unknown")
    parser.add_argument("--normalizer", choices=list(NORMALIZERS), default="softmax", help="the kind of attention")
    parser.add_argument(
        "--temperature", type=float, nargs=2, default=(1.0, 0.3), help="of hard attention, at the start and at the end"
    )
    parser.add_argument("--vocabulary", type=int, default=4000)
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--attention", type=int, default=256)
    parser.add_argument("--no-mirror", action="store_true", help="train on the photos as they are only")
    parser.add_argument(
        "--crops", type=int, default=0, help="of each photo, beside the whole one; each takes as much disk"
    )
    parser.add_argument("--ema", type=float, default=0.998, help="decay of the weights' moving average")
    parser.add_argument("--precision", choices=MIXED_PRECISIONS, default="auto")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)

    accelerator = make_accelerator(options.precision)
    torch.manual_seed(options.seed)
    sets, dev = load_sets(options.data, "train"), load_sets(options.data, "dev")
    examples = [example for data in sets for example in data.examples]
    mixture = Mixture([len(data.examples) for data in sets], options.weights)
    start = Captioner.from_pretrained(options.init) if options.init else None
    encoder = start.model.encoder if start else TeacherGrid() if options.teacher else GridEncoder.load(options.backbone)
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
        attention_size=start.model.config.attention_size if start else options.attention,
        normalizer=options.normalizer,
        dropout=options.dropout,
    )
    model = CaptionModel(config, encoder)
    if start:
        model.decoder.load_state_dict(start.model.decoder.state_dict())
    regularization = Regularization(
        label_smoothing=options.label_smoothing,
        doubly_stochastic=options.doubly_stochastic,
        entropy=options.entropy,
        cell_dropout=options.cell_dropout,
        word_dropout=options.word_dropout,
    )
    task = TeacherForcing(model.decoder, regularization)
    batches = CaptionBatches(
        views=grids,
        captions=[encode_captions(tokenizer, examples, view.mirrored) for view in views],
        batch_size=options.batch_size,
        per_photo=options.captions,
        seed=options.seed,
        process=accelerator.process_index,
        processes=accelerator.num_processes,
        mixture=mixture,
    )
    per_epoch = max(1, len(examples) // (options.batch_size * accelerator.num_processes))
    steps = options.epochs * per_epoch

    def batch_at(step: int) -> Batch:
        return {**batches(step), "temperature": anneal(step, steps, *options.temperature)}

    def validate(task: TeacherForcing) -> dict[str, float]:
        options = DecodeOptions(alternatives=0)
        return quick_ciders(dev, [caption_grids(task.decoder, tokenizer, grids, options) for grids in dev_grids])

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
