"""Which files of a folder are photos, for the command line, `capmodel.bulk`, training, and a folder dropped on the page.

A name that says what the file is decides. For all other names, the file's first bytes do, so a photo may be called
``IMG_0001``, ``photo.jpg (1)`` or ``cat.jpg?w=800``, and no video is ever read whole. Hidden files and the folders in
which systems keep thumbnails and trash are passed over.
"""

import os
import re
import stat
from collections.abc import Iterable
from io import FileIO
from pathlib import Path
from typing import NamedTuple

START = 4096  # bytes of a file that are looked at

# fmt: off
PHOTO_SUFFIXES = frozenset({
    ".jpg", ".jpeg", ".jpe", ".jfif", ".pjpeg", ".pjp", ".mpo",
    ".png", ".apng", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff",
    ".heic", ".heif", ".heics", ".heifs", ".hif", ".avif", ".avifs",
    ".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx",
    ".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".pcx", ".qoi", ".sgi", ".tga",
})
# Files with these suffixes are not even opened. Some of them begin like a photo, but are none, or are there twice.
OTHER_SUFFIXES = frozenset({
    # Of raw photos, only a small preview could be read; cameras and phones often write a JPEG beside it.
    ".3fr", ".arw", ".cr2", ".cr3", ".dng", ".iiq", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".srw", ".x3f",
    ".thm", ".lrv", ".ico",  # previews of videos, icons
    *(suffix + end for suffix in (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".heic") for end in ("~", "_original")),
    ".crdownload", ".download", ".part", ".partial", ".bak", ".old",
    ".aae", ".xmp", ".pp3", ".dop", ".lrprev", ".cot", ".cop", ".db", ".ini", ".url", ".lnk",
    ".psd", ".xcf", ".kra", ".ai", ".eps", ".svg", ".pdf",
    ".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".3gp", ".mts", ".m2ts", ".ts", ".wmv", ".flv", ".insv",
    ".mp3", ".m4a", ".aac", ".wav", ".flac", ".ogg", ".opus",
    ".txt", ".md", ".rst", ".log", ".csv", ".tsv", ".json", ".jsonl", ".xml", ".html", ".htm", ".yaml", ".yml", ".toml", ".cfg",
    ".doc", ".docx", ".odt", ".rtf", ".xls", ".xlsx", ".ods", ".ppt", ".pptx", ".odp", ".epub",
    ".py", ".pyc", ".ipynb", ".sh", ".bat", ".js", ".css", ".c", ".h", ".cpp", ".java", ".exe", ".dll", ".so",
    ".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst", ".iso",
    ".parquet", ".arrow", ".npy", ".npz", ".h5", ".hdf5", ".mat", ".pkl", ".pt", ".pth", ".safetensors", ".onnx", ".sqlite",
})
# Patterns for folders that hold no photos of the user, matched against NAME and PARENT/NAME in any case.
SYSTEM_FOLDERS = (
    r"\.[^/]*",  # hidden: .thumbnails, .Trash-1000, .git, .picasaoriginals, .@__thumb
    r"__macosx", r"network trash folder", r"temporary items",  # macOS, and in its photo libraries all but the photos:
    r"[^/]*\.(?:photos|photo|ap|migratedphoto)library/(?!(?:originals|masters|modified)$)[^/]*",
    r"\$recycle\.bin", r"recycle[dr]", r"system volume information", r"found\.\d+",  # Windows
    r"lost\+found",  # Linux
    r"@eadir", r"@tmp", r"#recycle", r"#snapshot",  # Synology
    r"@recycle", r"@recently-snapshot", r"@thumb",  # QNAP
    r"[^/]*\.lrdata", r"captureone",  # previews of Lightroom and Capture One
)
# What photos begin with. Only unmistakable beginnings: TGA has none, and those of PCX and ICO are common in other files.
PHOTO_STARTS = (
    r"\xff\xd8\xff",  # JPEG
    r"\x89PNG\r\n\x1a\n",
    r"GIF8[79]a",
    r"RIFF.{4}WEBP",
    r".{4}ftyp(?:avi[fs]|hei[cmsx]|hev[cmsx]|mif1|msf1)",  # AVIF and HEIC; videos have other brands here
    r"II[*+]\x00|MM\x00[*+]",  # TIFF
    r"\x00\x00\x00\x0cjP {2}\r\n\x87\n|\xff\x4f\xff\x51",  # JPEG 2000
    r"BM.{12}[\x0c(48@l|]\x00{3}",  # BMP, with the size of its header
    r"qoif",
    r"P[1-6f](?:[ \t\r\n]|#[^\n]*\n)+\d+(?:[ \t\r\n]|#[^\n]*\n)+\d",  # PPM, with its width and height
)
# fmt: on

_SYSTEM_FOLDER = re.compile(rf"(?:^|/)(?:{'|'.join(SYSTEM_FOLDERS)})$", re.IGNORECASE | re.DOTALL)
_PHOTO_START = re.compile("|".join(PHOTO_STARTS).encode(), re.DOTALL)


class FolderContents(NamedTuple):
    """What a folder holds.

    Attributes:
        photos: sorted by path, as `sorted` would.
        others: the number of files that are not photos. Hidden files do not count.
        problems: what could not be read, one sentence each.
    """

    photos: list[Path]
    others: int
    problems: list[str]


