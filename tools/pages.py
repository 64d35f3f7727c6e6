"""
Writes functions/front/pages.html: the pages of docs/ that `/docs` shows beside the reference.

    make docs
"""

import re

from markdown_it import MarkdownIt

from local.stack import ROOT

FILE = ROOT / "functions" / "front" / "pages.html"
PAGES = ("errors", "paging", "retries", "clients")


def text() -> str:
    """Return all pages, each a section with its name as its id."""
    return "".join(
        f'<section class="page" id="{name}" hidden>\n{_html(name)}</section>\n' for name in PAGES
    )


def _html(name: str) -> str:
    """Return a page as HTML; its links to other pages lead to their sections."""
    markdown = (ROOT / "docs" / f"{name}.md").read_text()
    html: str = MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown)
    return re.sub(r'href="(\w+)\.md"', r'href="#/\1"', html)


if __name__ == "__main__":
    FILE.write_text(text())
