"""
Place of supply: whose tax a charge has, and what a document says of it.

The services that are billed here are those of art. 58 (telecommunications, broadcasting, electronic
services) and those of the general rules of arts. 44 and 45. For others, the caller names the tax.

BT and BG are the business terms and groups of EN 16931, BR its rules, articles those of Directive
2006/112/EC, unless another law is named. docs/tax.md explains the rules to accountants.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum

from billing.domain.declarable import check_rate, check_reason
from billing.domain.errors import InvalidRequestError
from billing.domain.parties import Account, Language, Org
from billing.domain.regimes.eu import MEMBER_STATES
from billing.domain.tax import Tax, TaxType, VatCategory
from billing.domain.tax_ids import vat_id
from billing.domain.tax_rates import OwnRates, rate_at
from billing.domain.territories import Place, place_of
from billing.domain.texts import text
from billing.domain.vatex import is_code


class Rule(StrEnum):
    """The rows of the table in docs/tax.md: the first that fits decides."""

    SAME_TERRITORY = "a"
    WITHIN_THE_VAT_AREA = "b"
    WITHIN_SPAIN = "c"
    OUT_OF_THE_VAT_AREA = "d"
    INTO_THE_VAT_AREA = "e"
    ALL_ELSE = "f"


@dataclass(frozen=True, slots=True)
class Decision:
    """The rule that decides, and what is charged by it; None where the caller has to name it."""

    rule: Rule
    tax: Tax | None


_REVERSE_CHARGES = {
    "ES": "reverse_charge_iva",
    "ES-CN": "reverse_charge_igic",
    "ES-CE": "reverse_charge_ipsi",
    "ES-ML": "reverse_charge_ipsi",
}
"""By the territory of a Spanish business, the ground on which it owes the tax itself."""
_EXEMPT = {TaxType.IGIC: "exempt_igic", TaxType.IPSI: "exempt_ipsi"}
_NAMED = {
    VatCategory.REVERSE_CHARGE: "reverse_charge_named",
    VatCategory.OUT_OF_SCOPE: "out_of_scope",
}
"""What is said of a category that the caller names without a reason."""


@dataclass(frozen=True, slots=True)
class Supply:
    """What an org supplies to an account, with the rates that the org has set itself."""

    org: Org
    account: Account
    own: OwnRates

    @property
    def seller(self) -> Place:
        return place_of(self.org.address)

    @property
    def buyer(self) -> Place:
        return place_of(self.account.address)

    @property
    def rule(self) -> Rule:
        """Return the row that fits first."""
        seller, buyer = self.seller, self.buyer
        rows = {
            Rule.SAME_TERRITORY: seller.home == buyer.home,
            Rule.WITHIN_THE_VAT_AREA: seller.in_vat_area and buyer.in_vat_area,
            Rule.WITHIN_SPAIN: seller.country == buyer.country == "ES",
            Rule.OUT_OF_THE_VAT_AREA: seller.in_vat_area,
            Rule.INTO_THE_VAT_AREA: buyer.in_vat_area,
            Rule.ALL_ELSE: True,
        }
        return next(rule for rule, fits in rows.items() if fits)

    def decide(self, day: date) -> Decision:
        """Return what is charged for a service of a day that names no tax."""
        rule, buyer, is_business = self.rule, self.buyer, self.account.is_business
        rate = self.own.at(buyer, day)
        own = self._charged(rate.tax, buyer) if rate else None
        match rule:
            case Rule.SAME_TERRITORY:
                tax = own or self._standard(buyer, day)
            case Rule.WITHIN_THE_VAT_AREA if is_business:
                tax = self._reverse_charge(buyer)
            case Rule.WITHIN_THE_VAT_AREA:
                tax = own or self._standard(buyer if self.org.one_stop_shop else self.seller, day)
            case Rule.WITHIN_SPAIN if is_business:
                tax = own or _out_of_scope(_REVERSE_CHARGES[buyer.territory], buyer)
            case Rule.WITHIN_SPAIN:
                tax = own or self._standard(buyer, day)
            case Rule.OUT_OF_THE_VAT_AREA:
                ground = "outside_business" if is_business else "outside_consumer"
                tax = own or _out_of_scope(ground, buyer)
            case Rule.INTO_THE_VAT_AREA if is_business:
                tax = _out_of_scope("reverse_charge", buyer)
            case Rule.INTO_THE_VAT_AREA if self.org.one_stop_shop:
                tax = own or self._standard(buyer, day)
            case _:
                tax = own
        return Decision(rule, tax)

    def tax(self, asked: Tax | None, day: date, field: str = "tax") -> Tax:
        """
        Return how a service of a day is treated: as the caller names it, or by the rules.

        Raise InvalidRequestError naming the field where the place has no such tax, where a reverse
        charge has nobody to charge, where a tax has to be named, or where Spain's tax agency would
        refuse it.
        """
        tax = self._treated(asked, day, field)
        if self.seller.country == "ES":
            check_rate(tax, field, is_declared=self.org.is_declared)
        if self.org.is_declared:
            check_reason(tax, field)
        return tax

    # ---------------------------------------------------------------- inside

    def _treated(self, asked: Tax | None, day: date, field: str) -> Tax:
        default = self.decide(day).tax
        if asked is None:
            if default is None:
                raise self._unknown(field)
            return default
        if asked.type is TaxType.NONE:
            return self._uncharged(asked, default, field)
        if default and not default.differences(asked):
            return default
        for place in self._places(default, asked.type):
            return replace(asked, place=place)
        seller, buyer = self._name(self.seller), self._name(self.buyer)
        where = (
            f"a tax of neither {seller} nor {buyer}" if seller != buyer else f"no tax of {buyer}"
        )
        raise InvalidRequestError.of(
            f"{field}.type",
            f"{asked.type} is {where}; the tax of {buyer} is {self.buyer.taxes[0]}",
        )

    def _standard(self, place: Place, day: date) -> Tax | None:
        rate = rate_at(place, day, self.own, self.seller)
        return self._charged(rate.tax, place) if rate else None

    def _charged(self, tax: Tax, place: Place) -> Tax:
        """Return the tax of a rate; a rate of none says that the org's services are exempt."""
        if tax.type is not TaxType.NONE:
            return replace(tax, place=place.territory)
        category = tax.category or VatCategory.EXEMPT
        ground = None if tax.reason else self._ground(category, place)
        return replace(tax, category=category, ground=ground, place=place.territory)

    def _reverse_charge(self, buyer: Place) -> Tax:
        return Tax(
            TaxType.NONE,
            Decimal(0),
            VatCategory.REVERSE_CHARGE,
            "reverse_charge",
            place=buyer.territory,
            vat_id=self._vat_id(),
        )

    def _uncharged(self, asked: Tax, default: Tax | None, field: str) -> Tax:
        """Return the treatment of what the caller charges no tax for."""
        category = asked.category or self._category(default)
        if default and default.type is TaxType.NONE and default.category is category:
            if asked.reason is None:
                return default
            return replace(default, ground=None, reason=asked.reason)
        is_reversed = category is VatCategory.REVERSE_CHARGE
        if is_reversed and not self.account.tax_id:
            raise InvalidRequestError.of(
                f"{field}.category", "AE is for an account with a tax_id; this one has none"
            )
        place = self.buyer if self.buyer.country in MEMBER_STATES else self.seller
        return Tax(
            TaxType.NONE,
            Decimal(0),
            category,
            None if asked.reason else self._ground(category, place),
            asked.reason,
            self.buyer.territory if is_reversed or default is None else default.place,
            self._vat_id() if is_reversed else None,
        )

    def _category(self, default: Tax | None) -> VatCategory:
        """Return the category of what is not charged, where the caller names none."""
        if self.seller.home == self.buyer.home:
            return VatCategory.EXEMPT
        if default and default.type is TaxType.NONE and default.category:
            return default.category
        in_area = self.seller.in_vat_area and self.buyer.in_vat_area
        if in_area or self.seller.country == self.buyer.country == "ES":
            return VatCategory.EXEMPT
        return VatCategory.OUT_OF_SCOPE

    def _ground(self, category: VatCategory, place: Place) -> str | None:
        if category is VatCategory.EXEMPT:
            usual = "exempt" if place.country in MEMBER_STATES else "exempt_tax"
            return _EXEMPT.get(place.taxes[0], usual)
        return _NAMED.get(category)

    def _places(self, default: Tax | None, kind: TaxType) -> Sequence[str]:
        """Return the territories whose tax it can be, the likeliest first."""
        places = sorted(
            (self.buyer, self.seller),
            key=lambda place: (kind is not place.taxes[0], place.territory != _place(default)),
        )
        return [place.territory for place in places if kind in place.taxes]

    def _vat_id(self) -> str | None:
        tax_id = self.account.tax_id
        return vat_id(tax_id, self.buyer.country) if tax_id else None

    def _unknown(self, field: str) -> InvalidRequestError:
        if not self.buyer.names:  # no own rate can be set for it
            name = self._name(self.buyer)
            return InvalidRequestError.of(field, f"no rate is known for {name}: name the tax")
        code = self.buyer.code or self.buyer.country
        path = f"{self.buyer.country}/{code}" if self.buyer.code else code
        return InvalidRequestError.of(
            field,
            f"no rate is known for {code}: name the tax, or set the org's own rate by "
            f"PUT /v1/orgs/{self.org.id}/tax-rates/{path}",
        )

    def _name(self, place: Place) -> str:
        return place.region.name if place.region else place.country


