"""What README.md shows is run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pokitdok_sandbox import Sandbox

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_python_in_the_readme_runs_against_the_sandbox(capsys: pytest.CaptureFixture[str]) -> None:
    [code] = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    with Sandbox(port=0) as sandbox:
        assert sandbox.client_id in code, "the example names other credentials than the sandbox's defaults"
        exec(compile(code.replace("http://127.0.0.1:8400", sandbox.url), "README.md", "exec"), {})  # noqa: S102 - ours
    assert re.fullmatch(r"True \d+(\.\d+)?\n", capsys.readouterr().out)


def test_python_in_the_page_on_models_runs() -> None:
    page = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL))
    assert code.count("assert") > 1
    exec(compile(code, "models.md", "exec"), {})  # noqa: S102 - ours


def test_every_path_named_in_the_readme_exists() -> None:
    named = re.findall(r"`(?:\./)?((?:[\w-]+/)+[\w.-]*|[\w-]+\.(?:py|yaml|toml))`", README)
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []
