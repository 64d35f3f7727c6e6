"""
Invoices, their numbers, and what is still owed.

    pk                                sk                what
    account#<org>#<account>           invoice#<n>       the head of the account's nth document
                                                        and its settlement: what lists show
                                      day#<date>        the first and last ordinal of a day
                                      unpaid#<n>        the description of one that is unpaid
                                      unpaid#totals     how many documents, how many unpaid
                                      unpaid-block#<b>  how many unpaid among a thousand
    invoice#<org>#<account>#<n>       document          the whole record, compressed
                                      payment#<id>      money received
                                      credits           the net amounts credited of its lines
                                      pdf               where its PDF is, and its hash
    series#<org>                      <series><year>    the last number, its date and hash
    number#<org>#<series><year>       <sequence>        whose number it is, and the hash chain
    external#<org>#invoice#<id>       external          the one invoice with that external id
    external#<org>#payment#<id>       external          the one payment with that external id
    external#<org>#credit_note#<id>   external          the one credit note with that external id

Ordinals and sequences are written with ten digits, so that they sort. `unpaid#totals` sorts behind
the unpaid ordinals, so that one descending query answers the total and the newest. The index
`descriptions` has the description of every document and nothing else.
"""

import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import islice
from typing import Any

from billing import config
from billing.domain.credit_notes import Creditable, CreditNote
from billing.domain.errors import (
    ContentionError,
    NotFoundError,
    TooLargeError,
    UpstreamTimeoutError,
)
from billing.domain.idempotency import ExternalId
from billing.domain.invoices import (
    ChainLink,
    Draft,
    InvoiceKey,
    InvoiceKind,
    InvoiceSummary,
    IssuedInvoice,
    Payment,
    Position,
    Settlement,
    StoredPdf,
    invoice_hash,
    series_in,
)
from billing.domain.money import Money
from billing.domain.parties import DeliveryMode
from billing.persistence.dynamodb import (
    SEPARATOR,
    ConditionFailedError,
    Item,
    Key,
    delete,
    get_item,
    get_items,
    joined,
    put,
    put_item,
    query,
    to_json,
    transact,
    update,
)
from billing.persistence.idempotency import external_key, put_external, to_idempotency_record
from billing.persistence.records import (
    instant,
    invoice_record,
    period_record,
    to_instant,
    to_invoice,
    to_period,
)

DOCUMENT_BYTES = 380_000
"""The largest record, compressed, that is sure to fit into an item (400 KB)."""

_BLOCK = 1000
_LAST = 10**10 - 1
"""Behind every ordinal."""
_NUMBER = re.compile(r"([A-Z]{1,8}[0-9]{4})-([0-9]{6,9})", re.ASCII)


