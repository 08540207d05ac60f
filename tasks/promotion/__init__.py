"""Who decides, on what evidence, and what moves the champion."""
