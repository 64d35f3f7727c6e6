"""
Webhooks: endpoints of orgs, what is sent to them, signed, and when it is tried again.

As the specification Standard Webhooks 1.0.0 has it: https://www.standardwebhooks.com
"""

import hmac
import random
from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from http import HTTPStatus
from ipaddress import IPv4Address, IPv6Address, ip_address
from socket import inet_aton
from urllib.parse import urlsplit

from billing.domain.errors import (
    EndpointDisabledError,
    InvalidRequestError,
    TooManyEndpointsError,
)
from billing.domain.events import EventType
from billing.domain.ids import new_id
from billing.domain.records import to_json

MAX_ENDPOINTS = 10
"""Endpoints of an org: each event is sent to all of them."""

SCHEDULE = tuple(
    timedelta(seconds=seconds)
    for seconds in (
        5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600,
    )
)  # fmt: skip
"""The pauses between tries. A delivery is tried once more than there are pauses."""
JITTER = 0.1
"""The part of a pause by which it may be longer, so that tries do not come all at once."""
LONGEST_PAUSE = timedelta(days=1)
"""A pause that a receiver asks for is not longer than this."""

DISABLED_AFTER = timedelta(days=5)
"""An endpoint that has failed for so long, without a success, is disabled."""
OLD_SECRETS_FOR = timedelta(days=1)
"""How long deliveries are signed with the secret before, too, once it was rotated."""
MAX_ROTATIONS = 4
"""Rotations of the last day whose old secrets are still signed with, at most."""
SLOTS = 5
"""Deliveries that go to one endpoint at once, at most; to one that fails it is one."""

SECRET_PREFIX = "whsec_"  # noqa: S105 - no secret, but what one begins with
_SCHEMES = ("https", "http")
_EPHEMERAL = 1024


