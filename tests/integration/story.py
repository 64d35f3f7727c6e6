"""The story that the events of events/ tell, in an order in which each finds what it is about."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from billing import clock, config
from billing.domain.events import Event, EventType
from billing.domain.parties import FiscalRegime
from billing.domain.periods import local_date
from billing.domain.verifactu import AgencyError, RecordState, Verdict
from billing.domain.webhooks import Delivery
from billing.persistence.accounts import put_org
from billing.persistence.dynamodb import transact
from billing.persistence.events import EventRepository
from billing.persistence.fiscal_records import FiscalRecordRepository
from billing.persistence.orgs import OrgRepository
from billing.persistence.webhooks import WebhookRepository
from tests import template
from tests.integration.conftest import EVENTS, Answer, Invoker
from tools import openapi

type Json = dict[str, Any]

REQUESTS: dict[str, Json] = {
    path.stem: event
    for path in sorted(EVENTS.glob("*.json"))
    if "/v" in (event := json.loads(path.read_text())).get("routeKey", "")
}
GIVEN_OUT = {
    parameter: route
    for route in template.routes()
    if route.startswith("POST ")
    for other in template.routes()
    for parameter in re.findall(rf" {re.escape(route[5:])}/\{{(\w+)\}}", other)
}
"""Path parameters whose values we give out, and the route that does."""
CREDITED = ("invoices_create", "invoices_pay", "invoices_credit")
OWN: dict[str, tuple[str, ...]] = {
    "movements_delete": ("movements_create",),
    "invoices_pay_out": CREDITED,
    "invoices_list_payouts": CREDITED,
    "invoices_get_payout": CREDITED,
    "verifactu_get_record": ("invoices_create",),
    "verifactu_list_records": ("invoices_create",),
    "verifactu_correct": ("invoices_create",),
}
"""What takes away or needs what others are not about gets one of its own, made by these events."""
BEGAN = clock.now()
"""When streams brought what they bring: at the same time to each org, so that all compare."""
LAST = ("invoices_credit", "billing_run_")
"""They leave nothing to pay, and close the cycles that all the others write to."""


class Story:
    """Sends events in the name of one org, each about what earlier ones have made."""

    def __init__(self, invoke: Invoker) -> None:
        self.invoke = invoke
        self.known = {"invoiceNumber": f"F{clock.now().year}-000001"}
        self._own: dict[tuple[tuple[str, ...], bool], Json] = {}
        self._brought: set[str] = set()

    def prepare(self, name: str) -> None:
        """Make what an event has of its own, and what streams and queues bring, once."""
        if name not in self._brought:
            self._brought.add(name)
            if name == "webhooks_list_events":
                _publish(self.invoke.org_id)
            if name in {"webhooks_list_deliveries", "webhooks_replay"}:
                deliver(self.invoke.org_id, self.known["endpointId"], 1)
        makers = OWN.get(name, ())
        is_declared = name.startswith("verifactu_") and bool(makers)
        if not makers or (makers, is_declared) in self._own:
            return
        if is_declared:
            switch(self.invoke.org_id, FiscalRegime.VERIFACTU)
        made: Json = {}
        for maker in makers:
            said = json.loads(REQUESTS[maker]["body"])
            new = {field: f"for {name}" for field in said if openapi.EXTERNAL_ID.fullmatch(field)}
            answer = self.invoke(maker, new, **self._path(maker, made))
            assert answer.status == 201
            made = dict.fromkeys(gives_out(maker), answer.json["id"]) | made
        self._own[makers, is_declared] = made
        if is_declared:
            switch(self.invoke.org_id, FiscalRegime.NONE)
            reject(self.invoke.org_id)

    def _path(self, name: str, own: Json) -> Any:
        known = self.known | own
        return {each: known[each] for each in parameters(name) & known.keys()}

    def tell(self, name: str, body: Json | None = None) -> Answer:
        """Send an event, with other fields if a body says so."""
        self.prepare(name)
        own = self._own.get((OWN.get(name, ()), name.startswith("verifactu_")), {})
        answer = self.invoke(name, body, **self._path(name, own))
        if answer.status == 201:
            for parameter in gives_out(name):
                self.known.setdefault(parameter, answer.json["id"])
        return answer


def switch(org_id: str, regime: FiscalRegime) -> None:
    """Give an org another fiscal regime, whatever the day."""
    orgs = OrgRepository()
    org, version = orgs.get(org_id)
    switched = replace(org, fiscal_regime=regime)
    # Without what keeps series apart: all stories are told of one taxpayer.
    lanes = orgs.lane_writes(
        switched, orgs.find_lanes(org_id, local_date(clock.now(), org.time_zone))
    )
    transact([*put_org(config.accounts_table(), switched, version), *lanes])


def reject(org_id: str) -> None:
    """Have the tax agency reject the records that are still to be sent."""
    records = FiscalRecordRepository()
    error = AgencyError("1239", "Error en el bloque Destinatario.")
    verdict = Verdict(RecordState.REJECTED, BEGAN, errors=(error,))
    records.answered([(each, verdict) for each in records.pending(org_id, 10)])


def _publish(org_id: str) -> None:
    """Publish two events, as if the streams had told of them."""
    ids = {"account_id": "100001", "invoice_id": "1"}
    types = (EventType.INVOICE_ISSUED, EventType.INVOICE_PAID)
    now = clock.now()
    events = [Event(type_, org_id, ids, version, now) for version, type_ in enumerate(types, 1)]
    EventRepository().append(org_id, events, now)


def deliver(org_id: str, endpoint_id: str, count: int) -> None:
    """Have the first events of the org delivered, as if the stream had told of them."""
    for position in range(1, count + 1):
        delivery = Delivery(
            org_id, endpoint_id, "evt_d3825c28f20372d53bb08cee098551db", position, BEGAN
        )
        WebhookRepository().add_delivery(delivery)


def in_order() -> Iterator[str]:
    """Name all events: make, then read, then settle and remove."""
    known: set[str] = set()
    left = sorted(REQUESTS, key=_turn)
    while left:
        ready = [name for name in left if parameters(name) & GIVEN_OUT.keys() <= known]
        assert ready, f"nothing gives out what {left} are about"
        left.remove(ready[0])
        known |= gives_out(ready[0])
        yield ready[0]


def makers(name: str) -> list[str]:
    """Name the events that must come before one: profiles, and what makes what it is about."""
    ours = parameters(name) - {"orgId"}
    earlier = list(in_order())
    return [
        each
        for each in earlier[: earlier.index(name)]
        if (gives_out(each) and (gives_out(each) | parameters(each)) & ours)
        or (method(each) == "PUT" and not parameters(each) & GIVEN_OUT.keys())
    ]


def method(name: str) -> str:
    return str(REQUESTS[name]["routeKey"]).split()[0]


def parameters(name: str) -> set[str]:
    return set(REQUESTS[name].get("pathParameters", {}))


def gives_out(name: str) -> set[str]:
    route = REQUESTS[name]["routeKey"]
    return {parameter for parameter, giver in GIVEN_OUT.items() if giver == route}


def _turn(name: str) -> tuple[bool, int, int, bool]:
    path = REQUESTS[name]["routeKey"].split()[1]
    makes = gives_out(name) or f"GET {path}" in template.routes()
    kinds = ["PUT", "POST" if makes else "", "GET", "POST", "DELETE"]
    return name.startswith(LAST), kinds.index(method(name)), path.count("/"), not gives_out(name)


def seconds_of(function: str) -> int:
    """Tell after how many seconds Lambda ends a function."""
    resources = template.expanded()["Resources"]
    [name] = [name for name, folder in template.functions().items() if folder == function]
    return int(resources[name]["Properties"]["Timeout"])
