"""The pytest plugin, by what the tests of its users see of it. What they run is the sample project's front desk."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

pytestmark = pytest.mark.slow

pytest_plugins = ["pytester"]

ROOT = Path(__file__).resolve().parent.parent
PLUGINS = ("pokitdok_ext.testing.plugin", "pytest_asyncio.plugin", "pytest_recording.plugin")
INI = f"""
[pytest]
pythonpath = {ROOT} {ROOT / "generated"} {ROOT / "tests" / "sample_project" / "src"}
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
filterwarnings = error
addopts = --strict-markers --block-network -p no:cacheprovider {" ".join(f"-p {name}" for name in PLUGINS)}
"""
DESK = """
import pytest
from front_desk import FrontDesk, Patient, Visit

TAMSIN = Patient("Tamsin", "Quill", "1984-06-17", "W100000001")
VISIT = Visit(TAMSIN, "2026-11-02", "99213", "J10.1", 60.0)
"""

Run = Callable[..., pytest.RunResult]


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the tests in a text, with the plugin whether or not this environment has it as an entry point."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    pytester.makeini(INI)

    def run(tests: str, *arguments: str) -> pytest.RunResult:
        pytester.makepyfile(DESK + dedent(tests))
        return pytester.runpytest_subprocess(*arguments)

    return run


def test_each_test_has_a_sandbox_and_a_time_of_its_own(run: Run) -> None:
    """The same in each: what one test left would be seen by the next."""
    done = run(
        """
        from pokitdok_api.api.activities import list_activities

        seen = []

        @pytest.mark.parametrize("number", range(3))
        def test_alone(number, pokitdok_client, pokitdok_sandbox, pokitdok_time):
            before = list_activities.sync(client=pokitdok_client, limit=100).data
            claim = FrontDesk(pokitdok_client).bill(VISIT)
            pokitdok_time.forward(600)
            pokitdok_sandbox.faults.order("unavailable")
            seen.append((len(before), claim, pokitdok_time.now, pokitdok_sandbox.state()))
            assert seen == [seen[0]] * (number + 1)
        """
    )
    done.assert_outcomes(passed=3)


def test_code_that_connects_by_itself_is_connected_and_let_go(run: Run) -> None:
    done = run(
        """
        from pokitdok_ext import ConfigurationError, compat, connect
        from pokitdok_ext.testing.sandbox import SANDBOX_URL

        kept = {}

        def test_first(pokitdok_sandbox):
            assert FrontDesk().is_covered(TAMSIN)
            with compat.PokitDokClient() as old:
                assert old.trading_partners("MOCKPAYER")["data"]["id"] == "MOCKPAYER"
            assert pokitdok_sandbox.state()["requests"] == {
                "create_token": 2, "check_eligibility": 1, "get_trading_partner": 1
            }

        def test_afterwards():
            with pytest.raises(ConfigurationError, match="no base_url"):
                connect("id", "secret")
            with connect("id", "secret", base_url=SANDBOX_URL, retry=None) as client:
                with pytest.raises(Exception, match="no answer"):
                    client.tokens.warm()
        """
    )
    done.assert_outcomes(passed=2)


def test_calls_of_every_kind_reach_one_sandbox(run: Run) -> None:
    """Also a synchronous one from a running loop, as code that is being moved to asyncio has it."""
    done = run(
        """
        import asyncio
        from concurrent.futures import ThreadPoolExecutor

        async def test_kinds(pokitdok_sandbox):
            desk = FrontDesk()
            assert desk.is_covered(TAMSIN)
            assert await desk.covered([TAMSIN] * 20) == {"W100000001": True}
            with ThreadPoolExecutor(8) as threads:
                answers = list(threads.map(desk.is_covered, [TAMSIN] * 20))
            answers.append(await asyncio.to_thread(desk.is_covered, TAMSIN))
            assert answers == [True] * 21
            state = pokitdok_sandbox.state()
            assert (state["token_requests"], state["requests"]["check_eligibility"]) == (1, 42)
        """
    )
    done.assert_outcomes(passed=1)


def test_waiting_moves_the_time_and_takes_none(run: Run) -> None:
    done = run(
        """
        from datetime import datetime, timedelta, timezone
        from pokitdok_ext.activities import await_activity

        async def test_waits(pokitdok_client, pokitdok_time):
            begun = pokitdok_time.now
            claim = FrontDesk(pokitdok_client).bill(VISIT)
            ended = await await_activity(claim, client=pokitdok_client, within=3600)
            assert ended.state.name == "completed"
            assert timedelta(seconds=420) <= pokitdok_time.now - begun <= timedelta(seconds=480)
            assert timedelta(seconds=sum(pokitdok_time.slept)) == pokitdok_time.now - begun

        def test_late_answers(pokitdok_client, pokitdok_sandbox, pokitdok_time):
            pokitdok_sandbox.faults.order("latency", seconds=100)
            FrontDesk(pokitdok_client).is_covered(TAMSIN)
            assert pokitdok_time.slept == [100, 100]  # the token, the question

        def test_it_goes_forward_only(pokitdok_time):
            pokitdok_time.forward_to(datetime(2027, 1, 1, tzinfo=timezone.utc))
            assert pokitdok_time.now.year == 2027
            with pytest.raises(ValueError, match="is over"):
                pokitdok_time.forward_to(datetime(2026, 1, 1, tzinfo=timezone.utc))
            with pytest.raises(ValueError, match="no time zone"):
                pokitdok_time.forward_to(datetime(2028, 1, 1))
        """,
        "--durations=0",
    )
    done.assert_outcomes(passed=3)
    assert done.duration < 20


def test_sandbox_is_chosen_for_all_tests_for_a_module_and_for_one(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        import pytest

        @pytest.fixture
        def pokitdok_settings():
            return {"token_life": 600, "rate_limit": 7, "strict": True}
        """
    )
    done = run(
        """
        pytestmark = pytest.mark.pokitdok(rate_limit=8, token_life=700)

        @pytest.mark.pokitdok(token_life=800)
        def test_nearest_wins(pokitdok_sandbox):
            settings = pokitdok_sandbox._settings
            assert (settings.strict, settings.rate_limit, settings.token_life) == (True, 8, 800)

        @pytest.mark.pokitdok(strct=True)
        def test_misspelled(pokitdok_sandbox):
            pass

        @pytest.mark.pokitdok(token_life=0)
        def test_senseless(pokitdok_sandbox):
            pass
        """
    )
    done.assert_outcomes(passed=1, errors=2)
    done.stdout.fnmatch_lines_random(
        [
            "*choices of the sandbox: *unexpected keyword argument 'strct'*",
            "*choices of the sandbox: token life is 0; *",
        ]
    )
    assert "plugin.py" not in done.stdout.str()


