"""X12 interchanges: read into segments, written from them. What segments mean is not told here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from io import StringIO
from typing import TYPE_CHECKING, Any

from pyx12.errors import X12Error
from pyx12.x12file import X12Reader

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

GROUPS = {"270": "HS", "271": "HB", "276": "HR", "277": "HN", "278": "HI", "834": "BE", "835": "HP", "837": "HC"}
"""Functional identifier (GS01) of each transaction set."""
VERSIONS = {
    "271": "005010X279A1",
    "277": "005010X212",
    "278": "005010X217",
    "835": "005010X221A1",
    "999": "005010X231A1",
}


@dataclass(frozen=True)
class Segment:
    """One segment: its id and its elements, of which the first is number 1."""

    id: str
    elements: tuple[str, ...]

    def __getitem__(self, number: int) -> str:
        """Return an element; empty when it is absent."""
        return self.elements[number - 1] if number <= len(self.elements) else ""

    def parts(self, number: int) -> list[str]:
        """Return the components of an element."""
        return self[number].split(":")


@dataclass(frozen=True)
class Transaction:
    """One transaction set, from ST to SE."""

    code: str
    control_number: str
    segments: tuple[Segment, ...]


@dataclass(frozen=True)
class Group:
    """What the functional group of a transaction says of itself."""

    identifier: str
    sender: str
    receiver: str
    control_number: str
    version: str


@dataclass(frozen=True)
class Flaw:
    """What breaks the rules of X12, and where.

    Attributes:
        level: isa, gs, st, seg or ele.
        code: Code of the acknowledgment (TA1, AK9, IK5, IK3, IK4) for it.
        text: Our wording, without values.
        position: Place of the segment in its transaction set, from 1 for ST; 0 when no segment is meant.
        segment: Its id.
        loop: The loop it belongs to, where that is known.
        element: Number of the element; 0 when the whole segment is meant.
    """

    level: str
    code: str
    text: str
    position: int = 0
    segment: str = ""
    loop: str = ""
    element: int = 0


@dataclass(frozen=True)
class Interchange:
    """An interchange as it was read, flaws included."""

    group: Group
    transactions: tuple[Transaction, ...]
    flaws: tuple[Flaw, ...]


def read(text: str) -> Interchange:
    """Read an interchange; whatever is wrong with its envelopes is told among the flaws."""
    group = Group("", "", "", "", "")
    transactions: list[Transaction] = []
    flaws: list[Flaw] = []
    current: list[Segment] = []
    try:
        reader: Any = X12Reader(StringIO(text.lstrip()))
        for found in reader:
            segment = _segment(found, reader)
            if segment.id == "GS" and not group.identifier:
                group = Group(segment[1], segment[2], segment[3], segment[6], segment[8])
            if segment.id == "ST":
                current = []
            if segment.id not in {"ISA", "GS", "GE", "IEA"}:
                current.append(segment)
            if segment.id == "SE" and current and current[0].id == "ST":
                transactions.append(Transaction(current[0][1], current[0][2], tuple(current)))
                current = []
            flaws += _flaws(reader)
        reader.cleanup()
        flaws += _flaws(reader)
    except X12Error:
        flaws.append(Flaw("isa", "022", "The interchange header is not of its fixed form."))
    except (IndexError, ValueError, AttributeError, TypeError):  # how pyx12 ends on envelopes that are torn
        flaws.append(Flaw("gs", "1", "The functional group is not of its form."))
    if not transactions and not flaws:
        flaws.append(Flaw("gs", "5", "There is no transaction set inside."))
    return Interchange(group, tuple(transactions), tuple(flaws))


def _segment(found: Any, reader: Any) -> Segment:
    """Return a segment with ``:`` between components and ``^`` between repetitions, whatever the sender used."""
    name: str = found.get_seg_id() or ""
    if name == "ISA":  # the separators themselves stand in it
        return Segment(name, ())
    elements = []
    for element in found.elements:
        text: str = element.format(reader.subele_term) or ""
        text = text.replace(reader.subele_term, ":")
        elements.append(text.replace(reader.repetition_term, "^") if reader.repetition_term else text)
    return Segment(name, tuple(elements))


TEXTS = {
    "isa": "The interchange envelope does not fit what is inside.",
    "gs": "The functional group does not fit what is inside.",
    "st": "The transaction set does not fit its trailer.",
    "seg": "A segment does not follow the guide.",
    "ele": "An element does not follow the guide.",
}


def _flaws(reader: Any) -> Iterator[Flaw]:
    for level, code, _text, _value, _line in reader.pop_errors():  # its text quotes what was sent
        yield Flaw(level, code, TEXTS.get(level, TEXTS["seg"]))


def write(code: str, body: Iterable[Sequence[str]], *, moment: float, control: int, sender: str, receiver: str) -> str:
    """Write an interchange with one transaction set.

    Args:
        code: Transaction set, such as "271".
        body: Segments between ST and SE, each its id and its elements; empty ones at the end are left out.
        moment: Unix time that the envelopes tell.
        control: Control number, below a billion.
        sender: GS02 and ISA06.
        receiver: GS03 and ISA08.
    """
    when = datetime.fromtimestamp(moment, UTC)
    version = VERSIONS[code]
    number = f"{control:09d}"
    inside = [_written(segment) for segment in body]
    text = [
        f"ISA*00*{'':10}*00*{'':10}*ZZ*{sender[:15]:15}*ZZ*{receiver[:15]:15}*{when:%y%m%d}*{when:%H%M}*^*00501*{number}*0*T*:",
        f"GS*{GROUPS.get(code, 'FA')}*{sender[:15]}*{receiver[:15]}*{when:%Y%m%d}*{when:%H%M}*{control}*X*{version}",
        f"ST*{code}*0001*{version}" if code != "835" else "ST*835*0001",
        *inside,
        f"SE*{len(inside) + 2}*0001",
        f"GE*1*{control}",
        f"IEA*1*{number}",
    ]
    return "".join(f"{segment}~" for segment in text)


def clean(text: Any) -> str:
    """Return a value as an element may hold it: without separators, in capitals as the basic set of X12 has them."""
    return "".join(" " if sign in "*~^:\r\n" else sign for sign in str(text)).strip().upper()


def compact(day: str) -> str:
    """Write an ISO date as CCYYMMDD."""
    return day.replace("-", "")[:8]


def _written(segment: Sequence[str]) -> str:
    elements = list(segment)
    while elements and elements[-1] == "":
        elements.pop()
    return "*".join(elements)
