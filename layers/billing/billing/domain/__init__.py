"""Rules and value objects of billing; they import the standard library only."""
