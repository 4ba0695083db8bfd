"""Programs that a measurement runs: filters of ours to compare with, and a name server."""

from pathlib import Path

FOLDER = Path(__file__).parent