def test_token_server_answers_what_a_test_scripts(run: Run) -> None:
    done = run(
        """
        import httpx
        from pokitdok_ext import TokenUnavailableError, connect

        def test_outage_at_start(pokitdok_token_server, pokitdok_time):
            pokitdok_token_server.then(*[httpx.Response(503)] * 9)
            with connect() as client:
                with pytest.raises(TokenUnavailableError):
                    client.tokens.warm()
                pokitdok_token_server.then()
                pokitdok_time.forward(3600)
                asked = len(pokitdok_token_server.token_requests)
                assert asked >= 2
                assert pokitdok_time.slept

        def test_both(pokitdok_sandbox, pokitdok_token_server):
            pass
        """
    )
    done.assert_outcomes(passed=1, errors=1)
    done.stdout.fnmatch_lines(["*pokitdok_sandbox and pokitdok_token_server both answer connect()*"])


FAILING = """
from pokitdok_ext import connect
from pokitdok_api.api.activities import get_activity

CANARY = Patient(*(part[::-1] for part in ("yranac", "elttirb", "50-21-3191", "777yranacW")))

class Quiet:
    def __repr__(self):
        return "what the test wrote itself"

def question():
    quiet = Quiet()
    quiet.patient = CANARY
    return quiet

def test_answer(pokitdok_client, pokitdok_sandbox, pokitdok_time):
    from front_desk.desk import _question
    from pokitdok_api.api.eligibility import check_eligibility
    body = _question(CANARY)
    detailed = check_eligibility.sync_detailed(client=pokitdok_client, body=body)
    answer, tokens, state = detailed.parsed, pokitdok_client.tokens, pokitdok_client.tokens.state()
    assert answer is None

@pytest.mark.parametrize("fault", ["unavailable", "reset_after", "timeout_after", "truncated_json", "truncated_body"])
def test_fault(pokitdok_sandbox, fault):
    client = connect(retry=None)
    pokitdok_sandbox.faults.order(fault, operations=["submit_claim"])
    from front_desk.desk import FrontDesk as Desk
    from pokitdok_api.api.claims import submit_claim
    body = Desk(client)._claim(Visit(CANARY, "2026-11-02", "99213", "J10.1", 60.0))
    submit_claim.sync(client=client, body=body)

async def test_fault_in_a_task(pokitdok_client, pokitdok_sandbox):
    pokitdok_sandbox.faults.order("reset_after", operations=["check_eligibility"])
    from front_desk.desk import _question
    from pokitdok_api.api.eligibility import check_eligibility
    body = _question(CANARY)
    await check_eligibility.asyncio(client=pokitdok_client, body=body)

@pytest.mark.pokitdok(client_secret="".join(reversed("tercesyranac")))
def test_refused(pokitdok_sandbox):
    with connect(client_secret="".join(reversed("gnorwyranac"))) as client:
        client.tokens.warm()
"""


