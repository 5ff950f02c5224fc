"""Helpers of the tests: paths, files made for tests, servers and stand-ins for servers."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared"
STARTER = ROOT / "models" / "starter"
IMAGE = ROOT / "examples" / "chest_rg1.png"

# The keys of the JSON object of /analyze, in order.
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
