"""Gives memory back that nobody uses any more."""

import ctypes


def trim() -> bool:
    """Returns to the system what was freed but is still held, and tells whether there was such.

    The GNU C library keeps freed memory, for each of up to eight times as many threads as there are cores: after some
    minutes of photos and tensors that is half a gigabyte. Takes milliseconds. With other C libraries it does nothing.
    """
    try:
        return bool(ctypes.CDLL(None).malloc_trim(0))
    except (AttributeError, OSError, TypeError):  # macOS, musl; Windows
        return False
