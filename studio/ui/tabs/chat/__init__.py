"""The Chat tab: one prompt for one to four lanes side by side, each answer with the proof of who gave it.

    tab.py          the components, and the way of every press: a message becomes a new Place, a Place is drawn
    place.py        Place: where one person stands in the tab
    visit.py        Visit: what a part may know: language, workspace, place, the opened conversation
    parts.py        which part is drawn, and whose press it was
    shelf.py        the list of conversations: opened, searched, renamed, removed, taken along
    lanes.py        the lanes: which weights answer, what loading them takes and how far it is
    composer.py     the box at the bottom: what is asked, and how it is to be answered
    turns.py        the conversation: questions, and below each the lanes' answers side by side
    answer.py       one answer: thinking, words, tool calls, proof, and what can be done with it
    live.py         what grows while it is being said: a small route, asked by assets/chat.js
    lens.py difference.py votes.py rows.py prompts.py
                    token by token, lane against lane, blind rounds, answers that become data, many prompts at once

A part knows no Gradio; only tab.py does. Nothing here decides anything about a conversation: that lives in
`studio.chats`.
"""
