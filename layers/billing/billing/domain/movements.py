"""Movements: what is charged to a subscription, or allowed to it, and how much can be refunded."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from billing.domain.credit_notes import Creditable
from billing.domain.cycles import ClosedCycles, OpenCycle, Part
from billing.domain.declarable import check_period
from billing.domain.errors import (
    AccountClosedError,
    FieldError,
    InvalidRequestError,
    MovementNotRefundableError,
    NotFoundError,
    RefundExceedsMovementError,
    SubscriptionTakenError,
)
from billing.domain.money import Money
from billing.domain.parties import Account, Org
from billing.domain.periods import Moment, MomentPeriod, local_date, next_billing_date
from billing.domain.tax import AskedAmount, Tax, TaxedAmount
from billing.domain.tax_rates import NO_OWN_RATES, OwnRates
from billing.domain.tokens import Reach
from billing.domain.vat import Supply


class OperationType(StrEnum):
    """The direction of the money: a charge, or an allowance."""

    DEBIT = "DEBIT"
    CREDIT = "CREDIT"


class MovementKind(StrEnum):
    """The purpose of a movement."""

    RECURRING = "recurring"
    USAGE = "usage"
    ONE_OFF = "one_off"
    DISCOUNT = "discount"
    ADJUSTMENT = "adjustment"


_RANKS = (
    MovementKind.RECURRING,
    MovementKind.USAGE,
    MovementKind.ONE_OFF,
    MovementKind.ADJUSTMENT,
    MovementKind.DISCOUNT,
)
"""The order of a subscription's charges on a document."""
USAGE_RANK = _RANKS.index(MovementKind.USAGE)
ALLOWANCE_RANK = len(_RANKS)
REFUND_RANK = len(_RANKS) + 1
"""Allowances of all kinds come behind the charges; refunds of earlier movements come last."""


def line_key(tax: Tax, subscription_id: str, rank: int, *ids: str) -> str:
    """
    Return the key that a line of a cycle sorts by; `#` sorts before all characters of ids.

    The lines of one document come together.
    """
    return tax.document + "#".join([subscription_id, f"{rank:02}", *ids])


@dataclass(frozen=True, slots=True)
class MovementKey:
    """The key of a movement."""

    org_id: str
    subscription_id: str
    id: str


@dataclass(frozen=True, slots=True)
class NewMovement:
    """A movement as it is asked for."""

    account_id: str
    at: Moment
    period: MomentPeriod | None
    amount: AskedAmount
    operation_type: OperationType
    kind: MovementKind
    external_id: str
    description: str
    transaction_type_id: str | None = None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """
    The context of a new movement.

    `owner_id` is the account that the subscription belongs to, and `cycle` the open cycle of the
    movement's account; either is None where this movement is the first. What is charged to the
    account itself has no subscription, and no owner.
    """

    org: Org
    account: Account
    owner_id: str | None
    cycle: OpenCycle | None
    rates: OwnRates = NO_OWN_RATES

    def check_reach(self, reach: Reach) -> None:
        """
        Check that a caller may use the subscription.

        Raise NotFoundError if it is not registered to an account that the caller reaches, whether
        it belongs to another account or to none. A caller of all accounts may use a new one.
        """
        if not (reach.is_all if self.owner_id is None else reach.includes(self.owner_id)):
            raise NotFoundError

    def check_period(self, period: MomentPeriod | None, now: datetime) -> date | None:
        """
        Return the last day of a period.

        Raise InvalidRequestError where the org declares what it supplied too long ago.
        """
        last_day = period.last_day(self.account.time_zone) if period else None
        check_period(last_day, self.org, now, "period_end_datetime")
        return last_day

    @property
    def currency(self) -> str:
        """Return the currency of amounts that name none."""
        return self.account.currency or self.org.currency

    def taxed(self, amount: AskedAmount, supplied: Moment | MomentPeriod) -> TaxedAmount:
        """
        Return an amount with its treatment.

        The day of supply decides, which is the last day of a period.
        """
        zone = self.account.time_zone
        if isinstance(supplied, MomentPeriod):
            day = supplied.last_day(zone)
        else:
            day = supplied.local_date(zone)
        tax = Supply(self.org, self.account, self.rates).tax(amount.tax, day, "amount.tax")
        return amount.taxed(self.currency, tax)


