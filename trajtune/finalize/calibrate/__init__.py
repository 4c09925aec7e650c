"""How sure the model may say it is: confidence and tenure intervals, fitted on val."""
