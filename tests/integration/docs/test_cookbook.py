"""The recipes of docs/cookbook.md on real smtpd: each line, each file and each command of them."""

import pytest

from integration.support.cookbook import delivery, signing
from integration.support.cookbook.recipe import PAGE, Recipe, follow, prepare
from lab.shows import markdown
from lab.support import Lab, setups

RECIPES: dict[str, Recipe] = {**delivery.RECIPES, **signing.RECIPES}
SETUPS = setups("cookbook", prepare)


@pytest.mark.parametrize("running", SETUPS, indirect=True, ids=str)
@pytest.mark.parametrize("heading", RECIPES)
def test_the_recipe_does_what_it_is_for(running: Lab, heading: str) -> None:
    recipe = RECIPES[heading]
    if running.smtpd in recipe.smtpd:
        follow(running, heading, recipe)


def test_each_recipe_is_followed() -> None:
    assert sorted(RECIPES) == sorted(markdown.headings(PAGE))
