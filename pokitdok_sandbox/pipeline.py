"""The way of a request through the sandbox: fault, token, contract, handler, envelope, contract. Routes are in app."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from pokitdok_sandbox import connection, examples, faults, tokens
from pokitdok_sandbox.activities import open_record
from pokitdok_sandbox.calls import Answer, Call, Handler, RefusalError, invalid
from pokitdok_sandbox.checks import refuse_findings, require_scopes
from pokitdok_sandbox.contract import JSON, X12, X12_JSON
from pokitdok_sandbox.lifecycle import ADVANCING
from pokitdok_sandbox.reading import body_of, fields_of, form_asked_for, query_of
from pokitdok_sandbox.wire import Wire, http_date, mark
from pokitdok_sandbox.x12_forms import in_envelope, in_form

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request
    from starlette.types import ASGIApp

    from pokitdok_sandbox.contract import Operation
    from pokitdok_sandbox.reading import Received
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

    def respond(self, operation: Operation, request: Request, received: Received) -> ASGIApp:
        """Answer one request; ``received`` is its body."""
        counters = self.world.counters
        counters.count_request(operation.id, token=operation.id == "create_token")
        try:
            fired = self.world.faults.fire(operation.id, request.headers.get(faults.HEADER))
        except ValueError as error:
            return mark(self.wire.message(str(error), 400), evidence="inferred", warnings=[])
        counters.count_faults(fired.names)
        answer: ASGIApp
        if fired.ending in faults.INSTEAD:
            if fired.ending == faults.TOKEN_REVOKED:
                self.world.store.delete_token(tokens.digest(tokens.bearer_of(request.headers.get("authorization", ""))))
            answer = faults.INSTEAD[fired.ending](self.wire, fired.seconds)
            if isinstance(answer, Response):
                self._finish(operation, answer, [], fired.skew)
        else:
            answer, warnings = self._answer(operation, request, received, fired.skew)
            self._finish(operation, answer, warnings, fired.skew)
            if fired.ending is not None:
                answer = faults.AFTERWARDS[fired.ending](answer, fired.seconds)
        return connection.Late(answer, fired.latency, self.world.sleep) if fired.latency else answer

    def _finish(self, operation: Operation, response: Response, warnings: list[str], skew: float) -> None:
        self.world.counters.count_warnings(len(warnings))
        evidence = operation.evidence_for(response.status_code)
        if evidence == "recorded" and "x12" in response.headers.get("content-type", ""):
            evidence = "documented"  # what was recorded is JSON alone
        mark(response, evidence=evidence, warnings=warnings)
        if skew:
            response.headers["date"] = http_date(self.world.clock() + skew)

    def _answer(
        self, operation: Operation, request: Request, received: Received, skew: float
    ) -> tuple[Response, list[str]]:
        """Return the answer to a request that no fault keeps from being carried out, and what to warn of."""
        authorization = request.headers.get("authorization", "")
        handler = self.handlers.get(operation.id)
        bare = handler is not None and handler.activity is None
        holder: tokens.Holder | None = tokens.NOBODY
        if operation.secured and not bare:
            holder = tokens.holder_of(self.world, authorization, self.world.clock())
        if holder is None:
            return self.wire.unauthorized(), []
        call = Call(
            world=self.world,
            now=self.world.clock(),
            client_id=holder.client_id,
            scopes=holder.scopes,
            path=request.path_params,
            query={},
            body=None,
            url=str(request.url),
            authorization=authorization if bare else "",
            skew=skew,
        )
        response = self._carry_out(operation, call, request, received)
        if response.status_code < 400:
            self.world.counters.count_executed(operation.id)
        return response, call.warnings

    def _carry_out(self, operation: Operation, call: Call, request: Request, received: Received) -> Response:
        handler = self.handlers.get(operation.id)
        try:
            if handler is not None and handler.activity is None:
                with self.world.store.transaction():
                    answer = handler.answer(replace(call, body=fields_of(operation, received)))
                return self._bare(operation, answer)
            settings, counters = self.world.settings, self.world.counters
            rate = counters.rate(call.client_id, call.now, settings.rate_limit)
            if rate is None:
                return self.wire.message("Forbidden (Rate Limited)", 403)
            mode, credits_left = settings.mode_of(call.client_id), self._credits_left(call.client_id, 0)
            if handler is not None and handler.billed and mode == "production" and credits_left <= 0:
                return self.wire.message("Payment Required", 402)
            limits = {**rate, "application_mode": mode}
            with self.world.store.transaction():  # what a call writes is kept, whole, before its answer goes out
                return self._carry_out_as_activity(operation, call, request, received, limits)
        except Exception as error:  # noqa: BLE001 - whatever broke, its text could quote a patient
            trace = error.__traceback__
            while trace is not None and trace.tb_next is not None:
                trace = trace.tb_next
            place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "?"
            logger.error("%s: %s at %s", operation.id, type(error).__name__, place)  # noqa: TRY400 - see above
            return self._own_fault()

    def _bare(self, operation: Operation, answer: Answer) -> Response:
        if answer.data is None:
            return self.wire.no_content(answer.status)
        response = self.wire.token(answer.data, answer.status)
        if answer.status == 401:
            response = self.wire.unauthorized()
        return self._checked(operation, answer, response, answer.data)

    def _credits_left(self, client_id: str, cost: int) -> int:
        """Bill an application and return the balance; in test mode it may become negative, as recorded."""
        return self.world.settings.credits_of(client_id) - self.world.counters.bill(client_id, cost)

    def _carry_out_as_activity(
        self,
        operation: Operation,
        call: Call,
        request: Request,
        received: Received,
        limits: Mapping[str, Any],
    ) -> Response:
        handler = self.handlers.get(operation.id)
        store = self.world.store
        seen = self.validation.contract.activity_names
        name = handler.activity if handler and handler.activity in seen else examples.activity_name(operation, seen)
        call.record.update(open_record(self.world, name, call.now, owner=call.client_id))
        store.add_activity(call.record)
        billed = handler is not None and handler.billed
        cost = int(billed)
        try:
            require_scopes(call.scopes, operation.scopes)
            media_type, read = self._read(operation, call, request.url.query, received)
            form = form_asked_for(operation, ",".join(request.headers.getlist("accept")))
            if handler is not None and media_type in handler.takes and form in handler.gives:
                if handler.x12 is not None and handler.x12.read is not None and media_type in {X12, X12_JSON}:
                    read = self._from_x12(operation, handler.x12.read, read)
                answer = in_form(read, handler, handler.answer(replace(read, form=form)), form)
            else:
                answer = examples.answer(operation, form)
            if call.record["path"] not in ADVANCING:
                call.record["ended"] = "completed"
        except RefusalError as refusal:
            bad_input = handler.bad_input if handler else 422
            status = bad_input if refusal.status == 422 else refusal.status
            answer = Answer({"errors": refusal.errors}, status=status)
            call.record.update({"path": "in_house", "ended": "failed"})
            cost = cost if refusal.credits_billed is None else refusal.credits_billed
            billed = billed and refusal.status != 403  # recorded: a refusal for a scope says nothing of credits
        store.put_activity(call.record)
        self.world.callbacks.watch(call.record)
        meta = {
            **limits,
            "processing_time": round((self.world.clock() - call.now) * 1000),
            "activity_id": call.record["id"],
            **answer.meta,
        }
        if billed:
            meta |= {"credits_billed": cost, "credits_remaining": self._credits_left(call.client_id, cost)}
        if answer.status == 204 and answer.example_in is None:
            return self.wire.no_content()
        if answer.example_in is not None:
            body = examples.with_meta(answer.data, meta)
            return self._checked(operation, answer, self.wire.example(body, answer.status, answer.example_in), body)
        if answer.form != JSON:
            body = in_envelope(answer, meta)
            return self._checked(operation, answer, self.wire.form(body, answer.status, answer.form), body)
        response = self.wire.enveloped(meta, answer.data, answer.status)
        return self._checked(operation, answer, response, {"meta": meta, "data": answer.data})

    def _from_x12(self, operation: Operation, reader: Callable[[str], dict[str, Any]], call: Call) -> Call:
        """Return the call with the JSON body that its X12 stands for, checked against the contract."""
        text = call.body["x12"] if isinstance(call.body, dict) else call.body
        call.record["x12_request"] = text
        body = reader(text)
        refuse_findings(self.validation.findings(operation.bodies[JSON], body))
        return replace(call, body=body)

    def _read(self, operation: Operation, call: Call, query: str, received: Received) -> tuple[str, Call]:
        """Return the media type of the body, and the call with query and body, both checked against the contract."""
        values, unknown = query_of(operation, query)
        odd = [name for name, value in values.items() if self._holds_odd_code(operation.parameters[name].schema, value)]
        call.warnings.extend(f"undocumented query parameter ?{name}" for name in unknown)
        call.warnings.extend(f"undocumented code in ?{name}" for name in odd)
        media_type, body = body_of(operation, received)
        if media_type:
            schema = operation.bodies[media_type]
            refuse_findings(self.validation.findings(schema, body, formats=self._checks_dates(operation)))
            pointers = self.validation.undocumented(schema, body)
            if pointers and self.world.settings.strict:
                raise invalid({pointer: ["Not documented."] for pointer in pointers})
            call.warnings.extend(f"undocumented {pointer}" for pointer in pointers)
        if (unknown or odd) and self.world.settings.strict:
            raise invalid({name: ["Not documented."] for name in [*unknown, *odd]})
        return media_type, replace(call, query=values, body=body)

    def _checks_dates(self, operation: Operation) -> bool:
        handler = self.handlers.get(operation.id)
        return handler is None or not handler.any_date

    def _holds_odd_code(self, schema: str, value: Any) -> bool:
        """Tell whether a query value holds a code that is not on the list; lists of codes are written with commas."""
        return isinstance(value, str) and any(self.validation.undocumented(schema, code) for code in value.split(","))

    def _checked(self, operation: Operation, answer: Answer, response: Response, body: Any) -> Response:
        """Return the response, or a 500 when the answer breaks the contract."""
        if answer.example_in is not None:
            if not answer.example_in:
                return response
            schema = operation.forms[answer.example_in]
        elif answer.form != JSON:
            schema = operation.forms[answer.form]
        else:
            schema = operation.answers.get(str(answer.status)) or operation.answers["default"]
        broken = self.validation.pointers(schema, body, formats=self._checks_dates(operation))
        if not broken:
            return response
        logger.error("%s: answer %s breaks the contract at %s", operation.id, answer.status, ", ".join(broken))
        return self._own_fault()

    def _own_fault(self) -> Response:
        return self.wire.enveloped({"processing_time": 0}, {"errors": {"general": OWN_FAULT}}, 500)