class DeliveryStatus(StrEnum):
    """The state of a delivery."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """
    An address to which events of an org are sent; of `types` none means all.

    It has one of ten numbers, and no other endpoint of its org has the same. Its secret has a
    `generation`, which counts rotations; `rotated_at` are the last ones, newest first.
    `failing_since` is the first failure after the last success.
    """

    org_id: str
    id: str
    url: str
    types: frozenset[EventType]
    created_at: datetime
    number: int = 0
    generation: int = 1
    rotated_at: tuple[datetime, ...] = ()
    failing_since: datetime | None = None
    disabled_at: datetime | None = None
    version: int = 0

    @classmethod
    def new(
        cls,
        org_id: str,
        url: str,
        types: Iterable[EventType],
        now: datetime,
        others: Iterable["Endpoint"] = (),
    ) -> "Endpoint":
        """
        Create an endpoint beside the others of its org.

        Raise TooManyEndpointsError where they have all numbers.
        """
        taken = {each.number for each in others}
        number = next((each for each in range(MAX_ENDPOINTS) if each not in taken), None)
        if number is None:
            raise TooManyEndpointsError(MAX_ENDPOINTS)
        return cls(org_id, new_id(now), url, frozenset(types), now, number)

    def takes(self, type_: str, published_at: datetime) -> bool:
        """Return whether an event is sent to it: one of its types, and not from before it."""
        return (
            self.disabled_at is None
            and published_at >= self.created_at
            and (not self.types or type_ in self.types)
        )

    def rotated(self, now: datetime) -> "Endpoint":
        rotations = (now, *self.rotated_at)[:MAX_ROTATIONS]
        return replace(self, generation=self.generation + 1, rotated_at=rotations)

    def generations(self, now: datetime) -> list[int]:
        """Return the generations of the secrets that deliveries are signed with, newest first."""
        recent = [each for each in self.rotated_at if now - each < OLD_SECRETS_FOR]
        return [self.generation - number for number in range(len(recent) + 1)]

    def must_be_enabled(self) -> None:
        if self.disabled_at:
            raise EndpointDisabledError

    def after(self, outcome: "Outcome", now: datetime) -> "Endpoint":
        """Return the endpoint after a try: whether it fails, and whether that has to end."""
        if outcome.is_success:
            return replace(self, failing_since=None) if self.failing_since else self
        since = self.failing_since or now
        gone = outcome.status == HTTPStatus.GONE or now - since >= DISABLED_AFTER
        return replace(
            self, failing_since=since, disabled_at=self.disabled_at or (now if gone else None)
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a try: the status of the answer, if any, and the pause that it asks for."""

    status: int | None
    retry_after: timedelta | None = None

    @property
    def is_success(self) -> bool:
        return self.status is not None and HTTPStatus(200) <= self.status < HTTPStatus(300)


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event for an endpoint, by its place in the feed, and how far its delivery is."""

    org_id: str
    endpoint_id: str
    event_id: str
    position: int
    created_at: datetime
    status: DeliveryStatus = DeliveryStatus.PENDING
    attempts: int = 0
    tries_left: int = len(SCHEDULE) + 1
    response_status: int | None = None
    next_attempt_at: datetime | None = None

    @property
    def id(self) -> str:
        """Return the id: the place of its event in the feed, so that deliveries sort by it."""
        return f"{self.position:012}"

    def after(
        self, outcome: Outcome, endpoint: Endpoint, now: datetime, jitter: float
    ) -> "Delivery":
        """Return the delivery after a try; `jitter` is between 0 and 1."""
        tried = replace(
            self,
            attempts=self.attempts + 1,
            tries_left=self.tries_left - 1,
            response_status=outcome.status,
            next_attempt_at=None,
        )
        if outcome.is_success:
            return replace(tried, status=DeliveryStatus.DELIVERED)
        if endpoint.disabled_at or not tried.tries_left:
            return replace(tried, status=DeliveryStatus.FAILED)
        pause = SCHEDULE[-tried.tries_left] * (1 + JITTER * jitter)
        asked = min(outcome.retry_after or timedelta(), LONGEST_PAUSE)
        return replace(tried, next_attempt_at=now + max(pause, asked))

    def again(self, now: datetime) -> "Delivery":
        """Return it as it is when it is to be tried anew, whatever has come of it."""
        return replace(
            self,
            status=DeliveryStatus.PENDING,
            tries_left=len(SCHEDULE) + 1,
            next_attempt_at=now,
        )


def check_url(url: str, *, loopback: bool) -> str:
    """
    Return the address of an endpoint, if events may be sent there.

    Which addresses its name has is checked whenever something is sent. With `loopback` http to this
    machine is allowed, for tests. Raise InvalidRequestError otherwise.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise InvalidRequestError.of("url", "is no URL") from None
    if parts.scheme not in _SCHEMES or not host or not url.isascii() or not url.isprintable():
        raise InvalidRequestError.of("url", "must be an https URL")
    if " " in url or "\\" in url:
        raise InvalidRequestError.of("url", "is no URL")
    if parts.username is not None or parts.password is not None:
        raise InvalidRequestError.of("url", "must have no user and no password")
    if parts.fragment:
        raise InvalidRequestError.of("url", "must have no fragment")
    address = literal_address(host)
    if loopback and (host == "localhost" or (address and address.is_loopback)):
        return url
    if parts.scheme != "https":
        raise InvalidRequestError.of("url", "must be an https URL")
    if port is not None and port != 443 and port < _EPHEMERAL:
        raise InvalidRequestError.of("url", "must have the port 443, or one from 1024 on")
    if address and not is_public(address):
        raise InvalidRequestError.of("url", "must not be a private or reserved address")
    return url


def literal_address(host: str) -> IPv4Address | IPv6Address | None:
    """Return the address that a host is, also if it is written in decimal, octal or hex."""
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        pass
    try:
        return IPv4Address(inet_aton(host))
    except (OSError, ValueError):
        return None


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """
    Return whether an address is one of the public internet.

    None is that has another one in it (mapped, 6to4, Teredo, NAT64): it would be reached instead.
    """
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped or address.sixtofour or address.teredo:
            return False
        if address.packed.startswith(_NAT64) or not any(address.packed[:12]):
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


_NAT64 = bytes.fromhex("0064ff9b")


def secret_of(key: bytes, endpoint: Endpoint, generation: int) -> str:
    """
    Return the secret of an endpoint: 256 bits that follow from the key of the stack.

    So no secret is stored anywhere, and nobody can learn one from the table.
    """
    about = "#".join([endpoint.org_id, endpoint.id, str(generation)]).encode()
    return SECRET_PREFIX + b64encode(hmac.digest(key, about, "sha256")).decode()


def body_of(type_: str, timestamp: str, data: object) -> bytes:
    """Return what is sent of an event, byte for byte the same at each try."""
    return to_json({"type": type_, "timestamp": timestamp, "data": data}).encode()


def signatures(secrets: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> str:
    """Return the header `webhook-signature`: a signature for each secret."""
    signed = b".".join([message_id.encode(), str(timestamp).encode(), body])
    return " ".join(
        "v1," + b64encode(hmac.digest(secret, signed, sha256)).decode() for secret in secrets
    )


def jitter() -> float:
    """Draw the jitter of a pause."""
    return random.random()
