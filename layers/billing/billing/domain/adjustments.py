"""Adjustments: what is charged to an account itself, or allowed to it, without a subscription."""

from dataclasses import dataclass
from datetime import date, datetime

from billing.domain.cycles import OpenCycle
from billing.domain.errors import AccountClosedError
from billing.domain.movements import ALLOWANCE_RANK, OperationType, Surroundings, line_key
from billing.domain.periods import Moment, MomentPeriod
from billing.domain.tax import AskedAmount, Tax, TaxedAmount

_BEHIND_SUBSCRIPTIONS = "~"
"""No id has this character, and all ids sort before it."""


@dataclass(frozen=True, slots=True)
class AdjustmentKey:
    """The key of an adjustment."""

    org_id: str
    account_id: str
    id: str


@dataclass(frozen=True, slots=True)
class NewAdjustment:
    """An adjustment as it is asked for."""

    at: Moment
    period: MomentPeriod | None
    amount: AskedAmount
    operation_type: OperationType
    external_id: str
    description: str
    transaction_type_id: str | None


@dataclass(frozen=True, slots=True)
class Adjustment:
    """
    A charge or an allowance on an account; it never changes.

    `currency` and `tax` are what is charged, whether the request names them or not. `cycle` is the
    day on which its cycle ends.
    """

    key: AdjustmentKey
    request: NewAdjustment
    currency: str
    tax: Tax
    cycle: date
    created_at: datetime

    @classmethod
    def charged(
        cls,
        key: AdjustmentKey,
        request: NewAdjustment,
        to: Surroundings,
        cycle: OpenCycle,
        now: datetime,
    ) -> "Adjustment":
        """
        Create an adjustment in the open cycle.

        Raise AccountClosedError, and InvalidRequestError where the amount cannot be right.
        """
        if to.account.closed:
            raise AccountClosedError
        amount = to.taxed(request.amount, request.period or request.at)
        return cls(key, request, amount.gross.currency, amount.tax, cycle.ends_on, now)

    @property
    def amount(self) -> TaxedAmount:
        return self.request.amount.taxed(self.currency, self.tax)

    @property
    def line_key(self) -> str:
        """Return the key of its line: behind those of all subscriptions, charges first."""
        is_allowance = self.request.operation_type is OperationType.CREDIT
        rank = ALLOWANCE_RANK if is_allowance else 0
        return line_key(self.tax, _BEHIND_SUBSCRIPTIONS, rank, self.key.id)
