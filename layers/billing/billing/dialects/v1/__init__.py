"""v1 billing: snake_case, amounts as numbers in major units."""
