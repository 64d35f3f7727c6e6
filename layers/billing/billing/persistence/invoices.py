"""
Invoices as they are read: one whole, pages of an account's, by number, by day, by text.

What their items are, invoice_items.py says; numbers and chains are kept by issuing.py.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from itertools import batched, islice
from unicodedata import normalize

from billing import config
from billing.domain.credit_notes import Creditable
from billing.domain.errors import (
    ErasedError,
    InvalidRequestError,
    NotFoundError,
    UpstreamTimeoutError,
)
from billing.domain.invoice_record import read_record
from billing.domain.invoices import (
    Balance,
    InvoiceKey,
    InvoiceSummary,
    IssuedInvoice,
    StoredDocument,
    WholeInvoice,
)
from billing.domain.money import Money
from billing.domain.records import instant
from billing.persistence.accounts import lanes_ever
from billing.persistence.dynamodb import (
    SEPARATOR,
    ConditionFailedError,
    Item,
    check,
    delete,
    get_item,
    get_items,
    get_items_of,
    int_of,
    joined,
    padded,
    put,
    query,
    query_beginning,
    transact,
    update,
)
from billing.persistence.invoice_items import (
    BLOCK,
    account_pk,
    credit_in,
    creditable_keys,
    document_item,
    document_key,
    overdue_since,
    pdf_key,
    previous_hash_of,
    summary_key,
    to_creditable,
    to_pdf,
    to_record,
    to_summary,
    totals_key,
    unpaid_in,
    unpaid_key,
)
from billing.persistence.lanes import behind, list_org_wide
from billing.persistence.numbering import number_key, numbered

_LAST = 10**10 - 1
"""Behind every ordinal."""

MAX_LISTED = 10_000
"""Invoices that are listed by date at once: each is up to 500 bytes of an answer of 6 MB."""


class InvoiceRepository:
    """The invoices of all orgs."""

    def __init__(self) -> None:
        self._table = config.invoices_table()

    # ---------------------------------------------------------------- read

    def get(self, key: InvoiceKey) -> tuple[IssuedInvoice, InvoiceSummary]:
        """Read one invoice whole, with its settlement."""
        found = get_items_of(self._table, document_key(key), summary_key(key))
        if len(found) < 2:
            raise NotFoundError
        invoice = read_record(to_record(found[document_key(key)]))
        return invoice, to_summary(key, found[summary_key(key)])

    def get_whole(self, key: InvoiceKey) -> WholeInvoice:
        """Read one invoice, with all that has become of it but its payments."""
        found = get_items_of(self._table, *creditable_keys(key))
        if summary_key(key) not in found:
            raise NotFoundError
        known, previous_hash = to_creditable(key, found), previous_hash_of(found[summary_key(key)])
        if previous_hash is None:
            number = number_key(key.org_id, known.invoice.number)
            previous_hash = get_items_of(self._table, number)[number]["previous_hash"]["S"]
        return WholeInvoice(
            invoice=known.invoice,
            summary=known.summary,
            previous_hash=previous_hash,
            corrected_by=known.corrections,
            payments=(),
        )

    def get_creditables(self, keys: Sequence[InvoiceKey]) -> dict[InvoiceKey, Creditable]:
        """Read invoices, with what is left of them to be credited."""
        creditables: dict[InvoiceKey, Creditable] = {}
        for some in batched(keys, 100 // 3, strict=False):
            items = (each for key in some for each in creditable_keys(key))
            found = get_items_of(self._table, *items)
            creditables |= {key: to_creditable(key, found) for key in some}
        return creditables

    def find_number(self, org_id: str, number: str) -> InvoiceKey | None:
        """Find the invoice that has a number."""
        try:
            key = number_key(org_id, number)
        except ValueError:
            return None
        item = get_item(self._table, key)
        return numbered(org_id, item) if item else None

    def list_page(
        self, org_id: str, account_id: str, start: int, results: int
    ) -> tuple[list[InvoiceSummary], int]:
        """List invoices from the `start`th newest on, with their total number."""
        if start == 0:  # the newest tells by its ordinal how many there are
            page = self._range(org_id, account_id, 1, _LAST, most=results)
            return page, page[0].key.ordinal if page else 0
        totals = get_item(self._table, totals_key(org_id, account_id)) or {}
        total = int_of(totals, "invoices")
        newest = total - start
        if newest < 1:
            return [], total
        oldest = max(1, newest - results + 1)
        return self._range(org_id, account_id, oldest, newest), total

    def list_older(
        self, org_id: str, account_id: str, than: int | None, limit: int
    ) -> list[InvoiceSummary]:
        """List an account's invoices that are older than one, newest first."""
        newest = _LAST if than is None else than - 1
        return self._range(org_id, account_id, 0, newest, most=limit)

    def list_older_unpaid(
        self, org_id: str, account_id: str, than: int | None, limit: int
    ) -> list[InvoiceSummary]:
        """List an account's unpaid invoices that are older than one, newest first."""
        newest = _LAST if than is None else than - 1
        items = query(
            self._table,
            "pk = :pk AND sk BETWEEN :oldest AND :newest",
            {
                ":pk": {"S": account_pk(org_id, account_id)},
                ":oldest": {"S": joined("unpaid", padded(0))},
                ":newest": {"S": joined("unpaid", padded(newest))},
            },
            ScanIndexForward=False,
            Limit=limit,
        )
        unpaid = islice(items, limit)
        return self._summaries([InvoiceKey(org_id, account_id, _ordinal_of(i)) for i in unpaid])

    def list_owed(
        self, org_id: str, until: datetime | None, after: str | None, limit: int
    ) -> tuple[list[InvoiceSummary], str | None]:
        """
        List an org's unpaid invoices by when they are overdue, or those that are so at an instant.

        `after` is where a page before ended; return where this one ends, None at the end of all.
        The index lags: what was paid meanwhile is left out.
        """
        found = list_org_wide(
            self._table,
            "owed",
            org_id,
            lanes_ever(org_id),
            "due",
            behind(after or ""),
            f"{overdue_since(until)}~" if until else "~",
            limit + 1,
        )
        page = found[:limit]
        keys = [
            InvoiceKey(org_id, item["pk"]["S"].split(SEPARATOR)[2], _ordinal_of(item))
            for item in page
        ]
        summaries = [each for each in self._summaries(keys) if each.remaining]
        return summaries, str(page[-1]["due"]["S"]) if len(found) > limit else None

    def list_unpaid_page(
        self, org_id: str, account_id: str, start: int, results: int
    ) -> tuple[list[InvoiceSummary], int]:
        """List unpaid invoices from the `start`th newest on, with their total number."""
        account = account_pk(org_id, account_id)
        newest, skipped, total = "totals", start + 1, None
        if start > BLOCK:
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
            total = int_of(items[0], "unpaid") if items else 0
        keys = [InvoiceKey(org_id, account_id, _ordinal_of(item)) for item in items[skipped:]]
        page = self._summaries(keys)
        return [summary for summary in page if summary.remaining], total

    def search(
        self, org_id: str, account_id: str, text: str, start: int, results: int, *, unpaid: bool
    ) -> tuple[list[InvoiceSummary], int]:
        """
        List the invoices whose description has `text` in it, in any case, as the pages above.

        It reads descriptions only, but all of the account's. Raise UpstreamTimeoutError where
        they are too many for one request.
        """
        wanted = _folded(text)
        descriptions = (
            self._unpaid_descriptions(org_id, account_id)
            if unpaid
            else self._descriptions(org_id, account_id)
        )
        try:
            found = [
                ordinal for ordinal, description in descriptions if wanted in _folded(description)
            ]
        except UpstreamTimeoutError as error:
            raise UpstreamTimeoutError(
                "The account has more invoices than a filter can search in one request."
            ) from error
        shown = found[start : start + results]
        page = self._summaries([InvoiceKey(org_id, account_id, ordinal) for ordinal in shown])
        return page, len(found)

    def list_issued(
        self, org_id: str, account_id: str, start: date, end: date
    ) -> list[InvoiceSummary]:
        """
        List the invoices dated from `start` to `end`, both included, newest first.

        Raise InvalidRequestError where they are more than one answer holds.
        """
        days = list(
            query(
                self._table,
                "pk = :pk AND sk BETWEEN :start AND :end",
                {
                    ":pk": {"S": account_pk(org_id, account_id)},
                    ":start": {"S": joined("day", start.isoformat())},
                    ":end": {"S": joined("day", end.isoformat())},
                },
            )
        )
        if not days:
            return []
        oldest, newest = int_of(days[0], "first_ordinal"), int_of(days[-1], "last_ordinal")
        if (count := newest - oldest + 1) > MAX_LISTED:
            raise InvalidRequestError.of(
                "start_date",
                f"and end_date enclose {count} invoices, and at most {MAX_LISTED} are listed: "
                "ask for fewer days",
            )
        return self._range(org_id, account_id, oldest, newest)

    # ---------------------------------------------------------------- balances

    def list_balances(self, org_id: str, account_id: str) -> list[Balance] | None:
        """
        Return the balance of an account in each currency; None where it has no documents.

        It is kept in the account's totals. Of an account that has documents of version 1.0 it is
        summed up from the heads of all, unless count_balances() has done that once.
        """
        totals = get_item(self._table, totals_key(org_id, account_id))
        if totals is None:
            return None
        if "balanced" not in totals:
            return _sums(self._all_heads(org_id, account_id))
        currencies = {
            name.removeprefix(prefix)
            for name in totals
            for prefix in (unpaid_in(""), credit_in(""))
            if name.startswith(prefix)
        }
        return [
            Balance(
                currency,
                Money(int_of(totals, unpaid_in(currency)), currency),
                Money(int_of(totals, credit_in(currency)), currency),
            )
            for currency in sorted(currencies)
        ]

    def count_balances(self, org_id: str, account_id: str) -> bool:
        """
        Sum up the balances of an account from the heads of its documents, and keep them.

        Return whether they were others, or not kept yet. Raise ContentionError where something was
        issued or paid meanwhile.
        """
        key = totals_key(org_id, account_id)
        totals = get_item(self._table, key)
        sums = self._summed(org_id, account_id)
        if totals is None or ("balanced" in totals and _has(totals, sums)):
            return False
        names = "".join(f", {name} = :{name}" for name in sums)
        unchanged = {name: int_of(totals, name) or None for name in ("moves", "invoices")}
        transact(
            [
                update(
                    self._table,
                    key,
                    f"SET balanced = :yes{names}",
                    {
                        ":yes": {"BOOL": True},
                        **{f":{name}": {"N": str(minor)} for name, minor in sums.items()},
                    },
                    expected=unchanged,
                )
            ]
        )
        return True

    def has_right_balances(self, org_id: str, account_id: str) -> bool:
        """Return whether the balances that are kept are those of all documents."""
        totals = get_item(self._table, totals_key(org_id, account_id)) or {}
        return _has(totals, self._summed(org_id, account_id))

    def _summed(self, org_id: str, account_id: str) -> dict[str, int]:
        """Sum up the balances, by the attributes of the totals that keep them."""
        sums: dict[str, int] = {}
        for balance in _sums(self._all_heads(org_id, account_id)):
            sums[unpaid_in(balance.currency)] = balance.unpaid.minor
            sums[credit_in(balance.currency)] = balance.credit.minor
        return sums

    def _all_heads(self, org_id: str, account_id: str) -> Iterator[InvoiceSummary]:
        """Read the heads of all documents; what only records know is read from them."""
        beginning = account_pk(org_id, account_id), joined("invoice", "")
        items = query_beginning(self._table, beginning)
        for some in batched(items, 25, strict=False):
            heads = [
                to_summary(InvoiceKey(org_id, account_id, int_of(item, "ordinal")), item)
                for item in some
            ]
            yield from (each for each in heads if each.is_correction is not None)
            unknown = [each for each in heads if each.is_correction is None]
            keys = [document_key(each.key) for each in unknown]
            found = get_items({self._table: keys}) if keys else {}
            for head in unknown:
                record = read_record(to_record(found[self._table, *document_key(head.key)]))
                yield replace(head, is_correction=record.corrects is not None)

    # ---------------------------------------------------------------- documents

    def get_document(self, key: InvoiceKey) -> tuple[IssuedInvoice, StoredDocument | None]:
        """Read one invoice whole, and where its PDF is, if it was made."""
        found = get_items_of(self._table, document_key(key), pdf_key(key))
        if document_key(key) not in found:
            raise NotFoundError
        invoice = read_record(to_record(found[document_key(key)]))
        return invoice, to_pdf(found.get(pdf_key(key)))

    def find_pdf(self, key: InvoiceKey) -> StoredDocument | None:
        """
        Return where the PDF of an invoice is, None before it was made.

        Raise NotFoundError where there is no such invoice, ErasedError where it was erased.
        """
        found = get_items_of(self._table, summary_key(key), pdf_key(key))
        if summary_key(key) not in found:
            raise NotFoundError
        if "erased_at" in found[summary_key(key)]:
            raise ErasedError
        return to_pdf(found.get(pdf_key(key)))

    def add_pdf(self, key: InvoiceKey, pdf: StoredDocument) -> None:
        """
        Record where the PDF of an invoice is; the same PDF can be recorded again.

        Raise ErasedError where the invoice was erased meanwhile.
        """
        attributes = {"object_key": {"S": pdf.object_key}, "sha256": {"S": pdf.sha256}}
        try:
            transact(
                [
                    put(self._table, pdf_key(key), attributes, new=False),
                    check(self._table, document_key(key), {"erased_at": None}),
                ]
            )
        except ConditionFailedError as error:
            raise ErasedError from error

    # ---------------------------------------------------------------- erase

    def list_unerased(self, org_id: str, account_id: str, before: date) -> Iterator[InvoiceSummary]:
        """List an account's documents issued before a day that were not erased."""
        account, end = account_pk(org_id, account_id), joined("day", before.isoformat())
        days = query(
            self._table,
            "pk = :pk AND sk BETWEEN :first AND :end",
            {":pk": {"S": account}, ":first": {"S": joined("day", "")}, ":end": {"S": end}},
        )
        for day in days:
            if day["sk"]["S"] == end:
                return
            documents = query(
                self._table,
                "pk = :pk AND sk BETWEEN :oldest AND :newest",
                {
                    ":pk": {"S": account},
                    ":oldest": {"S": joined("invoice", padded(int_of(day, "first_ordinal")))},
                    ":newest": {"S": joined("invoice", padded(int_of(day, "last_ordinal")))},
                },
            )
            for item in documents:
                if "erased_at" not in item:
                    key = InvoiceKey(org_id, account_id, int_of(item, "ordinal"))
                    yield to_summary(key, item)

    def last_before(self, org_id: str, account_id: str, before: date) -> int:
        """Return the ordinal of an account's last document issued before a day, 0 for none."""
        end = joined("day", before.isoformat())
        days = query(
            self._table,
            "pk = :pk AND sk BETWEEN :first AND :end",
            {
                ":pk": {"S": account_pk(org_id, account_id)},
                ":first": {"S": joined("day", "")},
                ":end": {"S": end},
            },
            ScanIndexForward=False,
            Limit=2,
        )
        earlier = (int_of(day, "last_ordinal") for day in days if day["sk"]["S"] != end)
        return next(earlier, 0)

    def erase(self, key: InvoiceKey, now: datetime) -> None:
        """
        Erase the personal part of a document everywhere it stands, all or nothing.

        Raise ContentionError where the document or its fiscal record was written meanwhile, and
        ConflictError where the record is still to be sent.
        """
        # Imported by the command line, which alone erases: every cold start would wait for it.
        from billing.persistence.fiscal_records import erase_records

        at = {":at": {"S": instant(now)}}
        empty = {":empty": {"S": ""}}
        found = get_items_of(self._table, document_key(key), unpaid_key(key))
        record = to_record(found[document_key(key)])
        erased = replace(record, personal=None)
        writes = [
            put(
                self._table,
                document_key(key),
                document_item(erased) | {"erased_at": at[":at"]},
                new=False,
            ),
            update(
                self._table,
                summary_key(key),
                "SET erased_at = :at, description = :empty",
                at | empty,
            ),
            delete(self._table, pdf_key(key)),
        ]
        if unpaid_key(key) in found:
            expected = {"description": found[unpaid_key(key)]["description"]["S"]}
            writes.append(
                update(
                    self._table,
                    unpaid_key(key),
                    "SET description = :empty",
                    empty,
                    expected=expected,
                )
            )
        else:  # a reversal may bring it back among the unpaid at this moment
            writes.append(check(self._table, unpaid_key(key), {}))
        invoice = read_record(erased)
        if invoice.fiscal:
            writes += erase_records(self._table, key.org_id, invoice.number, now)
        transact(writes)

    # ---------------------------------------------------------------- inside

    def _range(
        self, org_id: str, account_id: str, oldest: int, newest: int, most: int | None = None
    ) -> list[InvoiceSummary]:
        options = {"Limit": most} if most else {}
        items = query(
            self._table,
            "pk = :pk AND sk BETWEEN :oldest AND :newest",
            {
                ":pk": {"S": account_pk(org_id, account_id)},
                ":oldest": {"S": joined("invoice", padded(oldest))},
                ":newest": {"S": joined("invoice", padded(newest))},
            },
            ScanIndexForward=False,
            **options,
        )
        return [
            to_summary(InvoiceKey(org_id, account_id, int_of(item, "ordinal")), item)
            for item in islice(items, most)
        ]

    def _summaries(self, keys: Sequence[InvoiceKey]) -> list[InvoiceSummary]:
        if not keys:
            return []
        found = get_items_of(self._table, *map(summary_key, keys))
        return [to_summary(key, found[summary_key(key)]) for key in keys]

    def _skip_blocks(self, account: str, start: int) -> tuple[str, int, int]:
        """
        Find where the `start`th newest unpaid invoice is without reading those before it.

        Return the newest ordinal of its block, how many to skip there, and the total of all.
        """
        beginning = account, joined("unpaid-block", "")
        blocks = query_beginning(self._table, beginning, ScanIndexForward=False)
        total, newest, skipped = 0, padded(0), 0
        for item in blocks:
            unpaid = int_of(item, "unpaid")
            if total <= start < total + unpaid:
                block = int(item["sk"]["S"].split(SEPARATOR)[1])
                newest, skipped = padded((block + 1) * BLOCK - 1), start - total
            total += unpaid
        return newest, skipped, total

    def _descriptions(self, org_id: str, account_id: str) -> Iterator[tuple[int, str]]:
        """
        Read the descriptions of an account, the newest first.

        The index lags, by other rows each time. Ordinals have no gap, so what it leaves out is
        known, and read from the rows themselves.
        """
        items = query(
            self._table,
            "pk = :pk",
            {":pk": {"S": account_pk(org_id, account_id)}},
            IndexName="descriptions",
            ScanIndexForward=False,
        )
        next_one = _LAST + 1
        for item in items:
            ordinal = int_of(item, "ordinal")
            if ordinal + 1 < next_one:
                yield from self._between(org_id, account_id, ordinal, next_one)
            yield ordinal, item["description"]["S"]
            next_one = ordinal
        if next_one > 1:
            yield from self._between(org_id, account_id, 0, next_one)

    def _between(
        self, org_id: str, account_id: str, older: int, newer: int
    ) -> Iterator[tuple[int, str]]:
        rows = self._range(org_id, account_id, older + 1, newer - 1)
        return ((row.key.ordinal, row.description) for row in rows)

    def _unpaid_descriptions(self, org_id: str, account_id: str) -> Iterator[tuple[int, str]]:
        items = query(
            self._table,
            "pk = :pk AND sk BETWEEN :oldest AND :newest",
            {
                ":pk": {"S": account_pk(org_id, account_id)},
                ":oldest": {"S": joined("unpaid", padded(0))},
                ":newest": {"S": joined("unpaid", "9" * 10)},
            },
            ScanIndexForward=False,
        )
        return ((_ordinal_of(item), item["description"]["S"]) for item in items)


def _ordinal_of(item: Item) -> int:
    """Read the ordinal in the key of an unpaid one."""
    return int(item["sk"]["S"].split(SEPARATOR)[1])


def _has(totals: Item, sums: Mapping[str, int]) -> bool:
    return all(int_of(totals, name) == minor for name, minor in sums.items())


def _sums(heads: Iterable[InvoiceSummary]) -> list[Balance]:
    """Sum up what documents owe, and what they owe to the customer, by currency."""
    balances: dict[str, Balance] = {}
    for head in heads:
        currency = head.gross.currency
        zero = Money.zero(currency)
        before = balances.get(currency) or Balance(currency, zero, zero)
        balances[currency] = Balance(
            currency, before.unpaid + head.remaining, before.credit + head.credit
        )
    return [balances[currency] for currency in sorted(balances)]


def _folded(text: str) -> str:
    """Return a text as it is compared: in NFC, whatever its case."""
    return normalize("NFC", normalize("NFC", text).casefold())
