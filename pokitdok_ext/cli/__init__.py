"""The command `pokitdok`. `main()` is its entry point; the commands are in the modules below.

It needs the extra `cli`; `docs/cli.md` shows it.
"""

import sys
from collections.abc import Sequence

EXTRA = 'pip install "pokitdok-client[cli]"'


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code (`_exits.py`).

    Args:
        arguments: Without the name of the program; those of the process if not given.
    """
    try:
        from ._run import run  # noqa: PLC0415 - a missing extra gets a sentence, not a traceback
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in {"click", "rich"}:
            raise
        print(f"pokitdok: the command needs {error.name}, which is not installed: {EXTRA}", file=sys.stderr)
        return 2
    return run(arguments)
