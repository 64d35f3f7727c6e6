"""Fills the table with what an org has before it issues anything: its tokens and its profiles."""

import os
from decimal import Decimal
from hashlib import sha256
from typing import Any
from xml.etree import ElementTree

from botocore.exceptions import ClientError

from .issuing import cents
from .store import Item, Key, account_of, as_item, at, dynamodb, table, to_json


def lambda_handler(event: dict[str, Any], _: object) -> dict[str, Any]:
    """Take profiles as they are PUT, and movements, PDFs and e-invoices as they are answered."""
    create_table()
    org_id, account_id = event["org_id"], event["account_id"]
    account = account_of(org_id, account_id)
    for token, accounts in event["tokens"].items():
        holder = {"org_id": org_id, "account_id": accounts}
        keep(("token", sha256(token.encode()).hexdigest()), holder)
    profile = {"org": event["org"], "account": {**event["account"], "id": account_id}}
    keep((account, "profile"), {"profile": to_json(profile)})
    for movement in event.get("movements", []):
        gross = cents(Decimal(str(movement["amount"]["value_with_taxes"])))
        key = f"movement#{org_id}", f"{movement['subscription_id']}#{movement['id']}"
        keep(key, {"account_id": account_id, "gross": gross, "refunded": 0})
    for ordinal, pdf in event.get("pdfs", {}).items():
        keep((account, at("pdf", int(ordinal))), pdf)
    for ordinal, xml in event.get("e_invoices", {}).items():
        tree = to_tree(ElementTree.fromstring(xml))
        keep((account, at("xml", int(ordinal))), {"tree": to_json(tree)})
    return {}


def keep(key: Key, attributes: Item) -> None:
    table().put_item(Item={**as_item(key), **attributes})


def to_tree(element: ElementTree.Element) -> list[Any]:
    return [element.tag, element.attrib, element.text, [to_tree(child) for child in element]]


def create_table() -> None:
    names = ("pk", "S"), ("sk", "S"), ("account", "S"), ("unpaid_of", "S"), ("ordinal", "N")
    try:
        dynamodb().create_table(
            TableName=os.environ["TWIN_TABLE"],
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": n, "AttributeType": t} for n, t in names],
            KeySchema=key_schema("pk", "sk"),
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "descriptions",
                    "KeySchema": key_schema("account", "ordinal"),
                    "Projection": {
                        "ProjectionType": "INCLUDE",
                        "NonKeyAttributes": ["description"],
                    },
                },
                {
                    "IndexName": "unpaid",
                    "KeySchema": key_schema("unpaid_of", "ordinal"),
                    "Projection": {"ProjectionType": "ALL"},
                },
            ],
        ).wait_until_exists()
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceInUseException":
            raise


def key_schema(partition: str, sort: str) -> list[dict[str, str]]:
    return [
        {"AttributeName": partition, "KeyType": "HASH"},
        {"AttributeName": sort, "KeyType": "RANGE"},
    ]
