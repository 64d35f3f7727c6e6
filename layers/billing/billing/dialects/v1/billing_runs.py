"""v1 billing: billing runs, and how far they are."""

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import Field

from billing.dialects.fields import Date, Dto, ExternalIdText, Instant, NextCursor
from billing.domain.billing_runs import BillingRun, Failure, RunStatus


class BillingRunRequestDTO(Dto):
    """A billing run that is to be started."""

    until: Date | None = Field(
        None,
        description="Bill every cycle that ends on or before this day. Default and latest: today, "
        "in the time zone of the org.",
    )
    external_billing_run_unique_id: ExternalIdText = Field(
        description="Your own id, unique in the org. The same request sent again returns the first "
        "run."
    )


class BillingFailureDTO(Dto):
    """An account that could not be billed, or only in part."""

    account_id: str = Field(description="The account that could not be billed.")
    code: str = Field(
        description="Error code for programs; it never changes. Example: `TOO_LARGE`."
    )
    message: str = Field(description="What went wrong and what to do, for people to read.")


class BillingRunSummaryDTO(Dto):
    """The progress of a billing run, as lists show it."""

    id: str = Field(description="Id of the run; `daily-` and the day for one of the schedule.")
    until: Date = Field(description="The run bills every cycle that ends on or before this day.")
    created_at: Instant = Field(description="The instant at which the run was started, in UTC.")
    status: Annotated[RunStatus, Field(strict=False)] = Field(
        description="State of the run: `running` until every account is done."
    )
    accounts_total: int = Field(description="Number of accounts found to be due so far.")
    accounts_done: int = Field(
        description="The number of accounts that are finished: billed, or failed."
    )
    invoices_issued: int = Field(
        description="Number of documents issued: invoices and credit notes."
    )

    @classmethod
    def from_domain(cls, run: BillingRun) -> "BillingRunSummaryDTO":
        return cls(**_summary(run))


class BillingRunListDTO(Dto):
    """A page of billing runs, newest first."""

    billing_runs: list[BillingRunSummaryDTO] = Field(
        description="The runs of this page, newest first."
    )
    next_cursor: NextCursor

    @classmethod
    def from_domain(
        cls, page: Iterable[BillingRun], next_cursor: str | None
    ) -> "BillingRunListDTO":
        runs = [BillingRunSummaryDTO.from_domain(each) for each in page]
        return cls(billing_runs=runs, next_cursor=next_cursor)


class BillingRunResponseDTO(BillingRunSummaryDTO):
    """The progress of a billing run, and the accounts that it could not bill."""

    failures: list[BillingFailureDTO] = Field(
        description="Accounts that could not be billed, at most 1,000. The next run tries them "
        "again."
    )

    @classmethod
    def with_failures(cls, run: BillingRun, failures: Iterable[Failure]) -> "BillingRunResponseDTO":
        return cls(
            **_summary(run),
            failures=[
                BillingFailureDTO(account_id=each.account_id, code=each.code, message=each.message)
                for each in failures
            ],
        )


def _summary(run: BillingRun) -> dict[str, Any]:
    return {
        "id": run.id,
        "until": run.until,
        "created_at": run.created_at,
        "status": run.status,
        "accounts_total": run.accounts_total,
        "accounts_done": run.accounts_done,
        "invoices_issued": run.invoices_issued,
    }