class InvoiceRepository:
    """The invoices of all orgs."""

    def __init__(self) -> None:
        self._table = config.invoices_table()

    # ---------------------------------------------------------------- issue

    def position(
        self, org_id: str, account_id: str, series: str, external: ExternalId
    ) -> Position | InvoiceKey:
        """
        Tell what the next invoice follows, or which one has this external id already.

        `series` includes the year. Raises ExternalIdReusedError where the external id was used
        with another request.
        """
        taken_key = external_key(org_id, "invoice", external.value)
        book, found = self._open_book(org_id, [account_id], [series], taken_key)
        if known_id := external.replayed(to_idempotency_record(found.get(taken_key))):
            return InvoiceKey(org_id, account_id, int(known_id))
        return book.position(account_id, series)

    def add(self, invoice: IssuedInvoice, last: Position, external: ExternalId) -> None:
        """
        Issue an invoice: record, number, place in the lists and external id, all or nothing.

        Raises ContentionError where its number, ordinal or external id was taken meanwhile, and
        TooLargeError where the record does not fit into the table.
        """
        key = invoice.key
        book = Book(self._table, key.org_id)
        book.begin(key.account_id, _series(invoice.number), last)
        book.enter(invoice)
        self._transact([*book.writes(), self._take("invoice", key, external)])

    def open_book(
        self,
        org_id: str,
        account_ids: Iterable[str],
        series: Iterable[str],
        originals: Iterable[InvoiceKey] = (),
    ) -> "tuple[Book, dict[InvoiceKey, Creditable]]":
        """Read what documents of some accounts follow, and the invoices that they credit."""
        keys = list(originals)
        items = [item_key for key in keys for item_key in _creditable(key)]
        book, found = self._open_book(org_id, account_ids, series, *items)
        return book, {key: _to_creditable(key, found) for key in keys}

    def get_for_credit(
        self, original: InvoiceKey, series: str, external: ExternalId
    ) -> "tuple[Book, Creditable] | InvoiceKey":
        """
        Read an invoice that is credited, and what the credit note follows; or tell which one has
        the external id already. Raises as position() does.
        """
        taken_key = external_key(original.org_id, "credit_note", external.value)
        book, found = self._open_book(
            original.org_id, [original.account_id], [series], taken_key, *_creditable(original)
        )
        if known_id := external.replayed(to_idempotency_record(found.get(taken_key))):
            return InvoiceKey(original.org_id, original.account_id, int(known_id))
        if _summary_key(original) not in found:
            raise NotFoundError
        return book, _to_creditable(original, found)

    def add_credit_note(
        self, note: CreditNote, now: datetime, book: "Book", external: ExternalId
    ) -> InvoiceKey:
        """
        Issue a credit note and settle the original, all or nothing; tell which it is.

        Raises ContentionError as add() does, and where something else has happened to the original.
        """
        invoice = book.credit(note, now)
        self._transact([*book.writes(), self._take("credit_note", invoice.key, external)])
        return invoice.key

    def _open_book(
        self, org_id: str, account_ids: Iterable[str], series: Iterable[str], *more: Key
    ) -> "tuple[Book, dict[Key, Item]]":
        numbered = {name: _series_key(org_id, name) for name in series}
        accounts = {each: _totals_key(org_id, each) for each in account_ids}
        found = self._get(*numbered.values(), *accounts.values(), *more)
        book = Book(self._table, org_id)
        for name, key in numbered.items():
            book.read_series(name, found.get(key, {}))
        for account_id, key in accounts.items():
            book.read_account(account_id, found.get(key, {}))
        return book, found

    def _take(self, kind: str, key: InvoiceKey, external: ExternalId) -> Any:
        taken_key = external_key(key.org_id, kind, external.value)
        return put_external(self._table, taken_key, str(key.ordinal), external)

    # ---------------------------------------------------------------- read

    def get(self, key: InvoiceKey) -> tuple[IssuedInvoice, InvoiceSummary]:
        """Read one invoice whole, with its settlement."""
        found = self._get(_document_key(key), _summary_key(key))
        if len(found) < 2:
            raise NotFoundError
        invoice = to_invoice(json.loads(_record_bytes(found[_document_key(key)])))
        return invoice, _to_summary(key, found[_summary_key(key)])

    def find_number(self, org_id: str, number: str) -> InvoiceKey | None:
        """Find the invoice that has a number."""
        match = _NUMBER.fullmatch(number)
        if match is None:
            return None
        key = joined("number", org_id, match[1]), _padded(int(match[2]))
        item = get_item(self._table, key)
        if item is None:
            return None
        return InvoiceKey(org_id, item["account_id"]["S"], _int(item, "ordinal_of_account"))

    def list_page(
        self, org_id: str, account_id: str, start: int, results: int
    ) -> tuple[list[InvoiceSummary], int]:
        """List invoices from the `start`th newest on, and tell how many there are."""
        if start == 0:  # the newest tells by its ordinal how many there are
            page = self._range(org_id, account_id, 1, _LAST, most=results)
            return page, page[0].key.ordinal if page else 0
        totals = get_item(self._table, _totals_key(org_id, account_id)) or {}
        total = _int(totals, "invoices")
        newest = total - start
        if newest < 1:
            return [], total
        oldest = max(1, newest - results + 1)
        return self._range(org_id, account_id, oldest, newest), total

    def list_unpaid_page(
        self, org_id: str, account_id: str, start: int, results: int
    ) -> tuple[list[InvoiceSummary], int]:
        """List unpaid invoices from the `start`th newest on, and tell how many there are."""
        account = _account(org_id, account_id)
        newest, skipped, total = "totals", start + 1, None
        if start > _BLOCK:
            newest, skipped, total = self._skip_blocks(account, start)
        unpaid = islice(
            query(
                self._table,
                "pk = :pk AND sk BETWEEN :oldest AND :newest",
                {
                    ":pk": {"S": account},
                    ":oldest": {"S": joined("unpaid", "")},
                    ":newest": {"S": joined("unpaid", newest)},
                },
                ScanIndexForward=False,
                Limit=skipped + results,
            ),
            skipped + results,
        )
        items = list(unpaid)
        if total is None:
            total = _int(items[0], "unpaid") if items else 0
        ordinals = [int(item["sk"]["S"].split(SEPARATOR)[1]) for item in items[skipped:]]
        page = self._summaries(org_id, account_id, ordinals)
        return [summary for summary in page if summary.remaining], total

    def search(
        self, org_id: str, account_id: str, text: str, start: int, results: int, *, unpaid: bool
    ) -> tuple[list[InvoiceSummary], int]:
        """
        List the invoices whose description has `text` in it, in any case, as the pages above.

        It reads descriptions only, but all of the account's. Raises UpstreamTimeoutError where
        they are too many for one request.
        """
        wanted = text.casefold()
        descriptions = (
            self._unpaid_descriptions(org_id, account_id)
            if unpaid
            else self._descriptions(org_id, account_id)
        )
        try:
            found = [
                ordinal for ordinal, description in descriptions if wanted in description.casefold()
            ]
        except UpstreamTimeoutError as error:
            raise UpstreamTimeoutError(
                "The account has more invoices than a filter can search in one request."
            ) from error
        page = self._summaries(org_id, account_id, found[start : start + results])
        return page, len(found)

    def list_issued(
        self, org_id: str, account_id: str, start: date, end: date
    ) -> list[InvoiceSummary]:
        """List the invoices dated from `start` to `end`, both included, newest first."""
        days = list(
            query(
                self._table,
                "pk = :pk AND sk BETWEEN :start AND :end",
                {
                    ":pk": {"S": _account(org_id, account_id)},
                    ":start": {"S": joined("day", start.isoformat())},
                    ":end": {"S": joined("day", end.isoformat())},
                },
            )
        )
        if not days:
            return []
        oldest, newest = _int(days[0], "first_ordinal"), _int(days[-1], "last_ordinal")
        return self._range(org_id, account_id, oldest, newest)

    # ---------------------------------------------------------------- settle

    def get_for_payment(
        self, key: InvoiceKey, external: ExternalId
    ) -> tuple[InvoiceSummary, str | None]:
        """Read an invoice that is paid, and the id of the payment where it is known already."""
        taken_key = external_key(key.org_id, "payment", external.value)
        found = self._get(_summary_key(key), taken_key)
        if _summary_key(key) not in found:
            raise NotFoundError
        payment_id = external.replayed(to_idempotency_record(found.get(taken_key)))
        return _to_summary(key, found[_summary_key(key)]), payment_id

    def add_payment(
        self,
        summary: InvoiceSummary,
        settlement: Settlement,
        payment: Payment,
        external: ExternalId,
    ) -> None:
        """
        Record a payment and what it leaves of the invoice.

        Raises ContentionError where the settlement is not what `summary` says any more.
        """
        key, table = summary.key, self._table
        book = Book(table, key.org_id)
        book.settle(summary, settlement)
        self._transact(
            [
                put(
                    table,
                    (_invoice(key), joined("payment", payment.id)),
                    {
                        "amount": {"N": str(payment.amount.minor)},
                        "currency": {"S": payment.amount.currency},
                        "paid_at": {"S": instant(payment.paid_at)},
                        "method": {"S": payment.method or ""},
                        "external_id": {"S": external.value},
                    },
                ),
                put_external(
                    table,
                    external_key(key.org_id, "payment", external.value),
                    payment.id,
                    external,
                ),
                *book.writes(),
            ]
        )

    # ---------------------------------------------------------------- documents

    def get_document(self, key: InvoiceKey) -> tuple[IssuedInvoice, StoredPdf | None]:
        """Read one invoice whole, and where its PDF is, if it was made."""
        found = self._get(_document_key(key), _pdf_key(key))
        if _document_key(key) not in found:
            raise NotFoundError
        invoice = to_invoice(json.loads(_record_bytes(found[_document_key(key)])))
        return invoice, _to_pdf(found.get(_pdf_key(key)))

    def find_pdf(self, key: InvoiceKey) -> StoredPdf | None:
        """Find the PDF of an invoice. Raises NotFoundError where there is no such invoice."""
        found = self._get(_summary_key(key), _pdf_key(key))
        if _summary_key(key) not in found:
            raise NotFoundError
        return _to_pdf(found.get(_pdf_key(key)))

    def add_pdf(self, key: InvoiceKey, pdf: StoredPdf) -> None:
        """Record where the PDF of an invoice is; the same PDF can be recorded again."""
        attributes = {"object_key": {"S": pdf.object_key}, "sha256": {"S": pdf.sha256}}
        put_item(self._table, _pdf_key(key), attributes)

    # ---------------------------------------------------------------- verify

    def list_series(self, org_id: str) -> list[tuple[str, int]]:
        """List the series of an org, each with its last sequence number."""
        items = query(self._table, "pk = :pk", {":pk": {"S": joined("series", org_id)}})
        return [(item["sk"]["S"], _int(item, "last_sequence")) for item in items]

    def list_numbers(
        self, org_id: str, series: str, *, after: int = 0, last: int = _LAST
    ) -> Iterator[ChainLink]:
        """List the numbers of a series behind `after` up to `last`, with their records' bytes."""
        values = {
            ":pk": {"S": joined("number", org_id, series)},
            ":first": {"S": _padded(after + 1)},
            ":last": {"S": _padded(last)},
        }
        items = iter(query(self._table, "pk = :pk AND sk BETWEEN :first AND :last", values))
        while batch := list(islice(items, 25)):
            keys = [
                InvoiceKey(org_id, item["account_id"]["S"], _int(item, "ordinal_of_account"))
                for item in batch
            ]
            documents = self._get(*map(_document_key, keys))
            for key, item in zip(keys, batch, strict=True):
                document = documents.get(_document_key(key))
                yield ChainLink(
                    key=key,
                    sequence=int(item["sk"]["S"]),
                    hash=item["hash_of_record"]["S"],
                    previous_hash=item["previous_hash"]["S"],
                    record=_record_bytes(document) if document else None,
                )

    # ---------------------------------------------------------------- inside

    def _get(self, *keys: Key) -> dict[Key, Item]:
        found = get_items({self._table: keys})
        return {(pk, sk): item for (_, pk, sk), item in found.items()}

    def _transact(self, writes: Sequence[Any]) -> None:
        try:
            transact(writes)
        except ConditionFailedError as error:
            raise ContentionError from error

    def _range(
        self, org_id: str, account_id: str, oldest: int, newest: int, most: int | None = None
    ) -> list[InvoiceSummary]:
        options = {"Limit": most} if most else {}
        items = query(
            self._table,
            "pk = :pk AND sk BETWEEN :oldest AND :newest",
            {
                ":pk": {"S": _account(org_id, account_id)},
                ":oldest": {"S": joined("invoice", _padded(oldest))},
                ":newest": {"S": joined("invoice", _padded(newest))},
            },
            ScanIndexForward=False,
            **options,
        )
        return [
            _to_summary(InvoiceKey(org_id, account_id, _int(item, "ordinal")), item)
            for item in islice(items, most)
        ]

    def _summaries(
        self, org_id: str, account_id: str, ordinals: Sequence[int]
    ) -> list[InvoiceSummary]:
        if not ordinals:
            return []
        keys = [InvoiceKey(org_id, account_id, ordinal) for ordinal in ordinals]
        found = self._get(*map(_summary_key, keys))
        return [_to_summary(key, found[_summary_key(key)]) for key in keys]

    def _skip_blocks(self, account: str, start: int) -> tuple[str, int, int]:
        """
        Find where the `start`th newest unpaid invoice is without reading those before it.

        Answers the newest ordinal of its block, how many to skip there, and the total of all.
        """
        blocks = query(
            self._table,
            "pk = :pk AND begins_with(sk, :block)",
            {":pk": {"S": account}, ":block": {"S": joined("unpaid-block", "")}},
            ScanIndexForward=False,
        )
        total, newest, skipped = 0, _padded(0), 0
        for item in blocks:
            unpaid = _int(item, "unpaid")
            if total <= start < total + unpaid:
                block = int(item["sk"]["S"].split(SEPARATOR)[1])
                newest, skipped = _padded((block + 1) * _BLOCK - 1), start - total
            total += unpaid
        return newest, skipped, total

    def _descriptions(self, org_id: str, account_id: str) -> Iterator[tuple[int, str]]:
        items = query(
            self._table,
            "pk = :pk",
            {":pk": {"S": _account(org_id, account_id)}},
            IndexName="descriptions",
            ScanIndexForward=False,
        )
        return ((_int(item, "ordinal"), item["description"]["S"]) for item in items)

    def _unpaid_descriptions(self, org_id: str, account_id: str) -> Iterator[tuple[int, str]]:
        items = query(
            self._table,
            "pk = :pk AND sk BETWEEN :oldest AND :newest",
            {
                ":pk": {"S": _account(org_id, account_id)},
                ":oldest": {"S": joined("unpaid", _padded(0))},
                ":newest": {"S": joined("unpaid", "9" * 10)},
            },
            ScanIndexForward=False,
        )
        return (
            (int(item["sk"]["S"].split(SEPARATOR)[1]), item["description"]["S"]) for item in items
        )


