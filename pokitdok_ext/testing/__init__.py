"""For tests of code that uses this client: a token server, held time, cassettes fit to publish, a checker of traffic.

Needs the extra ``testing``.
"""

try:
    from pokitdok_ext.testing.cassettes import ReadableYaml, check_cassette, read_cassette, vcr_settings
    from pokitdok_ext.testing.clock import HeldClock
    from pokitdok_ext.testing.contract import Contract, Finding
    from pokitdok_ext.testing.token_server import FakeTokenServer
except ModuleNotFoundError as error:
    if error.name in {"jsonschema_rs", "yaml"}:
        message = f'pokitdok_ext.testing needs {error.name}: pip install "pokitdok-client[testing]"'
        raise ModuleNotFoundError(message, name=error.name) from None
    raise

__all__ = [
    "Contract",
    "FakeTokenServer",
    "Finding",
    "HeldClock",
    "ReadableYaml",
    "check_cassette",
    "read_cassette",
    "vcr_settings",
]
