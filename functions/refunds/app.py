"""Refunds: refund a movement; change and delete a refund while it is pending."""

from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response, content_types
from aws_lambda_powertools.utilities.typing import LambdaContext

from billing import clock
from billing.api.access import READER, WRITER
from billing.api.app import BillingApp, created, no_content
from billing.api.etags import etag, versions_in
from billing.api.locations import location
from billing.api.logger import logger
from billing.api.params import IfMatch, MovementId, OrgId, RefundId, SubscriptionId
from billing.dialects.v1.common import GenericCreatedResponseDTO
from billing.dialects.v1.refunds import (
    RefundNonSubscribableProductsRequestDTO,
    RefundReplacementDTO,
    RefundRequestDTO,
    RefundResponseDTO,
)
from billing.domain.idempotency import ExternalId
from billing.domain.movements import MovementKey
from billing.domain.refunds import NewRefund, RefundKey
from billing.persistence.cycles import CycleRepository
from billing.persistence.invoices import InvoiceRepository
from billing.persistence.refunds import RefundRepository
from billing.services.change_refund import replace_refund, withdraw_refund
from billing.services.issue_refund import issue_refund

app = BillingApp()

REFUNDS = "/v1/orgs/<orgId>/subscription/<subscriptionId>/movement/<movementId>/refund"
REFUND = f"{REFUNDS}/<refundId>"
TAGS = ["v1 refunds"]


@app.post(REFUNDS, security=WRITER, status_code=201, tags=TAGS)
def create_refund(
    org_id: OrgId,
    subscription_id: SubscriptionId,
    movement_id: MovementId,
    request: RefundRequestDTO,
) -> Response[GenericCreatedResponseDTO]:
    """Refund a movement, in whole or in part

    Use it to give money back for a charge. With `billable` a billing run credits it; without, you
    have settled it elsewhere, and it only counts against the charge.

    Refused with 409 if the movement is an allowance (`MOVEMENT_NOT_REFUNDABLE`), less is left of it
    (`REFUND_EXCEEDS_MOVEMENT`) or of its invoice (`REFUND_NOT_CREDITABLE`, also where one credit
    note would have too many rates of tax), it is being invoiced at this moment
    (`CYCLE_BEING_BILLED`), or the refund of this request was deleted (`REFUND_WITHDRAWN`).
    """
    external = request.external_id(request.external_refund_unique_id, subscription_id, movement_id)
    return _issue(MovementKey(org_id, subscription_id, movement_id), request.to_domain(), external)


@app.post(f"{REFUNDS}/non_subscribable_products", security=WRITER, status_code=201, tags=TAGS)
def create_refund_of_non_subscribable_products(
    org_id: OrgId,
    subscription_id: SubscriptionId,
    movement_id: MovementId,
    request: RefundNonSubscribableProductsRequestDTO,
) -> Response[GenericCreatedResponseDTO]:
    """Refund products that cannot be subscribed to

    Use it for goods and services that were sold once. `amount` says whether a billing run credits
    it.

    Refused with 409 as any refund is: `MOVEMENT_NOT_REFUNDABLE`, `REFUND_EXCEEDS_MOVEMENT`,
    `REFUND_NOT_CREDITABLE`, `CYCLE_BEING_BILLED`, `REFUND_WITHDRAWN`. Sent again with an external
    id, it creates nothing more; without one, each request creates a refund.
    """
    value = request.external_refund_unique_id
    external = request.external_id(value, subscription_id, movement_id) if value else None
    return _issue(MovementKey(org_id, subscription_id, movement_id), request.to_domain(), external)


@app.get(REFUND, security=READER, tags=TAGS)
def get_refund(
    org_id: OrgId, subscription_id: SubscriptionId, movement_id: MovementId, refund_id: RefundId
) -> Response[RefundResponseDTO]:
    """Retrieve a billing refund

    Use it to see whether a refund was credited, and by which document.
    """
    refund = RefundRepository().get(_key(org_id, subscription_id, movement_id, refund_id))
    app.caller.must_find(refund.account_id)
    closed = CycleRepository().find_closed(org_id, refund.account_id, [refund.cycle])
    return Response(
        HTTPStatus.OK,
        content_types.APPLICATION_JSON,
        RefundResponseDTO.from_domain(refund, closed),
        {"ETag": etag(refund.version)},
    )


@app.put(REFUND, security=WRITER, status_code=204, tags=TAGS)
def put_refund(
    org_id: OrgId,
    subscription_id: SubscriptionId,
    movement_id: MovementId,
    refund_id: RefundId,
    request: RefundReplacementDTO,
    if_match: IfMatch = None,
) -> Response[None]:
    """Replace a pending refund; its external id cannot change

    Use it to correct a refund before it is billed.

    Refused with 409 if its cycle is closed (`REFUND_NOT_PENDING`), less is left
    (`REFUND_EXCEEDS_MOVEMENT`, `REFUND_NOT_CREDITABLE`), the movement is being invoiced
    (`CYCLE_BEING_BILLED`), or the external id is another (`EXTERNAL_ID_CHANGED`).
    """
    version = replace_refund(
        _key(org_id, subscription_id, movement_id, refund_id),
        request.to_domain(),
        versions=versions_in(if_match),
        now=clock.now(),
        reach=app.caller.reach,
        refunds=RefundRepository(),
        cycles=CycleRepository(),
        invoices=InvoiceRepository(),
    )
    return no_content(ETag=etag(version))


@app.delete(REFUND, security=WRITER, status_code=204, tags=TAGS)
def delete_refund(
    org_id: OrgId,
    subscription_id: SubscriptionId,
    movement_id: MovementId,
    refund_id: RefundId,
    if_match: IfMatch = None,
) -> Response[None]:
    """Delete a pending refund, so that its amount can be refunded again

    Use it for a refund that was a mistake, before it is billed.

    Refused with 409 if its cycle is closed (`REFUND_NOT_PENDING`). Its external id stays used.
    """
    withdraw_refund(
        _key(org_id, subscription_id, movement_id, refund_id),
        versions=versions_in(if_match),
        reach=app.caller.reach,
        refunds=RefundRepository(),
        invoices=InvoiceRepository(),
    )
    return no_content()


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)


def _issue(
    movement: MovementKey, request: NewRefund, external: ExternalId | None
) -> Response[GenericCreatedResponseDTO]:
    issued = issue_refund(
        movement,
        request,
        external,
        now=clock.now(),
        org_time=app.org_time(),
        reach=app.caller.reach,
        refunds=RefundRepository(),
        cycles=CycleRepository(),
        invoices=InvoiceRepository(),
    )
    path = location(movement.org_id, "refund", movement.subscription_id, movement.id, issued.id)
    return created(GenericCreatedResponseDTO(id=issued.id), issued, path)


def _key(org_id: str, subscription_id: str, movement_id: str, refund_id: str) -> RefundKey:
    return RefundKey(MovementKey(org_id, subscription_id, movement_id), refund_id)
