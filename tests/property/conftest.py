"""Hypothesis as the tests want it: no deadlines, no files, in CI the same examples each time."""

import os

from hypothesis import settings

settings.register_profile("dev", deadline=None, database=None)
settings.register_profile("ci", deadline=None, database=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "dev")
