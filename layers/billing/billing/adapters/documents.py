"""
The document bucket, and the function that fills it.

    key                                       what
    <org>/<account>/<ordinal>/<number>.pdf    the PDF of an invoice, stored once
                              <number>.cii.xml, <number>.ubl.xml
                                              an e-invoice that no answer holds, stored once
    logos/<org>/<sha256>.png, <sha256>.svg    a logo of an org, also of the past
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
from billing.domain.invoices import InvoiceKey, StoredDocument
from billing.domain.parties import Logo
from billing.domain.records import known

PDF = "application/pdf"
XML = "application/xml"
_TYPES = {"pdf": PDF, "xml": XML, "png": "image/png", "svg": "image/svg+xml"}
LINK_SECONDS = 15 * 60
"""How long a link works, at most: the credentials it is signed with may end earlier."""


class DocumentStore:
    """The PDFs of all invoices, and their largest e-invoices."""

    def __init__(self) -> None:
        self._bucket = config.documents_bucket()

    def put_once(self, object_key: str, document: bytes, sha256: str) -> StoredDocument:
        """Store a document unless there is one already, and return which one is stored."""
        try:
            call(
                s3().put_object,
                Bucket=self._bucket,
                Key=object_key,
                Body=document,
                ContentType=_type_of(object_key),
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
            return StoredDocument(object_key, head["Metadata"]["sha256"])
        return StoredDocument(object_key, sha256)

    def get(self, document: StoredDocument) -> bytes:
        def read() -> bytes:
            return s3().get_object(Bucket=self._bucket, Key=document.object_key)["Body"].read()

        return call(read)

    def put_logo(self, org_id: str, logo: Logo, content: bytes) -> None:
        self.put_once(_logo_key(org_id, logo), content, logo.sha256)

    def get_logo(self, org_id: str, logo: Logo) -> bytes:
        return self.get(StoredDocument(_logo_key(org_id, logo), logo.sha256))

    def delete(self, key: InvoiceKey) -> None:
        """Delete all that is stored of an invoice, with all versions."""
        versions = call(s3().list_object_versions, Bucket=self._bucket, Prefix=_folder(key))
        for each in [*versions.get("Versions", []), *versions.get("DeleteMarkers", [])]:
            call(
                s3().delete_object,
                Bucket=self._bucket,
                Key=each["Key"],
                VersionId=each["VersionId"],
            )

    def link(self, document: StoredDocument, seconds: int) -> str:
        """Return a signed link to one document that works without a token for some seconds."""
        return s3().generate_presigned_url(
            "get_object",
            Params={
                "Bucket": self._bucket,
                "Key": document.object_key,
                "ResponseContentType": _type_of(document.object_key),
                "ResponseContentDisposition": content_disposition(document),
            },
            ExpiresIn=seconds,
        )


class DocumentsFunction:
    """The function that makes PDFs, called when a PDF is requested before it exists."""

    def make_pdf(self, key: InvoiceKey) -> StoredDocument:
        """
        Create and store the PDF of an invoice.

        Raise DocumentNotReadyError where it cannot be made in time, UpstreamFailedError where it
        cannot be made at all.
        """
        request = {
            "org_id": key.org_id,
            "account_id": key.account_id,
            "ordinal": key.ordinal,
        }

        def invoke() -> StoredDocument:
            answer = lambda_().invoke(
                FunctionName=config.documents_function(), Payload=json.dumps(request)
            )
            payload = answer["Payload"].read()
            if "FunctionError" in answer:
                raise UpstreamFailedError("The PDF of this invoice could not be made.")
            return StoredDocument(**known(StoredDocument, json.loads(payload)))

        try:
            return call(invoke)
        except (UpstreamTimeoutError, UpstreamBusyError) as error:
            raise DocumentNotReadyError from error


def object_key(key: InvoiceKey, number: str, suffix: str = "pdf") -> str:
    return f"{_folder(key)}{number}.{suffix}"


def _folder(key: InvoiceKey) -> str:
    return f"{key.org_id}/{key.account_id}/{key.ordinal}/"


def _logo_key(org_id: str, logo: Logo) -> str:
    suffix = next(suffix for suffix, type_ in _TYPES.items() if type_ == logo.type)
    return f"logos/{org_id}/{logo.sha256}.{suffix}"


def _type_of(object_key: str) -> str:
    return _TYPES[object_key.rpartition(".")[2]]


def content_disposition(document: StoredDocument) -> str:
    """Return the header that names a saved file: the invoice's number, which needs no escaping."""
    return f'attachment; filename="{document.object_key.rsplit("/", 1)[1]}"'
