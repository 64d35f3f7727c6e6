"""Names of accounts, as they are searched and sorted."""

from unicodedata import combining, normalize

MAX_BYTES = 200
"""Of a name as it is sorted, in UTF-8: as much as a key takes besides the id of the account."""


def folded(name: str) -> str:
    """Return a name as it is compared: whatever its case and accents."""
    letters = normalize("NFKD", name.casefold())
    return "".join(each for each in letters if not combining(each)).casefold()


def sortable(name: str) -> str:
    """Return the beginning of a folded name, as far as names are sorted by it."""
    return folded(name).encode()[:MAX_BYTES].decode(errors="ignore")
