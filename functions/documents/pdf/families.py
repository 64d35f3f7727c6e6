"""The font families of documents: Inter, and others for the letters that it does not have."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

INTER = "Inter"
_OURS = Path(__file__).parent / "fonts"
_WEIGHTS = {INTER: "Inter-Regular.otf Inter-SemiBold.otf"} | {
    f"Noto {name}": f"{file}-Regular.ttf {file}-Bold.ttf"
    for name, file in {
        "Sans": "NotoSans",
        "Naskh Arabic": "NotoNaskhArabic",
        "Sans Hebrew": "NotoSansHebrew",
        "Sans Thai": "NotoSansThai",
        "Sans Armenian": "NotoSansArmenian",
        "Sans Georgian": "NotoSansGeorgian",
    }.items()
}
_HAN = {"CN": "SC", "SG": "SC", "TW": "TC", "HK": "TC", "MO": "TC", "JP": "JP", "KR": "KR"}
"""Whose shapes of Han characters a country writes; the same character differs among them."""


def families(*countries: str) -> list[str]:
    """Return all families in the order in which they are tried, for what these countries write."""
    han = dict.fromkeys([*(_HAN[each] for each in countries if each in _HAN), *_HAN.values()])
    return [*_WEIGHTS, *(f"Noto Sans {each}" for each in han)]


@cache
def files() -> dict[str, list[Path]]:
    """Return the files of each family. Those for Han characters have all weights in one file."""
    package = find_spec("justmytype_intl_cjk")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("justmytype_intl_cjk")
    theirs = Path(package.origin).parent / "fonts" / "ofl"
    return {
        **{
            family: [_OURS / family.split()[0].lower() / each for each in names.split()]
            for family, names in _WEIGHTS.items()
        },
        **{
            f"Noto Sans {each}": [theirs / f"notosans{each.lower()}" / f"NotoSans{each}[wght].ttf"]
            for each in dict.fromkeys(_HAN.values())
        },
    }
