"""Where rows and state are kept: connections to databases, and state with expiry."""
