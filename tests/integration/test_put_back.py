"""What GET gave, PUT puts back unchanged: over every resource that has both."""

import json
from typing import Any

import pytest

from tests import template
from tests.integration.conftest import Answer, Invoker
from tests.integration.story import REQUESTS, Story, makers

pytestmark = pytest.mark.moto

PUTS = {
    name: getter
    for name, event in REQUESTS.items()
    if event["routeKey"].startswith("PUT ") and not event.get("isBase64Encoded")
    for getter, request in REQUESTS.items()
    if request["routeKey"] == event["routeKey"].replace("PUT ", "GET ")
}
"""The events that put something, with those that get it. A logo, which is no JSON: test_logo.py."""
EVERYTHING: dict[str, list[dict[str, Any]]] = {
    "billing_info_put_account": [
        {
            "company_name": "Perez Ejemplo S.L.",
            "currency": "USD",
            "iban": "ES9121000418450200051332",
            "bic": "CAIXESBBXXX",
            "closed": True,
        },
        {"state_id": None, "tax_id": None, "time_zone": "Atlantic/Canary", "billing_day": 3},
        {
            "language": "en",
            "vat_number_status": "valid",
            "buyer_reference": "04011000-12345-03",
            "electronic_address": {"scheme": "0088", "id": "7300010000001"},
            "country": "PT",
            "state_id": None,
            "tax_id": "501964843",
            "address": {
                "street": "Rua 1",
                "postal_code": "9000-001",
                "city": "Funchal",
                "country": "PT",
                "region": "PT-30",
            },
        },
    ],
    "billing_info_put_org": [
        {
            "accent": "#0b5394",
            "lanes": 3,
            "one_stop_shop": True,
            "electronic_address": {"scheme": "9920", "id": "ESA58818501"},
        },
        {"phone": None, "url": None, "iban": None, "bic": None},
    ],
    "refunds_put": [
        {"billable": False, "external_invoice_id": None},
        {"amount": {"value_with_taxes": 12.1, "value_without_taxes": 10}},
    ],
    "location_tax_put_exchange_rate": [{"rate": 163.06}, {"rate": 0.12345678}],
    "location_tax_put": [{"tax": {"type": "IGIC", "percentage": 3}}],
    "sandbox_clock_put": [{"now": "2030-01-01T00:00:00Z"}],
}
"""Changes for each, so that no field is left as it is by default."""


def test_every_route_that_puts_is_here() -> None:
    routes = {REQUESTS[name]["routeKey"] for name in PUTS}

    assert routes == {
        route
        for route in template.routes()
        if route.startswith("PUT ")
        and route.replace("PUT ", "GET ") in template.routes()
        and not route.endswith("/logo")
    }
    assert EVERYTHING.keys() == PUTS.keys()


@pytest.mark.parametrize(
    ("put", "change"),
    [(put, change) for put, changes in EVERYTHING.items() for change in [{}, *changes]],
)
def test_puts_back_what_get_gave(invoke: Invoker, put: str, change: dict[str, Any]) -> None:
    story = Story(invoke)
    for name in makers(put):
        assert story.tell(name).status < 300
    path: Any = story.known
    assert invoke(put, change, **path).status == 204
    _check(invoke, put, **path)


def test_puts_back_what_nobody_has_put(billed: Invoker) -> None:
    """A refund for products that cannot be subscribed to, and a rate that is in force anyway."""
    movement = billed("movements_create").json["id"]
    for external_id in ("one", None):
        body = {"external_refund_unique_id": external_id}
        answer = billed("refunds_create_non_subscribable", body, movementId=movement)
        _check(billed, "refunds_put", movementId=movement, refundId=answer.json["id"])
    _check(billed, "location_tax_put", stateId=28)


def test_refuses_what_no_get_gives(invoke: Invoker) -> None:
    story = Story(invoke)
    for put in PUTS:
        for name in makers(put):
            story.tell(name)
        path: Any = story.known
        answer = invoke(put, {"x_unknown": 1}, **path)
        assert (answer.status, answer.json["details"][0]["field"]) == (400, "x_unknown")


def _check(invoke: Invoker, put: str, **path: Any) -> None:
    """Get, put and get: nothing has changed, the version neither."""

    def get() -> Answer:
        return invoke(PUTS[put], query={}, **path)

    first = get()
    known = {"if-match": first.headers["etag"]} if "etag" in first.headers else {}

    answer = invoke(put, first.text, headers=known, **path)
    second = get()

    assert (first.status, answer.status, answer.text) == (200, 204, "")
    assert json.loads(first.text) == second.json
    assert first.headers.get("etag") == second.headers.get("etag") == answer.headers.get("etag")
