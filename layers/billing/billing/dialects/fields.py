"""The base of all DTOs, and the types of their fields."""

import json
import re
import unicodedata
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import sha256
from importlib import import_module
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
from pydantic_core import CoreSchema
from pydantic_core.core_schema import (
    custom_error_schema,
    no_info_after_validator_function,
    no_info_before_validator_function,
    str_schema,
)

from billing import config
from billing.domain.address_schemes import ADDRESS_SCHEMES, VAT_SCHEMES
from billing.domain.countries import COUNTRIES
from billing.domain.idempotency import ExternalId
from billing.domain.ids import ALL_ACCOUNTS, check_account_id
from billing.domain.letters import check_printable
from billing.domain.money import CURRENCIES, Money
from billing.domain.periods import Moment
from billing.domain.records import instant
from billing.domain.tax_ids import plain_tax_id


@dataclass(frozen=True, slots=True)
class NumberLiteral:
    """A JSON number that is not an integer, exactly as it was written."""

    text: str


class Dto(BaseModel):
    """Closed, immutable, and strict: no field is guessed, none is converted."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        # A start builds what its first route takes and answers; a snapshot has all of it.
        defer_build=not config.is_kept_as_snapshot(),
    )

    def external_id(self, value: str, *parents: str) -> ExternalId:
        """
        Return the external id of what this request creates.

        Its fingerprint is of all that the request says, and of where (`parents`), by value: `12.1`
        and `12.10` are the same, and so are two spellings of an instant. A field that is left out
        does not count, so that requests stay the same when a later release knows more fields.
        """
        said = json.dumps([*parents, self], default=_by_value, sort_keys=True)
        return ExternalId(value, sha256(said.encode()).hexdigest(), parents)


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


_DATE_PATTERN = r"(19|2[0-9])[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
"""The days that we know: from 1900-01-01 to 2999-12-31."""
_TIME_PATTERN = (
    r"([01][0-9]|2[0-3])(:[0-5][0-9]){2}(\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
)
_DECIMAL = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,12})?", re.ASCII)
_DATE = re.compile(_DATE_PATTERN)
_INSTANT = re.compile(f"{_DATE_PATTERN}T{_TIME_PATTERN}")
_TOO_FINE = re.compile(r"(?<=\.[0-9]{6})[0-9]+")


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


def number_of(amount: Money) -> int | float:
    """Write an amount in major units as a JSON number, which is the nearest double."""
    units: int = 10 ** CURRENCIES[amount.currency]
    whole, rest = divmod(amount.minor, units)
    return amount.minor / units if rest else whole


def _percentage(value: Decimal) -> Decimal:
    # Less than a half rounds to zero, and EN 16931 takes it for that (BR-CO-17).
    if 0 < value < Decimal("0.5"):
        raise ValueError("must be 0 or at least 0.5")
    return value


def _digits(value: Any) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    raise ValueError("must be a whole number")


def _ordinal(value: Any) -> int:
    number = _digits(value)
    if str(number) != value:
        raise ValueError("must have no leading zeros")
    return number


def _date(value: Any) -> date:
    if type(value) is date:
        return value
    if isinstance(value, str) and _DATE.fullmatch(value):
        with suppress(ValueError):
            return date.fromisoformat(value)
    raise ValueError("must be a date that exists, from 1900-01-01 to 2999-12-31, as yyyy-mm-dd")


def _instant(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, str) and _INSTANT.fullmatch(value):
        with suppress(ValueError):
            return datetime.fromisoformat(_TOO_FINE.sub("", value)).astimezone(UTC)
    raise ValueError(
        "must be an RFC 3339 instant with an offset, from 1900 to 2999, such as "
        "2026-03-01T12:00:00Z"
    )


def _moment(value: Any) -> Moment:
    if isinstance(value, Moment):
        return value
    _instant(value)
    return Moment.of(value)


_UNPRINTABLE = r"\x00-\x1f\x7f-\x9f\ufffe\uffff"
"""Control characters, and the two that XML, and so an e-invoice, cannot hold."""
_INVISIBLE = r"\s\xad\u061c\u180e\u200b-\u200f\u2028-\u202f\u2060-\u206f\u3164\ufeff"
"""White space, and what takes no room on paper at all."""
_CONTROL = re.compile(f"[{_UNPRINTABLE}]")
_SEEN = re.compile(f"[^{_INVISIBLE}]")


def _text(value: Any) -> Any:
    """
    Return a text composed (NFC), as it is kept, searched and compared.

    Raise ValueError where nothing of it would be seen, or it has control characters.
    """
    if not isinstance(value, str):
        return value
    if _CONTROL.search(value):
        raise ValueError("must have no control characters")
    if value and not _SEEN.search(value):
        raise ValueError("must have a character that is not white space")
    return unicodedata.normalize("NFC", value)


@dataclass(frozen=True, slots=True)
class TextOf:
    """
    Marks a text of at most so many characters, counted once it is composed.

    What is `printed` is refused where no font of documents has one of its characters.
    """

    max_length: int
    printed: bool = True

    def __get_pydantic_core_schema__(self, *_: Any) -> CoreSchema:
        of_length = str_schema(min_length=1, max_length=self.max_length)
        text = no_info_before_validator_function(_text, of_length)
        return no_info_after_validator_function(check_printable, text) if self.printed else text

    def __get_pydantic_json_schema__(self, *_: Any) -> dict[str, Any]:
        return {
            "type": "string",
            "minLength": 1,
            "maxLength": self.max_length,
            "pattern": f"^[^{_UNPRINTABLE}]*[^{_UNPRINTABLE}{_INVISIBLE}][^{_UNPRINTABLE}]*$",
        }


@dataclass(frozen=True, slots=True)
class Form:
    """Marks a text of a pattern, and says to people what it must be."""

    pattern: str
    words: str
    max_length: int | None = None

    def __get_pydantic_core_schema__(self, *_: Any) -> CoreSchema:
        text = str_schema(pattern=self.pattern, max_length=self.max_length)
        return custom_error_schema(text, "form", custom_error_message=f"must be {self.words}")


_ZONE_PATTERN = r"^(UTC|[A-Z][A-Za-z]+(/[A-Za-z0-9_+-]+){1,2})$"


def _currency(value: str) -> str:
    if value not in CURRENCIES:
        raise ValueError("must be the ISO 4217 code of a currency in use, such as EUR")
    return value


def _country(value: str) -> str:
    if value not in COUNTRIES:
        raise ValueError("must be an ISO 3166-1 alpha-2 country code, such as ES")
    return value


def _address_scheme(value: str) -> str:
    if value not in ADDRESS_SCHEMES:
        raise ValueError("must be a code of the EAS list, such as 0088")
    return value


def _time_zone(value: str) -> str:
    # What has no area is deprecated, and what begins with a small letter is no zone but a folder.
    if re.fullmatch(_ZONE_PATTERN, value):
        with suppress(ValueError, OSError, KeyError):
            ZoneInfo(value)
            return value
    raise ValueError("must be an IANA time zone, such as Europe/Madrid, or UTC")


def _iban(value: str) -> str:
    from stdnum import iban

    # Belgium's own rules look the bank up in a list, which no new bank is in.
    of_belgium = iban.compact(value).startswith("BE")
    if not iban.is_valid(value, check_country=not of_belgium):
        raise ValueError("must be a valid IBAN")
    return str(iban.compact(value))


def _bic(value: str) -> str:
    from stdnum import bic

    if not bic.is_valid(value):
        raise ValueError("must be a valid BIC")
    return str(bic.compact(value))


ID_PATTERN = r"^[A-Za-z0-9_-]{1,64}$"
Id = Annotated[str, Form(ID_PATTERN, "1 to 64 letters, digits, - and _")]
ACCOUNT_ID_SCHEMA = {"type": "string", "pattern": ID_PATTERN, "not": {"const": ALL_ACCOUNTS}}
AccountId = Annotated[Id, AfterValidator(check_account_id), WithJsonSchema(ACCOUNT_ID_SCHEMA)]
Name = Annotated[str, TextOf(200)]
Text = Annotated[str, TextOf(500)]
ExternalIdText = Annotated[str, TextOf(255, printed=False)]
_EMAIL_PART = rf"[^@\s{_UNPRINTABLE}]+"
_EMAIL = rf"{_EMAIL_PART}@{_EMAIL_PART}\.{_EMAIL_PART}"
Email = Annotated[
    str,
    Form(
        f"^{_EMAIL}$", "an e-mail address of at most 254 characters, such as ana@example.com", 254
    ),
    BeforeValidator(_text),
    AfterValidator(check_printable),
]
Amount = Annotated[
    Decimal,
    BeforeValidator(_decimal),
    PlainSerializer(_json_number, return_type=int | float),
    WithJsonSchema({"type": "number", "exclusiveMinimum": -(10**12), "exclusiveMaximum": 10**12}),
]
"""At most 12 digits on each side of the point; a currency has fewer decimals than that."""
Number = Annotated[
    int | float,
    WithJsonSchema({"type": "number", "exclusiveMinimum": -(10**12), "exclusiveMaximum": 10**12}),
]
"""An amount that is answered only, as number_of() writes it: lists have hundreds of them."""
Digits = Annotated[int, BeforeValidator(_digits)]
"""A whole number in a path or a query, where everything is text."""
NextCursor = Annotated[
    str | None,
    Field(description="Send it as `cursor` to get the next page; null on the last page."),
]
IdNumber = Annotated[int, BeforeValidator(_ordinal)]
"""A whole number that is an id: it is written in one way only."""
NotNegative = Annotated[
    Amount,
    Field(ge=0),
    WithJsonSchema({"type": "number", "minimum": 0, "exclusiveMaximum": 10**12}),
]
Positive = Annotated[
    Amount,
    Field(gt=0),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 10**12}),
]
Percentage = Annotated[
    Amount,
    Field(ge=0, le=100, decimal_places=4),
    AfterValidator(_percentage),
    WithJsonSchema(
        {
            "type": "number",
            "minimum": 0,
            "maximum": 100,
            "not": {"exclusiveMinimum": 0, "exclusiveMaximum": 0.5},
        }
    ),
]
"""No `multipleOf` says that it has four decimals: to a client's doubles 0.3 would have more."""
Date = Annotated[
    date,
    BeforeValidator(_date),
    WithJsonSchema({"type": "string", "format": "date", "pattern": f"^{_DATE_PATTERN}$"}),
]
_INSTANT_SCHEMA = WithJsonSchema(
    {"type": "string", "format": "date-time", "pattern": f"^{_DATE_PATTERN}T{_TIME_PATTERN}$"}
)
Instant = Annotated[
    datetime,
    BeforeValidator(_instant),
    PlainSerializer(instant, return_type=str),
    _INSTANT_SCHEMA,
]
ExactInstant = Annotated[
    Moment,
    BeforeValidator(_moment),
    PlainSerializer(lambda value: value.text, return_type=str),
    _INSTANT_SCHEMA,
]
"""An instant to the nanosecond, given back as it was written."""
type Currency = Annotated[
    str,
    AfterValidator(_currency),
    WithJsonSchema({"type": "string", "enum": sorted(CURRENCIES)}),
]
type Country = Annotated[
    str,
    AfterValidator(_country),
    WithJsonSchema({"type": "string", "enum": sorted(COUNTRIES)}),
]
type AddressScheme = Annotated[
    str,
    AfterValidator(_address_scheme),
    WithJsonSchema({"type": "string", "enum": sorted(ADDRESS_SCHEMES)}),
]
TimeZone = Annotated[
    str,
    StringConstraints(max_length=64),
    AfterValidator(_time_zone),
    WithJsonSchema({"type": "string", "maxLength": 64, "pattern": _ZONE_PATTERN}),
]
ReadOnly = Annotated[None, BeforeValidator(lambda _: None), WithJsonSchema({"readOnly": True})]
"""A field that a GET answers; whatever a PUT says of it is ignored."""
Iban = Annotated[str, StringConstraints(max_length=42), AfterValidator(_iban)]
Bic = Annotated[str, StringConstraints(max_length=11), AfterValidator(_bic)]


