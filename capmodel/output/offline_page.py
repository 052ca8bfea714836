"""The page that plays offline: the player, photos and captions in one HTML file."""

import base64
import posixpath
import re
from collections.abc import Iterable
from pathlib import Path

from capmodel.caption import CaptionedPhoto
from capmodel.output.html_page import html_page, in_script
from capmodel.output.overlay import SHOWN_SIDE, to_data_url
from capmodel.output.player import MAIN, player_constants, player_files, player_item

ENGINE = "engines/offline.js"
POLICY = "img-src data: blob:; style-src 'unsafe-inline'; script-src 'unsafe-inline' data:"

# An import of another of the player's modules: the text before its path, and the path.
_IMPORT = re.compile(r"""^((?:import\b|export\b[^;'"()=]*\bfrom\b)[^;'"()=]*['"])(\.{1,2}/[^'"]+)""", re.MULTILINE)


def save_html(photos: Iterable[CaptionedPhoto], path: Path) -> None:
    """Saves the page's own player with these photos: one file that needs no server and no network."""
    path.write_text(offline_page([offline_item(photo) for photo in photos]), encoding="utf-8")


def offline_item(photo: CaptionedPhoto) -> dict:
    return {**player_item("", photo.name, photo.captions), "image": {"url": to_data_url(photo.pixels, SHOWN_SIDE)}}


def offline_page(items: list[dict]) -> str:
    files = player_files()
    scripts = f"""{map_imports(files.scripts)}
<script type="module">
import {{ OFFLINE }} from "{bare(ENGINE)}";
import {{ mount }} from "{bare(MAIN)}";
const value = JSON.parse(document.getElementById("data").textContent);
mount(document.getElementById("player"), {{ value }}, OFFLINE);
</script>"""
    return html_page(files, {"items": items, "constants": player_constants()}, scripts, policy=POLICY)


def map_imports(scripts: dict[str, str]) -> str:
    """A script element with the page's `import_map`."""
    return f'<script type="importmap">{in_script({"imports": import_map(scripts)})}</script>'


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
            return found[1] + bare(target)

        data = base64.b64encode(_IMPORT.sub(rename, text).encode()).decode()
        imports[bare(path)] = f"data:text/javascript;base64,{data}"
    return imports


def bare(path: str) -> str:
    """The name by which a page with an import map imports a module."""
    return f"player/{path}"
