"""Words that staff write themselves: a sandboxed template language, and what is looked at before they are used."""
