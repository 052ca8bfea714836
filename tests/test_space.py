"""What keeps a Space alive: its head fits the project, and a scheduled check sees whether it still works."""

import re
import subprocess
import sys
from pathlib import Path

from conftest import PHOTOS

ROOT = Path(__file__).parent.parent


def test_the_check_captions_a_photo(captioners):
    done = subprocess.run(
        [sys.executable, "app.py", "--check"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True
    )
    photo = min(PHOTOS.glob("*.jpg"))
    expected = [f"{photo.name}, {each.attention}: {each([photo])[0].text}" for each in captioners]
    assert done.stdout.splitlines() == expected


def test_the_check_fails_where_the_model_is_missing(tmp_path):
    command = [sys.executable, "app.py", "--check", "--model", tmp_path]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode != 0
    assert "is not a model folder" in done.stderr


def test_the_head_of_the_readme_fits_the_project():
    head = dict(
        re.findall(r"^(\w+): \"?([^\"\n]+)\"?$", (ROOT / "README.md").read_text().split("---")[1], re.MULTILINE)
    )
    assert head["sdk"] == "gradio"
    assert (ROOT / head["app_file"]).is_file()
    [pinned] = re.findall(r"^gradio\S*==([\d.]+)\*", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert head["sdk_version"].startswith(pinned)
    minimum = re.search(r'requires-python = ">=([\d.]+)"', (ROOT / "pyproject.toml").read_text())[1]
    assert tuple(map(int, head["python_version"].split("."))) >= tuple(map(int, minimum.split(".")))
