"""Movements and adjustments: charges and allowances on subscriptions and on accounts."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response, content_types
from aws_lambda_powertools.utilities.typing import LambdaContext

from billing import clock
from billing.api import cursors
from billing.api.access import READER, WRITER
from billing.api.app import BillingApp, created, no_content
from billing.api.locations import location
from billing.api.logger import logger
from billing.api.params import (
    AccountId,
    AdjustmentId,
    Cursor,
    Limit,
    MovementId,
    OrgId,
    SubscriptionId,
)
from billing.dialects.v1.adjustments import (
    AccountAdjustmentRequestDTO,
    AccountAdjustmentResponseDTO,
)
from billing.dialects.v1.common import GenericCreatedResponseDTO
from billing.dialects.v1.movements import MovementListDTO, MovementRequestDTO, MovementResponseDTO
from billing.dialects.v1.refunds import RefundListDTO, RefundResponseDTO
from billing.domain.adjustments import AdjustmentKey
from billing.domain.invoices import InvoiceKey
from billing.domain.movements import Movement, MovementKey
from billing.persistence.accounts import AccountRepository
from billing.persistence.adjustments import AdjustmentRepository
from billing.persistence.cycles import CycleRepository
from billing.persistence.exchange_rates import ExchangeRateRepository
from billing.persistence.invoices import InvoiceRepository
from billing.persistence.movements import MovementRepository
from billing.persistence.refunds import RefundRepository
from billing.persistence.subscriptions import SubscriptionRepository
from billing.services.record_adjustment import record_adjustment
from billing.services.record_movement import record_movement
from billing.services.withdraw_movement import withdraw_movement

app = BillingApp()

MOVEMENTS = "/v1/orgs/<orgId>/subscription/<subscriptionId>/movement"
ADJUSTMENTS = "/v1/orgs/<orgId>/account/<accountId>/adjustment"


@app.post(MOVEMENTS, security=WRITER, status_code=201, tags=["v1 movements"])
def create_movement(
    org_id: OrgId, subscription_id: SubscriptionId, request: MovementRequestDTO
) -> Response[GenericCreatedResponseDTO]:
    """Charge something to a subscription, or allow it something, in the account's open cycle

    Use it for each charge as it arises, recurring or not, and for each allowance: the next billing
    run puts it on an invoice.

    A token of all accounts registers a new subscription with its first movement; any other uses
    those that are registered to its accounts.

    Refused with 409 if the account is closed (`ACCOUNT_CLOSED`), the subscription belongs to
    another account (`SUBSCRIPTION_TAKEN`), no exchange rate is known for the currency
    (`RATE_MISSING`), or the movement of this request was deleted (`MOVEMENT_DELETED`).
    """
    app.caller.must_reach(request.account_id)
    recorded = record_movement(
        org_id,
        subscription_id,
        request.to_domain(),
        request.external_id(request.external_movement_unique_id, subscription_id),
        now=clock.now(),
        reach=app.caller.reach,
        org_time=app.org_time(),
        movements=MovementRepository(),
        rates=ExchangeRateRepository(),
    )
    path = location(org_id, "movement", subscription_id, recorded.id)
    return created(GenericCreatedResponseDTO(id=recorded.id), recorded, path)


@app.get(MOVEMENTS, security=READER, tags=["v1 movements"])
def list_movements(
    org_id: OrgId, subscription_id: SubscriptionId, cursor: Cursor = None, limit: Limit = 25
) -> MovementListDTO:
    """List a subscription's movements, newest first

    Use it to show what a subscription was charged, billed or not.
    """
    scope = (app.caller.token_id, org_id, subscription_id)
    after = cursors.decode(cursor, *scope)
    rows = MovementRepository().list_page(org_id, subscription_id, after, limit + 1)
    subscriptions = SubscriptionRepository()
    owner_id = rows[0].account_id if rows else subscriptions.get_owner(org_id, subscription_id)
    app.caller.must_find(owner_id)
    page, next_cursor = cursors.page(rows, limit, lambda each: each.key.id, *scope)
    return MovementListDTO(
        movements=_responses(page),
        next_cursor=next_cursor,
    )


@app.get(f"{MOVEMENTS}/<movementId>", security=READER, tags=["v1 movements"])
def get_movement(
    org_id: OrgId, subscription_id: SubscriptionId, movement_id: MovementId
) -> MovementResponseDTO:
    """Get a movement, with its refunded and its refundable amount

    Use it before a refund, to see how much can still be refunded, and to find the invoice that
    charges it.
    """
    movement = MovementRepository().get(MovementKey(org_id, subscription_id, movement_id))
    app.caller.must_find(movement.account_id)
    [response] = _responses([movement])
    return response


@app.delete(f"{MOVEMENTS}/<movementId>", security=WRITER, status_code=204, tags=["v1 movements"])
def delete_movement(
    org_id: OrgId, subscription_id: SubscriptionId, movement_id: MovementId
) -> Response[None]:
    """Delete a movement while its cycle is open and nothing of it is refunded

    Use it for a charge that was a mistake, as long as it is not billed; later, refund it.

    It is never billed then. Its external id stays used.

    Refused with 409 if its cycle is closed (`MOVEMENT_NOT_PENDING`), or something of it is refunded
    (`MOVEMENT_REFUNDED`).
    """
    withdraw_movement(
        MovementKey(org_id, subscription_id, movement_id),
        reach=app.caller.reach,
        movements=MovementRepository(),
    )
    return no_content()


@app.get(f"{MOVEMENTS}/<movementId>/refund", security=READER, tags=["v1 refunds"])
def list_refunds(
    org_id: OrgId,
    subscription_id: SubscriptionId,
    movement_id: MovementId,
    cursor: Cursor = None,
    limit: Limit = 25,
) -> RefundListDTO:
    """List a movement's refunds, newest first

    Use it to see what was given back of a charge.
    """
    key = MovementKey(org_id, subscription_id, movement_id)
    scope = (app.caller.token_id, org_id, subscription_id, movement_id)
    after = cursors.decode(cursor, *scope)
    movement = MovementRepository().get(key)
    app.caller.must_find(movement.account_id)
    rows = RefundRepository().list_page(key, after, limit + 1)
    page, next_cursor = cursors.page(rows, limit, lambda each: each.key.id, *scope)
    closed = CycleRepository().find_closed(
        org_id, movement.account_id, {each.cycle for each in page}
    )
    return RefundListDTO(
        refunds=[RefundResponseDTO.from_domain(each, closed) for each in page],
        next_cursor=next_cursor,
    )


@app.post(ADJUSTMENTS, security=WRITER, status_code=201, tags=["v1 movements"])
def create_adjustment(
    org_id: OrgId, account_id: AccountId, request: AccountAdjustmentRequestDTO
) -> Response[GenericCreatedResponseDTO]:
    """Charge something to an account itself, or allow it something, in its open cycle

    Use it for what concerns the customer and no subscription, such as a discount or a fee: the next
    billing run puts it behind the charges of all subscriptions.

    Refused with 409 if the account is closed (`ACCOUNT_CLOSED`), or no exchange rate is known for
    the currency (`RATE_MISSING`).
    """
    recorded = record_adjustment(
        org_id,
        account_id,
        request.to_domain(),
        request.external_id(request.external_adjustment_unique_id, account_id),
        now=clock.now(),
        org_time=app.org_time(),
        adjustments=AdjustmentRepository(),
        rates=ExchangeRateRepository(),
    )
    path = location(org_id, "adjustment", account_id, recorded.id)
    return created(GenericCreatedResponseDTO(id=recorded.id), recorded, path)


@app.get(ADJUSTMENTS, security=READER, tags=["v1 movements"])
def list_adjustments(
    org_id: OrgId, account_id: AccountId, cursor: Cursor = None, limit: Limit = 25
) -> Response[list[AccountAdjustmentResponseDTO]]:
    """List an account's adjustments, newest first

    Use it to show what was charged to the account itself.

    The answer is an array. Where more follow, the header `next-cursor` has the `cursor` of the next
    page.
    """
    scope = (app.caller.token_id, org_id, account_id, "adjustment")
    after = cursors.decode(cursor, *scope)
    rows = AdjustmentRepository().list_page(org_id, account_id, after, limit + 1)
    if not rows:
        AccountRepository().get_account(org_id, account_id)
    page, next_cursor = cursors.page(rows, limit, lambda each: each.key.id, *scope)
    return Response(
        HTTPStatus.OK,
        content_types.APPLICATION_JSON,
        [AccountAdjustmentResponseDTO.from_domain(each) for each in page],
        {"next-cursor": next_cursor} if next_cursor else {},
    )


@app.get(f"{ADJUSTMENTS}/<adjustmentId>", security=READER, tags=["v1 movements"])
def get_adjustment(
    org_id: OrgId, account_id: AccountId, adjustment_id: AdjustmentId
) -> AccountAdjustmentResponseDTO:
    """Get an adjustment of an account

    Use it to look at one adjustment, such as the one that a 409 names.
    """
    key = AdjustmentKey(org_id, account_id, adjustment_id)
    return AccountAdjustmentResponseDTO.from_domain(AdjustmentRepository().get(key))


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)


def _responses(movements: Sequence[Movement]) -> list[MovementResponseDTO]:
    """Describe movements of one account, with the documents that bill them."""
    if not movements:
        return []
    org_id, account_id = movements[0].key.org_id, movements[0].account_id
    closed = CycleRepository().find_closed(org_id, account_id, {each.cycle for each in movements})
    parts = [each.part(closed) for each in movements]
    charged = {part.ordinal for part in parts if part and part.ordinal and not part.is_credit}
    originals = InvoiceRepository().get_creditables(
        [InvoiceKey(org_id, account_id, ordinal) for ordinal in sorted(charged)]
    )
    return [
        MovementResponseDTO.from_domain(
            movement,
            invoice_id=part.ordinal if part else None,
            original=originals.get(InvoiceKey(org_id, account_id, part.ordinal))
            if part and part.ordinal
            else None,
        )
        for movement, part in zip(movements, parts, strict=True)
    ]
