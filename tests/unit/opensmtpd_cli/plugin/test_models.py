"""The model for an installed smtpd."""

import pytest

from opensmtpd_cli.plugin import models


@pytest.mark.parametrize(
    ("installed", "names"),
    [
        ((), ["7.9.0"]),
        ((6, 4, 0), ["6.8.0"]),
        ((6, 8, 0), ["6.8.0"]),
        ((7, 3, 0), ["6.8.0", "7.6.0"]),
        ((7, 6, 1), ["7.6.0"]),
        ((7, 8, 0), ["7.6.0", "7.9.0"]),
        ((8, 0, 0), ["7.9.0"]),
    ],
)
def test_the_models_around_an_smtpd(installed: tuple[int, ...], names: list[str]) -> None:
    assert models.around(installed) == names


@pytest.mark.parametrize(
    ("installed", "model"),
    [
        ((), "7.9.0"),
        ((8, 0, 0), "7.9.0"),
        ((7, 9, 0), "7.9.0"),
        ((7, 8, 0), "7.6.0"),
        ((7, 3, 0), "6.8.0"),
        ((6, 4, 0), "6.8.0"),
    ],
)
def test_the_newest_that_is_no_newer(installed: tuple[int, ...], model: str) -> None:
    assert models.of(installed) == model
