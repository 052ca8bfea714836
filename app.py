"""The demo: drop in photos, read their captions, and see where the model looked for each word.

pip install -r requirements.txt && python app.py
"""

import argparse
import json
import logging
import os
import secrets
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from pathlib import Path

# Before gradio is imported: nothing asks other servers for anything, and uploads lie in a folder of neutral name.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("GRADIO_TEMP_DIR", str(Path(tempfile.gettempdir(), "capmodel-photos")))

import gradio as gr
from gradio.data_classes import FileData
from PIL import Image

from capmodel import Captioner, PhotoError
from capmodel.album import Album, PhotoGone
from capmodel.background import repeat
from capmodel.export import KINDS, export
from capmodel.jobs import Jobs, Progress
from capmodel.player import player_files, player_item

log = logging.getLogger(__name__)

ASSETS = Path(__file__).parent / "assets"
DEFAULT_MODEL = "softmax"
KEPT_SECONDS = 45 * 60  # whatever a visitor brought is deleted after that
THUMBNAIL = 240  # longer side of the example photos' thumbnails, in pixels
TITLE = "Watch a network look"
INTRO = (
    f"# {TITLE}\nDrop in photos, ten or more at once. A small neural network writes a caption for each; "
    "point at a word to see where in the photo it looked to write it."
)
CSS = (
    "#player .html-container { padding: 0 } @media (max-width: 600px) { .gradio-container .main.app { padding: 12px } }"
    "@keyframes breathe { from { opacity: .45 } }"
)


class AttentionPlayer(gr.HTML):
    """Photos in, cards with captions, and one big player; made of `assets/player*`.

    Its value is ``{"samples": [the example photos], "kept_minutes": until photos are deleted}``.
    Everything else it asks for, photo by photo, through `functions`: so captions come as photos
    finish, and stopping is not to ask.
    """

    def __init__(self, value: dict, functions: list[Callable], **kwargs):
        # The template is constant: Gradio would evaluate ${...} in it, also in a file name.
        files = player_files()
        super().__init__(
            value,
            html_template=files.html,
            css_template=files.css,
            js_on_load=files.js,
            server_functions=functions,
            apply_default_css=False,
            **kwargs,
        )

    def api_info(self) -> dict:
        return {"type": "object"}


def example_photos(remarks: bool) -> list[dict]:
    """The example photos, with what a person and (if `remarks`) the bundled model said of each."""
    samples = []
    for photo in json.loads((ASSETS / "gallery.json").read_text(encoding="utf-8"))["photos"]:
        path = ASSETS / "photos" / photo["file"]
        with Image.open(path) as image:
            image.thumbnail((THUMBNAIL, THUMBNAIL))
            small = gr.processing_utils.save_pil_to_cache(image, cache_dir=gr.utils.get_upload_folder(), format="webp")
        pictures = {"image": FileData(path=str(path)).model_dump(), "thumbnail": FileData(path=small).model_dump()}
        said = photo if remarks else {key: photo[key] for key in ("file", "description")}
        samples.append({**said, **pictures})
    return samples


class Uploads:
    """What came in through Gradio's upload: taken into the album, or deleted if nobody asks for it.

    Gradio's own `delete_cache` would do the second, but stops for good when a file comes in while it looks.
    """

    def __init__(self, page: gr.Blocks, player: AttentionPlayer, album: Album):
        self._page, self._player, self._album = page, player, album
        self._taken: dict[str, tuple[str, float]] = {}  # path -> key in the album, time.time()
        self._lock = threading.Lock()
        repeat(self._sweep, min(60, album.kept_seconds / 10))

    def take(self, path: str) -> str:
        """Moves an upload into the album and returns its key there; ValueError if it is none."""
        if path not in self._page.upload_file_set:
            raise ValueError("not an upload")
        with self._lock:  # Gradio keeps equal files of two visitors as one: who comes second finds it taken
            if Path(path).exists():  # the example photos stay where they are, whoever uploads them too
                key = self._album.add(Path(path), move=path not in self._player.keep_in_cache)
                self._taken[path] = key, time.time()
            return self._taken[path][0]

    def _sweep(self) -> None:
        oldest = time.time() - self._album.kept_seconds
        for path in set(self._page.upload_file_set) - self._player.keep_in_cache:
            file = Path(path)
            since = file.stat().st_ctime if file.exists() else self._taken.get(path, ("", 0.0))[1]
            if since < oldest:
                file.unlink(missing_ok=True)
                self._page.upload_file_set.discard(path)
                self._taken.pop(path, None)
                with suppress(OSError):
                    file.parent.rmdir()


