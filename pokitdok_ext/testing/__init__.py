"""For tests of code that uses this client: cassettes fit to publish, and a checker of traffic against the contract.

Needs the extra ``testing``.
"""

from pokitdok_ext.testing.cassettes import ReadableYaml, check_cassette, vcr_settings
from pokitdok_ext.testing.contract import Contract, Finding

__all__ = ["Contract", "Finding", "ReadableYaml", "check_cassette", "vcr_settings"]
