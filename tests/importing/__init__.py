"""Files of other systems: their forms, what they mean, and how they come in."""
