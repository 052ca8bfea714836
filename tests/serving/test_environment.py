"""The page starts on ordinary machines: behind a proxy, beside other programs and other users."""

import argparse
import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from support.privileges import run_plain
from support.samples import ROOT

from capmodel.serving.environment import check_address, drop_unusable_proxies, exclude_localhost
from capmodel.serving.options import parse_options

APP = [sys.executable, "app.py"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({}, ""),
        ({"NO_PROXY": "intra.example, 10.0.0.1"}, "intra.example,10.0.0.1,"),
        ({"no_proxy": "*.a,b"}, "*.a,b,"),
        ({"no_proxy": "a", "NO_PROXY": "b,a"}, "a,b,"),
        ({"NO_PROXY": "*"}, "*,"),
        ({"NO_PROXY": "fe80::/10,::1/128,[::1],c"}, "c,"),
    ],
)
def test_localhost_is_excluded_and_what_the_user_has_is_kept(given, kept, monkeypatch):
    environment = {**given, "HTTP_PROXY": "http://127.0.0.1:9", "GRADIO_SERVER_NAME": "10.1.2.3"}
    exclude_localhost(environment)
    assert environment["NO_PROXY"] == environment["no_proxy"] == f"{kept}localhost,127.0.0.1,::1,10.1.2.3"
    for name in ("NO_PROXY", "no_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, environment[name])
    with listening() as port, httpx.Client(timeout=5) as client:
        for host in ("localhost", "127.0.0.1"):
            assert client.get(f"http://{host}:{port}/").text == "here"


@contextmanager
def listening():
    """A server that says "here"."""
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    from threading import Thread

    class Here(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"here")

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Here) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("HTTP_PROXY", "http://127.0.0.1:9"),
        ("https_proxy", "https://user:secret@proxy.example:8080"),
        ("ALL_PROXY", "127.0.0.1:9"),
        ("http_proxy", ""),
    ],
)
def test_usable_proxies_are_kept(name, address):
    environment = {name: address}
    assert drop_unusable_proxies(environment) == []
    assert environment == {name: address}


@pytest.mark.parametrize("name", ["ALL_PROXY", "all_proxy", "HTTP_PROXY", "https_proxy"])
@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("socks5://u:secret@h:1", "socksio"),
        ("socks5h://h:1", "socksio"),
        ("foo://u:secret@h", "http://host:port"),
        ("socks4://h:1", "http://host:port"),
        ("http://[::1", "http://host:port"),
        ("://", "http://host:port"),
    ],
)
def test_proxies_that_no_client_can_use_are_left_out(monkeypatch, name, address, message):
    monkeypatch.setitem(sys.modules, "socksio", None)
    environment = {name: address, "HOME": "/"}
    [said] = drop_unusable_proxies(environment)
    assert said.startswith(f"{name} is ignored: ")
    assert message in said
    assert "secret" not in said
    assert environment == {"HOME": "/"}


def refusal(capsys, port: int | None = None) -> str:
    with pytest.raises(SystemExit) as end:
        check_address(argparse.Namespace(port=port, check=False))
    said = capsys.readouterr().err
    assert (end.value.code, said.count("\n")) == (2, 1)
    return said


@pytest.mark.parametrize(
    ("name", "value"),
    [("GRADIO_SERVER_PORT", value) for value in ("abc", "99999", "0", "-1", "7860.0", "", "²")]
    + [("GRADIO_NUM_PORTS", "many")],
)
def test_settings_that_are_no_ports(monkeypatch, capsys, name, value):
    monkeypatch.setenv(name, value)
    assert refusal(capsys) == f"{name} must be a whole number from 1 to 65535, not {value}.\n"


@pytest.mark.parametrize("value", ["no-such-host.invalid", "::1", "[::1]", "a..b", "192.0.2.7", "x" * 300])
def test_names_that_are_not_of_this_machine(monkeypatch, capsys, value):
    monkeypatch.setenv("GRADIO_SERVER_NAME", value)
    said = refusal(capsys)
    assert said.startswith(f"GRADIO_SERVER_NAME is {value}, which is ")
    assert "0.0.0.0" in said


@pytest.mark.parametrize("value", ["", "127.0.0.1", "0.0.0.0", "localhost"])
def test_names_that_are(monkeypatch, value):
    monkeypatch.setenv("GRADIO_SERVER_NAME", value)
    check_address(argparse.Namespace(port=None, check=False))


