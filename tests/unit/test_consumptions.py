"""Usage records: told apart, added up, and divided into transactions."""

from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain.consumptions import (
    Consumption,
    ConsumptionTotal,
    ConsumptionType,
    NewConsumption,
    Unit,
    totals_by_type,
    totals_of,
    untaken,
)
from billing.domain.cycles import OpenCycle
from billing.domain.errors import ExternalIdReusedError
from billing.domain.idempotency import ExternalId, IdempotencyRecord
from billing.domain.money import Money
from billing.domain.movements import Surroundings
from billing.domain.periods import Moment
from billing.domain.tax import AskedAmount, Tax, TaxedAmount, TaxType
from billing.persistence import consumptions as persistence
from billing.persistence.consumptions import ConsumptionRepository
from tests.sample_invoices import BUYER, IVA, SELLER

CYCLE = OpenCycle.first(BUYER, datetime(2026, 11, 21, tzinfo=UTC))


def _new(value: str, fingerprint: str = "same") -> NewConsumption:
    return NewConsumption(
        field=f"records.{value}",
        external=ExternalId(value, fingerprint),
        type=ConsumptionType.VOICE,
        at=Moment.of("2026-11-03T09:15:00Z"),
        units=60,
        unit=Unit.SECONDS,
        amount=AskedAmount(Decimal(1), Decimal(1), IVA, None),
        destination=None,
    )


@st.composite
def _records(draw: st.DrawFn) -> list[Consumption]:
    """Draw records of any type, rate and currency."""
    kinds = draw(
        st.lists(
            st.tuples(
                st.sampled_from(ConsumptionType),
                st.integers(0, 100),
                st.sampled_from(["EUR", "JPY"]),
                st.integers(0, 10**12),
            ),
            max_size=300,
        )
    )
    return [
        _used(number, kind, Tax(TaxType.VAT, Decimal(rate)), Money(net, currency))
        for number, (kind, rate, currency, net) in enumerate(kinds)
    ]


def _used(number: int, kind: ConsumptionType, tax: Tax, net: Money) -> Consumption:
    return Consumption(
        id=f"{number:032}",
        external_id=f"cdr-{number}",
        type=kind,
        at=Moment.of("2026-11-03T09:15:00Z"),
        units=number,
        unit=Unit.BYTES,
        amount=TaxedAmount(net, net + tax.on(net), tax),
        destination=None,
        cycle=CYCLE.ends_on,
    )


def test_leaves_what_is_not_taken_yet_once_each() -> None:
    records = [_new("a"), _new("b"), _new("a"), _new("c")]

    new = untaken(records, {"b": IdempotencyRecord("id", "same")})

    assert [record.external.value for record in new] == ["a", "c"]


@pytest.mark.parametrize(
    ("records", "taken"),
    [
        pytest.param(
            [_new("a", "other")], {"a": IdempotencyRecord("id", "same")}, id="in the table"
        ),
        pytest.param([_new("a"), _new("b"), _new("a", "other")], {}, id="in the same request"),
    ],
)
def test_names_a_record_whose_id_says_something_else(
    records: list[NewConsumption], taken: dict[str, IdempotencyRecord]
) -> None:
    with pytest.raises(ExternalIdReusedError, match="'a'") as raised:
        untaken(records, taken)

    assert [detail.field for detail in raised.value.details] == [
        "records.a.external_consumption_unique_id"
    ]


def test_charges_each_rate_once_on_its_sum() -> None:
    def total(tax: Tax, net: int, currency: str = "EUR") -> ConsumptionTotal:
        return ConsumptionTotal(
            "1", ConsumptionType.SMS, Unit.MESSAGES, tax, 10, Money(net, currency)
        )

    vat = Tax(TaxType.VAT, Decimal(10))
    by_type = totals_by_type([total(IVA, 3), total(vat, 5), total(IVA, 7), total(IVA, 9, "JPY")])

    # 10 at 21 % is 2.1, 5 at 10 % is 0.5: rounded once each. Of 3 and of 7 it would be 1 and 1.
    assert [(each.units, each.net, each.gross) for each in by_type] == [
        (30, Money(15, "EUR"), Money(18, "EUR")),
        (10, Money(9, "JPY"), Money(11, "JPY")),
    ]


@settings(max_examples=60, deadline=None)
@given(records=_records())
def test_transactions_hold_every_record_once_with_the_totals_of_all(
    records: list[Consumption],
) -> None:
    written: list[list[Any]] = []
    with pytest.MonkeyPatch.context() as patch:
        for table in ("ACCOUNTS_TABLE", "CONSUMPTIONS_TABLE", "MOVEMENTS_TABLE"):
            patch.setenv(table, table)
        patch.setattr(persistence, "transact", written.append)
        ConsumptionRepository().add(
            "demo",
            "1",
            [(each, ExternalId(each.external_id, "same")) for each in records],
            Surroundings(SELLER, BUYER, BUYER.id, CYCLE),
            CYCLE,
        )

    assert all(len(writes) <= 100 for writes in written)
    assert all("ConditionCheck" in writes[0] for writes in written)
    put = Counter(
        write["Put"]["Item"]["pk"]["S"].removeprefix("external#demo#consumption#")
        for writes in written
        for write in writes
        if "Put" in write and write["Put"]["Item"]["sk"]["S"] == "external"
    )
    assert put == Counter(each.external_id for each in records)
    moved: Counter[str] = Counter()
    for writes in written:
        for write in writes:
            if "Update" in write:
                values = write["Update"]["ExpressionAttributeValues"]
                moved[write["Update"]["Key"]["sk"]["S"]] += int(values[":net"]["N"])
    assert sorted(moved.values()) == sorted(total.net.minor for total in totals_of("1", records))
