"""
Fiscal records, in the invoices' table.

    pk                                        sk            what
    fiscal#<org>                              <position>    a record that amends an earlier one
    external#<org>#fiscal_correction#<id>     external      the one with that external id

The record of a document is a part of the item of its number: see numbering.py. `fiscal` and
`fiscal_personal` never change, but that the second can be erased, at `erased_at`; `fiscal_verdict`
is what the agency answered. The index `fiscal` lists the records of an org by their state, in the
order of the chain; one that a later record takes the place of is in no list. Positions are written
with ten digits, so that they sort.
"""

from collections.abc import Sequence
from datetime import datetime
from itertools import batched, islice
from typing import Any

from billing import config
from billing.domain.errors import ConflictError, NotFoundError
from billing.domain.idempotency import ExternalId, IdempotencyRecord
from billing.domain.invoices import InvoiceKey
from billing.domain.numbering import LANE
from billing.domain.parties import Org
from billing.domain.records import instant, to_json
from billing.domain.verifactu import (
    FiscalEnd,
    FiscalRecord,
    FiscalSetting,
    KeptRecord,
    RecordState,
    Verdict,
)
from billing.persistence.dynamodb import (
    ConditionFailedError,
    Expected,
    Item,
    Key,
    get_item,
    get_items_of,
    padded,
    put,
    query,
    transact,
    update,
)
from billing.persistence.fiscal_items import (
    amendment_key,
    amendments_of,
    end_attributes,
    fiscal_list,
    fiscal_setting,
    is_record,
    place_in_unsent,
    record_attributes,
    to_fiscal_end,
    to_kept_record,
    verdict_attribute,
    verdict_without_words,
)
from billing.persistence.idempotency import external_key, put_external, to_idempotency_record
from billing.persistence.invoice_items import summary_key, to_summary
from billing.persistence.numbering import lane_key, number_key
from billing.persistence.org_time import clock_key

_AT_ONCE = 100
"""Writes that one transaction takes."""
_EXTERNAL = "fiscal_correction"


