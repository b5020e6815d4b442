"""From score maps to label maps: rules and refiners."""
