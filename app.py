"""The demo: drop in photos, read their captions, and see where the model looked for each word.

pip install -r requirements.txt && python app.py
"""

import argparse
import json
import logging
import os
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from pathlib import Path

# Before gradio is imported: nothing asks other servers for anything, and uploads lie in a folder of neutral name.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("GRADIO_TEMP_DIR", str(Path(tempfile.gettempdir(), "capmodel-photos")))

import gradio as gr
from gradio.data_classes import FileData
from gradio.processing_utils import save_pil_to_cache
from gradio.themes import Default
from gradio.utils import get_upload_folder
from PIL import Image
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from capmodel import Captioner, PhotoError
from capmodel.malloc import limit_pools
from capmodel.model.fast_encoder import PRECISIONS
from capmodel.output.export import KINDS, export
from capmodel.output.player import player_files, player_item
from capmodel.resources import ASSETS, PHOTOS
from capmodel.serving.album import Album, PhotoGone
from capmodel.serving.jobs import Jobs

log = logging.getLogger(__name__)

DEFAULT_MODEL = "softmax"
RETENTION_SECONDS = 45 * 60  # whatever a visitor brought is deleted after that
LARGEST = 100_000_000  # bytes a photo
THUMBNAIL = 240  # longer side of the example photos' thumbnails, in pixels
TITLE = "Watch a network look"
INTRO = (
    f"# {TITLE}\nDrop in photos, ten or more at once. A small neural network writes a caption for each; "
    "point at a word to see where in the photo it looked to write it."
)
CSS = "#player, #player .html-container { padding: 0; overflow: visible } @media (max-width: 600px) { .gradio-container .main.app { padding: 12px } }"


LAUNCH = {
    "max_file_size": LARGEST,
    "css": CSS,
    "theme": Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),
    "footer_links": [],
    "run_history": False,
    "ssr_mode": False,
    "show_error": True,
}


