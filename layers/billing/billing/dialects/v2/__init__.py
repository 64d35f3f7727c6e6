"""v2 customers: snake_case, amounts as numbers in major units."""
