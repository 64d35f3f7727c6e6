"""Invoices that are issued, credited and paid: read what there is, decide, write all or nothing."""

import json
import zlib
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any
from uuid import uuid4

from billing.persistence.records import (
    instant,
    invoice_record,
    period_record,
    to_account,
    to_instant,
    to_invoice,
    to_org,
    to_period,
    to_tax,
)

from billing.domain.credit_notes import Creditable, CreditNote
from billing.domain.errors import (
    AccountClosedError,
    ContentionError,
    InvalidRequestError,
    NotFoundError,
    TooLargeError,
)
from billing.domain.invoices import (
    InvoiceKey,
    InvoiceKind,
    InvoiceSummary,
    IssuedInvoice,
    Position,
    Settlement,
    draft_invoice,
    invoice_hash,
    series_in,
)
from billing.domain.money import Money
from billing.domain.parties import Account, DeliveryMode, Org
from billing.domain.regimes.regime import Rate
from billing.domain.tax import Tax
from billing.domain.tax_rates import OwnRates, tax_at

from .models import CreditNoteRequest, InvoiceRequest, PaymentRequest
from .store import (
    NEW,
    ConditionFailedError,
    Item,
    Key,
    Write,
    delete,
    external_key,
    get_all,
    put,
    take,
    taken,
    to_json,
    transact,
    tries,
    update,
)

ACCOUNTS, INVOICES = "ACCOUNTS_TABLE", "INVOICES_TABLE"
DOCUMENT_BYTES = 380_000
BLOCK = 1000

# ---------------------------------------------------------------- what is asked for


def issue(request: InvoiceRequest, org_id: str, account_id: str, now: datetime) -> tuple[str, bool]:
    """Issue an invoice; tell its ordinal, and whether it had been issued before."""
    external = request.external_id(request.external_invoice_unique_id, account_id)
    external_at = external_key(org_id, "invoice", external)
    org, account, own = get_profiles(org_id, account_id)
    series = series_in(org, InvoiceKind.INVOICE, now)

    def default_tax(day: date) -> Tax:
        return tax_at(account.country, account.state_id, day, own)

    for _ in tries():
        found, last = get_ends(org_id, account_id, series, external_at)
        if known := external.replayed(taken(found.get(external_at))):
            return known, True
        if account.closed:
            raise AccountClosedError
        new = request.to_domain(org_id, account_id)
        invoice = draft_invoice(new, org, account, default_tax, now, last)
        ordinal = str(invoice.key.ordinal)
        if is_written(
            *write_document(invoice, last, unpaid=1 if invoice.gross else 0),
            *(write_unpaid(invoice) if invoice.gross else ()),
            take(INVOICES, external_at, ordinal, external),
        ):
            return ordinal, False
    raise ContentionError


def credit(request: CreditNoteRequest, key: InvoiceKey, now: datetime) -> tuple[str, bool]:
    """Credit an invoice; tell the credit note's ordinal, and whether it had been issued before."""
    external = request.external_id(
        request.external_credit_note_unique_id, key.account_id, str(key.ordinal)
    )
    external_at = external_key(key.org_id, "credit_note", external)
    org, account, _ = get_profiles(key.org_id, key.account_id)
    series = series_in(org, InvoiceKind.CREDIT_NOTE, now)
    lines = request.to_domain()
    of_original = summary_key(key), document_key(key), credits_key(key)
    for _ in tries():
        found, last = get_ends(key.org_id, key.account_id, series, external_at, *of_original)
        if known := external.replayed(taken(found.get(external_at))):
            return known, True
        original = to_creditable(key, *(found.get(each) for each in of_original))
        nets = original.all_left() if lines is None else original.lines_left(lines)
        note = CreditNote.of(original, nets, org, account, request.description)
        invoice, settlement = note.draft.issued(now, last), note.settlement(now)
        closes = is_closed_by(settlement, original.summary)
        credited = {str(number): net.minor for number, net in note.credited.items()}
        ordinal = str(invoice.key.ordinal)
        if is_written(
            *write_document(invoice, last, unpaid=-1 if closes else 0),
            *settle(original.summary, settlement),
            put(INVOICES, credits_key(key), {"lines": to_json(credited)}, new=False),
            take(INVOICES, external_at, ordinal, external),
        ):
            return ordinal, False
    raise ContentionError


def pay(request: PaymentRequest, key: InvoiceKey) -> tuple[str, bool]:
    """Record a payment; tell its id, and whether it had been recorded before."""
    external = request.external_id(
        request.external_payment_unique_id, key.account_id, str(key.ordinal)
    )
    external_at = external_key(key.org_id, "payment", external)
    payment_id, paid_at = uuid4().hex, request.paid_datetime
    for _ in tries():
        found = get_invoices(summary_key(key), external_at)
        if summary_key(key) not in found:
            raise NotFoundError
        if known := external.replayed(taken(found.get(external_at))):
            return known, True
        summary = to_summary(key, found[summary_key(key)])
        currency = summary.gross.currency
        if request.currency not in (None, currency):
            raise InvalidRequestError.of("currency", f"the invoice is in {currency}")
        amount = Money.exactly(request.amount, currency)
        settlement = summary.settlement.plus_payment(amount, paid_at, summary.remaining)
        payment = {
            "amount": amount.minor,
            "currency": currency,
            "paid_at": instant(paid_at),
            "method": request.method or "",
            "external_id": external.value,
        }
        if is_written(
            put(INVOICES, (partition(key), f"payment#{payment_id}"), payment),
            take(INVOICES, external_at, payment_id, external),
            *settle(summary, settlement),
            *([count_unpaid(key, -1)] if is_closed_by(settlement, summary) else ()),
        ):
            return payment_id, False
    raise ContentionError


