"""Import asyncio without ssl, where neither has been imported: that takes 10 ms less.

asyncio takes an ssl that is missing for a Python without TLS. Nothing is encrypted in the process
of the resolver. Import this module before others that need asyncio; later, ssl can be imported.
"""

import sys
from typing import Any

if "asyncio" not in sys.modules and "ssl" not in sys.modules:
    modules: dict[str, Any] = sys.modules
    modules["ssl"] = None  # how Python spells "not there"
    try:
        import asyncio  # noqa: F401  for those that import it next
    finally:
        del modules["ssl"]
