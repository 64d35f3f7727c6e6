"""VERI*FACTU as XML, by the schemas of Spain's tax agency."""
