"""
A hostile client: random writes of all kinds, many at once, against the running stack.

    make attack                       new stories for six minutes, ten minutes in all at most
    make attack SEED=7 SECONDS=60     from this seed on, for a minute

A story is drawn from its seed: rounds of steps that are sent at the same time, while billing runs
move the accounts on. A plain model keeps what the API accepted. At the end all documents are read
back, and must be exactly what was accepted, to the cent; docs/reliability.md lists what else holds.
Where something does not, the story is told again with fewer steps for as long as it still fails,
and the shortest is printed. In which order the steps of a round arrive is chance: a story that
fails once need not fail always.
"""

import argparse
import json
import random
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

from billing import clock
from billing.domain.invoices import IssuedInvoice, Line
from billing.domain.periods import next_billing_date
from billing.domain.tokens import EVERY_ACCOUNT, Reach, Role, new_token
from billing.persistence.invoices import InvoiceRepository
from billing.persistence.tokens import TokenRepository
from billing.services.issue_token import issue_token
from billing_cli import audit
from local.stack import from_environment
from tests import places
from tests.e2e.conftest import ACCOUNT, ORG, Answer, Client

ADDRESS = {**ORG["address"], "region": "ES-M"}
ACCOUNTS = 3
ROUNDS = 25
STEPS = 10
TURNS = 6
"""How large a story is, and how often it bills."""
SECONDS = 360
SHRINKING_SECONDS = 60
RUN_SECONDS = 60
EVENTS_SECONDS = 60
"""
How long new stories begin, how long one that fails is shortened, and how long a run may take, and
events to arrive in the feed.

When all comes out as it must, the last story ends within a minute after SECONDS; one that fails is
shortened by trials of that length, until SHRINKING_SECONDS are over: ten minutes in all at most.
"""
IN_TIME_SECONDS = 29
UNKNOWN = (502, 503, 504)
"""Answers after which nobody knows what was done: the same request is sent again."""
LINK_TAMPERED = 403
LINKS = 3
"""Documents of an account whose links are opened."""
SIGNATURE = "X-Amz-Signature"

type Json = dict[str, Any]


class WrongError(AssertionError):
    """Something is not as it must be."""


def must(holds: object, what: str) -> None:
    """Raise WrongError unless something holds."""
    if not holds:
        raise WrongError(what)


@dataclass(frozen=True)
class Step:
    """One thing that is tried; all else about it is drawn from its dice and what there is then."""

    kind: str
    account: int
    dice: int

    def __str__(self) -> str:
        return f"{self.kind} account {self.account} dice {self.dice}"


type Story = list[list[Step]]

WEIGHTS = {
    "charge": 20, "use": 8, "refund": 16, "replace": 8, "withdraw": 5, "issue": 6, "pay": 8,
    "credit": 6, "again": 8, "wrong": 8, "stranger": 5, "token": 3, "revoke": 2, "read": 3,
    "profile": 3, "seller": 2, "rate": 3, "delete": 5, "adjust": 6, "reverse": 6, "return": 6,
}  # fmt: skip


def draw(seed: int) -> Story:
    """Draw a story: it begins with charges, so that there is something to fight over."""
    dice = random.Random(seed)
    kinds, weights = list(WEIGHTS), list(WEIGHTS.values())

    def step(kind: str) -> Step:
        return Step(kind, dice.randrange(ACCOUNTS), dice.randrange(10**9))

    rounds = [[step("charge") for _ in range(STEPS)]]
    for _ in range(ROUNDS):
        rounds.append([step(kind) for kind in dice.choices(kinds, weights, k=STEPS)])
    for place in dice.sample(range(1, ROUNDS), TURNS):
        rounds[place].insert(dice.randrange(STEPS), step("turn"))
    return rounds


# ---------------------------------------------------------------- what was accepted


@dataclass
class Charge:
    """A movement; an allowance has a negative net."""

    id: str
    path: str
    net: int
    gross: int
    percentage: int
    deleted: bool = False


@dataclass
class GivenBack:
    """A refund, what it may be by now, and whether it was withdrawn."""

    id: str
    path: str
    of: Charge
    body: Json
    versions: list[Json]
    withdrawn: bool = False
    billed: bool = False


@dataclass
class OneOff:
    """A document that was asked for: an invoice by its nets, or a credit note of an original."""

    id: str
    nets: list[int] | None = None
    original: str | None = None


@dataclass
class Received:
    """A payment of a document, and whether it was reversed."""

    id: str
    document: str
    path: str
    cents: int
    reversed: bool = False


@dataclass
class Holder:
    """An account: its client, and what the API accepted for it."""

    number: int
    client: Client
    charges: list[Charge] = field(default_factory=list)
    refunds: list[GivenBack] = field(default_factory=list)
    usage: dict[str, int] = field(default_factory=dict)
    adjustments: dict[str, int] = field(default_factory=dict)
    """Their nets, by their descriptions."""
    one_offs: list[OneOff] = field(default_factory=list)
    payments: list[Received] = field(default_factory=list)
    payouts: dict[str, dict[str, int]] = field(default_factory=dict)
    """What was returned, by document and id."""
    seen: dict[str, str] = field(default_factory=dict)
    """The hashes of documents, as they were when they were first listed."""
    pdfs: dict[str, str] = field(default_factory=dict)

    @property
    def subscription(self) -> str:
        return f"s-{self.client.account_id}"

    def paid(self, document: str) -> int:
        """Return what was paid of a document and not reversed."""
        payments = [each for each in self.payments if each.document == document]
        return sum(each.cents for each in payments if not each.reversed)

    @property
    def movements(self) -> str:
        return f"/v1/orgs/{self.client.org_id}/subscription/{self.subscription}/movement"


@dataclass
class Pass:
    """An admin's token that was made by another, and whether it or one before it ended."""

    id: str
    client: Client
    maker: "Pass | None"
    expires_at: float | None
    revoked: bool = False

    @property
    def ended(self) -> bool:
        expired = self.expires_at is not None and self.expires_at <= time.time()
        return self.revoked or expired or (self.maker is not None and self.maker.ended)


@dataclass
class Plan:
    """A request, what may be answered to it, and what follows from the answer."""

    client: Client
    method: str
    path: str
    body: Any
    allowed: frozenset[str]
    taken: Callable[[Answer], None] = lambda _: None
    again: bool = False
    """Whether it is sent twice at the same time."""
    first: "Plan | None" = None
    """What is sent before it."""


# ---------------------------------------------------------------- the world


