"""One measured figure and the bar that it has to reach."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """What was measured, its value, and the bar it has to reach."""

    what: str
    value: float
    bar: float
    better: str  # "higher" or "lower"

    @property
    def reached(self) -> bool:
        return self.value >= self.bar if self.better == "higher" else self.value <= self.bar
