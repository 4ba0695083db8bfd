"""Find those who may send mail to all the world through this server."""
