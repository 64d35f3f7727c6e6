"""The function that makes PDFs, where no function is deployed: run on this machine when invoked."""

import importlib
import json
import os
from concurrent.futures import Executor
from io import BytesIO
from typing import Any
from urllib.parse import unquote

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders


class DocumentsHere:
    """Answers what a client of Lambda sends, in place of its HTTP session."""

    NAME = "documents-here"

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def send(self, request: AWSPreparedRequest) -> AWSResponse:
        """Invoke the function, and answer as Lambda does."""
        assert f"/functions/{self.NAME}/invocations" in unquote(request.url)
        event = json.loads(request.body)  # type: ignore[arg-type]
        answer, error = self._executor.submit(_invoke, event, dict(os.environ)).result()
        body, headers = json.dumps(answer).encode(), HTTPHeaders()
        headers["Content-Length"] = str(len(body))
        if error:
            headers["X-Amz-Function-Error"] = error
        return AWSResponse(request.url, 200, headers, _Body(body))


def _invoke(event: Any, environment: dict[str, str]) -> tuple[Any, str | None]:
    """Call the function where the caller's tables are: each file of tests has its own."""
    from tests.integration.conftest import Context

    os.environ.update(environment)
    try:
        return importlib.import_module("functions.documents.app").lambda_handler(
            event, Context()
        ), None
    except Exception as error:  # of any kind, as Lambda does
        return {"errorType": type(error).__name__, "errorMessage": str(error)}, "Unhandled"


class _Body(BytesIO):
    """A body as urllib3 hands it over."""

    def stream(self, **_: Any) -> Any:
        yield self.read()
