"""State in Valkey or Redis, which several machines share."""
