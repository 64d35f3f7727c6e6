"""
The document bucket, and the function that fills it.

    key                                      what
    <org>/<account>/<ordinal>/<number>.pdf   the PDF of an invoice, stored once
"""

import json

from botocore.exceptions import ClientError

from billing import config
from billing.aws import call, lambda_, s3
from billing.domain.errors import (
    DocumentNotReadyError,
    UpstreamBusyError,
    UpstreamFailedError,
    UpstreamTimeoutError,
)
from billing.domain.invoices import InvoiceKey, StoredPdf

PDF = "application/pdf"
LINK_SECONDS = 15 * 60
"""How long a link works, at most: the credentials it is signed with may end earlier."""


class DocumentStore:
    """The PDFs of all invoices."""

    def __init__(self) -> None:
        self._bucket = config.documents_bucket()

    def put_once(self, object_key: str, pdf: bytes, sha256: str) -> StoredPdf:
        """Store a PDF unless there is one already, and tell which one is stored."""
        try:
            call(
                s3().put_object,
                Bucket=self._bucket,
                Key=object_key,
                Body=pdf,
                ContentType=PDF,
                Metadata={"sha256": sha256},
                IfNoneMatch="*",
            )
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "ConditionalRequestConflict":
                raise UpstreamBusyError from error
            if code != "PreconditionFailed":
                raise
            head = call(s3().head_object, Bucket=self._bucket, Key=object_key)
            return StoredPdf(object_key, head["Metadata"]["sha256"])
        return StoredPdf(object_key, sha256)

    def get(self, pdf: StoredPdf) -> bytes:
        def read() -> bytes:
            return s3().get_object(Bucket=self._bucket, Key=pdf.object_key)["Body"].read()

        return call(read)

    def delete(self, key: InvoiceKey, number: str) -> None:
        """Delete the PDF of an invoice with all its versions, if there is one."""
        prefix = object_key(key, number)
        versions = call(s3().list_object_versions, Bucket=self._bucket, Prefix=prefix)
        for each in [*versions.get("Versions", []), *versions.get("DeleteMarkers", [])]:
            call(
                s3().delete_object,
                Bucket=self._bucket,
                Key=each["Key"],
                VersionId=each["VersionId"],
            )

    def link(self, pdf: StoredPdf) -> str:
        """Sign a link to one PDF that works without a token for LINK_SECONDS."""
        return s3().generate_presigned_url(
            "get_object",
            Params={
                "Bucket": self._bucket,
                "Key": pdf.object_key,
                "ResponseContentType": PDF,
                "ResponseContentDisposition": content_disposition(pdf),
            },
            ExpiresIn=LINK_SECONDS,
        )


class DocumentsFunction:
    """The function that makes PDFs, called when one is wanted before the stream came by."""

    def make_pdf(self, key: InvoiceKey) -> StoredPdf:
        """
        Have the PDF of an invoice made and stored.

        Raises DocumentNotReadyError where it cannot be made in time, UpstreamFailedError where it
        cannot be made at all.
        """
        request = {
            "org_id": key.org_id,
            "account_id": key.account_id,
            "ordinal": key.ordinal,
        }

        def invoke() -> StoredPdf:
            answer = lambda_().invoke(
                FunctionName=config.documents_function(), Payload=json.dumps(request)
            )
            payload = answer["Payload"].read()
            if "FunctionError" in answer:
                raise UpstreamFailedError("The PDF of this invoice could not be made.")
            return StoredPdf(**json.loads(payload))

        try:
            return call(invoke)
        except (UpstreamTimeoutError, UpstreamBusyError) as error:
            raise DocumentNotReadyError from error


def object_key(key: InvoiceKey, number: str) -> str:
    return f"{key.org_id}/{key.account_id}/{key.ordinal}/{number}.pdf"


def content_disposition(pdf: StoredPdf) -> str:
    """Name the file that a browser saves: the invoice's number, which needs no escaping."""
    return f'attachment; filename="{pdf.object_key.rsplit("/", 1)[1]}"'
