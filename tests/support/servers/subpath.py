"""A reverse proxy that serves a page below a path, as people put several programs behind one address."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

# Those of the connection, not of the message.
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "upgrade", "te", "trailer"}


@contextmanager
def serve_below(path: str, page: str, *, strip: bool) -> Iterator[str]:
    """Serves the page at the address `page` below `path`. Yields its new address.

    Args:
        strip: whether the path is taken off before the page is asked, as nginx does if told so.
    """
    client = httpx.AsyncClient(base_url=page, timeout=60, trust_env=False)

    async def forward(request: Request) -> Response:
        if request.url.path == "/favicon.ico":  # browsers ask for it at the root, whatever a page says
            return Response(status_code=204)
        if not request.url.path.startswith(f"{path}/"):
            return Response("There is nothing here.", 404)
        target = request.url.path.removeprefix(path) if strip else request.url.path
        headers = [(name, value) for name, value in request.headers.raw if name.decode() not in HOP_BY_HOP]
        # With the host that the visitor asked for, as `proxy_set_header Host $http_host`.
        url = httpx.URL(page).copy_with(raw_path=f"{target}?{request.url.query}".rstrip("?").encode())
        body = request.stream() if request.method == "POST" else None
        answer = await client.send(
            client.build_request(request.method, url, headers=headers, content=body), stream=True
        )
        kept = {name: value for name, value in answer.headers.items() if name not in HOP_BY_HOP}
        return StreamingResponse(answer.aiter_raw(), answer.status_code, kept, background=BackgroundTask(answer.aclose))

    application = Starlette(routes=[Route("/{path:path}", forward, methods=["GET", "HEAD", "POST"])])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(application, port=port, log_level="error", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{port}{path}/"
    server.should_exit = True
    thread.join(10)
