"""The sandbox over https: its authority, its certificates, and clients of several kinds that trust it."""

from __future__ import annotations

import json
import os
import socket
import ssl
import stat
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from pokitdok_sandbox import Sandbox
from pokitdok_sandbox.tls import PRIVATE, PUBLIC, Tls, TlsError, default_directory, prepare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

posix = pytest.mark.skipif(os.name != "posix", reason="file modes are those of POSIX")


def trusting(ca_file: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca_file)


def handshake(sandbox: Sandbox, context: ssl.SSLContext, name: str) -> str | None:
    address = ("127.0.0.1", int(sandbox.url.rpartition(":")[2]))
    with socket.create_connection(address, timeout=5) as plain, context.wrap_socket(plain, server_hostname=name) as tls:
        return tls.version()


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(tls=True, tls_names=("sandbox.example", "203.0.113.7")) as running:
        yield running


def test_a_client_that_trusts_the_authority_is_served(sandbox: Sandbox) -> None:
    assert sandbox.url.startswith("https://")
    with httpx.Client(verify=trusting(sandbox.ca_file)) as client:
        assert client.get(f"{sandbox.url}/healthz").json() == {"status": "ready"}
        moved = client.get(f"{sandbox.url}/api/v4/activities")
        assert moved.headers["location"].startswith("https://"), "links are built from what was asked"
    with urllib.request.urlopen(f"{sandbox.url}/healthz", context=trusting(sandbox.ca_file)) as answer:
        assert json.load(answer) == {"status": "ready"}


def test_a_client_that_does_not_is_not(sandbox: Sandbox) -> None:
    with pytest.raises(httpx.ConnectError, match=r"(?i)certificate"):
        httpx.get(f"{sandbox.url}/healthz")


@pytest.mark.parametrize(
    "name", ["localhost", "127.0.0.1", "::1", "platform.pokitdok.com", "sandbox.example", "203.0.113.7"]
)
def test_the_certificate_is_good_for_each_of_its_names(sandbox: Sandbox, name: str) -> None:
    assert handshake(sandbox, trusting(sandbox.ca_file), name) == "TLSv1.3"


def test_the_certificate_is_good_for_no_other_name(sandbox: Sandbox) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(sandbox, trusting(sandbox.ca_file), "localhost.evil.example")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize(
    ("version", "served"),
    [(ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, True)],
)
def test_tls_1_2_is_the_oldest(sandbox: Sandbox, version: ssl.TLSVersion, served: bool) -> None:
    context = trusting(sandbox.ca_file)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = version
    if served:
        assert handshake(sandbox, context, "localhost")
    else:
        with pytest.raises(
            (ssl.SSLError, ConnectionResetError)
        ):  # what OpenSSL calls it differs from version to version
            handshake(sandbox, context, "localhost")


def test_an_authority_of_ones_own_is_gone_with_its_sandbox() -> None:
    with Sandbox(tls=True) as sandbox:
        folder = sandbox.ca_file.parent
        assert folder.is_dir()
    assert not folder.exists()


def test_a_plain_sandbox_has_no_authority() -> None:
    with Sandbox() as sandbox, pytest.raises(RuntimeError, match="tls=True"):
        _ = sandbox.ca_file


# ---------------------------------------------------------------- files


def test_an_authority_in_a_folder_is_used_again(tmp_path: Path) -> None:
    with Sandbox(tls=tmp_path / "deep" / "folder") as first:
        ca_file, certificate = first.ca_file, first.ca_file.read_bytes()
        context = trusting(ca_file)
    with Sandbox(tls=str(ca_file.parent)) as second:
        assert second.ca_file.read_bytes() == certificate
        assert handshake(second, context, "localhost")


@posix
def test_only_the_owner_reads_the_key_and_the_server_key_is_never_written(tmp_path: Path) -> None:
    folder = tmp_path / "tls"
    before = os.umask(0)
    try:
        prepare(folder)
    finally:
        os.umask(before)

    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}
    assert modes == {PRIVATE: 0o600, PUBLIC: 0o644}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert b"PRIVATE KEY" not in (folder / PUBLIC).read_bytes()
    assert (folder / PRIVATE).read_bytes().count(b"PRIVATE KEY-----") == 2, "one key: begin and end"


def test_a_lost_public_file_is_written_again(tmp_path: Path) -> None:
    first = prepare(tmp_path).ca_file.read_bytes()
    (tmp_path / PUBLIC).write_text("something else")

    assert prepare(tmp_path).ca_file.read_bytes() == first


def test_sandboxes_that_start_together_share_one_authority(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: prepare(tmp_path), range(16)))

    assert len({tls.ca_file.read_bytes() for tls in made}) == 1
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted([PRIVATE, PUBLIC])
    for tls in made:
        assert_trusted(tls)


