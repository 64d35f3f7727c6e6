"""
What the API costs on AWS, operation by operation and by the month.

    python -m tools.costs            write docs/costs.md
    python -m tools.costs --check    fail where the file is not what the sums say

Prices are list prices; requests and write units are those that tests/integration/test_costs.py
counts. What is neither, is assumed, and stands below the prices.
"""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).parents[1] / "docs" / "costs.md"
MILLION = 1_000_000

# ------------------------------------------------ list prices, us-east-1, US dollars, without the
# free tier: each for one of what it is named after
PRICES = {
    "HTTP API call": 1.00 / MILLION,
    "Lambda request": 0.20 / MILLION,
    "Lambda GB-second (arm64)": 0.0000133334,
    "DynamoDB write unit": 0.625 / MILLION,
    "DynamoDB read unit": 0.125 / MILLION,
    "DynamoDB GB-month, with recovery": 0.25 + 0.20,
    "S3 PUT": 5.00 / MILLION,
    "S3 GET": 0.40 / MILLION,
    "S3 GB-month": 0.023,
    "SQS request": 0.40 / MILLION,
    "log GB": 0.50,
    "GB to the internet": 0.09,
    "alarm-month": 0.10,
    "dashboard-month": 3.00,
    "metric-month": 0.30,
    "GB-second of a snapshot": 0.0000015046,
    "GB restored from a snapshot": 0.0001397998,
    "DynamoDB backup GB-month": 0.10,
    "S3 backup GB-month": 0.05,
    "GB to another region": 0.02,
    "secret-month": 0.40,
    "key-month": 1.00,
    "key request": 0.03 / 10_000,
    "mail": 0.10 / 1000,
    "GB attached to mails": 0.12,
}
TEMPLATE = (Path(__file__).parents[1] / "template.yaml").read_text()
STANDING = {
    "alarm-month": TEMPLATE.count("Type: AWS::CloudWatch::Alarm\n"),
    "dashboard-month": TEMPLATE.count("Type: AWS::CloudWatch::Dashboard\n"),
    "metric-month": TEMPLATE.count("Type: AWS::Logs::MetricFilter\n"),
    "secret-month": TEMPLATE.count("Type: AWS::SecretsManager::Secret\n"),
    "SQS request": len(re.findall(r"EventSourceArn: !GetAtt \w+Queue\.Arn", TEMPLATE)) * 650_000,
}
"""What a month costs in which nobody calls, by what the template has. Lambda asks each queue four
times a minute, five at once."""

# ------------------------------------------------ what no test can tell
MEMORY_GB = 1.0
READ_MS, WRITE_MS, PDF_MS = 15, 30, 120
"""How long a warm function takes."""
LOG_KB = 1.6
"""What a call logs: the gateway's line, the function's own, and Lambda's report."""
CALLS_PER_TOKEN_AND_MINUTE = 10
"""The function reads a token once a minute, in each of its execution environments."""
PDF_KB = 60
AS_BASE64 = 4 / 3
"""What is attached grows by."""
KB = 1 / 1024 / 1024
"""In GB."""


@dataclass(frozen=True)
class Operation:
    """What one operation asks of AWS; `reads` in units of 4 KB, strongly consistent."""

    name: str
    writes: float = 0
    """DynamoDB write units: counted by a test."""
    reads: float = 0
    calls: float = 1
    """Through the gateway; what nobody calls has none."""
    milliseconds: float = READ_MS
    s3_puts: float = 0
    s3_gets: float = 0
    messages: float = 0
    mails: float = 0
    out_kb: float = 1

    @property
    def parts(self) -> dict[str, float]:
        """What it costs, by what is paid for."""
        tokens = self.calls / CALLS_PER_TOKEN_AND_MINUTE
        return {
            "gateway": self.calls * PRICES["HTTP API call"],
            "Lambda": PRICES["Lambda request"]
            + self.milliseconds / 1000 * MEMORY_GB * PRICES["Lambda GB-second (arm64)"],
            "DynamoDB": self.writes * PRICES["DynamoDB write unit"]
            + (self.reads + tokens) * PRICES["DynamoDB read unit"],
            "S3, SQS": self.s3_puts * PRICES["S3 PUT"]
            + self.s3_gets * PRICES["S3 GET"]
            + self.messages * PRICES["SQS request"],
            "SES": self.mails
            * (PRICES["mail"] + PDF_KB * AS_BASE64 * KB * PRICES["GB attached to mails"]),
            "logs": LOG_KB * KB * PRICES["log GB"],
            "out": self.out_kb * KB * PRICES["GB to the internet"],
        }

    @property
    def cost(self) -> float:
        return sum(self.parts.values())


