"""
v2 customers: snake_case, amounts as numbers in major units.

An account's invoices between two dates, and how a failure reads (seed of that dialect).
"""

from datetime import date, datetime
from http import HTTPStatus

from pydantic import Field

from billing.dialects.fields import Amount, Date, Dto, Instant
from billing.domain.errors import BillingError
from billing.domain.invoices import InvoiceStatus as Status
from billing.domain.invoices import InvoiceSummary
from billing.domain.periods import midnight


class ErrorMessage(Dto):
    """The reason why a request failed."""

    code: int = Field(description="The HTTP status code, such as 404.")
    status: str = Field(description="The name of the HTTP status, such as `Not Found`.")
    message: str = Field(description="What went wrong and what to do, for people to read.")
    detailMsg: str = Field(description="Every wrong field of the request, or what to do.")


Failure = ErrorMessage


def render(error: BillingError, status: HTTPStatus, message: str, _: str) -> str:
    """Return the body of a failed request; 405 has an empty one (seed 003)."""
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        return ""
    fields = "; ".join(f"{each.field}: {each.message}" for each in error.details)
    return ErrorMessage(
        code=status, status=status.phrase, message=message, detailMsg=fields or error.code
    ).model_dump_json()


class PeriodDate(Dto):
    """Two local dates, both included."""

    start_date: Date = Field(description="The first day of the range, included: yyyy-mm-dd.")
    end_date: Date = Field(description="The last day of the range, included: yyyy-mm-dd.")


class InvoiceStatus(Dto):
    """The status of an invoice: pending, paid, overdue or credited."""

    id: int = Field(description="Code of the status: 1 pending, 2 paid, 3 overdue, 4 credited.")
    value: str = Field(description="Name of the status: PENDIENTE, PAGADO, IMPAGADO or ABONADO.")


_PENDING = InvoiceStatus(id=1, value="PENDIENTE")
_STATUS = {
    Status.UNPAID: _PENDING,
    Status.PARTLY_PAID: _PENDING,
    Status.PAID: InvoiceStatus(id=2, value="PAGADO"),
    Status.OVERDUE: InvoiceStatus(id=3, value="IMPAGADO"),
    Status.CREDITED: InvoiceStatus(id=4, value="ABONADO"),
}


class InvoiceCycle(Dto):
    """The billing period that an invoice belongs to."""

    start_date: Instant = Field(description="The first instant of the billing period, in UTC.")
    end_date: Instant = Field(description="The first instant after the billing period, in UTC.")


class InvoiceInfoDetail(Dto):
    """One invoice."""

    value: Amount = Field(description="Total with tax, in major units; negative on a credit note.")
    delivery_mode: str = Field(
        description="How the account received the document: `EMAIL`, `PAPER` or `APPLICATION`."
    )
    date: Instant = Field(description="Start of the issue date, in UTC.")
    pay_date: Instant | None = Field(
        None,
        exclude_if=lambda pay_date: pay_date is None,
        description="Instant of the last payment, in UTC. Left out while an amount remains, and if "
        "nothing was paid.",
    )
    number: str = Field(
        description="The number that is printed on the document, such as `F2026-000001`."
    )
    path: str = Field(description="Name of the PDF; it is not an address.")
    status: InvoiceStatus = Field(
        description="Whether the document is pending, paid, overdue or credited."
    )
    cycle: InvoiceCycle = Field(description="Billing period that the document belongs to.")

    @classmethod
    def from_domain(cls, summary: InvoiceSummary, now: datetime) -> "InvoiceInfoDetail":
        return cls(
            value=summary.gross.major,
            delivery_mode=summary.delivery_mode.value,
            date=midnight(summary.issue_date, summary.time_zone),
            pay_date=summary.paid_at,
            number=summary.number,
            path=f"/invoices/{summary.issue_date:%Y%m%d}/{summary.number}.pdf",
            status=_STATUS[summary.status(now)],
            cycle=InvoiceCycle(start_date=summary.cycle.start, end_date=summary.cycle.end),
        )


class InvoiceInfoList(Dto):
    """The invoices of an account between two dates, newest first."""

    account_id: int = Field(
        description="The id of the account, as a number.", json_schema_extra={"format": "int64"}
    )
    period_date: PeriodDate = Field(description="The dates that were asked for.")
    invoices: list[InvoiceInfoDetail] = Field(
        description="The documents that were issued in the range, newest first."
    )

    @classmethod
    def from_domain(
        cls,
        account_id: str,
        start: date,
        end: date,
        summaries: list[InvoiceSummary],
        now: datetime,
    ) -> "InvoiceInfoList":
        return cls(
            account_id=int(account_id),
            period_date=PeriodDate(start_date=start, end_date=end),
            invoices=[InvoiceInfoDetail.from_domain(summary, now) for summary in summaries],
        )
