"""The main job on the embedded sandbox: partners, a member's benefits, a claim followed to its end.

Run it as ./scripts/demo. All people are invented; nothing leaves this machine.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from datetime import date
from typing import Any, TypeVar

import _output  # noqa: F401
import _starting  # first, since the imports below take half a second
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from pokitdok_api import Client
from pokitdok_api.api.activities import get_activity
from pokitdok_api.api.claims import submit_claim
from pokitdok_api.api.eligibility import check_eligibility
from pokitdok_api.api.trading_partners import list_trading_partners
from pokitdok_api.models import (
    Activity,
    ApplicationData,
    Claim,
    ClaimPaymentResult,
    ClaimProvider,
    ClaimRequest,
    ClaimServiceLine,
    ClaimSubscriber,
    ClaimTransactionCode,
    EligibilityMember,
    EligibilityRequest,
    EligibilityRequestProvider,
    Gender,
    Money,
    PostalAddress,
    ServiceType,
)
from pokitdok_ext import connect
from pokitdok_ext.cli._benefits import Benefit, benefits, show_benefits
from pokitdok_ext.cli._documents import amount_as_number
from pokitdok_sandbox import Sandbox

SPEED = 60.0
"""How much faster than the platform the sandbox moves claims: minutes become seconds."""

POLL_SECONDS = 0.1
DEADLINE_SECONDS = 25.0

END_STATES = {"completed", "failed", "rejected", "rejected_reviewed", "canceled"}

T = TypeVar("T")

NEXT_STEPS = """\
Next:
  activate the environment    source .venv/bin/activate
  start the sandbox           python -m pokitdok_sandbox      in a second terminal
  then paste into python:

from pokitdok_ext import connect
from pokitdok_api.api.trading_partners import list_trading_partners

with connect("{client_id}", "{client_secret}", base_url="http://127.0.0.1:8400") as client:
    for partner in list_trading_partners.sync(client=client).data:
        print(partner.id, partner.name)
