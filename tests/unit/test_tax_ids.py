"""Tax ids of all member states, IBANs and BICs: check digits, prefixes and spellings."""

import pytest
from pydantic import TypeAdapter, ValidationError

from billing.dialects.fields import Bic, Iban, check_tax_id
from billing.domain.regimes.eu import MEMBER_STATES
from billing.domain.tax_ids import vat_id

VAT_IDS = """
    ATU13585627 BE0403019261 BG175074752 CY10259033P CZ25123891 DE136695976 DK13585628 EE100931558
    EL094259216 ESB58378431 FI20774740 FR40303265045 HR33392005961 HU12892312 IE6433435F
    IT00743110157 LT119511515 LU15027442 LV40003521600 MT11679112 NL004495445B01 PL8567346215
    PT501964843 RO18547290 SE123456789701 SI50223054 SK2022749619
""".split()
BY_COUNTRY = {vat_id[:2].replace("EL", "GR"): vat_id for vat_id in VAT_IDS}
IBANS = """
    AT611904300234573201 BE68539007547034 BG80BNBG96611020345678 CY17002001280000001200527600
    CZ6508000000192000145399 DE89370400440532013000 DK5000400440116243 EE382200221020145685
    GR1601101250000000012300695 ES9121000418450200051332 FI2112345600000785
    FR1420041010050500013M02606 HR1210010051863000160 HU42117730161111101800000000
    IE29AIBK93115212345678 IT60X0542811101000000123456 LT121000011101001000 LU280019400644750000
    LV80BANK0000435195001 MT84MALT011000012345MTLCAST001S NL91ABNA0417164300
    PL61109010140000071219812874 PT50000201231234567890154 RO49AAAA1B31007593840000
    SE4550000000058398257466 SI56191000000123438 SK3112000000198742637541
    GB29NWBK60161331926819 NO9386011117947 CH9300762011623852957
""".split()


def test_every_member_state_is_here() -> None:
    assert BY_COUNTRY.keys() == MEMBER_STATES
    assert {iban[:2] for iban in IBANS} >= MEMBER_STATES


@pytest.mark.parametrize("country", sorted(BY_COUNTRY))
def test_a_tax_id_is_taken_with_its_prefix_or_without(country: str) -> None:
    whole = BY_COUNTRY[country]
    spellings = [
        whole,
        whole[2:],
        whole.lower(),
        f"{whole[:2]} {whole[2:]}",
        f"{country}{whole[2:]}",
    ]

    assert [check_tax_id(tax_id, country) for tax_id in spellings] == spellings
    assert {vat_id(tax_id, country) for tax_id in spellings} == {whole}


@pytest.mark.parametrize("country", sorted(BY_COUNTRY))
def test_a_wrong_digit_is_noticed(country: str) -> None:
    whole = BY_COUNTRY[country]
    last = max(place for place, letter in enumerate(whole) if letter.isdigit())
    place = last - 3 if country in ("NL", "SE") else last  # the last digits there check nothing
    wrong = whole[:place] + str((int(whole[place]) + 1) % 10) + whole[place + 1 :]

    with pytest.raises(ValueError, match=f"must be a valid tax id of {country}"):
        check_tax_id(wrong, country)


@pytest.mark.parametrize(
    ("tax_id", "country"),
    [
        pytest.param("FR40303265045", "DE", id="of another country"),
        pytest.param("ＤＥ１３６６９５９７６", "DE", id="letters and digits that are not ASCII"),
        pytest.param("BE403019261", "BE", id="without its leading zero"),
        pytest.param("NL4495445B01", "NL", id="without its leading zeros"),
        pytest.param("EL23456780", "GR", id="without its leading zero, in Greece"),
    ],
)
def test_refuses_what_could_not_be_printed_as_it_is(tax_id: str, country: str) -> None:
    with pytest.raises(ValueError, match="must "):
        check_tax_id(tax_id, country)


@pytest.mark.parametrize(
    ("tax_id", "country", "expected"),
    [
        pytest.param("53 0000 04605", "MC", "FR53000004605", id="Monaco is France"),
        pytest.param("FR53000004605", "MC", "FR53000004605", id="and says so"),
        pytest.param("XI980780684", "GB", None, id="Northern Ireland: outside, for services"),
        pytest.param("GB980780684", "GB", None, id="outside"),
        pytest.param("12-3456789", "US", None, id="no rules"),
    ],
)
def test_vat_ids_outside_the_member_states(tax_id: str, country: str, expected: str | None) -> None:
    assert check_tax_id(tax_id, country) == tax_id
    assert vat_id(tax_id, country) == expected


@pytest.mark.parametrize("iban", IBANS)
def test_ibans(iban: str) -> None:
    field = TypeAdapter[str](Iban)
    wrong = iban[:-1] + ("1" if iban[-1] != "1" else "2")

    assert field.validate_python(f" {iban[:4]} {iban[4:]}") == iban
    with pytest.raises(ValidationError, match="must be a valid IBAN"):
        field.validate_python(wrong)


def test_bics() -> None:
    field = TypeAdapter[str](Bic)

    assert field.validate_python("caixesbb") == "CAIXESBB"
    for wrong in ("CAIXESB", "CAIXESBBXX", "1AIXESBB", ""):
        with pytest.raises(ValidationError, match="must be a valid BIC"):
            field.validate_python(wrong)
