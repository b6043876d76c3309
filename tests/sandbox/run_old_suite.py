"""Runs the old official client's own test suite, unmodified, against a sandbox; prints what became of each test.

    python run_old_suite.py FOLDER URL CLIENT_ID CLIENT_SECRET [compat]

FOLDER holds the suite's package `tests`. With `compat` it imports `pokitdok_ext.compat` in place of `pokitdok`. It was
written for nose, which no longer runs: each test is called as nose did, on an instance of its own. It cannot name a
server, so the base URL goes into its settings. It runs in an interpreter of its own, which need not have ours.
"""

import importlib
import json
import os
import sys


def main(folder: str, url: str, client_id: str, client_secret: str, client: str = "") -> None:
    os.environ.update(POKITDOK_CLIENT_ID=client_id, POKITDOK_CLIENT_SECRET=client_secret)
    sys.path.insert(0, folder)
    if client == "compat":
        sys.modules["pokitdok"] = importlib.import_module("pokitdok_ext.compat")
    suite = importlib.import_module("tests.test_api_client")
    suite.client_settings["base"] = url
    names = [name for name in vars(suite.TestAPIClient) if name.startswith("test_")]
    print(json.dumps({name: outcome(suite.TestAPIClient, name) for name in names}))


def outcome(cases: type, name: str) -> str:
    """`passed`, or the kind of what was raised and its text."""
    try:
        getattr(cases(), name)()
    except Exception as error:  # noqa: BLE001 - a failure is what is told
        return f"{type(error).__name__}: {error}"[:400]
    return "passed"


if __name__ == "__main__":
    main(*sys.argv[1:])
