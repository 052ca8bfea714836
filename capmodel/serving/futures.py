"""Waiting for a thread's result without keeping another thread."""

import asyncio
from concurrent.futures import Future
from typing import TypeVar

from capmodel.serving.errors import ServerClosing

Result = TypeVar("Result")


async def result_of(future: "Future[Result]") -> Result:
    """The result, when it is there. A caller that is cancelled takes it from nobody else who waits for it.

    Raises:
        ServerClosing: nobody works on it any more.
    """
    try:
        return await asyncio.shield(asyncio.wrap_future(future))
    except asyncio.CancelledError:
        if future.cancelled():
            raise ServerClosing from None
        raise
