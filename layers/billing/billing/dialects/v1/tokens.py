"""v1 billing: tokens."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from billing.dialects.fields import Dto, Id, Instant, Name
from billing.domain.tokens import Grant, Role

ALL = "all"
MAX_ACCOUNTS = 100
"""As many as fit into what the authorizer hands over."""


def _accounts(value: Any) -> Any:
    if value is None:
        raise ValueError(f'must be a list of accounts, or "{ALL}"')
    return None if value == ALL else value


Accounts = Annotated[
    Annotated[list[Id], Field(min_length=1, max_length=MAX_ACCOUNTS)] | None,
    BeforeValidator(_accounts),
    PlainSerializer(lambda value: value or ALL, return_type=list[str] | str),
    WithJsonSchema(
        {
            "anyOf": [
                {"const": ALL, "type": "string"},
                {
                    "type": "array",
                    "items": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"},
                    "minItems": 1,
                    "maxItems": MAX_ACCOUNTS,
                },
            ]
        }
    ),
]
"""Some accounts, or None for all: on the wire the word `all`, so that no slip grants them."""


class TokenRequestDTO(Dto):
    """A token to make."""

    name: Name = Field(description="To know it by.")
    role: Annotated[Role, Field(strict=False)] = Field(
        description="`writer` includes `reader`, and `admin` both."
    )
    accounts: Accounts = Field(description="The accounts that it reaches; `all` has those to come.")
    expires_at: Instant | None = Field(None, description="When it ends; never without.")

    def reach(self) -> frozenset[str] | None:
        return None if self.accounts is None else frozenset(self.accounts)


class TokenCreatedResponseDTO(Dto):
    """A new token."""

    id: str = Field(description="To revoke it by.")
    token: str = Field(description="The token itself; this is the only time it is shown.")


class TokenResponseDTO(Dto):
    """What a token reaches; the token itself is known to its bearer only."""

    id: str = Field(description="To revoke it by.")
    name: str = Field(description="To know it by.")
    role: Role = Field(description="`reader`, `writer` or `admin`.")
    accounts: Accounts = Field(description="The accounts that it reaches, or `all`.")
    last_four: str = Field(description="The last four characters of the token.")
    created_at: Instant = Field(description="When it was made.")
    expires_at: Instant | None = Field(description="When it ends; null where never.")

    @classmethod
    def from_domain(cls, grant: Grant) -> "TokenResponseDTO":
        return cls(
            id=grant.id,
            name=grant.name,
            role=grant.role,
            accounts=ALL if grant.accounts is None else sorted(grant.accounts),  # type: ignore[arg-type]
            last_four=grant.last_four,
            created_at=grant.created_at,
            expires_at=grant.expires_at,
        )
