"""Renders every face of the product to PNG, for looking at (``make screens``)."""
