"""Generated models: what is read, written back and shown. On the golden package, which has one of each kind."""

from __future__ import annotations

import copy
import importlib
import json
import pickle
import pkgutil
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import golden_api
import pytest
from golden_api._kinds import Lone
from golden_api._values import Misfit, code_list, write_date
from golden_api.api.parts import delete_part
from golden_api.models import (
    Box,
    Circle,
    Color,
    Counts,
    ErrorData,
    FreeForm,
    Loose,
    Part,
    PartsByColor,
    Rectangle,
    Size,
    TokenResponse,
    Widget,
    WidgetEnvelope,
    WidgetListEnvelope,
    WidgetRequest,
)
from golden_api.types import UNSET

CANARY = "Quillfeather"


def same(left: Any, right: Any) -> bool:
    """Equal in values and in JSON types: 1, 1.0 and "1" are three things."""
    return json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)


def test_every_module_is_importable() -> None:
    names = [each.name for each in pkgutil.walk_packages(golden_api.__path__, "golden_api.")]
    assert len([importlib.import_module(name) for name in names]) > 40


# ---------------------------------------------------------------- reading and writing back

VALUES: dict[str, Any] = {
    "name": "A",
    "_uuid": "u",
    "class": "c",
    "with-dash": "d",
    "2fa": True,
    "made_on": "2016-05-25",
    "changed_at": "2016-05-25T18:06:11.239000",
    "weight": 1.0,
    "count": 1,
    "amount": "1",
    "color": "light blue",
    "size": 2,
    "colors": ["red", "1"],
    "days": ["2016-05-25"],
    "names": ["x"],
    "label": ["x", "y"],
    "kind": "widget",
    "hint": "x",
    "main_part": {"no": 1},
    "parts": [{"no": 1}, {"no": 2, "serial": "s"}],
    "grid": [[{"no": 1}], []],
    "children": [{"children": [{"id": "deep"}]}],
    "by_color": {"red": {"no": 1}},
    "counts": {"a": 1},
    "extra": {"a": {"b": [1]}},
    "anything": [1, {"a": None}],
    "shape": {"radius": 1},
    "strict_shape": {"width": 1, "height": 2},
    "shapes": [{"radius": 1}, {"width": 1, "height": 2}],
    "text_or_part": "text",
}
ODD: dict[str, Any] = {
    "date with another form": {"made_on": "05/25/2016"},
    "date in week notation": {"made_on": "2016-W05-1"},
    "date that does not exist": {"made_on": "2016-02-30"},
    "empty date": {"made_on": ""},
    "date that is a number": {"made_on": 20160525},
    "time in milliseconds": {"changed_at": "2016-05-25T18:06:11.239"},
    "time with Z": {"changed_at": "2016-05-25T18:06:11Z"},
    "time with offset zero": {"changed_at": "2016-05-25T18:06:11+00:00"},
    "time with another offset": {"changed_at": "2016-05-25T18:06:11-04:00"},
    "time without time": {"changed_at": "2016-05-25"},
    "number as text": {"weight": "1.50", "count": "01"},
    "whole number for a fraction": {"weight": 1},
    "fraction for a whole number": {"count": 1.0},
    "unknown code": {"color": "mauve", "colors": ["mauve", "red", "mauve"]},
    "code that is a number": {"color": 7},
    "code that is an object": {"color": {"a": 1}},
    "unknown number code": {"size": 9},
    "number code as fraction": {"size": 1.0},
    "number code as boolean": {"size": True},
    "another constant": {"kind": "gadget"},
    "number for a constant": {"kind": 7},
    "object for text": {"id": {"a": [1]}},
    "unknown fields": {"brand_new": {"a": [1, None]}, "other": None},
    "null items": {"parts": [None, {"no": 1}], "colors": [None], "days": [None], "grid": [None, [None]]},
    "null in maps": {"by_color": {"red": None}, "counts": {"a": None}},
    "lone text for a list": {"label": "x"},
    "list for a lone text": {"hint": ["x"]},
    "object for text or object": {"text_or_part": {"no": 1}},
    "object that fits no class": {"strict_shape": {"angle": 1}, "shapes": [{"angle": 1}]},
}


@pytest.mark.parametrize("value", [VALUES, *({key: each} for key, each in VALUES.items()), *ODD.values()])
def test_what_is_read_is_written_back(value: dict[str, Any]) -> None:
    source = copy.deepcopy(value)
    widget = Widget.from_dict(source)
    assert same(widget.to_dict(), value)
    assert source == value, "the source was changed"
    assert same(pickle.loads(pickle.dumps(widget)).to_dict(), value)
    assert same(copy.deepcopy(widget).to_dict(), value)
    assert copy.deepcopy(widget) == widget


