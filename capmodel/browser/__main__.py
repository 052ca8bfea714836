"""Makes what captions photos inside a web browser, without a server.

    pip install "capmodel[browser]"
    python -m capmodel.browser export --out captioner                    # ONNX graphs and captioner.json
    python -m capmodel.browser export --attention softmax --out captioner
    python -m capmodel.browser export --small --out captioner            # half the bytes, other captions
    python -m capmodel.browser site --out site                           # a page for any web server
    python -m capmodel.browser site --single --out captioner.html        # a page that opens from a USB stick

A model is exported with those beside it that share its backbone, one for each kind of attention; `capmodel.browser.graphs`
and `capmodel.browser.description` say what is in the files.
"""

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from capmodel.command_line import UserError, command, end_on_interrupt, explained

if __name__ == "__main__":
    end_on_interrupt()  # during the imports below
from capmodel.captioner import Captioner

NEEDED = ("onnx", "onnxscript")


@command
def main(arguments: list[str] | None = None) -> int:
    """Runs the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m capmodel.browser", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    exporting = commands.add_parser("export", help="write the model's ONNX graphs and captioner.json")
    _add_model_options(exporting)
    exporting.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="made if it is not there")
    building = commands.add_parser("site", help="write a page that captions photos in the browser")
    _add_model_options(building)
    building.add_argument(
        "--out", type=Path, required=True, help="an empty folder, or one to be made; a file if --single"
    )
    building.add_argument(
        "--single",
        action="store_true",
        help="one HTML file that also works when it is opened as a file; without --attention, the model's own kind alone",
    )
    building.add_argument(
        "--webgpu", action="store_true", help="encode photos on the graphics processor where the browser can"
    )
    options = parser.parse_args(arguments)
    _check_extra()
    files = _write(options)
    if options.command == "site" and not options.single:
        print(f"{sum(file.stat().st_size for file in files):>12,}  {options.out} ({len(files)} files)")
        return 0
    for file in files:
        print(f"{file.stat().st_size:>12,}  {file}")
    return 0


def _write(options: argparse.Namespace) -> list[Path]:
    captioners = _load(options.model, options.attention)
    name = Path(options.model).name
    # Imported here: they need the packages of the extra.
    from capmodel.browser.examples import captioned_examples
    from capmodel.browser.export import export
    from capmodel.browser.runtime import find_runtime
    from capmodel.browser.single import write_single
    from capmodel.browser.site import check_empty, write_site

    if options.command == "export":
        return export(name, captioners, options.out, options.small)
    find_runtime(options.webgpu)  # what is wrong is told before the work begins
    if not options.single:
        check_empty(options.out)
    if options.single and not options.attention:
        captioners = captioners[:1]
    with TemporaryDirectory() as folder:
        export(name, captioners, Path(folder), options.small)
        samples = captioned_examples(captioners[0], options.small)
        if options.single:
            return [write_single(Path(folder), samples, options.out, options.webgpu)]
        return write_site(Path(folder), samples, options.out, options.webgpu)


def _add_model_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", default="softmax", metavar="NAME_OR_FOLDER_OR_HUB_ID", help="default: softmax")
    parser.add_argument(
        "--attention",
        action="append",
        metavar="KIND",
        help="only this kind; may be repeated (default: the model's, and those of models beside it)",
    )
    parser.add_argument("--small", action="store_true", help="weights in 8 bits: half the bytes, other captions")


def _check_extra() -> None:
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise UserError(
            f"Exporting for the browser needs {' and '.join(missing)}: "
            'pip install "capmodel[browser]", or in a checkout pip install ".[browser]".'
        )


def _load(model: str, kinds: list[str] | None) -> list[Captioner]:
    """The model's captioners of these kinds of attention; without any, of all."""
    with explained():
        family = Captioner.family(model, precision="fp32")
    there = [captioner.attention_kind for captioner in family]
    for kind in kinds or []:
        if kind not in there:
            raise UserError(f"{model} has no {kind!r} attention beside it; choose from {', '.join(there)}.")
    return [captioner for captioner in family if not kinds or captioner.attention_kind in kinds]


if __name__ == "__main__":
    sys.exit(main())
