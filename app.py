"""The demo: drop in photos, read their captions, and see where the model looked for each word.

pip install -r requirements.txt && python app.py
"""

import json
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from capmodel.command_line import command, end_on_interrupt, explained, stop
from capmodel.serving.environment import check_address, check_folder, prepare_environment
from capmodel.serving.options import DEFAULT_MODEL, parse_options

if __name__ == "__main__":  # mistakes are told at once, before the imports below, which take seconds
    end_on_interrupt()
    check_address(parse_options(__doc__))
prepare_environment()  # before Gradio is imported

import gradio as gr
from gradio.data_classes import FileData
from gradio.processing_utils import save_pil_to_cache
from gradio.themes import Default
from gradio.utils import get_upload_folder
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from capmodel import Captioner, PhotoError
from capmodel.browser.bundle import reachable
from capmodel.malloc import limit_pools
from capmodel.output.html_page import INVITATION, TITLE
from capmodel.output.page_value import example_photos, page_value, thumbnail
from capmodel.output.player import ON_DEVICE, PlayerFiles, player_files
from capmodel.resources import PHOTOS
from capmodel.serving.errors import PhotoGone, Refused
from capmodel.serving.jobs import Jobs
from capmodel.serving.limits import Limits
from capmodel.serving.on_device import OnDevice
from capmodel.serving.protocol import Protocol
from capmodel.serving.service import CaptionService
from capmodel.serving.storage.api_uploads import ApiUploads
from capmodel.serving.storage.folders import server_folder
from capmodel.serving.storage.store import PhotoStore

CSS = "#player, #player .html-container { padding: 0; overflow: visible } @media (max-width: 600px) { .gradio-container .main.app { padding: 12px } }"
SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
QUEUE_SECONDS = 0.02
FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}
LAUNCH = {
    "css": CSS,
    "theme": Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),
    "footer_links": [],
    "run_history": False,
    "ssr_mode": False,
    "show_error": True,
}


# Gradio runs this once for each element that shows the player. It may not `await`.
ENTRIES = ("main.js", "engines/server.js", "engines/either.js")  # what the page imports; the last may be missing
START_PLAYER = """
const captioner = CAPTIONER;   // where the files are that a visitor's own browser needs; null: nowhere
Promise.all(ENTRIES.map(path => import(new URL('player/VERSION/' + path, document.baseURI))))
  .then(([{ mount }, { ServerEngine }, either]) => {
    const engine = new ServerEngine(server);
    mount(element, props, either ? either.EitherEngine.serving(engine, captioner) : engine, watch);
  })
  .catch(error => {
    element.querySelector('.invite').textContent = 'The player could not be loaded. Please reload this page.';
    console.error(error);
  });
"""


class AttentionPlayer(gr.HTML):
    """Takes photos, shows cards with captions and one big player. `player_route` serves its files in `assets/player`.

    Its value is a ``PageValue`` of `assets/player/types.d.ts`. It requests everything else photo by photo through
    `functions`, so captions appear as photos finish, and nothing must be cancelled when the visitor stops.
    """

    def __init__(
        self, value: dict, functions: list[Callable], files: PlayerFiles, captioner: dict | None = None, **kwargs
    ):
        # Keep the template constant: Gradio would evaluate any ${...} in it, even from a file name.
        super().__init__(
            value,
            html_template=files.html,
            css_template=files.css,
            js_on_load=START_PLAYER.replace("VERSION", files.version)
            .replace("ENTRIES", json.dumps(entries(files)))
            .replace("CAPTIONER", json.dumps(captioner)),
            server_functions=functions,
            apply_default_css=False,
            **kwargs,
        )

    def api_info(self) -> dict:
        return {"type": "object"}


def player_route(files: PlayerFiles) -> Route:
    """Serves the player's scripts.

    Their address contains their version, so browsers may cache them forever, yet a page never runs scripts older or
    newer than itself.
    """

    def get_script(request: Request) -> Response:
        script = files.scripts.get(request.path_params["path"])
        if script is None or request.path_params["version"] != files.version:
            return PlainTextResponse("There is no such script.", 404)
        return Response(script, media_type="text/javascript", headers=FOREVER)

    return Route("/player/{version}/{path:path}", get_script)


