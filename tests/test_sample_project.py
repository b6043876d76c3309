"""A user's project, with the built wheel in an environment of its own: the plugin serves its tests there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

pytestmark = [pytest.mark.peer, pytest.mark.slow]

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "tests" / "sample_project"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def pins_of(*wanted: str) -> str:
    """The part of the lock file that *wanted* needs, told by the requirements of what is installed here."""
    lock = {
        canonicalize_name(pin.partition("==")[0]): pin
        for pin in re.split(r"^(?=\S)", (ROOT / "requirements.lock").read_text(encoding="utf-8"), flags=re.MULTILINE)
        if pin
    }
    open_ends, found = [Requirement(each) for each in wanted], set[str]()
    while open_ends:
        requirement = open_ends.pop()
        name = canonicalize_name(requirement.name)
        for extra in requirement.extras or {""}:
            for text in distribution(name).requires or []:
                needed = Requirement(text)
                fits = needed.marker is None or needed.marker.evaluate({"extra": extra})
                if fits and canonicalize_name(needed.name) not in found:
                    open_ends.append(needed)
        found.add(name)
    return "".join(lock[name] for name in sorted(found))


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(directory)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=120)
    [built] = directory.glob("*.whl")
    return built


Run = Callable[..., "subprocess.CompletedProcess[str]"]


def runner(python: str, directory: Path) -> Run:
    """Runs a Python on what is in *directory*, without anything of the environment of these tests."""
    outside = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST", "POKITDOK"))
    }

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [python, *arguments]
        return subprocess.run(
            command, cwd=directory, env=outside, capture_output=True, text=True, timeout=120, check=False
        )

    return run


@pytest.fixture(scope="session")
def with_extras(
    make_environment: Callable[..., str], wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Run, Path]:
    """The sample project, copied, and its Python: the wheel with the extras that the project asks for."""
    extras = [text for name in ("testing", "sandbox") for text in PROJECT["optional-dependencies"][name]]
    python = make_environment("sample-project", pins_of(*PROJECT["dependencies"], *extras, "pytest-asyncio"), wheel)
    directory = tmp_path_factory.mktemp("user") / "project"
    shutil.copytree(SAMPLE, directory, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    return runner(python, directory), directory


@pytest.fixture(scope="session")
def without_extras(
    make_environment: Callable[..., str], wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Run, Path]:
    """An empty folder, and a Python with the wheel, what it cannot be without, and pytest."""
    python = make_environment("wheel-alone", pins_of(*PROJECT["dependencies"], "pytest"), wheel)
    directory = tmp_path_factory.mktemp("bare")
    return runner(python, directory), directory


def test_tests_of_the_sample_project_pass(with_extras: tuple[Run, Path]) -> None:
    run, directory = with_extras
    where = run("-c", "import pokitdok_ext, pokitdok_api, pokitdok_sandbox as s; print(pokitdok_ext, pokitdok_api, s)")
    assert str(ROOT / "pokitdok_ext") not in where.stdout
    assert where.stdout.count("site-packages") == 3
    done = run("-m", "pytest", "-v")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    passed = set(re.findall(r"^(\S+?)(?:\[.*\])? PASSED", done.stdout, flags=re.MULTILINE))
    written = {
        f"tests/{file.name}::{name}"
        for file in directory.glob("tests/*_test.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    }
    assert len(written) >= 15
    assert written <= passed
    assert len([name for name in passed if "::TestVault::" in name]) >= 15
    assert len([name for name in passed if name.endswith(".pokitdok.yaml::fits_the_contract")]) == 2
    assert not re.search("SKIPPED|XFAIL|warning", done.stdout)


def test_cassettes_recorded_twice_are_the_same(with_extras: tuple[Run, Path]) -> None:
    run, directory = with_extras
    recordings = []
    for _ in range(2):
        done = run("-m", "pytest", "-q", "--record-mode=rewrite", "tests/recorded_test.py")
        assert done.returncode == 0, done.stdout
        recordings.append({path.name: path.read_bytes() for path in directory.rglob("*.pokitdok.yaml")})
    assert recordings[0] == recordings[1]
    assert len(recordings[0]) == 2
    assert all(text.startswith(b"origin: pokitdok_sandbox ") for text in recordings[0].values())


def test_cassette_that_no_longer_fits_fails_by_its_place(with_extras: tuple[Run, Path]) -> None:
    run, directory = with_extras
    kept = directory / "tests" / "cassettes" / "recorded_test" / "test_covered_patient.pokitdok.yaml"
    broken = kept.with_name("broken.pokitdok.yaml")
    broken.write_text(kept.read_text(encoding="utf-8").replace("expires_in: 3600", "expires_in: Canary"))
    try:
        done = run("-m", "pytest", "-q", "tests/cassettes")
    finally:
        broken.unlink()
    assert "1 failed, 2 passed" in done.stdout
    assert "create_token answer 200 /expires_in: body: breaks type" in done.stdout
    assert "pytest --record-mode=rewrite" in done.stdout
    assert "Canary" not in done.stdout


UNRELATED = """
import sys

def test_nothing_of_ours_is_loaded_beyond_the_plugin():
    ours = {name for name in sys.modules if name.startswith("pokitdok_")}
    assert ours == {"pokitdok_ext", "pokitdok_ext.testing", "pokitdok_ext.testing.plugin"}
    assert not {"httpx", "yaml", "vcr", "jsonschema_rs", "starlette", "uvicorn"} & sys.modules.keys()
"""

NEEDS_EXTRAS = """
def test_sandbox(pokitdok_client):
    pass

def test_contract(pokitdok_contract):
    pass

def test_time(pokitdok_time):
    pokitdok_time.forward(60)

def test_token_server(pokitdok_token_server):
    from pokitdok_ext import connect
    with connect() as client:
        client.tokens.warm()
    assert len(pokitdok_token_server.token_requests) == 1
"""


def test_wheel_alone_costs_other_peoples_tests_nothing(without_extras: tuple[Run, Path]) -> None:
    run, directory = without_extras
    (directory / "test_unrelated.py").write_text(UNRELATED)
    done = run("-W", "error", "-m", "pytest", "-q", "--strict-markers", "test_unrelated.py")
    assert done.returncode == 0, done.stdout


def test_wheel_alone_names_the_extra_that_a_fixture_needs(without_extras: tuple[Run, Path]) -> None:
    run, directory = without_extras
    (directory / "test_extras.py").write_text(NEEDS_EXTRAS)
    done = run("-m", "pytest", "-q", "test_extras.py")
    assert "2 passed, 2 errors" in done.stdout, done.stdout
    assert re.search(r'InProcessSandbox needs \w+: pip install "pokitdok-client\[testing,sandbox\]"', done.stdout)
    assert 'Contract needs jsonschema_rs: pip install "pokitdok-client[testing]"' in done.stdout
    assert "Traceback" not in done.stdout
    assert "plugin.py" not in done.stdout
