"""From folders of YAML to terms: read strictly, every problem at once, each with its line."""
