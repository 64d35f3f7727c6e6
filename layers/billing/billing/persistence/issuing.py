"""
Issuing, in the invoices' table: the documents of a journal, written in one transaction with their
numbers and the ends that the next journal continues; numbering.py has the items of those.

    pk                                sk                what
    external#<org>#invoice#<id>       external          the one invoice with that external id
    external#<org>#credit_note#<id>   external          the one credit note with that external id
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from billing import config
from billing.domain.errors import SellerChangedError, TooLargeError
from billing.domain.idempotency import ExternalId
from billing.domain.invoices import InvoiceKey, InvoiceKind, InvoiceSummary, Settlement
from billing.domain.issuing import (
    AccountEnd,
    Ends,
    Issued,
    Journal,
    OpenJournal,
)
from billing.domain.numbering import Lane, lane_of_account, series_of
from billing.domain.parties import Org
from billing.domain.verifactu import RecordState
from billing.persistence.accounts import check_seller
from billing.persistence.dynamodb import (
    ConditionFailedError,
    Item,
    date_of,
    delete,
    get_items,
    get_items_of,
    int_of,
    joined,
    padded,
    put,
    transact,
    update,
)
from billing.persistence.fiscal_items import (
    end_attributes,
    fiscal_setting,
    place_in_unsent,
    record_attributes,
    to_fiscal_end,
)
from billing.persistence.idempotency import external_key, put_external, to_idempotency_record
from billing.persistence.invoice_items import (
    BLOCK,
    account_pk,
    credit_in,
    creditable_keys,
    document_item,
    document_key,
    issued_item,
    paid_at,
    put_credits,
    put_unpaid,
    summary_key,
    to_creditable,
    totals_key,
    unpaid_in,
    unpaid_key,
)
from billing.persistence.numbering import (
    lane_key,
    number_key,
    series_key,
    to_chain_end,
    to_series_end,
)
from billing.persistence.org_time import clock_key

MAX_WRITES = 100
"""Writes that one transaction takes."""
DOCUMENT_BYTES = 380_000
"""The largest record, compressed, that is sure to fit into an item (400 KB)."""

WRITES_OF_JOURNAL = 4
"""The end of the lane and of its two series, and what the first number of a series depends on."""
WRITES_OF_ACCOUNT = 3
"""Its totals, and at most one day and one block of ordinals."""
WRITES_OF_INVOICE = 4
"""Number, head, document, and that it is unpaid."""
WRITES_OF_CREDIT_NOTE = 7
"""Number, head, document; the original's settlement, credits, place among the unpaid, and block."""

_EXTERNAL_KINDS = {InvoiceKind.INVOICE: "invoice", InvoiceKind.CREDIT_NOTE: "credit_note"}


