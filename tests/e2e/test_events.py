"""What is done over HTTP is in the feed of events soon after."""

import time
from collections.abc import Callable
from typing import Any

from tests.e2e.conftest import Client
from tests.integration.receiver import receiver

SOON_SECONDS = 30
"""The bound of a busy machine; what it took is printed."""


def test_an_event_is_in_the_feed_soon_after_its_change(
    admin: Client, new_invoice: Callable[..., dict[str, Any]]
) -> None:
    feed = f"/v1/orgs/{admin.org_id}/events"
    after = admin.get(feed).json["next_after"]
    began = time.monotonic()
    issued = admin.post(f"{admin.account}/invoices", new_invoice())
    assert issued.status == 201, issued

    waiting = {"invoice.issued", "invoice.document_ready"}
    while waiting and time.monotonic() - began < SOON_SECONDS:
        page = admin.get(f"{feed}?after={after}").json
        after = page["next_after"]
        for event in page["events"]:
            if event["data"].get("invoice_id") == issued.json["id"] and event["type"] in waiting:
                waiting.remove(event["type"])
                print(f"{event['type']} after {time.monotonic() - began:.2f} s")
        time.sleep(0.02)

    assert waiting == set()


def test_a_webhook_arrives_soon_after_the_change(
    admin: Client, new_invoice: Callable[..., dict[str, Any]]
) -> None:
    with receiver() as receiving:
        created = admin.post(
            f"/v1/orgs/{admin.org_id}/webhook_endpoints", {"url": receiving.url, "types": None}
        )
        assert created.status == 201, created
        began = time.monotonic()
        issued = admin.post(f"{admin.account}/invoices", new_invoice())
        assert issued.status == 201, issued
        while not receiving.received and time.monotonic() - began < SOON_SECONDS:
            time.sleep(0.02)
        print(f"webhook after {time.monotonic() - began:.2f} s")

        sent = [each.verified(created.json["secret"]) for each in receiving.received]

    assert "invoice.issued" in [each["type"] for each in sent]  # type: ignore[index]


def test_a_webhook_is_tried_again_after_seconds(
    admin: Client, new_invoice: Callable[..., dict[str, Any]]
) -> None:
    with receiver() as receiving:

        def fail_once() -> None:
            receiving.status = 503 if len(receiving.received) < 2 else 200

        receiving.hold = fail_once
        endpoints = f"/v1/orgs/{admin.org_id}/webhook_endpoints"
        created = admin.post(endpoints, {"url": receiving.url, "types": ["invoice.issued"]})
        assert admin.post(f"{admin.account}/invoices", new_invoice()).status == 201
        began = time.monotonic()
        while len(receiving.received) < 2 and time.monotonic() - began < SOON_SECONDS:
            time.sleep(0.02)
        print(f"tried again after {time.monotonic() - began:.2f} s")
        listed = f"{endpoints}/{created.json['id']}/deliveries"
        deliveries: list[Any] = []
        while time.monotonic() - began < SOON_SECONDS:
            deliveries = admin.get(listed).json["deliveries"]
            if deliveries and deliveries[0]["status"] == "delivered":
                break
            time.sleep(0.1)

    assert [(each["status"], each["attempts"]) for each in deliveries] == [("delivered", 2)]
    assert receiving.ids[0] == receiving.ids[1]
