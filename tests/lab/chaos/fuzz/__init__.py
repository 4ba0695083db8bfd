"""Coverage-guided fuzzing of all that reads what others wrote.

``python -m lab.chaos.fuzz TARGET SECONDS`` runs one target: with atheris where it can be imported
(``pip install atheris``; it has wheels for some versions of Python), else with hypothesis. What it
finds is printed as a bytes literal, to become a test beside the code.
"""
