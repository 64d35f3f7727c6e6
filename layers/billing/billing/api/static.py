"""What the API serves as it stands: pages and documents, compressed, with ETag and cache time."""

import base64
import gzip
import re
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from http import HTTPStatus
from typing import Self

from aws_lambda_powertools.event_handler import Response, content_types

from billing.api.app import BillingApp

CACHED_SECONDS = 300
"""How old a copy may be: as long as this, a new release may not show."""
_INLINE = {
    "script-src": re.compile(r"<script>(.*?)</script>", re.DOTALL),
    "style-src": re.compile(r"<style>(.*?)</style>", re.DOTALL),
}
_GZIP = re.compile(r"\s*(?:gzip|\*)\s*(?:;\s*q\s*=\s*([0-9.]+)\s*)?", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class Static:
    """A text that is the same for everybody."""

    content_type: str
    text: str
    etag: str
    headers: dict[str, str]

    @classmethod
    def of(cls, content_type: str, text: str, **headers: str) -> Self:
        """Prepare a text; its tag is weak, as it names the compressed form too."""
        tag = f'W/"{sha256(text.encode()).hexdigest()[:32]}"'
        return cls(content_type, text, tag, headers)

    @classmethod
    def page(cls, html: str, *, any_style: bool = False) -> Self:
        """
        Prepare a page that may ask its own API, and nobody else, for anything.

        Its own scripts and styles run, by their hashes, and no others; with `any_style` also the
        styles that its scripts make. They can fetch nothing either.
        """
        rules = {
            "default-src": ["'none'"],
            "base-uri": ["'none'"],
            "connect-src": ["'self'"],
            "form-action": ["'none'"],
            "frame-ancestors": ["'none'"],
            "img-src": ["data:"],
            **{name: [_hash(each) for each in tag.findall(html)] for name, tag in _INLINE.items()},
            **({"style-src": ["'unsafe-inline'"]} if any_style else {}),
        }
        policy = "; ".join(" ".join([name, *sources]) for name, sources in rules.items())
        headers = {"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer"}
        return cls.of(f"{content_types.TEXT_HTML}; charset=utf-8", html, **headers)

    @cached_property
    def gzipped(self) -> str:
        """Return its compressed form in base64, made once."""
        return base64.b64encode(gzip.compress(self.text.encode(), mtime=0)).decode()

    def answer(self, app: BillingApp) -> Response[str]:
        """Return it as the answer to the current call: 304 if unchanged, compressed if accepted."""
        headers = {
            **self.headers,
            "Cache-Control": f"public, max-age={CACHED_SECONDS}",
            "ETag": self.etag,
            "Vary": "Accept-Encoding",
        }
        if app.has_cached(self.etag):
            return Response(HTTPStatus.NOT_MODIFIED, body="", headers=headers)
        if not _takes_gzip((app.current_event.headers or {}).get("accept-encoding", "")):
            return Response(HTTPStatus.OK, self.content_type, self.text, headers)
        headers["Content-Encoding"] = "gzip"
        response = Response(HTTPStatus.OK, self.content_type, self.gzipped, headers)
        response.base64_encoded = True
        return response


def _takes_gzip(accept_encoding: str) -> bool:
    """Return whether `Accept-Encoding` allows gzip, by name or as `*`, with a weight above 0."""
    found = [_GZIP.fullmatch(each) for each in accept_encoding.split(",")]
    weights = [each[1] or "1" for each in found if each]
    return any(weight.strip("0.") for weight in weights)


def _hash(text: str) -> str:
    """Return the hash of an inline script or style, as a content security policy writes it."""
    return f"'sha256-{base64.b64encode(sha256(text.encode()).digest()).decode()}'"
