"""The Hugging Face Hub: downloads and verifies models, uploads files, and turns each failure into one sentence."""

import hashlib
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, errors, get_token, snapshot_download

# What the Hub's client raises. HTTPError is from httpx, or httpx2 in newer versions: no connection, or a lost one.
_HTTPError = errors.HTTPError  # pyright: ignore[reportPrivateImportUsage]  # the only place that serves both versions
_PROXY_FAILURES = (ImportError, sys.modules[_HTTPError.__module__.partition(".")[0]].InvalidURL)
FAILURES = (_HTTPError, OSError, RuntimeError, ValueError, *_PROXY_FAILURES)


class HubError(Exception):
    """A download or upload failed; the message is one sentence that says why and what to do."""


def download(repo_id: str, patterns: Iterable[str]) -> Path:
    """Downloads the newest files of a model repository, unless they are in the cache already.

    The Hub publishes the SHA-256 of large files, including weights, but its client compares sizes only. Here
    the content is verified each time, which takes 0.03 s for 46 MB. A file that differs is deleted.

    Args:
        repo_id: ``"owner/name"``.
        patterns: patterns for file names, such as ``"*.json"``.

    Returns:
        The folder with the files, in the Hub's cache.

    Raises:
        HubError: the download failed, or a file is damaged.
    """
    try:
        folder = Path(snapshot_download(repo_id, allow_patterns=list(patterns)))
    except FAILURES as error:
        raise HubError(explain(error, repo_id)) from error
    for file in folder.iterdir():
        _verify(file)
    return folder


def upload(
    files: Mapping[str, Path | bytes],
    repo_id: str,
    *,
    repo_type: str = "model",
    space_sdk: str = "gradio",
    private: bool | None = None,
    token: str | None = None,
) -> str:
    """Uploads files to a repository in one commit.

    Unchanged files are not sent again. Other files in the repository stay, except in the folders that are
    uploaded: there, files that no longer exist here are deleted.

    Args:
        files: the files to upload, by their path in the repository.
        repo_id: ``"owner/name"``; created if it does not exist.
        repo_type: "model" or "space".
        space_sdk: what runs a new Space: "gradio", or "static" for files alone.
        private: whether only its owner can see a new repository; None: the owner's default.
        token: of an account that may write there; None: from ``hf auth login`` or ``HF_TOKEN``.

    Returns:
        The address of the repository's page.

    Raises:
        HubError: the upload failed.
    """
    if not (token or get_token()):
        raise HubError("The Hugging Face Hub needs to know who you are: run `hf auth login`, or set HF_TOKEN.")
    api = HfApi(token=token)
    sdk = space_sdk if repo_type == "space" else None
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
    except FAILURES as error:
        raise HubError(f"Uploading {repo_id} to the Hugging Face Hub failed: {explain(error, repo_id)}.") from error
    return str(address)


def _verify(file: Path) -> None:
    # In the cache a file is a link to its content, which the Hub named: large files after their SHA-256. On file
    # systems without links there is nothing to compare with.
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


def explain(error: Exception, repo_id: str) -> str:
    """Why the Hub's client failed, and what to do: part of a sentence, without its full stop."""
    if isinstance(error, RuntimeError | errors.LocalEntryNotFoundError) and isinstance(error.__cause__, Exception):
        error = error.__cause__  # it says only which file failed, or that the cache lacks it too
    status = error.response.status_code if isinstance(error, errors.HfHubHTTPError) else None
    if isinstance(error, errors.OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE forbids contacting it; set HF_HUB_OFFLINE=0"
    if isinstance(error, errors.GatedRepoError):
        return f"access to {repo_id} must be requested on its page; request it there, then run `hf auth login`"
    if isinstance(error, errors.RepositoryNotFoundError):
        return f"{repo_id} is not there, or is private; correct the name, or `hf auth login` to an account with access"
    if status == 401:
        return "it does not know the token; run `hf auth login` again, or correct HF_TOKEN"
    if status == 403:
        return f"the token may not write to {repo_id}; use a token with write access, from an account that owns it"
    if isinstance(error, _PROXY_FAILURES) or "proxy" in str(error).lower():
        reason = str(error).strip().rstrip(".")
        return f"it cannot use the proxy that HTTPS_PROXY or ALL_PROXY names ({reason}); correct or unset the variable"
    if status is None and isinstance(error, _HTTPError | ConnectionError):
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        return f"the connection failed ({reason}); run it again to fetch or send the missing files"
    return " ".join(str(error).split()).rstrip(".")
