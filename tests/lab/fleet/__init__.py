"""Several mail servers on one PostgreSQL and one Valkey, each in a network of its own."""
