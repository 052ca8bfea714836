"""What axe-core finds in the player."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page


def serious(page: Page, context: str = "#player") -> list[str]:
    """What axe-core finds serious in the player, which is what this project draws."""
    found = Axe().run(page, context=context).response["violations"]
    return [
        f"{each['id']}: {node['html'][:120]}"
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]
