"""The photos that visitors brought, and what the model said of them, for a while.

A photo is known by its content, so nobody's photo is captioned twice with the same attention; whoever
does not hold the photo cannot name it. Files are kept in a private folder, out of reach of any web server.
"""

import hashlib
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from capmodel.caption import Caption, CaptionedPhoto
from capmodel.captioner import Captioner
from capmodel.decoding.alternatives import END_WORD
from capmodel.decoding.beam_search import DecodeOptions
from capmodel.explain.occlusion import Occlusion, occlude_word
from capmodel.malloc import trim
from capmodel.output.overlay import SHOWN_SIDE, shrink, to_data_url
from capmodel.photos import load_photo
from capmodel.serving.batching import Batcher
from capmodel.serving.periodic import repeat
from capmodel.serving.zero_gpu import make_runner

RETENTION_SECONDS = 45 * 60
PREVIEW_SIDE = 400  # pixels
CAPACITY = 1000  # photos, counted once for each attention; then the oldest go
BATCH = 8  # photos: a larger one would make others wait, and win little
PATIENCE = 0.1  # seconds that a batch waits for photos that are being loaded
LOADERS = 2  # photos decoded at a time: a large one takes hundreds of megabytes
OPTIONS = DecodeOptions()

Result = TypeVar("Result")


class PhotoGone(LookupError):
    """The photo is not, or no longer, in the album."""


@dataclass
class _Entry:
    captioner: Captioner
    file: Path
    since: float  # time.monotonic()
    lock: threading.Lock  # who asks for a photo that is being captioned waits for it
    square: np.ndarray | None = None  # (S, S, 3), as the model sees it
    preview: str = ""
    caption: Caption | None = None
    candidates: list[Caption] | None = None


