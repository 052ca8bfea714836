"""What axe-core finds in the player."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page


def serious(page: Page, context: str = "#player") -> list[str]:
    """What axe-core finds serious in the player, which is what this project draws."""
    options = {"resultTypes": ["violations"]}  # else it describes every element with which all is well, too
    found = Axe().run(page, context=context, options=options).response["violations"]
    return [
        f"{each['id']}: {node['html'][:120]}"
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]
