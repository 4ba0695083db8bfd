"""The commands of ``opensmtpd-plugins``, each in the file or folder of its name."""