def entries(files: PlayerFiles) -> list[str]:
    """The scripts that the page itself imports."""
    return [path for path in ENTRIES if path in files.scripts]


def preload(files: PlayerFiles) -> str:
    """Links for the page's head that load scripts before another script imports them."""
    paths = dict.fromkeys(path for entry in entries(files) for path in reachable(files.scripts, entry))
    return "".join(f'<link rel="modulepreload" href="player/{files.version}/{path}">' for path in paths)


def captioner_route(captioner: OnDevice) -> Route:
    """Serves what a visitor's own browser captions with, at an address that contains its version."""

    def get_file(request: Request) -> Response:
        file = captioner.files.get(request.path_params["name"])
        if file is None or request.path_params["version"] != captioner.version:
            return PlainTextResponse("There is no such file.", 404)
        return FileResponse(file, media_type=captioner.media_type(file.name), headers=FOREVER)

    return Route("/captioner/{version}/{name}", get_file)


def with_pictures(sample: dict) -> dict:
    """An example photo with its pictures, where Gradio serves them."""
    path = PHOTOS / sample["file"]
    small = save_pil_to_cache(thumbnail(path), cache_dir=get_upload_folder(), format="webp")
    return {**sample, "image": FileData(path=str(path)).model_dump(), "thumbnail": FileData(path=small).model_dump()}


class Page(gr.Blocks):
    """The page. Closing it also closes the services behind it and deletes everything that visitors left."""

    player_protocol: Protocol  # `protocol` is Gradio's own

    def close(self, verbose: bool = True) -> None:
        self.player_protocol.close()  # first, so that no pending request keeps the server from ending
        super().close(verbose)


