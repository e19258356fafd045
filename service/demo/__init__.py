"""What can a newcomer watch without a model of their own? The embedded endpoint and its story.

``tickets.jsonl`` and ``golden.jsonl`` are support tickets written for this project. ``model`` learns from the
first when it starts and is asked the second, which it has never seen. ``endpoint`` serves it on loopback with
the OpenAI protocol, ``receiver`` takes the webhooks, ``llm`` serves a real language model instead.
"""
