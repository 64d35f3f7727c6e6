"""What the functions of the billing API share."""