def _place(tax: Tax | None) -> str | None:
    return tax.place if tax else None


def _out_of_scope(ground: str, buyer: Place) -> Tax:
    return Tax(TaxType.NONE, Decimal(0), VatCategory.OUT_OF_SCOPE, ground, place=buyer.territory)


def treated_by_version_1_0(taxes: Sequence[Tax], org: Org, account: Account) -> list[Tax]:
    """
    Return the taxes of a document, those that version 1.0 kept with the treatment it gave them.

    It decided when it issued: between two member states, with a tax id of the buyer, the reverse
    charge; else within the EU exempt; else out of scope, and beside taxed lines exempt.
    """
    countries = {org.address.country, account.country}
    if countries <= MEMBER_STATES:
        abroad = len(countries) > 1 and bool(account.tax_id)
        category = VatCategory.REVERSE_CHARGE if abroad else VatCategory.EXEMPT
    else:
        alone = all(tax.type is TaxType.NONE for tax in taxes)
        category = VatCategory.OUT_OF_SCOPE if alone else VatCategory.EXEMPT
    ground = "reverse_charge" if category is VatCategory.REVERSE_CHARGE else _WORDS[category]
    return [
        tax if tax.category else replace(tax, category=category, ground=ground) for tax in taxes
    ]


# ---------------------------------------------------------------- what documents say