def build_app(captioner: Captioner, *, remarks: bool = True, kept_seconds: int = KEPT_SECONDS) -> gr.Blocks:
    """The page around a captioner.

    Args:
        remarks: show "Where it works, where it fails", which is about the bundled model.
        kept_seconds: after which photos and files are deleted.
    """
    album, jobs = Album(captioner, kept_seconds), Jobs()
    samples = {photo.name: photo for photo in (ASSETS / "photos").glob("*.jpg")}

    def answering(function: Callable[[dict], dict]) -> Callable[[dict], dict]:
        """What goes wrong becomes an answer that the player can show."""

        @wraps(function)
        def answer(question: dict) -> dict:
            try:
                return function(question)
            except PhotoGone:
                return {"gone": True}
            except PhotoError as error:
                return {"error": str(error)}
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                log.warning("%s could not be answered", function.__name__, exc_info=error)
                return {"error": "The page asked for something that the server does not understand."}

        return answer

    def caption(question: dict) -> dict:
        """{"path": of an upload} or {"sample": file name} -> the player's item."""
        key = album.add(samples[question["sample"]]) if "sample" in question else uploads.take(question["path"])
        return player_item(key, "", album.captions(key))

    def steer(question: dict) -> dict:
        """{"key", "words": to begin with} -> a caption."""
        return player_item("", "", [album.steer(question["key"], _words(question["words"]))])["captions"][0]

    def probe(question: dict) -> dict:
        """{"key", "words": the caption, "index": of the word, "cells": to hide} -> probabilities and a caption."""
        cells = [int(cell) for cell in question["cells"]]
        found = album.probe(question["key"], _words(question["words"]), int(question["index"]), cells)
        return {**found.as_dict(), "caption": player_item("", "", [found.caption])["captions"][0]}

    def picture(question: dict) -> dict:
        """{"key"} -> the photo as an address that every browser can show."""
        return {"url": album.picture(question["key"])}

    def known(question: dict) -> dict:
        """{"key"} -> nothing, or {"gone": true}."""
        album.captions(question["key"])
        return {}

    def make_file(question: dict) -> dict:
        """{"kind", "photos": [{"key", "name", "words": of a steered caption, or null}]} -> {"job"}."""
        kind = question["kind"]
        if kind not in KINDS:
            raise ValueError("no such kind")
        wanted = [(str(photo["key"]), str(photo["name"]), photo.get("words")) for photo in question["photos"]]
        target = Path(gr.utils.get_upload_folder(), secrets.token_hex(16), f"captions.{kind}")

        def work(progress: Progress) -> Path:
            target.parent.mkdir(parents=True)
            exhibits = (album.exhibit(key, name, words and _words(words)) for key, name, words in wanted)
            export(exhibits, kind, target, lambda done: progress(done, len(wanted)))
            page.upload_file_set.add(str(target))  # deleted in time, as uploads are
            return target

        return {"job": jobs.start(work)}

    def file_state(question: dict) -> dict:
        """{"job"} -> {"done", "total"}, and at the end {"url", "name"}."""
        state = jobs.state(question["job"])
        if isinstance(state.error, PhotoGone | PhotoError):
            raise state.error
        if state.error:
            return {"error": "The file could not be made."}
        if state.file:
            return {"url": f"gradio_api/file={state.file}", "name": state.file.name}
        return {"done": state.done, "total": state.total}

    def caption_photo(photo: str) -> dict:
        """Captions a photo and tells where the network looked for each word.

        Args:
            photo: an image file.

        Returns:
            The caption and its words, each with its probability (0..1), its alternatives and its
            attention: 8 rows of 8 numbers that sum to 1, row 0 at the top of the photo.
        """
        path = Path(photo)
        try:
            key = uploads.take(photo) if photo in page.upload_file_set else album.add(path, move=True)
            return {"photo": path.name, **album.captions(key)[0].as_dict()}
        except PhotoError as error:
            raise gr.Error(str(error), print_exception=False) from error

    functions = [answering(each) for each in (caption, steer, probe, picture, known, make_file, file_state)]
    # delete_cache: here only for what is left when the server ends.
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(10**9, 1)) as page:
        gr.Markdown(INTRO)
        player = AttentionPlayer(
            {"samples": example_photos(remarks), "kept_minutes": -(-kept_seconds // 60)}, functions, elem_id="player"
        )
        uploads = Uploads(page, player, album)
        with gr.Row(visible=False):  # the API: a file, never a path as text, which would read any file of the server
            photo, found, button = gr.File(label="photo"), gr.JSON(label="caption"), gr.Button()
        button.click(caption_photo, photo, found, api_name="caption", concurrency_limit=4)
    return page.queue(max_size=64)


def _words(words: list[str]) -> list[str]:
    if not words or not all(isinstance(word, str) and len(word) < 40 for word in words) or len(words) > 40:
        raise ValueError("words must be a few short texts")
    return words


def launch_options() -> dict:
    """What the page needs when it is launched, wherever that is."""
    return {
        "max_file_size": "100mb",
        "css": CSS,
        "theme": gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),
        "footer_links": [],
        "run_history": False,
        "ssr_mode": False,
        "show_error": True,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--model", default=DEFAULT_MODEL, help="bundled name, folder, or (with HF_HUB_OFFLINE=0) Hub id"
    )
    parser.add_argument("--port", type=int, help="default: GRADIO_SERVER_PORT, or the first free one from 7860")
    parser.add_argument("--mcp", action="store_true", help="also serve the captioner as a tool for language models")
    options = parser.parse_args()
    page = build_app(Captioner.from_pretrained(options.model), remarks=options.model == DEFAULT_MODEL)
    page.launch(server_port=options.port, mcp_server=options.mcp, **launch_options())


if __name__ == "__main__":
    main()
