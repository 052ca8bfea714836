"""What the GNU C library does with freed memory: a page that runs for weeks should be small, training quick."""

import ctypes

# Options of mallopt, as malloc.h numbers them.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX, M_ARENA_MAX = -1, -2, -4, -8


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


def hold() -> bool:
    """Keeps all memory that is freed from now on for later, and tells whether that can be had.

    Training takes and frees the same large pieces in every step. The GNU C library would return each to the system, which
    clears it before it gives it out again: a seventh of the time that train.finetune took on two cores. With other C
    libraries this does nothing.
    """
    options = {M_MMAP_MAX: 0, M_TRIM_THRESHOLD: 2**31 - 1, M_TOP_PAD: 2**28}  # the last is what it asks for at a time
    return all(_call("mallopt", option, value) for option, value in options.items())


def _call(function: str, *arguments: int) -> bool:
    try:
        return bool(getattr(ctypes.CDLL(None), function)(*arguments))
    except (AttributeError, OSError, TypeError):  # macOS, musl; Windows
        return False
