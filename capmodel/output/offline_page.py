"""The page that plays offline: the player, photos and captions in one HTML file."""

import base64
import json
import posixpath
import re
from collections.abc import Iterable
from pathlib import Path
from string import Template

from capmodel.caption import CaptionedPhoto
from capmodel.output.overlay import SHOWN_SIDE, to_data_url
from capmodel.output.player import MAIN, PLAYER, player_constants, player_files, player_item

ENGINE = "engines/offline.js"

# An import of another of the player's modules: the text before its path, and the path.
_IMPORT = re.compile(r"""^((?:import\b|export\b[^;'"()=]*\bfrom\b)[^;'"()=]*['"])(\.{1,2}/[^'"]+)""", re.MULTILINE)


def save_html(photos: Iterable[CaptionedPhoto], path: Path) -> None:
    """Saves the page's own player with these photos: one file that needs no server and no network."""
    path.write_text(offline_page([offline_item(photo) for photo in photos]), encoding="utf-8")


def offline_item(photo: CaptionedPhoto) -> dict:
    return {**player_item("", photo.name, photo.captions), "image": {"url": to_data_url(photo.pixels, SHOWN_SIDE)}}


def offline_page(items: list[dict]) -> str:
    files = player_files()
    template = Template((PLAYER / "offline.html").read_text(encoding="utf-8"))
    return template.substitute(
        html=files.html,
        css=files.css,
        data=_in_script({"items": items, "constants": player_constants()}),
        modules=_in_script({"imports": import_map(files.scripts)}),
        main=_bare(MAIN),
        engine=_bare(ENGINE),
    )


def import_map(scripts: dict[str, str]) -> dict[str, str]:
    """ES modules as ``data:`` URLs, by bare names.

    A page opened as a file may not load modules beside it, and a module in a ``data:`` URL has no base for relative
    imports. So each ``import ... from './x.js'`` becomes an import of a bare name, which the page's import map resolves
    to the module.

    Args:
        scripts: the modules' texts, by path.

    Raises:
        ValueError: a module imports one that does not exist.
    """
    imports = {}
    for path, text in scripts.items():

        def rename(found: re.Match, path: str = path) -> str:
            target = posixpath.normpath(posixpath.join(posixpath.dirname(path), found[2]))
            if target not in scripts:
                raise ValueError(f"{path} imports {found[2]}, which is not among the player's scripts")
            return found[1] + _bare(target)

        data = base64.b64encode(_IMPORT.sub(rename, text).encode()).decode()
        imports[_bare(path)] = f"data:text/javascript;base64,{data}"
    return imports


def _bare(path: str) -> str:
    return f"player/{path}"


def _in_script(value: dict) -> str:
    """JSON for use inside <script>: escapes "<", which could end the script, since file names may contain anything."""
    return json.dumps(value).replace("<", "\\u003c")
