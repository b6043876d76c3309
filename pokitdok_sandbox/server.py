"""Runs a sandbox on a real socket, in a thread for tests or in the foreground for the command line."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from contextlib import contextmanager
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Self

import uvicorn

from pokitdok_sandbox.app import create_app
from pokitdok_sandbox.settings import DEFAULT_HOST, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from starlette.applications import Starlette

    from pokitdok_sandbox.world import World

GRACE = 2
"""Seconds that requests under way get to end."""


class Sandbox:
    """A sandbox in a thread of this process: ready when the ``with`` block begins, gone when it ends.

    It listens on a free loopback port unless ``port`` names one. Works as ``with`` and as ``async with``.

    Args:
        port: 0 picks a free one.
        clock: Unix time in seconds; a test passes one that it moves itself.
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
        **choices: Any,
    ) -> None:
        self._settings = Settings(**choices)
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
            app = create_app(self._settings, clock=self._clock)
        except BaseException:
            listener.close()
            raise
        app.state.world.callbacks.start()
        server = _Server(app)
        thread = Thread(target=server.run_here, args=(listener,), name="pokitdok-sandbox", daemon=True)
        thread.start()
        server.ready.wait()
        if not server.started:
            raise RuntimeError("the sandbox ended before it was ready; the reason is on stderr")
        url = f"http://{DEFAULT_HOST}:{listener.getsockname()[1]}"
        self._running = (url, app.state.world, server, thread)
        return self

    def __exit__(self, *_exc: object) -> None:
        _, world, server, thread = self._inside()
        server.should_exit = True
        thread.join()
        world.callbacks.stop()
        world.store.close()

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.__enter__)

    async def __aexit__(self, *_exc: object) -> None:
        await asyncio.to_thread(self.__exit__)


class _Server(uvicorn.Server):
    """uvicorn that says when it is ready and leaves signals to whoever runs it."""

    def __init__(self, app: Starlette) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,  # logging belongs to the process that the sandbox runs in
                log_level="warning",
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=GRACE,
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


def listen(host: str, port: int) -> socket.socket:
    """Return a socket bound to the address.

    Raises:
        OSError: The address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


def serve(app: Starlette, listener: socket.socket, announce: Callable[[], None]) -> None:
    """Serve until SIGTERM or Ctrl-C; ``announce`` is called once requests are answered."""
    server = _AnnouncingServer(app, announce)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        server.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    app.state.world.callbacks.start()
    server.run([listener])
    app.state.world.callbacks.stop()
    app.state.world.store.close()


class _AnnouncingServer(_Server):
    def __init__(self, app: Starlette, announce: Callable[[], None]) -> None:
        super().__init__(app)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._announce()
