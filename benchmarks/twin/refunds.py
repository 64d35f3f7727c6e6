"""
The twin of the refunds group: the one route that is measured, POST refund.

It is an application of its own, as the product's is a function of its own.
"""

import json
import re
from datetime import UTC, date, datetime
from typing import Annotated, Self

from fastapi import Depends, Response
from mangum import Mangum
from pydantic import BeforeValidator, Field, PlainSerializer, model_validator

from billing.domain.errors import ContentionError, NotFoundError
from billing.domain.idempotency import ExternalId
from billing.domain.ids import new_id
from billing.domain.money import Money
from billing.domain.movements import (
    Movement,
    MovementKey,
    MovementKind,
    NewMovement,
    OperationType,
)
from billing.domain.periods import Moment, MomentPeriod
from billing.domain.records import (
    asked_record,
    instant,
    moments_record,
    tax_record,
    to_asked,
    to_instant,
    to_moments,
    to_tax,
)
from billing.domain.refunds import NewRefund, Refund, RefundKey
from billing.domain.tax import AskedAmount

from .models import (
    Created,
    Currency,
    ExternalIdText,
    Name,
    NotNegative,
    RequestModel,
    TaxRequest,
    Text,
)
from .store import (
    ConditionFailedError,
    Item,
    Key,
    Write,
    check,
    external_key,
    get,
    get_all,
    put,
    take,
    taken,
    to_json,
    transact,
    tries,
    update,
)
from .web import Authenticated, Id, create_app, reach_org, write

app = create_app()
lambda_handler = Mangum(app, lifespan="off")

ACCOUNTS, MOVEMENTS, REFUNDS = "ACCOUNTS_TABLE", "MOVEMENTS_TABLE", "REFUNDS_TABLE"
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)


def to_moment(value: object) -> Moment:
    if isinstance(value, str) and INSTANT.fullmatch(value):
        return Moment.of(value)
    raise ValueError("must be an instant as RFC 3339 writes it")


ExactInstant = Annotated[
    Moment, BeforeValidator(to_moment), PlainSerializer(lambda moment: moment.text, return_type=str)
]


class AmountRequest(RequestModel):
    value_with_taxes: NotNegative
    value_without_taxes: NotNegative
    tax: TaxRequest | None = None
    currency: Annotated[Currency | None, Field(exclude_if=lambda currency: currency is None)] = None


class RefundRequest(RequestModel):
    period_start_datetime: ExactInstant | None = None
    period_end_datetime: ExactInstant | None = None
    refund_datetime: ExactInstant
    external_invoice_id: Name | None = None
    description: Text
    amount: AmountRequest
    external_refund_unique_id: ExternalIdText
    billable: bool

    @model_validator(mode="after")
    def _whole_period(self) -> Self:
        start, end = self.period_start_datetime, self.period_end_datetime
        if (start is None) != (end is None):
            raise ValueError("give both ends of the period, or none")
        if start and end and not start <= end:
            raise ValueError("period_end_datetime is before period_start_datetime")
        return self

    def to_domain(self) -> NewRefund:
        start, end = self.period_start_datetime, self.period_end_datetime
        return NewRefund(
            at=self.refund_datetime,
            period=MomentPeriod(start, end) if start and end else None,
            amount=AskedAmount(
                gross=self.amount.value_with_taxes,
                net=self.amount.value_without_taxes,
                tax=self.amount.tax.to_domain() if self.amount.tax else None,
                currency=self.amount.currency,
            ),
            billable=self.billable,
            external_id=self.external_refund_unique_id,
            external_invoice_id=self.external_invoice_id,
            transaction_type_id=None,
            description=self.description,
        )


@app.post(
    "/v1/orgs/{org_id}/subscription/{subscription_id}/movement/{movement_id}/refund",
    status_code=201,
    dependencies=[Depends(reach_org), Depends(write)],
)
def create_refund(
    org_id: Id,
    subscription_id: Id,
    movement_id: Id,
    request: RefundRequest,
    response: Response,
    who: Authenticated,
) -> Created:
    now, movement_key = datetime.now(UTC), MovementKey(org_id, subscription_id, movement_id)
    external = request.external_id(request.external_refund_unique_id, subscription_id, movement_id)
    external_at = external_key(org_id, "refund", external)
    key, open_cycle = RefundKey(movement_key, new_id(now)), None
    for _ in tries():
        found = get_all((MOVEMENTS, movement_at(movement_key)), (REFUNDS, external_at))
        if movement_at(movement_key) not in found:
            raise NotFoundError
        movement = to_movement(found[movement_at(movement_key)])
        if not who.reaches(movement.account_id):
            raise NotFoundError
        if known := external.replayed(taken(found.get(external_at))):
            known_key = RefundKey(movement_key, known)
            item = get(REFUNDS, refund_at(known_key))
            response.headers["idempotent-replayed"] = "true"
            return created(response, known_key, int(item["version"]) if item else None)
        cycle = open_cycle or movement.likely_cycle(now)
        refund = Refund.pending(key, request.to_domain(), movement, cycle, now)
        try:
            transact(writes_of(refund, movement, external_at, external))
        except ConditionFailedError as error:
            if 0 in error.found:
                open_cycle = date.fromisoformat(error.found[0]["ends_on"]["S"])
        else:
            return created(response, key, refund.version)
    raise ContentionError


