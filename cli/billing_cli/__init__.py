"""The command line, for the operators of the API."""
