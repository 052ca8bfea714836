"""Photos that nobody has shown to the server before, so that none of them can be answered from memory."""

import io
from pathlib import Path
from random import Random

import numpy as np
import pillow_heif
from PIL import Image, ImageOps

from capmodel.photo_files import list_photos
from capmodel.resources import PHOTOS

SIDES, SIDE_WEIGHTS = (640, 1024, 1600, 4000), (4, 4, 3, 1)  # longer side in pixels: from the web to 12 megapixels
FORMATS, FORMAT_WEIGHTS = ("jpeg", "png", "webp", "heif"), (7, 1, 1, 1)
NOISE = 4  # levels of 255
SOURCES = list_photos(PHOTOS)

File = dict[str, str | bytes]  # as Playwright hands it to a page: name, mimeType, buffer


def new_photo(random: Random) -> File:
    """An example photo, cut, perhaps mirrored, enlarged or made smaller, with noise, in some format."""
    source = random.choice(SOURCES)
    side = random.choices(SIDES, SIDE_WEIGHTS)[0]
    kind = random.choices(FORMATS, FORMAT_WEIGHTS)[0] if side < 4000 else "jpeg"
    with Image.open(source) as image:
        left, top, right, bottom = (random.uniform(0, 0.15) for _ in range(4))
        box = left * image.width, top * image.height, (1 - right) * image.width, (1 - bottom) * image.height
        image = ImageOps.contain(image.convert("RGB").crop(tuple(map(round, box))), (side, side))
        if random.random() < 0.5:
            image = ImageOps.mirror(image)
    pixels = np.asarray(image).astype(np.int16)
    noise = np.random.default_rng(random.getrandbits(64)).integers(-NOISE, NOISE + 1, (*pixels.shape[:2], 1), np.int16)
    image = Image.fromarray((pixels + noise).clip(0, 255).astype(np.uint8))
    file = io.BytesIO()
    if kind == "heif":
        pillow_heif.from_pillow(image).save(file)
    else:
        image.save(file, kind, quality=85, **({"compress_level": 1} if kind == "png" else {}))
    return {"name": f"{source.stem}.{kind}", "mimeType": f"image/{kind}", "buffer": file.getvalue()}


def odd_file(random: Random) -> File:
    """What cannot be captioned: a photo that was cut off, or a text that is called a photo."""
    photo = new_photo(random)
    text = f"Dear reader {random.random()}".encode()
    buffer = random.choice([photo["buffer"][: random.randrange(100, 3000)], text, b""])
    return {"name": f"odd-{Path(photo['name']).stem}.jpg", "mimeType": "image/jpeg", "buffer": buffer}
