"""The page's command line. It imports neither PyTorch nor Gradio, so that mistakes are told at once."""

import argparse
from pathlib import Path

from capmodel.command_line import whole_number
from capmodel.precision import PRECISIONS
from capmodel.serving.environment import MOST_PORTS
from capmodel.serving.limits import Limits

DEFAULT_MODEL = "softmax"


def parse_options(description: str | None, arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--model", default=DEFAULT_MODEL, help="initial model: bundled name, folder, or (with HF_HUB_OFFLINE=0) Hub id"
    )
    # The default writes the captions that "Where it works, where it fails" describes, on every machine.
    parser.add_argument("--precision", choices=PRECISIONS, default="fp32", help="of the backbone; auto is faster")
    parser.add_argument(
        "--port", type=whole_number(1, MOST_PORTS), help="default: GRADIO_SERVER_PORT, or the first free one from 7860"
    )
    parser.add_argument("--check", action="store_true", help="build the page, caption one example photo, and exit")
    parser.add_argument(
        "--on-device",
        type=Path,
        metavar="FOLDER",
        help="let visitors choose that their own browser captions: a folder from `python -m capmodel.browser export`",
    )
    parser.add_argument("--mcp", action="store_true", help="also serve the captioner as a tool for language models")
    limits = parser.add_argument_group("what visitors may store on the server")
    usual = Limits()
    limits.add_argument(
        "--retention-minutes", type=minutes, default=usual.retention_seconds / 60, help="how long photos are kept"
    )
    limits.add_argument("--photo-megabytes", type=megabytes, default=usual.photo_bytes, help="limit for one photo")
    limits.add_argument(
        "--incoming-megabytes", type=megabytes, default=usual.incoming_bytes, help="limit for all uploads in progress"
    )
    limits.add_argument(
        "--stored-megabytes", type=megabytes, default=usual.stored_bytes, help="limit for all photos on disk"
    )
    return parser.parse_args(arguments)


def minutes(text: str) -> float:
    """How long photos are kept, in minutes, parsed from the command line."""
    found = float(text)
    if not 1 / 60 <= found <= 24 * 60:
        raise argparse.ArgumentTypeError(f"must be between a second and a day, not {text} minutes")
    return found


def megabytes(text: str) -> int:
    """A size in bytes, parsed from megabytes on the command line."""
    found = float(text)
    if not 0 < found < 1e9:
        raise argparse.ArgumentTypeError(f"must be more than 0, and less than a billion, not {text} MB")
    return round(found * 1e6)