def test_failing_tests_show_no_secret_and_no_patient(run: Run) -> None:
    """Locals are shown; what a test writes down itself is its own affair, so it keeps the planted names backwards."""
    done = run(FAILING, "--showlocals", "-vv", "-rA", "--log-level=DEBUG")
    done.assert_outcomes(failed=8)
    said = done.stdout.str() + done.stderr.str()
    assert "InProcessSandbox('https://sandbox.pokitdok.test')" in said
    assert "EligibilityEnvelope(" in said
    assert "EligibilityRequest(" in said
    leaks = [line for line in said.splitlines() if re.search("canary|brittle|1913|sandbox-client-secret", line)]
    assert [line for line in leaks if "yranac" not in line] == []
    assert not re.search(r"\b[A-Za-z0-9]{40}\b", said), "a token"


RECORDED = """
import httpx
from pokitdok_ext import connect

@pytest.fixture(scope="module")
def vcr_config(pokitdok_vcr_config):
    return pokitdok_vcr_config

@pytest.mark.vcr
def test_ours(pokitdok_sandbox):
    assert FrontDesk().is_covered(TAMSIN)

@pytest.mark.vcr
def test_elsewhere():
    answer = lambda request: httpx.Response(200, json={"meta": {}, "data": {"id": "5317f51527a27620f2ec7533"}})
    with connect(token="t", base_url="https://insurer.example.com", transport=httpx.MockTransport(answer)) as client:
        FrontDesk(client).bill(VISIT)
"""


