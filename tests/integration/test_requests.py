"""
docs/requests.md says what each route asks of AWS: the example of each is counted.

RECORD=1 pytest tests/integration/test_requests.py writes what it counts.
"""

import os
import re
from collections.abc import Callable

from local.stack import ROOT
from tests.integration.conftest import Invoker
from tests.integration.story import REQUESTS, Story, in_order

PAGE = ROOT / "docs" / "requests.md"
HEADING = "## The example of each route\n"
READS = {"GetItem", "BatchGetItem", "Query", "TransactGetItems"}
WRITES = {"TransactWriteItems", "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem"}
START = """
Each event of [events](../events), in an org that has little more than what the event needs.
Messages to SQS are not counted. Routes that hand out access (tokens, links, webhooks) read the
caller's token each time; that is counted here.

| route | reads | writes | calls to S3 and Lambda |
|---|--:|--:|---|
"""


def test_the_page_has_the_requests_of_every_route(
    invoke: Invoker, aws_calls: Callable[[], list[str]]
) -> None:
    story, counted = Story(invoke), {}
    for name in in_order():
        story.prepare(name)
        invoke("tokens_list")  # whoever calls is known by now
        aws_calls()
        assert story.tell(name).status < 400, name
        calls = aws_calls()
        reads = sum(call in READS for call in calls)
        writes = sum(call in WRITES for call in calls)
        others = sorted({call for call in calls if call not in READS | WRITES})
        counted[REQUESTS[name]["routeKey"], name] = (reads, writes, others)

    table = "".join(
        f"| `{route}` (`{name}`) | {reads} | {writes or ''} | {', '.join(others)} |\n"
        for (route, name), (reads, writes, others) in sorted(counted.items())
    )
    written = re.sub(r" +\|", " |", table)
    before, _, after = PAGE.read_text().partition(HEADING)
    if os.environ.get("RECORD"):
        PAGE.write_text(before + HEADING + START + written)
        return
    assert after == START + written, "RECORD=1 writes what was counted"