def test_a_port_that_is_taken(monkeypatch, capsys):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert refusal(capsys, port).startswith(f"Port {port} is taken by another program; give another --port")
        monkeypatch.setenv("GRADIO_SERVER_PORT", str(port))
        check_address(argparse.Namespace(port=None, check=False))  # the next one is free
        monkeypatch.setenv("GRADIO_NUM_PORTS", "1")
        assert "are all taken" in refusal(capsys)
        check_address(argparse.Namespace(port=port, check=True))  # nothing is served


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--port", "99999"], "must be a whole number from 1 to 65535, not 99999"),
        (["--port", "abc"], "must be a whole number from 1 to 65535, not abc"),
        (["--port", "0"], "must be a whole number from 1 to 65535, not 0"),
        (["--retention-minutes", "abc"], "abc"),
        (["--photo-megabytes", "inf"], "must be more than 0, and less than a billion, not inf MB"),
        (["--photo-megabytes", "nan"], "must be more than 0"),
    ],
)
def test_mistakes_in_the_options(capsys, arguments, message):
    with pytest.raises(SystemExit) as end:
        parse_options("", arguments)
    assert end.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(("settings", "arguments"), [({"GRADIO_SERVER_PORT": "abc"}, []), ({}, ["--port", "99999"])])
def test_they_are_told_at_once(settings, arguments):
    """Without Gradio and PyTorch, which take seconds to import."""
    code = "import runpy, sys; sys.argv[0] = 'app.py'\ntry: runpy.run_path('app.py', run_name='__main__')\nfinally: print([name for name in ('torch', 'gradio') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code, *arguments], cwd=ROOT, env={**os.environ, **settings},
                          capture_output=True, text=True, timeout=60)  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "[]\n")
    assert "must be a whole number from 1 to 65535" in done.stderr


def test_ports_of_administrators():
    if int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) <= 80:
        pytest.skip("anybody may use port 80 here")
    done = run_plain([*APP, "--port", "80"])
    assert done.returncode == 2
    assert done.stderr == "Port 80 is for administrators; give a --port from 1024 to 65535.\n"


@pytest.mark.parametrize("name", ["TMPDIR", "GRADIO_TEMP_DIR"])
def test_no_place_for_what_visitors_leave(tmp_path, name):
    """Where another user has made the folder."""
    (tmp_path / "theirs").mkdir(mode=0o555)
    settings = {"GRADIO_TEMP_DIR": str(tmp_path / "theirs" / "gradio")}
    if name == "TMPDIR":
        settings = {"TMPDIR": str(tmp_path), "GRADIO_TEMP_DIR": ""}
        tmp_path.chmod(0o555)
    code = "from capmodel.serving.environment import check_folder; check_folder(); print('there')"
    done = run_plain([sys.executable, "-c", code], env={**os.environ, **settings})
    tmp_path.chmod(0o755)
    if name == "TMPDIR":  # Python looks elsewhere
        assert (done.returncode, done.stdout) == (0, "there\n")
    else:
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == (
            f"Files of visitors cannot be kept in {tmp_path / 'theirs' / 'gradio'}: Permission denied; "
            "set TMPDIR to a folder that you may write to.\n"
        )


def test_a_second_user_whose_home_is_closed_starts_the_page(tmp_path):
    """Of the temporary folder, everything belongs to the first user; no cache may be written."""
    shared, home = tmp_path / "tmp", tmp_path / "home"
    (shared / "gradio").mkdir(parents=True)
    (shared / f"capmodel-{os.getuid()}-0123456789abcdef").mkdir()
    home.mkdir()
    theirs = [*shared.iterdir()]
    for folder in theirs:
        if os.getuid() == 0:
            shutil.chown(folder, 12345, 12345)
        folder.chmod(0o700)
    shared.chmod(0o1777)
    home.chmod(0o500)
    closed = dict.fromkeys(("HOME", "HF_HOME", "MPLCONFIGDIR", "XDG_CACHE_HOME", "TORCH_HOME"), str(home))
    environment = {**os.environ, **closed, "TMPDIR": str(shared), "GRADIO_TEMP_DIR": ""}
    environment.pop("GRADIO_TEMP_DIR")
    done = run_plain([*APP, "--check"], env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 3
    if os.getuid() == 0:
        assert all(folder.exists() for folder in theirs)


def test_ctrl_c_while_it_starts():
    process = subprocess.Popen(APP, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(1.5)
    process.send_signal(2)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "Stopped.\n")
