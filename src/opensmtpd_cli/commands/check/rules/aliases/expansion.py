"""Follow an alias to its end as smtpd does: ``lka_session.c`` and ``aliases.c``.

smtpd follows each name once below an address, so that aliases which lead to each other end with
nobody to deliver to; through an address it goes on until it is too deep. Either way, and wherever a
user is missing on the way, the sender gets the mail back, for all recipients of the alias.
"""

import os
import pwd
from collections import deque
from typing import NamedTuple

from opensmtpd_cli.commands.check.rules.aliases.words import Kind, Word, words
from opensmtpd_cli.commands.check.rules.ruleset.matching import Envelope, Ruleset
from opensmtpd_cli.commands.check.rules.ruleset.tables import Tables, Unsure
from opensmtpd_cli.smtpdconf.directives import Action, TableRef

DEPTH_MAX = 10
"""EXPAND_DEPTH in lka_session.c."""
STEPS_MAX = 500
"""Steps for one alias; of one that takes more, nothing is said."""


class Refusal(NamedTuple):
    """Why smtpd refuses mail for an alias. ``code`` is that of the finding."""

    code: str
    reason: str


class _Node(NamedTuple):
    """A user, or an address where ``action`` is None, on the way."""

    name: str
    action: Action | None
    depth: int
    context: int
    """The number of the address that it came from: below another one, all is followed again."""
    same: bool = False
    """True for a user whom an alias of his own name leads to: his aliases are not asked again."""


class Expander:
    """Follows aliases by the rules, the tables, and the users of this machine."""

    def __init__(
        self, ruleset: Ruleset, tables: Tables, actions: dict[str, Action], delimiter: str
    ) -> None:
        self._ruleset = ruleset
        self._tables = tables
        self._actions = actions
        self._delimiter = delimiter
        self._users: dict[str, bool] = {}

    def refusal(self, key: str, value: str, action: Action) -> Refusal | None:
        """Return why mail for a row of an action's table is refused; None where it is not.

        Raises Unsure.
        """
        start = _Node(key, action, 0 if action.virtual else 1, 0)
        queue = deque([(start, list(words(value)))])
        seen = {(start.name, start.action, start.context, start.same)}
        delivered = contexts = 0
        for _ in range(STEPS_MAX):
            if not queue:
                break
            node, found = queue.popleft()
            for word in found:
                if word.kind is Kind.NOTHING:
                    return Refusal("alias-unreadable", f"smtpd cannot read the word {word.text}")
                child = self._child(node, word)
                if child is None:
                    delivered += word.kind is not Kind.INCLUDE
                    continue
                if child.action is None:
                    contexts += 1
                    child = child._replace(context=contexts)
                if (identity := (child.name, child.action, child.context, child.same)) in seen:
                    continue
                seen.add(identity)
                if child.depth >= DEPTH_MAX:
                    return Refusal("alias-loop", f"it leads back to {child.name} without an end")
                step = self._step(child)
                if isinstance(step, Refusal):
                    return step
                if step is None:
                    delivered += 1
                else:
                    queue.append(step)
        else:
            raise Unsure
        if delivered:
            return None
        return Refusal("alias-loop", "it leads back to itself, and to nobody else")

    def _child(self, above: _Node, word: Word) -> _Node | None:
        """Return the user or address that a word names; None where it is no such."""
        if word.kind is Kind.INCLUDE and os.path.lexists(word.text):
            raise Unsure
        if word.kind is Kind.ADDRESS:
            return _Node(word.text.lower(), None, above.depth + 1, 0)
        if word.kind is not Kind.USER:
            return None
        same = above.action is not None and word.text == above.name
        return _Node(word.text, above.action, above.depth + 1, above.context, same)

    def _step(self, node: _Node) -> tuple[_Node, list[Word]] | Refusal | None:
        """Return what a node leads to; None where it is delivered to, or relayed."""
        if node.action is None:
            action = self._ruled(node.name)
            if isinstance(action, Refusal):
                return action
            if action.kind == "relay":
                return None
            node = node._replace(action=action)
            if action.virtual is not None:
                value = self._value(action.virtual, self._virtual_keys(node.name))
                if value is None:
                    return Refusal("alias-refused", f"no virtual user is {node.name}")
                return node, list(words(value))
            node = node._replace(name=node.name.rpartition("@")[0], depth=node.depth + 1)
            return self._user(node, action)
        return self._user(node, node.action)

    def _user(self, node: _Node, action: Action) -> tuple[_Node, list[Word]] | Refusal | None:
        table = action.alias or action.virtual
        if table is not None and not node.same:
            value = self._value(table, [node.name.lower(), self._bare(node.name.lower())])
            if value is not None:
                return node, list(words(value))
        name = self._bare(node.name.lower())
        if self._known(name, action):
            return None
        return Refusal("alias-target-missing", f"there is no user {name}")

    def _ruled(self, address: str) -> Action | Refusal:
        rule = self._ruleset.first(Envelope(address, internal=True))
        if rule is None or not rule.action:
            return Refusal("alias-refused", f"no rule takes mail for {address}")
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

    def _known(self, name: str, action: Action) -> bool:
        if action.userbase is not None:
            found = self._tables.mapping(action.userbase)
            if found is None:
                raise Unsure
            return name in found
        if name not in self._users:
            self._users[name] = _is_user(name)
        return self._users[name]


def _is_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
