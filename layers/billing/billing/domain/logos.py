"""
Logos of orgs: PNG or SVG, checked for what a document needs.

An accepted logo can be drawn on every document for good: a PNG is read to its last byte, an SVG
consists of shapes alone.
"""

import re
import zlib
from hashlib import sha256
from struct import unpack
from xml.parsers import expat

from billing.domain.errors import InvalidRequestError, TooLargeError
from billing.domain.parties import Logo

MAX_BYTES = 100 * 1024
MAX_PIXELS = 2000
"""How wide and how high a PNG may be."""
MAX_ELEMENTS = 2000
MAX_DEPTH = 30
MAX_RATIO = 20
_SVG_UNIT = 100
"""An SVG has fractions of a pixel: it is measured in hundredths."""


def read_logo(content: bytes) -> Logo:
    """Check a logo. Raise InvalidRequestError saying what is wrong, TooLargeError over 100 KB."""
    if len(content) > MAX_BYTES:
        raise TooLargeError(
            f"A logo has at most 100 KB ({MAX_BYTES} bytes); this one has {len(content)} bytes."
        )
    is_png = content.startswith(_SIGNATURE)
    try:
        width, height = _size_of_png(content) if is_png else _size_of_svg(content)
        if not 1 / MAX_RATIO <= width / height <= MAX_RATIO:
            raise _WrongError(f"must have no side that is {MAX_RATIO} times as long as the other")
    except _WrongError as error:
        raise InvalidRequestError.of("body", str(error)) from None
    return Logo(
        sha256(content).hexdigest(), "image/png" if is_png else "image/svg+xml", width, height
    )


class _WrongError(Exception):
    """What is wrong with a picture."""


# ---------------------------------------------------------------- PNG: ISO/IEC 15948

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_DEPTHS = {0: {1, 2, 4, 8, 16}, 2: {8, 16}, 3: {1, 2, 4, 8}, 4: {8, 16}, 6: {8, 16}}
_PALETTES = {0: {0}, 2: {0, 1}, 3: {1}, 4: {0}, 6: {0, 1}}
_PASSES = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)
"""Adam7: where each pass of an interlaced picture begins, and its steps, across and down."""
_KEPT = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")


type _Chunk = tuple[bytes, bytes, bytes]
"""The kind of a part, its data, and all of it."""


def plain_png(content: bytes) -> bytes:
    """Return a PNG with its pixels alone: no colour profile, no text, no animation."""
    return _SIGNATURE + b"".join(whole for kind, _, whole in _chunks(content) if kind in _KEPT)


def _chunks(content: bytes) -> list[_Chunk]:
    chunks, at = list[_Chunk](), len(_SIGNATURE)
    while at < len(content):
        if at + 12 > len(content):
            raise _WrongError("is a PNG that ends too early")
        (length,) = unpack(">I", content[at : at + 4])
        end = at + 12 + length
        if end > len(content):
            raise _WrongError("is a PNG that ends too early")
        kind, data = content[at + 4 : at + 8], content[at + 8 : end - 4]
        if unpack(">I", content[end - 4 : end])[0] != zlib.crc32(kind + data):
            raise _WrongError("is a PNG with a damaged part")
        chunks.append((kind, data, content[at:end]))
        at = end
    return chunks


def _size_of_png(content: bytes) -> tuple[int, int]:
    chunks = _chunks(content)
    kinds = [kind for kind, _, _ in chunks]
    if kinds[:1] != [b"IHDR"] or kinds[-1:] != [b"IEND"] or len(chunks[0][1]) != 13:
        raise _WrongError("is a PNG without its header or its end")
    if kinds.count(b"IHDR") + kinds.count(b"IEND") != 2 or len(chunks[-1][1]):
        raise _WrongError("is a PNG with two headers or ends")
    width, height, depth, colour, *methods, interlaced = unpack(">IIBBBBB", chunks[0][1])
    if depth not in _DEPTHS.get(colour, ()) or any(methods) or interlaced > 1:
        raise _WrongError("is a PNG of a kind that does not exist")
    if not (0 < width <= MAX_PIXELS and 0 < height <= MAX_PIXELS):
        raise _WrongError(
            f"must have at most {MAX_PIXELS} × {MAX_PIXELS} pixels, not {width} × {height}"
        )
    places = [n for n, kind in enumerate(kinds) if kind == b"IDAT"]
    if not places or places[-1] - places[0] != len(places) - 1:
        raise _WrongError("is a PNG without pixels, or with pixels in several places")
    palettes = [len(data) for kind, data, _ in chunks[: places[0]] if kind == b"PLTE"]
    if kinds.count(b"PLTE") != len(palettes) or len(palettes) not in _PALETTES[colour]:
        raise _WrongError("is a PNG without its palette, or with one too many")
    if any(size % 3 or not 3 <= size <= 768 for size in palettes):
        raise _WrongError("is a PNG with a wrong palette")
    _check_pixels(chunks, (width, height), _CHANNELS[colour] * depth, interlaced=bool(interlaced))
    return width, height