class IssuingRepository:
    """The journals of all orgs."""

    def __init__(self) -> None:
        self._table = config.invoices_table()

    def open(
        self,
        org: Org,
        account_ids: Iterable[str],
        now: datetime,
        originals: Iterable[InvoiceKey] = (),
        external: ExternalId | None = None,
        kind: InvoiceKind = InvoiceKind.INVOICE,
        lanes: int | None = None,
    ) -> OpenJournal:
        """
        Read the ends that new documents of some accounts follow, in one request.

        The accounts are all in one lane, of as many `lanes` as a run began with; by default, of
        those of the org. `originals` are read with it, and what has the external id of a document
        of that kind.
        """
        accounts = {each: totals_key(org.id, each) for each in account_ids}
        # What is declared is one chain: its lane is the one of an org with one lane.
        many = 1 if org.is_declared else lanes or org.lanes
        in_lane = lane_of_account(next(iter(accounts)), many)
        keys, lane = list(originals), lane_key(org.id, in_lane.letter)
        clock = clock_key(org.id)
        series = {
            name: series_key(org.id, name)
            for name in (series_of(org, kind, in_lane) for kind in InvoiceKind)
        }
        taken = external and external_key(org.id, _EXTERNAL_KINDS[kind], external.value)
        asked = {
            self._table: [
                lane,
                *series.values(),
                *accounts.values(),
                *(item_key for key in keys for item_key in creditable_keys(key)),
                *([taken] if taken else []),
            ]
        }
        if org.is_declared and org.sandbox:
            asked[config.accounts_table()] = [clock]
        found = {(pk, sk): item for (_, pk, sk), item in get_items(asked).items()}
        ends = Ends(
            chain=to_chain_end(found.get(lane, {})),
            series={
                name: to_series_end(found[key]) for name, key in series.items() if key in found
            },
            accounts={name: _to_account_end(found.get(key, {})) for name, key in accounts.items()},
            fiscal=to_fiscal_end(found.get(lane, {})),
        )
        fiscal = fiscal_setting(org, is_sent=clock not in found) if org.is_declared else None
        return OpenJournal(
            journal=Journal(org, in_lane, now, ends, fiscal),
            originals={key: to_creditable(key, found) for key in keys if summary_key(key) in found},
            known=to_idempotency_record(found.get(taken)) if taken else None,
        )

    def read_accounts(self, org_id: str, account_ids: Iterable[str]) -> dict[str, AccountEnd]:
        """Read the last documents of some accounts."""
        keys = {each: totals_key(org_id, each) for each in account_ids}
        found = get_items_of(self._table, *keys.values())
        return {name: _to_account_end(found.get(key, {})) for name, key in keys.items()}

    def write(self, journal: Journal, external: ExternalId | None = None) -> None:
        """
        Write what a journal issued, all or nothing; its first document takes the external id.

        Raise ContentionError where a place or the external id was taken meanwhile, or something
        has happened to an original; SellerChangedError where the org's profile has changed before
        its first document; TooLargeError where a record does not fit into the table.
        """
        writes = self.writes(journal)
        if external:
            first = journal.issued[0].invoice
            key = external_key(journal.org.id, _EXTERNAL_KINDS[first.kind], external.value)
            thing_id, account_id = str(first.key.ordinal), first.key.account_id
            writes.append(put_external(self._table, key, thing_id, external, account_id))
        transact_documents(writes)

    def writes(self, journal: Journal) -> list[Any]:
        """Return the writes of all that a journal issued, each item once."""
        changes: dict[str, AccountChanges] = {}
        is_sent = journal.fiscal is None or journal.fiscal.is_sent
        documents = [
            write
            for issued in journal.issued
            for write in self._document(journal.lane, issued, changes, is_sent=is_sent)
        ]
        for note, invoice in journal.credited:
            original = note.original.summary
            documents += settle(self._table, original, note.settlement, changes)
            documents.append(put_credits(self._table, note.corrected(invoice)))
        if not journal.issued:
            return documents
        ends = [self._end_chain(journal), *self._end_series(journal)]
        is_first = not journal.read.chain.position
        if is_first or journal.ends.series.keys() != journal.read.series.keys():
            ends.append(check_seller(config.accounts_table(), journal.org))
        accounts = [
            write
            for account_id, change in changes.items()
            for write in change.writes(
                self._table,
                journal.org.id,
                account_id,
                journal.read.accounts.get(account_id),
                journal.ends.accounts.get(account_id),
            )
        ]
        return [*ends, *accounts, *documents]

    def _document(
        self, lane: Lane, issued: Issued, changes: "dict[str, AccountChanges]", *, is_sent: bool
    ) -> Iterator[Any]:
        invoice, table = issued.invoice, self._table
        key = invoice.key
        document = document_item(issued.record)
        if len(document["record"]["B"]) > DOCUMENT_BYTES:
            raise TooLargeError("The invoice is too large; split it into several.")
        summary = InvoiceSummary.of(invoice, issued.hash)
        state = RecordState.PENDING if is_sent else RecordState.NOT_SENT
        yield put(
            table,
            number_key(key.org_id, invoice.number),
            {
                "account_id": {"S": key.account_id},
                "ordinal_of_account": {"N": str(key.ordinal)},
                "lane": {"S": lane.letter},
                "lane_position": {"N": str(issued.position)},
                "hash_of_record": {"S": issued.hash},
                "previous_hash": {"S": issued.previous_hash},
                **(record_attributes(key.org_id, issued.fiscal, state) if issued.fiscal else {}),
            },
        )
        yield put(table, summary_key(key), issued_item(summary, issued.previous_hash))
        yield put(table, document_key(key), document)
        change = changes.setdefault(key.account_id, AccountChanges())
        change.count_day(invoice.issue_date, key.ordinal)
        change.count_balance(None, summary)
        if summary.remaining:
            yield put_unpaid(table, summary, lane.letter)
            change.count_unpaid(key.ordinal, 1)

    def _end_chain(self, journal: Journal) -> Any:
        """
        Write the last document of a lane, and the last fiscal record.

        It depends on the fiscal regime, and on the last record of all: a correction of one can be
        the last.
        """
        before, after, org = journal.read.chain, journal.ends.chain, journal.org
        kept: dict[str, Any] = {
            "last_position": {"N": str(after.position)},
            "last_hash": {"S": after.hash},
            "issue_date": {"S": str(after.issue_date)},
        }
        expected: dict[str, int | str | None] = {
            "last_position": before.position,
            "fiscal_regime": org.fiscal_regime.value if org.is_declared else None,
        }
        if org.is_declared:
            kept |= {"fiscal_regime": {"S": org.fiscal_regime.value}}
            kept |= end_attributes(journal.ends.fiscal)
            if journal.fiscal and journal.fiscal.is_sent:
                kept |= place_in_unsent(org.id)
            expected["fiscal_position"] = journal.read.fiscal.position or None
        return update(
            self._table,
            lane_key(org.id, journal.lane.letter),
            f"SET {', '.join(f'{name} = :{name}' for name in kept)}",
            {f":{name}": value for name, value in kept.items()},
            expected=expected if before.position else {},
        )

    def _end_series(self, journal: Journal) -> Iterator[Any]:
        for name, after in journal.ends.series.items():
            before = journal.read.series.get(name)
            if after == before:
                continue
            yield update(
                self._table,
                series_key(journal.org.id, name),
                "SET kind = :kind, lane = :lane, first_year = :first_year, "
                "last_year = :year, last_sequence = :sequence",
                {
                    ":kind": {"S": after.kind.value},
                    ":lane": {"S": after.lane},
                    ":first_year": {"N": str(after.first_year)},
                    ":year": {"N": str(after.year)},
                    ":sequence": {"N": str(after.sequence)},
                },
                expected={"last_year": before.year, "last_sequence": before.sequence}
                if before
                else {},
            )


