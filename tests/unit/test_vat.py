"""Place of supply: each row of the table of docs/tax.md, and what documents say of it."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.countries import COUNTRIES
from billing.domain.errors import InvalidRequestError
from billing.domain.invoice_record import read_record, write_record
from billing.domain.parties import Account, Address, FiscalRegime, Org, VatNumberStatus
from billing.domain.regimes.regime import Rate
from billing.domain.tax import NO_TAX, Tax, TaxType, VatCategory
from billing.domain.tax_rates import NO_OWN_RATES, OwnRates, rate_at
from billing.domain.territories import place_of
from billing.domain.vat import Rule, Supply, exemption
from billing.domain.vatex import VATEX
from billing.domain.verifactu import declare
from billing.einvoice.model import to_e_invoice
from tests.sample_invoices import BUYER, SELLER, invoice, line

TODAY = date(2026, 11, 21)
POSTAL_CODES = {
    "ES": "28013", "canaries": "35002", "tenerife": "38001", "ceuta": "51001", "melilla": "52001",
    "madeira": "9000-019", "azores": "9500-321", "réunion": "97400", "guyane": "97300",
    "åland": "22100", "heligoland": "27498", "büsingen": "78266", "livigno": "23041",
    "campione": "22061", "athos": "63086", "lesbos": "81100", "patmos": "85500",
    "jungholz": "6691", "mittelberg": "6993",
}  # fmt: skip
COUNTRY_OF = {
    "canaries": "ES", "tenerife": "ES", "ceuta": "ES", "melilla": "ES", "madeira": "PT",
    "azores": "PT", "réunion": "FR", "guyane": "FR", "åland": "FI", "heligoland": "DE",
    "büsingen": "DE", "livigno": "IT", "campione": "IT", "athos": "GR", "lesbos": "GR",
    "patmos": "GR", "jungholz": "AT", "mittelberg": "AT",
}  # fmt: skip
EVERYWHERE = [*sorted(COUNTRIES), *COUNTRY_OF]


def address(place: str) -> Address:
    country = COUNTRY_OF.get(place, place)
    return Address("Street 1", POSTAL_CODES.get(place, "1000"), "Town", country)


def seller(place: str, *, shop: bool = False) -> Org:
    return replace(SELLER, address=address(place), one_stop_shop=shop)


def consumer(place: str) -> Account:
    there = address(place)
    return replace(
        BUYER, address=there, country=there.country, state_id=None, company_name=None, tax_id=None
    )


def business(place: str) -> Account:
    return replace(consumer(place), company_name="Example Ltd", tax_id="12345678")


def own(**rates: str) -> OwnRates:
    """Return own rates by place: `US="8.25"`."""
    found = NO_OWN_RATES
    for name, percentage in rates.items():
        tax = Tax(TaxType.VAT, Decimal(percentage))
        found = found.plus(name.replace("_", "-"), Rate(date(2020, 1, 1), tax))
    return found


def shown(tax: Tax | None) -> str | None:
    """Write a treatment shortly: `VAT 19 S DE`, or `NONE 0 AE DE reverse_charge`."""
    if tax is None:
        return None
    parts = [tax.type, f"{tax.percentage:f}", tax.category, tax.place, tax.ground]
    return " ".join(part for part in parts if part)


A, B, C = Rule.SAME_TERRITORY, Rule.WITHIN_THE_VAT_AREA, Rule.WITHIN_SPAIN
D, E, F = Rule.OUT_OF_THE_VAT_AREA, Rule.INTO_THE_VAT_AREA, Rule.ALL_ELSE
AE = "NONE 0 AE {} reverse_charge"
TO_A_BUSINESS, TO_A_CONSUMER = "NONE 0 O {} outside_business", "NONE 0 O {} outside_consumer"


@pytest.mark.parametrize(
    ("org", "account", "rule", "tax"),
    [
        pytest.param(seller("ES"), consumer("ES"), A, "IVA 21 S ES", id="a consumer at home"),
        pytest.param(seller("ES"), business("ES"), A, "IVA 21 S ES", id="a business at home"),
        pytest.param(seller("canaries"), business("tenerife"), A, "IGIC 7 L ES-CN", id="Canaries"),
        pytest.param(seller("ceuta"), consumer("ceuta"), A, "IPSI 10 M ES-CE", id="Ceuta"),
        pytest.param(seller("PT"), consumer("madeira"), A, "VAT 22 S PT", id="Madeira"),
        pytest.param(seller("azores"), business("PT"), A, "VAT 23 S PT", id="from the Azores"),
        pytest.param(seller("PT"), business("azores"), A, "VAT 16 S PT", id="to the Azores"),
        pytest.param(seller("FR"), business("réunion"), A, "VAT 8.5 S FR-974", id="to Réunion"),
        pytest.param(seller("réunion"), business("FR"), A, "VAT 20 S FR", id="from Réunion"),
        pytest.param(seller("FR"), consumer("MC"), A, "VAT 20 S FR", id="Monaco counts as France"),
        pytest.param(seller("FI"), consumer("AX"), A, "VAT 25.5 S FI-01", id="Åland"),
        pytest.param(seller("AT"), consumer("jungholz"), A, "VAT 19 S AT", id="Jungholz"),
        pytest.param(seller("GR"), consumer("lesbos"), A, "VAT 24 S GR", id="Lesbos from Athens"),
        pytest.param(seller("patmos"), consumer("lesbos"), A, "VAT 17 S GR", id="from an island"),
        pytest.param(seller("lesbos"), consumer("GR"), A, "VAT 24 S GR", id="to Athens"),
        pytest.param(seller("US"), consumer("US"), A, None, id="a country that we know no tax of"),
        pytest.param(seller("ES"), business("DE"), B, AE.format("DE"), id="reverse charge"),
        pytest.param(seller("ES"), business("PT"), B, AE.format("PT"), id="to a neighbour"),
        pytest.param(seller("DE"), business("MC"), B, AE.format("FR"), id="to Monaco"),
        pytest.param(seller("ES"), consumer("DE"), B, "IVA 21 S ES", id="below the threshold"),
        pytest.param(seller("madeira"), consumer("DE"), B, "VAT 22 S PT", id="from Madeira"),
        pytest.param(seller("ES", shop=True), consumer("DE"), B, "VAT 19 S DE", id="one stop shop"),
        pytest.param(
            seller("ES", shop=True), consumer("madeira"), B, "VAT 22 S PT", id="its regions"
        ),
        pytest.param(
            seller("ES", shop=True), consumer("lesbos"), B, "VAT 24 S GR", id="not the islands'"
        ),
        pytest.param(seller("DE", shop=True), consumer("ES"), B, "IVA 21 S ES", id="to Spain"),
        pytest.param(
            seller("ES", shop=True), business("DE"), B, AE.format("DE"), id="the shop is for others"
        ),
        pytest.param(seller("ES"), consumer("canaries"), C, "IGIC 7 L ES-CN", id="to the Canaries"),
        pytest.param(seller("ES"), consumer("melilla"), C, "IPSI 8 M ES-ML", id="to Melilla"),
        pytest.param(seller("canaries"), consumer("ES"), C, "IVA 21 S ES", id="from the Canaries"),
        pytest.param(
            seller("ES"), business("canaries"), C, "NONE 0 O ES-CN reverse_charge_igic",
            id="to a business in the Canaries",
        ),
        pytest.param(
            seller("canaries"), business("ES"), C, "NONE 0 O ES reverse_charge_iva",
            id="to a business on the mainland",
        ),
        pytest.param(
            seller("ceuta"), business("melilla"), C, "NONE 0 O ES-ML reverse_charge_ipsi",
            id="from Ceuta to Melilla",
        ),
        pytest.param(seller("ES"), business("US"), D, TO_A_BUSINESS.format("US"), id="export"),
        pytest.param(seller("ES"), consumer("US"), D, TO_A_CONSUMER.format("US"), id="to a person"),
        pytest.param(seller("ES"), business("GB"), D, TO_A_BUSINESS.format("GB"), id="Britain"),
        pytest.param(seller("IE"), consumer("CH"), D, TO_A_CONSUMER.format("CH"), id="Switzerland"),
        pytest.param(
            seller("DE"), consumer("canaries"), D, TO_A_CONSUMER.format("ES-CN"),
            id="the Canaries from elsewhere",
        ),
        pytest.param(
            seller("DE"), consumer("büsingen"), D, TO_A_CONSUMER.format("DE-BUESINGEN"),
            id="Büsingen",
        ),
        pytest.param(
            seller("IT"), business("livigno"), D, TO_A_BUSINESS.format("IT-LIVIGNO"), id="Livigno"
        ),
        pytest.param(
            seller("FR"), business("guyane"), D, TO_A_BUSINESS.format("FR-973"), id="Guyane"
        ),
        pytest.param(
            seller("DE"), business("réunion"), D, TO_A_BUSINESS.format("FR-974"),
            id="Réunion from elsewhere",
        ),
        pytest.param(
            seller("US"), business("ES"), E, "NONE 0 O ES reverse_charge", id="a business, art. 196"
        ),
        pytest.param(
            seller("canaries"), business("DE"), E, "NONE 0 O DE reverse_charge",
            id="from the Canaries to Germany",
        ),
        pytest.param(seller("US", shop=True), consumer("ES"), E, "IVA 21 S ES", id="a consumer"),
        pytest.param(seller("US"), consumer("ES"), E, None, id="no shop: name a tax"),
        pytest.param(seller("US"), consumer("JP"), F, None, id="all else"),
        pytest.param(seller("canaries"), business("US"), F, None, id="Canaries to America"),
    ],
)  # fmt: skip
def test_the_first_row_that_fits_decides(
    org: Org, account: Account, rule: Rule, tax: str | None
) -> None:
    decision = Supply(org, account, NO_OWN_RATES).decide(TODAY)

    assert (decision.rule, shown(decision.tax)) == (rule, tax)


@pytest.mark.parametrize(
    ("org", "account", "rates", "tax"),
    [
        pytest.param(seller("US"), consumer("US"), own(US="8"), "VAT 8 S US", id="a, at home"),
        pytest.param(seller("DE"), business("DE"), own(DE="7"), "VAT 7 S DE", id="a, in its place"),
        pytest.param(seller("ES"), consumer("DE"), own(DE="7"), "VAT 7 S DE", id="b, a consumer"),
        pytest.param(
            seller("ES", shop=True), consumer("DE"), own(DE="7"), "VAT 7 S DE", id="b, the shop"
        ),
        pytest.param(
            seller("ES"), business("DE"), own(DE="7"), AE.format("DE"), id="b, not a business"
        ),
        pytest.param(seller("DE"), consumer("FR"), own(DE="7"), "VAT 7 S DE", id="b, the seller's"),
        pytest.param(seller("ES"), business("CH"), own(CH="8.1"), "VAT 8.1 S CH", id="d"),
        pytest.param(seller("CH"), consumer("DE"), own(DE="7"), "VAT 7 S DE", id="e, a consumer"),
        pytest.param(
            seller("CH"), business("DE"), own(DE="7"), "NONE 0 O DE reverse_charge",
            id="e, not a business",
        ),
        pytest.param(seller("US"), business("JP"), own(JP="10"), "VAT 10 S JP", id="f"),
    ],
)  # fmt: skip
def test_an_own_rate_says_that_the_org_charges_tax_there(
    org: Org, account: Account, rates: OwnRates, tax: str
) -> None:
    assert shown(Supply(org, account, rates).decide(TODAY).tax) == tax


@pytest.mark.parametrize("account", [consumer("canaries"), business("canaries")])
def test_an_own_rate_wins_within_spain(account: Account) -> None:
    rates = NO_OWN_RATES.plus("ES-GC", Rate(date(2026, 1, 1), Tax(TaxType.IGIC, Decimal("9.5"))))

    tax = Supply(seller("ES"), account, rates).decide(TODAY).tax

    assert shown(tax) == "IGIC 9.5 L ES-CN"


def test_an_own_rate_of_none_says_that_the_services_are_exempt() -> None:
    exempt = Tax(TaxType.NONE, Decimal(0), VatCategory.EXEMPT, reason="VATEX-EU-132-1I")
    rates = NO_OWN_RATES.plus("ES", Rate(date(2026, 1, 1), exempt))

    tax = Supply(seller("ES"), consumer("ES"), rates).decide(TODAY).tax

    assert tax == replace(exempt, place="ES")


@pytest.mark.parametrize(
    ("changes", "is_business"),
    [
        pytest.param({}, True, id="a tax id and a company"),
        pytest.param({"company_name": None}, False, id="a person with a tax id"),
        pytest.param({"tax_id": None}, False, id="a company without a tax id"),
        pytest.param(
            {"company_name": None, "vat_number_status": VatNumberStatus.VALID}, True, id="checked"
        ),
        pytest.param({"vat_number_status": VatNumberStatus.INVALID}, False, id="refused by VIES"),
    ],
)
def test_who_is_a_business(changes: dict[str, object], *, is_business: bool) -> None:
    account = replace(business("DE"), **changes)  # type: ignore[arg-type]

    tax = Supply(seller("ES"), account, NO_OWN_RATES).decide(TODAY).tax

    assert tax
    assert tax.category == ("AE" if is_business else "S")
    assert tax.vat_id == ("DE12345678" if is_business else None)


# -------------------------------------------------------------------- what the caller names


def _named(
    text: str, org: Org, account: Account, reason: str | None = None, rates: OwnRates = NO_OWN_RATES
) -> Tax:
    kind, percentage, *category = text.split()
    asked = Tax(
        TaxType(kind),
        Decimal(percentage),
        VatCategory(category[0]) if category else None,
        reason=reason,
    )
    return Supply(org, account, rates).tax(asked, TODAY)


@pytest.mark.parametrize(
    ("asked", "org", "account", "tax"),
    [
        ("IVA 10", seller("ES"), consumer("ES"), "IVA 10 S ES"),
        ("VAT 21", seller("ES"), consumer("ES"), "VAT 21 S ES"),
        ("IVA 0", seller("ES"), consumer("ES"), "IVA 0 Z ES"),
        ("IGIC 0", seller("ES"), consumer("canaries"), "IGIC 0 Z ES-CN"),
        ("IGIC 3", seller("ES"), business("canaries"), "IGIC 3 L ES-CN"),
        ("IVA 21", seller("ES"), business("canaries"), "IVA 21 S ES"),
        ("IVA 21", seller("ES"), business("DE"), "IVA 21 S ES"),
        ("VAT 19", seller("ES"), business("DE"), "VAT 19 S DE"),
        ("VAT 7", seller("DE"), consumer("FR"), "VAT 7 S DE"),
        ("IVA 21", seller("DE"), consumer("ES"), "IVA 21 S ES"),
        ("VAT 8", seller("US"), consumer("US"), "VAT 8 S US"),
        ("NONE 0", seller("ES"), consumer("ES"), "NONE 0 E ES exempt"),
        ("NONE 0", seller("canaries"), consumer("canaries"), "NONE 0 E ES-CN exempt_igic"),
        ("NONE 0", seller("ceuta"), consumer("ceuta"), "NONE 0 E ES-CE exempt_ipsi"),
        ("NONE 0", seller("US"), consumer("US"), "NONE 0 E US exempt_tax"),
        ("NONE 0", seller("ES"), business("DE"), "NONE 0 AE DE reverse_charge"),
        ("NONE 0", seller("ES"), consumer("DE"), "NONE 0 E ES exempt"),
        ("NONE 0", seller("ES"), business("US"), "NONE 0 O US outside_business"),
        ("NONE 0", seller("ES"), consumer("canaries"), "NONE 0 E ES-CN exempt_igic"),
        ("NONE 0", seller("US"), consumer("JP"), "NONE 0 O JP out_of_scope"),
        ("NONE 0 E", seller("ES"), business("US"), "NONE 0 E US exempt"),
        ("NONE 0 O", seller("ES"), consumer("ES"), "NONE 0 O ES out_of_scope"),
        ("NONE 0 AE", seller("ES"), business("ES"), "NONE 0 AE ES reverse_charge_named"),
        ("NONE 0 AE", seller("ES"), business("DE"), "NONE 0 AE DE reverse_charge"),
    ],
)
def test_a_tax_that_is_named_is_charged_where_it_exists(
    asked: str, org: Org, account: Account, tax: str
) -> None:
    assert shown(_named(asked, org, account)) == tax


@pytest.mark.parametrize(
    ("asked", "org", "account"),
    [
        ("IGIC 7", seller("ES"), consumer("ES")),
        ("IVA 21", seller("DE"), consumer("DE")),
        ("IPSI 10", seller("ES"), consumer("canaries")),
        ("VAT 21", seller("canaries"), consumer("ceuta")),
        ("IVA 21", seller("canaries"), consumer("canaries")),
        ("IGIC 7", seller("PT"), consumer("madeira")),
    ],
)
def test_a_tax_that_the_place_does_not_have_is_refused(
    asked: str, org: Org, account: Account
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        _named(asked, org, account)

    assert [detail.field for detail in caught.value.details] == ["tax.type"]


@pytest.mark.parametrize(
    ("buyer", "words"),
    [
        ("ES", "IGIC is no tax of Madrid; the tax of Madrid is IVA"),
        ("ceuta", "IGIC is a tax of neither Madrid nor Ceuta; the tax of Ceuta is IPSI"),
    ],
)
def test_what_is_refused_says_which_tax_there_is(buyer: str, words: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        _named("IGIC 7", seller("ES"), consumer(buyer))

    assert [detail.message for detail in caught.value.details] == [words]


def test_a_reverse_charge_needs_somebody_to_charge() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        _named("NONE 0 AE", seller("ES"), consumer("ES"))

    assert [detail.field for detail in caught.value.details] == ["tax.category"]


def test_where_nothing_is_known_the_caller_is_told_what_to_do() -> None:
    account = replace(consumer("US"), address=replace(address("US"), region="US-CA"))

    with pytest.raises(InvalidRequestError, match="/v1/orgs/org_1/tax-rates/US/US-CA") as caught:
        Supply(seller("US"), account, NO_OWN_RATES).tax(None, TODAY, "lines.0.tax")

    assert [detail.field for detail in caught.value.details] == ["lines.0.tax"]


def test_where_no_rate_can_be_set_the_caller_is_told_to_name_the_tax() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        Supply(seller("US"), consumer("heligoland"), NO_OWN_RATES).tax(None, TODAY, "tax")

    [detail] = caught.value.details
    assert detail.message == "no rate is known for Heligoland: name the tax"


@pytest.mark.parametrize(
    ("reason", "category", "code", "words"),
    [
        ("VATEX-EU-132-1I", VatCategory.EXEMPT, "VATEX-EU-132-1I", "Operación exenta de IVA"),
        ("Art. 20.Uno.9.º", VatCategory.EXEMPT, None, "Art. 20.Uno.9.º"),
        (None, VatCategory.EXEMPT, None, "Operación exenta de IVA"),
    ],
)
def test_the_ground_that_the_caller_gives_is_what_documents_say(
    reason: str | None, category: VatCategory, code: str | None, words: str
) -> None:
    tax = _named("NONE 0", seller("ES"), consumer("ES"), reason)

    why = exemption(tax, "es")

    assert tax.category is category
    assert why
    assert (why.code, why.reason) == (code, words)


def test_two_grounds_of_exemption_are_one_to_the_standard() -> None:
    def because(reason: str) -> Tax:
        return Tax(TaxType.NONE, Decimal(0), VatCategory.EXEMPT, reason=reason)

    document = invoice(
        line(tax=because("VATEX-EU-132-1I")), line(tax=because("Art. 20.Uno.9.º")), line(tax=NO_TAX)
    )

    assert len(document.taxes) == 3
    [breakdown] = to_e_invoice(document).taxes
    assert breakdown.exemption
    assert breakdown.exemption.code is None
    assert breakdown.exemption.reason.split("; ") == [
        "Art. 20.Uno.9.º", "Operación exenta de IVA", "Operación exenta de IVA",
    ]  # fmt: skip


# -------------------------------------------------------------------- everywhere

PLACES = st.sampled_from(EVERYWHERE)


@given(
    sold=PLACES,
    bought=PLACES,
    is_business=st.booleans(),
    shop=st.booleans(),
    day=st.dates(date(2016, 1, 1), date(2027, 12, 31)),
)
def test_exactly_one_rule_decides_and_the_document_says_its_ground(
    *, sold: str, bought: str, is_business: bool, shop: bool, day: date
) -> None:
    org, account = seller(sold, shop=shop), (business if is_business else consumer)(bought)
    supply = Supply(org, account, NO_OWN_RATES)

    rule, tax = supply.rule, supply.decide(day).tax

    assert rule is _rule_that_fits(supply)
    if tax is None:
        with pytest.raises(InvalidRequestError, match="name the tax"):
            supply.tax(None, day)
        return
    assert supply.tax(None, day) == tax
    document = invoice(line(tax=tax), seller=org, buyer=account)
    assert document.lines[0].tax == tax
    [breakdown] = to_e_invoice(document).taxes
    assert (breakdown.exemption is None) == bool(tax.percentage)
    if breakdown.exemption:
        assert breakdown.exemption.reason
        assert breakdown.exemption.code is None or breakdown.exemption.code in VATEX
        assert (tax.category == "AE") == (rule is B)
        assert (tax.category == "AE") == bool(document.vat_id)


NAMED = [
    *(Tax(TaxType.VAT, Decimal(rate)) for rate in ("0", "20", "21", "8.125")),
    *(Tax(TaxType.IVA, Decimal(rate)) for rate in ("0", "5", "21")),
    *(Tax(kind, Decimal(rate)) for kind in (TaxType.IGIC, TaxType.IPSI) for rate in ("0", "9.5")),
    *(
        Tax(TaxType.NONE, Decimal(0), category)
        for category in (None, VatCategory.EXEMPT, VatCategory.REVERSE_CHARGE)
    ),
    Tax(TaxType.NONE, Decimal(0), VatCategory.OUT_OF_SCOPE),
    None,
]
"""Taxes as callers name them, or do not."""


@pytest.mark.parametrize("sold", ["ES", "canaries", "ceuta", "melilla"])
@pytest.mark.parametrize("bought_by", ["a business", "one with a tax id", "a person"])
def test_all_that_is_accepted_can_be_declared_and_is_read_back_as_it_was(
    sold: str, bought_by: str
) -> None:
    org = replace(seller(sold), tax_id="B58378431", fiscal_regime=FiscalRegime.VERIFACTU)
    for bought in EVERYWHERE:
        account = business(bought)
        if account.country == "ES":
            account = replace(account, tax_id="12345678Z")
        if bought_by != "a business":
            account = replace(account, company_name=None)
        if bought_by == "a person":
            account = replace(account, tax_id=None)
        for asked in NAMED:
            try:
                tax = Supply(org, account, NO_OWN_RATES).tax(asked, TODAY)
            except InvalidRequestError:
                continue
            document = invoice(line(tax=tax), seller=org, buyer=account)

            assert declare(document).total == document.gross.major
            assert read_record(write_record(document, "salt")) == document


def _rule_that_fits(supply: Supply) -> Rule:
    """Return the only row that fits, by conditions that exclude each other."""
    sold, bought = supply.seller, supply.buyer
    inside = sold.in_vat_area, bought.in_vat_area
    spanish = sold.country == bought.country == "ES"
    fits = {
        A: sold.home == bought.home,
        B: sold.home != bought.home and inside == (True, True),
        C: sold.home != bought.home and spanish,
        D: sold.home != bought.home and not spanish and inside == (True, False),
        E: sold.home != bought.home and not spanish and inside == (False, True),
        F: sold.home != bought.home and not spanish and inside == (False, False),
    }
    [rule] = [rule for rule, it_does in fits.items() if it_does]
    return rule


@given(
    sold=PLACES, bought=PLACES, is_business=st.booleans(), shop=st.booleans(), has_own=st.booleans()
)
def test_the_default_is_that_of_the_row(
    *, sold: str, bought: str, is_business: bool, shop: bool, has_own: bool
) -> None:
    org, account = seller(sold, shop=shop), (business if is_business else consumer)(bought)
    there = place_of(account.address)
    has_own &= bool(there.names)  # what has no code has no own rates either
    set_there = Rate(date(2020, 1, 1), Tax(there.taxes[0], OWN))
    rates = NO_OWN_RATES.plus(there.names[0], set_there) if has_own else NO_OWN_RATES
    supply = Supply(org, account, rates)

    rule, tax = supply.rule, supply.decide(TODAY).tax

    match _default(rule, is_business=is_business, shop=shop, has_own=has_own):
        case "own":
            assert tax
            assert (tax.percentage, tax.place) == (OWN, there.territory)
        case "AE" | "O" as category:
            assert tax
            assert (tax.category, tax.place) == (category, there.territory)
        case "buyer" | "seller" as whose:
            place = there if whose == "buyer" else supply.seller
            rate = rate_at(place, TODAY, NO_OWN_RATES, supply.seller)
            assert tax == (replace(rate.tax, place=place.territory) if rate else None)
        case _:
            assert tax is None


OWN = Decimal("12.5")
"""No rate that we ship."""


def _default(rule: Rule, *, is_business: bool, shop: bool, has_own: bool) -> str:
    """Return the last column of the table: whose rate, no tax in a category, or nothing known."""
    by_rule = {
        A: ("buyer", "buyer"),
        B: ("AE", "buyer" if shop else "seller"),
        C: ("O", "buyer"),
        D: ("O", "O"),
        E: ("O", "buyer" if shop else "unknown"),
        F: ("unknown", "unknown"),
    }
    own_wins = rule in (A, C, D, F) or not is_business
    return "own" if has_own and own_wins else by_rule[rule][not is_business]


def test_every_pair_of_countries_has_one_rule() -> None:
    for sold in EVERYWHERE:
        for bought in EVERYWHERE:
            supply = Supply(seller(sold), consumer(bought), NO_OWN_RATES)
            assert supply.rule is _rule_that_fits(supply)
