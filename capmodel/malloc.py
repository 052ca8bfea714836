"""Tunes how the GNU C library handles freed memory: to keep a long-running page small, and training fast."""

import ctypes

# Options of mallopt, as malloc.h numbers them.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX, M_ARENA_MAX = -1, -2, -4, -8


def limit_pools(count: int) -> bool:
    """Limits all threads to `count` memory pools. Call it before starting threads. Returns whether it took effect.

    By default the GNU C library makes up to eight pools per core. Each fragments separately as photos and tensors come
    and go, so memory climbs for hours. With other C libraries this does nothing.
    """
    return _call("mallopt", M_ARENA_MAX, count)


def trim() -> bool:
    """Returns freed memory to the system. Returns whether there was any.

    The GNU C library keeps freed memory: half a gigabyte after some minutes of photos and tensors. This takes
    milliseconds. With other C libraries it does nothing.
    """
    return _call("malloc_trim", 0)


def hold() -> bool:
    """Keeps all memory freed from now on for reuse. Returns whether it took effect.

    Training allocates and frees the same large blocks in every step. By default the GNU C library returns each to the
    system, which clears it before reuse: a seventh of train.finetune's time on two cores. With other C libraries this
    does nothing.
    """
    options = {M_MMAP_MAX: 0, M_TRIM_THRESHOLD: 2**31 - 1, M_TOP_PAD: 2**28}  # the last: how much to request at a time
    return all(_call("mallopt", option, value) for option, value in options.items())


def _call(function: str, *arguments: int) -> bool:
    try:
        return bool(getattr(ctypes.CDLL(None), function)(*arguments))
    except (AttributeError, OSError, TypeError):  # macOS, musl; Windows
        return False