@dataclass
class _Series:
    """The end of a series: as it was read (0 where there is none), and as it is by now."""

    read: int
    sequence: int
    hash: str
    issue_date: date | None


@dataclass
class _Account:
    """The end of an account's documents likewise, and how its unpaid ones change."""

    read: int
    ordinal: int
    issue_date: date | None
    unpaid: int = 0
    unpaid_of_block: dict[int, int] = field(default_factory=dict)
    days: dict[date, tuple[int, int]] = field(default_factory=dict)

    def count_unpaid(self, ordinal: int, more: int) -> None:
        block = ordinal // _BLOCK
        self.unpaid += more
        self.unpaid_of_block[block] = self.unpaid_of_block.get(block, 0) + more


class Book:
    """
    Documents of an org that are issued in one transaction, each behind the one before it.

    It begins with the ends of series and accounts as they were read. Two writes of a transaction
    must not meet in one item: so what the documents change together is written once.
    """

    def __init__(self, table: str, org_id: str) -> None:
        self._table, self._org_id = table, org_id
        self._series: dict[str, _Series] = {}
        self._accounts: dict[str, _Account] = {}
        self._writes: list[Any] = []

    def read_series(self, series: str, item: Item) -> None:
        """Begin behind the last document of a series; `series` includes the year."""
        last, last_hash = _int(item, "last_sequence"), item["last_hash"]["S"] if item else ""
        self._series[series] = _Series(last, last, last_hash, _issue_date(item))

    def read_account(self, account_id: str, item: Item) -> None:
        """Begin behind the last document of an account."""
        last = _int(item, "invoices")
        self._accounts[account_id] = _Account(last, last, _issue_date(item))

    def begin(self, account_id: str, series: str, last: Position) -> None:
        """Begin behind a position that was told before."""
        self._series[series] = _Series(last.sequence, last.sequence, last.hash, last.issue_date)
        self._accounts[account_id] = _Account(last.ordinal, last.ordinal, last.issue_date)

    def position(self, account_id: str, series: str) -> Position:
        """Tell what the next document follows."""
        of_series, of_account = self._series[series], self._accounts[account_id]
        dates = [each for each in (of_series.issue_date, of_account.issue_date) if each]
        return Position(
            sequence=of_series.sequence,
            hash=of_series.hash,
            ordinal=of_account.ordinal,
            issue_date=max(dates, default=None),
        )

    def issue(self, draft: Draft, now: datetime) -> IssuedInvoice:
        """Issue a document behind the last one."""
        series = series_in(draft.seller, draft.kind, now)
        invoice = draft.issued(now, self.position(draft.buyer.id, series))
        self.enter(invoice)
        return invoice

    def credit(self, note: CreditNote, now: datetime) -> IssuedInvoice:
        """Issue a credit note, and settle what it corrects."""
        invoice, original = self.issue(note.draft, now), note.original.summary
        self.settle(original, note.settlement(now))
        lines = {str(number): net.minor for number, net in note.credited.items()}
        # The condition on what was credited before stands with the settlement.
        credits_ = {"lines": {"S": to_json(lines)}}
        self._writes.append(put(self._table, _credits_key(original.key), credits_, new=False))
        return invoice

    def enter(self, invoice: IssuedInvoice) -> None:
        """Write a document down that follows the last one."""
        key, table = invoice.key, self._table
        series, account = self._series.get(_series(invoice.number)), self._accounts[key.account_id]
        if series is None:
            raise ContentionError  # it is dated as the account's last one, of a year still to come
        record = to_json(invoice_record(invoice)).encode()
        document = zlib.compress(record)
        if len(document) > DOCUMENT_BYTES:
            raise TooLargeError("The invoice is too large; split it into several.")
        summary = InvoiceSummary.of(invoice, invoice_hash(record, series.hash))
        self._writes += [
            put(
                table,
                _number_key(key.org_id, invoice.number),
                {
                    "account_id": {"S": key.account_id},
                    "ordinal_of_account": {"N": str(key.ordinal)},
                    "hash_of_record": {"S": summary.hash},
                    "previous_hash": {"S": series.hash},
                },
            ),
            put(table, _summary_key(key), _summary_item(summary)),
            put(table, _document_key(key), {"record": {"B": document}}),
        ]
        if summary.remaining:
            description = {"description": {"S": invoice.description}}
            self._writes.append(put(table, _unpaid_key(key), description))
            account.count_unpaid(key.ordinal, 1)
        series.sequence, series.hash = series.sequence + 1, summary.hash
        series.issue_date = account.issue_date = invoice.issue_date
        first, _ = account.days.get(invoice.issue_date, (key.ordinal, key.ordinal))
        account.days[invoice.issue_date] = first, key.ordinal
        account.ordinal = key.ordinal

    def settle(self, summary: InvoiceSummary, settlement: Settlement) -> None:
        """Move an invoice from one settlement to the next; a settled one leaves the unpaid."""
        update_settlement = update(
            self._table,
            _summary_key(summary.key),
            "SET paid = :paid, credited = :credited, settled_at = :settled_at",
            {
                ":paid": {"N": str(settlement.paid.minor)},
                ":credited": {"N": str(settlement.credited.minor)},
                ":settled_at": _settled_at(settlement),
            },
            expected={
                "paid": summary.settlement.paid.minor,
                "credited": summary.settlement.credited.minor,
            },
        )
        self._writes.append(update_settlement)
        if settlement.settled_at and not summary.settlement.settled_at:
            self._writes.append(delete(self._table, _unpaid_key(summary.key)))
            account = self._accounts.setdefault(summary.key.account_id, _Account(0, 0, None))
            account.count_unpaid(summary.key.ordinal, -1)

    def writes(self) -> list[Any]:
        """Write it all in one transaction, as long as nobody else took a place meanwhile."""
        changed = (
            [self._end_series(name, end) for name, end in self._series.items()]
            + [self._end_account(each, end) for each, end in self._accounts.items()]
            + [list(self._of_account(each, end)) for each, end in self._accounts.items()]
        )
        return [write for writes in changed for write in writes] + self._writes

    def _end_series(self, name: str, end: _Series) -> list[Any]:
        if end.sequence == end.read or end.issue_date is None:
            return []
        return [
            update(
                self._table,
                _series_key(self._org_id, name),
                "SET last_sequence = :last, last_hash = :hash, issue_date = :today",
                {
                    ":last": {"N": str(end.sequence)},
                    ":hash": {"S": end.hash},
                    ":today": {"S": end.issue_date.isoformat()},
                },
                expected={"last_sequence": end.read} if end.read else {},
            )
        ]

    def _end_account(self, account_id: str, end: _Account) -> list[Any]:
        key, unpaid = _totals_key(self._org_id, account_id), {"N": str(end.unpaid)}
        if end.ordinal == end.read or end.issue_date is None:
            count = update(self._table, key, "ADD unpaid :unpaid", {":unpaid": unpaid})
            return [count] if end.unpaid else []
        return [
            update(
                self._table,
                key,
                "SET invoices = :ordinal, issue_date = :today ADD unpaid :unpaid",
                {
                    ":ordinal": {"N": str(end.ordinal)},
                    ":today": {"S": end.issue_date.isoformat()},
                    ":unpaid": unpaid,
                },
                expected={"invoices": end.read} if end.read else {},
            )
        ]

    def _of_account(self, account_id: str, end: _Account) -> Iterator[Any]:
        pk = _account(self._org_id, account_id)
        for day, (first, last) in end.days.items():
            yield update(
                self._table,
                (pk, joined("day", day.isoformat())),
                "SET first_ordinal = if_not_exists(first_ordinal, :first), last_ordinal = :last",
                {":first": {"N": str(first)}, ":last": {"N": str(last)}},
            )
        for block, more in end.unpaid_of_block.items():
            if more:
                yield update(
                    self._table,
                    (pk, joined("unpaid-block", _padded(block))),
                    "ADD unpaid :more",
                    {":more": {"N": str(more)}},
                )


