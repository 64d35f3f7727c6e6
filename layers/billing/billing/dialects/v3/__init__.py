"""v3 account: camelCase, amounts as strings of minor units."""