"""


def main() -> int:
    """Run the demonstration; return the exit status."""
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the facts as one JSON document, nothing else")
    as_json = parser.parse_args().json
    console = Console(quiet=as_json, highlight=False)
    try:
        _starting.done()
        with Sandbox(port=0, speed=SPEED) as sandbox:
            facts = demonstrate(sandbox, console)
            facts["token_requests"] = sandbox.token_requests
            next_steps = NEXT_STEPS.format(client_id=sandbox.client_id, client_secret=sandbox.client_secret)
    except KeyboardInterrupt:
        print("\nInterrupted; the sandbox is stopped and nothing is left behind.", file=sys.stderr)
        return 130
    console.print(f"token requests: {facts['token_requests']}\n")
    console.print(next_steps, markup=False, soft_wrap=True)
    if as_json:
        print(json.dumps(facts, indent=2))
    return 0 if facts["claim"]["state"] == "completed" else 1


def demonstrate(sandbox: Sandbox, console: Console) -> dict[str, Any]:
    """The main job through the typed client; returns its facts."""
    console.print(f"Sandbox at {sandbox.url} (it stands in for the retired platform)\n")
    with connect(sandbox.client_id, sandbox.client_secret, base_url=sandbox.url) as client:
        partners = list_trading_partners.sync(client=client).data or []
        console.print(f"[bold]1. Trading partners[/bold]: {len(partners)}, among them {partners[0].name}\n")

        answer = check_eligibility.sync(client=client, body=eligibility_request()).data
        found = benefits(answer.coverage) if answer and answer.coverage else []
        console.print(f"[bold]2. Benefits[/bold] of {MEMBER.first_name} {MEMBER.last_name} (invented)")
        show_benefits(console, found)

        console.print("\n[bold]3. A claim[/bold], followed to its end")
        states, payment = follow_claim(client, console)
    return {
        "sandbox": sandbox.url,
        "trading_partners": len(partners),
        "eligibility": {
            "valid_request": bool(answer and answer.valid_request),
            "benefits": [facts_of(each) for each in found],
        },
        "claim": {"states": states, "state": states[-1], "payment": payment},
    }


MEMBER = EligibilityMember(first_name="Nora", last_name="Quill", birth_date=date(1984, 3, 9), id="W000777001")


def eligibility_request() -> EligibilityRequest:
    return EligibilityRequest(
        trading_partner_id="MOCKPAYER",
        member=MEMBER,
        provider=EligibilityRequestProvider(npi="1234567893", first_name="Ada", last_name="Fenn"),
        service_types=[ServiceType.HEALTH_BENEFIT_PLAN_COVERAGE],
    )


def claim_request() -> ClaimRequest:
    address = PostalAddress(address_lines=["12 Harbor Lane"], city="Charleston", state="SC", zipcode="29401")
    return ClaimRequest(
        trading_partner_id="MOCKPAYER",
        transaction_code=ClaimTransactionCode.CHARGEABLE,
        application_data=ApplicationData(mock_claim_payment=True),
        billing_provider=ClaimProvider(
            npi="1234567893",
            first_name="Ada",
            last_name="Fenn",
            tax_id="123456789",
            taxonomy_code="207Q00000X",
            address=address,
        ),
        subscriber=ClaimSubscriber(
            first_name="Nora",
            last_name="Quill",
            birth_date=date(1984, 3, 9),
            gender=Gender.FEMALE,
            member_id="W000777001",
            address=address,
        ),
        claim=Claim(
            total_charge_amount=60.0,
            service_lines=[
                ClaimServiceLine(
                    procedure_code="99213",
                    charge_amount=60.0,
                    unit_count=1.0,
                    diagnosis_codes=["J10.1"],
                    service_date=date(2026, 11, 2),
                )
            ],
        ),
    )


def facts_of(benefit: Benefit) -> dict[str, Any]:
    """A benefit for a program: its amount is a number."""
    return {
        "benefit": benefit.kind,
        "for": benefit.level,
        "network": benefit.network,
        "period": benefit.period,
        "about": benefit.about,
        "amount": amount_as_number(benefit.amount),
        "unit": benefit.unit,
    }


def follow_claim(client: Client, console: Console) -> tuple[list[str], dict[str, Any]]:
    """Submit the claim and read its activity until it is paid; returns the states it was seen in, and the payment."""
    activity = submitted(client)
    steps = len(activity.transition_path or [])
    spinner = SpinnerColumn("line" if console.options.ascii_only else "dots")
    columns = (spinner, TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    states: list[str] = []
    deadline = time.monotonic() + DEADLINE_SECONDS
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("submitted", total=steps)
        while time.monotonic() < deadline:
            state = str(activity.state.name) if activity.state else "unknown"
            if not states or states[-1] != state:
                states.append(state)
                progress.console.print(f"   {state:<13} {activity.state.title if activity.state else ''}")
            progress.update(task, description=state, completed=steps - len(activity.remaining_transitions or []))
            if isinstance(activity.result, ClaimPaymentResult):
                payment = payment_of(activity.result)
                told = "{paid:.2f} {currency} of {charged:.2f} {currency}".format(**payment)
                progress.console.print(f"   {'paid':<13} {told}")
                return states, payment
            if state in END_STATES - {"completed"}:
                return states, {}
            time.sleep(POLL_SECONDS)
            activity = current(client, activity)
    raise TimeoutError(f"activity {activity.id} did not end within {DEADLINE_SECONDS:.0f} s")


def payment_of(result: ClaimPaymentResult) -> dict[str, Any]:
    """What the payer pays for the claim, and of what."""
    [paid] = result.claim_payments or []
    amount: Money = expect(paid.payment_amount, "amount")
    charged: Money = expect(paid.total_charge_amount, "charge")
    return {
        "paid": amount_as_number(expect(amount.amount, "amount")),
        "charged": amount_as_number(expect(charged.amount, "charge")),
        "currency": expect(amount.currency, "currency"),
    }


def submitted(client: Client) -> Activity:
    return expect(submit_claim.sync(client=client, body=claim_request()).data, "activity of the claim")


def current(client: Client, activity: Activity) -> Activity:
    return expect(get_activity.sync(str(activity.id), client=client).data, "activity")


def expect(value: T | Any, what: str) -> T:
    if not value:
        raise RuntimeError(f"the answer holds no {what}")
    return value


if __name__ == "__main__":
    sys.exit(main())
