"""What is read from the journal, and can be rebuilt from it: the register, what still matters, the history."""