USAGE_RECORDS = 3
"""In the request that the test counts; more are cheaper each."""

MOVEMENT = Operation("charge a movement", writes=8, reads=5, milliseconds=WRITE_MS)
REFUND = Operation("refund a movement", writes=10, reads=2, milliseconds=WRITE_MS)
USAGE = Operation("take 3 usage records", writes=20, reads=8, milliseconds=WRITE_MS)
INVOICE = Operation("issue an invoice", writes=22, reads=6, milliseconds=WRITE_MS)
CREDIT = Operation("credit an invoice", writes=28, reads=9, milliseconds=WRITE_MS)
PAYMENT = Operation("record a payment", writes=8, reads=2, milliseconds=WRITE_MS)
BILL = Operation(
    "bill an account's cycle",
    writes=54,
    reads=20,
    calls=0,
    milliseconds=4 * WRITE_MS,
    messages=6,
    out_kb=0,
)
PDF = Operation("make a PDF", writes=1, reads=3, calls=0, milliseconds=PDF_MS, s3_puts=1, out_kb=0)
EVENT = Operation(
    "publish an event, alone", writes=6, reads=1, calls=0, milliseconds=WRITE_MS, out_kb=0
)
WEBHOOK = Operation(
    "deliver a webhook",
    writes=5,
    reads=2,
    calls=0,
    milliseconds=WRITE_MS + 200,
    messages=3,
    out_kb=1,
)
MAIL = Operation(
    "mail a document, and hear of it",
    writes=8,
    reads=4,
    calls=0,
    milliseconds=250,
    s3_gets=1,
    messages=3,
    mails=1,
    out_kb=0,
)
SHARE = Operation("share a document by a link", writes=4, reads=2, milliseconds=WRITE_MS)
SHARED_PAGE = Operation(
    "open a shared page", writes=1, reads=3, milliseconds=WRITE_MS, s3_gets=1, out_kb=20
)
PAGE = Operation("list 25 invoices", reads=8, out_kb=10)
DETAIL = Operation("fetch an invoice", reads=2, out_kb=3)
LINK = Operation("link to a PDF, and open it", reads=2, s3_gets=1, out_kb=1 + PDF_KB)

OPERATIONS = (
    MOVEMENT, USAGE, REFUND, INVOICE, BILL, PDF, CREDIT, PAYMENT, EVENT, WEBHOOK, MAIL, PAGE,
    DETAIL, LINK, SHARE, SHARED_PAGE,
)  # fmt: skip

MONTH: dict[Operation, float] = {
    MOVEMENT: 3, USAGE: 10, REFUND: 0.02, BILL: 1, PDF: 1, PAYMENT: 1, EVENT: 7, PAGE: 2, DETAIL: 1,
    LINK: 1,
}  # fmt: skip
"""What happens for each invoice of a month: a telecom customer with 30 usage records."""
KEPT_KB = {"DynamoDB": 3 * 3 + 30 * 1.5 + 12, "S3": PDF_KB}
"""What stays of it."""
MONTHS_KEPT = 12
AUDITS = 52 / 12
"""How often a month all that is kept is verified."""
AUDIT_READS, AUDIT_MS = 1.05, 0.5
"""What that takes for each document: its record, and its number among a thousand in a page."""
VOLUMES = (10_000, MILLION, 100 * MILLION)

# ------------------------------------------------ what parameters add
MONTH_SECONDS = 365 / 12 * 24 * 3600
API_FUNCTIONS = TEMPLATE.count(" SnapStart: {ApplyOn:")
"""Those that start from snapshots."""


def month(invoices: int) -> dict[str, float]:
    """Add up a month, after a year of the same."""
    parts: dict[str, float] = {}
    for operation, times in MONTH.items():
        for part, cost in operation.parts.items():
            parts[part] = parts.get(part, 0) + cost * times * invoices
    kept = invoices * MONTHS_KEPT * KB
    parts["storage"] = kept * (
        KEPT_KB["DynamoDB"] * PRICES["DynamoDB GB-month, with recovery"]
        + KEPT_KB["S3"] * PRICES["S3 GB-month"]
    )
    parts["audit"] = (
        invoices * MONTHS_KEPT * AUDITS
        * (
            AUDIT_READS * PRICES["DynamoDB read unit"]
            + AUDIT_MS / 1000 * MEMORY_GB * PRICES["Lambda GB-second (arm64)"]
        )
    )  # fmt: skip
    return parts


