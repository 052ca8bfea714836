"""What can go wrong on the server, and the one sentence that a visitor reads about it."""

import errno


class PhotoGone(LookupError):
    """The photo is not, or no longer, on the server; whoever has it may send it again."""

    def __init__(self) -> None:
        super().__init__("This photo is no longer on the server.")


class Refused(Exception):
    """The server does not do it now; the message is one plain sentence that says why."""


class ServerClosing(Refused):
    """The server is on its way down."""

    def __init__(self) -> None:
        super().__init__("The server is shutting down; please try again in a minute.")


def describe_os_error(error: OSError) -> str:
    """One sentence without paths, for somebody who cannot see the server."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "The server's disk is full; please try again later."
    return "The server could not read or write a file; please try again later."