class Album:
    """Captions photos for many visitors at once, and answers questions about them.

    Args:
        captioners: one for each kind of attention, with one backbone for all; the first is the one to use
            where none is named. They compute in one thread only, and so were best loaded in one that has
            ended: PyTorch keeps helpers for each thread that ever computed, and works slower once they
            outnumber the cores.
        retention_seconds: after which a photo and all that is known of it are deleted, unless it is held.

    Every method may be called from any thread, and raises `PhotoGone` for an unknown key.
    """

    def __init__(self, captioners: Sequence[Captioner], retention_seconds: float = RETENTION_SECONDS):
        self.captioners: dict[str, Captioner] = {}
        for captioner in captioners:
            self.captioners.setdefault(captioner.attention_kind, captioner)
        self.retention_seconds = retention_seconds
        self._run = make_runner(self.captioners)
        self._folder = tempfile.TemporaryDirectory(prefix="capmodel-album-")
        self._entries: dict[str, _Entry] = {}
        self._held: Counter[str] = Counter()  # keys, each as often as it is held
        self._lock = threading.Lock()
        # Not in the callers' threads, of which there are dozens: the C library keeps for each what it once needed.
        self._loading = ThreadPoolExecutor(LOADERS, "loader")
        self._model = ThreadPoolExecutor(1, "model")
        self._describe = Batcher(self._describe_entries, BATCH, PATIENCE)
        repeat(self._sweep, min(60, retention_seconds / 10))

    @property
    def attentions(self) -> list[str]:
        """The kinds of attention that there are; the first is the usual one."""
        return list(self.captioners)

    def add(self, data: bytes, attention: str | None = None) -> str:
        """Takes in a photo file's content, to be captioned with an attention, and returns its key.

        Raises:
            ValueError: there is no such attention.
        """
        return self._enter(hashlib.sha256(data).hexdigest(), attention or self.attentions[0], data)

    def under(self, key: str, attention: str) -> str:
        """The key of the same photo with another attention.

        Raises:
            ValueError: there is no such attention.
        """
        self.caption(key)
        entry = self._entry(key)
        try:
            data = entry.file.read_bytes()
        except FileNotFoundError as error:  # it left in this moment
            raise PhotoGone(str(error)) from error
        return self._enter(key.rpartition("-")[2], attention, data, entry.square, entry.preview)

    def caption(self, key: str) -> Caption:
        """The best caption.

        Raises:
            PhotoError: the file is not a photo that can be read.
        """
        entry = self._entry(key)
        with entry.lock:
            if entry.caption is None:
                entry.caption = self._describe(lambda: self._load(entry))
        return entry.caption

    def candidates(self, key: str) -> list[Caption]:
        """The three best captions, best first. Only few ask for them, so they are searched when someone does."""
        self.caption(key)
        entry = self._entry(key)
        with entry.lock:
            if entry.candidates is None:
                options = DecodeOptions(candidates=3)
                entry.candidates = self._search([entry], options)[0]
        return entry.candidates

    def preview(self, key: str) -> str:
        """The photo as a small JPEG in a ``data:`` address, made on the way to its captions."""
        self.caption(key)
        return self._entry(key).preview

    def photo(self, key: str) -> np.ndarray:
        """The photo's pixels (height, width, 3), upright, its longer side at most `SHOWN_SIDE`."""
        file = self._entry(key).file
        return self._loading.submit(lambda: shrink(load_photo(file, at_least=SHOWN_SIDE), SHOWN_SIDE)).result()

    def picture(self, key: str) -> str:
        """The same as a JPEG in a ``data:`` address, for browsers that cannot show the photo's own format."""
        return to_data_url(self.photo(key), SHOWN_SIDE)

    def captioned_photo(self, key: str, name: str, words: Sequence[str] | None = None) -> CaptionedPhoto:
        """The photo and its captions, to be exported; the caption with just these words first, if given."""
        captions = self.candidates(key)
        if words:
            captions = [self.steer(key, [*words, END_WORD]), *captions]
        return CaptionedPhoto(name, self.photo(key), captions)

    def hold(self, keys: Sequence[str]) -> None:
        """Deletes none of these photos, however old, until they are released as often as they were held."""
        with self._lock:
            self._held.update(keys)

    def release(self, keys: Sequence[str]) -> None:
        """Lets photos go that were held."""
        with self._lock:
            self._held -= Counter(keys)

    def steer(self, key: str, words: Sequence[str]) -> Caption:
        """The best caption that begins with these words; ends there if the last is `END_WORD`.

        Raises:
            ValueError: more words than a caption may have.
        """
        self.caption(key)
        entry = self._entry(key)
        ends = words[-1] == END_WORD
        prefix = " ".join(words[:-1] if ends else words)
        longest = len(entry.captioner.tokenizer.encode(prefix)) if ends else OPTIONS.max_tokens
        options = DecodeOptions(max_tokens=longest)
        return self._search([entry], options, [prefix])[0][0]

    def occlude(self, key: str, words: Sequence[str], index: int, cells: Sequence[int]) -> Occlusion:
        """Hides cells and asks for a word again; see `occlude_word`."""
        self.caption(key)
        entry = self._entry(key)
        return self._compute(_occlude, entry.captioner.attention_kind, entry.square, words, index, cells)

    def files(self) -> list[Path]:
        """The files that are kept now."""
        return sorted(Path(self._folder.name).iterdir())

    def _enter(self, content: str, attention: str, data: bytes, *prepared) -> str:
        if attention not in self.captioners:
            raise ValueError(f"There is no attention {attention!r}; there is {', '.join(self.captioners)}.")
        key = f"{attention}-{content}"
        with self._lock:
            if entry := self._entries.get(key):
                entry.since = time.monotonic()
                return key
            file = Path(self._folder.name, key)
            file.write_bytes(data)
            entry = _Entry(self.captioners[attention], file, time.monotonic(), threading.Lock(), *prepared)
            self._entries[key] = entry
            self._forget(list(self._entries)[:-CAPACITY])
        return key

    def _entry(self, key: str) -> _Entry:
        with self._lock:
            if key not in self._entries:
                raise PhotoGone("This photo is no longer on the server.")
            return self._entries[key]

    def _load(self, entry: _Entry) -> _Entry:
        def load() -> None:
            photo = load_photo(entry.file, at_least=entry.captioner.model.config.image_size)
            entry.square = entry.captioner.load_square(photo)
            entry.preview = to_data_url(photo, PREVIEW_SIDE)

        if entry.square is None:
            self._loading.submit(load).result()
        return entry

    def _compute(self, function: Callable[..., Result], *arguments) -> Result:
        """The function of the captioners and these arguments; all of it can be pickled, since it may be sent away."""
        return self._model.submit(self._run, function, *arguments).result()

    def _describe_entries(self, entries: Sequence[_Entry]) -> list[Caption]:
        return [found[0] for found in self._search(entries, OPTIONS)]

    def _search(
        self, entries: Sequence[_Entry], options: DecodeOptions, prefixes: Sequence[str] | None = None
    ) -> list[list[Caption]]:
        squares, attentions = zip(*((entry.square, entry.captioner.attention_kind) for entry in entries), strict=True)
        return self._compute(_describe, squares, attentions, options, prefixes)

    def _forget(self, keys: Sequence[str]) -> None:
        for key in keys:
            self._entries.pop(key).file.unlink(missing_ok=True)

    def _sweep(self) -> None:
        oldest = time.monotonic() - self.retention_seconds
        with self._lock:
            old = [key for key, entry in self._entries.items() if entry.since < oldest and key not in self._held]
            self._forget(old)
        trim()


def _describe(
    captioners: Mapping[str, Captioner],
    squares: Sequence[np.ndarray],
    attentions: Sequence[str],
    options: DecodeOptions,
    prefixes: Sequence[str] | None,
) -> list[list[Caption]]:
    """The captions of each photo: one pass of the backbone for all, then the decoder of each attention."""
    first, *_ = captioners.values()
    grids = first.encode(squares)
    found: dict[int, list[Caption]] = {}
    for attention, captioner in captioners.items():
        rows = [row for row, wanted in enumerate(attentions) if wanted == attention]
        begun = prefixes and [prefixes[row] for row in rows]
        found.update(zip(rows, captioner.describe(grids[rows], options, begun), strict=True))
    return [found[row] for row in range(len(squares))]


def _occlude(captioners: Mapping[str, Captioner], attention: str, *question) -> Occlusion:
    return occlude_word(captioners[attention], *question)
