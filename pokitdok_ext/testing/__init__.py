"""For tests of code that uses this client: cassettes fit to publish, and a checker of traffic against the contract.

Needs the extra ``testing``.
"""

try:
    from pokitdok_ext.testing.cassettes import ReadableYaml, check_cassette, vcr_settings
    from pokitdok_ext.testing.contract import Contract, Finding
except ModuleNotFoundError as error:
    if error.name in {"jsonschema_rs", "yaml"}:
        message = f'pokitdok_ext.testing needs {error.name}: pip install "pokitdok-client[testing]"'
        raise ModuleNotFoundError(message, name=error.name) from None
    raise

__all__ = ["Contract", "Finding", "ReadableYaml", "check_cassette", "vcr_settings"]
