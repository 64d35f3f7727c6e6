"""The page about costs is what the sums say."""

from tests import template
from tools import costs


def test_the_committed_page_is_what_the_sums_say() -> None:
    assert costs.FILE.read_text() == costs.text(), "run `python -m tools.costs`"


def test_what_stands_while_nobody_calls_is_what_the_template_has() -> None:
    kinds = [resource["Type"] for resource in template.resources().values()]
    alarms, dashboards, metrics = (
        kinds.count(f"AWS::{kind}")
        for kind in ("CloudWatch::Alarm", "CloudWatch::Dashboard", "Logs::MetricFilter")
    )

    assert costs.STANDING["alarm-month"] == alarms
    assert costs.STANDING["dashboard-month"] == dashboards
    assert costs.STANDING["metric-month"] == metrics


def test_snapshots_are_paid_for_by_the_function() -> None:
    with_snapshots = [
        name
        for name, resource in template.resources().items()
        if "SnapStart" in resource.get("Properties", {})
    ]

    assert len(with_snapshots) == costs.API_FUNCTIONS
