"""What a field takes, and that its schema says the same."""

import unicodedata
import zoneinfo
from datetime import timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from pydantic import TypeAdapter, ValidationError

from billing.dialects import fields
from billing.dialects.fields import (
    Amount,
    Country,
    Currency,
    Date,
    Email,
    ExactInstant,
    ExternalIdText,
    Id,
    Instant,
    Name,
    NotNegative,
    Percentage,
    Positive,
    Text,
    TimeZone,
    number_of,
)
from billing.dialects.v1.common import Region
from billing.domain.countries import COUNTRIES
from billing.domain.letters import is_printable, letters
from billing.domain.money import CURRENCIES, Money


def takes(field: Any, value: Any) -> bool:
    try:
        TypeAdapter(field).validate_python(value, strict=True)
    except ValidationError:
        return False
    return True


def schema_takes(field: Any, value: Any) -> bool:
    schema = TypeAdapter(field).json_schema()
    if "pattern" in schema:  # to ECMA-262, `$` is the end and nothing else
        schema["pattern"] = schema["pattern"].removesuffix("$") + r"\Z"
    return bool(Draft202012Validator(schema).is_valid(value))


def printable(text: str) -> bool:
    return all(map(is_printable, letters(unicodedata.normalize("NFC", text))))


CODES = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=2, max_size=3)
DAYS = st.dates().map(lambda day: day.isoformat())
INSTANTS = st.datetimes(
    timezones=st.integers(-1439, 1439).map(lambda n: timezone(timedelta(minutes=n)))
).map(lambda instant: instant.isoformat())
TEXTS = st.text(
    st.one_of(
        st.sampled_from(" \t\x00\x85\xa0\xad\u200b\u2028\u3000\ufffe"), st.characters(codec="utf-8")
    ),
    max_size=8,
)
NUMBERS = st.decimals(-(10**13), 10**13, places=3)
ZONES = st.sampled_from(
    [*sorted(zoneinfo.available_timezones()), "posixrules", "localtime", "", "/", "Europe/Madrid/"]
)
VALUES = {
    "name": (Name, TEXTS),
    "currency": (Currency, st.one_of(st.sampled_from(sorted(CURRENCIES)), CODES)),
    "country": (Country, st.one_of(st.sampled_from(sorted(COUNTRIES)), CODES)),
    "date": (Date, st.one_of(DAYS, st.from_regex(r"[0-9]{4}-[0-9]{2}-28"))),
    "instant": (Instant, INSTANTS),
    "exact instant": (ExactInstant, INSTANTS),
    "email": (
        Email,
        st.one_of(st.emails(), st.tuples(TEXTS, TEXTS).map(lambda t: f"{t[0]}@{t[1]}.example")),
    ),
    "time zone": (TimeZone, ZONES),
}


@pytest.mark.parametrize(("field", "values"), VALUES.values(), ids=VALUES)
@settings(max_examples=200, deadline=None, derandomize=True)
@given(data=st.data())
def test_a_schema_says_what_the_field_takes(
    field: Any, values: st.SearchStrategy[str], data: st.DataObject
) -> None:
    value = data.draw(values)
    assume(field not in {Name, Email} or printable(value))  # no pattern says what fonts have

    assert schema_takes(field, value) == takes(field, value), repr(value)


@pytest.mark.parametrize("field", [Amount, NotNegative, Positive, Percentage])
@settings(max_examples=200, deadline=None, derandomize=True)
@given(value=st.one_of(NUMBERS, st.decimals(-1, 101, places=2)))
@example(Decimal("0.4999"))
@example(Decimal("0.5"))
@example(Decimal(10**12))
@example(Decimal(100))
def test_a_schema_says_which_numbers_the_field_takes(field: Any, value: Decimal) -> None:
    in_json = int(value) if value == value.to_integral_value() else float(value)
    within = abs(value) < 10**12

    assert schema_takes(field, in_json) == (within and takes(field, value))


@pytest.mark.parametrize(
    ("field", "wrong", "words"),
    [
        (Id, "a b", "must be 1 to 64 letters, digits, - and _"),
        (Id, "", "must be 1 to 64 letters, digits, - and _"),
        (
            Email,
            "ana",
            "must be an e-mail address of at most 254 characters, such as ana@example.com",
        ),
        (Region, "Madeira", "must be the ISO 3166-2 code of a region, such as PT-30"),
    ],
)
def test_a_text_of_the_wrong_form_is_told_the_right_one(field: Any, wrong: str, words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(field).validate_python(wrong, strict=True)

    assert [each["msg"] for each in caught.value.errors()] == [words]


@pytest.mark.parametrize("blank", [" ", "\xa0", "\u3000 \u2028", "\u200b", "\ufeff\xad"])
def test_a_text_has_something_to_see(blank: str) -> None:
    with pytest.raises(ValidationError, match="a character that is not white space"):
        TypeAdapter(Name).validate_python(blank)


@pytest.mark.parametrize("wrong", ["a\x00", "a\nb", "\x7f", "a\x85", "\ufffe", "\ud800"])
def test_a_text_has_nothing_that_cannot_be_written(wrong: str) -> None:
    assert not takes(Name, wrong)


def test_a_text_is_kept_composed_and_counted_so() -> None:
    assert TypeAdapter(Name).validate_python("e\u0301" * 200) == "\xe9" * 200
    assert not takes(Name, "e\u0301" * 201)


def test_a_text_is_in_letters_that_can_be_printed() -> None:
    for field in (Name, Text, Email):
        with pytest.raises(ValidationError, match=r"there is no font for '🚀' \(U\+1F680\)"):
            TypeAdapter(field).validate_python("🚀@a.example")
    assert takes(ExternalIdText, "🚀")
    for text in (
        "Núria",
        "Ελένη",
        "Київ",
        "נועה",
        "أحمد",
        "สมชาย",
        "张伟",
        "陳美玲",
        "花子",
        "김민준",
    ):
        assert takes(Name, text)


@pytest.mark.parametrize("day", ["1899-12-31", "3000-01-01", "9999-12-31", "2026-02-30"])
def test_a_wrong_date_is_told_the_bounds(day: str) -> None:
    with pytest.raises(ValidationError, match="from 1900-01-01 to 2999-12-31"):
        TypeAdapter(Date).validate_python(day)


def test_a_time_zone_is_an_area_and_a_location() -> None:
    taken = {zone for zone in zoneinfo.available_timezones() if takes(TimeZone, zone)}

    assert taken == {
        zone for zone in zoneinfo.available_timezones() if "/" in zone or zone == "UTC"
    }


@pytest.mark.parametrize(
    "zone",
    [
        "right/Europe/Madrid", "posix/Europe/Madrid", "localtime", "posixrules", "Factory",
        "EST5EDT", "America/Argentina", "Europe", "Europe/Nowhere", "europe/madrid", "../etc",
        "/etc/localtime", "Europe/../Europe/Madrid",
    ],
)  # fmt: skip
def test_refuses_what_is_no_time_zone(zone: str) -> None:
    assert not takes(TimeZone, zone)


@pytest.mark.parametrize("minor", [0, 1, -1, 5647, -5647, 100, 10**15 - 1, -(10**15) + 1])
@pytest.mark.parametrize("currency", ["EUR", "JPY", "BHD"])
def test_an_amount_that_is_answered_is_written_as_any_other(minor: int, currency: str) -> None:
    amount = Money(minor, currency)

    assert number_of(amount) == fields._json_number(amount.major)
    assert type(number_of(amount)) is type(fields._json_number(amount.major))
