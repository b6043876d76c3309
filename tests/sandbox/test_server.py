"""The sandbox on a real socket: as a context manager, and as a command."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from pokitdok_sandbox import Sandbox
from pokitdok_sandbox.settings import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FORM = {"grant_type": "client_credentials", "client_id": DEFAULT_CLIENT_ID, "client_secret": DEFAULT_CLIENT_SECRET}
WELL_KNOWN = "5317f51527a27620f2ec7533"


def test_a_sandbox_is_ready_inside_its_block_and_gone_after_it() -> None:
    with Sandbox() as sandbox:
        assert httpx.get(f"{sandbox.url}/healthz").json() == {"status": "ready"}
        assert httpx.post(f"{sandbox.url}/oauth2/token", data=FORM).status_code == 200
        assert sandbox.token_requests == 1
        assert sandbox.state()["requests"] == {"create_token": 1}
        url = sandbox.url

    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/healthz")


async def test_a_sandbox_serves_the_loop_that_awaits_it() -> None:
    async with Sandbox(client_id="me", client_secret="mine") as sandbox, httpx.AsyncClient() as client:
        form = {"grant_type": "client_credentials", "client_id": sandbox.client_id, "client_secret": "mine"}
        assert (await client.post(f"{sandbox.url}/oauth2/token", data=form)).status_code == 200
        assert (await client.post(f"{sandbox.url}/oauth2/token", data=FORM)).status_code == 400
        assert sandbox.token_requests == 2


def test_a_sandbox_leaves_the_logging_of_its_process_alone() -> None:
    names = ("uvicorn", "uvicorn.error")
    before = [list(logging.getLogger(name).handlers) for name in names]
    with Sandbox():
        assert [list(logging.getLogger(name).handlers) for name in names] == before


SERVED = """
import sys
of_this_machine = set(sys.modules)
import urllib.request
from pokitdok_sandbox import Sandbox
with Sandbox() as sandbox:
    urllib.request.urlopen(f"{sandbox.url}/healthz").read()
    loaded = sys.modules.keys() - of_this_machine
    print(len(loaded), *sorted({name.partition(".")[0] for name in loaded} - sys.stdlib_module_names))
"""
NEEDED = {
    *("pokitdok_sandbox", "starlette", "uvicorn", "anyio", "h11", "click", "python_multipart", "jsonschema_rs", "yaml"),
    *("pyx12", "jellyfish", "swagger_ui_bundle", "sniffio", "typing_extensions"),
}
"""Packages of other hands that the sandbox loads before it serves; those without a name of their own apart."""
MOST_MODULES = 440


def test_start_loads_no_more_than_it_needs() -> None:
    """A start takes as long as its imports: a package that comes along here is felt by every test that starts one."""
    command = [sys.executable, "-c", SERVED]
    number, *packages = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    extra = {name for name in packages if not name.startswith("_") and name not in NEEDED | {"cython_runtime"}}
    assert extra == set()
    assert int(number) < MOST_MODULES


def test_two_sandboxes_share_nothing() -> None:
    with Sandbox() as one, Sandbox() as other:
        httpx.post(f"{one.url}/oauth2/token", data=FORM)
        assert (one.token_requests, other.token_requests) == (1, 0)


def test_a_taken_port_is_an_error_on_entering() -> None:
    with Sandbox() as sandbox, pytest.raises(OSError, match="in use"), Sandbox(port=int(sandbox.url.split(":")[-1])):
        pytest.fail("two sandboxes on one port")


def test_outside_its_block_a_sandbox_says_so() -> None:
    with pytest.raises(RuntimeError, match="inside its with block"):
        _ = Sandbox().url


def test_an_open_connection_does_not_hold_up_the_end() -> None:
    with httpx.Client() as client, Sandbox() as sandbox:
        client.get(f"{sandbox.url}/healthz")


# ---------------------------------------------------------------- the command


@contextmanager
def command(*options: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """Start the sandbox on a free port; give the process and the two lines it prints once it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pokitdok_sandbox", "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        try:
            yield process, [process.stdout.readline().strip() for _ in range(2)]
        finally:
            if process.poll() is None:
                process.kill()


