"""Who may send mail to all the world through this server."""
