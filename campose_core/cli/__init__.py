"""`campose VERB`: parse, build options, call one function."""
