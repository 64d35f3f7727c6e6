"""The page of the data model has every item that the modules of persistence/ open with."""

import ast
import re

from tests import template
from tools import data_model

PAGE = data_model.FILE.read_text()


def test_the_committed_page_is_what_the_modules_say() -> None:
    assert data_model.text() == PAGE, "run `make docs`"


def test_every_table_has_a_section() -> None:
    tables = {
        name.removesuffix("Table")
        for name, resource in template.resources().items()
        if resource["Type"] == "AWS::DynamoDB::Table"
    }
    sections = set(re.findall(r"^## (.*) table$", PAGE, flags=re.MULTILINE))

    assert {section.title().replace(" ", "") for section in sections} == tables | {"Any"}


def test_no_key_of_a_module_is_missing() -> None:
    keys = {
        key
        for path in data_model.PERSISTENCE.glob("*.py")
        for line in (ast.get_docstring(ast.parse(path.read_text())) or "").splitlines()
        for key in re.findall(r"\w[\w-]*#<\w+>", line)
    }

    assert len(keys) > 10
    assert {key for key in keys if key not in PAGE} == set()
