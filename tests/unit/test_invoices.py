"""Invoices: their totals, numbers and chain."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from billing.domain.errors import (
    InvalidRequestError,
    PaymentExceedsInvoiceError,
    SeriesTakenError,
)
from billing.domain.invoices import (
    InvoiceKind,
    InvoiceSummary,
    IssuedInvoice,
    NewInvoice,
    NewLine,
    PaymentStatus,
    Settlement,
    draft_invoice,
)
from billing.domain.issuing import AccountEnd, Ends, Journal
from billing.domain.money import Money
from billing.domain.numbering import LANE, ChainEnd, SeriesEnd
from billing.domain.parties import Account, Address, DeliveryMode, Org
from billing.domain.tax import NO_TAX, Tax, TaxType
from billing.domain.tax_rates import NO_OWN_RATES

ADDRESS = Address("Gran Vía 1", "28013", "Madrid", "ES")
ORG = Org(
    id="demo",
    legal_name="Telco Ejemplo S.A.",
    tax_id="A58818501",
    address=ADDRESS,
    currency="EUR",
    time_zone="Europe/Madrid",
    payment_term_days=30,
    email="facturas@telco.example",
    phone=None,
    url=None,
    iban=None,
    bic=None,
    invoice_series="F",
    credit_series="R",
)
ACCOUNT = Account(
    id="1",
    name="Ana Pérez Ejemplo",
    company_name=None,
    tax_id=None,
    email="ana@example.com",
    address=ADDRESS,
    country="ES",
    state_id=28,
    billing_day=1,
    time_zone="Europe/Madrid",
    delivery_mode=DeliveryMode.EMAIL,
    payment_term_days=15,
    currency=None,
    iban=None,
    bic=None,
    closed=False,
)
FIRST = Ends(ChainEnd(), {}, {"1": AccountEnd()})
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def _line(quantity: str = "1", unit_price: str = "10", tax: Tax = NO_TAX) -> NewLine:
    return NewLine(
        "Line", Decimal(quantity), Decimal(unit_price), Decimal(0), tax, None, None, None
    )


def _draft(
    *lines: NewLine,
    now: datetime = NOON,
    read: Ends = FIRST,
    account: Account = ACCOUNT,
    currency: str | None = None,
    due_date: date | None = None,
) -> IssuedInvoice:
    request = NewInvoice("demo", "1", "Test", currency, due_date, lines or (_line(),))
    draft = draft_invoice(request, ORG, account, NO_OWN_RATES, now)
    return Journal(ORG, LANE, now, read).issue(draft)


def _eur(major: str) -> Money:
    return Money.exactly(Decimal(major), "EUR")


@pytest.mark.parametrize(
    ("line", "net", "tax", "gross"),
    [
        pytest.param(
            _line("50", "241.67", Tax(TaxType.VAT, Decimal(20))),
            *("12083.50", "2416.70", "14500.20"),
            id="50 × 241.67 at 20 %",
        ),
        pytest.param(
            _line("1", "73.875", Tax(TaxType.VAT, Decimal(19))),
            *("73.88", "14.04", "87.92"),
            id="73.875 at 19 %",
        ),
        pytest.param(_line("3", "0.001"), "0", "0", "0", id="less than a cent"),
        pytest.param(
            _line("100783228168.512113529407", "0.000000123457"),
            *("12442.39", "0", "12442.39"),
            id="more digits than decimals have by default",
        ),
    ],
)
def test_rounds_each_line_and_then_each_tax_once(
    line: NewLine, net: str, tax: str, gross: str
) -> None:
    invoice = _draft(line)

    assert (invoice.net, invoice.tax, invoice.gross) == (_eur(net), _eur(tax), _eur(gross))


def _ends(chain: date, account: date, year: int = 2026) -> Ends:
    """Return the ends behind 41 invoices of a year, six of them the account's."""
    return Ends(
        ChainEnd(60, "hash", chain),
        {"F": SeriesEnd(InvoiceKind.INVOICE, "A", 2025, year, 41)},
        {"1": AccountEnd(6, account)},
    )


def test_follows_the_last_of_its_series_and_of_its_account() -> None:
    invoice = _draft(read=_ends(date(2026, 11, 20), date(2026, 11, 20)))

    assert (invoice.number, invoice.key.ordinal) == ("F2026-000042", 7)
    assert invoice.issue_date == date(2026, 11, 21)
    assert invoice.due_date == date(2026, 12, 6)
    assert invoice.payment_term_days == 15


