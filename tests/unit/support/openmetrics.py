"""The text of OpenMetrics, as the official parser reads it."""

import pytest

pytest.importorskip("prometheus_client")

from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families


def parsed(text: str) -> list[Metric]:
    """Return the families of a text. Raises ValueError for one that breaks the format."""
    return list(text_string_to_metric_families(text))  # type: ignore[no-untyped-call]
