"""Tax: once per type and rate, on the sum of the nets."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from hashlib import sha256

from billing.domain.errors import InvalidRequestError
from billing.domain.money import MAX_MINOR, Money


class TaxType(StrEnum):
    """The tax that is charged: VAT by its Spanish name, its regional kin, elsewhere, or none."""

    IVA = "IVA"
    IGIC = "IGIC"
    IPSI = "IPSI"
    VAT = "VAT"
    NONE = "NONE"


class VatCategory(StrEnum):
    """The categories of UNTDID 5305 that our documents use (BT-118, BT-151)."""

    STANDARD = "S"
    ZERO = "Z"
    EXEMPT = "E"
    REVERSE_CHARGE = "AE"
    OUT_OF_SCOPE = "O"
    IGIC = "L"
    IPSI = "M"


@dataclass(frozen=True, slots=True)
class Tax:
    """
    A kind of tax and its rate; `percentage` 21 means 21 %. Once it is decided, a treatment.

    Equal rates have the same digits: 20, never 20.00, 2E+1 or -0. They are written as text in
    records and messages.

    `category` is that of UNTDID 5305. It follows from kind and rate where a tax is charged. Where
    none is, it is None until vat.py has decided. Then `ground` names the words among the texts of
    documents that say why, and `reason` is what the caller gave in their place: a VATEX code, or
    words. `place` is the territory whose tax it is. `vat_id` is the buyer's, for a reverse charge.

    A treatment is decided when a charge comes in, and kept with it for ever. One without a `place`
    was kept by version 1.0, which decided when it issued.
    """

    type: TaxType
    percentage: Decimal
    category: VatCategory | None = None
    ground: str | None = None
    reason: str | None = None
    place: str | None = None
    vat_id: str | None = None

    def __post_init__(self) -> None:
        if self.type is TaxType.NONE:
            if self.percentage:
                raise InvalidRequestError.of("tax.percentage", "must be 0 where the type is NONE")
        else:
            object.__setattr__(self, "category", _category(self.type, self.percentage))
        # normalize() writes 20 as 2E+1 and keeps the sign of -0; adding 0 undoes both.
        object.__setattr__(self, "percentage", self.percentage.normalize() + 0)

    def on(self, net: Money) -> Money:
        """Compute the tax on a net amount."""
        return Money.rounded(net.major * self.percentage / 100, net.currency)

    @property
    def decided(self) -> VatCategory:
        """Return the category of a treatment. Raise ValueError where it is not decided yet."""
        if self.category is None:
            raise ValueError(f"{self} is not decided yet")
        return self.category

    def differences(self, asked: "Tax") -> list[str]:
        """Name the fields in which a tax that a caller names is not this one."""
        differs = {
            "type": asked.type is not self.type,
            "percentage": asked.percentage != self.percentage,
            "category": asked.type is self.type is TaxType.NONE
            and asked.category not in (None, self.category),
            "exemption_reason": asked.reason not in (None, self.reason),
        }
        return [field for field, is_other in differs.items() if is_other]

    @property
    def document(self) -> str:
        """
        Return what the documents of a cycle are divided by, besides their currency.

        A document has one place and one VAT id, and what is out of scope (O) is alone on it
        (BR-O-11). The text sorts after all ids, and is empty for what version 1.0 kept.
        """
        if self.place is None:
            return ""
        apart = "O" if self.category is VatCategory.OUT_OF_SCOPE else ""
        buyer = sha256(self.vat_id.encode()).hexdigest()[:12] if self.vat_id else ""
        return f"|{self.place}:{apart}{buyer}|"

    @property
    def treatment_id(self) -> str:
        """Return a short text that tells this treatment from others of its kind and rate."""
        if self.place is None:
            return ""
        parts = [self.category, self.ground, self.reason, self.place, self.vat_id]
        return sha256(repr(list(map(str, parts))).encode()).hexdigest()[:12]


def _category(kind: TaxType, percentage: Decimal) -> VatCategory:
    """Return the category of a tax that is charged; IGIC at zero is zero rated (BR-AF-05)."""
    if kind is TaxType.IPSI:
        return VatCategory.IPSI
    if not percentage:
        return VatCategory.ZERO
    return VatCategory.IGIC if kind is TaxType.IGIC else VatCategory.STANDARD


NO_TAX = Tax(TaxType.NONE, Decimal(0))


@dataclass(frozen=True, slots=True)
class TaxTotal:
    """The total of one treatment on an invoice."""

    tax: Tax
    net: Money
    amount: Money


def tax_totals(nets: Iterable[tuple[Tax, Money]]) -> tuple[TaxTotal, ...]:
    """
    Compute each kind, rate, category and ground of tax once, on the sum of its nets.

    The highest rate comes first. Rounding once per rate and not per line is what EN 16931
    (BR-CO-17) asks for.
    """
    sums: dict[Tax, Money] = {}
    for tax, net in nets:
        sums[tax] = sums[tax] + net if tax in sums else net
    return tuple(
        TaxTotal(tax, net, tax.on(net))
        for tax, net in sorted(sums.items(), key=lambda item: _rank(item[0]))
    )


def _rank(tax: Tax) -> tuple[Decimal, str, str, str]:
    words = tax.reason or tax.ground or ""
    return -tax.percentage, tax.type, tax.category or "", f"{words} {tax.place or ''}"


@dataclass(frozen=True, slots=True)
class TaxedAmount:
    """An amount with and without its tax, as the caller computed it."""

    net: Money
    gross: Money
    tax: Tax

    def __post_init__(self) -> None:
        expected = self.net.minor * (1 + self.tax.percentage / 100)
        if expected + 1 >= MAX_MINOR:  # a document could not charge it
            raise InvalidRequestError.of(
                "amount.value_with_taxes",
                f"must be less than {Money(MAX_MINOR, self.net.currency)}",
            )
        if abs(self.gross.minor - expected) > 1:
            right = Money.rounded(
                self.net.major * (1 + self.tax.percentage / 100), self.net.currency
            )
            raise InvalidRequestError.of(
                "amount.value_with_taxes",
                f"{self.net.major} and {self.tax.percentage} % make {right.major}, "
                f"not {self.gross.major}",
            )


@dataclass(frozen=True, slots=True)
class AskedAmount:
    """An amount as the caller sends it; what is left out comes from its context."""

    gross: Decimal
    net: Decimal
    tax: Tax | None
    currency: str | None

    def taxed(self, default_currency: str, tax: Tax) -> TaxedAmount:
        """
        Return the exact amount, with the tax that was decided for it.

        Raise InvalidRequestError where it has more decimals than its currency, or where net,
        tax and gross do not agree.
        """
        currency = self.currency or default_currency
        return TaxedAmount(
            net=Money.exactly(self.net, currency, "amount.value_without_taxes"),
            gross=Money.exactly(self.gross, currency, "amount.value_with_taxes"),
            tax=tax,
        )
