"""Captions photos for many visitors at once, and answers questions about them.

Visitors' photos are in a `PhotoStore`. What is computed from a photo (the square, the grid, the captions) is kept beside
it and forgotten with it. Two threads decode photos and one runs the model. Requests wait for futures, not in threads, so
any number of photos may be on their way.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

import numpy as np

from capmodel.caption import Caption, CaptionedPhoto
from capmodel.captioner import Captioner
from capmodel.decoding.alternatives import END_WORD
from capmodel.decoding.options import DecodeOptions
from capmodel.explain.occlusion import Occlusion
from capmodel.malloc import trim
from capmodel.output.overlay import SHOWN_SIDE, shrink, to_data_url
from capmodel.photos import PhotoError, load_photo
from capmodel.serving import compute
from capmodel.serving.batching import Batcher
from capmodel.serving.errors import ServerClosing
from capmodel.serving.futures import result_of
from capmodel.serving.periodic import Periodic
from capmodel.serving.storage.store import PhotoStore
from capmodel.serving.zero_gpu import make_runner

PREVIEW_SIDE = 400  # pixels
BATCH = 8  # photos: a larger one would make others wait, and win little
PATIENCE = 0.1  # seconds that a batch waits for photos that are being loaded
LOADERS = 2  # photos decoded at a time: a large one takes hundreds of megabytes
OPTIONS = DecodeOptions(alternatives=0)  # other words are found when somebody asks

Result = TypeVar("Result")


class _Loaded(NamedTuple):
    square: np.ndarray  # (S, S, 3), as the model sees it
    preview: str


class _Seen(NamedTuple):
    grid: np.ndarray | None  # fp32 (L, D)
    square: np.ndarray | None


@dataclass(eq=False)
class _Known:
    """What was computed from a photo. The futures exist from the first request on, so nothing is computed twice."""

    loaded: "Future[_Loaded] | None" = None
    grid: np.ndarray | None = None  # fp32 (L, D); half precision would change probabilities in their fourth digit
    captions: "dict[str, Future[Caption]]" = field(default_factory=dict)  # by kind of attention
    candidates: "dict[str, Future[list[Caption]]]" = field(default_factory=dict)
    with_evidence: "dict[str, Future[Caption]]" = field(default_factory=dict)  # the best captions


class _Wish(NamedTuple):
    """A photo to be captioned. It comes with its grid, or else `loading` is done before its batch begins."""

    photo: str
    known: _Known
    kind: str
    grid: np.ndarray | None
    loading: "Future[_Loaded] | None"


class CaptionService:
    """Captions the photos of a store.

    Args:
        captioners: one for each kind of attention, sharing a backbone; the first is the default. They compute in
            one thread. Load them in another thread that ends before: PyTorch keeps helper threads for every
            thread that ever computed, and slows down once they outnumber the cores.
        store: closed with the service.

    Methods may be called from any event loop. They raise `PhotoGone` for a photo that is not in the store,
    `PhotoError` for one that cannot be read, ValueError for an unknown kind of attention, and `ServerClosing`.
    """

    def __init__(self, captioners: Sequence[Captioner], store: PhotoStore):
        self.captioners: dict[str, Captioner] = {}
        for captioner in captioners:
            self.captioners.setdefault(captioner.attention_kind, captioner)
        self.store = store
        self._run = make_runner(self.captioners)
        self._lock = threading.RLock()
        self._known: OrderedDict[str, _Known] = (
            OrderedDict()
        )  # most recently used last; only the last ones keep pixels and grid
        store.on_leave = self._leave
        # Few threads: the C library keeps, for each, the memory that it once needed.
        self._loaders = ThreadPoolExecutor(LOADERS, "loader")
        self._worker: Batcher[_Wish, Caption] = Batcher(self._describe, BATCH, PATIENCE)
        self._trimmer = Periodic(trim, store.limits.sweep_seconds)

    @property
    def attention_kinds(self) -> list[str]:
        """The kinds of attention that there are; the first is the usual one."""
        return list(self.captioners)

    async def caption(self, photo: str, kind: str) -> Caption:
        """The best caption, without the other words at each place."""
        with self._using(photo) as known:
            try:
                return await result_of(self._captioning(photo, known, kind))
            except PhotoError:
                self.store.drop_file(photo)
                raise

    async def caption_frame(self, frame: bytes, kind: str) -> Caption:
        """The best caption of a camera's frame, an encoded picture. Nothing of it is kept.

        While photos wait, frames get at most half of a batch.
        """
        self._check_kind(kind)
        loading = self._submit(self._load_frame, frame)
        wish = _Wish(f"frame-{id(loading)}", _Known(), kind, None, loading)
        return await result_of(self._worker.submit(wish, after=loading, yields=True))

    async def candidates(self, photo: str, kind: str) -> list[Caption]:
        """The three best captions, best first. Computed on demand, because few visitors ask for them."""
        with self._using(photo) as known:
            await result_of(self._captioning(photo, known, kind))
            seen = await self._seen(photo, known)

            def search() -> Future:
                return self._worker.call(lambda: self._search(known, kind, seen, DecodeOptions(candidates=3)))

            return await result_of(self._once(known.candidates, kind, search))

    async def steer(self, photo: str, kind: str, words: Sequence[str]) -> Caption:
        """The best caption that begins with these words; ends there if the last is `END_WORD`.

        Raises:
            ValueError: more words than a caption may have.
        """
        with self._using(photo) as known:
            await result_of(self._captioning(photo, known, kind))
            seen = await self._seen(photo, known)
            ends = words[-1] == END_WORD
            prefix = " ".join(words[:-1] if ends else words)
            longest = len(self.captioners[kind].tokenizer.encode(prefix)) if ends else OPTIONS.max_tokens
            options = DecodeOptions(max_tokens=longest)
            found = self._worker.call(lambda: self._search(known, kind, seen, options, prefix))
            return (await result_of(found))[0]

    async def with_alternatives(self, photo: str, kind: str) -> Caption:
        """The best caption with the other words at each place. Found on demand, in turn."""
        best = await self.caption(photo, kind)
        for found in await self.candidates(photo, kind):
            if found.text == best.text:
                return found
        # Searched alone, a photo may get another caption than in a batch: sums are rounded in another order.
        return await self.steer(photo, kind, [*(word.text for word in best.words), END_WORD])

    async def with_evidence(self, photo: str, kind: str, words: Sequence[str] | None = None) -> Caption:
        """The best caption, or the one with exactly these words, with its evidence. Measured on demand, in turn."""
        with self._using(photo) as known:
            best = await result_of(self._captioning(photo, known, kind))
            if not words or list(words) == [word.text for word in best.words]:
                seen = await self._seen(photo, known)
                measuring = self._once(known.with_evidence, kind, lambda: self._measuring(known, kind, seen, best))
                return await result_of(measuring)
            return await self._measure(photo, known, kind, await self.steer(photo, kind, [*words, END_WORD]))

    async def occlude(self, photo: str, kind: str, words: Sequence[str], index: int, cells: Sequence[int]) -> Occlusion:
        """Hides cells and measures a word again; see `occlude_word`."""
        with self._using(photo) as known:
            await result_of(self._captioning(photo, known, kind))
            square, grid = (await result_of(self._loading(photo, known))).square, known.grid

            def occlude() -> Occlusion:
                return self._run(compute.occlude, kind, square, grid, words, index, cells)

            return await result_of(self._worker.call(occlude))

    async def preview(self, photo: str) -> str:
        """The photo as a small JPEG in a ``data:`` address, made while it is loaded for captioning."""
        with self._using(photo) as known:
            return (await result_of(self._loading(photo, known))).preview

    async def pixels(self, photo: str) -> np.ndarray:
        """The photo's pixels (height, width, 3), upright, its longer side at most `SHOWN_SIDE`."""
        with self._using(photo):
            return await result_of(self._submit(self._load_pixels, photo))

    async def picture(self, photo: str) -> str:
        """The same as a JPEG in a ``data:`` address, for browsers that cannot show the photo's own format."""
        with self._using(photo):
            return await result_of(self._submit(lambda: to_data_url(self._load_pixels(photo), SHOWN_SIDE)))

    async def captioned_photo(
        self, photo: str, kind: str, name: str, words: Sequence[str] | None = None, evidence: bool = False
    ) -> CaptionedPhoto:
        """The photo and its captions for export, with evidence if asked for.

        The caption with exactly these words comes first, if given.
        """
        captions = await self.candidates(photo, kind)
        if words:
            captions = [await self.steer(photo, kind, [*words, END_WORD]), *captions]
        if evidence:  # one at a time, so that others get their turn in between
            with self._using(photo) as known:
                captions = [await self._measure(photo, known, kind, caption) for caption in captions]
        return CaptionedPhoto(name, await self.pixels(photo), captions)

    def close(self) -> None:
        """Deletes the photos and ends the threads. Waiting callers get `ServerClosing` or `PhotoGone`."""
        self.store.close()  # first: a server that is told to end may be killed before the running batch is done
        self._trimmer.close()
        self._loaders.shutdown(wait=False, cancel_futures=True)
        self._worker.close()

    # ---- in the callers' threads ----

    @contextmanager
    def _using(self, photo: str) -> Iterator[_Known]:
        """What is known of a photo; the store keeps the photo meanwhile."""
        self.store.hold([photo], past_retention=True)
        try:
            with self._lock:
                known = self._known.setdefault(photo, _Known())
                self._known.move_to_end(photo)
                for old in list(self._known.values())[: -self.store.limits.grids]:
                    if old.grid is not None:
                        old.loaded = old.grid = None
            yield known
        finally:
            self.store.release([photo], past_retention=True)

    def _check_kind(self, kind: str) -> None:
        if kind not in self.captioners:
            raise ValueError(f"There is no attention {kind!r}; there is {', '.join(self.captioners)}.")

    def _captioning(self, photo: str, known: _Known, kind: str) -> "Future[Caption]":
        self._check_kind(kind)

        def ask() -> Future:
            grid = known.grid
            loading = self._loading(photo, known) if grid is None else None
            return self._worker.submit(_Wish(photo, known, kind, grid, loading), after=loading)

        return self._once(known.captions, kind, ask)

    def _loading(self, photo: str, known: _Known) -> "Future[_Loaded]":
        with self._lock:
            found = known.loaded
            if found is None or _may_be_tried_again(found):
                found = known.loaded = self._submit(self._load, photo)
            return found

    def _once(self, found: "dict[str, Future[Result]]", kind: str, make: "Callable[[], Future[Result]]") -> "Future":
        with self._lock:
            if kind not in found or _may_be_tried_again(found[kind]):
                found[kind] = make()
            return found[kind]

    async def _seen(self, photo: str, known: _Known) -> _Seen:
        """The photo's grid, or its square if the grid must be computed again."""
        grid = known.grid
        return _Seen(grid, None if grid is not None else (await result_of(self._loading(photo, known))).square)

    async def _measure(self, photo: str, known: _Known, kind: str, caption: Caption) -> Caption:
        seen = await self._seen(photo, known)
        return await result_of(self._measuring(known, kind, seen, caption))

    def _measuring(self, known: _Known, kind: str, seen: _Seen, caption: Caption) -> "Future[Caption]":
        def measure() -> Caption:
            found, grid = self._run(compute.add_evidence, kind, seen.square, seen.grid, caption)
            if seen.grid is None:
                known.grid = grid
            return found

        return self._worker.call(measure)

    def _submit(self, function: "Callable[..., Result]", *arguments: object) -> "Future[Result]":
        try:
            return self._loaders.submit(function, *arguments)
        except RuntimeError as error:  # the pool is closed
            raise ServerClosing from error

    def _leave(self, photo: str) -> None:
        with self._lock:
            self._known.pop(photo, None)

    # ---- in the loaders' threads ----

    def _load(self, photo: str) -> _Loaded:
        captioner = next(iter(self.captioners.values()))
        pixels = load_photo(self.store.read(photo), at_least=captioner.model.config.image_size)
        return _Loaded(captioner.load_square(pixels), to_data_url(pixels, PREVIEW_SIDE))

    def _load_frame(self, frame: bytes) -> _Loaded:
        pixels = load_photo(frame, most_side=self.store.limits.frame_side)
        return _Loaded(next(iter(self.captioners.values())).load_square(pixels), preview="")

    def _load_pixels(self, photo: str) -> np.ndarray:
        return shrink(load_photo(self.store.read(photo), at_least=SHOWN_SIDE), SHOWN_SIDE)

    # ---- in the worker's thread ----

    def _describe(self, wishes: Sequence[_Wish]) -> list[Caption]:
        """The best captions of a batch; a photo may be in it with several kinds of attention."""
        grids: dict[str, np.ndarray] = {}
        squares: dict[str, np.ndarray] = {}
        for photo, known, _, grid, loading in wishes:
            grid = known.grid if known.grid is not None else grid
            if grid is not None:
                grids[photo] = grid
            elif loading:
                squares[photo] = loading.result().square
        new = [photo for photo in squares if photo not in grids]
        row = {photo: number for number, photo in enumerate([*new, *grids])}
        captions, made = self._run(
            compute.describe,
            [squares[photo] for photo in new],
            list(grids.values()),
            [(row[wish.photo], wish.kind) for wish in wishes],
            OPTIONS,
        )
        found = dict(zip(new, made, strict=True))
        for wish in wishes:
            wish.known.grid = found.get(wish.photo, wish.known.grid)
        return [each[0] for each in captions]

    def _search(
        self, known: _Known, kind: str, seen: _Seen, options: DecodeOptions, prefix: str | None = None
    ) -> list[Caption]:
        squares, grids = ([seen.square], []) if seen.grid is None else ([], [seen.grid])
        captions, made = self._run(compute.describe, squares, grids, [(0, kind)], options, prefix)
        for grid in made:
            known.grid = grid
        return captions[0]


def _may_be_tried_again(future: Future) -> bool:
    """Whether it failed for a reason that may be gone by now."""
    return future.done() and (future.cancelled() or not isinstance(future.exception(), PhotoError | None))
