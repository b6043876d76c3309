"""A sandbox, and the command run in this process."""

from __future__ import annotations

import contextlib
import io
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pokitdok_ext._stand_ins import StandIn
from pokitdok_ext.cli import main
from pokitdok_ext.testing import HeldClock
from pokitdok_sandbox import Sandbox


class Ran(NamedTuple):
    """What a run left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(speed=float("inf")) as running:
        yield running


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Profiles and tokens of the person who runs the tests stay out of it."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    for name in ("XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name in ("POKITDOK_PROFILE", "POKITDOK_PROFILES", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("COLUMNS", "100")


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox) -> Sandbox:
    """The environment names the sandbox and its credentials."""
    monkeypatch.setenv("POKITDOK_BASE_URL", sandbox.url)
    monkeypatch.setenv("POKITDOK_CLIENT_ID", sandbox.client_id)
    monkeypatch.setenv("POKITDOK_CLIENT_SECRET", sandbox.client_secret)
    return sandbox


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two attempts the time goes on by itself."""
    monkeypatch.setattr("pokitdok_ext._stand_ins._NETWORK", StandIn(clock=HeldClock(time.time()).clock()))


@pytest.fixture
def pokitdok(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Runs the command."""

    def run(*arguments: str, stdin: str | bytes = "") -> Ran:
        content = stdin.encode() if isinstance(stdin, str) else stdin
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content), encoding="latin-1"))
        capfd.readouterr()
        code = main(arguments)
        return Ran(code, *capfd.readouterr())

    return run


class RawServer:
    """A server that answers the token request and then does with each request what a test wants, byte by byte.

    Attributes:
        answer: The bytes of the answer; `"reset"` and `"silence"` give none. It closes the connection afterwards.
        token_answer: The same for the token request.
        bodies: Bodies of the requests that are not for a token.
    """

    def __init__(self) -> None:
        self.answer: bytes | str = b""
        self.token_answer: bytes | str = self.http_answer(
            b'{"access_token": "t", "token_type": "bearer", "expires_in": 3600}'
        )
        self.bodies: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads: list[threading.Thread] = []
        self._start(self._serve)

    @staticmethod
    def http_answer(content: bytes, status: str = "200 OK", header: str = "X: y", length: int | None = None) -> bytes:
        """The bytes of an answer; *length* is what it claims to have, if that is not true."""
        size = len(content) if length is None else length
        lines = [f"HTTP/1.1 {status}", "Connection: close", f"Content-Length: {size}", header, "", ""]
        return "\r\n".join(lines).encode() + content

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        while self._threads:
            self._threads.pop().join(10)

    def _start(self, work: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._start(self._handle, self._listener.accept()[0])

    def _handle(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection, connection.makefile("rb") as stream:
            _, path, _ = (stream.readline() or b"- - -").split()
            length = 0
            while (line := stream.readline().strip().lower()) != b"":
                if line.startswith(b"content-length:"):
                    length = int(line.partition(b":")[2])
            body = stream.read(length)
            token = path == b"/oauth2/token"
            if not token and path != b"-":
                self.bodies.append(body)
            answer = self.token_answer if token else self.answer
            if answer == "silence":
                stream.read()  # until the client has had enough
            elif answer == "reset":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif isinstance(answer, bytes):
                connection.sendall(answer)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[RawServer]:
    """The environment names it."""
    running = RawServer()
    monkeypatch.setenv("POKITDOK_BASE_URL", running.url)
    monkeypatch.setenv("POKITDOK_CLIENT_ID", "client-id")
    monkeypatch.setenv("POKITDOK_CLIENT_SECRET", "client-secret")
    yield running
    running.close()
