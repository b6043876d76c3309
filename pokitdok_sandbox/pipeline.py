"""The way of a request through the sandbox: fault, token, contract, handler, envelope, contract. Routes are in app."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import parse_qsl

from pokitdok_sandbox import faults, tokens
from pokitdok_sandbox.activities import open_record
from pokitdok_sandbox.calls import Answer, Call, Handler, RefusalError, invalid
from pokitdok_sandbox.checks import refuse_findings
from pokitdok_sandbox.wire import Wire, mark

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from pokitdok_sandbox.contract import Operation
    from pokitdok_sandbox.validation import Validation
    from pokitdok_sandbox.world import World

logger = logging.getLogger("pokitdok_sandbox")

OWN_FAULT = "The sandbox itself is at fault: its answer broke the contract. Please report it; its log names the places."


@dataclass(frozen=True)
class Pipeline:
    """Answers requests to the operations of the contract."""

    world: World
    wire: Wire
    validation: Validation
    handlers: Mapping[str, Handler]

    def respond(self, operation: Operation, request: Request, content: bytes) -> Response:
        """Answer one request; ``content`` is its body."""
        counters = self.world.counters
        counters.count_request(operation.id, token=operation.id == "create_token")
        fault = request.headers.get(faults.HEADER)
        if fault is not None and fault not in faults.NAMES:
            names = ", ".join(faults.NAMES)
            return mark(
                self.wire.message(f"X-Sandbox-Fault takes one of: {names}", 400), evidence="inferred", warnings=[]
            )
        authorization = request.headers.get("authorization", "")
        client_id = tokens.client_of(self.world, authorization, self.world.clock()) if operation.secured else ""
        warnings: list[str] = []
        if fault in faults.INSTEAD:
            response = faults.INSTEAD[fault](self.wire)
        elif client_id is None:
            response = self.wire.unauthorized()
        else:
            call = Call(
                world=self.world,
                now=self.world.clock(),
                client_id=client_id,
                path=request.path_params,
                query={},
                body=None,
                url=str(request.url),
                authorization="" if operation.secured else authorization,
                warnings=warnings,
            )
            response = self._carry_out(operation, call, request.url.query, content)
            if fault == faults.TRUNCATED:
                response = faults.truncated(response)
        if fault is not None:
            counters.count_fault(fault)
        counters.count_warnings(len(warnings))
        return mark(response, evidence=operation.evidence_for(response.status_code), warnings=warnings)

    def _carry_out(self, operation: Operation, call: Call, query: str, content: bytes) -> Response:
        handler = self.handlers[operation.id]
        try:
            if handler.activity is None:
                answer = handler.answer(replace(call, body=dict(parse_qsl(content.decode("utf-8", "replace"), True))))
                return self._checked(operation, answer, self.wire.token(answer.data, answer.status), answer.data)
            return self._carry_out_as_activity(operation, handler, call, query, content)
        except Exception as error:  # noqa: BLE001 - whatever broke, its text could quote a patient
            trace = error.__traceback__
            while trace is not None and trace.tb_next is not None:
                trace = trace.tb_next
            place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "?"
            logger.error("%s: %s at %s", operation.id, type(error).__name__, place)  # noqa: TRY400 - see above
            return self._own_fault()

    def _carry_out_as_activity(
        self, operation: Operation, handler: Handler, call: Call, query: str, content: bytes
    ) -> Response:
        store = self.world.store
        call.record.update(open_record(self.world, handler.activity or "", call.now))
        store.add_activity(call.record)
        cost = int(handler.billed)
        try:
            answer = handler.answer(self._read(operation, call, query, content))
            if call.record["path"] != "queued":
                call.record["ended"] = "completed"
        except RefusalError as refusal:
            answer = Answer({"errors": refusal.errors}, status=refusal.status)
            call.record.update({"path": "in_house", "ended": "failed"})
            cost = cost if refusal.credits_billed is None else refusal.credits_billed
        store.put_activity(call.record)
        meta = {
            **self.world.counters.rate(call.now),
            "application_mode": "test",
            "processing_time": round((self.world.clock() - call.now) * 1000),
            "activity_id": call.record["id"],
            **answer.meta,
        }
        if handler.billed:
            meta |= {"credits_billed": cost, "credits_remaining": self.world.counters.bill(cost)}
        response = self.wire.enveloped(meta, answer.data, answer.status)
        return self._checked(operation, answer, response, {"meta": meta, "data": answer.data})

    def _read(self, operation: Operation, call: Call, query: str, content: bytes) -> Call:
        """Return the call with its query and body, both checked against the contract."""
        values, unknown = _typed(operation, query)
        call.warnings.extend(f"undocumented query parameter ?{name}" for name in unknown)
        body = None
        if operation.body is not None:
            body = _json(content)
            refuse_findings(self.validation.findings(operation.body, body))
            pointers = self.validation.undocumented(operation.body, body)
            if pointers and self.world.settings.strict:
                raise invalid({pointer: ["Not documented."] for pointer in pointers})
            call.warnings.extend(f"undocumented {pointer}" for pointer in pointers)
        if unknown and self.world.settings.strict:
            raise invalid({name: ["Not documented."] for name in unknown})
        return replace(call, query=values, body=body)

    def _checked(self, operation: Operation, answer: Answer, response: Response, body: Any) -> Response:
        """Return the response, or a 500 when the answer breaks the contract."""
        schema = operation.answers.get(str(answer.status)) or operation.answers["default"]
        broken = self.validation.pointers(schema, body)
        if not broken:
            return response
        logger.error("%s: answer %s breaks the contract at %s", operation.id, answer.status, ", ".join(broken))
        return self._own_fault()

    def _own_fault(self) -> Response:
        return self.wire.enveloped({"processing_time": 0}, {"errors": {"general": OWN_FAULT}}, 500)


def _typed(operation: Operation, query: str) -> tuple[dict[str, Any], list[str]]:
    """Return the query in the types of the contract, and the names that the contract does not know.

    Raises:
        RefusalError: A value is not of its type; 422, naming the parameter.
    """
    values: dict[str, Any] = {}
    unknown = []
    for name, text in parse_qsl(query, keep_blank_values=True):
        kind = operation.parameters.get(name)
        if kind is None:
            unknown.append(name)
        elif kind == "integer":
            try:
                values[name] = int(text)
            except ValueError:
                raise invalid({name: ["Not a whole number."]}) from None
        else:
            values[name] = text
    return values, unknown


def _json(content: bytes) -> Any:
    """Read a JSON body.

    Raises:
        RefusalError: It is none; 422, as the old clients' tests show.
    """
    try:
        return json.loads(content, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise invalid({"body": ["Not JSON."]}) from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
