"""
Sending to webhooks: one request to an address that was checked, and nowhere else.

The name of an endpoint is looked up once, each address of it has to be public, and the connection
goes to one of these very addresses: a name that means another one a moment later is of no use.
Redirects are not followed, no proxy is asked, and of the answer only status and headers are read.
"""

import http.client
import socket
import ssl
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from urllib.parse import urlsplit

from billing import deadline
from billing.domain.errors import InvalidRequestError
from billing.domain.webhooks import Outcome, check_url, is_public

TIMEOUT_SECONDS = 15
"""What a receiver may take, from the look-up of its name to the last header of its answer."""

type Resolver = Callable[[str, int], list[str]]


class ForbiddenAddressError(OSError):
    """A host name has an address to which nothing may be sent."""


class WebhookSender:
    """Sends requests; with `loopback` also to this machine, and then by http too."""

    def __init__(self, *, loopback: bool, resolve: Resolver | None = None) -> None:
        self._loopback = loopback
        self._resolve = resolve or addresses_of
        self._tls = ssl.create_default_context()

    def send(self, url: str, body: bytes, headers: Mapping[str, str]) -> Outcome:
        """Send a request once, and return what came of it, a failure to connect included."""
        try:
            with deadline.at_most(TIMEOUT_SECONDS):
                return self._send(url, body, headers)
        except (OSError, ValueError, http.client.HTTPException, deadline.OutOfTimeError):
            return Outcome(None)
        except InvalidRequestError:
            return Outcome(None)

    def _send(self, url: str, body: bytes, headers: Mapping[str, str]) -> Outcome:
        parts = urlsplit(check_url(url, loopback=self._loopback))
        host, is_tls = parts.hostname or "", parts.scheme == "https"
        port = parts.port or (443 if is_tls else 80)
        address = self._address(host, port)
        connection = _Pinned(host, port, address, self._tls if is_tls else None)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            connection.request("POST", path, body, dict(headers))
            answer = connection.getresponse()
            return Outcome(answer.status, _pause(answer.getheader("Retry-After")))
        finally:
            connection.close()

    def _address(self, host: str, port: int) -> str:
        """Return an address of a host. Raise ForbiddenAddressError if one is forbidden."""
        addresses = self._resolve(host, port)
        for each in addresses:
            address = ip_address(each.partition("%")[0])
            if not (is_public(address) or (self._loopback and address.is_loopback)):
                raise ForbiddenAddressError
        return sorted(addresses, key=lambda each: ":" in each)[0]


def addresses_of(host: str, port: int) -> list[str]:
    """Look a name up; return its addresses."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class _Pinned(http.client.HTTPConnection):
    """A connection to one address, with the name of its host in TLS and in the request."""

    def __init__(self, host: str, port: int, address: str, tls: ssl.SSLContext | None) -> None:
        super().__init__(host, port, timeout=TIMEOUT_SECONDS)
        self._address, self._tls = address, tls
        if tls:
            self.default_port = http.client.HTTPS_PORT

    def connect(self) -> None:
        """Connect to the address that was checked."""
        self.sock = socket.create_connection((self._address, self.port), self.timeout)
        if self._tls:
            self.sock = self._tls.wrap_socket(self.sock, server_hostname=self.host)


def _pause(retry_after: str | None) -> timedelta | None:
    """Read the pause that a receiver asks for: seconds, or a date."""
    if retry_after is None:
        return None
    if retry_after.isascii() and retry_after.isdigit():
        return timedelta(seconds=min(int(retry_after[:9]), 10**8))
    try:
        until = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return max(until - datetime.now(UTC), timedelta()) if until.tzinfo else None
