"""Requests to a page, each over a connection of its own, as from different visitors.

`httpx.get` would do the same, but reads the certificates of all authorities each time, which takes longer than most requests.
"""

import httpx

_client = httpx.Client(limits=httpx.Limits(max_connections=None, max_keepalive_connections=0))
get, post = _client.get, _client.post
