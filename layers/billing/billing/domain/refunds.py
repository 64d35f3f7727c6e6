"""Refunds: the money that is refunded for a movement."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from billing.domain.cycles import ClosedCycles
from billing.domain.errors import ExternalIdChangedError
from billing.domain.movements import REFUND_RANK, Movement, MovementKey, line_key
from billing.domain.periods import Moment, MomentPeriod
from billing.domain.tax import AskedAmount, Tax, TaxedAmount


class RefundStatus(StrEnum):
    """The state of a refund: a billed one is on a document, a settled one was paid elsewhere."""

    PENDING = "pending"
    BILLED = "billed"
    SETTLED = "settled"


@dataclass(frozen=True, slots=True)
class RefundKey:
    """The key of a refund."""

    movement: MovementKey
    id: str


@dataclass(frozen=True, slots=True)
class NewRefund:
    """
    A refund as it is asked for; only one of a billable kind is credited by a billing run.

    `transaction_type_id` is given for products that nobody can subscribe to, and for no others.
    """

    at: Moment
    period: MomentPeriod | None
    amount: AskedAmount
    billable: bool
    external_id: str | None
    external_invoice_id: str | None
    transaction_type_id: str | None
    description: str


@dataclass(frozen=True, slots=True)
class Reservation:
    """The invoice, by its ordinal, and the line of it that a billable refund will credit."""

    ordinal: int
    line: int


@dataclass(frozen=True, slots=True)
class Refund:
    """
    Money given back.

    `cycle` is the day on which its own cycle ends. Where its movement was invoiced before, it has
    a `reservation` there; else it is a line of its cycle's documents, by its `line_key`. `version`
    counts how often it was written.
    """

    key: RefundKey
    request: NewRefund
    account_id: str
    currency: str
    tax: Tax
    cycle: date
    line_key: str
    reservation: Reservation | None
    version: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def pending(
        cls,
        key: RefundKey,
        request: NewRefund,
        movement: Movement,
        cycle: date,
        now: datetime,
    ) -> "Refund":
        """Create a pending refund in a cycle. Raise what Movement.check_refund() raises."""
        movement.check_refund(request.amount, request.period)
        own = line_key(movement.tax, movement.key.subscription_id, REFUND_RANK, key.id)
        return cls(
            key=key,
            request=request,
            account_id=movement.account_id,
            currency=movement.currency,
            tax=movement.tax,
            cycle=cycle,
            line_key=f"{movement.line_key}#{key.id}" if cycle == movement.cycle else own,
            reservation=None,
            version=1,
            created_at=now,
            updated_at=now,
        )

    def says(self, request: NewRefund) -> bool:
        """Return whether a replacement changes nothing."""
        return self._in_full(self.request) == self._in_full(self._of_same_type(request))

    def replaced(self, request: NewRefund, movement: Movement, now: datetime) -> "Refund":
        """
        Return its next version; the external id and the type of transaction stay.

        Raise ExternalIdChangedError where the external id is another, or its first, and what
        Movement.check_refund() does.
        """
        external_id = self.request.external_id
        if external_id != request.external_id:
            raise ExternalIdChangedError(external_id)
        movement.check_refund(request.amount, request.period, freed=self.amount)
        return replace(
            self,
            request=self._of_same_type(request),
            version=self.version + 1,
            updated_at=now,
        )

    def _in_full(self, request: NewRefund) -> NewRefund:
        """Return an amount with the tax and the currency of the movement, unless it has others."""
        amount = request.amount
        is_other = amount.tax and self.tax.differences(amount.tax)
        tax, currency = amount.tax if is_other else self.tax, amount.currency or self.currency
        return replace(request, amount=replace(amount, tax=tax, currency=currency))

    def _of_same_type(self, request: NewRefund) -> NewRefund:
        return replace(request, transaction_type_id=self.request.transaction_type_id)

    @property
    def amount(self) -> TaxedAmount:
        return self.request.amount.taxed(self.currency, self.tax)

    @property
    def reserved_line(self) -> int:
        """Return the line of the invoice that it will credit."""
        if self.reservation is None:
            raise LookupError(f"refund {self.key.id} has no reservation")
        return self.reservation.line

    def status(self, closed: ClosedCycles) -> RefundStatus:
        """Return its state; it is pending until the documents of its cycle are issued."""
        cycle = closed.get(self.cycle)
        if cycle is None:
            return RefundStatus.PENDING
        if not self.request.billable:
            return RefundStatus.SETTLED
        return RefundStatus.BILLED if cycle.documents else RefundStatus.PENDING

    def invoice(self, closed: ClosedCycles) -> int | None:
        """
        Return the document that credits it, None before there is one.

        It is the credit note of the movement's invoice; where the movement was not invoiced
        before, it is the document that has the movement itself.
        """
        cycle = closed.get(self.cycle)
        if not self.request.billable or cycle is None or cycle.documents is None:
            return None
        if self.reservation:
            return cycle.documents.credit_notes[self.reservation.ordinal]
        part = cycle.part_of(self.currency, self.line_key)
        return part.ordinal if part else None
