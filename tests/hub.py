"""A stand-in for the Hugging Face Hub on this machine: serves the files of a folder as one model repository."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@contextmanager
def serve_hub(repo: str, folder: Path) -> Iterator[str]:
    """Yields the address to use as ``HF_ENDPOINT``. Any other repository is unknown there."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self._answer(with_body=True)

        def do_HEAD(self):
            self._answer(with_body=False)

        def _answer(self, with_body: bool) -> None:
            path = self.path.partition("?")[0]
            files = {f"/{repo}/resolve/{COMMIT}/{file.name}": file for file in folder.iterdir()}
            if path == f"/api/models/{repo}/revision/main":
                siblings = [{"rfilename": file.name} for file in files.values()]
                body, status = json.dumps({"id": repo, "sha": COMMIT, "siblings": siblings}).encode(), 200
            elif path == f"/api/models/{repo}/tree/{COMMIT}":
                tree = [
                    {"type": "file", "path": file.name, "size": file.stat().st_size, "oid": COMMIT}
                    for file in files.values()
                ]
                body, status = json.dumps(tree).encode(), 200
            elif path in files:
                body, status = files[path].read_bytes(), 200
            else:
                body, status = b'{"error": "Repository not found"}', 404
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
            if status == 404:
                self.send_header("X-Error-Code", "RepoNotFound")
            self.end_headers()
            if with_body:
                self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
