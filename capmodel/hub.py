"""The Hugging Face Hub: downloads models and checks them, uploads files; whatever goes wrong becomes one sentence."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, errors, get_token, snapshot_download

CARD = "README.md"
# What its client raises. HTTPError is that of httpx, or of httpx2 in newer versions: no connection, or a lost one.
_HTTPError = errors.HTTPError  # pyright: ignore[reportPrivateImportUsage]  # it is nowhere else for both versions
_FAILURES = (_HTTPError, OSError, RuntimeError, ValueError)


class HubError(Exception):
    """The Hub could not give or take something; the message is a sentence that says why and what to do."""


def download(repo_id: str, patterns: Iterable[str]) -> Path:
    """Downloads the newest files of a model repository, those that are not in the cache yet.

    The Hub tells the SHA-256 of large files, weights among them, but its client compares sizes only. Here
    the content is compared each time, which takes 0.03 s for 46 MB. A file that differs is deleted.

    Args:
        repo_id: ``"owner/name"``.
        patterns: of the names of the files, such as ``"*.json"``.

    Returns:
        The folder with the files, in the Hub's cache.

    Raises:
        HubError: it could not be downloaded, or a file is damaged.
    """
    try:
        folder = Path(snapshot_download(repo_id, allow_patterns=list(patterns)))
    except _FAILURES as error:
        raise HubError(_explain(error, repo_id)) from error
    for file in folder.iterdir():
        _verify(file)
    return folder


def upload(
    files: Mapping[str, Path | bytes],
    repo_id: str,
    *,
    repo_type: str = "model",
    private: bool | None = None,
    token: str | None = None,
) -> str:
    """Makes a repository hold these files, in one commit.

    Files that are there already are not sent again. Others stay, but for those in the folders that are
    uploaded: what has gone from them here goes there too.

    Args:
        files: what to upload, by its path in the repository.
        repo_id: ``"owner/name"``; the repository is made if it is not there.
        repo_type: "model" or "space" (a Gradio one).
        private: of a new repository: whether only its owner sees it; None: as the owner prefers.
        token: of an account that may write there; None: that of ``hf auth login``, or ``HF_TOKEN``.

    Returns:
        The address of the repository's page.

    Raises:
        HubError: the Hub did not take it.
    """
    if not (token or get_token()):
        raise HubError("The Hugging Face Hub asks who you are: run `hf auth login`, or set HF_TOKEN.")
    api = HfApi(token=token)
    sdk = "gradio" if repo_type == "space" else None
    folders = {name.partition("/")[0] for name in files if "/" in name}
    try:
        address = api.create_repo(repo_id, repo_type=repo_type, space_sdk=sdk, private=private, exist_ok=True)
        there = api.list_repo_files(repo_id, repo_type=repo_type)
        gone = [name for name in there if name.partition("/")[0] in folders and name not in files]
        api.create_commit(
            repo_id,
            repo_type=repo_type,
            operations=[
                *(CommitOperationAdd(name, content) for name, content in files.items()),
                *(CommitOperationDelete(name) for name in gone),
            ],
            commit_message="Upload with capmodel",
        )
    except _FAILURES as error:
        raise HubError(f"The Hugging Face Hub did not take {repo_id}: {_explain(error, repo_id)}.") from error
    return str(address)


def short_card(repo_id: str, attention: str) -> str:
    """A model card for a model that nobody has described yet: Markdown with the Hub's YAML head."""
    return f"""---
library_name: capmodel
pipeline_tag: image-to-text
tags:
  - image-captioning
  - attention
---

# {repo_id.partition("/")[2]}

Writes a caption of a photo and shows, word by word, where in the photo it looked ({attention} attention).

```python
from capmodel import Captioner

print(Captioner.from_pretrained("{repo_id}")(["photo.jpg"])[0].text)
```

What it was trained on, how well it does and what it must not be used for has not been written down yet.
"""


def _verify(file: Path) -> None:
    # In the cache a file is a link to its content, which has the name that the Hub gave it: for large files
    # their SHA-256. Where there are no links (on some file systems) nothing can be compared.
    if not file.is_symlink():
        return
    blob = file.parent / file.readlink()
    if not re.fullmatch("[0-9a-f]{64}", blob.name):
        return
    with blob.open("rb") as content:
        found = hashlib.file_digest(content, "sha256").hexdigest()
    if found != blob.name:
        file.unlink()
        blob.unlink()
        raise HubError(f"{file.name} is damaged (its SHA-256 is not the Hub's) and was deleted; download it again")


def _explain(error: Exception, repo_id: str) -> str:
    """The reason why the Hub's client failed, and what to do: a part of a sentence, without its full stop."""
    if isinstance(error, RuntimeError | errors.LocalEntryNotFoundError) and isinstance(error.__cause__, Exception):
        error = error.__cause__  # it only tells which file it was about, or that the cache does not have it either
    status = error.response.status_code if isinstance(error, errors.HfHubHTTPError) else None
    if isinstance(error, errors.OfflineModeIsEnabled):
        return "it may not be asked while HF_HUB_OFFLINE is set; set HF_HUB_OFFLINE=0"
    if isinstance(error, errors.GatedRepoError):
        return f"its owner gives {repo_id} only to people who ask on its page; ask there, then run `hf auth login`"
    if isinstance(error, errors.RepositoryNotFoundError):
        return f"{repo_id} is not there, or is private; correct the name, or run `hf auth login` as one who may see it"
    if status == 401:
        return "it does not know the token; run `hf auth login` again, or correct HF_TOKEN"
    if status == 403:
        return f"the token may not write to {repo_id}; use a token with the right to write, of an account that owns it"
    if status is None and isinstance(error, _HTTPError | ConnectionError):
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        return f"the connection failed ({reason}); run it again, and it goes on with the files that are missing"
    return " ".join(str(error).split()).rstrip(".")
