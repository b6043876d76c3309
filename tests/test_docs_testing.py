"""docs/testing.md: its blocks are files of a project, and the tests among them pass."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pokitdok_ext.testing import HeldClock, InProcessSandbox, plugin

pytestmark = pytest.mark.slow

pytest_plugins = ["pytester"]

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"```python\n# (\w+)\.py\n(.*?)```", PAGE, flags=re.DOTALL))


def test_every_block_of_the_page_is_a_file() -> None:
    assert len(FILES) == PAGE.count("```python")


def test_tests_of_the_page_pass(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(**FILES)
    plugins = ("pokitdok_ext.testing.plugin", "pytest_asyncio.plugin", "pytest_recording.plugin")
    pytester.makeini(
        f"""
        [pytest]
        pythonpath = . {ROOT} {ROOT / "generated"}
        asyncio_mode = auto
        asyncio_default_fixture_loop_scope = function
        filterwarnings = error
        addopts = --strict-markers --block-network {" ".join(f"-p {name}" for name in plugins)}
        """
    )
    written = sum(len(re.findall(r"^(?:async )?def test_", text, flags=re.MULTILINE)) for text in FILES.values())
    assert written >= 12
    pytester.runpytest_subprocess("--record-mode=rewrite").assert_outcomes(passed=written)
    pytester.runpytest_subprocess().assert_outcomes(passed=written + 1)  # and the cassette


def test_table_of_the_page_has_every_fixture() -> None:
    fixtures = {name for name in vars(plugin) if name.startswith("pokitdok_")}
    assert set(re.findall(r"^\| `(pokitdok_\w+)` \|", PAGE, flags=re.MULTILINE)) == fixtures


def test_begin_of_time_is_the_one_the_page_names() -> None:
    assert f"noon (UTC) of {plugin.START:%-d %B %Y}" in PAGE
    assert plugin.START.hour == 12


def test_sandbox_without_pytest() -> None:
    with InProcessSandbox(HeldClock()) as sandbox:
        assert sandbox.state()["token_requests"] == 0
