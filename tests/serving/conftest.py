"""A server's folder, which its tests must leave empty."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from capmodel.serving.storage.folders import ServerFolder


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerFolder]:
    folder = ServerFolder(tmp_path)
    yield folder
    folder.close()
    assert list(tmp_path.iterdir()) == []
