"""docs/cookbook.md and docs/migration.md on real smtpd: each line, each file, each command."""

import pytest

from integration.support.cookbook import delivery, incoming, migration, operating, signing, users
from integration.support.cookbook.recipe import MIGRATION, PAGE, Recipe, follow, prepare
from lab.shows import markdown
from lab.support import Lab, setups

RECIPES: dict[str, Recipe] = {
    **delivery.RECIPES,
    **incoming.RECIPES,
    **operating.RECIPES,
    **signing.RECIPES,
    **users.RECIPES,
}
SETUPS = setups("cookbook", prepare)


@pytest.mark.parametrize("running", SETUPS, indirect=True, ids=str)
@pytest.mark.parametrize("heading", RECIPES)
def test_the_recipe_does_what_it_is_for(running: Lab, heading: str) -> None:
    recipe = RECIPES[heading]
    if running.smtpd in recipe.smtpd:
        follow(running, PAGE, heading, recipe)


@pytest.mark.parametrize("running", SETUPS, indirect=True, ids=str)
@pytest.mark.parametrize("heading", migration.RECIPES)
def test_who_comes_from_elsewhere_is_served(running: Lab, heading: str) -> None:
    follow(running, MIGRATION, heading, migration.RECIPES[heading])


def test_each_recipe_is_followed() -> None:
    assert sorted(RECIPES) == sorted(markdown.headings(PAGE))
    shown = {block.heading for block in markdown.blocks(MIGRATION)}
    assert shown == set(migration.RECIPES)
