"""v1 billing: links to the page of a document."""

from collections.abc import Sequence

from pydantic import Field

from billing.dialects.fields import Dto, Instant, NextCursor
from billing.domain.share_links import ShareLink

_ID = "The id of the link, to revoke it by. It is no secret."


class ShareLinkRequestDTO(Dto):
    """A link that is to be created."""

    expires_at: Instant | None = Field(
        None,
        description="When the link stops working, not later than the token that creates it. "
        "Default: after a year, or with that token if it expires earlier.",
    )


class ShareLinkCreatedResponseDTO(Dto):
    """A new link."""

    id: str = Field(description=_ID)
    url: str = Field(
        description="The address of the page, which opens without a token; this is the only time "
        "it is shown."
    )
    expires_at: Instant = Field(description="When the link stops working, in UTC.")


class ShareLinkResponseDTO(Dto):
    """A link, without its address."""

    id: str = Field(description=_ID)
    expires_at: Instant = Field(description="When the link stops working, in UTC.")
    revoked: bool = Field(description="Whether it was revoked, and does not work any more.")
    opened: int = Field(
        description="How often its page was opened, by the customer or by a program that looks at "
        "links. In rare failures one opening counts twice, or not at all."
    )

    @classmethod
    def from_domain(cls, link: ShareLink) -> "ShareLinkResponseDTO":
        return cls(id=link.id, expires_at=link.expires_at, revoked=link.revoked, opened=link.opened)


class ShareLinkListDTO(Dto):
    """The links of a document, newest first."""

    links: list[ShareLinkResponseDTO] = Field(
        description="The links of this page, newest first, without their addresses."
    )
    next_cursor: NextCursor

    @classmethod
    def from_domain(cls, links: Sequence[ShareLink], next_cursor: str | None) -> "ShareLinkListDTO":
        shown = [ShareLinkResponseDTO.from_domain(each) for each in links]
        return cls(links=shown, next_cursor=next_cursor)