@dataclass(frozen=True, slots=True)
class Exemption:
    """Why no tax is charged: a VATEX code (BT-121) where one fits, and words (BT-120)."""

    code: str | None
    reason: str

    def __add__(self, other: "Exemption") -> "Exemption":
        """Return two reasons as one; two codes cannot be."""
        if self == other:
            return self
        code = self.code if self.code == other.code else None
        return Exemption(code, f"{self.reason}; {other.reason}")


_CODES = {
    VatCategory.REVERSE_CHARGE: "VATEX-EU-AE",
    VatCategory.OUT_OF_SCOPE: "VATEX-EU-O",
}
_WORDS = {
    VatCategory.EXEMPT: "exempt",
    VatCategory.REVERSE_CHARGE: "reverse_charge_named",
    VatCategory.OUT_OF_SCOPE: "out_of_scope",
}
"""The words of a category where the caller gave a code only."""


def exemption(tax: Tax, language: Language) -> Exemption | None:
    """Return why no tax is charged, as art. 226 (11) and (11a) ask; None where it is."""
    if tax.category not in _WORDS:
        return None
    code = _CODES.get(tax.category)
    if tax.reason and is_code(tax.reason):
        return Exemption(tax.reason, text(_WORDS[tax.category], language))
    return Exemption(code, tax.reason or text(tax.ground or _WORDS[tax.category], language))
