"""The only modules that read and write the field's files."""
