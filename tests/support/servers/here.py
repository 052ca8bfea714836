"""The page in the test's own process, where its parts can be replaced."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from capmodel import Captioner


@contextmanager
def serve_here(captioners: Sequence[Captioner], **options) -> Iterator[str]:
    """Starts the page, yields its address, and closes it.

    Args:
        captioners: with a shared backbone, as those of `Captioner.family`.
        options: of `app.build_app`.
    """
    from app import build_app

    app, launch = build_app(captioners, **options)
    try:
        _, address, _ = app.launch(**launch, server_name="127.0.0.1", prevent_thread_lock=True, quiet=True)
        yield address
    finally:
        app.close()
