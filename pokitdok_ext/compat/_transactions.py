"""The old client's calls by HTTP method, and its named calls for X12 transactions. `_client` sends them."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from ._paths import at, required, under

Answer = dict[str, Any]
"""The platform's answer: `meta` and `data`, or `message`."""


class Calls(ABC):
    """Calls by HTTP method."""

    @abstractmethod
    def request(self, path: str, method: str = "get", data: Any = None, files: Any = None, **kwargs: Any) -> Answer:
        """Send a request and return the decoded answer."""

    def get(self, path: str, **kwargs: Any) -> Answer:
        """`request()` with GET; keyword arguments become the query."""
        return self.request(path, method="get", **kwargs)

    def put(self, path: str, **kwargs: Any) -> Answer:
        """`request()` with PUT."""
        return self.request(path, method="put", **kwargs)

    def post(self, path: str, **kwargs: Any) -> Answer:
        """`request()` with POST."""
        return self.request(path, method="post", **kwargs)

    def delete(self, path: str, **kwargs: Any) -> Answer:
        """`request()` with DELETE."""
        return self.request(path, method="delete", **kwargs)


class Transactions(Calls):
    """What moves money or asks about it, with the old client's names, arguments and paths."""

    activities_url = "/activities/{0}"
    authorizations_url = "/authorizations/"
    ccd_url = "/ccd/"
    claims_url = "/claims/"
    claims_convert_url = "/claims/convert"
    claims_status_url = "/claims/status"
    eligibility_url = "/eligibility/"
    enrollment_url = "/enrollment/"
    enrollment_snapshot_url = "/enrollment/snapshot"
    enrollment_snapshot_data_url = "/enrollment/snapshot/{0}/data"
    files_url = "/files/"
    referrals_url = "/referrals/"
    trading_partners_url = "/tradingpartners/{0}"

    def activities(self, activity_id: str | None = None, **kwargs: Any) -> Answer:
        """One activity, or the list of them; `parent_id=` narrows the list to the parts of a batch."""
        return self.get(at(self.activities_url, activity_id), **kwargs)

    def authorizations(self, authorizations_request: Any) -> Answer:
        """Ask a payer to authorize a service (X12 278). Gone from the old client since 2019."""
        return self.post(self.authorizations_url, data=authorizations_request)

    def ccd(self, ccd_request: Any) -> Answer:
        """Submit a continuity of care document."""
        return self.post(self.ccd_url, data=ccd_request)

    def claims(self, claims_request: Any) -> Answer:
        """Submit a claim (X12 837)."""
        return self.post(self.claims_url, data=claims_request)

    def claims_convert(self, x12_claims_file: str) -> Answer:
        """Turn the X12 837 file at this path into claim requests."""
        return self.post(self.claims_convert_url, files={"file": x12_part(x12_claims_file)})

    def claims_status(self, claims_status_request: Any) -> Answer:
        """Ask a payer how a claim stands (X12 276)."""
        return self.post(self.claims_status_url, data=claims_status_request)

    def eligibility(self, eligibility_request: Any) -> Answer:
        """Ask a payer about a member's coverage (X12 270)."""
        return self.post(self.eligibility_url, data=eligibility_request)

    def enrollment(self, enrollment_request: Any) -> Answer:
        """Submit an enrollment (X12 834)."""
        return self.post(self.enrollment_url, data=enrollment_request)

    def enrollment_snapshot(self, trading_partner_id: str, x12_file: str) -> Answer:
        """Make the X12 834 file at this path the trading partner's current enrollment."""
        data = {"trading_partner_id": trading_partner_id}
        return self.post(self.enrollment_snapshot_url, data=data, files={"file": x12_part(x12_file)})

    def enrollment_snapshots(self, snapshot_id: str | None = None, **kwargs: Any) -> Answer:
        """One snapshot, or the list of them."""
        return self.get(under(self.enrollment_snapshot_url, snapshot_id), **kwargs)

    def enrollment_snapshot_data(self, snapshot_id: str, **kwargs: Any) -> Answer:
        """The enrollments that a snapshot holds."""
        return self.get(at(self.enrollment_snapshot_data_url, required(snapshot_id)), **kwargs)

    def files(self, trading_partner_id: str, x12_file: str) -> Answer:
        """Submit the X12 file at this path. Gone from the old client since 2016."""
        data = {"trading_partner_id": trading_partner_id}
        return self.post(self.files_url, data=data, files={"file": x12_part(x12_file)})

    def referrals(self, referrals_request: Any) -> Answer:
        """Ask a payer to accept a referral (X12 278). Gone from the old client since 2019."""
        return self.post(self.referrals_url, data=referrals_request)

    def trading_partners(self, trading_partner_id: str | None = None) -> Answer:
        """One trading partner, or the list of them."""
        return self.get(at(self.trading_partners_url, trading_partner_id))


def x12_part(path: str) -> tuple[str, bytes, str]:
    """The file at *path* as a part of a form, under its own name without folders."""
    source = Path(path)
    return source.name, source.read_bytes(), "application/EDI-X12"