def invoice_of_document(pk: str) -> InvoiceKey:
    """Tell whose document an item is, by its partition key, as the table's stream has it."""
    _, org_id, account_id, ordinal = pk.split(SEPARATOR)
    return InvoiceKey(org_id, account_id, int(ordinal))


def _padded(number: int) -> str:
    return f"{number:010}"


def _account(org_id: str, account_id: str) -> str:
    return joined("account", org_id, account_id)


def _invoice(key: InvoiceKey) -> str:
    return joined("invoice", key.org_id, key.account_id, key.ordinal)


def _summary_key(key: InvoiceKey) -> Key:
    return _account(key.org_id, key.account_id), joined("invoice", _padded(key.ordinal))


def _unpaid_key(key: InvoiceKey) -> Key:
    return _account(key.org_id, key.account_id), joined("unpaid", _padded(key.ordinal))


def _totals_key(org_id: str, account_id: str) -> Key:
    return _account(org_id, account_id), joined("unpaid", "totals")


def _document_key(key: InvoiceKey) -> Key:
    return _invoice(key), "document"


def _pdf_key(key: InvoiceKey) -> Key:
    return _invoice(key), "pdf"


def _credits_key(key: InvoiceKey) -> Key:
    return _invoice(key), "credits"


def _creditable(key: InvoiceKey) -> tuple[Key, Key, Key]:
    """Name the items that tell what is left of an invoice to be credited."""
    return _summary_key(key), _document_key(key), _credits_key(key)


