"""What spec_change compares with: the newest release tag of this history, in a real repository."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))
import spec_change
from _spec_source import BadContract

Git = Callable[..., str]
NAME = ("-c", "user.name=Test", "-c", "user.email=test@example.org")


@pytest.fixture
def git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Git:
    """Runs git in an empty repository that takes the place of this one."""
    monkeypatch.setattr(spec_change, "ROOT", tmp_path)

    def run(*arguments: str) -> str:
        command = ["git", "-C", str(tmp_path), *NAME, "-c", "tag.gpgsign=false", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    run("init", "-q", "-b", "main")
    return run


def commit(git: Git, folder: Path, text: str | None) -> None:
    contract = folder / "openapi.yaml"
    if text is None:
        contract.unlink(missing_ok=True)
    else:
        contract.write_text(text)
    git("add", "-A")
    git("commit", "-qm", "change", "--allow-empty")


def test_newest_version_is_taken_of_light_and_annotated_tags(git: Git, tmp_path: Path) -> None:
    """By version and not by name or date: v1.10.0 is newer than v1.9.0, though v1.9.0 was set last."""
    commit(git, tmp_path, "one: 1\n")
    git("tag", "v1.2.0")
    commit(git, tmp_path, "ten: 10\n")
    git("tag", "-a", "v1.10.0", "-m", "release")
    commit(git, tmp_path, "nine: 9\n")
    git("tag", "v1.9.0")
    commit(git, tmp_path, "head: 0\n")
    assert spec_change.released(None) == ("tag v1.10.0", b"ten: 10\n")
    git("tag", "v2.0.0")
    assert spec_change.released(None) == ("tag v2.0.0", b"head: 0\n")


def test_tag_of_another_branch_is_no_release_of_this_one(git: Git, tmp_path: Path) -> None:
    commit(git, tmp_path, "main: 1\n")
    git("tag", "v1.0.0")
    git("checkout", "-qb", "next")
    commit(git, tmp_path, "next: 2\n")
    git("tag", "v2.0.0")
    git("checkout", "-q", "main")
    assert spec_change.released(None) == ("tag v1.0.0", b"main: 1\n")


def test_prerelease_is_older_than_its_release(git: Git, tmp_path: Path) -> None:
    commit(git, tmp_path, "candidate: 1\n")
    git("tag", "v1.0.0-rc1")
    commit(git, tmp_path, "release: 1\n")
    git("tag", "v1.0.0")
    commit(git, tmp_path, "head: 1\n")
    assert spec_change.released(None) == ("tag v1.0.0", b"release: 1\n")


def test_tag_that_names_no_version_is_no_release(git: Git, tmp_path: Path) -> None:
    commit(git, tmp_path, "release: 1\n")
    git("tag", "v1.0.0")
    commit(git, tmp_path, "head: 1\n")
    git("tag", "zebra")
    assert spec_change.released(None) == ("tag v1.0.0", b"release: 1\n")


def test_without_a_tag_head_is_taken_and_that_is_said(git: Git, tmp_path: Path) -> None:
    commit(git, tmp_path, "head: 0\n")
    assert spec_change.released(None) == ("HEAD (no release is tagged yet)", b"head: 0\n")


@pytest.mark.parametrize("base", ["v1.0.0", "v1.1.0", "main~1"])
def test_base_may_be_a_light_tag_an_annotated_one_or_a_revision(base: str, git: Git, tmp_path: Path) -> None:
    commit(git, tmp_path, "base: 1\n")
    git("tag", "v1.0.0")
    git("tag", "-a", "v1.1.0", "-m", "release")
    commit(git, tmp_path, "head: 1\n")
    assert spec_change.released(base) == (f"revision {base}", b"base: 1\n")


@pytest.mark.parametrize("base", [None, "v1.0.0"])
def test_tag_without_a_contract_is_told_with_the_remedy(
    base: str | None, git: Git, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commit(git, tmp_path, None)
    git("tag", "-a", "v1.0.0", "-m", "release")
    commit(git, tmp_path, "head: 1\n")
    arguments = ["--contract", str(tmp_path / "openapi.yaml"), *(["--base", base] if base else [])]
    assert spec_change.main(arguments) == 2
    said = capsys.readouterr().err
    assert "openapi.yaml" in said
    assert "v1.0.0" in said
    assert "give --base FILE or a revision with openapi.yaml" in said
    assert "Traceback" not in said


def test_no_repository_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spec_change, "ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(BadContract, match=r"not a git repository.*give --base FILE"):
        spec_change.released(None)