# ---------------------------------------------------------------- what is written


def is_written(*writes: Write) -> bool:
    """Write all or nothing; tell whether what was read still held."""
    try:
        transact(list(writes))
    except ConditionFailedError:
        return False
    return True


def write_document(invoice: IssuedInvoice, last: Position, unpaid: int) -> Iterator[Write]:
    """Write a document behind the last one, and how many more are unpaid from then on."""
    key, day = invoice.key, invoice.issue_date.isoformat()
    series, sequence = invoice.number.rsplit("-", 1)
    record = to_json(invoice_record(invoice)).encode()
    document = zlib.compress(record)
    if len(document) > DOCUMENT_BYTES:
        raise TooLargeError("The invoice is too large; split it into several.")
    summary = InvoiceSummary.of(invoice, invoice_hash(record, last.hash))
    after_series = {":before": last.sequence} if last.sequence else {}
    after_account = {":before": last.ordinal} if last.ordinal else {}
    yield update(
        INVOICES,
        series_key(key.org_id, series),
        "SET last_sequence = :last, last_hash = :hash, issue_date = :day",
        {":last": int(sequence), ":hash": summary.hash, ":day": day, **after_series},
        "last_sequence = :before" if after_series else NEW,
    )
    yield update(
        INVOICES,
        totals_key(key.org_id, key.account_id),
        "SET invoices = :ordinal, issue_date = :day ADD unpaid :unpaid",
        {":ordinal": key.ordinal, ":day": day, ":unpaid": unpaid, **after_account},
        "invoices = :before" if after_account else NEW,
    )
    yield update(
        INVOICES,
        (account_partition(key.org_id, key.account_id), f"day#{day}"),
        "SET first_ordinal = if_not_exists(first_ordinal, :ordinal), last_ordinal = :ordinal",
        {":ordinal": key.ordinal},
    )
    yield put(
        INVOICES,
        (f"number#{key.org_id}#{series}", f"{int(sequence):010}"),
        {
            "account_id": key.account_id,
            "ordinal_of_account": key.ordinal,
            "hash_of_record": summary.hash,
            "previous_hash": last.hash,
        },
    )
    yield put(INVOICES, summary_key(key), summary_item(summary))
    yield put(INVOICES, document_key(key), {"record": document})


def write_unpaid(invoice: IssuedInvoice) -> list[Write]:
    description = {"description": invoice.description}
    return [
        put(INVOICES, unpaid_key(invoice.key), description),
        count_unpaid_of_block(invoice.key, 1),
    ]


def settle(summary: InvoiceSummary, settlement: Settlement) -> Iterator[Write]:
    """Move an invoice from one settlement to the next; a settled one leaves the unpaid."""
    key, before = summary.key, summary.settlement
    yield update(
        INVOICES,
        summary_key(key),
        "SET paid = :paid, credited = :credited, settled_at = :settled_at",
        {
            **{f":{name}": value for name, value in settlement_item(settlement).items()},
            ":paid_before": before.paid.minor,
            ":credited_before": before.credited.minor,
        },
        "paid = :paid_before AND credited = :credited_before",
    )
    if is_closed_by(settlement, summary):
        yield delete(INVOICES, unpaid_key(key))
        yield count_unpaid_of_block(key, -1)


def is_closed_by(settlement: Settlement, summary: InvoiceSummary) -> bool:
    return bool(settlement.settled_at and not summary.settlement.settled_at)


def count_unpaid(key: InvoiceKey, more: int) -> Write:
    totals = totals_key(key.org_id, key.account_id)
    return update(INVOICES, totals, "ADD unpaid :more", {":more": more})


def count_unpaid_of_block(key: InvoiceKey, more: int) -> Write:
    block = f"unpaid-block#{key.ordinal // BLOCK:010}"
    account = account_partition(key.org_id, key.account_id)
    return update(INVOICES, (account, block), "ADD unpaid :more", {":more": more})


def summary_item(summary: InvoiceSummary) -> Item:
    head = {
        "number": summary.number,
        "hash": summary.hash,
        "kind": summary.kind,
        "issued_at": instant(summary.issued_at),
        "issue_date": summary.issue_date.isoformat(),
        "due_date": summary.due_date.isoformat(),
        "time_zone": summary.time_zone,
        "currency": summary.gross.currency,
        "net": summary.net.minor,
        "gross": summary.gross.minor,
        "delivery_mode": summary.delivery_mode,
        "cycle": period_record(summary.cycle),
    }
    return {
        "ordinal": summary.key.ordinal,
        "description": summary.description,
        "head": to_json(head),
        **settlement_item(summary.settlement),
    }


