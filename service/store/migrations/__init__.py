"""How does an older store become a newer one? Alembic revisions; ``schema.py`` runs them."""
