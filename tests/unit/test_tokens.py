"""Tokens: random, checked by themselves, and known by their hash."""

import re

import pytest

from billing.domain.tokens import Role, is_well_formed, new_token, token_hash


def test_a_new_token_is_well_formed_and_like_no_other() -> None:
    tokens = {new_token() for _ in range(100)}

    assert len(tokens) == 100
    assert all(re.fullmatch(r"bil_[0-9A-Za-z]{38}", token) for token in tokens)
    assert all(is_well_formed(token) for token in tokens)


@pytest.mark.parametrize("place", range(42))
def test_one_wrong_character_is_noticed(place: int) -> None:
    token = new_token()
    wrong = "x" if token[place] != "x" else "y"

    assert not is_well_formed(token[:place] + wrong + token[place + 1 :])


@pytest.mark.parametrize("token", ["", "bil_", "x" * 42, "bil_" + "é" * 38])
def test_nonsense_is_not_well_formed(token: str) -> None:
    assert not is_well_formed(token)


def test_hashes_differ() -> None:
    assert token_hash("a") != token_hash("b")
    assert re.fullmatch(r"[0-9a-f]{64}", token_hash("a"))


def test_roles_include_the_ones_before() -> None:
    assert Role.ADMIN.includes(Role.READER)
    assert Role.WRITER.includes(Role.WRITER)
    assert not Role.READER.includes(Role.WRITER)
