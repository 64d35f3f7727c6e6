"""Movements and refunds against a plain model of them, through any sequence of requests."""

import os
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from tests.integration.conftest import Answer, Invoker
from tests.integration.ledger import amount, close_cycle, ledger

pytestmark = pytest.mark.moto

EXAMPLES = os.environ.get("MACHINE_EXAMPLES")
"""How many walks to take; by default a few, which are always the same."""

nets = st.sampled_from([1, 7, 20, 30, 50, 80, 100])
external_ids = st.sampled_from([f"refund-{n}" for n in range(6)])
known_versions = st.sampled_from([None, "*", "this", "old"])


@dataclass
class Known:
    """A refund as the model has it."""

    external_id: str | None
    said: dict[str, Any]
    cycle: int
    version: int = 1


@dataclass
class Model:
    """One movement of 121 EUR; `taken` has what was first said with an external id."""

    live: dict[str, Known] = field(default_factory=dict)
    taken: dict[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    closed: list[date] = field(default_factory=list)

    @property
    def refunded(self) -> Decimal:
        return sum((gross(refund.said) for refund in self.live.values()), Decimal(0))

    def has_room(self, said: dict[str, Any], freed: Decimal = Decimal(0)) -> bool:
        return self.refunded - freed + gross(said) <= 121


def gross(said: dict[str, Any]) -> Decimal:
    return Decimal(str(said["amount"]["value_with_taxes"]))


def saying(net: int, billable: bool) -> dict[str, Any]:
    return {"amount": amount(round(net * 1.21, 2), net), "billable": billable}


class Refunds(RuleBasedStateMachine):
    """Every answer is what the model says, and every sum agrees after each."""

    ids = Bundle("ids")

    @initialize()
    def charge(self) -> None:
        self.invoke = Invoker(f"org-{uuid4().hex}")
        self.invoke("billing_info_put_org")
        self.invoke("billing_info_put_account")
        self.invoke("billing_info_put_subscription")
        self.movement = self.invoke("movements_create").json["id"]
        self.model = Model()

    @rule(target=ids, external_id=external_ids, net=nets, billable=st.booleans())
    def issue(self, external_id: str, net: int, billable: bool) -> str:
        said = saying(net, billable)
        answer = self.send("refunds_create", {**said, "external_refund_unique_id": external_id})
        if external_id in self.model.taken:
            first_id, first = self.model.taken[external_id]
            is_replay = first == said and first_id in self.model.live
            assert answer.status == (201 if is_replay else 409)
            assert ("idempotent-replayed" in answer.headers) == is_replay
            assert answer.json.get("id" if is_replay else "code") in {
                first_id,
                "EXTERNAL_ID_REUSED",
                "REFUND_WITHDRAWN",
            }
            return first_id
        if not self.model.has_room(said):
            assert (answer.status, answer.json["code"]) == (409, "REFUND_EXCEEDS_MOVEMENT")
            return "0" * 32
        assert answer.status == 201
        refund_id = str(answer.json["id"])
        self.model.taken[external_id] = refund_id, said
        self.model.live[refund_id] = Known(external_id, said, len(self.model.closed))
        return refund_id

    @rule(target=ids, net=nets, billable=st.booleans())
    def issue_without_external_id(self, net: int, billable: bool) -> str:
        said = saying(net, billable)
        body = {
            "amount": {**said["amount"], "billable": billable},
            "external_refund_unique_id": None,
        }
        answer = self.send("refunds_create_non_subscribable", body)
        if not self.model.has_room(said):
            assert (answer.status, answer.json["code"]) == (409, "REFUND_EXCEEDS_MOVEMENT")
            return "0" * 32
        assert answer.status == 201
        refund_id = str(answer.json["id"])
        self.model.live[refund_id] = Known(None, said, len(self.model.closed))
        return refund_id

    @rule(refund_id=ids, net=nets, billable=st.booleans(), if_match=known_versions)
    def replace(self, refund_id: str, net: int, billable: bool, if_match: str | None) -> None:
        said, known = saying(net, billable), self.model.live.get(refund_id)
        external_id = (known and known.external_id) or f"of-{refund_id}"
        body = {**said, "external_refund_unique_id": external_id, "description": "Replaced"}
        answer = self.send("refunds_put", body, refund_id, if_match)
        if known is None:
            assert answer.status == 404
        elif if_match == "old" and (
            known.version == 1 or known.said != said or known.external_id is None
        ):
            assert answer.status == 412
        elif known.cycle < len(self.model.closed):
            assert answer.status == 409
        elif known.external_id is None:
            assert (answer.status, answer.json["code"]) == (409, "EXTERNAL_ID_CHANGED")
        elif not self.model.has_room(said, freed=gross(known.said)):
            assert (answer.status, answer.json["code"]) == (409, "REFUND_EXCEEDS_MOVEMENT")
        else:
            assert answer.status == 204
            if known.version == 1 or known.said != said:
                known.version += 1
            known.said = said

    @rule(refund_id=consumes(ids), if_match=known_versions)
    def withdraw(self, refund_id: str, if_match: str | None) -> None:
        known = self.model.live.get(refund_id)
        answer = self.send("refunds_delete", None, refund_id, if_match)
        if known is None:
            assert answer.status == 404
        elif if_match == "old":
            assert answer.status == 412
        elif known.cycle < len(self.model.closed):
            assert (answer.status, answer.json["code"]) == (409, "REFUND_NOT_PENDING")
        else:
            assert answer.status == 204
            del self.model.live[refund_id]

    @rule()
    def close(self) -> None:
        if len(self.model.closed) < 3:
            self.model.closed.append(close_cycle(self.invoke.org_id))

    @invariant()
    def agrees(self) -> None:
        kept = ledger(self.invoke.org_id, *self.model.closed)
        assert list(kept.refunded.values()) == [self.model.refunded * 100]
        assert len(kept.refunds) == len(self.model.live)

    def teardown(self) -> None:
        listed = self.send("movements_list_refunds").json["refunds"]
        movement = self.send("movements_get").json
        assert Decimal(str(movement["refunded"])) == self.model.refunded
        assert Decimal(str(movement["refundable"])) == 121 - self.model.refunded
        assert {refund["id"]: refund["billable"] for refund in listed} == {
            refund_id: known.said["billable"] for refund_id, known in self.model.live.items()
        }

    def send(
        self,
        event: str,
        body: dict[str, Any] | None = None,
        refund_id: str = "",
        if_match: str | None = None,
    ) -> Answer:
        known = self.model.live.get(refund_id)
        version = known.version if known else 1
        tags = {"this": f'"{version}"', "old": f'"{version - 1}"', "*": "*"}
        path = {"movementId": self.movement, **({"refundId": refund_id} if refund_id else {})}
        headers = {"if-match": tags[if_match]} if if_match else {}
        return self.invoke(event, body, headers=headers, **path)


def test_agrees_with_a_plain_model(aws: None) -> None:
    run_state_machine_as_test(
        Refunds,
        settings=settings(
            max_examples=int(EXAMPLES or 12),
            derandomize=not EXAMPLES,
            stateful_step_count=15,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
