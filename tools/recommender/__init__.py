"""The project's own recommender: item to item from synthetic interactions, content for what is new (CAT-4)."""
