"""The PDFs of invoices: what is in them, and links to them."""

import os
from functools import cache
from typing import Any

import boto3
from botocore.config import Config

from .store import CONFIG, Item

PDF = "application/pdf"
LINK_SECONDS = 15 * 60
SIGNED = Config(signature_version="s3v4", s3={"us_east_1_regional_endpoint": "regional"})


@cache
def s3() -> Any:
    return boto3.client("s3", config=CONFIG.merge(SIGNED))


def read(pdf: Item) -> bytes:
    stored = s3().get_object(Bucket=os.environ["DOCUMENTS_BUCKET"], Key=pdf["object_key"])
    content: bytes = stored["Body"].read()
    return content


def link(pdf: Item) -> str:
    address: str = s3().generate_presigned_url(
        "get_object",
        Params={
            "Bucket": os.environ["DOCUMENTS_BUCKET"],
            "Key": pdf["object_key"],
            "ResponseContentType": PDF,
            "ResponseContentDisposition": pdf["disposition"],
        },
        ExpiresIn=LINK_SECONDS,
    )
    return address
