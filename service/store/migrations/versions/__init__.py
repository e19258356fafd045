"""The revisions, oldest first; each file is named ``rNUMBER_what.py``."""