def settlement_item(settlement: Settlement) -> Item:
    return {
        "paid": settlement.paid.minor,
        "credited": settlement.credited.minor,
        "settled_at": settlement.settled_at and instant(settlement.settled_at),
    }


# ---------------------------------------------------------------- what is read


def get_invoices(*keys: Key) -> dict[Key, Item]:
    return get_all(*((INVOICES, key) for key in keys))


def get_ends(
    org_id: str, account_id: str, series: str, *more: Key
) -> tuple[dict[Key, Item], Position]:
    """Read what the next document follows, and other items with it."""
    of_series, of_account = series_key(org_id, series), totals_key(org_id, account_id)
    found = get_invoices(of_series, of_account, *more)
    series_end, account_end = found.get(of_series, {}), found.get(of_account, {})
    dates = [end["issue_date"] for end in (series_end, account_end) if "issue_date" in end]
    return found, Position(
        sequence=int(series_end.get("last_sequence", 0)),
        hash=series_end.get("last_hash", ""),
        ordinal=int(account_end.get("invoices", 0)),
        issue_date=date.fromisoformat(max(dates)) if dates else None,
    )


def get_profiles(org_id: str, account_id: str) -> tuple[Org, Account, OwnRates]:
    """Read who bills, who is billed, and the org's own rates of tax."""
    org_at, rates_at = (f"org#{org_id}", "profile"), (f"org#{org_id}", "taxes")
    account_at = (f"account#{org_id}#{account_id}", "profile")
    found = get_all(*((ACCOUNTS, key) for key in (org_at, account_at, rates_at)))
    for key, what in ((account_at, "account"), (org_at, "org")):
        if key not in found:
            raise NotFoundError(f"The {what} has no billing profile; PUT one first.")
    return (
        to_org(json.loads(found[org_at]["profile"])),
        to_account(json.loads(found[account_at]["profile"])),
        to_own_rates(found[rates_at]) if rates_at in found else OwnRates(),
    )


def to_own_rates(item: Item) -> OwnRates:
    record: dict[str, list[Any]] = json.loads(item["rates"])
    return OwnRates(
        version=int(item["version"]),
        by_province={
            int(state_id): [
                Rate(date.fromisoformat(rate["valid_from"]), to_tax(rate["tax"])) for rate in rates
            ]
            for state_id, rates in record.items()
        },
    )


def to_creditable(
    key: InvoiceKey, summary: Item | None, document: Item | None, credits_: Item | None
) -> Creditable:
    if summary is None or document is None:
        raise NotFoundError
    invoice = read_document(document)
    lines = json.loads(credits_["lines"]) if credits_ else {}
    return Creditable(
        invoice=invoice,
        summary=to_summary(key, summary),
        credited={int(number): Money(net, invoice.currency) for number, net in lines.items()},
    )


def read_document(item: Item) -> IssuedInvoice:
    return to_invoice(json.loads(zlib.decompress(item["record"].value)))


def to_summary(key: InvoiceKey, item: Item) -> InvoiceSummary:
    head = json.loads(item["head"])
    currency, settled_at = head["currency"], item["settled_at"]
    return InvoiceSummary(
        key=key,
        number=head["number"],
        hash=head["hash"],
        kind=InvoiceKind(head["kind"]),
        issued_at=to_instant(head["issued_at"]),
        issue_date=date.fromisoformat(head["issue_date"]),
        due_date=date.fromisoformat(head["due_date"]),
        time_zone=head["time_zone"],
        description=item["description"],
        net=Money(head["net"], currency),
        gross=Money(head["gross"], currency),
        delivery_mode=DeliveryMode(head["delivery_mode"]),
        cycle=to_period(head["cycle"]),
        settlement=Settlement(
            paid=Money(int(item["paid"]), currency),
            credited=Money(int(item["credited"]), currency),
            settled_at=to_instant(settled_at) if settled_at else None,
        ),
    )


# ---------------------------------------------------------------- where it stands


def account_partition(org_id: str, account_id: str) -> str:
    return f"account#{org_id}#{account_id}"


def partition(key: InvoiceKey) -> str:
    return f"invoice#{key.org_id}#{key.account_id}#{key.ordinal}"


def summary_key(key: InvoiceKey) -> Key:
    return account_partition(key.org_id, key.account_id), f"invoice#{key.ordinal:010}"


def unpaid_key(key: InvoiceKey) -> Key:
    return account_partition(key.org_id, key.account_id), f"unpaid#{key.ordinal:010}"


def totals_key(org_id: str, account_id: str) -> Key:
    return account_partition(org_id, account_id), "unpaid#totals"


def document_key(key: InvoiceKey) -> Key:
    return partition(key), "document"


def pdf_key(key: InvoiceKey) -> Key:
    return partition(key), "pdf"


def credits_key(key: InvoiceKey) -> Key:
    return partition(key), "credits"


def series_key(org_id: str, series: str) -> Key:
    return f"series#{org_id}", series
