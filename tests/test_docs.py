"""What README, documents and docstrings name is there: modules, functions, files, and the options of commands."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from support.samples import ROOT

PAGES = [ROOT / "README.md", *(ROOT / "assets").glob("docs/*.md"), *(ROOT / "assets").glob("models/*/*.md")]
CODE = [ROOT / "app.py", *(path for folder in ("capmodel", "train", "tests") for path in (ROOT / folder).rglob("*.py"))]
LISTS = [ROOT / "pyproject.toml", *(path for folder in ("train", "tests") for path in (ROOT / folder).rglob("*.txt"))]
NOT_HERE = {"capmodel.assets", "train/walkthrough.ipynb"}  # only in the package; made by the reader

COMMAND = re.compile(
    r"(?:-m (?P<module>(?:capmodel|train|tests)(?:\.\w+)*)(?![\w.]*{)|python (?P<script>app)\.py)(?P<rest>[^`#&\n]*)"
)


def find(pattern: str, paths: list[Path]) -> list[tuple[Path, str]]:
    """Where the pattern is, and what it found there. Lines that end in a backslash are one."""
    texts = (
        (path, re.sub(r"\\+\n\s*", " ", path.read_text(encoding="utf-8"))) for path in paths if path != Path(__file__)
    )
    return [(path.relative_to(ROOT), match) for path, text in texts for match in re.findall(pattern, text)]


def commands() -> Iterator[tuple[str, set[str]]]:
    """The module of each command that a reader may type, and the options that it is given there."""
    for _, (module, script, rest) in find(COMMAND.pattern, PAGES + CODE):
        yield module or script, set(re.findall(r"(?<!\S)--[a-z][\w-]*", rest))


def exists(name: str) -> bool:
    """Whether a dotted name is a module of this project, or something that a module defines or imports."""
    path = ROOT
    for number, part in enumerate(parts := name.split(".")):
        if (path / part).is_dir():
            path = path / part
        elif (file := path / f"{part}.py").is_file():
            return number + 1 == len(parts) or defines(file, parts[number + 1])
        else:
            return (path / "__init__.py").is_file() and defines(path / "__init__.py", part)
    return True


def defines(file: Path, name: str) -> bool:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
            return True
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store):
            return True
        if isinstance(node, ast.alias) and (node.asname or node.name) == name:
            return True
    return False


def test_every_name_is_there():
    names = find(r"(?<![\w./-])(?:capmodel|train|tests)(?:\.[A-Za-z]\w*)+(?![\w/])", PAGES + CODE + LISTS)
    assert len(names) > 500
    assert [(str(path), name) for path, name in names if name not in NOT_HERE and not exists(name)] == []


def test_every_file_is_there():
    told = PAGES + [path for path in CODE if not path.is_relative_to(ROOT / "tests")]
    paths = find(r"(?<![\w./}-])(?:capmodel|train|tests|assets)/[\w./*-]*\w", told)
    missing = [(str(path), name) for path, name in paths if name not in NOT_HERE and not list(ROOT.glob(name))]
    links = find(r"\]\(([^)#:]+)(?:#[^)]*)?\)", PAGES)
    missing += [(str(path), link) for path, link in links if not (ROOT / path.parent / link).exists()]
    assert len(links) > 30
    assert missing == []


def test_every_command_can_be_run():
    for module in {module for module, _ in commands()}:
        path = ROOT / module.replace(".", "/")
        file = path / "__main__.py" if path.is_dir() else path.with_suffix(".py")
        assert file.is_file(), f"python -m {module}"


def test_every_option_of_a_command_is_there(monkeypatch, capsys):
    wanted = defaultdict(set)
    for module, options in commands():
        wanted[module] |= options
    assert len(wanted["train.xe"]) > 5
    monkeypatch.setenv("COLUMNS", "200")

    def ask(main, *words) -> str:
        monkeypatch.setattr("sys.argv", [*words, "--help"])
        with pytest.raises(SystemExit):
            main()
        return capsys.readouterr().out

    for module, options in wanted.items():
        if not options:
            continue
        package = (ROOT / module.replace(".", "/")).is_dir()
        main = import_module(f"{module}.__main__" if package else module).main
        told = ask(main, module)
        if "COMMAND" in told:
            told += "".join(ask(main, module, each) for each in re.findall(r"^    ([a-z]+)  ", told, re.MULTILINE))
        known = set(re.findall(r"(?<!\S)--[a-z][\w-]*", told))
        assert options <= known | {"--help"}, f"python -m {module}"
