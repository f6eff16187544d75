"""Heavy work on data that runs in a process of its own, one file a kind; `studio.data.jobs` starts and watches it.

A kind's module has
    work(arguments, workspace, tell, should_stop) -> dict
                            does the work and returns what `Look.result` shows, as JSON can hold it. It calls
                            `tell(done, total)` as it goes and raises `StopAsked` soon after `should_stop()` is true;
                            what it makes is made aside and renamed, since a job that does not stop is ended.
"""