@dataclass(frozen=True, slots=True)
class Movement:
    """
    A charge or an allowance; but for `refunded` and `refunded_net` it never changes.

    `currency` and `tax` are what is charged, whether the request names them or not, and stay so
    whatever becomes of the profiles. `cycle` is the
    day on which its cycle ends. `billing_day` and `time_zone` are the account's on the day it was
    made: by them the open cycle of a later day can be guessed.
    """

    key: MovementKey
    request: NewMovement
    currency: str
    tax: Tax
    cycle: date
    billing_day: int
    time_zone: str
    created_at: datetime
    refunded: Money
    refunded_net: Money

    @classmethod
    def charged(
        cls,
        key: MovementKey,
        request: NewMovement,
        to: Surroundings,
        cycle: OpenCycle,
        now: datetime,
    ) -> "Movement":
        """
        Create a movement in the open cycle.

        Raise AccountClosedError, SubscriptionTakenError where the subscription belongs to another
        account, and InvalidRequestError where the amount cannot be right.
        """
        if to.account.closed:
            raise AccountClosedError
        if to.owner_id not in (None, request.account_id):
            raise SubscriptionTakenError
        amount = to.taxed(request.amount, request.period or request.at)
        currency = amount.gross.currency
        return cls(
            key=key,
            request=request,
            currency=currency,
            tax=amount.tax,
            cycle=cycle.ends_on,
            billing_day=to.account.billing_day,
            time_zone=to.account.time_zone,
            created_at=now,
            refunded=Money.zero(currency),
            refunded_net=Money.zero(currency),
        )

    @property
    def account_id(self) -> str:
        return self.request.account_id

    @property
    def amount(self) -> TaxedAmount:
        return self.request.amount.taxed(self.currency, self.tax)

    @property
    def line_key(self) -> str:
        """Return the key of its line on the document that bills it."""
        is_allowance = self.request.operation_type is OperationType.CREDIT
        rank = ALLOWANCE_RANK if is_allowance else _RANKS.index(self.request.kind)
        return line_key(self.tax, self.key.subscription_id, rank, self.key.id)

    def refundable(self, original: Creditable | None) -> Money:
        """
        Return the largest amount of a billable refund, with tax; zero for an allowance.

        `original` is the invoice that charges the movement, None before there is one.
        """
        if self.request.operation_type is OperationType.CREDIT:
            return Money.zero(self.currency)
        left = self.amount.gross - self.refunded
        number = original.line_of(self.key.id) if original else None
        if original is None or number is None:
            return left
        net = original.refundable_net(number)
        if self.amount.net - self.refunded_net <= net:
            return left
        return min(left, net + self.tax.on(net))

    def likely_cycle(self, now: datetime) -> date:
        """Return the cycle that is probably open; only a write makes sure."""
        return max(self.cycle, next_billing_date(self.billing_day, local_date(now, self.time_zone)))

    def _wrong_tax(self, asked: Tax | None) -> dict[str, str]:
        """Say what of the tax that a refund names is not the movement's."""
        own = {
            "type": self.tax.type,
            "percentage": f"{self.tax.percentage:f}",
            "category": self.tax.category,
            "exemption_reason": self.tax.reason,
        }
        return {
            f"amount.tax.{field}": f"the movement's is {own[field]}"
            if own[field]
            else "the movement has none"
            for field in (self.tax.differences(asked) if asked else ())
        }

    def part(self, closed: ClosedCycles) -> Part | None:
        """Return the document that bills it, None before there is one."""
        cycle = closed.get(self.cycle)
        return cycle.part_of(self.currency, self.line_key) if cycle else None

    def check_refund(
        self, asked: AskedAmount, period: MomentPeriod | None, freed: TaxedAmount | None = None
    ) -> TaxedAmount:
        """
        Return the amount of a refund, or of one that frees an earlier amount by replacing it.

        Raise MovementNotRefundableError where the movement is an allowance, InvalidRequestError
        naming all that is not as in the movement, and RefundExceedsMovementError where less is
        left of it.
        """
        if self.request.operation_type is not OperationType.DEBIT:
            raise MovementNotRefundableError
        amount, own = asked.taxed(self.currency, asked.tax or self.tax), self.request
        wrong = {
            "amount.value_with_taxes": amount.gross.minor <= 0 and "must be more than 0",
            "amount.value_without_taxes": amount.net.minor <= 0 and "must be more than 0",
            "amount.currency": amount.gross.currency != self.currency
            and f"the movement is in {self.currency}",
            **self._wrong_tax(asked.tax),
            "period_start_datetime": own.period is not None
            and period is not None
            and not own.period.contains(period)
            and f"the period is not inside the movement's, "
            f"{own.period.start.text} to {own.period.end.text}",
        }
        details = [FieldError(field, message) for field, message in wrong.items() if message]
        if details:
            raise InvalidRequestError("The refund does not match the movement.", *details)
        left = self.amount.gross - self.refunded
        left_net = self.amount.net - self.refunded_net
        if freed:
            left, left_net = left + freed.gross, left_net + freed.net
        if left < amount.gross:
            raise RefundExceedsMovementError(
                f"The refund ({amount.gross}) exceeds the refundable amount of the movement "
                f"({left})."
            )
        if left_net < amount.net:
            raise RefundExceedsMovementError(
                f"The refund without tax ({amount.net}) exceeds the refundable amount without tax "
                f"({left_net})."
            )
        return amount
