"""Valkey, on which a filter keeps what it knows: killed, and silent."""

from lab.chaos.faults import Strikes, fault
from lab.chaos.stand import Stand


@fault("Valkey is killed", pause=0.5)
def kill(stand: Stand) -> Strikes:
    """Kill it, and start it anew after a while."""
    try:
        while True:
            stand.valkey.kill9()
            yield 1
            stand.valkey.start()
            yield 0
    finally:
        stand.valkey.heal()


@fault("Valkey is silent", pause=2.0)
def pause(stand: Stand) -> Strikes:
    """Have it take what it is told, and say nothing for a while."""
    try:
        while True:
            stand.valkey.pause()
            yield 1
            stand.valkey.resume()
            yield 0
    finally:
        stand.valkey.heal()
