"""How far metrics lie from the truth: experiments whose truth is known, and what they teach."""