def _series_key(org_id: str, series: str) -> Key:
    return joined("series", org_id), series


def _number_key(org_id: str, number: str) -> Key:
    return joined("number", org_id, _series(number)), _padded(int(number.rsplit("-", 1)[1]))


def _series(number: str) -> str:
    """Tell the series, with its year, that a number belongs to."""
    return number.rsplit("-", 1)[0]


def _int(item: Item, name: str) -> int:
    return int(item[name]["N"]) if name in item else 0


def _issue_date(item: Item) -> date | None:
    return date.fromisoformat(item["issue_date"]["S"]) if item else None


def _record_bytes(document: Item) -> bytes:
    return zlib.decompress(document["record"]["B"])


def _to_pdf(item: Item | None) -> StoredPdf | None:
    return StoredPdf(item["object_key"]["S"], item["sha256"]["S"]) if item else None


def _settled_at(settlement: Settlement) -> Mapping[str, Any]:
    at = settlement.settled_at
    return {"S": instant(at)} if at else {"NULL": True}


def _summary_item(summary: InvoiceSummary) -> dict[str, Any]:
    """Keep the head in one attribute: what never changes is never asked for piecemeal."""
    head = {
        "number": summary.number,
        "hash": summary.hash,
        "kind": summary.kind.value,
        "issued_at": instant(summary.issued_at),
        "issue_date": summary.issue_date.isoformat(),
        "due_date": summary.due_date.isoformat(),
        "time_zone": summary.time_zone,
        "currency": summary.gross.currency,
        "net": summary.net.minor,
        "gross": summary.gross.minor,
        "delivery_mode": summary.delivery_mode.value,
        "cycle": period_record(summary.cycle),
    }
    return {
        "ordinal": {"N": str(summary.key.ordinal)},
        "description": {"S": summary.description},
        "head": {"S": to_json(head)},
        "paid": {"N": str(summary.settlement.paid.minor)},
        "credited": {"N": str(summary.settlement.credited.minor)},
        "settled_at": _settled_at(summary.settlement),
    }


