"""The HTTP application, its errors and its logger."""
