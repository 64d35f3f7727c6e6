"""Where an address is in terms of tax: art. 6 and 7 of Directive 2006/112/EC, and the regions."""

import pytest

from billing.domain.countries import COUNTRIES
from billing.domain.parties import Address
from billing.domain.regimes import REGIMES
from billing.domain.regimes.eu import MEMBER_STATES
from billing.domain.territories import Place, is_region, named_place, place_of, regions_of
from tools import subdivisions


def _at(country: str, postal_code: str, region: str | None = None) -> Place:
    return place_of(Address("Street 1", postal_code, "Town", country, region))


@pytest.mark.parametrize(
    ("country", "postal_code", "region", "name", "territory", "home"),
    [
        pytest.param("ES", "28013", None, "Madrid", "ES", "ES", id="Spain's mainland"),
        pytest.param("ES", "07001", None, "Illes Balears", "ES", "ES", id="the Balearics"),
        pytest.param("ES", "35002", None, "Las Palmas", "ES-CN", "ES-CN", id="art. 6 (1) (b)"),
        pytest.param(
            "ES", "38001", None, "Santa Cruz de Tenerife", "ES-CN", "ES-CN", id="the other one"
        ),
        pytest.param("ES", "51001", None, "Ceuta", "ES-CE", "ES-CE", id="art. 6 (2) (c)"),
        pytest.param("ES", "52006", None, "Melilla", "ES-ML", "ES-ML", id="art. 6 (2) (d)"),
        pytest.param("PT", "9000-019", None, "Madeira", "PT", "PT", id="Funchal"),
        pytest.param("PT", "1000-001", "PT-30", "Madeira", "PT", "PT", id="by its region"),
        pytest.param("PT", "9500-321", None, "Azores", "PT", "PT", id="Ponta Delgada"),
        pytest.param("PT", "1000-001", "PT-11", None, "PT", "PT", id="Lisbon"),
        pytest.param("FR", "97110", None, "Guadeloupe", "FR-971", "FR", id="art. 6 (1) (c)"),
        pytest.param("GP", "97110", None, "Guadeloupe", "FR-971", "FR", id="by its own code"),
        pytest.param("FR", "75001", "FR-GP", "Guadeloupe", "FR-971", "FR", id="by an old code"),
        pytest.param("FR", "97200", None, "Martinique", "FR-972", "FR", id="Martinique"),
        pytest.param("RE", "97400", None, "Réunion", "FR-974", "FR", id="Réunion"),
        pytest.param("FR", "97300", None, "Guyane", "FR-973", "FR-973", id="Guyane, without TVA"),
        pytest.param("YT", "97600", None, "Mayotte", "FR-976", "FR-976", id="Mayotte, without TVA"),
        pytest.param("FR", "20000", "FR-20R", None, "FR", "FR", id="Corsica is inside"),
        pytest.param("MC", "98000", None, None, "FR", "FR", id="art. 7: Monaco counts as France"),
        pytest.param("FR", "97133", None, None, "BL", "BL", id="Saint-Barthélemy"),
        pytest.param("FR", "98800", None, None, "NC", "NC", id="New Caledonia"),
        pytest.param("GR", "630 86", None, "Mount Athos", "GR-69", "GR-69", id="art. 6 (1) (a)"),
        pytest.param("GR", "10431", None, None, "GR", "GR", id="Athens"),
        pytest.param("FI", "22100", None, "Åland Islands", "FI-01", "FI", id="art. 6 (1) (d)"),
        pytest.param("AX", "22100", None, "Åland Islands", "FI-01", "FI", id="by its own code"),
        pytest.param("DE", "27498", None, "Heligoland", "DE-HELGOLAND", "DE-HELGOLAND", id="6 2 a"),
        pytest.param(
            "DE", "78266", "DE-BW", "Büsingen am Hochrhein", "DE-BUESINGEN", "DE-BUESINGEN",
            id="art. 6 (2) (b)",
        ),
        pytest.param("DE", "78262", None, None, "DE", "DE", id="its neighbour Gailingen"),
        pytest.param(
            "IT", "22061", None, "Campione d'Italia", "IT-CAMPIONE", "IT-CAMPIONE", id="6 1 f"
        ),
        pytest.param("IT", "23041", "IT-25", "Livigno", "IT-LIVIGNO", "IT-LIVIGNO", id="6 2 e"),
        pytest.param("IT", "23032", None, None, "IT", "IT", id="Bormio"),
        pytest.param("AT", "6691", None, "Jungholz", "AT", "AT", id="Jungholz"),
        pytest.param("AT", "6993", None, "Mittelberg", "AT", "AT", id="Mittelberg"),
        pytest.param("AT", "87568", None, "Mittelberg", "AT", "AT", id="by its German postal code"),
        pytest.param("GB", "BT1 1AA", "GB-NIR", None, "GB", "GB", id="Northern Ireland"),
        pytest.param("NL", "0000 AA", "NL-AW", None, "AW", "AW", id="Aruba as a part"),
        pytest.param("GL", "3900", None, None, "GL", "GL", id="Greenland"),
        pytest.param("US", "10118", "US-NY", None, "US", "US", id="elsewhere"),
    ],
)  # fmt: skip
def test_where_an_address_is(
    country: str, postal_code: str, region: str | None, name: str | None, territory: str, home: str
) -> None:
    place = _at(country, postal_code, region)

    assert (place.region.name if place.region else None) == name
    assert (place.territory, place.home) == (territory, home)
    assert place.in_vat_area is (territory in MEMBER_STATES)


