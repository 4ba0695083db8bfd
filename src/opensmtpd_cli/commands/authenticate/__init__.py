"""The command ``authenticate``: what filter-auth would say of a message, and why."""
