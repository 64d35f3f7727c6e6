"""The org's logo on a document."""

from base64 import b64encode

from billing.domain.logos import plain_png
from billing.domain.parties import Logo

_WIDTH, _HEIGHT = 60, 14
"""How much room there is for it, in millimetres."""


def drawing(logo: Logo, content: bytes) -> str:
    """Return a logo as SVG: a text, which is what the template can be given."""
    if logo.type == "image/svg+xml":
        return content.decode()
    size = f'width="{logo.width}" height="{logo.height}"'
    data = b64encode(plain_png(content)).decode()
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size}>'
        f'<image {size} href="data:image/png;base64,{data}"/></svg>'
    )


def room(logo: Logo) -> dict[str, str]:
    """Return how wide and how high a logo is printed, in typst's words."""
    height = min(_HEIGHT, _WIDTH * logo.height / logo.width)
    return {"width": f"{height * logo.width / logo.height:.2f}", "height": f"{height:.2f}"}
