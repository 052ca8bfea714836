"""Models on the Hugging Face Hub, through its own client: published, fetched, and what goes wrong on the way."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import ModelCard, constants
from support.samples import PHOTOS
from support.servers.hub import point_at, settings

from capmodel import Captioner, DecodeOptions
from capmodel.__main__ import main
from capmodel.hub import HubError, download, upload

PHOTO = PHOTOS / "soccer-players.jpg"
REPO = "someone/captioner"


@pytest.fixture
def published(hub, tiny_captioner):
    """The stand-in, with the tiny captioner as someone/captioner."""
    tiny_captioner.push_to_hub(REPO)
    hub.requests.clear()
    return hub


def says(captioner: Captioner) -> dict:
    return captioner([PHOTO], DecodeOptions(max_tokens=8))[0].as_dict()


def blobs(tmp_path: Path) -> list[Path]:
    """What is in the client's cache."""
    return sorted(tmp_path.glob("home/hub/models--someone--captioner/blobs/*"))


def test_what_was_published_says_the_same(hub, tiny_captioner, tmp_path):
    assert tiny_captioner.push_to_hub(REPO, private=True) == f"{hub.address}/{REPO}"
    repository = hub.repositories[f"models/{REPO}"]
    assert repository.private
    assert repository.commits == 1
    assert repository.large == {"model.safetensors", "tokenizer.model"}
    tiny_captioner.save_pretrained(tmp_path / "local")
    assert repository.files.items() >= {f.name: f.read_bytes() for f in (tmp_path / "local").iterdir()}.items()
    assert says(Captioner.from_pretrained(REPO)) == says(Captioner.from_pretrained(tmp_path / "local"))


def test_a_model_without_its_backbone_is_published_whole(hub, tiny_captioner, tmp_path):
    tiny_captioner.save_pretrained(tmp_path / "base")
    tiny_captioner.model.save(tmp_path / "small", base="base")
    small = Captioner.from_pretrained(tmp_path / "small")
    small.push_to_hub(REPO)
    assert says(Captioner.from_pretrained(REPO)) == says(small)


def test_the_card_travels_with_the_model(hub, tiny_captioner, tmp_path):
    tiny_captioner.push_to_hub(REPO)
    short = hub.repositories[f"models/{REPO}"].files["README.md"].decode()
    assert f'from_pretrained("{REPO}")' in short
    data = ModelCard(short).data
    assert (data.library_name, data.pipeline_tag) == ("capmodel", "image-to-text")

    tiny_captioner.save_pretrained(tmp_path / "model")
    assert not (tmp_path / "model" / "README.md").exists()
    (tmp_path / "model" / "README.md").write_text("---\nlanguage: en\n---\n# Überraschung\n", encoding="utf-8")
    Captioner.from_pretrained(tmp_path / "model").push_to_hub(REPO)
    fetched = Captioner.from_pretrained(REPO)
    assert fetched.card == "---\nlanguage: en\n---\n# Überraschung\n"
    assert Captioner(fetched.model, fetched.tokenizer).card is None


def test_the_second_time_it_comes_from_the_cache(published, tmp_path, monkeypatch):
    first = says(Captioner.from_pretrained(REPO))
    assert sum(request.startswith("GET /someone") for request in published.requests) == 4
    published.requests.clear()
    assert says(Captioner.from_pretrained(REPO)) == first
    assert published.requests == [f"GET /api/models/{REPO}/revision/main"]
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)  # as app.py sets it
    published.requests.clear()
    assert says(Captioner.from_pretrained(REPO)) == first
    assert published.requests == []


def test_a_lost_download_goes_on_in_the_middle(published, monkeypatch):
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1000)  # of the 10 MB that are usual nothing would be kept
    half = len(published.repositories[f"models/{REPO}"].files["model.safetensors"]) // 2
    published.lose("GET /someone/captioner/resolve/.*/model.safetensors")
    Captioner.from_pretrained(REPO)  # compares the SHA-256
    assert published.ranges == [f"bytes={half // 1000 * 1000}-"]


def test_a_failed_download_leaves_nothing_half_done(published, tmp_path):
    published.lose("HEAD /someone/captioner/resolve/.*/model.safetensors")
    with pytest.raises(FileNotFoundError, match=r"the connection failed .*; run it again") as failure:
        Captioner.from_pretrained(REPO)
    assert "\n" not in str(failure.value)
    assert str(failure.value).endswith(".")
    assert not [blob for blob in blobs(tmp_path) if blob.suffix]
    Captioner.from_pretrained(REPO)
    assert len(blobs(tmp_path)) == 4


def test_no_network_at_all_is_explained(published, monkeypatch, tmp_path):
    point_at("http://127.0.0.1:9", tmp_path / "home", monkeypatch)
    with pytest.raises(FileNotFoundError, match="the connection failed"):
        Captioner.from_pretrained(REPO)


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.model"])
def test_a_damaged_file_is_not_taken(published, tmp_path, name):
    published.damaged.add(name)
    with pytest.raises(FileNotFoundError, match=f"{name} is damaged"):
        Captioner.from_pretrained(REPO)
    assert len(blobs(tmp_path)) == 3
    published.damaged.clear()
    Captioner.from_pretrained(REPO)
    assert len(blobs(tmp_path)) == 4


def test_a_file_that_was_damaged_in_the_cache_is_fetched_again(published, tmp_path):
    Captioner.from_pretrained(REPO)
    weights = max(blobs(tmp_path), key=lambda blob: blob.stat().st_size)
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(FileNotFoundError, match=r"model\.safetensors is damaged"):
        Captioner.from_pretrained(REPO)
    Captioner.from_pretrained(REPO)
    assert weights.read_bytes() == whole


