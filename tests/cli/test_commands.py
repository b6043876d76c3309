"""What each command prints, and the code that it ends with."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import httpx
import pytest
from rich.console import Console

from pokitdok_ext.cli import _exits
from pokitdok_ext.cli._run import pokitdok as command
from pokitdok_ext.cli._session import Session
from pokitdok_ext.testing import Contract
from pokitdok_sandbox import Sandbox

WELL_KNOWN = "5317f51527a27620f2ec7533"
MEMBER = ("-t", "MOCKPAYER", "--npi", "1234567893", "--member-id")
CONTRACT = Contract()
Run = Callable[..., Any]


def example(path: str) -> Any:
    content = CONTRACT.document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    return CONTRACT.resolve(content["examples"]["synthetic"])["value"]


def commands(group: click.Command = command, name: str = "pokitdok") -> dict[str, click.Command]:
    """Every command by its whole name."""
    found = {name: group}
    if isinstance(group, click.Group):
        for word, each in group.commands.items():
            found |= commands(each, f"{name} {word}")
    return found


# ---------------------------------------------------------------- help


@pytest.mark.parametrize("name", [name for name in commands() if name != "pokitdok sandbox"])
def test_help_teaches_by_example(pokitdok: Run, name: str) -> None:
    words = name.split()[1:]
    ran = pokitdok(*words, "--help")
    assert ran.code == 0
    if not isinstance(commands()[name], click.Group) or name in {"pokitdok", "pokitdok eligibility"}:
        assert re.search(rf"^ +(.*[|(] ?)?{name}\b", ran.out, re.MULTILINE), ran.out
    assert max(map(len, ran.out.splitlines())) <= 120


def test_help_shows_the_exit_codes(pokitdok: Run) -> None:
    shown = {int(code) for code in re.findall(r"^ +(\d+) {2,}", pokitdok("--help").out, re.MULTILINE)}
    codes = {value for name, value in vars(_exits).items() if name.isupper() and isinstance(value, int)}
    assert shown == codes - {_exits.BUG}


def test_examples_of_the_help_are_options_there_are() -> None:
    for name, each in commands().items():
        text = f"{each.help or ''}\n{each.epilog or ''}"
        for line in re.findall(rf"^ *(?:.*\| )?({name} [^#\n|)]*)", text, re.MULTILINE):
            target, words = name, line.removeprefix(name).split()
            while words and f"{target} {words[0]}" in commands():
                target = f"{target} {words.pop(0)}"
            options = {option for parameter in commands()[target].params for option in parameter.opts}
            used = {word for word in words if word.startswith("-") and word != "-"}
            assert used <= options | {"--help", "--port", "--speed"}, line


def test_page_shows_every_command_and_every_exit_code() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
    groups = {name for name, each in commands().items() if isinstance(each, click.Group)} - {"pokitdok eligibility"}
    assert {name for name in commands().keys() - groups if f"{name} " not in page} == set()
    codes = {value for name, value in vars(_exits).items() if name.isupper() and isinstance(value, int)}
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)} == codes


def test_secret_is_no_option_of_any_command() -> None:
    options = {option for each in commands().values() for parameter in each.params for option in parameter.opts}
    assert options
    assert {option for option in options if "secret" in option or "password" in option} == set()


@pytest.mark.parametrize("missing", ["click", "rich"])
def test_missing_extra_is_told_with_its_remedy(missing: str) -> None:
    code = f"import sys; sys.modules[{missing!r}] = None; from pokitdok_ext.cli import main; sys.exit(main(['token']))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert 'pip install "pokitdok-client[cli]"' in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(pokitdok: Run, shell: str) -> None:
    if shutil.which(shell) is None and shell == "bash":
        pytest.skip("click asks bash for its version")
    ran = pokitdok("completion", shell)
    assert (ran.code, "_POKITDOK_COMPLETE" in ran.out) == (0, True)


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("pokitdok tra", "trading-partners"),
        ("pokitdok request GET /act", "/activities/"),
        ("pokitdok --profile w", "work"),
    ],
)
def test_completion_offers(words: str, offered: str) -> None:
    home = Path(os.environ["HOME"], ".config", "pokitdok")
    home.mkdir(parents=True)
    (home / "profiles.toml").touch(0o600)
    (home / "profiles.toml").write_text('[work]\nclient_id = "x"\n')
    environment = os.environ | {
        "_POKITDOK_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    code = "import sys; from pokitdok_ext.cli import main; sys.exit(main())"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert offered in [line.partition(",")[2] for line in ran.stdout.splitlines()], ran.stderr


# ---------------------------------------------------------------- token and request


def test_token_tells_how_long_it_lives_and_never_itself(connected: Sandbox, pokitdok: Run) -> None:
    ran = pokitdok("token")
    assert (ran.code, ran.err) == (0, "")
    assert re.fullmatch(r"token [0-9a-f]{8} is good for \d+ minutes\n", ran.out)
    revealed = pokitdok("token", "--reveal").out
    assert re.fullmatch(r"\w{40}\n", revealed)
    assert revealed.strip() not in ran.out


def test_token_is_kept_for_the_next_run_in_a_file_of_ones_own(connected: Sandbox, pokitdok: Run) -> None:
    before = connected.token_requests
    first, second = pokitdok("token", "--reveal").out, pokitdok("token", "--reveal").out
    assert first == second
    assert connected.token_requests == before + 1
    files = [path for path in Path(os.environ["HOME"]).rglob("*") if path.is_file()]
    assert files
    assert {path.stat().st_mode & 0o077 for path in files} == {0}
    assert pokitdok("--no-token-file", "token", "--reveal").out != first


def test_request_prints_the_answer_as_json(connected: Sandbox, pokitdok: Run) -> None:
    ran = pokitdok("request", "get", f"/activities/{WELL_KNOWN}")
    assert (ran.code, ran.json["data"]["id"]) == (0, WELL_KNOWN)


def test_request_sends_query_and_body(connected: Sandbox, pokitdok: Run) -> None:
    ran = pokitdok("request", "POST", "/eligibility/", "-d", "-", stdin=json.dumps(example("/api/v4/eligibility/")))
    assert (ran.code, ran.json["data"]["valid_request"]) == (0, True)
    ran = pokitdok("request", "GET", "/activities", "-q", "limit=1", "-q", "offset=0")
    assert (ran.code, len(ran.json["data"])) == (0, 1)


def test_request_shows_an_error_and_ends_by_its_kind(connected: Sandbox, pokitdok: Run) -> None:
    ran = pokitdok("request", "POST", "/eligibility/", "-d", "-", stdin='{"trading_partner_id": "MOCKPAYER"}')
    assert ran.code == _exits.NO
    assert ran.json["data"]["errors"]
    assert "check_eligibility" in ran.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("GET", "activities/"), "begins with a slash"),
        (("GET", "/api/v4/activities/"), "begins with a slash"),
        (("GET", "/identity/?first_name=Ann"), "-q NAME=VALUE"),
        (("BREW", "/activities/"), "BREW"),
        (("POST", "/claims/", "-d", "no-such-file"), "no-such-file cannot be read"),
    ],
)
def test_request_that_cannot_be_is_told(connected: Sandbox, pokitdok: Run, arguments: Any, told: str) -> None:
    ran = pokitdok("request", *arguments)
    assert (ran.code, ran.out) == (_exits.USAGE, "")
    assert told in ran.err


# ---------------------------------------------------------------- eligibility


def test_eligibility_is_a_table(connected: Sandbox, pokitdok: Run) -> None:
    ran = pokitdok("eligibility", *MEMBER, "W100000001", "--birth-date", "1984-06-17")
    assert ran.code == 0
    assert ran.out.startswith("Active - SANDBOX CHOICE PPO")
    assert "2387.25 USD" in ran.out
    assert "\x1b" not in ran.out, "no colours in a pipe"


@pytest.mark.parametrize(
    ("member", "code", "first_line"),
    [
        ("W100000002", 0, "Inactive - SANDBOX CHOICE PLAN"),
        ("W100000003", 1, "Not found: subscriber insured not found (correct and resubmit)"),
    ],
)
def test_eligibility_says_no_in_words_and_by_its_code(
    connected: Sandbox, pokitdok: Run, member: str, code: int, first_line: str
) -> None:
    ran = pokitdok("eligibility", *MEMBER, member)
    assert ran.code == code
    assert ran.out.splitlines()[0].startswith(first_line)


def test_eligibility_that_is_asked_for_later_is_an_activity(connected: Sandbox, pokitdok: Run) -> None:
    asked = json.dumps({**example("/api/v4/eligibility/"), "async": True})
    ran = pokitdok("eligibility", "--from", "-", stdin=asked)
    assert ran.code == 0
    [activity_id] = re.findall(r"^activity ([0-9a-f]{24}): ", ran.out)
    assert f"pokitdok activity watch {activity_id}" in ran.err


def test_eligibility_as_json_is_the_answer(connected: Sandbox, pokitdok: Run, tmp_path: Path) -> None:
    file = tmp_path / "question.json"
    file.write_text(json.dumps(example("/api/v4/eligibility/")))
    ran = pokitdok("eligibility", "--from", str(file), "--json")
    assert ran.code == 0
    assert ran.json["meta"]["activity_id"]
    assert ran.json["data"]["coverage"]["active"] is True


def test_refusal_names_the_field_and_no_patient(connected: Sandbox, pokitdok: Run) -> None:
    ran = pokitdok("eligibility", "-t", "MOCKPAYER", "--npi", "12", "--member-id", "CANARY1", "--last-name", "Canary")
    assert (ran.code, ran.out) == (_exits.NO, "")
    assert "provider.npi" in ran.err
    assert "canary" not in ran.err.lower()
    shown = pokitdok("eligibility", "-t", "MOCKPAYER", "--npi", "12", "--member-id", "C1", "--json")
    assert shown.json["data"]["errors"]["validation"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "no trading partner"),
        (("-t", "MOCKPAYER"), "neither member_id nor birth_date"),
        (("-t", "MOCKPAYER", "--birth-date", "17.6.1984"), "birth_date is not a date"),
        (("-t", "MOCKPAYER", "--birth-date", "19840617"), "birth_date is not a date"),
        (("--from", "-"), "the standard input is not JSON: line 1, column 2"),
    ],
)
def test_question_that_cannot_be_asked_is_told(connected: Sandbox, pokitdok: Run, arguments: Any, told: str) -> None:
    ran = pokitdok("eligibility", *arguments, stdin="{canary")
    assert (ran.code, ran.out) == (_exits.USAGE, "")
    assert told in ran.err
    assert "canary" not in ran.err
    assert "17.6." not in ran.err


# ---------------------------------------------------------------- claims and activities


def test_claim_is_submitted_and_followed_to_its_end(connected: Sandbox, pokitdok: Run) -> None:
    ran = pokitdok("claims", "submit", "-", stdin=json.dumps(example("/api/v4/claims/")))
    assert ran.code == 0, ran.err
    [activity_id] = re.findall(r"^activity ([0-9a-f]{24}): ", ran.out)
    assert f"pokitdok activity watch {activity_id}" in ran.err
    watched = pokitdok("activity", "watch", activity_id)
    assert watched.code == 0
    states = re.findall(r"^.{19}  (\w+)", watched.out, re.MULTILINE)
    assert (states[0], states[-1]) == ("init", "completed")
    assert pokitdok("activity", "watch", activity_id, "--json").json["state"]["name"] == "completed"


def test_claim_is_submitted_as_it_is_and_its_answer_shown(connected: Sandbox, pokitdok: Run) -> None:
    ran = pokitdok("claims", "submit", "-", "--json", stdin=json.dumps(example("/api/v4/claims/")))
    assert ran.json["data"]["parameters"]["trading_partner_id"] == "MOCKPAYER"


def test_status_of_a_claim_is_a_table(connected: Sandbox, pokitdok: Run) -> None:
    question = json.dumps(example("/api/v4/claims/status"))
    ran = pokitdok("claims", "status", "-", stdin=question)
    assert ran.code in {0, 1}, ran.err
    assert "tracking id" in ran.out or "no claim" in ran.out
    assert pokitdok("claims", "status", "-", "--json", stdin=question).json["meta"]["activity_id"]


def test_watching_ends_when_the_time_is_over(pokitdok: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with Sandbox(speed=0.001) as slow:
        monkeypatch.setenv("POKITDOK_BASE_URL", slow.url)
        monkeypatch.setenv("POKITDOK_CLIENT_ID", slow.client_id)
        monkeypatch.setenv("POKITDOK_CLIENT_SECRET", slow.client_secret)
        submitted = pokitdok("claims", "submit", "-", "--json", stdin=json.dumps(example("/api/v4/claims/")))
        ran = pokitdok("activity", "watch", submitted.json["meta"]["activity_id"], "--for", "0.05")
    assert ran.code == _exits.LATER
    assert "had not ended after 0.05 s (state: scheduled)" in ran.err


def test_unknown_activity_is_told(connected: Sandbox, pokitdok: Run) -> None:
    ran = pokitdok("activity", "watch", "0" * 24)
    assert (ran.code, ran.out) == (_exits.NO, "")
    assert "get_activity" in ran.err


# ---------------------------------------------------------------- trading partners, sandbox, failures


def test_trading_partners_are_found(connected: Sandbox, pokitdok: Run) -> None:
    assert "Mock Payer for Testing" in pokitdok("trading-partners", "MOCKPAYER").out
    found = pokitdok("trading-partners", "--search", "mock", "--transaction", "270", "--json").json["data"]
    assert [entry["id"] for entry in found] == ["MOCKPAYER"]
    none = pokitdok("trading-partners", "--search", "no such partner")
    assert (none.code, none.out) == (_exits.NO, "")


def test_sandbox_takes_its_own_options(pokitdok: Run) -> None:
    with pytest.raises(SystemExit) as ended:
        pokitdok("sandbox", "--help")
    assert ended.value.code == 0
    ran = pokitdok("sandbox", "--speed", "-1")
    assert (ran.code, "speed is -1" in ran.err) == (2, True)


def test_no_base_url_shows_how_to_start_the_sandbox(pokitdok: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POKITDOK_CLIENT_ID", "x")
    monkeypatch.setenv("POKITDOK_CLIENT_SECRET", "y")
    ran = pokitdok("token")
    assert ran.code == _exits.USAGE
    assert "in a second terminal:\n    python -m pokitdok_sandbox" in ran.err


def test_wrong_secret_ends_with_its_own_code(
    connected: Sandbox, pokitdok: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POKITDOK_CLIENT_SECRET", "wrong-canary")
    ran = pokitdok("token")
    assert ran.code == _exits.CREDENTIALS
    assert "canary" not in ran.err


@pytest.mark.usefixtures("no_pauses")
def test_server_that_is_not_there_ends_with_its_own_code(connected: Sandbox, pokitdok: Run) -> None:
    ran = pokitdok("--base-url", "http://127.0.0.1:9", "trading-partners")
    assert ran.code == _exits.LATER
    assert "Traceback" not in ran.err


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("payment_required", _exits.CREDENTIALS),
        ("truncated_json", _exits.LATER),
        ("unavailable", _exits.LATER),
        ("reset_after", _exits.LATER),
        ("html_500", _exits.LATER),
    ],
)
def test_failure_ends_with_its_code_and_shows_no_patient(
    connected: Sandbox, pokitdok: Run, fault: str, code: int
) -> None:
    order = {"name": fault, "operations": ["check_eligibility"]}
    httpx.post(f"{connected.url}/_sandbox/faults", json=order).raise_for_status()
    try:
        ran = pokitdok("eligibility", *MEMBER, "CANARY1", "--first-name", "Canary", "--birth-date", "1984-06-17")
    finally:
        httpx.delete(f"{connected.url}/_sandbox/faults").raise_for_status()
    assert (ran.code, ran.out) == (code, "")
    assert ran.err.startswith("pokitdok: ")
    assert "canary" not in ran.err.lower()
    assert "1984" not in ran.err


def test_fault_of_the_command_names_its_place_and_no_value(
    connected: Sandbox, pokitdok: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise KeyError("Canary, the patient")

    monkeypatch.setattr("pokitdok_ext.cli._eligibility.show_answer", broken)
    ran = pokitdok("eligibility", *MEMBER, "W100000001")
    assert ran.code == _exits.BUG
    assert "unexpected KeyError at" in ran.err
    assert "Canary" not in ran.err


def test_terminal_is_not_steered_by_an_answer(
    connected: Sandbox, pokitdok: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = {"data": [{"id": "X\x1b]0;owned\x07", "name": "\x1b[31mred[bold]"}]}
    monkeypatch.setattr("pokitdok_ext.cli._session.Session.ask", lambda *_, **__: answer)
    ran = pokitdok("trading-partners")
    assert "\x1b" not in ran.out
    assert "red[bold]" in ran.out


@pytest.mark.parametrize("path", ["/claims/#b", "/claims\n/", "/../../x", "/./claims/", "/claims/\x7f"])
def test_path_that_would_lead_elsewhere_is_refused(pokitdok: Any, path: str) -> None:
    ran = pokitdok("request", "POST", path)
    assert ran.code == 2
    assert "would lead elsewhere" in ran.err


def test_json_in_a_terminal_cannot_steer_it() -> None:
    session = Session(None, Path("none"), None, None, 1.0)
    shown = io.StringIO()
    session.out = Console(file=shown, force_terminal=True, color_system=None, width=80)
    document = {"name": "Jos\u00e9 \x9b31m \x1b[2J \u202e"}
    session.show_content(json.dumps(document, ensure_ascii=False).encode())
    assert json.loads(shown.getvalue()) == document
    assert all(sign.isprintable() or sign == "\n" for sign in shown.getvalue())