class World:
    """An org of its own, and the model of what must come out."""

    def __init__(self, base_url: str) -> None:
        self.org_id = f"attack-{uuid4().hex[:20]}"
        self.base_url = base_url
        self.admin = self._client(Role.ADMIN, EVERY_ACCOUNT, "all")
        self.writer = self._client(Role.WRITER, EVERY_ACCOUNT, "all")
        self.passes: list[Pass] = []
        self.put: dict[str, list[Json]] = {}
        """What was put by path: the last of it is not known, as some is sent at the same time."""
        self.made: list[tuple[Plan, str]] = []
        self.until = next_billing_date(1, datetime.now(UTC).date())
        self.turns = 0
        self.runs: list[str] = []
        self._turning = threading.Lock()
        self._done(self.admin.put(f"{self._org}/billing_info", ORG), 204)
        self.holders = [self._open(number) for number in range(ACCOUNTS)]

    def _client(self, role: Role, reach: Reach, account_id: str) -> Client:
        _, token = issue_token(
            self.org_id,
            "attack",
            role,
            reach,
            None,
            now=clock.now(),
            tokens=TokenRepository(),
            sandbox=True,
        )
        return Client(self.base_url, token, self.org_id, account_id)

    def _open(self, number: int) -> Holder:
        account_id = str(100_001 + number)
        client = self._client(Role.WRITER, Reach.of([account_id]), account_id)
        holder = Holder(number, client)
        self._done(client.put(f"{client.account}/billing_details", ACCOUNT), 204)
        path = f"{client.account}/subscriptions/{holder.subscription}"
        self._done(self.writer.put(path, None), 204)
        return holder

    @property
    def _org(self) -> str:
        return f"/v1/orgs/{self.org_id}"

    @staticmethod
    def _done(answer: Answer, status: int) -> Answer:
        must(answer.status == status, f"{answer.status} and not {status}: {answer.content!r}")
        return answer

    # ------------------------------------------------------------ tell a story

    def tell(self, story: Story) -> None:
        """Tell a story, round by round, and check what came of it."""
        with ThreadPoolExecutor(STEPS + 2) as pool:
            for steps in story:
                plans = [self._plan(step) for step in steps]
                sent = pool.map(lambda plan: self._send(plan) if plan else None, plans)
                for plan, answer in zip(plans, list(sent), strict=True):
                    if plan and answer:
                        plan.taken(answer)
        self.check()

    def _plan(self, step: Step) -> Plan | None:
        dice = random.Random(step.dice)
        plan: Plan | None = getattr(self, f"_{step.kind}")(self.holders[step.account], dice)
        return plan

    def _send(self, plan: Plan) -> Answer:
        if not plan.again:
            return self._sent(plan)
        with ThreadPoolExecutor(2) as pair:
            first, second = pair.map(self._sent, [plan, plan])
        if first.status == second.status == 201:
            must(first.json.get("id") == second.json.get("id"), f"{plan.path}: twins differ")
        return first if first.status == 201 else second

    def _sent(self, plan: Plan) -> Answer:
        """Send a request until its outcome is known, and check how it is answered."""
        if plan.first:
            self._sent(plan.first)
        for attempt in range(40):
            began = time.monotonic()
            answer = plan.client.send(plan.method, plan.path, plan.body)
            took = time.monotonic() - began
            what = f"{plan.method} {plan.path} {json.dumps(plan.body)[:600]}"
            must(took < IN_TIME_SECONDS, f"{what}: {took:.0f} s")
            must(answer.headers.get("x-request-id"), f"{what}: {answer.status} of another's")
            must(answer.headers.get("cache-control"), f"{what}: no word on caching")
            if answer.status not in UNKNOWN:
                said = _said(answer)
                allowed = plan.allowed | (
                    {"404 NOT_FOUND"} if attempt and plan.method == "DELETE" else set()
                )
                must(said in allowed, f"{what}: {said}: {answer.content[:600]!r}")
                return answer
            time.sleep(0.2)
        raise WrongError(f"{plan.method} {plan.path}: no outcome: {answer.content!r}")

    # ------------------------------------------------------------ what is tried

    def _post(
        self,
        client: Client,
        path: str,
        body: Json,
        refused: str,
        taken: Callable[[Answer], None],
        dice: random.Random,
    ) -> Plan:
        """Plan to make something; what was made can be asked for again later."""

        def made(answer: Answer) -> None:
            if answer.status == 201:
                taken(answer)
                self.made.append((plan, answer.json.get("id", "")))

        allowed = frozenset({"201", *filter(None, refused.split(","))})
        plan = Plan(client, "POST", path, body, allowed, made, again=dice.random() < 0.2)
        return plan

    def _charge(self, holder: Holder, dice: random.Random) -> Plan:
        net, percentage = dice.randint(1, 20_000), dice.choice([0, 10, 21, 21])
        sign = dice.choice([1, 1, 1, -1])
        body = {
            "account_id": holder.client.account_id,
            "movement_datetime": "2026-11-02T10:00:00Z",
            "amount": _amount(net, percentage),
            "operation_type": "DEBIT" if sign > 0 else "CREDIT",
            "kind": dice.choice(["recurring", "usage", "one_off", "discount", "adjustment"]),
            "external_movement_unique_id": _external(dice),
            "description": f"charge {net}",
        }

        def taken(answer: Answer) -> None:
            path = f"{holder.movements}/{answer.json['id']}"
            gross = _gross(net, percentage)
            holder.charges.append(
                Charge(answer.json["id"], path, sign * net, sign * gross, percentage)
            )

        return self._post(holder.client, holder.movements, body, "", taken, dice)

    def _delete(self, holder: Holder, dice: random.Random) -> Plan:
        """Delete a charge, most of them new ones: their cycle is open."""
        if not holder.charges:
            return self._charge(holder, dice)
        of = dice.choice(holder.charges[-STEPS:])

        def taken(answer: Answer) -> None:
            of.deleted |= answer.status in (204, 404)

        allowed = frozenset(
            {"204", "404 NOT_FOUND", "409 MOVEMENT_NOT_PENDING", "409 MOVEMENT_REFUNDED"}
        )
        return Plan(holder.client, "DELETE", of.path, None, allowed, taken)

    def _adjust(self, holder: Holder, dice: random.Random) -> Plan:
        net, percentage = dice.randint(1, 3_000), dice.choice([0, 10, 21])
        sign, external = dice.choice([1, -1]), _external(dice)
        body = {
            "adjustment_datetime": "2026-11-02T10:00:00Z",
            "amount": _amount(net, percentage),
            "operation_type": "DEBIT" if sign > 0 else "CREDIT",
            "external_adjustment_unique_id": external,
            "description": f"adjustment {external}",
        }

        def taken(_: Answer) -> None:
            holder.adjustments[f"adjustment {external}"] = sign * net

        path = f"{self._org}/account/{holder.client.account_id}/adjustment"
        return self._post(holder.client, path, body, "", taken, dice)

    def _use(self, holder: Holder, dice: random.Random) -> Plan:
        records: list[Json] = [
            {
                "external_consumption_unique_id": _external(dice),
                "type": "data",
                "consumed_datetime": "2026-11-03T09:15:00Z",
                "units": dice.randint(0, 10**9),
                "unit": "bytes",
                "amount": _amount(dice.randint(0, 300), dice.choice([0, 21])),
            }
            for _ in range(dice.randint(1, 4))
        ]
        if holder.usage and dice.random() < 0.3:
            records.append(records[0])
        nets = {
            each["external_consumption_unique_id"]: _cents(each["amount"]["value_without_taxes"])
            for each in records
        }
        path = holder.movements.replace("/movement", "/consumptions")
        allowed = frozenset({"201"})

        def taken(_: Answer) -> None:
            holder.usage |= nets

        return Plan(holder.client, "POST", path, {"records": records}, allowed, taken)

    def _refund(self, holder: Holder, dice: random.Random) -> Plan:
        if not holder.charges:
            return self._charge(holder, dice)
        of = dice.choice(holder.charges)
        body = self._refund_body(of, dice)

        def taken(answer: Answer) -> None:
            path = f"{of.path}/refund/{answer.json['id']}"
            holder.refunds.append(GivenBack(answer.json["id"], path, of, body, [body]))

        refused = "409 MOVEMENT_NOT_REFUNDABLE" if of.net < 0 else NOT_GIVEN_BACK
        refused += ",404 NOT_FOUND"  # where it is deleted
        return self._post(holder.client, f"{of.path}/refund", body, refused, taken, dice)

    @staticmethod
    def _refund_body(of: Charge, dice: random.Random) -> Json:
        net = dice.randint(1, max(1, abs(of.net)))
        return {
            "amount": _amount(net, of.percentage),
            "billable": dice.random() < 0.75,
            "external_refund_unique_id": _external(dice),
            "description": f"refund {net}",
            "refund_datetime": "2026-11-20T10:00:00Z",
        }

    def _replace(self, holder: Holder, dice: random.Random) -> Plan:
        if not holder.refunds:
            return self._refund(holder, dice)
        refund = dice.choice(holder.refunds)
        external = refund.body["external_refund_unique_id"]
        body = {**self._refund_body(refund.of, dice), "external_refund_unique_id": external}

        def taken(answer: Answer) -> None:
            if answer.status == 204:
                refund.versions.append(body)

        refused = f"409 REFUND_NOT_PENDING,404 NOT_FOUND,{NOT_GIVEN_BACK}".split(",")
        allowed = frozenset({"204", *refused})
        return Plan(holder.client, "PUT", refund.path, body, allowed, taken)

    def _withdraw(self, holder: Holder, dice: random.Random) -> Plan:
        if not holder.refunds:
            return self._refund(holder, dice)
        refund = dice.choice(holder.refunds)

        def taken(answer: Answer) -> None:
            # after an unknown outcome, 404 says that it was done
            refund.withdrawn |= answer.status in (204, 404)

        allowed = frozenset(
            {"204", "404 NOT_FOUND", "409 REFUND_NOT_PENDING", "409 CYCLE_BEING_BILLED"}
        )
        return Plan(holder.client, "DELETE", refund.path, None, allowed, taken)

    def _issue(self, holder: Holder, dice: random.Random) -> Plan:
        nets = [dice.randint(1, 30_000) for _ in range(dice.randint(1, 4))]
        body = {
            "external_invoice_unique_id": _external(dice),
            "description": f"invoice {sum(nets)}",
            "lines": [
                {
                    "description": f"line {net}",
                    "quantity": 1,
                    "unit_price": net / 100,
                    "tax": {"type": "IVA", "percentage": dice.choice([10, 21])},
                }
                for net in nets
            ],
        }

        def taken(answer: Answer) -> None:
            holder.one_offs.append(OneOff(answer.json["id"], nets))

        path = f"{holder.client.account}/invoices"
        return self._post(holder.client, path, body, "", taken, dice)

    def _document(self, holder: Holder, dice: random.Random) -> str | None:
        known = [*holder.seen, *(each.id for each in holder.one_offs if each.nets)]
        return dice.choice(known) if known else None

    def _pay(self, holder: Holder, dice: random.Random) -> Plan:
        document = self._document(holder, dice)
        if document is None:
            return self._issue(holder, dice)
        cents = dice.randint(1, 30_000)
        body = {
            "amount": cents / 100,
            "paid_datetime": "2026-11-20T10:00:00Z",
            "external_payment_unique_id": _external(dice),
        }

        path = f"{holder.client.account}/invoices/{document}/payments"

        def taken(answer: Answer) -> None:
            id_ = answer.json["id"]
            holder.payments.append(Received(id_, document, f"{path}/{id_}", cents))

        refused = "409 PAYMENT_EXCEEDS_INVOICE"
        return self._post(holder.client, path, body, refused, taken, dice)

    def _reverse(self, holder: Holder, dice: random.Random) -> Plan:
        if not holder.payments:
            return self._pay(holder, dice)
        payment = dice.choice(holder.payments)
        body = {
            "reason": "returned",
            "reversed_datetime": "2026-11-21T10:00:00Z",
            "external_reversal_unique_id": _external(dice),
        }

        def taken(_: Answer) -> None:
            payment.reversed = True

        path, refused = f"{payment.path}/reversal", "409 PAYMENT_REVERSED"
        return self._post(holder.client, path, body, refused, taken, dice)

    def _return(self, holder: Holder, dice: random.Random) -> Plan:
        """Return money, if any is owed: mostly of a document that was paid and credited."""
        credited = {each.original for each in holder.one_offs}
        owing = sorted({each.document for each in holder.payments} & credited)
        document = dice.choice(owing) if owing else self._document(holder, dice)
        if document is None:
            return self._issue(holder, dice)
        cents = dice.randint(1, 6_000)
        body = {
            "amount": cents / 100,
            "paid_datetime": "2026-11-22T10:00:00Z",
            "external_payout_unique_id": _external(dice),
        }

        def taken(answer: Answer) -> None:
            holder.payouts.setdefault(document, {})[answer.json["id"]] = cents

        path, refused = f"{holder.client.account}/invoices/{document}/payouts", OWED_LESS
        return self._post(holder.client, path, body, refused, taken, dice)

    def _credit(self, holder: Holder, dice: random.Random) -> Plan:
        billed = [each for each in holder.seen if each not in {one.id for one in holder.one_offs}]
        if billed and dice.random() < 0.6:  # where refunds have reserved something
            document: str | None = dice.choice(billed)
        else:
            document = self._document(holder, dice)
        if document is None:
            return self._issue(holder, dice)
        body: Json = {
            "external_credit_note_unique_id": _external(dice),
            "description": "credit note",
        }
        if dice.random() < 0.7:
            cents = dice.randint(1, 10_000)
            body["lines"] = [{"line": dice.randint(1, 3), "amount_without_taxes": cents / 100}]

        def taken(answer: Answer) -> None:
            holder.one_offs.append(OneOff(answer.json["id"], original=document))

        path = f"{holder.client.account}/invoices/{document}/credit_note"
        refused = (
            "409 CREDIT_EXCEEDS_INVOICE,409 INVOICE_NOT_CREDITABLE,400 INVALID_REQUEST"
            if "lines" in body
            else "409 CREDIT_EXCEEDS_INVOICE,409 INVOICE_NOT_CREDITABLE"
        )
        return self._post(holder.client, path, body, refused, taken, dice)

    def _again(self, holder: Holder, dice: random.Random) -> Plan:
        """Send something again, as it was or changed."""
        if not self.made:
            return self._charge(holder, dice)
        plan, known = dice.choice(self.made)
        if dice.random() < 0.5:

            def same(answer: Answer) -> None:
                if answer.status == 201:
                    must(answer.json["id"] == known, f"{plan.path}: {known} became {answer.json}")
                    must(answer.headers.get("idempotent-replayed"), f"{plan.path}: made anew")

            kind = plan.path.rpartition("/")[2]
            allowed = frozenset({"201", *WITHDRAWN.get(kind, ())})
            return replace(plan, allowed=allowed, taken=same, again=False)
        [other, *_] = [each for each in ("reason", "description") if each in plan.body] or [
            "method"
        ]
        body = {**plan.body, other: f"another {uuid4().hex}"}

        def named(answer: Answer) -> None:
            location = answer.headers.get("location")
            must(location is None or known in location, f"{plan.path}: {known} is at {location}")

        allowed = frozenset({"409 EXTERNAL_ID_REUSED"})
        # The movement of a refund that was withdrawn can be gone.
        allowed |= {"404 NOT_FOUND"} if plan.path.endswith("/refund") else set()
        return replace(plan, body=body, allowed=allowed, taken=named, again=False)

    def _wrong(self, holder: Holder, dice: random.Random) -> Plan:
        """Send what can never be right."""
        plan = dice.choice([self._charge, self._issue, self._refund])(holder, dice)
        body = plan.body
        wrong: list[tuple[Client, str, Any, str]] = [
            (plan.client, plan.path, {**body, "nick": 1}, "400 INVALID_REQUEST"),
            (plan.client, plan.path, {**body, "description": "\u0007"}, "400 INVALID_REQUEST"),
            (plan.client, plan.path, [body], "400 INVALID_REQUEST"),
            (plan.client, plan.path, {}, "400 INVALID_REQUEST"),
            (
                plan.client,
                plan.path.replace(self.org_id, f"{self.org_id}-2"),
                body,
                "403 ACCESS_DENIED",
            ),
            (replace(plan.client, token=None), plan.path, body, "401 UNAUTHENTICATED"),
            (replace(plan.client, token=new_token()), plan.path, body, "401 UNAUTHENTICATED"),
        ]
        if "amount" in body:
            text = {**body["amount"], "value_with_taxes": "1"}
            too_much = {**body["amount"], "value_with_taxes": 10**12}
            wrong += [
                (plan.client, plan.path, {**body, "amount": each}, "400 INVALID_REQUEST")
                for each in (text, too_much)
            ]
        client, path, sent, refused = dice.choice(wrong)
        return Plan(client, "POST", path, sent, frozenset({refused}))

    def _stranger(self, holder: Holder, dice: random.Random) -> Plan:
        """Reach for what belongs to another account."""
        other = self.holders[(holder.number + 1) % len(self.holders)]
        charge = self._charge(holder, dice).body
        refund = other.refunds[-1].path if other.refunds else f"{other.movements}/1/refund/1"
        tried: list[tuple[str, str, Any, str]] = [
            ("POST", other.movements, charge, "404 NOT_FOUND"),
            ("POST", f"{other.movements}x", charge, "404 NOT_FOUND"),
            (
                "POST",
                holder.movements,
                {**charge, "account_id": other.client.account_id},
                "403 ACCESS_DENIED",
            ),
            ("GET", other.movements, None, "404 NOT_FOUND"),
            ("GET", refund, None, "404 NOT_FOUND"),
            ("DELETE", refund, None, "404 NOT_FOUND"),
            ("GET", f"{other.client.account}/billing_details", None, "403 ACCESS_DENIED"),
            ("GET", f"{other.client.account}/invoices/1/public_link", None, "403 ACCESS_DENIED"),
            (
                "PUT",
                f"{holder.client.account}/subscriptions/{other.subscription}",
                None,
                "403 ACCESS_DENIED",
            ),
            ("GET", f"{self._org}/tokens", None, "403 ACCESS_DENIED"),
            ("POST", f"{self._org}/billing_runs", {}, "403 ACCESS_DENIED"),
        ]
        method, path, body, refused = dice.choice(tried)
        return Plan(holder.client, method, path, body, frozenset({refused}))

    def _token(self, _: Holder, dice: random.Random) -> Plan:
        """Make an admin's token, by one that may end at any time."""
        maker = dice.choice([None, *self.passes])
        expires_at: float | None = None
        allowed = {"201"}
        body: Json = {"name": "attack", "role": "admin", "accounts": "all"}
        if dice.random() < 0.3:
            soon = dice.choice([2, 60])
            expires_at = time.time() + soon
            if soon == 2:  # on a busy machine it is over before it is asked for
                allowed |= {"400 INVALID_REQUEST"}
            when = datetime.fromtimestamp(expires_at, UTC)
            body["expires_at"] = when.isoformat().replace("+00:00", "Z")
        if maker:
            allowed |= {"401 UNAUTHENTICATED", "400 INVALID_REQUEST", "409 TOKEN_LINE_TOO_LONG"}
        if maker and maker.ended:
            allowed = {"401 UNAUTHENTICATED"}

        def taken(answer: Answer) -> None:
            if answer.status == 201:
                client = replace(self.admin, token=answer.json["token"])
                self.passes.append(Pass(answer.json["id"], client, maker, expires_at))

        client = maker.client if maker else self.admin
        path = f"{self._org}/tokens"
        return Plan(client, "POST", path, body, frozenset(allowed), taken)

    def _revoke(self, holder: Holder, dice: random.Random) -> Plan:
        if not self.passes:
            return self._token(holder, dice)
        which = dice.choice(self.passes)

        def taken(answer: Answer) -> None:
            which.revoked |= answer.status in (204, 404)

        path = f"{self._org}/tokens/{which.id}"
        return Plan(self.admin, "DELETE", path, None, frozenset({"204", "404 NOT_FOUND"}), taken)

    def _read(self, holder: Holder, dice: random.Random) -> Plan:
        """Fetch the PDF of a document, which must be the same ever after."""
        document = self._document(holder, dice)
        if document is None:
            return self._charge(holder, dice)

        def taken(answer: Answer) -> None:
            if answer.status == 200:
                digest = sha256(answer.content).hexdigest()
                known = holder.pdfs.setdefault(document, digest)
                must(digest == known, f"the PDF of {document} has changed")

        allowed = frozenset({"200", "409 DOCUMENT_NOT_READY"})
        path = f"/v3/account/invoice/{document}/pdf"
        return Plan(holder.client, "GET", path, None, allowed, taken)

    def _profile(self, holder: Holder, dice: random.Random) -> Plan:
        """Replace the profile of an account."""
        body = {
            **ACCOUNT,
            "address": ADDRESS,
            "name": f"Ana Ejemplo {dice.randint(1, 9)}",
            "company_name": dice.choice([None, "Pérez Ejemplo S.L."]),
            "payment_term_days": dice.randint(0, 60),
        }
        return self._put(holder.client, f"{holder.client.account}/billing_details", body)

    def _seller(self, _: Holder, dice: random.Random) -> Plan:
        """Replace the profile of the org, which every document names."""
        body = {
            **ORG,
            "address": ADDRESS,
            "legal_name": f"Telco Ejemplo {dice.randint(1, 9)} S.A.",
            "phone": dice.choice([None, "+34 910 000 000"]),
            "payment_term_days": dice.randint(0, 60),
        }
        return self._put(self.admin, f"{self._org}/billing_info", body)

    def _rate(self, _: Holder, dice: random.Random) -> Plan:
        """Set the org's own rate for a province."""
        tax = {"type": "IVA", "percentage": dice.choice([4, 10, 21])}
        body = {"tax": tax, "valid_from": "2026-11-01"}
        return self._put(self.admin, f"{self._org}/location-taxes/{dice.choice([8, 28])}", body)

    def _put(self, client: Client, path: str, body: Json) -> Plan:
        def taken(_: Answer) -> None:
            self.put.setdefault(path, []).append(body)

        return Plan(client, "PUT", path, body, frozenset({"204"}), taken)

    # ------------------------------------------------------------ time

    def _turn(self, _: Holder, dice: random.Random) -> Plan:
        """Move the clock to the next month: it is billed while the rest of the round is sent."""
        until, self.until = self.until, next_billing_date(1, self.until)
        self.turns += 1
        body = {
            "until": until.isoformat(),
            "external_billing_run_unique_id": f"{until} {dice.random()}",
        }

        def taken(answer: Answer) -> None:
            self.runs.append(answer.json["id"])
            self._wait(answer.json["id"])
            for each in self.holders:
                self._look(each)

        now = {"now": f"{until}T12:00:00Z"}
        move = Plan(self.admin, "PUT", f"{self._org}/sandbox_clock", now, frozenset({"204"}))
        runs = f"{self._org}/billing_runs"
        return Plan(self.admin, "POST", runs, body, frozenset({"201"}), taken, first=move)

    def _wait(self, run_id: str) -> None:
        ends = time.monotonic() + RUN_SECONDS
        while time.monotonic() < ends:
            run = self._done(self.admin.get(f"{self._org}/billing_runs/{run_id}"), 200).json
            if run["status"] == "completed":
                must(run["failures"] == [], f"accounts were not billed: {run['failures']}")
                return
            time.sleep(0.1)
        raise WrongError(f"a run does not end: {run}")

    def _look(self, holder: Holder) -> list[Json]:
        """List all documents of an account; none that was there before has changed its hash."""
        rows: list[Json] = []
        total = 1
        while len(rows) < total:
            wanted = {"ranged_data": f"start={len(rows)},results=100"}
            answer = self._done(holder.client.get("/v3/account/invoice", **wanted), 200)
            rows += answer.json
            total = int(answer.headers["ranged-data"].rpartition("total=")[2])
            if not answer.json:
                break
        for row in rows:
            known = holder.seen.setdefault(row["id"], row["invoiceHash"])
            must(known == row["invoiceHash"], f"document {row['id']} has changed")
        return rows

    # ------------------------------------------------------------ what must come out

    def check(self) -> None:
        """Bill what is left, read everything back, and compare it with what was accepted."""
        for _ in range(2):
            plan = self._turn(self.holders[0], random.Random(self.turns))
            plan.taken(self._sent(plan))
        for holder in self.holders:
            self._check_account(holder)
        self._check_events()
        self._check_links()
        self._check_put_back(self.admin, f"{self._org}/billing_info", has_etag=True)
        for state in (8, 28):
            path = f"{self._org}/location-taxes/{state}"
            self._check_put_back(self.admin, path, has_etag=False)
        faults = [
            (each.number, each.faults)
            for each in audit.documents(self.org_id, pdfs=True)
            if each.faults
        ]
        must(faults == [], f"the audit found {faults}")
        wrong = [each for each in audit.movements(self.org_id) if each.faults]
        must(wrong == [], f"the audit found {wrong}")
        unsettled = [each for each in audit.settlements(self.org_id) if each[1]]
        must(unsettled == [], f"the audit found {unsettled}")
        for each in self.passes:
            status = each.client.get(f"{self._org}/tokens").status
            must(status == (401 if each.ended else 200), f"token {each.id} is answered {status}")

    def _check_account(self, holder: Holder) -> None:
        rows = {row["id"]: row for row in self._look(holder)}
        documents = {str(each.key.ordinal): each for each in _issued(self.org_id, holder)}
        must(rows.keys() == documents.keys(), f"{rows.keys()} are listed, not {documents.keys()}")
        lines = _lines_of_runs(holder, documents)
        refunds = {each.id: self._check_refund(holder, each) for each in holder.refunds}
        for charge in holder.charges:
            given_back = [(each, refunds[each.id]) for each in holder.refunds if each.of is charge]
            live = [body for _, body in given_back if body]
            if charge.deleted:
                self._done(holder.client.get(charge.path), 404)
                must(not live, f"{charge} is deleted under {live}")
                must(charge.id not in lines, f"{charge} is deleted, and billed")
                continue
            told = self._done(holder.client.get(charge.path), 200).json
            total = sum(_cents(body["amount"]["value_with_taxes"]) for body in live)
            must(total <= max(charge.gross, 0), f"{charge}: {total} are given back")
            must(_cents(told["refunded"]) == total, f"{charge}: {told['refunded']} of {total}")
            expected = sorted(
                [
                    (str(told["invoice_id"]), charge.net),
                    *(
                        (str(body["invoice_id"]), -_cents(body["amount"]["value_without_taxes"]))
                        for body in live
                        if body["billable"]
                    ),
                ]
            )
            found = sorted(lines.pop(charge.id, []))
            must(found == expected, f"{charge}: billed {found}, accepted {expected}")
        for description, net in holder.adjustments.items():
            billed = [each for _, each in lines.pop(description, [])]
            must(billed == [net], f"{description}: billed {billed}, accepted {net}")
        usage = sum(net for _, net in lines.pop(None, []))
        must(usage == sum(holder.usage.values()), f"usage {usage}, not {holder.usage}")
        must(not lines, f"nobody asked for {lines}")
        for id_, document in documents.items():
            self._check_document(holder, document, rows[id_], documents)
        self._check_money(holder, documents)
        path = f"{holder.client.account}/billing_details"
        self._check_put_back(holder.client, path, has_etag=True)

    def _check_refund(self, holder: Holder, refund: GivenBack) -> Json | None:
        """Read a refund back: gone, or one of those that were accepted, and billed if it can be."""
        answer = holder.client.get(refund.path)
        if refund.withdrawn:
            must(answer.status == 404, f"{refund.path} was withdrawn, and is {answer.status}")
            return None
        must(answer.status == 200, f"{refund.path} is {answer.status}")
        body: Json = answer.json
        said = [(each["amount"], each["billable"]) for each in refund.versions]
        is_one = any(
            _same_amount(body["amount"], amount) and body["billable"] == billable
            for amount, billable in said
        )
        must(is_one, f"{body} was never accepted: {said}")
        status = "billed" if body["billable"] else "settled"
        must(body["status"] == status, f"{body} is not {status}")
        refund.billed = bool(body["billable"])
        return body

    def _check_document(
        self,
        holder: Holder,
        document: IssuedInvoice,
        row: Json,
        documents: dict[str, IssuedInvoice],
    ) -> None:
        """Add a document up again, and compare what is listed of it."""
        net = sum(line.net.minor for line in document.lines)
        gross = _gross_of(document.lines)
        id_ = str(document.key.ordinal)
        broken = broken_rules(document)
        must(not broken, f"document {id_} breaks the official rules: {broken}")
        listed = (int(row["amountExclVAT"]), int(row["amountIncVAT"]))
        if document.corrects:
            self._check_correction(document, listed, row, documents)
            return
        must(listed == (net, gross), f"document {id_} says {listed}, its lines {(net, gross)}")
        corrections = [
            each
            for each in documents.values()
            if each.corrects and str(each.corrects.ordinal) == id_
        ]
        if corrections:
            returned = _gross_of(line for each in corrections for line in each.lines)
            credited = sum(each.gross.minor for each in corrections)
            must(credited == returned, f"credit notes of {id_} are {credited}, not {returned}")
        if gross >= 0:
            credited = -sum(each.gross.minor for each in corrections)
            paid = holder.paid(id_)
            must(credited <= gross, f"{credited} of {gross} are credited on {id_}")
            told = (int(row["totalPaidAmount"]), int(row["remainingAmount"]))
            owed = (paid, max(0, gross - paid - credited))
            must(told == owed, f"document {id_} says {told}, and not {owed}")

    @staticmethod
    def _check_correction(
        document: IssuedInvoice,
        listed: tuple[int, int],
        row: Json,
        documents: dict[str, IssuedInvoice],
    ) -> None:
        """Add a document up that credits another; its tax may be a minor unit off for each rate."""
        id_, lines = str(document.key.ordinal), document.lines
        net = sum(line.net.minor for line in lines)
        told = (net, document.gross.minor)
        must(listed == told, f"document {id_} says {listed}, and is {told}")
        taxed = sum(each.net.minor + each.amount.minor for each in document.taxes)
        must(taxed == told[1], f"document {id_} is {told[1]}, its net and tax are {taxed}")
        off = abs(told[1] - _gross_of(lines))
        must(off <= len(document.taxes), f"document {id_} is {off} off its lines")
        must(max(told) <= 0, f"document {id_} credits nothing: {told}")
        original = documents.get(str(document.corrects.ordinal)) if document.corrects else None
        must(original, f"document {id_} corrects none: {document.corrects}")
        if original and document.corrects:
            is_it = original.number == document.corrects.number and not original.corrects
            must(is_it, f"document {id_} corrects {original.number}, not {document.corrects}")
        owed = (int(row["totalPaidAmount"]), int(row["remainingAmount"]))
        must(owed == (0, 0), f"document {id_} says {owed}")

    def _check_money(self, holder: Holder, documents: dict[str, IssuedInvoice]) -> None:
        """Compare payments and payouts with what was accepted, and add up what is owed."""
        unpaid = credit = 0
        for id_, document in documents.items():
            gross, invoice = document.gross.minor, f"{holder.client.account}/invoices/{id_}"
            payments = [each for each in holder.payments if each.document == id_]
            payouts = holder.payouts.get(id_, {})
            if payments:
                listed = self._done(holder.client.get(f"{invoice}/payments?limit=100"), 200).json
                told = {
                    each["id"]: (_cents(each["amount"]), "reversal" in each)
                    for each in listed["payments"]
                }
                accepted = {each.id: (each.cents, each.reversed) for each in payments}
                must(told == accepted, f"{invoice} has {told}, accepted {accepted}")
            if payouts:
                listed = self._done(holder.client.get(f"{invoice}/payouts?limit=100"), 200).json
                returned = {each["id"]: _cents(each["amount"]) for each in listed["payouts"]}
                must(returned == payouts, f"{invoice} has {returned}, accepted {payouts}")
            credited = -sum(
                each.gross.minor
                for each in documents.values()
                if each.corrects and str(each.corrects.ordinal) == id_
            )
            if document.corrects:
                owed = most = 0
            elif gross < 0:
                owed = most = -gross
            else:
                settled = holder.paid(id_) + credited
                unpaid += max(0, gross - settled)
                owed = max(0, settled - gross)
                most = max(0, sum(each.cents for each in payments) + credited - gross)
            paid_out = sum(payouts.values())
            must(paid_out <= most, f"{paid_out} of at most {most} were returned on {invoice}")
            credit += owed - paid_out
        path = f"{holder.client.account}/balance"
        balances = self._done(holder.client.get(path), 200).json["balances"]
        told_of = [(_cents(each["unpaid"]), _cents(each["credit"])) for each in balances]
        must(told_of in ([(unpaid, credit)], []), f"{path}: {balances}, not {unpaid}, {credit}")
        must(balances or not unpaid + abs(credit), f"{path}: {unpaid}, {credit} are missing")

    def _check_events(self) -> None:
        """Read the feed from its beginning: every change that was accepted has its event, once."""
        expected, found = Counter(self._changes()), Counter[tuple[str, str, str]]()
        ids: list[str] = []
        after, ends = "", time.monotonic() + EVENTS_SECONDS
        while True:
            path = f"{self._org}/events?limit=100{after}"
            page = self._done(self.admin.get(path), 200).json
            for event in page["events"]:
                ids.append(event["id"])
                data = event["data"]
                if thing := THINGS.get(event["type"]):
                    found[event["type"], data.get("account_id", ""), data[thing]] += 1
            after = f"&after={page['next_after']}"
            if not page["events"]:
                if found == expected or time.monotonic() > ends:
                    break
                time.sleep(0.2)
        must(len(ids) == len(set(ids)), "an event is in the feed twice")
        missing, more = expected - found, found - expected
        must(not missing, f"there are no events of {missing}")
        must(not more, f"nothing has happened that {more} could be about")

    def _changes(self) -> Iterator[tuple[str, str, str]]:
        """Return what was accepted, as events tell of it: type, account and thing."""
        for run in self.runs:
            yield "billing_run.finished", "", run
        for holder in self.holders:
            account = str(holder.client.account_id)
            for row in self._look(holder):
                issued = "credit_note.issued" if row["isCredit"] else "invoice.issued"
                yield issued, account, row["id"]
                yield "invoice.document_ready", account, row["id"]
            for charge in holder.charges:
                yield "movement.created", account, charge.id
                if charge.deleted:
                    yield "movement.deleted", account, charge.id
            for refund in holder.refunds:
                yield "refund.created", account, refund.id
                if refund.withdrawn:
                    yield "refund.withdrawn", account, refund.id
                if refund.billed:
                    yield "refund.billed", account, refund.id
            for payment in holder.payments:
                yield "payment.recorded", account, payment.id
                if payment.reversed:
                    yield "payment.reversed", account, payment.id

    def _check_links(self) -> None:
        """Open links: each opens its own PDF, and nothing else or otherwise than it was signed."""
        urls: list[str] = []
        for holder in self.holders:
            for document in list(holder.seen)[:LINKS]:
                path = f"{holder.client.account}/invoices/{document}/public_link"
                url = self._done(holder.client.get(path), 200).json["url"]
                opened = self._done(self._opened(url), 200).content
                pdf = self._done(holder.client.get(f"/v3/account/invoice/{document}/pdf"), 200)
                must(opened[:5] == b"%PDF-" and opened == pdf.content, f"{path} opens another's")
                urls.append(url)
        for url, other in zip(urls, urls[1:] + urls[:1], strict=True):
            signed, meant = urlsplit(url), urlsplit(other)
            signature = parse_qs(signed.query)[SIGNATURE][0]
            changed = signature[::-1]
            for tampered in (
                signed._replace(path=meant.path),
                signed._replace(query=signed.query.replace(signature, changed)),
                signed._replace(query=""),
            ):
                if tampered != signed:
                    status = self._opened(tampered.geturl()).status
                    must(status == LINK_TAMPERED, f"a tampered link is answered {status}")

    def _opened(self, url: str) -> Answer:
        """Open a link as anybody may, without a token."""
        return replace(self.admin, token=None).get(url)

    def _check_put_back(self, client: Client, path: str, *, has_etag: bool) -> None:
        """Put back what GET gave: nothing changes. It is one of those that were put, if any was."""
        answer = self._done(client.get(path), 200)
        before: Json = answer.json
        put = self.put.get(path, [])
        is_one = any(all(before[name] == body[name] for name in body) for body in put)
        must(is_one or not put, f"{path}: {before} was never put: {put}")
        version = answer.headers.get("etag")
        must((version is not None) == has_etag, f"{path} has the version {version}")
        self._done(client.put(path, before), 204)
        again = self._done(client.get(path), 200)
        must(again.json == before, f"{path}: {before} became {again.json}")
        must(again.headers.get("etag") == version, f"{path}: its version has changed")


