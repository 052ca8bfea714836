"""Self-critical sequence training (SCST): trains a decoder on the metric itself, with CIDEr-D as the reward.

    pip install -r train/requirements.txt
    python -m train.scst --data flickr8k --model runs/softmax/model --out runs/softmax-scst

It starts from a model of train.xe or train.finetune and leaves its backbone as it is. The reward's references and n-gram
statistics come from the training split, with the end of the caption as a word of its own. With --gender-penalty, captions
that take women for men, or men for women, cost something. Several data sets, processes or GPUs: as in train.xe.
"""

import argparse
from statistics import fmean

import torch
from safetensors.torch import load_file

from capmodel import Captioner, DecodeOptions
from capmodel.command_line import command, load_captioner
from train.data.batches import PhotoBatches, captions_of
from train.data.grids import all_views, cached_grids, grids_of_sets
from train.fit import FitOptions, fit, make_accelerator
from train.metrics.captions import count_tails, quick_ciders
from train.metrics.cider_d import CiderD
from train.metrics.gender import GenderErrors
from train.objectives.self_critical import BASELINES, SelfCritical, less_gender_errors, signature, with_end
from train.options import add_data, add_grids, add_run, load_data, mixture
from train.validation import caption_sets

DECODINGS = {"greedy": 1, "beam": DecodeOptions.beam}  # beams


@command
def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data(parser, weights=True)
    parser.add_argument("--model", required=True, help="to start from: a folder from train.xe")
    add_run(parser, epochs=2, batch_size=32, learning_rate=2e-5, ema=0.99)
    add_grids(parser)
    parser.add_argument("--baseline", choices=BASELINES, default=BASELINES[0], help="what a sampled caption must beat")
    parser.add_argument("--samples", type=int, default=5, help="captions sampled per photo")
    parser.add_argument("--sharpness", type=float, default=1.5, help="of the distribution that samples are drawn from")
    parser.add_argument("--longest", type=int, default=24, help="length limit of samples, in tokens")
    parser.add_argument("--select", choices=DECODINGS, default="greedy", help="how the dev captions are decoded whose "
                        "CIDEr, less the penalty below, selects the weights")  # fmt: skip
    parser.add_argument("--gender-penalty", type=float, default=0.0, help="what the reward, in which a CIDEr-D of 100 is 1, "
                        "loses if a caption speaks of men where most people wrote of women, or the reverse")  # fmt: skip
    parser.add_argument("--dropout", type=float, default=0.3)
    parser.add_argument("--cell-dropout", type=float, default=0.3, help="probability of a cell to be hidden")
    parser.add_argument("--temperature", type=float, default=0.3, help="of hard attention")
    options = parser.parse_args(arguments)

    accelerator = make_accelerator(options.precision)
    torch.manual_seed(options.seed)
    sets, dev = load_data(options, "train"), load_data(options, "dev")
    examples = [example for data in sets for example in data.examples]
    captioner = load_captioner(options.model)
    model, tokenizer = captioner.model, captioner.tokenizer
    views = all_views(options.crops, mirrored=not options.no_mirror)
    features = options.features or options.out / "features"
    grids = [grids_of_sets(model.encoder, sets, features, accelerator, view) for view in views]
    dev_grids = [cached_grids(model.encoder, data.photos, features, accelerator) for data in dev]

    references = [captions for view in views for captions in captions_of(examples, view.mirrored)]
    cider = CiderD([with_end(captions) for captions in references])
    reward = (
        less_gender_errors(cider, GenderErrors(references), options.gender_penalty) if options.gender_penalty else cider
    )
    dev_errors = [GenderErrors(data.captions) for data in dev]
    task = SelfCritical(
        model.decoder,
        tokenizer,
        reward,
        baseline=options.baseline,
        samples=options.samples,
        longest=options.longest,
        sharpness=options.sharpness,
        temperature=options.temperature,
        cell_dropout=options.cell_dropout,
    )
    model.decoder.dropout.p = options.dropout
    batches = PhotoBatches(
        views=grids,
        batch_size=options.batch_size,
        seed=options.seed,
        process=accelerator.process_index,
        processes=accelerator.num_processes,
        mixture=mixture(options, sets),
    )
    per_epoch = max(1, len(examples) // (options.batch_size * accelerator.num_processes))

    def validate(task: SelfCritical) -> dict[str, float]:
        captions = {name: caption_sets(task.decoder, tokenizer, dev_grids, beam) for name, beam in DECODINGS.items()}
        ciders = {name: quick_ciders(dev, written) for name, written in captions.items()}
        means = {name: found.pop("score") for name, found in ciders.items()}
        selected = captions[options.select]
        errors = fmean(wrong.mean(written) for wrong, written in zip(dev_errors, selected, strict=True))
        score = means[options.select] - 100 * options.gender_penalty * errors  # as the reward is
        tails = sum(map(count_tails, selected))
        return {"score": score, **ciders[options.select], **means, "gender_errors": errors, "tails": tails}

    accelerator.print(f"SacreEOS signature: {signature(options.baseline, options.samples, cider.sigma)}")
    if accelerator.is_main_process:
        before = validate(task)
        accelerator.print("before: " + ", ".join(f"{name} {value:.4g}" for name, value in before.items()))
    fit(
        task,
        batches,
        torch.optim.AdamW(task.parameters(), lr=options.learning_rate, weight_decay=0.0),
        FitOptions(
            steps=options.epochs * per_epoch,
            warmup=min(50, per_epoch),
            ema=options.ema,
            validate_every=max(1, per_epoch // 2),
            save_every=min(50, per_epoch),
            seed=options.seed,
        ),
        options.out,
        accelerator,
        validate,
    )
    if accelerator.is_main_process:
        task.load_state_dict(load_file(options.out / "best.safetensors"))
        Captioner(captioner.model, captioner.tokenizer).save_pretrained(options.out / "model")
        accelerator.print(f"The model is in {options.out / 'model'}")


if __name__ == "__main__":
    main()
