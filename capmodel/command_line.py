"""What all command lines share: mistakes are explained in one sentence, and nothing ends in a traceback that need not.

Light on purpose: a mistake in the arguments is told before PyTorch is imported.
"""

import argparse
import errno
import os
import re
import signal
import sys
import threading
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

if TYPE_CHECKING:
    from capmodel.captioner import Captioner

USAGE, INTERRUPTED, PIPE_CLOSED = 2, 128 + signal.SIGINT, 128 + 13  # exit statuses, as shells know them
CANNOT_WRITE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS}

Result = TypeVar("Result")


class UserError(ValueError):
    """What was asked for cannot be done; the message is one sentence that says why and what to do."""


def command(main: Callable[..., Result]) -> Callable[..., Result]:
    """Decorates the `main` of a script.

    - Ctrl-C prints one line; the exit status is 130. Pressed again, it ends the process at once.
    - A reader that has gone, as in ``capmodel photos/ | head -1``, ends it quietly, with the status 141.
    - A `UserError` is told in its own sentence.
    - A file or folder that cannot be read or written is told in one sentence.
    - Characters that the terminal's encoding lacks are printed as escapes, such as ``\\xe9``.
    """

    @wraps(main)
    def run(*arguments: Any) -> Result:
        for stream in (sys.stdout, sys.stderr):
            with suppress(AttributeError):  # a stand-in, or None if the stream is closed
                stream.reconfigure(errors="backslashreplace")  # pyright: ignore[reportAttributeAccessIssue]
        with _interrupts() as interrupt:
            try:
                try:
                    return main(*arguments)
                finally:
                    if sys.stdout:
                        sys.stdout.flush()
            except BrokenPipeError:
                _abandon(sys.stdout)
                _abandon(sys.stderr)
                raise SystemExit(PIPE_CLOSED) from None
            except UserError as error:
                stop(str(error))
            except OSError as error:
                if interrupt.came or not (error.filename or error.errno in CANNOT_WRITE):
                    raise
                if not error.filename:
                    _abandon(sys.stdout)
                stop(f"{describe(error)}.", 1)

    return run


def stop(message: str, status: int = USAGE) -> NoReturn:
    """Ends the program with a message on one line.

    Raises:
        SystemExit: with the status.
        KeyboardInterrupt: after Ctrl-C, which some libraries turn into an exception of their own.
    """
    handler = signal.getsignal(signal.SIGINT)
    if isinstance(handler, _Interrupt) and handler.came:
        raise KeyboardInterrupt
    print(" ".join(message.split()), file=sys.stderr)
    raise SystemExit(status)


@contextmanager
def explained() -> Iterator[None]:
    """Ends the program with the message of an exception that finding or loading a model raises."""
    try:
        yield
    except (ValueError, OSError, RuntimeError) as error:
        stop(describe(error) + "." if isinstance(error, OSError) and error.filename else str(error))


def load_captioner(source: str | Path = "softmax", *, precision: str = "auto") -> "Captioner":
    """`Captioner.from_pretrained` for scripts: a model that cannot be loaded ends the program with one sentence."""
    with _interrupts_end_at_once():
        from capmodel.captioner import Captioner  # imported here because it loads slowly

    with explained():
        return Captioner.from_pretrained(source, precision=precision)


def describe(error: OSError) -> str:
    """Which file cannot be used, and why: a sentence without its full stop."""
    reason = error.strerror or str(error)
    return f"{printable(error.filename)}: {reason}" if error.filename else f"The output cannot be written: {reason}"


def printable(name: object) -> str:
    """A file's name on one line, with escapes for bytes that are not text and characters that control terminals."""
    text = os.fsdecode(name) if isinstance(name, bytes) else str(name)
    return "".join(_escape(character) for character in text)


def whole_number(least: int, most: int | None = None) -> Callable[[str], int]:
    """The type of an argument: a whole number within limits."""
    limits = f"of at least {least}" if most is None else f"from {least} to {most}"

    def parse(text: str) -> int:
        if not re.fullmatch("[+-]?[0-9]{1,18}", text) or not least <= int(text) <= (most or int(text)):
            raise argparse.ArgumentTypeError(f"must be a whole number {limits}, not {text}")
        return int(text)

    return parse


class _Interrupt:
    """Takes Ctrl-C, whatever it hits: an import, a callback of a library, a thread's end."""

    came = False

    def __call__(self, *_: object) -> None:
        if self.came:  # pressed again, while threads or files are being closed
            os._exit(INTERRUPTED)
        self.came = True
        raise KeyboardInterrupt


@contextmanager
def _interrupts() -> Iterator[_Interrupt]:
    interrupt = _Interrupt()
    signal_before, unraisable = signal.getsignal(signal.SIGINT), sys.unraisablehook
    if threading.current_thread() is not threading.main_thread() or signal_before in (signal.SIG_IGN, None):
        yield interrupt
        return

    def in_a_callback(error: Any) -> None:
        if not interrupt.came:
            unraisable(error)
        elif isinstance(error.exc_value, KeyboardInterrupt):  # it is lost there: raise it again, once that has returned
            interrupt.came = False
            threading.Timer(0.05, os.kill, [os.getpid(), signal.SIGINT]).start()

    signal.signal(signal.SIGINT, interrupt)
    sys.unraisablehook = in_a_callback
    try:
        yield interrupt
    except BaseException:
        # Not KeyboardInterrupt alone: an extension interrupted while it is imported raises an ImportError, for example.
        if not interrupt.came:
            raise
        _say_stopped()
        raise SystemExit(INTERRUPTED) from None
    finally:
        if not interrupt.came:  # else the process is about to end, and may be interrupted again
            signal.signal(signal.SIGINT, signal_before)
            sys.unraisablehook = unraisable


def end_on_interrupt() -> None:
    """Lets Ctrl-C end the process at once, with one line: for imports, which take long and leave nothing behind.

    An exception would not do: extensions that are interrupted while they are imported swallow it, or abort.
    """

    def end(*_: object) -> None:
        _say_stopped()
        os._exit(INTERRUPTED)

    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, end)


@contextmanager
def _interrupts_end_at_once() -> Iterator[None]:
    """`end_on_interrupt` for a while."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before is None:
        yield
        return
    end_on_interrupt()
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _say_stopped() -> None:
    with suppress(OSError, AttributeError):
        beside = "\n" if sys.stderr.isatty() else ""  # the terminal has just written ^C
        print(f"{beside}Stopped.", file=sys.stderr, flush=True)


def _abandon(stream: Any) -> None:
    """Discards what is left in a stream that nobody reads, so that Python does not complain of it when it ends."""
    with suppress(OSError, AttributeError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _escape(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # a byte that is not text, as Python decodes names
        return f"\\x{ord(character) - 0xDC00:02x}"
    unprintable = unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")
    return character.encode("unicode_escape").decode() if unprintable else character
