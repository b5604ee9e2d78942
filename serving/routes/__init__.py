"""The HTTP operations, a module for each noun."""
