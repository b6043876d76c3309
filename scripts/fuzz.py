"""Schemathesis over the whole contract against a sandbox of its own process: no 5xx, no undocumented status, no misfit.

    python scripts/fuzz.py          what the test suite runs: fixed seed, a few cases an operation
    python scripts/fuzz.py --long   what `nox -s fuzz` runs: many cases, and boundary values of every field

The contract is read without its ``default`` answers, which would make every status a documented one. The sandbox posts
no callbacks meanwhile: they would go to addresses that were made up.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from pokitdok_sandbox import Settings, create_app
from pokitdok_sandbox.contract import load_contract
from pokitdok_sandbox.server import listen, serve

if TYPE_CHECKING:
    from collections.abc import Mapping

SEED = 20_140_306
CASES = 3
"""Cases made up for each operation in the test suite, beside the examples of the contract."""
MANY = 100
"""The same for the long run."""
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


def main() -> int:
    """Run it; return the exit code of schemathesis."""
    parser = argparse.ArgumentParser(description="Schemathesis over the whole contract, against the sandbox.")
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--only", metavar="OPERATION_ID", action="append", default=[])
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        return serve_without_callbacks()
    phases, cases = ("examples,coverage,fuzzing", MANY) if options.long else ("examples,fuzzing", CASES)
    contract = load_contract().document
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "openapi.json"
        file.write_text(json.dumps(without_defaults(contract)))
        scripts = str(Path(__file__).parent)
        environment = {**os.environ, "PYTHONPATH": scripts, "SCHEMATHESIS_HOOKS": "fuzz_hooks"}
        command = [sys.executable, __file__, "--serve"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as sandbox:
            try:
                url = sandbox.stdout.readline().strip() if sandbox.stdout else ""
                command = [
                    *(str(Path(sys.executable).with_name("schemathesis")), "run", str(file), "--url", url),
                    *("--header", f"Authorization: Bearer {token_with_every_scope(url, contract)}", "--checks", CHECKS),
                    *("--phases", phases, "--max-examples", str(cases), "--seed", str(options.seed)),
                    *("--generation-database", "none", "--continue-on-failure", "--no-color", "--warnings", "off"),
                    *(f"--include-operation-id={name}" for name in options.only),
                ]
                return subprocess.run(command, cwd=folder, env=environment, check=False).returncode
            finally:
                sandbox.terminate()


def serve_without_callbacks() -> int:
    """Serve a sandbox, plain and quick, and say where."""
    app = create_app(Settings(modern=True, speed=60), post=lambda _url, _content: None)
    listener = listen("127.0.0.1", 0)
    serve(app, listener, lambda: print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True))
    return 0


def token_with_every_scope(url: str, contract: Mapping[str, Any]) -> str:
    """Return a token that opens every operation."""
    flows = contract["components"]["securitySchemes"]["oauth2"]["flows"].values()
    form = {"grant_type": "client_credentials", "scope": " ".join({name for flow in flows for name in flow["scopes"]})}
    login = (Settings().client_id, Settings().client_secret)
    token: str = httpx.post(f"{url}/oauth2/token", data=form, auth=login).raise_for_status().json()["access_token"]
    return token


def without_defaults(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the contract with the documented statuses alone."""
    copy: dict[str, Any] = json.loads(json.dumps(document))
    for item in copy["paths"].values():
        for operation in item.values():
            if isinstance(operation, dict):
                operation.get("responses", {}).pop("default", None)
    return copy


if __name__ == "__main__":
    sys.exit(main())
