"""The PDFs of invoices: where they are, what is in them, and links to them."""

import json
import os
from functools import cache
from typing import Any

import boto3
from botocore.config import Config

from billing.domain.errors import NotFoundError, UpstreamError
from billing.domain.invoices import InvoiceKey, StoredPdf

from .issuing import get_invoices, pdf_key, summary_key
from .store import CONFIG

PDF = "application/pdf"
LINK_SECONDS = 15 * 60
SIGNED = Config(signature_version="s3v4", s3={"us_east_1_regional_endpoint": "regional"})


@cache
def s3() -> Any:
    return boto3.client("s3", config=CONFIG.merge(SIGNED))


@cache
def functions() -> Any:
    once = Config(read_timeout=10, retries={"total_max_attempts": 1})
    return boto3.client("lambda", config=CONFIG.merge(once))


def provide_pdf(key: InvoiceKey) -> StoredPdf:
    """Find the PDF of an invoice, or have it made now."""
    found = get_invoices(summary_key(key), pdf_key(key))
    if summary_key(key) not in found:
        raise NotFoundError
    if item := found.get(pdf_key(key)):
        return StoredPdf(item["object_key"], item["sha256"])
    request = {"org_id": key.org_id, "account_id": key.account_id, "ordinal": key.ordinal}
    answer = functions().invoke(
        FunctionName=os.environ["DOCUMENTS_FUNCTION"], Payload=json.dumps(request)
    )
    if "FunctionError" in answer:
        raise UpstreamError("The PDF of this invoice could not be made.")
    return StoredPdf(**json.load(answer["Payload"]))


def read(pdf: StoredPdf) -> bytes:
    bucket = os.environ["DOCUMENTS_BUCKET"]
    content: bytes = s3().get_object(Bucket=bucket, Key=pdf.object_key)["Body"].read()
    return content


def link(pdf: StoredPdf) -> str:
    address: str = s3().generate_presigned_url(
        "get_object",
        Params={
            "Bucket": os.environ["DOCUMENTS_BUCKET"],
            "Key": pdf.object_key,
            "ResponseContentType": PDF,
            "ResponseContentDisposition": disposition(pdf),
        },
        ExpiresIn=LINK_SECONDS,
    )
    return address


def disposition(pdf: StoredPdf) -> str:
    return f'attachment; filename="{pdf.object_key.rsplit("/", 1)[1]}"'
