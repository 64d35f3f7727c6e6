"""
The line to the tax agency's service: one request over TLS, with the taxpayer's certificate.

No proxy is asked, no redirect followed: the agency redirects who has a certificate that it does not
know.
"""

import http.client
import ssl
import tempfile
from http import HTTPStatus
from urllib.parse import urlsplit

from billing import deadline
from billing.domain.errors import UpstreamBusyError, UpstreamFailedError, UpstreamTimeoutError
from billing.domain.parties import FiscalService

TIMEOUT_SECONDS = 120
"""What an answer may take: some took more than thirty seconds for a large message."""
PATH = "/wlpl/TIKE-CONT/ws/SistemaFacturacion/VerifactuSOAP"
MAX_BYTES = 64_000_000
"""An answer to a question has up to 10,000 records."""

_HOSTS = {
    (FiscalService.PRODUCTION, False): "www1.agenciatributaria.gob.es",
    (FiscalService.PRODUCTION, True): "www10.agenciatributaria.gob.es",
    (FiscalService.TEST, False): "prewww1.aeat.es",
    (FiscalService.TEST, True): "prewww10.aeat.es",
}
_HEADERS = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'}


def address(service: FiscalService, *, seal: bool) -> str:
    """Return the address of a service; certificates of a seal have one of their own."""
    return f"https://{_HOSTS[service, seal]}"


class TaxAgencyLine:
    """The service at its address, for who has a certificate and its key, as PEM."""

    def __init__(self, url: str, certificate: str) -> None:
        self._url, self._certificate = urlsplit(url), certificate

    def post(self, message: bytes) -> bytes:
        """
        Send a message and return the answer, which may be a fault.

        Raise UpstreamBusyError where the agency took nothing. After any other UpstreamError it may
        have taken it.
        """
        try:
            with deadline.at_most(min(TIMEOUT_SECONDS, deadline.seconds_left())):
                status, answer = self._post(message)
        except (TimeoutError, deadline.OutOfTimeError) as error:
            raise UpstreamTimeoutError("The tax agency did not answer in time.") from error
        except (OSError, http.client.HTTPException) as error:
            raise UpstreamFailedError(
                f"No line to the tax agency: {type(error).__name__}."
            ) from error
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            raise UpstreamBusyError("The tax agency takes no more messages for now.")
        if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            raise UpstreamFailedError("The tax agency refused the certificate.")
        if status not in (HTTPStatus.OK, HTTPStatus.INTERNAL_SERVER_ERROR):  # 500: a fault
            raise UpstreamFailedError(f"The tax agency answered with the status {status}.")
        return answer

    def _post(self, message: bytes) -> tuple[int, bytes]:
        connection = http.client.HTTPSConnection(
            self._url.hostname or "",
            self._url.port,
            timeout=TIMEOUT_SECONDS,
            context=_context(self._certificate),
        )
        try:
            connection.request("POST", PATH, message, _HEADERS)
            answer = connection.getresponse()
            return answer.status, answer.read(MAX_BYTES)
        finally:
            connection.close()


def check_certificate(certificate: str) -> None:
    """Raise UpstreamFailedError unless a certificate and its key can be used."""
    _context(certificate)


def _context(certificate: str) -> ssl.SSLContext:
    """Return the settings of TLS; of the certificate's file, which ssl asks for, nothing stays."""
    context = ssl.create_default_context()
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(certificate)
        file.flush()
        try:
            context.load_cert_chain(file.name, password="")  # so that it never asks
        except (OSError, ValueError) as error:
            raise UpstreamFailedError("The taxpayer's certificate cannot be read.") from error
    return context
