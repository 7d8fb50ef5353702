"""OpenSubsonic: what players of that family ask of a music server, answered from the catalog, similarity included."""
