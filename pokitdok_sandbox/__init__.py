"""The door of the sandbox: names only. A local server that stands in for the retired PokitDok Platform API v4.

The names are loaded when first used, so that ``python -m pokitdok_sandbox`` can say which extra is missing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pokitdok_sandbox.app import create_app
    from pokitdok_sandbox.applications import Application
    from pokitdok_sandbox.server import Sandbox
    from pokitdok_sandbox.settings import Settings

__all__ = ["Application", "Sandbox", "Settings", "create_app"]

_HOMES = {"Application": "applications", "Sandbox": "server", "Settings": "settings", "create_app": "app"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
