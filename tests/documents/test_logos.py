"""Logos on documents: whatever is accepted can be printed, and is the same bytes each time."""

import random
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace

import pytest

from billing.domain.errors import InvalidRequestError
from billing.domain.logos import read_logo
from billing.domain.parties import Logo
from functions.documents.pdf.logo import room
from functions.documents.pdf.render import render
from tests.sample_invoices import LOGO, ONE_LINE, SELLER, WITH_LOGO

PNG = b"\x89PNG\r\n\x1a\n"
KINDS = [
    (colour, depth)
    for colour, depths in {
        0: (1, 2, 4, 8, 16),
        2: (8, 16),
        3: (1, 2, 4, 8),
        4: (8, 16),
        6: (8, 16),
    }.items()
    for depth in depths
]
"""The colours and depths that a PNG can have."""
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
PASSES = [
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
]


def printed(content: bytes) -> bytes:
    """Print a logo on an invoice: PDF/A refuses what it could not hold."""
    seller = replace(SELLER, logo=read_logo(content))
    return render(replace(ONE_LINE, seller=seller), content)


def test_a_document_with_a_logo_is_the_same_bytes_and_says_what_it_shows() -> None:
    pdf = render(WITH_LOGO, LOGO.encode())

    assert pdf == render(WITH_LOGO, LOGO.encode())
    assert "Logo of Telefonía Clara, S.L.".encode("utf-16-be").hex().upper().encode() in pdf


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [
        pytest.param(100, 100, ("14.00", "14.00"), id="square"),
        pytest.param(1200, 300, ("56.00", "14.00"), id="wide"),
        pytest.param(1200, 200, ("60.00", "10.00"), id="wider"),
        pytest.param(10, 100, ("1.40", "14.00"), id="high"),
    ],
)
def test_a_logo_keeps_its_proportions(width: int, height: int, expected: tuple[str, str]) -> None:
    size = room(Logo("", "image/png", width, height))

    assert (size["width"], size["height"]) == expected


@pytest.mark.parametrize(("colour", "depth"), KINDS)
@pytest.mark.parametrize("interlaced", [0, 1])
def test_every_kind_of_png_is_printed(colour: int, depth: int, interlaced: int) -> None:
    """And each that is like one, but for some bytes: it is printed, or was refused."""
    choice = random.Random(7)
    sound = png(choice, colour, depth, interlaced)

    assert printed(sound)
    for _ in range(15):
        _printed_or_refused(damaged(choice, sound))


def png(choice: random.Random, colour: int, depth: int, interlaced: int) -> bytes:
    width, height = 9, 5
    steps = PASSES if interlaced else [(0, 0, 1, 1)]
    bits = CHANNELS[colour] * depth
    rows = [
        bytes([choice.randrange(5)]) + choice.randbytes((-(-(width - x) // across) * bits + 7) // 8)
        for x, y, across, down in steps
        for _ in range(y, height, down)
    ]
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    palette = [(b"PLTE", choice.randbytes(3 * 2**depth))] if colour == 3 else []
    profile = (b"iCCP", b"wrong\0\0" + zlib.compress(b"no profile"))
    parts = [
        (b"IHDR", header),
        profile,
        *palette,
        (b"IDAT", zlib.compress(b"".join(rows))),
        (b"IEND", b""),
    ]
    return PNG + b"".join(part(*each) for each in parts)


def part(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def damaged(choice: random.Random, sound: bytes) -> bytes:
    """Change some bytes, and mend the sums that would tell."""
    changed = bytearray(sound)
    for _ in range(choice.randint(1, 3)):
        changed[choice.randrange(8, len(changed))] = choice.randrange(256)
    mended, at = bytes(changed[:8]), 8
    while at + 12 <= len(changed):
        (length,) = struct.unpack(">I", changed[at : at + 4])
        mended += part(bytes(changed[at + 4 : at + 8]), bytes(changed[at + 8 : at + 8 + length]))
        at += 12 + length
    return mended


def _printed_or_refused(content: bytes) -> bool:
    try:
        read_logo(content)
    except InvalidRequestError:
        return False
    return bool(printed(content))


ATTRIBUTES = (
    "d x y width height rx r cx cy points fill stroke stroke-width stroke-dasharray transform "
    "viewBox offset stop-color clip-path opacity id class style preserveAspectRatio gradientUnits "
    "gradientTransform x1 x2 spreadMethod fx filter mask display visibility clipPathUnits"
).split()
TAGS = (
    "g defs path rect circle ellipse line polyline polygon linearGradient radialGradient stop "
    "clipPath style"
).split()
NUMBERS = "0 1 5 10 -1 .5 1e30 1e-30 1e400 NaN inf 50% 99999999999 a".split()
VALUES: list[Callable[[random.Random], str]] = [
    lambda choice: choice.choice(NUMBERS),
    lambda choice: "M" + " ".join(choice.choices(NUMBERS, k=7)),
    lambda choice: "M0 0L1 1 2 2zC1 2 3 4 5 6A1 1 0 0 0 9 9",
    lambda choice: f"matrix({','.join(choice.choices(NUMBERS, k=6))})",
    lambda choice: f"scale({choice.choice(NUMBERS)})",
    lambda choice: f"0 0 {' '.join(choice.choices(NUMBERS, k=2))}",
    lambda choice: f"fill:url(#a);stroke:red;stroke-width:{choice.choice(NUMBERS)}",
    lambda choice: choice.choice(["url(#a)", "red", "none", "a", "objectBoundingBox"]),
]


def test_every_svg_that_is_accepted_is_printed() -> None:
    choice = random.Random(7)
    drawings = [_drawing(choice) for _ in range(150)]

    assert sum(_printed_or_refused(each.encode()) for each in drawings) > 100


def _drawing(choice: random.Random, depth: int = 0) -> str:
    if depth == 0:
        shapes = "".join(_drawing(choice, 1) for _ in range(5))
        return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 10">{shapes}</svg>'
    tag = choice.choice(TAGS)
    names = {choice.choice(ATTRIBUTES): choice.choice(VALUES)(choice) for _ in range(6)}
    inside = "".join(
        _drawing(choice, depth + 1) for _ in range(choice.randrange(4 - min(depth, 3)))
    )
    written = " ".join(f'{name}="{value}"' for name, value in names.items())
    return f"<{tag} {written}>{inside}</{tag}>"
