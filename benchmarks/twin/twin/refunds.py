"""POST refund, a function of its own as the product's is."""

from typing import Annotated
from uuid import uuid4

from fastapi import Depends, Path, Response
from mangum import Mangum

from .issuing import Done, cents
from .models import Created, RefundRequest
from .store import get_all, put, transact, update
from .web import (
    Authenticated,
    Caller,
    External,
    Id,
    RefusedError,
    create_app,
    reach_org,
    required,
    until_it_holds,
)

app = create_app()
lambda_handler = Mangum(app, lifespan="off")

MOVEMENT = "/v1/orgs/{org_id}/subscription/{subscription_id}/movement/{movement_id}"


@app.post(f"{MOVEMENT}/refund", status_code=201, dependencies=[Depends(reach_org)])
def create_refund(
    org_id: Id,
    subscription_id: Id,
    movement_id: Annotated[str, Path(max_length=64)],
    request: RefundRequest,
    response: Response,
    who: Authenticated,
) -> Created:
    def step() -> Done:
        return refund(request, subscription_id, movement_id, who)

    movement = MOVEMENT.format(
        org_id=org_id, subscription_id=subscription_id, movement_id=movement_id
    )
    response.headers["ETag"] = '"1"'
    return until_it_holds(step, response, f"{movement}/refund")


def refund(request: RefundRequest, subscription_id: str, movement_id: str, who: Caller) -> Done:
    org_id = who.org_id
    scope = subscription_id, movement_id
    external = External(org_id, "refund", request.external_refund_unique_id, request, *scope)
    key, refund_id = (f"movement#{org_id}", f"{subscription_id}#{movement_id}"), uuid4().hex
    found = get_all(key, external.key)
    movement = required(found.get(key))
    if not who.reaches(movement["account_id"]):
        raise RefusedError(404, "There is no such movement.")
    if made := external.replayed(found):
        return made, True
    amount = request.amount
    gross, net = cents(amount.value_with_taxes), cents(amount.value_without_taxes)
    if gross != net + cents(net * amount.tax.percentage / 10_000):
        raise RefusedError(400, "The tax is not what the percentage makes it.")
    if gross > movement["gross"] - movement["refunded"]:
        raise RefusedError(409, "The refund exceeds what is left of the movement.")
    transact(
        update(
            key,
            "SET refunded = refunded + :more",
            {":more": gross, ":most": movement["gross"] - gross},
            "refunded <= :most",
        ),
        put((f"movement#{org_id}", f"refund#{refund_id}"), {"refund": request.model_dump_json()}),
        external.take(refund_id),
    )
    return refund_id, False
