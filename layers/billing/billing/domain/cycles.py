"""Cycles: the open one that writes fall into, and the closed ones that were billed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from billing.domain.calendar import local_date, next_billing_date, period_at
from billing.domain.parties import Account


@dataclass(frozen=True, slots=True)
class OpenCycle:
    """
    The one cycle of an account that writes fall into.

    `ends_on` is the local day on which it ends and is billed, and its name; `starts_at` is UTC.
    """

    ends_on: date
    starts_at: datetime

    @classmethod
    def first(cls, account: Account, now: datetime) -> "OpenCycle":
        """Open the first cycle of an account: the billing period that now is in."""
        today = local_date(now, account.time_zone)
        return cls(
            ends_on=next_billing_date(account.billing_day, today),
            starts_at=period_at(account.billing_day, account.time_zone, now).start,
        )


@dataclass(frozen=True, slots=True)
class CycleDocuments:
    """
    What a billing run issued for a cycle, by the ordinals of its documents.

    `invoices` has the document of each currency that the cycle's movements were charged in;
    `credit_notes` has, for each earlier document, the credit note that corrects it.
    """

    invoices: Mapping[str, int]
    credit_notes: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class ClosedCycle:
    """A cycle that takes no more writes; its documents are None until they are issued."""

    ends_on: date
    documents: CycleDocuments | None

    def invoice_in(self, currency: str) -> int | None:
        """Tell which document bills the movements in a currency, where one does."""
        return self.documents.invoices.get(currency) if self.documents else None


type ClosedCycles = Mapping[date, ClosedCycle]
"""Closed cycles of one account by the day they ended on; what is not there is still open."""
