"""What a decision may do: the two-phase executor, its guards, and adapters to what obeys it."""
