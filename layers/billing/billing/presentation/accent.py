"""The colour of a document's headings and amounts."""

from functools import cache

DEFAULT_ACCENT = "#0b5394"


@cache
def readable(colour: str) -> str:
    """Darken a colour until text in it reads on white: WCAG 2.1 asks for a contrast of 4.5."""
    channels = [int(colour[n : n + 2], 16) for n in (1, 3, 5)]
    while luminance(channels) > 1.05 / 4.5 - 0.05:
        channels = [channel * 19 // 20 for channel in channels]
    return "#" + "".join(f"{channel:02x}" for channel in channels)


def luminance(channels: list[int]) -> float:
    """Return the relative luminance of an sRGB colour: WCAG 2.1."""
    linear = [c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
