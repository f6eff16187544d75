"""The Data tab: bring a set, look through its rows, have it examined, see what the model will be taught, train on it.

    tab.py          the components, and the way of every press: a message becomes a new Place, a Place is drawn
    place.py        Place: where one person stands in the tab
    visit.py        Visit: what a part may know: language, workspace, place, and how the form would read the data
    controls.py     the small things that all parts are made of
    shelf.py        the list of sets
    opened.py       head and sub-navigation of an opened set
    bring.py rows.py doctor.py seen.py lengths.py templates.py make.py    one part each: `draw` and its `ACTIONS`
    work.py         what takes long: jobs that go on while nobody looks

A part knows no Gradio; only tab.py does. Nothing here decides anything about data: that lives in `studio.data`.
"""
