"""Fixtures of the page's tests."""

import pytest
from support.samples import PHOTOS
from support.web import captions, upload

SURFER = PHOTOS / "surfer-standing-on-beach.jpg"


@pytest.fixture(scope="session")
def measured(captioner):
    """The caption of the surfer, with its evidence."""
    [caption] = captioner([SURFER], evidence=True)
    return caption


@pytest.fixture
def surfer(page, measured):
    """The page with one photo in the player, and the caption that it must show."""
    upload(page, SURFER)
    captions(page, 1)
    page.wait_for_function("document.querySelector('.frame img').naturalWidth > 0")
    page.caption = measured
    return page
