"""The edge agents as the record knows them: who may connect, their stores and lanes, their lists of points."""