@pytest.mark.parametrize("key", VALUES)
def test_null_is_accepted_anywhere(key: str) -> None:
    assert Widget.from_dict({key: None}).to_dict() == {key: None}


def test_missing_is_unset_even_if_required() -> None:
    widget = Widget.from_dict({})
    assert widget.id is UNSET
    assert widget.to_dict() == {}


def test_unknown_fields_are_kept_apart() -> None:
    assert Widget.from_dict({"brand_new": 1, "id": "i"}).additional_properties == {"brand_new": 1}


def test_values_have_their_types() -> None:
    widget = Widget.from_dict(VALUES)
    assert widget.made_on == date(2016, 5, 25)
    assert widget.changed_at == datetime(2016, 5, 25, 18, 6, 11, 239000)  # noqa: DTZ001 - the platform sends no zone
    assert widget.color is Color.LIGHT_BLUE
    assert widget.size is Size.LARGE
    assert widget.colors == [Color.RED, Color.ONE]
    assert widget.class_ == "c"
    assert isinstance(widget.main_part, Part)
    assert widget.children[0].children[0].id == "deep"  # type: ignore[index,union-attr]


@pytest.mark.parametrize("text", ["05/25/2016", "2016-W05-1", "", "2016-5-25"])
def test_date_that_would_be_written_otherwise_stays_text(text: str) -> None:
    assert Widget.from_dict({"made_on": text}).made_on == text


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (date(2016, 5, 25), "2016-05-25"),
        (datetime(2016, 5, 25, 18, 6), "2016-05-25T18:06:00"),  # noqa: DTZ001 - naive on purpose
        (datetime(2016, 5, 25, 18, 6, tzinfo=UTC), "2016-05-25T18:06:00Z"),
        ("yesterday", "yesterday"),
    ],
)
def test_dates_are_written_in_iso_8601(moment: Any, text: str) -> None:
    assert write_date(moment) == text


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "object for array": ({"parts": {"no": CANARY}}, "Widget.parts: array expected, object found"),
    "text for object": ({"main_part": CANARY}, "Widget.main_part: object expected, string found"),
    "array for object": ({"main_part": [CANARY]}, "Widget.main_part: object expected, array found"),
    "text for an item": ({"parts": [CANARY]}, "Widget.parts[]: object expected, string found"),
    "number for an inner array": ({"grid": [1]}, "Widget.grid[]: array expected, number found"),
    "text for a map": ({"by_color": CANARY}, "Widget.by_color: object expected, string found"),
    "text in a map": ({"by_color": {CANARY: CANARY}}, "PartsByColor.*: object expected, string found"),
    "array for a union": ({"shape": [CANARY]}, "Widget.shape: object expected, array found"),
    "boolean for an array of text": ({"names": True}, "Widget.names: array expected, boolean found"),
}


@pytest.mark.parametrize(("value", "place"), WRONG.values(), ids=WRONG)
def test_wrong_container_is_refused_with_its_place_and_without_its_value(value: dict[str, Any], place: str) -> None:
    with pytest.raises(Misfit) as caught:
        Widget.from_dict(value)
    assert str(caught.value) == place


# ---------------------------------------------------------------- lists and lone items


def test_list_of_one_is_read_as_the_documented_object_and_written_back_as_list() -> None:
    value = {"data": [{"id": "one"}]}
    envelope = WidgetEnvelope.from_dict(value)
    assert isinstance(envelope.data, Widget)
    assert envelope.data.id == "one"
    assert envelope.to_dict() == value
    assert copy.deepcopy(envelope).to_dict() == value


@pytest.mark.parametrize("data", [[], [{"id": "one"}, {"id": "two"}]])
def test_other_lists_stay_lists_of_models(data: list[Any]) -> None:
    envelope = WidgetEnvelope.from_dict({"data": data})
    assert isinstance(envelope.data, list)
    assert all(isinstance(each, Widget) for each in envelope.data)
    assert envelope.to_dict() == {"data": data}


def test_documented_object_is_written_as_object() -> None:
    assert WidgetEnvelope.from_dict({"data": {"id": "one"}}).to_dict() == {"data": {"id": "one"}}


def test_lone_item_is_read_as_the_documented_list_and_written_back_as_item() -> None:
    widget = Widget.from_dict({"label": "x"})
    assert widget.label == ["x"]
    assert widget.to_dict() == {"label": "x"}