class FiscalRecordRepository:
    """The fiscal records of all orgs."""

    def __init__(self) -> None:
        self._table = config.invoices_table()

    # ---------------------------------------------------------------- read

    def get(self, key: InvoiceKey) -> KeptRecord:
        """
        Read the latest record of a document.

        Raise NotFoundError where there is no such document, or no record of it.
        """
        return self.list_of(key)[-1]

    def list_of(self, key: InvoiceKey) -> list[KeptRecord]:
        """Read all records of a document, the latest last; as get() does."""
        found = get_items_of(self._table, summary_key(key)).get(summary_key(key))
        if found is None:
            raise NotFoundError
        item = get_item(self._table, number_key(key.org_id, to_summary(key, found).number))
        if item is None or not is_record(item):
            raise NotFoundError("The document has no fiscal record.")
        keys = [amendment_key(key.org_id, position) for position in amendments_of(item)]
        later = get_items_of(self._table, *keys)
        return [to_kept_record(key.org_id, each) for each in (item, *(later[key] for key in keys))]

    def list_by_state(
        self, org_id: str, state: RecordState, after: str | None, limit: int
    ) -> list[KeptRecord]:
        """
        List records of an org that have a state, in the order of the chain.

        `after` is the position to begin behind. The index lags behind its table a little.
        """
        items = query(
            self._table,
            "fiscal_list = :list AND fiscal_place > :after",
            {":list": {"S": fiscal_list(org_id, state)}, ":after": {"S": after or padded(0)}},
            IndexName="fiscal",
            Limit=limit,
        )
        return [to_kept_record(org_id, item) for item in islice(items, limit)]

    def pending(self, org_id: str, limit: int) -> list[KeptRecord]:
        """
        List the first records that are still to be sent, in the order of the chain.

        The index lags: a record that was just answered can still be in it, and one that was just
        made can be missing, so that there is a gap before the next.
        """
        return self.list_by_state(org_id, RecordState.PENDING, None, limit)

    def end(self, org_id: str) -> FiscalEnd:
        """Read the end of an org's chain."""
        return to_fiscal_end(get_item(self._table, lane_key(org_id, LANE.letter)) or {})

    def find_external(
        self, org_id: str, external: ExternalId
    ) -> tuple[IdempotencyRecord | None, FiscalEnd]:
        """Read what has the external id of a correction, and the end of the chain, at once."""
        key, lane = external_key(org_id, _EXTERNAL, external.value), lane_key(org_id, LANE.letter)
        found = get_items_of(self._table, key, lane)
        return to_idempotency_record(found.get(key)), to_fiscal_end(found.get(lane, {}))

    def setting(self, org: Org) -> FiscalSetting | None:
        """Return how records of an org are made; None where nobody answers for the software."""
        clock = clock_key(org.id)
        was_set = org.sandbox and bool(get_items_of(config.accounts_table(), clock))
        return fiscal_setting(org, is_sent=not was_set)

    # ---------------------------------------------------------------- write

    def answered(self, answers: Sequence[tuple[KeptRecord, Verdict]]) -> None:
        """
        Write what the agency answered to records that are still to be sent.

        A record that was answered meanwhile keeps that answer, so this can be done again.
        """
        for some in batched(answers, _AT_ONCE, strict=False):
            left = list(some)
            while left:
                try:
                    transact([self._answer(*each) for each in left])
                    break
                except ConditionFailedError as error:
                    left = [each for n, each in enumerate(left) if n not in error.failed]

    def amend(
        self,
        before: Sequence[KeptRecord],
        record: FiscalRecord,
        end: FiscalEnd,
        external: ExternalId,
        *,
        is_sent: bool,
    ) -> None:
        """
        Write a record that takes the place of the latest of a document's records.

        `before` are all of them, as they were read; `is_sent` says whether it is to be sent. Raise
        ContentionError where another record is the last of the chain by now, or the agency has
        answered meanwhile, or the document was erased.
        """
        latest, later = before[-1], before[1:]
        key = latest.key
        state = RecordState.PENDING if is_sent else RecordState.NOT_SENT
        amendments = [each.record.position for each in later]
        unlisted = "REMOVE fiscal_list, fiscal_place"
        as_read: Expected = {"fiscal_state": latest.state.value}
        ended = end_attributes(record.end) | (place_in_unsent(key.org_id) if is_sent else {})
        writes = [
            update(
                self._table,
                number_key(key.org_id, record.declaration.number),
                f"SET fiscal_amendments = :all {'' if later else unlisted}",
                {":all": {"S": to_json([*amendments, record.position])}},
                expected={
                    "fiscal_amendments": to_json(amendments) if later else None,
                    "erased_at": None,
                    **({} if later else as_read),
                },
            ),
            update(
                self._table,
                lane_key(key.org_id, LANE.letter),
                f"SET {', '.join(f'{name} = :{name}' for name in ended)}",
                {f":{name}": value for name, value in ended.items()},
                expected={"fiscal_position": end.position},
            ),
            put(
                self._table,
                amendment_key(key.org_id, record.position),
                {
                    "account_id": {"S": key.account_id},
                    "ordinal_of_account": {"N": str(key.ordinal)},
                    **record_attributes(key.org_id, record, state),
                },
            ),
            put_external(
                self._table,
                external_key(key.org_id, _EXTERNAL, external.value),
                str(record.position),
                external,
                key.account_id,
            ),
        ]
        if later:
            writes.append(update(self._table, record_key(latest), unlisted, {}, expected=as_read))
        transact(writes)

    def _answer(self, kept: KeptRecord, verdict: Verdict) -> Any:
        return update(
            self._table,
            record_key(kept),
            "SET fiscal_state = :state, fiscal_verdict = :verdict, fiscal_list = :list",
            {
                ":state": {"S": verdict.state.value},
                ":verdict": verdict_attribute(verdict),
                ":list": {"S": fiscal_list(kept.key.org_id, verdict.state)},
            },
            expected={"fiscal_state": RecordState.PENDING.value},
        )


def record_key(kept: KeptRecord) -> Key:
    """Return the key of the item that a record is a part of."""
    if kept.record.amendment:
        return amendment_key(kept.key.org_id, kept.record.position)
    return number_key(kept.key.org_id, kept.record.declaration.number)


def erase_records(table: str, org_id: str, number: str, now: datetime) -> list[Any]:
    """
    Return the writes that erase what is personal in a document's records.

    That is their personal part, and the agency's words about them; the fingerprints hold without
    it. Raise ConflictError where one is still to be sent. A correction that was made meanwhile
    fails the transaction, and one that is being made fails by it.
    """
    key = number_key(org_id, number)
    item = get_item(table, key) or {}
    keys = [amendment_key(org_id, position) for position in amendments_of(item)]
    items = {key: item, **get_items_of(table, *keys)}
    if any(each["fiscal_state"]["S"] == RecordState.PENDING for each in items.values()):
        raise ConflictError(f"The fiscal record of {number} is still to be sent.")
    return [_erase(table, *each, now) for each in items.items()]


def _erase(table: str, key: Key, item: Item, now: datetime) -> Any:
    erased = {"erased_at": {"S": instant(now)}, **verdict_without_words(item)}
    return update(
        table,
        key,
        f"REMOVE fiscal_personal SET {', '.join(f'{name} = :{name}' for name in erased)}",
        {f":{name}": value for name, value in erased.items()},
        expected={
            name: item[name]["S"] if name in item else None
            for name in ("fiscal_state", "fiscal_amendments")
        },
    )