@pytest.mark.parametrize(
    ("postal_code", "island"),
    [
        ("811 00", "Lesbos"), ("82100", "Lesbos"), ("83100", "Lesbos"), ("85300", "Lesbos"),
        ("85400", "Lesbos"), ("81400", "Small"), ("82104", "Small"), ("85500", "Small"),
        ("68002", "Small"), ("85111", "Small"),
        ("85100", None), ("85131", None), ("84100", None), ("68001", None),
    ],
)  # fmt: skip
def test_which_greek_islands_have_rates_of_their_own(postal_code: str, island: str | None) -> None:
    region = _at("GR", postal_code).region

    assert (region and region.name.split()[0].strip(",")) == island


def test_every_country_is_one_place() -> None:
    for country in COUNTRIES:
        place = named_place(country)
        assert place.names
        assert (place.territory in MEMBER_STATES) == place.in_vat_area


@pytest.mark.parametrize("country", sorted(REGIMES))
def test_no_postal_code_is_in_two_regions(country: str) -> None:
    regime = REGIMES[country]
    names = [region.name for region in regime.regions]
    codes = [region.code for region in regime.regions if region.code]

    assert len(set(names)) == len(names)
    assert len(set(codes)) == len(codes)
    for place in regions_of(country):
        assert place.region
        if place.code:
            assert named_place(country, place.code).region is place.region


def test_the_table_of_regions_is_that_of_the_standard() -> None:
    assert subdivisions.FILE.read_text() == subdivisions.module()


@pytest.mark.parametrize(
    ("country", "code", "is_one"),
    [
        pytest.param("PT", "PT-30", True, id="Madeira"),
        pytest.param("US", "US-CA", True, id="California"),
        pytest.param("NO", "NO-32", True, id="a county of Norway since 2024"),
        pytest.param("NO", "NO-30", True, id="a county of Norway until then"),
        pytest.param("FR", "FR-20R", True, id="three characters"),
        pytest.param("FR", "FR-RE", True, id="an older code of a region that we know"),
        pytest.param("PT", "PT-31", False, id="a slip of the finger"),
        pytest.param("PT", "ES-MD", False, id="of another country"),
        pytest.param("PT", "30", False, id="without its country"),
        pytest.param("MC", "MC-X", False, id="not there"),
        pytest.param("GP", "GP-971", False, id="a country without regions"),
    ],
)
def test_a_region_is_one_of_iso_3166_2(country: str, code: str, *, is_one: bool) -> None:
    assert is_region(country, code) is is_one


def test_every_region_with_a_tax_of_its_own_can_be_named() -> None:
    for country in REGIMES:
        for place in regions_of(country):
            assert place.region
            codes = [place.region.code, *place.region.other_codes]
            assert all(is_region(country, code) for code in codes if code)
