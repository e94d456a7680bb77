"""What a person sees: views over a read-model folded from the journal."""
