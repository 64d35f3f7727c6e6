"""Services of AWS other than the tables: the document bucket and the queues."""
