"""
A telecom's day in two minutes, over HTTP against the running stack; then the books are checked.

    make load                   starts the stack, if it does not run
    SECONDS=30 USERS=10 make load

Locust (https://locust.io) sends the requests and prints rates, latencies and errors. Every write
that was acknowledged is remembered: afterwards each must be there once, and nothing besides what
got no answer. Then the audit verifies numbers, chains and totals: see the Makefile.
"""

import json
import os
import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import uuid4

import psutil
from locust import FastHttpUser, between, events, task

from local.stack import ROOT, from_environment

type Json = dict[str, Any]

STACK: Json = json.loads(from_environment().file.read_text())
ORG = f"/v1/orgs/{STACK['org_id']}"
RUN = uuid4().hex[:8]
ACCOUNTS = 40
RECORDS = 20
"""Usage records of a request."""

_numbers = count(1)
_lock = threading.Lock()


def body(event: str, **fields: Any) -> Json:
    """Return the body of an event of events/, with other fields."""
    whole = json.loads((ROOT / "events" / f"{event}.json").read_text())
    return {**json.loads(whole["body"]), **fields}


def external() -> str:
    return f"load-{RUN}-{next(_numbers)}"


class Books:
    """What was sent, and what became of it: acknowledged, refused, or nobody knows."""

    def __init__(self) -> None:
        self.done: dict[str, dict[str, str]] = defaultdict(dict)
        """Ids by external ids, by what it is and of whom."""
        self.unknown: dict[str, set[str]] = defaultdict(set)
        self.refused: Counter[str] = Counter()

    def note(self, what: str, external_id: str, answer: Any) -> str | None:
        """Note what became of a write; return the id of what it made."""
        if answer.status_code < 500 and answer.status_code:
            self.unknown[what].discard(external_id)
        if answer.status_code == 201:
            made = str(answer.json().get("id", external_id))
            self.done[what][external_id] = made
            return made
        if 400 <= answer.status_code < 500:
            self.refused[f"{what.split(' ', maxsplit=1)[0]} {answer.status_code}"] += 1
        return None


BOOKS = Books()


class Customer(FastHttpUser):
    """One of many who use the API at once, each for one account at a time."""

    host = STACK["base_url"]
    wait_time = between(0.05, 0.3)

    def on_start(self) -> None:
        """Make accounts, once for all."""
        with _lock:
            if not _ACCOUNTS:
                for number in range(ACCOUNTS):
                    account_id = f"{RUN}{number:03}"
                    path = f"accounts/{account_id}"
                    self._put(f"{path}/billing_details", body("billing_info_put_account"))
                    self._put(f"{path}/subscriptions/{account_id}", None)
                    _ACCOUNTS.append(account_id)

    def _put(self, path: str, sent: Json | None) -> None:
        headers = {"authorization": f"Bearer {STACK['admin_token']}"}
        answer = self.client.put(
            f"{ORG}/{path}", json=sent, headers=headers, name="PUT accounts and subscriptions"
        )
        if answer.status_code != 204:
            raise RuntimeError(answer.text)

    def _send(self, what: str, path: str, sent: Json, external_id: str) -> str | None:
        headers = {"authorization": f"Bearer {STACK['admin_token']}"}
        BOOKS.unknown[what].add(external_id)  # until there is an answer; the end may come before
        with self.client.post(
            f"{ORG}/{path}",
            json=sent,
            headers=headers,
            name=f"POST {what.partition(' ')[0]}",
            catch_response=True,
        ) as answer:
            if answer.status_code == 409:
                answer.success()  # refused: more than is left to be refunded or paid
            return BOOKS.note(what, external_id, answer)

    def _get(self, path: str, name: str) -> Any:
        headers = {"authorization": f"Bearer {STACK['admin_token']}"}
        return self.client.get(f"{ORG}/{path}", headers=headers, name=f"GET {name}")

    @task(30)
    def use(self) -> None:
        """Send usage records."""
        account_id, at = random.choice(_ACCOUNTS), datetime.now(UTC).isoformat()
        [record, *_] = body("consumptions_create")["records"]
        records = [
            {
                **record,
                "external_consumption_unique_id": external(),
                "consumed_datetime": at,
                "units": 1,
            }
            for _ in range(RECORDS)
        ]
        self._send(
            f"consumptions {account_id}", f"subscription/{account_id}/consumptions",
            {"records": records}, records[0]["external_consumption_unique_id"],
        )  # fmt: skip

    @task(10)
    def charge(self) -> None:
        account_id, external_id = random.choice(_ACCOUNTS), external()
        sent = body(
            "movements_create", account_id=account_id, external_movement_unique_id=external_id
        )
        made = self._send(
            f"movement {account_id}", f"subscription/{account_id}/movement", sent, external_id
        )
        if made:
            _MOVEMENTS.append((account_id, made))

    @task(3)
    def give_back(self) -> None:
        if _MOVEMENTS:
            account_id, movement_id = random.choice(_MOVEMENTS)
            external_id = external()
            sent = body("refunds_create", external_refund_unique_id=external_id)
            path = f"subscription/{account_id}/movement/{movement_id}/refund"
            self._send(f"refund {account_id} {movement_id}", path, sent, external_id)

    @task(4)
    def issue(self) -> None:
        account_id, external_id = random.choice(_ACCOUNTS), external()
        sent = body("invoices_create", external_invoice_unique_id=external_id)
        made = self._send(
            f"invoice {account_id}", f"accounts/{account_id}/invoices", sent, external_id
        )
        if made:
            _INVOICES.append((account_id, made))

    @task(3)
    def pay(self) -> None:
        if _INVOICES:
            (account_id, invoice_id), external_id = random.choice(_INVOICES), external()
            sent = body("invoices_pay", amount=1, external_payment_unique_id=external_id)
            path = f"accounts/{account_id}/invoices/{invoice_id}/payments"
            self._send(f"payment {account_id} {invoice_id}", path, sent, external_id)

    @task(25)
    def look(self) -> None:
        """Look at an account, as its customer does."""
        account_id = random.choice(_ACCOUNTS)
        path, name = random.choice(
            [
                ("billing_details", "details"), ("invoices", "invoices"), ("balance", "balance"),
                ("invoices?status=unpaid", "unpaid invoices"),
            ]
        )  # fmt: skip
        answer = self._get(f"accounts/{account_id}/{path}", name)
        if name == "invoices" and answer.status_code == 200 and answer.json()["invoices"]:
            invoice_id = answer.json()["invoices"][0]["id"]
            self._get(f"accounts/{account_id}/invoices/{invoice_id}", "invoice")

    @task(3)
    def oversee(self) -> None:
        """Look at the org, as its office does."""
        path = random.choice(["invoices?status=unpaid", "events", "accounts", "billing_runs"])
        self._get(path, f"the org's {path.split('?')[0]}")


