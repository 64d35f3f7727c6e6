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
                                      pdf               where its PDF is, and its hash
    series#<org>                      <series><year>    the last number, its date and hash
    number#<org>#<series><year>       <sequence>        whose number it is, and the hash chain
    external#<org>#invoice#<id>       external          the one invoice with that external id
    external#<org>#payment#<id>       external          the one payment with that external id

Ordinals and sequences are written with ten digits, so that they sort. `unpaid#totals` sorts behind
the unpaid ordinals, so that one descending query answers the total and the newest. The index
`descriptions` has the description of every document and nothing else.
"""

import json
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import islice
from typing import Any

from billing import config
from billing.domain.errors import (
    ContentionError,
    NotFoundError,
    TooLargeError,
    UpstreamTimeoutError,
)
from billing.domain.external_ids import ExternalId
from billing.domain.invoices import (
    ChainLink,
    Invoice,
    InvoiceKey,
    InvoiceKind,
    InvoiceSummary,
    Payment,
    Position,
    Settlement,
    StoredPdf,
    invoice_hash,
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
from billing.persistence.external_ids import external_key, put_external, to_taken
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
        series_key, totals_key = _series_key(org_id, series), _totals_key(org_id, account_id)
        found = self._get(taken_key, series_key, totals_key)
        if known_id := external.replayed(to_taken(found.get(taken_key))):
            return InvoiceKey(org_id, account_id, int(known_id))
        last, totals = found.get(series_key, {}), found.get(totals_key, {})
        dates = [item["issue_date"]["S"] for item in (last, totals) if item]
        return Position(
            sequence=_int(last, "last_sequence"),
            hash=last["last_hash"]["S"] if last else "",
            ordinal=_int(totals, "invoices"),
            issue_date=date.fromisoformat(max(dates)) if dates else None,
        )

    def add(self, invoice: Invoice, last: Position, external: ExternalId) -> None:
        """
        Issue an invoice: record, number, place in the lists and external id, all or nothing.

        Raises ContentionError where its number, ordinal or external id was taken meanwhile, and
        TooLargeError where the record does not fit into the table.
        """
        key, table = invoice.key, self._table
        record = to_json(invoice_record(invoice)).encode()
        document = zlib.compress(record)
        if len(document) > DOCUMENT_BYTES:
            raise TooLargeError("The invoice is too large; split it into several.")
        summary = InvoiceSummary.of(invoice, invoice_hash(record, last.hash))
        series, sequence = invoice.number.rsplit("-", 1)
        account, ordinal = _account(key.org_id, key.account_id), {"N": str(key.ordinal)}
        today, unpaid = {"S": invoice.issue_date.isoformat()}, int(bool(summary.remaining))
        writes = [
            put_external(
                table,
                external_key(key.org_id, "invoice", external.value),
                str(key.ordinal),
                external,
            ),
            update(
                table,
                _series_key(key.org_id, series),
                "SET last_sequence = :next, last_hash = :hash, issue_date = :today",
                {
                    ":next": {"N": str(last.sequence + 1)},
                    ":hash": {"S": summary.hash},
                    ":today": today,
                },
                expected={"last_sequence": last.sequence} if last.sequence else {},
            ),
            put(
                table,
                (joined("number", key.org_id, series), _padded(int(sequence))),
                {
                    "account_id": {"S": key.account_id},
                    "ordinal_of_account": ordinal,
                    "hash_of_record": {"S": summary.hash},
                    "previous_hash": {"S": last.hash},
                },
            ),
            update(
                table,
                _totals_key(key.org_id, key.account_id),
                "SET invoices = :ordinal, issue_date = :today ADD unpaid :unpaid",
                {":ordinal": ordinal, ":today": today, ":unpaid": {"N": str(unpaid)}},
                expected={"invoices": last.ordinal} if last.ordinal else {},
            ),
            put(table, _summary_key(key), _summary_item(summary)),
            put(table, _document_key(key), {"record": {"B": document}}),
            update(
                table,
                (account, joined("day", today["S"])),
                "SET first_ordinal = if_not_exists(first_ordinal, :ordinal), "
                "last_ordinal = :ordinal",
                {":ordinal": ordinal},
            ),
        ]
        if unpaid:
            description = {"description": {"S": invoice.description}}
            writes += [put(table, _unpaid_key(key), description), self._count_unpaid(key, 1)]
        self._transact(writes)

    # ---------------------------------------------------------------- read

    def get(self, key: InvoiceKey) -> tuple[Invoice, InvoiceSummary]:
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
        payment_id = external.replayed(to_taken(found.get(taken_key)))
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
                *self._settle(summary, settlement),
            ]
        )

    def _settle(self, summary: InvoiceSummary, settlement: Settlement) -> Iterator[Any]:
        """Move an invoice from one settlement to the next; a settled one leaves the unpaid."""
        yield update(
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
        if settlement.settled_at and not summary.settlement.settled_at:
            yield delete(self._table, _unpaid_key(summary.key))
            yield self._count_unpaid(summary.key, -1)
            yield update(
                self._table,
                _totals_key(summary.key.org_id, summary.key.account_id),
                "ADD unpaid :less",
                {":less": {"N": "-1"}},
            )

    # ---------------------------------------------------------------- documents

    def get_document(self, key: InvoiceKey) -> tuple[Invoice, StoredPdf | None]:
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

    def list_numbers(self, org_id: str, series: str) -> Iterator[ChainLink]:
        """List the numbers of a series in order, each with the bytes of its record."""
        pk = joined("number", org_id, series)
        items = iter(query(self._table, "pk = :pk", {":pk": {"S": pk}}))
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
        self, org_id: str, account_id: str, oldest: int, newest: int
    ) -> list[InvoiceSummary]:
        items = query(
            self._table,
            "pk = :pk AND sk BETWEEN :oldest AND :newest",
            {
                ":pk": {"S": _account(org_id, account_id)},
                ":oldest": {"S": joined("invoice", _padded(oldest))},
                ":newest": {"S": joined("invoice", _padded(newest))},
            },
            ScanIndexForward=False,
        )
        return [
            _to_summary(InvoiceKey(org_id, account_id, _int(item, "ordinal")), item)
            for item in items
        ]

    def _summaries(
        self, org_id: str, account_id: str, ordinals: Sequence[int]
    ) -> list[InvoiceSummary]:
        if not ordinals:
            return []
        keys = [InvoiceKey(org_id, account_id, ordinal) for ordinal in ordinals]
        found = self._get(*map(_summary_key, keys))
        return [_to_summary(key, found[_summary_key(key)]) for key in keys]

    def _count_unpaid(self, key: InvoiceKey, more: int) -> Any:
        block = joined("unpaid-block", _padded(key.ordinal // _BLOCK))
        account = _account(key.org_id, key.account_id)
        return update(
            self._table, (account, block), "ADD unpaid :more", {":more": {"N": str(more)}}
        )

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


def _series_key(org_id: str, series: str) -> Key:
    return joined("series", org_id), series


def _int(item: Item, name: str) -> int:
    return int(item[name]["N"]) if name in item else 0


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
