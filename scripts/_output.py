"""Importing this lets scripts print to a terminal without Unicode: "?" stands for what it cannot show."""

from __future__ import annotations

import io
import sys

for _stream in (sys.stdout, sys.stderr):
    if isinstance(_stream, io.TextIOWrapper):
        _stream.reconfigure(errors="replace")
