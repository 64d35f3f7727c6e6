"""The local stack: this repo's template.yaml, running on an emulated AWS on this machine."""
