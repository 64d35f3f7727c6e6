"""Money: whole minor units of an ISO 4217 currency."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Self

from billing.domain.errors import InvalidRequestError

MAX_MINOR = 10**15
"""Amounts stay below this, so that every JSON client can hold them exactly."""

EXACT = Context(prec=64)
"""Holds every digit of a product of two amounts; the default context would round at 28."""

_EXPONENTS = {
    2: """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD
    CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD
    HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD
    MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON
    RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP SVC SYP SZL THB TJS TMT TOP TRY TTD TWD
    TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG
    """,
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
}
CURRENCIES = {code: exponent for exponent, codes in _EXPONENTS.items() for code in codes.split()}
"""
Decimals of each currency in use: ISO 4217, list one (the minor units column).

STN is left out, since the code list of EN 16931 does not have it (BR-CL-04, in UBL).
"""

_SIGNS = {
    "EUR": "€",
    "USD": "$",
    "GBP": "£",
    "JPY": "¥",
    "CNY": "¥",
    "KRW": "₩",
    "INR": "₹",
    "ILS": "₪",
    "TRY": "₺",
    "UAH": "₴",
    "VND": "₫",
    "PLN": "zł",
    "CZK": "Kč",
    "BRL": "R$",
}


def currency_sign(currency: str) -> str:
    """Return the sign of a currency, or its ISO 4217 code where no sign is common."""
    return _SIGNS.get(currency, currency)


@dataclass(frozen=True, slots=True)
class Money:
    """An exact amount: `minor` whole minor units (cents; for JPY yen) of `currency`."""

    minor: int
    currency: str

    @classmethod
    def exactly(cls, major: Decimal, currency: str, field: str = "amount") -> Self:
        """
        Return an amount in major units that must have no more decimals than its currency.

        Raise InvalidRequestError naming `field` where it has more.
        """
        minor = major.scaleb(CURRENCIES[currency], EXACT)
        if minor != minor.to_integral_value():
            raise InvalidRequestError.of(
                field, f"{currency} has {CURRENCIES[currency]} decimals, {major} has more"
            )
        return cls(int(minor), currency)

    @classmethod
    def rounded(cls, major: Decimal, currency: str) -> Self:
        """Round an amount in major units half up, away from zero: the one place that rounds."""
        minor = major.scaleb(CURRENCIES[currency], EXACT).to_integral_value(ROUND_HALF_UP)
        return cls(int(minor), currency)

    @classmethod
    def zero(cls, currency: str) -> Self:
        return cls(0, currency)

    @property
    def major(self) -> Decimal:
        """Return the amount in major units, with exactly the decimals of its currency."""
        return Decimal(self.minor).scaleb(-CURRENCIES[self.currency])

    def _same_currency(self, other: Self) -> str:
        if self.currency != other.currency:
            raise ValueError(f"{self.currency} and {other.currency} cannot be added")
        return self.currency

    def __add__(self, other: Self) -> Self:
        return type(self)(self.minor + other.minor, self._same_currency(other))

    def __sub__(self, other: Self) -> Self:
        return type(self)(self.minor - other.minor, self._same_currency(other))

    def __neg__(self) -> Self:
        return type(self)(-self.minor, self.currency)

    def __lt__(self, other: Self) -> bool:
        self._same_currency(other)
        return self.minor < other.minor

    def __le__(self, other: Self) -> bool:
        self._same_currency(other)
        return self.minor <= other.minor

    def __bool__(self) -> bool:
        return self.minor != 0

    def __str__(self) -> str:
        return f"{self.major} {self.currency}"
