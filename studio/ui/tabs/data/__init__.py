"""The Data tab: bring a set, look through its rows, have it examined, see what the model will be taught, train on it.

    tab.py          the components, and the way of every press: a message becomes a new Place, a Place is drawn
    place.py        Place: where one person stands in the tab
    visit.py        Visit: what a part may know: language, workspace, place, and how the form would read the data
    controls.py     the small things that all parts are made of
    shelf.py        the list of sets
    opened.py       head and sub-navigation of an opened set
    bring.py, mapping.py                   a part has `draw` and its `ACTIONS`: files, and what their columns are
    rows.py, editing.py, indexing.py       rows looked through, changed, searched
    doctor.py seen.py lengths.py           examined, token by token, measured (curves.py draws)
    history.py templates.py make.py        versions, spellings, sets that the studio writes
    talk.py readers.py eyes.py             a row as people read it, as a format reads it, as the model sees it
    work.py         what takes long: jobs that go on while nobody looks

A part knows no Gradio; only tab.py does. Nothing here decides anything about data: that lives in `studio.data`.
"""
