"""The schemes of electronic addresses are those that the official rules know."""

import re

from billing.domain.address_schemes import ADDRESS_SCHEMES
from billing.einvoice.ubl import to_ubl
from tests.documents.official_rules import STYLESHEETS

WITHDRAWN = {"0213"}
"""No longer in the list that CEN publishes; the rules here are older."""


def test_every_scheme_is_one_of_br_cl_25() -> None:
    rules = STYLESHEETS[to_ubl].read_text()
    lists = re.findall(r"contains\(' ([0-9A-Z ]{200,}) '", rules)

    [of_the_rule] = {codes for codes in lists if "9930" in codes}

    assert set(of_the_rule.split()) - WITHDRAWN == ADDRESS_SCHEMES
