"""A data set that a test can make: drawn shapes with captions, in Flickr8k's own layout."""

from itertools import product
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

COLORS = {"red": (200, 30, 30), "green": (30, 160, 60), "blue": (40, 70, 210), "yellow": (235, 210, 40)}
SHAPES = ("circle", "square", "triangle")
PLACES = {"left": 0.28, "middle": 0.5, "right": 0.72}


def make_shapes(folder: Path, photos: int = 200, size: int = 96) -> Path:
    """Writes `photos` pictures with two captions each: 60 % train, 20 % dev, 20 % test."""
    (folder / "Images").mkdir(parents=True)
    random = np.random.default_rng(0)
    kinds = list(product(COLORS, SHAPES, PLACES))
    names, lines = [], []
    for index in range(photos):
        color, shape, place = kinds[index % len(kinds)]
        name = f"{index:04}.jpg"
        _draw(color, shape, place, size, random).save(folder / "Images" / name)
        names.append(name)
        lines.append(f"{name}#0\tA {color} {shape} on the {place} .")
        lines.append(f"{name}#1\tThe {shape} on the {place} is {color} .")
    (folder / "Flickr8k.token.txt").write_text("\n".join(lines) + "\n")
    order = random.permutation(names).tolist()
    stops = [0, int(0.6 * photos), int(0.8 * photos), photos]
    for split, start, stop in zip(("train", "dev", "test"), stops, stops[1:]):
        (folder / f"Flickr_8k.{split}Images.txt").write_text("\n".join(order[start:stop]) + "\n")
    return folder


def _draw(color: str, shape: str, place: str, size: int, random: np.random.Generator) -> Image.Image:
    grey = int(random.integers(90, 170))
    noise = random.normal(grey, 12, (size, size, 3)).clip(0, 255).astype(np.uint8)
    image = Image.fromarray(noise)
    x, y = PLACES[place] * size, (0.5 + random.uniform(-0.15, 0.15)) * size
    radius = size * random.uniform(0.14, 0.2)
    draw = ImageDraw.Draw(image)
    if shape == "circle":
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=COLORS[color])
    else:
        draw.regular_polygon((x, y, radius * 1.2), 4 if shape == "square" else 3, fill=COLORS[color])
    return image
