"""What API clients send and receive: one module per dialect and group."""
