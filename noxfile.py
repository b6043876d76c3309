"""Every check this repository has. `nox` runs those that must hold; `nox -s tests` runs one; `nox --list` lists all."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nox

sys.path.insert(0, str(Path(__file__).parent / "scripts"))
import pythons
from environment import AT_ONCE, HASHED, LOCKS, QUICK, made_from

nox.needs_version = ">=2025.2"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "lint_spec", "types", "generated", "tests"]

TOKEN_TESTS = [
    f"tests/test_{name}.py"
    for name in (
        *("tokens", "outages", "manager", "failure_matrix", "sources", "sharing", "authorization", "auth"),
        *("token_storms", "token_secrets", "file_store", "redis_store", "stores", "transport_security"),
    )
]


def install(session: nox.Session) -> None:
    """Everything from the lock file, then this project on top of it; once for each state of the lock file."""
    stamp = Path(session.virtualenv.location) / "made-from"
    if stamp.is_file() and stamp.read_text() == made_from():
        return
    session.install(*HASHED, "-r", str(LOCKS["all"]))
    session.install("--no-deps", "--no-build-isolation", "-e", ".")
    stamp.write_text(made_from())


@nox.session
def tests(session: nox.Session) -> None:
    """Run all tests: unit, sandbox, and contract tests from cassettes; on all cores."""
    install(session)
    session.run("pytest", *(session.posargs or AT_ONCE))


@nox.session(default=False)
def quick(session: nox.Session) -> None:
    """Run the tests that take no long time of their own: for use between two edits."""
    install(session)
    session.run("pytest", *(session.posargs or QUICK))


@nox.session(python=[str(each.path) for each in pythons.others()] or False, default=False)
def other_pythons(session: nox.Session) -> None:
    """Run the same on each further Python from 3.11 to 3.14 that this machine has."""
    if not session.python:
        session.skip("this machine has no other Python from 3.11 to 3.14")
    install(session)
    session.run("python", "--version")
    session.run("pytest", *(session.posargs or QUICK))


@nox.session(default=False)
def tests_under_load(session: nox.Session) -> None:
    """Run all tests while every core is busy with something else."""
    install(session)
    with every_core_busy(session):
        session.run("pytest", *(session.posargs or AT_ONCE))


@nox.session(default=False)
def tokens_under_load(session: nox.Session) -> None:
    """Run the tests of the token lifecycle three times while every core is busy."""
    install(session)
    with every_core_busy(session):
        for _ in range(3):
            session.run("pytest", *TOKEN_TESTS, *session.posargs)


@contextmanager
def every_core_busy(session: nox.Session) -> Iterator[None]:
    burners = [
        subprocess.Popen([f"{session.bin}/python", "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)
    ]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and format; `nox -s lint -- --fix` repairs what can be repaired."""
    install(session)
    session.run("ruff", "check", *session.posargs, ".")
    session.run("ruff", "format", *([] if "--fix" in session.posargs else ["--check"]), ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check types with mypy --strict and pyright, generated code included."""
    install(session)
    session.run("mypy")
    session.run("mypy", "tests/typing_api.py")
    session.run("pyright", "--pythonpath", f"{session.bin}/python")


@nox.session
def generated(session: nox.Session) -> None:
    """Fail if generated/ is not what openapi.yaml and the templates give."""
    install(session)
    session.run("python", "scripts/generate.py", "--check")


@nox.session(default=False)
def generate(session: nox.Session) -> None:
    """Write generated/ and docs/reference anew after a change of openapi.yaml or of a template."""
    install(session)
    session.run("python", "scripts/generate.py")
    session.run("python", "scripts/reference.py")


@nox.session(default=False)
def spec_change(session: nox.Session) -> None:
    """Say what a change of openapi.yaml means; `-- --base FILE|REV --markdown FILE` for another base and a file."""
    install(session)
    session.run("python", "scripts/spec_change.py", *session.posargs)


@nox.session(default=False)
def record(session: nox.Session) -> None:
    """Record the cassettes anew from the sandbox, without network; `-- --check` compares, `-- -k NAME` takes some."""
    install(session)
    session.run("python", "scripts/record.py", *session.posargs)


@nox.session(default=False)
def evidence(session: nox.Session) -> None:
    """Make tests/contract/evidence and docs/evidence.md; `-- --clone PATH` reads a clone of an old client."""
    install(session)
    session.run("python", "scripts/evidence.py", *session.posargs)


@nox.session(default=False)
def reference(session: nox.Session) -> None:
    """Write docs/reference anew after a change of openapi.yaml; `-- --check` only compares."""
    install(session)
    session.run("python", "scripts/reference.py", *session.posargs)


@nox.session
def lint_spec(session: nox.Session) -> None:
    """Check openapi.yaml by our rules, and by Redocly where Node is there."""
    install(session)
    session.run("pytest", "tests/test_contract_rules.py")
    if shutil.which("npm") is None:
        if os.environ.get("POKITDOK_REQUIRE_PEERS") == "1":
            session.error("npm is missing, which Redocly needs")
        session.warn("npm is missing: Redocly is left out. Install Node 20 or newer to run it too.")
        return
    session.run("npm", "ci", "--prefix", "tools", "--silent", external=True)
    lint = ("tools/node_modules/.bin/redocly", "lint", "--config", "redocly.yaml", "openapi.yaml")
    quiet = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}
    session.run(*lint, external=True, env=quiet)


@nox.session(default=False)
def demo(session: nox.Session) -> None:
    """Run the main job on the embedded sandbox."""
    install(session)
    session.run("python", "scripts/demonstration.py", *session.posargs)


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Measure side by side, in one run, and print ratios."""
    install(session)
    session.run("python", "benchmarks/run.py", *session.posargs)
    session.run("python", "benchmarks/calls.py")


@nox.session(default=False)
def fuzz(session: nox.Session) -> None:
    """Run schemathesis over the whole contract at length; `-- --seed N` gives it another seed."""
    install(session)
    session.run("python", "scripts/fuzz.py", "--long", *session.posargs)


@nox.session(default=False)
def soak(session: nox.Session) -> None:
    """Load the sandbox with 50,000 requests, 50 in flight, and watch its memory; about five minutes."""
    install(session)
    session.run("python", "benchmarks/soak.py", *session.posargs)


@nox.session(default=False)
def lock(session: nox.Session) -> None:
    """Write the lock files from pyproject.toml: pins and hashes, no hosts; `-- --upgrade` moves pins that still fit."""
    session.install("uv")
    compile_ = ("uv", "pip", "compile", "pyproject.toml", "--quiet", "--universal", "--generate-hashes")
    plain = ("--no-annotate", "--no-header", "--no-emit-index-url", "--no-emit-find-links")
    made = Path(session.create_tmp())
    whole, demo = made / LOCKS["all"].name, made / LOCKS["demo"].name
    shutil.copy(LOCKS["all"], whole)  # uv keeps the pins and hashes of the file that it writes
    session.run(*compile_, *plain, "--all-extras", "--group", "dev", "-o", str(whole), *session.posargs)
    shutil.copy(whole, demo)
    session.run(*compile_, *plain, "--extra", "sandbox", "--group", "demo", "--group", "build", "-o", str(demo))
    for made_one, lock_file in ((whole, LOCKS["all"]), (demo, LOCKS["demo"])):
        shutil.copy(made_one, lock_file)


@nox.session(default=False)
def mutants(session: nox.Session) -> None:
    """Change contract and sandbox in many small ways, and fail where no check notices; about a quarter of an hour."""
    install(session)
    session.run("python", "scripts/mutants.py", *session.posargs)


@nox.session(default=False)
def batch(session: nox.Session) -> None:
    """Run a batch of 5,000 members with faults and two kill -9s through the sandbox; about a minute."""
    install(session)
    session.run("pytest", "tests/cli/test_batch.py", "-k", "kill_9", env={"POKITDOK_BATCH_ROWS": "5000"})
