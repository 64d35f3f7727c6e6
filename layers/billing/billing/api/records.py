"""Records of streams: those that failed come again, and with them all that are behind the first."""

from collections.abc import Iterable, Mapping
from typing import Any

from billing.api.logger import kind_of, logger, report
from billing.domain.errors import UpstreamError


def failures(failed: Iterable[tuple[Mapping[str, Any], Exception]], failure: str) -> dict[str, Any]:
    """
    Return the records that failed, each once, in the form of Lambda.

    What will not pass by itself is logged as an error, and ends as a dead letter.
    """
    numbers: dict[str, None] = {}
    for record, error in failed:
        said = record["dynamodb"]
        if said["SequenceNumber"] in numbers:
            continue
        numbers[said["SequenceNumber"]] = None
        if isinstance(error, UpstreamError):
            logger.warning(failure, extra={"error": kind_of(error.__cause__ or error)})
        else:
            report(failure, error, keys=said.get("Keys"))
    return {"batchItemFailures": [{"itemIdentifier": each} for each in numbers]}
