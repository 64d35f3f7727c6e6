"""Tax: once per type and rate, on the sum of the nets."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from billing.domain.errors import InvalidRequestError
from billing.domain.money import MAX_MINOR, Money


class TaxType(StrEnum):
    """The tax that is charged: VAT by its Spanish name, its regional kin, elsewhere, or none."""

    IVA = "IVA"
    IGIC = "IGIC"
    IPSI = "IPSI"
    VAT = "VAT"
    NONE = "NONE"


@dataclass(frozen=True, slots=True)
class Tax:
    """
    A kind of tax and its rate; `percentage` 21 means 21 %.

    Equal rates have the same digits: 20, never 20.00, 2E+1 or -0. They are written as text in
    records and messages.
    """

    type: TaxType
    percentage: Decimal

    def __post_init__(self) -> None:
        if self.type is TaxType.NONE and self.percentage:
            raise InvalidRequestError.of("tax.percentage", "must be 0 where the type is NONE")
        # normalize() writes 20 as 2E+1 and keeps the sign of -0; adding 0 undoes both.
        object.__setattr__(self, "percentage", self.percentage.normalize() + 0)

    def on(self, net: Money) -> Money:
        """Compute the tax on a net amount."""
        return Money.rounded(net.major * self.percentage / 100, net.currency)


NO_TAX = Tax(TaxType.NONE, Decimal(0))


@dataclass(frozen=True, slots=True)
class TaxTotal:
    """The total of one kind and rate of tax on an invoice."""

    tax: Tax
    net: Money
    amount: Money


def tax_totals(nets: Iterable[tuple[Tax, Money]]) -> tuple[TaxTotal, ...]:
    """
    Compute each kind and rate of tax once, on the sum of its nets; the highest rate first.

    Rounding once per rate and not per line is what EN 16931 (BR-CO-17) asks for.
    """
    sums: dict[Tax, Money] = {}
    for tax, net in nets:
        sums[tax] = sums[tax] + net if tax in sums else net
    highest_first = sorted(sums.items(), key=lambda item: (-item[0].percentage, item[0].type))
    return tuple(TaxTotal(tax, net, tax.on(net)) for tax, net in highest_first)


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

    def taxed(self, default_currency: str, default_tax: Tax) -> TaxedAmount:
        """
        Return the exact amount.

        Raise InvalidRequestError where it has more decimals than its currency, or where net,
        tax and gross do not agree.
        """
        currency = self.currency or default_currency
        return TaxedAmount(
            net=Money.exactly(self.net, currency, "amount.value_without_taxes"),
            gross=Money.exactly(self.gross, currency, "amount.value_with_taxes"),
            tax=self.tax or default_tax,
        )
