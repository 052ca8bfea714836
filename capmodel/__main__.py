"""Captions photos from the command line: `capmodel PHOTO_OR_FOLDER...`, or `python -m capmodel` in a checkout."""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm

from capmodel.caption import Caption, CaptionedPhoto
from capmodel.captioner import Captioner
from capmodel.decoding.beam_search import DecodeOptions
from capmodel.model.fast_encoder import PRECISIONS
from capmodel.photos import PhotoError, list_photos, load_photo


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line. Returns the exit status: 0, or 1 if a photo could not be captioned."""
    parser = argparse.ArgumentParser(
        prog="python -m capmodel" if Path(sys.argv[0]).name == "__main__.py" else "capmodel",
        description="Captions photos and shows where the model looked.",
    )
    parser.add_argument("photos", nargs="+", type=Path, metavar="PHOTO_OR_FOLDER")
    parser.add_argument("--beam", type=int, default=5, help="captions kept during the search; 1 is greedy (default 5)")
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object per photo, with probabilities and maps"
    )
    parser.add_argument("--figure", type=Path, metavar="OUT.png", help="draw one panel per word")
    parser.add_argument(
        "--evidence",
        action="store_true",
        help="also measure what mattered for each word; --json and --figure show it",
    )
    parser.add_argument("--gif", type=Path, metavar="OUT.gif", help="animate the attention, word by word")
    parser.add_argument("--mp4", type=Path, metavar="OUT.mp4", help="the same as a video")
    parser.add_argument("--html", type=Path, metavar="OUT.html", help="all photos in one page that plays offline")
    parser.add_argument("--model", default="softmax", metavar="NAME_OR_FOLDER_OR_HUB_ID", help="default: softmax")
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        default=PRECISIONS[0],
        help="of the backbone: fp32 writes the same captions on every machine; auto (default) uses the faster bf16 "
        "where the processor supports it",
    )
    options = parser.parse_args(arguments)

    try:
        decode = DecodeOptions(beam=options.beam)
    except ValueError as error:
        parser.error(str(error))
    try:
        captioner = Captioner.from_pretrained(options.model, precision=options.precision)
    except (ValueError, OSError, RuntimeError) as error:
        parser.exit(2, f"{parser.prog}: {error}\n")  # without the usage message, since the usage was right
    paths = list(_expand(options.photos))
    if not paths:
        parser.error("there are no photos in " + ", ".join(map(str, options.photos)))
    failed, captions = False, []
    bar = tqdm(total=len(paths), unit="photo", disable=len(paths) < 2 or not sys.stderr.isatty())
    for number, (path, result) in enumerate(
        zip(paths, captioner.stream(paths, decode, evidence=options.evidence), strict=True), 1
    ):
        bar.update()
        if isinstance(result, PhotoError):
            failed = True
            if options.json:
                print(json.dumps({"photo": str(path), "error": str(result)}), flush=True)
            else:
                print(f"{path}: {result}", file=sys.stderr)
            continue
        if options.json:
            print(json.dumps({"photo": str(path), **result.as_dict()}), flush=True)
        else:
            print(result.text if len(paths) == 1 else f"{path}: {result.text}", flush=True)
        if options.html:
            captions.append((path, result))
        for kind, target in (("png", options.figure), ("gif", options.gif), ("mp4", options.mp4)):
            if target:
                _export([(path, result)], kind, _numbered(target, number, path) if len(paths) > 1 else target)
    bar.close()
    if captions:
        _export(captions, "html", options.html)
    return int(failed)


def _export(captions: list[tuple[Path, Caption]], kind: str, target: Path) -> None:
    from capmodel.output.export import export  # imported here because it loads slowly
    from capmodel.output.overlay import SHOWN_SIDE

    photos = (CaptionedPhoto(path.name, load_photo(path, at_least=SHOWN_SIDE), [caption]) for path, caption in captions)
    export(photos, kind, target)


def _expand(paths: list[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from list_photos(path)
        else:
            yield path


def _numbered(target: Path, number: int, photo: Path) -> Path:
    """The file for one of several photos: out.png -> out-3-dog.png."""
    return target.with_name(f"{target.stem}-{number}-{photo.stem}{target.suffix}")


if __name__ == "__main__":
    sys.exit(main())
