"""Hostile sessions and requests by the million, for the real programs, with the model as smtpd.

The model (``opensmtpd.testing``) judges each line that a program writes; the program itself runs as
smtpd would run it. It must not write an illegal line, end, hang, or grow.
"""
