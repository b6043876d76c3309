"""Identity proof: a person is looked up, asked questions and judged. Persons and questions: data/identity_proof.yaml.

The report on questionnaires is in identity_proof_report. A questionnaire belongs to the application that began it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pokitdok_sandbox.calls import REQUIRED, Answer, Call, Handler, RefusalError, invalid
from pokitdok_sandbox.samples import sample
from pokitdok_sandbox.wording import same
from pokitdok_sandbox.world import wire_time

if TYPE_CHECKING:
    from collections.abc import Mapping

KIND = "questionnaire"
LIFE = 25 * 60
"""Seconds in which a questionnaire can be answered, as documented."""
LOCK = 12 * 3600
"""Seconds in which nobody gets another questionnaire, as documented."""
NOT_AN_IDENTIFIER = {"ip_address"}


def validate_identity(call: Call) -> Answer:
    """Tell whether the person is known and could be asked something, without asking."""
    person = _person(call.body)
    return Answer({"is_valid": bool(person), "is_verifiable": bool(person.get("questions"))})


def generate_proof_questionnaire(call: Call) -> Answer:
    """Look a person up and ask the first question, if there is one.

    Where the id of the questionnaire stood is not known; here it is ``questionnaire_id`` beside the question.

    Raises:
        RefusalError: The person had a questionnaire less than twelve hours ago; 403.
    """
    person = _person(call.body)
    questions = person.get("questions", [])
    answer: dict[str, Any] = {"is_valid": bool(person), "is_verifiable": bool(questions)}
    sheet = {
        "questionnaire_id": call.world.new_uuid(),
        "person": sample("identity_proof")["persons"].index(person) if person else None,
        "begun": call.now,
        "given": [],
        "fields": sorted(name for name in call.body if name not in NOT_AN_IDENTIFIER),
        "activities": [],
        **answer,
    }
    if questions:
        _refuse_locked(call, sheet["person"])
        answer |= {"questionnaire_id": sheet["questionnaire_id"], "question": _question(questions, 0)}
    _keep(call, sheet)
    return Answer(answer)


def score_proof_question(call: Call) -> Answer:
    """Take an answer and ask the next question, or tell the verdict: a success takes right answers throughout.

    Raises:
        RefusalError: Nobody was asked this, or it is too late; 422. No status is documented for it.
    """
    body = call.body
    sheet = call.world.store.document(KIND, body["questionnaire_id"], owner=call.client_id)
    if sheet is None or not sheet["is_verifiable"]:
        raise invalid({"questionnaire_id": ["No questionnaire has this id."]})
    if "result" in sheet or call.now - sheet["begun"] > LIFE:
        raise invalid({"questionnaire_id": ["This questionnaire has ended."]})
    questions = sample("identity_proof")["persons"][sheet["person"]]["questions"]
    if body["question_id"] != len(sheet["given"]) + 1:
        raise invalid({"question_id": ["Not the question that was asked last."]})
    sheet["given"].append(body["answer"])
    done = len(sheet["given"])
    if done < len(questions):
        answer: dict[str, Any] = {"status": "PENDING", "question": _question(questions, done)}
    else:
        right = sheet["given"] == [question["right"] for question in questions]
        sheet |= {"result": "SUCCESS" if right else "FAILURE", "ended": call.now}
        answer = {"status": sheet["result"], "customer_notified": False}
        if not right:
            answer["next_attempt"] = wire_time(sheet["begun"] + LOCK)
    _keep(call, sheet)
    return Answer(answer)


def _person(sent: Mapping[str, Any]) -> dict[str, Any]:
    """Return the person that was sent; empty when nobody is like that.

    Raises:
        RefusalError: Too little was sent to look anybody up.
    """
    date = sent["birth_date"]
    missing = {part: [REQUIRED] for part in ("year", "month", "day") if part not in date}
    wrong: dict[str, Any] = {"birth_date": missing} if missing else {}
    if not sent.get("ssn") and not sent.get("drivers_license_number"):
        wrong |= {"ssn": [REQUIRED], "drivers_license_number": [REQUIRED]}
    if wrong:
        raise invalid(wrong)
    for person in sample("identity_proof")["persons"]:
        names = all(same(sent[name], person[name]) for name in ("first_name", "last_name"))
        if (
            names
            and all(date[part] == held for part, held in person["birth_date"].items())
            and _has_number(person, sent)
        ):
            found: dict[str, Any] = person
            return found
    return {}


def _has_number(person: Mapping[str, Any], sent: Mapping[str, Any]) -> bool:
    ssn = sent.get("ssn", "").replace("-", "").strip()
    if ssn:
        return ssn in {person["ssn"], person["ssn"][-4:]}
    return same(sent["drivers_license_number"], person.get("drivers_license_number", ""))


def _refuse_locked(call: Call, person: int) -> None:
    for sheet in call.world.store.documents(KIND, owner=call.client_id):
        if sheet["person"] == person and call.now - sheet["begun"] < LOCK:
            raise RefusalError(403, {"general": "This identity is locked for twelve hours after a questionnaire."})


def _question(questions: list[dict[str, Any]], index: int) -> dict[str, Any]:
    question = questions[index]
    answers = [{"id": number, "answer": text} for number, text in enumerate(question["answers"], 1)]
    return {"id": index + 1, "text": question["text"], "answers": answers}


def _keep(call: Call, sheet: dict[str, Any]) -> None:
    """Store a questionnaire with a note of this very call."""
    note = {"activity_id": call.record["id"], "timestamp": wire_time(call.now), "status_code": 200}
    sheet["activities"].append(note)
    call.world.store.put_document(KIND, sheet["questionnaire_id"], sheet, owner=call.client_id)


HANDLERS = {
    "validate_identity": Handler(validate_identity, activity="identity", billed=True, bad_input=400),
    "generate_proof_questionnaire": Handler(
        generate_proof_questionnaire, activity="identity", billed=True, bad_input=400
    ),
    "score_proof_question": Handler(score_proof_question, activity="identity", billed=True),
}