@pytest.mark.parametrize(
    ("token", "repo", "reason"),
    [
        ("hf_of_someone", "someone/else", "someone/else is not there, or is private"),
        ("hf_of_nobody", "someone/secret", "someone/secret is not there, or is private"),
        ("hf_wrong", REPO, "it does not know the token; run `hf auth login` again, or correct HF_TOKEN"),
    ],
)
def test_what_cannot_be_fetched_is_explained(published, monkeypatch, tiny_captioner, token, repo, reason):
    tiny_captioner.push_to_hub("someone/secret", private=True)
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(FileNotFoundError, match=f"There is no model '{repo}'.*: {reason}") as failure:
        Captioner.from_pretrained(repo)
    assert "\n" not in str(failure.value)


def test_offline_it_is_not_asked(published, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(FileNotFoundError, match="set HF_HUB_OFFLINE=0"):
        Captioner.from_pretrained(REPO)
    assert published.requests == []


@pytest.mark.parametrize(
    ("token", "repo", "reason"),
    [
        ("", REPO, "run `hf auth login`, or set HF_TOKEN"),
        ("hf_wrong", REPO, "it does not know the token"),
        ("hf_of_nobody", REPO, "the token may not write to someone/captioner"),  # it is there
        ("hf_of_nobody", "someone/new", "the token may not write to someone/new"),
        ("hf_of_someone", "someone//new", "someone//new"),
    ],
)
def test_what_cannot_be_published_is_explained(published, monkeypatch, tiny_captioner, token, repo, reason):
    before = dict(published.repositories[f"models/{REPO}"].files)
    monkeypatch.setenv("HF_TOKEN", token)
    tiny_captioner.card = "changed"
    with pytest.raises(HubError, match=reason) as failure:
        tiny_captioner.push_to_hub(repo)
    assert "\n" not in str(failure.value)
    assert list(published.repositories) == [f"models/{REPO}"]
    assert published.repositories[f"models/{REPO}"].files == before


def test_a_token_can_be_given(published, monkeypatch, tiny_captioner):
    monkeypatch.delenv("HF_TOKEN")
    tiny_captioner.push_to_hub("nobody/captioner", token="hf_of_nobody")
    assert "models/nobody/captioner" in published.repositories


@pytest.mark.parametrize("lost", ["POST /api/repos/create", "POST .*/preupload/", "PUT WEIGHTS", "POST .*/commit/main"])
def test_a_lost_upload_goes_on_with_what_is_missing(hub, monkeypatch, tiny_captioner, tmp_path, lost):
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)
    tiny_captioner.save_pretrained(tmp_path / "model")
    weights = hashlib.sha256((tmp_path / "model" / "model.safetensors").read_bytes()).hexdigest()
    hub.lose(lost.replace("WEIGHTS", f"/put/{weights}"), times=6)  # some requests the client repeats five times
    with pytest.raises(HubError, match=r"the connection failed .*; run it again") as failure:
        tiny_captioner.push_to_hub(REPO)
    assert "\n" not in str(failure.value)
    assert len(hub.objects) == {"PUT WEIGHTS": 1, "POST .*/commit/main": 2}.get(lost, 0)
    missing = 2 - len(hub.objects)
    hub.losses.clear()
    hub.requests.clear()
    tiny_captioner.push_to_hub(REPO)
    assert sum(request.startswith("PUT") for request in hub.requests) == missing
    assert len(hub.repositories[f"models/{REPO}"].files) == 4


def test_the_same_again_commits_nothing(published, tiny_captioner):
    tiny_captioner.push_to_hub(REPO)
    assert not [request for request in published.requests if request.startswith("PUT") or "/commit/" in request]


def test_a_card_that_the_hub_does_not_take_is_explained(published):
    space = {"README.md": b"---\nsdk: gradio\ncolorFrom: mauve\n---\n", "app.py": b""}
    with pytest.raises(HubError, match=r"Invalid metadata in README\.md.*no such color"):
        upload(space, "someone/page", repo_type="space")


def test_what_has_gone_from_an_uploaded_folder_goes_there_too(hub):
    upload({"a/one.txt": b"1", "a/two.txt": b"2", "b/three.txt": b"3", "four.txt": b"4"}, REPO)
    upload({"a/one.txt": b"1", "five.txt": b"5"}, REPO)
    assert set(hub.repositories[f"models/{REPO}"].files) == {"a/one.txt", "b/three.txt", "four.txt", "five.txt"}


def test_only_the_files_of_a_model_are_fetched(published):
    published.repositories[f"models/{REPO}"].files["pickle.bin"] = b"no"
    folder = download(REPO, ["*.json", "*.safetensors"])
    assert {file.name for file in folder.iterdir()} == {"config.json", "model.safetensors"}


def test_from_the_command_line(published, tiny_captioner, tmp_path, capsys):
    """In a process of its own the client reads HF_ENDPOINT itself."""
    done = subprocess.run(
        [sys.executable, "-m", "capmodel", "--model", REPO, PHOTO],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **settings(published.address, tmp_path / "other")},
    )
    assert done.returncode == 0, done.stderr
    tiny_captioner.save_pretrained(tmp_path / "local")
    assert main(["--model", str(tmp_path / "local"), str(PHOTO)]) == 0
    assert done.stdout == capsys.readouterr().out != ""
    with pytest.raises(SystemExit) as end:
        main(["--model", "someone/else", str(PHOTO)])
    assert end.value.code == 2
    assert "There is no model 'someone/else'" in capsys.readouterr().err
