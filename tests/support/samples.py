"""What several tests show to the model, or let it learn."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
PHOTOS = ROOT / "assets" / "photos"

CAPTIONS = [
    "A brown dog runs through the tall grass .",
    "Two people ride bicycles down a street .",
    "A skateboarder jumps over a set of stairs .",
    "A girl in a red dress stands near the water .",
    "Three men climb a snowy mountain .",
    "A boy kicks a soccer ball on the field .",
    "A black-and-white dog catches a frisbee .",
    "The woman 's hat is blue .",
]
