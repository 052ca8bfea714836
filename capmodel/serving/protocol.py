"""What the browser may ask, and the answers: plain values for JSON.

A question that cannot be answered gets ``{"error": one sentence}``. ``{"gone": true}`` says that the photo or file is no
longer here, and that the browser may send or request it again. A photo's key is its kind of attention and its name in
the store: ``softmax-9f86…``.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any

from capmodel.caption import CaptionedPhoto
from capmodel.output.export import KINDS, export
from capmodel.output.player import evidence_item, player_item
from capmodel.photos import PhotoError
from capmodel.serving.errors import PhotoGone, Refused, ServerClosing, describe_os_error
from capmodel.serving.jobs import Jobs, Progress
from capmodel.serving.service import CaptionService

log = logging.getLogger(__name__)

DRAIN_SECONDS = 10.0  # to read the rest of a refused upload, because browsers read no answer before they have sent all
WORDS, LETTERS = 40, 40  # limits on the captions that browsers send

Answer = dict[str, Any]
Question = Callable[[dict], Awaitable[Answer]]


class Protocol:
    """Answers the questions of browsers.

    Args:
        service: owns the photos; closed with this.
        jobs: make the files to save; closed with this.
        samples: the example photos by name.
    """

    def __init__(self, service: CaptionService, jobs: Jobs, samples: Mapping[str, Path]):
        self.service, self.jobs = service, jobs
        self._samples = samples
        self._frames = 0  # that are arriving or waiting; counted in the event loop

    @property
    def questions(self) -> list[Question]:
        """Everything that a browser may ask: functions of one value, called by their names."""
        asked = (
            self.sample, self.recall, self.attend, self.steer, self.occlude, self.candidates, self.alternatives,
            self.evidence, self.picture, self.known, self.make_file, self.file_state,
        )  # fmt: skip
        return [answering(each) for each in asked]

    async def upload(self, stream: AsyncIterator[bytes], length: int | None, attention: str | None) -> Answer:
        """A photo file's content -> the player's item, with a small ``preview`` of the photo."""

        async def receive(_: dict) -> Answer:
            kind = self._kind(attention)
            try:
                photo = await self.service.store.receive(stream, length)
            except (PhotoError, Refused, OSError) as error:
                if not isinstance(error, ServerClosing):
                    await self._drain(stream)
                raise
            return await self._item(photo, kind)

        return await answering(receive)({})

    async def frame(self, stream: AsyncIterator[bytes], attention: str | None) -> Answer:
        """A frame of a camera, as a picture file -> the player's item, without a key: nothing of it is kept.

        The frame is held in memory alone. It is refused while too many others wait.
        """
        limits = self.service.store.limits

        async def receive(_: dict) -> Answer:
            kind = self._kind(attention)
            if self._frames >= limits.frames:
                await self._drain(stream)
                raise Refused("Many people are live at the moment; please wait a little.")
            self._frames += 1
            try:
                data = bytearray()
                async with asyncio.timeout(limits.frame_seconds):
                    async for chunk in stream:
                        data += chunk
                        if len(data) > limits.frame_bytes:
                            await self._drain(stream)
                            raise PhotoError(f"This frame is larger than {limits.frame_bytes / 1000:g} kB.")
                return player_item("", "", [await self.service.caption_frame(bytes(data), kind)])
            except TimeoutError as error:
                raise Refused("This frame took too long to arrive; please try again.") from error
            finally:
                self._frames -= 1

        return await answering(receive)({})

    async def recall(self, question: dict) -> Answer:
        """{"key", "attention"} of a photo that a page had before it was loaded again -> its item, or {"gone": true}."""
        _, photo = _split(question["key"])
        return await self._item(photo, self._kind(question["attention"]))

    async def sample(self, question: dict) -> Answer:
        """{"file": of an example photo, "attention"} -> the same."""
        kind = self._kind(question.get("attention"))
        return await self._item(await self.service.store.receive_file(self._samples[question["file"]]), kind)

    async def attend(self, question: dict) -> Answer:
        """{"key", "attention": another one} -> the player's item of the same photo."""
        _, photo = _split(question["key"])
        kind = self._kind(question["attention"])
        return player_item(f"{kind}-{photo}", "", [await self.service.caption(photo, kind)])

    async def steer(self, question: dict) -> Answer:
        """{"key", "words": to begin with} -> a caption."""
        kind, photo = _split(question["key"])
        found = await self.service.steer(photo, kind, _words(question["words"]))
        return player_item("", "", [found])["captions"][0]

    async def occlude(self, question: dict) -> Answer:
        """{"key", "words": the caption, "index": of the word, "cells": to hide} -> probabilities and a caption."""
        kind, photo = _split(question["key"])
        cells = [int(cell) for cell in question["cells"]]
        found = await self.service.occlude(photo, kind, _words(question["words"]), int(question["index"]), cells)
        return {**found.as_dict(), "caption": player_item("", "", [found.caption])["captions"][0]}

    async def candidates(self, question: dict) -> Answer:
        """{"key"} -> {"captions": the three best}."""
        kind, photo = _split(question["key"])
        return player_item("", "", await self.service.candidates(photo, kind))

    async def alternatives(self, question: dict) -> Answer:
        """{"key"} -> {"alternatives": at each word of the best caption, other words and their probabilities}."""
        kind, photo = _split(question["key"])
        found = player_item("", "", [await self.service.with_alternatives(photo, kind)])
        return {"alternatives": [word["alternatives"] for word in found["captions"][0]["words"]]}

    async def evidence(self, question: dict) -> Answer:
        """{"key", "words": of another caption than the best, or null} -> the player's evidence of the caption."""
        kind, photo = _split(question["key"])
        words = question.get("words")
        return evidence_item(await self.service.with_evidence(photo, kind, words and _words(words)))

    async def picture(self, question: dict) -> Answer:
        """{"key"} -> the photo as an address that every browser can show."""
        _, photo = _split(question["key"])
        return {"url": await self.service.picture(photo)}

    async def known(self, question: dict) -> Answer:
        """{"key"} -> nothing, or {"gone": true}."""
        _, photo = _split(question["key"])
        self.service.store.check(photo)
        return {}

    async def make_file(self, question: dict) -> Answer:
        """{"kind", "photos": [{"key", "name", "words": of a steered caption, or null}], "evidence"?: bool} -> {"job"}."""
        kind, limits = question["kind"], self.service.store.limits
        if kind not in KINDS:
            raise ValueError("no such kind")
        if len(question["photos"]) > limits.job_photos:
            raise Refused(f"A file shows at most {limits.job_photos} photos; please choose fewer.")
        wanted = [
            (*_split(photo["key"]), str(photo["name"]), photo.get("words") and _words(photo["words"]))
            for photo in question["photos"]
        ]
        evidence = bool(question.get("evidence"))
        names = [photo for _, photo, *_ in wanted]
        store = self.service.store

        def read() -> Iterator[CaptionedPhoto]:
            for attention, photo, name, words in wanted:
                yield asyncio.run(self.service.captioned_photo(photo, attention, name, words, evidence))

        def make(file: Path, progress: Progress) -> None:
            try:
                store.hold(names, past_retention=True)
                try:
                    export(read(), kind, file, progress)
                finally:
                    store.release(names, past_retention=True)
            finally:
                store.release(names)

        store.hold(names)  # the job may have to wait; photos that grow too old meanwhile still leave
        try:
            return {"job": self.jobs.start(f"captions.{kind}", make)}
        except Refused:
            store.release(names)
            raise

    async def file_state(self, question: dict) -> Answer:
        """{"job"} -> {"done": photos so far}, and at the end {"url", "name"}; or {"gone": true}: make it again."""
        try:
            state = self.jobs.state(question["job"])
        except KeyError:  # it took so long that its time was over
            return {"gone": True}
        if isinstance(state.error, PhotoGone | PhotoError | Refused | OSError):
            raise state.error
        if state.error:
            return {"error": "The file could not be made."}
        if state.file:
            return {"url": f"saved/{question['job']}", "name": state.file.name}
        return {"done": state.done}

    async def caption_file(self, file: Path, attention: str, evidence: bool = False) -> Answer:
        """A photo's file -> what `Caption.as_dict` tells, for programs.

        Args:
            evidence: whether it tells what mattered for each word, too.

        Raises:
            PhotoError, PhotoGone, Refused, ValueError: it cannot be captioned; the message says why.
        """
        kind = self._kind(attention)
        try:
            photo = await self.service.store.receive_file(file)
        except OSError as error:
            raise Refused(describe_os_error(error)) from error
        caption = await self.service.with_alternatives(photo, kind)
        if evidence:
            caption = replace(caption, evidence=(await self.service.with_evidence(photo, kind)).evidence)
        return {"photo": file.name, **caption.as_dict()}

    def saved_file(self, job: str) -> Path | None:
        """The file that a job made, if it is there."""
        try:
            file = self.jobs.state(job).file
        except KeyError:
            return None
        return file if file and file.exists() else None

    def close(self) -> None:
        """Stops all threads and deletes all files."""
        self.jobs.close()
        self.service.close()

    async def _item(self, photo: str, kind: str) -> Answer:
        caption = await self.service.caption(photo, kind)
        return {**player_item(f"{kind}-{photo}", "", [caption]), "preview": await self.service.preview(photo)}

    def _kind(self, attention: str | None) -> str:
        kinds = self.service.attention_kinds
        if attention and attention not in kinds:
            raise ValueError(f"There is no attention {attention!r}; there is {', '.join(kinds)}.")
        return attention or kinds[0]

    async def _drain(self, stream: AsyncIterator[bytes]) -> None:
        left = self.service.store.limits.photo_bytes
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                async for chunk in stream:
                    left -= len(chunk)
                    if left < 0:
                        break
        except TimeoutError:
            pass


def answering(function: Question) -> Question:
    """Turns errors into answers."""

    @wraps(function)
    async def answer(question: dict) -> Answer:
        try:
            return await function(question)
        except PhotoGone:
            return {"gone": True}
        except (PhotoError, Refused) as error:
            return {"error": str(error)}
        except OSError as error:
            log.warning("%s could not be answered", function.__name__, exc_info=error)
            return {"error": describe_os_error(error)}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            log.warning("%s could not be answered", function.__name__, exc_info=error)
            return {"error": "The page asked for something that the server does not understand."}

    return answer


def _split(key: str) -> tuple[str, str]:
    """A key -> the kind of attention, the photo's name."""
    kind, _, photo = key.rpartition("-")
    return kind, photo


def _words(words: list[str]) -> list[str]:
    if not words or len(words) > WORDS or not all(isinstance(word, str) and len(word) < LETTERS for word in words):
        raise ValueError("words must be a few short texts")
    return words
