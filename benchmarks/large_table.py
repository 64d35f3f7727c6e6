"""
A table of one large account, sorted as DynamoDB has it, behind DynamoDB's own protocol.

The emulator looks at each item of a partition for each query: with 120,000 invoices in it that
takes longer than any deadline allows. This knows the three reads that pages are made of, and finds
where a range begins without looking at what stands before it.
"""

import json
import threading
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from billing.persistence.dynamodb import Key, key_of

type Item = Mapping[str, Any]


class LargeTable:
    """Items by partition, in the order of their sort keys."""

    def __init__(self, items: Iterable[tuple[Key, Item]]) -> None:
        self._partitions: dict[str, dict[str, Item]] = {}
        for key, item in items:
            self._partitions.setdefault(key[0], {})[key[1]] = {**key_of(key), **item}
        self._order = {pk: sorted(items) for pk, items in self._partitions.items()}

    def answer(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        if operation == "GetItem":
            item = self._get(request["Key"])
            return {"Item": item} if item else {}
        if operation == "BatchGetItem":
            [(table, wanted)] = request["RequestItems"].items()
            found = [item for key in wanted["Keys"] if (item := self._get(key))]
            return {"Responses": {table: found}, "UnprocessedKeys": {}}
        if operation == "Query":
            return self._query(request)
        raise ValueError(f"{operation} is no read of a page")

    def _get(self, key: Mapping[str, Any]) -> Item | None:
        return self._partitions.get(key["pk"]["S"], {}).get(key["sk"]["S"])

    def _query(self, request: Mapping[str, Any]) -> dict[str, Any]:
        pk, *ends = (value["S"] for value in request["ExpressionAttributeValues"].values())
        low, high = ends if len(ends) == 2 else (ends[0], f"{ends[0]}\N{DEL}")
        order = self._order.get(pk, [])
        begin, end = bisect_left(order, low), bisect_right(order, high)
        newest_first = order[max(begin, end - request.get("Limit", end)) : end][::-1]
        answer: dict[str, Any] = {"Items": [self._partitions[pk][sk] for sk in newest_first]}
        if newest_first and end - len(newest_first) > begin:
            answer["LastEvaluatedKey"] = key_of((pk, newest_first[-1]))
        return answer


@contextmanager
def served(table: LargeTable) -> Iterator[str]:
    """Serve a table, and tell at what address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            operation = self.headers["X-Amz-Target"].split(".")[1]
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = json.dumps(table.answer(operation, request)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
