"""The local stack's emulator: killed, damaged, behind a proxy, beside a stranger."""

import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from local import __main__ as commands
from local import deploy, emulator
from local.stack import ROOT, Stack, StackError

NAME = "/test/name"
SECONDS = 20
LOCAL = [sys.executable, "-m", "local"]
ASK_AS_ANY_PROGRAM = """
import sys, urllib.request
urllib.request.urlopen(sys.argv[1] + "/_ministack/health")
"""
ASK_AS_WE_DO = """
import sys
from local import emulator
from local.stack import from_environment
sys.exit(not emulator.answers(from_environment()))
"""


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Stack]:
    """Give a place for a stack of its own, and end what was started there."""
    place = Stack(emulator.free_port(), tmp_path / "stack")
    place.directory.mkdir()
    yield place
    emulator.stop(place)


@pytest.fixture
def started(own: Stack) -> Stack:
    emulator.start(own)
    return own


def test_a_kill_loses_no_more_than_seconds(
    started: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    _put(started, "first")
    _wait_for(started, "first")
    _put(started, "second")
    _wait_for(started, "second")

    _kill(started)
    assert emulator.crashed(started)
    commands._start_emulator(started)

    assert _get(started) == "second"
    assert "it was killed: its data goes on as it was saved 0:00:" in capsys.readouterr().out
    assert not emulator.crashed(started)


def test_nothing_is_written_while_nothing_changes(started: Stack) -> None:
    _put(started, "first")
    _wait_for(started, "first")
    time.sleep(2.5)
    before = _written(started)

    _get(started)
    time.sleep(2.5)

    assert _written(started) == before


def test_a_stack_that_was_stopped_did_not_crash(started: Stack) -> None:
    emulator.stop(started)

    assert not emulator.crashed(started)
    age = emulator.age(started)
    assert age is not None
    assert age < timedelta(seconds=SECONDS)


@pytest.mark.parametrize("content", [b"", b'{"__ministack_format__": 2, "payl', b"\xff\xfe\x00"])
def test_a_damaged_state_is_not_started_with(started: Stack, content: bytes) -> None:
    _put(started, "first")
    emulator.stop(started)
    file = started.state / "ssm.json"
    kept = file.read_bytes()
    file.write_bytes(content)

    with pytest.raises(StackError, match=r"is damaged: .*ssm\.json cannot .* make clean"):
        emulator.start(started)

    assert not emulator.is_running(started)
    assert file.read_bytes() == content
    file.write_bytes(kept)
    emulator.start(started)
    assert _get(started) == "first"


def test_what_holds_tokens_is_its_owners_alone(own: Stack) -> None:
    own.state.mkdir(mode=0o755)

    emulator.start(own)
    _put(own, "first")
    emulator.stop(own)

    assert stat.S_IMODE(own.state.stat().st_mode) == 0o700
    files = [path for path in own.state.rglob("*") if path.is_file()]
    files.append(own.directory / "emulator.log")
    assert len(files) > 2
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_the_tokens_that_scripts_read_are_their_owners_alone(
    started: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local.seed.run", lambda *_: {"admin_token": "bil_0"})
    started.file.write_text("{}")  # of an earlier start, readable by all
    started.file.chmod(0o644)

    commands._seed_once(started)

    assert "bil_0" in started.file.read_text()
    assert stat.S_IMODE(started.file.stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy", "HTTPS_PROXY"])
def test_a_proxy_is_not_asked_for_this_machine(
    own: Stack, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for each in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(each, "example.com")
    monkeypatch.setenv(name, "http://127.0.0.1:9")

    emulator.start(own)
    _put(own, "first")
    environment = own.aws_environment()
    asked = [
        subprocess.run(
            [*command, sys.executable, "-c", program, own.endpoint, str(own.directory)],
            cwd=ROOT,
            env={**os.environ, "GATEWAY_PORT": str(own.port), "LOCAL_DIR": str(own.directory)},
            check=False,
        ).returncode
        for command, program in (([], ASK_AS_WE_DO), ([*LOCAL, "exec"], ASK_AS_ANY_PROGRAM))
    ]

    assert asked == [0, 0]
    assert _get(own) == "first"
    assert environment["no_proxy"] == environment["NO_PROXY"]
    assert environment["no_proxy"] == "example.com,localhost,127.0.0.1,::1"


def test_logs_of_no_stack_are_an_error(own: Stack) -> None:
    with pytest.raises(StackError, match=f"^No stack runs on port {own.port}: `make start` first"):
        commands.logs(own)


def test_status_says_what_runs_and_what_was_killed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "ROOT", tmp_path)
    port = emulator.free_port()
    own = Stack(port, tmp_path / ".local" / str(port))
    own.directory.mkdir(parents=True)

    commands.status(own)
    emulator.start(own)
    try:
        _put(own, "first")
        _wait_for(own, "first")
        commands.status(own)
        _kill(own)
        commands.status(own)
    finally:
        emulator.stop(own)
    commands.status(own)

    said = [line.split(None, 1) for line in capsys.readouterr().out.splitlines()]
    assert said[0] == ["status", "there is no stack"]
    assert [number for number, _ in said[1:]] == [str(port)] * 3
    told = (own.base_url, "was killed", "is stopped")
    for (_, words), begins in zip(said[1:], told, strict=True):
        assert words.startswith(f"{begins}, its state saved 0:00:")


class Stranger(BaseHTTPRequestHandler):
    """A program that answers everything, and most amiably."""

    content = b'{"status": "ok"}'

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.content)

    def log_message(self, *_: Any) -> None:
        pass


class OurKind(Stranger):
    content = b'{"services": {}}'


class Six(HTTPServer):
    address_family = socket.AF_INET6


@pytest.mark.parametrize(
    ("server", "address", "handler", "who"),
    [
        pytest.param(HTTPServer, "127.0.0.1", Stranger, "another program", id="IPv4"),
        pytest.param(HTTPServer, "", Stranger, "another program", id="any"),
        pytest.param(Six, "::1", Stranger, "another program", id="IPv6 alone"),
        pytest.param(
            HTTPServer, "127.0.0.1", OurKind, "the local stack of another folder", id="emulator"
        ),
    ],
)
def test_a_stranger_on_the_port_is_not_ours(
    own: Stack, server: Any, address: str, handler: Any, who: str
) -> None:
    with server((address, own.port), handler) as stranger:
        threading.Thread(target=stranger.serve_forever, daemon=True).start()
        try:
            assert not emulator.answers(own)
            with pytest.raises(StackError, match=f"^Port {own.port} is in use by {who}. "):
                emulator.start(own)
        finally:
            stranger.shutdown()

    emulator.start(own)
    assert emulator.answers(own)


def _put(stack: Stack, value: str) -> None:
    deploy.client(stack, "ssm").put_parameter(Name=NAME, Value=value, Type="String", Overwrite=True)


def _get(stack: Stack) -> str:
    return str(deploy.client(stack, "ssm").get_parameter(Name=NAME)["Parameter"]["Value"])


def _wait_for(stack: Stack, value: str) -> None:
    """Wait until a value is saved."""
    file, give_up = stack.state / "ssm.json", time.monotonic() + SECONDS
    while not (file.exists() and f'"{value}"' in file.read_text()):
        assert time.monotonic() < give_up, f"{value} was not saved"
        time.sleep(0.1)


def _written(stack: Stack) -> dict[str, int]:
    return {file.name: file.stat().st_mtime_ns for file in stack.state.glob("*.json")}


def _kill(stack: Stack) -> None:
    os.kill(int((stack.directory / "emulator.pid").read_text()), signal.SIGKILL)
    give_up = time.monotonic() + SECONDS
    while emulator.is_running(stack):
        assert time.monotonic() < give_up
        time.sleep(0.05)
