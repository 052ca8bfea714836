"""The package that pip installs: what it needs, what lies in it, and that it works outside the checkout."""

import ast
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from support.samples import PHOTOS, ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]


def parse(lines: list[str]) -> dict[str, Requirement]:
    """Requirements by the name of what is required."""
    found = [Requirement(line) for line in lines]
    return {canonicalize_name(each.name): each for each in found}


def read_list(path: str) -> dict[str, Requirement]:
    lines = [line.partition("#")[0].strip() for line in (ROOT / path).read_text().splitlines()]
    return parse([line for line in lines if line and not line.startswith("-r ")])


def imported(folder: Path) -> set[str]:
    """The distributions that the Python files of a folder import, wherever in the file."""
    modules = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                modules.add(node.module.partition(".")[0])
    distributions = packages_distributions()
    others = modules - sys.stdlib_module_names - {"capmodel", "train"}
    return {canonicalize_name(distributions.get(module, [module])[0]) for module in others}


def test_the_space_pins_what_the_package_asks_for():
    package = parse([*PROJECT["dependencies"], *EXTRAS["demo"]])
    space = read_list("requirements.txt")
    assert space.keys() == package.keys()
    for name, wanted in package.items():
        assert space[name].extras == wanted.extras, name
        pins = [each.version.removesuffix(".*") for each in space[name].specifier if each.operator == "=="]
        if pins:
            assert all(wanted.specifier.contains(pin) for pin in pins), f"{space[name]} is not within {wanted}"
        else:
            assert space[name].specifier == wanted.specifier, f"{space[name]} is a range, but not {wanted}"


@pytest.mark.parametrize("extra", ["browser", "bulk"])
def test_the_tests_use_the_same_packages_as_the_extras(extra):
    wanted = parse(EXTRAS[extra])
    assert {name: read_list("tests/requirements.txt").get(name) for name in wanted} == wanted


def test_the_package_asks_for_what_it_imports_and_nothing_else():
    # Ray brings PyArrow; a Space with ZeroGPU has `spaces`.
    others = {"ray", "pyarrow", "spaces", *parse(EXTRAS["browser"])}
    assert imported(ROOT / "capmodel") - others == parse(PROJECT["dependencies"]).keys()


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """A copy of the checkout, since a build writes beside its source, with what developers of the player have there."""
    folder = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "MANIFEST.in", "README.md", "requirements.txt", "app.py"):
        shutil.copy(ROOT / name, folder)
    for name in ("capmodel", "train", "tests", "assets"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
    for name in ("node_modules/biome/index.js", "tests/timeline.test.js"):
        file = folder / "assets" / "player" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("")
    return folder


@pytest.fixture(scope="module")
def wheel(source, tmp_path_factory) -> Path:
    """Made from the source distribution, so that it is complete too."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    [wheel] = out.glob("*.whl")
    return wheel


def test_the_files_of_the_wheel(source, wheel):
    wanted = {path.relative_to(source).as_posix() for path in (source / "capmodel").rglob("*") if path.is_file()}
    assets = source / "assets"
    for pattern in ("gallery.json", "intro.json", "models/*/*", "photos/*", "player.*", "page.html", "player/**/*"):
        wanted |= {f"capmodel/{path.relative_to(source).as_posix()}" for path in assets.glob(pattern) if path.is_file()}
    for tools in ("node_modules", "tests"):
        wanted = {name for name in wanted if not name.startswith(f"capmodel/assets/player/{tools}/")}
    wanted = {
        name for name in wanted if "/player/" not in name or name.endswith((".js", ".html", ".css", "/package.json"))
    }
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names == wanted
    assert {Path(name).parts[0] for name in names} == {"capmodel"}
    for needed in (
        "models/softmax/model.safetensors",
        "models/hard/config.json",
        "photos/CREDITS.md",
        "gallery.json",
        "intro.json",
    ):
        assert f"capmodel/assets/{needed}" in names


def test_installed_it_captions_outside_the_checkout(wheel, captioner, tmp_path):
    home = tmp_path / "venv"
    venv.create(home, symlinks=True)
    python = home / "bin" / "python"
    command = ["install", "--quiet", "--no-deps", "--no-index", "--no-compile", str(wheel)]
    subprocess.run([sys.executable, "-m", "pip", "--python", str(python), *command], check=True)
    [packages] = home.glob("lib/python*/site-packages")
    # What it depends on is that of this environment: nothing is downloaded.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    photo = shutil.copy(PHOTOS / "surfer-on-big-wave.jpg", tmp_path)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    [expected] = captioner([photo])

    def run(*command: str | Path) -> str:
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return done.stdout

    files = {"--html": "out.html", "--figure": "out.png", "--gif": "out.gif", "--mp4": "out.mp4"}
    options = [text for option in files.items() for text in option]
    printed = run(home / "bin" / "capmodel", "surfer-on-big-wave.jpg", "--precision", "fp32", *options)
    assert printed == expected.text + "\n"
    heads = {name: (tmp_path / name).read_bytes()[:12] for name in files.values()}
    assert heads["out.html"].startswith(b"<!")
    assert heads["out.png"].startswith(b"\x89PNG")
    assert heads["out.gif"].startswith(b"GIF89a")
    assert heads["out.mp4"][4:8] == b"ftyp"

    script = (
        "import importlib.util, capmodel; from capmodel import Captioner; "
        "captioner = Captioner.from_pretrained('sparsemax', precision='fp32'); "
        "print(captioner(['surfer-on-big-wave.jpg'])[0].words[0].weights.shape); "
        "print(capmodel.__file__, importlib.util.find_spec('train'))"
    )
    assert run(python, "-c", script).splitlines() == ["(8, 8)", f"{packages / 'capmodel' / '__init__.py'} None"]
