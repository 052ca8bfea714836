"""Updates what the page says about the example photos under "Where it works, where it fails".

    python -m train.release.gallery            # after the model has changed
    python -m train.release.gallery --check    # is it up to date?

The captions come from the bundled model, the descriptions from `assets/photos/CREDITS.md`, and the
remarks from `assets/remarks.json`, which people write: for each photo a sentence on what went right or
wrong in one caption. A remark about another caption than today's no longer fits: it is left out and
named, and somebody should look again. `assets/intro.json` gets the captions, with maps, that play when the page opens.
"""

import argparse
import json
import re

from capmodel.command_line import command, load_captioner
from capmodel.output.player import player_item
from capmodel.resources import ASSETS, PHOTOS

GALLERY, REMARKS = ASSETS / "gallery.json", ASSETS / "remarks.json"
INTRO = ASSETS / "intro.json"
INTRO_PHOTOS = ("surfer-on-big-wave.jpg", "burger-and-fries.jpg", "penguin-on-snow.jpg")


def descriptions(credits: str) -> dict[str, str]:
    """What is seen on each photo, by its file name, from the table of the credits."""
    return dict(re.findall(r"^\| `(\S+?)` \| (.+?) \|", credits, re.MULTILINE))


def make_gallery(
    captions: dict[str, str], seen: dict[str, str], remarks: dict[str, dict]
) -> tuple[list[dict], list[str]]:
    """The entries of the gallery, in the order of the remarks and then by name.

    Args:
        captions: the model's, by file name.
        seen: what a person sees, by file name.
        remarks: by file name, each with "about" (the caption it was written for), "outcome" ("right",
            "partly" or "wrong") and "remark".

    Returns:
        The entries, and the file names whose remark no longer fits.
    """
    entries, stale = [], []
    for file in [*remarks, *sorted(set(captions) - set(remarks))]:
        remark = remarks.get(file)
        if remark and remark["about"] != captions[file]:
            stale.append(file)
            remark = None
        said = {key: remark[key] if remark else None for key in ("outcome", "remark")}
        entries.append({"file": file, "description": seen[file], "caption": captions[file], **said})
    return entries, stale


def read_intro() -> dict[str, dict]:
    """The photos that play when the page opens, by file name: their captions with maps, as the player takes them."""
    return json.loads(INTRO.read_text(encoding="utf-8")) if INTRO.exists() else {}


def _texts(intro: dict[str, dict]) -> dict[str, list[str]]:
    """Their captions alone: the last digits of maps differ from machine to machine."""
    return {name: [word["text"] for word in item["captions"][0]["words"]] for name, item in intro.items()}


@command
def main(arguments: list[str] | None = None) -> int:
    """Runs the script; returns the exit status: 1 if `--check` found something to do."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if there is something to do")
    options = parser.parse_args(arguments)

    photos = sorted(PHOTOS.glob("*.jpg"))
    found = dict(zip((photo.name for photo in photos), load_captioner(precision="fp32")(photos), strict=True))
    captions = {name: caption.text for name, caption in found.items()}
    intro = {name: player_item("", name, [found[name]]) for name in INTRO_PHOTOS}
    entries, stale = make_gallery(
        captions, descriptions((PHOTOS / "CREDITS.md").read_text(encoding="utf-8")), json.loads(REMARKS.read_text())
    )
    for file in stale:
        print(f"The remark on {file} no longer fits. The caption is now: {captions[file]}")
    text = json.dumps({"photos": entries}, indent=1, ensure_ascii=False) + "\n"
    is_old = (
        not GALLERY.exists() or GALLERY.read_text(encoding="utf-8") != text or _texts(read_intro()) != _texts(intro)
    )
    if options.check:
        print("The gallery is out of date." if is_old else "The gallery is up to date.")
        return int(is_old or bool(stale))
    GALLERY.write_text(text, encoding="utf-8")
    INTRO.write_text(json.dumps(intro, indent=1) + "\n", encoding="utf-8")
    print(f"{len(entries)} photos, {sum(entry['remark'] is not None for entry in entries)} of them with a remark.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
