"""xDS's resources, as far as our mesh needs them: each builder gives one message, and knows nothing
of who is told, or when.
"""
