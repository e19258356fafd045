"""How are results drawn on a terminal? With Rich, from plain objects; nothing here asks a store or a network.

Colour only on a terminal and never against ``NO_COLOR``; text from models and servers goes through
``service.text.safe``. One module per thing drawn.
"""
