"""
Secrets of the stack.

    WebhooksKey              the key that the secrets of webhooks follow from; kept by this process
    <stack>/verifactu/<org>  {pem, seal}: the certificate by which an org's fiscal records are sent,
                             with its key, and whether it is one of a seal
"""

import json
from dataclasses import asdict, dataclass
from functools import cache

from botocore.exceptions import ClientError

from billing import config
from billing.aws import call, secrets
from billing.domain.errors import UpstreamFailedError


@dataclass(frozen=True, slots=True)
class FiscalCertificate:
    """A certificate and its key, as PEM; one of a seal has hosts of its own at the tax agency."""

    pem: str
    seal: bool = False


@cache
def webhooks_key() -> bytes:
    """Read the key that the secrets of webhooks follow from."""
    found = call(secrets().get_secret_value, SecretId=config.webhooks_key())
    return found["SecretString"].encode()


def fiscal_certificate(org_id: str) -> FiscalCertificate:
    """Read the certificate of an org. Raise UpstreamFailedError where it has none."""
    try:
        found = call(secrets().get_secret_value, SecretId=_certificate_name(org_id))
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        raise UpstreamFailedError("The org has no certificate for the tax agency.") from error
    return FiscalCertificate(**json.loads(found["SecretString"]))


def keep_fiscal_certificate(org_id: str, certificate: FiscalCertificate) -> None:
    """Write the certificate of an org, in the place of the one before."""
    name, content = _certificate_name(org_id), json.dumps(asdict(certificate))
    try:
        call(secrets().create_secret, Name=name, SecretString=content)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceExistsException":
            raise
        call(secrets().put_secret_value, SecretId=name, SecretString=content)


def _certificate_name(org_id: str) -> str:
    return config.fiscal_certificates() + org_id
