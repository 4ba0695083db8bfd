"""rspamd, which judges messages for filters to act upon, and a server that answers nonsense."""
