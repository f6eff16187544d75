"""Scores of answers: predictions on disk, metrics over them, what their differences are worth, reports; without torch.

    statistics    how sure a score and a difference are
    predictions   predictions.jsonl: written row by row, read by pages, whatever its size
    scoring       metrics over predictions, on all cores
    compare       fixed, broken, same right, same wrong
    summary       scores.json
    report        report.html, report.md, scores.csv
    kappa         whether two who judge agree
    leaks         evaluation rows that stand in the training set
    guard         everyday questions before and after: what was forgotten
    judge, judging, jury   a model that compares or rates answers, itself judged by the user's votes
"""
