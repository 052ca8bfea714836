"""Programs that pip cannot install."""

import os

import pytest


def require(found: bool, sentence: str) -> None:
    """Skips where a program that pip cannot install is missing; in CI that is a failure."""
    if not found:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(sentence)
