"""Keeps the memory of a long-lived process small, where the GNU C library would let it grow."""

import ctypes

M_ARENA_MAX = -8  # an option of mallopt, as malloc.h numbers it


def limit_pools(count: int) -> bool:
    """Lets all threads take memory from `count` pools, and tells whether that can be had; before there are threads.

    The GNU C library would make up to eight times as many pools as there are cores. Each breaks into pieces of its own as
    photos and tensors come and go, so memory climbs for hours. With other C libraries this does nothing.
    """
    return _call("mallopt", M_ARENA_MAX, count)


def trim() -> bool:
    """Returns to the system what was freed but is still held, and tells whether there was such.

    The GNU C library keeps freed memory: after some minutes of photos and tensors that is half a gigabyte. Takes
    milliseconds. With other C libraries it does nothing.
    """
    return _call("malloc_trim", 0)


def _call(function: str, *arguments: int) -> bool:
    try:
        return bool(getattr(ctypes.CDLL(None), function)(*arguments))
    except (AttributeError, OSError, TypeError):  # macOS, musl; Windows
        return False
