"""Movements: what they are charged to, and what fits them as a refund."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from billing.domain.cycles import ClosedCycle, CycleDocuments, OpenCycle, Part
from billing.domain.errors import (
    AccountClosedError,
    InvalidRequestError,
    MovementNotRefundableError,
    RefundExceedsMovementError,
    SubscriptionTakenError,
)
from billing.domain.money import Money
from billing.domain.movements import (
    Movement,
    MovementKey,
    MovementKind,
    NewMovement,
    OperationType,
    Surroundings,
)
from billing.domain.parties import Address
from billing.domain.periods import Moment, MomentPeriod
from billing.domain.tax import AskedAmount, Tax, TaxedAmount, TaxType
from tests.sample_invoices import BUYER, IVA, SELLER

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
CYCLE = OpenCycle.first(replace(BUYER, billing_day=30), NOW)


def asked(gross: str, net: str, tax: Tax = IVA, currency: str | None = None) -> AskedAmount:
    return AskedAmount(Decimal(gross), Decimal(net), tax, currency)


def period(start: str, end: str) -> MomentPeriod:
    return MomentPeriod(Moment.of(start), Moment.of(end))


NOVEMBER = period("2026-10-31T23:00:00Z", "2026-11-30T22:59:59.999999999Z")
REQUEST = NewMovement(
    account_id=BUYER.id,
    at=Moment.of("2026-11-01T00:00:00Z"),
    period=NOVEMBER,
    amount=asked("121", "100"),
    operation_type=OperationType.DEBIT,
    kind=MovementKind.RECURRING,
    external_id="movement-1",
    description="Fibra 600 Mb",
)


def charged(to: dict[str, Any] | None = None, **fields: Any) -> Movement:
    surroundings = replace(Surroundings(SELLER, BUYER, owner_id=None, cycle=None), **(to or {}))
    key = MovementKey(SELLER.id, "600123456", "movement")
    return Movement.charged(key, replace(REQUEST, **fields), surroundings, CYCLE, NOW)


def test_falls_into_the_open_cycle() -> None:
    movement = charged()

    assert (movement.cycle, movement.currency) == (date(2026, 11, 30), "EUR")
    assert (movement.refunded, movement.refundable(None)) == (Money(0, "EUR"), Money(12100, "EUR"))


@pytest.mark.parametrize(
    ("asked_in", "account_in", "charged_in"),
    [(None, None, "EUR"), (None, "GBP", "GBP"), ("USD", "GBP", "USD")],
)
def test_is_charged_in_the_currency_asked_for_or_the_accounts_or_the_orgs(
    asked_in: str | None, account_in: str | None, charged_in: str
) -> None:
    movement = charged(
        {"account": replace(BUYER, currency=account_in)},
        amount=asked("121", "100", currency=asked_in),
    )

    assert movement.currency == charged_in


@pytest.mark.parametrize(
    ("to", "error"),
    [
        pytest.param({"account": replace(BUYER, closed=True)}, AccountClosedError, id="closed"),
        pytest.param({"owner_id": "another"}, SubscriptionTakenError, id="another's subscription"),
    ],
)
def test_is_not_charged_where_it_cannot_be(to: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        charged(to)


def test_is_not_charged_with_decimals_that_its_currency_has_not() -> None:
    with pytest.raises(InvalidRequestError, match=r"1\.005 has more"):
        charged(amount=asked("1.005", "1.005"))


@pytest.mark.parametrize(
    ("end", "rate"),
    [
        pytest.param("2025-06-30T20:59:59.999999999Z", 22, id="an end that is included"),
        pytest.param("2025-06-30T21:00:00Z", 22, id="an end at midnight"),
        pytest.param("2025-06-30T21:00:00.000000001Z", 24, id="the first day of the new rate"),
    ],
)
def test_a_period_is_taxed_at_the_rate_of_its_last_day(end: str, rate: int) -> None:
    """Estonia's rate was 22 % until 30 June 2025."""
    tallinn = Address("Viru 1", "10140", "Tallinn", "EE")
    account = replace(
        BUYER, address=tallinn, country="EE", state_id=None, time_zone="Europe/Tallinn"
    )
    june = period("2025-05-31T21:00:00Z", end)
    amount = AskedAmount(Decimal(100 + rate), Decimal(100), None, None)

    movement = charged(
        {"org": replace(SELLER, address=tallinn), "account": account}, period=june, amount=amount
    )

    assert movement.tax == Tax(TaxType.VAT, Decimal(rate), place="EE")


