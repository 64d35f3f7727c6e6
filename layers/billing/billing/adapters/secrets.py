"""Secrets of the stack: read once, and kept by this process."""

from functools import cache

from billing import config
from billing.aws import call, secrets


@cache
def webhooks_key() -> bytes:
    """Read the key that the secrets of webhooks follow from."""
    found = call(secrets().get_secret_value, SecretId=config.webhooks_key())
    return found["SecretString"].encode()