THINGS = {
    "billing_run.finished": "billing_run_id",
    "invoice.issued": "invoice_id",
    "credit_note.issued": "invoice_id",
    "invoice.document_ready": "invoice_id",
    "movement.created": "movement_id",
    "movement.deleted": "movement_id",
    "refund.created": "refund_id",
    "refund.withdrawn": "refund_id",
    "refund.billed": "refund_id",
    "payment.recorded": "payment_id",
    "payment.reversed": "payment_id",
}
"""Which id says what an event is about; of other types, the order of writes decides how many."""
NOT_GIVEN_BACK = "409 REFUND_EXCEEDS_MOVEMENT,409 REFUND_NOT_CREDITABLE,409 CYCLE_BEING_BILLED"
OWED_LESS = "409 PAYOUT_EXCEEDS_CREDIT"
WITHDRAWN = {
    "refund": ("409 REFUND_WITHDRAWN", "404 NOT_FOUND"),
    "movement": ("409 MOVEMENT_DELETED",),
    "payments": ("409 PAYMENT_REVERSED",),
}
"""What is answered to the body of something that was taken back, by the end of the path."""


def _issued(org_id: str, holder: Holder) -> list[IssuedInvoice]:
    invoices = InvoiceRepository()
    summaries, total = invoices.list_page(org_id, holder.client.account_id, 0, 10_000)
    ordinals = sorted(each.key.ordinal for each in summaries)
    must(ordinals == list(range(1, total + 1)), f"{total} documents have the ids {ordinals}")
    return [invoices.get(each.key)[0] for each in summaries]