@pytest.mark.parametrize(
    ("day", "now", "guess"),
    [
        pytest.param(31, datetime(2026, 11, 21, tzinfo=UTC), date(2026, 11, 30), id="same cycle"),
        pytest.param(31, datetime(2026, 12, 5, tzinfo=UTC), date(2026, 12, 31), id="the next"),
        pytest.param(
            31, datetime(2026, 11, 29, 23, tzinfo=UTC), date(2026, 12, 31), id="its midnight"
        ),
        pytest.param(1, datetime(2026, 10, 2, tzinfo=UTC), date(2026, 11, 30), id="never earlier"),
    ],
)
def test_guesses_the_open_cycle(day: int, now: datetime, guess: date) -> None:
    movement = charged({"account": replace(BUYER, billing_day=day, time_zone="Europe/Madrid")})

    assert movement.likely_cycle(now) == guess


@pytest.mark.parametrize(
    "amount",
    [
        pytest.param(asked("121", "100"), id="all of it"),
        pytest.param(asked("0.01", "0.01"), id="a cent"),
        pytest.param(asked("12.11", "10"), id="one minor unit off"),
        pytest.param(asked("12.1", "10", Tax(TaxType.IVA, Decimal("21.00"))), id="21.00 %"),
        pytest.param(asked("12.1", "10", currency="EUR"), id="its currency by name"),
    ],
)
def test_takes_a_refund_that_fits(amount: AskedAmount) -> None:
    assert charged().check_refund(amount, NOVEMBER).gross.minor == int(amount.gross * 100)


@pytest.mark.parametrize(
    ("amount", "when", "fields"),
    [
        pytest.param(asked("12.12", "10"), None, ["amount.value_with_taxes"], id="two units off"),
        pytest.param(
            asked("0", "0", Tax(TaxType.IGIC, Decimal(7)), "USD"),
            period("2026-10-31T22:59:59.999999999Z", "2026-11-01T00:00:00Z"),
            [
                "amount.value_with_taxes",
                "amount.value_without_taxes",
                "amount.currency",
                "amount.tax.type",
                "amount.tax.percentage",
                "period_start_datetime",
            ],
            id="nothing fits",
        ),
        pytest.param(
            asked("12.1", "10"),
            period("2026-11-01T00:00:00Z", "2026-11-30T23:00:00.000000000Z"),
            ["period_start_datetime"],
            id="a nanosecond too late",
        ),
    ],
)
def test_names_all_that_does_not_fit(
    amount: AskedAmount, when: MomentPeriod | None, fields: list[str]
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        charged().check_refund(amount, when)

    assert [detail.field for detail in caught.value.details] == fields


def test_takes_any_period_where_it_has_none_itself() -> None:
    charged(period=None).check_refund(asked("12.1", "10"), NOVEMBER)


def test_gives_back_no_more_than_is_left() -> None:
    movement = replace(charged(), refunded=Money(11000, "EUR"), refunded_net=Money(9091, "EUR"))

    movement.check_refund(asked("11", "9.09"), None)
    movement.check_refund(
        asked("12.1", "10"), None, freed=TaxedAmount(Money(91, "EUR"), Money(110, "EUR"), IVA)
    )
    with pytest.raises(
        RefundExceedsMovementError, match=r"\(11\.01 EUR\) exceeds .* \(11\.00 EUR\)"
    ):
        movement.check_refund(asked("11.01", "9.10"), None)


def test_gives_nothing_back_of_an_allowance() -> None:
    allowance = charged(operation_type=OperationType.CREDIT)

    assert not allowance.refundable(None)
    with pytest.raises(MovementNotRefundableError):
        allowance.check_refund(asked("12.1", "10"), None)


def test_is_billed_by_the_document_of_its_cycle_and_currency() -> None:
    movement, ends_on = charged(), date(2026, 11, 30)
    document = movement.tax.document
    parts = (Part("EUR", document, 7), Part("USD", document, 8), Part("EUR", "|DE:|", 9))

    assert movement.part({}) is None
    assert movement.part({ends_on: ClosedCycle(ends_on, None)}) is None
    assert movement.part({ends_on: ClosedCycle(ends_on, CycleDocuments(parts))}) == parts[0]


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("1970-01-01T00:00:01Z", 1_000_000_000),
        ("1970-01-01T01:00:00.000000001+01:00", 1),
        ("1970-01-01T00:00:00.9Z", 900_000_000),
        ("1969-12-31T23:59:59.999999999Z", -1),
    ],
)
def test_reads_moments_to_the_nanosecond(text: str, nanoseconds: int) -> None:
    assert Moment.of(text) == Moment(text, nanoseconds)
