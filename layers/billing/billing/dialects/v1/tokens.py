"""v1 billing: tokens."""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import (
    Field,
    GetPydanticSchema,
    PlainSerializer,
    WithJsonSchema,
    WrapValidator,
)

from billing.dialects.fields import (
    ACCOUNT_ID_SCHEMA,
    AccountId,
    Dto,
    Instant,
    Name,
    NextCursor,
)
from billing.domain.ids import ALL_ACCOUNTS
from billing.domain.tokens import EVERY_ACCOUNT, Grant, Reach, Role

MAX_ACCOUNTS = 100
"""The limit of accounts in a grant, as it is read at every call."""

_Some = Annotated[list[AccountId], Field(min_length=1, max_length=MAX_ACCOUNTS)]
_SOME_SCHEMA = {
    "type": "array",
    "items": ACCOUNT_ID_SCHEMA,
    "minItems": 1,
    "maxItems": MAX_ACCOUNTS,
}


def _reach(value: Any, read_some: Callable[[Any], list[str]]) -> Reach:
    if isinstance(value, Reach):
        return value
    if value == ALL_ACCOUNTS:
        return EVERY_ACCOUNT
    if not isinstance(value, list):
        raise ValueError(f'must be a list of account ids, or "{ALL_ACCOUNTS}"')
    return Reach.of(read_some(value))


Accounts = Annotated[
    Reach,
    GetPydanticSchema(lambda _, handler: handler(_Some)),
    WrapValidator(_reach),
    PlainSerializer(lambda reach: reach.written, return_type=list[str] | str),
    WithJsonSchema({"anyOf": [{"const": ALL_ACCOUNTS, "type": "string"}, _SOME_SCHEMA]}),
]
"""A list of accounts, or the word `all`: nothing that is left out by mistake grants them all."""


class TokenRequestDTO(Dto):
    """A token that is to be created."""

    name: Name = Field(description="A name to recognize the token by in lists.")
    role: Annotated[Role, Field(strict=False)] = Field(
        description="What the token may do: `reader`, `writer` (also reads) or `admin` (all)."
    )
    accounts: Accounts = Field(
        description="Account ids that the token may use, or `all` for every present and future "
        "account."
    )
    expires_at: Instant | None = Field(
        None,
        description="Expiry time, not later than that of the token that creates it. Omit for a "
        "token that expires with that one, or never.",
    )


class TokenCreatedResponseDTO(Dto):
    """A new token."""

    id: str = Field(description="The id of the token, to revoke it by. It is no secret.")
    token: str = Field(description="The token itself; this is the only time it is shown.")


class TokenResponseDTO(Dto):
    """The rights of a token; the token itself is known to its bearer only."""

    id: str = Field(description="The id of the token, to revoke it by. It is no secret.")
    name: str = Field(description="A name to recognize the token by in lists.")
    role: Role = Field(description="What the token may do: `reader`, `writer` or `admin`.")
    accounts: Accounts = Field(
        description="Account ids that the token may use, or `all` for every account."
    )
    last_four: str = Field(description="The last four characters of the token.")
    created_at: Instant = Field(description="The instant at which the token was created, in UTC.")
    expires_at: Instant | None = Field(
        description="Expiry time in UTC; null for a token that never expires."
    )

    @classmethod
    def from_domain(cls, grant: Grant) -> "TokenResponseDTO":
        return cls(
            id=grant.id,
            name=grant.name,
            role=grant.role,
            accounts=grant.reach,
            last_four=grant.last_four,
            created_at=grant.created_at,
            expires_at=grant.expires_at,
        )


class TokenListDTO(Dto):
    """A page of an org's tokens."""

    tokens: list[TokenResponseDTO] = Field(
        description="The tokens of this page, newest first. Tokens that may use more accounts than "
        "the caller's are left out, so a page can have fewer than `limit` and not be the last."
    )
    next_cursor: NextCursor
