"""Keeps Pillow's remarks about odd files off the terminal: a photo is read, or refused with a `PhotoError`."""

import logging
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import cast

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
