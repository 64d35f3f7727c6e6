"""Mails, sent by Amazon SES, and what it tells of them afterwards."""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from billing import config
from billing.aws import call, ses
from billing.domain.errors import UpstreamBusyError
from billing.domain.invoices import InvoiceKey
from billing.domain.mails import Feedback, Mail, MailInvalidError, MailStatus, QuotaReachedError
from billing.domain.records import to_instant

_OVER_QUOTA = {"LimitExceededException", "ThrottlingException", "TooManyRequestsException"}
_INVALID = "BadRequestException"
_STATUSES = {
    "Email Bounced": MailStatus.BOUNCED,
    "Email Complaint Received": MailStatus.COMPLAINED,
}


class Mailer:
    """Sends mails, each marked with the ids of what it is about, so that SES tells them back."""

    def send(self, mail: Mail, sender: str, recipient: str, message: bytes) -> None:
        """
        Send a mail. Raise QuotaReachedError or MailInvalidError where it was certainly not sent.

        Raise an UpstreamError where no answer comes: nobody knows whether it was.
        """
        key = mail.key
        tags = {
            "org_id": key.org_id,
            "account_id": key.account_id,
            "invoice_id": str(key.ordinal),
            "delivery_id": mail.id,
        }
        try:
            call(
                ses().send_email,
                FromEmailAddress=sender,
                Destination={"ToAddresses": [recipient]},
                Content={"Raw": {"Data": message}},
                ConfigurationSetName=config.mail_configuration_set(),
                EmailTags=[{"Name": name, "Value": value} for name, value in tags.items()],
            )
        except (ClientError, UpstreamBusyError) as error:
            code = _code_of(error)
            if code in _OVER_QUOTA:
                raise QuotaReachedError("SES takes no more mails at present.") from error
            if code == _INVALID:
                raise MailInvalidError from error
            raise


def _code_of(error: Exception) -> str | None:
    """Return the code that SES answered, also where it was taken for an error of ours."""
    answered = error if isinstance(error, ClientError) else error.__cause__
    return answered.response["Error"]["Code"] if isinstance(answered, ClientError) else None


def to_feedback(event: Mapping[str, Any]) -> Feedback:
    """Read an event of SES, as EventBridge has it: an `Email Bounced`, or a complaint."""
    detail = event["detail"]
    mail = detail["mail"]
    tags = {name: values[0] for name, values in mail["tags"].items()}
    bounce = detail.get("bounce")
    return Feedback(
        key=InvoiceKey(tags["org_id"], tags["account_id"], int(tags["invoice_id"])),
        mail_id=tags["delivery_id"],
        status=_STATUSES[event["detail-type"]],
        permanent=bounce is None or bounce["bounceType"] == "Permanent",
        address=mail["destination"][0],
        sent_at=to_instant(mail["timestamp"]),
    )
