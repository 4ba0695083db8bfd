"""Follow an alias to its end as smtpd does: ``lka_session.c`` and ``aliases.c``.

smtpd follows each name once below an address, so that aliases which lead to each other end with
nobody to deliver to; through an address it goes on until it is too deep. Either way, and wherever a
user is missing on the way, the sender gets the mail back, for all recipients of the alias.
"""

import os
import pwd
from collections import deque
from typing import NamedTuple, TypeAlias

from opensmtpd_cli.commands.check.rules.aliases.words import Word, WordKind, words
from opensmtpd_cli.commands.check.rules.ruleset.matching import Envelope, Ruleset
from opensmtpd_cli.commands.check.rules.ruleset.tables import Tables
from opensmtpd_cli.errors import Unsure
from opensmtpd_cli.smtpdconf.directives import ActionDefinition, TableRef

DEPTH_MAX = 10
"""EXPAND_DEPTH in lka_session.c."""
STEPS_MAX = 500
"""Steps for one alias; of one that takes more, nothing is said."""


class DeadEnd(NamedTuple):
    """Why smtpd refuses mail for an alias. ``code`` is that of the finding."""

    code: str
    reason: str


class _Node(NamedTuple):
    """A user, or an address where ``action`` is None, on the way."""

    name: str
    action: ActionDefinition | None
    depth: int
    context: int
    """The number of the address that it came from: below another one, all is followed again."""
    same: bool = False
    """True for a user whom an alias of his own name leads to: his aliases are not asked again."""


_Step: TypeAlias = list[tuple[_Node, Word]] | DeadEnd | None
"""The end of a word: more words, each with its node; None where it is delivered, or relayed."""


class Expander:
    """Follows aliases by the rules, the tables, and the users of this machine."""

    def __init__(
        self, ruleset: Ruleset, tables: Tables, actions: dict[str, ActionDefinition], delimiter: str
    ) -> None:
        self._ruleset = ruleset
        self._tables = tables
        self._actions = actions
        self._delimiter = delimiter
        self._users: dict[str, bool] = {}

    def dead_end(self, key: str, value: str, action: ActionDefinition) -> DeadEnd | None:
        """Return why mail for a row of an action's table is refused; None where it is not.

        Raises Unsure.
        """
        start = _Node(key, action, 0 if action.virtual else 1, 0)
        queue = deque((start, word) for word in words(value))
        seen = {start._replace(depth=0)}
        delivered = False
        for number in range(1, STEPS_MAX):
            if not queue:
                break
            above, word = queue.popleft()
            step = self._word(above, word, number, seen)
            if isinstance(step, DeadEnd):
                return step
            if step is None:
                delivered = True
            else:
                queue.extend(step)
        else:
            raise Unsure
        if delivered:
            return None
        return DeadEnd("alias-loop", "it leads back to itself, and to nobody else")

    def _word(self, above: _Node, word: Word, number: int, seen: set[_Node]) -> _Step:
        """Return what one word leads to. ``number`` is one that no other address has."""
        if word.kind is WordKind.NOTHING:
            return DeadEnd("alias-unreadable", f"smtpd cannot read the word {word.text}")
        if word.kind is WordKind.INCLUDE:
            if os.path.lexists(word.text):
                raise Unsure
            return []
        child = _child(above, word, number)
        if child is None:
            return None
        if child._replace(depth=0) in seen:
            return []
        seen.add(child._replace(depth=0))
        if child.depth >= DEPTH_MAX:
            return DeadEnd("alias-loop", f"it leads back to {child.name} without an end")
        return self._address(child) if child.action is None else self._user(child, child.action)

    def _address(self, node: _Node) -> _Step:
        action = self._ruled(node.name)
        if isinstance(action, DeadEnd):
            return action
        if action.kind == "relay":
            return None
        node = node._replace(action=action)
        if action.virtual is not None:
            value = self._value(action.virtual, self._virtual_keys(node.name))
            if value is None:
                return DeadEnd("alias-refused", f"no virtual user is {node.name}")
            return [(node, word) for word in words(value)]
        user = node.name.rpartition("@")[0]
        return self._user(node._replace(name=user, depth=node.depth + 1), action)

    def _user(self, node: _Node, action: ActionDefinition) -> _Step:
        table = action.alias or action.virtual
        if table is not None and not node.same:
            value = self._value(table, [node.name.lower(), self._bare(node.name.lower())])
            if value is not None:
                return [(node, word) for word in words(value)]
        name = self._bare(node.name.lower())
        if self._known(name, action):
            return None
        return DeadEnd("alias-target-missing", f"there is no user {name}")

    def _ruled(self, address: str) -> ActionDefinition | DeadEnd:
        rule = self._ruleset.first(Envelope(address, internal=True))
        if rule is None or not rule.action:
            return DeadEnd("alias-refused", f"no rule takes mail for {address}")
        if rule.action not in self._actions:
            raise Unsure
        return self._actions[rule.action]

    def _value(self, table: TableRef, keys: list[str]) -> str | None:
        mapping = self._tables.mapping(table)
        if mapping is None:
            raise Unsure
        return next((mapping[key] for key in keys if key in mapping), None)

    def _virtual_keys(self, address: str) -> list[str]:
        """Return what ``aliases_virtual_get`` looks up."""
        user, _, domain = address.rpartition("@")
        bare = self._bare(user)
        return [f"{user}@{domain}", f"{bare}@{domain}", user, bare, f"@{domain}", "@"]

    def _bare(self, name: str) -> str:
        return name.partition(self._delimiter)[0]

    def _known(self, name: str, action: ActionDefinition) -> bool:
        if action.userbase is not None:
            found = self._tables.mapping(action.userbase)
            if found is None:
                raise Unsure
            return name in found
        if name not in self._users:
            self._users[name] = _is_user(name)
        return self._users[name]


def _child(above: _Node, word: Word, number: int) -> _Node | None:
    """Return the user or address that a word names; None where it names a file or a program."""
    if word.kind is WordKind.ADDRESS:
        return _Node(word.text.lower(), None, above.depth + 1, number)
    if word.kind is not WordKind.USER:
        return None
    return _Node(word.text, above.action, above.depth + 1, above.context, word.text == above.name)


def _is_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
