"""One device or library each; vendor imports stay here. Adapters know ports and domain, never each other."""
