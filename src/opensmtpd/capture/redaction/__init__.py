"""Take secrets, and on request bodies and addresses, out of what is captured."""
