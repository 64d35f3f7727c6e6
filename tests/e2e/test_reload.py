"""An edited source goes live without a deployment, and without losing data."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local import reload
from local.stack import ROOT, StackError, from_environment
from tests.e2e.conftest import Client


@pytest.fixture
def edit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Edit a copy of a source, put it to work, and in the end the source itself again."""
    edited: list[str] = []

    def put(name: str, old: str, new: str) -> None:
        text = (ROOT / name).read_text()
        assert old in text
        copy = tmp_path / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(text.replace(old, new))
        edited.append(name)
        with monkeypatch.context() as patch:
            patch.setattr(reload, "ROOT", tmp_path)
            reload.reload(from_environment(), [copy])

    yield put
    reload.reload(from_environment(), [ROOT / name for name in edited])


def test_an_edited_page_is_live(edit: Callable[..., None], customer: Client) -> None:
    edit("functions/front/docs.html", "<title>", "<title>Edited: ")

    assert "<title>Edited: " in customer.get("/docs").content.decode()


def test_an_edited_module_of_the_layer_is_live(edit: Callable[..., None], customer: Client) -> None:
    before = customer.get("/v3/account/invoice").json

    edit("layers/billing/billing/api/app.py", '"x-request-id"', '"x-edited-id"')

    answer = customer.get("/v3/account/invoice")
    assert answer.headers["x-edited-id"]
    assert answer.json == before


def test_what_cannot_be_compiled_is_named_and_changes_nothing(
    edit: Callable[..., None], customer: Client
) -> None:
    with pytest.raises(StackError, match=r"functions/tokens/app\.py: .*line 1"):
        edit("functions/tokens/app.py", '"""', "def (")

    assert customer.get("/v3/account/invoice").status == 200


def test_only_a_deployment_will_do_for_what_is_gone_or_configures_it() -> None:
    source = ROOT / "functions/tokens/app.py"

    assert reload.is_quick([source, ROOT / "layers/billing/billing/aws.py"])
    assert not reload.is_quick([source, ROOT / "template.yaml"])
    assert not reload.is_quick([ROOT / "layers/billing/requirements.txt"])
    assert not reload.is_quick([ROOT / "functions/tokens/gone.py"])
