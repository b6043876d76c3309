"""Profiles: where the API is and whose credentials to use. The TOML file names where secrets are and holds none."""

import os
import stat
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pokitdok_ext._errors import ConfigurationError

DEFAULT = "default"
USUAL_FILE = "%APPDATA%\\pokitdok\\profiles.toml" if os.name == "nt" else "~/.config/pokitdok/profiles.toml"
"""Where profiles are if nobody says where, in words."""

_SECRET_KEYS = ("client_secret_file", "client_secret_env", "client_secret_command")
_KEYS = {"base_url", "client_id", "trading_partner", "npi", *_SECRET_KEYS}
_COMMAND_SECONDS = 60


@dataclass(frozen=True)
class Profile:
    """One table of the file.

    Attributes:
        name: Its heading.
        base_url: Scheme and host of the API.
        client_id: Of the application.
        secret_from: Which of the three keys is given, and its value.
        trading_partner: For commands that are not told one.
        npi: Of the provider who asks, for commands that are not told one.
    """

    name: str
    base_url: str | None = None
    client_id: str | None = None
    secret_from: tuple[str, Any] | None = None
    trading_partner: str | None = None
    npi: str | None = None

    def secret(self) -> str | None:
        """The client secret; None if the profile does not say where it is.

        Raises:
            ConfigurationError: It is not there, or a file with it is open to other users.
        """
        if self.secret_from is None:
            return None
        key, value = self.secret_from
        if key == "client_secret_env":
            found = os.environ.get(value, "")
        elif key == "client_secret_file":
            found = read_private(Path(value).expanduser())
        else:
            found = self._printed_by(value)
        secret = found.strip("\r\n")
        if not secret:
            raise ConfigurationError(f"profile {self.name}: {key} gives nothing")
        return secret

    def _printed_by(self, command: list[str]) -> str:
        try:
            run = subprocess.run(  # noqa: S603 - the user's own command, without a shell
                command, stdout=subprocess.PIPE, timeout=_COMMAND_SECONDS, check=True
            )
        except (OSError, subprocess.SubprocessError) as error:
            failed = type(error).__name__
        else:
            return run.stdout.decode(errors="replace")
        raise ConfigurationError(f"profile {self.name}: client_secret_command failed ({failed}): {command[0]}")


def default_file() -> Path:
    """`USUAL_FILE`, or where `XDG_CONFIG_HOME` has it."""
    config = os.environ.get("XDG_CONFIG_HOME", "")
    if os.name != "nt" and Path(config).is_absolute():
        return Path(config) / "pokitdok" / "profiles.toml"
    return Path(os.path.expandvars(USUAL_FILE)).expanduser()


def load(file: Path) -> dict[str, Profile]:
    """All profiles of *file* by name; none if there is no such file.

    Raises:
        ConfigurationError: It cannot be read, is open to other users, or holds what it must not.
    """
    if not file.exists():
        return {}
    try:
        document = tomllib.loads(read_private(file))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{file} is not TOML: {error}") from None
    return {name: _profile(file, name, table) for name, table in document.items()}


def _profile(file: Path, name: str, table: Any) -> Profile:
    where = f"{file}, [{name}]"
    if not isinstance(table, dict):
        raise ConfigurationError(
            f"{file}: {name} stands outside a table; a profile begins with a line like [{DEFAULT}]"
        )
    if "client_secret" in table:
        raise ConfigurationError(
            f"{where}: the secret itself does not belong here; name one of {', '.join(_SECRET_KEYS)}"
        )
    unknown = sorted(table.keys() - _KEYS)
    if unknown:
        raise ConfigurationError(f"{where}: unknown key {unknown[0]}; there are {', '.join(sorted(_KEYS))}")
    secrets = [key for key in _SECRET_KEYS if key in table]
    if len(secrets) > 1:
        raise ConfigurationError(f"{where}: {' and '.join(secrets)}: only one can say where the secret is")
    for key, value in table.items():
        wanted = list if key == "client_secret_command" else str
        if (
            not isinstance(value, wanted)
            or not value
            or (wanted is list and not all(isinstance(x, str) for x in value))
        ):
            shape = 'an array of words, such as ["pass", "show", "pokitdok"]' if wanted is list else "a text"
            raise ConfigurationError(f"{where}: {key} is {shape}")
    plain = {key: value for key, value in table.items() if key not in _SECRET_KEYS}
    return Profile(name, secret_from=(secrets[0], table[secrets[0]]) if secrets else None, **plain)


def read_private(file: Path) -> str:
    """The text of a file that no other user can read or write.

    Raises:
        ConfigurationError: Others can, or it cannot be read.
    """
    try:
        with file.open(encoding="utf-8-sig") as stream:
            status = os.fstat(stream.fileno())
            if os.name == "posix" and (status.st_mode & 0o077 or status.st_uid not in {os.geteuid(), 0}):
                mode = stat.S_IMODE(status.st_mode)
                raise ConfigurationError(f"{file} is open to other users (mode {mode:o}): chmod 600 {file}")
            return stream.read()
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{file} is not UTF-8") from None