def assert_trusted(tls: Tls) -> None:
    """A handshake in memory between the server's context and a client that trusts the file."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = tls.context.wrap_bio(to_server, to_client, server_side=True)
    client = trusting(tls.ca_file).wrap_bio(to_client, to_server, server_hostname="localhost")
    for side in (client, server, client, server):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    assert client.version() == "TLSv1.3"


@posix
def test_a_key_that_others_can_read_is_refused_with_the_remedy(tmp_path: Path) -> None:
    prepare(tmp_path)
    (tmp_path / PRIVATE).chmod(0o640)

    with pytest.raises(TlsError, match="chmod 600"):
        prepare(tmp_path)


@pytest.mark.parametrize("content", ["", "nonsense", "-----BEGIN CERTIFICATE-----\nnonsense"])
def test_a_file_of_another_kind_is_refused_by_name(tmp_path: Path, content: str) -> None:
    (tmp_path / PRIVATE).write_text(content)
    (tmp_path / PRIVATE).chmod(0o600)

    with pytest.raises(TlsError, match=PRIVATE):
        prepare(tmp_path)


def test_a_folder_that_cannot_be_is_named_with_the_option(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(TlsError, match="--tls-dir"):
        prepare(tmp_path / "file")


def test_a_name_that_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TlsError, match="--tls-name"):
        prepare(tmp_path, ["-bad-.example"])


def test_the_default_folder_is_one_of_the_users_own_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_directory() == tmp_path / "pokitdok-sandbox"
    monkeypatch.delenv("XDG_STATE_HOME")
    assert default_directory() == Path.home() / ".local" / "state" / "pokitdok-sandbox"


# ---------------------------------------------------------------- the command


@contextmanager
def command(*options: str) -> Iterator[tuple[str, str]]:
    """Start the sandbox with TLS on a free port; give its address and the lines that it says make clients trust it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pokitdok_sandbox", "--port", "0", "--tls", *options], stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        try:
            lines = [process.stdout.readline().rstrip("\n") for _ in range(9)]
            url = next(word for word in lines[0].split() if word.startswith("https://"))
            exports = "\n".join(line for line in lines if line.startswith("export "))
            assert lines[-1] == "127.0.0.1 platform.pokitdok.com"
            yield url, exports
        finally:
            process.kill()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    folder = tmp_path_factory.mktemp("with space") / "tls"
    with command("--tls-dir", str(folder), "--tls-name", "sandbox.example") as running:
        yield running


CLIENTS = {
    "curl": "curl -sS {url}/healthz",
    "curl by the built-in name": "curl -sS --resolve {name}:{port}:127.0.0.1 https://{name}:{port}/healthz",
    "httpx": "{python} -c 'import httpx; print(httpx.get(\"{url}/healthz\").text)'",
    "urllib": "{python} -c 'import urllib.request as u; print(u.urlopen(\"{url}/healthz\").read().decode())'",
    "node": "node -e 'fetch(\"{url}/healthz\").then(r => r.text()).then(console.log)'",
    "openssl": "printf 'GET /healthz HTTP/1.0\\r\\n\\r\\n' |"
    " openssl s_client -quiet -verify_return_error -connect 127.0.0.1:{port}",  # what Ruby relies on
}


@pytest.mark.parametrize("client", CLIENTS)
def test_the_printed_lines_make_clients_trust_it(
    served: tuple[str, str], program: Callable[[str], str], client: str
) -> None:
    url, exports = served
    if client not in {"httpx", "urllib"}:
        program(client.partition(" ")[0])
    port = url.rpartition(":")[2]
    line = CLIENTS[client].format(url=url, port=port, name="platform.pokitdok.com", python=sys.executable)
    trusted = run(program("bash"), f"{exports}\n{line}")
    stranger = run(program("bash"), line)

    assert json.loads(trusted.stdout.rpartition("\n\n")[2] or "null") == {"status": "ready"}, trusted.stderr
    assert "ready" not in stranger.stdout, "without the lines nobody trusts it"


def run(bash: str, script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([bash, "-c", script], capture_output=True, text=True, check=False, timeout=30)


def test_a_folder_that_cannot_be_used_is_one_clear_line_and_exit_2(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    arguments = ["-m", "pokitdok_sandbox", "--port", "0", "--tls", "--tls-dir", str(tmp_path / "file")]
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, timeout=60)

    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert "--tls-dir" in done.stderr


def test_a_missing_library_is_named_with_the_line_that_installs_it() -> None:
    without = (
        "import sys, runpy; sys.modules['trustme'] = None; sys.argv[1:] = ['--port', '0', '--tls'];"
        " runpy.run_module('pokitdok_sandbox', run_name='__main__', alter_sys=True)"
    )
    done = subprocess.run([sys.executable, "-c", without], capture_output=True, text=True, check=False, timeout=60)

    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert "trustme" in done.stderr
    assert 'pip install "pokitdok-client[sandbox]"' in done.stderr