class AttentionPlayer(gr.HTML):
    """Photos in, cards with captions, and one big player; made of `assets/player*`.

    Its value is ``{"samples": [the example photos], "attentions": [their names, the usual one first],
    "kept_minutes": until photos are deleted}``.
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
        path = PHOTOS / photo["file"]
        with Image.open(path) as image:
            image.thumbnail((THUMBNAIL, THUMBNAIL))
            small = save_pil_to_cache(image, cache_dir=get_upload_folder(), format="webp")
        pictures = {"image": FileData(path=str(path)).model_dump(), "thumbnail": FileData(path=small).model_dump()}
        said = photo if remarks else {key: photo[key] for key in ("file", "description")}
        samples.append({**said, **pictures})
    return samples


def build_app(
    captioners: Sequence[Captioner], *, remarks: bool = True, retention_seconds: int = RETENTION_SECONDS
) -> tuple[gr.Blocks, dict]:
    """The page around a model, and what its `launch` must be given.

    Args:
        captioners: from `Captioner.family`; the first is used until a visitor chooses another.
        remarks: show "Where it works, where it fails", which is about the bundled model.
        retention_seconds: after which photos and files are deleted.
    """
    album, jobs = Album(captioners, retention_seconds), Jobs(retention_seconds, (PhotoGone, PhotoError))
    samples = {photo.name: photo for photo in PHOTOS.glob("*.jpg")}

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
        """{"data": a photo file's content, "attention"} -> the player's item, with a small ``preview`` of the photo."""
        key = album.add(question["data"], question.get("attention"))
        return {**player_item(key, "", [album.caption(key)]), "preview": album.preview(key)}

    def sample(question: dict) -> dict:
        """{"file": of an example photo, "attention"} -> the same."""
        return caption({**question, "data": samples[question["file"]].read_bytes()})

    def attend(question: dict) -> dict:
        """{"key", "attention": another one} -> the player's item of the same photo."""
        key = album.under(question["key"], question["attention"])
        return player_item(key, "", [album.caption(key)])

    def steer(question: dict) -> dict:
        """{"key", "words": to begin with} -> a caption."""
        return player_item("", "", [album.steer(question["key"], _words(question["words"]))])["captions"][0]

    def occlude(question: dict) -> dict:
        """{"key", "words": the caption, "index": of the word, "cells": to hide} -> probabilities and a caption."""
        cells = [int(cell) for cell in question["cells"]]
        found = album.occlude(question["key"], _words(question["words"]), int(question["index"]), cells)
        return {**found.as_dict(), "caption": player_item("", "", [found.caption])["captions"][0]}

    def picture(question: dict) -> dict:
        """{"key"} -> the photo as an address that every browser can show."""
        return {"url": album.picture(question["key"])}

    def known(question: dict) -> dict:
        """{"key"} -> nothing, or {"gone": true}."""
        album.caption(question["key"])
        return {}

    def candidates(question: dict) -> dict:
        """{"key"} -> {"captions": the three best}."""
        return player_item("", "", album.candidates(question["key"]))

    def make_file(question: dict) -> dict:
        """{"kind", "photos": [{"key", "name", "words": of a steered caption, or null}]} -> {"job"}."""
        kind = question["kind"]
        if kind not in KINDS:
            raise ValueError("no such kind")
        wanted = [(str(photo["key"]), str(photo["name"]), photo.get("words")) for photo in question["photos"]]
        keys = [key for key, *_ in wanted]
        photos = (album.captioned_photo(key, name, words and _words(words)) for key, name, words in wanted)

        def make(file: Path, progress: Callable[[int], None]) -> None:
            try:
                export(photos, kind, file, progress)
            finally:
                album.release(keys)

        album.hold(keys)  # from now on, for the file may have to wait for its turn
        return {"job": jobs.start(f"captions.{kind}", make)}

    def file_state(question: dict) -> dict:
        """{"job"} -> {"done": photos so far}, and at the end {"url", "name"}; or {"gone": true}: make it again."""
        name = question["job"]
        try:
            state = jobs.state(name)
        except KeyError:  # it took so long that its time was over
            return {"gone": True}
        if isinstance(state.error, PhotoGone | PhotoError):
            raise state.error
        if state.error:
            return {"error": "The file could not be made."}
        if state.file:
            return {"url": f"saved/{question['job']}", "name": state.file.name}
        return {"done": state.done}

    async def post_photo(request: Request) -> Response:
        """The page sends a photo as it is, and gets its captions: one request, nothing of it where Gradio serves files."""
        data = bytearray()
        async for chunk in request.stream():
            data += chunk
            if len(data) > LARGEST:
                return JSONResponse({"error": "This file is larger than 100 MB; please make it smaller."})
        question = {"data": bytes(data), "attention": request.query_params.get("attention")}
        return JSONResponse(await run_in_threadpool(answering(caption), question))

    def get_saved(request: Request) -> Response:
        try:
            file = jobs.state(request.path_params["job"]).file
        except KeyError:
            file = None
        return FileResponse(file, filename=file.name) if file else PlainTextResponse("There is no such file.", 404)

    def caption_photo(photo: str, attention: str) -> dict:
        """Captions a photo and tells where the network looked for each word.

        Args:
            photo: an image file.
            attention: how it looks: "softmax" at all cells, some more; "sparsemax" at few; "hard" at one.

        Returns:
            The caption and its words, each with its probability (0..1), its alternatives and its
            attention: 8 rows of 8 numbers that sum to 1, row 0 at the top of the photo.
        """
        path = Path(photo)
        try:
            key = album.add(path.read_bytes(), attention)
            if photo not in player.keep_in_cache:  # which somebody may have uploaded too
                path.unlink()
            return {"photo": path.name, **album.caption(key).as_dict()}
        except PhotoError as error:
            raise gr.Error(str(error), print_exception=False) from error

    functions = [
        answering(each) for each in (sample, attend, steer, occlude, candidates, picture, known, make_file, file_state)
    ]
    # delete_cache: for what comes in through the API.
    sweep = (max(1, retention_seconds // 10), retention_seconds)
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=sweep) as page:
        gr.Markdown(INTRO)
        value = {
            "samples": example_photos(remarks),
            "attentions": album.attentions,
            "kept_minutes": -(-retention_seconds // 60),
        }
        player = AttentionPlayer(value, functions, elem_id="player")
        with gr.Row(visible=False):  # the API: a file, never a path as text, which would read any file of the server
            photo, found, button = gr.File(label="photo"), gr.JSON(label="caption"), gr.Button()
            attention = gr.Dropdown(album.attentions, value=album.attentions[0], label="attention")
        button.click(caption_photo, [photo, attention], found, api_name="caption", concurrency_limit=4)
    page.queue(max_size=64)
    routes = [Route("/photo", post_photo, methods=["POST"]), Route("/saved/{job}", get_saved)]
    return page, {"app_kwargs": {"routes": routes}, **LAUNCH}


def _words(words: list[str]) -> list[str]:
    if not words or not all(isinstance(word, str) and len(word) < 40 for word in words) or len(words) > 40:
        raise ValueError("words must be a few short texts")
    return words


def minutes(text: str) -> float:
    """For how long photos are kept, as it is written on the command line."""
    found = float(text)
    if not 1 / 60 <= found <= 24 * 60:
        raise argparse.ArgumentTypeError(f"must be between a second and a day, not {text} minutes")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--model", default=DEFAULT_MODEL, help="to begin with: bundled name, folder, or (with HF_HUB_OFFLINE=0) Hub id"
    )
    # By default it says on every machine what "Where it works, where it fails" is about.
    parser.add_argument("--precision", choices=PRECISIONS, default="fp32", help="of the backbone; auto is quicker")
    parser.add_argument("--port", type=int, help="default: GRADIO_SERVER_PORT, or the first free one from 7860")
    parser.add_argument(
        "--retention-minutes", type=minutes, default=RETENTION_SECONDS / 60, help="then photos are deleted"
    )
    parser.add_argument("--check", action="store_true", help="make the page, caption one example photo, and leave")
    parser.add_argument("--mcp", action="store_true", help="also serve the captioner as a tool for language models")
    options = parser.parse_args()
    limit_pools(2)
    with ThreadPoolExecutor(1) as loader:  # not in this thread, which lives on: see Album
        try:
            captioners = loader.submit(Captioner.family, options.model, precision=options.precision).result()
        except (ValueError, OSError, RuntimeError) as error:
            parser.exit(2, f"{parser.prog}: {error}\n")
    retention_seconds = round(60 * options.retention_minutes)
    page, launch = build_app(captioners, remarks=options.model == DEFAULT_MODEL, retention_seconds=retention_seconds)
    if options.check:
        photo = min(PHOTOS.glob("*.jpg"))
        for captioner in captioners:
            print(f"{photo.name}, {captioner.attention_kind}: {captioner([photo])[0].text}")
        return
    page.launch(server_port=options.port, mcp_server=options.mcp, **launch)


if __name__ == "__main__":
    main()
