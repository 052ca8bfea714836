"""Keeps Pillow's remarks about odd files off the terminal: a photo is read, or refused with a `PhotoError`."""

import ctypes
import logging
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import cast

from PIL import Image


def _silence_libtiff() -> None:
    """libtiff, in which Pillow decodes compressed TIFF files, prints its errors, unless it has no function to do so."""
    with suppress(OSError, AttributeError, TypeError):  # linked in another way: then it prints
        library = ctypes.CDLL(Image.core.__file__)  # finds the functions of the libraries that it uses, too
        library.TIFFSetErrorHandler.argtypes = [ctypes.c_void_p]
        library.TIFFSetErrorHandler.restype = ctypes.c_void_p
        library.TIFFSetErrorHandler(None)


_silence_libtiff()
logging.getLogger("PIL").addHandler(logging.NullHandler())  # else Python prints errors of a logger without handlers

_FILTER = ("ignore", None, Warning, re.compile(r"PIL\."), 0)
_lock = threading.Lock()
_readers = 0


@contextmanager
def without_pillow_warnings() -> Iterator[None]:
    """Ignores warnings that come from Pillow's modules, while any thread is in here.

    `warnings.catch_warnings` would not do: threads that leave it in another order than they came leave it switched on.
    """
    global _readers
    with _lock:
        _readers += 1
        if _readers == 1:
            cast(list, warnings.filters).insert(0, _FILTER)
    try:
        yield
    finally:
        with _lock:
            _readers -= 1
            if _readers == 0:
                with suppress(ValueError):  # someone else has replaced the list
                    cast(list, warnings.filters).remove(_FILTER)
