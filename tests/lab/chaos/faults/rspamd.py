"""rspamd: killed, and silent."""

from lab.chaos.faults import Strikes, fault
from lab.chaos.stand import Stand


@fault("rspamd is killed", pause=0.5)
def kill(stand: Stand) -> Strikes:
    """Kill it amid messages, and start it anew after a while."""
    try:
        while True:
            stand.rspamd.kill9()
            yield 1
            stand.rspamd.start()
            yield 0
    finally:
        stand.rspamd.heal()


@fault("rspamd is silent", pause=2.0)
def pause(stand: Stand) -> Strikes:
    """Have no message judged for a while; all wait."""
    try:
        while True:
            stand.rspamd.pause()
            yield 1
            stand.rspamd.resume()
            yield 0
    finally:
        stand.rspamd.heal()