def build_app(
    captioners: Sequence[Captioner],
    *,
    remarks: bool = True,
    limits: Limits = Limits(),
    on_device: OnDevice | None = None,
) -> tuple[Page, dict]:
    """The page for a model, and the arguments for its `launch`. Close the page even if it is never launched.

    Args:
        captioners: from `Captioner.family`; the first is used until a visitor chooses another.
        remarks: show "Where it works, where it fails", which describes the bundled model.
        limits: how much visitors may store here, and for how long.
        on_device: the same model for visitors' own browsers, if they may choose that.
    """
    folder = server_folder()
    gradio_folder = folder.make("gradio")
    service = CaptionService(captioners, PhotoStore(folder, limits))
    jobs = Jobs(folder, limits, (PhotoGone, PhotoError))
    protocol = Protocol(service, jobs, {photo.name: photo for photo in PHOTOS.glob("*.jpg")})

    async def post_photo(request: Request) -> Response:
        """Takes a photo's bytes, returns its captions. Nothing is stored where Gradio serves files."""
        length = int(request.headers["content-length"]) if "content-length" in request.headers else None
        attention = request.query_params.get("attention")
        try:
            return JSONResponse(await protocol.upload(request.stream(), length, attention))
        except ClientDisconnect:
            return Response(status_code=400)

    async def post_frame(request: Request) -> Response:
        """Takes a frame of a camera, returns its caption. Nothing is stored."""
        try:
            return JSONResponse(await protocol.frame(request.stream(), request.query_params.get("attention")))
        except ClientDisconnect:
            return Response(status_code=400)

    async def get_saved(request: Request) -> Response:
        file = protocol.saved_file(request.path_params["job"])
        return FileResponse(file, filename=file.name) if file else PlainTextResponse("There is no such file.", 404)

    async def caption_photo(photo: str, attention: str, evidence: bool) -> dict:
        """Captions a photo and shows where the network looked for each word.

        Args:
            photo: an image file.
            attention: "softmax" looks at all cells, "sparsemax" at a few, "hard" at one.
            evidence: also measure what mattered for each word: how much less probable it gets when a cell is hidden.

        Returns:
            The caption and its words, each with its probability (0..1), its alternatives and its
            attention: rows of numbers that sum to 1 (8 x 8 in the bundled models), row 0 at the top of the photo.
            If asked for, also its evidence, laid out like attention: how far its log-probability falls when a cell is
            hidden (negative: the cell speaks against it); and the share of its probability kept without all cells.
        """
        try:
            return await protocol.caption_file(Path(photo), attention, evidence)
        except (PhotoError, PhotoGone, Refused) as error:
            raise gr.Error(str(error), print_exception=False) from error
        finally:
            if photo not in player.keep_in_cache:  # an example photo, which may have been uploaded, too
                uploads.use(photo)

    # delete_cache: for files uploaded through the API but never captioned.
    sweep = (max(1, int(limits.retention_seconds // 10)), int(limits.retention_seconds))
    with Page(title=TITLE, analytics_enabled=False, delete_cache=sweep) as page:
        page.player_protocol = protocol
        gr.Markdown(f"# {TITLE}\n{INVITATION}")
        value = page_value(
            [with_pictures(sample) for sample in example_photos(remarks)],
            service.attention_kinds,
            image_size=captioners[0].model.config.image_size,
            photo_bytes=limits.photo_bytes,
            photos=limits.photos,
            retention_minutes=int(-(-limits.retention_seconds // 60)),
        )
        files = player_files(ON_DEVICE if on_device else ())
        captioner = on_device and on_device.places(f"captioner/{on_device.version}")
        player = AttentionPlayer(value, protocol.questions, files, captioner, elem_id="player")
        # The API takes a file, never a path as text, which could read any file on the server.
        with gr.Row(visible=False):
            photo, found, button = gr.File(label="photo"), gr.JSON(label="caption"), gr.Button()
            kinds = service.attention_kinds
            attention = gr.Dropdown(kinds, value=kinds[0], label="attention")
            evidence = gr.Checkbox(label="evidence")
        button.click(caption_photo, [photo, attention, evidence], found, api_name="caption", concurrency_limit=4)
    page.queue(max_size=64)
    # How often Gradio looks for calls of the API. With its own 1 ms, a server without visitors keeps 4 % of a core busy.
    page._queue.sleep_when_free = QUEUE_SECONDS
    uploads = ApiUploads(gradio_folder, limits.stored_bytes)
    routes = [
        Route("/photo", post_photo, methods=["POST"]),
        Route("/live", post_frame, methods=["POST"]),
        Route("/saved/{job}", get_saved),
        player_route(files),
        *([captioner_route(on_device)] if on_device else []),
    ]
    around = {"routes": routes, "middleware": [Middleware(uploads.middleware)]}
    return page, {"app_kwargs": around, "max_file_size": limits.photo_bytes, "head": preload(files), **LAUNCH}


def leave(*_: object) -> None:
    """Shuts down cleanly when a signal asks the program to end."""
    for name in SIGNALS:
        signal.signal(name, signal.SIG_IGN)
    raise SystemExit(0)


@command
def main(arguments: list[str] | None = None) -> None:
    options = parse_options(__doc__, arguments)
    check_folder()
    for name in SIGNALS:
        signal.signal(name, leave)
    limit_pools(2)
    with (
        ThreadPoolExecutor(1) as loader,
        explained(),
    ):  # not in the main thread, which keeps running: see CaptionService
        captioners = loader.submit(Captioner.family, options.model, precision=options.precision).result()
    on_device = options.on_device and OnDevice.read(options.on_device, options.model, captioners)
    limits = Limits(
        retention_seconds=round(60 * options.retention_minutes),
        photo_bytes=options.photo_megabytes,
        incoming_bytes=options.incoming_megabytes,
        stored_bytes=options.stored_megabytes,
    )
    page, launch = build_app(captioners, remarks=options.model == DEFAULT_MODEL, limits=limits, on_device=on_device)
    try:
        if options.check:
            photo = min(PHOTOS.glob("*.jpg"))
            for captioner in captioners:
                print(f"{photo.name}, {captioner.attention_kind}: {captioner([photo])[0].text}")
            return
        try:
            page.launch(server_port=options.port, mcp_server=options.mcp, **launch)
        except OSError as error:  # another program has taken the port meanwhile
            stop(f"The page cannot be served: {error}")
    finally:
        server_folder().close()  # first: the process may be killed soon after it is asked to end
        page.close(verbose=False)
        server_folder().close()  # again, for uploads that were still arriving


if __name__ == "__main__":
    main()
