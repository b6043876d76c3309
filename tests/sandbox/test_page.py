"""The page at /, in headless Chromium: what it shows, what it asks for, and whether its lines can be pasted."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from base64 import b64decode
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest

from pokitdok_sandbox import Sandbox
from pokitdok_sandbox.settings import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

INSTALL = "apt-get install chromium chromium-driver"
SECONDS = 30
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1200,1500",
)
LOGIN = (DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET)


class Browser:
    """Chromium through chromedriver, by the WebDriver protocol (W3C) and the logs that Chromium adds to it."""

    def __init__(self, driver: httpx.Client, session: str) -> None:
        self._driver = driver
        self._session = f"/session/{session}"

    def open(self, url: str) -> None:
        self._post("/url", {"url": url})

    def run(self, script: str) -> Any:
        return self._post("/execute/sync", {"script": f"return ({script})", "args": []})

    def wait_for(self, script: str) -> Any:
        """Return the value of the script as soon as it is true; a page has no other way to say that it is ready."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            if value := self.run(script):
                return value
            time.sleep(0.05)
        return pytest.fail(f"never true within {SECONDS} s: {script}")

    def hosts(self) -> set[str]:
        """Return every host that was asked for anything since the last call."""
        entries = [entry["message"] for entry in self._post("/se/log", {"type": "performance"})]
        events = [json.loads(entry)["message"] for entry in entries]
        urls = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
        return {urlsplit(url).netloc for url in urls if url.startswith(("http", "ws"))}

    def complaints(self) -> list[str]:
        """Return what the console of the page says: script errors, refused requests."""
        return [entry["message"] for entry in self._post("/se/log", {"type": "browser"})]

    def screenshot(self) -> bytes:
        return b64decode(self._driver.get(f"{self._session}/screenshot").raise_for_status().json()["value"])

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        answer = self._driver.post(self._session + path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()["value"]


@contextmanager
def driver() -> Iterator[httpx.Client]:
    """Start chromedriver; it picks a port and says which."""
    command = [shutil.which("chromedriver") or "chromedriver", "--port=0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = next(found for line in process.stdout if (found := re.search(r"on port (\d+)\.", line)))
            with httpx.Client(base_url=f"http://127.0.0.1:{port[1]}", timeout=120) as client:
                yield client
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    missing = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    if missing:
        message = f"{' and '.join(missing)} not installed: {INSTALL}"
        if os.environ.get("POKITDOK_REQUIRE_PEERS") == "1":
            pytest.fail(message, pytrace=False)
        pytest.skip(message)
    profile = tmp_path_factory.mktemp("chromium")
    options = {"binary": shutil.which("chromium"), "args": [*FLAGS, f"--user-data-dir={profile}"]}
    wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"performance": "ALL", "browser": "ALL"}}
    with driver() as client:
        made = client.post("/session", json={"capabilities": {"alwaysMatch": wanted}})
        assert made.status_code == 200, made.text
        session = made.json()["value"]["sessionId"]
        yield Browser(client, session)
        client.delete(f"/session/{session}")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


def block(url: str, name: str) -> str:
    """Return the text of one block of lines to paste, as a reader of the page copies it."""
    found = re.search(rf'<code id="{name}">(.*?)</code></pre>', httpx.get(url).text, re.S)
    assert found is not None
    return unescape(found[1])


@pytest.mark.peer
def test_the_page_shows_what_happens_while_it_happens(
    browser: Browser, sandbox: Sandbox, claim: dict[str, Any]
) -> None:
    httpx.post(f"{sandbox.url}/_sandbox/reset")
    browser.hosts()
    browser.open(f"{sandbox.url}/")
    browser.wait_for("document.querySelectorAll('#activities tr').length === 1")
    token = httpx.post(f"{sandbox.url}/oauth2/token", data={"grant_type": "client_credentials"}, auth=LOGIN).json()
    headers = {"authorization": f"Bearer {token['access_token']}"}
    made = httpx.post(f"{sandbox.url}/api/v4/claims/", json=claim, headers=headers).json()["data"]["id"]

    rows = "[...document.querySelectorAll('#activities tr')].map(row => row.innerText)"
    line = browser.wait_for(f"{rows}.find(text => text.includes('{made}'))")
    assert re.search(r"claims\s+" + made + r"\s+MOCKPAYER\s+scheduled", line)
    assert browser.run("document.getElementById('requests').textContent") == "1"
    assert browser.run("document.getElementById('token-requests').textContent") == "1"
    assert LOGIN[0] in browser.run("document.getElementById('tokens').innerText")

    httpx.put(f"{sandbox.url}/api/v4/activities/{made}", json={"transition": "cancel"}, headers=headers)
    browser.wait_for("document.getElementById('activities').innerText.includes('canceled')")

    text = browser.run("document.documentElement.outerHTML")
    assert "Perdita" not in text
    assert "W555000111" not in text
    assert token["access_token"] not in text
    assert browser.hosts() == {urlsplit(sandbox.url).netloc}
    assert browser.complaints() == []
    keep(browser, "page")