def _lines_of_runs(
    holder: Holder, documents: dict[str, IssuedInvoice]
) -> dict[str | None, list[tuple[str, int]]]:
    """
    Collect what runs have billed, by movement, adjustments by what they say, and usage under None.

    Check the documents that were asked for.
    """
    asked = {each.id: each for each in holder.one_offs}
    must(asked.keys() <= documents.keys(), f"{asked.keys() - documents.keys()} are missing")
    found: dict[str | None, list[tuple[str, int]]] = {}
    for id_, document in documents.items():
        nets = [line.net.minor for line in document.lines]
        if one_off := asked.get(id_):
            original = str(document.corrects.ordinal) if document.corrects else None
            must(original == one_off.original, f"document {id_} corrects {original}")
            if one_off.nets is not None:
                must(nets == one_off.nets, f"document {id_} has {nets}, not {one_off.nets}")
            continue
        for line in document.lines:
            is_adjustment = not line.movement_id and not line.subscription_id
            what = line.description if is_adjustment else line.movement_id
            found.setdefault(what, []).append((id_, line.net.minor))
    return found


@cache
def _official_rules() -> Any:
    """Return the rules with what writes the documents that they are for; None if not installed."""
    try:
        from tests.documents import official_rules
    except ImportError:
        return None
    return official_rules.OfficialRules(), official_rules.STYLESHEETS


