"""What keeps a Space alive: its head fits the project, and a scheduled check sees whether it still works."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from support.samples import PHOTOS, ROOT
from support.servers import http

from app import main
from train.release.publish import SPACE, project_files


def test_the_check_captions_a_photo(captioners, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["app.py", "--check"])
    main()
    photo = min(PHOTOS.glob("*.jpg"))
    expected = [f"{photo.name}, {each.attention_kind}: {each([photo])[0].text}" for each in captioners]
    assert capsys.readouterr().out.splitlines() == expected


def test_the_check_fails_where_the_model_is_missing(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(sys, "argv", ["app.py", "--check", "--model", str(tmp_path)])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code != 0
    assert "is not a model folder" in capsys.readouterr().err


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


def test_it_runs_from_a_read_only_folder_on_the_port_that_the_space_names(tmp_path):
    """With the files that are published, and no other of the project."""
    folder = tmp_path / "space"
    for name, source in project_files(SPACE).items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = listing(folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # Python itself would write .pyc files there, where it may; root may.
    environment = {**os.environ, "GRADIO_SERVER_PORT": str(port), "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("PYTHONPATH", None)
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen([sys.executable, "app.py"], cwd=folder, env=environment, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}/"
    try:
        caption = ask(address, server)
        answer = http.post(f"{address}photo", content=(PHOTOS / "soccer-players.jpg").read_bytes(), timeout=60).json()
        assert http.get(address).status_code == 200
    finally:
        server.terminate()
        server.wait(30)
    assert caption["words"], (tmp_path / "log").read_text()
    assert answer["captions"][0]["words"][0]["text"].isalpha()
    assert listing(folder) == before


def listing(folder: Path) -> dict[str, int]:
    """When each file was last changed, but for the stubs that Gradio writes where it may, as root always may."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyi")
    return {str(path): path.stat().st_mtime_ns for path in files}


def ask(address: str, server: subprocess.Popen) -> dict:
    """A caption, as soon as the page answers."""
    for _ in range(600):
        try:
            urllib.request.urlopen(address).close()
            break
        except OSError:
            assert server.poll() is None, "the page did not start"
            time.sleep(0.2)
    photo = handle_file(min(PHOTOS.glob("*.jpg")))
    return Client(address, verbose=False).predict(photo, "softmax", api_name="/caption")
