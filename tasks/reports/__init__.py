"""What people read: briefs, pages, tables and charts; figures only, never a row."""
