"""What the endpoint and error templates see: an operation of the parser joined with the facts of the contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from _code import ModuleCode
from _contract import Contract, GenerationError, OperationFacts, ParameterFacts
from _models import Models
from _texts import evidence, sentence
from openapi_python_client.parser.bodies import BodyType
from openapi_python_client.parser.openapi import Endpoint
from openapi_python_client.parser.properties.list_property import ListProperty
from openapi_python_client.parser.properties.model_property import ModelProperty
from openapi_python_client.parser.properties.protocol import PropertyProtocol
from openapi_python_client.parser.properties.union import UnionProperty
from openapi_python_client.strings import ClassName, in_double_quote_literal

_RAISED = {
    "InvalidRequestError": ("400", "422"),
    "AuthenticationError": ("401",),
    "PaymentRequiredError": ("402",),
    "RateLimitError": ("403",),
    "ScopeError": ("403",),
    "NotFoundError": ("404",),
    "TradingPartnerRejectionError": ("422",),
    "ServerError": ("500",),
}
"""Errors with the statuses that announce them."""


@dataclass(frozen=True)
class ParameterView:
    """An argument of a generated function."""

    name: str
    wire: str
    annotation: str
    required: bool
    doc: str


@dataclass(frozen=True)
class EndpointView:
    """A generated module of four functions."""

    facts: OperationFacts
    constant: str
    path: list[ParameterView]
    query: list[ParameterView]
    body: ParameterView | None
    form: bool
    result: str
    parse: str
    empty: bool
    summary: str
    description: str
    raised: list[str]
    evidence: str
    named: list[str]
    bound: list[str]
    choices: dict[str, tuple[dict[str, tuple[str, ...]], str | None]] = field(default_factory=dict)


class Endpoints:
    """Joins the parser's operations with the contract; raises GenerationError for what the templates do not know."""

    def __init__(self, contract: Contract, models: Models) -> None:
        self._contract = contract
        self._models = models
        self.acknowledgment = self._acknowledgment()

    def _acknowledgment(self) -> str | None:
        for name in self._contract.error_bodies:
            found = self._contract.component_at(name, "data", "errors", "parsing")
            if found:
                return ClassName(found, "field_")
        return None

    def error_bodies(self) -> dict[str, tuple[str, ...]]:
        """Classes of error bodies with the keys that tell them apart."""
        return {ClassName(name, "field_"): self._contract.required(name) for name in self._contract.error_bodies}

    def view(self, endpoint: Endpoint) -> EndpointView:
        """The view for `endpoint_module.py.jinja`."""
        facts = self._contract.operations[str(endpoint.name)]
        if endpoint.header_parameters or endpoint.cookie_parameters:
            raise GenerationError(f"{facts.id}: parameters in headers and cookies are not supported")
        described = {parameter.name: parameter for parameter in facts.parameters}
        arguments = self._models.code(sent=True)
        path = [_parameter(prop, described, arguments) for prop in endpoint.path_parameters]
        query = [_parameter(prop, described, arguments) for prop in endpoint.query_parameters]
        taken = {"client", "timeout", "body"} & {each.name for each in (*path, *query)}
        if taken:
            raise GenerationError(f"{facts.id}: a parameter named {taken.pop()} collides with an argument of ours")
        body, form = self._body(endpoint, facts, arguments)
        result = self._models.code(sent=False)
        success, empty = _success(endpoint, facts)
        returned = "None" if empty else result.type_of(success)
        return EndpointView(
            facts=facts,
            constant=facts.id.upper(),
            path=path,
            query=query,
            body=body,
            form=form,
            result=returned,
            parse="None" if empty else result.read(success, "document", returned),
            empty=empty,
            summary=facts.definition.get("summary", ""),
            description=facts.definition.get("description", ""),
            raised=_raised(facts),
            evidence=evidence(facts),
            named=sorted((arguments.named | result.named) - result.bound),
            bound=sorted(result.bound),
            choices=result.choices,
        )

    def _body(self, endpoint: Endpoint, facts: OperationFacts, code: ModuleCode) -> tuple[ParameterView | None, bool]:
        if not endpoint.bodies:
            return None, False
        if len(endpoint.bodies) > 1:
            raise GenerationError(f"{facts.id}: one request content type per operation")
        [body] = endpoint.bodies
        if body.body_type not in {BodyType.JSON, BodyType.DATA} or not isinstance(body.prop, ModelProperty):
            raise GenerationError(
                f"{facts.id}: a body is a named object as JSON or as a form; teach _endpoints.py about others"
            )
        required = bool(self._contract.resolve(facts.definition["requestBody"]).get("required"))
        name = code.type_of(body.prop)
        view = ParameterView("body", "body", name if required else f"{name} | Unset", required, "What is sent.")
        return view, body.body_type is BodyType.DATA


def _parameter(prop: PropertyProtocol, described: Mapping[str, ParameterFacts], code: ModuleCode) -> ParameterView:
    wire = prop.name.get_untrusted_value()
    if isinstance(prop, ModelProperty) or (
        isinstance(prop, ListProperty | UnionProperty) and any(True for _ in _models(prop))
    ):
        raise GenerationError(f"parameter {wire}: objects cannot be sent in a URL")
    annotation = code.type_of(prop) if prop.required else f"{code.type_of(prop)} | Unset"
    facts = described[wire]
    return ParameterView(
        name=prop.python_name,
        wire=in_double_quote_literal(wire),
        annotation=annotation,
        required=prop.required,
        doc=sentence(facts.description or f"`{facts.name}` of the API", "PHI." if facts.phi else None),
    )


def _models(prop: ListProperty | UnionProperty) -> list[PropertyProtocol]:
    inner = [prop.inner_property] if isinstance(prop, ListProperty) else prop.inner_properties
    return [each for each in inner if isinstance(each, ModelProperty)]


def _raised(facts: OperationFacts) -> list[str]:
    declared = facts.definition["responses"]
    known = {error: [status for status in statuses if status in declared] for error, statuses in _RAISED.items()}
    return [f"{error}: Status {' or '.join(statuses)}." for error, statuses in known.items() if statuses]


def _success(endpoint: Endpoint, facts: OperationFacts) -> tuple[PropertyProtocol, bool]:
    """What 2xx answers hold, and whether that is nothing."""
    good = [each for each in endpoint.responses if each.status_code.range and 200 <= each.status_code.range[0] < 300]
    kinds = {(each.prop.get_type_string(), each.source["attribute"]) for each in good}
    if len(kinds) != 1:
        raise GenerationError(f"{facts.id}: exactly one kind of 2xx answer is needed, {len(kinds)} found")
    source = good[0].source["attribute"]
    if source not in {"response.json()", "None"}:
        raise GenerationError(f"{facts.id}: 2xx answers are JSON or empty; teach _endpoints.py about others")
    return good[0].prop, source == "None"