def check_tax_id(tax_id: str, country: str) -> str:
    """
    Check a tax id by the rules of its country, where it has rules we know.

    Raise ValueError where it is wrong, or lacks leading zeros, as it is printed as it is written.
    """
    from stdnum import get_cc_module

    rules = get_cc_module(country.lower(), "vat")
    if rules is None:
        return tax_id
    if not (tax_id.isascii() and rules.is_valid(tax_id)):
        raise ValueError(f"must be a valid tax id of {country}")
    whole = rules.compact(tax_id)
    if whole.startswith("0") and not plain_tax_id(tax_id).endswith(whole):
        raise ValueError(f"must have all its digits: {whole}")
    return tax_id


_ADDRESS_FORMS = {
    "0002": ("[0-9]{9}", "fr.siren"),
    "0007": ("[0-9]{10}", "se.orgnr"),
    "0009": ("[0-9]{14}", "fr.siret"),
    "0088": ("[0-9]{13}", "ean"),
    "0106": ("[0-9]{8}", None),
    "0151": ("[0-9]{11}", "au.abn"),
    "0184": ("DK[0-9]{8}", "dk.cvr"),
    "0190": ("[0-9]{20}", None),
    "0191": ("[0-9]{8}", "ee.registrikood"),
    "0192": ("[0-9]{9}", "no.orgnr"),
    "0196": ("[0-9]{10}", None),
    "0199": ("[0-9A-Z]{20}", "lei"),
    "0201": ("[0-9A-Za-z]{6}", None),
    "0204": ("[0-9A-Za-z-]{5,46}", "de.leitweg"),
    "0208": ("[0-9]{10}", "be.vat"),
    "0216": ("0037[0-9]{8}[0-9A-Z]{0,5}", None),
    "0221": ("T[0-9]{13}", None),
    "EM": (_EMAIL, None),
} | {scheme: ("[0-9A-Z+*]+", f"{country}.vat") for country, scheme in VAT_SCHEMES.items()}
"""The form of an electronic address by its scheme, and what checks its digits, where we know it."""


def check_electronic_address(address: str, scheme: str) -> str:
    """
    Check an electronic address by the rules of its scheme, where we know them.

    Raise ValueError where it is wrong: Peppol refuses it then (PEPPOL-COMMON-R040 to R050).
    """
    form, digits = _ADDRESS_FORMS.get(scheme, (".*", None))
    if not re.fullmatch(form, address) or (digits and not _has_right_digits(address, digits)):
        raise ValueError(f"must be an address of scheme {scheme}, without spaces")
    return address


def _has_right_digits(number: str, rules: str) -> bool:
    from stdnum import get_cc_module

    country, _, name = rules.rpartition(".")
    module: Any = get_cc_module(country, name) if country else import_module(f"stdnum.{name}")
    return bool(module.is_valid(number))