def test_recorded_cassettes_say_where_they_come_from_and_are_tests(run: Run, pytester: pytest.Pytester) -> None:
    run(RECORDED, "--record-mode=rewrite").assert_outcomes(passed=2)
    origins = {path.stem: path.read_text().splitlines()[0] for path in pytester.path.rglob("*.pokitdok.yaml")}
    assert re.fullmatch(
        r"origin: pokitdok_sandbox \d+\.\d+\.\d+, contract [0-9a-f]{12}; not traffic of the real platform",
        origins["test_ours.pokitdok"],
    )
    assert re.fullmatch(
        r"origin: recorded with pokitdok-client \d+\.\d+\.\d+, not from its sandbox", origins["test_elsewhere.pokitdok"]
    )
    played = pytester.runpytest_subprocess("-v")
    played.assert_outcomes(passed=3, failed=1)
    played.stdout.fnmatch_lines_random(
        [
            "*/test_ours.pokitdok.yaml::fits_the_contract PASSED*",
            "*/test_elsewhere.pokitdok.yaml::fits_the_contract FAILED*",
            "test_elsewhere.pokitdok.yaml does not fit the contract of pokitdok-client *:",
            "  submit_claim answer 200 /: body: breaks anyOf",
        ]
    )


def test_cassette_that_cannot_be_read_is_told_in_a_line(run: Run, pytester: pytest.Pytester) -> None:
    (pytester.path / "torn.pokitdok.yaml").write_text("interactions: [Canary")
    done = run("")
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*torn.pokitdok.yaml cannot be read as a cassette: record it anew*"])
    assert "Canary" not in done.stdout.str()
    assert "Traceback" not in done.stdout.str()


def test_request_that_was_not_recorded_is_told_without_what_was_sent(run: Run) -> None:
    run(RECORDED, "--record-mode=rewrite").assert_outcomes(passed=2)
    changed = RECORDED.replace("(TAMSIN)", '(Patient("Canary", "Quill", "1984-06-17", "W100000001"))')
    done = run(changed, "--showlocals", "-k", "test_ours and not fits_the_contract")
    done.assert_outcomes(failed=1, deselected=3)
    done.stdout.fnmatch_lines(["*NotRecordedError: *test_ours.pokitdok.yaml has no answer to this check_eligibility*"])
    said = [line for line in done.stdout.lines if "Canary" in line and "Patient(" not in line]
    assert said == []


def test_cassettes_of_others_are_left_as_they_are(run: Run, pytester: pytest.Pytester) -> None:
    """In one run with ours: another API's keep their name, their form and their settings."""
    pytester.makepyfile(
        test_other="""
        import httpx
        import pytest

        @pytest.mark.vcr
        def test_weather():
            with httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200, json={"sun": 1}))) as client:
                assert client.get("https://weather.example.com/").json() == {"sun": 1}
        """
    )
    run(RECORDED, "--record-mode=rewrite").assert_outcomes(passed=3)
    [other] = pytester.path.rglob("test_weather*")
    assert other.name == "test_weather.yaml"
    assert "origin" not in other.read_text()
    assert "string: '{\"sun\":1}'" in other.read_text()


def test_plugin_imports_nothing_but_itself() -> None:
    code = (
        "import sys, pytest; before = set(sys.modules); import pokitdok_ext.testing.plugin;"
        " print(*sorted(set(sys.modules) - before))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert loaded == ["pokitdok_ext", "pokitdok_ext.testing", "pokitdok_ext.testing.plugin"]


@pytest.mark.parametrize(
    ("missing", "fixture", "line"),
    [
        (
            "starlette",
            "pokitdok_client",
            'InProcessSandbox needs starlette: pip install "pokitdok-client[testing,sandbox]"',
        ),
        ("jsonschema_rs", "pokitdok_contract", 'Contract needs jsonschema_rs: pip install "pokitdok-client[testing]"'),
        ("yaml", "pokitdok_vcr_config", 'vcr_settings needs yaml: pip install "pokitdok-client[testing]"'),
    ],
)
def test_missing_extra_is_told_with_the_line_that_installs_it(run: Run, missing: str, fixture: str, line: str) -> None:
    done = run(
        f"""
        import sys
        sys.modules["{missing}"] = None

        def test_it({fixture}):
            pass
        """,
    )
    done.assert_outcomes(errors=1)
    assert line in done.stdout.str()
    assert "plugin.py" not in done.stdout.str()
