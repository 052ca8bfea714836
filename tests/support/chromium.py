"""Headless Chromium, as tests, benchmarks and soak tests start it.

Best is Debian's chromium-headless-shell, the same browser without windows of its own: a page takes a quarter less of a
processor in it.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Browser, BrowserType

# Chromium 156 loads two pages of its own for every window, for what drops down from the address bar. They take half a
# second of a processor, as much as the window itself. The list replaces Playwright's own, of which the last five are kept.
UNUSED = "WebUIOmniboxPopup,WebUIOmniboxAimPopup,HttpsUpgrades,LensOverlay,MediaRouter,OptimizationHints,PaintHolding"
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    f"--disable-features={UNUSED}",
    "--use-fake-ui-for-media-stream",  # a camera without a camera
    "--use-fake-device-for-media-stream",
)


def installed(browsers: BrowserType) -> bool:
    return _binary() is not None or Path(browsers.executable_path).exists()


def launch(browsers: BrowserType, *arguments: str, without: Sequence[str] = ()) -> Browser:
    """The system's Chromium, or else Playwright's own.

    Args:
        arguments: more than the usual ones.
        without: which of the usual ones are left out.
    """
    usual = [argument for argument in ARGUMENTS if argument not in without]
    return browsers.launch(executable_path=_binary(), args=[*usual, *arguments])


def _binary() -> str | None:
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    return next(filter(None, map(shutil.which, names)), None)
