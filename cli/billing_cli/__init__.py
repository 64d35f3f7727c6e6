"""The command line: what whoever runs the API does beside it."""
