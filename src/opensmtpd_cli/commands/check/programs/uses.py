"""Filters that nobody uses, or that forget, and listeners that were forgotten."""

import os
from collections.abc import Collection, Iterator

from opensmtpd.dns.names import address
from opensmtpd_cli.commands.check import finding
from opensmtpd_cli.commands.check.finding import Finding
from opensmtpd_cli.commands.check.programs import program_line
from opensmtpd_cli.commands.check.rules.open_relay.entrances import loopback
from opensmtpd_cli.commands.check.server import Server
from opensmtpd_cli.smtpdconf import command_words, recorded
from opensmtpd_cli.smtpdconf.configuration import Configuration
from opensmtpd_cli.smtpdconf.directives import FilterDefinition, Listener, TableRef

_JUDGES = ("filter-auth", "filter-greylist", "filter-rspamd", "filter-senderscore")
"""Filters that are there for mail of others."""
_FORGETFUL = {
    "filter-greylist": "After each restart of smtpd, all mail of others is put off once more.",
    "filter-limit": "After each restart of smtpd, accounts that it has stopped go on.",
}
"""Filters that have a state, and what comes of it where it is lost."""
_SETTINGS = ("-settings-id", "--settings-id")
"""With these, rspamd has another task for mail of users: to sign it, say."""


def unused_filters(server: Server) -> Iterator[Finding]:
    """Yield the filters that no listener and no relay has, not even in a chain."""
    configuration = server.configuration
    used = _used(configuration)
    for each in configuration.filters.values():
        if each.name not in used:
            fault = f'filter "{each.name}" is used nowhere'
            remedy = f'write filter "{each.name}" behind listen on, or remove it'
            yield finding.warning("filter-unused", each.place, fault, "It sees no mail.", remedy)
    procs = {each.proc for each in configuration.filters.values()}
    for proc in configuration.procs.values():
        if proc.name not in procs:
            fault = f'proc "{proc.name}" is the program of no filter'
            remedy = f'write filter NAME proc "{proc.name}", or remove it'
            yield finding.warning("proc-unused", proc.place, fault, "It sees no mail.", remedy)


def _used(configuration: Configuration) -> set[str]:
    """Return the names of filters that see mail: those of chains, too."""
    names = [name for each in configuration.listeners for name in each.filters]
    names += [name for each in configuration.actions.values() for name in each.filters]
    names += [word for each in configuration.rest for word in each.words]  # it may be one
    return _with_chained(configuration, names)


def _with_chained(configuration: Configuration, names: Collection[str]) -> set[str]:
    """Return the names of filters, and of those in chains among them."""
    waiting = list(names)
    used: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in used and name in configuration.filters:
            waiting += configuration.filters[name].chain
        used.add(name)
    return used


def unfiltered_listeners(server: Server) -> Iterator[Finding]:
    """Yield the listeners without a filter where a twin of theirs has one.

    A twin is the same for the other family of addresses, or another port of the same address where
    users log in: whoever filters the one means the other, too. Of all others nothing is known: many
    filter what comes from outside only.
    """
    unknown = {each.place for each in server.configuration.rest}
    listeners = [
        each
        for each in server.configuration.listeners
        if each.where != "socket" and each.place not in unknown
    ]
    filtered = [each for each in listeners if each.filters]
    for each in listeners:
        twin = None if each.filters else _twin(each, filtered)
        if twin:
            fault = (
                f"listen on {each.where} has no filter, and its twin in line {twin.place.line} has"
            )
            names = [f'"{name}"' for name in twin.filters]
            words = names[0] if len(names) == 1 else f"{{ {', '.join(names)} }}"
            why = "What comes in here is not filtered."
            yield finding.warning("listener-unfiltered", each.place, fault, why,
                                  f"add filter {words}")  # fmt: skip


def _twin(listener: Listener, filtered: list[Listener]) -> Listener | None:
    """Return the listener with a filter that a listener without one is the twin of."""
    for each in filtered:
        logins = listener.auth == each.auth == "auth" and _users(listener) == _users(each)
        if logins and (listener.where, listener.tag) == (each.where, each.tag):
            return each
    like = [each for each in filtered if _end(each) == _end(listener)]
    families = {_family(each) for each in like}
    # Where some of its own family have a filter, it is meant to be without.
    if _family(listener) and not families & {_family(listener), ""}:
        return next(iter(like), None)
    return None


def _users(listener: Listener) -> TableRef | None:
    return listener.auth_table and listener.auth_table._replace(line=0)


def _end(listener: Listener) -> tuple[object, ...]:
    """Return what two listeners have in common that are there for the same clients."""
    found = address(listener.where)
    where = listener.where if found is None else found.is_private
    local = found is not None and found.is_loopback
    return listener.port, listener.tag, bool(listener.tls), where, local


def _family(listener: Listener) -> str:
    """Return the family of addresses that it is for; "" for both, or where that is not known."""
    found = address(listener.where)
    if listener.family or found is None:
        return listener.family
    return "inet6" if found.version == 6 else "inet4"


def forgetful(server: Server) -> Iterator[Finding]:
    """Yield the filters that need what they know, and forget it."""
    for run in program_line.filters(server.configuration):
        words = command_words.words(run.entry.command)
        why = _FORGETFUL.get(os.path.basename(words[0]) if words else "")
        if why and not any(word.partition("=")[0] == "--state" for word in words):
            fault = f"{run.title} keeps what it knows in memory"
            remedy = "add --state and the path of a file, in a folder that its user may write to"
            yield finding.warning("filter-forgets", run.place, fault, why, remedy)


def judges_of_users_only(server: Server) -> Iterator[Finding]:
    """Yield the filters for mail of others that are where users log in only.

    A listener for mail of others must be there, and have no filter: nobody means that.
    """
    configuration = server.configuration
    if configuration.rest:  # a word that is not known may name a filter
        return
    listeners = [each for each in configuration.listeners if each.where != "socket"]
    outer = [each for each in listeners if each.auth != "auth" and not loopback(each)]
    bare = next((each for each in outer if not each.filters), None)
    if bare is None:
        return
    where = {name: _with_chained(configuration, [name]) for name in configuration.filters}
    for judge in configuration.filters.values():
        at = [each for each in listeners if any(judge.name in where[name] for name in each.filters)]
        program = _judge(judge)
        if program and at and all(each.auth == "auth" for each in at):
            fault = (
                f'filter "{judge.name}" ({program}) sees mail of users who log in only:'
                f" listen on {bare.where} in line {bare.place.line} has no filter"
            )
            yield finding.warning("filter-sees-users-only", judge.place, fault,
                                  "Mail of others is not judged.",
                                  f'add filter "{judge.name}" there')  # fmt: skip


def _judge(filter: FilterDefinition) -> str:
    """Return the program of a filter that judges mail of others; "" for other filters."""
    if filter.entry is None:
        return ""
    words = command_words.words((recorded.filter_in(filter.entry) or filter.entry).command)
    settings = any(word.startswith(_SETTINGS) for word in words)
    program = os.path.basename(words[0]) if words and not settings else ""
    return program if program in _JUDGES else ""
