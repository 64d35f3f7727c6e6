"""Send invoices: mail documents to their customers, and note what comes back."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from billing import clock, config
from billing.adapters.documents import DocumentStore
from billing.adapters.mail import Mailer, to_feedback
from billing.adapters.queues import MailQueue
from billing.api.logger import logger
from billing.api.messages import take_messages
from billing.domain.invoices import InvoiceKey
from billing.domain.mails import Mailing
from billing.domain.records import known
from billing.persistence.mails import MailRepository
from billing.persistence.share_links import ShareLinkRepository
from billing.presentation.invoice_mail import InvoiceMail, write_mail
from billing.services.send_invoice import note_feedback, send_invoice


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle messages of the mail queue: mails to send, and events of SES."""
    return take_messages(event, context, _take, queue=config.mail_queue(), failure="not mailed")


def _take(message: dict[str, Any], hops: int) -> None:
    if message.get("source") == "aws.ses":
        note_feedback(to_feedback(message), mails=MailRepository())
        return
    send_invoice(
        InvoiceKey(**known(InvoiceKey, message)),
        message["mail_id"],
        clock=clock.now,
        domains=config.mail_domains(),
        public_url=config.public_url(),
        write=_write,
        mails=MailRepository(),
        links=ShareLinkRepository(),
        store=DocumentStore(),
        mailer=Mailer(),
        queue=MailQueue(hops),
    )


def _write(mailing: Mailing, link: str, sender: str, recipient: str, pdf: bytes) -> bytes:
    mail = InvoiceMail(mailing.invoice, mailing.summary, mailing.org, mailing.account, link)
    return write_mail(mail, sender, recipient, pdf)
