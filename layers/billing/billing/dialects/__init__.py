"""The published API dialects: what clients send and receive, and how errors read."""