def _check_pixels(
    chunks: list[_Chunk], size: tuple[int, int], bits: int, *, interlaced: bool
) -> None:
    """Unpack all pixels: as many as there have to be, each row filtered in a way there is."""
    steps = _PASSES if interlaced else ((0, 0, 1, 1),)
    rows = [
        1 + (-(-(size[0] - x) // across) * bits + 7) // 8
        for x, y, across, down in steps
        if size[0] > x
        for _ in range(y, size[1], down)
    ]
    unpacker = zlib.decompressobj()
    try:
        packed = b"".join(data for kind, data, _ in chunks if kind == b"IDAT")
        pixels = unpacker.decompress(packed, sum(rows) + 1)
    except zlib.error:
        raise _WrongError("is a PNG with damaged pixels") from None
    if len(pixels) != sum(rows) or not unpacker.eof or unpacker.unused_data:
        raise _WrongError("is a PNG with too few or too many pixels")
    at = 0
    for row in rows:
        if pixels[at] > 4:
            raise _WrongError("is a PNG with damaged pixels")
        at += row


# ---------------------------------------------------------------- SVG 1.1

_SVG = "http://www.w3.org/2000/svg"
_SHAPES = frozenset(
    "svg g defs title desc metadata style path rect circle ellipse line polyline polygon "
    "linearGradient radialGradient stop clipPath".split()
)
_ABOUT = (
    "http://www.inkscape.org/",
    "http://sodipodi.sourceforge.net/",
    "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "http://creativecommons.org/ns#",
    "http://purl.org/dc/elements/1.1/",
)
"""What drawing programs note beside the shapes; nobody draws it."""
_UNITS = {None: 1, "px": 1, "pt": 4 / 3, "pc": 16, "mm": 96 / 25.4, "cm": 96 / 2.54, "in": 96}
_LENGTH = re.compile(r"\s*([0-9]{1,5}(?:\.[0-9]{1,6})?)(px|pt|pc|mm|cm|in)?\s*")
_ELSEWHERE = re.compile(r"url\(\s*['\"]?\s*[^'\"\s#]|@import|\\|script:|expression", re.IGNORECASE)


def _size_of_svg(content: bytes) -> tuple[int, int]:
    try:
        content.decode()
        reader = _SvgReader()
        reader.parser.Parse(content, True)
    except UnicodeDecodeError:
        raise _WrongError("must be a PNG, or an SVG in UTF-8") from None
    except expat.ExpatError as error:
        raise _WrongError(f"must be a PNG or an SVG; line {error.lineno} is not XML") from None
    return reader.size()


class _SvgReader:
    """Reads an SVG, and raises _WrongError for what is no shape or leads out of the file."""

    def __init__(self) -> None:
        self.parser = expat.ParserCreate("UTF-8", " ")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.parser.ProcessingInstructionHandler = self._refuse
        self._root: dict[str, str] = {}
        self._open: list[str] = []
        self._count = 0

    def size(self) -> tuple[int, int]:
        box = re.findall(r"[^\s,]+", self._root.get("viewBox", ""))
        given = [_LENGTH.fullmatch(self._root.get(name, "")) for name in ("width", "height")]
        sides = [float(each[1]) * _UNITS[each[2]] for each in given if each]
        if len(sides) < 2 and len(box) == 4:
            sides = [float(each) for each in box[2:] if _LENGTH.fullmatch(each)]
        if len(sides) < 2 or not all(1 <= side <= 10_000 for side in sides):
            raise _WrongError("must have a width and a height, or a viewBox, of 1 to 10,000 pixels")
        width, height = (round(side * _SVG_UNIT) for side in sides)
        return width, height

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        space, _, tag = name.rpartition(" ")
        if not self._count and (space, tag) != (_SVG, "svg"):
            raise _WrongError("must be a PNG or an SVG")
        self._root = self._root or attributes
        self._count += 1
        self._open.append(tag)
        is_shape = space == _SVG and tag in _SHAPES and (tag != "svg" or self._count == 1)
        if not is_shape and not space.startswith(_ABOUT):
            raise _WrongError(f"must consist of shapes, without <{tag}>; letters can be made paths")
        if self._count > MAX_ELEMENTS or len(self._open) > MAX_DEPTH:
            raise _WrongError(f"must have at most {MAX_ELEMENTS} shapes, {MAX_DEPTH} in each other")
        for attribute, value in attributes.items():
            _check_attribute(attribute.rpartition(" ")[2], value)

    def _end(self, _: str) -> None:
        self._open.pop()

    def _text(self, text: str) -> None:
        if self._open[-1] == "style" and _ELSEWHERE.search(text):
            raise _WrongError("must refer to nothing outside of itself, as <style> does")

    def _refuse(self, *_: object) -> None:
        raise _WrongError("must have no document type, entities or processing instructions")


def _check_attribute(name: str, value: str) -> None:
    if name.lower().startswith("on"):
        raise _WrongError(f"must have no scripts, such as {name}")
    if (name == "href" and not value.startswith("#")) or _ELSEWHERE.search(value):
        raise _WrongError(f"must refer to nothing outside of itself, as {name} does")
