"""Animates a caption as a GIF or a video: the attention fades from word to word over the photo."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from capmodel.caption import Caption
from capmodel.output.overlay import overlay, scale_top, shrink, smooth_map

FADE_MS, HOLD_MS = 280, 750
BACKGROUND, TEXT, CURRENT = (18, 18, 24), (200, 200, 205), (255, 214, 90)
GIF_SIDE, VIDEO_SIDE = 400, 960  # longer side of the photo, in pixels
GIF_FADES = 4  # frames per fade
VIDEO_RATE = 25  # frames per second
VIDEO_QUALITY = 23  # x264's constant rate factor: 18 looks lossless, 28 poor


def save_gif(photo: np.ndarray, caption: Caption, path: Path) -> None:
    """Saves an animated GIF, with the caption below the photo.

    Args:
        photo: RGB uint8 (height, width, 3).
    """
    frames = [Image.fromarray(frame) for frame, _ in _frames(shrink(photo, GIF_SIDE), caption, GIF_FADES)]
    durations = [HOLD_MS if holds else FADE_MS // GIF_FADES for holds in _holds(len(caption.words), GIF_FADES)]
    # No dithering: its noise would differ from frame to frame and inflate the file.
    frames = [frame.quantize(128, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE) for frame in frames]
    frames[0].save(path, format="GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0)


def save_mp4(photo: np.ndarray, caption: Caption, path: Path) -> None:
    """Saves a video that browsers and slides can play: H.264, 4:2:0, with the caption below the photo.

    Args:
        photo: RGB uint8 (height, width, 3).
    """
    import av  # imported here because it loads a video library

    fades = round(VIDEO_RATE * FADE_MS / 1000)
    hold = round(VIDEO_RATE * HOLD_MS / 1000)
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=VIDEO_RATE, options={"crf": str(VIDEO_QUALITY)})
        stream.pix_fmt = "yuv420p"
        for picture, holds in _frames(shrink(photo, VIDEO_SIDE), caption, fades):
            height, width = (side // 2 * 2 for side in picture.shape[:2])  # 4:2:0 needs even sides
            if not stream.codec_context.is_open:
                stream.width, stream.height = width, height
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture[:height, :width]), format="rgb24")
            for _ in range(hold if holds else 1):
                frame.pts = None  # let the encoder assign the next time
                container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _frames(photo: np.ndarray, caption: Caption, fades: int) -> Iterator[tuple[np.ndarray, bool]]:
    """Each frame as RGB uint8 (height, width, 3), and whether it holds on a word."""
    height, width = photo.shape[:2]
    top = scale_top(caption)
    before = np.full((height, width), 1.0, np.float32)
    for index, word in enumerate(caption.words):
        heat = smooth_map(word.weights, height, width)
        text = _text_below(width, max(height, width), caption, index)
        for step in range(1, fades + 1):
            faded = overlay(photo, before + (heat - before) * (step / fades), top)
            yield np.concatenate([_widened(faded, text.shape[1]), text]), step == fades
        before = heat


def _holds(words: int, fades: int) -> list[bool]:
    return ([False] * (fades - 1) + [True]) * words


def _widened(photo: np.ndarray, width: int) -> np.ndarray:
    """A photo in the middle of a picture that is at least as wide as it."""
    if photo.shape[1] == width:
        return photo
    picture = np.full((photo.shape[0], width, 3), BACKGROUND, np.uint8)
    left = (width - photo.shape[1]) // 2
    picture[:, left : left + photo.shape[1]] = photo
    return picture


def _text_below(width: int, side: int, caption: Caption, current: int) -> np.ndarray:
    """The caption as a picture (height, width, 3) to put below the photo, with the current word in yellow.

    It is as wide as the photo, or as its longest word where the photo is narrower.
    """
    size = max(14, side // 20)
    margin = round(0.6 * size)
    font = ImageFont.load_default(size)
    width = max(width, 2 * margin + math.ceil(max(font.getlength(word.text) for word in caption.words)))
    space = font.getlength(" ")
    places, x, y = [], margin, 0.5 * size
    for word in caption.words:
        length = font.getlength(word.text)
        if x > margin and x + length > width - margin:
            x, y = margin, y + 1.4 * size
        places.append((x, y))
        x += length + space
    image = Image.new("RGB", (width, round(y + 1.9 * size)), BACKGROUND)
    draw = ImageDraw.Draw(image)
    for index, (word, place) in enumerate(zip(caption.words, places, strict=True)):
        draw.text(place, word.text, font=font, fill=CURRENT if index == current else TEXT)
    return np.asarray(image)
