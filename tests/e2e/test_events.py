"""What is done over HTTP is in the feed of events soon after."""

import time
from collections.abc import Callable
from typing import Any

from tests.e2e.conftest import Client

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
