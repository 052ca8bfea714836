"""Prepares this process for Gradio: before Gradio is imported, since it reads the environment when it is."""

import argparse
import errno
import ipaddress
import os
import socket
import sys
import tempfile
from collections.abc import MutableMapping
from importlib import import_module

from capmodel.command_line import stop
from capmodel.serving.storage.folders import ServerFolder, server_folder

HOST = "127.0.0.1"  # Gradio's default: this machine alone
FIRST_PORT, PORTS = 7860, 100  # Gradio's defaults: the first that is free of so many
MOST_PORTS = 65535
LOCAL = ("localhost", HOST, "::1")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


def prepare_environment() -> None:
    """Lets Gradio contact no other server, keep uploads in this server's private folder, and reach its own page."""
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ["GRADIO_TEMP_DIR"] = str(_server_folder().path / "gradio")
    exclude_localhost(os.environ)
    for message in drop_unusable_proxies(os.environ):
        if os.environ["HF_HUB_OFFLINE"].upper() not in ("1", "ON", "YES", "TRUE"):  # else nobody is contacted at all
            print(message, file=sys.stderr)


def exclude_localhost(environment: MutableMapping[str, str]) -> None:
    """Takes this machine out of what goes through a proxy: Gradio asks its own page whether it is there."""
    given = ",".join(environment.get(name, "") for name in ("no_proxy", "NO_PROXY")).split(",")
    hosts = [*(host.strip() for host in given), *LOCAL, environment.get("GRADIO_SERVER_NAME", "")]
    readable = dict.fromkeys(host for host in hosts if host and _is_readable(host))
    environment["NO_PROXY"] = environment["no_proxy"] = ",".join(readable)


def _is_readable(host: str) -> bool:
    """Whether Gradio's client can read a host of NO_PROXY. It refuses to start with IPv6 networks such as fe80::/10."""
    if host.count(":") < 2:
        return True
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return True


def drop_unusable_proxies(environment: MutableMapping[str, str]) -> list[str]:
    """Removes proxies that Gradio's client cannot use: it would refuse to start, even to reach its own page.

    Returns:
        A sentence for each that was removed. It does not repeat the address, which may hold a password.
    """
    httpx = import_module("httpx")  # Gradio's client: it comes with Gradio, which this package does not ask for
    messages = []
    for name in [spelled for proxy in PROXIES for spelled in (proxy.lower(), proxy) if spelled in environment]:
        address = environment[name].strip()
        if not address:
            continue
        try:
            httpx.HTTPTransport(proxy=address if "://" in address else f"http://{address}").close()
        except ImportError:
            problem = "a SOCKS proxy needs the package socksio (pip install socksio)"
        except Exception:  # many kinds, which differ from version to version
            problem = "it must look like http://host:port"
        else:
            continue
        del environment[name]
        messages.append(f"{name} is ignored: {problem}.")
    return messages


def check_address(options: argparse.Namespace) -> None:
    """Ends the program with one sentence if the page cannot be served where the options or the environment say."""
    host = os.environ.get("GRADIO_SERVER_NAME") or HOST
    first = _from_environment("GRADIO_SERVER_PORT", FIRST_PORT)
    last = min(first + _from_environment("GRADIO_NUM_PORTS", PORTS) - 1, MOST_PORTS)
    port = options.port
    if options.check:  # nothing is served
        return
    ports = [port] if port else range(first, last + 1)
    for number in ports:
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind((host, number))
                return
            except (socket.gaierror, UnicodeError):  # also of an IPv6 address, which Gradio cannot serve at either
                stop(f"GRADIO_SERVER_NAME is {host}, which is no name or IPv4 address of this machine: {_HOSTS}.")
            except OSError as error:
                if error.errno == errno.EADDRNOTAVAIL:
                    stop(f"GRADIO_SERVER_NAME is {host}, which is not an address of this machine: {_HOSTS}.")
                if error.errno == errno.EACCES:
                    stop(f"Port {number} is for administrators; give a --port from 1024 to {MOST_PORTS}.")
                if error.errno != errno.EADDRINUSE:
                    stop(f"Port {number} of {host} cannot be used: {error.strerror}.")
    if port:
        stop(f"Port {port} is taken by another program; give another --port, or none to take one that is free.")
    stop(f"The ports from {first} to {last} are all taken by other programs; give another with --port.")


_HOSTS = "unset it to serve this machine alone, or set it to 0.0.0.0 to serve everyone who can reach this machine"


def check_folder() -> None:
    """Ends the program with one sentence if there is no place for what visitors leave."""
    folder = _server_folder()
    try:
        folder.claim()
    except OSError as error:
        stop(f"Files of visitors cannot be kept in {folder.path.parent}: {error.strerror}; {_FOLDERS}.")


_FOLDERS = "set TMPDIR to a folder that you may write to"


def _server_folder() -> ServerFolder:
    try:
        return server_folder()
    except FileNotFoundError:  # from tempfile, which has tried several
        stop(f"There is no folder for temporary files ({tempfile.gettempprefix()}...): {_FOLDERS}.")


def _from_environment(name: str, default: int) -> int:
    text = os.environ.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= MOST_PORTS):
        stop(f"{name} must be a whole number from 1 to {MOST_PORTS}, not {text}.")
    return int(text)
