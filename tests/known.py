"""What tests know beforehand: the password of every user that they make."""

PASSWORD = "correct horse battery staple"
