"""Trains backbone and decoder together on captions, so that the backbone learns to see what people talk about.

    pip install -r train/requirements.txt
    python -m train.finetune --data flickr8k --init runs/softmax/model --out runs/finetuned

Every photo is cropped anew each time and mirrored half of the time, so no grids are cached. A few thousand captioned
photos are soon memorized. Two things work against that: the backbone must still predict its teacher's features, as in
train.distill, and some words are hidden from the decoder. The defaults suit Flickr8k's 6,000 photos; with --on-device
they take minutes on a GPU, without it hours on a processor.
The finished model is the folder runs/finetuned/model. Decoders that share the old backbone must be trained anew with
train.xe.
"""

import argparse
from functools import partial

import numpy as np
import torch
from safetensors.torch import load_file
from tqdm import tqdm

from capmodel import Captioner
from capmodel.command_line import command, load_captioner
from train.data.batches import encode_captions
from train.data.crop_batches import CropBatches, DeviceCropBatches
from train.data.crops import DeviceCrops, load_squares
from train.data.grids import encode_photos
from train.fit import LOADERS, Batch, FitOptions, fit, make_accelerator, value_at
from train.metrics.captions import quick_ciders
from train.objectives.finetuning import FineTuning
from train.objectives.teacher import freeze
from train.objectives.teacher_forcing import TeacherForcing
from train.options import add_data, add_regularization, add_run, load_data, mixture, regularization
from train.validation import caption_grids

ANCHOR_BATCHES = 32  # that the projection to the teacher's features is fitted to


@command
def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data(parser, weights=True)
    parser.add_argument("--init", required=True, help="the model to start from")
    parser.add_argument("--freeze", type=int, default=1, metavar="N", help="keep the stem and the first N stages of the "
                        "backbone as they are")  # fmt: skip
    add_run(parser, epochs=27, batch_size=64, learning_rate=1e-3, ema=0.998)
    parser.add_argument("--captions", type=int, default=5, help="captions a photo and step")
    parser.add_argument("--backbone-learning-rate", type=float, default=1e-3)
    parser.add_argument("--anchor", type=float, default=0.1, help="weight of what holds the backbone near its teacher")
    add_regularization(parser, dropout=0.5, word_dropout=0.2)
    parser.add_argument("--smallest-crop", type=float, default=0.7, metavar="SHARE", help="of a photo's height, and of its "
                        "width, that a crop shows at least")  # fmt: skip
    parser.add_argument("--sizes", type=int, nargs="+", metavar="S", help="side of the crops in each equal part of the "
                        "training; smaller ones are quicker (default: the model's own)")  # fmt: skip
    parser.add_argument("--on-device", action="store_true", help="hold the photos in the device's memory, 0.2 MB each, and "
                        "crop them there")  # fmt: skip
    parser.add_argument("--validate-every", type=int, default=3, metavar="N", help="epochs")
    parser.add_argument("--temperature", type=float, default=0.3, help="of hard attention")
    options = parser.parse_args(arguments)

    accelerator = make_accelerator(options.precision)
    torch.manual_seed(options.seed)
    sets, dev = load_data(options, "train"), load_data(options, "dev")
    examples = [example for data in sets for example in data.examples]
    captioner = load_captioner(options.init)
    model, tokenizer = captioner.model, captioner.tokenizer
    model.decoder.dropout.p = options.dropout
    freeze(model.encoder, options.freeze)
    task = FineTuning(model.encoder, TeacherForcing(model.decoder, regularization(options)), options.anchor)
    task.to(accelerator.device, memory_format=torch.channels_last)
    photos = [example.photo for example in examples]
    make_batches = CropBatches
    if options.on_device:
        crops = DeviceCrops(load_squares(photos, accelerator.device, model.encoder.image_size, LOADERS))
        make_batches = partial(DeviceCropBatches, crops=crops)
    steps_an_epoch = max(1, len(examples) // (options.batch_size * accelerator.num_processes))
    steps = options.epochs * steps_an_epoch
    sizes = options.sizes or [model.encoder.image_size]
    make_batches = partial(
        make_batches,
        views=[photos] * 2,
        captions=[encode_captions(tokenizer, examples, mirrored) for mirrored in (False, True)],
        least=options.smallest_crop,
        batch_size=options.batch_size,
        per_photo=options.captions,
        seed=options.seed,
        process=accelerator.process_index,
        processes=accelerator.num_processes,
        mixture=mixture(options, sets),
    )
    batches = {size: make_batches(size=size) for size in sizes}

    if options.anchor:
        steps_shown = tqdm(range(ANCHOR_BATCHES), desc="fitting the projection", unit="batch",
                           disable=not accelerator.is_main_process)  # fmt: skip
        shown = (batches[sizes[0]](step)["pixels"].to(accelerator.device) for step in steps_shown)
        with accelerator.autocast():
            task.fit_projection(shown)

    def batch_at(step: int) -> Batch:
        drawn = batches[value_at(step, steps, sizes)](step)
        return {**drawn, "temperature": options.temperature}

    def validate(task: FineTuning) -> dict[str, float]:
        captions = []
        for data in dev:
            batches_seen = encode_photos(task.encoder, data.photos, accelerator)
            grids = np.concatenate(list(tqdm(batches_seen, desc="validation", unit="batch", leave=False)))
            captions.append(caption_grids(task.captions.decoder, tokenizer, grids))
        return quick_ciders(dev, captions)

    backbone = [parameter for parameter in task.encoder.parameters() if parameter.requires_grad]
    others = [parameter for name, parameter in task.named_parameters() if not name.startswith(("encoder.", "teacher."))]
    groups = [{"params": others}, {"params": backbone, "lr": options.backbone_learning_rate}]
    fit(
        task,
        batch_at,
        torch.optim.AdamW(groups, lr=options.learning_rate, weight_decay=0.01),
        FitOptions(
            steps=steps,
            warmup=min(100, steps_an_epoch),
            ema=options.ema,
            validate_every=options.validate_every * steps_an_epoch,
            save_every=min(100, steps_an_epoch),
            seed=options.seed,
        ),
        options.out,
        accelerator,
        validate,
    )
    if accelerator.is_main_process:
        task.load_state_dict(load_file(options.out / "best.safetensors"))
        Captioner(model, tokenizer).save_pretrained(options.out / "model")
        accelerator.print(f"The model is in {options.out / 'model'}")


if __name__ == "__main__":
    main()
