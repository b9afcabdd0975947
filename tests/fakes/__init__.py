"""Local servers that speak the real protocols of providers, and misbehave on demand."""
