"""Publishes on the Hugging Face Hub: a model, the page as a Space, with a server or without, or the training scripts.

    hf auth login    # once, or set HF_TOKEN
    python -m train.release.publish model --model runs/softmax/model --repo owner/captioner
    python -m train.release.publish space --repo owner/watch-a-network-look
    python -m train.release.publish static --repo owner/watch-in-your-browser
    python -m train.release.publish scripts --repo owner/captioner-training --dry-run

`static` is the page of ``python -m capmodel.browser site``, which captions photos in the visitor's own browser.
A model goes with its backbone and its card (the README.md in its folder; without one it gets a short one). The
scripts become a repository that trains, measures, captions and publishes, without the page and without weights.
With --dry-run it lists the files and their bytes, uploads nothing, and needs neither a token nor a network.
"""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from capmodel.browser.__main__ import main as write_page
from capmodel.command_line import command, load_captioner
from capmodel.hub import CARD, HubError, upload
from capmodel.output.player import FILES as PLAYER_FILES

ROOT = Path(__file__).parents[2]
SDKS = {"space": "gradio", "static": "static"}  # of what becomes a Space

# What the page needs, and nothing else: patterns of paths in the project.
SPACE = (
    CARD,  # its YAML head tells the Hub how to run the Space
    "requirements.txt",
    "app.py",
    "capmodel/**/*.py",
    "assets/gallery.json",
    "assets/intro.json",
    *(f"assets/player/{pattern}" for pattern in (*PLAYER_FILES, "package.json")),  # it names ONNX Runtime Web's version
    "assets/photos/*.jpg",
    "assets/photos/CREDITS.md",
    "assets/models/*/config.json",
    "assets/models/*/model.safetensors",
    "assets/models/*/tokenizer.model",
    f"assets/models/*/{CARD}",
    "assets/docs/*",
    "assets/readme/*",
)
# The headers let the browser compute in several threads. Inside a page of the Hub, which has none, it uses one.
STATIC_CARD = """---
title: Watch a network look, in your browser
emoji: 👀
colorFrom: yellow
colorTo: gray
sdk: static
app_file: index.html
short_description: Photo captions made in your browser, word by word
custom_headers:
  cross-origin-embedder-policy: require-corp
  cross-origin-opener-policy: same-origin
  cross-origin-resource-policy: cross-origin
---

# Watch a network look

A small neural network captions photos inside your browser, and shows where it looked for each word. Photos never leave
your device. `python -m capmodel.browser site` wrote these files.
"""
SCRIPTS = ("requirements.txt", "pyproject.toml", "capmodel/**/*.py", "train/requirements.txt", "train/**/*.py")
# Scripts about the example photos or the bundled models, which are not there.
NOT_ALONE = ("release/gallery", "walkthrough")
SCRIPTS_CARD = """---
library_name: capmodel
tags:
  - image-captioning
  - attention
---

# Train a network that captions photos and shows where it looked

Each script's docstring says what it does; `--help` lists its options.

```bash
pip install -r train/requirements.txt
python -m train.distill --photos flickr8k/Images --out runs/backbone
python -m train.xe --data flickr8k --backbone runs/backbone --out runs/softmax
python -m train.evaluate --data flickr8k --split test --model runs/softmax/model
python -m capmodel photo.jpg --model runs/softmax/model
python -m train.release.publish model --model runs/softmax/model --repo owner/name
```
"""


def project_files(patterns: Sequence[str]) -> dict[str, Path | bytes]:
    """The project's files that match, by their paths.

    Raises:
        FileNotFoundError: there is none for one of the patterns.
    """
    files = {}
    for pattern in patterns:
        found = sorted(path for path in ROOT.glob(pattern) if path.is_file())
        if not found:
            raise FileNotFoundError(f"{ROOT} has no {pattern}; publish from the whole project.")
        files |= {path.relative_to(ROOT).as_posix(): path for path in found}
    return files


def files_of(what: str, model: str, repo_id: str, folder: Path, small: bool = False) -> dict[str, Path | bytes]:
    """What is uploaded, by path in the repository.

    Args:
        what: "model", "space", "static" or "scripts".
        model: of "model" and "static": bundled name, folder or Hub id.
        folder: an empty one, for files that are made.
        small: of "static": weights in 8 bits.
    """
    if what == "static":
        write_page(["site", "--model", model, "--out", str(folder), *(["--small"] if small else [])])
        files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
        return {CARD: STATIC_CARD.encode(), **files}
    if what == "model":
        load_captioner(model).save_pretrained(folder, repo_id)
        return {path.name: path for path in sorted(folder.iterdir())}
    if what == "space":
        return project_files(SPACE)
    left_out = project_files([f"train/{name}.py" for name in NOT_ALONE])
    files = {name: path for name, path in project_files(SCRIPTS).items() if name not in left_out}
    return {CARD: SCRIPTS_CARD.encode(), **files}


@command
def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["model", "space", "static", "scripts"])
    parser.add_argument("--repo", required=True, metavar="OWNER/NAME", help="the repository; made if it is not there")
    parser.add_argument("--model", default="softmax", help="of `model` and `static`: bundled name, folder or Hub id")
    parser.add_argument(
        "--small", action="store_true", help="of `static`: weights in 8 bits; half the bytes, other captions"
    )
    parser.add_argument("--private", action="store_true", help="a new repository is seen by its owner only")
    parser.add_argument("--dry-run", action="store_true", help="list the files and their bytes, upload nothing")
    options = parser.parse_args(arguments)
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", options.repo):
        parser.error(f"--repo must be OWNER/NAME, not {options.repo!r}")

    with TemporaryDirectory() as folder:
        try:
            files = files_of(options.what, options.model, options.repo, Path(folder), options.small)
            sizes = [len(file) if isinstance(file, bytes) else file.stat().st_size for file in files.values()]
            for name, size in zip(files, sizes, strict=True):
                print(f"{size:>12,}  {name}")
            print(f"{sum(sizes):>12,}  bytes in {len(files)} files", flush=True)
            if options.dry_run:
                print("Nothing was uploaded.")
                return
            kind = "space" if options.what in SDKS else "model"
            sdk = SDKS.get(options.what, "")
            address = upload(files, options.repo, repo_type=kind, space_sdk=sdk, private=options.private or None)
        except (HubError, FileNotFoundError, ValueError, RuntimeError) as error:
            raise SystemExit(str(error)) from error
    print(f"Published: {address}")


if __name__ == "__main__":
    main()