def text() -> str:
    """Write the page."""
    names = list(MOVEMENT.parts)
    operations = [
        f"| {each.name} | {each.writes:g} | {each.reads:g} | "
        + " | ".join(_money(each.parts[name] * MILLION) for name in names)
        + f" | **{_money(each.cost * MILLION)}** |"
        for each in OPERATIONS
    ]
    months = [month(volume) for volume in VOLUMES]
    parts = [
        f"| {part} | " + " | ".join(_money(each[part]) for each in months) + " |"
        for part in months[0]
    ]
    totals = [sum(each.values()) for each in months]
    each = [f"{total / volume:.5f}" for total, volume in zip(totals, VOLUMES, strict=True)]
    standing = _money(sum(PRICES[name] * many for name, many in STANDING.items()))
    story = ", ".join(f"{times:g} × {each.name}" for each, times in MONTH.items())
    return f"""\
# What it costs

List prices of us-east-1 in US dollars, without the free tier, discounts and support: check yours.
[tools/costs.py](../tools/costs.py) computes the sums and writes this page; a test counts the write
units. A month without any calls costs {standing} $, for alarms, the dashboard, and Lambda's polling
of the queues.

## A million of each

A read unit is 4 KB, strongly consistent. Each call also pays for a tenth of a read, as a token is
read once a minute. The index of what is owed takes one of the write units of an invoice that is
issued, and one more when it is paid.

| operation | write units | read units | {" | ".join(names)} | a million |
|---|--:|--:|{"--:|" * len(names)}--:|
{chr(10).join(operations)}

## A month

For each invoice: {story}. A year of it is stored. The {standing} $ of a month without calls come on
top.

| invoices a month | {" | ".join(f"{volume:,}" for volume in VOLUMES)} |
|---|{"--:|" * len(VOLUMES)}
{chr(10).join(parts)}
| **together** | {" | ".join(f"**{_money(total)}**" for total in totals)} |
| an invoice | {" | ".join(each)} |

An invoice costs the same at any volume, and most of that is for writing and storing. So at a
hundred million a month, two things lower the costs: provisioned capacity (0.18 $ for a million
write units if all are used, instead of 0.63 $ on demand), and keeping usage for less time.

## What parameters add

{_options()}

## What is assumed

- A warm function takes {READ_MS} ms to read, {WRITE_MS} ms to write and {PDF_MS} ms to make a
  PDF, at {MEMORY_GB:g} GB on arm64.
- A call logs {LOG_KB:g} KB, and a token calls
  {CALLS_PER_TOKEN_AND_MINUTE} times a minute while it calls.
- A PDF has {PDF_KB} KB, and is opened once.
"""


def _backup() -> float:
    """Return what backups of a million invoices a month cost, a copy of each included."""
    kept = MILLION * MONTHS_KEPT * KB
    gb = {"DynamoDB": KEPT_KB["DynamoDB"] * kept, "S3": KEPT_KB["S3"] * kept}
    stored = sum(gb[name] * PRICES[f"{name} backup GB-month"] for name in gb)
    return 2 * stored + sum(gb.values()) / MONTHS_KEPT * PRICES["GB to another region"]


def _snapshots() -> float:
    """Return what it costs a month to keep the snapshots of the functions of the API."""
    return API_FUNCTIONS * MEMORY_GB * MONTH_SECONDS * PRICES["GB-second of a snapshot"]


def _options() -> str:
    """Write the table of what parameters add."""
    starts = MEMORY_GB * PRICES["GB restored from a snapshot"] * MILLION
    tables, pdfs = (PRICES[f"{name} backup GB-month"] for name in ("DynamoDB", "S3"))
    asked = _money(PRICES["key request"] * MILLION)
    rows = {
        "`SnapStart`": f"{_money(_snapshots())} $ for the snapshots of {API_FUNCTIONS} functions, "
        f"and {_money(starts)} $ for a million starts",
        "`BackupDays`, with a copy in another region": f"{_money(_backup())} $ where a million "
        f"invoices a month are kept for a year: {tables:.2f} $ for a GB of tables, {pdfs:.2f} $ "
        "for one of PDFs, in each region",
        "`TableKeyArn`": f"{_money(PRICES['key-month'])} $ for the key, and {asked} $ for a "
        "million times that DynamoDB asks for it: every five minutes for each table and caller",
        "`GradualDeployment`, `ObjectLockDays`, `DeletionProtection`, `DomainName`": "nothing",
    }
    lines = ["| parameter | a month |", "|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {what} |" for name, what in rows.items())])


def main() -> int:
    """Write the page, or check it."""
    if "--check" in sys.argv:
        return int(FILE.read_text() != text())
    FILE.write_text(text())
    return 0


def _money(amount: float) -> str:
    return f"{amount:,.0f}" if amount >= 1000 else f"{amount:,.2f}"


if __name__ == "__main__":
    sys.exit(main())