class AccountChanges:
    """The changes to an account's counts by the documents that are issued or settled together."""

    def __init__(self) -> None:
        self._unpaid = 0
        self._unpaid_of_block: dict[int, int] = {}
        self._days: dict[date, tuple[int, int]] = {}
        self._balances: dict[str, int] = {}

    def count_balance(self, before: InvoiceSummary | None, after: InvoiceSummary) -> None:
        """Count what a document changes of what is unpaid and of what the customer is owed."""
        currency = after.gross.currency
        for name, now, earlier in (
            (unpaid_in(currency), after.remaining, before and before.remaining),
            (credit_in(currency), after.credit, before and before.credit),
        ):
            more = now.minor - (earlier.minor if earlier else 0)
            self._balances[name] = self._balances.get(name, 0) + more

    def count_unpaid(self, ordinal: int, more: int) -> None:
        block = ordinal // BLOCK
        self._unpaid += more
        self._unpaid_of_block[block] = self._unpaid_of_block.get(block, 0) + more

    def count_day(self, day: date, ordinal: int) -> None:
        first, _ = self._days.get(day, (ordinal, ordinal))
        self._days[day] = first, ordinal

    def writes(
        self,
        table: str,
        org_id: str,
        account_id: str,
        before: AccountEnd | None = None,
        after: AccountEnd | None = None,
    ) -> Iterator[Any]:
        """Write the totals, as long as nobody else took the next ordinal, the days and blocks."""
        key = totals_key(org_id, account_id)
        balances = {name: change for name, change in self._balances.items() if change}
        counts = {"unpaid": self._unpaid, **balances, **({"moves": 1} if balances else {})}
        added = f"ADD {', '.join(f'{name} :{name}' for name in counts)}"
        values = {f":{name}": {"N": str(count)} for name, count in counts.items()}
        if before != after and before and after:
            begun = "" if before.ordinal else ", balanced = :yes"
            yield update(
                table,
                key,
                f"SET invoices = :ordinal, issue_date = :today{begun} {added}",
                {
                    ":ordinal": {"N": str(after.ordinal)},
                    ":today": {"S": str(after.issue_date)},
                    **({":yes": {"BOOL": True}} if begun else {}),
                    **values,
                },
                expected={"invoices": before.ordinal} if before.ordinal else {},
            )
        elif self._unpaid or balances:
            yield update(table, key, added, values)
        pk = account_pk(org_id, account_id)
        for day, (first, last) in self._days.items():
            yield update(
                table,
                (pk, joined("day", day.isoformat())),
                "SET first_ordinal = if_not_exists(first_ordinal, :first), last_ordinal = :last",
                {":first": {"N": str(first)}, ":last": {"N": str(last)}},
            )
        for block, more in self._unpaid_of_block.items():
            if more:
                yield update(
                    table,
                    (pk, joined("unpaid-block", padded(block))),
                    "ADD unpaid :more",
                    {":more": {"N": str(more)}},
                )


