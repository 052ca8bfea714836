"""The gallery says what the bundled model says, and remarks that no longer fit are named."""

import json

from train.release.gallery import GALLERY, PHOTOS, descriptions, main, make_gallery

ENTRIES = json.loads(GALLERY.read_text(encoding="utf-8"))["photos"]


def test_it_is_up_to_date(capsys):
    assert main(["--check"]) == 0, capsys.readouterr().out


def test_every_photo_is_there_with_what_a_person_sees():
    assert sorted(entry["file"] for entry in ENTRIES) == sorted(path.name for path in PHOTOS.glob("*.jpg"))
    seen = {entry["file"]: entry["description"] for entry in ENTRIES}
    assert seen["burger-and-fries.jpg"] == "A hamburger and French fries on a white plate, close up."


def test_successes_and_failures_have_remarks():
    outcomes = [entry["outcome"] for entry in ENTRIES if entry["remark"]]
    assert len(outcomes) >= 12
    assert min(outcomes.count(outcome) for outcome in ("right", "partly", "wrong")) >= 3
    assert set(outcomes) == {"right", "partly", "wrong"}


def test_a_remark_on_another_caption_is_left_out_and_named():
    remarks = {
        "b.jpg": {"about": "a dog", "outcome": "right", "remark": "So it is."},
        "a.jpg": {"about": "a man", "outcome": "wrong", "remark": "Nobody there."},
    }
    captions = {"a.jpg": "a cat", "b.jpg": "a dog", "c.jpg": "a car"}
    entries, stale = make_gallery(captions, dict.fromkeys(captions, "seen"), remarks)
    assert stale == ["a.jpg"]
    assert [(entry["file"], entry["remark"]) for entry in entries] == [
        ("b.jpg", "So it is."),
        ("a.jpg", None),
        ("c.jpg", None),
    ]


def test_the_credits_are_read():
    text = "| file | what |\n|---|---|\n| `x.jpg` | A cat. | somebody |\n"
    assert descriptions(text) == {"x.jpg": "A cat."}
