"""Data sets from outside: local copies, packaged archives, the hub."""
