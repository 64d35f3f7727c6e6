"""v1 billing: the networks that e-invoices are ready for."""

from typing import Annotated, Literal

from pydantic import Field

from billing.dialects.fields import Dto
from billing.domain.networks import Missing, Network, missing
from billing.domain.parties import Account, Org


class MissingFieldDTO(Dto):
    """A field of a profile that keeps e-invoices from a network."""

    profile: Literal["org", "account"] = Field(
        description="The profile that has the field: `org` is the billing info of the org, "
        "`account` the billing details of the account."
    )
    field: str = Field(description="Name of the field, such as `buyer_reference`.")
    message: str = Field(description="What is wrong with the field, and what it has to hold.")

    @classmethod
    def from_domain(cls, lacking: Missing) -> "MissingFieldDTO":
        return cls(profile=lacking.profile, field=lacking.field, message=lacking.message)


class NetworkReadinessDTO(Dto):
    """Whether the e-invoices of an account are ready for a network."""

    network: Annotated[Network, Field(strict=False)] = Field(
        description="`en_16931` is EN 16931, and Factur-X in the PDF; `peppol_bis_3` is Peppol BIS "
        "Billing 3.0, and `xrechnung_3` is XRechnung 3.0."
    )
    ready: bool = Field(description="True if nothing is missing for this network.")
    missing: list[MissingFieldDTO] = Field(
        description="What is missing, field by field; empty if it is ready."
    )


class EInvoiceReadinessDTO(Dto):
    """The networks that the e-invoices of an account are ready for, as the profiles are now."""

    networks: list[NetworkReadinessDTO] = Field(
        description="Each network that a document can claim, ready or not."
    )

    @classmethod
    def from_domain(cls, org: Org, account: Account) -> "EInvoiceReadinessDTO":
        lacking = {
            network: missing(network, org, account, account.buyer_reference) for network in Network
        }
        return cls(
            networks=[
                NetworkReadinessDTO(
                    network=network,
                    ready=not fields,
                    missing=[MissingFieldDTO.from_domain(each) for each in fields],
                )
                for network, fields in lacking.items()
            ]
        )
