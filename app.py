"""The demo: drop in photos, read their captions, and see where the model looked for each word.

pip install -r requirements.txt && python app.py
"""

import argparse
import base64
import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

# Before gradio is imported: nothing asks other servers for anything, and uploads lie in a folder of neutral name.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("GRADIO_TEMP_DIR", str(Path(tempfile.gettempdir(), "capmodel-photos")))

import gradio as gr
import numpy as np
from gradio.data_classes import FileData
from PIL import Image

from capmodel import Caption, Captioner, PhotoError
from capmodel.photos import load_photo
from capmodel.render import scale_top

ASSETS = Path(__file__).parent / "assets"
EXAMPLES = [
    str(ASSETS / "photos" / f"{name}.jpg")
    for name in [
        "two-dogs-playing-on-grass",
        "surfer-on-big-wave",
        "skateboarder-in-concrete-bowl",
        "soccer-players",
        "dachshund-in-snow",
        "jockey-on-galloping-horse",
        "mountain-biker-in-mid-air",
        "two-women-on-bicycles",
        "rock-climber-above-sea",
        "toddler-with-teddy-bear",
        "penguin-on-snow",
        "burger-and-fries",
    ]
]
SHOWN_SIDE = 1280  # longer side of the photos that are served back, in pixels
KEPT_SECONDS = 3600  # photos are deleted after that
TITLE = "Watch a network look"
INTRO = (
    f"# {TITLE}\nDrop in photos, ten or more at once. A small neural network writes a caption for each; "
    "point at a word to see where in the photo it looked to write it."
)
CSS = (
    "#player .html-container { padding: 0 } @media (max-width: 600px) { .gradio-container .main.app { padding: 12px } }"
)


class AttentionPlayer(gr.HTML):
    """Cards with captions and one big player.

    Its value is ``{"items": [...], "total": photos in all}``. An item is a captioned photo,
    ``{"key", "name", "image": FileData, "words": [text], "weights": base64 of float32 (words, 64),
    "top": of the scale, in x uniform}``, or a bad one, ``{"key", "name", "error"}``.
    """

    def __init__(self, **kwargs):
        # The template is constant: Gradio would evaluate ${...} in it, also in a file name.
        super().__init__(
            {"items": [], "total": 0},
            html_template=(ASSETS / "player.html").read_text(encoding="utf-8"),
            css_template=(ASSETS / "player.css").read_text(encoding="utf-8"),
            js_on_load=(ASSETS / "player.js").read_text(encoding="utf-8"),
            apply_default_css=False,
            **kwargs,
        )

    def api_info(self) -> dict:
        return {"type": "object"}


def player_item(key: str, name: str, photo: np.ndarray, caption: Caption) -> dict:
    """A captioned photo as the player's item; the photo is saved where Gradio may serve it, without metadata."""
    image = Image.fromarray(photo)
    image.thumbnail((SHOWN_SIDE, SHOWN_SIDE))
    path = gr.processing_utils.save_pil_to_cache(image, cache_dir=gr.utils.get_upload_folder(), format="webp")
    weights = np.stack([word.weights for word in caption.words]).astype("<f4")
    return {
        "key": key,
        "name": name,
        "image": FileData(path=path, mime_type="image/webp", orig_name=name).model_dump(),
        "words": [word.text for word in caption.words],
        "weights": base64.b64encode(weights.tobytes()).decode(),
        "top": scale_top(caption),
    }


def build_app(captioner: Captioner) -> gr.Blocks:
    """The page around a captioner."""
    lock = threading.Lock()  # a photo at a time, so that several visitors take turns

    def caption_one(key: str, name: str) -> dict:
        try:
            photo = load_photo(key, at_least=SHOWN_SIDE)
            with lock:  # of the file itself: so the page says what the command line says
                caption = captioner([key])[0]
            return player_item(key, name, photo, caption)
        except PhotoError as error:
            return {"key": key, "name": name, "error": str(error)}

    def caption_all(files: list[str] | None, known: dict[str, dict]) -> Iterator[tuple[dict, dict]]:
        """Yields the player's value after each photo; `known` holds what this visitor has seen already."""
        files = files or []
        known = {key: known[key] for key in files if key in known}
        items = []
        for file in files:
            if file not in known:
                yield {"items": list(items), "total": len(files)}, known
                known[file] = caption_one(file, Path(file).name)
            items.append(known[file])
        yield {"items": items, "total": len(files)}, known

    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(KEPT_SECONDS // 4, KEPT_SECONDS)) as page:
        gr.Markdown(INTRO)
        files = gr.File(
            label="Photos",
            file_count="multiple",
            file_types=["image", ".heic", ".heif"],
            height=140,
            elem_id="photos",
        )
        examples = gr.Button("Or try twelve example photos", size="sm", elem_id="examples")
        player = AttentionPlayer(elem_id="player")
        known = gr.State({})
        files.change(
            caption_all,
            [files, known],
            [player, known],
            show_progress="hidden",  # Gradio's own would dim the player
            trigger_mode="always_last",
            concurrency_limit=4,
            api_visibility="private",
        )
        examples.click(lambda: EXAMPLES, None, files, show_progress="hidden", api_visibility="private")
    return page.queue(max_size=64)


def launch_options() -> dict:
    """What the page needs when it is launched, wherever that is."""
    return {
        "max_file_size": "100mb",  # one larger file refuses the whole drop, so it is set high
        "css": CSS,
        "theme": gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),
        "footer_links": [],
        "run_history": False,
        "allowed_paths": [str(ASSETS / "photos")],
        "ssr_mode": False,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="softmax", help="bundled name, folder, or (with HF_HUB_OFFLINE=0) Hub id")
    parser.add_argument("--port", type=int, help="default: GRADIO_SERVER_PORT, or the first free one from 7860")
    options = parser.parse_args()
    page = build_app(Captioner.from_pretrained(options.model))
    page.launch(server_port=options.port, **launch_options())


if __name__ == "__main__":
    main()
