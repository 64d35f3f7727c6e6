"""Credit notes: parts come to the whole, and never to more."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.credit_notes import Creditable, CreditNote, LineCredit
from billing.domain.errors import (
    CreditExceedsInvoiceError,
    InvoiceNotCreditableError,
    RefundNotCreditableError,
)
from billing.domain.invoices import InvoiceKind, InvoiceSummary, IssuedInvoice, Line
from billing.domain.money import Money
from billing.domain.parties import Account, FiscalRegime
from billing.domain.tax import NO_TAX, Tax, TaxType
from tests.sample_invoices import (
    AMERICAN,
    BUYER,
    CEUTAN,
    GERMAN,
    IVA,
    IVA_10,
    SELLER,
    invoice,
    line,
)

NOW = datetime(2026, 3, 2, tzinfo=UTC)
ODD = Tax(TaxType.VAT, Decimal("5.2"))


def _creditable(issued: IssuedInvoice) -> Creditable:
    return Creditable(issued, InvoiceSummary.of(issued, "hash"), {}, {}, 0)


def _credit(creditable: Creditable, *lines: tuple[int, str]) -> tuple[CreditNote, Creditable]:
    """Credit some lines, or all that is left; tell the note, and the invoice from then on."""
    asked = [LineCredit(number, Decimal(amount)) for number, amount in lines]
    nets = creditable.lines_left(asked) if asked else creditable.all_left()
    note = CreditNote.of(creditable, nets, SELLER, BUYER, "Credit")
    summary = replace(creditable.summary, settlement=note.settlement)
    return note, replace(creditable, summary=summary, credited=note.credited)


def _of_movement(issued: Line, movement_id: str) -> Line:
    return replace(issued, movement_id=movement_id)


def test_mirrors_the_lines_of_a_whole_invoice() -> None:
    issued = invoice(line("Plan", "3", "9.99", setup_costs="5"), line("Rebate", "1", "-2"))

    note, after = _credit(_creditable(issued))

    assert [(each.unit_price, each.net.minor) for each in note.draft.lines] == [
        (Decimal("-9.99"), -3497),
        (Decimal(2), 200),
    ]
    assert note.draft.gross == -issued.gross
    assert note.draft.corrects is not None
    assert note.draft.corrects.number == issued.number
    assert after.left == Money.zero("EUR")
    assert after.summary.is_fully_credited


@pytest.mark.parametrize(
    ("was", "regime", "today", "named"),
    [
        pytest.param("1" * 21, "VERIFACTU", AMERICAN, "12-3456789", id="too long"),
        pytest.param("1" * 20, "VERIFACTU", AMERICAN, "1" * 20, id="as it was"),
        pytest.param("1" * 21, "NONE", AMERICAN, "1" * 21, id="not declared"),
        pytest.param("1" * 21, "VERIFACTU", GERMAN, "1" * 21, id="of another country"),
        pytest.param(
            "1" * 21, "VERIFACTU", replace(AMERICAN, tax_id=None), "1" * 21, id="none today"
        ),
    ],
)
def test_names_the_buyer_as_the_invoice_does_if_that_can_be_declared(
    was: str, regime: str, today: Account, named: str
) -> None:
    issued = invoice(line(tax=NO_TAX), buyer=replace(AMERICAN, name="Ada", tax_id=was))
    org = replace(SELLER, fiscal_regime=FiscalRegime(regime))
    original = _creditable(issued)

    buyer = CreditNote.of(original, original.all_left(), org, today, "Credit").draft.buyer

    renamed = today.name if named == today.tax_id else "Ada"
    assert (buyer.tax_id, buyer.name, buyer.country) == (named, renamed, "US")


def test_says_a_part_as_one_amount() -> None:
    note, _ = _credit(_creditable(invoice(line("Plan", "3", "9.99"))), (1, "10"))

    [credited] = note.draft.lines
    assert (credited.description, credited.quantity) == ("Plan", Decimal(1))
    assert credited.unit_price == Decimal(-10)


def test_the_cap_of_the_whole_counts_what_lines_below_zero_gave_back() -> None:
    issued = invoice(line("Plan", "1", "10", NO_TAX), line("Rebate", "1", "-4", NO_TAX))

    with pytest.raises(CreditExceedsInvoiceError):
        _credit(_creditable(issued), (1, "6.01"))
    with pytest.raises(CreditExceedsInvoiceError):
        _credit(_creditable(issued), (2, "1"))
    _, after = _credit(_creditable(issued), (1, "6"))
    with pytest.raises(CreditExceedsInvoiceError):
        _credit(after)


def test_what_the_invoice_gave_back_of_a_movement_cannot_be_credited_too() -> None:
    issued = invoice(
        _of_movement(line("Plan", "1", "10"), "m"),
        line("Other", "1", "10"),
        _of_movement(line("Refund", "1", "-9"), "m"),
    )

    with pytest.raises(CreditExceedsInvoiceError):
        _credit(_creditable(issued), (1, "1.01"))
    _credit(_creditable(issued), (1, "1"))


def test_a_credit_note_is_not_credited() -> None:
    note = replace(invoice(line()), kind=InvoiceKind.CREDIT_NOTE)

    with pytest.raises(InvoiceNotCreditableError):
        _credit(_creditable(note))


def test_reserves_as_much_for_refunds_as_is_left() -> None:
    creditable = _creditable(invoice(line("Plan", "1", "10"), line("Other", "1", "10", NO_TAX)))
    _, credited = _credit(creditable, (1, "4"))

    assert creditable.refundable_net(1) == Money(1000, "EUR")
    assert credited.refundable_net(1) == Money(600, "EUR")
    assert credited.reserve(1, Money(600, "EUR")).refundable_net(1) == Money(0, "EUR")
    with pytest.raises(RefundNotCreditableError):
        credited.reserve(1, Money(601, "EUR"))


def test_the_whole_limits_a_refund_of_a_line() -> None:
    issued = invoice(line("Plan", "1", "10", IVA), line("Rebate", "1", "-5", NO_TAX))
    taxed = invoice(line("Plan", "1", "10", NO_TAX), line("Rebate", "1", "-5", IVA))

    assert _creditable(issued).refundable_net(1) == Money(500, "EUR")  # its net
    assert _creditable(taxed).refundable_net(1) == Money(395, "EUR")  # its gross


def test_a_whole_credit_note_leaves_what_is_reserved() -> None:
    creditable = _creditable(invoice(line("Plan", "1", "10"), line("Other", "1", "10")))

    note, after = _credit(creditable.reserve(1, Money(300, "EUR")))

    assert {number: net.minor for number, net in note.nets.items()} == {1: 700, 2: 1000}
    assert after.left == Money.zero("EUR")
    with pytest.raises(CreditExceedsInvoiceError):
        _credit(after)


def test_what_was_reserved_and_released_can_be_credited_again() -> None:
    creditable = _creditable(invoice(line("Plan", "1", "10")))

    released = creditable.reserve(1, Money(300, "EUR")).release(1, Money(300, "EUR"))

    assert (released.reserved, released.left) == ({}, creditable.left)


@pytest.mark.parametrize(("seller", "most"), [("ES", 12), ("IE", 13)])
def test_refunds_that_wait_come_to_no_more_rates_than_a_record_holds(
    seller: str, most: int
) -> None:
    rates = [Tax(TaxType.IPSI, Decimal(number)) for number in range(1, 14)]
    issued = invoice(*(line("Plan", "1", "10", tax) for tax in rates), buyer=CEUTAN)
    place = replace(SELLER.address, country=seller)
    issued = replace(issued, seller=replace(SELLER, address=place))
    creditable, cent = _creditable(issued), Money(1, "EUR")
    for number in range(1, most + 1):
        creditable = creditable.reserve(number, cent)

    again = creditable.reserve(1, cent).release(1, cent).reserve(1, cent, cent)

    assert len(again.reserved) == most
    if most < 13:
        assert creditable.refundable_net(13) == Money(0, "EUR")
        with pytest.raises(RefundNotCreditableError, match="after the next billing run"):
            creditable.reserve(13, cent)
        creditable.release(1, cent).reserve(13, cent)


def test_a_refunds_credit_note_takes_what_was_reserved() -> None:
    creditable = _creditable(invoice(line("Plan", "1", "10"))).reserve(1, Money(300, "EUR"))

    note = CreditNote.of(
        creditable, {1: Money(300, "EUR")}, SELLER, BUYER, "Refund", is_reserved=True
    )

    assert (note.credited, note.reserved) == ({1: Money(300, "EUR")}, {})
    assert note.draft.gross == Money(-363, "EUR")


_LINES = st.lists(
    st.tuples(st.integers(-5000, 20_000), st.sampled_from([IVA, IVA_10, ODD, NO_TAX])),
    min_size=1,
    max_size=5,
)


@given(
    lines=_LINES,
    parts=st.lists(st.tuples(st.integers(0, 4), st.integers(1, 9000)), max_size=8),
)
def test_no_sequence_of_credits_gives_back_more_than_the_invoice(
    lines: Sequence[tuple[int, Tax]], parts: Sequence[tuple[int, int]]
) -> None:
    issued = invoice(*(line("Line", "1", str(Decimal(net).scaleb(-2)), tax) for net, tax in lines))
    if issued.gross.minor <= 0:
        return
    creditable, credited = _creditable(issued), Money.zero("EUR")

    for index, minor in parts:
        number = index % len(lines) + 1
        net = min(Money(minor, "EUR"), creditable.refundable_net(number))
        if net:
            note = CreditNote.of(creditable, {number: net}, SELLER, BUYER, "Part")
            summary = replace(creditable.summary, settlement=note.settlement)
            creditable = replace(creditable, summary=summary, credited=note.credited)
            credited += -note.draft.gross
        assert credited <= issued.gross
        assert creditable.left == issued.gross - credited
        assert all(
            net.minor <= max(0, issued.lines[at - 1].net.minor)
            for at, net in creditable.credited.items()
        )

    if creditable.left:
        note, creditable = _credit(creditable)
        credited += -note.draft.gross
    assert credited == issued.gross
    assert not creditable.summary.remaining