def broken_rules(document: IssuedInvoice) -> list[str]:
    """Return which official rules the e-invoices of a document break, if these are installed."""
    found = _official_rules()
    if found is None:
        return []
    rules, writers = found
    broken: list[str] = []
    for write in writers:
        text = write(document)
        broken += rules.broken_by(write, text)
        if not rules.is_well_formed(text):
            broken.append("the schema")
    return broken


def _said(answer: Answer) -> str:
    """Return the status, and the code of a failure in whatever dialect."""
    if answer.status < 400:
        return str(answer.status)
    with suppress(ValueError, KeyError, AttributeError):
        body = answer.json
        code = body.get("code") or body.get("detailMsg") or body.get("errorCode")
        if isinstance(code, int) and body.get("errors"):
            code = body["errors"][0]["message"]
        return f"{answer.status} {code}"
    return f"{answer.status} in words that are not ours"


def _external(dice: random.Random) -> str:
    return f"{dice.getrandbits(96):x}"


def _cents(major: float) -> int:
    return round(major * 100)


def _gross(net: int, percentage: int) -> int:
    """Add tax, half up and away from zero."""
    tax = (abs(net) * percentage * 2 + 100) // 200
    return net + (tax if net >= 0 else -tax)


def _gross_of(lines: Iterable[Line]) -> int:
    """Add tax once for each rate."""
    nets: dict[int, int] = {}
    for line in lines:
        percentage = int(line.tax.percentage)
        nets[percentage] = nets.get(percentage, 0) + line.net.minor
    return sum(_gross(net, percentage) for percentage, net in nets.items())