def settle(
    table: str,
    summary: InvoiceSummary,
    settlement: Settlement,
    changes: dict[str, AccountChanges],
) -> list[Any]:
    """
    Move an invoice from one settlement to the next.

    A settled one leaves the unpaid; one that is owed again comes back among them, with the
    description that it has at that moment.
    """
    after, before = replace(summary, settlement=settlement), summary.settlement
    was_owed, is_owed = bool(summary.remaining), bool(after.remaining)
    expected: dict[str, int | str | None] = {
        "paid": before.paid.minor,
        "credited": before.credited.minor,
        "settlements": before.version or None,
    }
    if is_owed and not was_owed:
        expected["description"] = summary.description
    writes = [
        update(
            table,
            summary_key(summary.key),
            "SET paid = :paid, credited = :credited, paid_out = :paid_out, paid_at = :paid_at, "
            "settlements = :version",
            {
                ":paid_out": {"N": str(settlement.paid_out.minor)},
                ":paid": {"N": str(settlement.paid.minor)},
                ":credited": {"N": str(settlement.credited.minor)},
                ":paid_at": paid_at(settlement),
                ":version": {"N": str(settlement.version)},
            },
            expected=expected,
        )
    ]
    change = changes.setdefault(summary.key.account_id, AccountChanges())
    change.count_balance(summary, after)
    if was_owed == is_owed:
        return writes
    writes.append(put_unpaid(table, summary) if is_owed else delete(table, unpaid_key(summary.key)))
    change.count_unpaid(summary.key.ordinal, 1 if is_owed else -1)
    return writes


def settlement_writes(table: str, summary: InvoiceSummary, settlement: Settlement) -> list[Any]:
    """Return the writes of one settlement alone, with what it changes of its account's counts."""
    changes: dict[str, AccountChanges] = {}
    settled = settle(table, summary, settlement, changes)
    counts = [
        write
        for account_id, change in changes.items()
        for write in change.writes(table, summary.key.org_id, account_id)
    ]
    return [*settled, *counts]


def transact_documents(writes: list[Any]) -> None:
    """
    Write documents, and what is written with them, all or nothing.

    Raise ConditionFailedError, and SellerChangedError where it is the one condition on what is not
    written: the seller that the first documents of an org depend on.
    """
    try:
        transact(writes)
    except ConditionFailedError as error:
        if any("ConditionCheck" in writes[place] for place in error.failed):
            raise SellerChangedError from error
        raise


def _to_account_end(item: Item) -> AccountEnd:
    return AccountEnd(int_of(item, "invoices"), date_of(item, "issue_date"))
