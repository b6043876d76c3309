"""Coverage of the catalogue: every operation, every field, every code list is in the contract or accounted for here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from pokitdok_ext.testing import Contract

pytestmark = pytest.mark.shared

PLATFORM = Path(__file__).resolve().parents[3] / "shared" / "platform"
CONTRACT = Contract()
DOCUMENT = CONTRACT.document
SCHEMAS = DOCUMENT["components"]["schemas"]

NOT_HTTP = {
    "authorize_user": "a page for browsers: x-browser",
    "dropin_widget": "a widget for browsers: x-browser",
    "receive_activity_callback": "posted by the platform: webhooks",
    "check_deductible": "a path constant of the C# client that no method used; not to be built",
}

KEPT_AS = {
    "MoneyAmount": ("Money", "one shape under two names"),
    "Address": ("PostalAddress", "one shape under two names"),
    "ResponseMeta": ("Meta", "one shape under two names"),
    "ActivityResultHistoryEntry": ("ActivityResultEntry", "one shape under two names"),
    "MessageError": ("ErrorMessage", "one shape under two names"),
    "ParsingError": ("AcknowledgmentError", "one shape under two names"),
    "SegmentError": ("AcknowledgmentSegmentError", "one shape under two names"),
    "ElementErrorNote": ("AcknowledgmentElementNote", "one shape under two names"),
    "DestinationScenario": ("IcdScenario", "one shape under two names"),
    "Envelope": ("ActivityEnvelope", "each answer has its own envelope with meta and data"),
    "TokenRequestClientCredentials": ("TokenRequest", "one form body for all grants"),
    "TokenRequestAuthorizationCode": ("TokenRequest", "one form body for all grants"),
    "TokenRequestRefreshToken": ("TokenRequest", "one form body for all grants"),
    "AsyncOptions": ("EligibilityRequest", "stands in each body that takes it"),
    "DiagnosisMapping": ("IcdConversion", "one shape under two names"),
    "EnrollmentSnapshotUpload": ("FileUpload", "one shape under two names"),
    "EnrollmentPayer": ("EnrollmentOrganization", "one shape for payer and sponsor"),
    "EnrollmentSponsor": ("EnrollmentOrganization", "one shape for payer and sponsor"),
    "ActivityX12": ("Activity", "members of the activity itself"),
    "PharmacyPlanDraft": ("PharmacyPlan", "flat members of spring 2016 beside the later ones"),
    "PharmacyDraftDrug": ("PharmacyDrugCost", "members of spring 2016 beside the later ones"),
    "PharmacyDraftResults": ("PharmacyDrugCost", "wrapper members of spring 2016"),
}
"""Schemas of the catalogue that the contract has under another name."""

QUERIES = {
    "CollectionParameters": "list_activities",
    "IdentitySearchParameters": "list_identities",
    "ProviderSearchParameters": "list_providers",
}
"""Schemas of the catalogue that are query parameters of an operation."""

LISTS_NOT_ENUMERATED = {
    "activity_state_titles": "display texts",
    "error_messages": "display texts of ErrorMessage",
    "oauth_scopes": "scopes of the security scheme",
    "provider_specialties": "a directory's own wording, open and long",
    "provider_specialties_retired": "a directory's own wording, open and long",
    "scheduler_names": "names of products",
    "appointment_type_codes": "each scheduler defines its own",
    "cash_price_procedures": "procedure codes of the AMA",
    "claim_adjustment_reason_seen": "some codes of a public list",
    "remark_code_seen": "some codes of a public list",
    "claim_status_category_seen": "some codes of a public list",
    "claim_status_code_seen": "some codes of a public list",
    "service_review_reject_reason_seen": "some codes; the list is not known",
    "activity_transition_paths": "sequences of ActivityTransition",
    "mockpayer_claim_trigger": "behaviour of the test payer, built into the sandbox",
    "test_fixtures": "values of old tests",
    "identity_proof_outcomes": "labels of the documentation, never on the wire",
    "plan_cost_sharing_variants": "member names of PlanCostSharing",
    "formulary_tiers": "parts of member names of the tiers",
    "payment_type": "one value",
    "x12_transaction_set": "TransactionSet has those that fields hold; the others are acknowledgments",
    "raw_x12_media_type": "the media types themselves",
    "http_status_codes": "the responses themselves",
    "media_types": "the media types themselves",
    "activity_state": "the same list as activity_states",
    "activity_transition": "the same list as activity_transitions",
    "claim_tracking_description": "the same list as tracking_descriptions",
    "eligibility_search_option": "the same list as member_search_options",
}
"""Code lists that are no enum of the contract."""


def catalogue(kind: str) -> list[dict[str, Any]]:
    halves = [yaml.load((PLATFORM / f"{kind}-{half}.yaml").read_text("utf-8"), yaml.CSafeLoader) for half in HALVES]
    return [entry for half in halves for entry in half]


HALVES = ("core", "x12")


def operations() -> dict[str, tuple[str, str, dict[str, Any]]]:
    return {
        operation["operationId"]: (method.upper(), path, operation)
        for path, item in DOCUMENT["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    }


def test_every_http_operation_is_there_under_its_name_method_and_path() -> None:
    expected = {
        entry["operation_id"]: (entry["method"], entry.get("base", "/api/v4") + entry["path"])
        for entry in catalogue("operations")
        if entry["operation_id"] not in NOT_HTTP
    }
    assert len(expected) == 97
    assert {name: (method, path) for name, (method, path, _) in operations().items()} == expected


def test_callback_is_a_webhook_with_the_activity() -> None:
    [webhook] = DOCUMENT["webhooks"].values()
    assert webhook["post"]["operationId"] == "receive_activity_callback"
    assert webhook["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("/Activity")


def test_retired_operations_are_deprecated_and_current_ones_are_not() -> None:
    last = {e["operation_id"]: str(e["last_documented"]) for e in catalogue("operations")}
    found = {name: bool(operation.get("deprecated")) for name, (_, _, operation) in operations().items()}
    assert found == {name: not last[name].startswith("current") for name in found}


def test_every_field_is_there() -> None:
    """100 %; what is kept under another name is in the tables above."""
    missing = []
    count = 0
    for schema in catalogue("schemas"):
        name = schema["name"]
        target = KEPT_AS.get(name, (name, ""))[0]
        known = set(SCHEMAS.get(target, {}).get("properties", {}))
        if name in QUERIES:
            _, path, operation = operations()[QUERIES[name]]
            given = [*DOCUMENT["paths"][path].get("parameters", ()), *operation.get("parameters", ())]
            known = {CONTRACT.resolve(parameter)["name"] for parameter in given}
        for field in schema["fields"]:
            count += 1
            if field["name"] != "*" and field["name"] not in known:
                missing.append(f"{name}.{field['name']} (looked for in {target})")
            if field["name"] == "*" and not SCHEMAS.get(target, {}).get("additionalProperties", True):
                missing.append(f"{name}.*")
    assert count == 2235
    assert missing == []


def test_every_field_that_can_hold_personal_data_says_so() -> None:
    silent = []
    for schema in catalogue("schemas"):
        target = KEPT_AS.get(schema["name"], (schema["name"], ""))[0]
        properties = SCHEMAS.get(target, {}).get("properties", {})
        for field in schema["fields"]:
            found = properties.get(field["name"])
            personal = field["phi"] or field.get("sensitive")
            if found is not None and (
                (personal and not found.get("x-phi")) or (field.get("secret") and not found.get("x-secret"))
            ):
                silent.append(f"{target}.{field['name']}")
    assert silent == []


def test_every_code_of_every_list_is_there() -> None:
    enums = [set(schema["enum"]) for schema in SCHEMAS.values() if "enum" in schema]
    missing = []
    for half in HALVES:
        lists = yaml.load((PLATFORM / f"codes-{half}.yaml").read_text("utf-8"), yaml.CSafeLoader)
        for name, entry in lists.items():
            if name == "platform_facts" or name in LISTS_NOT_ENUMERATED:
                continue
            values = {str(value["value"] if isinstance(value, dict) else value) for value in entry["values"]}
            if not any(values <= codes for codes in enums):
                missing.append(name)
    assert missing == []


def test_schemas_are_clearly_fewer_than_in_the_catalogue() -> None:
    """309 there; envelopes, code lists and shapes that the catalogue does not have are not counted."""
    names = {schema["name"] for schema in catalogue("schemas")}
    assert len(catalogue("schemas")) == 309
    assert len(names & SCHEMAS.keys()) <= 276