def _amount(net: int, percentage: int) -> Json:
    return {
        "value_with_taxes": _gross(net, percentage) / 100,
        "value_without_taxes": net / 100,
        "tax": {"type": "IVA" if percentage else "NONE", "percentage": percentage},
    }


def _same_amount(one: Json, other: Json) -> bool:
    names = ("value_with_taxes", "value_without_taxes")
    return all(_cents(one[name]) == _cents(other[name]) for name in names)


# ---------------------------------------------------------------- the shortest that fails


def failure_of(story: Story, base_url: str) -> str | None:
    """Tell a story in an org of its own; return what went wrong, if anything did."""
    try:
        World(base_url).tell(story)
    except WrongError as error:
        return str(error)
    return None


def shortened(story: Story, fails: Callable[[Story], bool], seconds: float) -> Story:
    """Leave out rounds, then steps, as long as the story still fails and there is time."""
    ends = time.monotonic() + seconds
    story = _shorter(story, fails, ends)
    singles = [[step] for steps in story for step in steps]
    if time.monotonic() < ends and fails(singles):  # it takes no race
        return _shorter(singles, fails, ends)
    for place in range(len(story)):

        def with_steps(steps: list[Step], place: int = place) -> bool:
            return fails([*story[:place], steps, *story[place + 1 :]])

        story[place] = _shorter(story[place], with_steps, ends)
    return story


