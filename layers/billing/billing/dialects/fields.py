"""The base of all DTOs, and the types of their fields."""

import json
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)

from billing.domain.countries import COUNTRIES
from billing.domain.idempotency import ExternalId
from billing.domain.ids import ALL_ACCOUNTS, check_account_id
from billing.domain.money import CURRENCIES
from billing.domain.periods import Moment


@dataclass(frozen=True, slots=True)
class NumberLiteral:
    """A JSON number that is not an integer, exactly as it was written."""

    text: str


class Dto(BaseModel):
    """Closed, immutable, and strict: no field is guessed, none is converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    def external_id(self, value: str, *scope: str) -> ExternalId:
        """
        Return the external id of what this request creates.

        Its fingerprint is of all that the request says, and of where (`scope`), by value: `12.1`
        and `12.10` are the same, and so are two spellings of an instant. A field that is left out
        does not count, so that requests stay the same when a later release knows more fields.
        """
        said = json.dumps([*scope, self], default=_by_value, sort_keys=True)
        return ExternalId(value, sha256(said.encode()).hexdigest())


def _by_value(value: Any) -> Any:
    """Write what JSON has no form for, so that equal values are written alike."""
    match value:
        case BaseModel():
            return {name: each for name, each in value if each is not None}
        case Moment():
            return value.nanoseconds
        case datetime():
            return value.astimezone(UTC).isoformat()
        case date():
            return value.isoformat()
        case Decimal():
            return f"{value.normalize():f}"
    raise TypeError(type(value))


_DECIMAL = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,12})?", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_INSTANT = re.compile(
    r"(?P<seconds>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})"
    r"(\.(?P<fraction>[0-9]{1,9}))?(?P<offset>Z|[+-][0-9]{2}:[0-9]{2})",
    re.ASCII,
)


def _decimal(value: Any) -> Decimal:
    if isinstance(value, Decimal):
        return value
    if isinstance(value, bool) or not isinstance(value, int | NumberLiteral):
        raise ValueError("must be a JSON number")
    text = value.text if isinstance(value, NumberLiteral) else str(value)
    if not _DECIMAL.fullmatch(text):
        raise ValueError("must have at most 12 digits on each side of the point, and no exponent")
    return Decimal(text)


def _json_number(value: Decimal) -> int | float:
    """Write a decimal as a JSON number; below 10^15 minor units a double holds every digit."""
    return int(value) if value == value.to_integral_value() else float(value)


def _digits(value: Any) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    raise ValueError("must be a whole number")


def _date(value: Any) -> date:
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            return _in_our_times(date.fromisoformat(value))
        except ValueError:
            pass
    if type(value) is date:
        return value
    raise ValueError("must be a date that exists, as yyyy-mm-dd")


def _instant(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    match = _INSTANT.fullmatch(value) if isinstance(value, str) else None
    try:
        if match is None:
            raise ValueError
        microseconds = (match["fraction"] or "0")[:6]
        text = f"{match['seconds']}.{microseconds}{match['offset']}"
        return _in_our_times(datetime.fromisoformat(text)).astimezone(UTC)
    except ValueError:
        raise ValueError(
            "must be an instant as RFC 3339 writes it, with an offset: 2026-03-01T12:00:00Z"
        ) from None


def _moment(value: Any) -> Moment:
    if isinstance(value, Moment):
        return value
    _instant(value)
    return Moment.of(value)


def _in_our_times[D: date](value: D) -> D:
    if not 1900 <= value.year <= 2999:
        raise ValueError
    return value


_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ufffe\uffff]")
"""Control characters, and the two that XML, and so an e-invoice, cannot hold."""


def _printable(value: str) -> str:
    if _UNPRINTABLE.search(value):
        raise ValueError("must have no control characters")
    return value


def _currency(value: str) -> str:
    if value not in CURRENCIES:
        raise ValueError("must be a currency in use, as ISO 4217 writes it: EUR")
    return value


def _country(value: str) -> str:
    if value not in COUNTRIES:
        raise ValueError("must be a country, as ISO 3166-1 alpha-2 writes it: ES")
    return value


def _time_zone(value: str) -> str:
    try:
        if not re.fullmatch(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*", value):
            raise ValueError
        ZoneInfo(value)
    except (ValueError, OSError, KeyError):
        raise ValueError("must be a time zone of the IANA data base: Europe/Madrid") from None
    return value


def _iban(value: str) -> str:
    from stdnum import iban

    if not iban.is_valid(value):
        raise ValueError("must be a valid IBAN")
    return str(iban.compact(value))


def _bic(value: str) -> str:
    from stdnum import bic

    if not bic.is_valid(value):
        raise ValueError("must be a valid BIC")
    return str(bic.compact(value))


Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
AccountId = Annotated[
    Id,
    AfterValidator(check_account_id),
    WithJsonSchema(
        {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$", "not": {"const": ALL_ACCOUNTS}}
    ),
]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_printable)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=500), AfterValidator(_printable)]
ExternalIdText = Annotated[
    str, StringConstraints(min_length=1, max_length=255), AfterValidator(_printable)
]
Email = Annotated[
    str,
    StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", max_length=254),
    AfterValidator(_printable),
]
Amount = Annotated[
    Decimal,
    BeforeValidator(_decimal),
    PlainSerializer(_json_number, return_type=int | float),
    WithJsonSchema({"type": "number"}),
]
Digits = Annotated[int, BeforeValidator(_digits)]
"""A whole number in a path or a query, where everything is text."""
NotNegative = Annotated[Amount, Field(ge=0), WithJsonSchema({"type": "number", "minimum": 0})]
Positive = Annotated[Amount, Field(gt=0), WithJsonSchema({"type": "number", "exclusiveMinimum": 0})]
Percentage = Annotated[
    Amount,
    Field(ge=0, le=100, decimal_places=4),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": 100}),
]
Date = Annotated[date, BeforeValidator(_date)]
Instant = Annotated[
    datetime,
    BeforeValidator(_instant),
    PlainSerializer(lambda value: value.isoformat().replace("+00:00", "Z"), return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
ExactInstant = Annotated[
    Moment,
    BeforeValidator(_moment),
    PlainSerializer(lambda value: value.text, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""An instant to the nanosecond, given back as it was written."""
Currency = Annotated[
    str,
    AfterValidator(_currency),
    WithJsonSchema({"type": "string", "pattern": "^[A-Z]{3}$"}),
]
Country = Annotated[
    str,
    AfterValidator(_country),
    WithJsonSchema({"type": "string", "pattern": "^[A-Z]{2}$"}),
]
TimeZone = Annotated[str, StringConstraints(max_length=64), AfterValidator(_time_zone)]
ReadOnly = Annotated[None, BeforeValidator(lambda _: None), WithJsonSchema({"readOnly": True})]
"""A field that a GET answers; whatever a PUT says of it is ignored."""
Iban = Annotated[str, StringConstraints(max_length=42), AfterValidator(_iban)]
Bic = Annotated[str, StringConstraints(max_length=11), AfterValidator(_bic)]


def check_tax_id(tax_id: str, country: str) -> str:
    """
    Check a tax id by the rules of its country, where it has rules we know.

    Raises ValueError where it is wrong.
    """
    from stdnum import get_cc_module

    rules = get_cc_module(country.lower(), "vat")
    if rules is not None and not rules.is_valid(tax_id):
        raise ValueError(f"must be a valid tax id of {country}")
    return tax_id
