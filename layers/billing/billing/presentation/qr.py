"""QR codes as SVG: ISO/IEC 18004, level M."""

import re

import segno

_SVG = "http://www.w3.org/2000/svg"
_DARK = re.compile(rb"\x01+")


def qr_svg(payload: str | bytes) -> str:
    """Create a QR code, without the white space around it."""
    return svg(*qr_shape(payload))


def svg(box: str, path: str) -> str:
    return f'<svg xmlns="{_SVG}" viewBox="{box}"><path d="{path}"/></svg>'


def qr_shape(payload: str | bytes) -> tuple[str, str]:
    """Return the view box and the path of a QR code, as SVG has them."""
    # Readers take any of the eight masks; to rate them costs more than all else here together.
    code = segno.make_qr(payload, error="M", boost_error=False, mask=3)
    size = len(code.matrix)
    path = "".join(
        f"M{run.start()} {y}h{run.end() - run.start()}v1h{run.start() - run.end()}z"
        for y, row in enumerate(code.matrix)
        for run in _DARK.finditer(row)
    )
    return f"0 0 {size} {size}", path
