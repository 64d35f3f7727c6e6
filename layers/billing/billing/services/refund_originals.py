"""Find the invoice that a billable refund of a movement reserves its amount on."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from billing.domain.credit_notes import Creditable
from billing.domain.cycles import ClosedCycle
from billing.domain.errors import CycleBeingBilledError
from billing.domain.invoices import InvoiceKey
from billing.domain.money import Money
from billing.domain.movements import Movement
from billing.domain.refunds import Refund, Reservation


class Invoices(Protocol):
    def get_creditables(self, keys: Sequence[InvoiceKey]) -> Mapping[InvoiceKey, Creditable]: ...


def original_of(
    movement: Movement, closed: ClosedCycle | None, invoices: Invoices
) -> Creditable | None:
    """
    Return the invoice that charges a movement, by its closed cycle.

    None where the cycle is open, or billed by a credit note: then a refund stands on the document
    of its own cycle. Raise CycleBeingBilledError where the documents are not issued yet.
    """
    if closed is None:
        return None
    if closed.documents is None:
        raise CycleBeingBilledError
    part = closed.part_of(movement.currency, movement.line_key)
    if part is None or part.ordinal is None or part.is_credit:
        return None
    key = InvoiceKey(movement.key.org_id, movement.account_id, part.ordinal)
    return invoices.get_creditables([key])[key]


def original_reserved(refund: Refund, invoices: Invoices) -> Creditable | None:
    """Return the invoice that a refund has reserved its amount on, with that given up."""
    if refund.reservation is None:
        return None
    ordinal, line = refund.reservation.ordinal, refund.reservation.line
    key = InvoiceKey(refund.key.movement.org_id, refund.account_id, ordinal)
    return invoices.get_creditables([key])[key].release(line, refund.amount.net)


def reserved(
    movement: Movement, refund: Refund, original: Creditable | None, freed: Money | None = None
) -> tuple[Reservation | None, Creditable | None]:
    """
    Reserve a billable refund on an invoice, if there is one; `freed` is what it had there before.

    Raise RefundNotCreditableError where less is left of it.
    """
    line = original.line_of(movement.key.id) if original else None
    if original is None or line is None or not refund.request.billable:
        return None, original
    after = original.reserve(line, refund.amount.net, freed)
    return Reservation(original.invoice.key.ordinal, line), after
