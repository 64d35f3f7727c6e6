"""The index on top of template.yaml is what stands below it."""

import re
import textwrap

from local.stack import ROOT

TEXT = (ROOT / "template.yaml").read_text()


def test_the_index_lists_every_resource_under_its_heading() -> None:
    body = TEXT.partition("\nResources:\n")[2].partition("\nOutputs:\n")[0]
    before, *parts = re.split(r"^  # -+ ", body, flags=re.MULTILINE)
    index = ["# Every resource, in the order of this file:", "#"]
    for part in parts:
        heading, _, resources = part.partition("\n")
        names = re.findall(r"^  (\w+):$", resources, flags=re.MULTILINE)
        index.append(f"#   {heading}:")
        index += textwrap.wrap(
            " ".join(names), width=98, initial_indent="#       ", subsequent_indent="#       "
        )
    expected = "\n".join(index)

    assert not re.search(r"^  \w", before, flags=re.MULTILINE), "a resource above all headings"
    assert TEXT.startswith(f"{expected}\n\n"), f"template.yaml should begin with:\n{expected}"
