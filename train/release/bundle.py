"""Saves a model beside another one that shares its backbone, without a second copy of the backbone.

    python -m train.release.bundle --model runs/sparsemax/model --base assets/models/softmax --out assets/models/sparsemax

The new folder holds the decoder and names the other folder; the two must stay side by side.
"""

import argparse
from pathlib import Path

import torch

from capmodel.command_line import command, load_captioner


@command
def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="a folder from train.xe or train.scst")
    parser.add_argument("--base", type=Path, required=True, help="the folder of the model whose backbone it shares")
    parser.add_argument("--out", type=Path, required=True, help="the new folder, beside the base")
    options = parser.parse_args(arguments)

    if options.out.resolve().parent != options.base.resolve().parent or options.out.resolve() == options.base.resolve():
        raise SystemExit(f"{options.out} must lie beside {options.base}.")
    captioner, base = load_captioner(options.model), load_captioner(options.base)
    ours, theirs = captioner.model.encoder.state_dict(), base.model.encoder.state_dict()
    if ours.keys() != theirs.keys() or not all(torch.equal(ours[name], theirs[name]) for name in ours):
        raise SystemExit(f"{options.model} has another backbone than {options.base}; it needs a folder of its own.")
    if captioner.tokenizer.path.read_bytes() != base.tokenizer.path.read_bytes():
        raise SystemExit(f"{options.model} has another tokenizer than {options.base}; it needs a folder of its own.")
    captioner.model.save(options.out, base=options.base.resolve().name)


if __name__ == "__main__":
    main()
