"""The Evaluate tab: who is asked what, how far it is, the scores with their intervals, and every answer to be read.

    tab.py          the components, and the way of every press: a message becomes a new Place, a Place is drawn
    place.py        Place: where one person stands in the tab
    visit.py        Visit: what a part may know: language, workspace, place, the opened evaluation
    parts.py        what is drawn on either side, and whose press it was
    setup.py        on the left: models, questions, metrics, settings, and the one primary button
    fields.py       declared arguments as plain HTML, and what was typed into them
    questions.py    which rows: held out by a run, a dataset, an exam, everyday questions
    measures.py     metrics to be ticked, and a user's own
    harness.py      tasks of the lm-evaluation-harness
    again.py        an evaluation that was made, back in the form
    shelf.py        evaluations made so far
    opened.py       on the right: the head of an evaluation, its progress, its report
    scores.py       scores as dots with intervals, and what differences are worth
    rows.py         fixed and broken rows as filters of the table of answers
    row.py          one row opened: answers side by side, word by word, token by token, and on to Chat
    files.py        a small route that gives the report and the tables

A part knows no Gradio; only tab.py does. Nothing here decides anything about scores: that lives in `studio.scores`.
"""
