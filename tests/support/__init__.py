"""What several test modules use: paths, files made for tests, servers and stand-ins."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared"
STARTER = ROOT / "models" / "starter"
IMAGE = ROOT / "examples" / "chest_rg1.png"

# The keys of a result, in order.
KEYS = [
    "file",
    "model",
    "revision",
    "prevalence",
    "operating_point",
    "probabilities",
    "flagged",
    "boxes",
    "warnings",
    "rejected",
    "disclaimer",
]
