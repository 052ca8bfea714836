"""What can go wrong on the server; each message is the sentence that the visitor reads."""

import errno

FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}  # Windows has no quota error


class PhotoGone(LookupError):
    """The photo is not, or no longer, on the server. The browser may send it again."""

    def __init__(self) -> None:
        super().__init__("This photo is no longer on the server.")


class Refused(Exception):
    """The server declines a request for now; the message is one plain sentence that says why."""


class ServerClosing(Refused):
    """The server is shutting down."""

    def __init__(self) -> None:
        super().__init__("The server is shutting down; please try again in a minute.")


def describe_os_error(error: OSError) -> str:
    """One sentence without paths: visitors must not see the server's folders."""
    if error.errno in FULL:
        return "The server's disk is full; please try again later."
    return "The server could not read or write a file; please try again later."
