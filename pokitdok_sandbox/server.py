"""Runs a sandbox on a real socket, in a thread for tests or in the foreground for the command line."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Self

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from pokitdok_sandbox.app import create_app
from pokitdok_sandbox.connection import with_transport
from pokitdok_sandbox.settings import DEFAULT_HOST, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import FrameType

    from starlette.applications import Starlette

    from pokitdok_sandbox.tls import Tls
    from pokitdok_sandbox.world import World

GRACE = 2
"""Seconds that requests under way get to end."""
KEEP_ALIVE = 120
"""Seconds that an idle connection stays open: longer than clients keep theirs, or it ends under a request of theirs."""


class Sandbox:
    """A sandbox in a thread of this process: ready when the ``with`` block begins, gone when it ends.

    It listens on a free loopback port unless ``port`` names one. Works as ``with`` and as ``async with``.

    Args:
        port: 0 picks a free one.
        clock: Unix time in seconds; a test passes one that it moves itself.
        tls: Serve https: True makes an authority for this sandbox alone, a folder keeps one over several.
        tls_names: Names that its certificate is good for, beside those on this machine and the platform's own.
        choices: Any field of Settings.

    Raises:
        TypeError: ``choices`` has what Settings has not.
        ValueError: A choice makes no sense.
        OSError: On entering, when the port is taken.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        clock: Callable[[], float] = time.time,
        tls: bool | str | Path = False,
        tls_names: Iterable[str] = (),
        **choices: Any,
    ) -> None:
        self._settings = Settings(**choices)
        self._tls = tls
        self._tls_names = tuple(tls_names)
        self._ca_file: Path | None = None
        self._temporary: TemporaryDirectory[str] | None = None
        self._clock = clock
        self._port = port
        self._running: tuple[str, World, _Server, Thread] | None = None

    @property
    def client_id(self) -> str:
        """The id that gets tokens here."""
        return self._settings.client_id

    @property
    def client_secret(self) -> str:
        """The secret that goes with it."""
        return self._settings.client_secret

    @property
    def url(self) -> str:
        """The root to hand to a client as its base URL."""
        return self._inside()[0]

    @property
    def ca_file(self) -> Path:
        """The certificate to trust: ``httpx.Client(verify=ssl.create_default_context(cafile=sandbox.ca_file))``."""
        self._inside()
        if self._ca_file is None:
            raise RuntimeError("the sandbox serves plain http; make it with tls=True")
        return self._ca_file

    @property
    def world(self) -> World:
        """Its inside, for what a test wants to order or to look at: faults, tokens, settings."""
        return self._inside()[1]

    @property
    def token_requests(self) -> int:
        """How many requests the token endpoint has had."""
        return self._inside()[1].counters.token_requests

    def state(self) -> dict[str, Any]:
        """Return the counters, as ``GET /_sandbox/state`` does."""
        return self._inside()[1].state()

    def _inside(self) -> tuple[str, World, _Server, Thread]:
        if self._running is None:
            raise RuntimeError("the sandbox is not running; use it inside its with block")
        return self._running

    def __enter__(self) -> Self:
        listener = listen(DEFAULT_HOST, self._port)
        try:
            prepared = self._prepare_tls()
            app = create_app(self._settings, clock=self._clock)
        except BaseException:
            listener.close()
            self._forget_tls()
            raise
        app.state.world.callbacks.start()
        server = _Server(app, prepared)
        thread = Thread(target=server.run_here, args=(listener,), name="pokitdok-sandbox", daemon=True)
        thread.start()
        server.ready.wait()
        if not server.started:
            raise RuntimeError("the sandbox ended before it was ready; the reason is on stderr")
        url = f"{'https' if prepared else 'http'}://{DEFAULT_HOST}:{listener.getsockname()[1]}"
        self._running = (url, app.state.world, server, thread)
        return self

    def __exit__(self, *_exc: object) -> None:
        _, world, server, thread = self._inside()
        server.should_exit = True
        thread.join()
        world.callbacks.stop()
        world.store.close()
        self._forget_tls()

    def _prepare_tls(self) -> Tls | None:
        if self._tls is False:
            return None
        from pokitdok_sandbox.tls import prepare  # noqa: PLC0415 - cryptography is slow to load, and seldom needed

        if self._tls is True:
            self._temporary = TemporaryDirectory(prefix="pokitdok-sandbox-")
        prepared = prepare(Path(self._temporary.name if self._temporary else str(self._tls)), self._tls_names)
        self._ca_file = prepared.ca_file
        return prepared

    def _forget_tls(self) -> None:
        self._ca_file = None
        if self._temporary is not None:
            self._temporary.cleanup()
            self._temporary = None

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.__enter__)

    async def __aexit__(self, *_exc: object) -> None:
        await asyncio.to_thread(self.__exit__)


class _Server(uvicorn.Server):
    """uvicorn that says when it is ready and leaves signals to whoever runs it."""

    def __init__(self, app: Starlette, tls: Tls | None = None) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=_Protocol,
                date_header=False,  # the app sends its own, by its own clock
                ssl_context_factory=None if tls is None else lambda _config, _default: tls.context,
                log_config=None,  # logging belongs to the process that the sandbox runs in
                log_level="warning",
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=GRACE,
                timeout_keep_alive=KEEP_ALIVE,
            )
        )
        self.ready = Event()

    def run_here(self, listener: socket.socket) -> None:
        """Serve until told to stop; whoever waits for ``ready`` is released even if that is at once."""
        try:
            self.run([listener])
        finally:
            self.ready.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Protocol(H11Protocol):
    """uvicorn's, with the transport in the scope: faults need it to reset or to cut a connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app = with_transport(self.app, transport)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket bound to the address.

    Raises:
        OSError: The address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # only then TCP_NODELAY is set
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


def serve(app: Starlette, listener: socket.socket, announce: Callable[[], None], tls: Tls | None = None) -> None:
    """Serve until SIGTERM or Ctrl-C; ``announce`` is called once requests are answered."""
    server = _AnnouncingServer(app, announce, tls)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        server.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    app.state.world.callbacks.start()
    server.run([listener])
    app.state.world.callbacks.stop()
    app.state.world.store.close()


class _AnnouncingServer(_Server):
    def __init__(self, app: Starlette, announce: Callable[[], None], tls: Tls | None) -> None:
        super().__init__(app, tls)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._announce()