def address(lines: list[str]) -> str:
    return next(word for word in lines[0].split() if word.startswith("http://"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_says_where_it_listens_and_ends_cleanly_when_told(number: signal.Signals) -> None:
    with command() as (process, lines):
        url = address(lines)
        with urllib.request.urlopen(f"{url}/healthz") as answer:
            assert json.load(answer) == {"status": "ready"}
        process.send_signal(number)
        out, err = process.communicate(timeout=20)

    assert (process.returncode, out, err) == (0, "", "")


def test_the_printed_line_reads_the_activity(program: Callable[[str], str]) -> None:
    program("curl")
    with command() as (_, lines):
        line = [program("bash"), "-c", lines[1]]
        run = subprocess.run(line, capture_output=True, text=True, check=True, timeout=20)

    assert json.loads(run.stdout)["data"]["id"] == WELL_KNOWN


def test_the_printed_line_keeps_a_secret_of_ones_own_to_itself(program: Callable[[str], str]) -> None:
    program("curl")
    environment = os.environ | {"POKITDOK_CLIENT_ID": "mine", "POKITDOK_CLIENT_SECRET": "canary"}
    with command("--client-id", "mine", "--client-secret", "canary") as (_, lines):
        assert "canary" not in "".join(lines)
        line = [program("bash"), "-c", lines[1]]
        run = subprocess.run(line, capture_output=True, text=True, check=True, timeout=20, env=environment)

    assert json.loads(run.stdout)["data"]["id"] == WELL_KNOWN


def test_a_file_keeps_tokens_and_activities_over_a_restart(tmp_path: Path) -> None:
    file = str(tmp_path / "state.sqlite")
    with command("--db", file) as (process, lines):
        token = httpx.post(f"{address(lines)}/oauth2/token", data=FORM).json()["access_token"]
        headers = {"authorization": f"Bearer {token}"}
        made = httpx.get(f"{address(lines)}/api/v4/tradingpartners/aetna", headers=headers).json()["meta"][
            "activity_id"
        ]
        process.terminate()
        process.communicate(timeout=20)

    with command("--db", file) as (_, lines):
        answer = httpx.get(f"{address(lines)}/api/v4/activities/{made}", headers=headers)
        assert answer.json()["data"]["name"] == "tradingpartners"


def run(*arguments: str) -> tuple[int, str, str]:
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout, done.stderr


def test_a_port_in_use_is_one_clear_line_and_exit_2() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, out, err = run("-m", "pokitdok_sandbox", "--port", str(port))

    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert f"cannot listen on 127.0.0.1:{port}" in err
    assert "--port" in err


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--speed", "0"], "speed"),
        (["--port", "99999"], "--port"),
        (["--db", "absent/folder/state.sqlite"], "folder that exists"),
        (["--client-secret", ""], "client secret"),
        (["--app", "without-a-secret"], "secret"),
        (["--token-life", "0"], "token life"),
        (["--redirect-uri", "home"], "redirect URI"),
    ],
)
def test_an_option_that_cannot_be_served_is_one_clear_line_and_exit_2(options: list[str], word: str) -> None:
    code, out, err = run("-m", "pokitdok_sandbox", "--port", "0", *options)

    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert word in err


@pytest.mark.parametrize(
    "module", ["starlette", "uvicorn", "jsonschema_rs", "yaml", "python_multipart", "swagger_ui_bundle"]
)
def test_a_missing_extra_is_named_with_the_line_that_installs_it(module: str) -> None:
    without = (
        f"import sys, runpy; sys.modules[{module!r}] = None; sys.argv[1:] = ['--port', '0'];"
        " runpy.run_module('pokitdok_sandbox', run_name='__main__', alter_sys=True)"
    )
    code, out, err = run("-c", without)

    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert module in err
    assert 'pip install "pokitdok-client[sandbox]"' in err


def test_the_door_names_what_it_has_not() -> None:
    import pokitdok_sandbox  # noqa: PLC0415

    unknown: Any = "Sandpit"
    with pytest.raises(AttributeError, match="Sandpit"):
        getattr(pokitdok_sandbox, unknown)


def test_options_make_applications_and_limits() -> None:
    options = ["--app", "kiosk:a:b", "--token-life", "7", "--mode", "production", "--credits", "3", "--rate-limit", "9"]
    with command(*options, "--consent", "allow", "--redirect-uri", "https://app.example.org/home") as (_, lines):
        url = address(lines)
        form = {"grant_type": "client_credentials", "client_id": "kiosk", "client_secret": "a:b"}
        answer = httpx.post(f"{url}/oauth2/token", data=form).json()
        assert answer["expires_in"] == 7
        headers = {"authorization": f"Bearer {answer['access_token']}"}
        meta = httpx.get(f"{url}/api/v4/activities/", headers=headers).json()["meta"]
        assert (meta["application_mode"], meta["rate_limit_cap"]) == ("production", 9)
        sent = httpx.get(f"{url}/oauth2/authorize", params={"response_type": "code", "client_id": "kiosk"})
        assert sent.headers["location"].startswith("https://app.example.org/home?code=")
