"""Captions photos from the command line: `capmodel PHOTO_OR_FOLDER...`, or `python -m capmodel` in a checkout."""

import argparse
import json
import os
import stat
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from capmodel.command_line import command, end_on_interrupt, load_captioner, printable, stop, whole_number

if __name__ == "__main__":
    end_on_interrupt()  # during the imports below
from tqdm import tqdm

from capmodel.caption import Caption, CaptionedPhoto
from capmodel.decoding.options import MOST_BEAMS, DecodeOptions
from capmodel.output.destinations import Destination, DestinationError, check_destinations, numbered
from capmodel.photos import PhotoError, load_photo, read_file
from capmodel.photos.folders import FolderContents, left_out, read_folder
from capmodel.photos.sources import why_not
from capmodel.precision import PRECISIONS

STDIN = Path("-")
KINDS = {"figure": "png", "gif": "gif", "mp4": "mp4", "html": "html"}  # of files, by option


class Found(NamedTuple):
    """A photo as the user named it, what to load it from, and what prevents that."""

    path: Path
    source: Path | bytes
    problem: str | None = None


@command
def main(arguments: list[str] | None = None) -> int:
    """Runs the command line. Returns the exit status: 1 if a photo could not be captioned or a file not written."""
    parser = _make_parser()
    if not (sys.argv[1:] if arguments is None else arguments):
        stop(f"Which photos? Try `{parser.prog} photo.jpg`; `{parser.prog} --help` lists the options.")
    options = parser.parse_args(arguments)
    found, folders = [], []
    for path in options.photos:
        if os.path.isdir(path):  # noqa: PTH112 (`Path.is_dir` raises for names that no file can have)
            folders.append(read_folder(path))
            found += [Found(photo, photo) for photo in folders[-1].photos]
        else:
            found.append(_find(path))
    if not found:
        _tell_left_out(folders)
        stop("There are no photos in " + ", ".join(printable(path) for path in options.photos) + ".")
    drawn, page = _destinations(options, [photo.path for photo in found])
    try:
        check_destinations([*(one for of_photo in drawn for one in of_photo), *page], [photo.path for photo in found])
    except DestinationError as error:
        stop(printable(error))

    results: Iterator[Caption | PhotoError] = iter(())
    if sources := [photo.source for photo in found if not photo.problem]:
        captioner = load_captioner(options.model, precision=options.precision)
        decode = DecodeOptions(beam=options.beam)
        if not options.json and not page:  # nothing else shows other words, which take time
            decode = replace(decode, alternatives=0)
        results = captioner.stream(sources, decode, evidence=options.evidence)
    output = _Output(options.json, alone=len(found) == 1)
    captions = []
    bar = tqdm(total=len(found), unit="photo", disable=len(found) < 2 or not (sys.stderr and sys.stderr.isatty()))
    for photo, destinations in zip(found, drawn, strict=True):
        result = PhotoError(photo.problem) if photo.problem else next(results)
        with bar.external_write_mode():
            output.tell(photo, result)
            if isinstance(result, Caption):
                for destination in destinations:
                    output.draw([(photo, result)], destination)
                if page:
                    captions.append((photo, result))
        bar.update()
    bar.close()
    for destination in page:
        output.draw(captions, destination)
    _tell_left_out(folders)
    return int(output.failed or any(folder.problems for folder in folders))


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m capmodel" if Path(sys.argv[0]).name == "__main__.py" else "capmodel",
        description="Captions photos and shows where the model looked.",
    )
    parser.add_argument("photos", nargs="+", type=Path, metavar="PHOTO_OR_FOLDER")
    beams = whole_number(1, MOST_BEAMS)
    parser.add_argument(
        "--beam", type=beams, default=5, help="captions kept during the search; 1 is greedy (default 5)"
    )
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object per photo, with probabilities and maps"
    )
    parser.add_argument("--figure", type=Path, metavar="OUT.png", help="draw one panel per word")
    parser.add_argument(
        "--evidence",
        action="store_true",
        help="also measure what mattered for each word; --json, --figure and --html show it",
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
    return parser


def _find(path: Path) -> Found:
    """The photo of an argument that is not a folder. What can be read only once is read here and kept."""
    try:
        if path == STDIN:
            return Found(path, read_file(sys.stdin.buffer))
        if stat.S_ISFIFO(path.stat().st_mode):
            return Found(path, read_file(path))
    except PhotoError as error:
        return Found(path, path, str(error))
    except OSError as error:
        return Found(path, path, why_not(str(path), error))
    return Found(path, path)


def _tell_left_out(folders: Sequence[FolderContents]) -> None:
    for line in left_out(folders):
        print(printable(line), file=sys.stderr)


def _destinations(
    options: argparse.Namespace, photos: Sequence[Path]
) -> tuple[list[list[Destination]], list[Destination]]:
    """The files that are drawn of each photo, and the page of all, if it is wanted."""
    given = [
        Destination(f"--{name}", kind, target) for name, kind in KINDS.items() if (target := getattr(options, name))
    ]
    page = [one for one in given if one.kind == "html"]
    each = [one for one in given if one.kind != "html"]
    if len(photos) == 1:
        return [each], page
    return [
        [one._replace(file=numbered(one.file, number, photo)) for one in each] for number, photo in enumerate(photos, 1)
    ], page


class _Output:
    """Prints captions and draws files. What goes wrong is told, and the rest goes on.

    Attributes:
        failed: whether something went wrong.
    """

    def __init__(self, as_json: bool, alone: bool):
        self.failed = False
        self._as_json, self._alone = as_json, alone
        self._given_up: set[str] = set()

    def tell(self, photo: Found, result: Caption | PhotoError) -> None:
        """Prints a photo's caption, or why there is none."""
        if isinstance(result, PhotoError):
            self.failed = True
            if self._as_json:
                print(json.dumps({"photo": str(photo.path), "error": str(result)}), flush=True)
            else:
                print(f"{printable(photo.path)}: {result}", file=sys.stderr)
        elif self._as_json:
            print(json.dumps({"photo": str(photo.path), **result.as_dict()}), flush=True)
        else:
            print(result.text if self._alone else f"{printable(photo.path)}: {result.text}", flush=True)

    def draw(self, captions: Iterable[tuple[Found, Caption]], destination: Destination) -> None:
        """Writes a file. If that fails, none of its kind is tried again: the next would fail, too."""
        from capmodel.output.export import export  # imported here because it loads slowly

        option, kind, file = destination
        if option in self._given_up:
            return
        photos = self._load(captions)
        if kind != "html" and not (photos := list(photos)):
            return
        try:
            export(photos, kind, file)
        except OSError as error:
            self.failed = True
            self._given_up.add(option)
            if file.is_file() and not file.is_symlink():
                file.unlink()  # it is incomplete
            why = error.strerror or str(error)
            print(f"{printable(file)}: This file cannot be written: {why}; {option} ends here.", file=sys.stderr)

    def _load(self, captions: Iterable[tuple[Found, Caption]]) -> Iterator[CaptionedPhoto]:
        from capmodel.output.overlay import SHOWN_SIDE

        for photo, caption in captions:
            try:
                pixels = load_photo(photo.source, at_least=SHOWN_SIDE)
            except PhotoError as error:  # it has gone meanwhile
                self.failed = True
                print(f"{printable(photo.path)}: {error}", file=sys.stderr)
                continue
            yield CaptionedPhoto(photo.path.name, pixels, [caption])


if __name__ == "__main__":
    sys.exit(main())
