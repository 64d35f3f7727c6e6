"""What billing does: one verb a function."""
