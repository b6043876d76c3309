"""The recipe of docs/celery.md, run as it stands there: two workers of two processes, one token, one budget."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import redis

from pokitdok_sandbox import Sandbox

pytestmark = pytest.mark.slow

PAGE = Path(__file__).resolve().parent.parent / "docs" / "celery.md"
ASKED = 40

ASK = f"""
import tasks
questions = [
    {{
        "trading_partner_id": "MOCKPAYER",
        "member": {{"first_name": "Nora", "last_name": "Quill", "id": f"W{{number:09}}"}},
        "provider": {{"npi": "1234567893"}},
    }}
    for number in range({ASKED})
]
results = [tasks.ask.delay(question) for question in questions]
print(sum(bool(result.get(timeout=60)["data"]) for result in results))
"""


@pytest.mark.peer
def test_workers_of_the_recipe_share_one_token_and_one_budget(redis_url: str, tmp_path: Path) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "tasks.py").write_text(block, encoding="utf-8")
    with Sandbox() as sandbox:
        environment: dict[str, Any] = {
            **os.environ,
            "REDIS_URL": redis_url,
            "BROKER_URL": redis_url.replace("unix://", "redis+socket://"),
            "POKITDOK_CLIENT_ID": sandbox.client_id,
            "POKITDOK_CLIENT_SECRET": sandbox.client_secret,
            "POKITDOK_BASE_URL": sandbox.url,
        }
        worker = [sys.executable, "-m", "celery", "-A", "tasks", "worker", "--concurrency", "2", "--loglevel", "INFO"]
        logs = [(tmp_path / f"worker{number}.log").open("w+") for number in range(2)]
        workers = [
            subprocess.Popen(
                [*worker, "--hostname", f"worker{number}@%h"],
                cwd=tmp_path,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            for number, log in enumerate(logs)
        ]
        try:
            run = subprocess.run(
                [sys.executable, "-c", ASK],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
        finally:
            for process in workers:
                process.terminate()
            for process in workers:
                process.wait(60)
        texts = [Path(log.name).read_text() for log in logs]
        for log in logs:
            log.close()
        assert run.returncode == 0, run.stderr[-2000:]
        assert run.stdout.strip() == str(ASKED)
        assert sandbox.token_requests == 1
        assert sandbox.state()["requests"]["check_eligibility"] == ASKED
        with redis.Redis.from_url(redis_url) as client:
            budget = client.get("pokitdok:pace:default")
        assert isinstance(budget, bytes)
        assert f", {ASKED}, ".encode() in budget
        assert all("Quill" not in text for text in texts)
        assert sum(text.count("succeeded") for text in texts) == ASKED
        assert all("succeeded" in text for text in texts), "both workers have had work"
