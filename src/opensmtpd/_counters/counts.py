"""Numbers by cell: what this process counts, and what filter-metrics adds up."""

from collections.abc import Iterable

from opensmtpd._counters.names import PLUGINS, Cell, Metric


class Counts:
    """A number for each cell of some metrics that are no histograms."""

    __slots__ = ("index", "values")

    def __init__(self, metrics: Iterable[Metric]) -> None:
        cells = [cell for metric in metrics for cell in metric.cells()]
        self.index: dict[Cell, int] = {cell: place for place, cell in enumerate(cells)}
        """The place of each cell in ``values``."""
        self.values = [0] * len(cells)

    def add(self, *cell: str, by: int = 1) -> None:
        """Add to a cell. One that does not exist is ignored: a count never ends a program."""
        place = self.index.get(cell)
        if place is not None:
            self.values[place] += by


OWN = Counts(PLUGINS)
"""The counts of this process. Workers have their own, which nobody reads."""
count = OWN.add