def created(response: Response, key: RefundKey, version: int | None) -> Created:
    movement = key.movement
    response.headers["Location"] = (
        f"/v1/orgs/{movement.org_id}/subscription/{movement.subscription_id}"
        f"/movement/{movement.id}/refund/{key.id}"
    )
    if version:
        response.headers["ETag"] = f'"{version}"'
    return Created(id=key.id)


def writes_of(
    refund: Refund, movement: Movement, external_at: Key, external: ExternalId
) -> list[Write]:
    """Write a refund, as long as its cycle is open and so much is left of the movement."""
    org_id, gross = movement.key.org_id, refund.amount.gross.minor
    open_cycle = (f"account#{org_id}#{refund.account_id}", "cycle")
    item = to_item(refund)
    writes = [
        check(ACCOUNTS, open_cycle, "ends_on = :cycle", {":cycle": refund.cycle.isoformat()}),
        put(REFUNDS, refund_at(refund.key), item),
        update(
            MOVEMENTS,
            movement_at(movement.key),
            "SET refunded = refunded + :more",
            {":more": gross, ":most": movement.amount.gross.minor - gross},
            "refunded <= :most",
        ),
        take(REFUNDS, external_at, refund.key.id, external),
    ]
    if refund.request.billable:
        cycle = f"cycle#{org_id}#{refund.account_id}#{refund.cycle}"
        copy = f"refund#{movement.key.subscription_id}#{movement.key.id}#{refund.key.id}"
        writes.append(put(MOVEMENTS, (cycle, copy), item, new=False))
    return writes


def movement_at(key: MovementKey) -> Key:
    return f"subscription#{key.org_id}#{key.subscription_id}", f"movement#{key.id}"


def refund_at(key: RefundKey) -> Key:
    movement = key.movement
    return (
        f"movement#{movement.org_id}#{movement.subscription_id}#{movement.id}",
        f"refund#{key.id}",
    )


def to_movement(item: Item) -> Movement:
    record = json.loads(item["record"])
    return Movement(
        key=MovementKey(record["org_id"], record["subscription_id"], record["id"]),
        request=NewMovement(
            account_id=record["account_id"],
            at=Moment.of(record["at"]),
            period=to_moments(record["period"]),
            amount=to_asked(record["amount"]),
            operation_type=OperationType(record["operation_type"]),
            kind=MovementKind(record["kind"]),
            external_id=record["external_id"],
            description=record["description"],
        ),
        currency=record["currency"],
        tax=to_tax(record["tax"]),
        cycle=date.fromisoformat(record["cycle"]),
        billing_day=record["billing_day"],
        time_zone=record["time_zone"],
        created_at=to_instant(record["created_at"]),
        refunded=Money(int(item["refunded"]), record["currency"]),
    )


def to_item(refund: Refund) -> Item:
    movement, request = refund.key.movement, refund.request
    record = {
        "org_id": movement.org_id,
        "subscription_id": movement.subscription_id,
        "movement_id": movement.id,
        "id": refund.key.id,
        "account_id": refund.account_id,
        "at": request.at.text,
        "period": moments_record(request.period),
        "amount": asked_record(request.amount),
        "billable": request.billable,
        "external_id": request.external_id,
        "external_invoice_id": request.external_invoice_id,
        "transaction_type_id": request.transaction_type_id,
        "description": request.description,
        "currency": refund.currency,
        "tax": tax_record(refund.tax),
        "cycle": refund.cycle.isoformat(),
        "movement_cycle": refund.movement_cycle.isoformat(),
        "created_at": instant(refund.created_at),
        "updated_at": instant(refund.updated_at),
    }
    return {"record": to_json(record), "version": refund.version}
