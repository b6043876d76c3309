"""For tests of code that uses this client: a sandbox, a token server, held time, cassettes, a checker of traffic.

Names only, each imported on first use: pytest loads the plugin, and so this package, in every run. Needs the extra
``testing``. docs/testing.md shows it all.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .cassettes import ReadableYaml, check_cassette, read_cassette, vcr_settings
    from .clock import HeldClock
    from .contract import Contract, Finding
    from .coverage import Coverage, measure
    from .sandbox import InProcessSandbox, PostedCallback
    from .token_server import FakeTokenServer

__all__ = [
    "Contract",
    "Coverage",
    "FakeTokenServer",
    "Finding",
    "HeldClock",
    "InProcessSandbox",
    "PostedCallback",
    "ReadableYaml",
    "check_cassette",
    "measure",
    "read_cassette",
    "vcr_settings",
]

_HOMES = {
    "PostedCallback": "sandbox",
    "Contract": "contract",
    "Coverage": "coverage",
    "FakeTokenServer": "token_server",
    "Finding": "contract",
    "HeldClock": "clock",
    "InProcessSandbox": "sandbox",
    "ReadableYaml": "cassettes",
    "check_cassette": "cassettes",
    "measure": "coverage",
    "read_cassette": "cassettes",
    "vcr_settings": "cassettes",
}

if not TYPE_CHECKING:  # a type checker would take any misspelled name for one of these

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        try:
            home = import_module(f"{__name__}.{_HOMES[name]}")
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("pokitdok_"):
                raise
            extras = "testing,sandbox" if _HOMES[name] == "sandbox" else "testing"
            missing = (error.name or "").partition(".")[0]
            message = f'{name} needs {missing}: pip install "pokitdok-client[{extras}]"'
            raise ModuleNotFoundError(message, name=error.name) from None
        return getattr(home, name)
