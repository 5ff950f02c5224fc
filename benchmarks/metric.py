"""One measured value and its target."""

from dataclasses import dataclass

OF_CEILING = 0.95  # what a target becomes that lies beyond a ceiling


@dataclass(frozen=True)
class Metric:
    """One measured value.

    Attributes:
        name: What was measured, with its unit, or with both sides of a ratio.
        value: The measured value.
        target: What the value should reach; None for a ceiling, which is shown for comparison.
        better: "higher" or "lower".
    """

    name: str
    value: float
    target: float | None
    better: str

    @property
    def reached(self) -> bool:
        """Whether the value is at least as good as the target."""
        if self.target is None:
            return True
        higher = self.better == "higher"
        return self.value >= self.target if higher else self.value <= self.target


def below(ceiling: float, target: float) -> float:
    """The target, or 0.95 of a ceiling that was measured in the same run and is lower."""
    return target if target <= ceiling else OF_CEILING * ceiling
