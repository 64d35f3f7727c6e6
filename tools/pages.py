"""
Writes functions/front/guides.md: the pages of docs/ that `/docs` shows before the operations.

    make docs
"""

import re

from local.stack import ROOT

FILE = ROOT / "functions" / "front" / "guides.md"
GUIDES = ("start", "clients", "errors", "paging", "retries", "money", "tax", "events")


def text() -> str:
    """Return all guides, one after the other, each under its name."""
    return "\n".join(_guide(name) for name in GUIDES)


def _guide(name: str) -> str:
    """Return a guide; its links lead to guides and to the web, others become plain words."""
    markdown = (ROOT / "docs" / f"{name}.md").read_text()
    markdown = re.sub(r"<!--.*?-->\n?", "", markdown, flags=re.DOTALL)
    markdown = re.sub(r"\A# .*", f"# {name.capitalize()}", markdown)
    return re.sub(r"\[([^\]]+)\]\(([^)]+)\)", _link, markdown)


def _link(link: re.Match[str]) -> str:
    words, target = link.groups()
    if target.startswith("https://"):
        return link[0]
    if target.startswith("#"):
        return f"[{words}](#description/{target[1:]})"
    guide = target.removesuffix(".md")
    return f"[{words}](#/{guide})" if guide in GUIDES else words


if __name__ == "__main__":
    FILE.write_text(text())
