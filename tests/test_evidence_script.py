"""Evidence from a clone of an old client: every revision of its cassettes is read, and no value leaves them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "scripts" / "evidence.py"
CANARY = "Canaryname-1931"
URL = "https://platform.pokitdok.com/api/v4/eligibility/"


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def answer(**data: object) -> str:
    return json.dumps(
        {"meta": {"processing_time": 1}, "data": {"trading_partner_id": "X", "valid_request": True, **data}}
    )


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A repository with a cassette of vcrpy in two revisions and one of Ruby's VCR."""
    folder = tmp_path / "pokitdok-python"
    python, ruby = folder / "tests/fixtures/vcr_cassettes/eligibility.yml", folder / "vcr_cassettes/eligibility.yml"
    python.parent.mkdir(parents=True)
    ruby.parent.mkdir(parents=True)
    git(tmp_path, "init", "-q", str(folder))
    git(folder, "remote", "add", "origin", "https://github.com/pokitdok/pokitdok-python.git")
    request = {"method": "POST", "uri": URL, "body": json.dumps({"trading_partner_id": CANARY}), "headers": {}}
    for body in (answer(payer={"name": CANARY}), answer(coverage={"active": True, "plan_number": CANARY})):
        response = {"status": {"code": 200, "message": "OK"}, "headers": {}, "body": {"string": body}}
        python.write_text(yaml.safe_dump({"version": 1, "interactions": [{"request": request, "response": response}]}))
        git(folder, "add", "-A")
        git(folder, "commit", "-qm", "record")
    failure = json.dumps({"data": {"errors": {"general": CANARY}}})
    interaction = {
        "request": {"method": "post", "uri": URL, "body": {"encoding": "UTF-8", "string": "{}"}},
        "response": {
            "status": {"code": 500},
            "body": {"encoding": "UTF-8", "string": failure},
        },
    }
    ruby.write_text(yaml.safe_dump({"http_interactions": [interaction], "recorded_with": "VCR 2.9.0"}))
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "record in Ruby")
    return folder


def test_every_revision_of_a_clone_becomes_a_skeleton_without_values(clone: Path, tmp_path: Path) -> None:
    output = tmp_path / "evidence"
    command = [sys.executable, str(SCRIPT), "--clone", str(clone), "--output", str(output)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    [file] = output.glob("*.yaml")
    text = file.read_text()
    skeletons = yaml.safe_load(text)
    assert file.name == "check_eligibility.yaml"
    assert [skeleton["status"] for skeleton in skeletons] == [200, 200, 500]
    members = {name for skeleton in skeletons[:2] for name in skeleton["answer"]["data"]}
    assert {"payer", "coverage", "valid_request"} <= members
    assert CANARY not in text
    sources = [source for skeleton in skeletons for source in skeleton["seen"]]
    commits = git(clone, "log", "--format=%H").splitlines()
    assert len(sources) == 3
    assert all(source.startswith("pokitdok/pokitdok-python@") and "sha256:" in source for source in sources)
    assert {source.partition("@")[2].split()[0] for source in sources} == set(commits)


def test_page_of_the_repository_is_left_alone_when_the_output_is_elsewhere(clone: Path, tmp_path: Path) -> None:
    page = ROOT / "docs" / "evidence.md"
    before = page.read_bytes()
    command = [sys.executable, str(SCRIPT), "--clone", str(clone), "--output", str(tmp_path / "evidence")]
    subprocess.run(command, check=True, capture_output=True, text=True)
    assert page.read_bytes() == before
