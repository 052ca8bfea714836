"""ES modules as one classic script.

A page that was opened as a file may start a worker only from a blob, and only a classic one, which cannot import.
"""

import posixpath
import re
from collections.abc import Mapping

# What this player's modules contain, one statement each.
_IMPORT = re.compile(r"^import\s*\{([^}]*)\}\s*from\s*'(\.{1,2}/[^']+)';$", re.MULTILINE)
_EXPORT = re.compile(r"^export ((?:async )?function\*?|class|const|let) (\w+)", re.MULTILINE)
_OTHER = re.compile(r"^(?:import|export)\b.*|\bimport\.meta\b", re.MULTILINE)


def reachable(scripts: Mapping[str, str], entry: str) -> list[str]:
    """The modules that a module imports, directly or by way of others, and itself last.

    Raises:
        ValueError: a module imports itself by way of others, or one that is not there.
    """
    found: dict[str, None] = {}

    def add(path: str, above: tuple[str, ...]) -> None:
        if path in above:
            raise ValueError(f"{' imports '.join([*above, path])}: a circle.")
        if path not in scripts:
            raise ValueError(
                f"{above[-1] if above else 'The page'} imports {path}, which is not a script of the player."
            )
        for _, target in _IMPORT.findall(scripts[path]):
            if (path_there := _resolve(path, target)) not in found:
                add(path_there, (*above, path))
        found[path] = None

    add(entry, ())
    return list(found)


def bundle(scripts: Mapping[str, str], entry: str) -> str:
    """A script that does what the module `entry` does: itself and all that it imports, each once, in a function.

    Args:
        scripts: the modules' texts, by path.
        entry: a path.

    Raises:
        ValueError: as `reachable`, or a module contains another kind of import or export than this understands.
    """
    parts = [_as_function(path, scripts[path]) for path in reachable(scripts, entry)]
    return "\n".join(['"use strict";', "const modules = {};", *parts])


def _as_function(path: str, text: str) -> str:
    def bind(found: re.Match) -> str:
        return f"const {{{found[1].replace(' as ', ': ')}}} = modules['{_resolve(path, found[2])}'];"

    body = _IMPORT.sub(bind, text)
    names = [name for _, name in _EXPORT.findall(body)]
    body = _EXPORT.sub(r"\1 \2", body)
    if other := _OTHER.search(body):
        raise ValueError(f"{path} cannot be bundled because of {other[0]!r}.")
    return f"modules['{path}'] = (() => {{\n{body}\nreturn {{ {', '.join(names)} }};\n}})();"


def _resolve(path: str, target: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