def list_photos(folder: Path) -> list[Path]:
    """Every photo below a folder, sorted by path: the photos of `read_folder`."""
    return read_folder(folder).photos


def read_folder(folder: Path, also: Iterable[str] = (), without: Path | None = None) -> FolderContents:
    """Finds the photos in a folder and the folders below it.

    Links are followed. A folder or photo that can be reached by several paths is listed once: under its own path if
    it lies below `folder`, else under the first link to it. So adding a link does not rename photos.

    Args:
        folder: may itself be hidden; only what is below it is judged.
        also: suffixes, lower case, of other files to list among the photos.
        without: a folder to leave out.
    """
    search = _Search(frozenset(also))
    if without and without.exists():
        search.visited.add(_identity(without.stat()))
    search.read(os.fspath(folder))
    while search.folder_links:  # which may hold more of them
        links, search.folder_links = _in_order(search.folder_links), []
        for link in links:
            search.read(link)
    if search.photo_links:
        listed = {_identity(Path(path).stat()) for path in search.photos}
        for link in _in_order(search.photo_links):
            if search.photo_links[link] not in listed:
                listed.add(search.photo_links[link])
                search.photos.append(link)
    return FolderContents([Path(path) for path in _in_order(search.photos)], search.others, sorted(search.problems))


def left_out(folders: Iterable[FolderContents]) -> list[str]:
    """What of these folders is not among the photos, in one line, after a line for each problem."""
    folders = list(folders)
    others = sum(folder.others for folder in folders)
    lines = [problem for folder in folders for problem in folder.problems]
    return lines + ([f"{others:,} other file{'' if others == 1 else 's'} left out."] if others else [])


def page_rules() -> dict:
    """The same rules for the page, as ``PhotoRules`` of `assets/player/types.d.ts`."""
    return {
        "photo_suffixes": sorted(PHOTO_SUFFIXES),
        "other_suffixes": sorted(OTHER_SUFFIXES),
        "system_folders": list(SYSTEM_FOLDERS),
        "photo_starts": list(PHOTO_STARTS),
        "start": START,
    }


class _Search:
    """Paths are text here: objects for a million files would take most of the time."""

    def __init__(self, also: frozenset[str]):
        self.wanted = PHOTO_SUFFIXES | also
        self.photos: list[str] = []
        self.photo_links: dict[str, tuple[int, int]] = {}  # and which files they lead to
        self.folder_links: list[str] = []
        self.others = 0
        self.problems: list[str] = []
        self.visited: set[tuple[int, int]] = set()  # folders

    def read(self, folder: str) -> None:
        """Reads a folder and those in it. Links to folders are noted for later."""
        waiting = [(folder, Path(folder).resolve().name)]
        while waiting:
            folder, name = waiting.pop()
            try:
                identity = _identity(Path(folder).stat())
                if identity in self.visited:
                    continue
                self.visited.add(identity)
                with os.scandir(folder) as found:
                    entries = list(found)
            except OSError as error:
                self._leave_out(folder, f"This folder could not be opened ({error.strerror})")
                continue
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                try:
                    if entry.is_symlink():
                        self._take_link(entry, name)
                    elif entry.is_dir():
                        if not is_system_folder(name, entry.name):
                            waiting.append((entry.path, entry.name))
                    elif entry.is_file() and self._is_wanted(entry):
                        self.photos.append(entry.path)
                    else:
                        self.others += 1
                except OSError as error:
                    self._leave_out(entry.path, f"This file could not be opened ({error.strerror})")

    def _take_link(self, entry: os.DirEntry, parent: str) -> None:
        try:
            target = entry.stat()
        except OSError:
            if suffix_of(entry.name) in OTHER_SUFFIXES:
                self.others += 1
            else:
                self._leave_out(entry.path, "This link leads nowhere")
            return
        if stat.S_ISDIR(target.st_mode):
            if not is_system_folder(parent, entry.name):
                self.folder_links.append(entry.path)
        elif stat.S_ISREG(target.st_mode) and self._is_wanted(entry):
            self.photo_links[entry.path] = _identity(target)
        else:
            self.others += 1

    def _is_wanted(self, entry: os.DirEntry) -> bool:
        suffix = suffix_of(entry.name)
        if suffix in self.wanted:
            return True
        if suffix in OTHER_SUFFIXES:
            return False
        with FileIO(entry.path) as file:
            return begins_like_photo(file.read(START))

    def _leave_out(self, path: str, why: str) -> None:
        self.problems.append(f"{path}: {why}, so it is left out.")


def begins_like_photo(start: bytes) -> bool:
    """Whether a file with this beginning is a photo without doubt, unlike `capmodel.photos.may_be_photo`.

    Args:
        start: the first `START` bytes, or the whole file if it is shorter.
    """
    return _PHOTO_START.match(start) is not None


def is_system_folder(parent: str, name: str) -> bool:
    """Whether a folder holds no photos of the user, by its name and that of the folder which it lies in."""
    return _SYSTEM_FOLDER.search(f"{parent}/{name}") is not None


def suffix_of(name: str) -> str:
    """What follows a name's last dot, with the dot, in lower case; '' if there is none."""
    start, dot, end = name.rpartition(".")
    return (dot + end).lower() if start else ""


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def _in_order(paths: Iterable[str]) -> list[str]:
    """Sorted by the names of folders and files, one after the other, as `Path` sorts them."""
    return sorted(paths, key=lambda path: path.replace(os.sep, "\0"))
