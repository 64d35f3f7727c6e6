"""That pre-signed links go to the host of the bucket's region: others redirect, or answer 400."""

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import botocore.session
import pytest

from billing import aws
from billing.adapters.documents import LINK_SECONDS, DocumentStore
from billing.domain.invoices import StoredDocument

SUFFIXES = {"aws": "amazonaws.com", "aws-cn": "amazonaws.com.cn", "aws-us-gov": "amazonaws.com"}
REGIONS = [
    (region, suffix)
    for partition, suffix in SUFFIXES.items()
    for region in botocore.session.get_session().get_available_regions("s3", partition)
]
PDF = StoredDocument("demo/100001/1/F2026-000001.pdf", "0" * 64)


@pytest.fixture
def link(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Sign a link as a function in a region does, with a client made for it."""
    monkeypatch.setattr("billing.adapters.documents.s3", aws.s3.__wrapped__)

    def sign(region: str, **environment: str) -> str:
        monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
        for name, value in {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": region,
            "DOCUMENTS_BUCKET": "documents",
            **environment,
        }.items():
            monkeypatch.setenv(name, value)
        return DocumentStore().link(PDF, LINK_SECONDS)

    return sign


def test_there_are_regions_to_look_at() -> None:
    regions = dict(REGIONS)

    assert {"us-east-1", "eu-south-2", "cn-north-1", "us-gov-west-1"} <= regions.keys()
    assert len(regions) >= 36


@pytest.mark.parametrize(("region", "suffix"), REGIONS)
def test_a_link_goes_to_the_region_of_the_bucket(
    region: str, suffix: str, link: Callable[..., str]
) -> None:
    url = urlsplit(link(region))

    assert (url.scheme, url.netloc) == ("https", f"documents.s3.{region}.{suffix}")
    assert url.path == f"/{PDF.object_key}"
    [credential] = parse_qs(url.query)["X-Amz-Credential"]
    assert credential.split("/")[2:] == [region, "s3", "aws4_request"]


def test_on_this_machine_the_bucket_stands_in_the_path(link: Callable[..., str]) -> None:
    url = urlsplit(link("eu-west-1", AWS_ENDPOINT_URL="http://127.0.0.1:4566"))

    assert (url.netloc, url.path) == ("127.0.0.1:4566", f"/documents/{PDF.object_key}")
