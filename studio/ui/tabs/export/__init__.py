"""The Export tab: what is taken home and in which form, how far it is, and whether it is still the same model.

    tab.py          the components, and the way of every press: a message becomes a new Place, a Place is drawn
    place.py        Place: where one person stands in the tab
    visit.py        Visit: what a part may know: language, workspace, place, the opened export
    parts.py        what is drawn on either side, and whose press it was
    shelf.py        on the left: exports made so far, each with its verdict
    setup.py        on the right: what is exported, its form and settings, what that takes, the one primary button
    origin.py       the run or model that is exported, its step, and a draft of what has been chosen
    forms.py        the forms as cards: size, what opens them, why one cannot be made
    settings.py     a form's own arguments, and those of every form
    weighing.py     what forms say of a source before anything is made, asked once
    optional.py     optional parts that a form needs, installed by a press
    delivery.py     the password box of a hub
    opened.py       the opened export: its head, how far it is or why it ended, where it stands
    verdict.py      the acceptance: verdict, measures, reasons with their remedy, a talk with both
    takeaway.py     how to run it, its files, its model card
    files.py        a small route that gives an export as a file or as one archive

A part knows no Gradio; only tab.py does. Nothing here decides anything about exports: that lives in `studio.exports`.
"""