def test_lone_item_that_got_company_is_written_as_list() -> None:
    widget = Widget.from_dict({"label": "x"})
    assert isinstance(widget.label, Lone)
    widget.label.append("y")
    assert widget.to_dict() == {"label": ["x", "y"]}


@pytest.mark.parametrize("colors", [["red", "mauve"], "red", "mauve", []])
@pytest.mark.parametrize("parts", [{"no": 1}, [{"no": 1}], [{"no": 1}, {"no": 2}], []])
def test_request_reads_and_writes_both_forms(colors: Any, parts: Any) -> None:
    value = {"name": "n", "colors": colors, "parts": parts}
    assert WidgetRequest.from_dict(value).to_dict() == value


def test_request_takes_both_forms_from_the_caller() -> None:
    one = WidgetRequest("n", Color.RED, parts=Part(1))
    many = WidgetRequest("n", [Color.RED], parts=[Part(1), Part(2)])
    assert one.to_dict() == {"name": "n", "colors": "red", "parts": {"no": 1}}
    assert many.to_dict() == {"name": "n", "colors": ["red"], "parts": [{"no": 1}, {"no": 2}]}


# ---------------------------------------------------------------- requests


def test_constructor_of_a_request_requires_what_the_contract_requires() -> None:
    with pytest.raises(TypeError, match="colors"):
        WidgetRequest("n")  # type: ignore[call-arg]


def test_request_writes_only_what_was_set() -> None:
    request = WidgetRequest(name="n", colors=[Color.RED], made_on=date(2026, 11, 2), note=None, price=1.0)
    assert request.to_dict() == {"name": "n", "colors": ["red"], "made_on": "2026-11-02", "note": None, "price": 1.0}


def test_incomplete_request_is_readable() -> None:
    assert WidgetRequest.from_dict({"nickname": "x"}).to_dict() == {"nickname": "x"}


# ---------------------------------------------------------------- unions

UNIONS: dict[str, tuple[dict[str, Any], type[Any]]] = {
    "one has its required keys": ({"radius": 1}, Circle),
    "more required keys win": ({"radius": 1, "width": 1, "height": 1}, Rectangle),
    "tie goes to who knows more keys": ({"width": 1, "height": 1, "depth": 1}, Box),
    "tie goes to the first": ({"width": 1, "height": 1}, Rectangle),
    "no required keys, a known one": ({"outline": "o"}, Loose),
    "a part of the required keys does not count": ({"width": 1}, FreeForm),
    "nothing known": ({"angle": 1}, FreeForm),
    "empty": ({}, FreeForm),
}


@pytest.mark.parametrize(("value", "cls"), UNIONS.values(), ids=UNIONS)
def test_union_is_chosen_by_required_keys(value: dict[str, Any], cls: type[Any]) -> None:
    assert type(Widget.from_dict({"shape": value}).shape) is cls


def test_object_that_fits_no_class_of_a_union_stays_a_dict() -> None:
    assert Widget.from_dict({"strict_shape": {"angle": 1}}).strict_shape == {"angle": 1}


def test_union_of_object_and_text_goes_by_json_type() -> None:
    assert ErrorData.from_dict({"errors": "plain"}).errors == "plain"
    assert ErrorData.from_dict({"errors": {"scope": "s"}}).errors.scope == "s"  # type: ignore[union-attr]


# ---------------------------------------------------------------- maps


def test_map_reads_like_a_dict() -> None:
    parts = PartsByColor.from_dict({"red": {"no": 1}, "blue": {"no": 2}})
    assert parts["red"].no == 1
    assert "blue" in parts
    assert list(parts) == list(parts.keys()) == ["red", "blue"]
    assert [part.no for part in parts.values()] == [1, 2]
    assert dict(parts.items())["red"] is parts["red"]
    assert parts.get("green") is None
    assert len(parts) == 2
    del parts["red"]
    parts["green"] = Part(3)
    assert parts.to_dict() == {"blue": {"no": 2}, "green": {"no": 3}}


# ---------------------------------------------------------------- open enums


def test_code_list_is_loaded_when_its_first_code_is_read() -> None:
    code = """
import sys
sys.path.insert(0, sys.argv[1])
from golden_api.models import Widget
Widget.from_dict({"id": "i", "color": None, "size": "large"})
print("golden_api.models.color" in sys.modules)
Widget.from_dict({"color": "mauve"})
print("golden_api.models.color" in sys.modules)
"""
    folder = str(Path(golden_api.__path__[0]).parent)
    done = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def test_each_code_read_is_the_member_of_its_class() -> None:
    for color in Color:
        assert Widget.from_dict({"color": color.value}).color is color
    for size in Size:
        assert Widget.from_dict({"size": size.value}).size is size


