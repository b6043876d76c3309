"""What the endpoint and error templates see: an operation of the parser joined with the facts of the contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from _code import ModuleCode, one_of
from _contract import Contract, GenerationError, OperationFacts, ParameterFacts
from _forms import JSON, MULTIPART, OCTETS, URLENCODED, Form, Forms
from _models import Models
from _texts import evidence, form_notes, sentence
from openapi_python_client.parser.openapi import Endpoint
from openapi_python_client.parser.properties.file import FileProperty
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

    form: Form
    facts: OperationFacts
    constant: str
    path: list[ParameterView]
    query: list[ParameterView]
    body: ParameterView | None
    sent: dict[str, str]
    result: str
    kind: str | None
    empty: bool
    summary: str
    description: str
    notes: str
    raised: list[str]
    evidence: str
    named: list[str]


class Endpoints:
    """Joins the parser's operations with the contract; raises GenerationError for what the templates do not know."""

    def __init__(self, contract: Contract, forms: Forms, models: Models) -> None:
        self._contract = contract
        self._forms = forms
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

    def error_kind(self) -> str:
        """The expression that chooses among them."""
        return one_of(self.error_bodies(), None)

    def view(self, endpoint: Endpoint) -> EndpointView:
        """The view for `endpoint_module.py.jinja`."""
        form = self._forms.by_name[str(endpoint.name)]
        facts = form.operation
        if endpoint.header_parameters or endpoint.cookie_parameters:
            raise GenerationError(f"{facts.id}: parameters in headers and cookies are not supported")
        described = {parameter.name: parameter for parameter in facts.parameters}
        arguments = self._models.code(sent=True)
        path = [_parameter(prop, described, arguments) for prop in endpoint.path_parameters]
        query = [_parameter(prop, described, arguments) for prop in endpoint.query_parameters]
        body = self._body(endpoint, form, arguments)
        result = self._models.code(sent=False)
        success = _success(endpoint, form)
        returned = "None" if form.answer is None else result.type_of(success)
        if form.answers_text and returned != "str":
            raise GenerationError(f"{facts.id}: an answer of {form.answer} is text: its schema is {{type: string}}")
        return EndpointView(
            form=form,
            facts=facts,
            constant=form.name.upper(),
            path=path,
            query=query,
            body=body,
            sent=self._sent(endpoint, form) if body else {},
            result=returned,
            kind=None if form.answer is None else result.kind(success, whole=True),
            empty=form.answer is None,
            summary=facts.definition.get("summary", ""),
            description=facts.definition.get("description", ""),
            notes=form_notes(form),
            raised=_raised(facts),
            evidence=evidence(facts),
            named=sorted(arguments.named | result.named),
        )

    def _body(self, endpoint: Endpoint, form: Form, code: ModuleCode) -> ParameterView | None:
        if form.request is None:
            return None
        [body] = endpoint.bodies
        required = bool(self._contract.resolve(form.operation.definition["requestBody"]).get("required"))
        if form.sends_raw:
            name, doc = "str | bytes", "What is sent, as it is; text goes out as UTF-8. It can hold patient data."
        elif isinstance(body.prop, ModelProperty) or (form.request != MULTIPART and _is_choice(body.prop)):
            name, doc = code.type_of(body.prop), "What is sent."
        else:
            raise GenerationError(
                f"{form.name}: a body of {form.request} is an object; teach _endpoints.py about others"
            )
        return ParameterView("body", "body", name if required else f"{name} | Unset", required, doc)

    def _sent(self, endpoint: Endpoint, form: Form) -> dict[str, str]:
        """What the body becomes: arguments of RequestParts with their expressions."""
        if form.request == MULTIPART:
            return {"files": f"multipart_body(body, {self._part_types(endpoint, form)!r})"}
        if form.sends_raw:
            content = "raw_body(body)"
        elif form.request == URLENCODED:
            content = "form_body(body)"
        elif form.asynchronous is not None:
            content = f"json_body(body, asynchronous={form.asynchronous})"
        else:
            content = "json_body(body)"
        return {"content": content, "media_type": f'"{in_double_quote_literal(form.request or JSON)}"'}

    def _part_types(self, endpoint: Endpoint, form: Form) -> dict[str, str]:
        """The media types that the contract gives to the files of a multipart body; the others are plain values."""
        [body] = endpoint.bodies
        assert isinstance(body.prop, ModelProperty)  # noqa: S101 - _body() has looked
        content = self._contract.resolve(form.operation.definition["requestBody"])["content"][MULTIPART]
        types: dict[str, str] = {}
        for prop in (*(body.prop.required_properties or ()), *(body.prop.optional_properties or ())):
            name = prop.name.get_untrusted_value()
            if isinstance(prop.inner_property if isinstance(prop, ListProperty) else prop, FileProperty):
                types[name] = content.get("encoding", {}).get(name, {}).get("contentType", OCTETS)
            elif isinstance(prop, ModelProperty) or (isinstance(prop, ListProperty | UnionProperty) and _models(prop)):
                raise GenerationError(f"{form.name}: part {name}: a part is a file or a plain value")
        return types


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


def _is_choice(prop: PropertyProtocol) -> bool:
    return isinstance(prop, UnionProperty) and all(isinstance(each, ModelProperty) for each in prop.inner_properties)


def _models(prop: ListProperty | UnionProperty) -> list[PropertyProtocol]:
    inner = [prop.inner_property] if isinstance(prop, ListProperty) else prop.inner_properties
    return [each for each in inner if isinstance(each, ModelProperty)]


def _raised(facts: OperationFacts) -> list[str]:
    declared = facts.definition["responses"]
    known = {error: [status for status in statuses if status in declared] for error, statuses in _RAISED.items()}
    return [f"{error}: Status {' or '.join(statuses)}." for error, statuses in known.items() if statuses]


def _success(endpoint: Endpoint, form: Form) -> PropertyProtocol:
    """What 2xx answers hold."""
    good = [each for each in endpoint.responses if each.status_code.range and 200 <= each.status_code.range[0] < 300]
    kinds = {(each.prop.get_type_string(), each.source["attribute"]) for each in good}
    if len(kinds) != 1:
        raise GenerationError(f"{form.name}: exactly one kind of 2xx answer is needed, {len(kinds)} found")
    return good[0].prop
