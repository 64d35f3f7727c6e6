"""The post: documents whose PDFs are ready are mailed when a test says so."""

import json
from collections.abc import Iterator
from contextlib import suppress
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from billing import aws
from billing.domain.invoices import InvoiceKey
from local import mail
from tests.integration.billing import call
from tests.integration.conftest import EVENTS, Invoker, Json

ACCOUNT = "100001"
FEEDBACK = {"bounce": "send_invoice_bounce", "complaint": "send_invoice_complaint"}


class Post:
    """Mails the documents of one org, by a queue of its own."""

    def __init__(self, invoke: Invoker, queue: str, mailbox: Path) -> None:
        self.invoke = invoke
        self.queue = queue
        self._mailbox = mailbox
        self._known = set(mail.files(mailbox))

    def issue(self, external_id: str = "first", **more: Any) -> InvoiceKey:
        """Issue an invoice."""
        answer = self.invoke("invoices_create", {"external_invoice_unique_id": external_id, **more})
        assert answer.status == 201, answer
        return InvoiceKey(self.invoke.org_id, ACCOUNT, int(answer.json["id"]))

    def make_pdf(self, key: InvoiceKey) -> list[str]:
        """Tell the function of documents of a new one; return what failed."""
        event = json.loads((EVENTS / "documents_stream.json").read_text())
        pk = f"invoice#{key.org_id}#{key.account_id}#{key.ordinal}"
        event["Records"][0]["dynamodb"]["Keys"]["pk"]["S"] = pk
        answer = call("documents", event)
        return [each["itemIdentifier"] for each in answer["batchItemFailures"]]

    def take(self) -> list[Json]:
        """Take out what waits to be mailed."""
        taken: list[Json] = []
        while (
            received := aws.sqs()
            .receive_message(
                QueueUrl=self.queue, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"]
            )
            .get("Messages", [])
        ):
            for each in received:
                taken.append(json.loads(each["Body"]))
                aws.sqs().delete_message(QueueUrl=self.queue, ReceiptHandle=each["ReceiptHandle"])
        return taken

    def deliver(self, *messages: Json) -> int:
        """Hand messages to the function that mails; return how many failed."""
        event = json.loads((EVENTS / "send_invoice_mail.json").read_text())
        [example] = event["Records"]
        records = [
            {**example, "messageId": uuid4().hex, "body": json.dumps(each)} for each in messages
        ]
        answer = call("send_invoice", {"Records": records})
        return len(answer["batchItemFailures"])

    def go(self) -> int:
        """Deliver all that waits; return how many failed."""
        waiting = self.take()
        return self.deliver(*waiting) if waiting else 0

    def come_back(self, how: str, key: InvoiceKey, **mail_of: Any) -> None:
        """Let SES tell of a mail: how is `bounce` or `complaint`."""
        event = json.loads((EVENTS / f"{FEEDBACK[how]}.json").read_text())
        body = json.loads(event["Records"][0]["body"])
        told = {"org_id": key.org_id, "invoice_id": str(key.ordinal), **mail_of.pop("tags", {})}
        body["detail"]["mail"]["tags"].update({name: [value] for name, value in told.items()})
        body["detail"]["mail"].update(mail_of.pop("mail", {}))
        body["detail"].get("bounce", {}).update(mail_of)
        assert self.deliver(body) == 0

    def sent(self) -> list[EmailMessage]:
        """Read the mails that were sent since this began."""
        return [mail.read(each) for each in mail.files(self._mailbox) if each not in self._known]

    def deliveries(self, key: InvoiceKey) -> list[Json]:
        """List the mails of a document, as clients see them."""
        answer = self.invoke("invoices_list_deliveries", invoiceId=key.ordinal)
        assert answer.status == 200, answer
        listed: list[Json] = answer.json["deliveries"]
        return listed

    def statuses(self, key: InvoiceKey) -> list[str]:
        """List how far the mails of a document are, newest first."""
        return [each["status"] for each in self.deliveries(key)]

    def mail_state(self) -> str:
        """Read what the account says of its address."""
        return str(self.invoke("billing_info_get_account").json["mail_state"])


@pytest.fixture
def post(billed: Invoker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Post]:
    """Give an org with a sender a post of its own; PDFs are made in no time."""
    from tests.places import mailbox

    verify_the_domain()
    monkeypatch.setattr("functions.documents.app.render", lambda *_: b"%PDF-made in no time")
    queue = aws.sqs().create_queue(QueueName=f"mail-{uuid4().hex}")["QueueUrl"]
    monkeypatch.setenv("MAIL_QUEUE", queue)
    monkeypatch.setenv("PUBLIC_URL", "https://billing.example")
    yield Post(billed, queue, mailbox())
    aws.sqs().delete_queue(QueueUrl=queue)


def verify_the_domain() -> None:
    """Let SES take mails from example.com, as an operator does once."""
    with suppress(ClientError):  # it is there
        aws.ses().create_email_identity(EmailIdentity="example.com")
    with suppress(ClientError):
        aws.ses().create_configuration_set(ConfigurationSetName="mail-of-tests")