def _to_summary(key: InvoiceKey, item: Item) -> InvoiceSummary:
    head = json.loads(item["head"]["S"])
    currency = head["currency"]
    settled_at = item["settled_at"].get("S")
    return InvoiceSummary(
        key=key,
        number=head["number"],
        hash=head["hash"],
        kind=InvoiceKind(head["kind"]),
        issued_at=to_instant(head["issued_at"]),
        issue_date=date.fromisoformat(head["issue_date"]),
        due_date=date.fromisoformat(head["due_date"]),
        time_zone=head["time_zone"],
        description=item["description"]["S"],
        net=Money(head["net"], currency),
        gross=Money(head["gross"], currency),
        delivery_mode=DeliveryMode(head["delivery_mode"]),
        cycle=to_period(head["cycle"]),
        settlement=Settlement(
            paid=Money(_int(item, "paid"), currency),
            credited=Money(_int(item, "credited"), currency),
            settled_at=to_instant(settled_at) if settled_at else None,
        ),
    )


def _to_creditable(key: InvoiceKey, found: Mapping[Key, Item]) -> Creditable:
    invoice = to_invoice(json.loads(_record_bytes(found[_document_key(key)])))
    item = found.get(_credits_key(key))
    lines = json.loads(item["lines"]["S"]) if item else {}
    return Creditable(
        invoice=invoice,
        summary=_to_summary(key, found[_summary_key(key)]),
        credited={int(number): Money(net, invoice.currency) for number, net in lines.items()},
    )
