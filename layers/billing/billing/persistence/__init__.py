"""The DynamoDB tables and the document bucket."""