@pytest.mark.parametrize(
    ("chain", "account"),
    [
        pytest.param(date(2026, 11, 23), date(2026, 11, 2), id="of its lane"),
        pytest.param(date(2026, 11, 2), date(2026, 11, 23), id="of its account"),
    ],
)
def test_is_never_dated_before_the_last(chain: date, account: date) -> None:
    assert _draft(read=_ends(chain, account)).issue_date == date(2026, 11, 23)


def test_a_series_begins_anew_each_year_and_the_chain_does_not() -> None:
    journal = Journal(ORG, LANE, NOON, _ends(date(2025, 12, 31), date(2025, 12, 31), year=2025))
    request = NewInvoice("demo", "1", "Test", None, None, (_line(),))

    for _ in range(2):
        journal.issue(draft_invoice(request, ORG, ACCOUNT, NO_OWN_RATES, NOON))

    assert [each.invoice.number for each in journal.issued] == ["F2026-000001", "F2026-000002"]
    assert [each.position for each in journal.issued] == [61, 62]
    assert journal.issued[0].previous_hash == "hash"
    assert journal.issued[1].previous_hash == journal.issued[0].hash
    assert journal.ends.series["F"] == SeriesEnd(InvoiceKind.INVOICE, "A", 2025, 2026, 2)


@pytest.mark.parametrize(
    "taken",
    [
        pytest.param(SeriesEnd(InvoiceKind.CREDIT_NOTE, "A", 2026, 2026, 3), id="another kind"),
        pytest.param(SeriesEnd(InvoiceKind.INVOICE, "B", 2026, 2026, 3), id="another lane"),
    ],
)
def test_a_series_numbers_one_kind_in_one_lane_for_ever(taken: SeriesEnd) -> None:
    with pytest.raises(SeriesTakenError):
        _draft(read=Ends(ChainEnd(), {"F": taken}, {"1": AccountEnd()}))


def test_is_dated_in_the_zone_of_the_org() -> None:
    invoice = _draft(now=datetime(2026, 12, 31, 23, 30, tzinfo=UTC))

    assert (invoice.issue_date, invoice.number) == (date(2027, 1, 1), "F2027-000001")


def test_the_currency_is_the_requests_the_accounts_or_the_orgs() -> None:
    in_pounds = replace(ACCOUNT, currency="GBP")

    assert _draft().currency == "EUR"
    assert _draft(account=in_pounds).currency == "GBP"
    assert _draft(account=in_pounds, currency="JPY").currency == "JPY"


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param((_line("-1"),), id="less than nothing"),
        pytest.param((_line("100000000000", "100000"),), id="too large"),
        pytest.param(
            (_line("100000000000", "100000"), _line("-100000000000", "100000")), id="a line"
        ),
    ],
)
def test_refuses_totals_that_are_no_invoice(lines: tuple[NewLine, ...]) -> None:
    with pytest.raises(InvalidRequestError):
        _draft(*lines)


def test_an_invoice_of_nothing_is_paid_at_once_by_nothing() -> None:
    summary = InvoiceSummary.of(_draft(_line("1", "0")), "hash")

    assert summary.payment_status is PaymentStatus.PAID
    assert summary.paid_at is None


def test_payments_add_up_until_nothing_remains() -> None:
    unpaid = InvoiceSummary.of(_draft(), "hash")

    part = replace(unpaid, settlement=unpaid.settlement.plus_payment(_eur("4"), NOON, _eur("10")))
    earlier = NOON - timedelta(days=3)
    paid = replace(
        part, settlement=part.settlement.plus_payment(_eur("6"), earlier, part.remaining)
    )

    assert [each.payment_status for each in (unpaid, part, paid)] == [
        PaymentStatus.UNPAID,
        PaymentStatus.PARTLY_PAID,
        PaymentStatus.PAID,
    ]
    assert (part.paid_at, paid.paid_at) == (None, NOON)
    with pytest.raises(PaymentExceedsInvoiceError):
        paid.settlement.plus_payment(_eur("0.01"), NOON, paid.remaining)


def test_is_overdue_the_day_after_it_was_due() -> None:
    summary = InvoiceSummary.of(_draft(due_date=date(2026, 11, 30)), "hash")

    assert not summary.is_overdue(datetime(2026, 11, 30, 22, 59, tzinfo=UTC))
    assert summary.is_overdue(datetime(2026, 11, 30, 23, tzinfo=UTC))


def test_a_credited_invoice_is_known_as_such() -> None:
    summary = InvoiceSummary.of(_draft(), "hash")
    zero = Money.zero("EUR")

    assert not summary.is_fully_credited
    assert replace(summary, settlement=Settlement(zero, _eur("10"), zero, NOON)).is_fully_credited
