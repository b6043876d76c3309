"""Runs the old official client's own test suite, unmodified, against a sandbox; prints what became of each test as JSON.

    python run_old_suite.py FOLDER URL CLIENT_ID CLIENT_SECRET [compat]

FOLDER is the unpacked source distribution. With `compat` the suite imports `pokitdok_ext.compat` in place of `pokitdok`.
The suite was written for nose, which no longer runs: each test is called as nose did, on an instance of its own. It reads
an X12 file that the distribution does not have; the one in the working folder is ours. It has no way to name a server, so
the base URL goes into its settings. It runs in an interpreter of its own, as it needs names of its own.
"""

import importlib
import json
import os
import sys


def main(folder: str, url: str, client_id: str, client_secret: str, client: str = "") -> None:
    os.environ.update(POKITDOK_CLIENT_ID=client_id, POKITDOK_CLIENT_SECRET=client_secret)
    sys.path.insert(0, folder)
    if client == "compat":
        from pokitdok_ext import compat

        sys.modules["pokitdok"] = compat
    suite = importlib.import_module("tests.test_api_client")
    suite.client_settings["base"] = url
    names = [name for name in vars(suite.TestAPIClient) if name.startswith("test_")]
    print(json.dumps({name: outcome(suite.TestAPIClient, name) for name in names}))


def outcome(cases: type, name: str) -> str:
    """`passed`, or the kind of what was raised and its text."""
    try:
        getattr(cases(), name)()
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:400]
    return "passed"


if __name__ == "__main__":
    main(*sys.argv[1:])
