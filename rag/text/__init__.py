"""Text by itself: its language and terms, sentences, pronouns and turns of speech. Knows no question, no passage and no answer."""
