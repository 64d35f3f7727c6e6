"""Draft what the next billing run would issue for an account, and issue nothing."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from billing.domain.credit_notes import Creditable
from billing.domain.cycle_invoices import CycleContents, draft_bill, next_step
from billing.domain.cycles import BillableAccount, ClosingCycle
from billing.domain.invoices import Draft, InvoiceKey
from billing.domain.parties import Org


class Billing(Protocol):
    def get_billable(self, org_id: str, account_id: str) -> tuple[Org, BillableAccount | None]: ...

    def gather(self, org_id: str, cycles: Sequence[ClosingCycle]) -> list[CycleContents]: ...


class Invoices(Protocol):
    def get_creditables(self, keys: Sequence[InvoiceKey]) -> dict[InvoiceKey, Creditable]: ...


def preview_bill(
    org_id: str, account_id: str, *, billing: Billing, invoices: Invoices
) -> list[Draft]:
    """
    Return the drafts that a run would issue, if the open cycle ended now.

    A cycle that a run is billing at this moment comes first, with what is left of it.
    """
    org, account = billing.get_billable(org_id, account_id)
    if account is None:
        return []
    cycles = [*([account.closing] if account.closing else []), account.close()]
    drafts: list[Draft] = []
    originals: dict[InvoiceKey, Creditable] = {}
    for cycle, contents in zip(cycles, billing.gather(org_id, cycles), strict=True):
        left, is_done = cycle, False
        while not is_done:
            step = next_step(org, left, contents)
            keys = [InvoiceKey(org_id, account_id, each) for each in step.originals]
            unread = [key for key in keys if key not in originals]
            originals |= invoices.get_creditables(unread)
            bill = draft_bill(org, step, [originals[key] for key in keys])
            for key, note in zip(keys, bill.credit_notes, strict=True):
                after = replace(originals[key], credited=note.credited, reserved=note.reserved)
                originals[key] = after
            drafts += [*(note.draft for note in bill.credit_notes), *bill.invoices]
            # Any number stands for one that was issued.
            documents = bill.documents([0] * len(keys), [0] * len(bill.invoices))
            left, is_done = replace(left, documents=documents), step.is_last
    return drafts
