"""docs/tokens.md: its Python runs against the sandbox and prints what the page says; its tables name all there is."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any, get_args

import pytest

import pokitdok_ext
from pokitdok_api import Client
from pokitdok_ext import TokenError, TokenPolicy, TokenState, connect
from pokitdok_ext._token_reports import EventKind, Phase
from pokitdok_ext._tokens import windows
from pokitdok_ext.testing.token_server import FakeTokenServer
from pokitdok_sandbox import Sandbox

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGE = (DOCS / "tokens.md").read_text(encoding="utf-8")
NEEDS_A_BROKER = {"Celery", "Redis"}
"""Sections whose programs need a server; they are compiled, and what they import of ours is looked up."""

Block = tuple[str, str, str | None]


def blocks() -> list[Block]:
    """Section, program, and what is printed, if the page says."""
    found: list[Block] = []
    for section in re.split(r"^##+ ", PAGE, flags=re.MULTILINE):
        for code, printed in re.findall(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", section, flags=re.DOTALL):
            found.append((section.partition("\n")[0], code, printed or None))
    return found


def sections(blocks: list[Block]) -> list[str]:
    return [section for section, _, _ in blocks]


RUN = [block for block in blocks() if block[0] not in NEEDS_A_BROKER and "TokenStoreContract" not in block[1]]


def close_all(names: dict[str, Any]) -> None:
    for value in names.values():
        if isinstance(value, Client):
            value.close()


@pytest.mark.parametrize(("section", "code", "printed"), RUN, ids=sections(RUN))
def test_program_of_the_page_prints_what_it_says(
    section: str,
    code: str,
    printed: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TOKEN_DIRECTORY", str(tmp_path / "tokens"))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    with Sandbox(port=0) as sandbox:
        monkeypatch.setenv("POKITDOK_CLIENT_ID", sandbox.client_id)
        monkeypatch.setenv("POKITDOK_CLIENT_SECRET", sandbox.client_secret)
        monkeypatch.setenv("POKITDOK_BASE_URL", sandbox.url)
        names: dict[str, Any] = {"__name__": "page"}
        try:
            exec(compile(code.replace("http://127.0.0.1:8400", sandbox.url), section, "exec"), names)  # noqa: S102 - ours
            if "handler" in names:
                assert list(names["handler"]({}, None)) == ["activities"]
            if "app" in names:
                assert names["app"]({}, lambda *_: None) == [b"1 token request\n"]
        finally:
            close_all(names)
    if printed is not None:
        assert capsys.readouterr().out == printed


@pytest.mark.parametrize(("section", "code", "printed"), blocks(), ids=sections(blocks()))
def test_program_of_the_page_imports_what_there_is(section: str, code: str, printed: str | None) -> None:
    imports = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.ImportFrom)]
    ours = [(node.module, name.name) for node in imports for name in node.names if str(node.module)[:8] == "pokitdok"]
    assert ours
    for module, name in ours:
        home = importlib.import_module(str(module))
        assert hasattr(home, name) or importlib.import_module(f"{module}.{name}")


@pytest.mark.slow
def test_store_of_the_page_keeps_the_promises_of_a_store(tmp_path: Path) -> None:
    [code] = [code for _, code, _ in blocks() if "TokenStoreContract" in code]
    (tmp_path / "test_store.py").write_text(code, encoding="utf-8")
    options = ("-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(tmp_path))
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stdout
    assert " passed" in run.stdout


# --- the tables -----------------------------------------------------------------------------------


def test_table_has_every_phase_and_every_event() -> None:
    for name in (*get_args(Phase), *get_args(EventKind)):
        assert re.search(rf"^\| `{name}` \| \S", PAGE, re.MULTILINE), name


def test_page_names_all_of_the_state_and_of_the_policy() -> None:
    for field in (*dataclasses.fields(TokenState), *dataclasses.fields(TokenPolicy)):
        assert f"`{field.name}`" in PAGE or f"`state().{field.name}`" in PAGE, field.name


def test_page_says_what_to_do_about_every_token_error() -> None:
    every = [getattr(pokitdok_ext, name) for name in pokitdok_ext.__all__]
    ours = [
        each for each in every if isinstance(each, type) and issubclass(each, TokenError) and each is not TokenError
    ]
    table = PAGE.partition("### Errors")[2].partition("###")[0]
    assert ours
    assert [each.__name__ for each in ours if f"`{each.__name__}`" not in table] == []


def test_page_names_all_of_client_tokens() -> None:
    with connect("id", "secret", base_url="https://api.pokitdok.test", transport=FakeTokenServer()) as client:
        public = [name for name in dir(client.tokens) if not name.startswith("_")]
    told = [name for name in public if re.search(rf"`(?:await )?{name}\(\)`", PAGE)]
    assert sorted(set(public) - set(told)) == ["clock", "close", "manager"]


# --- the pictures ---------------------------------------------------------------------------------


def words(picture: str) -> list[str]:
    texts = ET.parse(DOCS / "images" / picture).iterfind(".//{http://www.w3.org/2000/svg}text")  # noqa: S314 - ours
    return ["".join(text.itertext()) for text in texts]


def test_picture_of_the_states_has_every_phase() -> None:
    assert set(get_args(Phase)) <= set(words("token-states.svg"))


def test_picture_of_the_windows_shows_what_the_code_does() -> None:
    told = words("token-windows.svg")
    for life, chance, soft, hard in ((3600, 0, "55:00", "59:50"), (3600, 1, "54:00", "59:50")):
        assert [f"{int(age // 60)}:{int(age % 60):02}" for age in windows(life, chance)] == [soft, hard]
        assert {soft, hard} <= set(told)
    assert windows(60, 0.5) == (30, 54)
    assert {"30 s, half of its life", "54 s"} <= set(told)


def test_page_links_what_there_is() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", PAGE)
    assert {"images/token-states.svg", "images/token-windows.svg"} <= set(links)
    assert [link for link in links if not (DOCS / link).exists()] == []
