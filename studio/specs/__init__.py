"""What a run is, as pure data: no torch, no page, no disk but the words of the plug-ins."""
