"""Certificates for serving https, from a local authority that the sandbox makes once and keeps. No socket is opened.

The authority is for the shell of a client under test. Nobody should add it to what a whole machine or browser trusts:
whoever reads its key can pretend to be any host to those who trust it.
"""

from __future__ import annotations

import os
import ssl
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shlex import quote
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    from collections.abc import Iterable

NAMES = ("localhost", "127.0.0.1", "::1", "platform.pokitdok.com")
"""Names that every certificate is good for; the last is built into the platform's old clients."""
LIFE = timedelta(days=397)
"""How long a server certificate is good; a new one is made at each start."""
PRIVATE = "authority-private.pem"
PUBLIC = "authority.pem"


class TlsError(Exception):
    """The authority cannot be used; the text names the file and the remedy."""


@dataclass(frozen=True)
class Tls:
    """What a server needs to speak TLS 1.2 or newer, and where its clients find whom to trust."""

    context: ssl.SSLContext
    ca_file: Path

    @property
    def trust_lines(self) -> str:
        """Shell lines after which clients started there trust the sandbox; most of them nobody else any more."""
        return "\n".join(
            f"export {variable}={quote(str(self.ca_file.absolute()))}  # {readers}"
            for variable, readers in (
                ("SSL_CERT_FILE", "Python (httpx, ssl), Ruby, Go and others on OpenSSL"),
                ("REQUESTS_CA_BUNDLE", "Python (requests)"),
                ("CURL_CA_BUNDLE", "curl"),
                ("NODE_EXTRA_CA_CERTS", "Node"),
            )
        )


def default_directory() -> Path:
    """Return the folder of the user's own where the authority is kept when nobody says where."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "pokitdok-sandbox"


def prepare(directory: Path, names: Iterable[str] = ()) -> Tls:
    """Make a server certificate for NAMES and ``names``, signed by the authority in ``directory``.

    The authority is made when there is none: its key and certificate in one file that only its owner can read, its
    certificate alone in another. The server's key is never written.

    Raises:
        TlsError: The folder cannot be written, its key is open to others, or it holds something else.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        authority = _authority(directory / PRIVATE)
        ca_file = directory / PUBLIC
        certificate = authority.cert_pem.bytes()
        if not ca_file.exists() or ca_file.read_bytes() != certificate:
            _write(ca_file, certificate, 0o644, replace=True)
    except OSError as error:
        raise TlsError(f"{directory}: {error.strerror or error}. Name another folder with --tls-dir.") from None
    now = datetime.now(UTC)
    try:
        leaf = authority.issue_cert(
            *NAMES,
            *names,
            organization_name="pokitdok_sandbox",
            not_before=now - timedelta(days=1),
            not_after=now + LIFE,
        )
    except ValueError as error:
        raise TlsError(f"{error}. Give --tls-name a host name or an IP address.") from None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    leaf.configure_cert(context)
    return Tls(context, ca_file)


def _authority(file: Path) -> trustme.CA:
    with suppress(FileNotFoundError):
        return _read(file)
    authority = trustme.CA(path_length=0, organization_name="pokitdok_sandbox, local, for tests only")
    try:
        _write(file, authority.private_key_pem.bytes() + authority.cert_pem.bytes(), 0o600, replace=False)
    except FileExistsError:  # another sandbox was quicker
        return _read(file)
    return authority


def _read(file: Path) -> trustme.CA:
    with file.open("rb") as opened:
        mode = os.fstat(opened.fileno()).st_mode
        content = opened.read()
    if os.name == "posix" and mode & 0o077:
        raise TlsError(
            f"{file} can be read by others; whoever has it can pretend to be any host. Run: chmod 600 {file}"
        )
    key, mark, certificate = content.partition(b"-----BEGIN CERTIFICATE-----")
    try:
        return trustme.CA.from_pem(mark + certificate, key)
    except (ValueError, TypeError):
        raise TlsError(f"{file} is no key and certificate of this sandbox. Delete it or name another folder.") from None


def _write(file: Path, content: bytes, mode: int, *, replace: bool) -> None:
    """Write a file so that nobody ever sees half of it. Without ``replace``, FileExistsError if it is there."""
    with NamedTemporaryFile(dir=file.parent, prefix=f".{file.name}-", delete=False) as new:
        new.write(content)
        new.flush()
        os.fsync(new.fileno())
    fresh = Path(new.name)
    try:
        fresh.chmod(mode)
        if replace:
            fresh.replace(file)
        else:
            os.link(fresh, file)
    finally:
        fresh.unlink(missing_ok=True)
