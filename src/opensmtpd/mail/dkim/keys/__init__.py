"""Keys for DKIM: what they are, and how they are made, read and found for a sender."""