def _shorter[T](parts: list[T], fails: Callable[[list[T]], bool], ends: float) -> list[T]:
    """Leave out as many parts as possible, half of them at first and one at last."""
    size = max(1, len(parts) // 2)
    while True:
        place = len(parts)
        while place > 0:
            if time.monotonic() > ends:
                return parts
            fewer = parts[: max(0, place - size)] + parts[place:]
            if len(fewer) < len(parts) and fails(fewer):
                parts = fewer
            place -= size
        if size == 1:
            return parts
        size //= 2


def attack(base_url: str, seed: int, seconds: float, say: Callable[[str], None]) -> str | None:
    """Tell stories from a seed on, for so long; return how the first fails that does."""
    ends = time.monotonic() + seconds
    while True:
        story, began = draw(seed), time.monotonic()
        failure = failure_of(story, base_url)
        if failure:
            return _report(seed, story, failure, base_url)
        say(f"seed {seed}: {sum(map(len, story))} steps, {time.monotonic() - began:.0f} s")
        if time.monotonic() > ends:
            return None
        seed += 1


def _report(seed: int, story: Story, failure: str, base_url: str) -> str:
    """Shorten a story that failed, as long as it fails alike, and write how."""
    last = failure

    def fails(shorter: Story) -> bool:
        nonlocal last
        found = failure_of(shorter, base_url)
        alike = found is not None and _kind(found) == _kind(failure)
        last = found if found and alike else last
        return alike

    story = shortened(story, fails, SHRINKING_SECONDS)
    rounds = [f"  {number}. " + "; ".join(map(str, steps)) for number, steps in enumerate(story, 1)]
    return "\n".join(
        [f"seed {seed} fails: {failure}", "The shortest story, round by round:", *rounds, last]
    )


def _kind(failure: str) -> str:
    """Leave out of a failure what differs each time: ids and amounts."""
    return re.sub(r"[0-9a-f-]*[0-9][0-9a-f-]*", "", failure)[:120]


def _say(what: str) -> None:
    print(what, flush=True)


def main() -> int:
    """Attack the stack that runs, or the one that this is started with."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().partition("\n")[0])
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--seconds", type=float, default=SECONDS)
    options = parser.parse_args()
    places.enter_stack()
    failed = attack(from_environment().base_url, options.seed, options.seconds, _say)
    _say(failed or "All came out as it must.")
    return int(failed is not None)


if __name__ == "__main__":
    sys.exit(main())