_ACCOUNTS: list[str] = []
_MOVEMENTS: list[tuple[str, str]] = []
_INVOICES: list[tuple[str, str]] = []


# ------------------------------------------------------------------------------- the books, after


def used() -> tuple[float, Counter[str]]:
    """Return the time, and the processor's time of each part of the stack, in seconds."""
    parts: Counter[str] = Counter()
    for process in psutil.process_iter(["cmdline", "cpu_times", "pid"]):
        line = " ".join(process.info["cmdline"] or [])
        if f"{ROOT}/" not in line and process.pid != os.getpid():
            continue
        part = (
            "the clients" if process.pid == os.getpid()
            else "the emulator with its gateway" if line.endswith("local.gateway")
            else "the functions" if line.endswith("_worker.py")
            else ""
        )  # fmt: skip
        times = process.info["cpu_times"]
        if part and times:
            parts[part] += times.user + times.system
    return time.monotonic(), parts


@events.test_start.add_listener
def start(environment: Any, **_: Any) -> None:
    environment.used = used()


@events.test_stop.add_listener
def stop(environment: Any, **_: Any) -> None:
    environment.used_after = used()


def busy(environment: Any) -> str:
    """Say which part of the stack took how much of the machine: what bounds the rate."""
    (began, before), (ended, after) = environment.used, environment.used_after
    whole = (ended - began) * (os.cpu_count() or 1)
    shares = {part: (after[part] - before[part]) / whole for part in after}
    return ", ".join(f"{share:.0%} {part}" for part, share in sorted(shares.items()))


@events.quitting.add_listener
def check(environment: Any, **_: Any) -> None:
    """Read all back: what was acknowledged is there once, and nothing else but what is unknown."""
    import requests

    session = requests.Session()
    session.headers["authorization"] = f"Bearer {STACK['admin_token']}"

    def read(path: str) -> Any:
        answer = session.get(f"{STACK['base_url']}{ORG}/{path}", timeout=30)
        answer.raise_for_status()
        return answer

    def pages(path: str, name: str) -> Iterator[Json]:
        cursor = ""
        while True:
            more = read(f"{path}?limit=100{cursor}").json()
            yield from more[name]
            if not more["next_cursor"]:
                return
            cursor = f"&cursor={more['next_cursor']}"

    wrong: list[str] = []

    def compare(what: str, found: list[str]) -> None:
        done, unknown = BOOKS.done[what], BOOKS.unknown[what]
        lost = set(done.values()) - set(found)
        twice = len(found) - len(set(found))
        more = len(set(found) - set(done.values()))
        if lost or twice or more > len(unknown):
            wrong.append(f"{what}: {len(lost)} lost, {twice} twice, {more} more than known")

    for account_id in _ACCOUNTS:
        invoices = [each["id"] for each in pages(f"accounts/{account_id}/invoices", "invoices")]
        compare(f"invoice {account_id}", invoices)
        movements = pages(f"subscription/{account_id}/movement", "movements")
        if BOOKS.done[f"movement {account_id}"]:
            compare(f"movement {account_id}", [each["id"] for each in movements])
        requests_done = len(BOOKS.done[f"consumptions {account_id}"])
        if requests_done:
            totals = read(f"subscription/{account_id}/consumptions").json()
            units = sum(each["units"] for each in totals["totals"])
            most = requests_done + len(BOOKS.unknown[f"consumptions {account_id}"])
            if not requests_done * RECORDS <= units <= most * RECORDS:
                wrong.append(f"usage of {account_id}: {units} units, {requests_done} requests")
    for what in [name for name in BOOKS.done if name.startswith(("refund", "payment"))]:
        kind, account_id, of = what.split(" ")
        if kind == "payment":
            path = f"accounts/{account_id}/invoices/{of}/payments"
            compare(what, [each["id"] for each in pages(path, "payments")])
        else:
            path = f"subscription/{account_id}/movement/{of}/refund"
            compare(what, [each["id"] for each in pages(path, "refunds")])
    writes = sum(map(len, BOOKS.done.values()))
    unknown = sum(map(len, BOOKS.unknown.values()))
    refused = ", ".join(f"{number} × {what}" for what, number in sorted(BOOKS.refused.items()))
    print(
        f"The books, afterwards:\n{writes:,} writes acknowledged, {unknown} without an answer; "
        f"refused, as more than is left: {refused or 'none'}."
    )
    print("\n".join(wrong) or "All is there, nothing lost, nothing twice.")
    print(f"Of the processors' time, {busy(environment)}.")
    if wrong:
        environment.process_exit_code = 1
