"""Set or remove the logo of an org's documents."""

from dataclasses import replace
from typing import Protocol

from billing import deadline
from billing.domain.parties import Logo, Org


class Orgs(Protocol):
    def get(self, org_id: str) -> tuple[Org, int]: ...

    def replace(self, org: Org, known: Org | None, version: int) -> None: ...


class Store(Protocol):
    def put_logo(self, org_id: str, logo: Logo, content: bytes) -> None: ...


def set_logo(org_id: str, content: bytes, *, orgs: Orgs, store: Store) -> None:
    """
    Print a logo on the documents that the org issues from now on.

    The file is stored before the profile names it, and stays when another one takes its place:
    documents that were issued with it are printed with it.
    """
    # Imported when there is a picture to read: every cold start would wait for it.
    from billing.domain.logos import read_logo

    logo = read_logo(content)

    def change() -> None:
        org, version = orgs.get(org_id)
        if org.logo != logo:
            store.put_logo(org_id, logo, content)
            orgs.replace(replace(org, logo=logo), org, version)

    deadline.retry(change)


def remove_logo(org_id: str, *, orgs: Orgs) -> None:
    """Print no logo on the documents that the org issues from now on."""

    def change() -> None:
        org, version = orgs.get(org_id)
        if org.logo:
            orgs.replace(replace(org, logo=None), org, version)

    deadline.retry(change)
