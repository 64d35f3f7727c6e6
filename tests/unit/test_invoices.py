"""Invoices: how they are reckoned, numbered and chained."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from billing.domain.errors import InvalidRequestError, PaymentExceedsInvoiceError
from billing.domain.invoices import (
    InvoiceSummary,
    IssuedInvoice,
    NewInvoice,
    NewLine,
    PaymentStatus,
    Position,
    Settlement,
    draft_invoice,
    invoice_hash,
    invoice_number,
)
from billing.domain.money import Money
from billing.domain.parties import Account, Address, DeliveryMode, Org
from billing.domain.tax import NO_TAX, Tax, TaxType

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
FIRST = Position(sequence=0, hash="", ordinal=0, issue_date=None)
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def _line(quantity: str = "1", unit_price: str = "10", tax: Tax = NO_TAX) -> NewLine:
    return NewLine(
        "Line", Decimal(quantity), Decimal(unit_price), Decimal(0), tax, None, None, None
    )


def _draft(
    *lines: NewLine,
    now: datetime = NOON,
    last: Position = FIRST,
    account: Account = ACCOUNT,
    currency: str | None = None,
    due_date: date | None = None,
) -> IssuedInvoice:
    request = NewInvoice("demo", "1", "Test", currency, due_date, lines or (_line(),))
    return draft_invoice(request, ORG, account, lambda _: NO_TAX, now, last)


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
def test_reckons_lines_then_taxes(line: NewLine, net: str, tax: str, gross: str) -> None:
    invoice = _draft(line)

    assert (invoice.net, invoice.tax, invoice.gross) == (_eur(net), _eur(tax), _eur(gross))


def test_follows_the_last_of_its_series_and_of_its_account() -> None:
    invoice = _draft(last=Position(41, "hash", 6, date(2026, 11, 20)))

    assert (invoice.number, invoice.key.ordinal) == ("F2026-000042", 7)
    assert invoice.issue_date == date(2026, 11, 21)
    assert invoice.due_date == date(2026, 12, 6)
    assert invoice.payment_term_days == 15


def test_is_never_dated_before_the_last() -> None:
    invoice = _draft(last=Position(41, "hash", 6, date(2026, 11, 23)))

    assert invoice.issue_date == date(2026, 11, 23)


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


def test_an_invoice_of_nothing_is_settled_at_once() -> None:
    summary = InvoiceSummary.of(_draft(_line("1", "0")), "hash")

    assert summary.payment_status is PaymentStatus.PAID
    assert summary.settlement.settled_at == NOON


def test_payments_add_up_until_nothing_remains() -> None:
    unpaid = InvoiceSummary.of(_draft(), "hash")

    part = replace(unpaid, settlement=unpaid.settlement.plus_payment(_eur("4"), NOON, _eur("10")))
    paid = replace(part, settlement=part.settlement.plus_payment(_eur("6"), NOON, part.remaining))

    assert [each.payment_status for each in (unpaid, part, paid)] == [
        PaymentStatus.UNPAID,
        PaymentStatus.PARTLY_PAID,
        PaymentStatus.PAID,
    ]
    assert (part.settlement.settled_at, paid.settlement.settled_at) == (None, NOON)
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
    assert replace(summary, settlement=Settlement(zero, _eur("10"), NOON)).is_fully_credited


def test_numbers_and_hashes() -> None:
    assert invoice_number("F", 2026, 1) == "F2026-000001"
    assert invoice_number("R", 2026, 1234567) == "R2026-1234567"
    assert invoice_hash(b"a", "b") == invoice_hash(b"ab", "")
    assert invoice_hash(b"a", "") != invoice_hash(b"a", "b")