@pytest.mark.peer
def test_the_page_says_when_the_sandbox_is_gone(browser: Browser) -> None:
    with Sandbox() as gone:
        browser.open(f"{gone.url}/")
        browser.wait_for("document.getElementById('pulse').textContent === 'running'")
    browser.wait_for("document.getElementById('pulse').textContent === 'not reachable'")
    browser.complaints()


@pytest.mark.peer
def test_the_reference_lists_every_operation_without_asking_anybody_else(browser: Browser, sandbox: Sandbox) -> None:
    browser.hosts()
    browser.open(f"{sandbox.url}/_sandbox/reference")

    browser.wait_for("document.querySelectorAll('.opblock-tag').length > 10")
    document = httpx.get(f"{sandbox.url}/_sandbox/openapi.json").json()
    items = [*document["paths"].values(), *document.get("webhooks", {}).values()]
    count = sum(method in item for item in items for method in ("get", "put", "post", "delete", "patch"))
    browser.run("document.querySelectorAll('.opblock-tag').forEach(tag => tag.click()) || true")
    browser.wait_for(f"document.querySelectorAll('.opblock').length === {count}")
    assert browser.hosts() == {urlsplit(sandbox.url).netloc}
    assert browser.complaints() == []
    keep(browser, "reference")


def keep(browser: Browser, name: str) -> None:
    """Leave a picture where POKITDOK_SCREENSHOTS says, for whoever changes the page and wants to see it."""
    if folder := os.environ.get("POKITDOK_SCREENSHOTS"):
        Path(folder, f"{name}.png").write_bytes(browser.screenshot())


def test_the_lines_for_curl_can_be_pasted(sandbox: Sandbox, program: Callable[[str], str]) -> None:
    program("curl")
    names = ("curl-token", "curl-eligibility", "curl-claim")
    script = "\n".join(block(sandbox.url, name) for name in names)
    run = subprocess.run([program("bash"), "-c", script], capture_output=True, text=True, check=True, timeout=30)

    assert '"valid_request": true' in run.stdout
    assert '"scheduled"' in run.stdout


def test_the_lines_for_python_can_be_pasted(sandbox: Sandbox) -> None:
    command = [sys.executable, "-c", block(sandbox.url, "python")]
    run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)

    assert "Mock Payer" in run.stdout


def test_a_secret_of_ones_own_is_on_no_page_and_its_lines_work(program: Callable[[str], str]) -> None:
    program("curl")
    with Sandbox(client_id="me <b>", client_secret="canary") as sandbox:
        start = httpx.get(sandbox.url).text
        assert "canary" not in start + httpx.get(f"{sandbox.url}/_sandbox/reference").text
        assert "<b>" not in start
        script = block(sandbox.url, "curl-token") + "\n" + block(sandbox.url, "curl-claim")
        environment = {**os.environ, "POKITDOK_CLIENT_SECRET": "canary"}
        command = [program("bash"), "-c", script]
        run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30, env=environment)

    assert '"scheduled"' in run.stdout


def test_the_page_names_the_address_that_it_was_asked_at(sandbox: Sandbox) -> None:
    page = httpx.get(sandbox.url, headers={"host": "sandbox.test:1"}).text

    assert "-d grant_type=client_credentials http://sandbox.test:1/oauth2/token" in page


async def test_a_look_at_the_page_moves_no_activity(
    make_app: Callable[..., Any], sign_in: Callable[..., Any], claim: dict[str, Any]
) -> None:
    async with sign_in(make_app(advance="polls")) as api:
        await api.post("/api/v4/claims/", json=claim)
        looks = [(await api.get("/_sandbox/live")).json()["activities"][0] for _ in range(3)]

    assert [look["state"] for look in looks] == ["scheduled"] * 3
    assert (looks[0]["step"], looks[0]["steps"]) == (1, 8)
