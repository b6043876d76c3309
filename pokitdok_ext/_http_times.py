"""Times in the headers of answers (RFC 9110, 5.6.7 and 10.2.3), read tolerantly: what cannot be read is None."""

import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime


def http_date(text: str | None) -> float | None:
    """Unix time of an HTTP date in any of its forms; None if *text* is none, or of a year that is none."""
    try:
        moment = parsedate_to_datetime(text) if text else None
        return None if moment is None else (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds to wait by `Retry-After`, which gives a number or a date; None if it is missing or neither.

    Args:
        headers: With names in any case if the mapping allows it, else in lower case.
        now: Unix time here; the server's own `Date` is believed before it.
    """
    text = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]+(\.[0-9]*)?", text):
        return float(text)
    moment, server_now = http_date(text), http_date(headers.get("date"))
    return None if moment is None else max(0.0, moment - (now if server_now is None else server_now))
