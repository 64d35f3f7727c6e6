"""Usage records to send, and what the tables say of those that were taken."""

from collections import Counter
from datetime import UTC, date, datetime
from typing import Any

from billing.domain.consumptions import Consumption, ConsumptionTotal, ConsumptionType, totals_of
from billing.persistence.consumptions import ConsumptionRepository
from tests.integration.conftest import Answer, Invoker
from tests.integration.ledger import ACCOUNT, SUBSCRIPTION, open_cycle

type Record = dict[str, Any]


def record(number: int, **fields: Any) -> Record:
    """Write the record of a call that took a minute and cost a cent, or of another kind."""
    return {
        "external_consumption_unique_id": f"cdr-{number}",
        "type": "voice",
        "consumed_datetime": f"2026-11-03T09:15:00.{number:09}Z",
        "units": 60,
        "unit": "seconds",
        "amount": cents(1, 1),
        **fields,
    }


def cents(gross: int, net: int, percentage: float = 21, **currency: str) -> Record:
    tax = {"type": "IVA" if percentage else "NONE", "percentage": percentage}
    return {
        "value_with_taxes": gross / 100,
        "value_without_taxes": net / 100,
        "tax": tax,
        **currency,
    }


def send(invoke: Invoker, *records: Record, **options: Any) -> Answer:
    return invoke("consumptions_create", {"records": list(records)}, **options)


def receipt(answer: Answer) -> tuple[int, int, int]:
    return answer.status, answer.json["accepted"], answer.json["duplicates"]


def kept(org_id: str, *closed: date, subscription_id: str = SUBSCRIPTION) -> Counter[str]:
    """
    Read all records of a subscription, and verify them; tell how often each external id is there.

    The totals of each cycle are those of the records that fell into it, and of nothing else.
    `closed` are earlier cycles.
    """
    consumptions = ConsumptionRepository()
    first, last = datetime(1970, 1, 1, tzinfo=UTC), datetime(2999, 1, 1, tzinfo=UTC)
    records: list[Consumption] = [
        each
        for kind in ConsumptionType
        for each in consumptions.list_page(
            org_id, subscription_id, kind, first, last, None, 1_000_000
        )
    ]
    cycles = [*closed, open_cycle(org_id)]
    assert {each.cycle for each in records} <= set(cycles)
    for end in cycles:
        of_cycle = [each for each in records if each.cycle == end]
        totals = consumptions.totals(org_id, ACCOUNT, end, subscription_id)
        assert _sorted(totals) == _sorted(list(totals_of(subscription_id, of_cycle)))
    return Counter(each.external_id for each in records)


def _sorted(totals: list[ConsumptionTotal]) -> list[str]:
    return sorted(map(repr, totals))