def test_unknown_codes_do_not_pile_up() -> None:
    Widget.from_dict({"color": "red"})
    known = len(code_list("Color"))
    Widget.from_dict({"color": "mauve"})
    assert len(code_list("Color")) == known == len(Color)


def test_unknown_code_keeps_its_value() -> None:
    code = Color("mauve")
    assert code == "mauve"
    assert not code.is_known
    assert Color.RED.is_known
    assert isinstance(code, Color)
    assert {code: 1}["mauve"] == 1
    assert code != Color("beige")
    assert json.dumps(code) == '"mauve"'


def test_unknown_codes_are_not_remembered() -> None:
    before = len(Color)
    Color("mauve")
    assert len(Color) == before
    assert "mauve" not in Color._value2member_map_


@pytest.mark.parametrize("code", [Color.RED, Color("mauve"), Size.LARGE, Size(9)])
def test_codes_survive_pickle_and_copy(code: Any) -> None:
    for again in (pickle.loads(pickle.dumps(code)), copy.copy(code), copy.deepcopy(code)):
        assert again == code
        assert type(again) is type(code)
        assert again.is_known == code.is_known
    assert pickle.loads(pickle.dumps(Color.RED)) is Color.RED


def test_written_codes_are_plain_values() -> None:
    written = Widget(color=Color.RED, colors=[Color("mauve")], size=Size(9)).to_dict()
    assert [type(written["color"]), type(written["colors"][0]), type(written["size"])] == [str, str, int]


@pytest.mark.parametrize("value", [7, None, 1.5])
def test_number_is_no_code(value: Any) -> None:
    with pytest.raises(ValueError, match="Color"):
        Color(value)


# ---------------------------------------------------------------- repr


def test_repr_masks_patient_data_and_secrets() -> None:
    widget = Widget.from_dict(
        {
            "id": "visible",
            "name": CANARY,
            "secret": CANARY,
            "made_on": CANARY,
            "color": CANARY,
            "names": [CANARY],
            "hidden_part": {"no": 1, "serial": CANARY},
            "main_part": {"no": 77, "serial": CANARY},
            "parts": [{"serial": CANARY}],
            "by_color": {CANARY: {"no": 1}},
            "extra": {CANARY: CANARY},
            "strict_shape": {"angle": CANARY},
            "weight": {"value": CANARY},
            "children": [{"name": CANARY}],
            "new_field": CANARY,
        }
    )
    shown = repr(widget)
    assert CANARY not in shown
    assert "id='visible'" in shown
    assert "no=77" in shown
    assert "hidden_part=Part(masked)" in shown
    assert "name=<masked>" in shown
    assert "by_color=PartsByColor(1 keys)" in shown
    assert "strict_shape=<dict>" in shown
    assert "additional_properties=['new_field']" in shown
    assert "shape=" not in shown.replace("strict_shape=", "")
    assert CANARY not in repr(WidgetListEnvelope(data=[widget]))


def test_token_is_masked() -> None:
    assert (
        repr(TokenResponse(access_token=CANARY, expires_in=1)) == "TokenResponse(access_token=<masked>, expires_in=1)"
    )


def test_free_form_shows_only_how_many_keys() -> None:
    assert repr(FreeForm.from_dict({CANARY: CANARY})) == "FreeForm(1 keys)"
    assert repr(Counts.from_dict({CANARY: 1, "b": 2})) == "Counts(2 keys)"


# ---------------------------------------------------------------- equality, deprecation


def test_models_compare_by_value() -> None:
    assert Widget.from_dict(VALUES) == Widget.from_dict(VALUES)
    assert Widget(id="a") != Widget(id="b")
    assert Widget.from_dict({"x": 1}) != Widget.from_dict({"x": 2})
    assert Circle.from_dict({}) != Rectangle.from_dict({})


def test_deprecated_operation_warns_where_it_is_called() -> None:
    assert delete_part.sync.__deprecated__ == "Last documented 2016-02-29."  # type: ignore[attr-defined]
    with pytest.warns(DeprecationWarning, match="2016-02-29") as caught, pytest.raises(TypeError):
        delete_part.sync()  # type: ignore[call-arg]
    assert caught[0].filename == __file__


async def test_deprecated_coroutine_function_warns_when_called() -> None:
    with pytest.warns(DeprecationWarning, match="2016-02-29") as caught, pytest.raises(TypeError):
        await delete_part.asyncio()  # type: ignore[call-arg]
    assert caught[0].filename == __file__
