"""While a script starts there is nothing to clean up, so Ctrl-C ends it at once, without a traceback. Import it first.

A script that has come to what needs cleaning up calls `done()`; from then on Ctrl-C raises KeyboardInterrupt again.
"""

from __future__ import annotations

import signal

_raises = (
    signal.getsignal(signal.SIGINT) is signal.default_int_handler
)  # else it is ignored, as in a shell's background

if _raises:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
if hasattr(signal, "pthread_sigmask"):
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # scripts/demo blocks it while Python starts


def done() -> None:
    """Let Ctrl-C raise KeyboardInterrupt."""
    if _raises:
        signal.signal(signal.SIGINT, signal.default_int_handler)
