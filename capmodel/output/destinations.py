"""Checks, before any work, that files can be written and replace no photo."""

import os
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

# What each kind of file may end in, for `capmodel.output.export.KINDS`.
SUFFIXES = {
    "png": (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".pdf", ".svg"),
    "gif": (".gif",),
    "mp4": (".mp4", ".m4v"),
    "html": (".html", ".htm"),
}
LONGEST_NAME = 255  # bytes; of most file systems


class DestinationError(ValueError):
    """A file cannot be written as asked; the message is one sentence that says why and what to do."""


class Destination(NamedTuple):
    """A file that is about to be written.

    Attributes:
        option: what asked for it, such as ``--figure``; the message begins with it.
        kind: a key of `SUFFIXES`.
    """

    option: str
    kind: str
    file: Path


def check_destinations(destinations: Iterable[Destination], photos: Iterable[Path]) -> None:
    """Checks files that are about to be written.

    Args:
        photos: must not be overwritten, under any name: not through a link, nor in another spelling.

    Raises:
        DestinationError: a file cannot be written, or would replace a photo or another one of the files.
    """
    taken = {_identity(photo): f"it would overwrite the photo {photo}" for photo in photos}
    for option, kind, file in destinations:
        try:
            problem = _problem(file, SUFFIXES[kind])
        except OSError as error:
            problem = f"it cannot be written: {error.strerror}"
        identity = _identity(file)
        if not problem and identity and (problem := taken.get(identity)):
            problem += "; give another name"
        if problem:
            raise DestinationError(f"{option} {file}: {problem}.")
        taken[identity] = f"{option} would overwrite what another option writes to {file}"


def numbered(target: Path, number: int, photo: Path) -> Path:
    """The file for one of several photos: out.png -> out-3-dog.png. A long name loses the end of the photo's name."""
    start, end = f"{target.stem}-{number}-", target.suffix
    room = _longest_name(target.parent) - len(os.fsencode(start + end))
    stem = photo.stem
    while stem and len(os.fsencode(stem)) > room:
        stem = stem[:-1]
    return target.with_name(start + stem + end)


def _problem(file: Path, suffixes: Sequence[str]) -> str | None:
    """What keeps a file from being written: part of a sentence."""
    if len(os.fsencode(file.name)) > _longest_name(file.parent):
        return "the name is too long; give a shorter one"
    if file.is_dir():
        return "this is a folder; give the name of a file"
    if file.suffix.lower() not in suffixes:
        return f"the name must end in {_any_of(suffixes)}"
    if not file.parent.is_dir():
        return f"there is no folder {file.parent}; create it first"
    if file.exists():
        return None if os.access(file, os.W_OK) else "this file is there already and may not be overwritten"
    # A link to nowhere is written where it points to.
    target = Path(os.path.realpath(file))
    if target.is_symlink():
        return "this is a link to itself"
    folder = target.parent
    if not folder.is_dir():
        return f"this is a link into {folder}, a folder that does not exist"
    return None if os.access(folder, os.W_OK | os.X_OK) else f"the folder {folder} may not be written to"


def _identity(file: Path) -> tuple[int, int] | str | None:
    """What all names of a file have in common; None for a device or a pipe, which may be written to many times."""
    try:
        status = file.stat()
    except OSError:
        return os.path.realpath(file)
    return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else None


def _longest_name(folder: Path) -> int:
    try:
        return os.pathconf(folder, "PC_NAME_MAX")
    except (AttributeError, OSError, ValueError):  # Windows; no such folder
        return LONGEST_NAME


def _any_of(names: Sequence[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last
