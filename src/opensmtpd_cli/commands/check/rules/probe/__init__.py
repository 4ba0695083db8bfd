"""Ask another server what it does with strangers: ``check --probe HOST``."""
