"""Measurements of our programs beside those in C: ``make bench``, which writes a page of the site.

``subjects/`` has a module for each group of programs, which measures and yields figures, and
``programs/`` what is run for that beside them; ``page`` and ``plots`` make docs/performance.md of
what they found. A subject is run alone, inside the private network, by
``make bench ARGS="--only signing"`` or so::

    PYTHONPATH=tests .venv/bin/python -m lab run .venv/bin/python -m bench.subjects.signing
"""
