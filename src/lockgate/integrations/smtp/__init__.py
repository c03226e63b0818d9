"""Notices as mail, by the standard library's smtplib."""
