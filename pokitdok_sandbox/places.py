"""Where places are and how far apart: the point a search starts from, its radius. Places are in data/places.yaml."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from pokitdok_sandbox.calls import invalid
from pokitdok_sandbox.samples import sample
from pokitdok_sandbox.wording import same

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

EARTH_RADIUS = 3958.8
"""Miles; the mean radius."""
MILES = {"mi": 1.0, "mile": 1.0, "miles": 1.0, "": 1.0, "km": 0.621371, "m": 0.000621371}
"""What one of each unit is in miles; the documentation shows mi alone."""


@dataclass(frozen=True)
class Point:
    """A place on earth, in degrees."""

    latitude: float
    longitude: float

    @classmethod
    def of(cls, position: Sequence[float]) -> Self:
        """Read longitude and latitude, the order of geo_location (RFC 7946 section 3.1.1)."""
        return cls(position[1], position[0])

    def miles_to(self, other: Point) -> float:
        """Return the great-circle distance in miles, by the haversine formula."""
        south, north = math.radians(self.latitude), math.radians(other.latitude)
        across = math.radians(other.longitude - self.longitude)
        half = math.sin((north - south) / 2) ** 2 + math.cos(south) * math.cos(north) * math.sin(across / 2) ** 2
        return 2 * EARTH_RADIUS * math.asin(min(1.0, math.sqrt(half)))


@dataclass(frozen=True)
class Area:
    """Where a search looks.

    Attributes:
        centre: Point that distances are measured from; None when nothing was said of a place that we know.
        radius: Miles around it; None for no limit.
        exact: Members that a location has to have, with what it has to be.
    """

    centre: Point | None
    radius: float | None
    exact: Mapping[str, str]

    def distance(self, location: Mapping[str, Any]) -> float | None:
        """Return the miles from the centre to a location inside the area; 0 without a centre, None outside."""
        if any(
            not same(text, location[name][:5] if name == "zipcode" else location[name])
            for name, text in self.exact.items()
        ):
            return None
        if self.centre is None:
            return 0.0
        far = self.centre.miles_to(Point.of(location["geo_location"]))
        return far if self.radius is None or far <= self.radius else None


def area_of(query: Mapping[str, Any]) -> Area:
    """Return where a search looks: around lat_lon, else around zipcode, else around city and state.

    Without a radius the city, the state and the postal code have to fit; with one they are only where it starts, so a
    neighbouring town is found, too. When sorting by distance a postal code is only where it starts as well.

    Raises:
        RefusalError: lat_lon is no pair of degrees, or radius no distance; 422, naming it.
    """
    exact = {name: query[name].strip() for name in ("city", "state") if name in query}
    if "zipcode" in query:
        exact["zipcode"] = query["zipcode"].strip()[:5]
    radius = _radius(query["radius"]) if "radius" in query else None
    used: set[str] = set()
    if "lat_lon" in query:
        centre: Point | None = pair("lat_lon", query["lat_lon"])
    else:
        start = {
            name: exact[name] for name in (("zipcode",) if "zipcode" in exact else ("city", "state")) if name in exact
        }
        centre = _middle(start)
        if centre is not None and (radius is not None or ("zipcode" in start and query.get("sort") == "distance")):
            used = set(start)
    return Area(centre, radius, {name: text for name, text in exact.items() if name not in used})


def pair(name: str, text: str) -> Point:
    """Read latitude and longitude, with a comma or blanks between them, brackets allowed around.

    Raises:
        RefusalError: It is no pair of degrees; 422, naming the parameter.
    """
    parts = re.split(r"[,\s]+", text.strip().strip("[]()").strip())
    try:
        latitude, longitude = (float(part) for part in parts)
    except ValueError:
        raise invalid({name: ["Not latitude and longitude."]}) from None
    if not (abs(latitude) <= 90 and abs(longitude) <= 180):  # also false for what is not a number
        raise invalid({name: ["Not latitude and longitude."]})
    return Point(latitude, longitude)


def _radius(text: str) -> float:
    found = re.fullmatch(r"\s*(\d{1,9}(?:\.\d{1,9})?)\s*([a-z]*)\s*", text.lower(), re.ASCII)
    if found is None or found[2] not in MILES:
        raise invalid({"radius": ["Not a distance, such as 10mi."]})
    return float(found[1]) * MILES[found[2]]


def _middle(wanted: Mapping[str, str]) -> Point | None:
    """Return the mean of all places that have the wanted members, whatever the case; a city needs its state."""
    if wanted.keys() not in ({"zipcode"}, {"city", "state"}):
        return None
    places: list[dict[str, Any]] = sample("places")["places"]
    found = [place for place in places if all(same(text, place[name]) for name, text in wanted.items())]
    if not found:
        return None
    return Point(
        sum(place["latitude"] for place in found) / len(found),
        sum(place["longitude"] for place in found) / len(found),
    )
