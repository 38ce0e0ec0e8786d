"""The members whom one box serves: what they agreed to, their sealed templates, and who looked at them."""
