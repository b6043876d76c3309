"""Ends a script that Ctrl-C stops with a line instead of a traceback; to be imported before what is slow to import."""

from __future__ import annotations

import sys
from pathlib import Path
from types import TracebackType

import _output  # noqa: F401

_usual = sys.excepthook


def _told(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        script = Path(sys.argv[0]).name
        print(f"{script}: interrupted. Nothing is half-written; run it again to finish.", file=sys.stderr)
    else:
        _usual(kind, error, trace)


sys.excepthook = _told
